/* SPDX-License-Identifier: MIT */
/* admin_info.h: "promcb-admin info", and what it shares with other commands. */
#ifndef PROMCB_TOOL_ADMIN_INFO_H
#define PROMCB_TOOL_ADMIN_INFO_H

#include <promcb/reader.h>

#include <stdio.h>

/* Runs the command with options of its own. segment: what was named before it, or NULL. Returns the exit status. */
int promcb_admin_info(const char *segment, int argc, char **argv);

/* A snapshot of a segment, to be freed by the caller. Returns 0, or -errno, which was reported. */
int promcb_admin_snapshot(const char *segment, const struct promcb_snapshot_options *options,
			  struct promcb_snapshot **out);

/*
 * A segment that is there, opened to write, to be closed by the caller: opening alone would make one that is missing.
 * Returns 0, or the exit status, after it was reported.
 */
int promcb_admin_session(const char *segment, struct promcb_session **out);

/* A text in quotes. It may hold any bytes but 0, as a path does: those that JSON cannot have are replaced. */
void promcb_admin_json_text(FILE *out, const char *text);

/* Reports errors of standard output that only show when it is closed. Returns the exit status. */
int promcb_admin_close_stdout(void);

#endif

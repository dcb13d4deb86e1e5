/* SPDX-License-Identifier: MIT */
/* record.h: the ways of promcb-record that fill a room of their own. May include: promcb.h. */
#ifndef PROMCB_TOOL_RECORD_H
#define PROMCB_TOOL_RECORD_H

#include <promcb/promcb.h>

/*
 * Runs a command and records its wall time and outcome. command: zero-terminated arguments, the first the program,
 * looked for in PATH. Without a segment the command runs all the same. Returns the status to exit with: the command's,
 * 128 + the signal that killed it, 127 if there is no such program, 126 if it cannot be run.
 */
int promcb_record_command(const char *segment, const char *component, char *const *command);

/* Records the lines of standard input as they come. Returns the status to exit with. */
int promcb_record_stdin(const char *segment);

/*
 * Finds or registers a component, and complains where it cannot be had: then it is "_overflow", or a handle that does
 * nothing. Returns 0, or the library's -errno.
 */
int promcb_record_find(struct promcb *metrics, const char *name, struct promcb_component **out);

/* Opens the segment, or complains. Returns it, or NULL. */
struct promcb *promcb_record_open(const char *segment);

#endif

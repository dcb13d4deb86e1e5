/* SPDX-License-Identifier: MIT */
/*
 * export_body.h: what promcb-export prints, first whole in memory, then in one place: standard output or a file.
 *
 * Functions that can fail return 0 or -errno.
 *
 * Invariants
 *   - Nothing is written before the body is whole.
 *   - A file is replaced at once or not at all, and no name that ends in ".prom" ever leads to part of a body.
 */
#ifndef PROMCB_TOOL_EXPORT_BODY_H
#define PROMCB_TOOL_EXPORT_BODY_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct promcb_body {
	char *bytes;
	size_t used;
	size_t size;
};

/* Appends, as a promcb_write_fn: context is the body. Returns 0, or -ENOMEM. */
int promcb_body_append(void *context, const void *bytes, size_t length);

/* Empties it and keeps its memory. */
void promcb_body_clear(struct promcb_body *body);

void promcb_body_free(struct promcb_body *body);

/*
 * Writes to standard output. during: the signals blocked while waiting for a slow reader, so that others end the wait;
 * NULL: waits as write(2) does. Returns 0, -EINTR (a signal came before the first byte), -ECANCELED (it came in the
 * middle of the body), or -errno.
 */
int promcb_body_to_stdout(const struct promcb_body *body, const sigset_t *during);

/* Errors of standard output that only show when it is closed. */
int promcb_body_close_stdout(void);

/*
 * Replaces a file: writes beside it, syncs, renames. Mode 0644. failed: which step it was, as a phrase, when it fails.
 * Returns 0, -EEXIST (it exists and is not a regular file: left alone), or -errno.
 */
int promcb_body_to_file(const struct promcb_body *body, const char *path, const char **failed);

#endif

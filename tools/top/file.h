/* SPDX-License-Identifier: MIT */
/* file.h: recordings as files: written while somebody looks, and read again. */
#ifndef PROMCB_TOP_FILE_H
#define PROMCB_TOP_FILE_H

#include "top.h"
#include "views/recording.h"

#include <stdio.h>

struct promcb_file {
	FILE *file; /* NULL: nothing is recorded */
	const char *path;
	bool begun; /* there was a history to begin with */
	int result; /* why it was ended before its time; 0: it was not */
	struct promcb_view_recorder recorder;
};

/* Makes a file, which is not there yet. path: kept. Returns 0 or -errno. */
int promcb_file_create(struct promcb_file *file, const char *path);

/*
 * Writes what came since, all that there is at first. Returns 0, or -errno, after which nothing more is recorded:
 * -ESTALE if the segment was recreated with other buckets.
 */
int promcb_file_write(struct promcb_file *file, const struct promcb_top *top);

/* Returns 0 or -errno. */
int promcb_file_close(struct promcb_file *file);

/*
 * Shows a recording. Returns 0, -ENOTSUP if the file is none, whose bytes may be a segment's, or another -errno, of
 * which top->missing tells.
 */
int promcb_file_read(const char *path, struct promcb_top *top);

#endif

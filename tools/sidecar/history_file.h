/* SPDX-License-Identifier: MIT */
/*
 * history_file.h: one segment's history in a file, which the next process goes on from. The file is a recording, as
 * promcb-top's are; what a process that was killed had written can be read.
 *
 * It is appended to after each look, and written anew, beside itself and then in its place, when it is a quarter larger
 * than it was when that was done last. What cannot be written is told in the log once, and tried again a minute later.
 */
#ifndef PROMCB_SIDECAR_HISTORY_FILE_H
#define PROMCB_SIDECAR_HISTORY_FILE_H

#include "views/recording.h"

struct sidecar_history_file {
	char *path;    /* NULL: none is kept */
	bool is_begun; /* what the recorder says was written is there */
	bool has_failed;
	uint64_t length;
	uint64_t most;    /* a longer one is written anew */
	unsigned pause;   /* writes that are left out, after one that failed */
	struct promcb_view_recorder recorder;
};

/* directory: NULL: no file. Returns 0, or -ENOMEM. */
int sidecar_history_file_open(struct sidecar_history_file *file, const char *directory, const char *segment);

/*
 * What an earlier process left, to go on from. most: bytes that are read. Returns 0, after which
 * promcb_view_history_end() of it is due, or -errno: -ENOENT where there is none. Others are told in the log.
 */
int sidecar_history_file_read(struct sidecar_history_file *file, const char *segment, size_t most,
			      struct promcb_view_recording *out);

/* Writes what came since. */
void sidecar_history_file_write(struct sidecar_history_file *file, const struct promcb_view_history *history,
				const char *segment, const struct promcb_segment_info *info);

/* The history begins anew, and so will the file. */
void sidecar_history_file_restart(struct sidecar_history_file *file);

/* The file stays. */
void sidecar_history_file_close(struct sidecar_history_file *file);

#endif

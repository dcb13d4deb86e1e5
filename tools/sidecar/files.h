/* SPDX-License-Identifier: MIT */
/*
 * files.h: files that are read again when they change: their stamps, and their bytes.
 *
 *
 */
#ifndef PROMCB_SIDECAR_FILES_H
#define PROMCB_SIDECAR_FILES_H

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/*
 * What can be told of a file without reading it. The inode's own time tells of permissions, too. Padding is zero, so
 * that stamps can be compared byte by byte.
 */
struct sidecar_stamp {
	int error;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct sidecar_stamp sidecar_stamp_of(const char *path);

/*
 * The bytes of a regular file, which end with a NUL; of a longer one than most, one byte more than that. *out is the
 * caller's to free. Returns 0, or -errno with a sentence in message.
 */
int sidecar_file_read(const char *path, size_t most, char **out, size_t *out_length, char *message,
		      size_t message_size);

#endif

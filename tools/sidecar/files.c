/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sidecar_stamp sidecar_stamp_of(const char *path)
{
	struct sidecar_stamp stamp;
	struct stat status;

	/* Padding is compared, too. */
	memset(&stamp, 0, sizeof(stamp));
	if (stat(path, &status) < 0) {
		stamp.error = errno;
		return stamp;
	}
	stamp.device = status.st_dev;
	stamp.inode = status.st_ino;
	stamp.size = status.st_size;
	stamp.modified = status.st_mtim;
	stamp.changed = status.st_ctim;
	return stamp;
}

int sidecar_file_read(const char *path, size_t most, char **out, size_t *out_length, char *message, size_t message_size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), error = 0;
	struct stat status;
	ssize_t length = 0;
	char *text = NULL;

	*out_length = 0;
	if (file < 0 || fstat(file, &status) < 0)
		error = errno;
	else if (S_ISDIR(status.st_mode))
		error = EISDIR;
	else if (!S_ISREG(status.st_mode))
		error = EINVAL;
	else if (!(text = malloc(most + 2)))
		error = ENOMEM;
	while (!error && *out_length <= most) {
		length = read(file, text + *out_length, most + 1 - *out_length);
		if (length < 0 && errno != EINTR)
			error = errno;
		if (length == 0)
			break;
		if (length > 0)
			*out_length += (size_t)length;
	}
	if (file >= 0)
		close(file);
	if (error) {
		free(text);
		snprintf(message, message_size, "%s: %s", path, strerror(error));
		return -error;
	}
	text[*out_length] = '\0';
	*out = text;
	return 0;
}

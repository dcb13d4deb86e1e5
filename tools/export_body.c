/* SPDX-License-Identifier: MIT */
#include "export_body.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int promcb_body_append(void *context, const void *bytes, size_t length)
{
	struct promcb_body *body = context;

	if (body->size - body->used < length) {
		size_t size = body->size ? body->size : 65536;
		char *larger;

		while (size - body->used < length) {
			if (size > SIZE_MAX / 2)
				return -ENOMEM;
			size *= 2;
		}
		larger = realloc(body->bytes, size);
		if (!larger)
			return -ENOMEM;
		body->bytes = larger;
		body->size = size;
	}
	memcpy(body->bytes + body->used, bytes, length);
	body->used += length;
	return 0;
}

void promcb_body_clear(struct promcb_body *body)
{
	body->used = 0;
}

void promcb_body_free(struct promcb_body *body)
{
	free(body->bytes);
	*body = (struct promcb_body){.bytes = NULL};
}

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, bytes, length);

		if (written < 0 && errno == EAGAIN) {
			struct pollfd ready = {.fd = fd, .events = POLLOUT};

			poll(&ready, 1, -1);
			continue;
		}
		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			bytes += written;
			length -= (size_t)written;
		}
	}
	return 0;
}

/*
 * A pipe that polls as writable takes PIPE_BUF bytes without blocking, so signals have their say only where somebody is
 * slow.
 */
int promcb_body_to_stdout(const struct promcb_body *body, const sigset_t *during)
{
	struct pollfd ready = {.fd = STDOUT_FILENO, .events = POLLOUT};
	size_t done = 0;

	if (!during)
		return write_all(STDOUT_FILENO, body->bytes, body->used);
	while (done < body->used) {
		size_t length = body->used - done < PIPE_BUF ? body->used - done : PIPE_BUF;
		ssize_t written;

		if (ppoll(&ready, 1, NULL, during) < 0) {
			if (errno != EINTR)
				return -errno;
			return done ? -ECANCELED : -EINTR;
		}
		written = write(STDOUT_FILENO, body->bytes + done, length);
		if (written < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		done += written > 0 ? (size_t)written : 0;
	}
	return 0;
}

int promcb_body_close_stdout(void)
{
	return close(STDOUT_FILENO) < 0 && errno != EINTR && errno != EBADF ? -errno : 0;
}

int promcb_body_to_file(const struct promcb_body *body, const char *path, const char **failed)
{
	char beside[PATH_MAX], target[PATH_MAX];
	struct stat there;
	int fd, result = 0;

	/* A link stays, and what it leads to is replaced. */
	*failed = "the link cannot be followed";
	if (lstat(path, &there) == 0 && S_ISLNK(there.st_mode)) {
		if (!realpath(path, target))
			return -errno;
		path = target;
	}
	/* A rename would put a file in the place of a device. */
	*failed = "it exists and is not a regular file";
	if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode))
		return -EEXIST;
	*failed = "its name is too long";
	if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	*failed = "cannot make a temporary file beside it";
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*failed = "cannot write the temporary file beside it";
	result = write_all(fd, body->bytes, body->used);
	/* The reader is another user, most often; the mask of this process is not asked. */
	if (result == 0 && fchmod(fd, 0644) < 0)
		result = -errno;
	if (result == 0 && fsync(fd) < 0)
		result = -errno;
	if (close(fd) < 0 && result == 0)
		result = -errno;
	if (result == 0) {
		*failed = "cannot put the new file in its place";
		if (rename(beside, path) < 0)
			result = -errno;
	}
	if (result < 0)
		unlink(beside);
	return result;
}

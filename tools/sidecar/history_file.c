/* SPDX-License-Identifier: MIT */
#include "history_file.h"

#include "log.h"

#include <promcb/promcb.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* By how much more than it had a file is never written anew. */
#define SLACK_BYTES ((uint64_t)262144)

/* To try is to write all of it: a disk that is full shall not be filled each second. */
enum { PAUSE = 60 };

int sidecar_history_file_open(struct sidecar_history_file *file, const char *directory, const char *segment)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	size_t room = directory ? strlen(directory) + 3 * strlen(segment) + sizeof("/.promcb") : 0, at;

	*file = (struct sidecar_history_file){.path = NULL};
	if (!directory)
		return 0;
	file->path = malloc(room);
	if (!file->path)
		return -ENOMEM;
	/* A segment's name may be a path: each has a file of its own in the one directory. */
	at = (size_t)sprintf(file->path, "%s/", directory);
	for (; *segment; segment++)
		at += (size_t)sprintf(file->path + at, strchr(plain, *segment) ? "%c" : "%%%02x",
				      (unsigned char)*segment);
	memcpy(file->path + at, ".promcb", sizeof(".promcb"));
	return 0;
}

/* Once, until it is possible again. */
static void complain(struct sidecar_history_file *file, const char *what, int error)
{
	if (!file->has_failed)
		sidecar_log(SIDECAR_LOG_WARN, what, "file", file->path, "error", strerror(-error), NULL);
	file->has_failed = true;
}

/* -- Reading ------------------------------------------------------------------------------------------------------- */

/* All of a file that is one, and not too large. Returns 0, or -errno. */
static int read_all(const char *path, size_t most, uint8_t **bytes, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), result = 0;
	struct stat status;

	*bytes = NULL;
	*length = 0;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		result = -errno;
	else if (!S_ISREG(status.st_mode) || status.st_size < 0 || (uint64_t)status.st_size > most)
		result = -EFBIG;
	if (result == 0) {
		*bytes = malloc((size_t)status.st_size + 1);
		result = *bytes ? 0 : -ENOMEM;
	}
	while (result == 0 && *length < (size_t)status.st_size) {
		ssize_t got = read(fd, *bytes + *length, (size_t)status.st_size - *length);

		if (got <= 0 && !(got < 0 && errno == EINTR)) {
			result = got < 0 ? -errno : 0;
			break;
		}
		*length += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	return result;
}

int sidecar_history_file_read(struct sidecar_history_file *file, const char *segment, size_t most,
			      struct promcb_view_recording *out)
{
	uint8_t *bytes;
	size_t length;
	int result;

	if (!file->path)
		return -ENOENT;
	result = read_all(file->path, most, &bytes, &length);
	if (result == 0)
		result = promcb_view_recording_read(bytes, length, PROMCB_VIEW_TO_GO_ON, out);
	free(bytes);
	/* Names of segments are cut in a recording. */
	if (result == 0 && strncmp(out->segment, segment, PROMCB_VIEW_SEGMENT_MAX) != 0) {
		promcb_view_history_end(&out->history);
		result = -EBADMSG;
	}
	if (result < 0 && result != -ENOENT)
		sidecar_log(SIDECAR_LOG_WARN, "earlier history cannot be read, and begins anew", "file", file->path,
			    "error", strerror(-result), NULL);
	return result;
}

/* -- Writing ------------------------------------------------------------------------------------------------------- */

static int write_all(int fd, const struct promcb_view_bytes *bytes)
{
	size_t done = 0;

	while (done < bytes->length) {
		ssize_t wrote = write(fd, bytes->bytes + done, bytes->length - done);

		if (wrote < 0 && errno != EINTR)
			return -errno;
		done += wrote > 0 ? (size_t)wrote : 0;
	}
	return 0;
}

/* Appends to the file, if it is as it was left. Returns 0, or -errno: then it must be written anew. */
static int append(struct sidecar_history_file *file, const struct promcb_view_bytes *bytes)
{
	int fd = open(file->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), result;
	struct stat status;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0 || (uint64_t)status.st_size != file->length || !S_ISREG(status.st_mode))
		result = -ESTALE;
	else
		result = write_all(fd, bytes);
	close(fd);
	if (result == 0)
		file->length += bytes->length;
	return result;
}

/* Puts a new file in the place of the old one, whole or not at all. */
static int replace(struct sidecar_history_file *file, const struct promcb_view_bytes *bytes)
{
	size_t length = strlen(file->path);
	char *beside = malloc(length + sizeof(".new"));
	int fd, result;

	if (!beside)
		return -ENOMEM;
	memcpy(beside, file->path, length);
	memcpy(beside + length, ".new", sizeof(".new"));
	unlink(beside);
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	result = fd < 0 ? -errno : write_all(fd, bytes);
	if (fd >= 0 && close(fd) < 0 && result == 0)
		result = -errno;
	if (result == 0 && rename(beside, file->path) < 0)
		result = -errno;
	if (result < 0 && fd >= 0)
		unlink(beside);
	free(beside);
	if (result == 0) {
		file->length = bytes->length;
		file->most = file->length + file->length / 4 + SLACK_BYTES;
	}
	return result;
}

void sidecar_history_file_restart(struct sidecar_history_file *file)
{
	promcb_view_recorder_end(&file->recorder);
	file->is_begun = false;
}

void sidecar_history_file_write(struct sidecar_history_file *file, const struct promcb_view_history *history,
				const char *segment, const struct promcb_segment_info *info)
{
	struct promcb_view_bytes bytes = {.bytes = NULL};
	int result = -ESTALE;

	if (!file->path || (file->pause && file->pause--))
		return;
	if (file->is_begun && file->length <= file->most)
		result = promcb_view_record_more(&file->recorder, history, info, &bytes);
	if (result == 0)
		result = append(file, &bytes);
	if (result < 0) {
		sidecar_history_file_restart(file);
		bytes.length = 0;
		result = promcb_view_record_first(&file->recorder, history, segment, info, &bytes);
		if (result == 0)
			result = replace(file, &bytes);
		file->is_begun = result == 0;
	}
	file->pause = result < 0 ? PAUSE : 0;
	if (result < 0)
		complain(file, "history cannot be written", result);
	else
		file->has_failed = false;
	promcb_view_bytes_free(&bytes);
}

void sidecar_history_file_close(struct sidecar_history_file *file)
{
	sidecar_history_file_restart(file);
	free(file->path);
	*file = (struct sidecar_history_file){.path = NULL};
}

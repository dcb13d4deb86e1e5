/* SPDX-License-Identifier: MIT */
/* admin.c: creating, removing and listing segments. */
#include <promcb/admin.h>
#include <promcb/inject.h>

#include "base/cancel.h"
#include "base/descriptor.h"
#include "format/geometry.h"
#include "segment/segment.h"

#include <promcb/inject.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	REMOVER_ROUNDS = 2000,
	REMOVER_PAUSE_NS = 1000000,
	/* Where descriptors may begin: at a page behind tables of at most so many bytes. */
	REMAINS_STEP = 4096,
	REMAINS_END = 16 << 20,
};

int promcb_create(const char *segment, const struct promcb_options *options, struct promcb_message *message)
{
	PROMCB_NOT_CANCELLED;
	struct promcb_options ours = options ? *options : (struct promcb_options){.max_bytes = 0};
	struct promcb_segment attached;
	char path[PROMCB_PATH_MAX];
	int result;

	if (message)
		message->text[0] = 0;
	result = promcb_segment_path(segment, path, message);
	if (result == 0)
		result = promcb_segment_attach(&attached, path, &ours, PROMCB_CREATE_ONLY, message);
	if (result == 0)
		promcb_segment_unmap(&attached);
	return result;
}

/* Takes every lane at once: nobody lives. Returns 0, or -EBUSY. The lock goes with the descriptor. */
static int lock_all(int fd)
{
	struct flock lock = {.l_type = F_WRLCK,
			     .l_whence = SEEK_SET,
			     .l_start = PROMCB_LOCK_LANES,
			     .l_len = PROMCB_LANES_MAX + PROMCB_SPECIAL_LANES};

	return fcntl(fd, F_OFD_SETLK, &lock) < 0 && (errno == EAGAIN || errno == EACCES) ? -EBUSY : 0;
}

/*
 * Between the look at the name and its removal nobody else may remove the file: the name could then lead to a new one.
 * Who removes holds this lock of the file, and looks at the name after he got it. It is waited for in vain only where
 * a remover is stopped. Returns 0, or -EBUSY. The lock goes with the descriptor.
 */
static int lock_name(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = PROMCB_LOCK_REMOVER, .l_len = 1};
	const struct timespec pause = {.tv_nsec = REMOVER_PAUSE_NS};

	for (int round = 0; fcntl(fd, F_OFD_SETLK, &lock) < 0; round++) {
		/* Where there are no locks, there is no help. */
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return 0;
		if (round == REMOVER_ROUNDS)
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Tells producers that have the file mapped. A file that is no segment has nobody to tell. */
static void retire(int fd)
{
	const uint64_t retired = 1;
	struct promcb_header header;

	if (pread(fd, &header, sizeof(header), 0) == sizeof(header) && promcb_header_validate(&header, "", NULL) == 0 &&
	    pwrite(fd, &retired, sizeof(retired), offsetof(struct promcb_header, retired)) < 0) {
		/* They notice by the missing name, too. */
	}
}

/*
 * Whether what has no magic was a segment: emptied, or written over at its beginning. The name of the reserved
 * component stands at the head of a page, far behind what a stray print reaches.
 */
static bool is_left_of_segment(int fd, const struct stat *status)
{
	char name[PROMCB_NAME_MAX + 1], expected[PROMCB_NAME_MAX + 1] = PROMCB_OVERFLOW_NAME;

	for (off_t off = REMAINS_STEP; off < REMAINS_END && off < status->st_size; off += REMAINS_STEP)
		if (pread(fd, name, sizeof(name), off) == sizeof(name) && memcmp(name, expected, sizeof(name)) == 0)
			return true;
	return status->st_size == 0;
}

/* Whether the file may be removed, if it is ours by its name. Returns 0, or -EBADMSG or -EACCES. */
static int check_removable(int fd, const char *path, bool force, struct stat *status, struct promcb_message *message)
{
	uint64_t magic = 0;

	if (fstat(fd, status) < 0)
		return promcb_message_error(message, -errno, "cannot examine %s: %s", path, promcb_strerror(-errno));
	if (!S_ISREG(status->st_mode))
		return promcb_message_error(message, -EBADMSG,
					    "%s is not a promcb segment, so it is left alone: it is not a regular file",
					    path);
	if (pread(fd, &magic, sizeof(magic), 0) < 0)
		return promcb_message_error(message, -errno, "cannot read %s: %s", path, promcb_strerror(-errno));
	if (magic == PROMCB_MAGIC)
		return 0;
	if (!is_left_of_segment(fd, status))
		return promcb_message_error(message, -EBADMSG,
					    "%s is not a promcb segment, so it is left alone: if it is in the way of "
					    "one, remove it with rm",
					    path);
	if (!force)
		return promcb_message_error(message, -EBADMSG,
					    "%s is no promcb segment any more, its beginning is lost: --force removes "
					    "what is left",
					    path);
	if (status->st_uid != geteuid() && geteuid() != 0)
		return promcb_message_error(message, -EACCES,
					    "%s is no promcb segment any more, and user %u's: only he or root removes "
					    "what is left",
					    path, status->st_uid);
	return 0;
}

int promcb_remove(const char *segment, bool force, struct promcb_message *message)
{
	PROMCB_NOT_CANCELLED;
	struct stat opened, named;
	char path[PROMCB_PATH_MAX];
	int result, fd;

	result = promcb_segment_path(segment, path, message);
	if (result < 0)
		return result;
	fd = promcb_descriptor_open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0) {
		result = -errno;
		return promcb_message_error(message, result,
					    result == -ENOENT ? "there is no segment %s"
							      : "cannot open segment %s to remove it: %s",
					    path, promcb_strerror(result));
	}
	result = check_removable(fd, path, force, &opened, message);
	if (result < 0)
		goto out;
	if (lock_all(fd) < 0 && !force) {
		result = promcb_message_error(
			message, -EBUSY,
			"segment %s has live producers: stop them, or use --force, and they go on in a new one", path);
		goto out;
	}
	if (lock_name(fd) < 0) {
		result = promcb_message_error(
			message, -EBUSY, "segment %s is being removed by another process, which does not go on", path);
		goto out;
	}
	retire(fd);
	if (lstat(path, &named) < 0)
		result = promcb_message_error(message, -errno, "cannot remove segment %s: %s", path,
					      errno == ENOENT ? "another process did" : promcb_strerror(-errno));
	else if (named.st_dev != opened.st_dev || named.st_ino != opened.st_ino)
		result = promcb_message_error(message, -ESTALE, "segment %s was replaced in the meantime", path);
	PROMCB_INJECT("remove: looked");
	if (result == 0 && unlink(path) < 0)
		result = promcb_message_error(message, -errno, "cannot remove segment %s: %s", path,
					      promcb_strerror(-errno));
out:
	close(fd);
	return result;
}

int promcb_list(const char *directory, int (*found)(void *context, const char *segment, bool usable), void *context)
{
	PROMCB_NOT_CANCELLED;
	int listed = promcb_descriptor_open(directory ? directory : PROMCB_SHM_DIRECTORY, O_RDONLY | O_DIRECTORY, 0);
	DIR *entries = listed < 0 ? NULL : fdopendir(listed);
	struct dirent *entry;
	int result = 0;

	if (!entries) {
		result = -errno;
		if (listed >= 0)
			close(listed);
		return result;
	}
	while (result == 0 && (entry = readdir(entries))) {
		int fd = promcb_descriptor_openat(listed, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
		struct promcb_header header;
		char name[PROMCB_PATH_MAX];
		struct stat status;
		ssize_t length;

		if (fd < 0)
			continue;
		length =
			fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? pread(fd, &header, sizeof(header), 0) : -1;
		close(fd);
		if (length < (ssize_t)sizeof(header.magic) || header.magic != PROMCB_MAGIC)
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", directory ? directory : "", entry->d_name) >=
		    (int)sizeof(name))
			continue;
		result = found(context, name,
			       length == (ssize_t)sizeof(header) && promcb_header_validate(&header, name, NULL) == 0);
	}
	closedir(entries);
	return result;
}

/* SPDX-License-Identifier: MIT */
#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { STANDARD_DESCRIPTORS = 3 };

static bool is_taken(int fd)
{
	/* Where a sandbox forbids to ask, it is taken for taken. */
	return fcntl(fd, F_GETFD) >= 0 || errno != EBADF;
}

static void fill_standard(int fillers[STANDARD_DESCRIPTORS])
{
	for (int fd = 0; fd < STANDARD_DESCRIPTORS; fd++)
		/* What is written to such a one fails, as it does where there is none. */
		fillers[fd] = is_taken(fd) ? -1 : open("/", O_PATH | O_CLOEXEC);
}

static void empty_standard(const int fillers[STANDARD_DESCRIPTORS])
{
	for (int i = 0; i < STANDARD_DESCRIPTORS; i++)
		/* Another thread may just have put its own file there. */
		if (fillers[i] >= 0 && (fcntl(fillers[i], F_GETFL) & O_PATH))
			close(fillers[i]);
}

/* Where no filler was to be had. */
static int move_up(int fd)
{
	int error, high;

	if (fd < 0 || fd >= STANDARD_DESCRIPTORS)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, STANDARD_DESCRIPTORS);
	/* A limit of three descriptors makes the least number an invalid one. */
	error = errno == EINVAL ? EMFILE : errno;
	close(fd);
	errno = error;
	return high;
}

static void park(int fd)
{
	int64_t possible = 0, impossible = INT64_MAX;

	if (lseek(fd, impossible, SEEK_SET) >= 0)
		return;
	/* On disks the largest offset is that of the largest file. */
	while (impossible - possible > 1) {
		int64_t middle = possible + (impossible - possible) / 2;

		if (lseek(fd, middle, SEEK_SET) >= 0)
			possible = middle;
		else if (errno == EINVAL)
			impossible = middle;
		else
			return;
	}
}

int promcb_descriptor_openat(int directory, const char *path, int flags, mode_t mode)
{
	int fillers[STANDARD_DESCRIPTORS], error, fd;

	fill_standard(fillers);
	fd = openat(directory, path, flags | O_CLOEXEC, mode);
	error = errno;
	empty_standard(fillers);
	errno = error;
	fd = move_up(fd);
	if (fd >= 0 && (flags & O_ACCMODE) == O_RDWR) {
		error = errno;
		park(fd);
		errno = error;
	}
	return fd;
}

int promcb_descriptor_open(const char *path, int flags, mode_t mode)
{
	return promcb_descriptor_openat(AT_FDCWD, path, flags, mode);
}

void promcb_descriptor_path(char path[PROMCB_DESCRIPTOR_PATH_BYTES], int fd)
{
	char digits[12];
	int count = 0, length = 14;

	memcpy(path, "/proc/self/fd/", 14);
	do
		digits[count++] = (char)('0' + fd % 10);
	while (fd /= 10);
	while (count)
		path[length++] = digits[--count];
	path[length] = 0;
}

/* SPDX-License-Identifier: MIT */
#include "read/source.h"

#include "base/clock.h"
#include "base/clock_domain.h"
#include "base/descriptor.h"
#include "format/geometry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int open_failed(struct promcb_source *source, int error, struct promcb_message *message)
{
	switch (error) {
	case -ENOENT:
		return promcb_message_error(
			message, error,
			"there is no segment %s: the first program that records into it creates it, as does "
			"promcb-admin create --segment=%s",
			source->path, source->path);
	case -EACCES:
		return promcb_message_error(
			message, error,
			"no permission to read segment %s: run as its owner or in its group, or create it with "
			"a wider mode",
			source->path);
	case -ELOOP:
		return promcb_message_error(message, error, "%s is a symbolic link, which promcb does not follow",
					    source->path);
	default:
		return promcb_message_error(message, error, "cannot open segment %s: %s", source->path,
					    promcb_strerror(error));
	}
}

static int look(struct promcb_source *source, struct promcb_message *message)
{
	const struct promcb_geometry *g = &source->header.geometry;

	if (fstat(source->fd, &source->status) < 0)
		return promcb_message_error(message, -errno, "cannot examine %s: %s", source->path,
					    promcb_strerror(-errno));
	source->file_bytes = (uint64_t)source->status.st_size;
	if (source->file_bytes < promcb_geometry_fixed_bytes(g) || source->file_bytes > g->max_bytes)
		return promcb_message_error(
			message, -EBADMSG,
			"segment %s has %llu bytes, its header promises %llu to %llu: it was truncated, or grown "
			"by a stranger",
			source->path, (unsigned long long)source->file_bytes,
			(unsigned long long)promcb_geometry_fixed_bytes(g), (unsigned long long)g->max_bytes);
	return 0;
}

/* Where there is no room for the addresses, or for the guard to watch them, the source goes on by copies. */
static void map(struct promcb_source *source)
{
	uint64_t bytes = source->header.geometry.max_bytes;
	void *base;

	/* A map of huge pages cannot be given back in part, and a header may promise less than a page of them. */
	if (bytes % (uint64_t)source->status.st_blksize)
		return;
	base = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, source->fd, 0);
	if (base == MAP_FAILED)
		return;
	if (promcb_sigbus_add(&source->guard, base, bytes))
		source->base = base;
	else
		munmap(base, bytes);
}

int promcb_source_open(struct promcb_source *source, const char *segment, bool mapped, struct promcb_message *message)
{
	ssize_t length;
	int result;

	*source = (struct promcb_source){.fd = -1};
	result = promcb_segment_path(segment, source->path, message);
	if (result < 0)
		return result;
	source->fd = promcb_descriptor_open(source->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (source->fd < 0)
		return open_failed(source, -errno, message);
	if (fstat(source->fd, &source->status) < 0) {
		result = promcb_message_error(message, -errno, "cannot examine %s: %s", source->path,
					      promcb_strerror(-errno));
		promcb_source_close(source);
		return result;
	}
	if (!S_ISREG(source->status.st_mode)) {
		promcb_source_close(source);
		return promcb_message_error(message, -EBADMSG, "%s is not a promcb segment: it is not a regular file",
					    source->path);
	}
	/* [MAGIC] as in segment.c: without it the rest of the header is not looked at. */
	length = pread(source->fd, &source->header, sizeof(source->header), 0);
	if (length < 0)
		result = promcb_message_error(message, -errno, "cannot read %s: %s", source->path,
					      promcb_strerror(-errno));
	else if (length < (ssize_t)sizeof(source->header))
		result = promcb_message_error(message, -EBADMSG, "%s is not a promcb segment: it is too short",
					      source->path);
	else
		result = promcb_header_validate(&source->header, source->path, message);
	if (result == 0)
		result = look(source, message);
	if (result == 0) {
		source->birth = promcb_clock_domain_birth(source->fd);
		/* Learned while it can be: before a change of root. */
		promcb_clock_domain_now(source->birth);
	}
	if (result == 0 && mapped)
		map(source);
	if (result < 0)
		promcb_source_close(source);
	return result;
}

int promcb_source_follows(struct promcb_source *source)
{
	const size_t fixed_bytes = offsetof(struct promcb_header, reserved);
	struct promcb_header now;
	struct stat status;
	int result;

	if (lstat(source->path, &status) < 0)
		return -errno;
	/* While it is open, its inode is nobody else's. */
	if (source->fd < 0 || status.st_dev != source->status.st_dev || status.st_ino != source->status.st_ino)
		return -ESTALE;
	result = look(source, NULL);
	if (result < 0)
		return result;
	/* A file that was written over, by cp say, has the same inode. */
	if (pread(source->fd, &now, fixed_bytes, 0) != (ssize_t)fixed_bytes ||
	    memcmp(&now, &source->header, fixed_bytes) != 0)
		return -ESTALE;
	return 0;
}

void promcb_source_close(struct promcb_source *source)
{
	if (source->base) {
		promcb_sigbus_remove(&source->guard);
		munmap((void *)(uintptr_t)source->base, source->header.geometry.max_bytes);
	}
	if (source->fd >= 0)
		close(source->fd);
	free(source->extents);
	source->extents = NULL;
	source->base = NULL;
	source->fd = -1;
}

static int faulted(struct promcb_source *source, struct promcb_message *message)
{
	return promcb_message_error(message, -ESTALE, "segment %s was truncated while it was being read", source->path);
}

enum { EXTENTS_MAX = 65536 };

/* What does not fit, or cannot be asked, is left out, and read by pread. */
static void find_extents(struct promcb_source *source)
{
	size_t room = 0;
	off_t at = 0;

	source->extent_count = 0;
	source->extents_end = 0;
	free(source->extents);
	source->extents = NULL;
	while (source->extent_count < EXTENTS_MAX && (uint64_t)at < source->file_bytes &&
	       !promcb_source_is_late(source)) {
		off_t begin = lseek(source->fd, at, SEEK_DATA);
		off_t end = begin < 0 ? -1 : lseek(source->fd, begin, SEEK_HOLE);

		if (begin < 0 && errno == ENXIO)
			source->extents_end = source->file_bytes;
		if (end <= begin)
			return;
		if (source->extent_count == room) {
			struct promcb_extent *more = realloc(source->extents, (room + 256) * sizeof(*more));

			if (!more)
				return;
			source->extents = more;
			room += 256;
		}
		source->extents[source->extent_count++] = (struct promcb_extent){(uint64_t)begin, (uint64_t)end};
		source->extents_end = (uint64_t)end;
		at = end;
	}
}

/* The number of the first extent that ends after off. */
static size_t find_extent(const struct promcb_source *source, uint64_t off)
{
	size_t low = 0, high = source->extent_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (source->extents[middle].end <= off)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has_data(const struct promcb_source *source, uint64_t off, uint64_t bytes)
{
	size_t i = find_extent(source, off);

	return i < source->extent_count && source->extents[i].begin <= off && off + bytes <= source->extents[i].end;
}

uint64_t promcb_source_data(const struct promcb_source *source, uint64_t off, uint64_t bytes)
{
	uint64_t end = off + bytes, sum = 0;

	if (end > source->extents_end)
		return bytes;
	for (size_t i = find_extent(source, off); i < source->extent_count && source->extents[i].begin < end; i++) {
		uint64_t from = source->extents[i].begin > off ? source->extents[i].begin : off;

		sum += (source->extents[i].end < end ? source->extents[i].end : end) - from;
	}
	return sum;
}

bool promcb_source_is_late(const struct promcb_source *source)
{
	return source->deadline_ns && promcb_clock_monotonic_ns() >= source->deadline_ns;
}

int promcb_source_too_late(const struct promcb_source *source, struct promcb_message *message)
{
	return promcb_message_error(message, -ETIMEDOUT, "segment %s could not be read in the time there was",
				    source->path);
}

int promcb_source_begin(struct promcb_source *source, struct promcb_message *message)
{
	int result = look(source, message);

	if (result == 0 && source->base && promcb_sigbus_is_faulted(&source->guard)) {
		/* The zero page that stands in for a lost one would hide what comes back. */
		if (mmap((void *)(uintptr_t)source->base, source->header.geometry.max_bytes, PROT_READ,
			 MAP_SHARED | MAP_NORESERVE | MAP_FIXED, source->fd, 0) == MAP_FAILED)
			return faulted(source, message);
		promcb_sigbus_remap(&source->guard);
	}
	if (result == 0)
		find_extents(source);
	return result;
}

int promcb_source_end(struct promcb_source *source, struct promcb_message *message)
{
	struct stat status;

	if (source->base && promcb_sigbus_is_faulted(&source->guard))
		return faulted(source, message);
	if (fstat(source->fd, &status) < 0 || (uint64_t)status.st_size < source->file_bytes)
		return faulted(source, message);
	return 0;
}

/* Producers let the file grow while it is being read. */
static bool is_inside(struct promcb_source *source, uint64_t off, uint64_t bytes)
{
	struct stat now;

	if (off + bytes <= source->file_bytes)
		return true;
	if (off + bytes > source->header.geometry.max_bytes || fstat(source->fd, &now) < 0 ||
	    off + bytes > (uint64_t)now.st_size)
		return false;
	source->status = now;
	source->file_bytes = (uint64_t)now.st_size;
	return true;
}

const void *promcb_source_view(struct promcb_source *source, uint64_t off, uint64_t bytes, void *buffer)
{
	uint64_t done = 0;

	if (!is_inside(source, off, bytes))
		return NULL;
	if (source->base && has_data(source, off, bytes))
		return source->base + off;
	while (done < bytes) {
		ssize_t length = pread(source->fd, (uint8_t *)buffer + done, bytes - done, (off_t)(off + done));

		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return NULL;
		done += (uint64_t)length;
	}
	return buffer;
}

static int is_locked(const struct promcb_source *source, int64_t byte)
{
	/* A read lock conflicts with owners' write locks alone, not with those of strangers who lock for reading. */
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	if (fcntl(source->fd, F_OFD_GETLK, &lock) < 0)
		return -1;
	return lock.l_type != F_UNLCK;
}

int promcb_source_is_held(const struct promcb_source *source, uint32_t lane)
{
	return is_locked(source, PROMCB_LOCK_LANES + lane);
}

int promcb_source_is_live(const struct promcb_source *source, uint32_t lane)
{
	return is_locked(source, PROMCB_LOCK_LIVE + lane);
}

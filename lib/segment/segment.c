/* SPDX-License-Identifier: MIT */
/* Attaching, mapping and growing; create.c makes the file. segment.h describes the module. */
#include "segment/segment.h"

#include "base/clock.h"
#include "base/clock_domain.h"
#include "base/descriptor.h"
#include "base/memory.h"
#include "base/reserved.h"
#include "format/geometry.h"
#include "segment/create.h"
#include "segment/piece.h"

#include <promcb/inject.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A segment may be removed between our open and our link, and made between our link and our open. */
enum { ATTACH_ROUNDS = 8, MAP_ROUNDS = 16 };

#define GROW_RETRY_NS ((uint64_t)1000000000)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* -- Attach ------------------------------------------------------------------------------------------------------- */

/* The directory that a path's name lies in. */
static int directory_status(const char *path, struct stat *status)
{
	char directory[PROMCB_PATH_MAX];
	size_t length = (size_t)(strrchr(path, '/') - path);

	memcpy(directory, path, length);
	directory[length] = 0;
	return stat(length ? directory : "/", status);
}

static int map(struct promcb_segment *segment, uint64_t file_bytes, struct promcb_message *message)
{
	uint64_t page = segment->geometry.page_bytes;
	uint64_t bytes = segment->geometry.max_bytes;

	/*
	 * The reservation reaches past the end of the file: growth then needs no new mapping. Where address space is
	 * short, less.
	 */
	for (int round = 0; round < MAP_ROUNDS && bytes >= file_bytes; round++) {
		void *base = promcb_map_sparse(bytes, MAP_SHARED | MAP_NORESERVE, segment->data_fd);

		if (base) {
			madvise(base, bytes, MADV_DONTDUMP);
			segment->base = base;
			segment->mapped_bytes = bytes;
			return 0;
		}
		if (bytes == file_bytes)
			break;
		bytes = bytes / 2 / page * page;
		if (bytes < file_bytes)
			bytes = file_bytes;
	}
	return promcb_message_error(message, -ENOMEM,
				    "%s: no address space for its %llu bytes (see ulimit -v, ulimit -l)", segment->path,
				    (unsigned long long)file_bytes);
}

static int check_file(struct promcb_segment *segment, const struct stat *status, struct promcb_message *message)
{
	struct promcb_header header;
	struct stat home;
	/*
	 * [MAGIC] a file with a name is whole; one that was copied while it was made may lack the magic, and is
	 * refused.
	 */
	ssize_t length = pread(segment->data_fd, &header, sizeof(header), 0);
	int result;

	if (S_ISREG(status->st_mode) && length < 0)
		return promcb_message_error(message, -errno, "cannot read %s: %s", segment->path,
					    promcb_strerror(-errno));
	if (!S_ISREG(status->st_mode) || length < (ssize_t)sizeof(header))
		return promcb_message_error(message, -EBADMSG, "%s is not a promcb segment: it is %s", segment->path,
					    S_ISREG(status->st_mode) ? "too short" : "not a regular file");
	result = promcb_header_validate(&header, segment->path, message);
	if (result < 0)
		return result;
	if ((uint64_t)status->st_size < promcb_geometry_fixed_bytes(&header.geometry) ||
	    (uint64_t)status->st_size > header.geometry.max_bytes)
		return promcb_message_error(
			message, -EBADMSG,
			"%s is truncated or grown by a stranger: it has %llu bytes; remove it with promcb-admin "
			"remove --force",
			segment->path, (unsigned long long)status->st_size);
	segment->geometry = header.geometry;
	memcpy(segment->identity, header.identity, sizeof(segment->identity));
	segment->device = status->st_dev;
	segment->inode = status->st_ino;
	segment->file_bytes = (uint64_t)status->st_size;
	if (directory_status(segment->path, &home) == 0) {
		segment->directory_device = home.st_dev;
		segment->directory_inode = home.st_ino;
	}
	return 0;
}

/*
 * Holes, as a sparse copy has where zeros were, would be SIGBUS on a full file system: in the fixed areas, and in what
 * "_overflow" has, since that is recorded into just when there is no room. Other components' are filled when they are
 * found by name. Returns 0, or -errno.
 */
static int fill_holes(struct promcb_segment *segment)
{
	const struct promcb_geometry *g = &segment->geometry;
	int result = promcb_segment_reserve(segment, 0, promcb_geometry_fixed_bytes(g));
	uint32_t number;

	if (segment->file_bytes < g->descriptors_off + g->page_bytes)
		return result;
	if (result == 0)
		result = promcb_segment_reserve(segment, g->descriptors_off, g->page_bytes);
	if (result < 0)
		return result;
	number = promcb_load32_relaxed(&promcb_segment_descriptor(segment, PROMCB_OVERFLOW_COMPONENT)->overflow);
	/* Only what the file has: a segment that was truncated is not grown. */
	if (!promcb_segment_block(segment, number))
		return 0;
	return promcb_segment_reserve(segment, promcb_chunk_off(g, (number - 1) / promcb_blocks_per_chunk(g)),
				      g->chunk_bytes);
}

static int attach_existing(struct promcb_segment *segment, struct promcb_message *message)
{
	struct stat status;
	int result;

	/* Without O_CREAT: fs.protected_regular refuses that to root for another user's file in a sticky directory. */
	segment->data_fd = promcb_descriptor_open(segment->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
	if (segment->data_fd < 0) {
		result = -errno;
		if (result == -ELOOP)
			return promcb_message_error(
				message, result, "%s is a symbolic link, which promcb does not follow", segment->path);
		if (result == -ENOENT)
			return promcb_message_error(message, result, "there is no segment %s", segment->path);
		return promcb_message_error(message, result, "cannot open %s for writing: %s", segment->path,
					    promcb_strerror(result));
	}
	if (fstat(segment->data_fd, &status) < 0)
		result = promcb_message_error(message, -errno, "cannot examine %s: %s", segment->path,
					      promcb_strerror(-errno));
	else
		result = check_file(segment, &status, message);
	if (result == 0)
		result = map(segment, (uint64_t)status.st_size, message);
	if (result == 0) {
		result = fill_holes(segment);
		if (result < 0)
			munmap(segment->base, segment->mapped_bytes);
		if (result == -ENOSPC)
			promcb_message_error(message, result,
					     "%s has holes, and its file system has no space to fill them",
					     segment->path);
		else if (result < 0)
			promcb_message_error(message, result, "cannot make sure of the memory of %s: %s", segment->path,
					     promcb_strerror(result));
	}
	if (result < 0) {
		close(segment->data_fd);
		return result;
	}
	segment->birth = promcb_clock_domain_birth(segment->data_fd);
	/* Learned while it can be: before chroot(2), among the mounts of the host. */
	promcb_clock_domain_now(segment->birth);
	return 0;
}

int promcb_segment_attach(struct promcb_segment *segment, const char *path, const struct promcb_options *options,
			  enum promcb_attach how, struct promcb_message *message)
{
	bool exclusive = how == PROMCB_CREATE_ONLY;
	int result = -EAGAIN;

	*segment = (struct promcb_segment){.data_fd = -1};
	memcpy(segment->path, path, strlen(path) + 1);
	if (options && !PROMCB_RESERVED_ARE_ZERO(options))
		return promcb_message_error(message, -EINVAL, PROMCB_RESERVED_SENTENCE);
	for (int round = 0; round < ATTACH_ROUNDS; round++) {
		if (!exclusive) {
			result = attach_existing(segment, message);
			if (result != -ENOENT)
				return result;
		}
		if (message)
			message->text[0] = 0;
		result = promcb_segment_create(path, options, message);
		if (result == 0)
			exclusive = false;
		else if (result != -EEXIST || exclusive)
			return result;
		else if (message)
			/* Somebody was faster, which is as good. */
			message->text[0] = 0;
	}
	return promcb_message_error(message, -EAGAIN, "%s is being created and removed over and over", path);
}

void promcb_segment_unmap(struct promcb_segment *segment)
{
	munmap(segment->base, segment->mapped_bytes);
	if (promcb_segment_owns_fd(segment, segment->data_fd))
		close(segment->data_fd);
	segment->base = NULL;
	segment->data_fd = -1;
}

/* -- Descriptors of the file: async-signal-safe from here on ------------------------------------------------------ */

/* Whether fd is of the segment's file. Returns 0, -ESTALE if it is of another, or why that is not known. */
static int examine_fd(const struct promcb_segment *segment, int fd)
{
	struct stat status;
	int flags;

	if (fd < 0)
		return -EBADF;
	if (fstat(fd, &status) < 0)
		return -errno;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	/* For writing, too: a descriptor that can only read the file is the application's. */
	return status.st_dev == segment->device && status.st_ino == segment->inode && (flags & O_ACCMODE) == O_RDWR
		       ? 0
		       : -ESTALE;
}

bool promcb_segment_owns_fd(const struct promcb_segment *segment, int fd)
{
	return examine_fd(segment, fd) == 0;
}

int promcb_segment_reopen(const struct promcb_segment *segment)
{
	char own[PROMCB_DESCRIPTOR_PATH_BYTES];
	int fd = -1, result;

	if (promcb_segment_owns_fd(segment, segment->data_fd)) {
		promcb_descriptor_path(own, segment->data_fd);
		fd = promcb_descriptor_open(own, O_RDWR, 0);
	}
	if (fd < 0)
		fd = promcb_descriptor_open(segment->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	result = examine_fd(segment, fd);
	if (result < 0) {
		close(fd);
		return result;
	}
	return fd;
}

/*
 * Makes sure that data_fd is ours: a descriptor that was closed behind our back is opened again. Returns 0, or
 * -errno.
 */
static int find_fd(struct promcb_segment *segment)
{
	int fd;

	if (promcb_segment_owns_fd(segment, segment->data_fd))
		return 0;
	fd = promcb_segment_reopen(segment);
	if (fd < 0)
		return fd;
	segment->data_fd = fd;
	return 0;
}

bool promcb_segment_is_nameless(struct promcb_segment *segment)
{
	struct stat status;

	/*
	 * A name that does not lead here says nothing: a process may have changed its root, or its mounts. That the
	 * file has no name left says all. Whose descriptors were closed, and cannot be opened again, goes by the name.
	 */
	if (find_fd(segment) == 0)
		return fstat(segment->data_fd, &status) == 0 && status.st_nlink == 0;
	if (!promcb_segment_directory_unchanged(segment))
		return false;
	if (lstat(segment->path, &status) < 0)
		return errno == ENOENT;
	return status.st_dev != segment->device || status.st_ino != segment->inode;
}

bool promcb_segment_is_gone(struct promcb_segment *segment)
{
	return promcb_load_relaxed(&promcb_segment_header(segment)->retired) != 0 ||
	       promcb_segment_is_nameless(segment);
}

bool promcb_segment_directory_unchanged(const struct promcb_segment *segment)
{
	struct stat status;

	return directory_status(segment->path, &status) == 0 && status.st_dev == segment->directory_device &&
	       status.st_ino == segment->directory_inode;
}

/* -- Growth ------------------------------------------------------------------------------------------------------- */

int promcb_segment_reserve(struct promcb_segment *segment, uint64_t off, uint64_t bytes)
{
	uint64_t page = segment->geometry.page_bytes;
	uint64_t begin = off / page * page, end = (off + bytes + page - 1) / page * page;

	if (end > segment->mapped_bytes)
		return -ENOSPC;
	int result = find_fd(segment);

	if (result < 0)
		return result;
	return promcb_reserve(segment->data_fd, begin, end - begin);
}

/* Takes the first free chunk from begin on, around the end: others give up what they cannot fill. */
static bool claim_chunk(struct promcb_segment *segment, uint32_t begin, uint32_t mine, uint32_t *chunk)
{
	uint32_t chunks = promcb_segment_chunks(segment);

	for (uint32_t i = 0; i < chunks; i++) {
		uint32_t *word = promcb_segment_chunk_word(segment, *chunk = (begin + i) % chunks);

		/* [CHUNK] the word is ours before anything in the chunk is published. */
		if (promcb_load32_relaxed(word) == 0 && promcb_cas32_acq_rel(word, 0, mine))
			return true;
	}
	return false;
}

static void grow_later(struct promcb_segment *segment)
{
	promcb_store_relaxed(&segment->no_space_until_ns, promcb_clock_monotonic_coarse_ns() + GROW_RETRY_NS);
}

bool promcb_segment_may_grow(struct promcb_segment *segment, uint64_t bytes)
{
	if (promcb_clock_monotonic_coarse_ns() < promcb_load_relaxed(&segment->no_space_until_ns))
		return false;
	if (find_fd(segment) == 0 && promcb_headroom(segment->data_fd, bytes))
		return true;
	grow_later(segment);
	return false;
}

int promcb_segment_fill_chunk(struct promcb_segment *segment, uint32_t chunk)
{
	uint64_t off = promcb_chunk_off(&segment->geometry, chunk), bytes = segment->geometry.chunk_bytes;

	if (promcb_segment_reserve(segment, off, bytes) < 0) {
		grow_later(segment);
		return -ENOSPC;
	}
	madvise(segment->base + off, bytes, MADV_POPULATE_WRITE);
	PROMCB_INJECT("chunk: reserved");
	return 0;
}

int promcb_segment_take_chunk(struct promcb_segment *segment, uint32_t kind, uint32_t lane, uint32_t *chunk)
{
	if (!promcb_segment_may_grow(segment, segment->geometry.chunk_bytes))
		return -ENOSPC;
	if (!claim_chunk(segment, segment->chunks_from, promcb_chunk_word(kind, 0, lane), chunk)) {
		grow_later(segment);
		return -ENOSPC;
	}
	PROMCB_INJECT("chunk: taken");
	segment->chunks_from = *chunk;
	if (promcb_segment_fill_chunk(segment, *chunk) == 0)
		return 0;
	/* [CHUNK] nothing in it was published. One of parts may be others' by now, and whoever finds memory goes on. */
	if (kind != PROMCB_CHUNK_PARTS)
		promcb_store32_release(promcb_segment_chunk_word(segment, *chunk), 0);
	return -ENOSPC;
}

/* -- Addresses ---------------------------------------------------------------------------------------------------- */

static void *at(const struct promcb_segment *segment, uint64_t off)
{
	return segment->base + off;
}

struct promcb_header *promcb_segment_header(const struct promcb_segment *segment)
{
	return at(segment, 0);
}

struct promcb_lane *promcb_segment_lane(const struct promcb_segment *segment, uint32_t lane)
{
	return at(segment, segment->geometry.lanes_off + (uint64_t)lane * segment->geometry.lane_bytes);
}

uint32_t *promcb_segment_chunk_word(const struct promcb_segment *segment, uint32_t chunk)
{
	return at(segment, segment->geometry.chunk_table_off + chunk * sizeof(uint32_t));
}

uint32_t *promcb_segment_claim(const struct promcb_segment *segment, uint32_t component)
{
	return at(segment, segment->geometry.claims_off + component * sizeof(uint32_t));
}

uint64_t *promcb_segment_table(const struct promcb_segment *segment)
{
	return at(segment, segment->geometry.table_off);
}

struct promcb_descriptor *promcb_segment_descriptor(const struct promcb_segment *segment, uint32_t component)
{
	uint64_t off = segment->geometry.descriptors_off + (uint64_t)component * segment->geometry.descriptor_bytes;

	if (component >= segment->geometry.components ||
	    off + segment->geometry.descriptor_bytes > segment->mapped_bytes)
		return NULL;
	return at(segment, off);
}

uint32_t *promcb_segment_directory(const struct promcb_segment *segment, uint32_t lane)
{
	uint64_t bytes = segment->geometry.directory_words * sizeof(uint32_t);
	uint64_t off = segment->geometry.directories_off + lane * bytes;

	return off + bytes > segment->mapped_bytes ? NULL : at(segment, off);
}

/*
 * By a descriptor for the moment, if ours is closed: a guest of process.h, whose descriptors may be other ones, must
 * leave data_fd as it is.
 */
void promcb_segment_look_at_size(struct promcb_segment *segment)
{
	struct stat status;
	int own = promcb_segment_owns_fd(segment, segment->data_fd) ? -1 : promcb_segment_reopen(segment);

	if (fstat(own < 0 ? segment->data_fd : own, &status) == 0 && status.st_ino == segment->inode &&
	    status.st_dev == segment->device) {
		PROMCB_INJECT("segment: sized");
		promcb_store_relaxed(&segment->file_bytes, (uint64_t)status.st_size);
	}
	if (own >= 0)
		close(own);
}

bool promcb_segment_has_chunk(struct promcb_segment *segment, uint32_t chunk, uint32_t kind)
{
	const struct promcb_geometry *g = &segment->geometry;
	uint64_t end = promcb_chunk_off(g, chunk) + g->chunk_bytes;

	if (chunk >= g->chunks || end > segment->mapped_bytes ||
	    promcb_chunk_kind(promcb_load32_relaxed(promcb_segment_chunk_word(segment, chunk))) != kind)
		return false;
	if (end > promcb_load_relaxed(&segment->file_bytes))
		promcb_segment_look_at_size(segment);
	return end <= promcb_load_relaxed(&segment->file_bytes);
}

struct promcb_block *promcb_segment_block(struct promcb_segment *segment, uint32_t number)
{
	const struct promcb_geometry *g = &segment->geometry;

	if (number == 0 ||
	    !promcb_segment_has_chunk(segment, (number - 1) / promcb_blocks_per_chunk(g), PROMCB_CHUNK_BLOCKS))
		return NULL;
	return at(segment, promcb_block_off(g, number - 1));
}

uint64_t *promcb_segment_ring(struct promcb_segment *segment, uint32_t number)
{
	const struct promcb_geometry *g = &segment->geometry;

	if (number == 0 ||
	    !promcb_segment_has_chunk(segment, (number - 1) / promcb_rings_per_chunk(g), PROMCB_CHUNK_RINGS))
		return NULL;
	return at(segment, promcb_ring_off(g, number - 1));
}

/* SPDX-License-Identifier: MIT */
/*
 * create.c: a segment appears complete or not at all. The file is made without a name (O_TMPFILE), given its size and
 * its memory, filled, given its owner and mode, and then linked; of two creators one gets EEXIST and attaches to the
 * other's. Nobody initialises a file that has a name, so a creator may die at any step and leaves nothing; where the
 * file system has no O_TMPFILE, at most a file of another name, to which nobody attaches.
 */
#include "segment/create.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/hash.h"
#include "base/kernel.h"
#include "base/memory.h"
#include "format/geometry.h"
#include "format/layout.h"
#include "format/path.h"

#include <promcb/inject.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TMPFS_MAGIC 0x01021994
#define HUGETLBFS_MAGIC 0x958458f6
#define EXT4_MAGIC 0xEF53
#define XFS_MAGIC 0x58465342

enum { DEFAULT_MODE = 0640, PAGE_BYTES = 4096 };

/* Only where fallocate reserves what stores will need. Gives the page size. */
static int check_filesystem(int fd, const char *path, uint32_t *page_bytes, struct promcb_message *message)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return promcb_message_error(message, -errno, "cannot examine the file system of %s: %s", path,
					    promcb_strerror(-errno));
	*page_bytes = PAGE_BYTES;
	switch ((unsigned long)fs.f_type) {
	case TMPFS_MAGIC:
		return 0;
	case HUGETLBFS_MAGIC:
		*page_bytes = (uint32_t)fs.f_bsize;
		return 0;
	case EXT4_MAGIC:
	case XFS_MAGIC:
		promcb_message_warn(
			message,
			"%s lies on a disk: recording stalls for milliseconds when the kernel writes it back; "
			"tmpfs is better",
			path);
		return 0;
	default:
		return promcb_message_error(
			message, -EOPNOTSUPP,
			"%s lies on a file system (type %#lx) that cannot reserve space for a segment; use tmpfs "
			"(/dev/shm, or a memory-backed volume)",
			path, (unsigned long)fs.f_type);
	}
}

static void read_boot_id(uint64_t boot[2])
{
	char text[64] = "";
	int fd = promcb_descriptor_open("/proc/sys/kernel/random/boot_id", O_RDONLY, 0);
	unsigned digit = 0;

	boot[0] = boot[1] = 0;
	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0)
		for (const char *c = text; *c && digit < 32; c++) {
			unsigned value = *c >= '0' && *c <= '9' ? (unsigned)(*c - '0') : (unsigned)(*c - 'a' + 10);

			if (value < 16) {
				boot[digit / 16] = boot[digit / 16] << 4 | value;
				digit++;
			}
		}
	close(fd);
}

/* The reserved component, its overflow block in the registrar's first chunk, and last the magic. */
static void fill(uint8_t *base, const struct promcb_geometry *g)
{
	struct promcb_header *header = (struct promcb_header *)(void *)base;
	struct promcb_descriptor *descriptor = (void *)(base + g->descriptors_off);
	uint32_t *chunk_word = (void *)(base + g->chunk_table_off);
	uint32_t *claim = (void *)(base + g->claims_off);
	uint64_t *table = (void *)(base + g->table_off);
	struct promcb_block *block = (void *)(base + promcb_block_off(g, 0));

	header->format_major = PROMCB_FORMAT_MAJOR;
	header->format_minor = PROMCB_FORMAT_MINOR;
	header->abi = PROMCB_ABI;
	header->created_realtime_ns = promcb_clock_realtime_ns();
	if (getrandom(header->identity, sizeof(header->identity), GRND_NONBLOCK) != sizeof(header->identity)) {
		header->identity[0] = promcb_clock_realtime_ns() * 0x9E3779B97F4A7C15u;
		header->identity[1] = promcb_clock_monotonic_ns() ^ (uint64_t)getpid() << 32;
	}
	read_boot_id(header->boot);
	header->geometry = *g;

	*chunk_word = promcb_chunk_word(PROMCB_CHUNK_BLOCKS, 1, g->lanes);
	block->kind = PROMCB_BLOCK_OVERFLOW;
	block->component_lane = promcb_pair(PROMCB_OVERFLOW_COMPONENT, g->lanes);
	memcpy(descriptor->name, PROMCB_OVERFLOW_NAME, sizeof(PROMCB_OVERFLOW_NAME));
	descriptor->hash =
		promcb_table_hash_of(promcb_hash(header->identity, PROMCB_OVERFLOW_NAME, strlen(PROMCB_OVERFLOW_NAME)));
	descriptor->overflow = 1;
	descriptor->created_realtime_ns = header->created_realtime_ns;
	*claim = g->lanes + 1;
	table[descriptor->hash & (g->table_slots - 1)] = promcb_table_word(descriptor->hash, PROMCB_OVERFLOW_COMPONENT);
	PROMCB_INJECT("create: without magic");
	/* [MAGIC] last: what has the magic is whole, even if it was copied while it was being made. */
	promcb_store_release(&header->magic, PROMCB_MAGIC);
}

static int no_room(const struct promcb_geometry *g, const char *path, int error, struct promcb_message *message)
{
	return promcb_message_error(
		message, error,
		"not enough space for segment %s: it begins with %" PRIu64 " bytes (header, %u lanes and table of %u "
		"components %" PRIu64 ", first chunk %u) and grows to at most %" PRIu64 ": %s",
		path, promcb_geometry_fixed_bytes(g) + g->page_bytes + g->chunk_bytes, g->lanes, g->components - 1,
		promcb_geometry_fixed_bytes(g) + g->page_bytes, g->chunk_bytes, g->max_bytes, promcb_strerror(error));
}

static int make(int fd, const char *path, const struct promcb_options *options, struct promcb_message *message)
{
	struct promcb_geometry g;
	uint32_t page_bytes;
	uint64_t bytes;
	uint8_t *base;
	int result;

	result = check_filesystem(fd, path, &page_bytes, message);
	if (result < 0)
		return result;
	result = promcb_geometry_make(options, page_bytes, &g, message);
	if (result < 0)
		return result;
	bytes = promcb_geometry_fixed_bytes(&g) + g.page_bytes + g.chunk_bytes;
	if (!promcb_headroom_memory(bytes))
		return promcb_message_error(
			message, -ENOSPC,
			"not enough space for segment %s: it begins with %" PRIu64 " bytes, and a memory "
			"cgroup of this process would keep less than a twentieth of its limit (1 to "
			"64 MiB)",
			path, bytes);
	result = promcb_reserve(fd, 0, promcb_geometry_fixed_bytes(&g));
	if (result == 0)
		result = promcb_reserve(fd, g.descriptors_off, g.page_bytes);
	if (result == 0)
		result = promcb_reserve(fd, g.chunks_off, g.chunk_bytes);
	if (result == -EOPNOTSUPP)
		return promcb_message_error(message, result, "the file system of %s has no fallocate", path);
	if (result < 0)
		return no_room(&g, path, result, message);
	bytes = g.chunks_off + g.chunk_bytes;
	base = promcb_map_sparse(bytes, MAP_SHARED | MAP_NORESERVE, fd);
	if (!base)
		return promcb_message_error(message, -errno,
					    "cannot map %" PRIu64 " bytes of %s: %s (see ulimit -v, ulimit -l)", bytes,
					    path, promcb_strerror(-errno));
	PROMCB_INJECT("create: reserved");
	fill(base, &g);
	PROMCB_INJECT("create: filled");
	munmap(base, bytes);
	if ((options->owner || options->group) &&
	    fchown(fd, options->owner ? options->owner : (uid_t)-1, options->group ? options->group : (gid_t)-1) < 0)
		return promcb_message_error(message, -errno, "cannot give %s to user %u, group %u: %s", path,
					    options->owner, options->group, promcb_strerror(-errno));
	/* After chown, which may clear bits, and whatever the umask. */
	if (fchmod(fd, options->mode ? options->mode & 0777 : DEFAULT_MODE) < 0)
		return promcb_message_error(message, -errno, "cannot set the mode of %s: %s", path,
					    promcb_strerror(-errno));
	return 0;
}

/* Names a nameless file, or fails with -EEXIST. */
static int link_nameless(int fd, const char *path)
{
	char own[PROMCB_DESCRIPTOR_PATH_BYTES];

	/* Unprivileged from Linux 6.10 on; by /proc before. */
	if (linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno == EEXIST)
		return -EEXIST;
	promcb_descriptor_path(own, fd);
	if (linkat(AT_FDCWD, own, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	return -errno;
}

/* Where a file is to be made, ENOENT is not about a segment. */
static const char *why(int error)
{
	return error == -ENOENT ? "no file can be made there" : promcb_strerror(error);
}

/* For file systems without O_TMPFILE, and places without /proc: a name that nobody attaches to, then the right one. */
static int create_renamed(const char *path, const struct promcb_options *options, struct promcb_message *message)
{
	char temporary[PROMCB_PATH_MAX + 32];
	int result, fd;

	snprintf(temporary, sizeof(temporary), "%s.%d.%" PRIx64 ".new", path, (int)getpid(),
		 promcb_clock_monotonic_ns());
	fd = promcb_descriptor_open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		return promcb_message_error(message, -errno, "cannot create segment %s: %s", path, why(-errno));
	result = make(fd, path, options, message);
	if (result == 0 && promcb_rename_new(temporary, path) < 0)
		result = errno == EEXIST ? -EEXIST
					 : promcb_message_error(message, -errno, "cannot name segment %s: %s", path,
								why(-errno));
	if (result < 0)
		unlink(temporary);
	close(fd);
	return result;
}

int promcb_segment_create(const char *path, const struct promcb_options *options, struct promcb_message *message)
{
	char directory[PROMCB_PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat status;
	int result, fd;

	if (lstat(path, &status) == 0)
		return promcb_message_error(message, -EEXIST, "%s exists", path);
	/* Readers would take it for a pattern, and find others. One that is there already is opened all the same. */
	if (strpbrk(slash ? slash + 1 : path, "*?["))
		return promcb_message_error(
			message, -EINVAL,
			"cannot create segment %s: its name has one of * ? [, which promcb-export and promcb-sidecar "
			"take for a pattern",
			path);
	if (!slash)
		snprintf(directory, sizeof(directory), ".");
	else
		snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	fd = promcb_descriptor_open(directory, O_TMPFILE | O_RDWR, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		return create_renamed(path, options, message);
	if (fd < 0 && errno == ENOENT)
		return promcb_message_error(message, -ENOENT, "there is no directory %s for segment %s", directory,
					    path);
	if (fd < 0)
		return promcb_message_error(message, -errno, "cannot create segment %s in %s: %s", path, directory,
					    promcb_strerror(-errno));
	result = make(fd, path, options, message);
	PROMCB_INJECT("create: nameless");
	if (result < 0) {
		close(fd);
		return result;
	}
	result = link_nameless(fd, path);
	close(fd);
	if (result == -ENOENT || result == -EPERM || result == -EACCES || result == -ENOSYS)
		return create_renamed(path, options, message);
	if (result == -EEXIST)
		return promcb_message_error(message, result, "%s exists", path);
	if (result < 0)
		return promcb_message_error(message, result, "cannot name segment %s: %s", path,
					    promcb_strerror(result));
	return 0;
}

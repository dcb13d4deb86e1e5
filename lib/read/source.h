/* SPDX-License-Identifier: MIT */
/*
 * source.h: where a reader gets its bytes: a segment's file, by pread or by a read-only map. Untrusted.
 *
 * No assert, and no trust that a word read twice is the same.
 *
 * Invariants
 *   - A view lies inside the file as it was when promcb_source_begin() looked at it or later, or there is none.
 *   - A map is read only where the file has data: to read a hole of a mapped tmpfs file takes memory, even read-only
 *     (a sparse stranger grew from 2.6 to 244 MiB), and is SIGBUS when there is none. The rest is read by pread.
 *   - No map that the guard does not watch.
 *   - The geometry is a private copy that promcb_header_validate() accepted.
 */
#ifndef PROMCB_SOURCE_H
#define PROMCB_SOURCE_H

#include "base/message.h"
#include "format/layout.h"
#include "format/path.h"
#include "read/sigbus.h"

#include <sys/stat.h>

struct promcb_extent {
	uint64_t begin, end;
};

struct promcb_source {
	int fd;
	struct stat status;             /* at open, refreshed by begin */
	struct promcb_header header;    /* private; counters refreshed by begin */
	const uint8_t *base;            /* mapped: max_bytes of addresses; NULL: by copies */
	uint64_t birth;                 /* promcb_clock_domain_birth() */
	uint64_t file_bytes;            /* how much of it may be read */
	struct promcb_extent *extents;  /* where the file had data when the pass began, in order */
	size_t extent_count;
	uint64_t extents_end;           /* beyond, nobody looked */
	uint64_t deadline_ns;           /* CLOCK_MONOTONIC, when the pass is to be given up; 0: never */
	struct promcb_sigbus guard;
	char path[PROMCB_PATH_MAX];
};

int promcb_source_open(struct promcb_source *source, const char *segment, bool mapped, struct promcb_message *message);
void promcb_source_close(struct promcb_source *source);

/*
 * Whether the segment's name leads to the very file that is open, with the header that it had. Returns 0, -ESTALE if it
 * leads to another, -EBADMSG if this one was truncated, or -errno: -ENOENT where there is none.
 */
int promcb_source_follows(struct promcb_source *source);

/* Before each pass: how long is the file, and is the map whole. Returns 0, -EBADMSG or -ESTALE. */
int promcb_source_begin(struct promcb_source *source, struct promcb_message *message);

/* After each pass: whether all that was read was there. Returns 0, or -ESTALE. */
int promcb_source_end(struct promcb_source *source, struct promcb_message *message);

/*
 * Whether the pass is to be given up. To be asked wherever the segment says how often something is done: what it makes
 * its readers do is bounded by its size, and its size by nothing that suits a reader.
 */
bool promcb_source_is_late(const struct promcb_source *source);

/* Returns -ETIMEDOUT, and says so. */
int promcb_source_too_late(const struct promcb_source *source, struct promcb_message *message);

/*
 * How much of bytes at off has data, as far as is known; the rest are zeros. What a pass keeps in memory is to be
 * bounded by that: holes cost their maker nothing.
 */
uint64_t promcb_source_data(const struct promcb_source *source, uint64_t off, uint64_t bytes);

/*
 * bytes at off, 64-byte aligned if off is: in the map, or read into buffer. NULL if the file has no such bytes. Words
 * of it are to be loaded by the functions of atomic.h, once.
 */
const void *promcb_source_view(struct promcb_source *source, uint64_t off, uint64_t bytes, void *buffer);

/* Whether somebody records in the lane. Returns 1, 0, or -1 if locks cannot be asked about. */
int promcb_source_is_held(const struct promcb_source *source, uint32_t lane);

/* The same, whether the lane's live copy counts, as far as its lock goes. */
int promcb_source_is_live(const struct promcb_source *source, uint32_t lane);

#endif

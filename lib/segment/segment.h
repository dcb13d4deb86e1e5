/* SPDX-License-Identifier: MIT */
/*
 * segment.h: the shared file: created whole, validated, mapped, grown, unmapped. The only mmap of a segment for
 * writing.
 *
 * Invariants
 *   - A file that has the segment's name has a complete header and memory behind [0, fixed_bytes).
 *   - A producer stores only where fallocate(2) has given memory: no SIGBUS, short of truncation by the owner.
 *   - Every address handed out lies in [base, base + mapped_bytes), whatever the words in the segment say.
 *   - Memory is taken by chunks: table word 0 -> (kind, lane) by CAS, fallocate, and back to 0 if that fails. [CHUNK]
 */
#ifndef PROMCB_SEGMENT_H
#define PROMCB_SEGMENT_H

#include "base/message.h"
#include "format/layout.h"
#include "format/path.h"

#include <sys/types.h>

struct promcb_segment {
	uint8_t *base;
	uint64_t mapped_bytes;          /* at most max_bytes; less where address space is short */
	struct promcb_geometry geometry; /* the private copy */
	uint64_t identity[2];
	uint64_t file_bytes;            /* how long the file was at a look, mostly the last. Relaxed */
	dev_t directory_device;              /* the directory of the path, at attach */
	ino_t directory_inode;
	uint64_t birth;                 /* promcb_clock_domain_birth() */
	dev_t device;
	ino_t inode;
	int data_fd;                    /* may have been closed behind our back; see promcb_segment_fd() */
	uint32_t chunks_from;           /* no chunk below is free, as far as is known */
	uint32_t claims_from;           /* no descriptor below is free */
	uint32_t parts_from;            /* no chunk below has a part that is free */
	uint64_t no_space_until_ns;     /* CLOCK_MONOTONIC: no growth is tried before; relaxed */
	char path[PROMCB_PATH_MAX];
};

enum promcb_attach {
	PROMCB_ATTACH_OR_CREATE, /* to the one that is there, or to a new one */
	PROMCB_CREATE_ONLY,      /* -EEXIST if there is one */
};

/* Attaches to the segment at the path. segment: filled. Returns 0, or -errno as promcb_open(). */
int promcb_segment_attach(struct promcb_segment *segment, const char *path, const struct promcb_options *options,
			  enum promcb_attach how, struct promcb_message *message);

void promcb_segment_unmap(struct promcb_segment *segment);

/* -- What follows is async-signal-safe. -- */

/*
 * Whether fd is a descriptor of the segment's file: an application may have closed ours and got the number for
 * another file.
 */
bool promcb_segment_owns_fd(const struct promcb_segment *segment, int fd);

/* A fresh descriptor of the segment's file, by the path or through our own. Returns it, or -errno. */
int promcb_segment_reopen(const struct promcb_segment *segment);

/* Whether the file has lost its name; or that as well, or an operator has retired it. */
bool promcb_segment_is_nameless(struct promcb_segment *segment);
bool promcb_segment_is_gone(struct promcb_segment *segment);

/*
 * Whether the directory that the name lay in at attach is still found by its path: not after chroot(2), nor among
 * other mounts. Only then may a segment be made anew.
 */
bool promcb_segment_directory_unchanged(const struct promcb_segment *segment);

/*
 * Before the file takes memory that it had not: whether its file system and the memory cgroup keep their shares. Once
 * the answer was no, it is asked again after a second.
 */
bool promcb_segment_may_grow(struct promcb_segment *segment, uint64_t bytes);

/* Looks how long the file is now. Two at once may leave what the first of them saw. */
void promcb_segment_look_at_size(struct promcb_segment *segment);

/* Gives memory to [off, off + bytes). Returns 0, or -errno. */
int promcb_segment_reserve(struct promcb_segment *segment, uint64_t off, uint64_t bytes);

/* Gives memory to a chunk that was taken. Returns 0, or -ENOSPC: then no growth is tried for a second. */
int promcb_segment_fill_chunk(struct promcb_segment *segment, uint32_t chunk);

/*
 * Takes a free chunk for the lane and gives it memory. Returns 0 and its number, or -ENOSPC. One of parts that got no
 * memory stays one of parts, for whoever finds some: others may have begun there meanwhile.
 */
int promcb_segment_take_chunk(struct promcb_segment *segment, uint32_t kind, uint32_t lane, uint32_t *chunk);

/*
 * Addresses. Numbers from the segment are checked: NULL if they lead outside. Block numbers are counted from 1 here,
 * as stored.
 */
struct promcb_header *promcb_segment_header(const struct promcb_segment *segment);
struct promcb_lane *promcb_segment_lane(const struct promcb_segment *segment, uint32_t lane);
uint32_t *promcb_segment_chunk_word(const struct promcb_segment *segment, uint32_t chunk);
uint32_t *promcb_segment_claim(const struct promcb_segment *segment, uint32_t component);
uint64_t *promcb_segment_table(const struct promcb_segment *segment);
struct promcb_descriptor *promcb_segment_descriptor(const struct promcb_segment *segment, uint32_t component);
uint32_t *promcb_segment_directory(const struct promcb_segment *segment, uint32_t lane);

/* Whether the chunk is of the kind, in the mapping, and in the file as it is: only then may it be touched. */
bool promcb_segment_has_chunk(struct promcb_segment *segment, uint32_t chunk, uint32_t kind);

struct promcb_block *promcb_segment_block(struct promcb_segment *segment, uint32_t number);
uint64_t *promcb_segment_ring(struct promcb_segment *segment, uint32_t number);

#endif

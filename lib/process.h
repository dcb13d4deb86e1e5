/* SPDX-License-Identifier: MIT */
/*
 * process.h: what one process knows of itself: its slow-path mutex, its segments, its locks, its recorders. Survives
 * nothing that it must not survive.
 *
 * May include: segment.h, clock.h, headroom.h; process.c also lock.h and recorder.h, whose memory a child must renew.
 *
 * Invariants
 *   - struct promcb_process lies in memory that the kernel wipes in any child (MADV_WIPEONFORK), raw clone included:
 *     a child finds no locks, no recorders, a free mutex, and renewed = 0. What a child needs of its parent
 *     (mappings, descriptors' numbers, handles) lies elsewhere and does not change while a segment is attached.
 *   - The mutex is held with all signals blocked and cancellation off, and nothing is called under it but system
 *     calls and code of this library that is async-signal-safe: no malloc. So a handler may come here, and fork may.
 *
 * Pairs, in one process
 *   [MUTEX]  process.c's futex: what one holder wrote, before the next holder reads it.
 *   [START]  process.c's first start: what one thread made, before the next looks whether it is there.
 */
#ifndef PROMCB_PROCESS_H
#define PROMCB_PROCESS_H

#include "segment.h"

#include <pthread.h>
#include <signal.h>

enum { PROMCB_SEGMENTS_MAX = 64, PROMCB_LANE_WORDS = (PROMCB_LANES_MAX + PROMCB_SPECIAL_LANES + 63) / 64 };

/* An open file description that holds lanes: see lock.h. */
struct promcb_locks {
	bool open;
	int fd;
	int64_t marker;
	uint64_t retry_ns;                  /* CLOCK_MONOTONIC: after a failed open, not before */
	uint64_t held[PROMCB_LANE_WORDS];   /* lanes of this process, whichever description holds them */
	uint64_t current[PROMCB_LANE_WORDS]; /* those that fd can unlock */
};

struct promcb_recorder;

struct promcb_process {
	uint64_t renewed;                   /* 0 in a child that has not been here yet */
	uint32_t mutex;                     /* 0 free, 1 held, 2 held and waited for: a futex of this process alone */
	int32_t pid;                        /* of the process that this is; a vfork child shares it, and has another */
	uint64_t cookie;                    /* random: tells this process's lanes from others' */
	struct promcb_recorder *recorders;  /* all, idle ones too */
	uint32_t idle_recorders;
	struct promcb_locks locks[PROMCB_SEGMENTS_MAX];
};

/* The process's own, made at the first open. NULL before. */
extern struct promcb_process *promcb_process;

/* Segments by slot; base NULL: free. In ordinary memory, changed under the mutex. */
extern struct promcb_segment promcb_process_segments[PROMCB_SEGMENTS_MAX];

/* Makes what a process needs once. Returns 0, or -ENOMEM. */
int promcb_process_start(void);

/* Memory that any child finds zeroed. NULL if there is none. */
void *promcb_process_map_wiped(size_t bytes);

/* What the slow path took from the thread, and gives back. */
struct promcb_way_out {
	sigset_t signals;
	int cancel_state;
	int error; /* errno */
};

/* Into the slow path: signals blocked, cancellation off, the mutex held; and out. */
void promcb_process_enter(struct promcb_way_out *way);
void promcb_process_leave(const struct promcb_way_out *way);

#endif

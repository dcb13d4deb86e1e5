/* SPDX-License-Identifier: MIT */
/*
 * recorder.h: what a thread needs to record: its table of entries, and its leases in segments.
 *
 * Called with the process's mutex held but for promcb_recorder_start(), promcb_recorder_is_denied() and
 * promcb_recorder_has_lease().
 *
 * Invariants
 *   - A recorder is used by one thread at a time; an idle one by none.
 *   - Its memory is wiped in a child: entries lead nowhere there, so the first record takes the slow path.
 *   - A table is never moved, grown or freed while a thread is led to it, so looking up an entry is safe in a signal
 *     handler.
 *   - Threads that end give their recorder back, table filled, and the next thread starts with it; a few are kept
 *     idle, others give their lanes to everybody. A thread that ends without telling (no room for its destructor, or
 *     a fork under way) is noticed by its thread id.
 *   - A thread that has given its recorder back takes none again: destructors and handlers that record later while it
 *     ends use overflow blocks. The C library calls destructors four times at most, so nobody might call ours again.
 *
 * Pairs, in one process
 *   [RECALL] recorder.c marks an entry's ring, then takes its block; entry.c and inline.h load the ring after the
 *            block. A thread could take its own ring for an overflow block, or leave out the sum of a run that was
 *            recalled.
 */
#ifndef PROMCB_RECORDER_H
#define PROMCB_RECORDER_H

#include "record/handle.h"
#include "record/lane.h"

enum { PROMCB_IDLE_RECORDERS_MAX = 4 };

struct promcb_recorder {
	uint64_t alive;                 /* 0: wiped */
	struct promcb_recorder *next;   /* of all */
	struct promcb_recorder *previous;
	struct promcb_recorder *next_idle;
	int32_t thread;                 /* kernel thread id; 0: idle */
	struct promcb_lane_lease leases[PROMCB_SEGMENTS_MAX]; /* by slot of the segment */
	uint64_t counted_ns;            /* CLOCK_MONOTONIC: when promcb_thread.countdown was set, */
	uint64_t counted_from;          /* and to what */
	struct promcb_entry entries[PROMCB_HANDLES_MAX];
	uint64_t series[PROMCB_SERIES_HANDLES_MAX]; /* behind entries: see handle.h */
};

_Static_assert(offsetof(struct promcb_recorder, series) - offsetof(struct promcb_recorder, entries) ==
		       offsetof(struct promcb_handle_table, series),
	       "one distance leads to both kinds of entry");

/* Once per process. */
void promcb_recorder_start(void);

/* The calling thread's recorder; with make, made or taken over if it has none. NULL: none, or no memory. */
struct promcb_recorder *promcb_recorder_current(bool make);

/* Whether the calling thread gets none: it has left, or there was no memory when it last asked. Without the mutex. */
bool promcb_recorder_is_denied(void);

/*
 * Whether the calling thread has a lease in the segment of the slot: then that stays, or is parked. Without the mutex,
 * while others may park it.
 */
bool promcb_recorder_has_lease(uint32_t slot);

/* In a child without MADV_WIPEONFORK. */
void promcb_recorder_wipe_current(void);

/* The recorder's entry of a handle. */
struct promcb_entry *promcb_recorder_entry(struct promcb_recorder *recorder, const struct promcb_component *component);

/*
 * Gives up a lease: its entries are cleared, its lane goes back. Only of an idle recorder, or where the calling thread
 * cannot be in a handler: the frame below may hold what the entries led to.
 */
void promcb_recorder_leave(struct promcb_recorder *recorder, uint32_t slot);

/* The same for all idle recorders. */
void promcb_recorder_leave_idle(const struct promcb_attachment *attachment);

/* Takes all threads' entries of the attachment's session away: the next record of each takes the slow path. */
void promcb_recorder_recall(const struct promcb_attachment *attachment);

/* Clears the attachment's leases in all recorders. No entry leads there. */
void promcb_recorder_vacate(struct promcb_attachment *attachment);

#endif

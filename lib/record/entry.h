/* SPDX-License-Identifier: MIT */
/*
 * entry.h: leads a thread to where it records a component: the slow path of recording.
 *
 * Async-signal-safe; but for promcb_entry_look() and promcb_entry_load(), called with the process's mutex held.
 *
 * Invariants
 *   - An entry is filled only in its own thread, or a handler of it. A handler may come between any two loads of the
 *     thread. So ring is stored before block and loaded before it, and an entry goes only from nothing to an overflow
 *     block to an own block: any mix of old and new words that the record path can observe is a valid pair of the
 *     thread's own block and a ring that fits, or takes the slow path.
 *   - Any thread takes entries away when a segment is left: ring becomes PROMCB_ENTRY_RECALLED, then block 0. What was
 *     loaded before stays good for as long as open.h says: the frame that a handler interrupted may still record there.
 */
#ifndef PROMCB_ENTRY_H
#define PROMCB_ENTRY_H

#include "record/component.h"

/* The parts of an entry's words, as inline.h has them. */
static inline uintptr_t promcb_entry_address(uintptr_t word)
{
	return word & (((uintptr_t)1 << 56) - 64);
}

static inline uint32_t promcb_entry_slot(uintptr_t word)
{
	return (uint32_t)(word >> 56) & (PROMCB_SEGMENTS_MAX - 1);
}

static inline struct promcb_block *promcb_entry_block(const struct promcb_entry *entry)
{
	return (struct promcb_block *)promcb_entry_address(entry->block);
}

static inline struct promcb_block *promcb_entry_overflow(const struct promcb_entry *entry)
{
	return (struct promcb_block *)promcb_entry_address(entry->ring);
}

/* The geometry of the segment that an entry of another schema, or of an overflow block, leads to. */
static inline const struct promcb_geometry *promcb_entry_geometry(uintptr_t word)
{
	return &promcb_attachments[promcb_entry_slot(word)].segment.geometry;
}

/*
 * Whether the thread's time for such a look has come; or was told by another clock, that of a parent in another time
 * namespace.
 */
static inline bool promcb_entry_is_look_due(uint64_t now_ns)
{
	return promcb_thread.fresh_ns - now_ns >= PROMCB_LOOK_INTERVAL_NS;
}

void promcb_entry_look_now(uint64_t now_ns);

/*
 * Looks where the segments' names lead, if the calling thread has not done so for a second, and follows them. now_ns:
 * the library's own coarse one. Without the mutex, and without waiting for it.
 */
static inline void promcb_entry_look(uint64_t now_ns)
{
	if (PROMCB_UNLIKELY(promcb_entry_is_look_due(now_ns)))
		promcb_entry_look_now(now_ns);
}

/* Both words of the calling thread's entry as they were at one moment. */
struct promcb_entry promcb_entry_load(const struct promcb_component *component);

/*
 * Looks for the best place there is for the calling thread, and leads the entry there, if it has one. Returns the
 * place: both words 0 if nothing can be recorded.
 */
struct promcb_entry promcb_entry_find(struct promcb_component *component);

/*
 * The component's overflow block, for a guest: see process.h. exact: not that of "_overflow" in its place, where the
 * component is not known in the present segment yet. Both words 0 if there is none.
 */
struct promcb_entry promcb_entry_find_overflow(const struct promcb_component *component, bool exact);

/* The segment that the thread's entry leads to. Neither word may be stored into it. NULL: nowhere. */
struct promcb_segment *promcb_entry_segment(const struct promcb_entry *at);

/* The overflow block of the same component beside the thread's own block: for a handler that interrupted a record. */
struct promcb_entry promcb_entry_beside(const struct promcb_entry *at);

/* Gives the own block a full ring if the entry leads to its first one, full or not. */
void promcb_entry_grow_ring(struct promcb_component *component, const struct promcb_entry *at);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * cell.h: leads a thread to the cells of a series: the slow path of metrics, as entry.h is of calls.
 *
 * Async-signal-safe. Without the mutex, which it takes where it must.
 *
 * An entry below 0 has, under PROMCB_CELL_ASIDE, the segment's slot above an address. With PROMCB_CELL_OWN the cell is
 * the thread's own, but may not be used as inline functions do: its numbers are doubles, or its histogram's bounds are
 * given. Without it, the cell is one of the shared copy, and everybody's.
 *
 * Invariants
 *   - An entry is one word, so no mix of two can be met. It is filled in its own thread, or a handler of it, and taken
 *     away by any when a segment is left. What was loaded before stays good for as long as open.h says.
 *   - Who has an entry waits for nobody.
 */
#ifndef PROMCB_CELL_H
#define PROMCB_CELL_H

#include "record/known.h"

#define PROMCB_CELL_ASIDE ((uint64_t)1 << 63)
#define PROMCB_CELL_OWN ((uint64_t)1 << 62)

/* Where a series counts: its first cell, and whether this thread alone, or of gauges, this process, writes there. */
struct promcb_cell {
	uint64_t *words;
	bool own;
};

static inline struct promcb_cell promcb_cell_of(uint64_t entry)
{
	if (!(entry & PROMCB_CELL_ASIDE))
		return (struct promcb_cell){(uint64_t *)(uintptr_t)entry, true};
	return (struct promcb_cell){(uint64_t *)(uintptr_t)(entry & (((uint64_t)1 << 56) - 8)),
				    (entry & PROMCB_CELL_OWN) != 0};
}

/* handle: of a series. */
typedef void promcb_cell_use(struct promcb_series_handle *series, struct promcb_cell at, void *context);

/*
 * Calls use with the best place there is for the calling thread; where there is none, counts what was to be counted as
 * dropped. First of all, once the thread's countdown is over, looks where its segments have gone.
 */
void promcb_cell_with(const void *handle, promcb_cell_use *use, void *context);

/* The calling thread's recorder, without the mutex. NULL: it has none. */
struct promcb_recorder *promcb_recorder_at_hand(void);

/* The header of the segment that a cell lies in, while it is used. NULL: of none. */
struct promcb_header *promcb_cell_header(struct promcb_cell at);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * table.h: from a hash to the records that may be meant, in pages that are made as they are needed; and the cells that
 * are given to series.
 *
 * Called with the process's mutex held but for promcb_table_find(). Async-signal-safe.
 *
 * Invariants
 *   - No key is there twice: all who add it go the same way, end at the same slot, and one of them puts his word there.
 *   - A slot never becomes empty again, and no page goes. So what was found once is found always.
 *   - A search ends after PROMCB_TABLE_STEPS, whatever the words are.
 *   - Cells are given by the holder of their stretch's lane, from the first on, and counted once a series that is led
 *     to has them. So no cell has two series.
 */
#ifndef PROMCB_TABLE_H
#define PROMCB_TABLE_H

#include "record/part.h"

/* Whether the record at the place is the one. place: not checked. */
typedef bool promcb_table_judge(void *context, uint32_t place);

/* Where a search without success ended. */
struct promcb_table_end {
	uint64_t *slot;         /* that is empty; NULL: the page is not there, or the table is full */
	uint32_t page;          /* that is not there; UINT32_MAX: the table is full, for this hash, or corrupt */
};

/* Returns the place that the judge takes, or 0. end: then filled; may be NULL. Without the mutex, too. */
uint32_t promcb_table_find(struct promcb_segment *segment, uint64_t hash, promcb_table_judge *judge, void *context,
			   struct promcb_table_end *end);

/* Makes the page where the search ended. Returns 0, or -ENOSPC. */
int promcb_table_grow(struct promcb_lane_lease *lease, const struct promcb_table_end *end);

/* Publishes a filled record in the slot where the search ended. Returns false if another was put there meanwhile. */
bool promcb_table_put(const struct promcb_table_end *end, uint64_t hash, uint32_t place);

/*
 * Cells for a series of the width, from a stretch of the lane's. They are its own once promcb_part_count_cells() was
 * told; until then the next call gives the same. Returns the first, or 0 if there is no room.
 */
uint32_t promcb_table_cells(struct promcb_lane_lease *lease, uint32_t width);

#endif

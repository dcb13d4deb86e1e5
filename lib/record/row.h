/* SPDX-License-Identifier: MIT */
/*
 * row.h: copies: from a cell's number to its word in the copy of a lane, in its live copy, or in the shared one.
 *
 * Called with the process's mutex held but for promcb_row_shared() and promcb_row_of_lane(). Async-signal-safe.
 *
 * Invariants
 *   - A lane's copies are written by its holder alone, or, if the process holds it as its home, by the process.
 *   - A piece is whole before anything leads to it [PIECE], and counted in its part after. Of the shared copy, who
 *     loses the exchange for a place carves the same lines again next time.
 *   - Nothing of a copy is moved, folded or emptied, but live copies when their lane changes hands, before live_taken
 *     says whose they are [LIVE].
 */
#ifndef PROMCB_ROW_H
#define PROMCB_ROW_H

#include "record/part.h"

/* The first of a series' cells in the lane's lasting copy; its row is made if there is none. NULL: no room. */
uint64_t *promcb_row_own(struct promcb_lane_lease *lease, uint32_t cell, uint32_t width);

/* The same of any lane, where nothing is made: NULL if it is not there. Without the mutex, too. */
uint64_t *promcb_row_of_lane(struct promcb_segment *segment, uint32_t lane, uint32_t cell, uint32_t width);

/* The same in its live copy. */
uint64_t *promcb_row_live(struct promcb_lane_lease *lease, uint32_t cell, uint32_t width);

/* The same where nothing is made: NULL if it is not there. */
uint64_t *promcb_row_live_find(struct promcb_lane_lease *lease, uint32_t cell, uint32_t width);

/* Empties what the lane's live copy has of an earlier holder, and says that it counts from now on. */
void promcb_row_begin_live(struct promcb_lane_lease *lease);

/* Says that it counts no more. */
void promcb_row_end_live(struct promcb_lane_lease *lease);

/* The same in the shared copy, which has room for all that is registered. NULL: only in a corrupt segment. */
uint64_t *promcb_row_shared(struct promcb_segment *segment, uint32_t cell, uint32_t width);

/*
 * The same in one of the two copies that are subtracted; its row is made if there is none, and a lease, which is of the
 * resetter's lane. NULL: no room, or not there.
 */
uint64_t *promcb_row_baseline(struct promcb_segment *segment, struct promcb_lane_lease *lease, uint32_t which,
			      uint32_t cell, uint32_t width);

/* Gives a series' cells room in the shared copy, by the lease's lane. Returns false if there is none. */
bool promcb_row_reserve_shared(struct promcb_segment *segment, struct promcb_lane_lease *lease, uint32_t cell,
			       uint32_t width);

#endif

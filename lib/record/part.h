/* SPDX-License-Identifier: MIT */
/*
 * part.h: carving pieces from the parts of a lane, and counting them once something leads to them.
 *
 * Called with the process's mutex held. Async-signal-safe.
 *
 * How to make a piece: carve, fill, publish (store or CAS its place, with release [PIECE]), commit. No other piece is
 * carved by the lease between carve and commit. Who finds that the piece is not wanted (a CAS was lost) does nothing:
 * the lines serve the next one.
 *
 * Invariants
 *   - A part's word, and its lines, are written by the holder of its lane's lock alone; a free part is taken by CAS.
 *   - A crash at any step leaks nothing. Behind what a part's word counts lies at most one piece that something leads
 *     to: the next owner of the lane counts it before it carves anything (settling), with the cells of a series.
 *   - A chunk says that it has memory once a part in it was taken, so nobody touches a hole. It is one of parts for
 *     good: who took it may find no memory for it where others, who did not wait for him, have found some.
 *   - Nothing that stands in a segment makes a loop longer than what it has of chunks, parts and steps.
 */
#ifndef PROMCB_PART_H
#define PROMCB_PART_H

#include "record/lane.h"
#include "segment/piece.h"

/*
 * Carves zeroed lines, at most a part's, with their head. lease: with a lane. copy, number: for the head, of rows and
 * branches. Returns their place, or 0 if there is no room.
 */
uint32_t promcb_part_carve(struct promcb_lane_lease *lease, uint32_t kind, uint32_t lines, uint32_t copy,
			   uint32_t number);

/* Tells that the carved piece was published. */
void promcb_part_commit(struct promcb_lane_lease *lease, uint32_t place);

/* Tells that the carved piece will not be. Only of a series has that to be told: it may have a place below a cap. */
void promcb_part_give_up(struct promcb_lane_lease *lease, uint32_t place);

/*
 * Before anything is given from what the lane has: counts what its last owner published and did not count. Done once a
 * lease; carve does it. Returns false if the lane's parts have no memory and cannot get it.
 */
bool promcb_part_settle(struct promcb_lane_lease *lease);

/* Counts cells in their stretch, if it is the lane's, up to that one and not included. */
void promcb_part_count_cells(struct promcb_lane_lease *lease, struct promcb_metrics_root *root, uint32_t end);

/*
 * Sees to a lane: lease stays what it is if it has one, else it becomes registrar, which takes the registrar's lane.
 * Returns 0, -EBUSY or -ENOSPC; after 0, registrar is left. Both may be called where there was nothing to do.
 */
int promcb_part_enter(struct promcb_segment *segment, struct promcb_lane_lease **lease,
		      struct promcb_lane_lease *registrar);
void promcb_part_leave(struct promcb_lane_lease *registrar);

/* The segment's root; made if there is none and a lease with a lane is given. NULL: none, or no room. */
struct promcb_metrics_root *promcb_metrics_root(struct promcb_segment *segment, struct promcb_lane_lease *lease);

#endif

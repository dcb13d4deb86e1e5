/* SPDX-License-Identifier: MIT */
/*
 * lane.h: taking a lane with whatever its last owner left, carving blocks and rings from its chunks, giving it back.
 *
 * Called with the process's mutex held. Async-signal-safe.
 *
 * Invariants
 *   - Everything here of a lane is written by the holder of its lock alone.
 *   - Nothing is folded, moved or zeroed when a lane changes hands: a component's total, the sum over all lanes, is
 *     the same before, during and after, whoever dies when.
 *   - A crash at any step leaks nothing: a chunk without blocks, or a carved block that was not published, is found
 *     by the next owner. carved, in the chunk's word, is stored after the number was published, so it may lag by one
 *     and never leads.
 */
#ifndef PROMCB_LANE_H
#define PROMCB_LANE_H

#include "record/lock.h"

/* What a recorder holds of one segment. */
struct promcb_lane_lease {
	struct promcb_segment *segment; /* NULL: nothing */
	uint32_t lane;                  /* + 1; 0: none, record into overflow blocks */
	uint32_t chunk[3];              /* by kind, + 1: where to carve next; 0: not known */
	uint32_t full_below[3];         /* by kind: the lane's chunks below have no room */
	uint32_t spare;                 /* a claimed, unpublished descriptor + 1; 0: none */
	bool searched;                  /* whether spares of dead owners were looked for */
	bool settled;                   /* whether what dead owners left uncounted in parts was: see part.h */
	uint32_t part;                  /* + 1: where to carve next; 0: not known */
	uint32_t parts_full_below;      /* the lane's parts below have no room worth a look */
	uint32_t stretch;               /* + 1: whose cells are given next; 0: not known */
};

/* Takes the lowest free lane. Returns 0, -EAGAIN (all are held), -ENOLCK or -ENOSPC. */
int promcb_lane_take(struct promcb_segment *segment, struct promcb_lane_lease *lease);

/*
 * Takes the registrar's (0) or the resetter's (1) lane. Returns 0, -EBUSY (held by another process), -ENOLCK or
 * -ENOSPC.
 */
int promcb_lane_acquire_special(struct promcb_segment *segment, uint32_t which, struct promcb_lane_lease *lease);

/* Gives the lane back to everybody. Returns false if it could not be unlocked: then it stays with the process. */
bool promcb_lane_give(struct promcb_lane_lease *lease);

/* The lane's block of a component, made if there is none. NULL if there is no room, or the directory is corrupt. */
struct promcb_block *promcb_lane_block(struct promcb_lane_lease *lease, uint32_t component);

/* Carves a zeroed block of a kind that no directory lists, for the caller to publish. Returns its number + 1, or 0. */
uint32_t promcb_lane_carve(struct promcb_lane_lease *lease, uint32_t kind, uint32_t component);

/* Tells that the carved block was published. */
void promcb_lane_commit_block(struct promcb_lane_lease *lease, uint32_t number);

/* What an entry needs to know of the ring that the block uses. */
uintptr_t promcb_lane_ring(struct promcb_segment *segment, struct promcb_block *block);

/* Gives the block its full ring. Returns false if there is no room. */
bool promcb_lane_grow_ring(struct promcb_lane_lease *lease, struct promcb_block *block);

#endif

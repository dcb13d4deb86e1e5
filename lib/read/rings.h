/* SPDX-License-Identifier: MIT */
/*
 * rings.h: the recent samples of a snapshot's components: which rings they lie in, and what is read of them.
 *
 * Invariants: a ring is read once, whichever blocks name it, and its holes are not read at all. So the memory and the
 * time that a snapshot takes for samples are bounded by what the file holds, whoever wrote it.
 */
#ifndef PROMCB_RINGS_H
#define PROMCB_RINGS_H

#include "model/snapshot.h"
#include "read/catalog.h"
#include "read/quantile.h"

struct promcb_ring_place;

/* Zeroed but for the first five. */
struct promcb_rings {
	const struct promcb_catalog *image;
	struct promcb_source *source;
	struct promcb_message *message;
	uint64_t now_ns;                /* CLOCK_MONOTONIC */
	bool with_calls;                /* list them one by one, too */
	struct promcb_ring_place *places;
	size_t count, room;
	uint64_t *named;                /* a bit per ring: some block has it */
};

/* Returns 0, or -ENOMEM. */
int promcb_rings_start(struct promcb_rings *rings);

/*
 * Notes where a block of the snapshot's component index keeps its samples, if any of them may count. number: of the
 * block; lane: whose it is, checked. Returns 0, or -ENOMEM.
 */
int promcb_rings_note(struct promcb_rings *rings, const struct promcb_block *block, uint32_t number, uint32_t index,
		      uint32_t lane);

/* When a component was reset, by our CLOCK_MONOTONIC. baseline: a private copy. */
uint64_t promcb_rings_reset_ns(const struct promcb_catalog *image, const struct promcb_block *baseline);

/*
 * Fills recent of each component from what was noted. baselines: by index, private copies; NULL: never reset. Returns
 * 0, -ENOMEM, or -ETIMEDOUT with a message.
 */
int promcb_rings_digest(struct promcb_rings *rings, struct promcb_snapshot *snapshot,
			struct promcb_block *const *baselines, struct promcb_recent_scratch *scratch);

void promcb_rings_free(struct promcb_rings *rings);

#endif

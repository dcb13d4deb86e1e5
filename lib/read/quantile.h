/* SPDX-License-Identifier: MIT */
/*
 * quantile.h: from the recent rings of a component to its quantiles. Pure.
 *
 * A sample is one word, as block.h defines it. A call without a latency counts as a call, and has no say in quantiles,
 * minimum, maximum and average.
 */
#ifndef PROMCB_QUANTILE_H
#define PROMCB_QUANTILE_H

#include "model/snapshot.h"

#include <promcb/block.h>

#include <stddef.h>

/* A private copy of one ring. Slots are a power of two; the newest sample stands just before position, modulo slots. */
struct promcb_ring_copy {
	const uint64_t *samples;
	uint32_t slots;
	uint32_t position;
};

/* Which samples count. Ages are signed 32-bit differences of ticks: valid within 26 days of now. */
struct promcb_recent_window {
	uint32_t now_tick;
	uint32_t window_ticks;  /* older samples do not count; UINT32_MAX: any age */
	uint32_t future_ticks;  /* samples further in the future than this do not count */
	uint32_t newest;        /* at most that many samples, the newest of all rings */
	bool after_reset;
	uint32_t reset_tick;    /* with after_reset: samples at or before it do not count */
};

/* Memory that digests reuse. Zero it to begin. */
struct promcb_recent_scratch {
	void *memory;
	size_t bytes;
};

/*
 * Where a ring's newest samples end, if a producer went on while the ring was copied: position is what stood in its
 * head before, and whatever follows there and is no older was written since. A ring all of one tick stays as it is.
 * Without this a busy ring seems to be out of order, and takes twice as long to digest.
 */
uint32_t promcb_recent_position(const uint64_t *samples, uint32_t slots, uint32_t position);

/*
 * Digests the newest samples of the rings. Quantiles interpolate linearly between order statistics: rank q over n
 * sorted values is position q * (n - 1), as numpy's default (method 7 of Hyndman and Fan, 1996). Within one tick,
 * rings are mixed by distance from their newest sample. Returns 0, or -ENOMEM.
 */
int promcb_recent_digest(const struct promcb_ring_copy *rings, size_t count, const struct promcb_recent_window *window,
			 struct promcb_recent_scratch *scratch, struct promcb_recent *out);

/*
 * The samples that promcb_recent_digest() counts, one by one, the newest first. samples: as many as window->newest or
 * the rings' slots, whichever is less. Returns 0 with *listed, how many there are, or -ENOMEM.
 */
int promcb_recent_list(const struct promcb_ring_copy *rings, size_t count, const struct promcb_recent_window *window,
		       struct promcb_recent_scratch *scratch, uint64_t *samples, size_t *listed);

void promcb_recent_scratch_free(struct promcb_recent_scratch *scratch);

#endif

/* SPDX-License-Identifier: MIT */
/* moments.c: see moments.h. */
#include "read/moments.h"

#include "read/rings.h"

/* What a stamp may be ahead of us: producers' clocks are coarse, and ours is older than the block that we look at. */
#define AHEAD_MOST_NS ((uint64_t)1000000000)

/* A head's time is what is left of a stamp: the call came in this long after it, or sooner. */
#define HEAD_STEP_NS ((uint64_t)1 << PROMCB_HEAD_POSITION_BITS)

/* Whether the newest sample is a success. */
static bool has_succeeded(const struct promcb_moments *moments, const struct promcb_block *block, uint32_t lane)
{
	const struct promcb_geometry *g = moments->image->geometry;
	uint32_t position = promcb_head_position(promcb_load_relaxed(&block->head));
	/* [RING] acquire: the number before the ring that it leads to. */
	uint64_t ring = lane < g->lanes ? promcb_load_acquire(&block->ring) : 0, copy;
	uint64_t chunk = ring ? (ring - 1) / promcb_rings_per_chunk(g) : 0;
	const uint64_t *sample = &block->first_ring[(position - 1) % PROMCB_FIRST_RING_SLOTS];

	/* The image may be older than the chunk: then it is not known. */
	if (ring && (ring > UINT32_MAX || chunk >= g->chunks ||
		     promcb_chunk_kind(moments->image->chunk_words[chunk]) != PROMCB_CHUNK_RINGS ||
		     !promcb_chunk_is_of(moments->image->chunk_words[chunk], lane)))
		return false;
	if (ring) {
		uint64_t slot = (position - 1) & (((uint32_t)1 << g->ring_log2) - 1);
		uint64_t off = promcb_ring_off(g, (uint32_t)ring - 1) + slot * sizeof(*sample);

		/* A hole, as in a sparse copy, would take memory. */
		sample = promcb_source_data(moments->source, off & ~(uint64_t)4095, 4096)
				 ? promcb_source_view(moments->source, off, sizeof(copy), &copy)
				 : NULL;
	}
	uint64_t newest = sample ? promcb_load_relaxed(sample) : 0;

	return newest && !promcb_sample_failure(newest);
}

/* A head's time by CLOCK_REALTIME; 0: not known, or from before the reset. */
static uint64_t time_of(const struct promcb_moments *moments, uint64_t head, uint32_t lane,
			const struct promcb_block *baseline)
{
	const struct promcb_catalog *image = moments->image;
	const struct promcb_catalog_lane *owner = lane < image->geometry->lanes ? &image->lanes[lane] : NULL;
	uint64_t head_ns = promcb_head_ns(head), time_ns;

	if (!head_ns)
		return 0;
	if (owner && !owner->samples_count) {
		/* Another boot's stamps are real time by that boot's clocks alone. */
		time_ns = head_ns + owner->clock_offset_ns;
		if (!owner->clock_offset_ns || time_ns < head_ns || time_ns > moments->taken_ns ||
		    (baseline && time_ns + HEAD_STEP_NS <= baseline->last_failure_ns))
			return 0;
		return time_ns;
	}
	uint64_t ours_ns = head_ns + (owner ? (uint64_t)owner->shift_ns : 0);
	int64_t age_ns = (int64_t)(moments->now_ns - ours_ns);

	if (age_ns < -(int64_t)AHEAD_MOST_NS || (age_ns > 0 && (uint64_t)age_ns > moments->taken_ns))
		return 0;
	if (baseline && (int64_t)(ours_ns + HEAD_STEP_NS - promcb_rings_reset_ns(image, baseline)) <= 0)
		return 0;
	return moments->taken_ns - (age_ns > 0 ? (uint64_t)age_ns : 0);
}

void promcb_moments_note(const struct promcb_moments *moments, const struct promcb_block *block, uint32_t lane,
			 const struct promcb_block *baseline, bool none_failed, struct promcb_snapshot_component *into)
{
	uint64_t time_ns = time_of(moments, promcb_load_relaxed(&block->head), lane, baseline), success_ns = time_ns;

	if (time_ns > into->last_call_ns)
		into->last_call_ns = time_ns;
	if (!none_failed && (!time_ns || (time_ns > into->last_success_ns && !has_succeeded(moments, block, lane))))
		success_ns = promcb_load_relaxed(&block->kind) == PROMCB_BLOCK_PLAIN
				     ? time_of(moments, promcb_load_relaxed(promcb_block_last_success_const(block)),
					       lane, baseline)
				     : 0;
	if (success_ns > into->last_success_ns)
		into->last_success_ns = success_ns;
}

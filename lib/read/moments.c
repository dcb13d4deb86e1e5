/* SPDX-License-Identifier: MIT */
/* moments.c: see moments.h. */
#include "read/moments.h"

#include "read/rings.h"

/* What a stamp may be ahead of us: producers' clocks are coarse, and ours is older than the block that we look at. */
#define AHEAD_MOST_NS ((uint64_t)1000000000)

/* A head's time is what is left of a stamp: the call came in this long after it, or sooner. */
#define HEAD_STEP_NS ((uint64_t)1 << PROMCB_HEAD_POSITION_BITS)

void promcb_moments_note(const struct promcb_moments *moments, const struct promcb_block *block, uint32_t lane,
			 const struct promcb_block *baseline, bool none_failed, struct promcb_snapshot_component *into)
{
	const struct promcb_catalog *image = moments->image;
	const struct promcb_catalog_lane *owner = lane < image->geometry->lanes ? &image->lanes[lane] : NULL;
	uint64_t head_ns = promcb_head_ns(promcb_load_relaxed(&block->head)), time_ns;

	if (!head_ns)
		return;
	if (owner && !owner->samples_count) {
		/* Another boot's stamps are real time by that boot's clocks alone. */
		time_ns = head_ns + owner->clock_offset_ns;
		if (!owner->clock_offset_ns || time_ns < head_ns || time_ns > moments->taken_ns ||
		    (baseline && time_ns + HEAD_STEP_NS <= baseline->last_failure_ns))
			return;
	} else {
		uint64_t ours_ns = head_ns + (owner ? (uint64_t)owner->shift_ns : 0);
		int64_t age_ns = (int64_t)(moments->now_ns - ours_ns);

		if (age_ns < -(int64_t)AHEAD_MOST_NS || (age_ns > 0 && (uint64_t)age_ns > moments->taken_ns))
			return;
		if (baseline && (int64_t)(ours_ns + HEAD_STEP_NS - promcb_rings_reset_ns(image, baseline)) <= 0)
			return;
		time_ns = moments->taken_ns - (age_ns > 0 ? (uint64_t)age_ns : 0);
	}
	if (time_ns > into->last_call_ns)
		into->last_call_ns = time_ns;
	if (none_failed && time_ns > into->last_success_ns)
		into->last_success_ns = time_ns;
}

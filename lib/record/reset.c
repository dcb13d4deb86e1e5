/* SPDX-License-Identifier: MIT */
/*
 * reset.c: forgetting by subtraction. Counters only grow; a reset notes what stands in them, and readers subtract it.
 *
 * Resetters exclude each other by the resetter's lane, whose chunks hold the baselines. A component has two; the
 * inactive one is filled and then published by one word, so a crash in mid-fill was never published. What is recorded
 * while a baseline is being filled stays, since the sums were read before.
 */
#include "base/clock.h"
#include "base/name.h"
#include "model/counts.h"
#include "record/registry.h"
#include "record/resetter.h"

#include <errno.h>

/* Fills a baseline that no reader looks at. */
static void fill_baseline(struct promcb_segment *segment, uint32_t component, struct promcb_block *sum)
{
	const struct promcb_geometry *g = &segment->geometry;
	struct promcb_descriptor *descriptor = promcb_segment_descriptor(segment, component);
	/* [PUB] acquire: published with the descriptor. */
	struct promcb_block *block = promcb_segment_block(segment, promcb_load32_acquire(&descriptor->overflow));
	struct promcb_counts counts;

	memset(sum, 0, g->block_bytes);
	sum->kind = PROMCB_BLOCK_BASELINE;
	sum->component_lane = promcb_pair(component, g->lanes + 1);
	/* Before the counters: a sample that is newer than this was made after the reset. */
	sum->head = promcb_clock_monotonic_coarse_ns();
	sum->last_failure_ns = promcb_clock_realtime_coarse_ns();
	sum->position = promcb_load_relaxed(&descriptor->state);
	/* What the head is worth to readers elsewhere, as our lane has it. */
	sum->first_ring[PROMCB_BASELINE_TIME_NAMESPACE] =
		promcb_load_relaxed(&promcb_segment_lane(segment, g->lanes + 1)->time_namespace);
	sum->first_ring[PROMCB_BASELINE_BOOT] = promcb_load_relaxed(&promcb_segment_lane(segment, g->lanes + 1)->boot);
	sum->first_ring[PROMCB_BASELINE_BIRTH] =
		promcb_load_relaxed(&promcb_segment_lane(segment, g->lanes + 1)->birth);
	promcb_counts_init(&counts, g->schema, g->buckets, promcb_block_buckets(sum));
	if (block)
		promcb_counts_add_block(&counts, block);
	for (uint32_t lane = 0; lane < g->lanes; lane++) {
		/* [LANE] acquire: used before the directory's memory. */
		if (!promcb_load_acquire(&promcb_segment_lane(segment, lane)->used) ||
		    !promcb_segment_directory(segment, lane))
			continue;
		/* [DIR] acquire: the number before the block. */
		block = promcb_segment_block(
			segment, promcb_load32_acquire(promcb_segment_directory(segment, lane) + component));
		if (block && promcb_load_relaxed(&block->kind) == PROMCB_BLOCK_PLAIN)
			promcb_counts_add_block(&counts, block);
	}
	promcb_counts_store(&counts, sum);
}

static int reset_component(struct promcb_lane_lease *lease, uint32_t component)
{
	struct promcb_segment *segment = lease->segment;
	struct promcb_descriptor *descriptor = promcb_segment_descriptor(segment, component);
	uint64_t reset = promcb_reset_next(promcb_load_relaxed(&descriptor->reset));
	unsigned which = promcb_reset_which(reset);
	uint32_t number = promcb_load32_relaxed(&descriptor->baseline[which]);
	struct promcb_block *block = promcb_segment_block(segment, number);

	if (!block || promcb_load_relaxed(&block->kind) != PROMCB_BLOCK_BASELINE ||
	    promcb_load_relaxed(&block->component_lane) != promcb_pair(component, lease->lane - 1)) {
		number = promcb_lane_carve(lease, PROMCB_BLOCK_BASELINE, component);
		if (!number)
			return -ENOSPC;
		promcb_store32_relaxed(&descriptor->baseline[which], number);
		PROMCB_INJECT("reset: baseline stored");
		promcb_lane_commit_block(lease, number);
		/* Once more, and so looked at once more: a stranger may have changed the chunk's word in between. */
		block = promcb_segment_block(segment, number);
		if (!block)
			return -ENOSPC;
	}
	PROMCB_INJECT("reset: carved");
	fill_baseline(segment, component, block);
	PROMCB_INJECT("reset: filled");
	/* [RST] release: the baseline before the word that makes it count. */
	promcb_store_release(&descriptor->reset, reset);
	PROMCB_INJECT("reset: published");
	return 0;
}

static int reset_all(struct promcb_lane_lease *lease, const struct promcb_saved_state *way)
{
	const struct promcb_segment *segment = lease->segment;
	const uint64_t *table = promcb_segment_table(segment);

	for (uint32_t slot = 0; slot < segment->geometry.table_slots; slot++) {
		/* [PUB] acquire: the word before the descriptor. */
		uint64_t word = promcb_load_acquire(&table[slot]);
		const struct promcb_descriptor *descriptor;
		int result = 0;

		if (!word)
			continue;
		descriptor = promcb_segment_descriptor(segment, promcb_table_component(word));
		if (descriptor && promcb_load32_relaxed(&descriptor->kind) <= PROMCB_DESCRIPTOR_LABELLED)
			result = reset_component(lease, promcb_table_component(word));
		if (result < 0)
			return result;
		promcb_process_let_others(way);
	}
	return 0;
}

/* name: NULL: all. */
static int reset(struct promcb_session *p, const char *name, size_t length)
{
	PROMCB_NOT_CANCELLED;
	struct promcb_lane_lease lease = {.segment = NULL};
	struct promcb_saved_state way;
	int result;

	result = promcb_resetter_take(p, &lease, &way);
	if (result == 0) {
		result = name ? promcb_component_find(lease.segment, name, length) : reset_all(&lease, &way);
		if (name && result >= 0)
			result = reset_component(&lease, (uint32_t)result);
		promcb_resetter_give(&lease, &way);
	}
	return result;
}

int promcb_reset(struct promcb_session *p, const char *name)
{
	if (!p || !name)
		return -EINVAL;
	size_t length = strlen(name);

	promcb_name_trim(&name, &length);
	if (promcb_full_name_fault(name, length))
		return -EINVAL;
	return reset(p, name, length);
}

int promcb_reset_all(struct promcb_session *p)
{
	return p ? reset(p, NULL, 0) : -EINVAL;
}

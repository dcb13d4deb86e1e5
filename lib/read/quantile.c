/* SPDX-License-Identifier: MIT */
/*
 * quantile.c: from the recent rings of a component to its quantiles: order statistics of what choose.c has chosen.
 * Count the samples in buckets of equal width (of the bits of a float, thus on a logarithmic scale), keep the buckets
 * that hold a wanted rank, again within those.
 *
 * Pure. Any bytes will do: words are masked and clamped, never believed.
 */
#include "read/quantile.h"

#include "base/rank.h"
#include "read/choose.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

const double promcb_quantile_ranks[PROMCB_QUANTILES] = {
	[PROMCB_P50] = 0.5, [PROMCB_P90] = 0.9, [PROMCB_P95] = 0.95, [PROMCB_P99] = 0.99, [PROMCB_P999] = 0.999,
};

/* The bits of 2^40 as a float, which no recorded latency exceeds. Those of infinities and NaNs are larger. */
#define LATENCY_MAX_BITS ((uint32_t)(40 + 127) << 23)

/* Copies the latencies of samples to values, as they are. Returns how many of them failed. */
static uint32_t take(const uint64_t *samples, uint32_t count, uint32_t *values)
{
	uint32_t failures = 0;

	for (uint32_t i = 0; i < count; i++) {
		values[i] = promcb_sample_latency(samples[i]);
		failures += promcb_sample_failure(samples[i]);
	}
	return failures;
}

static uint32_t take_view(const struct promcb_view *view, uint32_t *values)
{
	uint32_t count = view->low - view->first;

	if (count == 0)
		return 0;
	/* From the oldest slot chosen to the newest, in two runs if the end of the ring lies between. */
	uint32_t start = (view->newest - view->low + 1) & view->mask;
	uint32_t run = view->mask - start < count ? view->mask - start + 1 : count;
	uint32_t failures = take(view->samples + start, run, values);

	return failures + take(view->samples, count - run, values + run);
}

/* Takes the newest samples of views of which some are not sorted. values has room for one more. Returns how many. */
static uint32_t take_unsorted(const struct promcb_view *views, size_t count, uint64_t newest,
			      const struct promcb_bounds *bounds, uint32_t *values, uint64_t *failures)
{
	if (bounds->least > bounds->most)
		return 0;

	struct promcb_cut cut = promcb_views_cut(views, count, newest, bounds);
	uint32_t taken = 0;

	/* Without a branch: every value is stored, and overwritten by the next if it was not chosen. */
	for (size_t i = 0; i < count; i++) {
		for (uint32_t slot = 0; slot < views[i].slots; slot++) {
			uint64_t word = views[i].samples[slot];
			uint32_t key = promcb_view_key_of(word, bounds->offset);
			bool chosen = (word != 0) & (key >= cut.from) & (key <= bounds->most);

			values[taken] = promcb_sample_latency(word);
			taken += chosen;
			*failures += chosen & promcb_sample_failure(word);
		}
	}
	for (uint32_t distance = 0; cut.ties; distance++) {
		for (size_t i = 0; i < count && cut.ties; i++) {
			uint64_t word = distance < views[i].slots ? promcb_view_word(&views[i], distance) : 0;

			if (word == 0 || promcb_view_key_of(word, bounds->offset) != cut.from - 1)
				continue;
			values[taken++] = promcb_sample_latency(word);
			*failures += promcb_sample_failure(word);
			cut.ties--;
		}
	}
	return taken;
}

_Static_assert(2 * PROMCB_QUANTILES <= PROMCB_SELECT_RANKS_MAX, "each quantile asks for two ranks");

static void find_range(const uint32_t *values, uint32_t count, uint32_t *least, uint32_t *most)
{
	*least = UINT32_MAX;
	*most = 0;
	for (uint32_t i = 0; i < count; i++) {
		*least = values[i] < *least ? values[i] : *least;
		*most = values[i] > *most ? values[i] : *most;
	}
}

/* Leaves out what is no latency, and cuts what nobody has recorded. Returns how many values are left. */
static uint32_t settle(uint32_t *values, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (values[i] != PROMCB_SAMPLE_UNMEASURED)
			values[kept++] = values[i] < LATENCY_MAX_BITS ? values[i] : LATENCY_MAX_BITS;
	}
	return kept;
}

static void digest(uint32_t *values, uint32_t count, uint32_t *spare, struct promcb_recent *out)
{
	uint32_t least, most;
	uint32_t ranks[PROMCB_SELECT_RANKS_MAX], found[PROMCB_SELECT_RANKS_MAX];
	double fractions[PROMCB_QUANTILES];
	unsigned index[PROMCB_QUANTILES];
	unsigned wanted = 0;
	double sums[4] = {0};
	uint32_t i = 0;

	find_range(values, count, &least, &most);
	if (most > LATENCY_MAX_BITS) {
		count = settle(values, count);
		find_range(values, count, &least, &most);
	}
	out->measured = count;
	if (count == 0)
		return;
	/* Four sums, since an addition of doubles waits for the one before. */
	for (; i + 4 <= count; i += 4)
		for (unsigned j = 0; j < 4; j++)
			sums[j] += promcb_sample_ns(values[i + j]);
	for (; i < count; i++)
		sums[0] += promcb_sample_ns(values[i]);
	out->minimum_ns = promcb_sample_ns(least);
	out->maximum_ns = promcb_sample_ns(most);
	out->average_ns = (sums[0] + sums[1] + (sums[2] + sums[3])) / count;

	/* A quantile lies between rank and rank + 1. Neighbours may share one or both: each rank is asked for once. */
	for (unsigned q = 0; q < PROMCB_QUANTILES; q++) {
		double position = promcb_quantile_ranks[q] * (count - 1);
		uint32_t rank = (uint32_t)position;

		if (wanted == 0 || ranks[wanted - 1] < rank)
			ranks[wanted++] = rank;
		index[q] = wanted - 1 - (ranks[wanted - 1] - rank);
		if (ranks[wanted - 1] == rank && rank + 1 < count)
			ranks[wanted++] = rank + 1;
		fractions[q] = position - rank;
	}
	promcb_rank_select(values, count, spare, ranks, wanted, found);
	for (unsigned q = 0; q < PROMCB_QUANTILES; q++) {
		double lower = promcb_sample_ns(found[index[q]]);

		out->quantile_ns[q] = lower;
		if (fractions[q] > 0)
			out->quantile_ns[q] += fractions[q] * (promcb_sample_ns(found[index[q] + 1]) - lower);
	}
}

/* Notes the newest success of a ring, if it is newer than what is known: even one that is not among those chosen. */
static void find_success(const struct promcb_view *view, const struct promcb_bounds *bounds, struct promcb_recent *out)
{
	uint32_t end = view->sorted ? view->high : view->slots;

	for (uint32_t i = view->sorted ? view->first : 0; i < end; i++) {
		uint64_t word = promcb_view_word(view, i);
		uint32_t key = promcb_view_key_of(word, bounds->offset);

		if (word == 0 || promcb_sample_failure(word) || key < bounds->least || key > bounds->most)
			continue;
		if (!out->has_success ||
		    key > promcb_view_key_of(promcb_sample_ticks(out->success_tick), bounds->offset))
			out->success_tick = promcb_sample_tick(word);
		out->has_success = true;
		if (view->sorted)
			return;
	}
}

int promcb_recent_digest(const struct promcb_ring_copy *rings, size_t count, const struct promcb_recent_window *window,
			 struct promcb_recent_scratch *scratch, struct promcb_recent *out)
{
	const struct promcb_bounds bounds = promcb_view_bounds(window);
	size_t slots = 0;
	bool sorted = true;

	*out = (struct promcb_recent){.average_ns = NAN, .minimum_ns = NAN, .maximum_ns = NAN};
	for (unsigned q = 0; q < PROMCB_QUANTILES; q++)
		out->quantile_ns[q] = NAN;
	for (size_t i = 0; i < count; i++)
		slots += rings[i].slots;

	size_t most = window->newest < slots ? window->newest : slots;
	size_t room = most + 1;
	int error = promcb_recent_reserve(scratch, count * sizeof(struct promcb_view) + 2 * room * sizeof(uint32_t));

	if (error)
		return error;

	struct promcb_view *views = scratch->memory;
	uint32_t *values = (uint32_t *)(views + count);

	for (size_t i = 0; i < count; i++) {
		views[i] = promcb_view_survey(&rings[i], &bounds);
		sorted &= views[i].sorted;
		find_success(&views[i], &bounds, out);
	}
	if (sorted) {
		promcb_views_choose(views, count, most, bounds.offset);
		for (size_t i = 0; i < count; i++) {
			out->failures += take_view(&views[i], values + out->calls);
			out->calls += views[i].low - views[i].first;
		}
	} else {
		out->calls = take_unsorted(views, count, most, &bounds, values, &out->failures);
	}
	if (out->calls)
		digest(values, (uint32_t)out->calls, values + room, out);
	return 0;
}

void promcb_recent_scratch_free(struct promcb_recent_scratch *scratch)
{
	free(scratch->memory);
	*scratch = (struct promcb_recent_scratch){0};
}

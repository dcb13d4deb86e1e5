/* SPDX-License-Identifier: MIT */
/*
 * choose.h: which samples of a component's rings are its newest. Pure.
 *
 *   survey   Is each ring sorted by time? One pass of plain arithmetic tells, and binary search then finds its valid
 *            samples.
 *   choose   Which samples of each ring are among the newest of all? A selection over sorted sequences: take a sample
 *            of the longest rest, count what is newer in each ring by binary search, drop one side, again.
 *   cut      If a ring is not sorted (clocks were mixed, or it was written while it was copied), count samples in
 *            buckets of time instead, keep the bucket that the cut lies in, again within that.
 *
 * A key is a sample's age turned around, so that later is larger, whatever tick it is now:
 *   key = tick - now_tick + 2^31 - 1, modulo 2^32
 * Samples are ordered by (key falling, distance, ring). That order is strict, so what is chosen does not depend on how.
 */
#ifndef PROMCB_CHOOSE_H
#define PROMCB_CHOOSE_H

#include "read/quantile.h"

/* The key of a sample made now. */
#define KEY_NOW ((uint32_t)INT32_MAX)

/* The samples of one ring, newest first: sample i is the i-th slot back from the position, and i is its distance. */
struct promcb_view {
	const uint64_t *samples;
	uint32_t slots;
	uint32_t mask;
	uint32_t newest;        /* slot of sample 0 */
	bool sorted;            /* if it is not, what follows is not used */
	uint32_t first;         /* valid: [first, ...) */
	uint32_t low;           /* chosen for sure: [first, low) */
	uint32_t high;          /* still in question: [low, high) */
	uint32_t cut;
};

/*
 * The keys that count are least to most; none if most < least. 64 bits wide, so that one more than all of 32 can be
 * said.
 */
struct promcb_bounds {
	uint32_t offset;        /* key = tick + offset */
	uint64_t least;
	uint64_t most;
};

struct promcb_bounds promcb_view_bounds(const struct promcb_recent_window *window);

static inline uint64_t promcb_view_word(const struct promcb_view *view, uint32_t index)
{
	return view->samples[(view->newest - index) & view->mask];
}

static inline uint32_t promcb_view_key_of(uint64_t word, uint32_t offset)
{
	return promcb_sample_tick(word) + offset;
}

static inline uint32_t promcb_view_key(const struct promcb_view *view, uint32_t index, uint32_t offset)
{
	return promcb_view_key_of(promcb_view_word(view, index), offset);
}

/* Looks at a ring. What comes back is sorted and knows its valid samples, or is not sorted. */
struct promcb_view promcb_view_survey(const struct promcb_ring_copy *ring, const struct promcb_bounds *bounds);

/* Chooses the newest samples of all views, which are sorted: [first, low) of each. */
void promcb_views_choose(struct promcb_view *views, size_t count, uint64_t newest, uint32_t offset);

/* Which samples of unsorted rings are chosen: those whose key is `from` or larger, and some of those just below. */
struct promcb_cut {
	uint64_t from;
	uint64_t ties;          /* how many of key from - 1 */
};

/* bounds: not empty. */
struct promcb_cut promcb_views_cut(const struct promcb_view *views, size_t count, uint64_t newest,
				   const struct promcb_bounds *bounds);

/* At least so many bytes of it. Returns 0, or -ENOMEM. */
int promcb_recent_reserve(struct promcb_recent_scratch *scratch, size_t bytes);

#endif

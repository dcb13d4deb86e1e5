/* SPDX-License-Identifier: MIT */
/*
 * rank.c: see rank.h.
 *
 * Pure.
 */
#include "base/rank.h"

#include <string.h>

static void sort_few(uint32_t *values, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		uint32_t value = values[i];
		uint32_t j = i;

		for (; j > 0 && values[j - 1] > value; j--)
			values[j] = values[j - 1];
		values[j] = value;
	}
}

enum { FEW = 24 };

/* A bucket that holds wanted ranks, with its part of the spare memory. */
struct region {
	uint32_t start, end;            /* in spare; end grows as it fills */
	uint32_t below;                 /* how many values lie in lower buckets */
	unsigned rank, ranks;           /* ranks[rank .. rank + ranks) fall in it */
};

/* What was gathered lies in spare; values is done with and becomes the spare of the next level. */
static void select_in_region(const struct region *region, uint32_t *values, uint32_t *spare, const uint32_t *ranks,
			     uint32_t *out)
{
	uint32_t inner[PROMCB_SELECT_RANKS_MAX];

	for (unsigned i = 0; i < region->ranks; i++)
		inner[i] = ranks[region->rank + i] - region->below;
	promcb_rank_select(spare + region->start, region->end - region->start, values + region->start, inner,
			   region->ranks, out + region->rank);
}

void promcb_rank_select(uint32_t *values, uint32_t count, uint32_t *spare, const uint32_t *ranks, unsigned wanted,
			uint32_t *out)
{
	if (count <= FEW) {
		sort_few(values, count);
		for (unsigned i = 0; i < wanted; i++)
			out[i] = values[ranks[i]];
		return;
	}
	uint32_t least = UINT32_MAX, most = 0;

	for (uint32_t i = 0; i < count; i++) {
		least = values[i] < least ? values[i] : least;
		most = values[i] > most ? values[i] : most;
	}
	uint32_t counts[PROMCB_SELECT_BUCKETS];
	uint8_t region_of[PROMCB_SELECT_BUCKETS];
	unsigned shift = promcb_select_shift(most - least);
	uint32_t buckets = ((most - least) >> shift) + 1;

	memset(counts, 0, buckets * sizeof(counts[0]));
	memset(region_of, 0, buckets);
	for (uint32_t i = 0; i < count; i++)
		counts[(values[i] - least) >> shift]++;

	/* The buckets that hold a wanted rank each get a region of the spare memory; region 0 is none. */
	struct region regions[PROMCB_SELECT_RANKS_MAX + 1];
	unsigned used = 0;
	uint32_t below = 0, room = 0, bucket = 0;

	for (unsigned i = 0; i < wanted; i++) {
		while (ranks[i] >= below + counts[bucket])
			below += counts[bucket++];
		if (shift == 0) {
			out[i] = least + bucket;
			continue;
		}
		if (!region_of[bucket]) {
			region_of[bucket] = (uint8_t)++used;
			regions[used].start = regions[used].end = room;
			regions[used].below = below;
			regions[used].rank = i;
			regions[used].ranks = 0;
			room += counts[bucket];
		}
		regions[used].ranks++;
	}
	if (used == 0)
		return;
	for (uint32_t i = 0; i < count; i++) {
		unsigned region = region_of[(values[i] - least) >> shift];

		if (region)
			spare[regions[region].end++] = values[i];
	}
	for (unsigned region = 1; region <= used; region++)
		select_in_region(&regions[region], values, spare, ranks, out);
}

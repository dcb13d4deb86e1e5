/* SPDX-License-Identifier: MIT */
/*
 * quantile.c: from the recent rings of a component to its quantiles, in three steps:
 *
 *   survey   Is each ring sorted by time? One pass of plain arithmetic tells, and binary search then finds its valid
 *            samples.
 *   choose   Which samples of each ring are among the newest of all? A selection over sorted sequences: take a sample
 *            of the longest rest, count what is newer in each ring by binary search, drop one side, again. If a ring is
 *            not sorted (clocks were mixed, or it was written while it was copied), count samples in buckets of time
 *            instead, keep the bucket that the cut lies in, again within that.
 *   digest   Order statistics of what was chosen: count the samples in buckets of equal width (of the bits of a float,
 *            thus on a logarithmic scale), keep the buckets that hold a wanted rank, again within those.
 *
 * Pure. Any bytes will do: words are masked and clamped, never believed.
 *
 * A key is a sample's age turned around, so that later is larger, whatever tick it is now:
 *   key = tick - now_tick + 2^31 - 1, modulo 2^32
 * Samples are ordered by (key falling, distance, ring). That order is strict, so what is chosen does not depend on how.
 */
#include "read/quantile.h"

#include "base/select.h"

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

/* The key of a sample made now. */
#define KEY_NOW ((uint32_t)INT32_MAX)

/* The samples of one ring, newest first: sample i is the i-th slot back from the position, and i is its distance. */
struct view {
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
struct bounds {
	uint32_t offset;        /* key = tick + offset */
	uint64_t least;
	uint64_t most;
};

static struct bounds make_bounds(const struct promcb_recent_window *window)
{
	struct bounds bounds = {.offset = KEY_NOW - window->now_tick, .least = 0, .most = UINT32_MAX};

	if (window->window_ticks <= KEY_NOW)
		bounds.least = KEY_NOW - window->window_ticks;
	if (window->future_ticks <= KEY_NOW)
		bounds.most = KEY_NOW + window->future_ticks;
	if (window->after_reset) {
		uint64_t after = (uint64_t)(window->reset_tick + bounds.offset) + 1;

		if (bounds.least < after)
			bounds.least = after;
	}
	return bounds;
}

static inline uint64_t word_at(const struct view *view, uint32_t index)
{
	return view->samples[(view->newest - index) & view->mask];
}

static inline uint32_t key_of(uint64_t word, uint32_t offset)
{
	return (uint32_t)(word >> 32) + offset;
}

static inline uint32_t key_at(const struct view *view, uint32_t index, uint32_t offset)
{
	return key_of(word_at(view, index), offset);
}

/* The key in bits 62 to 31 and nothing else, so that bit 63 of the difference of two tells which is larger. */
static inline uint64_t comparable(uint64_t word, uint64_t offset)
{
	return (word + (offset << 32)) >> 1 & 0x7fffffff80000000;
}

/* Bit 63 is set for an empty slot. */
static inline uint64_t is_empty(uint64_t word)
{
	return (word - 1) & ~word;
}

/*
 * Whether the keys of samples[0 .. count) never fall and no slot is empty. Without a branch: compilers make vectors
 * of it.
 */
static bool ascends(const uint64_t *samples, uint32_t count, uint64_t offset)
{
	uint64_t wrong = count ? is_empty(samples[count - 1]) : 0;

	for (uint32_t i = 0; i + 1 < count; i++)
		wrong |= (comparable(samples[i + 1], offset) - comparable(samples[i], offset)) | is_empty(samples[i]);
	return wrong >> 63 == 0;
}

static bool all_empty(const uint64_t *samples, uint32_t count)
{
	uint64_t any = 0;

	for (uint32_t i = 0; i < count; i++)
		any |= samples[i];
	return any == 0;
}

/* The least index in [from, end) whose key is below the limit; end if there is none. The view is sorted. */
static uint32_t first_below(const struct view *view, uint32_t from, uint32_t end, uint64_t limit, uint32_t offset)
{
	while (from < end) {
		uint32_t middle = from + (end - from) / 2;

		if (key_at(view, middle, offset) < limit)
			end = middle;
		else
			from = middle + 1;
	}
	return from;
}

uint32_t promcb_recent_position(const uint64_t *samples, uint32_t slots, uint32_t position)
{
	uint32_t mask = slots - 1;

	for (uint32_t i = 0; i < slots; i++) {
		uint64_t next = samples[(position + i) & mask], last = samples[(position + i - 1) & mask];

		if (next == 0 || (int32_t)((uint32_t)(next >> 32) - (uint32_t)(last >> 32)) < 0)
			return position + i;
	}
	return position;
}

/* Looks at a ring. What comes back is sorted and knows its valid samples, or is not sorted. */
static struct view survey(const struct promcb_ring_copy *ring, const struct bounds *bounds)
{
	const uint64_t *samples = ring->samples;
	uint32_t slots = ring->slots;
	uint32_t split = slots ? ring->position & (slots - 1) : 0;
	uint32_t used = split;
	struct view view = {.samples = samples, .slots = slots, .mask = slots - 1, .newest = split - 1};

	/* In time order: [split, slots), then [0, split). A ring that was never full is empty in the first of these. */
	view.sorted = ascends(samples, split, bounds->offset);
	if (view.sorted && slots > split && !all_empty(samples + split, slots - split)) {
		used = slots;
		view.sorted = ascends(samples + split, slots - split, bounds->offset) &&
			      (split == 0 ||
			       key_of(samples[slots - 1], bounds->offset) <= key_of(samples[0], bounds->offset));
	}
	if (view.sorted) {
		view.first = first_below(&view, 0, used, bounds->most + 1, bounds->offset);
		view.high = first_below(&view, view.first, used, bounds->least, bounds->offset);
		view.low = view.first;
	}
	return view;
}

/* Where in [low, high) of the view the samples end that come before the one of (key, distance, ring). */
static uint32_t before(const struct view *view, bool earlier_ring, uint32_t key, uint32_t distance, uint32_t offset)
{
	uint32_t from = view->low, end = view->high;

	while (from < end) {
		uint32_t middle = from + (end - from) / 2;
		uint32_t its_key = key_at(view, middle, offset);

		if (its_key > key || (its_key == key && (middle < distance || (middle == distance && earlier_ring))))
			from = middle + 1;
		else
			end = middle;
	}
	return from;
}

/*
 * Chooses the newest samples of all views, which are sorted: [first, low) of each. low rises and high falls until they
 * meet; the longest rest loses half or more in each round.
 */
static void choose(struct view *views, size_t count, uint64_t newest, uint32_t offset)
{
	uint64_t valid = 0;

	for (size_t i = 0; i < count; i++)
		valid += views[i].high - views[i].first;
	if (valid <= newest) {
		for (size_t i = 0; i < count; i++)
			views[i].low = views[i].high;
		return;
	}
	for (;;) {
		size_t longest = 0;
		uint64_t rank = 0;

		for (size_t i = 1; i < count; i++)
			if (views[i].high - views[i].low > views[longest].high - views[longest].low)
				longest = i;
		uint32_t middle = views[longest].low + (views[longest].high - views[longest].low) / 2;

		if (middle == views[longest].high)
			return;
		uint32_t key = key_at(&views[longest], middle, offset);

		for (size_t i = 0; i < count; i++) {
			views[i].cut = i == longest ? middle : before(&views[i], i < longest, key, middle, offset);
			rank += views[i].cut - views[i].first;
		}
		for (size_t i = 0; i < count; i++) {
			if (rank > newest)
				views[i].high = views[i].cut;
			else
				views[i].low = views[i].cut;
		}
		if (rank < newest)
			views[longest].low = middle + 1; /* the pivot itself is chosen as well */
		if (rank == newest)
			return;
	}
}

static inline double float_of(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static inline uint32_t value_of(uint64_t sample)
{
	return (uint32_t)sample & INT32_MAX;
}

/* Copies the latencies of samples to values, as they are. Returns how many of them failed. */
static uint32_t take(const uint64_t *samples, uint32_t count, uint32_t *values)
{
	uint32_t failures = 0;

	for (uint32_t i = 0; i < count; i++) {
		values[i] = value_of(samples[i]);
		failures += (uint32_t)samples[i] >> 31;
	}
	return failures;
}

static uint32_t take_view(const struct view *view, uint32_t *values)
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

/* Which samples of unsorted rings are chosen: those whose key is `from` or larger, and some of those just below. */
struct cut {
	uint64_t from;
	uint64_t ties;          /* how many of key from - 1 */
};

static struct cut find_cut(const struct view *views, size_t count, uint64_t newest, const struct bounds *bounds)
{
	uint64_t low = bounds->least, high = bounds->most;

	/* Keys above high are chosen, those below low are not; of those between, `newest` are still to be chosen. */
	for (;;) {
		uint32_t counts[PROMCB_SELECT_BUCKETS] = {0};
		uint32_t range = (uint32_t)(high - low);
		unsigned shift = promcb_select_shift(range);
		uint64_t bucket = 0;

		for (size_t i = 0; i < count; i++) {
			for (uint32_t slot = 0; slot < views[i].slots; slot++) {
				uint64_t word = views[i].samples[slot];
				uint32_t back = (uint32_t)high - key_of(word, bounds->offset);

				if (word != 0 && back <= range)
					counts[back >> shift]++;
			}
		}
		while (bucket <= range >> shift && counts[bucket] <= newest)
			newest -= counts[bucket++];
		if (bucket > range >> shift)
			return (struct cut){.from = low};
		high -= bucket << shift;
		if (shift == 0)
			return (struct cut){.from = high + 1, .ties = newest};
		if ((high - low) >> shift)
			low = high - (((uint64_t)1 << shift) - 1);
	}
}

/* Takes the newest samples of views of which some are not sorted. values has room for one more. Returns how many. */
static uint32_t take_unsorted(const struct view *views, size_t count, uint64_t newest, const struct bounds *bounds,
			      uint32_t *values, uint64_t *failures)
{
	if (bounds->least > bounds->most)
		return 0;

	struct cut cut = find_cut(views, count, newest, bounds);
	uint32_t taken = 0;

	/* Without a branch: every value is stored, and overwritten by the next if it was not chosen. */
	for (size_t i = 0; i < count; i++) {
		for (uint32_t slot = 0; slot < views[i].slots; slot++) {
			uint64_t word = views[i].samples[slot];
			uint32_t key = key_of(word, bounds->offset);
			bool chosen = (word != 0) & (key >= cut.from) & (key <= bounds->most);

			values[taken] = value_of(word);
			taken += chosen;
			*failures += chosen & (word >> 31);
		}
	}
	for (uint32_t distance = 0; cut.ties; distance++) {
		for (size_t i = 0; i < count && cut.ties; i++) {
			uint64_t word = distance < views[i].slots ? word_at(&views[i], distance) : 0;

			if (word == 0 || key_of(word, bounds->offset) != cut.from - 1)
				continue;
			values[taken++] = value_of(word);
			*failures += word >> 31 & 1;
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
		if (values[i] != PROMCB_RECENT_UNMEASURED)
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
			sums[j] += float_of(values[i + j]);
	for (; i < count; i++)
		sums[0] += float_of(values[i]);
	out->minimum_ns = float_of(least);
	out->maximum_ns = float_of(most);
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
	promcb_select_ranks(values, count, spare, ranks, wanted, found);
	for (unsigned q = 0; q < PROMCB_QUANTILES; q++) {
		double lower = float_of(found[index[q]]);

		out->quantile_ns[q] = lower;
		if (fractions[q] > 0)
			out->quantile_ns[q] += fractions[q] * (float_of(found[index[q] + 1]) - lower);
	}
}

static int reserve(struct promcb_recent_scratch *scratch, size_t bytes)
{
	if (bytes <= scratch->bytes)
		return 0;
	bytes += bytes / 2;
	void *memory = realloc(scratch->memory, bytes);

	if (!memory)
		return -ENOMEM;
	scratch->memory = memory;
	scratch->bytes = bytes;
	return 0;
}

int promcb_recent_digest(const struct promcb_ring_copy *rings, size_t count, const struct promcb_recent_window *window,
			 struct promcb_recent_scratch *scratch, struct promcb_recent *out)
{
	const struct bounds bounds = make_bounds(window);
	size_t slots = 0;
	bool sorted = true;

	*out = (struct promcb_recent){.average_ns = NAN, .minimum_ns = NAN, .maximum_ns = NAN};
	for (unsigned q = 0; q < PROMCB_QUANTILES; q++)
		out->quantile_ns[q] = NAN;
	for (size_t i = 0; i < count; i++)
		slots += rings[i].slots;

	size_t most = window->newest < slots ? window->newest : slots;
	size_t room = most + 1;
	int error = reserve(scratch, count * sizeof(struct view) + 2 * room * sizeof(uint32_t));

	if (error)
		return error;

	struct view *views = scratch->memory;
	uint32_t *values = (uint32_t *)(views + count);

	for (size_t i = 0; i < count; i++) {
		views[i] = survey(&rings[i], &bounds);
		sorted &= views[i].sorted;
	}
	if (sorted) {
		choose(views, count, most, bounds.offset);
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

/* SPDX-License-Identifier: MIT */
/* choose.c: see choose.h. Any bytes will do: words are masked and clamped, never believed. */
#include "read/choose.h"

#include "base/rank.h"

#include <errno.h>
#include <stdlib.h>

struct promcb_bounds promcb_view_bounds(const struct promcb_recent_window *window)
{
	struct promcb_bounds bounds = {.offset = KEY_NOW - window->now_tick, .least = 0, .most = UINT32_MAX};

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

/* The key in bits 62 to 31 and nothing else, so that bit 63 of the difference of two tells which is larger. */
static inline uint64_t comparable(uint64_t word, uint64_t offset)
{
	return (word + promcb_sample_ticks(offset)) >> 1 & 0x7fffffff80000000;
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
static uint32_t first_below(const struct promcb_view *view, uint32_t from, uint32_t end, uint64_t limit,
			    uint32_t offset)
{
	while (from < end) {
		uint32_t middle = from + (end - from) / 2;

		if (promcb_view_key(view, middle, offset) < limit)
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

		if (next == 0 || (int32_t)(promcb_sample_tick(next) - promcb_sample_tick(last)) < 0)
			return position + i;
	}
	return position;
}

struct promcb_view promcb_view_survey(const struct promcb_ring_copy *ring, const struct promcb_bounds *bounds)
{
	const uint64_t *samples = ring->samples;
	uint32_t slots = ring->slots;
	uint32_t split = slots ? ring->position & (slots - 1) : 0;
	uint32_t used = split;
	struct promcb_view view = {.samples = samples, .slots = slots, .mask = slots - 1, .newest = split - 1};

	/* In time order: [split, slots), then [0, split). A ring that was never full is empty in the first of these. */
	view.sorted = ascends(samples, split, bounds->offset);
	if (view.sorted && slots > split && !all_empty(samples + split, slots - split)) {
		used = slots;
		view.sorted = ascends(samples + split, slots - split, bounds->offset) &&
			      (split == 0 || promcb_view_key_of(samples[slots - 1], bounds->offset) <=
						     promcb_view_key_of(samples[0], bounds->offset));
	}
	if (view.sorted) {
		view.first = first_below(&view, 0, used, bounds->most + 1, bounds->offset);
		view.high = first_below(&view, view.first, used, bounds->least, bounds->offset);
		view.low = view.first;
	}
	return view;
}

/* Where in [low, high) of the view the samples end that come before the one of (key, distance, ring). */
static uint32_t before(const struct promcb_view *view, bool earlier_ring, uint32_t key, uint32_t distance,
		       uint32_t offset)
{
	uint32_t from = view->low, end = view->high;

	while (from < end) {
		uint32_t middle = from + (end - from) / 2;
		uint32_t its_key = promcb_view_key(view, middle, offset);

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
void promcb_views_choose(struct promcb_view *views, size_t count, uint64_t newest, uint32_t offset)
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
		uint32_t key = promcb_view_key(&views[longest], middle, offset);

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

struct promcb_cut promcb_views_cut(const struct promcb_view *views, size_t count, uint64_t newest,
				   const struct promcb_bounds *bounds)
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
				uint32_t back = (uint32_t)high - promcb_view_key_of(word, bounds->offset);

				if (word != 0 && back <= range)
					counts[back >> shift]++;
			}
		}
		while (bucket <= range >> shift && counts[bucket] <= newest)
			newest -= counts[bucket++];
		if (bucket > range >> shift)
			return (struct promcb_cut){.from = low};
		high -= bucket << shift;
		if (shift == 0)
			return (struct promcb_cut){.from = high + 1, .ties = newest};
		if ((high - low) >> shift)
			low = high - (((uint64_t)1 << shift) - 1);
	}
}

int promcb_recent_reserve(struct promcb_recent_scratch *scratch, size_t bytes)
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

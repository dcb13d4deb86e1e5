/* SPDX-License-Identifier: MIT */
/* newest.c: the newest samples of a component's rings, one by one: see quantile.h. */
#include "read/choose.h"

#include <errno.h>
#include <stdlib.h>

/* A sample that was chosen, and what it is sorted by. */
struct item {
	uint64_t word;
	uint32_t key;
	uint32_t distance;
	size_t ring;
};

static int compare_items(const void *left, const void *right)
{
	const struct item *a = left, *b = right;

	if (a->key != b->key)
		return a->key > b->key ? -1 : 1;
	if (a->distance != b->distance)
		return a->distance < b->distance ? -1 : 1;
	return a->ring < b->ring ? -1 : a->ring > b->ring;
}

static size_t list_sorted(struct promcb_view *views, size_t count, size_t most, uint32_t offset, struct item *items)
{
	size_t listed = 0;

	promcb_views_choose(views, count, most, offset);
	for (size_t i = 0; i < count; i++)
		for (uint32_t distance = views[i].first; distance < views[i].low && listed < most; distance++)
			items[listed++] = (struct item){
				.word = promcb_view_word(&views[i], distance),
				.key = promcb_view_key(&views[i], distance, offset),
				.distance = distance,
				.ring = i,
			};
	return listed;
}

static size_t list_unsorted(const struct promcb_view *views, size_t count, size_t most,
			    const struct promcb_bounds *bounds, struct item *items)
{
	struct promcb_cut cut;
	uint32_t slots = 0;
	size_t listed = 0;

	if (bounds->least > bounds->most)
		return 0;
	cut = promcb_views_cut(views, count, most, bounds);
	for (size_t i = 0; i < count; i++)
		slots = views[i].slots > slots ? views[i].slots : slots;
	/* By distance first, so that of one key those are left out that stand farthest back. */
	for (uint32_t distance = 0; distance < slots; distance++)
		for (size_t i = 0; i < count && listed < most; i++) {
			uint64_t word = distance < views[i].slots ? promcb_view_word(&views[i], distance) : 0;
			uint32_t key = promcb_view_key_of(word, bounds->offset);

			if (word == 0 || key > bounds->most || (uint64_t)key + 1 < cut.from ||
			    (key < cut.from && cut.ties == 0))
				continue;
			cut.ties -= key < cut.from;
			items[listed++] = (struct item){.word = word, .key = key, .distance = distance, .ring = i};
		}
	return listed;
}

int promcb_recent_list(const struct promcb_ring_copy *rings, size_t count, const struct promcb_recent_window *window,
		       struct promcb_recent_scratch *scratch, uint64_t *samples, size_t *listed)
{
	const struct promcb_bounds bounds = promcb_view_bounds(window);
	size_t slots = 0, most;
	bool sorted = true;

	for (size_t i = 0; i < count; i++)
		slots += rings[i].slots;
	most = window->newest < slots ? window->newest : slots;
	if (promcb_recent_reserve(scratch, count * sizeof(struct promcb_view) + most * sizeof(struct item)) < 0)
		return -ENOMEM;

	struct promcb_view *views = scratch->memory;
	struct item *items = (struct item *)(void *)(views + count);

	for (size_t i = 0; i < count; i++) {
		views[i] = promcb_view_survey(&rings[i], &bounds);
		sorted &= views[i].sorted;
	}
	*listed = sorted ? list_sorted(views, count, most, bounds.offset, items)
			 : list_unsorted(views, count, most, &bounds, items);
	if (*listed)
		qsort(items, *listed, sizeof(*items), compare_items);
	for (size_t i = 0; i < *listed; i++)
		samples[i] = items[i].word;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * prepare.c: what a thread's first records would do, without a record: its lane, its blocks, their full rings, and each
 * page of these in its process's memory.
 */
#include "base/clock.h"
#include "record/record.h"

#include <errno.h>

/* No page is smaller. */
enum { PAGE_WORDS = 4096 / sizeof(uint64_t) };

/* Adds nothing to a word of each page, as their only writer would, or one of many. */
static void touch(uint64_t *words, size_t count, bool own)
{
	for (size_t i = 0;; i = i + PAGE_WORDS < count ? i + PAGE_WORDS : count - 1) {
		if (own)
			promcb_add_owned(&words[i], 0);
		else
			promcb_add_relaxed(&words[i], 0);
		if (i >= count - 1)
			return;
	}
}

static void touch_place(const struct promcb_entry *at, void *context)
{
	const struct promcb_segment *segment = promcb_entry_segment(at);
	struct promcb_block *block = at->block ? promcb_entry_block(at) : promcb_entry_overflow(at);

	(void)context;
	if (segment)
		touch((uint64_t *)(void *)block, segment->geometry.block_bytes / sizeof(uint64_t), at->block != 0);
	if (at->block)
		touch((uint64_t *)promcb_entry_address(at->ring), (size_t)1 << (at->ring & 31), true);
}

static int prepare(struct promcb_component *component)
{
	struct promcb_saved_state way;
	struct promcb_entry at;

	if (!promcb_record_with_entry(component, touch_place, NULL))
		return -ENOENT;
	at = promcb_entry_load(component);
	if (!at.block)
		return -ENOSPC;
	if (promcb_process_enter(&way))
		promcb_entry_grow_ring(component, &at);
	promcb_process_leave(&way);
	promcb_record_with_entry(component, touch_place, NULL);
	at = promcb_entry_load(component);
	if (at.block && promcb_entry_address(at.ring) == (uintptr_t)promcb_entry_block(&at)->first_ring)
		return -ENOSPC;
	return 0;
}

int promcb_prepare(struct promcb_component *const *components, size_t count)
{
	int result = 0;

	/* From the first token on the clock's rate is measured. */
	promcb_clock_token();
	for (size_t i = 0; i < count; i++) {
		int one = prepare(components[i]);

		result = result ? result : one;
	}
	/* Not by the next record: it is due for a thread that has just got what it records with. */
	promcb_entry_look(promcb_clock_monotonic_coarse_ns());
	return result;
}

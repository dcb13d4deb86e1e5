/* SPDX-License-Identifier: MIT */
/* breaker_rows.c: the rows of breakers, lane by lane, and what they say of the window that ends now. */
#include "base/clock.h"
#include "read/breakers.h"

#include <errno.h>
#include <stdlib.h>

/* -- Rows ---------------------------------------------------------------------------------------------------------- */

int promcb_breakers_keep(struct promcb_records *records, uint32_t number, const uint64_t **words)
{
	struct promcb_kept_row *kept;

	if (records->kept_count == records->kept_room) {
		size_t room = records->kept_room ? 2 * records->kept_room : 64;

		kept = realloc(records->kept, room * sizeof(*kept));
		if (!kept)
			return -ENOMEM;
		records->kept = kept;
		records->kept_room = room;
	}
	kept = &records->kept[records->kept_count++];
	kept->number = number;
	/* What failed is counted after what ended, so it is loaded before. */
	for (uint32_t i = PROMCB_ROW_WORDS; i-- > 0;)
		/* [LATE] acquire: from the last to the first. */
		kept->words[i] = promcb_load_acquire(&(*words)[i]);
	*words = kept->words;
	return 0;
}

/* -- The window ---------------------------------------------------------------------------------------------------- */

/* What a row has of the window that ends now, from its slot since_slot on. */
static void add_row(const uint64_t words[PROMCB_ROW_WORDS], uint64_t slot_ns, uint64_t since_slot,
		    struct promcb_window_counts *counts)
{
	static const uint8_t counted[PROMCB_BREAKER_SLOT_CELLS] = {PROMCB_BREAKER_ENDED, PROMCB_BREAKER_FAILED,
								   PROMCB_BREAKER_SLOW, PROMCB_BREAKER_IGNORED};
	const uint64_t *cells = words + 1, *history = NULL;
	uint64_t last = cells[PROMCB_BREAKER_SLOT_END] / slot_ns, sums[PROMCB_BREAKER_SLOT_CELLS];

	for (uint64_t slot = since_slot; slot < last && slot < since_slot + PROMCB_BREAKER_SLOTS && !history; slot++) {
		history = cells + PROMCB_BREAKER_HISTORY + slot % PROMCB_BREAKER_SLOTS * PROMCB_BREAKER_SLOT_CELLS;
		for (uint32_t i = 0; history && i < PROMCB_BREAKER_SLOT_CELLS; i++)
			if (!promcb_history_is_of(history[i], slot)) {
				history = NULL;
				break;
			}
	}
	if (!history)
		return;
	for (uint32_t i = 0; i < PROMCB_BREAKER_SLOT_CELLS; i++) {
		sums[i] = (cells[counted[i]] - promcb_history_count(history[i])) & PROMCB_HISTORY_MASK;
		/* What is ignored was loaded before the history, which may have it already. */
		if (sums[i] > PROMCB_HISTORY_MASK / 2)
			sums[i] = 0;
	}
	counts->calls += sums[0] - (sums[3] < sums[0] ? sums[3] : sums[0]);
	counts->failed += sums[1];
	counts->slow += sums[2];
}

static int compare_kept(const void *left, const void *right)
{
	uint32_t one = ((const struct promcb_kept_row *)left)->number;
	uint32_t other = ((const struct promcb_kept_row *)right)->number;

	return (one > other) - (one < other);
}

/* The first of what is kept of a row, which stands together; NULL: nothing is. */
static const struct promcb_kept_row *find_kept(const struct promcb_records *records, uint32_t row)
{
	size_t low = 0, high = records->kept_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (records->kept[middle].number < row)
			low = middle + 1;
		else
			high = middle;
	}
	return low < records->kept_count ? &records->kept[low] : NULL;
}

void promcb_breakers_sort(struct promcb_records *records)
{
	if (records->kept_count)
		qsort(records->kept, records->kept_count, sizeof(*records->kept), compare_kept);
}

void promcb_breakers_window(const struct promcb_records *records, uint32_t row,
			    const struct promcb_descriptor *descriptor, uint64_t slot_ns,
			    struct promcb_window_counts *counts)
{
	const struct promcb_kept_row *kept = find_kept(records, row), *end = records->kept + records->kept_count;
	uint64_t slot = promcb_clock_monotonic_coarse_ns() / slot_ns;
	bool is_known = promcb_word_tag(descriptor->since) == promcb_state_tag(descriptor->state);
	uint64_t from = promcb_window_from(is_known ? descriptor->since : 0, slot, slot_ns);

	*counts = (struct promcb_window_counts){.calls = 0};
	for (; kept && kept < end && kept->number == row; kept++)
		add_row(kept->words, slot_ns, from, counts);
	/* Read one after the other, the ends of calls before those of which they failed. */
	if (counts->failed > counts->calls)
		counts->failed = counts->calls;
	if (counts->slow > counts->calls)
		counts->slow = counts->calls;
}

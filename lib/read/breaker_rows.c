/* SPDX-License-Identifier: MIT */
/* breaker_rows.c: the rows of breakers, lane by lane, and what they say of the window that ends now. */
#include "base/clock.h"
#include "read/breakers.h"

#include <errno.h>
#include <stdlib.h>

/* -- What is kept ------------------------------------------------------------------------------------------------- */

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

/* -- Who lives ---------------------------------------------------------------------------------------------------- */

/* A thread that has given its lane back may have left a call that another of its process is to end. */
static bool has_another(const struct promcb_holder *holders, const bool *held, uint32_t lanes, uint64_t cookie)
{
	for (uint32_t lane = 0; lane < lanes; lane++)
		if (held[lane] && holders[lane].cookie == cookie)
			return true;
	return false;
}

int promcb_breakers_look(struct promcb_records *records, struct promcb_pieces *pieces)
{
	const struct promcb_geometry *g = pieces->catalog->geometry;
	bool *held = calloc(g->lanes, sizeof(*held));
	struct promcb_lane copy;

	records->holders = calloc(g->lanes, sizeof(*records->holders));
	if (!held || !records->holders) {
		free(held);
		return -ENOMEM;
	}
	for (uint32_t lane = 0; lane < g->lanes; lane++) {
		const struct promcb_lane *entry = promcb_source_view(
			pieces->source, g->lanes_off + (uint64_t)lane * g->lane_bytes, sizeof(copy), &copy);

		/* [LANE] acquire: used before the rest. */
		if (!entry || !promcb_load_acquire(&entry->used))
			continue;
		records->holders[lane].taken = promcb_load_relaxed(&entry->taken);
		records->holders[lane].cookie = promcb_load_relaxed(&entry->owner_cookie);
		/* Where it cannot be known, nobody is said to be dead. */
		held[lane] = promcb_source_is_late(pieces->source) || promcb_source_is_held(pieces->source, lane) != 0;
	}
	for (uint32_t lane = 0; lane < g->lanes; lane++)
		records->holders[lane].lives =
			records->holders[lane].taken &&
			(held[lane] || has_another(records->holders, held, g->lanes, records->holders[lane].cookie));
	free(held);
	return 0;
}

void promcb_breakers_flight(const struct promcb_records *records, uint32_t row, uint32_t lanes,
			    struct promcb_flight *flight)
{
	const struct promcb_kept_row *kept = find_kept(records, row), *end = records->kept + records->kept_count;

	*flight = (struct promcb_flight){.died = 0};
	for (; kept && kept < end && kept->number == row; kept++) {
		const uint64_t *cells = kept->words + 1;
		uint32_t lane = promcb_piece_copy(kept->words[0]);
		int64_t open = (int64_t)(cells[PROMCB_BREAKER_BEGUN] + cells[PROMCB_BREAKER_FOREIGN] -
					 cells[PROMCB_BREAKER_ENDED] - cells[PROMCB_BREAKER_ELSEWHERE]);
		int64_t died = (int64_t)cells[PROMCB_BREAKER_DIED];
		const struct promcb_holder *holder = lane < lanes ? &records->holders[lane] : NULL;

		if (!holder)
			continue;
		/* Of whose process has the row, or of who came since; else of those who had it before. */
		if (cells[PROMCB_BREAKER_TAKEN] > holder->taken ||
		    (holder->lives &&
		     (cells[PROMCB_BREAKER_TAKEN] == holder->taken ||
		      (cells[PROMCB_BREAKER_HOLDER] && cells[PROMCB_BREAKER_HOLDER] == holder->cookie)))) {
			flight->in_flight += open > died ? (uint64_t)open - (uint64_t)died : 0;
			flight->died += (uint64_t)died;
		} else {
			flight->died += open > 0 ? (uint64_t)open : 0;
		}
	}
}

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
	/* [LATE] acquire: once more, after what the lane's holder has begun: whose that is, and what died before. */
	kept->words[1 + PROMCB_BREAKER_TAKEN] = promcb_load_acquire(&(*words)[1 + PROMCB_BREAKER_TAKEN]);
	kept->words[1 + PROMCB_BREAKER_DIED] = promcb_load_acquire(&(*words)[1 + PROMCB_BREAKER_DIED]);
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

/* SPDX-License-Identifier: MIT */
/* cells.h: what a series' cells hold, by going through all copies: the arithmetic that a reader does. */
#ifndef PROMCB_TEST_CELLS_H
#define PROMCB_TEST_CELLS_H

#include "record/cell.h"

#include <string.h>

/* A cell in the copy whose root has the place. NULL: none. */
static inline uint64_t *cells_in(struct promcb_segment *segment, uint32_t root, uint32_t cell)
{
	struct promcb_branch *branch = promcb_segment_piece(segment, root, PROMCB_PIECE_BRANCH, PROMCB_ROW_LINES);
	uint32_t row = promcb_cell_row(cell);
	uint64_t *words;

	if (branch)
		branch = promcb_segment_piece(segment, promcb_load32_relaxed(&branch->places[row / PROMCB_BRANCHES]),
					      PROMCB_PIECE_BRANCH, PROMCB_ROW_LINES);
	words = branch ? promcb_segment_piece(segment, promcb_load32_relaxed(&branch->places[row % PROMCB_BRANCHES]),
					      PROMCB_PIECE_ROW, 0)
		       : NULL;
	return words ? words + cell % PROMCB_ROW_WORDS : NULL;
}

/* Adds cell index of a series up over all copies that last: as a whole number, or as a double. */
static inline uint64_t cells_sum(struct promcb_segment *segment, uint32_t first, uint32_t index, double *real)
{
	struct promcb_metrics_root *root = promcb_segment_root(segment);
	uint64_t *words = root ? cells_in(segment, root->shared, first) : NULL;
	uint64_t sum = words ? promcb_load_relaxed(words + index) : 0;

	*real = promcb_bits_double(sum);
	for (uint32_t lane = 0; lane < segment->geometry.lanes; lane++) {
		uint32_t copy = promcb_load32_relaxed(&promcb_segment_lane(segment, lane)->copy);

		words = cells_in(segment, copy, first);
		if (!words)
			continue;
		sum += promcb_load_relaxed(words + index);
		*real += promcb_bits_double(promcb_load_relaxed(words + index));
	}
	return sum;
}

/* The first cell of the series that a handle leads to. */
static inline uint32_t cells_first(const void *handle)
{
	return promcb_series_handle_of(handle)->at.component;
}

static inline struct promcb_segment *cells_segment(const void *handle)
{
	return ((struct promcb_session *)promcb_series_handle_of(handle)->at.session)->segment;
}

static inline uint64_t cells_total(const void *handle, uint32_t index)
{
	double real;

	return cells_sum(cells_segment(handle), cells_first(handle), index, &real);
}

static inline double cells_real(const void *handle, uint32_t index)
{
	double real;

	cells_sum(cells_segment(handle), cells_first(handle), index, &real);
	return real;
}

/* How many living copies have a value in the cell; their sum. Who lives is asked of the lock by nobody here. */
static inline uint32_t cells_live(struct promcb_segment *segment, uint32_t first, double *sum)
{
	uint32_t count = 0;

	*sum = 0;
	for (uint32_t number = 0; number < segment->geometry.lanes; number++) {
		const struct promcb_lane *lane = promcb_segment_lane(segment, number);
		uint64_t *words = cells_in(segment, promcb_load32_relaxed(&lane->live), first), bits;

		if (!words || promcb_load_relaxed(&lane->live_taken) != promcb_load_relaxed(&lane->taken))
			continue;
		bits = promcb_load_relaxed(words);
		if (!bits)
			continue;
		count++;
		*sum += promcb_bits_double(bits ^ PROMCB_GAUGE_UNSET);
	}
	return count;
}

#endif

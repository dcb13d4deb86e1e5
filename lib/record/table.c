/* SPDX-License-Identifier: MIT */
#include "record/table.h"

#include <promcb/inject.h>

#include <errno.h>

uint32_t promcb_table_find(struct promcb_segment *segment, uint64_t hash, promcb_table_judge *judge, void *context,
			   struct promcb_table_end *end)
{
	struct promcb_metrics_root *root = promcb_segment_root(segment);
	struct promcb_table_end ours;

	end = end ? end : &ours;
	*end = (struct promcb_table_end){.page = UINT32_MAX};
	for (uint32_t step = 0; root && step < PROMCB_TABLE_STEPS; step++) {
		uint32_t page;
		uint64_t *slot = promcb_segment_slot(segment, root, hash, step, &page);

		if (!slot && page == UINT32_MAX)
			continue;
		/* [PIECE] acquire: the word before the record that it leads to. */
		uint64_t word = slot ? promcb_load_acquire(slot) : 0;

		if (word == 0) {
			*end = (struct promcb_table_end){slot, page};
			return 0;
		}
		if (promcb_slot_matches(word, hash) && judge(context, promcb_slot_place(word)))
			return promcb_slot_place(word);
	}
	return 0;
}

int promcb_table_grow(struct promcb_lane_lease *lease, const struct promcb_table_end *end)
{
	struct promcb_metrics_root *root = promcb_metrics_root(lease->segment, lease);
	uint32_t place;

	if (!root || end->slot || end->page >= PROMCB_TABLE_PAGES)
		return -ENOSPC;
	/* [PIECE] acquire: somebody was faster. What stands there and is no page is left alone. */
	place = promcb_load32_acquire(&root->tables[end->page]);
	if (place)
		return promcb_segment_piece(lease->segment, place, PROMCB_PIECE_TABLE, PROMCB_PART_LINES) ? 0 : -ENOSPC;
	place = promcb_part_carve(lease, PROMCB_PIECE_TABLE, PROMCB_PART_LINES, 0, 0);
	if (!place)
		return -ENOSPC;
	/* [PIECE] release: the empty page before its place. Who is slower uses the page of who was faster. */
	if (promcb_cas32_acq_rel(&root->tables[end->page], 0, place))
		promcb_part_commit(lease, place);
	return 0;
}

bool promcb_table_put(const struct promcb_table_end *end, uint64_t hash, uint32_t place)
{
	PROMCB_INJECT("table: before the word");
	/* [PIECE] release: the record before the word that leads to it. */
	if (!promcb_cas_acq_rel(end->slot, 0, promcb_slot_word(hash, place)))
		return false;
	PROMCB_INJECT("table: word put");
	return true;
}

/* The first cells in a stretch that the lane may give, if the stretch is the lane's and has room. 0: none. */
static uint32_t cells_of(const struct promcb_lane_lease *lease, const struct promcb_metrics_root *root,
			 uint32_t stretch, uint32_t width)
{
	uint32_t word = promcb_load32_relaxed(&root->stretches[stretch]), begin = stretch * PROMCB_STRETCH_CELLS, cell;

	if (!promcb_chunk_is_of(word, lease->lane - 1) || promcb_chunk_kind(word) != promcb_rows_together(width) ||
	    promcb_chunk_carved(word) >= PROMCB_STRETCH_CELLS)
		return 0;
	cell = promcb_cells_from(begin + promcb_chunk_carved(word), width);
	return promcb_cells_end(cell, width) <= begin + PROMCB_STRETCH_CELLS ? cell : 0;
}

uint32_t promcb_table_cells(struct promcb_lane_lease *lease, uint32_t width)
{
	struct promcb_metrics_root *root = promcb_segment_root(lease->segment);
	uint32_t mine = promcb_chunk_word(promcb_rows_together(width), 0, lease->lane - 1), cell = 0;
	uint32_t most = PROMCB_STRETCHES;

	if (lease->lane - 1 != lease->segment->geometry.lanes)
		most -= PROMCB_STRETCHES_KEPT;
	if (!root || width == 0 || width > PROMCB_WIDTH_MAX || !promcb_part_settle(lease))
		return 0;
	if (lease->stretch)
		cell = cells_of(lease, root, lease->stretch - 1, width);
	for (uint32_t stretch = 0; !cell && stretch < PROMCB_STRETCHES; stretch++) {
		cell = cells_of(lease, root, stretch, width);
		if (cell)
			lease->stretch = stretch + 1;
	}
	for (uint32_t stretch = 0; !cell && stretch < most; stretch++) {
		/* [PIECE] the stretch is ours before a series that has cells of it is led to. */
		if (promcb_load32_relaxed(&root->stretches[stretch]) ||
		    !promcb_cas32_acq_rel(&root->stretches[stretch], 0, mine))
			continue;
		PROMCB_INJECT("table: stretch taken");
		lease->stretch = stretch + 1;
		cell = cells_of(lease, root, stretch, width);
	}
	return cell;
}

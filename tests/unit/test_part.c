/* SPDX-License-Identifier: MIT */
/* Carving pieces: no line twice, nothing lost between owners, every place checked. */
#include "fixture.h"

#include "record/open.h"
#include "record/part.h"

TestSuite(part, .init = fixture_begin, .fini = fixture_end);

static struct promcb_session *p;
static struct promcb_lane_lease lease;

static void take_lane(const struct promcb_options *options)
{
	p = fixture_open(options);
	cr_assert_eq(promcb_lane_take(p->segment, &lease), 0);
}

static void give_lane(void)
{
	cr_assert(promcb_lane_give(&lease));
	lease = (struct promcb_lane_lease){.segment = p->segment};
}

/* Counts the lines, each of which may be carved once. */
static uint8_t seen[1 << 16];

static void mark(uint32_t place, uint32_t lines)
{
	cr_assert_neq(place, 0);
	cr_assert_leq((place - 1) % PROMCB_PART_LINES + lines, PROMCB_PART_LINES, "a piece is in one part");
	for (uint32_t line = place; line < place + lines; line++) {
		cr_assert_lt(line, sizeof(seen));
		cr_assert_eq(seen[line], 0, "line %u was carved twice", line);
		seen[line] = 1;
	}
}

Test(part, no_line_twice)
{
	static const uint32_t sizes[] = {1, 2, 8, 64, 3, 8, 40, 2, 2, 8, 63, 5};

	take_lane(NULL);
	for (uint32_t k = 0; k < 600; k++) {
		uint32_t lines = sizes[k % (sizeof(sizes) / sizeof(sizes[0]))];
		uint32_t place = promcb_part_carve(&lease, PROMCB_PIECE_ROW, lines, lease.lane - 1, k);

		mark(place, lines);
		cr_assert_not_null(promcb_segment_piece(p->segment, place, PROMCB_PIECE_ROW, lines));
		cr_assert_null(promcb_segment_piece(p->segment, place, PROMCB_PIECE_ROW, lines + 1));
		cr_assert_null(promcb_segment_piece(p->segment, place, PROMCB_PIECE_BRANCH, lines));
		promcb_part_commit(&lease, place);
		/* What was not committed serves again. */
		place = promcb_part_carve(&lease, PROMCB_PIECE_ROW, 2, 0, 0);
		cr_assert_eq(place, promcb_part_carve(&lease, PROMCB_PIECE_ROW, 2, 0, 0));
		/* Another owner goes on where the last one ended. */
		if (k % 50 == 49) {
			give_lane();
			cr_assert_eq(promcb_lane_take(p->segment, &lease), 0);
		}
	}
}

/* Two thirds of all lines at least are in use, whatever the sizes. */
Test(part, little_is_wasted)
{
	uint32_t carved = 0, last = 0;

	take_lane(NULL);
	for (uint32_t k = 0; k < 2000; k++) {
		uint32_t lines = k % 3 == 0 ? 8 : 2, place = promcb_part_carve(&lease, PROMCB_PIECE_ROW, lines, 0, k);

		mark(place, lines);
		promcb_part_commit(&lease, place);
		carved += lines;
		last = place > last ? place : last;
	}
	cr_assert_geq(3 * carved, 2 * last, "%u of %u lines", carved, last);
}

Test(part, a_full_segment_says_so)
{
	uint32_t carved = 0, place;

	take_lane(&(struct promcb_options){.max_bytes = 2 << 20, .components = 16, .lanes = 2});
	while ((place = promcb_part_carve(&lease, PROMCB_PIECE_ROW, 8, 0, carved))) {
		promcb_part_commit(&lease, place);
		cr_assert_lt(carved++, 1 << 16);
	}
	cr_assert_gt(carved, 1000);
	/* In the first parts of chunks there may be room for a small piece, and in none for a large one. */
	cr_assert_eq(promcb_part_carve(&lease, PROMCB_PIECE_TABLE, 64, 0, 0), 0);
}

Test(part, one_root)
{
	struct promcb_metrics_root *root;

	take_lane(NULL);
	cr_assert_null(promcb_metrics_root(p->segment, NULL));
	root = promcb_metrics_root(p->segment, &lease);
	cr_assert_not_null(root);
	cr_assert_eq(root, promcb_metrics_root(p->segment, &lease));
	cr_assert_eq(root, promcb_metrics_root(p->segment, NULL));
}

/* What was published and not counted is counted by the next owner; what was not published is not. */
Test(part, uncounted_pieces)
{
	struct promcb_metrics_root *root;
	uint32_t page, row;

	take_lane(NULL);
	root = promcb_metrics_root(p->segment, &lease);
	page = promcb_part_carve(&lease, PROMCB_PIECE_TABLE, 64, 0, 0);
	promcb_store32_release(&root->tables[7], page);
	give_lane();
	cr_assert_eq(promcb_lane_take(p->segment, &lease), 0);
	cr_assert_neq(promcb_part_carve(&lease, PROMCB_PIECE_TABLE, 64, 0, 0), page);
	row = promcb_part_carve(&lease, PROMCB_PIECE_BRANCH, 8, PROMCB_COPY_SHARED, PROMCB_BRANCH_IS_ROOT);
	give_lane();
	cr_assert_eq(promcb_lane_take(p->segment, &lease), 0);
	cr_assert_eq(promcb_part_carve(&lease, PROMCB_PIECE_BRANCH, 8, PROMCB_COPY_SHARED, PROMCB_BRANCH_IS_ROOT), row);
	promcb_store32_release(&root->shared, row);
	give_lane();
	cr_assert_eq(promcb_lane_take(p->segment, &lease), 0);
	cr_assert_neq(promcb_part_carve(&lease, PROMCB_PIECE_BRANCH, 8, PROMCB_COPY_SHARED, PROMCB_BRANCH_IS_ROOT),
		      row);
}

/* Places that lead nowhere, in every part of what there is, and far behind. */
Test(part, places_that_are_none)
{
	const uint32_t places[] = {0, 1, 2, 63, 64, 65, 1023, 1024, 1025, 1 << 20, PROMCB_PLACE_MASK, UINT32_MAX};
	uint32_t place;

	take_lane(NULL);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		cr_assert_null(promcb_segment_piece(p->segment, places[i], PROMCB_PIECE_ROW, 0));
	place = promcb_part_carve(&lease, PROMCB_PIECE_ROW, 8, 0, 0);
	cr_assert_not_null(promcb_segment_piece(p->segment, place, PROMCB_PIECE_ROW, 0));
	for (uint32_t other = place + 1; other < place + 4096; other++)
		cr_assert_null(promcb_segment_piece(p->segment, other, PROMCB_PIECE_ROW, 0));
}

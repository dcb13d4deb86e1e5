/* SPDX-License-Identifier: MIT */
#include "record/row.h"

#include <promcb/inject.h>

/* A copy, as it is walked. lease: NULL where nothing may be made. */
struct copy {
	struct promcb_segment *segment;
	struct promcb_lane_lease *lease;
	uint32_t *root;
	uint32_t name;
};

struct piece {
	uint32_t kind, lines, number;
};

static bool is_shared(const struct copy *copy)
{
	return copy->name == PROMCB_COPY_SHARED;
}

/* Makes the piece that the word leads to. Returns its place, or that of whoever was faster; 0: no room. */
static uint32_t make(const struct copy *copy, uint32_t *word, const struct piece *what)
{
	uint32_t place = promcb_part_carve(copy->lease, what->kind, what->lines, copy->name, what->number);

	if (!place)
		return 0;
	PROMCB_INJECT("row: carved");
	if (!is_shared(copy))
		/* [PIECE] release: the piece before what leads to it. */
		promcb_store32_release(word, place);
	/* [PIECE] the same; or, to who comes second, the piece behind what was faster. */
	else if (!promcb_cas32_acq_rel(word, 0, place))
		/* [PIECE] acquire: as above. */
		return promcb_load32_acquire(word);
	PROMCB_INJECT("row: published");
	promcb_part_commit(copy->lease, place);
	PROMCB_INJECT("row: counted");
	return place;
}

/* The piece that the word leads to, checked, made if there is none and there is a lease. */
static void *follow(const struct copy *copy, uint32_t *word, const struct piece *what)
{
	/* [PIECE] acquire: the place before the piece. */
	uint32_t place = promcb_load32_acquire(word);
	uint64_t *piece;

	if (!place && copy->lease)
		place = make(copy, word, what);
	piece = place ? promcb_segment_piece(copy->segment, place, what->kind, what->lines) : NULL;
	if (!piece ||
	    promcb_load_relaxed(piece) != promcb_piece_head(what->kind, what->lines, copy->name, what->number))
		return NULL;
	return piece;
}

static uint64_t *find(const struct copy *copy, uint32_t cell, uint32_t width)
{
	uint32_t row = promcb_cell_row(cell), within = cell % PROMCB_ROW_WORDS;
	uint32_t together = promcb_rows_together(width);
	const struct piece root = {PROMCB_PIECE_BRANCH, PROMCB_ROW_LINES, PROMCB_BRANCH_IS_ROOT};
	const struct piece below = {PROMCB_PIECE_BRANCH, PROMCB_ROW_LINES, row / PROMCB_BRANCHES};
	const struct piece last = {PROMCB_PIECE_ROW, together * PROMCB_ROW_LINES, row};
	struct promcb_branch *branch;
	uint64_t *words;

	if (!copy->root || row >= PROMCB_ROWS_MAX || within == 0 || width == 0 || width > PROMCB_WIDTH_MAX ||
	    within + width > together * PROMCB_ROW_WORDS)
		return NULL;
	branch = follow(copy, copy->root, &root);
	if (branch)
		branch = follow(copy, &branch->places[below.number], &below);
	words = branch ? follow(copy, &branch->places[row % PROMCB_BRANCHES], &last) : NULL;
	return words ? words + within : NULL;
}

static struct copy of_lane(struct promcb_lane_lease *lease)
{
	return (struct copy){
		.segment = lease->segment,
		.lease = lease,
		.root = &promcb_segment_lane(lease->segment, lease->lane - 1)->copy,
		.name = lease->lane - 1,
	};
}

static struct copy of_living(struct promcb_lane_lease *lease)
{
	return (struct copy){
		.segment = lease->segment,
		.lease = lease,
		.root = &promcb_segment_lane(lease->segment, lease->lane - 1)->live,
		.name = (lease->lane - 1) | PROMCB_COPY_LIVE,
	};
}

uint64_t *promcb_row_own(struct promcb_lane_lease *lease, uint32_t cell, uint32_t width)
{
	struct copy copy = of_lane(lease);

	return find(&copy, cell, width);
}

uint64_t *promcb_row_of_lane(struct promcb_segment *segment, uint32_t lane, uint32_t cell, uint32_t width)
{
	const struct copy copy = {.segment = segment, .root = &promcb_segment_lane(segment, lane)->copy, .name = lane};

	return find(&copy, cell, width);
}

uint64_t *promcb_row_live(struct promcb_lane_lease *lease, uint32_t cell, uint32_t width)
{
	struct copy copy = of_living(lease);

	return find(&copy, cell, width);
}

uint64_t *promcb_row_live_find(struct promcb_lane_lease *lease, uint32_t cell, uint32_t width)
{
	struct copy copy = of_living(lease);

	copy.lease = NULL;
	return find(&copy, cell, width);
}

static struct copy of_all(struct promcb_segment *segment, struct promcb_lane_lease *lease)
{
	struct promcb_metrics_root *root = promcb_metrics_root(segment, lease);

	return (struct copy){
		.segment = segment,
		.lease = lease,
		.root = root ? &root->shared : NULL,
		.name = PROMCB_COPY_SHARED,
	};
}

uint64_t *promcb_row_shared(struct promcb_segment *segment, uint32_t cell, uint32_t width)
{
	struct copy copy = of_all(segment, NULL);

	return find(&copy, cell, width);
}

bool promcb_row_reserve_shared(struct promcb_segment *segment, struct promcb_lane_lease *lease, uint32_t cell,
			       uint32_t width)
{
	struct copy copy = of_all(segment, lease);

	return find(&copy, cell, width) != NULL;
}

uint64_t *promcb_row_baseline(struct promcb_segment *segment, struct promcb_lane_lease *lease, uint32_t which,
			      uint32_t cell, uint32_t width)
{
	struct promcb_metrics_root *root = promcb_segment_root(segment);
	struct copy copy = {.segment = segment,
			    .lease = lease,
			    .root = root ? &root->baselines[which] : NULL,
			    .name = PROMCB_COPY_BASELINE + which};

	return find(&copy, cell, width);
}

/* -- Live copies -------------------------------------------------------------------------------------------------- */

static void empty_row(const struct copy *copy, uint32_t *word, uint32_t row)
{
	/* [PIECE] acquire: the place before the piece. Its head says how long it is. */
	uint32_t place = promcb_load32_acquire(word);
	uint64_t *words = promcb_segment_piece(copy->segment, place, PROMCB_PIECE_ROW, 0);
	uint64_t head = words ? promcb_load_relaxed(words) : 0;
	size_t count = words ? promcb_segment_piece_bytes(place, words) / sizeof(*words) : 0;

	if (!words || promcb_piece_copy(head) != copy->name || promcb_piece_number(head) != row)
		return;
	for (size_t cell = 1; cell < count; cell++)
		promcb_store_relaxed(words + cell, 0);
}

void promcb_row_begin_live(struct promcb_lane_lease *lease)
{
	struct promcb_lane *lane = promcb_segment_lane(lease->segment, lease->lane - 1);
	const struct piece top = {PROMCB_PIECE_BRANCH, PROMCB_ROW_LINES, PROMCB_BRANCH_IS_ROOT};
	struct copy copy = of_living(lease);
	struct promcb_branch *root, *branch;

	/* Nothing is made here. */
	copy.lease = NULL;
	root = follow(&copy, copy.root, &top);
	for (uint32_t number = 0; root && number < PROMCB_BRANCHES; number++) {
		const struct piece below = {PROMCB_PIECE_BRANCH, PROMCB_ROW_LINES, number};

		branch = follow(&copy, &root->places[number], &below);
		for (uint32_t row = 0; branch && row < PROMCB_BRANCHES; row++)
			empty_row(&copy, &branch->places[row], number * PROMCB_BRANCHES + row);
	}
	PROMCB_INJECT("live: emptied");
	/* [LIVE] release: no value of an earlier holder's is left when the copy counts. */
	promcb_store_release(&lane->live_taken, promcb_load_relaxed(&lane->taken));
	PROMCB_INJECT("live: begun");
}

void promcb_row_end_live(struct promcb_lane_lease *lease)
{
	/* [LIVE] release: what was set before; nothing that is set after counts. */
	promcb_store_release(&promcb_segment_lane(lease->segment, lease->lane - 1)->live_taken, 0);
}

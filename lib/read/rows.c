/* SPDX-License-Identifier: MIT */
#include "read/rows.h"

#include "read/breakers.h"

#include <promcb/inject.h>

#include <errno.h>
#include <stdlib.h>

/* How many rows are read between two looks at the clock. */
enum { LATE_STEP = 64, WIDEST = PROMCB_ROWS_TOGETHER_MAX * PROMCB_ROW_LINES * PROMCB_LINE_BYTES };

/* A row that is to be read. */
struct row {
	uint32_t place, number, copy;
};

struct list {
	struct row *rows;
	size_t count, room;
};

struct adding {
	struct promcb_records *records;
	struct promcb_metrics *metrics;
	struct promcb_pieces *pieces;
	struct list roots, branches, rows;
	uint64_t live_taken[PROMCB_LANES_MAX]; /* by lane, as it was before the live copy was read */
	uint8_t buffer[WIDEST] __attribute__((aligned(PROMCB_LINE_BYTES)));
};

static int look_at_clock(const struct adding *a, size_t done)
{
	return done % LATE_STEP == 0 && promcb_source_is_late(a->pieces->source)
		       ? promcb_source_too_late(a->pieces->source, a->pieces->message)
		       : 0;
}

static bool is_baseline(uint32_t copy)
{
	return copy == PROMCB_COPY_BASELINE || copy == PROMCB_COPY_BASELINE + 1;
}

/* In whose part a copy's pieces lie. */
static uint32_t lane_of(uint32_t copy)
{
	return copy >= PROMCB_COPY_BASELINE && copy <= PROMCB_COPY_SHARED ? UINT32_MAX
									  : copy & ~(uint32_t)PROMCB_COPY_LIVE;
}

/* -- Which rows there are ------------------------------------------------------------------------------------------ */

static int add_row(struct list *list, struct row row)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 256;
		struct row *more = realloc(list->rows, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		list->rows = more;
		list->room = room;
	}
	list->rows[list->count++] = row;
	return 0;
}

/* A root's or a branch's places, into out. */
static int read_branch(struct adding *a, uint32_t place, uint32_t copy, uint32_t number, uint32_t *out)
{
	const struct promcb_piece_wanted wanted = {.kind = PROMCB_PIECE_BRANCH,
						   .lines = PROMCB_ROW_LINES,
						   .lane = lane_of(copy),
						   .by_head = true,
						   .copy = copy,
						   .number = number};
	const struct promcb_branch *branch = promcb_pieces_view(a->pieces, place, &wanted, a->buffer, NULL);

	if (!branch)
		return promcb_pieces_corrupt(a->pieces, "a branch of a copy is none, or another's", place);
	for (uint32_t i = 0; i < PROMCB_BRANCHES; i++)
		/* [PIECE] acquire: places before what they lead to. */
		out[i] = promcb_load32_acquire(&branch->places[i]);
	return 0;
}

/*
 * Lists the rows that a listed series has cells in. Stage by stage for all copies at once, roots, branches, rows: what
 * a stage has copied of a chunk is older than a place that was loaded after, and has not what that leads to.
 */
static int list_branches(struct adding *a)
{
	uint32_t branches[PROMCB_BRANCHES], rows = promcb_cell_row(a->records->cells) + 1;
	int result = 0;

	promcb_pieces_stage(a->pieces);
	for (size_t k = 0; k < a->roots.count && result == 0; k++) {
		const struct row *root = &a->roots.rows[k];

		result = look_at_clock(a, k);
		if (result == 0)
			result = read_branch(a, root->place, root->copy, PROMCB_BRANCH_IS_ROOT, branches);
		for (uint32_t i = 0; i < PROMCB_BRANCHES && i * PROMCB_BRANCHES < rows && result == 0; i++)
			if (branches[i])
				result = add_row(&a->branches, (struct row){branches[i], i, root->copy});
	}
	return result;
}

static int list_rows(struct adding *a)
{
	uint32_t places[PROMCB_BRANCHES], rows = promcb_cell_row(a->records->cells) + 1;
	int result = 0;

	promcb_pieces_stage(a->pieces);
	for (size_t k = 0; k < a->branches.count && result == 0; k++) {
		const struct row *branch = &a->branches.rows[k];

		result = look_at_clock(a, k);
		if (result == 0)
			result = read_branch(a, branch->place, branch->copy, branch->number, places);
		for (uint32_t j = 0; j < PROMCB_BRANCHES && result == 0; j++) {
			uint32_t number = branch->number * PROMCB_BRANCHES + j;

			/* Of what nobody listed owns, nothing is read. */
			if (places[j] && number < rows && a->records->rows[number])
				result = add_row(&a->rows, (struct row){places[j], number, branch->copy});
		}
	}
	return result;
}

static int list_lane(struct adding *a, uint32_t lane)
{
	struct promcb_pieces *pieces = a->pieces;
	const struct promcb_geometry *g = pieces->catalog->geometry;
	struct promcb_lane copy;
	const struct promcb_lane *entry =
		promcb_source_view(pieces->source, g->lanes_off + (uint64_t)lane * g->lane_bytes, sizeof(copy), &copy);
	uint32_t lasting, live;
	uint64_t live_taken;
	int result = 0;

	/* [LANE] acquire: used before the rest. */
	if (!entry || !promcb_load_acquire(&entry->used))
		return 0;
	/* [PIECE] acquire: the place before the root. */
	lasting = promcb_load32_acquire(&entry->copy);
	/* [LIVE] acquire: that it was emptied by the present owner, before what stands in it. */
	live_taken = promcb_load_acquire(&entry->live_taken);
	live = live_taken && live_taken == promcb_load_relaxed(&entry->taken) ? promcb_load32_acquire(&entry->live) : 0;
	a->live_taken[lane] = live_taken;
	if (lasting)
		result = add_row(&a->roots, (struct row){lasting, 0, lane});
	if (result == 0 && live)
		result = add_row(&a->roots, (struct row){live, 0, lane | PROMCB_COPY_LIVE});
	return result;
}

/* It was read before the lives, and may not have led to what they take away, nor, by the shared copy, from what. */
static int read_root_again(struct adding *a, struct promcb_records *records)
{
	const struct promcb_piece_wanted wanted = {
		.kind = PROMCB_PIECE_ROOT, .lines = PROMCB_PART_LINES, .lane = UINT32_MAX};
	struct promcb_metrics_root *known = &records->root;
	const struct promcb_metrics_root *root;

	promcb_pieces_stage(a->pieces);
	root = promcb_pieces_view(a->pieces, records->root_place, &wanted, a->buffer, NULL);
	if (!root)
		return promcb_pieces_corrupt(a->pieces, "the root of its families is none", records->root_place);
	/* [PIECE] acquire: the places before the roots of the copies. */
	known->shared = promcb_load32_acquire(&root->shared);
	for (uint32_t i = 0; i < 2; i++)
		known->baselines[i] = promcb_load32_acquire(&root->baselines[i]);
	return 0;
}

/* After all that is added, since they are taken away from sums. */
static int list_baselines(struct adding *a)
{
	int result = 0;

	for (uint32_t i = 0; i < 2 && result == 0; i++) {
		uint32_t place = a->records->root.baselines[i];

		if (place)
			result = add_row(&a->roots, (struct row){place, 0, PROMCB_COPY_BASELINE + i});
	}
	return result;
}

/* -- What they hold ------------------------------------------------------------------------------------------------ */

static void store_double(uint64_t *cell, double value)
{
	memcpy(cell, &value, sizeof(value));
}

/* A gauge that is set. */
static void add_gauge(uint64_t *cell, uint8_t *use, double value)
{
	double before = promcb_cell_double(*cell);
	bool is_set = *use & PROMCB_CELL_IS_SET;

	switch (*use & PROMCB_CELL_USE) {
	case PROMCB_CELL_LIVE_SUM:
		value += is_set ? before : 0;
		break;
	case PROMCB_CELL_LIVE_LEAST:
		value = is_set && before < value ? before : value;
		break;
	case PROMCB_CELL_LIVE_GREATEST:
		value = is_set && before > value ? before : value;
		break;
	default:
		break;
	}
	store_double(cell, value);
	*use |= PROMCB_CELL_IS_SET;
}

/* A cell of a row that has other uses than sums. */
static void add_cell(uint64_t *cell, uint8_t *use, uint64_t word, uint32_t copy)
{
	bool is_live = copy & PROMCB_COPY_LIVE;

	switch (*use & PROMCB_CELL_USE) {
	case PROMCB_CELL_SUM:
		*cell += is_live ? 0 : word;
		break;
	case PROMCB_CELL_SUM_OF_DOUBLES:
		if (!is_live)
			store_double(cell, promcb_cell_double(*cell) + promcb_cell_double(word));
		break;
	case PROMCB_CELL_SHARED:
		if (copy == PROMCB_COPY_SHARED && word)
			add_gauge(cell, use, promcb_cell_double(word ^ PROMCB_GAUGE_UNSET));
		break;
	default:
		if (is_live && word)
			add_gauge(cell, use, promcb_cell_double(word ^ PROMCB_GAUGE_UNSET));
		break;
	}
}

/* A word of a baseline is taken away from the cell that says so. */
static void subtract_cell(uint64_t *cell, uint8_t *use, const uint64_t *word, uint32_t copy)
{
	uint8_t its = copy == PROMCB_COPY_BASELINE ? PROMCB_CELL_BASELINE : PROMCB_CELL_SECOND;

	if (!(*use & its))
		return;
	/* [LIFE] acquire: each word of the baseline before the life is looked at again. */
	uint64_t less = promcb_load_acquire(word);

	if ((*use & PROMCB_CELL_USE) == PROMCB_CELL_SUM_OF_DOUBLES)
		store_double(cell, promcb_cell_double(*cell) - promcb_cell_double(less));
	else
		*cell -= less;
	*use &= (uint8_t)~its;
}

/* words: of a row, or of rows that lie together; the first is the head. */
static void add_words(struct adding *a, const uint64_t *words, uint32_t count, const struct row *row)
{
	uint64_t *cells = a->metrics->cells + (size_t)row->number * PROMCB_ROW_WORDS;
	uint8_t *uses = a->records->uses + (size_t)row->number * PROMCB_ROW_WORDS;

	if (is_baseline(row->copy)) {
		for (uint32_t i = 1; i < count; i++)
			subtract_cell(&cells[i], &uses[i], &words[i], row->copy);
		return;
	}
	if (!a->records->mixed[row->number]) {
		for (uint32_t i = 1; i < count && !(row->copy & PROMCB_COPY_LIVE); i++)
			cells[i] += promcb_load_relaxed(&words[i]);
		return;
	}
	for (uint32_t i = 1; i < count; i++)
		add_cell(&cells[i], &uses[i], promcb_load_relaxed(&words[i]), row->copy);
}

static const uint64_t *view_row(struct adding *a, const struct row *row, uint32_t *words)
{
	uint32_t together = a->records->rows[row->number];
	const struct promcb_piece_wanted wanted = {.kind = PROMCB_PIECE_ROW,
						   .lines = together * PROMCB_ROW_LINES,
						   .lane = lane_of(row->copy),
						   .by_head = true,
						   .copy = row->copy,
						   .number = row->number};

	*words = together * PROMCB_ROW_WORDS;
	return promcb_pieces_view(a->pieces, row->place, &wanted, a->buffer, NULL);
}

/*
 * Whether what was read of a live copy is of a process that lived then. Whoever has its lock took the lane before; if
 * nobody took it since live_taken was loaded, that was who set what was read.
 */
static bool is_living(const struct adding *a, uint32_t lane)
{
	struct promcb_source *source = a->pieces->source;
	struct promcb_lane copy;
	const struct promcb_lane *entry;

	if (promcb_source_is_live(source, lane) != 1)
		return false;
	entry = promcb_source_view(source,
				   a->pieces->catalog->geometry->lanes_off +
					   (uint64_t)lane * a->pieces->catalog->geometry->lane_bytes,
				   sizeof(copy), &copy);
	return entry && promcb_load_relaxed(&entry->taken) == a->live_taken[lane];
}

/* The rows of one live copy, from the first on: read before it is asked whether they count, and added after. */
static int add_live(struct adding *a, size_t first, size_t end)
{
	uint32_t count;
	uint64_t *kept = malloc((end - first) * (size_t)WIDEST);
	int result = kept ? 0 : -ENOMEM;

	for (size_t i = first; i < end && result == 0; i++) {
		const uint64_t *words = view_row(a, &a->rows.rows[i], &count);

		if (!words)
			result = promcb_pieces_corrupt(a->pieces, "a row is none, or another's", a->rows.rows[i].place);
		for (uint32_t j = 0; words && j < count; j++)
			kept[(i - first) * WIDEST / sizeof(*kept) + j] = promcb_load_relaxed(&words[j]);
	}
	if (result == 0 && is_living(a, lane_of(a->rows.rows[first].copy)))
		for (size_t i = first; i < end; i++)
			add_words(a, kept + (i - first) * WIDEST / sizeof(*kept),
				  a->records->rows[a->rows.rows[i].number] * PROMCB_ROW_WORDS, &a->rows.rows[i]);
	free(kept);
	return result;
}

static int add_rows(struct adding *a)
{
	int result = 0;

	for (size_t i = 0, end; i < a->rows.count && result == 0; i = end) {
		const struct row *row = &a->rows.rows[i];
		uint32_t count;

		end = i + 1;
		result = look_at_clock(a, i);
		if (result < 0)
			break;
		PROMCB_INJECT("rows: before a row");
		if (row->copy & PROMCB_COPY_LIVE) {
			while (end < a->rows.count && a->rows.rows[end].copy == row->copy)
				end++;
			result = add_live(a, i, end);
			continue;
		}
		const uint64_t *words = view_row(a, row, &count);

		if (words && a->records->breakers[row->number] && !is_baseline(row->copy))
			result = promcb_breakers_keep(a->records, row->number, &words);
		if (words && result == 0)
			add_words(a, words, count, row);
		else if (!words)
			result = promcb_pieces_corrupt(a->pieces, "a row is none, or another's", row->place);
	}
	return result;
}

/*
 * Has a series the life that it had before its cells were read, and was what that says subtracted? If it was removed
 * meanwhile, that is told of the moment in which it was: there is nothing in it yet.
 */
static int look_again(struct adding *a, const struct promcb_series_life *life)
{
	const struct promcb_piece_wanted wanted = {.kind = PROMCB_PIECE_SERIES, .lane = UINT32_MAX};
	struct promcb_snapshot_series *series = &a->metrics->series[life->series];
	const struct promcb_snapshot_family *family = &a->metrics->families[series->family];
	const struct promcb_series_record *record =
		promcb_pieces_view(a->pieces, life->place, &wanted, a->buffer, NULL);
	bool is_set = family->type == PROMCB_GAUGE || family->type == PROMCB_INFO;
	uint64_t now;

	if (!record)
		return promcb_pieces_corrupt(a->pieces, "a series' record is none", life->place);
	now = promcb_load_relaxed(&record->life);
	series->is_hidden = (now & PROMCB_LIFE_HIDDEN) != 0;
	for (uint32_t cell = 0; cell < family->width && !is_set; cell++) {
		if (promcb_life_began_ns(now) != promcb_life_began_ns(life->life))
			a->metrics->cells[series->cell + cell] = 0;
		else if (a->records->uses[series->cell + cell] & (PROMCB_CELL_BASELINE | PROMCB_CELL_SECOND))
			return promcb_pieces_corrupt(a->pieces, "what is to be subtracted of a series is missing",
						     life->place);
	}
	if (promcb_life_began_ns(now))
		series->created_ns = promcb_life_began_ns(now);
	return 0;
}

static int look_at_lives(struct adding *a)
{
	bool all = a->records->removals % 2 || promcb_records_removals(a->pieces) != a->records->removals;
	int result = 0;

	for (size_t i = 0; i < a->metrics->series_count && result == 0; i++)
		/* Breakers are not removed. */
		if ((all || a->records->lives[i].life & ~PROMCB_LIFE_PLACED) &&
		    !a->records->breakers[promcb_cell_row(a->metrics->series[i].cell)])
			result = look_again(a, &a->records->lives[i]);
	return result;
}

int promcb_rows_read(struct promcb_records *records, struct promcb_metrics *metrics, struct promcb_pieces *pieces)
{
	const struct promcb_geometry *g = pieces->catalog->geometry;
	struct adding *a = aligned_alloc(PROMCB_LINE_BYTES,
					 (sizeof(*a) + PROMCB_LINE_BYTES - 1) / PROMCB_LINE_BYTES * PROMCB_LINE_BYTES);
	int result = a ? 0 : -ENOMEM;

	if (!a)
		return result;
	a->records = records;
	a->metrics = metrics;
	a->pieces = pieces;
	a->roots = a->branches = a->rows = (struct list){.rows = NULL};
	PROMCB_INJECT("rows: lives read");
	result = read_root_again(a, records);
	if (result == 0 && records->root.shared)
		result = add_row(&a->roots, (struct row){records->root.shared, 0, PROMCB_COPY_SHARED});
	for (uint32_t lane = 0; lane < g->lanes && result == 0; lane++)
		result = list_lane(a, lane);
	if (result == 0 && records->has_baselines)
		result = list_baselines(a);
	if (result == 0)
		result = list_branches(a);
	if (result == 0)
		result = list_rows(a);
	promcb_pieces_stage(pieces);
	PROMCB_INJECT("rows: listed");
	if (result == 0 && records->has_breakers)
		result = promcb_breakers_look(records, pieces);
	if (result == 0)
		result = add_rows(a);
	PROMCB_INJECT("rows: all added");
	promcb_pieces_stage(pieces);
	/* [LIFE] the cells before what is looked at again. */
	promcb_load_fence();
	if (result == 0)
		result = look_at_lives(a);
	free(a->roots.rows);
	free(a->branches.rows);
	free(a->rows.rows);
	free(a);
	return result;
}

/* SPDX-License-Identifier: MIT */
/*
 * check_metrics.c: everything of format/metrics.h that can be seen from outside. What a snapshot refuses is left to it;
 * pieces that are none are passed over here. Producers may be at work meanwhile, and nothing that they do is a finding:
 * what is counted, or filled, after something was led to is looked at after that.
 *
 * Invariants that are looked at
 *   - A chunk of parts, a part, a stretch is of a lane that there is, and counts no more than it has.
 *   - Every piece that something leads to lies in lines that are its own, and at most one a part is not yet counted.
 *   - A record has the hash of what it says, and the words of the table lead a search for it there.
 *   - A family counts at least the series that it has, and no more than its cap.
 *   - The cells of a series lie in a stretch of a lane's; those of at most one a stretch are not yet counted.
 */
#include "read/family_record.h"
#include "read/findings.h"
#include "read/pieces.h"
#include "read/record_hash.h"
#include "read/records.h"

#include <promcb/inject.h>

#include <errno.h>
#include <stdlib.h>

enum { CELLS_MAX = PROMCB_STRETCHES * PROMCB_STRETCH_CELLS };

/* A piece that something leads to. */
struct piece {
	uint32_t place;
	uint32_t kind, lines;
};

struct check {
	struct promcb_findings *findings;
	struct promcb_pieces pieces;
	uint32_t root_place;
	struct promcb_metrics_root root;
	uint64_t *pages[PROMCB_TABLE_PAGES]; /* copies; NULL: not there */
	struct piece *seen;
	size_t seen_count, seen_room;
	struct owner {
		uint32_t place, series; /* of a family; how many of its series were found */
	} * families;
	size_t family_count, family_room;
	uint8_t late[PROMCB_STRETCHES]; /* series of each stretch that are not counted */
	bool is_breaker[PROMCB_ROWS_MAX]; /* of each row: whether a breaker owns its cells */
	struct promcb_record_copy record;
	uint8_t buffer[PROMCB_PART_BYTES] __attribute__((aligned(PROMCB_LINE_BYTES)));
};

static bool grow(void *memory, size_t count, size_t *room, size_t each)
{
	void **array = memory, *more;

	if (count < *room)
		return true;
	more = realloc(*array, (*room ? 2 * *room : 256) * each);
	if (!more)
		return false;
	*array = more;
	*room = *room ? 2 * *room : 256;
	return true;
}

/* -- Parts --------------------------------------------------------------------------------------------------------- */

/* The word as it is now; 0 where there is none. */
static uint32_t word_at(const struct check *c, uint64_t off)
{
	uint32_t copy;
	const uint32_t *word = promcb_source_view(c->pieces.source, off, sizeof(copy), &copy);

	/* [PIECE] acquire: a place before what it leads to. */
	return word ? promcb_load32_acquire(word) : 0;
}

static uint32_t part_word(const struct check *c, uint32_t chunk, uint32_t part)
{
	return word_at(c, promcb_chunk_off(c->pieces.catalog->geometry, chunk) + part * sizeof(uint32_t));
}

static void check_parts(struct check *c)
{
	const struct promcb_geometry *g = c->pieces.catalog->geometry;
	uint32_t lanes = g->lanes + PROMCB_SPECIAL_LANES;

	for (uint32_t chunk = 0; chunk < g->chunks && !promcb_source_is_late(c->pieces.source); chunk++) {
		uint32_t word = c->pieces.catalog->chunk_words[chunk];

		if (promcb_chunk_kind(word) != PROMCB_CHUNK_PARTS)
			continue;
		if (promcb_chunk_lane(word) >= lanes)
			promcb_find(c->findings, "chunk %u belongs to lane %u, which is none", chunk,
				    promcb_chunk_lane(word));
		if (promcb_chunk_carved(word) > 1)
			promcb_find(c->findings, "chunk %u has %u carved, and is one of parts", chunk,
				    promcb_chunk_carved(word));
		for (uint32_t part = 0; part < promcb_parts_per_chunk(g); part++) {
			uint32_t own = part_word(c, chunk, part);

			if (own == 0)
				continue;
			if (promcb_chunk_kind(own) != PROMCB_PART_KIND || promcb_chunk_lane(own) >= lanes)
				promcb_find(c->findings, "part %u of chunk %u has kind %u and lane %u, which are none",
					    part, chunk, promcb_chunk_kind(own), promcb_chunk_lane(own));
			if (promcb_chunk_carved(own) > PROMCB_PART_LINES)
				promcb_find(c->findings, "part %u of chunk %u has %u lines carved, more than it has",
					    part, chunk, promcb_chunk_carved(own));
		}
	}
	for (uint32_t stretch = 0; stretch < PROMCB_STRETCHES; stretch++) {
		uint32_t word = c->root.stretches[stretch];

		if (word && (promcb_chunk_kind(word) - 1 >= PROMCB_ROWS_TOGETHER_MAX ||
			     promcb_chunk_lane(word) >= lanes || promcb_chunk_carved(word) > PROMCB_STRETCH_CELLS))
			promcb_find(c->findings, "stretch %u has kind %u, lane %u and %u cells, which cannot be",
				    stretch, promcb_chunk_kind(word), promcb_chunk_lane(word),
				    promcb_chunk_carved(word));
	}
}

/* -- Pieces -------------------------------------------------------------------------------------------------------- */

/* Looks at a piece that something leads to. Returns it; NULL: it is none, which a snapshot tells. */
static const void *see(struct check *c, uint32_t place, uint32_t kind)
{
	const struct promcb_piece_wanted wanted = {.kind = kind, .lane = UINT32_MAX};
	uint32_t lines;
	const void *piece = promcb_pieces_view(&c->pieces, place, &wanted, c->buffer, &lines);

	/* Of more pieces than lines some share one, which is found. */
	if (!piece || c->seen_count > c->pieces.source->file_bytes / PROMCB_LINE_BYTES ||
	    !grow(&c->seen, c->seen_count, &c->seen_room, sizeof(*c->seen)))
		return NULL;
	c->seen[c->seen_count++] = (struct piece){place, promcb_piece_kind(promcb_load_relaxed(piece)), lines};
	return piece;
}

static int compare_pieces(const void *left, const void *right)
{
	uint32_t one = ((const struct piece *)left)->place, other = ((const struct piece *)right)->place;

	return (one > other) - (one < other);
}

/* By place, those of one part stand together, and the part's word was read after what leads to them. */
static void check_lines(struct check *c)
{
	const struct promcb_geometry *g = c->pieces.catalog->geometry;
	uint32_t part = UINT32_MAX, carved = 0, uncounted = 0;

	if (c->seen_count)
		qsort(c->seen, c->seen_count, sizeof(*c->seen), compare_pieces);
	for (size_t i = 0; i < c->seen_count && !promcb_source_is_late(c->pieces.source); i++) {
		const struct piece *piece = &c->seen[i];
		uint32_t its = (piece->place - 1) / PROMCB_PART_LINES;

		if (its != part) {
			part = its;
			uncounted = 0;
			carved = promcb_chunk_carved(
				part_word(c, promcb_place_chunk(g, piece->place), promcb_place_part(g, piece->place)));
		}
		if (i && piece->place < piece[-1].place + piece[-1].lines)
			promcb_find(c->findings, "the pieces at %u, of kind %u, and at %u, of kind %u, share a line",
				    piece[-1].place, piece[-1].kind, piece->place, piece->kind);
		if (promcb_place_line(piece->place) + piece->lines > carved && ++uncounted == 2)
			promcb_find(c->findings, "part %u has more than one piece that it does not count: that at %u",
				    part, piece->place);
	}
}

struct places {
	uint32_t *list;
	size_t count, room;
};

static void add_place(const struct check *c, struct places *places, uint32_t place)
{
	if (place && places->count <= c->pieces.source->file_bytes / PROMCB_LINE_BYTES &&
	    grow(&places->list, places->count, &places->room, sizeof(*places->list)))
		places->list[places->count++] = place;
}

/* Roots or branches, into what they lead to. A stage of their own: see pieces.h. */
static void see_branches(struct check *c, const struct places *branches, struct places *out)
{
	promcb_pieces_stage(&c->pieces);
	for (size_t i = 0; i < branches->count && !promcb_source_is_late(c->pieces.source); i++) {
		const struct promcb_branch *branch = see(c, branches->list[i], PROMCB_PIECE_BRANCH);

		for (uint32_t j = 0; branch && j < PROMCB_BRANCHES; j++)
			/* [PIECE] acquire: places before what they lead to. */
			add_place(c, out, promcb_load32_acquire(&branch->places[j]));
	}
}

static void see_copies(struct check *c)
{
	const struct promcb_geometry *g = c->pieces.catalog->geometry;
	struct places roots = {.count = 0}, branches = roots, rows = roots;

	add_place(c, &roots, c->root.shared);
	add_place(c, &roots, c->root.baselines[0]);
	add_place(c, &roots, c->root.baselines[1]);
	for (uint32_t lane = 0; lane < g->lanes && !promcb_source_is_late(c->pieces.source); lane++) {
		struct promcb_lane copy;
		const struct promcb_lane *entry = promcb_source_view(
			c->pieces.source, g->lanes_off + (uint64_t)lane * g->lane_bytes, sizeof(copy), &copy);

		/* [LANE] acquire: used before the rest. */
		if (!entry || !promcb_load_acquire(&entry->used))
			continue;
		/* [PIECE] acquire: the places before the roots. */
		add_place(c, &roots, promcb_load32_acquire(&entry->copy));
		add_place(c, &roots, promcb_load32_acquire(&entry->live)); /* [PIECE] */
	}
	see_branches(c, &roots, &branches);
	see_branches(c, &branches, &rows);
	promcb_pieces_stage(&c->pieces);
	for (size_t i = 0; i < rows.count && !promcb_source_is_late(c->pieces.source); i++) {
		const uint64_t *row = see(c, rows.list[i], PROMCB_PIECE_ROW);
		uint32_t number = row ? promcb_piece_number(promcb_load_relaxed(row)) : PROMCB_ROWS_MAX;

		if (number < PROMCB_ROWS_MAX && c->is_breaker[number])
			promcb_check_breaker_row(c->findings, row, rows.list[i]);
	}
	free(roots.list);
	free(branches.list);
	free(rows.list);
}

/* -- Records ------------------------------------------------------------------------------------------------------- */

/* Whether the slot is filled now, which may have been done after its page was copied. It is for good. */
static bool is_filled(const struct check *c, uint32_t page, uint32_t slot)
{
	const struct promcb_geometry *g = c->pieces.catalog->geometry;
	uint64_t off = promcb_place_off(g, c->root_place) + offsetof(struct promcb_metrics_root, tables);
	uint32_t place = word_at(c, off + page * sizeof(place));

	off = promcb_place_off(g, place) + slot * sizeof(uint64_t);
	/* Slot 0 is the page's head. A word's lower half is a place. */
	return place && (slot == 0 || word_at(c, off) != 0);
}

/* Whether a producer that looks for the hash comes to the slot: none before it is free, no page before it missing. */
static bool is_reached(const struct check *c, uint64_t hash, uint32_t page, uint32_t slot)
{
	for (uint32_t step = 0; step < PROMCB_TABLE_STEPS; step++) {
		uint32_t its = promcb_table_page(hash, step), at = promcb_table_slot(hash, step);

		if (its == page && at == slot)
			return true;
		if ((!c->pages[its] || (at && c->pages[its][at] == 0)) && !is_filled(c, its, at))
			return false;
	}
	return false;
}

static uint32_t copy_record(struct check *c, uint32_t place, bool is_new)
{
	const struct promcb_piece_wanted wanted = {.lane = UINT32_MAX};
	uint32_t lines = 0;
	const uint64_t *from =
		is_new ? see(c, place, 0) : promcb_pieces_view(&c->pieces, place, &wanted, c->buffer, &lines);

	if (!from)
		return 0;
	lines = promcb_piece_lines(promcb_load_relaxed(from));
	lines = lines > PROMCB_PART_LINES ? PROMCB_PART_LINES : lines;
	c->record.count = (size_t)lines * PROMCB_LINE_BYTES;
	for (size_t i = 0; i < c->record.count / sizeof(*from); i++)
		/* [LIFE] acquire: that a series is there before how many its family counts. */
		((uint64_t *)c->record.bytes)[i] = promcb_load_acquire(&from[i]);
	return promcb_piece_kind(*(const uint64_t *)c->record.bytes);
}

static int compare_owners(const void *left, const void *right)
{
	uint32_t one = ((const struct owner *)left)->place, other = ((const struct owner *)right)->place;

	return (one > other) - (one < other);
}

/* By place; NULL: there is none. */
static struct owner *find_family(const struct check *c, uint32_t place)
{
	const struct owner key = {place, 0};

	return c->family_count ? bsearch(&key, c->families, c->family_count, sizeof(key), compare_owners) : NULL;
}

static void check_hash(struct check *c, uint32_t page, uint32_t slot, const char *what, uint64_t hash)
{
	uint64_t word = c->pages[page][slot], has = c->record.family.hash;
	uint32_t place = promcb_slot_place(word);

	/* Both kinds of record have it in the same place. */
	if (has != hash)
		promcb_find(c->findings, "the %s at %u has the hash of another", what, place);
	else if (!promcb_slot_matches(word, hash))
		promcb_find(c->findings, "slot %u of page %u of the table leads to the %s at %u by another's hash",
			    slot, page, what, place);
	else if (!is_reached(c, hash, page, slot))
		promcb_find(c->findings, "the %s at %u is in slot %u of page %u, where nobody looks for it", what,
			    place, slot, page);
}

static void check_cells(struct check *c, uint32_t place, uint32_t width)
{
	uint32_t cell = c->record.series.cell, stretch = cell / PROMCB_STRETCH_CELLS;
	uint32_t end = cell % PROMCB_STRETCH_CELLS + width;

	if (cell >= CELLS_MAX || width > PROMCB_WIDTH_MAX)
		return;
	if (c->root.stretches[stretch] == 0)
		promcb_find(c->findings, "the series at %u has cells of stretch %u, which is nobody's", place, stretch);
	else if (promcb_chunk_kind(c->root.stretches[stretch]) != promcb_rows_together(width))
		promcb_find(c->findings, "the series at %u has cells of stretch %u, which has rows of another kind",
			    place, stretch);
	else if (end > promcb_chunk_carved(c->root.stretches[stretch]) && c->late[stretch]++ == 1)
		promcb_find(c->findings, "stretch %u has more than one series that it does not count: that at %u",
			    stretch, place);
}

/* Families first: series are judged by theirs. */
static int check_records(struct check *c, uint32_t kind)
{
	const uint64_t *identity = c->pieces.source->header.identity;

	for (uint32_t page = 0; page < PROMCB_TABLE_PAGES; page++) {
		for (uint32_t slot = 1; c->pages[page] && slot < PROMCB_TABLE_WORDS; slot++) {
			uint32_t place = promcb_slot_place(c->pages[page][slot]);
			uint64_t hash;

			if (!place || copy_record(c, place, kind == PROMCB_PIECE_FAMILY) != kind)
				continue;
			if (promcb_source_is_late(c->pieces.source))
				return 0;
			if (kind == PROMCB_PIECE_FAMILY && c->record.count >= sizeof(c->record.family)) {
				if (!grow(&c->families, c->family_count, &c->family_room, sizeof(*c->families)))
					return -ENOMEM;
				c->families[c->family_count++] = (struct owner){place, 0};
				if (promcb_record_family_hash(&c->record, identity, &hash))
					check_hash(c, page, slot, "family", hash);
			} else if (kind == PROMCB_PIECE_SERIES) {
				struct owner *family = find_family(c, c->record.series.family);
				struct promcb_record_copy series = c->record;
				uint32_t values = 0, width = 0;
				bool is_breaker = false;

				if (family && copy_record(c, family->place, false) == PROMCB_PIECE_FAMILY) {
					values = c->record.family.labels;
					values -= values && (c->record.family.flags & PROMCB_FAMILY_ENUMERATED);
					width = c->record.family.width;
					is_breaker = c->record.family.type == PROMCB_FAMILY_BREAKERS;
				}
				c->record = series;
				if (!family || c->record.count < sizeof(c->record.series))
					continue;
				family->series += (c->record.series.life & PROMCB_LIFE_PLACED) != 0;
				if (promcb_record_series_hash(&c->record, identity, values, &hash))
					check_hash(c, page, slot, "series", hash);
				check_cells(c, place, width);
				if (promcb_cell_row(c->record.series.cell) < PROMCB_ROWS_MAX)
					c->is_breaker[promcb_cell_row(c->record.series.cell)] |= is_breaker;
			}
		}
	}
	return 0;
}

/*
 * Was no series removed since then? One that was has been found, and is not counted any more. Where a remover died in
 * the middle, nobody knows before the next removal.
 */
static bool is_quiet(struct check *c, uint64_t removals)
{
	/* [LIFE] what was seen before whether it still stands. */
	promcb_load_fence();
	return removals % 2 == 0 && promcb_records_removals(&c->pieces) == removals;
}

/* removals: of before the series were read. */
static void check_caps(struct check *c, uint64_t removals)
{
	promcb_pieces_stage(&c->pieces);
	for (size_t i = 0; i < c->family_count; i++) {
		uint32_t place = c->families[i].place, found = c->families[i].series;

		if (copy_record(c, place, false) != PROMCB_PIECE_FAMILY)
			continue;
		if (c->record.family.series < found && is_quiet(c, removals))
			promcb_find(c->findings, "the family at %u has %u series, and counts %llu", place, found,
				    (unsigned long long)c->record.family.series);
		if (found > c->record.family.series_max && is_quiet(c, removals))
			promcb_find(c->findings, "the family at %u has %u series, and its cap is %u", place, found,
				    c->record.family.series_max);
	}
}

/* -- All of it ----------------------------------------------------------------------------------------------------- */

/* Returns 1; 0 if there are no families; or -ENOMEM. */
static int read_tables(struct check *c)
{
	uint64_t copy;
	const uint64_t *word =
		promcb_source_view(c->pieces.source, offsetof(struct promcb_header, metrics), sizeof(copy), &copy);
	/* [PIECE] acquire: the place before the root. */
	uint64_t place = word ? promcb_load_acquire(word) : 0;
	const uint32_t *root = place && place <= UINT32_MAX ? see(c, (uint32_t)place, PROMCB_PIECE_ROOT) : NULL;

	if (!root || c->seen[0].lines != PROMCB_PART_LINES)
		return 0;
	c->root_place = (uint32_t)place;
	for (size_t i = 0; i < sizeof(c->root) / sizeof(*root); i++)
		/* [PIECE] acquire: places before what they lead to. */
		((uint32_t *)&c->root)[i] = promcb_load32_acquire(&root[i]);
	PROMCB_INJECT("check: root read");
	promcb_pieces_stage(&c->pieces);
	for (uint32_t page = 0; page < PROMCB_TABLE_PAGES; page++) {
		const uint64_t *words = c->root.tables[page] ? see(c, c->root.tables[page], PROMCB_PIECE_TABLE) : NULL;

		if (!words || c->seen[c->seen_count - 1].lines != PROMCB_PART_LINES)
			continue;
		c->pages[page] = malloc(PROMCB_PART_BYTES);
		if (!c->pages[page])
			return -ENOMEM;
		for (uint32_t slot = 0; slot < PROMCB_TABLE_WORDS; slot++)
			/* [PIECE] acquire: words before what they lead to. */
			c->pages[page][slot] = promcb_load_acquire(&words[slot]);
		PROMCB_INJECT("check: page read");
	}
	return 1;
}

/* Cells are counted after the word was put that leads to their series: so after the tables were read. */
static void read_stretches(struct check *c)
{
	const struct promcb_piece_wanted wanted = {
		.kind = PROMCB_PIECE_ROOT, .lines = PROMCB_PART_LINES, .lane = UINT32_MAX};
	const struct promcb_metrics_root *root =
		promcb_pieces_view(&c->pieces, c->root_place, &wanted, c->buffer, NULL);

	for (uint32_t i = 0; root && i < PROMCB_STRETCHES; i++)
		c->root.stretches[i] = promcb_load32_relaxed(&root->stretches[i]);
}

int promcb_check_metrics(struct promcb_findings *findings, struct promcb_catalog *catalog, struct promcb_source *source)
{
	size_t bytes = (sizeof(struct check) + PROMCB_LINE_BYTES - 1) / PROMCB_LINE_BYTES * PROMCB_LINE_BYTES;
	struct check *c = aligned_alloc(PROMCB_LINE_BYTES, bytes);
	uint64_t removals;
	int result;

	if (!c)
		return -ENOMEM;
	memset(c, 0, bytes);
	c->findings = findings;
	result = promcb_pieces_start(&c->pieces, catalog, source, NULL);
	if (result == 0)
		result = read_tables(c);
	promcb_pieces_stage(&c->pieces);
	if (result == 1)
		read_stretches(c);
	if (result >= 0)
		check_parts(c);
	if (result == 1)
		result = check_records(c, PROMCB_PIECE_FAMILY);
	if (c->family_count)
		qsort(c->families, c->family_count, sizeof(*c->families), compare_owners);
	removals = promcb_records_removals(&c->pieces);
	promcb_pieces_stage(&c->pieces);
	if (result == 0 && c->family_count)
		result = check_records(c, PROMCB_PIECE_SERIES);
	if (result == 0) {
		check_caps(c, removals);
		see_copies(c);
		check_lines(c);
	}
	for (uint32_t page = 0; page < PROMCB_TABLE_PAGES; page++)
		free(c->pages[page]);
	free(c->seen);
	free(c->families);
	promcb_pieces_free(&c->pieces);
	free(c);
	return result < 0 ? result : 0;
}

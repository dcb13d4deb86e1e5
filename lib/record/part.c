/* SPDX-License-Identifier: MIT */
#include "record/part.h"

#include <promcb/inject.h>

#include <errno.h>

/* A part with fewer lines left is not looked at again: a record takes two, mostly. */
enum { LINES_WORTH_A_LOOK = 2 };

static uint32_t *word_of(const struct promcb_segment *segment, uint32_t part)
{
	uint32_t each = promcb_parts_per_chunk(&segment->geometry);

	return promcb_segment_part_word(segment, part / each, part % each);
}

static bool is_of(uint32_t word, uint32_t lane)
{
	return promcb_chunk_is_of(word, lane) && promcb_chunk_kind(word) == PROMCB_PART_KIND;
}

/* The next line to carve in a part of the lane's, counted in the part. PROMCB_PART_LINES: none. */
static uint32_t next_line(const struct promcb_segment *segment, uint32_t part, uint32_t lane)
{
	uint32_t word = promcb_load32_relaxed(word_of(segment, part)), carved = promcb_chunk_carved(word);
	uint32_t first = promcb_part_first_line(&segment->geometry, part % promcb_parts_per_chunk(&segment->geometry));

	if (!is_of(word, lane) || carved > PROMCB_PART_LINES)
		return PROMCB_PART_LINES;
	return carved < first ? first : carved;
}

static void count_lines(const struct promcb_segment *segment, uint32_t part, uint32_t lane, uint32_t lines)
{
	/* [PIECE] release: the piece was published before it is counted, so there is at most one to look for. */
	promcb_store32_release(word_of(segment, part), promcb_chunk_word(PROMCB_PART_KIND, lines, lane));
}

/* -- What a dead owner left ---------------------------------------------------------------------------------------- */

/* Whether the table has a word that leads to the record. */
static bool is_in_table(struct promcb_segment *segment, struct promcb_metrics_root *root, uint64_t hash, uint32_t place)
{
	uint32_t page;

	for (uint32_t step = 0; step < PROMCB_TABLE_STEPS; step++) {
		const uint64_t *slot = promcb_segment_slot(segment, root, hash, step, &page);
		uint64_t word = slot ? promcb_load_relaxed(slot) : 0;

		if (slot ? word == 0 : page != UINT32_MAX)
			return false;
		if (word && promcb_slot_place(word) == place)
			return true;
	}
	return false;
}

/* Where the place of a copy's root stands. NULL: there is no such copy. */
static const uint32_t *copy_word(const struct promcb_segment *segment, const struct promcb_metrics_root *root,
				 uint32_t copy)
{
	uint32_t lane = copy & ~(uint32_t)PROMCB_COPY_LIVE;

	if (copy == PROMCB_COPY_SHARED)
		return &root->shared;
	if (copy == PROMCB_COPY_BASELINE || copy == PROMCB_COPY_BASELINE + 1)
		return &root->baselines[copy - PROMCB_COPY_BASELINE];
	if (lane >= segment->geometry.lanes + PROMCB_SPECIAL_LANES)
		return NULL;
	return copy == lane ? &promcb_segment_lane(segment, lane)->copy : &promcb_segment_lane(segment, lane)->live;
}

/* Whether the row, or the branch, is where its head says it is. */
static bool is_in_copy(struct promcb_segment *segment, const struct promcb_metrics_root *root, uint64_t head,
		       uint32_t place)
{
	uint32_t number = promcb_piece_number(head);
	const uint32_t *word = copy_word(segment, root, promcb_piece_copy(head));
	bool is_row = promcb_piece_kind(head) == PROMCB_PIECE_ROW;
	const struct promcb_branch *branch;

	if (!word)
		return false;
	if (!is_row && number == PROMCB_BRANCH_IS_ROOT)
		return promcb_load32_relaxed(word) == place;
	if (number >= (is_row ? PROMCB_ROWS_MAX : PROMCB_BRANCHES))
		return false;
	/* [PIECE] acquire: as whoever goes this way. */
	branch = promcb_segment_piece(segment, promcb_load32_acquire(word), PROMCB_PIECE_BRANCH, PROMCB_ROW_LINES);
	if (!branch)
		return false;
	word = &branch->places[is_row ? number / PROMCB_BRANCHES : number];
	if (!is_row)
		return promcb_load32_relaxed(word) == place;
	branch = promcb_segment_piece(segment, promcb_load32_acquire(word), PROMCB_PIECE_BRANCH, PROMCB_ROW_LINES);
	return branch && promcb_load32_relaxed(&branch->places[number % PROMCB_BRANCHES]) == place;
}

static bool is_published(struct promcb_segment *segment, uint32_t place, uint64_t head)
{
	struct promcb_metrics_root *root = promcb_segment_root(segment);
	const struct promcb_family_record *record;

	if (promcb_piece_kind(head) == PROMCB_PIECE_ROOT)
		return promcb_load_relaxed(&promcb_segment_header(segment)->metrics) == place;
	if (!root)
		return false;
	switch (promcb_piece_kind(head)) {
	case PROMCB_PIECE_TABLE:
		for (uint32_t page = 0; page < PROMCB_TABLE_PAGES; page++)
			if (promcb_load32_relaxed(&root->tables[page]) == place)
				return true;
		return false;
	case PROMCB_PIECE_FAMILY:
	case PROMCB_PIECE_SERIES:
		/* Both begin alike. */
		record = promcb_segment_piece(segment, place, promcb_piece_kind(head), 0);
		return record && is_in_table(segment, root, promcb_load_relaxed(&record->hash), place);
	case PROMCB_PIECE_BRANCH:
	case PROMCB_PIECE_ROW:
		return is_in_copy(segment, root, head, place);
	default:
		return false;
	}
}

void promcb_part_count_cells(struct promcb_lane_lease *lease, struct promcb_metrics_root *root, uint32_t end)
{
	uint32_t stretch = (end - 1) / PROMCB_STRETCH_CELLS, cells = (end - 1) % PROMCB_STRETCH_CELLS + 1, word;

	if (end == 0 || stretch >= PROMCB_STRETCHES)
		return;
	word = promcb_load32_relaxed(&root->stretches[stretch]);
	/* Relaxed: whoever counts on it holds the lane's lock. */
	if (promcb_chunk_is_of(word, lease->lane - 1) && promcb_chunk_carved(word) < cells)
		promcb_store32_relaxed(&root->stretches[stretch],
				       promcb_chunk_word(promcb_chunk_kind(word), cells, lease->lane - 1));
}

/* A series is led to, and its cells may not be counted. */
static void count_cells_of(struct promcb_lane_lease *lease, uint32_t place)
{
	struct promcb_metrics_root *root = promcb_segment_root(lease->segment);
	const struct promcb_series_record *series = promcb_segment_piece(lease->segment, place, PROMCB_PIECE_SERIES, 0);
	const struct promcb_family_record *family =
		series ? promcb_segment_piece(lease->segment, promcb_load32_relaxed(&series->family),
					      PROMCB_PIECE_FAMILY, 0)
		       : NULL;
	uint32_t width = family ? promcb_load32_relaxed(&family->width) : 0;

	if (root && width && width <= PROMCB_WIDTH_MAX)
		promcb_part_count_cells(lease, root, promcb_cells_end(promcb_load32_relaxed(&series->cell), width));
}

/* A series that is not led to gives back its place below the cap. */
static void give_back(struct promcb_segment *segment, uint32_t place)
{
	struct promcb_series_record *series = promcb_segment_piece(segment, place, PROMCB_PIECE_SERIES, 0);
	struct promcb_family_record *family =
		series ? promcb_segment_piece(segment, promcb_load32_relaxed(&series->family), PROMCB_PIECE_FAMILY, 0)
		       : NULL;

	if (!series || !(promcb_load_relaxed(&series->life) & PROMCB_LIFE_PLACED))
		return;
	promcb_store_relaxed(&series->life, 0);
	PROMCB_INJECT("part: place untold");
	/* [PIECE] release: untold before it is given back; who dies in between has not given it back twice. */
	promcb_store_fence();
	if (family)
		promcb_add_relaxed(&family->series, UINT64_MAX);
}

/* Counts the piece behind what is counted, if something leads to it. */
static void settle_one(struct promcb_lane_lease *lease, uint32_t part)
{
	struct promcb_segment *segment = lease->segment;
	uint32_t line = next_line(segment, part, lease->lane - 1), place = part * PROMCB_PART_LINES + line + 1;
	uint64_t head;

	if (line >= PROMCB_PART_LINES)
		return;
	head = promcb_load_relaxed((uint64_t *)(void *)(segment->base + promcb_place_off(&segment->geometry, place)));
	if (promcb_piece_lines(head) == 0 || line + promcb_piece_lines(head) > PROMCB_PART_LINES)
		return;
	if (!is_published(segment, place, head)) {
		if (promcb_piece_kind(head) == PROMCB_PIECE_SERIES)
			give_back(segment, place);
		return;
	}
	if (promcb_piece_kind(head) == PROMCB_PIECE_SERIES)
		count_cells_of(lease, place);
	PROMCB_INJECT("part: settling");
	count_lines(segment, part, lease->lane - 1, line + promcb_piece_lines(head));
}

bool promcb_part_settle(struct promcb_lane_lease *lease)
{
	struct promcb_segment *segment = lease->segment;
	const struct promcb_geometry *g = &segment->geometry;
	uint32_t each = promcb_parts_per_chunk(g);

	for (uint32_t chunk = 0; !lease->settled && chunk < promcb_segment_chunks(segment); chunk++) {
		bool reserved = false;

		if (!promcb_segment_has_parts(segment, chunk))
			continue;
		for (uint32_t part = 0; part < each; part++) {
			if (!is_of(promcb_load32_relaxed(promcb_segment_part_word(segment, chunk, part)),
				   lease->lane - 1))
				continue;
			/* A sparse copy of a segment has holes where zeros were. */
			if (!reserved &&
			    promcb_segment_reserve(segment, promcb_chunk_off(g, chunk), g->chunk_bytes) < 0)
				return false;
			reserved = true;
			settle_one(lease, chunk * each + part);
		}
	}
	lease->settled = true;
	return true;
}

/* -- Room ---------------------------------------------------------------------------------------------------------- */

/* Takes a free part of the chunk, which is one of parts, that has so many lines. Returns it + 1, or 0. */
static uint32_t take_part_of(struct promcb_lane_lease *lease, uint32_t chunk, uint32_t lines, bool *is_full)
{
	struct promcb_segment *segment = lease->segment;
	const struct promcb_geometry *g = &segment->geometry;
	uint32_t each = promcb_parts_per_chunk(g), mine = promcb_chunk_word(PROMCB_PART_KIND, 0, lease->lane - 1);
	bool has_memory = promcb_segment_has_parts(segment, chunk);
	uint32_t *word;

	*is_full = false;
	/* Who took it may have died before it got memory, or found none. */
	if (!has_memory &&
	    (!promcb_segment_may_grow(segment, g->chunk_bytes) || promcb_segment_fill_chunk(segment, chunk) < 0))
		return 0;
	*is_full = true;
	for (uint32_t part = 0; part < each; part++) {
		word = promcb_segment_part_word(segment, chunk, part);
		if (promcb_part_first_line(g, part) >= PROMCB_PART_LINES || promcb_load32_relaxed(word))
			continue;
		*is_full = false;
		if (promcb_part_first_line(g, part) + lines > PROMCB_PART_LINES)
			continue;
		if (has_memory && promcb_segment_reserve(segment, promcb_chunk_off(g, chunk) + part * PROMCB_PART_BYTES,
							 PROMCB_PART_BYTES) < 0)
			return 0;
		/* [PIECE] the part is ours before anything in it is published. */
		if (!promcb_cas32_acq_rel(word, 0, mine))
			continue;
		PROMCB_INJECT("part: taken");
		word = promcb_segment_chunk_word(segment, chunk);
		uint32_t before = promcb_load32_relaxed(word);

		/* [CHUNK] its memory before it is said to have any. */
		if (promcb_chunk_kind(before) == PROMCB_CHUNK_PARTS && promcb_chunk_carved(before) == 0)
			promcb_cas32_acq_rel(word, before,
					     promcb_chunk_word(PROMCB_CHUNK_PARTS, 1, promcb_chunk_lane(before)));
		PROMCB_INJECT("part: chunk counted");
		return chunk * each + part + 1;
	}
	return 0;
}

static uint32_t take_part(struct promcb_lane_lease *lease, uint32_t lines)
{
	struct promcb_segment *segment = lease->segment;
	bool only_full = true, is_full;
	uint32_t chunk, part;

	for (chunk = segment->parts_from; chunk < promcb_segment_chunks(segment); chunk++) {
		uint32_t word = promcb_load32_relaxed(promcb_segment_chunk_word(segment, chunk));

		is_full = word != 0;
		if (promcb_chunk_kind(word) == PROMCB_CHUNK_PARTS) {
			part = take_part_of(lease, chunk, lines, &is_full);
			if (part)
				return part;
		}
		only_full = only_full && is_full;
		if (only_full)
			segment->parts_from = chunk + 1;
	}
	/* Others may take all parts of a fresh chunk before who took it comes to that: he was stopped. */
	part = 0;
	for (uint32_t round = 0; !part && round < segment->geometry.chunks; round++) {
		if (promcb_segment_take_chunk(segment, PROMCB_CHUNK_PARTS, lease->lane - 1, &chunk) < 0)
			return 0;
		part = take_part_of(lease, chunk, lines, &is_full);
		if (!part && !is_full)
			return 0;
	}
	return part;
}

/* Room for lines, in a part of the lane's or in a new one. Returns its place, or 0. */
static uint32_t find_room(struct promcb_lane_lease *lease, uint32_t lines)
{
	struct promcb_segment *segment = lease->segment;
	uint32_t each = promcb_parts_per_chunk(&segment->geometry), lane = lease->lane - 1, line;
	bool only_full = true;

	if (lease->part) {
		line = next_line(segment, lease->part - 1, lane);
		if (line + lines <= PROMCB_PART_LINES)
			return (lease->part - 1) * PROMCB_PART_LINES + line + 1;
	}
	for (uint32_t part = lease->parts_full_below; part / each < promcb_segment_chunks(segment); part++) {
		if (!promcb_segment_has_parts(segment, part / each)) {
			part += each - 1 - part % each;
			continue;
		}
		line = next_line(segment, part, lane);
		only_full = only_full && line + LINES_WORTH_A_LOOK > PROMCB_PART_LINES;
		if (only_full)
			lease->parts_full_below = part + 1;
		if (line + lines > PROMCB_PART_LINES)
			continue;
		lease->part = part + 1;
		return part * PROMCB_PART_LINES + line + 1;
	}
	lease->part = take_part(lease, lines);
	if (!lease->part)
		return 0;
	if (lease->part <= lease->parts_full_below)
		lease->parts_full_below = lease->part - 1;
	line = next_line(segment, lease->part - 1, lane);
	return line + lines <= PROMCB_PART_LINES ? (lease->part - 1) * PROMCB_PART_LINES + line + 1 : 0;
}

uint32_t promcb_part_carve(struct promcb_lane_lease *lease, uint32_t kind, uint32_t lines, uint32_t copy,
			   uint32_t number)
{
	uint32_t place;
	uint8_t *piece;

	if (!lease->lane || lines == 0 || lines > PROMCB_PART_LINES || !promcb_part_settle(lease))
		return 0;
	place = find_room(lease, lines);
	if (!place)
		return 0;
	piece = lease->segment->base + promcb_place_off(&lease->segment->geometry, place);
	/*
	 * A dead owner may have begun here, with something longer: behind this piece stands none. Nobody else knows of
	 * the lines before they are published.
	 */
	if (promcb_place_line(place) + lines < PROMCB_PART_LINES)
		memset(piece + lines * PROMCB_LINE_BYTES, 0, sizeof(uint64_t));
	memset(piece, 0, (size_t)lines * PROMCB_LINE_BYTES);
	PROMCB_INJECT("part: zeroed");
	promcb_store_relaxed((uint64_t *)(void *)piece, promcb_piece_head(kind, lines, copy, number));
	PROMCB_INJECT("part: carved");
	return place;
}

void promcb_part_commit(struct promcb_lane_lease *lease, uint32_t place)
{
	const struct promcb_segment *segment = lease->segment;
	uint32_t part = (place - 1) / PROMCB_PART_LINES, line = promcb_place_line(place);
	uint64_t head =
		promcb_load_relaxed((uint64_t *)(void *)(segment->base + promcb_place_off(&segment->geometry, place)));

	PROMCB_INJECT("part: published");
	/* Anything else is a stranger's doing. */
	if (line == next_line(segment, part, lease->lane - 1) && line + promcb_piece_lines(head) <= PROMCB_PART_LINES)
		count_lines(segment, part, lease->lane - 1, line + promcb_piece_lines(head));
	PROMCB_INJECT("part: counted");
}

void promcb_part_give_up(struct promcb_lane_lease *lease, uint32_t place)
{
	give_back(lease->segment, place);
}

int promcb_part_enter(struct promcb_segment *segment, struct promcb_lane_lease **lease,
		      struct promcb_lane_lease *registrar)
{
	int result = 0;

	*registrar = (struct promcb_lane_lease){.segment = NULL};
	if (!*lease || !(*lease)->lane) {
		result = promcb_lane_acquire_special(segment, 0, registrar);
		*lease = registrar;
	}
	return result == -ENOLCK ? -EBUSY : result;
}

void promcb_part_leave(struct promcb_lane_lease *registrar)
{
	if (registrar->lane)
		promcb_lane_give(registrar);
}

struct promcb_metrics_root *promcb_metrics_root(struct promcb_segment *segment, struct promcb_lane_lease *lease)
{
	struct promcb_header *header = promcb_segment_header(segment);
	uint32_t place;

	/* Whatever else stands there is no root, and stays. */
	if (promcb_load_relaxed(&header->metrics) != 0 || !lease || !lease->lane)
		return promcb_segment_root(segment);
	place = promcb_part_carve(lease, PROMCB_PIECE_ROOT, PROMCB_PART_LINES, 0, 0);
	if (!place)
		return NULL;
	/* A segment of an older minor version is one of this from now on. */
	if (promcb_load32_relaxed(&header->format_minor) < PROMCB_FORMAT_MINOR)
		promcb_store32_relaxed(&header->format_minor, PROMCB_FORMAT_MINOR);
	/* [PIECE] release: the root before its place. */
	if (promcb_cas_acq_rel(&header->metrics, 0, place))
		promcb_part_commit(lease, place);
	return promcb_segment_root(segment);
}

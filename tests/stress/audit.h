/* SPDX-License-Identifier: MIT */
/*
 * audit.h: the arithmetic of a segment's parts, by its words alone (format/metrics.h).
 *
 *   - No key is in the table twice, every slot's hash is that of what it leads to, and each is found by its way.
 *   - No cell has two series; all of them lie in a stretch that somebody has, and are counted there.
 *   - Every piece that is counted is one that something leads to (nothing leaked), and every piece that is led to is
 *     counted; but one of a part that was not settled since its owner died, and that one's cells.
 *   - A family's count of series is that of its series that have a place below the cap, and lost places.
 */
#ifndef PROMCB_AUDIT_H
#define PROMCB_AUDIT_H

#include "stress.h"

#include "base/hash.h"
#include "record/open.h"
#include "record/part.h"
#include "segment/piece.h"

struct audit {
	struct promcb_segment *segment;
	struct promcb_metrics_root *root;
	bool settled;                           /* every lane that has parts was taken since anybody died */
	uint8_t *led_to;                        /* by place */
	uint32_t *owner;                        /* by cell: place of the series */
	uint32_t pieces, families, series, uncounted, rows;
	uint64_t lost_places;
};

static inline void *audit_piece(struct audit *audit, uint32_t place, uint32_t kind)
{
	void *piece = promcb_segment_piece(audit->segment, place, kind, 0);

	CHECK(piece, "place %u leads to no piece of kind %u", place, kind);
	CHECK(!audit->led_to[place], "two ways lead to place %u", place);
	audit->led_to[place] = 1;
	audit->pieces++;
	return piece;
}

/* The bytes behind a series' record, but for zeros at the end of its lines. */
static inline size_t audit_values(const struct promcb_series_record *series, const struct promcb_family_record *family)
{
	const uint8_t *bytes = (const uint8_t *)(series + 1);
	uint32_t count = family->labels - (family->flags & PROMCB_FAMILY_ENUMERATED ? 1 : 0);
	size_t at = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint16_t length;

		memcpy(&length, bytes + at, sizeof(length));
		at += sizeof(length) + length;
	}
	CHECK(sizeof(*series) + at <= promcb_piece_lines(series->head) * (size_t)PROMCB_LINE_BYTES, "values overrun");
	return at;
}

static inline uint64_t audit_series_hash(const struct audit *audit, const struct promcb_series_record *series,
					 size_t bytes)
{
	const uint64_t *identity = audit->segment->identity;
	const uint8_t *values = (const uint8_t *)(series + 1);
	uint8_t begin[5] = {'S'};

	memcpy(begin + 1, &series->family, 4);
	uint64_t hash = promcb_hash(identity, begin, sizeof(begin));

	for (size_t at = 0; at < bytes;) {
		const uint64_t key[2] = {identity[0] ^ hash, identity[1]};
		uint16_t length;

		memcpy(&length, values + at, sizeof(length));
		hash = promcb_hash(key, values + at + sizeof(length), length);
		at += sizeof(length) + length;
	}
	return hash;
}

static inline void audit_series(struct audit *audit, uint32_t place)
{
	const struct promcb_series_record *series = audit_piece(audit, place, PROMCB_PIECE_SERIES);
	const struct promcb_family_record *family =
		promcb_segment_piece(audit->segment, series->family, PROMCB_PIECE_FAMILY, 0);

	CHECK(family, "series %u has no family", place);
	CHECK(series->hash == audit_series_hash(audit, series, audit_values(series, family)), "another hash");
	CHECK(promcb_cells_from(series->cell, family->width) == series->cell, "cells begin at %u", series->cell);
	uint32_t end = promcb_cells_end(series->cell, family->width), stretch = series->cell / PROMCB_STRETCH_CELLS;
	uint32_t word = audit->root->stretches[stretch];

	CHECK(promcb_chunk_kind(word) == promcb_rows_together(family->width), "a stretch of other rows");
	CHECK(word && (end - 1) / PROMCB_STRETCH_CELLS == stretch, "series %u has cells %u to %u", place, series->cell,
	      end);
	if (promcb_chunk_carved(word) < end - stretch * PROMCB_STRETCH_CELLS) {
		CHECK(!audit->settled, "cells of series %u are not counted", place);
		audit->uncounted++;
	}
	for (uint32_t cell = series->cell; cell < end; cell++) {
		CHECK(!audit->owner[cell], "cell %u is of series %u and %u", cell, audit->owner[cell], place);
		audit->owner[cell] = place;
	}
	audit->series++;
}

static inline bool audit_same_key(const struct audit *audit, uint32_t a, uint32_t b)
{
	const struct promcb_series_record *x = promcb_segment_piece(audit->segment, a, PROMCB_PIECE_SERIES, 0);
	const struct promcb_series_record *y = promcb_segment_piece(audit->segment, b, PROMCB_PIECE_SERIES, 0);

	if (!x || !y || x->family != y->family || x->hash != y->hash)
		return false;
	const struct promcb_family_record *family =
		promcb_segment_piece(audit->segment, x->family, PROMCB_PIECE_FAMILY, 0);
	size_t bytes = audit_values(x, family);

	return bytes == audit_values(y, family) && memcmp(x + 1, y + 1, bytes) == 0;
}

/* The slots of one page. What has a slot is found by its way: all before it on the way are taken. */
static inline void audit_page(struct audit *audit, const uint64_t *page)
{
	for (uint32_t slot = 1; slot < PROMCB_TABLE_WORDS; slot++) {
		uint32_t place = promcb_slot_place(page[slot]), other, missing, met = 0;
		const uint64_t *piece;

		if (!page[slot])
			continue;
		if (promcb_segment_piece(audit->segment, place, PROMCB_PIECE_FAMILY, 0)) {
			audit_piece(audit, place, PROMCB_PIECE_FAMILY);
			audit->families++;
		} else {
			audit_series(audit, place);
		}
		piece = promcb_segment_piece(audit->segment, place, PROMCB_PIECE_SERIES, 0);
		piece = piece ? piece : promcb_segment_piece(audit->segment, place, PROMCB_PIECE_FAMILY, 0);
		CHECK(promcb_slot_matches(page[slot], piece[1]), "slot of another hash");
		for (uint32_t step = 0; step < PROMCB_TABLE_STEPS && !met; step++) {
			const uint64_t *at = promcb_segment_slot(audit->segment, audit->root, piece[1], step, &missing);

			if (!at && missing == UINT32_MAX)
				continue;
			CHECK(at && *at, "place %u is not found", place);
			other = promcb_slot_place(*at);
			met = other == place;
			CHECK(met || !audit_same_key(audit, place, other), "a key is at %u and %u", place, other);
		}
		CHECK(met, "place %u is not on its way", place);
	}
}

static inline void audit_copy(struct audit *audit, uint32_t place, uint32_t copy)
{
	const struct promcb_branch *root, *branch;

	if (!place)
		return;
	root = audit_piece(audit, place, PROMCB_PIECE_BRANCH);
	CHECK(root->head == promcb_piece_head(PROMCB_PIECE_BRANCH, PROMCB_ROW_LINES, copy, PROMCB_BRANCH_IS_ROOT),
	      "root of copy %#x has head %#llx", copy, (unsigned long long)root->head);
	for (uint32_t i = 0; i < PROMCB_BRANCHES; i++) {
		if (!root->places[i])
			continue;
		branch = audit_piece(audit, root->places[i], PROMCB_PIECE_BRANCH);
		CHECK(branch->head == promcb_piece_head(PROMCB_PIECE_BRANCH, PROMCB_ROW_LINES, copy, i),
		      "branch %u of copy %#x has head %#llx", i, copy, (unsigned long long)branch->head);
		for (uint32_t k = 0; k < PROMCB_BRANCHES; k++) {
			if (!branch->places[k])
				continue;
			const uint64_t *row = audit_piece(audit, branch->places[k], PROMCB_PIECE_ROW);

			CHECK(promcb_piece_copy(*row) == copy && promcb_piece_number(*row) == i * PROMCB_BRANCHES + k,
			      "row %u of copy %#x has head %#llx", i * PROMCB_BRANCHES + k, copy,
			      (unsigned long long)*row);
			audit->rows++;
		}
	}
}

/* All pieces of a part, one after another. */
static inline void audit_part(struct audit *audit, uint32_t chunk, uint32_t part)
{
	const struct promcb_geometry *g = &audit->segment->geometry;
	uint32_t word = *promcb_segment_part_word(audit->segment, chunk, part), line = promcb_part_first_line(g, part);

	while (word && line < promcb_chunk_carved(word)) {
		uint32_t place = promcb_place_of(g, chunk, part, line);
		uint64_t head = *(const uint64_t *)(const void *)(audit->segment->base + promcb_place_off(g, place));

		CHECK(promcb_piece_lines(head) && audit->led_to[place],
		      "place %u of lane %u (head %#llx) is counted, and nothing leads to it", place,
		      promcb_chunk_lane(word), (unsigned long long)head);
		audit->led_to[place] = 2;
		line += promcb_piece_lines(head);
	}
	if (!word || line >= PROMCB_PART_LINES)
		return;
	CHECK(line == promcb_chunk_carved(word) || promcb_chunk_carved(word) == 0, "a piece is counted in part");
	uint32_t behind = promcb_place_of(g, chunk, part, line);

	if (audit->led_to[behind] == 1) {
		CHECK(!audit->settled, "place %u is led to, and not counted", behind);
		audit->led_to[behind] = 2;
		audit->uncounted++;
	}
}

static inline void audit_families(struct audit *audit)
{
	const struct promcb_geometry *g = &audit->segment->geometry;
	uint32_t places = g->chunks * (g->chunk_bytes / PROMCB_LINE_BYTES);
	uint32_t *counted = calloc(places + 1, sizeof(*counted));

	for (uint32_t place = 1; counted && place <= places; place++) {
		const struct promcb_series_record *series =
			audit->led_to[place] ? promcb_segment_piece(audit->segment, place, PROMCB_PIECE_SERIES, 0)
					     : NULL;

		if (series && series->life & PROMCB_LIFE_PLACED)
			counted[series->family]++;
	}
	for (uint32_t place = 1; counted && place <= places; place++) {
		const struct promcb_family_record *family =
			audit->led_to[place] ? promcb_segment_piece(audit->segment, place, PROMCB_PIECE_FAMILY, 0)
					     : NULL;

		if (!family)
			continue;
		CHECK(counted[place] <= family->series_max, "%u series, and a cap of %u", counted[place],
		      family->series_max);
		CHECK(family->series >= counted[place], "%u series, and %llu places are taken", counted[place],
		      (unsigned long long)family->series);
		audit->lost_places += family->series - counted[place];
		CHECK(!family->overflow || audit->led_to[family->overflow], "\"_overflow\" is nowhere");
	}
	free(counted);
}

/* The segment's words do not change meanwhile. settled: see above. */
static inline struct audit audit_segment(struct promcb_segment *segment, bool settled)
{
	const struct promcb_geometry *g = &segment->geometry;
	struct audit audit = {.segment = segment, .root = promcb_segment_root(segment), .settled = settled};
	size_t places = (size_t)g->chunks * (g->chunk_bytes / PROMCB_LINE_BYTES) + 1;

	audit.led_to = calloc(places, 1);
	audit.owner = calloc(PROMCB_STRETCHES * PROMCB_STRETCH_CELLS, sizeof(*audit.owner));
	CHECK(audit.led_to && audit.owner, "no memory");
	if (audit.root) {
		audit_piece(&audit, (uint32_t)promcb_segment_header(segment)->metrics, PROMCB_PIECE_ROOT);
		for (uint32_t page = 0; page < PROMCB_TABLE_PAGES; page++)
			if (audit.root->tables[page])
				audit_page(&audit, audit_piece(&audit, audit.root->tables[page], PROMCB_PIECE_TABLE));
		audit_copy(&audit, audit.root->shared, PROMCB_COPY_SHARED);
		for (uint32_t i = 0; i < 2; i++)
			audit_copy(&audit, audit.root->baselines[i], PROMCB_COPY_BASELINE + i);
	}
	for (uint32_t lane = 0; lane < g->lanes + PROMCB_SPECIAL_LANES; lane++) {
		audit_copy(&audit, promcb_segment_lane(segment, lane)->copy, lane);
		audit_copy(&audit, promcb_segment_lane(segment, lane)->live, lane | PROMCB_COPY_LIVE);
	}
	for (uint32_t chunk = 0; chunk < promcb_segment_chunks(segment); chunk++)
		for (uint32_t part = 0; promcb_segment_has_parts(segment, chunk) && part < promcb_parts_per_chunk(g);
		     part++)
			audit_part(&audit, chunk, part);
	for (size_t place = 1; place < places; place++)
		CHECK(audit.led_to[place] != 1, "place %zu is led to, and is nobody's", place);
	audit_families(&audit);
	free(audit.led_to);
	free(audit.owner);
	return audit;
}

/* Takes all lanes, which nobody has, for as long as this process lives, and does what their next owners do first. */
static inline void audit_settle(struct promcb_session *p)
{
	struct promcb_segment *segment = p->segment;
	uint32_t lanes = segment->geometry.lanes, all = lanes + PROMCB_SPECIAL_LANES;
	struct promcb_lane_lease *leases = calloc(all, sizeof(*leases));

	CHECK(leases, "no memory");
	for (uint32_t lane = 0; lane < all; lane++)
		CHECK((lane < lanes ? promcb_lane_take(segment, &leases[lane])
				    : promcb_lane_acquire_special(segment, lane - lanes, &leases[lane])) == 0,
		      "lane %u is held", lane);
	for (uint32_t lane = 0; lane < all; lane++)
		CHECK(promcb_part_settle(&leases[lane]), "lane %u has no memory", lane);
}

/*
 * Audits in a process of its own, so that nothing of the segment stays in this one, and has a reader check the same.
 * settled: nobody has a lane.
 */
static inline struct audit audit_apart(const struct promcb_options *options, bool settled)
{
	struct audit *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();

	CHECK(shared != MAP_FAILED && child >= 0, "fork");
	if (child == 0) {
		struct promcb_session *p = stress_open(options);

		if (settled)
			audit_settle(p);
		*shared = audit_segment(p->segment, settled);
		stress_check_segment();
		_exit(0);
	}
	CHECK(stress_wait(child) == 0, "the audit failed");
	struct audit audit = *shared;

	munmap(shared, sizeof(*shared));
	return audit;
}

#endif

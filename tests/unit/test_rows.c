/* SPDX-License-Identifier: MIT */
/* test_rows.c: families, series and their numbers, as a reader finds them in a segment; and in a corrupt one. */
#include "reading.h"

#include "model/snapshot.h"
#include "record/family.h"
#include "record/open.h"

#include <math.h>

TestSuite(rows, .init = fixture_begin, .fini = fixture_end);

static struct promcb_session *p;
static struct promcb_lane_lease lease, other;

#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SPEC(...) (&(struct promcb_family_spec){__VA_ARGS__})

static void begin(void)
{
	p = fixture_open(NULL);
	cr_assert_eq(promcb_lane_take(p->segment, &lease), 0);
	cr_assert_eq(promcb_lane_take(p->segment, &other), 0);
}

static uint32_t family(const struct promcb_family_spec *spec)
{
	static union promcb_family_image image;
	struct promcb_message message = {.text = ""};
	uint32_t place;

	cr_assert_eq(promcb_family_make(spec, &image, &message), 0, "%s", message.text);
	cr_assert_eq(promcb_family_find_or_add(p->segment, &lease, &image, &place, &message), 0, "%s", message.text);
	return place;
}

static struct promcb_series_found series(uint32_t place, const char *value)
{
	struct promcb_series_found found;

	cr_assert_eq(promcb_series_find_or_add(p->segment, &lease, place, &value, (size_t[]){value ? strlen(value) : 0},
					       value ? 1 : 0, &found),
		     0);
	return found;
}

/* What a writer's rows are made of, without the order that other threads would need. */
static void *lead(struct promcb_lane_lease *by, uint32_t *word, uint32_t kind, uint32_t lines, uint32_t copy,
		  uint32_t number)
{
	if (!*word) {
		*word = promcb_part_carve(by, kind, lines, copy, number);
		cr_assert(*word);
		promcb_part_commit(by, *word);
	}
	return promcb_segment_piece(p->segment, *word, kind, lines);
}

static uint64_t *cells_of(struct promcb_lane_lease *by, uint32_t *root_word, uint32_t copy,
			  const struct promcb_series_found *found)
{
	uint32_t row = promcb_cell_row(found->cell);
	struct promcb_branch *root =
		lead(by, root_word, PROMCB_PIECE_BRANCH, PROMCB_ROW_LINES, copy, PROMCB_BRANCH_IS_ROOT);
	struct promcb_branch *branch = lead(by, &root->places[row / PROMCB_BRANCHES], PROMCB_PIECE_BRANCH,
					    PROMCB_ROW_LINES, copy, row / PROMCB_BRANCHES);
	uint64_t *words = lead(by, &branch->places[row % PROMCB_BRANCHES], PROMCB_PIECE_ROW,
			       promcb_rows_together(found->width) * PROMCB_ROW_LINES, copy, row);

	return words + found->cell % PROMCB_ROW_WORDS;
}

static uint64_t *own(struct promcb_lane_lease *by, const struct promcb_series_found *found)
{
	return cells_of(by, &promcb_segment_lane(p->segment, by->lane - 1)->copy, by->lane - 1, found);
}

static uint64_t *live(struct promcb_lane_lease *by, const struct promcb_series_found *found)
{
	struct promcb_lane *lane = promcb_segment_lane(p->segment, by->lane - 1);

	lane->live_taken = lane->taken;
	cr_assert_eq(promcb_lock_take_live(p->segment, by->lane - 1), 0);
	return cells_of(by, &lane->live, (by->lane - 1) | PROMCB_COPY_LIVE, found);
}

static uint64_t *shared(const struct promcb_series_found *found)
{
	return cells_of(&lease, &promcb_segment_root(p->segment)->shared, PROMCB_COPY_SHARED, found);
}

static uint64_t bits(double value)
{
	uint64_t word;

	memcpy(&word, &value, sizeof(word));
	return word;
}

static uint64_t gauge(double value)
{
	return bits(value) ^ PROMCB_GAUGE_UNSET;
}

static const struct promcb_snapshot_family *find(const struct promcb_snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->metrics->family_count; i++)
		if (strcmp(snapshot->metrics->families[i].name, name) == 0)
			return &snapshot->metrics->families[i];
	cr_assert_fail("%s is not listed", name);
	return NULL;
}

static const uint64_t *numbers(const struct promcb_snapshot *snapshot, const char *name, size_t number)
{
	const struct promcb_snapshot_family *found = find(snapshot, name);

	cr_assert_lt(number, found->count);
	return snapshot->metrics->cells + snapshot->metrics->series[found->first + number].cell;
}

static double number(const struct promcb_snapshot *snapshot, const char *name, size_t index)
{
	return promcb_cell_double(*numbers(snapshot, name, index));
}

static void each_access(void (*check)(const struct promcb_snapshot *snapshot))
{
	for (enum promcb_access access = PROMCB_ACCESS_COPY; access <= PROMCB_ACCESS_MAPPED; access++) {
		struct promcb_reader *reader = open_reader(access);
		struct promcb_snapshot *snapshot = take(reader, false);

		check(snapshot);
		promcb_snapshot_free(snapshot);
		promcb_reader_close(reader);
	}
}

/* -- Sums ---------------------------------------------------------------------------------------------------------- */

static void check_sums(const struct promcb_snapshot *snapshot)
{
	const struct promcb_snapshot_family *sent = find(snapshot, "sent_bytes_total");

	cr_assert_eq(sent->count, 3);
	cr_assert_str_eq(sent->unit, "bytes");
	cr_assert_str_eq(sent->help, "Sent.");
	cr_assert_str_eq(snapshot->metrics->series[sent->first + 1].values, "b");
	cr_assert_eq(*numbers(snapshot, "sent_bytes_total", 0), 1 + 20 + 300);
	cr_assert_eq(*numbers(snapshot, "sent_bytes_total", 1), 4000);
	cr_assert_eq(*numbers(snapshot, "sent_bytes_total", 2), 0);
	cr_assert_eq((int64_t)*numbers(snapshot, "queue_jobs", 0), -3);
	cr_assert_eq(bits(number(snapshot, "work_total", 0)), bits(0.75));
	const uint64_t *cells = numbers(snapshot, "request_seconds", 0);

	cr_assert_eq(find(snapshot, "request_seconds")->buckets, 322);
	for (uint32_t i = 0; i < 323; i++)
		cr_assert_eq(cells[i], 3 * i + 1, "%u", i);
	cells = numbers(snapshot, "errors_total", 0);
	cr_assert(cells[0] == 5 && cells[1] == 0 && cells[2] == 7);
	cr_assert_str_eq(find(snapshot, "errors_total")->label_names, "queue");
	cr_assert_eq(find(snapshot, "errors_total")->labels, 1);
}

Test(rows, sums_over_copies)
{
	begin();
	uint32_t sent = family(SPEC(.name = "sent_bytes_total", .help = "Sent.", .unit = "bytes",
				    .type = PROMCB_COUNTER, .labels = LABELS("peer")));
	uint32_t jobs = family(SPEC(.name = "queue_jobs", .type = PROMCB_LEVEL));
	uint32_t work = family(SPEC(.name = "work_total", .type = PROMCB_COUNTER, .flags = PROMCB_DOUBLES));
	uint32_t requests =
		family(SPEC(.name = "request_seconds", .unit = "seconds", .type = PROMCB_HISTOGRAM, .decimals = 9));
	uint32_t errors = family(SPEC(.name = "errors_total", .type = PROMCB_COUNTER, .labels = LABELS("queue"),
				      .enumerated = LABELS("timeout", "refused", "other"), .enumerated_label = "type"));
	struct promcb_series_found a = series(sent, "a"), b = series(sent, "b"), level = series(jobs, NULL);
	struct promcb_series_found doubles = series(work, NULL), wide = series(requests, NULL);
	struct promcb_series_found types = series(errors, "mail");

	series(sent, "never counted");
	*own(&lease, &a) += 1;
	*own(&other, &a) += 20;
	*shared(&a) += 300;
	*own(&other, &b) += 4000;
	*own(&lease, &level) += 2;
	*own(&other, &level) -= 5;
	*own(&lease, &doubles) = bits(0.25);
	*shared(&doubles) = bits(0.5);
	for (uint32_t i = 0; i < wide.width; i++) {
		own(&lease, &wide)[i] = i;
		own(&other, &wide)[i] = 2 * i;
		shared(&wide)[i] = 1;
	}
	own(&lease, &types)[0] = 5;
	own(&other, &types)[2] = 7;
	each_access(check_sums);
	promcb_close(p);
}

/* -- Gauges -------------------------------------------------------------------------------------------------------- */

static void check_gauges(const struct promcb_snapshot *snapshot)
{
	cr_assert_eq(bits(number(snapshot, "sum", 0)), bits(3.5));
	cr_assert_eq(bits(number(snapshot, "least", 0)), bits(-1));
	cr_assert_eq(bits(number(snapshot, "greatest", 0)), bits(2));
	cr_assert_eq(bits(number(snapshot, "of_segment", 0)), bits(-7));
	cr_assert_eq(find(snapshot, "sum")->count, 1);
	cr_assert_eq(find(snapshot, "app_info")->count, 1);
	cr_assert_eq(find(snapshot, "never_set")->count, 0);
}

static void check_no_gauges(const struct promcb_snapshot *snapshot)
{
	cr_assert_eq(bits(number(snapshot, "of_segment", 0)), bits(-7));
	cr_assert_eq(find(snapshot, "sum")->count, 0);
	cr_assert_eq(find(snapshot, "least")->count, 0);
	cr_assert_eq(find(snapshot, "app_info")->count, 0);
}

Test(rows, gauges_of_the_living)
{
	begin();
	struct promcb_series_found sum = series(family(SPEC(.name = "sum", .type = PROMCB_GAUGE)), NULL);
	struct promcb_series_found least =
		series(family(SPEC(.name = "least", .type = PROMCB_GAUGE, .scope = PROMCB_SCOPE_MIN)), NULL);
	struct promcb_series_found greatest =
		series(family(SPEC(.name = "greatest", .type = PROMCB_GAUGE, .scope = PROMCB_SCOPE_MAX)), NULL);
	struct promcb_series_found last =
		series(family(SPEC(.name = "of_segment", .type = PROMCB_GAUGE, .scope = PROMCB_SCOPE_SEGMENT)), NULL);
	uint32_t info = family(SPEC(.name = "app_info", .type = PROMCB_INFO, .labels = LABELS("version")));
	struct promcb_series_found old = series(info, "1"), new = series(info, "2");

	(void)old;
	series(family(SPEC(.name = "never_set", .type = PROMCB_GAUGE)), NULL);
	*live(&lease, &sum) = gauge(1.5);
	*live(&other, &sum) = gauge(2);
	*live(&lease, &least) = gauge(-1);
	*live(&other, &least) = gauge(4);
	*live(&lease, &greatest) = gauge(2);
	*live(&other, &greatest) = gauge(-4);
	*live(&other, &new) = gauge(1);
	shared(&last)[0] = gauge(-7);
	shared(&last)[1] = 1;
	/* The lane of one who died is held again, by one who did not come as far as to say so. */
	struct promcb_lane_lease bare;
	struct promcb_lane *lane;

	cr_assert_eq(promcb_lane_take(p->segment, &bare), 0);
	lane = promcb_segment_lane(p->segment, bare.lane - 1);
	lane->live_taken = lane->taken;
	*cells_of(&bare, &lane->live, (bare.lane - 1) | PROMCB_COPY_LIVE, &sum) = gauge(1000);
	each_access(check_gauges);
	/* Another owner has the lanes, who did not yet say that the copies are his. */
	promcb_segment_lane(p->segment, lease.lane - 1)->taken++;
	promcb_segment_lane(p->segment, other.lane - 1)->taken++;
	each_access(check_no_gauges);
	promcb_close(p);
}

/* -- Any bytes ----------------------------------------------------------------------------------------------------- */

static void refuse(const char *says)
{
	for (enum promcb_access access = PROMCB_ACCESS_COPY; access <= PROMCB_ACCESS_MAPPED; access++) {
		struct promcb_reader *reader = open_reader(access);
		struct promcb_snapshot *snapshot;
		struct promcb_message message = {.text = ""};

		cr_assert_eq(promcb_reader_snapshot(reader, NULL, &snapshot, &message), -EBADMSG, "%s", says);
		cr_assert(strstr(message.text, says), "\"%s\" does not say \"%s\"", message.text, says);
		promcb_reader_close(reader);
	}
}

/* Changes a word, looks, and puts it back. */
#define WITH(word, value, says)                   \
	do {                                      \
		__typeof__(word) before = (word); \
		(word) = (value);                 \
		refuse(says);                     \
		(word) = before;                  \
	} while (0)

static void check_one(const struct promcb_snapshot *snapshot)
{
	cr_assert_eq(*numbers(snapshot, "a_total", 0), 7);
}

Test(rows, what_is_corrupt)
{
	begin();
	uint32_t place = family(SPEC(.name = "a_total", .type = PROMCB_COUNTER, .labels = LABELS("k")));
	struct promcb_series_found found = series(place, "v"), second = series(place, "w");
	struct promcb_metrics_root *root = promcb_segment_root(p->segment);
	struct promcb_family_record *record = promcb_segment_piece(p->segment, place, PROMCB_PIECE_FAMILY, 0);
	struct promcb_series_record *one = promcb_segment_piece(p->segment, found.place, PROMCB_PIECE_SERIES, 0);
	struct promcb_lane *lane = promcb_segment_lane(p->segment, lease.lane - 1);
	struct promcb_header *header = promcb_segment_header(p->segment);

	*own(&lease, &found) = 7;
	each_access(check_one);
	struct promcb_branch *branch = promcb_segment_piece(p->segment, lane->copy, PROMCB_PIECE_BRANCH, 0);
	struct promcb_branch *inner = promcb_segment_piece(p->segment, branch->places[0], PROMCB_PIECE_BRANCH, 0);
	uint64_t *row = own(&lease, &found) - found.cell % PROMCB_ROW_WORDS;

	WITH(header->metrics, 1, "root");
	WITH(header->metrics, UINT64_MAX, "root");
	WITH(header->metrics, UINT32_MAX, "root");
	WITH(header->metrics, lane->copy, "root");
	WITH(root->tables[0], lane->copy, "page of the table");
	WITH(root->tables[5], UINT32_MAX, "page of the table");
	WITH(root->shared, lane->copy, "branch of a copy");
	WITH(record->type, 0, "family's record");
	WITH(record->width, 2, "family's record");
	WITH(record->width, 0, "family's record");
	WITH(record->labels, 17, "family's record");
	WITH(record->labels, 2, "family's record");
	WITH(record->decimals, 10, "family's record");
	WITH(((char *)(record + 1))[2], '-', "family's record");
	WITH(((char *)(record + 1))[0], 6, "family's record");
	WITH(((char *)(record + 1))[1], 127, "family's record");
	WITH(one->family, lane->copy, "of no family");
	WITH(one->family, UINT32_MAX, "of no family");
	WITH(one->cell, 64, "cells are out of range");
	WITH(one->cell, UINT32_MAX, "cells are out of range");
	WITH(one->cell, second.cell, "share a cell");
	WITH(((char *)(one + 1))[2], '\xff', "label values");
	WITH(((char *)(one + 1))[2], '\0', "label values");
	WITH(((char *)(one + 1))[1], '\xff', "label values");
	WITH(lane->copy, UINT32_MAX, "branch of a copy");
	WITH(lane->copy, found.place, "branch of a copy");
	WITH(branch->head, branch->head ^ (uint64_t)1 << 16, "branch of a copy");
	WITH(branch->places[0], lane->copy, "branch of a copy");
	WITH(inner->places[0], found.place, "a row is none");
	WITH(*row, *row ^ (uint64_t)1 << 32, "a row is none");
	WITH(*row, *row ^ (uint64_t)1 << 16, "a row is none");
	WITH(*row, *row ^ (uint64_t)1 << 8, "a row is none");
	each_access(check_one);
	/* A newer kind is passed over, and what it owns. */
	record->type = 200;
	struct promcb_reader *reader = open_reader(PROMCB_ACCESS_COPY);
	struct promcb_snapshot *snapshot = take(reader, false);

	cr_assert_eq(snapshot->metrics->family_count + snapshot->metrics->series_count, 0);
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
	promcb_close(p);
}

/* Names tell counters and infos from the rest: of the rest, that the type is none must be seen by itself. */
Test(rows, family_of_no_type)
{
	begin();
	uint32_t place = family(SPEC(.name = "queue_jobs", .type = PROMCB_LEVEL));
	struct promcb_family_record *record = promcb_segment_piece(p->segment, place, PROMCB_PIECE_FAMILY, 0);

	series(place, NULL);
	WITH(record->type, 0, "family's record");
	promcb_close(p);
}

/* -- What only a check looks at ------------------------------------------------------------------------------------ */

static char findings[4096];

static void note(void *context, const char *sentence)
{
	(void)context;
	strncat(findings, sentence, sizeof(findings) - strlen(findings) - 2);
	strcat(findings, "\n");
}

/* Looks, and returns what was found. */
static const char *check(void)
{
	struct promcb_reader *reader = open_reader(PROMCB_ACCESS_COPY);

	findings[0] = '\0';
	cr_assert(promcb_reader_check(reader, note, NULL) >= 0);
	promcb_reader_close(reader);
	return findings;
}

#define FINDS(word, value, says)                                                                \
	do {                                                                                    \
		__typeof__(word) before = (word);                                               \
		(word) = (value);                                                               \
		cr_assert(strstr(check(), says), "\"%s\" does not say \"%s\"", findings, says); \
		(word) = before;                                                                \
		cr_assert_str_eq(check(), "");                                                  \
	} while (0)

Test(rows, what_a_check_finds)
{
	begin();
	uint32_t place = family(SPEC(.name = "a_total", .type = PROMCB_COUNTER, .labels = LABELS("k")));
	struct promcb_series_found found = series(place, "v"), second = series(place, "w");
	struct promcb_metrics_root *root = promcb_segment_root(p->segment);
	struct promcb_family_record *record = promcb_segment_piece(p->segment, place, PROMCB_PIECE_FAMILY, 0);
	struct promcb_series_record *one = promcb_segment_piece(p->segment, found.place, PROMCB_PIECE_SERIES, 0);
	uint64_t *page = promcb_segment_piece(p->segment, root->tables[0], PROMCB_PIECE_TABLE, 0), *slot = page + 1;
	uint32_t chunk = promcb_place_chunk(&p->segment->geometry, found.place);
	uint32_t *part =
		promcb_segment_part_word(p->segment, chunk, promcb_place_part(&p->segment->geometry, found.place));

	*own(&lease, &found) = 7;
	*own(&other, &second) = 8;
	cr_assert_str_eq(check(), "");
	while (promcb_slot_place(*slot) != found.place)
		slot++;
	uint64_t *elsewhere = slot + 100 < page + PROMCB_TABLE_WORDS ? slot + 100 : slot - 100;

	FINDS(record->hash, record->hash + 1, "the family at");
	FINDS(one->hash, one->hash + 1, "has the hash of another");
	FINDS(*slot, *slot ^ (uint64_t)1 << 60, "by another's hash");
	FINDS(record->series, 1, "has 2 series, and counts 1");
	FINDS(record->series_max, 1, "its cap is 1");
	FINDS(root->stretches[0], 0, "which is nobody's");
	FINDS(root->stretches[0], (root->stretches[0] & ~(uint32_t)(PROMCB_CARVED_MAX << 16)) | 1 << 16,
	      "more than one series that it does not count");
	FINDS(root->stretches[0], root->stretches[0] ^ 3u << 28, "rows of another kind");
	FINDS(root->stretches[7], UINT32_MAX, "stretch 7 has kind 15");
	FINDS(*part, *part | 0xfffe, "which are none");
	FINDS(*part, *part | (uint32_t)PROMCB_CARVED_MAX << 16, "more than it has");
	FINDS(*part, *part & ~((uint32_t)PROMCB_CARVED_MAX << 16), "more than one piece that it does not count");
	FINDS(one->head, one->head + (8 << 8), "share a line");
	*elsewhere = *slot;
	cr_assert(strstr(check(), "where nobody looks for it"), "%s", findings);
	promcb_close(p);
}

/* SPDX-License-Identifier: MIT */
/* What the sidecar tells of a history: all of it, in whatever columns, and what was asked for. */
#include "fixture.h"
#include "views/answer.h"
#include "views/take.h"

#include <jansson.h>

TestSuite(answer, .init = fixture_begin, .fini = fixture_end);

#define SECOND ((uint64_t)1000000000)

Test(answer, moments_are_told_apart)
{
	static const struct {
		const char *text;
		uint64_t ns; /* UINT64_MAX: it is none */
	} cases[] = {
		{"now", 1000 * SECOND},
		{"0", 0},
		{"12", 12 * SECOND},
		{"12.5", 12 * SECOND + 500000000},
		{"1.0000000019", SECOND + 1},
		{"-0", 1000 * SECOND},
		{"-90", 910 * SECOND},
		{"-90s", 910 * SECOND},
		{"-2m", 880 * SECOND},
		{"-1.5s", 998 * SECOND + 500000000},
		{"-1h", 0},
		{"-9999999999d", 0},
		{"9999999999", 9999999999 * SECOND},
		{"", UINT64_MAX},
		{"-", UINT64_MAX},
		{"1s", UINT64_MAX},
		{"-1w", UINT64_MAX},
		{"-1ss", UINT64_MAX},
		{"+1", UINT64_MAX},
		{"1e3", UINT64_MAX},
		{"1.", UINT64_MAX},
		{".5", UINT64_MAX},
		{"99999999999", UINT64_MAX},
		{"now ", UINT64_MAX},
		{" 1", UINT64_MAX},
		{"--1", UINT64_MAX},
		{"nan", UINT64_MAX},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ns = UINT64_MAX;
		bool is_one = promcb_view_moment_parse(cases[i].text, 1000 * SECOND, &ns);

		cr_expect_eq(is_one, cases[i].ns != UINT64_MAX, "%s", cases[i].text);
		cr_expect(!is_one || ns == cases[i].ns, "%s: %llu", cases[i].text, (unsigned long long)ns);
	}
}

Test(answer, a_step_is_the_least_that_does)
{
	cr_expect_eq(promcb_view_step_ns((struct promcb_view_range){0, 299 * SECOND}, 300), SECOND);
	cr_expect_eq(promcb_view_step_ns((struct promcb_view_range){0, 300 * SECOND}, 300), 2 * SECOND);
	cr_expect_eq(promcb_view_step_ns((struct promcb_view_range){0, 3600 * SECOND}, 300), 15 * SECOND);
	cr_expect_eq(promcb_view_step_ns((struct promcb_view_range){5, 5}, 300), SECOND);
	for (size_t columns = 0; columns <= 1000; columns++) {
		uint64_t step_ns = promcb_view_step_ns((struct promcb_view_range){0, UINT64_MAX}, columns);

		cr_assert_leq(UINT64_MAX / step_ns, columns < 2 ? 2 : columns);
	}
}

/* -- From a segment ------------------------------------------------------------------------------------------------ */

/* Columns are joined after milliseconds. */
static const struct promcb_view_limits quick = {.tiers = {{0, 8}, {2000000, 8}, {20000000, 4000}}};

static struct promcb_view_history history;
static uint64_t before_ns;
static struct promcb_view_range seen;

static void look(enum promcb_view_gap gap)
{
	struct promcb_snapshot *snapshot = fixture_snapshot();

	if (before_ns)
		cr_assert_eq(promcb_view_take(&history, snapshot, before_ns, 1000, gap), 0);
	else
		cr_assert_eq(promcb_view_take_first(&history, snapshot), 0);
	before_ns = promcb_snapshot_taken_ns(snapshot);
	promcb_snapshot_free(snapshot);
}

/* What is recorded, over looks, a reset and a recreation; each time all that was counted was looked at. */
static uint64_t make_history(void)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *x = fixture_component(p, "x\"<\xe2\x80\xae");
	uint64_t calls = 0;

	cr_assert_eq(promcb_view_history_start(&history, 3, &quick), 0);
	look(PROMCB_VIEW_GAP_NONE);
	for (unsigned round = 0; round < 400; round++) {
		for (unsigned i = 0; i < round % 5; i++, calls++)
			promcb_record(x, (uint64_t)1000 << (round + i) % 25, i % 3 != 0);
		if (round % 50 == 7)
			promcb_set_state(x, round % 100 == 7 ? PROMCB_OPEN : PROMCB_CLOSED);
		look(round == 200 ? PROMCB_VIEW_GAP_STOPPED : PROMCB_VIEW_GAP_NONE);
		if (round == 100)
			cr_assert_eq(promcb_reset(p, "x\"<\xe2\x80\xae"), 0);
		if (round == 300) {
			promcb_close(p);
			unlink(fixture_segment);
			p = fixture_open(NULL);
			x = fixture_component(p, "x\"<\xe2\x80\xae");
		}
	}
	promcb_close(p);
	seen = (struct promcb_view_range){promcb_view_from_ns(&history), promcb_view_upto_ns(&history)};
	return calls;
}

static struct promcb_view_source source;
static const struct promcb_view_sources sources = {
	.sources = &source, .count = 1, .id = "an id", .now_ns = 5 * SECOND, .tick_ns = SECOND};

static json_t *parsed(struct promcb_view_bytes *bytes)
{
	json_error_t error;
	json_t *json;

	cr_assert_not(bytes->failed);
	json = json_loadb((const char *)bytes->bytes, bytes->length, JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(json, "%s: %.*s", error.text, (int)bytes->length, (const char *)bytes->bytes);
	promcb_view_bytes_free(bytes);
	return json;
}

static uint64_t number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	cr_assert(json_is_integer(value), "%s", name);
	return (uint64_t)json_integer_value(value);
}

static uint64_t cells(const json_t *column, const char *name)
{
	const json_t *pairs = json_object_get(column, name);
	uint64_t sum = 0;

	for (size_t i = 1; i < json_array_size(pairs); i += 2)
		sum += (uint64_t)json_integer_value(json_array_get(pairs, i));
	return sum;
}

struct sum {
	uint64_t calls, failed, ok, bad, opened;
};

static void add_column(struct sum *sum, const json_t *column)
{
	sum->calls += number(column, "calls");
	sum->failed += number(column, "failed");
	sum->ok += cells(column, "ok");
	sum->bad += cells(column, "bad");
	sum->opened += (uint64_t)json_integer_value(json_array_get(json_object_get(column, "transitions"), 1));
}

static struct sum sum_of(struct promcb_view_range range, size_t columns)
{
	struct promcb_view_bytes out = {.bytes = NULL};
	struct sum sum = {0};
	json_t *answer, *column;
	size_t i;

	promcb_view_answer_history(&sources, 0, 0, range, columns, &out);
	answer = parsed(&out);
	cr_assert_str_eq(json_string_value(json_object_get(answer, "component")), "x\"<\xe2\x80\xae");
	cr_assert_leq(json_array_size(json_object_get(answer, "columns")), columns + 1);
	json_array_foreach(json_object_get(answer, "columns"), i, column)
	{
		add_column(&sum, column);
	}
	json_decref(answer);
	return sum;
}

Test(answer, columns_have_every_call_once)
{
	uint64_t calls = make_history();
	struct sum all, sum;

	source = (struct promcb_view_source){"/some", &history, NULL, "gone"};
	cr_assert_lt(history.column_count, 380, "nothing was joined");
	all = sum_of(seen, 1000);
	cr_assert_eq(all.calls, calls);
	cr_assert(all.failed && all.ok == calls - all.failed && all.bad == all.failed);
	cr_assert_eq(all.opened, 4);
	/* Whatever two parts it is asked for in, also in the middle of a column. */
	for (uint64_t i = 0; i <= 64; i++) {
		uint64_t middle = seen.from_ns + (seen.upto_ns - seen.from_ns) / 64 * i;

		sum = sum_of((struct promcb_view_range){0, middle}, 10);
		cr_assert_leq(sum.calls, calls);
		sum.calls += sum_of((struct promcb_view_range){middle, UINT64_MAX}, 2).calls;
		cr_assert_eq(sum.calls, calls);
	}
	promcb_view_history_end(&history);
}

Test(answer, two_windows_and_a_list)
{
	uint64_t calls = make_history(), middle = seen.from_ns + (seen.upto_ns - seen.from_ns) / 3;
	const struct promcb_view_listing listing = {.window_ns = 3600 * SECOND, .limit = 5};
	struct promcb_view_bytes out = {.bytes = NULL};
	struct promcb_segment_info info = {.producers = 2};
	struct promcb_view_sources later = sources;
	struct sum sum = {0};
	json_t *answer, *line, *told;

	source = (struct promcb_view_source){"/so\xffme", &history, &info, ""};
	promcb_view_answer_compare(&sources, 0, 0, (struct promcb_view_range){0, middle},
				   (struct promcb_view_range){middle, seen.upto_ns}, &out);
	answer = parsed(&out);
	add_column(&sum, json_object_get(answer, "a"));
	add_column(&sum, json_object_get(answer, "b"));
	cr_assert_eq(sum.calls, calls);
	json_decref(answer);
	promcb_view_answer_live(&sources, &listing, &out);
	answer = parsed(&out);
	cr_assert_str_eq(json_string_value(json_object_get(answer, "id")), "an id");
	line = json_array_get(json_object_get(answer, "components"), 0);
	cr_assert_eq(number(json_object_get(line, "window"), "calls"), calls);
	told = json_array_get(json_object_get(answer, "segments"), 0);
	cr_assert_str_eq(json_string_value(json_object_get(told, "name")), "/so\xef\xbf\xbdme");
	told = json_object_get(json_object_get(told, "history"), "gaps");
	cr_assert_eq(json_array_size(told), 1);
	cr_assert_str_eq(json_string_value(json_object_get(json_array_get(told, 0), "why")), "stopped");
	json_decref(answer);
	/* Of a segment that has been gone for longer than the window, the newest calls are not those of now. */
	source.info = NULL;
	later.now_ns = seen.upto_ns + 2 * listing.window_ns;
	promcb_view_answer_live(&later, &listing, &out);
	answer = parsed(&out);
	line = json_array_get(json_object_get(answer, "components"), 0);
	cr_assert_eq(number(json_object_get(line, "window"), "calls"), 0);
	json_decref(answer);
	promcb_view_history_end(&history);
}

/* A moment's columns of two components, of which the strips have each call in its octave. */
Test(answer, strips_have_every_call_of_whole_parts)
{
	struct promcb_view_listing listing = {.window_ns = 60 * SECOND, .limit = 10};
	struct promcb_view_bytes out = {.bytes = NULL};
	uint64_t calls = 0, told = 0, octaves = 0;
	json_t *answer, *strip;
	uint64_t *buckets;

	cr_assert_eq(promcb_view_history_start(&history, 3, &promcb_view_default_limits), 0);
	promcb_view_add(&history, "a");
	promcb_view_add(&history, "b");
	buckets = calloc(2 * history.bucket_count, sizeof(*buckets));
	cr_assert_not_null(buckets);
	for (uint64_t second = 0; second < 100; second++) {
		struct promcb_view_row row = {.component = second % 2, .buckets = buckets};
		struct promcb_view_bytes rows = {.bytes = NULL};
		struct promcb_view_column column = {
			.from_ns = second * SECOND, .upto_ns = (second + 1) * SECOND, .took_ns = SECOND};

		memset(buckets, 0, 2 * history.bucket_count * sizeof(*buckets));
		buckets[second * 3] = row.counts.calls[0] = second + 1;
		calls += second >= 40 && second % 2 == 0 ? second + 1 : 0;
		promcb_view_row_put(&rows, &row, history.bucket_count);
		column.rows = rows.bytes;
		column.length = (uint32_t)rows.length;
		cr_assert_eq(promcb_view_push(&history, &column), 0);
	}
	source = (struct promcb_view_source){"/some", &history, NULL, ""};
	promcb_view_answer_strips(&sources, &listing, 6, &out);
	answer = parsed(&out);
	cr_assert_eq(json_array_size(json_object_get(answer, "components")), 2);
	for (size_t i = 0; i < 2; i++) {
		strip = json_array_get(json_object_get(answer, "components"), i);
		for (size_t part = 0; part < 6 && strcmp(json_string_value(json_object_get(strip, "name")), "a") == 0;
		     part++) {
			const json_t *pairs = json_array_get(json_object_get(strip, "cells"), part);

			told += (uint64_t)json_integer_value(json_array_get(json_object_get(strip, "calls"), part));
			for (size_t k = 1; k < json_array_size(pairs); k += 2)
				octaves += (uint64_t)json_integer_value(json_array_get(pairs, k));
		}
	}
	cr_assert_eq(told, calls);
	cr_assert_eq(octaves, calls);
	json_decref(answer);
	free(buckets);
	promcb_view_history_end(&history);
}

Test(answer, what_is_too_much_goes_from_the_old_end)
{
	uint64_t calls = make_history();
	struct promcb_view_window window;
	size_t bytes = history.bytes;

	promcb_view_trim(&history, bytes);
	cr_assert_eq(history.bytes, bytes);
	promcb_view_trim(&history, bytes / 2);
	cr_assert_leq(history.bytes, bytes / 2);
	cr_assert_eq(promcb_view_upto_ns(&history), seen.upto_ns);
	promcb_view_window(&history, 0, 0, UINT64_MAX, NULL, &window);
	cr_assert_lt(window.counts.calls[0] + window.counts.calls[1], calls);
	promcb_view_trim(&history, 0);
	cr_assert_eq(history.column_count, 1);
	cr_assert_gt(promcb_view_component_bytes(&history), sizeof(struct promcb_view_component));
	promcb_view_history_end(&history);
}

/* SPDX-License-Identifier: MIT */
/* What promcb-top knows of time: words to the last digit, rows to the last call, windows that add up. */
#include "fixture.h"
#include "views/list.h"
#include "views/take.h"
#include "views/words.h"

TestSuite(views, .init = fixture_begin, .fini = fixture_end);

#define SECOND ((uint64_t)1000000000)

Test(views, latencies_are_rounded_outwards)
{
	static const struct {
		uint64_t ns;
		const char *down, *up;
	} cases[] = {
		{0, "0 ns", "0 ns"},
		{1, "1 ns", "1 ns"},
		{999, "999 ns", "999 ns"},
		{1000, "1.00 us", "1.00 us"},
		{1001, "1.00 us", "1.01 us"},
		{9990, "9.99 us", "9.99 us"},
		{9991, "9.99 us", "10.0 us"},
		{12345, "12.3 us", "12.4 us"},
		{99900, "99.9 us", "99.9 us"},
		{99901, "99.9 us", "100 us"},
		{999000, "999 us", "999 us"},
		{999001, "999 us", "1.00 ms"},
		{4830000000, "4.83 s", "4.83 s"},
		{4830000001, "4.83 s", "4.84 s"},
		{1098000000001, "1098 s", "1099 s"},
		{UINT64_MAX, "4000000000 s", "4000000000 s"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_str_eq(promcb_view_latency(cases[i].ns, PROMCB_VIEW_DOWN).text, cases[i].down);
		cr_expect_str_eq(promcb_view_latency(cases[i].ns, PROMCB_VIEW_UP).text, cases[i].up);
	}
	cr_expect_str_eq(promcb_view_latencies(4420000000, 4830000000).text, "4.42-4.83 s");
	cr_expect_str_eq(promcb_view_latencies(980000, 1069000).text, "980 us-1.07 ms");
	cr_expect_str_eq(promcb_view_latencies(5, 5).text, "5 ns");
}

Test(views, shares_are_0_and_100_only_if_they_are)
{
	cr_expect_str_eq(promcb_view_percent(0, 0).text, "-");
	cr_expect_str_eq(promcb_view_percent(0, 7).text, "0.00");
	cr_expect_str_eq(promcb_view_percent(7, 7).text, "100.00");
	cr_expect_str_eq(promcb_view_percent(1, 3).text, "33.33");
	cr_expect_str_eq(promcb_view_percent(2, 3).text, "66.67");
	cr_expect_str_eq(promcb_view_percent(1, 1000000).text, "<0.01");
	cr_expect_str_eq(promcb_view_percent(999999, 1000000).text, ">99.99");
	cr_expect_str_eq(promcb_view_percent(1, UINT64_MAX).text, "<0.01");
	cr_expect_str_eq(promcb_view_percent(UINT64_MAX - 1, UINT64_MAX).text, ">99.99");
	cr_expect_str_eq(promcb_view_percent(UINT64_MAX / 2, UINT64_MAX).text, "50.00");
}

Test(views, rates_counts_and_ages)
{
	cr_expect_str_eq(promcb_view_rate(0, 1).text, "0.0");
	cr_expect_str_eq(promcb_view_rate(5, 0).text, "-");
	cr_expect_str_eq(promcb_view_rate(1, 100).text, "<0.1");
	cr_expect_str_eq(promcb_view_rate(6041, 10).text, "604.1");
	cr_expect_str_eq(promcb_view_rate(14, 1.4).text, "10.0");
	cr_expect_str_eq(promcb_view_rate(99999, 1).text, "99999.0");
	cr_expect_str_eq(promcb_view_rate(123456, 1).text, "123k");
	cr_expect_str_eq(promcb_view_rate(1234567, 1).text, "1.23M");
	cr_expect_str_eq(promcb_view_rate(999999, 1).text, "1.00M");
	cr_expect_str_eq(promcb_view_count(9999999).text, "9999999");
	cr_expect_str_eq(promcb_view_count(12399999).text, "12.3M");
	cr_expect_str_eq(promcb_view_count(UINT64_MAX).text, "18.4E");
	cr_expect_str_eq(promcb_view_grouped(918233).text, "918,233");
	cr_expect_str_eq(promcb_view_grouped(0).text, "0");
	cr_expect_str_eq(promcb_view_grouped(UINT64_MAX).text, "18,446,744,073,709,551,615");
	cr_expect_str_eq(promcb_view_age(0).text, "0 s");
	cr_expect_str_eq(promcb_view_age(119999999999).text, "119 s");
	cr_expect_str_eq(promcb_view_age(120 * SECOND).text, "2 min");
	cr_expect_str_eq(promcb_view_age(7200 * SECOND).text, "2 h");
	cr_expect_str_eq(promcb_view_age(5 * 86400 * SECOND).text, "5 d");
	cr_expect_str_eq(promcb_view_bytes(1023).text, "1023 B");
	cr_expect_str_eq(promcb_view_bytes(1024 * 1024 - 1).text, "0.9 MiB");
	cr_expect_str_eq(promcb_view_bytes((uint64_t)32 << 20).text, "32.0 MiB");
}

/* The same each time. */
static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

enum { BUCKETS = 40 };

static void random_row(uint64_t *state, struct promcb_view_row *row, uint64_t *buckets)
{
	*row = (struct promcb_view_row){
		.component = (uint32_t)next_random(state) % 3,
		.state = (uint32_t)next_random(state) % PROMCB_STATES,
		.marks = (uint32_t)next_random(state) % 8,
		.changed_ns = next_random(state) << (next_random(state) % 33),
		.counts.calls = {next_random(state), next_random(state) % 100},
		.counts.latency_ns = next_random(state) << 20,
		.buckets = buckets,
	};
	if (next_random(state) % 2)
		row->counts.transitions[next_random(state) % PROMCB_STATES] = next_random(state);
	if (next_random(state) % 2)
		row->counts.logs[next_random(state) % PROMCB_LOG_LEVELS] = UINT64_MAX;
	for (size_t i = 0; i < 2 * BUCKETS; i++)
		buckets[i] = next_random(state) % 4 ? 0 : next_random(state) >> (next_random(state) % 31);
	buckets[next_random(state) % (2 * BUCKETS)] = UINT64_MAX;
}

Test(views, a_row_comes_back_to_the_last_call)
{
	uint64_t state = 1, buckets[2 * BUCKETS], back[2 * BUCKETS];

	for (int i = 0; i < 2000; i++) {
		struct promcb_view_row row, got = {.buckets = back};
		struct promcb_view_bytes bytes = {.bytes = NULL};
		struct promcb_view_span in;

		random_row(&state, &row, buckets);
		promcb_view_row_put(&bytes, &row, BUCKETS);
		cr_assert_not(bytes.failed);
		in = (struct promcb_view_span){.at = bytes.bytes, .end = bytes.bytes + bytes.length};
		cr_assert_eq(promcb_view_row_peek(&in), row.component);
		memset(back, 0, sizeof(back));
		promcb_view_row_add(&in, &got, BUCKETS);
		cr_assert_not(in.failed);
		cr_assert_eq(in.at, in.end);
		cr_assert_eq(memcmp(&got.counts, &row.counts, sizeof(row.counts)), 0);
		cr_assert_eq(memcmp(back, buckets, sizeof(back)), 0);
		cr_assert(got.state == row.state && got.marks == row.marks && got.changed_ns == row.changed_ns);
		promcb_view_bytes_free(&bytes);
	}
}

/* Bytes from anywhere: what is no row is refused, and nothing is read or written beyond (for sanitizers to see). */
Test(views, bytes_that_are_no_row_are_refused)
{
	uint64_t state = 7, buckets[2 * BUCKETS], refused = 0;

	for (int i = 0; i < 20000; i++) {
		struct promcb_view_row row, got = {.buckets = NULL};
		struct promcb_view_bytes bytes = {.bytes = NULL};
		struct promcb_view_span in;
		uint8_t *copy;
		size_t length;

		random_row(&state, &row, buckets);
		promcb_view_row_put(&bytes, &row, BUCKETS);
		length = i % 2 ? bytes.length : next_random(&state) % bytes.length;
		copy = malloc(length + 1);
		cr_assert_not_null(copy);
		memcpy(copy, bytes.bytes, length);
		for (uint64_t flips = next_random(&state) % 4; flips && length; flips--)
			copy[next_random(&state) % length] = (uint8_t)next_random(&state);
		in = (struct promcb_view_span){.at = copy, .end = copy + length};
		got.buckets = i % 3 ? buckets : NULL;
		while (in.at < in.end)
			promcb_view_row_add(&in, &got, BUCKETS);
		refused += in.failed;
		free(copy);
		promcb_view_bytes_free(&bytes);
	}
	cr_assert_gt(refused, 9000);
}

/* -- Windows ------------------------------------------------------------------------------------------------------- */

/* A column of one second, in which each of two components had calls: the second every other time. */
static void push_second(struct promcb_view_history *history, uint64_t second, uint64_t *sums)
{
	uint64_t *buckets = calloc(2 * history->bucket_count, sizeof(*buckets));
	struct promcb_view_bytes rows = {.bytes = NULL};
	struct promcb_view_column column = {
		.from_ns = second * SECOND, .upto_ns = (second + 1) * SECOND, .took_ns = SECOND};

	cr_assert_not_null(buckets);
	for (uint32_t i = 0; i < 2; i++) {
		struct promcb_view_row row = {.component = i, .buckets = buckets, .state = second % 3};
		size_t bucket = (second * 7 + i) % history->bucket_count;

		if (i == 1 && second % 2)
			continue;
		row.counts.calls[second % 2] = second + 1;
		row.counts.transitions[PROMCB_OPEN] = second % 5 == 0;
		memset(buckets, 0, 2 * history->bucket_count * sizeof(*buckets));
		buckets[second % 2 * history->bucket_count + bucket] = second + 1;
		promcb_view_row_put(&rows, &row, history->bucket_count);
		sums[i] += second + 1;
	}
	column.rows = rows.bytes;
	column.length = (uint32_t)rows.length;
	free(buckets);
	cr_assert_eq(promcb_view_push(history, &column), 0);
}

static uint64_t calls_of(const struct promcb_view_window *window)
{
	return window->counts.calls[0] + window->counts.calls[1];
}

/* All windows of a length, one after another, have all calls. */
static void check_adding(const struct promcb_view_history *history, uint64_t length_ns, const uint64_t *sums)
{
	uint64_t *buckets = malloc(2 * history->bucket_count * sizeof(*buckets));
	uint64_t found[2] = {0, 0}, measured = 0, opened = 0;
	double seconds = 0;

	for (uint64_t from_ns = 0; from_ns < promcb_view_upto_ns(history); from_ns += length_ns)
		for (uint32_t i = 0; i < 2; i++) {
			struct promcb_view_window window;

			promcb_view_window(history, i, from_ns, from_ns + length_ns, buckets, &window);
			found[i] += calls_of(&window);
			measured += promcb_view_measured(buckets, 2 * history->bucket_count);
			opened += i ? 0 : window.counts.transitions[PROMCB_OPEN];
			seconds += i ? 0 : window.seconds;
		}
	cr_assert_eq(found[0], sums[0]);
	cr_assert_eq(found[1], sums[1]);
	cr_assert_eq(measured, sums[0] + sums[1]);
	cr_assert_float_eq(seconds, (double)promcb_view_upto_ns(history) / 1e9, 1e-6);
	/* Each opening is counted, however coarse the columns. */
	cr_assert_eq(opened, (promcb_view_upto_ns(history) / SECOND + 4) / 5);
	free(buckets);
}

static const struct promcb_view_limits small = {.tiers = {{0, 30}, {10 * SECOND, 12}, {60 * SECOND, 1000}}};

Test(views, windows_add_up_whatever_was_joined)
{
	struct promcb_view_history history;
	uint64_t sums[2] = {0, 0};

	cr_assert_eq(promcb_view_history_start(&history, 3, &small), 0);
	cr_assert_eq(promcb_view_add(&history, "b"), 0);
	cr_assert_eq(promcb_view_add(&history, "a"), 1);
	for (uint64_t second = 0; second < 2000; second++) {
		push_second(&history, second, sums);
		if (second % 97 == 0 || second > 1990) {
			check_adding(&history, SECOND, sums);
			check_adding(&history, 7 * SECOND, sums);
			check_adding(&history, 600 * SECOND, sums);
		}
	}
	/* 2,000 columns have become few, and the newest are as they came. */
	cr_assert_leq(history.column_count, 30 + 10 + 12 + 6 + 35);
	cr_assert_eq(history.columns[history.column_count - 1].upto_ns - SECOND,
		     history.columns[history.column_count - 1].from_ns);
	cr_assert_eq(history.columns[0].took_ns, 60 * SECOND);
	promcb_view_history_end(&history);
}

Test(views, one_slow_call_is_in_every_window_that_has_it)
{
	struct promcb_view_history history;
	uint64_t sums[2] = {0, 0}, *buckets;
	size_t slow;

	cr_assert_eq(promcb_view_history_start(&history, 3, &small), 0);
	promcb_view_add(&history, "b");
	promcb_view_add(&history, "a");
	buckets = calloc(2 * history.bucket_count, sizeof(*buckets));
	slow = history.bucket_count - 1;
	for (uint64_t second = 0; second < 1000; second++) {
		if (second == 100) {
			struct promcb_view_row row = {.buckets = buckets, .counts.calls = {1000000, 0}};
			struct promcb_view_bytes rows = {.bytes = NULL};
			struct promcb_view_column column = {
				.from_ns = 100 * SECOND, .upto_ns = 101 * SECOND, .took_ns = SECOND};

			buckets[3] = 999999;
			buckets[slow] = 1;
			promcb_view_row_put(&rows, &row, history.bucket_count);
			column.rows = rows.bytes;
			column.length = (uint32_t)rows.length;
			cr_assert_eq(promcb_view_push(&history, &column), 0);
		} else {
			push_second(&history, second, sums);
		}
		if (second >= 100) {
			struct promcb_view_window window;
			uint64_t all[2048], minute[2048];

			/* At every age of its column: of all, and of what became of that minute. */
			promcb_view_window(&history, 0, 0, UINT64_MAX, all, &window);
			cr_assert_geq(all[slow], 1);
			promcb_view_window(&history, 0, 60 * SECOND, 120 * SECOND, minute, &window);
			cr_assert(second < 101 || window.upto_ns == 0 || minute[slow] >= 1);
		}
	}
	free(buckets);
	promcb_view_history_end(&history);
}

Test(views, a_budget_drops_the_oldest)
{
	struct promcb_view_limits tight = small;
	struct promcb_view_history history;
	uint64_t sums[2] = {0, 0};

	tight.bytes = 3000;
	cr_assert_eq(promcb_view_history_start(&history, 3, &tight), 0);
	promcb_view_add(&history, "b");
	promcb_view_add(&history, "a");
	for (uint64_t second = 0; second < 500; second++) {
		push_second(&history, second, sums);
		cr_assert_leq(history.bytes, 3000);
		cr_assert_eq(promcb_view_upto_ns(&history), (second + 1) * SECOND);
	}
	cr_assert_gt(promcb_view_from_ns(&history), 0);
	promcb_view_history_end(&history);
}

Test(views, columns_that_are_none_are_refused)
{
	struct promcb_view_history history;
	uint64_t sums[2] = {0, 0};
	struct promcb_view_column column = {.from_ns = SECOND, .upto_ns = 2 * SECOND, .rows = malloc(5), .length = 5};

	cr_assert_eq(promcb_view_history_start(&history, 99, &small), -EINVAL);
	cr_assert_eq(promcb_view_history_start(&history, 3, &small), 0);
	promcb_view_add(&history, "b");
	promcb_view_add(&history, "a");
	push_second(&history, 0, sums);
	memset(column.rows, 0xff, 5);
	cr_assert_eq(promcb_view_push(&history, &column), -EBADMSG);
	/* Before what is there. */
	column = (struct promcb_view_column){.from_ns = 0, .upto_ns = 2 * SECOND};
	cr_assert_eq(promcb_view_push(&history, &column), -EBADMSG);
	cr_assert_eq(history.column_count, 1);
	promcb_view_history_end(&history);
}

Test(views, quantiles_need_calls)
{
	const struct promcb_view_quantile p99 = {99, 100}, p50 = {1, 2};
	uint64_t buckets[8] = {0}, also[8] = {0};
	size_t bucket = 99;

	cr_assert_eq(promcb_view_quantile(buckets, NULL, 8, p50, &bucket), PROMCB_VIEW_NONE);
	buckets[2] = 1;
	cr_assert_eq(promcb_view_quantile(buckets, NULL, 8, p50, &bucket), PROMCB_VIEW_NONE);
	buckets[5] = 1;
	cr_assert_eq(promcb_view_quantile(buckets, NULL, 8, p50, &bucket), PROMCB_VIEW_COARSE);
	cr_assert_eq(bucket, 2);
	buckets[2] = 98;
	cr_assert_eq(promcb_view_quantile(buckets, NULL, 8, p99, &bucket), PROMCB_VIEW_NONE);
	also[5] = 1;
	cr_assert_eq(promcb_view_quantile(buckets, also, 8, p99, &bucket), PROMCB_VIEW_COARSE);
	/* Of 100 calls the 99th, which is the first slow one. */
	cr_assert_eq(bucket, 5);
	buckets[2] = 990;
	buckets[5] = 9;
	cr_assert_eq(promcb_view_quantile(buckets, also, 8, p99, &bucket), PROMCB_VIEW_FIRM);
	cr_assert_eq(bucket, 2);
}

/* -- From a segment ------------------------------------------------------------------------------------------------ */

static uint64_t window_calls(const struct promcb_view_history *history, const char *name, uint32_t *marks)
{
	struct promcb_view_window window;

	promcb_view_window(history, promcb_view_find(history, name), 0, UINT64_MAX, NULL, &window);
	*marks = window.marks;
	return calls_of(&window);
}

static void take(struct promcb_view_history *history, uint64_t *before_ns)
{
	struct promcb_snapshot *snapshot = fixture_snapshot();
	uint64_t now_ns = promcb_snapshot_taken_ns(snapshot);

	if (*before_ns)
		cr_assert_eq(promcb_view_take(history, snapshot, *before_ns, SECOND, PROMCB_VIEW_GAP_NONE), 0);
	else
		cr_assert_eq(promcb_view_take_first(history, snapshot), 0);
	*before_ns = now_ns;
	promcb_snapshot_free(snapshot);
}

Test(views, a_history_of_a_segment_is_the_segment)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *x = fixture_component(p, "x"), *y;
	struct promcb_view_history history;
	uint64_t before_ns = 0;
	uint32_t marks;

	cr_assert_eq(promcb_view_history_start(&history, 3, &promcb_view_default_limits), 0);
	promcb_record(x, 1000, true);
	take(&history, &before_ns);
	cr_assert_eq(window_calls(&history, "x", &marks), 0);
	for (int i = 0; i < 100; i++)
		promcb_record(x, 1000, i % 10 != 0);
	y = fixture_component(p, "y");
	promcb_record(y, 5, true);
	promcb_set_state(x, PROMCB_OPEN);
	take(&history, &before_ns);
	cr_assert_eq(window_calls(&history, "x", &marks), 100);
	cr_assert_eq(marks, 0);
	cr_assert_eq(window_calls(&history, "y", &marks), 1);
	cr_assert_eq(marks, PROMCB_VIEW_MARK_CREATED);
	cr_assert_eq(history.components[promcb_view_find(&history, "x")].state, PROMCB_OPEN);
	/* A reset: what came since, marked; and nothing is below zero. */
	cr_assert_eq(promcb_reset(p, "x"), 0);
	promcb_record(x, 7, false);
	take(&history, &before_ns);
	cr_assert_eq(window_calls(&history, "x", &marks), 101);
	cr_assert_eq(marks, PROMCB_VIEW_MARK_RESET);
	cr_assert_eq(history.components[promcb_view_find(&history, "x")].total.calls[1], 1);
	/* Another segment by that name. */
	promcb_close(p);
	unlink(fixture_segment);
	p = fixture_open(NULL);
	x = fixture_component(p, "x");
	promcb_record(x, 9, true);
	promcb_record(x, 9, true);
	take(&history, &before_ns);
	cr_assert_eq(window_calls(&history, "x", &marks), 103);
	cr_assert_not(history.components[promcb_view_find(&history, "y")].listed);
	promcb_close(p);
	promcb_view_history_end(&history);
}

Test(views, names_match_as_the_library_says)
{
	cr_assert(promcb_view_matches("GET_/home", "home"));
	cr_assert_not(promcb_view_matches("GET_/home", "POST"));
	cr_assert(promcb_view_matches("GET_/home", "GET*"));
	cr_assert(promcb_view_matches("GET_/home", "*h*m*"));
	cr_assert_not(promcb_view_matches("GET_/home", "*GE"));
	cr_assert(promcb_view_matches("aaab", "*aab"));
	cr_assert(promcb_view_matches("", "*"));
}

/* SPDX-License-Identifier: MIT */
/* What came between two snapshots, and when nothing can be said of it. */
#include "reading.h"

TestSuite(reader, .init = fixture_begin, .fini = fixture_end);

/* What was recorded into "x", and how long it took. */
static void check_recorded(const struct promcb_snapshot *d, double seconds)
{
	struct promcb_summary summary = summary_of(d, "x");
	size_t i = index_of(d, "x");
	struct promcb_bucket bounds;
	uint64_t calls;

	cr_assert_eq(summary.total_calls, 101);
	cr_assert_eq(summary.failed_calls, 10);
	cr_assert_eq(summary.unmeasured_calls, 1);
	cr_assert_float_eq(summary.latency_sum, 8.099, 1e-9);
	cr_assert_eq(summary.transitions[PROMCB_OPEN], 1);
	cr_assert_eq(summary.transitions[PROMCB_HALF_OPEN], 1);
	cr_assert_eq(summary.transitions[PROMCB_CLOSED], 0);
	cr_assert_eq(summary.log_entries[PROMCB_LOG_WARNING], 3);
	cr_assert_eq(summary.log_entries[PROMCB_LOG_ERROR], 0);
	cr_assert_eq(summary.state, PROMCB_OPEN);
	cr_assert_eq(promcb_snapshot_span(d, i), PROMCB_SPAN_BETWEEN);
	cr_assert_float_eq(promcb_snapshot_seconds(d, i), seconds, 1e-9);
	/* Of 100 calls the 99th took a millisecond, and the 100th eight seconds. */
	cr_assert_eq(promcb_snapshot_quantile(d, i, PROMCB_OUTCOME_ANY, 0.99, &bounds, &calls), 0);
	cr_assert_eq(calls, 100);
	cr_assert(bounds.least_ns <= 1000000 && 1000000 <= bounds.most_ns);
	cr_assert_eq(promcb_snapshot_quantile(d, i, PROMCB_OUTCOME_ANY, 0.991, &bounds, NULL), 0);
	cr_assert(bounds.least_ns <= 8000000000 && 8000000000 <= bounds.most_ns);
}

/* The silent, the new and the reset. */
static void check_others(const struct promcb_snapshot *d, double seconds)
{
	size_t i = index_of(d, "quiet");
	struct promcb_bucket bounds;
	uint64_t calls;

	cr_assert_eq(promcb_snapshot_span(d, i), PROMCB_SPAN_BETWEEN);
	cr_assert_eq(summary_of(d, "quiet").total_calls, 0);
	cr_assert_eq(promcb_snapshot_quantile(d, i, PROMCB_OUTCOME_ANY, 0.5, &bounds, &calls), -ENODATA);
	cr_assert_eq(calls, 0);
	cr_assert_eq(promcb_snapshot_span(d, index_of(d, "new")), PROMCB_SPAN_CREATED);
	cr_assert_eq(summary_of(d, "new").failed_calls, 1);
	cr_assert_eq(promcb_snapshot_span(d, index_of(d, "reset")), PROMCB_SPAN_RESET);
	cr_assert_eq(summary_of(d, "reset").total_calls, 1);
	cr_assert_leq(promcb_snapshot_seconds(d, index_of(d, "reset")), seconds);
	cr_assert_eq(promcb_snapshot_span(d, 99), PROMCB_SPAN_UNKNOWN);
	cr_assert_eq(promcb_snapshot_seconds(d, 99), 0);
}

Test(reader, difference_is_what_came_between)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *x = fixture_component(p, "x"), *quiet = fixture_component(p, "quiet"),
				*reset = fixture_component(p, "reset");

	for (int i = 0; i < 1000; i++) {
		promcb_record(x, 5000, i % 2 == 0);
		promcb_record(quiet, 5000, true);
		promcb_record(reset, 5000, true);
	}
	promcb_set_state(x, PROMCB_OPEN);
	promcb_count_log(x, PROMCB_LOG_ERROR);

	struct promcb_reader *reader = open_reader(PROMCB_ACCESS_COPY);
	struct promcb_snapshot *before = take(reader, false), *after, *d, *none;

	for (int i = 0; i < 100; i++)
		promcb_record(x, i == 0 ? 8000000000 : 1000000, i >= 10);
	promcb_record_outcome(x, true);
	promcb_set_state(x, PROMCB_HALF_OPEN);
	promcb_set_state(x, PROMCB_OPEN);
	for (int i = 0; i < 3; i++)
		promcb_count_log(x, PROMCB_LOG_WARNING);
	promcb_record(fixture_component(p, "new"), 7000, false);
	cr_assert_eq(promcb_reset(p, "reset"), 0);
	promcb_record(reset, 9000, true);
	after = take(reader, false);

	cr_assert_eq(promcb_snapshot_span(after, 0), PROMCB_SPAN_TOTAL);
	cr_assert_eq(promcb_snapshot_difference(after, before, &d), 0);
	double seconds =
		(double)(promcb_snapshot_taken_monotonic_ns(after) - promcb_snapshot_taken_monotonic_ns(before)) / 1e9;

	check_recorded(d, seconds);
	check_others(d, seconds);
	cr_assert_eq(promcb_snapshot_difference(before, after, &none), -EINVAL);
	cr_assert_null(none);
	cr_assert_eq(promcb_snapshot_difference(d, before, &none), -EINVAL);
	cr_assert_eq(promcb_snapshot_difference(after, d, &none), -EINVAL);
	/* It lives alone. */
	promcb_snapshot_free(before);
	promcb_snapshot_free(after);
	cr_assert_eq(summary_of(d, "x").total_calls, 101);
	promcb_snapshot_free(d);
	promcb_reader_close(reader);
}

/* A difference of two selections says nothing of what one of them left out. */
Test(reader, difference_wants_one_selection)
{
	const struct promcb_snapshot_options some = {.matching = "x"}, others = {.matching = "y"};
	struct promcb_snapshot *all, *one, *another, *d;
	struct promcb_reader *reader;

	record("x", 10);
	record("y", 10);
	reader = open_reader(PROMCB_ACCESS_COPY);
	all = take(reader, false);
	cr_assert_eq(promcb_reader_snapshot(reader, &some, &one, NULL), 0);
	cr_assert_eq(promcb_reader_snapshot(reader, &others, &another, NULL), 0);
	cr_assert_eq(promcb_snapshot_difference(one, all, &d), -EINVAL);
	cr_assert_eq(promcb_snapshot_difference(another, one, &d), -EINVAL);
	promcb_snapshot_free(another);
	cr_assert_eq(promcb_reader_snapshot(reader, &some, &another, NULL), 0);
	cr_assert_eq(promcb_snapshot_difference(another, one, &d), 0);
	cr_assert_eq(summary_of(d, "x").total_calls, 0);
	promcb_snapshot_free(d);
	promcb_snapshot_free(another);
	promcb_snapshot_free(one);
	promcb_snapshot_free(all);
	promcb_reader_close(reader);
}

/* The same segment, and fewer calls than before: an older copy was put in its place. Nothing is made up of that. */
Test(reader, difference_of_counts_that_went_back)
{
	struct promcb_snapshot *before, *after, *d;
	struct promcb_reader *reader;
	char copy[80];

	snprintf(copy, sizeof(copy), "%s-copy", fixture_segment);
	record("x", 10);
	copy_file(fixture_segment, copy, O_TRUNC);
	record("x", 10);
	reader = open_reader(PROMCB_ACCESS_COPY);
	before = take(reader, false);
	copy_file(copy, fixture_segment, 0);
	unlink(copy);
	cr_assert_eq(promcb_reader_refresh(reader, NULL), 0);
	after = take(reader, false);
	cr_assert_eq(summary_of(after, "x").total_calls, 10);
	cr_assert_eq(promcb_snapshot_difference(after, before, &d), 0);
	cr_assert_eq(promcb_snapshot_span(d, 0), PROMCB_SPAN_UNKNOWN);
	cr_assert_eq(summary_of(d, "x").total_calls, 0);
	cr_assert_eq(summary_of(d, "x").latency_sum, 0);
	promcb_snapshot_free(d);
	promcb_snapshot_free(after);
	promcb_snapshot_free(before);
	promcb_reader_close(reader);
}

/* Reset, and silent when the earlier one was taken, a component is not in it; and yet it was there. */
Test(reader, difference_knows_the_silent)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *x = fixture_component(p, "x");
	struct promcb_snapshot *before, *after, *d;
	struct promcb_reader *reader;

	backdate("x", 3600 * SECOND);
	promcb_record(x, 1000, true);
	cr_assert_eq(promcb_reset(p, "x"), 0);
	reader = open_reader(PROMCB_ACCESS_COPY);
	before = take(reader, false);
	cr_assert_eq(promcb_snapshot_count(before), 0);
	promcb_record(x, 1000, true);
	after = take(reader, false);
	cr_assert_eq(promcb_snapshot_difference(after, before, &d), 0);
	cr_assert_eq(promcb_snapshot_span(d, 0), PROMCB_SPAN_BETWEEN);
	cr_assert_eq(summary_of(d, "x").total_calls, 1);
	promcb_snapshot_free(d);
	promcb_snapshot_free(after);
	promcb_snapshot_free(before);
	promcb_reader_close(reader);
}

/* SPDX-License-Identifier: MIT */
/* What a reader of reader.h is told besides totals: which file it reads, when things were, single calls and buckets. */
#include "reading.h"

#include "base/bucket.h"
#include "format/layout.h"

#include <inttypes.h>
#include <math.h>
#include <sys/wait.h>
#include <time.h>

TestSuite(reader, .init = fixture_begin, .fini = fixture_end);

/* -- Following ---------------------------------------------------------------------------------------------------- */

/* Removed, made anew, cut short, mended: a reader goes along, by copies and mapped, and holds on to nothing. */
static void follow(enum promcb_access access)
{
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;

	record("first", 1);
	reader = open_reader(access);
	cr_assert_eq(promcb_reader_refresh(reader, &message), 0);
	cr_assert_eq(promcb_reader_refresh(reader, &message), 0);

	unlink(fixture_segment);
	cr_assert_eq(promcb_reader_validate(reader), -ENOENT);
	cr_assert_eq(promcb_reader_refresh(reader, &message), -ENOENT);
	cr_assert_not_null(strstr(message.text, fixture_segment), "%s", message.text);
	cr_assert_eq(promcb_reader_refresh(reader, NULL), -ENOENT);
	snapshot = (void *)1;
	cr_assert_eq(promcb_reader_snapshot(reader, NULL, &snapshot, &message), -ENOENT);
	cr_assert_null(snapshot);
	cr_assert_eq(promcb_reader_check(reader, NULL, NULL), -ENOENT);

	record("second", 2);
	cr_assert_eq(promcb_reader_validate(reader), -ESTALE);
	cr_assert_eq(promcb_reader_refresh(reader, &message), 1);
	cr_assert_eq(promcb_reader_refresh(reader, &message), 0);
	snapshot = take(reader, false);
	cr_assert_eq(summary_of(snapshot, "second").total_calls, 2);
	cr_assert_eq(promcb_snapshot_count(snapshot), 1);
	promcb_snapshot_free(snapshot);

	/* Renamed over: there is a segment at each moment, and it is another one. */
	unlink(fixture_segment);
	record("third", 3);
	cr_assert_eq(promcb_reader_refresh(reader, NULL), 1);

	cr_assert_eq(truncate(fixture_segment, 5000), 0);
	cr_assert_eq(promcb_reader_validate(reader), -EBADMSG);
	cr_assert_eq(promcb_reader_refresh(reader, &message), -EBADMSG);
	cr_assert_eq(promcb_reader_refresh(reader, &message), -EBADMSG);
	unlink(fixture_segment);
	record("fourth", 4);
	cr_assert_eq(promcb_reader_refresh(reader, NULL), 1);
	snapshot = take(reader, false);
	cr_assert_eq(summary_of(snapshot, "fourth").total_calls, 4);
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
}

Test(reader, follows_by_copies)
{
	follow(PROMCB_ACCESS_COPY);
}

Test(reader, follows_mapped)
{
	cr_assert_eq(promcb_reader_catch_sigbus(), 0);
	follow(PROMCB_ACCESS_MAPPED);
}

/* A file that is written over, as by cp, is the same file, and another segment. */
Test(reader, follows_what_was_written_over)
{
	char copy[80];
	struct promcb_snapshot *before, *after, *difference;
	struct promcb_reader *reader;

	snprintf(copy, sizeof(copy), "%s-copy", fixture_segment);
	record("old", 5);
	copy_file(fixture_segment, copy, O_TRUNC);
	unlink(fixture_segment);
	record("new", 7);
	reader = open_reader(PROMCB_ACCESS_COPY);
	before = take(reader, false);
	cr_assert_eq(summary_of(before, "new").total_calls, 7);
	copy_file(copy, fixture_segment, O_TRUNC);
	unlink(copy);
	cr_assert_eq(promcb_reader_validate(reader), -ESTALE);
	cr_assert_eq(promcb_reader_refresh(reader, NULL), 1);
	after = take(reader, false);
	cr_assert_eq(summary_of(after, "old").total_calls, 5);
	cr_assert_eq(promcb_snapshot_difference(after, before, &difference), 1);
	cr_assert_eq(promcb_snapshot_span(difference, 0), PROMCB_SPAN_RECREATED);
	promcb_snapshot_free(before);
	promcb_snapshot_free(after);
	promcb_snapshot_free(difference);
	promcb_reader_close(reader);
}

/* A relative path means what it meant, wherever the process goes. */
Test(reader, follows_where_it_was_opened)
{
	struct promcb_reader *reader;
	const char *name = strrchr(fixture_segment, '/') + 1;
	char relative[80];

	record("x", 1);
	snprintf(relative, sizeof(relative), "shm/%s", name);
	cr_assert_eq(chdir("/dev"), 0);
	cr_assert_eq(promcb_reader_open(relative, NULL, &reader, NULL), 0);
	cr_assert_eq(chdir("/"), 0);
	unlink(fixture_segment);
	record("y", 1);
	cr_assert_eq(promcb_reader_refresh(reader, NULL), 1);
	promcb_reader_close(reader);
}

/* -- Moments ------------------------------------------------------------------------------------------------------- */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool is_near(uint64_t left_ns, uint64_t right_ns, uint64_t by_ns)
{
	return left_ns > right_ns ? left_ns - right_ns <= by_ns : right_ns - left_ns <= by_ns;
}

/* Between two bounds that a head's millisecond, and the time that the test took, leave. */
#define SOON ((uint64_t)20 * SECOND)

static void expect_moment(const struct promcb_snapshot *s, const char *name, enum promcb_moment moment, uint64_t ns)
{
	uint64_t said_ns = promcb_snapshot_moment_ns(s, index_of(s, name), moment);

	cr_assert(is_near(said_ns, ns, ns ? 5000000 : 0), "%s, %d: %" PRIu64 ", not %" PRIu64, name, (int)moment,
		  said_ns, ns);
}

Test(reader, tells_when)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *good = fixture_component(p, "good"), *mixed = fixture_component(p, "mixed"),
				*bad = fixture_component(p, "bad"), *young = fixture_component(p, "young");

	fixture_component(p, "idle");
	for (int i = 0; i < 3; i++)
		backdate((const char *[]){"good", "mixed", "bad"}[i], 3600 * SECOND);
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC), real_ns = clock_ns(CLOCK_REALTIME);

	/* So long ago that the window of recent calls has passed it. */
	promcb_record_at(good, 1000, true, now_ns - 2000 * SECOND);
	promcb_record_at(mixed, 1000, true, now_ns - 100 * SECOND);
	promcb_record_at(mixed, 1000, false, now_ns - 50 * SECOND);
	promcb_record_at(bad, 1000, false, now_ns - 30 * SECOND);
	/* A stamp from before the component was there lies; one that is far ahead says nothing. */
	promcb_record_at(young, 1000, true, now_ns - 10 * SECOND);
	promcb_set_state(bad, PROMCB_OPEN);

	struct promcb_reader *reader = open_reader(PROMCB_ACCESS_COPY);
	struct promcb_snapshot *s = take(reader, false);
	size_t i = index_of(s, "young");

	cr_assert(is_near(promcb_snapshot_taken_ns(s), real_ns, SOON));
	cr_assert(is_near(promcb_snapshot_taken_monotonic_ns(s), now_ns, SOON));
	cr_assert(is_near(promcb_snapshot_moment_ns(s, i, PROMCB_MOMENT_CREATED), real_ns, SOON));
	cr_assert_eq(promcb_snapshot_moment_ns(s, i, PROMCB_MOMENT_SINCE),
		     promcb_snapshot_moment_ns(s, i, PROMCB_MOMENT_CREATED));
	cr_assert_eq(promcb_snapshot_moment_ns(s, i, PROMCB_MOMENT_LAST_CALL),
		     promcb_snapshot_moment_ns(s, i, PROMCB_MOMENT_CREATED));
	cr_assert_eq(promcb_snapshot_moment_ns(s, i, (enum promcb_moment)77), 0);
	cr_assert_eq(promcb_snapshot_moment_ns(s, 99, PROMCB_MOMENT_SINCE), 0);
	for (int moment = PROMCB_MOMENT_LAST_CALL; moment <= PROMCB_MOMENT_LAST_STATE_CHANGE; moment++)
		expect_moment(s, "idle", (enum promcb_moment)moment, 0);
	expect_moment(s, "good", PROMCB_MOMENT_LAST_CALL, real_ns - 2000 * SECOND);
	expect_moment(s, "good", PROMCB_MOMENT_LAST_SUCCESS, real_ns - 2000 * SECOND);
	expect_moment(s, "good", PROMCB_MOMENT_LAST_FAILURE, 0);
	expect_moment(s, "mixed", PROMCB_MOMENT_LAST_CALL, real_ns - 50 * SECOND);
	expect_moment(s, "mixed", PROMCB_MOMENT_LAST_SUCCESS, real_ns - 100 * SECOND);
	expect_moment(s, "bad", PROMCB_MOMENT_LAST_CALL, real_ns - 30 * SECOND);
	expect_moment(s, "bad", PROMCB_MOMENT_LAST_SUCCESS, 0);
	cr_assert(is_near(promcb_snapshot_moment_ns(s, index_of(s, "bad"), PROMCB_MOMENT_LAST_FAILURE), real_ns, SOON));
	cr_assert(is_near(promcb_snapshot_moment_ns(s, index_of(s, "bad"), PROMCB_MOMENT_LAST_STATE_CHANGE), real_ns,
			  SOON));
	promcb_snapshot_free(s);

	/* What came before a reset is forgotten, with its time. */
	cr_assert_eq(promcb_reset(p, "good"), 0);
	cr_assert_eq(promcb_reset(p, "bad"), 0);
	promcb_record_at(good, 1000, false, clock_ns(CLOCK_MONOTONIC) + SECOND / 2);
	s = take(reader, false);
	i = index_of(s, "good");
	cr_assert(is_near(promcb_snapshot_moment_ns(s, i, PROMCB_MOMENT_SINCE), real_ns, SOON));
	cr_assert_geq(promcb_snapshot_moment_ns(s, i, PROMCB_MOMENT_LAST_CALL),
		      promcb_snapshot_moment_ns(s, i, PROMCB_MOMENT_SINCE));
	cr_assert_leq(promcb_snapshot_moment_ns(s, i, PROMCB_MOMENT_LAST_CALL), promcb_snapshot_taken_ns(s));
	expect_moment(s, "good", PROMCB_MOMENT_LAST_SUCCESS, 0);
	expect_moment(s, "bad", PROMCB_MOMENT_LAST_CALL, 0);
	promcb_snapshot_free(s);
	promcb_reader_close(reader);
}

/* However many failures came after, however long ago: in the first ring, in a full one, and without a latency. */
Test(reader, last_success_is_known)
{
	static const char *const names[] = {"one", "many", "outcome", "again", "reset"};
	static const unsigned failures[] = {1, 3000, 5, 2000, 40};
	const struct promcb_options options = {.recent_samples = 100};
	struct promcb_session *p = fixture_open(&options);
	uint64_t now_ns, real_ns;

	for (unsigned i = 0; i < 5; i++) {
		fixture_component(p, names[i]);
		backdate(names[i], 90000 * SECOND);
	}
	now_ns = clock_ns(CLOCK_MONOTONIC);
	real_ns = clock_ns(CLOCK_REALTIME);
	for (unsigned i = 0; i < 5; i++) {
		struct promcb_component *component = fixture_component(p, names[i]);

		/* Older than the one that counts. */
		for (unsigned n = 0; n < 300; n++)
			promcb_record_at(component, 1000, n % 3 != 1, now_ns - 6000 * SECOND);
		promcb_record_at(component, 1000, true, now_ns - 5000 * SECOND);
		for (unsigned n = 0; n < failures[i] && i != 2; n++)
			promcb_record_at(component, 1000, false, now_ns - 4000 * SECOND);
		for (unsigned n = 0; n < failures[i] && i == 2; n++)
			promcb_record_outcome(component, false);
		if (i == 3)
			promcb_record_at(component, 1000, true, now_ns - 3000 * SECOND);
	}
	cr_assert_eq(promcb_reset(p, "reset"), 0);
	promcb_record_outcome(fixture_component(p, "reset"), false);
	for (unsigned way = 0; way < 4; way++) {
		const struct promcb_snapshot_options wanted = {.flags = way / 2 ? PROMCB_SNAPSHOT_WITHOUT_RECENT : 0};
		struct promcb_reader *reader = open_reader(way % 2 ? PROMCB_ACCESS_MAPPED : PROMCB_ACCESS_COPY);
		struct promcb_snapshot *s;

		cr_assert_eq(promcb_reader_snapshot(reader, &wanted, &s, NULL), 0);
		for (unsigned i = 0; i < 3; i++)
			expect_moment(s, names[i], PROMCB_MOMENT_LAST_SUCCESS, real_ns - 5000 * SECOND);
		expect_moment(s, "again", PROMCB_MOMENT_LAST_SUCCESS, real_ns - 3000 * SECOND);
		expect_moment(s, "reset", PROMCB_MOMENT_LAST_SUCCESS, 0);
		promcb_snapshot_free(s);
		promcb_reader_close(reader);
	}
}

/* -- Single calls -------------------------------------------------------------------------------------------------- */

static struct promcb_recent_call call_of(const struct promcb_snapshot *s, const char *name, size_t number)
{
	struct promcb_recent_call call;

	cr_assert_eq(promcb_snapshot_call(s, index_of(s, name), number, &call), 0, "call %zu of %s", number, name);
	return call;
}

/* The newest first, over all lanes and both kinds of ring, with their times, latencies and outcomes. */
Test(reader, lists_newest_calls)
{
	const struct promcb_options options = {.recent_samples = 100};
	struct promcb_component *component = fixture_component(fixture_open(&options), "x");
	struct promcb_recent_call call;
	pid_t child;

	backdate("x", 3600 * SECOND);
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC) - 10 * SECOND, real_ns = clock_ns(CLOCK_REALTIME) - 10 * SECOND;

	/* Calls 0 to 149, a second apart; even ones here, odd ones in another process. */
	child = fork();
	for (unsigned i = child == 0; i < 150; i += 2)
		promcb_record_at(component, 1000 + i, i % 3 != 0, now_ns - (149 - i) * SECOND);
	if (child == 0)
		_exit(0);
	cr_assert_eq(waitpid(child, NULL, 0), child);

	struct promcb_reader *reader = open_reader(PROMCB_ACCESS_COPY);
	struct promcb_snapshot *s = take(reader, true);
	struct promcb_summary summary = summary_of(s, "x");

	cr_assert_eq(summary.recent_calls, 100);
	for (unsigned n = 0; n < 100; n++) {
		unsigned i = 149 - n;

		call = call_of(s, "x", n);
		cr_assert_eq(call.latency_ns, 1000 + i, "%u: %" PRIu64, n, call.latency_ns);
		cr_assert_eq(call.failed, i % 3 == 0);
		cr_assert(is_near(call.time_ns, real_ns - n * SECOND, 5000000), "%u: %" PRIu64, n, call.time_ns);
	}
	cr_assert_eq(promcb_snapshot_call(s, index_of(s, "x"), 100, &call), -ENOENT);
	cr_assert_eq(promcb_snapshot_call(s, 99, 0, &call), -ENOENT);
	promcb_snapshot_free(s);

	/* Without a latency, and one that is longer than all; and only where they are asked for. */
	promcb_record_outcome(component, false);
	promcb_record(component, UINT64_MAX, true);
	s = take(reader, true);
	cr_assert_eq(call_of(s, "x", 0).latency_ns, PROMCB_LATENCY_MAX_NS);
	cr_assert_eq(call_of(s, "x", 1).latency_ns, PROMCB_LATENCY_UNMEASURED);
	cr_assert_eq(call_of(s, "x", 1).failed, 1);
	promcb_snapshot_free(s);
	s = take(reader, false);
	cr_assert_eq(promcb_snapshot_call(s, index_of(s, "x"), 0, &call), -ENOENT);
	promcb_snapshot_free(s);
	promcb_reader_close(reader);
}

/* A ring out of order (a clock that was set back) has the same calls, by their times. */
Test(reader, lists_calls_of_clocks_that_jump)
{
	struct promcb_component *component = fixture_component(fixture_open(NULL), "x");
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC), last_ns = UINT64_MAX;
	struct promcb_summary summary;
	bool seen[300] = {false};

	for (unsigned i = 0; i < 300; i++)
		promcb_record_at(component, 1000 + i, true, now_ns - (i * 37 % 300) * SECOND);

	struct promcb_reader *reader = open_reader(PROMCB_ACCESS_COPY);
	struct promcb_snapshot *s = take(reader, true);

	summary = summary_of(s, "x");
	cr_assert_eq(summary.recent_calls, 300);
	for (unsigned n = 0; n < 300; n++) {
		struct promcb_recent_call call = call_of(s, "x", n);

		cr_assert_leq(call.time_ns, last_ns);
		last_ns = call.time_ns;
		cr_assert(call.latency_ns >= 1000 && call.latency_ns < 1300 && !seen[call.latency_ns - 1000]);
		seen[call.latency_ns - 1000] = true;
		cr_assert_eq((call.latency_ns - 1000) * 37 % 300, n);
	}
	promcb_snapshot_free(s);
	promcb_reader_close(reader);
}

/* -- Buckets ------------------------------------------------------------------------------------------------------- */

/* Each whole nanosecond near a bound lies in the bucket whose bounds say so, and buckets leave no gap. */
Test(reader, bucket_bounds_are_exact)
{
	struct promcb_bucket bounds, next;

	cr_assert_eq(promcb_bucket_count(2), 0);
	cr_assert_eq(promcb_bucket_bounds(2, 0, &bounds), -EINVAL);
	for (uint32_t schema = 3; schema <= 5; schema++) {
		size_t count = promcb_bucket_count(schema);

		cr_assert_eq(promcb_bucket_bounds(schema, count, &bounds), -EINVAL);
		cr_assert_eq(promcb_bucket_bounds(schema, 0, &bounds), 0);
		cr_assert(bounds.least_ns == 0 && bounds.most_ns == 0 && bounds.above_seconds == 0);
		for (size_t bucket = 1; bucket < count; bucket++, bounds = next) {
			cr_assert_eq(promcb_bucket_bounds(schema, bucket, &next), 0);
			cr_assert_eq(next.least_ns, bounds.most_ns + 1);
			cr_assert_eq(next.above_seconds, bounds.upto_seconds);
			cr_assert_lt(next.above_seconds, next.upto_seconds);
			if (next.least_ns > next.most_ns)
				continue;
			cr_assert_eq(promcb_bucket_of(schema, next.least_ns), bucket);
			cr_assert_eq(promcb_bucket_of(schema, next.most_ns), bucket);
		}
		cr_assert_eq(bounds.most_ns, PROMCB_LATENCY_MAX_NS);
	}
}

static int compare_words(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

/* The bucket of a quantile holds the latency of that rank, whichever it is; counts are of both outcomes or of one. */
Test(reader, quantiles_are_exact_to_a_bucket)
{
	static const double quantiles[] = {0, 0.01, 0.07, 0.5, 0.9, 0.99, 0.999, 1};
	struct promcb_component *component = fixture_component(fixture_open(NULL), "x");
	static uint64_t latencies[1000], counts[2][400], both[400];
	struct promcb_bucket bounds;
	uint64_t calls;

	for (unsigned i = 0; i < 1000; i++) {
		latencies[i] = (i * 2654435761u) % 50000000;
		promcb_record(component, latencies[i], i % 4 != 0);
	}
	promcb_record_outcome(component, true);

	struct promcb_snapshot *s = fixture_snapshot();
	size_t i = index_of(s, "x"), buckets = promcb_bucket_count(3);

	cr_assert_eq(promcb_snapshot_buckets(s, i, PROMCB_OUTCOME_SUCCESS, counts[0], 400), buckets);
	cr_assert_eq(promcb_snapshot_buckets(s, i, PROMCB_OUTCOME_FAILURE, counts[1], 400), buckets);
	cr_assert_eq(promcb_snapshot_buckets(s, i, PROMCB_OUTCOME_ANY, both, 400), buckets);
	for (unsigned k = 0; k < 1000; k++)
		counts[k % 4 == 0][promcb_bucket_of(3, latencies[k])]--;
	for (size_t bucket = 0; bucket < buckets; bucket++) {
		cr_assert_eq(counts[0][bucket], 0);
		cr_assert_eq(counts[1][bucket], 0);
	}
	for (unsigned k = 0; k < 1000; k++)
		both[promcb_bucket_of(3, latencies[k])]--;
	for (size_t bucket = 0; bucket < buckets; bucket++)
		cr_assert_eq(both[bucket], 0);
	/* Room for fewer than there are. */
	both[5] = 77;
	cr_assert_eq(promcb_snapshot_buckets(s, i, PROMCB_OUTCOME_ANY, both, 5), buckets);
	cr_assert_eq(both[5], 77);
	cr_assert_eq(promcb_snapshot_buckets(s, 99, PROMCB_OUTCOME_ANY, both, 5), 0);
	cr_assert_eq(promcb_snapshot_buckets(s, i, (enum promcb_outcome)3, both, 5), 0);

	qsort(latencies, 1000, sizeof(latencies[0]), compare_words);
	for (unsigned q = 0; q < sizeof(quantiles) / sizeof(quantiles[0]); q++) {
		unsigned rank = (unsigned)lround(ceil(quantiles[q] * 1000 - 1e-6));

		rank = rank ? rank : 1;
		cr_assert_eq(promcb_snapshot_quantile(s, i, PROMCB_OUTCOME_ANY, quantiles[q], &bounds, &calls), 0);
		cr_assert_eq(calls, 1000);
		cr_assert(bounds.least_ns <= latencies[rank - 1] && latencies[rank - 1] <= bounds.most_ns, "%f",
			  quantiles[q]);
	}
	cr_assert_eq(promcb_snapshot_quantile(s, i, PROMCB_OUTCOME_FAILURE, 0.5, &bounds, &calls), 0);
	cr_assert_eq(calls, 250);
	cr_assert_eq(promcb_snapshot_quantile(s, i, PROMCB_OUTCOME_ANY, NAN, &bounds, NULL), -EINVAL);
	cr_assert_eq(promcb_snapshot_quantile(s, i, PROMCB_OUTCOME_ANY, 1.01, &bounds, NULL), -EINVAL);
	cr_assert_eq(promcb_snapshot_quantile(s, i, (enum promcb_outcome)9, 0.5, &bounds, NULL), -EINVAL);
	cr_assert_eq(promcb_snapshot_quantile(s, 99, PROMCB_OUTCOME_ANY, 0.5, &bounds, NULL), -ENOENT);
	promcb_snapshot_free(s);
}

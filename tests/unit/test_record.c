/* SPDX-License-Identifier: MIT */
/* What is recorded is read back: every call of promcb.h, at its edges. */
#include "fixture.h"

#include <promcb/inline.h>

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

TestSuite(record, .init = fixture_begin, .fini = fixture_end);

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

Test(record, summary_has_every_field)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *component = fixture_component(p, "payment_api");
	double before = (double)time(NULL) - 1;

	for (uint64_t k = 1; k <= 100; k++)
		promcb_record_at(component, k * 1000000, k % 4 != 0, now_ns());
	struct promcb_summary s = fixture_summary("payment_api");

	cr_assert_eq(s.total_calls, 100);
	cr_assert_eq(s.successful_calls, 75);
	cr_assert_eq(s.failed_calls, 25);
	cr_assert_float_eq(s.success_rate, 75, 1e-9);
	cr_assert_float_eq(s.failure_rate, 25, 1e-9);
	cr_assert_float_eq(s.latency_sum, 5.05, 1e-9);
	cr_assert_eq(s.recent_calls, 100);
	cr_assert_float_eq(s.avg_latency, 0.0505, 1e-7);
	cr_assert_float_eq(s.min_latency, 0.001, 1e-9);
	cr_assert_float_eq(s.max_latency, 0.1, 1e-7);
	/* Linear interpolation: position q * 99. */
	cr_assert_float_eq(s.p50, 0.0505, 1e-7);
	cr_assert_float_eq(s.p95, 0.09505, 1e-7);
	cr_assert_float_eq(s.p99, 0.09901, 1e-7);
	cr_assert_float_eq(s.recent_failure_rate, 25, 1e-9);
	cr_assert_eq(s.state, PROMCB_CLOSED);
	cr_assert_geq(s.last_failure_time, before);
	cr_assert_leq(s.last_failure_time, (double)time(NULL) + 1);
	cr_assert(isnan(s.last_state_change));
}

Test(record, nothing_recorded_is_listed_with_zeros_and_nan)
{
	fixture_component(fixture_open(NULL), "idle");
	struct promcb_summary s = fixture_summary("idle");

	cr_assert_eq(s.total_calls, 0);
	cr_assert_eq(s.failure_rate, 0);
	cr_assert(isnan(s.p99) && isnan(s.avg_latency) && isnan(s.min_latency) && isnan(s.last_failure_time));
	cr_assert(!fixture_lists("_overflow"));
}

Test(record, latency_zero_and_beyond_the_maximum)
{
	struct promcb_component *component = fixture_component(fixture_open(NULL), "edges");

	promcb_record(component, 0, true);
	promcb_record(component, PROMCB_LATENCY_MAX_NS, true);
	promcb_record(component, PROMCB_LATENCY_MAX_NS + 1, false);
	promcb_record(component, UINT64_MAX, true);
	struct promcb_summary s = fixture_summary("edges");

	cr_assert_eq(s.total_calls, 4);
	cr_assert_float_eq(s.latency_sum, 3 * (double)PROMCB_LATENCY_MAX_NS / 1e9, 1e-3);
	cr_assert_float_eq(s.max_latency, (double)PROMCB_LATENCY_MAX_NS / 1e9, 1e-3);
	cr_assert_eq(s.min_latency, 0);
	cr_assert_eq(fixture_info().saturated_calls, 2);
}

Test(record, inline_and_called_twins_agree)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *called = fixture_component(p, "called"), *inlined = fixture_component(p, "inlined");

	for (uint64_t k = 0; k < 5000; k++) {
		uint64_t latency_ns = k * k * k, at_ns = now_ns();

		promcb_record_at(called, latency_ns, k % 9 != 0, at_ns);
		promcb_record_at_inline(inlined, latency_ns, k % 9 != 0, at_ns);
	}
	struct promcb_summary a = fixture_summary("called"), b = fixture_summary("inlined");

	cr_assert_eq(a.total_calls, b.total_calls);
	cr_assert_eq(a.failed_calls, b.failed_calls);
	cr_assert_eq(a.latency_sum, b.latency_sum);
	cr_assert_eq(a.p99, b.p99);
	cr_assert_eq(a.recent_calls, 1000);
}

/* Runs of any length, over first and full rings, with latencies of 0 and beyond the maximum, equal single records. */
Test(record, many_at_once_equal_one_by_one)
{
	for (uint32_t schema = 3; schema <= 4; schema++) {
		const struct promcb_options options = {.schema = schema};
		static uint64_t latencies_ns[3000];

		fixture_end();
		struct promcb_session *p = fixture_open(&options);
		struct promcb_component *single = fixture_component(p, "single"), *many = fixture_component(p, "many");

		for (uint64_t run = 0, k = 0; run < 200; run++) {
			size_t count = run < 100 ? run : run * 37 % 3000;
			bool success = run % 7 != 0;
			uint64_t at_ns = now_ns();

			for (size_t i = 0; i < count; i++, k++) {
				latencies_ns[i] = k % 501 == 0 ? 0 : k % 1001 == 1 ? UINT64_MAX : k * k % 1000000007;
				promcb_record_at(single, latencies_ns[i], success, at_ns);
			}
			promcb_record_many(many, latencies_ns, count, success, at_ns);
		}
		struct promcb_summary a = fixture_summary("single"), b = fixture_summary("many");

		cr_assert_gt(a.total_calls, 100000);
		cr_assert_eq(a.total_calls, b.total_calls);
		cr_assert_eq(a.failed_calls, b.failed_calls);
		cr_assert_eq(a.latency_sum, b.latency_sum);
		cr_assert_eq(a.recent_calls, b.recent_calls);
		cr_assert_eq(a.avg_latency, b.avg_latency);
		cr_assert_eq(a.p50, b.p50);
		cr_assert_eq(a.p999, b.p999);
		promcb_close(p);
	}
}

static struct promcb_component *interrupted;
static uint64_t handled_calls;
static const struct itimerval soon = {{0, 0}, {0, 50}};

static void record_while_interrupted(int number)
{
	static const uint64_t latencies_ns[40] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
						  7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};

	(void)number;
	promcb_record_many(interrupted, latencies_ns, 40, true, now_ns());
	promcb_record(interrupted, 7, true);
	handled_calls += 41;
	/* Not by an interval: where a handler takes longer than that, nothing else would ever run. */
	setitimer(ITIMER_REAL, &soon, NULL);
}

/* A handler records into the component that its thread is recording a run into: nothing is lost, nor its latency. */
Test(record, many_at_once_are_interrupted_by_a_handler_that_records)
{
	const struct itimerval never = {{0, 0}, {0, 0}};
	static uint64_t latencies_ns[1000];
	uint64_t calls = 0;

	interrupted = fixture_component(fixture_open(NULL), "interrupted");
	for (size_t i = 0; i < 1000; i++)
		latencies_ns[i] = 1000;
	signal(SIGALRM, record_while_interrupted);
	setitimer(ITIMER_REAL, &soon, NULL);
	while (promcb_load_relaxed(&handled_calls) < 41 * 200) {
		promcb_record_many(interrupted, latencies_ns, 1000, true, now_ns());
		calls += 1000;
	}
	signal(SIGALRM, SIG_IGN);
	setitimer(ITIMER_REAL, &never, NULL);
	struct promcb_summary s = fixture_summary("interrupted");

	cr_assert_eq(s.total_calls, calls + handled_calls);
	cr_assert_float_eq(s.latency_sum * 1e9, (double)(1000 * calls + 7 * handled_calls), 0.5);
}

/* A call without a latency counts wherever calls count, and nowhere else. */
Test(record, outcomes_alone_are_calls_without_a_latency)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *mixed = fixture_component(p, "mixed"), *alone = fixture_component(p, "alone");
	double before = (double)time(NULL) - 1;

	for (uint64_t k = 1; k <= 100; k++)
		promcb_record_at(mixed, k * 1000000, k % 4 != 0, now_ns());
	for (uint64_t k = 0; k < 60; k++) {
		promcb_record_outcome(mixed, k % 3 == 0);
		promcb_record_outcome(alone, k % 10 != 0);
	}
	struct promcb_summary s = fixture_summary("mixed");

	cr_assert_eq(s.total_calls, 160);
	cr_assert_eq(s.successful_calls, 75 + 20);
	cr_assert_eq(s.failed_calls, 25 + 40);
	cr_assert_eq(s.unmeasured_calls, 60);
	cr_assert_float_eq(s.latency_sum, 5.05, 1e-9);
	cr_assert_float_eq(s.p99, 0.09901, 1e-7);
	cr_assert_float_eq(s.avg_latency, 0.0505, 1e-7);
	cr_assert_eq(s.recent_calls, 160);
	cr_assert_float_eq(s.recent_failure_rate, 100 * 65.0 / 160, 1e-9);
	s = fixture_summary("alone");
	cr_assert_eq(s.total_calls, 60);
	cr_assert_eq(s.failed_calls, 6);
	cr_assert_float_eq(s.recent_failure_rate, 10, 1e-9);
	cr_assert(isnan(s.p50) && isnan(s.avg_latency) && isnan(s.min_latency) && isnan(s.max_latency));
	cr_assert_eq(s.latency_sum, 0);
	cr_assert_geq(s.last_failure_time, before);

	cr_assert_eq(promcb_reset(p, "mixed"), 0);
	promcb_record_outcome(mixed, false);
	s = fixture_summary("mixed");
	cr_assert_eq(s.total_calls, 1);
	cr_assert_eq(s.failed_calls, 1);
	cr_assert_eq(s.unmeasured_calls, 1);
	promcb_close(p);
	promcb_record_outcome(mixed, true);
}

Test(record, outcomes_alone_count_where_there_is_no_lane)
{
	const struct promcb_options options = {.lanes = 1, .schema = 4};
	struct promcb_component *component = fixture_component(fixture_open(&options), "crowded");

	/* The lane is the parent's. */
	promcb_record_outcome(component, true);
	for (unsigned k = 0; k < 3; k++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			for (unsigned i = 0; i < 100; i++)
				promcb_record_outcome(component, i % 2);
			_exit(0);
		}
		cr_assert_eq(waitpid(child, &status, 0), child);
	}
	struct promcb_summary s = fixture_summary("crowded");

	cr_assert_eq(s.total_calls, 301);
	cr_assert_eq(s.failed_calls, 150);
	cr_assert_eq(s.unmeasured_calls, 301);
	cr_assert_eq(fixture_info().overflow_calls, 300);
}

Test(record, other_schemas_count_the_same)
{
	for (uint32_t schema = 4; schema <= 5; schema++) {
		const struct promcb_options options = {.schema = schema};

		fixture_end();
		struct promcb_session *p = fixture_open(&options);
		struct promcb_component *component = fixture_component(p, "fine");

		for (uint64_t k = 0; k < 3000; k++)
			promcb_record(component, k * 100000, k % 3 != 0);
		struct promcb_summary s = fixture_summary("fine");

		cr_assert_eq(s.total_calls, 3000);
		cr_assert_eq(s.failed_calls, 1000);
		cr_assert_eq(s.recent_calls, 1000);
		cr_assert_eq(fixture_info().schema, schema);
		promcb_close(p);
	}
}

Test(record, only_the_newest_samples_count)
{
	const struct promcb_options options = {.recent_samples = 50};
	struct promcb_component *component = fixture_component(fixture_open(&options), "newest");

	for (uint64_t k = 1; k <= 1000; k++)
		promcb_record_at(component, k * 1000000, true, now_ns());
	struct promcb_summary s = fixture_summary("newest");

	cr_assert_eq(s.recent_calls, 50);
	cr_assert_float_eq(s.min_latency, 0.951, 1e-6);
	cr_assert_float_eq(s.max_latency, 1.0, 1e-6);
}

Test(record, samples_age)
{
	const struct promcb_options options = {.window_seconds = 10};
	struct promcb_component *component = fixture_component(fixture_open(&options), "aged");

	promcb_record_at(component, 1000000, true, now_ns() - 20000000000u);
	promcb_record_at(component, 2000000, true, now_ns());
	promcb_record_at(component, 3000000, true, now_ns() + 60000000000u);
	struct promcb_summary s = fixture_summary("aged");

	cr_assert_eq(s.total_calls, 3);
	cr_assert_eq(s.recent_calls, 1);
	cr_assert_float_eq(s.p50, 0.002, 1e-8);
}

Test(record, start_and_stop)
{
	struct promcb_component *component = fixture_component(fixture_open(NULL), "timed");
	uint64_t begin = now_ns(), token = promcb_start();

	while (now_ns() - begin < 5000000) {
	}
	cr_assert_geq(promcb_elapsed_ns(token), 4900000);
	promcb_stop(component, token, true);
	double elapsed = (double)(now_ns() - begin) / 1e9;
	struct promcb_summary s = fixture_summary("timed");

	cr_assert_eq(s.total_calls, 1);
	cr_assert_geq(s.latency_sum, 0.0049);
	cr_assert_leq(s.latency_sum, elapsed);
	cr_assert_eq(promcb_elapsed_ns(now_ns() + 1000000000000u), 0);
	/* A token from the future: counted, with a latency of 0. */
	promcb_stop(component, now_ns() + 1000000000000u, true);
	cr_assert_eq(fixture_summary("timed").total_calls, 2);
	cr_assert_eq(fixture_info().backward_calls, 1);
}

Test(record, by_name)
{
	struct promcb_session *p = fixture_open(NULL);

	cr_assert_eq(promcb_call(p, "GET_/index", 0.025, true), 0);
	cr_assert_eq(promcb_call(p, "GET_/index", 0.5e-9, false), 0);
	cr_assert_eq(promcb_call(p, "GET_/index", 1e300, true), 0);
	cr_assert_eq(promcb_call(p, "GET_/index", -0.001, true), -EINVAL);
	cr_assert_eq(promcb_call(p, "GET_/index", (double)NAN, true), -EINVAL);
	cr_assert_eq(promcb_call(p, "GET_/index", (double)INFINITY, true), -EINVAL);
	cr_assert_eq(promcb_call(p, "", 1, true), -EINVAL);
	cr_assert_eq(promcb_call(NULL, "x", 1, true), -EINVAL);
	struct promcb_summary s = fixture_summary("GET_/index");

	cr_assert_eq(s.total_calls, 3);
	cr_assert_eq(s.failed_calls, 1);
	cr_assert_eq(fixture_info().rejected_calls, 3);
	cr_assert_eq(fixture_info().saturated_calls, 1);
}

Test(record, bad_lines)
{
	struct promcb_session *p = fixture_open(NULL);

	promcb_count_bad_lines(p, 3);
	promcb_count_bad_lines(p, 1);
	promcb_count_bad_lines(NULL, 1);
	cr_assert_eq(fixture_info().bad_lines, 4);
	promcb_close(p);
}

Test(record, log_entries)
{
	struct promcb_component *component = fixture_component(fixture_open(NULL), "logger");

	for (int k = 0; k < 4; k++)
		for (int n = 0; n <= k; n++)
			promcb_count_log(component, (enum promcb_log_level)k);
	promcb_count_log(component, (enum promcb_log_level)99);
	struct promcb_summary s = fixture_summary("logger");

	cr_assert_eq(s.log_entries[PROMCB_LOG_DEBUG], 1);
	cr_assert_eq(s.log_entries[PROMCB_LOG_INFO], 2);
	cr_assert_eq(s.log_entries[PROMCB_LOG_WARNING], 3);
	cr_assert_eq(s.log_entries[PROMCB_LOG_ERROR], 5);
}

Test(record, states_and_transitions)
{
	struct promcb_component *component = fixture_component(fixture_open(NULL), "breaker");

	cr_assert_eq(promcb_set_state(component, PROMCB_OPEN), 0);
	cr_assert_eq(promcb_set_state(component, PROMCB_OPEN), 0);
	cr_assert_eq(promcb_set_state(component, PROMCB_HALF_OPEN), 0);
	cr_assert_eq(promcb_set_state(component, PROMCB_OPEN), 0);
	cr_assert_eq(promcb_set_state(component, (enum promcb_state)3), -EINVAL);
	struct promcb_summary s = fixture_summary("breaker");

	cr_assert_eq(s.state, PROMCB_OPEN);
	cr_assert_eq(s.transitions[PROMCB_CLOSED], 0);
	cr_assert_eq(s.transitions[PROMCB_OPEN], 2);
	cr_assert_eq(s.transitions[PROMCB_HALF_OPEN], 1);
	cr_assert_geq(s.last_state_change, (double)time(NULL) - 2);
}

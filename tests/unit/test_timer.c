/* SPDX-License-Identifier: MIT */
/* timer.c: what laps and coarse calls add up to. Clocks are compared with what was read of them before and after. */
#include "fixture.h"

#include <promcb/inline.h>

TestSuite(timer, .init = fixture_begin, .fini = fixture_end);

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double sum_ns(const char *name)
{
	return fixture_summary(name).latency_sum * 1e9;
}

/* Over the change to the TSC, which comes after 10 ms: nothing is lost between two laps, and nothing is in both. */
Test(timer, laps_are_the_whole_time)
{
	struct promcb_component *component = fixture_component(fixture_open(NULL), "lap");
	uint64_t outer = clock_ns(CLOCK_MONOTONIC), token = promcb_start(), inner = clock_ns(CLOCK_MONOTONIC);
	uint64_t count = 0, last, slack;

	do {
		last = clock_ns(CLOCK_MONOTONIC);
		token = promcb_lap(component, token, count % 5 != 0);
		count++;
	} while (last - inner < 30000000);
	outer = clock_ns(CLOCK_MONOTONIC) - outer;
	cr_assert_neq(token, 0);
	cr_assert_eq(fixture_summary("lap").total_calls, count);
	cr_assert_eq(fixture_info().backward_calls, 0);
	/* Each is rounded down to 1 ns; the rate was measured over 10 ms, and the change is between two clocks. */
	slack = count + outer / 1000 + 10000;
	cr_assert_leq(sum_ns("lap"), (double)(outer + slack), "%.0f of %llu ns", sum_ns("lap"),
		      (unsigned long long)outer);
	cr_assert_geq(sum_ns("lap") + (double)slack, (double)(last - inner), "%.0f of %llu ns", sum_ns("lap"),
		      (unsigned long long)(last - inner));
	promcb_stop(component, token, true);
	cr_assert_eq(fixture_summary("lap").total_calls, count + 1);
}

Test(timer, a_lap_from_the_future)
{
	struct promcb_component *component = fixture_component(fixture_open(NULL), "lap");
	uint64_t token = promcb_lap(component, clock_ns(CLOCK_MONOTONIC) + 1000000000000u, true);

	cr_assert_eq(fixture_summary("lap").total_calls, 1);
	cr_assert_eq(fixture_info().backward_calls, 1);
	promcb_lap(component, token, true);
	cr_assert_eq(fixture_info().backward_calls, 1);
	cr_assert_leq(sum_ns("lap"), 100e9);
}

/* A coarse call is the difference of two readings, to the nanosecond. */
Test(timer, coarse_calls_are_ticks)
{
	struct promcb_component *component = fixture_component(fixture_open(NULL), "coarse");
	uint64_t before = clock_ns(CLOCK_MONOTONIC_COARSE), start = promcb_start_coarse();
	uint64_t after = clock_ns(CLOCK_MONOTONIC_COARSE), stop_after, stop_before;

	cr_assert(before <= start && start <= after);
	/* Two ticks, however long those are. */
	while ((stop_before = clock_ns(CLOCK_MONOTONIC_COARSE)) < start + 2)
		;
	while (clock_ns(CLOCK_MONOTONIC_COARSE) == stop_before)
		;
	stop_before = clock_ns(CLOCK_MONOTONIC_COARSE);
	promcb_stop_coarse(component, start, true);
	stop_after = clock_ns(CLOCK_MONOTONIC_COARSE);
	cr_assert_geq(sum_ns("coarse") + 0.5, (double)(stop_before - start));
	cr_assert_leq(sum_ns("coarse") - 0.5, (double)(stop_after - start));
	cr_assert_eq(fixture_summary("coarse").total_calls, 1);
}

/* 1 ns, so that it is a record as most are; a tick, where one came in between. */
Test(timer, coarse_calls_within_a_tick)
{
	struct promcb_component *component = fixture_component(fixture_open(NULL), "short");
	double least = 0, most = 0;

	for (unsigned call = 0; call < 1000; call++) {
		uint64_t start = promcb_start_coarse(), end;

		promcb_stop_coarse(component, start, call % 3 != 0);
		end = clock_ns(CLOCK_MONOTONIC_COARSE);
		least += 1;
		most += end == start ? 1 : (double)(end - start);
	}
	cr_assert_eq(fixture_summary("short").total_calls, 1000);
	cr_assert_geq(sum_ns("short") + 0.5, least);
	cr_assert_leq(sum_ns("short") - 0.5, most);
}

Test(timer, tokens_of_the_other_kind)
{
	struct promcb_component *component = fixture_component(fixture_open(NULL), "mixed");
	uint64_t coarse = promcb_start_coarse();

	cr_assert_leq(promcb_elapsed_ns(coarse), clock_ns(CLOCK_MONOTONIC) - coarse);
	promcb_stop(component, coarse, true);
	promcb_lap(component, coarse, true);
	cr_assert_eq(fixture_info().backward_calls, 0);
	cr_assert_leq(sum_ns("mixed"), 2.0 * (double)(clock_ns(CLOCK_MONOTONIC) - coarse));
	promcb_stop_coarse(component, clock_ns(CLOCK_MONOTONIC) + 1000000000u, true);
	promcb_stop_coarse(component, (uint64_t)1 << 63 | 5, true);
	cr_assert_eq(fixture_info().backward_calls, 2);
	cr_assert_eq(fixture_summary("mixed").total_calls, 4);
}

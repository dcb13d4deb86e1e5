/* SPDX-License-Identifier: MIT */
/*
 * clock_inside.h: the clock room from within, so that what takes hours, a suspend or another machine can be set up.
 *
 * Comparisons take CLOCK_MONOTONIC before and after, so that being scheduled away in between widens what is allowed.
 * Criterion runs each test in a process of its own: each begins with a fresh time base.
 */
#ifndef PROMCB_CLOCK_INSIDE_H
#define PROMCB_CLOCK_INSIDE_H

#include "base/clock.c"

#include <criterion/criterion.h>
#include <inttypes.h>

/* Of what the TSC and CLOCK_MONOTONIC may differ by in a test: generous, still far below any mistake of scale. */
#define SLACK_NS 100000
#define SLACK_PARTS 200

static inline uint64_t phase(void)
{
	return promcb_load_acquire(&timebase.state) & CLOCK_PHASE;
}

static inline void pass(uint64_t ns)
{
	uint64_t end = promcb_clock_monotonic_ns() + ns;

	while (promcb_clock_monotonic_ns() < end)
		continue;
}

static inline bool tsc_expected(void)
{
	return tsc_usable(CLOCKSOURCE_PATH);
}

/* Brings the room to the TSC. Skips the test where the machine has none to use. */
static inline void need_tsc(void)
{
	uint64_t end = promcb_clock_monotonic_ns() + 5000000000u;

	if (!tsc_expected())
		cr_skip_test("the kernel does not keep time by the TSC");
	while (!(promcb_clock_token() & TSC_TOKEN) && promcb_clock_monotonic_ns() < end)
		continue;
	cr_assert(phase() == CLOCK_TSC);
}

/* Moves the anchor into the past by that much on each clock. */
static inline void age_anchor(uint64_t ticks, uint64_t ns)
{
	timebase.anchor_tsc -= ticks;
	timebase.anchor_ns -= ns;
}

static inline uint64_t ticks_of(uint64_t ns)
{
	return (uint64_t)((double)ns * RATE_ONE / (double)timebase.multiplier);
}

/* One interval of ns against CLOCK_MONOTONIC. */
static inline void check_interval(uint64_t ns)
{
	uint64_t before = promcb_clock_monotonic_ns();
	uint64_t token = promcb_clock_token();
	uint64_t begun = promcb_clock_monotonic_ns();
	uint64_t now_ns = 0;
	bool backward = false;

	pass(ns);
	uint64_t ending = promcb_clock_monotonic_ns();
	uint64_t elapsed = promcb_clock_elapsed_ns(token, &now_ns, &backward);
	uint64_t after = promcb_clock_monotonic_ns();
	uint64_t slack = SLACK_NS + (after - before) / SLACK_PARTS;

	cr_assert(!backward);
	cr_assert(elapsed + slack >= ending - begun, "%" PRIu64 " of %" PRIu64 " ns", elapsed, ending - begun);
	cr_assert(elapsed <= after - before + slack, "%" PRIu64 " of %" PRIu64 " ns", elapsed, after - before);
	cr_assert(now_ns + slack >= ending && now_ns <= after + slack, "now is %" PRIu64 ", not %" PRIu64, now_ns,
		  after);
}

#endif

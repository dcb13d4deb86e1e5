/* SPDX-License-Identifier: MIT */
/*
 * breaker_published: the sequences of calls and states that the tests of gobreaker (v2, fed8e9e: default, custom and
 * rolling window) and of resilience4j (af9e7c9: windows of time) publish, as facts. Where promcb does otherwise on
 * purpose, the step says so:
 *   - A success that is not slow looks at no rate, so that the next failure opens it.
 *   - The window is between its length and 9/8 of it, and a look is due each 10 ms at most.
 *   - Permits are for calls under way, not for a number in total, and decide as soon as the rest cannot change it.
 */
#include "breaking.h"

TestSuite(breaker_published, .init = fixture_begin, .fini = fixture_end, .timeout = 60);

enum what { SUCCEEDS, FAILS, IGNORED, SLOW, SLOW_FAILS, BEGINS, RELEASES, TRIPS, FORCED_OPEN, SHADOW };

/* So many, each after so long; whether they are let through, and the state then. Trips: for so many seconds. */
struct step {
	uint32_t wait_ms;
	unsigned count;
	enum what what;
	bool is_refused;
	enum promcb_state then;
};

enum { MOST = 16, SLOW_MS = 5000 };

static struct promcb_token begun[MOST];
static unsigned begun_count;

/* Returns whether it was let through. */
static bool take_call(struct promcb_breaker *breaker, enum what what)
{
	static const enum promcb_call_outcome outcomes[] = {PROMCB_SUCCESS, PROMCB_FAILURE, PROMCB_IGNORED,
							    PROMCB_SUCCESS, PROMCB_FAILURE};

	if (what == BEGINS) {
		if (!promcb_allow(breaker, &begun[begun_count]))
			return false;
		begun_count++;
		return true;
	}
	return call_for(breaker, outcomes[what], what >= SLOW ? SLOW_MS * MS : 1000);
}

static void take_step(struct promcb_breaker *breaker, const struct step *step, size_t number)
{
	for (unsigned i = 0; i < step->count; i++) {
		now_ns += step->wait_ms * MS;
		if (step->what == RELEASES)
			promcb_done_at(breaker, &begun[--begun_count], 1000, PROMCB_IGNORED, now_ns);
		else if (step->what < RELEASES)
			cr_assert_eq(take_call(breaker, step->what), !step->is_refused, "step %zu, call %u: %s", number,
				     i, step->is_refused ? "let through" : "refused");
	}
	if (step->what == TRIPS)
		promcb_breaker_trip(breaker, step->count * SECOND);
	if (step->what == FORCED_OPEN || step->what == SHADOW)
		promcb_breaker_force(breaker, step->what == SHADOW ? PROMCB_MODE_SHADOW : PROMCB_MODE_OPEN);
	cr_assert_eq(promcb_state(component), step->then, "step %zu: it is %s", number,
		     promcb_state_name(promcb_state(component)));
}

/* From the begin of a slot, and so much later. */
static void take_steps(const struct promcb_policy *policy, const struct step *steps, size_t count, uint64_t offset_ms)
{
	struct promcb_breaker *breaker = make(policy);
	uint64_t window_ns = (policy->window_ms ? policy->window_ms : 10000) * MS;

	now_ns = (now_ns / window_ns + 1) * window_ns + offset_ms * MS;
	for (size_t i = 0; i < count; i++)
		take_step(breaker, &steps[i], i);
}

#define STEPS(policy, steps, offset_ms) take_steps(&(policy), steps, sizeof(steps) / sizeof((steps)[0]), offset_ms)

/* -- gobreaker ----------------------------------------------------------------------------------------------------- */

Test(breaker_published, gobreaker_default)
{
	const struct promcb_policy more_than_5 = {.consecutive = 6,
						  .failure_permille = PROMCB_POLICY_OFF,
						  .open_ms = 60000,
						  .open_max_ms = 60000,
						  .jitter_percent = PROMCB_POLICY_OFF,
						  .probes = 1};
	static const struct step steps[] = {
		{0, 5, FAILS, false, PROMCB_CLOSED},     {0, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{0, 1, FAILS, false, PROMCB_CLOSED},     {0, 5, FAILS, false, PROMCB_OPEN},
		{0, 1, SUCCEEDS, true, PROMCB_OPEN},     {0, 1, FAILS, true, PROMCB_OPEN},
		{59999, 1, SUCCEEDS, true, PROMCB_OPEN}, {1000, 1, FAILS, false, PROMCB_OPEN},
		{59999, 1, SUCCEEDS, true, PROMCB_OPEN}, {1, 1, SUCCEEDS, false, PROMCB_CLOSED},
	};

	STEPS(more_than_5, steps, 0);
}

/* Of at least 3 calls 60 %. */
static const struct promcb_policy of_gobreaker = {.window_ms = 30000,
						  .min_calls = 3,
						  .failure_permille = 600,
						  .open_ms = 90000,
						  .open_max_ms = 90000,
						  .jitter_percent = PROMCB_POLICY_OFF,
						  .probes = 3};

Test(breaker_published, gobreaker_custom)
{
	static const struct step steps[] = {
		{0, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{10, 1, FAILS, false, PROMCB_CLOSED},
		{0, 1, IGNORED, false, PROMCB_CLOSED},
		{0, 4, SUCCEEDS, false, PROMCB_CLOSED},
		{10, 4, FAILS, false, PROMCB_CLOSED},
		{0, 4, IGNORED, false, PROMCB_CLOSED},
		/* Its interval of 30 s ends, and it forgets all: here the first leave the window, the next is in. */
		{29999, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{3751, 1, FAILS, false, PROMCB_CLOSED},
		{0, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{10, 1, FAILS, false, PROMCB_CLOSED},
		/* 2 of 3 there; 3 of 5. */
		{10, 1, FAILS, false, PROMCB_OPEN},
		{90000, 1, IGNORED, false, PROMCB_HALF_OPEN},
		{0, 3, IGNORED, false, PROMCB_HALF_OPEN},
		{0, 1, FAILS, false, PROMCB_OPEN},
		{90000, 1, SUCCEEDS, false, PROMCB_HALF_OPEN},
		{0, 1, SUCCEEDS, false, PROMCB_HALF_OPEN},
		{0, 1, SUCCEEDS, false, PROMCB_CLOSED},
	};

	STEPS(of_gobreaker, steps, 0);
}

Test(breaker_published, gobreaker_rolling_window)
{
	static const struct step steps[] = {
		{0, 5, SUCCEEDS, false, PROMCB_CLOSED},
		{0, 5, FAILS, false, PROMCB_CLOSED},
		{0, 5, IGNORED, false, PROMCB_CLOSED},
		{3000, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{2000, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{0, 1, IGNORED, false, PROMCB_CLOSED},
		{2000, 1, IGNORED, false, PROMCB_CLOSED},
		{0, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{2000, 1, FAILS, false, PROMCB_CLOSED},
		{3000, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{0, 1, FAILS, false, PROMCB_CLOSED},
		{3000, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{0, 1, FAILS, false, PROMCB_CLOSED},
		{3000, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{0, 1, FAILS, false, PROMCB_CLOSED},
		{3000, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{0, 1, FAILS, false, PROMCB_CLOSED},
		{3000, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{0, 1, FAILS, false, PROMCB_CLOSED},
		{3000, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{0, 1, FAILS, false, PROMCB_CLOSED},
		/* The first 15 leave the window: after 30 s there, and at an eighth's end here. */
		{3020, 1, FAILS, false, PROMCB_CLOSED},
		{10, 5, FAILS, false, PROMCB_CLOSED},
		/* 14 of 23. */
		{10, 1, FAILS, false, PROMCB_OPEN},
		{90000, 1, SUCCEEDS, false, PROMCB_HALF_OPEN},
		{0, 1, SUCCEEDS, false, PROMCB_HALF_OPEN},
		/* Two and one under way are all there; here three may be under way. */
		{0, 3, BEGINS, false, PROMCB_HALF_OPEN},
		{0, 1, SUCCEEDS, true, PROMCB_HALF_OPEN},
		{0, 3, RELEASES, false, PROMCB_HALF_OPEN},
		{0, 1, SUCCEEDS, false, PROMCB_CLOSED},
	};

	/* Near the end of an eighth, so that what comes 3 s later is in the next. */
	STEPS(of_gobreaker, steps, 3740);
}

/* -- resilience4j -------------------------------------------------------------------------------------------------- */

/* A window of 20 s and 5 calls; 50 % of four probes. */
static const struct promcb_policy of_resilience4j = {.window_ms = 20000,
						     .min_calls = 5,
						     .failure_permille = 500,
						     .slow_permille = 500,
						     .slow_ns = (uint64_t)4000 * MS,
						     .open_ms = 5000,
						     .open_max_ms = 5000,
						     .jitter_percent = PROMCB_POLICY_OFF,
						     .probes = 4,
						     .successes = 3,
						     .failures = 2};

Test(breaker_published, resilience4j_failure_rate)
{
	static const struct step second_by_second[] = {
		{0, 1, SUCCEEDS, false, PROMCB_CLOSED},    {1000, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{1000, 1, SUCCEEDS, false, PROMCB_CLOSED}, {1000, 1, FAILS, false, PROMCB_CLOSED},
		{1000, 1, FAILS, false, PROMCB_CLOSED},    {1000, 1, FAILS, false, PROMCB_OPEN},
	};

	STEPS(of_resilience4j, second_by_second, 0);
}

Test(breaker_published, resilience4j_minimum_of_calls)
{
	static const struct step steps[] = {
		{10, 3, FAILS, false, PROMCB_CLOSED},
		{10, 1, SUCCEEDS, false, PROMCB_CLOSED},
		/* Opens there, being the fifth. */
		{10, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{10, 1, FAILS, false, PROMCB_OPEN},
		{10, 1, SUCCEEDS, true, PROMCB_OPEN},
	};

	STEPS(of_resilience4j, steps, 0);
}

Test(breaker_published, resilience4j_slow_calls)
{
	static const struct step steps[] = {
		{10, 1, SLOW_FAILS, false, PROMCB_CLOSED}, {10, 1, SLOW, false, PROMCB_CLOSED},
		{10, 1, FAILS, false, PROMCB_CLOSED},      {10, 1, SUCCEEDS, false, PROMCB_CLOSED},
		{10, 1, SLOW, false, PROMCB_OPEN},
	};

	STEPS(of_resilience4j, steps, 0);
}

Test(breaker_published, resilience4j_open)
{
	static const struct step steps[] = {
		{0, 0, TRIPS, false, PROMCB_OPEN},
		{0, 1, SUCCEEDS, true, PROMCB_OPEN},
		{3000, 1, SUCCEEDS, true, PROMCB_OPEN},
		{3000, 1, IGNORED, false, PROMCB_HALF_OPEN},
		/* Until half an hour has passed. */
		{0, 1800, TRIPS, false, PROMCB_OPEN},
		{0, 1, SUCCEEDS, true, PROMCB_OPEN},
		{900000, 1, SUCCEEDS, true, PROMCB_OPEN},
		{901000, 1, IGNORED, false, PROMCB_HALF_OPEN},
	};

	STEPS(of_resilience4j, steps, 0);
}

Test(breaker_published, resilience4j_permits)
{
	static const struct step steps[] = {
		{0, 0, TRIPS, false, PROMCB_OPEN},          {0, 1, SUCCEEDS, true, PROMCB_OPEN},
		{5000, 1, BEGINS, false, PROMCB_HALF_OPEN}, {0, 3, BEGINS, false, PROMCB_HALF_OPEN},
		{0, 2, BEGINS, true, PROMCB_HALF_OPEN},     {0, 1, RELEASES, false, PROMCB_HALF_OPEN},
		{0, 1, BEGINS, false, PROMCB_HALF_OPEN},    {0, 1, BEGINS, true, PROMCB_HALF_OPEN},
	};

	STEPS(of_resilience4j, steps, 0);
}

/* Three of four, failed or slow: here with the second. One of four: with the third that succeeds. */
Test(breaker_published, resilience4j_half_open)
{
	static const struct step steps[] = {
		{0, 0, TRIPS, false, PROMCB_OPEN},         {5000, 1, FAILS, false, PROMCB_HALF_OPEN},
		{0, 1, SUCCEEDS, false, PROMCB_HALF_OPEN}, {0, 1, FAILS, false, PROMCB_OPEN},
		{5000, 1, SLOW, false, PROMCB_HALF_OPEN},  {0, 1, SLOW, false, PROMCB_OPEN},
		{5000, 1, FAILS, false, PROMCB_HALF_OPEN}, {0, 2, SUCCEEDS, false, PROMCB_HALF_OPEN},
		{0, 1, SUCCEEDS, false, PROMCB_CLOSED},    {0, 1, SUCCEEDS, false, PROMCB_CLOSED},
	};

	STEPS(of_resilience4j, steps, 0);
}

/* What is ignored gives its permit back, and is no result. */
Test(breaker_published, resilience4j_ignored)
{
	static const struct step steps[] = {
		{0, 0, TRIPS, false, PROMCB_OPEN},        {5000, 1, IGNORED, false, PROMCB_HALF_OPEN},
		{0, 3, IGNORED, false, PROMCB_HALF_OPEN}, {0, 3, SUCCEEDS, false, PROMCB_HALF_OPEN},
		{0, 1, SUCCEEDS, false, PROMCB_CLOSED},
	};
	struct promcb_policy policy = of_resilience4j;

	policy.successes = 4;
	STEPS(policy, steps, 0);
}

Test(breaker_published, resilience4j_forced_open)
{
	static const struct step steps[] = {
		{0, 1, FORCED_OPEN, false, PROMCB_CLOSED},
		{0, 1, SUCCEEDS, true, PROMCB_CLOSED},
		{6000, 1, SUCCEEDS, true, PROMCB_CLOSED},
	};

	STEPS(of_resilience4j, steps, 0);
}

/* METRICS_ONLY, whose state the shadow has, too. */
Test(breaker_published, resilience4j_metrics_only)
{
	static const struct step steps[] = {
		{0, 1, SHADOW, false, PROMCB_CLOSED},    {10, 3, FAILS, false, PROMCB_CLOSED},
		{10, 2, SUCCEEDS, false, PROMCB_CLOSED}, {10, 1, FAILS, false, PROMCB_OPEN},
		{10, 4, FAILS, false, PROMCB_OPEN},
	};

	STEPS(of_resilience4j, steps, 0);
}

/* SPDX-License-Identifier: MIT */
/* breaker: what is done meanwhile to whoever was stopped in the middle holds. */
#include "breaking.h"

#include <pthread.h>

TestSuite(breaker_overtaken, .init = fixture_begin, .fini = fixture_end, .timeout = 60);

/* Whoever has looked at the clock, and is stopped until other threads have done what they do at a later time. */
static void (*meanwhile)(void);
static struct promcb_breaker *theirs;
static struct promcb_token their_call;

static uint64_t overtaken_clock(void)
{
	uint64_t seen_ns = now_ns;
	void (*what)(void) = meanwhile;

	meanwhile = NULL;
	if (what)
		what();
	return seen_ns;
}

static void *probe_in_thread(void *probes)
{
	cr_assert(promcb_allow(theirs, &their_call));
	return probes;
}

static void probe_later(void)
{
	pthread_t thread;

	now_ns += 4 * MS;
	cr_assert_eq(pthread_create(&thread, NULL, probe_in_thread, NULL), 0);
	pthread_join(thread, NULL);
}

Test(breaker_overtaken, permit_of_a_later_clock)
{
	struct promcb_policy policy = probing;
	struct promcb_token token;

	policy.probes = 1;
	theirs = make(&policy);
	calls(theirs, 1, PROMCB_FAILURE);
	now_ns += 1000 * MS;
	promcb_guard_clock = overtaken_clock;
	meanwhile = probe_later;
	cr_assert_not(promcb_allow(theirs, &token), "a second probe of one");
	promcb_done_at(theirs, &their_call, 1000, PROMCB_SUCCESS, now_ns);
	cr_assert_eq(exported("circuit_breaker_probes_total", "good"), 1);
	cr_assert_eq(exported("circuit_breaker_probes_total", "lost"), 0);
}

static void trip_later(void)
{
	now_ns += 4 * MS;
	promcb_breaker_trip(theirs, UINT64_MAX);
}

Test(breaker_overtaken, deadline_of_a_later_clock)
{
	struct promcb_token token;

	theirs = make(&probing);
	promcb_guard_clock = overtaken_clock;
	meanwhile = trip_later;
	cr_assert_not(promcb_allow(theirs, &token));
	cr_assert_eq(promcb_retry_after(theirs), 3600 * SECOND, "it is open for %llu",
		     (unsigned long long)promcb_retry_after(theirs));
}

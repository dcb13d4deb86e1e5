/* SPDX-License-Identifier: MIT */
/* breaker: what is done meanwhile to whoever was stopped in the middle holds. */
#include "breaking.h"

#include <pthread.h>
#include <signal.h>

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

/* Whoever was stopped with the state of an episode that is over. */
Test(breaker_overtaken, deadline_of_a_later_episode)
{
	struct promcb_guard guard = {.segment = NULL};
	uint64_t before;
	uint32_t number;

	theirs = make(&probing);
	calls(theirs, 1, PROMCB_FAILURE);
	guard.segment =
		promcb_session_glance((struct promcb_session *)session, promcb_component_handle(component), &number);
	guard.descriptor = promcb_segment_descriptor(guard.segment, number);
	guard.now_ns = now_ns;
	promcb_policy_read(guard.descriptor, &guard.terms);
	before = promcb_load_relaxed(&guard.descriptor->state);
	now_ns += 1000 * MS;
	calls(theirs, 2, PROMCB_FAILURE);
	STATE(PROMCB_OPEN);
	promcb_breaker_trip(theirs, 30 * SECOND);
	cr_assert_eq(promcb_episode_until(&guard, before), 0);
	cr_assert_eq(promcb_retry_after(theirs), 30 * SECOND);
}

static void *succeed_in_thread(void *count)
{
	calls(theirs, *(unsigned *)count, PROMCB_SUCCESS);
	return NULL;
}

static void succeed_meanwhile(void)
{
	unsigned count = 1000;
	pthread_t thread;

	now_ns += 2 * SECOND;
	cr_assert_eq(pthread_create(&thread, NULL, succeed_in_thread, &count), 0);
	pthread_join(thread, NULL);
}

/* Whoever was stopped while he failed does not judge by what he alone has counted. */
Test(breaker_overtaken, looks_too_late)
{
	struct promcb_token token;

	theirs = make(&(struct promcb_policy){.window_ms = 8000, .min_calls = 4});
	calls(theirs, 3, PROMCB_FAILURE);
	now_ns += 100 * MS;
	cr_assert(promcb_allow(theirs, &token));
	promcb_guard_clock = overtaken_clock;
	meanwhile = succeed_meanwhile;
	promcb_done_at(theirs, &token, 1000, PROMCB_FAILURE, now_ns);
	STATE(PROMCB_CLOSED);
	calls(theirs, 1, PROMCB_FAILURE);
	STATE(PROMCB_CLOSED);
}

/* -- Calls in flight ----------------------------------------------------------------------------------------------- */

static const struct promcb_policy never = {.failure_permille = PROMCB_POLICY_OFF};

#define FLIGHT(flying, dead)                                                             \
	do {                                                                             \
		cr_assert_eq(exported("circuit_breaker_calls_in_flight", NULL), flying); \
		cr_assert_eq(exported("circuit_breaker_died_calls_total", NULL), dead);  \
	} while (0)

static void call_in_handler(int number)
{
	(void)number;
	cr_assert(call(theirs, PROMCB_SUCCESS));
}

static void raise_it(void)
{
	raise(SIGUSR1);
}

/* A signal that comes in the middle of a thread's first call: nothing of what its handler calls has died. */
Test(breaker_overtaken, first_call_is_interrupted)
{
	theirs = make(&never);
	cr_assert_neq(signal(SIGUSR1, call_in_handler), SIG_ERR);
	promcb_guard_clock = overtaken_clock;
	meanwhile = raise_it;
	calls(theirs, 1, PROMCB_SUCCESS);
	cr_assert_eq(meanwhile, NULL);
	cr_assert_eq(exported("circuit_breaker_permitted_calls_total", NULL), 2);
	FLIGHT(0, 0);
}

enum { CROWD = 7 };

/* Of so many at once some give their lanes back when they end. */
static struct crowd {
	pthread_barrier_t all;
	bool ends;
} crowd;

static void *call_together(void *token)
{
	cr_assert(promcb_allow(theirs, token));
	if (crowd.ends)
		promcb_done_at(theirs, token, 1000, PROMCB_SUCCESS, now_ns);
	pthread_barrier_wait(&crowd.all);
	return NULL;
}

static void call_in_crowd(struct promcb_token tokens[CROWD], bool ends)
{
	pthread_t threads[CROWD];

	crowd.ends = ends;
	pthread_barrier_init(&crowd.all, NULL, CROWD);
	for (unsigned i = 0; i < CROWD; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, call_together, &tokens[i]), 0);
	for (unsigned i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&crowd.all);
}

/* Nothing has died of what one thread began and another ends, though a third has the lane of the first by then. */
Test(breaker_overtaken, ends_when_its_lane_is_anothers)
{
	struct promcb_token tokens[CROWD], others[CROWD];

	theirs = make(&never);
	call_in_crowd(tokens, false);
	FLIGHT(CROWD, 0);
	call_in_crowd(others, true);
	FLIGHT(CROWD, 0);
	for (unsigned i = 0; i < CROWD; i++)
		promcb_done_at(theirs, &tokens[i], 1000, PROMCB_SUCCESS, now_ns);
	FLIGHT(0, 0);
	call_in_crowd(others, true);
	FLIGHT(0, 0);
	cr_assert_eq(exported("circuit_breaker_permitted_calls_total", NULL), 3 * CROWD);
	cr_assert_eq(fixture_summary("db").successful_calls, 3 * CROWD);
}

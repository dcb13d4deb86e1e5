/* SPDX-License-Identifier: MIT */
/* breaker: a policy with another window is put in force while lanes are in slots of the old one. */
#include "breaking.h"

#include <pthread.h>
#include <semaphore.h>

TestSuite(breaker_mixed, .init = fixture_begin, .fini = fixture_end, .timeout = 60);

enum { STEP_MS = 10, SUCCESSES = 9 };

/* A thread that succeeds so many times when told to, in a lane of its own, and by the fast path. */
static struct {
	pthread_t thread;
	sem_t go, done;
	struct promcb_breaker *breaker;
} other;

static void *succeed(void *nothing)
{
	for (;;) {
		sem_wait(&other.go);
		if (!other.breaker)
			return nothing;
		calls(other.breaker, SUCCESSES, PROMCB_SUCCESS);
		sem_post(&other.done);
	}
}

static void begin_other(struct promcb_breaker *breaker)
{
	other.breaker = breaker;
	sem_init(&other.go, 0, 0);
	sem_init(&other.done, 0, 0);
	cr_assert_eq(pthread_create(&other.thread, NULL, succeed, NULL), 0);
}

static void others_succeed(void)
{
	sem_post(&other.go);
	sem_wait(&other.done);
}

static void end_other(void)
{
	other.breaker = NULL;
	sem_post(&other.go);
	pthread_join(other.thread, NULL);
}

/* One call in ten fails, in another lane than those that succeed. It stays closed all the time. */
static void one_in_ten(struct promcb_breaker *breaker, uint64_t ms)
{
	for (uint64_t passed = 0; passed < ms; passed += STEP_MS, now_ns += STEP_MS * MS) {
		others_succeed();
		cr_assert(call(breaker, PROMCB_FAILURE), "refused after %llu ms, by one failure of ten",
			  (unsigned long long)passed);
	}
	STATE(PROMCB_CLOSED);
}

/* The longest that it takes until all that ends fails, and it opens. */
static void check_opens(struct promcb_breaker *breaker, uint64_t ms)
{
	for (uint64_t passed = 0; passed < ms && promcb_state(component) == PROMCB_CLOSED; passed += STEP_MS) {
		for (int i = 0; i < 1 + SUCCESSES && call(breaker, PROMCB_FAILURE);)
			i++;
		now_ns += STEP_MS * MS;
	}
	STATE(PROMCB_OPEN);
}

static void replace(uint32_t before_ms, uint32_t after_ms, uint64_t offset_ms)
{
	struct promcb_policy policy = {.version = 1, .window_ms = before_ms, .failure_permille = 300, .min_calls = 4};
	struct promcb_breaker *breaker = make(&policy), *again;
	uint64_t longest_ms = (before_ms > after_ms ? before_ms : after_ms) / 8;

	/* At the begin of a slot of both. */
	now_ns = (now_ns / (longest_ms * 8 * MS) + 1) * longest_ms * 8 * MS + offset_ms * MS;
	begin_other(breaker);
	one_in_ten(breaker, 100);
	policy.version = 2;
	policy.window_ms = after_ms;
	cr_assert_eq(promcb_breaker(component, &policy, &again), 0);
	one_in_ten(breaker, longest_ms + after_ms / 4);
	end_other();
	/* The window as it is then: a third of it, and what it is longer. */
	check_opens(breaker, after_ms / 3 + after_ms / 8 + 2 * STEP_MS);
}

Test(breaker_mixed, shorter_after_longer)
{
	replace(40000, 400, 0);
}

/* What failed while others were in slots of the old length does not count when these have ended. */
Test(breaker_mixed, somewhat_shorter_after_longer)
{
	replace(40000, 8000, 0);
}

/* The old slot ends where one of the new ends, too. */
Test(breaker_mixed, half_as_long)
{
	replace(8000, 4000, 600);
}

Test(breaker_mixed, longer_after_shorter)
{
	replace(400, 8000, 330);
}

/* A lane in which nobody calls any more keeps nobody waiting for longer than its slot. */
Test(breaker_mixed, lane_of_the_gone)
{
	struct promcb_policy policy = {.version = 1, .window_ms = 40000, .failure_permille = 300, .min_calls = 4};
	struct promcb_breaker *breaker = make(&policy), *again;

	now_ns = (now_ns / (40 * SECOND) + 1) * 40 * SECOND;
	begin_other(breaker);
	others_succeed();
	end_other();
	policy.version = 2;
	policy.window_ms = 400;
	cr_assert_eq(promcb_breaker(component, &policy, &again), 0);
	now_ns += 4 * SECOND;
	calls(breaker, 10, PROMCB_FAILURE);
	STATE(PROMCB_CLOSED);
	now_ns += 1 * SECOND;
	check_opens(breaker, 100);
}

/* Whoever ends a call with a stamp of the slot before notes nothing there that was counted since. */
Test(breaker_mixed, stamp_of_the_slot_before)
{
	struct promcb_breaker *breaker =
		make(&(struct promcb_policy){.window_ms = 8000, .failure_permille = 600, .min_calls = 4});
	struct promcb_token token;

	now_ns = (now_ns / (8 * SECOND) + 1) * 8 * SECOND;
	calls(breaker, 5, PROMCB_SUCCESS);
	now_ns += 500 * MS;
	cr_assert(promcb_allow(breaker, &token));
	/* It has counted in this slot, and not in the one before. */
	promcb_done_at(breaker, &token, 1000, PROMCB_FAILURE, now_ns - 900 * MS);
	calls(breaker, 5, PROMCB_FAILURE);
	now_ns += 20 * MS;
	calls(breaker, 1, PROMCB_FAILURE);
	STATE(PROMCB_CLOSED);
}

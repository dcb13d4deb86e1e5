/* SPDX-License-Identifier: MIT */
/* breaker_scope: PROMCB_CALL(): each way out of a block ends its call, once, as what was said or as a failure. */
#include "breaking.h"

TestSuite(breaker_scope, .init = fixture_begin, .fini = fixture_end, .timeout = 60);

static struct promcb_breaker *breaker;

static const struct promcb_policy never = {.failure_permille = PROMCB_POLICY_OFF, .window_ms = 1000};

/* So many calls were let through since the last time, and ended: as successes, failures, and ignored ones. */
static void ended(unsigned good, unsigned bad, unsigned ignored)
{
	static struct promcb_summary before;
	static double ignored_before, permitted_before;
	struct promcb_summary now;
	struct promcb_snapshot *snapshot = fixture_snapshot();
	double ignored_now = exported("circuit_breaker_ignored_calls_total", NULL);
	double permitted_now = exported("circuit_breaker_permitted_calls_total", NULL);

	cr_assert_eq(promcb_snapshot_find(snapshot, "db", &now), 0);
	cr_assert_eq(now.successful_calls - before.successful_calls, good);
	cr_assert_eq(now.failed_calls - before.failed_calls, bad);
	cr_assert_eq(ignored_now - ignored_before, ignored);
	cr_assert_eq(permitted_now - permitted_before, good + bad + ignored);
	before = now;
	ignored_before = ignored_now;
	permitted_before = permitted_now;
	promcb_snapshot_free(snapshot);
}

static int returns(int way)
{
	PROMCB_CALL(call, breaker);

	if (!call.allowed)
		return -1;
	if (way == 0)
		return way;
	if (way == 1) {
		call.outcome = PROMCB_SUCCESS;
		return way;
	}
	if (way == 2)
		goto out;
	call.outcome = way == 3 ? PROMCB_IGNORED : PROMCB_TIMEOUT;
out:
	return way;
}

Test(breaker_scope, every_way_out)
{
	breaker = make(&never);
	/* An early return, without a word. */
	cr_assert_eq(returns(0), 0);
	ended(0, 1, 0);
	cr_assert_eq(returns(1), 1);
	ended(1, 0, 0);
	cr_assert_eq(returns(2), 2);
	ended(0, 1, 0);
	cr_assert_eq(returns(3), 3);
	ended(0, 0, 1);
	cr_assert_eq(returns(4), 4);
	ended(0, 1, 0);
	cr_assert_eq(exported("circuit_breaker_failures_by_class_total", "timeout"), 1);
	cr_assert_eq(exported("circuit_breaker_failures_by_class_total", "failure"), 2);

	for (int i = 0; i < 5; i++) {
		PROMCB_CALL(call, breaker);

		cr_assert(call.allowed);
		call.outcome = PROMCB_SUCCESS;
		if (i == 1)
			continue;
		if (i == 3)
			break;
		call.outcome = PROMCB_RESET;
	}
	ended(2, 2, 0);
	/* One in another, and out of both at once. */
	{
		PROMCB_CALL(outer, breaker);

		outer.outcome = PROMCB_SUCCESS;
		{
			PROMCB_CALL(inner, breaker);

			cr_assert(inner.allowed);
			goto end;
		}
	}
end:
	ended(1, 1, 0);
}

/* What was refused is not ended, whatever is said of it. */
Test(breaker_scope, refused)
{
	breaker = make(&never);
	promcb_breaker_force(breaker, PROMCB_MODE_OPEN);
	cr_assert_eq(returns(1), -1);
	{
		PROMCB_CALL(call, breaker);

		cr_assert_not(call.allowed);
		call.outcome = PROMCB_SUCCESS;
	}
	cr_assert_eq(exported("circuit_breaker_not_permitted_calls_total", "forced"), 2);
	cr_assert_eq(exported("circuit_breaker_permitted_calls_total", NULL), 0);
	promcb_breaker_force(breaker, PROMCB_MODE_AUTOMATIC);
	cr_assert_eq(returns(1), 1);
	ended(1, 0, 0);
}

/* A probe that returns early is a bad one. */
Test(breaker_scope, probes)
{
	breaker = make(&probing);
	cr_assert_eq(returns(0), 0);
	STATE(PROMCB_OPEN);
	cr_assert_eq(returns(1), -1);
	now_ns += 1001 * MS;
	cr_assert_eq(returns(0), 0);
	cr_assert_eq(returns(0), 0);
	STATE(PROMCB_OPEN);
	now_ns += 2001 * MS;
	for (int i = 0; i < 3; i++)
		cr_assert_eq(returns(1), 1);
	STATE(PROMCB_CLOSED);
}

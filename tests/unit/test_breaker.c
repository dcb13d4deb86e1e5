/* SPDX-License-Identifier: MIT */
/* breaker: what a breaker decides, rule by rule, and what others publish of theirs. */
#include "breaking.h"

#include "record/declare.h"

#include <sys/wait.h>

TestSuite(breaker, .init = fixture_begin, .fini = fixture_end, .timeout = 60);

/* -- Rules --------------------------------------------------------------------------------------------------------- */

Test(breaker, failure_rate)
{
	struct promcb_breaker *breaker =
		make(&(struct promcb_policy){.window_ms = 8000, .min_calls = 10, .failure_permille = 500});

	calls(breaker, 5, PROMCB_SUCCESS);
	calls(breaker, 4, PROMCB_TIMEOUT);
	now_ns += 100 * MS;
	STATE(PROMCB_CLOSED);
	/* The tenth call makes it half of them. */
	calls(breaker, 1, PROMCB_CONNECT);
	STATE(PROMCB_OPEN);
	cr_assert_not(call(breaker, PROMCB_SUCCESS));
	cr_assert_gt(promcb_retry_after(breaker), 4 * SECOND);
	cr_assert_eq(exported("circuit_breaker_not_permitted_calls_total", "open"), 1);
	cr_assert_eq(exported("circuit_breaker_permitted_calls_total", NULL), 10);
	cr_assert_eq(exported("circuit_breaker_failures_by_class_total", "timeout"), 4);
	cr_assert_eq(exported("circuit_breaker_last_open_reason", "failure_rate"), 1);
	cr_assert_eq(exported("circuit_breaker_window_calls", NULL), 10);
	cr_assert_eq(fixture_summary("db").failed_calls, 5);
}

Test(breaker, failures_leave_the_window)
{
	struct promcb_breaker *breaker =
		make(&(struct promcb_policy){.window_ms = 8000, .min_calls = 4, .failure_permille = 500});

	calls(breaker, 3, PROMCB_FAILURE);
	/* Eight slots and a present one: nine seconds, and not one more. */
	now_ns += 9 * SECOND;
	calls(breaker, 3, PROMCB_FAILURE);
	STATE(PROMCB_CLOSED);
	now_ns += 8 * SECOND;
	calls(breaker, 1, PROMCB_FAILURE);
	STATE(PROMCB_OPEN);
}

Test(breaker, slow_calls)
{
	struct promcb_breaker *breaker = make(&(struct promcb_policy){.window_ms = 8000,
								      .min_calls = 4,
								      .failure_permille = PROMCB_POLICY_OFF,
								      .slow_permille = 500,
								      .slow_ns = SECOND});

	calls(breaker, 2, PROMCB_FAILURE);
	now_ns += 100 * MS;
	cr_assert(call_for(breaker, PROMCB_SUCCESS, SECOND + 1));
	now_ns += 100 * MS;
	cr_assert(call_for(breaker, PROMCB_SUCCESS, SECOND));
	STATE(PROMCB_CLOSED);
	cr_assert(call_for(breaker, PROMCB_SUCCESS, SECOND + 1));
	cr_assert_eq(exported("circuit_breaker_slow_calls_total", NULL), 2);
	now_ns += 100 * MS;
	cr_assert(call_for(breaker, PROMCB_SUCCESS, 2 * SECOND));
	STATE(PROMCB_OPEN);
	cr_assert_eq(exported("circuit_breaker_last_open_reason", "slow_rate"), 1);
}

Test(breaker, consecutive)
{
	struct promcb_breaker *breaker =
		make(&(struct promcb_policy){.failure_permille = PROMCB_POLICY_OFF, .consecutive = 3});

	calls(breaker, 2, PROMCB_FAILURE);
	calls(breaker, 1, PROMCB_SUCCESS);
	calls(breaker, 2, PROMCB_FAILURE);
	/* Neither a success nor a failure. */
	calls(breaker, 1, PROMCB_IGNORED);
	STATE(PROMCB_CLOSED);
	calls(breaker, 1, PROMCB_FAILURE);
	STATE(PROMCB_OPEN);
	cr_assert_eq(exported("circuit_breaker_ignored_calls_total", NULL), 1);
	cr_assert_eq(fixture_summary("db").successful_calls, 1);
	cr_assert_eq(fixture_summary("db").failed_calls, 5);
}

Test(breaker, probes)
{
	struct promcb_breaker *breaker = make(&probing);
	struct promcb_token one, two, three;

	calls(breaker, 1, PROMCB_FAILURE);
	STATE(PROMCB_OPEN);
	now_ns += 999 * MS;
	cr_assert_not(promcb_allow(breaker, &one));
	now_ns += 1 * MS;
	cr_assert(promcb_allow(breaker, &one));
	STATE(PROMCB_HALF_OPEN);
	now_ns += 1 * MS;
	cr_assert(promcb_allow(breaker, &two));
	cr_assert_not(promcb_allow(breaker, &three), "a third probe of two");
	promcb_done_at(breaker, &one, 1000, PROMCB_IGNORED, now_ns);
	cr_assert(promcb_allow(breaker, &three), "what is ignored gives its permit back");
	promcb_done_at(breaker, &two, 1000, PROMCB_SUCCESS, now_ns);
	promcb_done_at(breaker, &three, 1000, PROMCB_SUCCESS, now_ns);
	STATE(PROMCB_HALF_OPEN);
	calls(breaker, 1, PROMCB_SUCCESS);
	STATE(PROMCB_CLOSED);
	cr_assert_eq(exported("circuit_breaker_probes_total", "good"), 3);
	cr_assert_eq(exported("circuit_breaker_not_permitted_calls_total", "half_open"), 1);
}

Test(breaker, leases_end)
{
	struct promcb_breaker *breaker = make(&probing);
	struct promcb_token hung[2], next;

	calls(breaker, 1, PROMCB_FAILURE);
	now_ns += 1000 * MS;
	cr_assert(promcb_allow(breaker, &hung[0]));
	now_ns += 1 * MS;
	cr_assert(promcb_allow(breaker, &hung[1]));
	now_ns += 499 * MS;
	cr_assert_not(promcb_allow(breaker, &next));
	now_ns += 1 * MS;
	cr_assert(promcb_allow(breaker, &next), "the lease of the first is over");
	/* Too late: the permit is another's. */
	promcb_done_at(breaker, &hung[0], 1000, PROMCB_FAILURE, now_ns);
	promcb_done_at(breaker, &next, 1000, PROMCB_FAILURE, now_ns);
	STATE(PROMCB_HALF_OPEN);
	cr_assert_eq(exported("circuit_breaker_late_calls_total", NULL), 1);
	cr_assert_eq(exported("circuit_breaker_probes_total", "lost"), 1);
	cr_assert_eq(exported("circuit_breaker_probes_total", "bad"), 1);
	calls(breaker, 1, PROMCB_FAILURE);
	STATE(PROMCB_OPEN);
}

Test(breaker, a_reset_forgets_how_long_it_was_open)
{
	struct promcb_breaker *breaker = make(&probing);

	calls(breaker, 1, PROMCB_FAILURE);
	cr_assert_eq(promcb_retry_after(breaker), 1000 * MS);
	promcb_breaker_reset(breaker);
	STATE(PROMCB_CLOSED);
	calls(breaker, 1, PROMCB_FAILURE);
	cr_assert_eq(promcb_retry_after(breaker), 1000 * MS, "it is open for %llu",
		     (unsigned long long)promcb_retry_after(breaker));
}

Test(breaker, opens_for_longer)
{
	static const uint64_t periods_ms[] = {1000, 2000, 3000, 3000};
	struct promcb_breaker *breaker = make(&probing);

	calls(breaker, 1, PROMCB_FAILURE);
	for (size_t i = 0; i < sizeof(periods_ms) / sizeof(periods_ms[0]); i++) {
		cr_assert_eq(promcb_retry_after(breaker), periods_ms[i] * MS, "period %zu is %llu", i,
			     (unsigned long long)promcb_retry_after(breaker));
		now_ns += periods_ms[i] * MS;
		calls(breaker, 2, PROMCB_FAILURE);
		STATE(PROMCB_OPEN);
	}
	now_ns += 3000 * MS;
	calls(breaker, 3, PROMCB_SUCCESS);
	STATE(PROMCB_CLOSED);
	/* Soon after, it is as long again; after twice that, as at first. */
	calls(breaker, 1, PROMCB_FAILURE);
	cr_assert_eq(promcb_retry_after(breaker), 3000 * MS);
	now_ns += 3000 * MS;
	calls(breaker, 3, PROMCB_SUCCESS);
	now_ns += 6000 * MS;
	calls(breaker, 1, PROMCB_FAILURE);
	cr_assert_eq(promcb_retry_after(breaker), 1000 * MS);
}

Test(breaker, jitter)
{
	struct promcb_policy policy = probing;
	uint64_t least = UINT64_MAX, greatest = 0, wait;
	struct promcb_breaker *breaker;

	policy.jitter_percent = 20;
	policy.open_max_ms = 1000;
	breaker = make(&policy);
	for (int i = 0; i < 200; i++) {
		calls(breaker, i ? 2 : 1, PROMCB_FAILURE);
		wait = promcb_retry_after(breaker);
		cr_assert(wait >= 800 * MS && wait <= 1200 * MS, "%llu", (unsigned long long)wait);
		least = wait < least ? wait : least;
		greatest = wait > greatest ? wait : greatest;
		now_ns += wait;
	}
	cr_assert(least < 850 * MS && greatest > 1150 * MS, "%llu to %llu", (unsigned long long)least,
		  (unsigned long long)greatest);
}

/* What began before the breaker opened says nothing of how it is afterwards. */
Test(breaker, late_results)
{
	struct promcb_breaker *breaker = make(&probing);
	struct promcb_token before[2], probe;

	cr_assert(promcb_allow(breaker, &before[0]));
	cr_assert(promcb_allow(breaker, &before[1]));
	calls(breaker, 1, PROMCB_FAILURE);
	now_ns += 1000 * MS;
	cr_assert(promcb_allow(breaker, &probe));
	promcb_done_at(breaker, &before[0], 1000, PROMCB_FAILURE, now_ns);
	promcb_done_at(breaker, &probe, 1000, PROMCB_SUCCESS, now_ns);
	calls(breaker, 2, PROMCB_SUCCESS);
	STATE(PROMCB_CLOSED);
	promcb_done_at(breaker, &before[1], 1000, PROMCB_FAILURE, now_ns);
	STATE(PROMCB_CLOSED);
	cr_assert_eq(exported("circuit_breaker_late_calls_total", NULL), 2);
}

Test(breaker, modes)
{
	struct promcb_breaker *breaker = make(&probing);

	cr_assert_eq(promcb_breaker_force(breaker, PROMCB_MODE_OPEN), 0);
	cr_assert_not(call(breaker, PROMCB_SUCCESS));
	cr_assert_eq(exported("circuit_breaker_not_permitted_calls_total", "forced"), 1);
	cr_assert_eq(exported("circuit_breaker_mode", "open"), 1);
	cr_assert_eq(promcb_breaker_force(breaker, PROMCB_MODE_CLOSED), 0);
	calls(breaker, 5, PROMCB_FAILURE);
	STATE(PROMCB_OPEN);
	calls(breaker, 5, PROMCB_FAILURE);
	cr_assert_eq(promcb_breaker_force(breaker, PROMCB_MODE_SHADOW), 0);
	calls(breaker, 4, PROMCB_FAILURE);
	cr_assert_eq(exported("circuit_breaker_shadow_refusals_total", NULL), 4);
	cr_assert_eq(promcb_breaker_force(breaker, PROMCB_MODE_AUTOMATIC), 0);
	cr_assert_not(call(breaker, PROMCB_SUCCESS));
	cr_assert_eq(promcb_breaker_force(breaker, (enum promcb_mode)4), -EINVAL);
	cr_assert_eq(exported("circuit_breaker_mode", "automatic"), 1);
}

Test(breaker, tripped_and_reset)
{
	struct promcb_breaker *breaker = make(&probing);

	cr_assert_eq(promcb_breaker_trip(breaker, 30 * SECOND), 0);
	STATE(PROMCB_OPEN);
	cr_assert_eq(promcb_retry_after(breaker), 30 * SECOND);
	cr_assert_eq(exported("circuit_breaker_last_open_reason", "tripped"), 1);
	now_ns += 29 * SECOND;
	cr_assert_not(call(breaker, PROMCB_SUCCESS));
	cr_assert_eq(promcb_breaker_trip(breaker, 2 * SECOND), 0);
	cr_assert_eq(promcb_retry_after(breaker), 2 * SECOND);
	cr_assert_eq(promcb_breaker_reset(breaker), 0);
	STATE(PROMCB_CLOSED);
	calls(breaker, 1, PROMCB_SUCCESS);
	cr_assert_eq(promcb_retry_after(breaker), 0);
}

Test(breaker, policies)
{
	struct promcb_breaker *breaker = make(&(struct promcb_policy){.version = 3, .consecutive = 2}), *again;
	struct promcb_message message;
	struct promcb_policy policy = {.version = 3, .consecutive = 4, .message = &message};

	cr_assert_eq(promcb_breaker(component, NULL, &again), 0);
	cr_assert_eq(again, breaker);
	cr_assert_eq(promcb_breaker(component, &policy, &again), -EEXIST);
	cr_assert(strstr(message.text, "2 in a row") && strstr(message.text, "4 in a row"), "%s", message.text);
	cr_assert_eq(again, breaker);
	/* An older deployment changes nothing, and a newer one does, with the state as it is. */
	policy.version = 2;
	cr_assert_eq(promcb_breaker(component, &policy, &again), 0);
	calls(breaker, 1, PROMCB_FAILURE);
	policy.version = 4;
	cr_assert_eq(promcb_breaker(component, &policy, &again), 0);
	calls(breaker, 2, PROMCB_FAILURE);
	STATE(PROMCB_CLOSED);
	calls(breaker, 1, PROMCB_FAILURE);
	STATE(PROMCB_OPEN);
	cr_assert_eq(exported("circuit_breaker_policy_version", NULL), 4);
}

Test(breaker, policies_out_of_range)
{
	struct promcb_breaker *breaker = make(&probing), *again;
	struct promcb_message message;
	const struct promcb_policy wrong[] = {
		{.window_ms = 99, .message = &message},
		{.failure_permille = 1001, .message = &message},
		{.slow_permille = 10, .message = &message},
		{.probes = 9, .message = &message},
		{.open_ms = 2000, .open_max_ms = 1000, .message = &message},
		{.mode = 4, .message = &message},
		{.reserved = {1}, .message = &message},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_assert_eq(promcb_breaker(component, &wrong[i], &again), -EINVAL, "policy %zu", i);
		cr_assert(message.text[0], "policy %zu", i);
		cr_assert_eq(again, breaker);
	}
	cr_assert_eq(promcb_breaker(NULL, &probing, &again), -EINVAL);
	cr_assert(call(again, PROMCB_FAILURE), "what is no breaker refuses nothing");
	cr_assert_eq(promcb_retry_after(again), 0);
}

/* A breaker that cannot be in the segment lets all through, and records it where the component does. */
Test(breaker, no_room)
{
	const struct promcb_options options = {.components = 1};
	struct promcb_breaker *breaker;

	session = fixture_open(&options);
	fixture_component(session, "db");
	cr_assert_eq(promcb_component(session, "other", &component), -ENOSPC);
	cr_assert_eq(promcb_breaker(component, &probing, &breaker), -ENOSPC);
	now_ns = 1000000 * SECOND;
	calls(breaker, 3, PROMCB_FAILURE);
	cr_assert_eq(fixture_summary("_overflow").failed_calls, 3);
}

static void end_in_child(struct promcb_breaker *breaker, struct promcb_token *token)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		promcb_done_at(breaker, token, 1000, PROMCB_FAILURE, now_ns);
		_exit(promcb_state(component) == PROMCB_OPEN);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child ended its parent's call");
}

Test(breaker, fork_in_a_call)
{
	struct promcb_breaker *breaker;
	struct promcb_token token;

	if (getenv("MESON_EXE_WRAPPER"))
		cr_skip_test("an emulator does not wipe a child's memory");
	breaker = make(&probing);
	calls(breaker, 1, PROMCB_SUCCESS);
	cr_assert(promcb_allow(breaker, &token));
	end_in_child(breaker, &token);
	promcb_done_at(breaker, &token, 1000, PROMCB_FAILURE, now_ns);
	STATE(PROMCB_OPEN);
	now_ns += 1000 * MS;
	cr_assert(promcb_allow(breaker, &token));
	end_in_child(breaker, &token);
	promcb_done_at(breaker, &token, 1000, PROMCB_SUCCESS, now_ns);
	cr_assert_eq(exported("circuit_breaker_probes_total", "good"), 1);
	cr_assert_eq(fixture_summary("db").total_calls, 3);
}

/* A process that ends in the middle of a call: the lane's next owner tells. And its probe is free at once. */
Test(breaker, died_in_a_call)
{
	struct promcb_breaker *breaker;
	struct promcb_token token;

	if (getenv("MESON_EXE_WRAPPER"))
		cr_skip_test("an emulator does not wipe a child's memory");
	breaker = make(&probing);
	for (int round = 0; round < 3; round++) {
		pid_t child = fork();

		if (child == 0) {
			call(breaker, PROMCB_SUCCESS);
			_exit(!promcb_allow(breaker, &token));
		}
		cr_assert_eq(waitpid(child, NULL, 0), child);
	}
	/* Of the last, too, whose lane was not taken since. */
	cr_assert_eq(exported("circuit_breaker_died_calls_total", NULL), 3);
	cr_assert_eq(exported("circuit_breaker_calls_in_flight", NULL), 0);
}

Test(breaker, is_not_removed)
{
	struct promcb_breaker *breaker = make(&(struct promcb_policy){.failure_permille = 500});
	struct promcb_segment *segment = ((struct promcb_session *)session)->segment;
	struct promcb_metric_family *family;
	struct promcb_series_record *record;
	union promcb_family_image image;

	calls(breaker, 3, PROMCB_FAILURE);
	promcb_family_make_breakers(&image);
	cr_assert_eq(promcb_family_declare(session, &image, NULL, &family), 0);
	cr_assert_eq(promcb_series_remove(family, (const char *const[]){"db", NULL}, NULL, 0), -ENOENT);
	cr_assert_eq(promcb_family_clear(family), 0);
	cr_assert_eq(exported("circuit_breaker_permitted_calls_total", NULL), 3);
	/* Nor by who writes so into the segment, and dies in it. */
	record = promcb_segment_piece(segment, promcb_series_handle_of(breaker)->record, PROMCB_PIECE_SERIES, 0);
	cr_assert_not_null(record);
	record->life = promcb_life_next(record->life, (uint64_t)2e18);
	promcb_segment_header(segment)->removals |= 1;
	cr_assert_eq(exported("circuit_breaker_permitted_calls_total", NULL), 3);
	cr_assert_eq(exported("circuit_breaker_window_failure_ratio", NULL), 1);
}

/* -- What others publish ------------------------------------------------------------------------------------------- */

/* gobreaker's custom breaker: of at least 3 calls 60 %; open for 90 s; three probes that succeed. */
Test(breaker, as_gobreaker)
{
	struct promcb_breaker *breaker = make(&(struct promcb_policy){.window_ms = 30000,
								      .min_calls = 3,
								      .failure_permille = 600,
								      .open_ms = 90000,
								      .open_max_ms = 90000,
								      .jitter_percent = PROMCB_POLICY_OFF});
	struct promcb_token probes[3], more;

	for (int i = 0; i < 5; i++) {
		calls(breaker, 1, PROMCB_SUCCESS);
		calls(breaker, 1, PROMCB_FAILURE);
		now_ns += 100 * MS;
	}
	STATE(PROMCB_CLOSED);
	/* Over its interval of 30 s the counts are forgotten: here they leave the window, at most an eighth later. */
	now_ns += 33750 * MS;
	calls(breaker, 2, PROMCB_SUCCESS);
	calls(breaker, 1, PROMCB_FAILURE);
	now_ns += 100 * MS;
	calls(breaker, 1, PROMCB_FAILURE);
	STATE(PROMCB_CLOSED);
	now_ns += 100 * MS;
	/* 3 of 5. */
	calls(breaker, 1, PROMCB_FAILURE);
	STATE(PROMCB_OPEN);
	now_ns += 89 * SECOND;
	cr_assert_not(call(breaker, PROMCB_SUCCESS));
	STATE(PROMCB_OPEN);
	now_ns += 1 * SECOND;
	calls(breaker, 2, PROMCB_SUCCESS);
	STATE(PROMCB_HALF_OPEN);
	calls(breaker, 1, PROMCB_FAILURE);
	STATE(PROMCB_OPEN);
	now_ns += 90 * SECOND;
	for (int i = 0; i < 3; i++, now_ns += 1 * MS)
		cr_assert(promcb_allow(breaker, &probes[i]));
	cr_assert_not(promcb_allow(breaker, &more), "a fourth of three");
	for (int i = 0; i < 3; i++)
		promcb_done_at(breaker, &probes[i], 1000, PROMCB_SUCCESS, now_ns);
	STATE(PROMCB_CLOSED);
}

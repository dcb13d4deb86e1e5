/* SPDX-License-Identifier: MIT */
/* The life of a component: names, a full table, a reset, close and open, and a segment that is removed. */
#include "fixture.h"

#include <time.h>

TestSuite(record, .init = fixture_begin, .fini = fixture_end);

Test(record, reset_forgets_and_a_new_call_lists_again)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *a = fixture_component(p, "a"), *b = fixture_component(p, "b");

	for (int k = 0; k < 100; k++) {
		promcb_record(a, 1000, k % 2 == 0);
		promcb_record(b, 1000, true);
	}
	promcb_count_log(a, PROMCB_LOG_INFO);
	cr_assert_eq(promcb_reset(p, "nobody"), -ENOENT);
	cr_assert_eq(promcb_reset(p, "a"), 0);
	cr_assert(!fixture_lists("a"));
	cr_assert_eq(fixture_summary("b").total_calls, 100);
	/* A later tick than the reset's. */
	struct timespec pause = {.tv_nsec = 12000000};

	nanosleep(&pause, NULL);
	promcb_record(a, 5000, false);
	struct promcb_summary s = fixture_summary("a");

	cr_assert_eq(s.total_calls, 1);
	cr_assert_eq(s.failed_calls, 1);
	cr_assert_eq(s.log_entries[PROMCB_LOG_INFO], 0);
	cr_assert_eq(s.recent_calls, 1);
	cr_assert_float_eq(s.latency_sum, 5e-6, 1e-12);
	for (int k = 0; k < 5; k++) {
		cr_assert_eq(promcb_reset_all(p), 0);
		cr_assert(!fixture_lists("a") && !fixture_lists("b"));
	}
	promcb_record(b, 1, true);
	cr_assert_eq(fixture_summary("b").total_calls, 1);
}

Test(record, reset_keeps_an_open_breaker_listed)
{
	struct promcb_session *p = fixture_open(NULL);

	promcb_set_state(fixture_component(p, "open"), PROMCB_OPEN);
	cr_assert_eq(promcb_reset_all(p), 0);
	struct promcb_summary s = fixture_summary("open");

	cr_assert_eq(s.state, PROMCB_OPEN);
	cr_assert_eq(s.transitions[PROMCB_OPEN], 0);
}

Test(record, full_table_goes_to_overflow)
{
	const struct promcb_options options = {.components = 10};
	struct promcb_session *p = fixture_open(&options);
	struct promcb_component *component;
	char name[32];

	for (int k = 0; k < 15; k++) {
		snprintf(name, sizeof(name), "component %d", k);
		cr_assert_eq(promcb_component(p, name, &component), k < 10 ? 0 : -ENOSPC);
		promcb_record(component, 1000, true);
	}
	cr_assert_eq(promcb_call(p, "one more", 0.001, true), -ENOSPC);
	cr_assert_eq(fixture_summary("component 9").total_calls, 1);
	cr_assert_eq(fixture_summary("_overflow").total_calls, 6);
	cr_assert_eq(fixture_info().components_rejected, 6);
	cr_assert_eq(fixture_info().components, 10);
}

Test(record, names_that_are_none)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *component;
	char long_name[200];

	memset(long_name, 'x', sizeof(long_name));
	long_name[127] = 0;
	cr_assert_eq(promcb_component(p, long_name, &component), 0);
	long_name[127] = 'x';
	long_name[128] = 0;
	const char *bad[] = {"",         long_name,  "a\nb",         "a\x7f",
			     "\xff",     "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
			     "\xe2\x82", "tab\there"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(promcb_component(p, bad[i], &component), -EINVAL, "%zu", i);
		/* Whatever is returned, the handle can be recorded into. */
		promcb_record(component, 1, false);
		promcb_set_state(component, PROMCB_OPEN);
		promcb_count_log(component, PROMCB_LOG_INFO);
	}
	cr_assert_eq(promcb_component(p, "\xe2\x82\xac \"q\\uoted\" \xf0\x9f\x90\xa2", &component), 0);
	cr_assert_eq(promcb_component(NULL, "x", &component), -EINVAL);
	promcb_record(component, 1, true);
	cr_assert_eq(fixture_info().components, 2);
}

/* However a name is padded, it is one component, for whoever registers, calls by name or resets. */
Test(record, names_are_trimmed)
{
	struct promcb_session *p = fixture_open(NULL);
	static const char *const spelled[] = {"a b", " a b", "a b\n",
					      "\xef\xbb\xbf"
					      "a b",
					      "\xc2\xa0"
					      "a b\t"};

	for (size_t i = 0; i < sizeof(spelled) / sizeof(spelled[0]); i++) {
		promcb_record(fixture_component(p, spelled[i]), 1, true);
		cr_assert_eq(promcb_call(p, spelled[i], 1e-9, true), 0);
	}
	cr_assert_eq(fixture_summary("a b").total_calls, 10);
	cr_assert_eq(fixture_info().components, 1);
	cr_assert_eq(promcb_reset(p, "  a b  "), 0);
	cr_assert(!fixture_lists("a b"));
}

Test(record, components_are_found_again_by_others)
{
	struct promcb_session *p = fixture_open(NULL), *again = fixture_open(NULL);

	cr_assert_eq(p, again);
	cr_assert_eq(fixture_component(p, "same"), fixture_component(again, "same"));
	promcb_close(again);
	promcb_record(fixture_component(p, "same"), 1, true);
	cr_assert_eq(fixture_summary("same").total_calls, 1);
}

Test(record, after_close_and_open_again)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *component = fixture_component(p, "kept");

	for (int k = 1; k <= 20; k++) {
		promcb_record(component, 1000, true);
		promcb_close(p);
		promcb_record(component, 1000, true);
		promcb_count_log(component, PROMCB_LOG_INFO);
		promcb_set_state(component, PROMCB_OPEN);
		cr_assert_eq(fixture_info().lanes_live, 0);
		cr_assert_eq(fixture_summary("kept").total_calls, (uint64_t)k);
		cr_assert_eq(fixture_open(NULL), p);
	}
	cr_assert_eq(fixture_info().lanes_idle, 1);
}

Test(record, a_removed_segment_is_followed)
{
	struct promcb_component *component = fixture_component(fixture_open(NULL), "moved");
	struct timespec pause = {.tv_sec = 1, .tv_nsec = 100000000};

	promcb_record(component, 1000, true);
	cr_assert_eq(promcb_remove(fixture_segment, false, NULL), -EBUSY);
	cr_assert_eq(promcb_remove(fixture_segment, true, NULL), 0);
	nanosleep(&pause, NULL);
	/* The next call, and each after it. */
	promcb_record(component, 1000, true);
	cr_assert_eq(fixture_summary("moved").total_calls, 1);
	promcb_record(component, 1000, false);
	cr_assert_eq(fixture_summary("moved").total_calls, 2);
}

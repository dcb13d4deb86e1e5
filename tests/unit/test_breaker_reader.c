/* SPDX-License-Identifier: MIT */
/* breaker_reader: a breaker as a reader sees it, and the policy of an operator. */
#include "breaking.h"

#include "record/open.h"

#include <promcb/breaker_reader.h>

#include <pthread.h>

TestSuite(breaker_reader, .init = fixture_begin, .fini = fixture_end, .timeout = 60);

static struct promcb_breaker_summary summary_of(const char *name)
{
	struct promcb_snapshot *snapshot = fixture_snapshot();
	struct promcb_breaker_summary summary = {.component = NULL};
	bool is_found = false;

	for (size_t i = 0; i < promcb_snapshot_breakers(snapshot) && !is_found; i++) {
		cr_assert_eq(promcb_snapshot_breaker(snapshot, i, &summary), 0);
		is_found = strcmp(summary.component, name) == 0;
	}
	cr_assert(is_found);
	cr_assert_eq(promcb_snapshot_breaker(snapshot, promcb_snapshot_breakers(snapshot), &summary), -ENOENT);
	promcb_snapshot_free(snapshot);
	summary.component = NULL;
	return summary;
}

static bool are_equal(struct promcb_policy one, struct promcb_policy other)
{
	one.message = other.message = NULL;
	return memcmp(&one, &other, sizeof(one)) == 0;
}

Test(breaker_reader, nobody_has_one)
{
	struct promcb_breaker_summary summary;
	struct promcb_snapshot *snapshot;

	fixture_component(fixture_open(NULL), "db");
	snapshot = fixture_snapshot();
	cr_assert_eq(promcb_snapshot_breakers(snapshot), 0);
	cr_assert_eq(promcb_snapshot_breaker(snapshot, 0, &summary), -ENOENT);
	promcb_snapshot_free(snapshot);
}

/* A policy comes back as it was given, and given again it is the same. */
Test(breaker_reader, policies)
{
	static const struct promcb_policy given[] = {
		{.window_ms = 10000,
		 .min_calls = 20,
		 .failure_permille = 500,
		 .slow_permille = PROMCB_POLICY_OFF,
		 .consecutive = PROMCB_POLICY_OFF,
		 .open_ms = 5000,
		 .open_max_ms = 60000,
		 .jitter_percent = 10,
		 .probes = 3,
		 .successes = 3,
		 .failures = 1,
		 .lease_ms = 10000},
		{.version = UINT32_MAX,
		 .window_ms = 3600000,
		 .min_calls = 1000000,
		 .failure_permille = PROMCB_POLICY_OFF,
		 .slow_permille = 1000,
		 .consecutive = UINT16_MAX,
		 .slow_ns = PROMCB_LATENCY_MAX_NS,
		 .open_ms = 1,
		 .open_max_ms = 86400000,
		 .jitter_percent = PROMCB_POLICY_OFF,
		 .probes = 8,
		 .successes = 255,
		 .failures = 255,
		 .lease_ms = 86400000,
		 .mode = PROMCB_MODE_SHADOW},
	};
	struct promcb_breaker *breaker = make(&(struct promcb_policy){.version = 0});

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		struct promcb_policy again;

		cr_assert_eq(promcb_breaker(component, &given[i], &breaker), 0);
		again = summary_of("db").policy;
		cr_assert(are_equal(again, given[i]), "policy %zu", i);
		cr_assert_eq(promcb_breaker(component, &again, &breaker), 0);
		cr_assert(are_equal(summary_of("db").policy, given[i]), "policy %zu, again", i);
	}
}

Test(breaker_reader, numbers)
{
	struct promcb_breaker *breaker = make(&probing);
	struct promcb_breaker_summary summary;
	struct timespec now;

	cr_assert_eq(summary_of("db").last_reason, NULL);
	calls(breaker, 3, PROMCB_SUCCESS);
	calls(breaker, 1, PROMCB_IGNORED);
	calls(breaker, 1, PROMCB_TIMEOUT);
	cr_assert_not(call(breaker, PROMCB_SUCCESS));
	summary = summary_of("db");
	cr_assert(summary.state == PROMCB_OPEN && summary.mode == PROMCB_MODE_AUTOMATIC && !summary.is_forced);
	cr_assert_str_eq(summary.last_reason, "consecutive");
	cr_assert(summary.permitted == 5 && summary.refused_open == 1 && summary.ignored == 1);
	/* Ignored calls are none of the window's. */
	cr_assert(summary.window_calls == 4 && summary.window_failed == 1 && summary.window_slow == 0);
	clock_gettime(CLOCK_REALTIME, &now);
	/* In a second from the test's now, which is the whole second before. */
	cr_assert_leq(summary.open_until_ns, (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec + SECOND + 10 * MS);
	cr_assert_geq(summary.open_until_ns + 60 * SECOND, (uint64_t)now.tv_sec * SECOND);

	now_ns += 1001 * MS;
	calls(breaker, 1, PROMCB_SUCCESS);
	calls(breaker, 1, PROMCB_FAILURE);
	summary = summary_of("db");
	cr_assert(summary.state == PROMCB_HALF_OPEN && summary.open_until_ns == 0);
	cr_assert(summary.probes_good == 1 && summary.probes_bad == 1 && summary.probes_lost == 0);

	cr_assert_eq(promcb_breaker_force(breaker, PROMCB_MODE_OPEN), 0);
	cr_assert_not(call(breaker, PROMCB_SUCCESS));
	summary = summary_of("db");
	cr_assert(summary.mode == PROMCB_MODE_OPEN && summary.is_forced && summary.refused_forced == 1);
	cr_assert_eq(summary.policy.mode, PROMCB_MODE_AUTOMATIC);
}

/* Sorted, with labels, and those alone whose component matches. */
Test(breaker_reader, names)
{
	static const struct promcb_label labels[] = {{"op", "read"}};
	const struct promcb_snapshot_options options = {.matching = "db"};
	struct promcb_breaker *breaker = make(&probing);
	struct promcb_breaker_summary summary;
	struct promcb_component *other;
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;

	cr_assert_eq(promcb_component_with(session, "db", labels, 1, &other), 0);
	cr_assert_eq(promcb_breaker(other, NULL, &breaker), 0);
	cr_assert_eq(promcb_component(session, "a", &other), 0);
	cr_assert_eq(promcb_breaker(other, NULL, &breaker), 0);
	snapshot = fixture_snapshot();
	cr_assert_eq(promcb_snapshot_breakers(snapshot), 3);
	for (size_t i = 0; i < 3; i++) {
		static const char *const names[] = {"a", "db", "db{op=\"read\"}"};

		cr_assert_eq(promcb_snapshot_breaker(snapshot, i, &summary), 0);
		cr_assert_str_eq(summary.component, names[i]);
	}
	promcb_snapshot_free(snapshot);
	cr_assert_eq(promcb_reader_open(fixture_segment, NULL, &reader, NULL), 0);
	cr_assert_eq(promcb_reader_snapshot(reader, &options, &snapshot, NULL), 0);
	promcb_reader_close(reader);
	cr_assert_eq(promcb_snapshot_breakers(snapshot), 2);
	cr_assert_eq(promcb_snapshot_breaker(snapshot, 0, &summary), 0);
	cr_assert_str_eq(summary.component, "db");
	promcb_snapshot_free(snapshot);
}

/* -- An operator's policy ------------------------------------------------------------------------------------------ */

/* It takes the place of any; one of the same version does not take its, and is not refused; one of a higher does. */
Test(breaker_reader, operators_policy)
{
	struct promcb_policy policy = {.version = 5, .window_ms = 1000};
	struct promcb_breaker *breaker = make(&policy);

	policy = (struct promcb_policy){.version = 4, .window_ms = 2000, .flags = PROMCB_POLICY_ANYWAY};
	cr_assert_eq(promcb_breaker(component, &policy, &breaker), 0);
	cr_assert(summary_of("db").policy.version == 4 && summary_of("db").policy.window_ms == 2000);
	cr_assert_eq(summary_of("db").policy.flags, PROMCB_POLICY_ANYWAY);
	/* Of a program that is of the same version, and its default. */
	policy = (struct promcb_policy){.version = 4, .window_ms = 3000};
	cr_assert_eq(promcb_breaker(component, &policy, &breaker), 0);
	cr_assert_eq(promcb_breaker(component, NULL, &breaker), 0);
	policy.version = 3;
	cr_assert_eq(promcb_breaker(component, &policy, &breaker), 0);
	cr_assert_eq(summary_of("db").policy.window_ms, 2000);
	/* Another operator. */
	policy = (struct promcb_policy){.version = 4, .window_ms = 4000, .flags = PROMCB_POLICY_ANYWAY};
	cr_assert_eq(promcb_breaker(component, &policy, &breaker), 0);
	cr_assert_eq(summary_of("db").policy.window_ms, 4000);
	policy = (struct promcb_policy){.version = 6, .window_ms = 5000};
	cr_assert_eq(promcb_breaker(component, &policy, &breaker), 0);
	cr_assert(summary_of("db").policy.window_ms == 5000 && summary_of("db").policy.flags == 0);
	/* A program's of the same version is refused again. */
	policy.window_ms = 6000;
	cr_assert_eq(promcb_breaker(component, &policy, &breaker), -EEXIST);
}

static void *call_once(void *breaker)
{
	calls(breaker, 1, PROMCB_SUCCESS);
	return NULL;
}

/* One of a lower version, too: that a thread of a program comes to use the breaker gives nothing anew. */
Test(breaker_reader, operators_lower_version)
{
	struct promcb_policy policy = {.version = 5, .window_ms = 1000};
	struct promcb_breaker *breaker = make(&policy);
	pthread_t thread;

	calls(breaker, 1, PROMCB_SUCCESS);
	policy = (struct promcb_policy){.version = 4, .window_ms = 2000, .flags = PROMCB_POLICY_ANYWAY};
	cr_assert_eq(promcb_breaker(component, &policy, &breaker), 0);
	cr_assert_eq(pthread_create(&thread, NULL, call_once, breaker), 0);
	pthread_join(thread, NULL);
	cr_assert_eq(summary_of("db").policy.version, 4);
	policy = (struct promcb_policy){.version = 5, .window_ms = 3000};
	cr_assert_eq(promcb_breaker(component, &policy, &breaker), 0);
	cr_assert_eq(summary_of("db").policy.window_ms, 3000);
}

Test(breaker_reader, flags_that_are_none)
{
	struct promcb_message message;
	const struct promcb_policy policy = {.flags = 2, .message = &message};
	struct promcb_breaker *breaker = make(&probing);

	cr_assert_eq(promcb_breaker(component, &policy, &breaker), -EINVAL);
	cr_assert_neq(strstr(message.text, "flags"), NULL);
	cr_assert_eq(summary_of("db").policy.open_ms, probing.open_ms);
}

/* A policy that says that all is refused, or let through, decides at once, also of a thread whose calls all succeed. */
Test(breaker_reader, mode_of_a_policy)
{
	struct promcb_policy policy = {.version = 1};
	struct promcb_breaker *breaker = make(&policy);

	calls(breaker, 3, PROMCB_SUCCESS);
	policy = (struct promcb_policy){.version = 2, .mode = PROMCB_MODE_OPEN};
	cr_assert_eq(promcb_breaker(component, &policy, &breaker), 0);
	cr_assert_eq(summary_of("db").mode, PROMCB_MODE_OPEN);
	cr_assert_not(call(breaker, PROMCB_SUCCESS));
	policy = (struct promcb_policy){.version = 3};
	cr_assert_eq(promcb_breaker(component, &policy, &breaker), 0);
	calls(breaker, 1, PROMCB_SUCCESS);
}

/* -- A policy that changes while it is read ------------------------------------------------------------------------ */

static uint64_t is_over;

/* Puts policies in force as policy.c does, and faster than any process could: in each, four fields say the same. */
static void *change_policies(void *descriptor)
{
	struct promcb_descriptor *d = descriptor;
	struct promcb_terms terms;
	uint64_t selector, words[PROMCB_POLICY_WORDS];

	promcb_policy_read(d, &terms);
	for (uint32_t i = 100; !promcb_load_relaxed(&is_over); i = i < 10000 ? i + 1 : 100) {
		terms.version = terms.window_ms = terms.open_ms = terms.lease_ms = i;
		promcb_terms_pack(&terms, words);
		selector = promcb_load_relaxed(&d->selector);
		selector = ((selector >> 1) + 1) << 1 | !(selector & 1);
		for (uint32_t j = 0; j < PROMCB_POLICY_WORDS; j++)
			promcb_store_release(&d->policy[(selector & 1) * PROMCB_POLICY_WORDS + j], words[j]);
		promcb_store_release(&d->selector, selector);
		/* Not so fast that no reader has the time to read one. */
		for (uint32_t j = 0; j < 20000; j++)
			promcb_load_acquire(&d->selector);
	}
	return NULL;
}

Test(breaker_reader, policy_is_whole)
{
	struct promcb_breaker_summary summary;
	struct promcb_segment *segment;
	unsigned seen = 0;
	pthread_t thread;
	uint32_t number;

	make(&(struct promcb_policy){.version = 100});
	segment = promcb_session_glance(session, promcb_component_handle(component), &number);
	cr_assert_eq(pthread_create(&thread, NULL, change_policies, promcb_segment_descriptor(segment, number)), 0);
	for (unsigned i = 0; i < 400; i++) {
		summary = summary_of("db");
		seen += summary.policy.version != 100;
		if (seen)
			cr_assert(summary.policy.window_ms == summary.policy.version &&
					  summary.policy.open_ms == summary.policy.version &&
					  summary.policy.lease_ms == summary.policy.version,
				  "%u: version %u, %u, %u, %u", i, summary.policy.version, summary.policy.window_ms,
				  summary.policy.open_ms, summary.policy.lease_ms);
	}
	promcb_store_relaxed(&is_over, 1);
	pthread_join(thread, NULL);
	cr_assert(seen);
}

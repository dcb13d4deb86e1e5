/* SPDX-License-Identifier: MIT */
/* prepare.c: what is prepared records nothing, and a record then finds all there is to find. */
#include "fixture.h"

#include "record/entry.h"

#include <pthread.h>
#include <sys/wait.h>

enum { COMPONENTS = 40, CALLS = 3000 };

TestSuite(prepare, .init = fixture_begin, .fini = fixture_end);

static struct promcb_session *metrics;
static struct promcb_component *components[COMPONENTS];

static void open_all(const struct promcb_options *options)
{
	metrics = fixture_open(options);
	for (unsigned i = 0; i < COMPONENTS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "prepared%u", i);
		components[i] = fixture_component(metrics, name);
	}
}

/* Whether the thread's entry leads to its own block and a full ring of 1,024. */
static bool is_ready(const struct promcb_component *component)
{
	struct promcb_entry at = promcb_entry_load(component);

	return at.block != 0 && (at.ring & 31) == 10;
}

static uint64_t calls_of_all(void)
{
	uint64_t calls = 0;

	for (unsigned i = 0; i < COMPONENTS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "prepared%u", i);
		calls += fixture_summary(name).total_calls;
	}
	return calls;
}

static void record_all(unsigned calls)
{
	for (unsigned k = 0; k < calls; k++)
		promcb_record(components[k % COMPONENTS], 1000 + k, k % 9 != 0);
}

Test(prepare, nothing_is_recorded_and_nothing_is_left_to_make)
{
	struct promcb_segment_info before;

	open_all(NULL);
	/* One of them has calls in its first ring, which come along. */
	for (unsigned k = 0; k < 20; k++)
		promcb_record_at(components[0], 1000000, true, 1);
	promcb_record(components[0], 2000000, false);
	for (unsigned again = 0; again < 2; again++) {
		cr_assert_eq(promcb_prepare(components, COMPONENTS), 0);
		for (unsigned i = 0; i < COMPONENTS; i++)
			cr_assert(is_ready(components[i]), "%u", i);
		cr_assert_eq(calls_of_all(), 21);
		cr_assert_eq(fixture_summary("prepared0").failed_calls, 1);
		cr_assert_eq(fixture_summary("prepared1").recent_calls, 0);
	}
	before = fixture_info();
	record_all(CALLS);
	cr_assert_eq(calls_of_all(), 21 + CALLS);
	cr_assert_eq(fixture_summary("prepared1").recent_calls, CALLS / COMPONENTS);
	cr_assert_eq(fixture_info().used_bytes, before.used_bytes);
	cr_assert_eq(fixture_info().overflow_calls, 0);
}

static void *prepare_and_record(void *result)
{
	*(int *)result = promcb_prepare(components, COMPONENTS);
	record_all(COMPONENTS);
	return NULL;
}

/* The one lane is the first thread's. */
Test(prepare, without_a_lane_calls_count)
{
	const struct promcb_options options = {.lanes = 1};
	pthread_t thread;
	int result = 0;

	open_all(&options);
	cr_assert_eq(promcb_prepare(components, COMPONENTS), 0);
	cr_assert_eq(pthread_create(&thread, NULL, prepare_and_record, &result), 0);
	pthread_join(thread, NULL);
	cr_assert_eq(result, -ENOSPC);
	cr_assert_eq(calls_of_all(), COMPONENTS);
	cr_assert_eq(fixture_info().overflow_calls, COMPONENTS);
}

/* Each ring would take a chunk, of which there are fewer than components. */
Test(prepare, where_there_is_no_room_for_rings)
{
	const struct promcb_options options = {
		.max_bytes = 8 << 20, .lanes = 4, .components = 64, .recent_samples = 65536};
	unsigned with_ring = 0;

	open_all(&options);
	cr_assert_eq(promcb_prepare(components, COMPONENTS), -ENOSPC);
	for (unsigned i = 0; i < COMPONENTS; i++) {
		struct promcb_entry at = promcb_entry_load(components[i]);

		cr_assert_neq(at.block, 0, "%u", i);
		cr_assert_eq(promcb_prepare(&components[i], 1), (at.ring & 31) == 16 ? 0 : -ENOSPC, "%u", i);
		with_ring += (at.ring & 31) == 16;
	}
	cr_assert_gt(with_ring, 0);
	cr_assert_lt(with_ring, COMPONENTS);
	record_all(COMPONENTS);
	cr_assert_eq(calls_of_all(), COMPONENTS);
	cr_assert_eq(fixture_info().overflow_calls, 0);
}

Test(prepare, a_child_and_a_thread)
{
	pthread_t thread;
	int status, result = -1;
	pid_t child;

	open_all(NULL);
	cr_assert_eq(promcb_prepare(components, COMPONENTS), 0);
	child = fork();
	if (child == 0) {
		bool ready = promcb_prepare(components, COMPONENTS) == 0;

		for (unsigned i = 0; i < COMPONENTS; i++)
			ready = ready && is_ready(components[i]);
		record_all(CALLS);
		_exit(ready ? 0 : 1);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	cr_assert_eq(pthread_create(&thread, NULL, prepare_and_record, &result), 0);
	pthread_join(thread, NULL);
	cr_assert_eq(result, 0);
	record_all(CALLS);
	cr_assert_eq(calls_of_all(), 2 * CALLS + COMPONENTS);
}

Test(prepare, where_nothing_can_be_recorded)
{
	struct promcb_component *none;

	promcb_component(NULL, "nothing", &none);
	cr_assert_eq(promcb_prepare(&none, 1), -ENOENT);
	cr_assert_eq(promcb_prepare(NULL, 0), 0);
	open_all(NULL);
	promcb_close(metrics);
	cr_assert_eq(promcb_prepare(components, COMPONENTS), -ENOENT);
}

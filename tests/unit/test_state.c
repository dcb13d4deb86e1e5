/* SPDX-License-Identifier: MIT */
/* What a producer asks of a breaker's state: whoever told it, and without a system call where it records. */
#include "fixture.h"

#include <linux/seccomp.h>
#include <promcb/atomic.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

TestSuite(state, .init = fixture_begin, .fini = fixture_end);

static void in_child(void (*act)(struct promcb_session *p), struct promcb_session *p)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		act(p);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
}

static void open_it(struct promcb_session *p)
{
	promcb_set_state(fixture_component(p, "x"), PROMCB_OPEN);
}

static void half_open_it(struct promcb_session *p)
{
	promcb_set_state(fixture_component(p, "x"), PROMCB_HALF_OPEN);
}

/* Told by another process; asked by one that has recorded in it, and before. */
Test(state, is_that_of_all_processes)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *x = fixture_component(p, "x"), *y = fixture_component(p, "y");

	cr_assert_eq(promcb_state(NULL), PROMCB_CLOSED);
	cr_assert_eq(promcb_state(x), PROMCB_CLOSED);
	in_child(open_it, p);
	cr_assert_eq(promcb_state(x), PROMCB_OPEN);
	promcb_record(x, 1000, true);
	promcb_record(y, 1000, true);
	cr_assert_eq(promcb_state(x), PROMCB_OPEN);
	cr_assert_eq(promcb_state(y), PROMCB_CLOSED);
	in_child(half_open_it, p);
	cr_assert_eq(promcb_state(x), PROMCB_HALF_OPEN);
	promcb_set_state(x, PROMCB_CLOSED);
	cr_assert_eq(promcb_state(x), PROMCB_CLOSED);
	promcb_set_state(x, PROMCB_OPEN);
	promcb_close(p);
	cr_assert_eq(promcb_state(x), PROMCB_CLOSED);
}

/* Of the handle's segment, not of one that was left: after the removal it is asked for anew. */
Test(state, is_that_of_the_present_segment)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *x = fixture_component(p, "x");

	promcb_record(x, 1000, true);
	promcb_set_state(x, PROMCB_OPEN);
	cr_assert_eq(promcb_state(x), PROMCB_OPEN);
	cr_assert_eq(promcb_remove(fixture_segment, true, NULL), 0);
	/* It was marked as removed, so the next slow path leaves it. */
	promcb_set_state(fixture_component(p, "another"), PROMCB_HALF_OPEN);
	cr_assert_eq(promcb_state(x), PROMCB_CLOSED);
	cr_assert_eq(promcb_state(fixture_component(p, "another")), PROMCB_HALF_OPEN);
	promcb_record(x, 1000, true);
	cr_assert_eq(promcb_state(x), PROMCB_CLOSED);
	promcb_set_state(x, PROMCB_OPEN);
	cr_assert_eq(promcb_state(x), PROMCB_OPEN);
}

/* In strict seccomp the first system call but exit kills: own blocks, of two schemas, and overflow blocks. */
static void ask_without_calls(uint32_t schema, uint32_t lanes, enum promcb_state state)
{
	const struct promcb_options options = {.schema = schema, .lanes = lanes};
	struct promcb_session *p = fixture_open(&options);
	struct promcb_component *x = fixture_component(p, "x");
	pid_t child;
	int status;

	/* With one lane that is the parent's, the child has overflow blocks. */
	promcb_record(x, 1000, true);
	child = fork();
	if (child == 0) {
		promcb_record(x, 1000, true);
		promcb_set_state(x, state);
		int wrong = 0;

		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
			_exit(77);
		for (int i = 0; i < 10000; i++)
			wrong += promcb_state(x) != state;
		syscall(SYS_exit, wrong != 0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("there is no seccomp here");
	cr_assert_eq(status, 0, "schema %u, %u lanes: status %x", schema, lanes, (unsigned)status);
	promcb_close(p);
	unlink(fixture_segment);
}

Test(state, is_asked_without_a_system_call)
{
	ask_without_calls(3, 8, PROMCB_OPEN);
	ask_without_calls(5, 8, PROMCB_HALF_OPEN);
	ask_without_calls(3, 1, PROMCB_OPEN);
}

/* While another thread moves the process from segment to segment, the answer is one of the states that were told. */
static uint64_t stop;

static void *ask_on(void *component)
{
	uint64_t wrong = 0;

	for (uint64_t i = 0; !promcb_load_relaxed(&stop); i++) {
		if (i % 64 == 0)
			promcb_record(component, 1000, true);
		wrong += promcb_state(component) == PROMCB_HALF_OPEN;
	}
	return (void *)(uintptr_t)wrong;
}

Test(state, while_segments_come_and_go)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *x = fixture_component(p, "x"), *y = fixture_component(p, "y");
	pthread_t asker;
	void *wrong;

	cr_assert_eq(pthread_create(&asker, NULL, ask_on, x), 0);
	for (int i = 0; i < 20; i++) {
		int removed;

		/* A producer need not notice at once that its segment is gone: there is none to remove until then. */
		do {
			promcb_set_state(y, PROMCB_HALF_OPEN);
			promcb_set_state(x, PROMCB_OPEN);
			removed = promcb_remove(fixture_segment, true, NULL);
		} while (removed == -ENOENT);
		cr_assert_eq(removed, 0);
	}
	promcb_store_relaxed(&stop, 1);
	cr_assert_eq(pthread_join(asker, &wrong), 0);
	cr_assert_null(wrong);
}

/* SPDX-License-Identifier: MIT */
/* breaker_permits: whose permit another may have, and when: of the dead soon, of the living once its lease ends. */
#include "breaking.h"

#include "record/open.h"

#include <pthread.h>
#include <sys/wait.h>

TestSuite(breaker_permits, .init = fixture_begin, .fini = fixture_end, .timeout = 60);

enum { REAP_MS = 4, LEASE_MS = 500 };

/* Half-open, with one permit, which nobody has. */
static struct promcb_breaker *make_half_open(void)
{
	struct promcb_policy policy = probing;
	struct promcb_breaker *breaker;

	policy.probes = 1;
	policy.lease_ms = LEASE_MS;
	breaker = make(&policy);
	calls(breaker, 1, PROMCB_FAILURE);
	now_ns += 1000 * MS;
	calls(breaker, 1, PROMCB_SUCCESS);
	STATE(PROMCB_HALF_OPEN);
	return breaker;
}

/* A process that has taken the permit, and does nothing else. */
static pid_t begin_prober(struct promcb_breaker *breaker)
{
	int told[2];
	pid_t child;
	char byte;

	cr_assert_eq(pipe(told), 0);
	child = fork();
	if (child == 0) {
		struct promcb_token token;

		if (promcb_allow(breaker, &token) && write(told[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(told[1]);
	cr_assert_eq(read(told[0], &byte, 1), 1, "it had no permit");
	close(told[0]);
	return child;
}

static void end_prober(pid_t child)
{
	cr_assert_eq(kill(child, SIGKILL), 0);
	cr_assert_eq(waitpid(child, NULL, 0), child);
}

/* Tries as often as somebody may ask for the lanes' owners, for so long. */
static void check_refused(struct promcb_breaker *breaker, uint64_t ms)
{
	struct promcb_token token;

	for (uint64_t passed = 0; passed < ms; passed += REAP_MS, now_ns += REAP_MS * MS)
		cr_assert_not(promcb_allow(breaker, &token), "after %llu ms", (unsigned long long)passed);
}

static bool cannot_be_tried(void)
{
	if (!getenv("MESON_EXE_WRAPPER"))
		return false;
	cr_skip_test("an emulator does not wipe a child's memory");
	return true;
}

Test(breaker_permits, of_the_dead)
{
	struct promcb_breaker *breaker;
	pid_t child;

	if (cannot_be_tried())
		return;
	breaker = make_half_open();
	child = begin_prober(breaker);
	check_refused(breaker, 100);
	end_prober(child);
	/* The last who was refused has asked already. */
	now_ns += REAP_MS * MS;
	calls(breaker, 1, PROMCB_SUCCESS);
	STATE(PROMCB_HALF_OPEN);
	cr_assert_eq(exported("circuit_breaker_probes_total", "lost"), 1);
	calls(breaker, 1, PROMCB_SUCCESS);
	STATE(PROMCB_CLOSED);
}

/* One that is stopped lives. What it ends after its lease says nothing. */
Test(breaker_permits, of_the_stopped)
{
	struct promcb_breaker *breaker;
	pid_t child;

	if (cannot_be_tried())
		return;
	breaker = make_half_open();
	child = begin_prober(breaker);
	cr_assert_eq(kill(child, SIGSTOP), 0);
	check_refused(breaker, LEASE_MS);
	now_ns += 1 * MS;
	calls(breaker, 1, PROMCB_SUCCESS);
	end_prober(child);
	cr_assert_eq(exported("circuit_breaker_probes_total", "lost"), 1);
}

static void *probe(void *token)
{
	return promcb_allow(((struct promcb_breaker **)token)[0], ((struct promcb_token **)token)[1]) ? token : NULL;
}

/* A lane of this process is in use, or its threads' next. */
Test(breaker_permits, of_another_thread)
{
	struct promcb_breaker *breaker = make_half_open();
	struct promcb_token token;
	void *both[2] = {breaker, &token}, *done;
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, probe, both), 0);
	pthread_join(thread, &done);
	cr_assert_not_null(done);
	check_refused(breaker, 100);
	promcb_done_at(breaker, &token, 1000, PROMCB_SUCCESS, now_ns);
	calls(breaker, 1, PROMCB_SUCCESS);
	STATE(PROMCB_CLOSED);
	cr_assert_eq(exported("circuit_breaker_probes_total", "lost"), 0);
}

/* A descriptor that the application closed is opened anew. */
Test(breaker_permits, with_closed_descriptors)
{
	struct promcb_breaker *breaker;
	pid_t child;

	if (cannot_be_tried())
		return;
	breaker = make_half_open();
	child = begin_prober(breaker);
	for (int fd = 3; fd < 64; fd++)
		if (promcb_segment_owns_fd(session->segment, fd))
			close(fd);
	check_refused(breaker, 100);
	end_prober(child);
	now_ns += REAP_MS * MS;
	calls(breaker, 1, PROMCB_SUCCESS);
}

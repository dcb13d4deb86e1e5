/* SPDX-License-Identifier: MIT */
/*
 * torture_vfork: children that have their parent's memory, and end in the middle of a call.
 *
 * Invariants, each by exact totals or bounds of what was in flight, and none hangs: the child of vfork may be killed at
 * any step, or be the first process of a pid namespace as its parent is, or have other descriptors than its parent;
 * afterwards the parent has its own, and gives the segment back. The child knows the states of components by
 * their names which its process has not looked up since the segment was replaced (guest_asked_nobody,
 * guest_told_overflow).
 */
#include "hosts.h"

#include <fcntl.h>
#include <sched.h>

static pid_t child_of_vfork;

static void *kill_children(void *argument)
{
	uint64_t random = 362436069;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		pid_t child = __atomic_load_n(&child_of_vfork, __ATOMIC_ACQUIRE);

		for (uint64_t spins = stress_random(&random) % 100000; spins; spins--)
			__asm__ volatile("");
		if (child > 0)
			kill(child, SIGKILL);
	}
	return argument;
}

/* The child records until it is killed or has enough. Returns its exit status, or -signal. */
__attribute__((noinline)) static int lose_one(void)
{
	pid_t child = vfork();

	if (child == 0) {
		__atomic_store_n(&child_of_vfork, getpid(), __ATOMIC_RELEASE);
		for (unsigned k = 0; k < 20000; k++) {
			record_one(fresh[k % FRESH]);
			if (k % 100 == 0)
				promcb_set_state(fresh[k % FRESH], (enum promcb_state)(k / 100 % 3));
		}
		_exit(0);
	}
	__atomic_store_n(&child_of_vfork, 0, __ATOMIC_RELEASE);
	return stress_wait(child);
}

static void lose_children(void)
{
	uint64_t rounds = stress_scale(400);
	pthread_t killer;
	unsigned killed = 0;

	start();
	CHECK(pthread_create(&killer, NULL, kill_children, NULL) == 0, "thread");
	for (uint64_t round = 0; round < rounds; round++) {
		if (round % 16 == 0 && round) {
			/* Fresh components, and entries that lead nowhere. */
			char name[32];

			for (unsigned i = 0; i < FRESH; i++) {
				snprintf(name, sizeof(name), "fresh%u", (unsigned)(round + i));
				fresh[i] = stress_component(metrics, name);
			}
		}
		killed += lose_one() == -SIGKILL;
		promcb_set_state(known, (enum promcb_state)(round % 3));
		record_one(known);
		record_one(fresh[round % FRESH]);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	pthread_join(killer, NULL);
	expect_total();
	CHECK(promcb_reset_all(metrics) == 0, "reset");
	promcb_close(metrics);
	CHECK(stress_mappings(stress_segment) == 0, "a child that is dead still holds the segment");
	printf("%u of %llu children of vfork killed, %llu calls, %llu in flight\n", killed, (unsigned long long)rounds,
	       (unsigned long long)counts->done, (unsigned long long)(counts->begun - counts->done));
}

__attribute__((noinline)) static int record_among_others(struct promcb_component **components)
{
	pid_t child = vfork();

	if (child == 0) {
		close_range(3, ~0U, 0);
		open("/dev/null", O_RDONLY);
		for (unsigned i = 0; i < FRESH; i++)
			record_one(components[i]);
		_exit(0);
	}
	return stress_wait(child);
}

/* Descriptors that the child has closed, and others under their numbers, are not its parent's. */
static void change_descriptors(void)
{
	unsigned before = stress_descriptors();
	struct promcb_component *late[FRESH];
	pid_t child;
	char name[32];

	start();
	child = fork();
	CHECK(child >= 0, "fork");
	for (unsigned i = 0; i < FRESH; i++) {
		snprintf(name, sizeof(name), "late%u", i);
		/* By the child first, so that the file is longer than the parent has seen. */
		if (child != 0 && i == 0)
			CHECK(stress_wait(child) == 0, "child");
		late[i] = stress_component(metrics, name);
		if (child == 0)
			promcb_record(late[i], 1000, true);
	}
	if (child == 0)
		_exit(0);
	counts->begun = counts->done += FRESH;
	CHECK(record_among_others(late) == 0, "child of vfork");
	for (unsigned i = 0; i < FRESH; i++)
		record_one(late[i]);
	expect_total();
	promcb_close(metrics);
	CHECK(stress_descriptors() == before, "%u descriptors, %u before", stress_descriptors(), before);
}

/* Two that do this on one lane lose some: nothing else slows them down. */
static void record_thousand(void)
{
	__atomic_add_fetch(&counts->begun, 1000, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 1000; i++)
		promcb_record_at(known, 1000, true, 1000);
	__atomic_add_fetch(&counts->done, 1000, __ATOMIC_RELAXED);
}

/* So that the thread which has the child has recorded nothing yet. */
static void *start_and_record(void *argument)
{
	start();
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		record_thousand();
	return argument;
}

static int record_and_end(void *argument)
{
	(void)argument;
	record_one(known);
	return 0;
}

/* The first process of a pid namespace, as containers have one. */
static int be_first(void)
{
	static char stack[1 << 18] __attribute__((aligned(64)));
	pthread_t thread;
	pid_t child;

	*counts = (struct counts){0, 0, 0};
	CHECK(pthread_create(&thread, NULL, start_and_record, NULL) == 0, "thread");
	while (__atomic_load_n(&counts->done, __ATOMIC_RELAXED) < 10000) {
	}
	child = clone(record_and_end, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_NEWPID | SIGCHLD, NULL);
	CHECK(child > 0, "clone");
	stress_wait(child);
	for (uint64_t i = stress_scale(20000); i; i--)
		record_thousand();
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	expect_total();
	return 0;
}

static void be_first_twice(void)
{
	pid_t child;

	if (unshare(CLONE_NEWPID) < 0)
		_exit(77);
	child = fork();
	if (child == 0) {
		CHECK(getpid() == 1, "not the first process");
		_exit(be_first());
	}
	int status = stress_wait(child);

	CHECK(status == 0, "the first process ended with %d", status);
}

__attribute__((noinline)) static int ask_in_vfork(struct promcb_component *component)
{
	pid_t child = vfork();

	if (child == 0)
		_exit((int)promcb_state(component));
	return stress_wait(child);
}

__attribute__((noinline)) static int tell_in_vfork(struct promcb_component *component, enum promcb_state state)
{
	pid_t child = vfork();

	if (child == 0)
		_exit(promcb_set_state(component, state) == 0 ? 0 : 1);
	return stress_wait(child);
}

/* Of components that another process has registered in the segment's successor, and this one has not looked up. */
static void know_by_name(void)
{
	pid_t child;

	start();
	CHECK(promcb_remove(stress_segment, true, NULL) == 0, "remove");
	child = fork();
	CHECK(child >= 0, "fork");
	if (child == 0) {
		struct promcb_component *told;

		CHECK(promcb_component(stress_open(NULL), "fresh3", &told) == 0, "component");
		_exit(promcb_set_state(told, PROMCB_OPEN) == 0 ? 0 : 1);
	}
	CHECK(stress_wait(child) == 0, "child");
	/* Into the new segment. */
	record_one(known);
	CHECK(promcb_set_state(known, PROMCB_HALF_OPEN) == 0, "state");
	CHECK(ask_in_vfork(fresh[3]) == PROMCB_OPEN, "guest_asked_nobody");
	CHECK(ask_in_vfork(fresh[4]) == PROMCB_CLOSED, "guest_asked_another");
	CHECK(tell_in_vfork(fresh[3], PROMCB_HALF_OPEN) == 0, "child of vfork");
	CHECK(promcb_state(fresh[3]) == PROMCB_HALF_OPEN, "guest_told_overflow");
	promcb_close(metrics);
}

int main(void)
{
	if (stress_emulated()) {
		printf("an emulator's vfork and clone are others\n");
		return 77;
	}
	hosts_begin("vfork");
	stress_in_child("children of vfork, killed", lose_children, DEADLINE_S);
	stress_in_child("a child of vfork with other descriptors", change_descriptors, DEADLINE_S);
	stress_in_child("two first processes", be_first_twice, DEADLINE_S);
	stress_in_child("states of components known by their names", know_by_name, DEADLINE_S);
	stress_remove();
	return 0;
}

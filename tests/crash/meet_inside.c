/* SPDX-License-Identifier: MIT */
/*
 * meet_inside: one stops at a named point of a call (inject.h), and there something happens to its process.
 *
 * Invariants
 *   - glance_paired_two_segments: the child of vfork(2) that looks where a component is while another thread finds the
 *     segment removed and goes on in a new one, in which the components have other numbers, counts the right one.
 *   - reset_kept_its_lane: an application that closes all descriptors during a reset, or while a component is
 *     registered by the registrar's lane, can do so again, and so can other processes.
 *   - process_took_a_childs_number: where the first call of a process is made by its child of vfork(2), that is a guest
 *     there, and the process has a lane of its own with its next call.
 */
#include "../stress/stress.h"

#include <promcb/atomic.h>
#include <promcb/inject.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

enum { PATIENCE_SECONDS = 20 };

static const char *meeting_point;
static void (*meeting)(void);

void promcb_inject(const char *point)
{
	void (*what)(void) = meeting;

	if (!what || strcmp(point, meeting_point) != 0)
		return;
	meeting = NULL;
	what();
}

static void meet_at(const char *point, void (*what)(void))
{
	meeting_point = point;
	meeting = what;
}

static uint64_t calls_of(const char *name)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	const struct promcb_snapshot_component *found = stress_find(snapshot, name);
	uint64_t calls = found ? found->counts.calls[0] + found->counts.calls[1] : 0;

	promcb_snapshot_free(snapshot);
	return calls;
}

/* -- Two segments ------------------------------------------------------------------------------------------------- */

static uint64_t arrived, go_on;
static struct promcb_component *first, *second;

static void tell_and_wait(void)
{
	promcb_store_release(&arrived, 1);
	while (!promcb_load_acquire(&go_on))
		sched_yield();
}

/* Registers the two in the other order in the new segment. */
static void *move_on(void *argument)
{
	while (!promcb_load_acquire(&arrived))
		sched_yield();
	CHECK(promcb_remove(stress_segment, true, NULL) == 0, "remove");
	CHECK(promcb_create(stress_segment, NULL, NULL) == 0, "create");
	promcb_set_state(second, PROMCB_OPEN);
	promcb_set_state(first, PROMCB_OPEN);
	promcb_store_release(&go_on, 1);
	return argument;
}

__attribute__((noinline)) static int record_in_vfork(struct promcb_component *component)
{
	pid_t child = vfork();

	if (child == 0) {
		promcb_record(component, 1000, true);
		_exit(0);
	}
	return stress_wait(child);
}

static void pair_two_segments(void)
{
	char path[128], old_path[140], segment[64];
	struct promcb_session *metrics = stress_open(NULL);
	uint64_t in_new;
	pthread_t thread;

	memcpy(segment, stress_segment, sizeof(segment));
	snprintf(path, sizeof(path), "/dev/shm%s", segment);
	snprintf(old_path, sizeof(old_path), "%s-old", path);
	first = stress_component(metrics, "first");
	second = stress_component(metrics, "second");
	CHECK(link(path, old_path) == 0, "link");
	CHECK(pthread_create(&thread, NULL, move_on, NULL) == 0, "thread");
	meet_at("glance: placed", tell_and_wait);
	CHECK(record_in_vfork(first) == 0, "child of vfork");
	pthread_join(thread, NULL);
	in_new = calls_of("first");
	CHECK(calls_of("second") == 0, "glance_paired_two_segments: the other component was counted, in the new one");
	snprintf(stress_segment, sizeof(stress_segment), "%.50s-old", segment);
	uint64_t in_old = calls_of("first"), wrong = calls_of("second");

	unlink(old_path);
	memcpy(stress_segment, segment, sizeof(segment));
	CHECK(wrong == 0, "glance_paired_two_segments: the other component was counted");
	CHECK(in_old + in_new == 1, "glance_paired_two_segments: %llu + %llu calls", (unsigned long long)in_old,
	      (unsigned long long)in_new);
}

/* -- Closed descriptors ------------------------------------------------------------------------------------------- */

static void close_all(void)
{
	CHECK(syscall(SYS_close_range, 3, ~0u, 0) == 0, "close_range");
	/* What has the numbers now is the application's. */
	CHECK(open("/dev/null", O_RDONLY) == 3, "open");
}

static int reset_in_child(void)
{
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0) {
		struct promcb_session *metrics = stress_open(NULL);

		_exit(promcb_reset(metrics, "closed") == 0 ? 0 : 1);
	}
	return stress_wait(child);
}

static void close_in_reset(void)
{
	struct promcb_session *metrics = stress_open(NULL);

	promcb_record(stress_component(metrics, "closed"), 1000, true);
	meet_at("reset: filled", close_all);
	CHECK(promcb_reset(metrics, "closed") == 0 && !meeting, "reset");
	CHECK(promcb_reset(metrics, "closed") == 0, "reset_kept_its_lane: in this process");
	CHECK(reset_in_child() == 0, "reset_kept_its_lane: in another process");
	CHECK(fcntl(3, F_GETFD) >= 0, "a descriptor of the application's was closed");
	CHECK(promcb_reset(metrics, "closed") == 0, "once more");
}

static int register_in_child(const char *name)
{
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0) {
		struct promcb_component *component;
		struct promcb_session *metrics = stress_open(NULL);

		_exit(promcb_component(metrics, name, &component) == 0 ? 0 : 1);
	}
	return stress_wait(child);
}

/* All lanes are another process's. */
static void close_in_registration(void)
{
	const struct promcb_options options = {.lanes = 1};
	struct promcb_component *component;
	struct promcb_session *metrics;
	int ready[2];
	char byte;

	CHECK(pipe(ready) == 0, "pipe");
	pid_t holder = fork();

	CHECK(holder >= 0, "fork");
	if (holder == 0) {
		promcb_record(stress_component(stress_open(&options), "held"), 1000, true);
		CHECK(write(ready[1], "", 1) == 1, "write");
		for (;;)
			pause();
	}
	CHECK(read(ready[0], &byte, 1) == 1, "read");
	close(ready[0]);
	close(ready[1]);
	metrics = stress_open(&options);
	meet_at("component: named", close_all);
	CHECK(promcb_component(metrics, "one", &component) == 0 && !meeting, "component");
	CHECK(promcb_component(metrics, "two", &component) == 0, "reset_kept_its_lane: the registrar's, here");
	CHECK(register_in_child("three") == 0, "reset_kept_its_lane: the registrar's, in another process");
	CHECK(promcb_component(metrics, "four", &component) == 0, "once more");
	kill(holder, SIGKILL);
	stress_wait(holder);
}

/* -- First calls in a child of vfork ------------------------------------------------------------------------------ */

/* In a child that no handler of fork was told of. */
static void record_by_vfork_first(struct promcb_component *component)
{
	CHECK(record_in_vfork(component) == 0, "child of vfork");
	for (unsigned k = 0; k < 100; k++)
		promcb_record(component, 1000, true);
	CHECK(fork() != 0 || (promcb_record(component, 1000, true), _exit(0), 0), "fork");
	CHECK(wait(NULL) > 0, "wait");
}

static void first_call_in_vfork(void)
{
	struct promcb_session *metrics = stress_open(NULL);
	struct promcb_component *component = stress_component(metrics, "counted");

	for (unsigned way = 0; way < 2; way++) {
		struct promcb_segment_info info;
		pid_t child = way ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) : _Fork();

		CHECK(child >= 0, "fork");
		if (child == 0) {
			alarm(PATIENCE_SECONDS);
			record_by_vfork_first(component);
			_exit(0);
		}
		CHECK(stress_wait(child) == 0, "child");
		struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);

		info = snapshot->info;
		promcb_snapshot_free(snapshot);
		CHECK(calls_of("counted") == 102 * (way + 1), "way %u: %llu calls", way,
		      (unsigned long long)calls_of("counted"));
		CHECK(info.overflow_calls == way + 1, "process_took_a_childs_number: way %u: %llu calls by overflow",
		      way, (unsigned long long)info.overflow_calls);
	}
}

int main(void)
{
	if (stress_emulated()) {
		printf("an emulator's vfork and clone are others\n");
		return 77;
	}
	stress_begin("meet-inside");
	stress_in_child("a guest between two segments", pair_two_segments, PATIENCE_SECONDS);
	stress_in_child("descriptors closed in a reset", close_in_reset, PATIENCE_SECONDS);
	stress_in_child("descriptors closed in a registration", close_in_registration, PATIENCE_SECONDS);
	stress_in_child("a first call in a child of vfork", first_call_in_vfork, PATIENCE_SECONDS);
	stress_remove();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * meet_inside: one stops at a named point of a call (inject.h), and there something happens to its process.
 *
 * Invariants
 *   - reset_kept_its_lane: an application that closes all descriptors during a reset, or while a component is
 *     registered by the registrar's lane, can do so again, and so can other processes.
 */
#include "../stress/stress.h"

#include <promcb/inject.h>

#include <fcntl.h>
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

/* Runs in a child, which must end in time. */
static void in_child(const char *what, void (*scenario)(void))
{
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0) {
		alarm(PATIENCE_SECONDS);
		scenario();
		_exit(0);
	}
	int status = stress_wait(child);

	CHECK(status == 0, "%s: ended with %d", what, status);
	promcb_remove(stress_segment, true, NULL);
	printf("%s: holds\n", what);
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
		struct promcb *metrics = stress_open(NULL);

		_exit(promcb_reset(metrics, "closed") == 0 ? 0 : 1);
	}
	return stress_wait(child);
}

static void close_in_reset(void)
{
	struct promcb *metrics = stress_open(NULL);

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
		struct promcb *metrics = stress_open(NULL);

		_exit(promcb_component(metrics, name, &component) == 0 ? 0 : 1);
	}
	return stress_wait(child);
}

/* All lanes are another process's. */
static void close_in_registration(void)
{
	const struct promcb_options options = {.lanes = 1};
	struct promcb_component *component;
	struct promcb *metrics;
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

int main(void)
{
	stress_begin("meet-inside");
	in_child("descriptors closed in a reset", close_in_reset);
	in_child("descriptors closed in a registration", close_in_registration);
	stress_remove();
	return 0;
}

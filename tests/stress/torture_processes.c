/* SPDX-License-Identifier: MIT */
/*
 * torture_processes: servers that fork ahead and are killed, daemons, more threads than lanes, and records where a
 * thread or a process is about to end.
 *
 * Invariant: the total is exactly the sum of what each recorded; no call is dropped.
 */
#include "stress.h"

static struct promcb *metrics;
static struct promcb_component *component;
static uint64_t calls, expected;
static pthread_key_t key;

static void *record_some(void *argument)
{
	for (uint64_t k = 0; k < calls; k++)
		promcb_record(component, 1000, k % 10 != 0);
	if (argument)
		pthread_setspecific(key, argument);
	return NULL;
}

static void expect(const char *what, uint64_t more)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	const struct promcb_snapshot_component *found = stress_find(snapshot, "all");
	uint64_t total = found ? found->calls[0] + found->calls[1] : 0;

	expected += more;
	CHECK(total == expected, "%s: %llu calls, expected %llu", what, (unsigned long long)total,
	      (unsigned long long)expected);
	CHECK(snapshot->info.dropped_calls == 0, "%s: dropped calls", what);
	promcb_snapshot_free(snapshot);
	printf("%s: exact\n", what);
}

/* Eight workers without end; some are killed after they have recorded, and others take their places. */
static void preforked(void)
{
	for (unsigned round = 0; round < 5; round++) {
		pid_t workers[8];

		for (unsigned i = 0; i < 8; i++) {
			workers[i] = fork();
			CHECK(workers[i] >= 0, "fork");
			if (workers[i] == 0) {
				record_some(NULL);
				raise(SIGKILL);
			}
		}
		for (unsigned i = 0; i < 8; i++)
			CHECK(stress_wait(workers[i]) == -SIGKILL, "a worker ended by itself");
	}
	expect("killed workers", 40 * calls);
}

static void daemonised(void)
{
	int ends[2];
	char byte;

	CHECK(pipe(ends) == 0, "pipe");
	pid_t child = fork();

	if (child == 0) {
		setsid();
		if (fork() == 0)
			record_some(NULL);
		_exit(0);
	}
	close(ends[1]);
	CHECK(stress_wait(child) == 0, "the child failed");
	/* The daemon holds the last end: its death is the end of the file. */
	CHECK(read(ends[0], &byte, 1) == 0, "read");
	close(ends[0]);
	expect("a daemon", calls);
}

static void record_at_end(void *argument)
{
	record_some(NULL);
	(void)argument;
}

/* Four times as many threads as lanes, each of which records once more when its keys are destroyed. */
static void threads_without_lanes(void)
{
	pthread_t threads[16];

	for (unsigned t = 0; t < 16; t++)
		CHECK(pthread_create(&threads[t], NULL, record_some, threads) == 0, "thread");
	for (unsigned t = 0; t < 16; t++)
		pthread_join(threads[t], NULL);
	expect("threads without lanes, and their ends", 32 * calls);
}

static void record_at_exit(void)
{
	record_some(NULL);
}

static void ending(void)
{
	pid_t child = fork();

	if (child == 0) {
		atexit(record_at_exit);
		exit(0);
	}
	CHECK(stress_wait(child) == 0, "the child failed");
	expect("atexit", calls);
	promcb_close(metrics);
	record_some(NULL);
	expect("late records are dropped without harm", 0);
}

int main(void)
{
	struct promcb_options options = {.lanes = 4};

	calls = stress_scale(20000);
	stress_begin("processes");
	CHECK(pthread_key_create(&key, record_at_end) == 0, "key");
	metrics = stress_open(&options);
	component = stress_component(metrics, "all");
	preforked();
	daemonised();
	threads_without_lanes();
	ending();
	stress_check_segment();
	stress_remove();
	return 0;
}

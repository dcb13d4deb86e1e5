/* SPDX-License-Identifier: MIT */
/*
 * torture_names: calls by name, while everything goes on that a hint of a name could be wrong about.
 *
 * Invariant: each call is counted in the component of its name, by exact totals of each name. Threads call by names
 * that stay where they are and by names that come and go in one buffer, the same names in a second segment; others
 * register new ones, so that hints move to larger memory; a handler of a signal records in between, in the middle of a
 * look-up as well; children are forked at any time and call by the same memory; and the second segment is closed and
 * opened.
 */
#include "stress.h"

enum { NAMES = 300, THREADS = 3, NEWCOMERS = 3000, CALLS = 100000, CHILDREN = 20, CHILD_CALLS = 600 };

static struct promcb_session *metrics, *second;
static struct promcb_component *handled;
static char second_segment[80];
static char names[NAMES][48];

/* In memory that the processes share: by name, and of the handler. */
static struct counts {
	uint64_t first[NAMES];
	uint64_t second[NAMES];
	uint64_t handled;
	uint64_t stop;
} * counts;

static void add(uint64_t *word, uint64_t by)
{
	__atomic_add_fetch(word, by, __ATOMIC_RELAXED);
}

static void on_signal(int number)
{
	(void)number;
	promcb_record(handled, 1000, true);
	add(&counts->handled, 1);
}

/* Some of it by a name that stays, some by a copy on the stack. */
static void call(uint64_t *random, uint64_t *calls, uint64_t *second_calls)
{
	unsigned i = (unsigned)(stress_random(random) % NAMES);
	char copy[sizeof(names[0])];
	const char *name = names[i];

	if (*random >> 40 & 1)
		name = strcpy(copy, names[i]);
	if (*random >> 41 & 1) {
		CHECK(promcb_call(metrics, name, 1e-6, true) == 0, "%s", name);
		calls[i]++;
	} else {
		CHECK(promcb_call(second, name, 1e-6, true) == 0, "%s", name);
		second_calls[i]++;
	}
}

static void call_often(uint64_t random, uint64_t count)
{
	uint64_t calls[NAMES] = {0}, second_calls[NAMES] = {0};

	for (uint64_t k = 0; k < count; k++)
		call(&random, calls, second_calls);
	for (unsigned i = 0; i < NAMES; i++) {
		add(&counts->first[i], calls[i]);
		add(&counts->second[i], second_calls[i]);
	}
}

static void *caller(void *argument)
{
	call_often((uintptr_t)argument * 0x9e3779b97f4a7c15 + 1, stress_scale(CALLS));
	return NULL;
}

static void *registrar(void *argument)
{
	uint64_t count = stress_scale(NEWCOMERS);
	char name[48];

	(void)argument;
	for (uint64_t k = 0; k < count; k++) {
		snprintf(name, sizeof(name), "newcomer %u", (unsigned)k);
		stress_component(metrics, name);
	}
	return NULL;
}

/* The segment itself stays: whoever opens it last finds the same. */
static void *opener(void *argument)
{
	(void)argument;
	while (!__atomic_load_n(&counts->stop, __ATOMIC_RELAXED)) {
		struct promcb_session *again;

		CHECK(promcb_open(second_segment, NULL, &again) == 0, "open");
		CHECK(again == second, "two sessions of one segment");
		promcb_close(again);
	}
	return NULL;
}

static void *interrupter(void *argument)
{
	const pthread_t *threads = argument;
	/* An emulator would do nothing else. */
	const struct timespec pause = {.tv_nsec = stress_emulated() ? 10000000 : 100000};

	while (!__atomic_load_n(&counts->stop, __ATOMIC_RELAXED)) {
		for (unsigned i = 0; i < THREADS; i++)
			pthread_kill(threads[i], SIGUSR1);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void fork_children(uint64_t *random)
{
	for (uint64_t k = 0; k < stress_scale(CHILDREN); k++) {
		pid_t child = fork();
		int status;

		CHECK(child >= 0, "fork");
		if (child == 0) {
			call_often(stress_random(random) + k, CHILD_CALLS);
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && status == 0, "a child ended with %d", status);
	}
}

static void compare(const char *segment, const uint64_t *expected, uint64_t handled_calls)
{
	struct promcb_snapshot *snapshot;
	uint64_t sum = 0, all = handled_calls;

	snprintf(stress_segment, sizeof(stress_segment), "%s", segment);
	snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	for (unsigned i = 0; i < NAMES; i++) {
		const struct promcb_snapshot_component *found = stress_find(snapshot, names[i]);

		CHECK(found && found->counts.calls[0] == expected[i], "%s: %lld calls, not %llu", names[i],
		      found ? (long long)found->counts.calls[0] : -1, (unsigned long long)expected[i]);
		all += expected[i];
	}
	for (size_t i = 0; i < snapshot->count; i++)
		sum += snapshot->components[i].counts.calls[0] + snapshot->components[i].counts.calls[1];
	CHECK(sum == all, "%llu calls, not %llu", (unsigned long long)sum, (unsigned long long)all);
	promcb_snapshot_free(snapshot);
	stress_check_segment();
}

int main(void)
{
	const struct promcb_options options = {.max_bytes = (uint64_t)128 << 20, .components = 8192};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	pthread_t threads[THREADS], others[3];
	uint64_t random = stress_seed();
	char first_segment[64];

	snprintf(first_segment, sizeof(first_segment), "%s", stress_begin("names"));
	snprintf(second_segment, sizeof(second_segment), "%s-second", first_segment);
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(counts != MAP_FAILED, "mmap");
	metrics = stress_open(&options);
	CHECK(promcb_open(second_segment, &options, &second) == 0, "open %s", second_segment);
	handled = stress_component(metrics, "handled");
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(names[i], sizeof(names[i]), i % 4 ? "GET /api/v%u/things of some length" : "n%u", i);
		stress_component(metrics, names[i]);
		stress_component(second, names[i]);
	}
	sigaction(SIGUSR1, &action, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, caller, (void *)(uintptr_t)(stress_random(&random))) == 0,
		      "thread");
	CHECK(pthread_create(&others[0], NULL, registrar, NULL) == 0, "thread");
	CHECK(pthread_create(&others[1], NULL, opener, NULL) == 0, "thread");
	CHECK(pthread_create(&others[2], NULL, interrupter, threads) == 0, "thread");
	fork_children(&random);
	/* They are interrupted until the last has ended, and no longer: a thread that was joined is nobody's. */
	pthread_join(others[0], NULL);
	__atomic_store_n(&counts->stop, 1, __ATOMIC_RELAXED);
	pthread_join(others[1], NULL);
	pthread_join(others[2], NULL);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	promcb_close(second);
	promcb_close(metrics);
	compare(second_segment, counts->second, 0);
	stress_remove();
	compare(first_segment, counts->first, counts->handled);
	stress_remove();
	return 0;
}

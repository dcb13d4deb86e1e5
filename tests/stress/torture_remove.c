/* SPDX-License-Identifier: MIT */
/*
 * torture_remove: series are removed while threads of several processes add to them by handles from before, children
 * come and go, handlers interrupt, and those who add or remove are killed.
 *
 * Invariants, by what a reader finds
 *   - What was added before a removal was asked for is not in the life after it, and what is added after it returned
 *     is: the last life is at most all that was begun, less what was done before, and at least all that was done, less
 *     what was begun before it returned.
 *   - Meanwhile no scrape shows more than was begun: nothing is subtracted twice, or of what was not there.
 *   - An observation is torn at most once a removal and thread.
 */
#include "series.h"

enum { WORKERS = 4, THREADS = 2, REMOVERS = 2, VALUE = 3, SCRAPES = 20 };

/* Written by one thread each; of lines of their own. */
struct tally {
	uint64_t begun, done;
	uint64_t pad[14];
};

static struct shared {
	struct tally tallies[WORKERS][THREADS][2]; /* and of the thread's handler */
	uint64_t stop;
} * shared;

static struct promcb_session *metrics;
static struct promcb_metric_family *counts, *sizes;
static struct promcb_counter *counter;
static struct promcb_histogram *histogram;
static __thread struct tally *interrupting;
static pthread_t threads[THREADS];

static void declare(void)
{
	counts = series_family(
		metrics,
		(struct promcb_family_spec){.name = "added_total", .type = PROMCB_COUNTER, .labels = VALUES("who")});
	sizes = series_family(
		metrics,
		(struct promcb_family_spec){.name = "sizes", .type = PROMCB_HISTOGRAM, .smallest = 1, .largest = 64});
	counter = series_counter(counts, VALUES("a"));
	CHECK(promcb_histogram_with(sizes, NULL, &histogram) == 0, "histogram");
}

static void add_once(struct tally *tally, uint64_t k)
{
	__atomic_store_n(&tally->begun, tally->begun + 1, __ATOMIC_SEQ_CST);
	if (k % 8 == 7)
		promcb_counter_add_with(counts, VALUES("a"), 1);
	else
		promcb_counter_add(counter, 1);
	promcb_histogram_observe(histogram, VALUE);
	__atomic_store_n(&tally->done, tally->done + 1, __ATOMIC_SEQ_CST);
}

static void on_signal(int number)
{
	(void)number;
	if (interrupting)
		add_once(interrupting, 0);
}

/* Each of the two threads interrupts the other, wherever that is. */
static void *work(void *argument)
{
	struct tally *tallies = argument;
	bool second = !pthread_equal(pthread_self(), threads[0]);

	interrupting = &tallies[1];
	for (uint64_t k = 0; __atomic_load_n(&shared->stop, __ATOMIC_RELAXED) != 1; k++) {
		add_once(&tallies[0], k);
		if (k % 64 == 0 && !second)
			pthread_kill(threads[1], SIGUSR1);
		else if (k % 64 == 0)
			pthread_kill(threads[0], SIGUSR1);
	}
	return NULL;
}

/* A child of this process: its handles are from before, and its lanes, where there are any, are its own. */
static pid_t start_worker(unsigned number)
{
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child)
		return child;
	threads[0] = pthread_self();
	CHECK(pthread_create(&threads[1], NULL, work, shared->tallies[number][1]) == 0, "thread");
	work(shared->tallies[number][0]);
	/* The thread may send one more signal to this one: it is joined, and gone before. */
	pthread_join(threads[1], NULL);
	_exit(0);
}

static pid_t start_remover(void)
{
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child)
		return child;
	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		int result = promcb_series_remove(counts, VALUES("a"), NULL, 0);

		CHECK(result == 0 || result == -ENOENT || result == -EBUSY, "remove: %s", promcb_strerror(result));
		result = promcb_family_clear(sizes);
		CHECK(result == 0 || result == -EBUSY, "clear: %s", promcb_strerror(result));
	}
	_exit(0);
}

static uint64_t sum_of(bool done)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < WORKERS * THREADS * 2; i++) {
		struct tally *tally = &shared->tallies[0][0][0] + i;

		sum += __atomic_load_n(done ? &tally->done : &tally->begun, __ATOMIC_SEQ_CST);
	}
	return sum;
}

struct found {
	uint64_t added, observed, sum;
};

static struct found find(enum promcb_access access)
{
	struct promcb_snapshot *snapshot = stress_snapshot(access);
	const uint64_t *cells = series_cells(snapshot, "added_total", "a");
	struct found found = {.added = cells ? *cells : 0};

	cells = series_cells(snapshot, "sizes", NULL);
	for (size_t f = 0; cells && f < snapshot->metrics->family_count; f++) {
		const struct promcb_snapshot_family *family = &snapshot->metrics->families[f];

		if (strcmp(family->name, "sizes") != 0)
			continue;
		for (uint32_t bucket = 0; bucket < family->buckets; bucket++)
			found.observed += cells[bucket];
		found.sum = cells[family->buckets];
	}
	promcb_snapshot_free(snapshot);
	return found;
}

static void scrape(void)
{
	uint64_t before = sum_of(true);
	struct found found = find(before % 2 ? PROMCB_ACCESS_MAPPED : PROMCB_ACCESS_COPY);
	uint64_t begun = sum_of(false);

	CHECK(found.added <= begun && found.observed <= begun && found.sum <= VALUE * begun, "%llu and %llu of %llu",
	      (unsigned long long)found.added, (unsigned long long)found.observed, (unsigned long long)begun);
}

static void remove_all(uint64_t *done_before, uint64_t *begun_after)
{
	int result;

	*done_before = sum_of(true);
	do
		result = promcb_series_remove(counts, VALUES("a"), NULL, 0);
	while (result == -EBUSY);
	CHECK(result == 0 || result == -ENOENT, "remove: %s", promcb_strerror(result));
	do
		result = promcb_family_clear(sizes);
	while (result == -EBUSY);
	CHECK(result == 0, "clear: %s", promcb_strerror(result));
	*begun_after = sum_of(false);
}

/* One removal for certain while all add; then they end, and the arithmetic is done. Returns how many were killed. */
static uint64_t run_round(uint64_t *random, bool killing)
{
	uint64_t done_before, begun_after, begun, done, killed = 0, torn = (uint64_t)WORKERS * THREADS * 2 * VALUE;
	pid_t workers[WORKERS], removers[REMOVERS];
	struct found found;

	shared->stop = 0;
	for (unsigned i = 0; i < WORKERS; i++)
		workers[i] = start_worker(i);
	for (unsigned i = 0; i < REMOVERS; i++)
		removers[i] = start_remover();
	for (uint64_t scrapes = 0, goal = sum_of(true) + stress_random(random) % 4000;
	     sum_of(true) < goal || scrapes < SCRAPES; scrapes++)
		scrape();
	for (unsigned i = 0; killing && i < REMOVERS; i++)
		kill(removers[i], SIGKILL);
	for (unsigned i = 0; killing && i < WORKERS / 2; i++)
		kill(workers[i], SIGKILL);
	if (!killing)
		__atomic_store_n(&shared->stop, 2, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < REMOVERS; i++)
		killed += stress_wait(removers[i]) == -SIGKILL;
	if (killing) {
		remove_all(&done_before, &begun_after);
		scrape();
		for (uint64_t goal = sum_of(true) + stress_random(random) % 2000; sum_of(true) < goal;)
			sched_yield();
	}
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < WORKERS; i++) {
		int status = stress_wait(workers[i]);

		CHECK(status == 0 || (killing && status == -SIGKILL), "a worker ended with %d", status);
		killed += status != 0;
	}
	if (!killing)
		remove_all(&done_before, &begun_after);
	begun = sum_of(false);
	done = sum_of(true);
	found = find(PROMCB_ACCESS_COPY);
	CHECK(found.added <= begun - done_before && (begun_after >= done || found.added >= done - begun_after),
	      "%llu in the last life: %llu were begun, %llu done; at the removal %llu done, %llu begun",
	      (unsigned long long)found.added, (unsigned long long)begun, (unsigned long long)done,
	      (unsigned long long)done_before, (unsigned long long)begun_after);
	CHECK(found.observed <= begun - done_before && (begun_after >= done || found.observed >= done - begun_after),
	      "%llu observed", (unsigned long long)found.observed);
	CHECK(found.sum <= VALUE * found.observed + torn && VALUE * found.observed <= found.sum + torn,
	      "%llu observations of %d, and a sum of %llu", (unsigned long long)found.observed, VALUE,
	      (unsigned long long)found.sum);
	/* Killed in between, of what they had begun nobody knows. */
	for (unsigned i = 0; i < WORKERS * THREADS * 2; i++)
		(&shared->tallies[0][0][0] + i)->done = (&shared->tallies[0][0][0] + i)->begun;
	return killed;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	uint64_t random = stress_seed() | 1, rounds = stress_scale(40), killed = 0;

	if (stress_emulated()) {
		printf("an emulator wipes nothing of a child\n");
		return 77;
	}
	stress_begin("remove");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	sigaction(SIGUSR1, &action, NULL);
	for (unsigned few = 0; few < 2; few++) {
		metrics = stress_open(&(struct promcb_options){.lanes = few ? 4 : 0});
		declare();
		for (uint64_t round = 0; round < rounds; round++)
			killed += run_round(&random, round % 2);
		stress_check_segment();
		promcb_close(metrics);
		stress_remove();
		memset(shared, 0, sizeof(*shared));
	}
	printf("%llu rounds, %llu killed: each add in one life\n", (unsigned long long)(2 * rounds),
	       (unsigned long long)killed);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * torture_series: counters, doubles and histograms under threads that come and go, children of every kind, handlers and
 * SIGKILL.
 *
 * Invariants, by what a reader finds at the end
 *   - The total of each series is exactly the sum of what was added, whoever added it: by a handle that was the
 *     parent's, by label values, in a handler that interrupted an add, first use included, in own cells or beside them.
 *   - Who is killed loses at most the add that it was in the middle of.
 */
#include "series.h"

#include <sys/syscall.h>

#ifndef __SANITIZE_THREAD__
#define __SANITIZE_THREAD__ 0
#endif

enum { NAMES = 5, PROCESSES = 6, THREADS = 4 };

static const char *const names[NAMES] = {"a", "b", "c", "d", "e"};

static struct promcb_session *metrics;
static struct promcb_metric_family *counts, *reals, *sizes;
static struct promcb_counter *counters[NAMES], *real;
static struct promcb_histogram *histogram;
static uint64_t rounds;

static void declare(void)
{
	counts = series_family(
		metrics,
		(struct promcb_family_spec){.name = "added_total", .type = PROMCB_COUNTER, .labels = VALUES("who")});
	reals = series_family(
		metrics,
		(struct promcb_family_spec){.name = "energy_total", .type = PROMCB_COUNTER, .flags = PROMCB_DOUBLES});
	sizes = series_family(
		metrics,
		(struct promcb_family_spec){.name = "sizes", .type = PROMCB_HISTOGRAM, .smallest = 1, .largest = 64});
	for (unsigned i = 0; i < NAMES; i++)
		counters[i] = series_counter(counts, VALUES(names[i]));
	real = series_counter(reals, NULL);
	CHECK(promcb_histogram_with(sizes, NULL, &histogram) == 0, "histogram");
}

static void add_some(void)
{
	for (uint64_t k = 0; k < rounds; k++) {
		promcb_counter_add(counters[k % NAMES], k % 7);
		promcb_counter_add_inline(counters[0], 1);
		promcb_counter_add_with(counts, VALUES(names[1]), 1);
		promcb_counter_add_double(real, 0.5);
		promcb_histogram_observe(histogram, k % 100);
	}
}

/* What the above adds to series i. */
static uint64_t expected_of(unsigned i)
{
	uint64_t sum = i < 2 ? rounds : 0;

	for (uint64_t k = i; k < rounds; k += NAMES)
		sum += k % 7;
	return sum;
}

struct totals {
	uint64_t counters[NAMES], observed, sum;
	double real;
};

static struct totals take_totals(void)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	struct totals totals = {.observed = 0};
	const uint64_t *cells;

	for (unsigned i = 0; i < NAMES; i++) {
		cells = series_cells(snapshot, "added_total", names[i]);
		totals.counters[i] = cells ? *cells : 0;
	}
	cells = series_cells(snapshot, "energy_total", NULL);
	totals.real = cells ? promcb_bits_double(*cells) : 0;
	for (size_t f = 0; f < snapshot->metrics->family_count; f++) {
		const struct promcb_snapshot_family *family = &snapshot->metrics->families[f];

		cells = series_cells(snapshot, "sizes", NULL);
		if (strcmp(family->name, "sizes") != 0 || !cells)
			continue;
		for (uint32_t bucket = 0; bucket + 1 < family->width; bucket++)
			totals.observed += cells[bucket];
		totals.sum = cells[family->width - 1];
	}
	promcb_snapshot_free(snapshot);
	return totals;
}

/* times: how often add_some() was called since the totals before. */
static void expect(const char *how, const struct totals *before, uint64_t times)
{
	struct totals now = take_totals();
	uint64_t sum = 0;

	for (unsigned i = 0; i < NAMES; i++) {
		uint64_t is = now.counters[i] - before->counters[i], should = times * expected_of(i);

		CHECK(is == should, "%s: %s is %llu, expected %llu", how, names[i], (unsigned long long)is,
		      (unsigned long long)should);
	}
	for (uint64_t k = 0; k < rounds; k++)
		sum += k % 100;
	CHECK(now.real - before->real == 0.5 * (double)(times * rounds), "%s: doubles: %f", how, now.real);
	CHECK(now.observed - before->observed == times * rounds, "%s: observations", how);
	CHECK(now.sum - before->sum == times * sum, "%s: their sum", how);
	printf("%s: exact, %llu times\n", how, (unsigned long long)times);
}

/* -- Threads and children ------------------------------------------------------------------------------------------ */

static void *add_in_thread(void *argument)
{
	add_some();
	return argument;
}

static void add_in_threads(void)
{
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, add_in_thread, NULL) == 0, "thread");
	add_some();
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void threads_that_come_and_go(void)
{
	struct totals before = take_totals();

	for (unsigned generation = 0; generation < 4; generation++)
		add_in_threads();
	expect("threads", &before, 4 * (THREADS + 1));
}

static pid_t raw_clone(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static void children(const char *how, pid_t (*make)(void), bool with_threads, bool without_descriptors)
{
	struct totals before = take_totals();
	pid_t pids[PROCESSES];

	for (unsigned i = 0; i < PROCESSES; i++) {
		pids[i] = make();
		CHECK(pids[i] >= 0, "%s", how);
		if (pids[i] == 0) {
#ifdef SYS_close_range
			if (without_descriptors)
				syscall(SYS_close_range, 3u, ~0u, 0u);
#endif
			if (with_threads)
				add_in_threads();
			else
				add_some();
			_exit(0);
		}
	}
	add_some();
	for (unsigned i = 0; i < PROCESSES; i++)
		CHECK(stress_wait(pids[i]) == 0, "%s: a child failed", how);
	expect(how, &before, 1 + PROCESSES * (with_threads ? THREADS + 1 : 1));
}

/* -- Handlers ------------------------------------------------------------------------------------------------------ */

static uint64_t handled, handler_stop;
static pthread_t interrupted;

static void on_signal(int number)
{
	(void)number;
	promcb_counter_add(counters[2], 3);
	promcb_counter_add_double(real, 0.25);
	promcb_histogram_observe(histogram, 1);
	__atomic_add_fetch(&handled, 1, __ATOMIC_RELAXED);
}

static void *send_signals(void *argument)
{
	while (!__atomic_load_n(&handler_stop, __ATOMIC_ACQUIRE))
		pthread_kill(interrupted, SIGUSR1);
	return argument;
}

static void *add_interrupted(void *argument)
{
	pthread_t sender;

	interrupted = pthread_self();
	handler_stop = 0;
	CHECK(pthread_create(&sender, NULL, send_signals, NULL) == 0, "thread");
	add_some();
	__atomic_store_n(&handler_stop, 1, __ATOMIC_RELEASE);
	pthread_join(sender, NULL);
	return argument;
}

static void handlers(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct totals before = take_totals();
	pthread_t thread;

	handled = 0;
	sigaction(SIGUSR1, &action, NULL);
	/* Threads of their own: the handler may be the first to use a series there. */
	for (unsigned i = 0; i < 40; i++) {
		CHECK(pthread_create(&thread, NULL, add_interrupted, NULL) == 0, "thread");
		pthread_join(thread, NULL);
	}
	before.counters[2] += 3 * handled;
	before.real += 0.25 * (double)handled;
	before.observed += handled;
	before.sum += handled;
	expect("handlers", &before, 40);
	printf("handlers: %llu came in between\n", (unsigned long long)handled);
}

/* -- SIGKILL ------------------------------------------------------------------------------------------------------- */

static void killed(void)
{
	uint64_t kills = stress_scale(200), lost = 0, random = stress_seed(),
		 before = series_total("added_total", "d", 0);
	uint64_t *done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), total;

	CHECK(done != MAP_FAILED, "mmap");
	for (uint64_t kill_number = 0; kill_number < kills; kill_number++) {
		pid_t child = fork();

		CHECK(child >= 0, "fork");
		if (child == 0) {
			for (;;) {
				promcb_counter_add(counters[3], 1);
				__atomic_store_n(done, *done + 1, __ATOMIC_RELEASE);
			}
		}
		/* Half of them at any moment of the first add, the others in the middle of many. */
		for (uint64_t begun = *done; kill_number % 2 && __atomic_load_n(done, __ATOMIC_ACQUIRE) == begun;)
			__asm__ volatile("");
		for (uint64_t spins = stress_random(&random) % 300000; spins; spins--)
			__asm__ volatile("");
		kill(child, SIGKILL);
		CHECK(stress_wait(child) == -SIGKILL, "killed");
	}
	total = series_total("added_total", "d", 0) - before;
	lost = total - *done;
	CHECK(total >= *done && lost <= kills, "%llu adds were done, %llu are there", (unsigned long long)*done,
	      (unsigned long long)total);
	printf("killed: %llu times, of %llu adds; %llu were added and not told\n", (unsigned long long)kills,
	       (unsigned long long)*done, (unsigned long long)lost);
	munmap(done, 4096);
}

int main(void)
{
	struct promcb_options few = {.lanes = 4};

	stress_begin("series");
	rounds = stress_scale(20000);
	metrics = stress_open(NULL);
	declare();
	threads_that_come_and_go();
	handlers();
	/* ThreadSanitizer's runtime does not go through such forks; an emulator wipes nothing. */
	if (!__SANITIZE_THREAD__ && !stress_emulated()) {
		children("fork", fork, false, false);
		children("fork, and threads", fork, true, false);
		children("fork, and no descriptors", fork, false, true);
		children("raw clone", raw_clone, false, false);
		killed();
	}
	stress_check_segment();
	promcb_close(metrics);
	stress_remove();
	/* Most have no lane. */
	metrics = stress_open(&few);
	declare();
	threads_that_come_and_go();
	handlers();
	if (!__SANITIZE_THREAD__ && !stress_emulated())
		children("fork, few lanes", fork, true, false);
	stress_check_segment();
	promcb_close(metrics);
	stress_remove();
	return 0;
}

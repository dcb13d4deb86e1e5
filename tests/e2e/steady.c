/* SPDX-License-Identifier: MIT */
/*
 * steady.c: a producer that does as it is told and says what it did, for e2e tests that kill it, or change the world
 * around it, in between.
 *
 * Usage: steady SEGMENT COMPONENT [THREADS]. Reads lines:
 *   calls N        every thread records N calls of COMPONENT, a tenth of them failures, of 1 ms; threads stay
 *   slow N         the same, of 1 s, none of them failures
 *   components N   the first thread registers COMPONENT-0 to COMPONENT-(N-1) and records 70 calls on each
 *   series N       the first thread asks for N counters, and every tenth time for a histogram, and adds 70 to each;
 *                  1,000,000 are refused, and nothing added, where there is no room for their families
 *   reset          resets COMPONENT
 *   take N         takes N MiB of memory, and keeps them
 *   quit           ends
 * and answers each with a line: "recorded TOTAL refused COMPONENTS", where TOTAL is all calls of this process so far,
 * those of refused components included, and COMPONENTS may be series; or "failed" and why.
 */
#include <promcb/metric.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 64, CALLS_EACH = 70, NO_FAMILY = 1000000 };

static struct promcb_session *metrics;
static struct promcb_component *component;
static pthread_barrier_t begin, end;
static uint64_t calls, latency_ns;
static unsigned failures_every;

static void record(void)
{
	for (uint64_t k = 0; k < calls; k++)
		promcb_record(component, latency_ns, !failures_every || k % failures_every != 0);
}

static void *be_a_thread(void *argument)
{
	for (;;) {
		pthread_barrier_wait(&begin);
		record();
		pthread_barrier_wait(&end);
	}
	return argument;
}

static uint64_t record_components(const char *prefix, uint64_t count, uint64_t *refused)
{
	for (uint64_t i = 0; i < count; i++) {
		struct promcb_component *one;
		char name[PROMCB_NAME_MAX + 1];

		snprintf(name, sizeof(name), "%s-%" PRIu64, prefix, i);
		*refused += promcb_component(metrics, name, &one) < 0;
		for (unsigned k = 0; k < CALLS_EACH; k++)
			promcb_record(one, 1000000, true);
	}
	return count * CALLS_EACH;
}

/* What is refused counts as "_overflow". */
static void record_series(const char *prefix, uint64_t count, uint64_t *refused)
{
	const char *const labels[] = {"which", NULL};
	const struct promcb_family_spec counted = {
		.name = "steady_total", .type = PROMCB_COUNTER, .labels = labels, .series_max = 100000};
	const struct promcb_family_spec measured = {.name = "steady_size", .type = PROMCB_HISTOGRAM, .labels = labels};
	struct promcb_metric_family *counters, *histograms;

	/* Of a family that is not there nothing is counted. */
	if (promcb_family_register(metrics, &counted, &counters) < 0 ||
	    promcb_family_register(metrics, &measured, &histograms) < 0) {
		*refused = NO_FAMILY;
		return;
	}
	for (uint64_t i = 0; i < count; i++) {
		char name[PROMCB_NAME_MAX + 1];
		const char *const values[] = {name, NULL};
		struct promcb_counter *counter;
		struct promcb_histogram *histogram;

		snprintf(name, sizeof(name), "%s-%" PRIu64, prefix, i);
		*refused += promcb_counter_with(counters, values, &counter) < 0;
		promcb_counter_add(counter, CALLS_EACH);
		if (i % 10)
			continue;
		*refused += promcb_histogram_with(histograms, values, &histogram) < 0;
		for (unsigned k = 0; k < CALLS_EACH; k++)
			promcb_histogram_observe(histogram, 1 + k);
	}
}

static void take(size_t bytes)
{
	char *memory = malloc(bytes);

	if (memory)
		memset(memory, 1, bytes);
	/* Not lost to a compiler that sees what comes of it. */
	__asm__ volatile("" : : "r"(memory) : "memory");
}

int main(int argc, char **argv)
{
	struct promcb_message message = {.text = ""};
	struct promcb_options options = {.message = &message};
	uint64_t total = 0, threads = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	char line[128], word[16];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3 || threads < 1 || threads > THREADS_MAX)
		return 2;
	int result = promcb_open(argv[1], &options, &metrics);

	if (result < 0 || (result = promcb_component(metrics, argv[2], &component)) < 0) {
		printf("failed %s: %s\n", promcb_strerror(result), message.text);
		return 1;
	}
	pthread_barrier_init(&begin, NULL, (unsigned)threads);
	pthread_barrier_init(&end, NULL, (unsigned)threads);
	for (uint64_t t = 1; t < threads; t++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, be_a_thread, NULL) != 0)
			return 1;
	}
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "quit\n") != 0) {
		uint64_t number = 0, refused = 0;

		if (sscanf(line, "%15s %" SCNu64, word, &number) < 1)
			continue;
		if (strcmp(word, "calls") == 0 || strcmp(word, "slow") == 0) {
			calls = number;
			latency_ns = *word == 'c' ? 1000000 : 1000000000;
			failures_every = *word == 'c' ? 10 : 0;
			pthread_barrier_wait(&begin);
			record();
			pthread_barrier_wait(&end);
			total += threads * number;
		} else if (strcmp(word, "components") == 0) {
			total += record_components(argv[2], number, &refused);
		} else if (strcmp(word, "series") == 0) {
			record_series(argv[2], number, &refused);
		} else if (strcmp(word, "reset") == 0) {
			result = promcb_reset(metrics, argv[2]);
			if (result < 0) {
				printf("failed %s\n", promcb_strerror(result));
				continue;
			}
		} else if (strcmp(word, "take") == 0) {
			take(number << 20);
		}
		printf("recorded %" PRIu64 " refused %" PRIu64 "\n", total, refused);
	}
	return 0;
}

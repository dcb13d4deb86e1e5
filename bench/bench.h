/* SPDX-License-Identifier: MIT */
/*
 * bench.h: what the benchmarks share: one case is a function that does count operations; cases are measured in turn,
 * round after round, so that a drifting machine hits all alike, and told as minimum and median of the rounds. Quote
 * ratios of one run.
 */
#ifndef PROMCB_BENCH_H
#define PROMCB_BENCH_H

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BENCH_ROUNDS_MAX = 64, BENCH_THREADS_MAX = 2, BENCH_LATENCIES = 65536 };

struct bench_case {
	const char *name;
	void (*run)(unsigned thread, uint64_t count);
	const char *floor;      /* the case that it is told as a ratio to; NULL: none */
	double ns[BENCH_THREADS_MAX][BENCH_ROUNDS_MAX];
};

static uint32_t bench_latency_ns[BENCH_LATENCIES];
static uint8_t bench_success[BENCH_LATENCIES];

static inline uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Log-normal, median 200 us, sigma 1, as real latencies are; one in a hundred fails. */
static inline void bench_make_latencies(void)
{
	uint64_t state = 88172645463325252u;

	for (unsigned i = 0; i < BENCH_LATENCIES; i++) {
		double uniform[2];

		for (unsigned k = 0; k < 2; k++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			uniform[k] = ((double)(state >> 11) + 0.5) / 9007199254740992.0;
		}
		double normal = sqrt(-2 * log(uniform[0])) * cos(6.283185307179586 * uniform[1]);

		bench_latency_ns[i] = (uint32_t)fmin(200e3 * exp(normal), 4e9);
		bench_success[i] = state % 100 != 0;
	}
}

struct bench_job {
	const struct bench_case *which;
	pthread_barrier_t *start;
	unsigned thread;
	uint64_t count;
	double ns;
};

static void *bench_thread(void *argument)
{
	struct bench_job *job = argument;
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(job->thread, &cpu);
	pthread_setaffinity_np(pthread_self(), sizeof(cpu), &cpu);
	job->which->run(job->thread, job->count / 8);
	pthread_barrier_wait(job->start);
	uint64_t begin = bench_now_ns();

	job->which->run(job->thread, job->count);
	job->ns = (double)(bench_now_ns() - begin) / (double)job->count;
	return NULL;
}

/* Nanoseconds per operation as each of threads sees it: their mean. */
static inline double bench_measure(const struct bench_case *which, unsigned threads, uint64_t count)
{
	struct bench_job jobs[BENCH_THREADS_MAX];
	pthread_t ids[BENCH_THREADS_MAX];
	pthread_barrier_t start;
	double sum = 0;

	pthread_barrier_init(&start, NULL, threads);
	for (unsigned t = 0; t < threads; t++) {
		jobs[t] = (struct bench_job){.which = which, .start = &start, .thread = t, .count = count};
		pthread_create(&ids[t], NULL, bench_thread, &jobs[t]);
	}
	for (unsigned t = 0; t < threads; t++) {
		pthread_join(ids[t], NULL);
		sum += jobs[t].ns;
	}
	pthread_barrier_destroy(&start);
	return sum / threads;
}

static inline int bench_compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

static inline void bench_run(struct bench_case *cases, unsigned count, unsigned rounds, uint64_t operations)
{
	if (rounds > BENCH_ROUNDS_MAX)
		rounds = BENCH_ROUNDS_MAX;
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned threads = 1; threads <= BENCH_THREADS_MAX; threads++)
			for (unsigned i = 0; i < count; i++)
				cases[i].ns[threads - 1][round] = bench_measure(&cases[i], threads, operations);
	for (unsigned i = 0; i < count; i++)
		for (unsigned t = 0; t < BENCH_THREADS_MAX; t++)
			qsort(cases[i].ns[t], rounds, sizeof(double), bench_compare);
	printf("%-34s %26s %35s\n", "", "one thread", "two threads, ns each");
	printf("%-34s %8s %8s %8s %8s %8s %8s %8s\n", "ns per call, of rounds:", "min", "median", "x floor", "", "min",
	       "median", "x floor");
	for (unsigned i = 0; i < count; i++) {
		const struct bench_case *floor_case = NULL;

		for (unsigned k = 0; k < count; k++)
			if (cases[i].floor && strcmp(cases[k].name, cases[i].floor) == 0)
				floor_case = &cases[k];
		printf("%-34s", cases[i].name);
		for (unsigned t = 0; t < BENCH_THREADS_MAX; t++) {
			double median = cases[i].ns[t][rounds / 2];

			printf(" %8.2f %8.2f", cases[i].ns[t][0], median);
			if (floor_case)
				printf(" %8.2f", median / floor_case->ns[t][rounds / 2]);
			else
				printf(" %8s", "");
			printf(t == 0 ? " %8s" : "%s", "");
		}
		putchar('\n');
	}
}

#endif

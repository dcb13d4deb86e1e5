/* SPDX-License-Identifier: MIT */
/*
 * producers.c: 4 processes of 4 threads record a known series on three components, for e2e tests that read with the
 * tools.
 *
 * Usage: producers SEGMENT CALLS. When all have ended it prints what must be exactly there, a line per component:
 * NAME CALLS FAILURES SUM_NS, and then a line per bucket that is not empty: NAME UPPER_BOUND_POWER CUMULATIVE, for
 * the powers of two from 2^-12 to 2^3 seconds.
 */
#include <promcb/promcb.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 4, THREADS = 4, COMPONENTS = 3, POWER_MIN = -12, POWER_MAX = 3 };

static const char *const names[COMPONENTS] = {"alpha", "beta", "gamma"};
static struct promcb_component *components[COMPONENTS];
static uint64_t calls;

/* Up to 16 s, spread over the powers of two; every seventh fails. */
static uint64_t latency_of(uint64_t writer, uint64_t k)
{
	uint64_t mixed = (writer * 1000003u + k) * 0x9E3779B97F4A7C15u;

	return (mixed >> 30) % ((uint64_t)1 << (10 + mixed % 25));
}

static void *record(void *argument)
{
	uint64_t writer = (uint64_t)(uintptr_t)argument;

	for (uint64_t k = 0; k < calls; k++)
		promcb_record(components[k % COMPONENTS], latency_of(writer, k), k % 7 != 0);
	return NULL;
}

static int produce(uint64_t process)
{
	pthread_t threads[THREADS];

	for (uint64_t t = 0; t < THREADS; t++)
		if (pthread_create(&threads[t], NULL, record, (void *)(uintptr_t)(process * THREADS + t)) != 0)
			return 1;
	for (uint64_t t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	return 0;
}

static void tell(void)
{
	for (unsigned c = 0; c < COMPONENTS; c++) {
		uint64_t total = 0, failures = 0, sum_ns = 0, buckets[POWER_MAX - POWER_MIN + 1] = {0};

		for (uint64_t writer = 0; writer < PROCESSES * THREADS; writer++)
			for (uint64_t k = c; k < calls; k += COMPONENTS) {
				uint64_t latency_ns = latency_of(writer, k);

				total++;
				failures += k % 7 == 0;
				sum_ns += latency_ns;
				/*
				 * 2^power seconds are 1e9 * 2^power nanoseconds, exactly: compare without a division.
				 */
				for (int power = POWER_MIN; power <= POWER_MAX; power++)
					buckets[power - POWER_MIN] += latency_ns << 12 <= (uint64_t)1000000000
												  << (power + 12);
			}
		printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", names[c], total, failures, sum_ns);
		for (int power = POWER_MIN; power <= POWER_MAX; power++)
			printf("%s %d %" PRIu64 "\n", names[c], power, buckets[power - POWER_MIN]);
	}
}

int main(int argc, char **argv)
{
	struct promcb_session *metrics;
	int failed = 0, status;

	if (argc != 3 || promcb_open(argv[1], NULL, &metrics) < 0)
		return 1;
	calls = strtoull(argv[2], NULL, 10);
	for (unsigned c = 0; c < COMPONENTS; c++)
		if (promcb_component(metrics, names[c], &components[c]) < 0)
			return 1;
	for (uint64_t process = 0; process < PROCESSES; process++) {
		pid_t child = fork();

		if (child < 0)
			return 1;
		if (child == 0)
			_exit(produce(process));
	}
	while (wait(&status) > 0)
		failed |= status;
	tell();
	return failed ? 1 : 0;
}

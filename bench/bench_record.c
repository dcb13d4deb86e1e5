/* SPDX-License-Identifier: MIT */
/*
 * bench_record: what does recording one call cost, beside a hand-written loop of the same stores?
 *
 * Usage: bench_record [ROUNDS [OPERATIONS]]. Two threads record the same component, each pinned to a processor. The
 * clock's own price is a case of its own; a stop is compared with two reads of the TSC and the floor.
 */
#include "bench.h"
#include "floor.h"

#include <promcb/admin.h>
#include <promcb/promcb.h>

#include <unistd.h>

static struct floor_block *blocks[BENCH_THREADS_MAX];
static struct promcb_component *component;
static uint64_t base_ns;

#define EACH_CALL(statement)                                                         \
	do {                                                                         \
		for (uint64_t i = 0; i < count; i++) {                               \
			uint64_t latency_ns = bench_latency_ns[i % BENCH_LATENCIES]; \
			bool success = bench_success[i % BENCH_LATENCIES];           \
			uint64_t now_ns = base_ns + i * 1000;                        \
                                                                                     \
			(void)latency_ns, (void)success, (void)now_ns, (void)thread; \
			statement;                                                   \
			__asm__ __volatile__("" ::: "memory");                       \
		}                                                                    \
	} while (0)

static uint64_t coarse_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t tick(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	return bench_now_ns();
#endif
}

static void floor_inlined(unsigned thread, uint64_t count)
{
	EACH_CALL(floor_record_inline(blocks[thread], latency_ns, success, now_ns));
}

static void floor_called(unsigned thread, uint64_t count)
{
	EACH_CALL(floor_record(blocks[thread], latency_ns, success, now_ns));
}

static void floor_coarse(unsigned thread, uint64_t count)
{
	EACH_CALL(floor_record(blocks[thread], latency_ns, success, coarse_ns()));
}

static void floor_ticks(unsigned thread, uint64_t count)
{
	EACH_CALL(uint64_t begin = tick(); floor_record(blocks[thread], tick() - begin, success, begin));
}

static void at_inlined(unsigned thread, uint64_t count)
{
	EACH_CALL(promcb_record_at_inline(component, latency_ns, success, now_ns));
}

static void at_called(unsigned thread, uint64_t count)
{
	EACH_CALL(promcb_record_at(component, latency_ns, success, now_ns));
}

static void coarse_called(unsigned thread, uint64_t count)
{
	EACH_CALL(promcb_record(component, latency_ns, success));
}

static void start_stop(unsigned thread, uint64_t count)
{
	EACH_CALL(promcb_stop(component, promcb_start(), success));
}

int main(int argc, char **argv)
{
	static struct bench_case cases[] = {
		{.name = "floor, inlined", .run = floor_inlined},
		{.name = "promcb_record_at_inline", .run = at_inlined, .floor = "floor, inlined"},
		{.name = "floor, shared library", .run = floor_called},
		{.name = "promcb_record_at", .run = at_called, .floor = "floor, shared library"},
		{.name = "floor + coarse clock", .run = floor_coarse},
		{.name = "promcb_record", .run = coarse_called, .floor = "floor + coarse clock"},
		{.name = "floor + two TSC reads", .run = floor_ticks},
		{.name = "promcb_start + promcb_stop", .run = start_stop, .floor = "floor + two TSC reads"},
	};
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 11;
	uint64_t operations = argc > 2 ? strtoull(argv[2], NULL, 10) : 4000000;
	struct promcb *metrics;
	char segment[64];

	snprintf(segment, sizeof(segment), "/promcb-bench-%d", (int)getpid());
	if (promcb_open(segment, NULL, &metrics) < 0 || promcb_component(metrics, "bench", &component) < 0) {
		fprintf(stderr, "bench_record: no segment %s\n", segment);
		return 1;
	}
	for (unsigned t = 0; t < BENCH_THREADS_MAX; t++) {
		blocks[t] = aligned_alloc(4096, (sizeof(struct floor_block) + 4095) / 4096 * 4096);
		if (!blocks[t])
			return 1;
		memset(blocks[t], 0, sizeof(struct floor_block));
	}
	bench_make_latencies();
	base_ns = bench_now_ns();
	bench_run(cases, sizeof(cases) / sizeof(cases[0]), rounds ? rounds : 1, operations);
	promcb_close(metrics);
	promcb_remove(segment, true, NULL);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * bench_record: what does recording one call cost, beside a hand-written loop of the same stores?
 *
 * Both workers record the same component. The clocks' own price is told too: a stop is compared with two reads of the
 * TSC and the floor. The last row is no recording at all: 24 additions, which take twice as long by two workers where
 * the two processors are threads of one core.
 *
 * Usage: bench_record [ROUNDS [MILLISECONDS]]. Compiled as C and, by bench_record_cxx.cc, as C++.
 */
#include "bench.h"
#include "floor.h"

#include <promcb/admin.h>
#include <promcb/promcb.h>

#ifdef __cplusplus
#define PROMCB "promcb C++"
#else
#define PROMCB "promcb"
#endif

static struct floor_block *blocks;
static struct promcb_component *component;
static uint64_t base_ns;
static uint64_t run_ns[BENCH_LATENCIES];

enum { RUN = 64 };

static void floor_inlined(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(floor_record_inline(&blocks[worker], latency_ns, success, base_ns + i * 1000));
}

static void floor_called(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(floor_record(&blocks[worker], latency_ns, success, base_ns + i * 1000));
}

static void floor_coarse(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(floor_record(&blocks[worker], latency_ns, success, bench_coarse_ns()));
}

static void floor_ticks(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(uint64_t begin = bench_tick();
			floor_record(&blocks[worker], bench_tick() - begin, success, begin));
}

static void clock_ticks(unsigned worker, uint64_t count)
{
	static uint64_t sum[2 * 16];

	BENCH_EACH_CALL(uint64_t begin = bench_tick(); sum[16 * worker] += bench_tick() - begin);
}

static void clock_coarse(unsigned worker, uint64_t count)
{
	static uint64_t sum[2 * 16];

	BENCH_EACH_CALL(sum[16 * worker] += bench_coarse_ns());
}

static void at_inlined(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(promcb_record_at_inline(component, latency_ns, success, base_ns + i * 1000));
}

static void at_called(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(promcb_record_at(component, latency_ns, success, base_ns + i * 1000));
}

/* Runs of RUN latencies of one outcome and stamp; the figure is for one call. */
static void floor_run(unsigned worker, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t at = i % BENCH_LATENCIES;

		floor_record_inline(&blocks[worker], run_ns[at], bench_success[at / RUN * RUN], base_ns + i / RUN);
		__asm__ __volatile__("" ::: "memory");
	}
}

static void many_called(unsigned worker, uint64_t count)
{
	(void)worker;
	for (uint64_t i = 0; i < count; i += RUN)
		promcb_record_many(component, &run_ns[i % BENCH_LATENCIES], RUN, bench_success[i % BENCH_LATENCIES],
				   base_ns + i / RUN);
}

static void coarse_called(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(promcb_record(component, latency_ns, success));
}

static void start_stop(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(promcb_stop(component, promcb_start(), success));
}

static void floor_lap(unsigned worker, uint64_t count)
{
	uint64_t begin = bench_tick();

	BENCH_EACH_CALL(uint64_t end = bench_tick(); floor_record(&blocks[worker], end - begin, success, begin);
			begin = end);
}

static void lap(unsigned worker, uint64_t count)
{
	uint64_t token = promcb_start();

	BENCH_EACH_CALL(token = promcb_lap(component, token, success));
}

static void floor_start_stop_coarse(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(uint64_t begin = bench_coarse_ns();
			floor_record(&blocks[worker], bench_coarse_ns() - begin + 1, success, begin));
}

static void start_stop_coarse(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(promcb_stop_coarse(component, promcb_start_coarse(), success));
}

static void additions(unsigned worker, uint64_t count)
{
	uint64_t a = worker, b = 0, c = 0, d = 0;

	for (uint64_t i = 0; i < count; i++)
		for (unsigned k = 0; k < 6; k++) {
			a += i, b += i, c += i, d += i;
			__asm__ __volatile__("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
		}
}

/* A thread's first record, in a segment and of a component that other threads have recorded. */
static void *record_first(void *prepared)
{
	static double ns;

	if (prepared)
		promcb_prepare(&component, 1);
	uint64_t begin = bench_now_ns();

	promcb_record(component, 1000, true);
	ns = (double)(bench_now_ns() - begin);
	return &ns;
}

static void measure_first(unsigned rounds)
{
	for (unsigned i = 0; i < 2 * rounds; i++) {
		pthread_t thread;
		void *ns;

		if (pthread_create(&thread, NULL, record_first, i % 2 ? &component : NULL) != 0)
			return;
		pthread_join(thread, &ns);
		bench_row("record", i % 2 ? "first of a prepared thread" : "first of a thread", PROMCB, 0, 0,
			  "1 thread", "ns", *(double *)ns);
	}
}

int main(int argc, char **argv)
{
	static struct bench_case cases[] = {
		{"record", "record_at inlined", "floor", floor_inlined, 0, 1000, 0},
		{"record", "record_at inlined", PROMCB, at_inlined, 0, 1000, 0},
		{"record", "record_at", "floor", floor_called, 0, 1000, 0},
		{"record", "record_at", PROMCB, at_called, 0, 1000, 0},
		{"record", "record_many by 64", "floor", floor_run, 0, 1000, 0},
		{"record", "record_many by 64", PROMCB, many_called, 0, 1000, 0},
		{"record", "record", "floor", floor_coarse, 0, 1000, 0},
		{"record", "record", "clock", clock_coarse, 0, 1000, 0},
		{"record", "record", PROMCB, coarse_called, 0, 1000, 0},
		{"record", "start + stop", "floor", floor_ticks, 0, 1000, 0},
		{"record", "start + stop", "clock", clock_ticks, 0, 1000, 0},
		{"record", "start + stop", PROMCB, start_stop, 0, 1000, 0},
		{"record", "lap", "floor", floor_lap, 0, 1000, 0},
		{"record", "lap", PROMCB, lap, 0, 1000, 0},
		{"record", "start + stop coarse", "floor", floor_start_stop_coarse, 0, 1000, 0},
		{"record", "start + stop coarse", PROMCB, start_stop_coarse, 0, 1000, 0},
		{"machine", "24 additions", "floor", additions, 0, 1000, 0},
	};
	struct bench_arguments arguments = bench_arguments(argc, argv);
	struct promcb_session *metrics;
	const char *segment = bench_segment();

	if (promcb_open(segment, NULL, &metrics) < 0 || promcb_component(metrics, "bench", &component) < 0) {
		fprintf(stderr, "bench_record: no segment %s\n", segment);
		return 1;
	}
	blocks = (struct floor_block *)bench_shared_memory(BENCH_WORKERS_MAX * sizeof(*blocks));
	bench_make_latencies();
	for (unsigned i = 0; i < BENCH_LATENCIES; i++)
		run_ns[i] = bench_latency_ns[i];
	base_ns = bench_now_ns();
	bench_run(cases, sizeof(cases) / sizeof(cases[0]), arguments, BENCH_TWO_PROCESSES);
	measure_first(8 * arguments.rounds);
	promcb_close(metrics);
	promcb_remove(segment, true, NULL);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * bench_clock: how far is promcb's timer from CLOCK_MONOTONIC?
 *
 * promcb_start() and promcb_stop() time what clock_gettime() times too, over 10 ms, 100 ms, 1 s and so on up to the
 * seconds given; what was recorded is read back from the segment. x: microseconds. The error is told in nanoseconds
 * (some 40 of which come from reading two clocks one after the other) and in parts of a million. Before that, what
 * reading each clock costs.
 *
 * Usage: bench_clock [ROUNDS [MILLISECONDS [SECONDS]]]
 */
#include "bench.h"

#include <promcb/admin.h>
#include <promcb/promcb.h>
#include <promcb/reader.h>

static uint64_t sum;

static void read_ticks(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(sum += bench_tick());
}

static void read_monotonic(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(sum += bench_now_ns());
}

static void read_coarse(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(sum += bench_coarse_ns());
}

static void read_promcb(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(sum += promcb_start());
}

static void sleep_until(uint64_t when_ns)
{
	struct timespec when = {.tv_sec = (time_t)(when_ns / 1000000000), .tv_nsec = (long)(when_ns % 1000000000)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) != 0)
		;
}

static int drift(const char *segment, struct promcb_session *metrics, unsigned seconds)
{
	struct promcb_component *component, *before;
	struct promcb_reader *reader;
	struct promcb_snapshot *snapshot;
	struct promcb_summary summary;
	uint64_t taken_ns[16];
	uint64_t intervals_us[16];
	unsigned count = 0;

	/* The timer changes to the TSC once it has measured it for 10 ms. */
	if (promcb_component(metrics, "before", &before) < 0)
		return -1;
	promcb_stop(before, promcb_start(), true);
	sleep_until(bench_now_ns() + 50000000);
	promcb_stop(before, promcb_start(), true);

	for (uint64_t us = 10000; us < (uint64_t)seconds * 1000000 && count < 15; us *= 10)
		intervals_us[count++] = us;
	intervals_us[count++] = (uint64_t)seconds * 1000000;

	/* Both ends alike, and warm: CLOCK_MONOTONIC, then at once promcb's. */
	uint64_t start_ns = bench_now_ns(), start = promcb_start();

	for (unsigned i = 0; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "interval_%u", i);
		if (promcb_component(metrics, name, &component) < 0)
			return -1;
		promcb_record(component, 0, true); /* the slow path is not in the way of the stop, then */
		sleep_until(start_ns + intervals_us[i] * 1000);
		for (unsigned k = 0; k < 8; k++) {
			taken_ns[i] = bench_now_ns();
			promcb_stop(before, promcb_start(), true);
		}
		taken_ns[i] = bench_now_ns() - start_ns;
		promcb_stop(component, start, true);
	}
	if (promcb_reader_open(segment, NULL, &reader, NULL) < 0)
		return -1;
	if (promcb_reader_snapshot(reader, NULL, &snapshot, NULL) < 0) {
		promcb_reader_close(reader);
		return -1;
	}
	for (unsigned i = 0; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "interval_%u", i);
		if (promcb_snapshot_find(snapshot, name, &summary) < 0)
			continue;
		double error_ns = summary.latency_sum * 1e9 - (double)taken_ns[i];

		bench_row("clock", "start + stop against CLOCK_MONOTONIC", "promcb", intervals_us[i], 0, "1 thread",
			  "ns", error_ns);
		bench_row("clock", "start + stop against CLOCK_MONOTONIC", "promcb", intervals_us[i], 0, "1 thread",
			  "ppm", error_ns / (double)taken_ns[i] * 1e6);
	}
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
	return 0;
}

int main(int argc, char **argv)
{
	static struct bench_case cases[] = {
		{"clock", "rdtsc", "clock", read_ticks, 0, 1000, 0},
		{"clock", "CLOCK_MONOTONIC", "clock", read_monotonic, 0, 1000, 0},
		{"clock", "CLOCK_MONOTONIC_COARSE", "clock", read_coarse, 0, 1000, 0},
		{"clock", "promcb_start", "promcb", read_promcb, 0, 1000, 0},
	};
	struct bench_arguments arguments = bench_arguments(argc, argv);
	unsigned seconds = argc > 3 ? (unsigned)atoi(argv[3]) : 10;
	struct promcb_session *metrics;
	const char *segment = bench_segment();
	int status = 0;

	if (promcb_open(segment, NULL, &metrics) < 0) {
		fprintf(stderr, "bench_clock: no segment %s\n", segment);
		return 1;
	}
	bench_run(cases, sizeof(cases) / sizeof(cases[0]), arguments, BENCH_ONE_THREAD);
	if (seconds > 0)
		status = drift(segment, metrics, seconds);
	promcb_close(metrics);
	promcb_remove(segment, true, NULL);
	return status < 0;
}

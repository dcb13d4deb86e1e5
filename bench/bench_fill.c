/* SPDX-License-Identifier: MIT */
/*
 * bench_fill: how much memory does a component and lane take? Leaves the segment for the readers' benchmarks.
 *
 * Two figures: what a registered component takes before it is recorded, fixed parts of the segment included, and what
 * each lane that records it adds.
 *
 * x components are recorded by y threads, each in a lane of its own:
 *   cold    one call each
 *   full    1,100 calls each, the newest minute's, in order of time: every ring is full
 *   mixed   the same, with the clock going back every 97 calls, as it does where threads bring stamps of their own
 *
 * Usage: bench_fill SEGMENT COMPONENTS LANES cold|full|mixed
 */
#include "bench.h"

#include <promcb/promcb.h>
#include <promcb/reader.h>

enum { CALLS = 1100 };

struct filler {
	struct promcb_component **components;
	uint32_t components_count;
	uint32_t calls;
	bool mixed;
	uint64_t newest_ns;
	pthread_barrier_t *done;
};

static void *fill(void *argument)
{
	const struct filler *filler = argument;
	unsigned at = (unsigned)((uintptr_t)pthread_self() >> 12);

	for (uint32_t call = 0; call < filler->calls; call++) {
		uint32_t age = filler->calls - 1 - call;

		if (filler->mixed && call % 97 == 0)
			age += 50;
		uint64_t now_ns = filler->newest_ns - (uint64_t)age * 50000000;

		for (uint32_t i = 0; i < filler->components_count; i++, at++)
			promcb_record_at(filler->components[i], bench_latency_ns[at % BENCH_LATENCIES],
					 bench_success[at % BENCH_LATENCIES], now_ns);
	}
	/* A lane that is given back would be the next thread's. */
	pthread_barrier_wait(filler->done);
	return NULL;
}

/* The bytes that the segment holds. Every call must have found a lane and room. */
static uint64_t used_bytes(const char *segment)
{
	struct promcb_snapshot_options options = {.flags = PROMCB_SNAPSHOT_WITHOUT_RECENT};
	struct promcb_reader *reader;
	struct promcb_snapshot *snapshot;
	struct promcb_segment_info info;

	if (promcb_reader_open(segment, NULL, &reader, NULL) < 0 ||
	    promcb_reader_snapshot(reader, &options, &snapshot, NULL) < 0) {
		fprintf(stderr, "bench_fill: %s cannot be read\n", segment);
		exit(1);
	}
	promcb_snapshot_info(snapshot, &info);
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
	if (info.overflow_calls + info.dropped_calls > 0) {
		fprintf(stderr, "bench_fill: %" PRIu64 " calls found no lane or no room\n",
			info.overflow_calls + info.dropped_calls);
		exit(1);
	}
	return info.used_bytes;
}

int main(int argc, char **argv)
{
	int components = argc == 5 ? atoi(argv[2]) : 0, lanes = argc == 5 ? atoi(argv[3]) : 0;

	if (components < 1 || components > 60000 || lanes < 1 || lanes > 1000) {
		fprintf(stderr, "Usage: bench_fill SEGMENT COMPONENTS LANES cold|full|mixed\n");
		return 2;
	}
	bool cold = strcmp(argv[4], "cold") == 0;
	uint64_t pairs = (uint64_t)components * (uint64_t)lanes;
	/* Full pairs take 13.4 KiB, and every component an overflow block of 5.4. */
	struct promcb_options options = {.max_bytes = ((uint64_t)32 << 20) + 15 * 1024 * (pairs + (uint64_t)components),
					 .components = (uint32_t)components + 1,
					 .lanes = (uint32_t)lanes + 1};
	struct filler filler = {.components_count = (uint32_t)components,
				.calls = cold ? 1 : CALLS,
				.mixed = strcmp(argv[4], "mixed") == 0,
				.newest_ns = bench_coarse_ns()};
	pthread_t *threads = calloc((size_t)lanes, sizeof(*threads));
	pthread_barrier_t done;
	struct promcb_session *metrics;

	filler.components = calloc((size_t)components, sizeof(struct promcb_component *));
	filler.done = &done;
	if (!threads || !filler.components || promcb_open(argv[1], &options, &metrics) < 0) {
		fprintf(stderr, "bench_fill: no segment %s\n", argv[1]);
		return 1;
	}
	for (int i = 0; i < components; i++) {
		char name[40];

		snprintf(name, sizeof(name), "service_component_%012d", i);
		if (promcb_component(metrics, name, &filler.components[i]) < 0)
			return 1;
	}
	uint64_t before_bytes = used_bytes(argv[1]);

	bench_make_latencies();
	pthread_barrier_init(&done, NULL, (unsigned)lanes);
	for (int i = 0; i < lanes; i++)
		if (pthread_create(&threads[i], NULL, fill, &filler) != 0)
			return 1;
	for (int i = 0; i < lanes; i++)
		pthread_join(threads[i], NULL);
	promcb_close(metrics);
	uint64_t after_bytes = used_bytes(argv[1]);
	char what[64];

	bench_row("memory", "segment per component", "promcb", (uint64_t)components, (uint64_t)lanes, "1 thread", "KiB",
		  (double)before_bytes / 1024 / components);
	snprintf(what, sizeof(what), "segment per component and lane (%s)", argv[4]);
	bench_row("memory", what, "promcb", (uint64_t)components, (uint64_t)lanes, "1 thread", "KiB",
		  (double)(after_bytes - before_bytes) / 1024 / (double)pairs);
	free(filler.components);
	free(threads);
	return 0;
}

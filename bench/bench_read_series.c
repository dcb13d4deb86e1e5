/* SPDX-License-Identifier: MIT */
/*
 * bench_read_series: how long do a snapshot of counters with labels and its rendering take?
 *
 * x series of one family, each with three label values of 33 bytes, each added to by y threads in lanes of their own.
 * Snapshots are taken by a map and by copies; text and protobuf are rendered from a snapshot at hand. What cannot be
 * saved stands beside: reading as many bytes as the rows have. Time is that which the thread had of a processor.
 *
 * Usage: bench_read_series SEGMENT SERIES LANES [ROUNDS]; the segment is made, and removed
 */
#include "bench.h"

#include <promcb/admin.h>
#include <promcb/metric.h>
#include <promcb/promcb.h>
#include <promcb/reader.h>

#include <errno.h>

static uint64_t series_count, lanes;
static struct promcb_counter **counters;
static pthread_barrier_t done;

static void fail(const char *what, int result)
{
	fprintf(stderr, "bench_read_series: %s: %s\n", what, promcb_strerror(result));
	exit(1);
}

static void *add(void *argument)
{
	(void)argument;
	for (uint64_t i = 0; i < series_count; i++)
		promcb_counter_add(counters[i], i);
	/* A lane that is given back would be the next thread's. */
	pthread_barrier_wait(&done);
	return NULL;
}

static void fill(const char *segment)
{
	const struct promcb_options options = {.max_bytes = (uint64_t)256 << 20, .lanes = (uint32_t)lanes + 4};
	struct promcb_metric_family *family;
	struct promcb_session *p;
	pthread_t *threads = calloc(lanes, sizeof(*threads));
	int result = promcb_open(segment, &options, &p);

	if (result < 0)
		fail("open", result);
	result = promcb_family_register(
		p,
		&(struct promcb_family_spec){.name = "proxy_sent_bytes_total",
					     .help = "Sent.",
					     .unit = "bytes",
					     .type = PROMCB_COUNTER,
					     .series_max = (uint32_t)series_count,
					     .labels = (const char *const[]){"method", "route", "peer", NULL}},
		&family);
	if (result < 0)
		fail("family", result);
	counters = calloc(series_count, sizeof(struct promcb_counter *));
	for (uint64_t i = 0; i < series_count; i++) {
		char route[32], peer[32];

		snprintf(route, sizeof(route), "/api/v1/%05" PRIu64, i / 100);
		snprintf(peer, sizeof(peer), "10.1.%03" PRIu64 ".%03" PRIu64, i % 100, i / 1000);
		result = promcb_counter_with(family, (const char *const[]){"GET", route, peer, NULL}, &counters[i]);
		if (result < 0)
			fail("series", result);
	}
	pthread_barrier_init(&done, NULL, (unsigned)lanes);
	for (uint64_t i = 0; i < lanes; i++)
		pthread_create(&threads[i], NULL, add, NULL);
	for (uint64_t i = 0; i < lanes; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

static void tell(const char *what, const char *who, const char *unit, double value)
{
	bench_row("families", what, who, series_count, lanes, "1 thread", unit, value);
}

static int discard(void *context, const void *bytes, size_t length)
{
	(void)bytes;
	*(size_t *)context += length;
	return 0;
}

static double milliseconds_since(uint64_t begin_ns)
{
	return (double)(bench_thread_ns() - begin_ns) * 1e-6;
}

static void measure(struct promcb_reader *reader, const char *who)
{
	struct promcb_snapshot *snapshot;
	uint64_t begin_ns = bench_thread_ns();
	size_t bytes = 0;
	int result = promcb_reader_snapshot(reader, NULL, &snapshot, NULL);

	if (result < 0)
		fail("snapshot", result);
	tell("snapshot", who, "ms", milliseconds_since(begin_ns));
	begin_ns = bench_thread_ns();
	promcb_render(snapshot, PROMCB_FORMAT_TEXT, NULL, discard, &bytes);
	tell("text a line", who, "ns", milliseconds_since(begin_ns) * 1e6 / (double)series_count);
	begin_ns = bench_thread_ns();
	promcb_render(snapshot, PROMCB_FORMAT_PROTOBUF, NULL, discard, &bytes);
	tell("protobuf a series", who, "ns", milliseconds_since(begin_ns) * 1e6 / (double)series_count);
	promcb_snapshot_free(snapshot);
}

int main(int argc, char **argv)
{
	const struct promcb_reader_options mapped = {.access = PROMCB_ACCESS_MAPPED};
	struct promcb_reader *readers[2];

	if (argc < 4 || (series_count = strtoull(argv[2], NULL, 10)) < 1 || (lanes = strtoull(argv[3], NULL, 10)) < 1) {
		fprintf(stderr, "usage: bench_read_series SEGMENT SERIES LANES [ROUNDS]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	fill(argv[1]);
	if (promcb_reader_open(argv[1], &mapped, &readers[0], NULL) < 0 ||
	    promcb_reader_open(argv[1], NULL, &readers[1], NULL) < 0)
		fail("reader", -ENOENT);
	uint64_t rows = (series_count + 62) / 63 * lanes, words = rows * 64, *memory = calloc(words, sizeof(*memory));

	for (int round = argc > 4 ? atoi(argv[4]) : 20; round > 0; round--) {
		uint64_t begin_ns = bench_thread_ns(), sum = 0;

		for (uint64_t i = 0; i < words; i++)
			sum += promcb_load_relaxed(&memory[i]);
		tell("snapshot", "floor", "ms", milliseconds_since(begin_ns) + (double)(sum & 1));
		measure(readers[0], "map");
		measure(readers[1], "copies");
	}
	free(memory);
	promcb_reader_close(readers[0]);
	promcb_reader_close(readers[1]);
	return promcb_remove(argv[1], true, NULL) < 0;
}

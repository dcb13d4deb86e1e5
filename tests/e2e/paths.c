/* SPDX-License-Identifier: MIT */
/*
 * paths: walks one path of promcb a given number of times, for what counts instructions and cache lines.
 *
 * Usage: e2e_paths PATH COUNT [NAMES], on the segment of PROMCB_SEGMENT; NAMES is how many components there are where a
 * path goes through many (1,000). Everything is warm when it begins: blocks and their full rings are there, the TSC
 * timer has been measured, the snapshot has been taken. paths_walk() is what is counted. Prints on standard output how
 * much was done (calls, or lines), and where the segment, the stack and a mark lie: the mark is 1 while the path is
 * being walked.
 */
#include <promcb/breaker_inline.h>
#include <promcb/metric_inline.h>
#include <promcb/promcb.h>
#include <promcb/reader.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 1000, WARM = 40, RUN = 64 };

/* What every path needs lies in the line of the mark, which is not counted: it is the caller's. */
static struct {
	uint64_t mark;
	struct promcb_component *component;
	struct promcb_session *metrics;
	struct promcb_snapshot *snapshot;
	uint64_t now_ns;
	struct promcb_counter *counter;
	struct promcb_breaker *breaker;
} here __attribute__((aligned(64)));

static char names[NAMES_MAX][32];
static struct promcb_component *prepared[NAMES_MAX];
static unsigned names_count = NAMES_MAX;
static uint64_t lines;

/* Latencies of several buckets, no failure: that is the way of most calls. */
static uint64_t latency_of(uint64_t i)
{
	return 1000 + (i * 7919 & 0xffff);
}

static void walk_nothing(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t latency_ns = latency_of(i);

		__asm__ __volatile__("" : : "r"(latency_ns) : "memory");
	}
}

static void walk_record_at_inline(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_record_at_inline(here.component, latency_of(i), true, here.now_ns);
}

static void walk_record_at(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_record_at(here.component, latency_of(i), true, here.now_ns);
}

/* Let through by a breaker that is closed, and recorded. */
static void walk_guarded_inline(uint64_t count)
{
	struct promcb_token token;

	for (uint64_t i = 0; i < count; i++)
		if (promcb_allow_inline(here.breaker, &token))
			promcb_done_at_inline(here.breaker, &token, latency_of(i), PROMCB_SUCCESS, here.now_ns);
}

static void walk_guarded(uint64_t count)
{
	struct promcb_token token;

	for (uint64_t i = 0; i < count; i++)
		if (promcb_allow(here.breaker, &token))
			promcb_done_at(here.breaker, &token, latency_of(i), PROMCB_SUCCESS, here.now_ns);
}

/* One in eight fails, as much as that can be on a bad day. */
static void walk_record_at_failures(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_record_at(here.component, latency_of(i), i % 8 != 0, here.now_ns);
}

static void walk_record_many(uint64_t count)
{
	static uint64_t run[RUN];

	for (uint64_t i = 0; i < RUN; i++)
		run[i] = latency_of(i);
	for (; count > 0; count -= count < RUN ? count : RUN)
		promcb_record_many(here.component, run, count < RUN ? count : RUN, true, here.now_ns);
}

static void walk_record(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_record(here.component, latency_of(i), true);
}

static void walk_start_stop(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_stop(here.component, promcb_start(), true);
}

static void walk_start_stop_coarse(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_stop_coarse(here.component, promcb_start_coarse(), true);
}

static void walk_lap(uint64_t count)
{
	uint64_t token = promcb_start();

	for (uint64_t i = 0; i < count; i++)
		token = promcb_lap(here.component, token, true);
}

/* Each the first of its component, as long as there are as many. */
static void walk_prepared(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_record(prepared[i % NAMES_MAX], latency_of(i), true);
}

static void walk_call(uint64_t count)
{
	unsigned at = 0;

	for (uint64_t i = 0; i < count; i++) {
		promcb_call(here.metrics, names[at], (double)latency_of(i) * 1e-9, true);
		at = at + 1 < names_count ? at + 1 : 0;
	}
}

static void walk_count_log(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_count_log(here.component, PROMCB_LOG_INFO);
}

static struct promcb_metric_family *counters, *reals;
static struct promcb_counter *real;
static struct promcb_gauge *gauge;
static struct promcb_histogram *histogram;

static void walk_counter_add_inline(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_counter_add_inline(here.counter, latency_of(i));
}

static void walk_counter_add(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_counter_add(here.counter, latency_of(i));
}

static void walk_counter_add_double(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_counter_add_double(real, 0.5);
}

static void walk_counter_add_with(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_counter_add_with(counters, (const char *const[]){"GET", "/api/v1/things", "200", NULL}, 1);
}

static void walk_gauge_set(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_gauge_set(gauge, 17);
}

static void walk_histogram_observe(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_histogram_observe(histogram, latency_of(i));
}

static int declare(struct promcb_session *p)
{
	const char *const labels[] = {"method", "route", "status", NULL};
	struct promcb_metric_family *gauges, *histograms;

	if (promcb_family_register(
		    p, &(struct promcb_family_spec){.name = "requests_total", .type = PROMCB_COUNTER, .labels = labels},
		    &counters) < 0 ||
	    promcb_family_register(p,
				   &(struct promcb_family_spec){
					   .name = "energy_total", .type = PROMCB_COUNTER, .flags = PROMCB_DOUBLES},
				   &reals) < 0 ||
	    promcb_family_register(p, &(struct promcb_family_spec){.name = "used", .type = PROMCB_GAUGE}, &gauges) <
		    0 ||
	    promcb_family_register(p, &(struct promcb_family_spec){.name = "sizes", .type = PROMCB_HISTOGRAM},
				   &histograms) < 0)
		return -1;
	if (promcb_counter_with(counters, (const char *const[]){"GET", "/api/v1/things", "200", NULL}, &here.counter) <
		    0 ||
	    promcb_counter_with(reals, NULL, &real) < 0 || promcb_gauge_with(gauges, NULL, &gauge) < 0)
		return -1;
	return promcb_histogram_with(histograms, NULL, &histogram);
}

static int count_lines(void *context, const void *bytes, size_t length)
{
	const char *at = bytes, *end = at + length;

	for (; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		++*(uint64_t *)context;
	return 0;
}

static int discard(void *context, const void *bytes, size_t length)
{
	(void)context, (void)bytes, (void)length;
	return 0;
}

static void walk_render(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		promcb_render(here.snapshot, PROMCB_FORMAT_TEXT, NULL, discard, NULL);
}

/* A path, and whether it goes through many components, or is one of series. */
static const struct path {
	const char *name;
	void (*walk)(uint64_t count);
	bool many;
	bool series;
} paths[] = {
	{"counter_add_inline", walk_counter_add_inline, false, true},
	{"counter_add", walk_counter_add, false, true},
	{"counter_add_double", walk_counter_add_double, false, true},
	{"counter_add_with", walk_counter_add_with, false, true},
	{"gauge_set", walk_gauge_set, false, true},
	{"histogram_observe", walk_histogram_observe, false, true},
	{"guarded_inline", walk_guarded_inline, false, true},
	{"guarded", walk_guarded, false, true},
	{"nothing", walk_nothing, false, false},
	{"record_at_inline", walk_record_at_inline, false, false},
	{"record_at", walk_record_at, false, false},
	{"record_at_failures", walk_record_at_failures, false, false},
	{"record_many", walk_record_many, false, false},
	{"record", walk_record, false, false},
	{"start_stop", walk_start_stop, false, false},
	{"start_stop_coarse", walk_start_stop_coarse, false, false},
	{"lap", walk_lap, false, false},
	{"prepared", walk_prepared, false, false},
	{"call", walk_call, true, false},
	{"count_log", walk_count_log, false, false},
	{"render", walk_render, true, false},
};

/* Its own function, by whose name a counter knows where to begin and to end. */
__attribute__((noinline)) void paths_walk(const struct path *path, uint64_t count);

void paths_walk(const struct path *path, uint64_t count)
{
	void (*walk)(uint64_t) = path->walk;

	promcb_store_release(&here.mark, 1);
	walk(count);
	promcb_store_release(&here.mark, 2);
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The timer's change to the TSC comes with a start more than 10 ms after the first. */
static void warm_timer(void)
{
	for (uint64_t begin_ns = clock_ns(); clock_ns() - begin_ns < 20000000;)
		promcb_stop(here.component, promcb_start(), true);
}

static bool prepare(const struct path *path)
{
	struct promcb_reader *reader;

	if (promcb_open(NULL, NULL, &here.metrics) < 0 ||
	    promcb_component(here.metrics, "payment_api", &here.component) < 0)
		return false;
	here.now_ns = clock_ns();
	for (unsigned i = 0; i < WARM; i++)
		promcb_record_at(here.component, latency_of(i), true, here.now_ns);
	for (unsigned i = 0; path->many && i < names_count; i++) {
		snprintf(names[i], sizeof(names[i]), "service_component_%012u", i);
		for (unsigned k = 0; k < WARM; k++)
			if (promcb_call(here.metrics, names[i], (double)latency_of(i * 31 + k) * 1e-9, k % 8 != 0) < 0)
				return false;
	}
	if (path->walk == walk_start_stop || path->walk == walk_lap)
		warm_timer();
	for (unsigned i = 0; path->walk == walk_prepared && i < NAMES_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "prepared_component_%011u", i);
		if (promcb_component(here.metrics, names[i], &prepared[i]) < 0)
			return false;
	}
	if (path->walk == walk_prepared && promcb_prepare(prepared, NAMES_MAX) < 0)
		return false;
	if (path->series) {
		/* Its window is an hour long, so that no slot ends meanwhile. */
		if (declare(here.metrics) < 0 ||
		    promcb_breaker(here.component, &(struct promcb_policy){.window_ms = 3600000}, &here.breaker) < 0)
			return false;
		/* As many as until the countdown is as long as it gets. */
		path->walk(1000);
	}
	if (path->walk != walk_render)
		return true;
	return promcb_reader_open(NULL, NULL, &reader, NULL) == 0 &&
	       promcb_reader_snapshot(reader, NULL, &here.snapshot, NULL) == 0 &&
	       promcb_render(here.snapshot, PROMCB_FORMAT_TEXT, NULL, count_lines, &lines) == 0;
}

static void print_places(void)
{
	const char *segment = getenv("PROMCB_SEGMENT");
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");

	while (maps && fgets(line, sizeof(line), maps))
		if (segment && strstr(line, segment))
			printf("segment %.*s\n", (int)strcspn(line, " "), line);
	if (maps)
		fclose(maps);
	printf("stack %" PRIxPTR "\nmark %" PRIxPTR "\n", (uintptr_t)line, (uintptr_t)&here.mark);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	const struct path *path = paths;
	const struct path *end = paths + sizeof(paths) / sizeof(paths[0]);

	while (path < end && (argc < 2 || strcmp(path->name, argv[1]) != 0))
		path++;
	if (argc > 3)
		names_count = (unsigned)atoi(argv[3]);
	if (path == end || count == 0 || names_count < 1 || names_count > NAMES_MAX) {
		fprintf(stderr, "Usage: e2e_paths PATH COUNT [NAMES]; a PATH is one of");
		for (path = paths; path < end; path++)
			fprintf(stderr, " %s", path->name);
		fprintf(stderr, "\n");
		return 2;
	}
	if (!prepare(path)) {
		fprintf(stderr, "e2e_paths: cannot prepare\n");
		return 1;
	}
	print_places();
	/* A look at where the segment has gone, which is due once a second, is behind. */
	promcb_record(here.component, latency_of(0), true);
	/* Nor is it the next use that looks at the clock. */
	promcb_thread.countdown = 32;
	paths_walk(path, count);
	printf("done %" PRIu64 "\n", path->walk == walk_render ? count * lines : count);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * bench_scraped: how much slower is recording while a reader scrapes?
 *
 * One thread records x components in turn on one processor; on the other a process takes a snapshot and renders it, y
 * times a second (1000000: back to back). Each window with scrapes follows one without, so that "speed left", in
 * percent, is a ratio of neighbours. What a scrape takes from the recorder is its cache lines: scrapes a second x hot
 * lines x some 70 ns. "another segment" is the same reader at a segment that nobody records: what is lost then is the
 * machine's.
 *
 * Time is what the recording thread had of its processor, so that other programs that want it do not count as loss.
 *
 * Usage: bench_scraped [ROUNDS [MILLISECONDS [COMPONENTS...]]]; milliseconds of a window, which is longer where that is
 * less than two scrapes.
 */
#include "bench.h"

#include <promcb/admin.h>
#include <promcb/promcb.h>
#include <promcb/reader.h>

#include <sys/prctl.h>

enum { BACK_TO_BACK = 1000000 };

static struct promcb_component **components;
static uint64_t components_count;
static char segments[2][80];
static const char *const who[2] = {"promcb", "another segment"};

static void in_turn(unsigned worker, uint64_t count)
{
	uint64_t at = 0;

	BENCH_EACH_CALL(promcb_record(components[at], latency_ns, success);
			at = at + 1 < components_count ? at + 1 : 0);
}

static int discard(void *context, const void *bytes, size_t length)
{
	(void)bytes;
	*(size_t *)context += length;
	return 0;
}

static void tell(const char *what, const char *of, uint64_t per_second, const char *unit, double value)
{
	bench_row("scraped", what, of, components_count, per_second, "1 thread", unit, value);
}

/* Never returns: killed. Counts its scrapes. */
static void scrape(const char *segment, uint64_t per_second, uint64_t *scrapes)
{
	struct promcb_reader_options options = {.access = PROMCB_ACCESS_MAPPED};
	struct promcb_reader *reader;
	struct promcb_snapshot *snapshot;
	uint64_t next_ns = bench_now_ns();
	size_t length = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(1);
	if (promcb_reader_open(segment, &options, &reader, NULL) < 0)
		_exit(1);
	for (;;) {
		if (promcb_reader_snapshot(reader, NULL, &snapshot, NULL) < 0 ||
		    promcb_render(snapshot, PROMCB_FORMAT_TEXT, NULL, discard, &length) < 0)
			_exit(1);
		promcb_snapshot_free(snapshot);
		promcb_add_relaxed(scrapes, 1);
		if (per_second == BACK_TO_BACK)
			continue;
		next_ns += 1000000000 / per_second;
		struct timespec next = {.tv_sec = (time_t)(next_ns / 1000000000),
					.tv_nsec = (long)(next_ns % 1000000000)};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
}

static void measure(struct bench_case *which, uint64_t per_second, uint64_t budget_ns, uint64_t *scrapes)
{
	uint64_t window_ns = budget_ns, count;

	if (window_ns < 2000000000 / per_second)
		window_ns = 2000000000 / per_second;
	count = (uint64_t)((double)which->count * (double)window_ns / (double)budget_ns);
	for (unsigned s = 0; s < 2; s++) {
		double alone_ns = bench_measure_thread(which, count), scraped_ns;
		pid_t child = fork();

		if (child == 0)
			scrape(segments[s], per_second, scrapes);
		/* It is at work from its first scrape on. */
		for (uint64_t before = promcb_load_relaxed(scrapes); promcb_load_relaxed(scrapes) == before;)
			if (waitpid(child, NULL, WNOHANG) != 0)
				exit(1);
		uint64_t scrapes_before = promcb_load_relaxed(scrapes), begin_ns = bench_now_ns();

		scraped_ns = bench_measure_thread(which, count);
		double seconds = (double)(bench_now_ns() - begin_ns) * 1e-9;

		tell("recording while scraped", who[s], 0, "ns", alone_ns);
		tell("recording while scraped", who[s], per_second, "ns", scraped_ns);
		tell("speed left while scraped", who[s], per_second, "%", 100 * alone_ns / scraped_ns);
		tell("scrapes a second done", who[s], per_second, "/s",
		     (double)(promcb_load_relaxed(scrapes) - scrapes_before) / seconds);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
}

int main(int argc, char **argv)
{
	static const uint64_t rates[] = {1, 10, 100, 1000, BACK_TO_BACK};
	struct bench_arguments arguments = bench_arguments(argc, argv);
	struct bench_case which = {"scraped", "recording while scraped", "promcb", in_turn, 0, 0, 0};
	struct promcb_session *metrics = NULL, *others = NULL;
	const char *segment = bench_segment();
	uint64_t *scrapes = bench_shared_memory(sizeof(uint64_t));

	snprintf(segments[0], sizeof(segments[0]), "%s", segment);
	snprintf(segments[1], sizeof(segments[1]), "%s%s", segment, BENCH_OTHER);
	components = calloc(1000, sizeof(struct promcb_component *));
	if (!components || promcb_open(segments[0], NULL, &metrics) < 0 ||
	    promcb_open(segments[1], NULL, &others) < 0) {
		fprintf(stderr, "bench_scraped: no segment %s\n", segment);
		return 1;
	}
	bench_make_latencies();
	for (int i = 3; i < (argc > 3 ? argc : 6); i++) {
		static const uint64_t usual[] = {1, 100, 1000};
		uint64_t wanted = argc > 3 ? (uint64_t)atoi(argv[i]) : usual[i - 3];

		if (wanted < 1 || wanted > 1000)
			continue;
		for (; components_count < wanted; components_count++) {
			struct promcb_component *other;
			char name[32];

			snprintf(name, sizeof(name), "component_%04u", (unsigned)components_count);
			if (promcb_component(metrics, name, &components[components_count]) < 0 ||
			    promcb_component(others, name, &other) < 0)
				return 1;
			for (unsigned k = 0; k < 2000; k++)
				promcb_record(other, bench_latency_ns[k], bench_success[k]);
		}
		bench_measure(&which, BENCH_ONE_THREAD, 2000 * components_count);
		which.count = bench_count(&which, arguments.budget_ns);
		for (unsigned round = 0; round < arguments.rounds; round++)
			for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
				measure(&which, rates[r], arguments.budget_ns, scrapes);
	}
	promcb_close(metrics);
	promcb_close(others);
	promcb_remove(segments[0], true, NULL);
	promcb_remove(segments[1], true, NULL);
	free(components);
	return 0;
}

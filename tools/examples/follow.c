/* SPDX-License-Identifier: MIT */
/*
 * follow.c: what a service does: for every interval the calls per second, failures and p99 of each component, exactly.
 *
 *     cc -o follow follow.c $(pkg-config --cflags --libs promcb) && ./follow /promcb 1
 *
 * A line is the component, its calls, calls per second, failures, and the p99 as the bucket that it lies in: the calls
 * in between, of which 99 % took at most its upper bound. A "-" is no p99, of fewer than 100 calls. What is no
 * difference of two snapshots is marked: the segment was recreated, or the component reset or created in between.
 */
#include <promcb/reader.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void print_component(const struct promcb_snapshot *between, size_t index)
{
	static const char *const marks[] = {
		[PROMCB_SPAN_CREATED] = " (new)",
		[PROMCB_SPAN_RESET] = " (since its reset)",
		[PROMCB_SPAN_RECREATED] = " (since the segment was recreated)",
		[PROMCB_SPAN_UNKNOWN] = " (its counts went back)",
	};
	enum promcb_span span = promcb_snapshot_span(between, index);
	double seconds = promcb_snapshot_seconds(between, index);
	struct promcb_summary summary;
	struct promcb_bucket p99;
	uint64_t measured = 0;

	promcb_snapshot_summary(between, index, &summary);
	if (!summary.total_calls && span != PROMCB_SPAN_UNKNOWN)
		return;
	printf("%s\t%" PRIu64 " calls\t%.1f/s\t%" PRIu64 " failed\tp99 ", summary.name, summary.total_calls,
	       seconds > 0 ? (double)summary.total_calls / seconds : 0, summary.failed_calls);
	if (promcb_snapshot_quantile(between, index, PROMCB_OUTCOME_ANY, 0.99, &p99, &measured) == 0 && measured >= 100)
		printf("%.9f to %.9f s", (double)p99.least_ns / 1e9, (double)p99.most_ns / 1e9);
	else
		printf("-");
	printf("%s\n", marks[span] ? marks[span] : "");
}

/* Prints what came between two snapshots. */
static void print_between(const struct promcb_snapshot *later, const struct promcb_snapshot *earlier)
{
	struct promcb_snapshot *between;
	int result = promcb_snapshot_difference(later, earlier, &between);

	if (result < 0) {
		fprintf(stderr, "follow: %s\n", promcb_strerror(result));
		return;
	}
	for (size_t i = 0; i < promcb_snapshot_count(between); i++)
		print_component(between, i);
	fflush(stdout);
	promcb_snapshot_free(between);
}

int main(int argc, char **argv)
{
	const char *segment = argc > 1 ? argv[1] : NULL;
	double interval = argc > 2 ? strtod(argv[2], NULL) : 1;
	const struct timespec pause = {(time_t)interval, (long)((interval - (double)(time_t)interval) * 1e9)};
	struct promcb_snapshot *earlier = NULL, *later;
	struct promcb_message message, told = {.text = ""};
	struct promcb_reader *reader = NULL;

	for (;; nanosleep(&pause, NULL)) {
		/* The segment may come later, go, and come again as another. */
		int result = reader ? promcb_reader_refresh(reader, &message)
				    : promcb_reader_open(segment, NULL, &reader, &message);

		if (result >= 0)
			result = promcb_reader_snapshot(reader, NULL, &later, &message);
		if (result < 0) {
			if (strcmp(message.text, told.text) != 0)
				fprintf(stderr, "follow: %s\n", message.text);
			told = message;
			continue;
		}
		if (!earlier || told.text[0])
			fprintf(stderr, "follow: reading\n");
		told.text[0] = '\0';
		if (earlier)
			print_between(later, earlier);
		promcb_snapshot_free(earlier);
		earlier = later;
	}
}

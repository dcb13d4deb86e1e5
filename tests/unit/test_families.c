/* SPDX-License-Identifier: MIT */
/*
 * The table of families: what the formats make of one line of it is the same number, whichever way they get at it. The
 * component here has a number of its own in each place, so that none can be taken for another.
 */
#include "collected.h"
#include "render/families.h"

#include "base/bucket.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct promcb_snapshot_component one;
static struct promcb_snapshot snapshot = {.schema = 3, .count = 1, .components = &one};

static void make(void)
{
	struct promcb_counts *counts = &one.counts;

	snapshot.buckets = promcb_schema_buckets(snapshot.schema);
	snapshot.bucket_memory = calloc(2 * (size_t)snapshot.buckets, sizeof(uint64_t));
	cr_assert_not_null(snapshot.bucket_memory);
	promcb_counts_init(counts, snapshot.schema, snapshot.buckets, snapshot.bucket_memory);
	promcb_full_name_set(&one.name, "c", 1);
	counts->empty = 0;
	counts->buckets[0][100] = 1000;
	counts->buckets[1][100] = 300;
	counts->unmeasured[0] = 20;
	counts->unmeasured[1] = 4;
	counts->calls[0] = 1020;
	counts->calls[1] = 304;
	for (unsigned state = 0; state < PROMCB_STATES; state++)
		counts->transitions[state] = 50 + state;
	for (unsigned level = 0; level < PROMCB_LOG_LEVELS; level++)
		counts->log_entries[level] = 70 + level;
	one.state = PROMCB_HALF_OPEN;
	one.last_failure_ns = 1700000001250000000;
	one.last_success_ns = 1700000003750000000;
	one.last_state_change_ns = 1700000002500000000;
	one.since_ns = 1700000000000000000;
	one.recent = (struct promcb_recent){.calls = 8, .failures = 3, .measured = 7, .average_ns = 62500000};
}

TestSuite(families, .init = make);

static const char *rendered(enum promcb_format format, size_t *bytes)
{
	static struct collected to;

	free(to.bytes);
	to = (struct collected){.calls = 0};
	cr_assert_eq(promcb_render(&snapshot, format, NULL, collect, &to), 0);
	*bytes = to.length;
	return to.bytes;
}

/* The number of a line of the text format. */
static bool find_number(const char *series, double *out)
{
	size_t bytes;
	const char *text = rendered(PROMCB_FORMAT_TEXT, &bytes);
	char line[300];

	snprintf(line, sizeof(line), "\n%s ", series);
	const char *at = memmem(text, bytes, line, strlen(line));

	if (at)
		*out = strtod(at + strlen(line), NULL);
	return at != NULL;
}

static void check_same(enum promcb_family_kind kind)
{
	const struct promcb_component_family *family = &promcb_families[kind];
	const struct promcb_shape_label label = promcb_shape_label(family->shape);

	for (unsigned i = 0; i < label.count; i++) {
		char series[256];
		double number, printed;

		if (label.name)
			snprintf(series, sizeof(series), "%s{component=\"c\",%s=\"%s\"}", family->name, label.name,
				 label.value(i));
		else
			snprintf(series, sizeof(series), "%s{component=\"c\"}", family->name);
		bool is_number = promcb_family_number(kind, &one, i, &number);

		cr_assert_eq(find_number(series, &printed), is_number, "%s", series);
		if (is_number)
			cr_assert_eq(printed, number, "%s is %.17g, not %.17g", series, printed, number);
	}
}

Test(families, text_and_number_are_the_same)
{
	for (unsigned kind = 0; kind < PROMCB_KINDS; kind++)
		check_same((enum promcb_family_kind)kind);
	/* Times that are not known have no line, and no number. */
	one.last_failure_ns = one.last_success_ns = one.last_state_change_ns = 0;
	one.recent.measured = 0;
	check_same(PROMCB_KIND_LAST_FAILURE);
	check_same(PROMCB_KIND_LAST_SUCCESS);
	check_same(PROMCB_KIND_LAST_STATE_CHANGE);
}

/* The value of a counter or gauge of a family in protobuf: the last double before the next family. */
static double protobuf_number(const char *name)
{
	size_t bytes;
	const char *body = rendered(PROMCB_FORMAT_PROTOBUF, &bytes);
	const char *at = memmem(body, bytes, name, strlen(name));
	static const char label[] = "\x0a\x09"
				    "component\x12\x01"
				    "c";
	double value;

	cr_assert_not_null(at, "%s", name);
	at = memmem(at, (size_t)(body + bytes - at), label, sizeof(label) - 1);
	cr_assert_not_null(at);
	at += sizeof(label) - 1;
	/* A field with a message: its tag and its length, then the tag of the value. */
	cr_assert_eq(at[2], 9);
	memcpy(&value, at + 3, sizeof(value));
	return value;
}

Test(families, calls_without_a_latency_are_calls_in_every_format)
{
	double number;

	cr_assert(find_number("circuit_breaker_calls_total{component=\"c\"}", &number));
	cr_assert_eq(number, 1324);
	cr_assert_eq(protobuf_number("circuit_breaker_calls_total"), 1324);
	cr_assert_eq(protobuf_number("circuit_breaker_successes_total"), 1020);
	cr_assert_eq(protobuf_number("circuit_breaker_failures_total"), 304);
	cr_assert(find_number("circuit_breaker_latency_seconds_count{component=\"c\"}", &number));
	cr_assert_eq(number, 1300);
}

Test(families, summary_says_what_families_say)
{
	struct promcb_summary summary;
	double number;

	cr_assert_eq(promcb_snapshot_summary(&snapshot, 0, &summary), 0);
	promcb_family_number(PROMCB_KIND_CALLS, &one, 0, &number);
	cr_assert_eq((double)summary.total_calls, number);
	promcb_family_number(PROMCB_KIND_FAILURE_RATE, &one, 0, &number);
	cr_assert_eq(summary.failure_rate, number);
	promcb_family_number(PROMCB_KIND_RECENT_FAILURE_RATE, &one, 0, &number);
	cr_assert_eq(summary.recent_failure_rate, number);
	promcb_family_number(PROMCB_KIND_AVERAGE, &one, 0, &number);
	cr_assert_eq(summary.avg_latency, number);
	promcb_family_number(PROMCB_KIND_LAST_FAILURE, &one, 0, &number);
	cr_assert_eq(summary.last_failure_time, number);
}

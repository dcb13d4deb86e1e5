/* SPDX-License-Identifier: MIT */
/* What a snapshot says of its sums is true of them: calls, and which octaves hold nothing. */
#include "fixture.h"
#include "format/layout.h"
#include "model/snapshot.h"

#include <promcb/inline.h>

#include <inttypes.h>

TestSuite(collect, .init = fixture_begin, .fini = fixture_end);

enum { TEXT_MAX = 1 << 22 };

struct text {
	size_t length;
	char bytes[TEXT_MAX];
};

static int keep(void *context, const void *bytes, size_t length)
{
	struct text *text = context;

	cr_assert_lt(text->length + length, (size_t)TEXT_MAX);
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	return 0;
}

static void render(const struct promcb_snapshot *snapshot, unsigned classic_schema, struct text *text)
{
	const struct promcb_render_options options = {.classic_schema = classic_schema};

	text->length = 0;
	cr_assert_eq(promcb_render(snapshot, PROMCB_FORMAT_TEXT, &options, keep, text), 0);
}

static void check(struct promcb_snapshot *snapshot)
{
	static struct text known, unknown;
	uint64_t empty[64];

	cr_assert_leq(snapshot->count, 64);
	for (size_t i = 0; i < snapshot->count; i++) {
		const struct promcb_snapshot_component *component = &snapshot->components[i];
		uint64_t calls[PROMCB_OUTCOMES] = {0};

		for (uint32_t bucket = 0; bucket < snapshot->buckets; bucket++) {
			bool holds = component->counts.buckets[0][bucket] + component->counts.buckets[1][bucket] > 0;

			cr_assert(!holds || !(component->counts.empty >> (bucket >> snapshot->schema) & 1),
				  "%s, bucket %u", component->name.text, bucket);
			for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++)
				calls[outcome] += component->counts.buckets[outcome][bucket];
		}
		cr_assert_eq(calls[0], component->counts.calls[0]);
		cr_assert_eq(calls[1], component->counts.calls[1]);
		empty[i] = component->counts.empty;
	}
	/* What is printed does not depend on it. */
	for (unsigned classic_schema = 0; classic_schema <= 3; classic_schema++) {
		for (size_t i = 0; i < snapshot->count; i++)
			snapshot->components[i].counts.empty = empty[i];
		render(snapshot, classic_schema, &known);
		for (size_t i = 0; i < snapshot->count; i++)
			snapshot->components[i].counts.empty = 0;
		render(snapshot, classic_schema, &unknown);
		cr_assert_eq(known.length, unknown.length);
		cr_assert_eq(memcmp(known.bytes, unknown.bytes, known.length), 0);
	}
}

Test(collect, empty_octaves_are_empty)
{
	for (uint32_t schema = 3; schema <= 5; schema++) {
		const struct promcb_options options = {.schema = schema};
		struct promcb_snapshot *snapshot;

		fixture_end();
		struct promcb_session *p = fixture_open(&options);
		struct promcb_component *all = fixture_component(p, "all");

		fixture_component(p, "idle");
		for (unsigned octave = 0; octave <= 40; octave++) {
			char name[16];

			snprintf(name, sizeof(name), "octave_%u", octave);
			promcb_record(fixture_component(p, name), (uint64_t)1 << octave, octave % 3 != 0);
			promcb_record(all, ((uint64_t)1 << octave) + 1, octave % 3 == 0);
		}
		promcb_record(all, 0, true);
		snapshot = fixture_snapshot();
		/* One octave of 41 holds something, or two. */
		cr_assert_geq(__builtin_popcountll(snapshot->components[2].counts.empty), 62);
		check(snapshot);
		promcb_snapshot_free(snapshot);

		cr_assert_eq(promcb_reset_all(p), 0);
		promcb_record(all, 1000, true);
		snapshot = fixture_snapshot();
		check(snapshot);
		promcb_snapshot_free(snapshot);
		promcb_close(p);
	}
}

/* -- Sums ---------------------------------------------------------------------------------------------------------- */

static void expect_sum(const char *component, uint64_t seconds, uint32_t nanoseconds)
{
	static struct text text;
	struct promcb_snapshot *snapshot = fixture_snapshot();
	char line[256];
	int length;

	render(snapshot, 0, &text);
	text.bytes[text.length] = 0;
	length = snprintf(line, sizeof(line),
			  "\ncircuit_breaker_call_duration_seconds_sum{component=\"%s\"} %" PRIu64 ".%09" PRIu32,
			  component, seconds, nanoseconds);
	while (line[length - 1] == '0')
		line[--length] = 0;
	if (line[length - 1] == '.')
		line[--length] = 0;
	strcat(line, "\n");
	const char *there = strstr(text.bytes, "\ncircuit_breaker_call_duration_seconds_sum{");

	cr_assert_not_null(strstr(text.bytes, line), "no %s; there is %.100s", line + 1, there ? there + 1 : "none");
	promcb_snapshot_free(snapshot);
	cr_assert_eq(fixture_summary(component).latency_sum, (double)seconds + nanoseconds / 1e9);
}

enum { AT_ONCE = 4096 };

static void saturate(struct promcb_component *component, unsigned rounds)
{
	static uint64_t latencies[AT_ONCE];

	for (int i = 0; i < AT_ONCE; i++)
		latencies[i] = UINT64_MAX - (uint64_t)i;
	while (rounds--)
		promcb_record_many(component, latencies, AT_ONCE, true, 1);
}

/* 2^24 calls of 2^40 ns are 2^64 ns. */
Test(collect, sum_does_not_wrap)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *component = fixture_component(p, "x");
	uint64_t calls = (uint64_t)AT_ONCE * 4097, nanoseconds;

	saturate(component, 4097);
	promcb_record(component, 1000000001, false);
	/* 4097 * 2^12 * 2^40 ns = 2^64 ns + 2^52 ns */
	nanoseconds = ((uint64_t)1 << 52) + 709551616 + 1000000001;
	cr_assert_eq(fixture_summary("x").total_calls, calls + 1);
	expect_sum("x", 18446744073 + nanoseconds / 1000000000, nanoseconds % 1000000000);
}

Test(collect, sum_after_a_reset_is_a_difference)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *component = fixture_component(p, "x");
	uint64_t nanoseconds = ((uint64_t)2 * AT_ONCE << 40) + 10000000000;

	saturate(component, 4095);
	cr_assert_eq(promcb_reset(p, "x"), 0);
	saturate(component, 2);
	for (int k = 0; k < 10; k++)
		promcb_record(component, 1000000000, k % 2);
	expect_sum("x", nanoseconds / 1000000000, nanoseconds % 1000000000);
	cr_assert_eq(promcb_reset(p, "x"), 0);
	promcb_record(component, 5, true);
	expect_sum("x", 0, 5);
}

/* Calls that were not cut down: 10 x 2^64 ns and a little of them, as a thousand threads would make in six years. */
Test(collect, sum_of_ordinary_calls_is_told_by_their_buckets)
{
	struct promcb_session *p = fixture_open(NULL);
	const uint64_t latency_ns = ((uint64_t)1 << 40) - ((uint64_t)1 << 33), each = 1000003;
	struct promcb_header header;
	uint64_t calls = 0, low_ns = 0, seconds = 0, rest_ns = 0;
	uint32_t number;

	promcb_record(fixture_component(p, "x"), latency_ns, true);
	int fd = open(fixture_segment, O_RDWR | O_CLOEXEC);

	cr_assert_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
	cr_assert_eq(pread(fd, &number, sizeof(number), (off_t)header.geometry.directories_off + 4), 4);
	cr_assert_neq(number, 0);
	uint64_t off = promcb_block_off(&header.geometry, number - 1);
	uint64_t bucket_off = off + sizeof(struct promcb_block) + promcb_bucket3(latency_ns) * sizeof(uint64_t);

	/* What no test can wait for is written. */
	for (unsigned round = 0; round < 170; round++) {
		calls += each;
		low_ns += each * latency_ns;
		rest_ns += each * latency_ns % 1000000000;
		seconds += each * latency_ns / 1000000000;
		if (round % 17)
			continue;
		cr_assert_eq(pwrite(fd, &calls, sizeof(calls), (off_t)bucket_off), sizeof(calls));
		cr_assert_eq(pwrite(fd, &low_ns, sizeof(low_ns),
				    (off_t)(off + offsetof(struct promcb_block, latency_sum_ns))),
			     sizeof(low_ns));
		cr_assert_eq(fixture_summary("x").total_calls, calls);
		expect_sum("x", seconds + rest_ns / 1000000000, rest_ns % 1000000000);
	}
	cr_assert_gt(seconds, (uint64_t)9 * 18446744073);
	close(fd);
}

/* What the digits of the text say is what the other formats have. */
Test(collect, seconds_are_the_nearest_double)
{
	uint64_t seed = 88172645463325252;

	for (int k = 0; k < 300000; k++) {
		char digits[64];

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		uint64_t nanoseconds = seed >> (k % 60);

		if (k % 3 == 0)
			nanoseconds = 1795883741072842433 + (seed >> 20);
		snprintf(digits, sizeof(digits), "%" PRIu64 ".%09" PRIu64, nanoseconds / 1000000000,
			 nanoseconds % 1000000000);
		cr_assert_eq(promcb_ns_double(nanoseconds), strtod(digits, NULL), "%s", digits);
	}
}

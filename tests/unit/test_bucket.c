/* SPDX-License-Identifier: MIT */
/*
 * test_bucket.c: the buckets of bucket.h against the exact boundaries that bucket_reference.py writes at build time.
 *
 * The reference is a binary search over those boundaries. It shares no table and no arithmetic with what it judges.
 */
#include "base/bucket.h"
#include "bucket_boundaries.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <promcb/bucket3.h>
#include <string.h>

#define MAX PROMCB_BUCKET_LATENCY_MAX_NS

enum { REFERENCES = sizeof(references) / sizeof(references[0]), RANDOM_VALUES = 2000000 };

/* The lowest bucket that ends at the latency or above. */
static uint32_t reference_bucket(const struct reference *reference, uint64_t latency_ns)
{
	uint32_t low = 0, high = reference->buckets - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (reference->upper_ns[middle] < latency_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void check(const struct reference *reference, uint64_t latency_ns)
{
	uint32_t want = reference_bucket(reference, latency_ns);
	uint32_t have = promcb_bucket_of(reference->schema, latency_ns);

	if (have != want)
		cr_assert_fail("schema %" PRIu32 ": %" PRIu64 " ns is in bucket %" PRIu32 ", not %" PRIu32,
			       reference->schema, latency_ns, want, have);
	if (reference->schema == 3 && latency_ns >= 1 && latency_ns <= MAX && promcb_bucket3(latency_ns) != want)
		cr_assert_fail("promcb_bucket3: %" PRIu64 " ns is in bucket %" PRIu32 ", not %" PRIu32, latency_ns,
			       want, promcb_bucket3(latency_ns));
}

static uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

Test(bucket, geometry)
{
	cr_assert(REFERENCES == PROMCB_SCHEMA_MAX - PROMCB_SCHEMA_MIN + 1);
	for (size_t i = 0; i < REFERENCES; i++) {
		const struct reference *reference = &references[i];

		cr_assert(promcb_schema_buckets(reference->schema) == reference->buckets);
		cr_assert(promcb_bucket_first(reference->schema) == reference->first);
	}
	cr_assert(promcb_schema_buckets(3) == PROMCB_BUCKET3_COUNT);
	cr_assert(promcb_schema_buckets(3) == 322 && promcb_schema_buckets(4) == 642 &&
		  promcb_schema_buckets(5) == 1282);
	cr_assert(promcb_schema_buckets(0) == 0);
	cr_assert(promcb_schema_buckets(2) == 0);
	cr_assert(promcb_schema_buckets(6) == 0);
	cr_assert(promcb_schema_buckets(UINT32_MAX) == 0);
}

Test(bucket, every_boundary_and_its_neighbours)
{
	for (size_t i = 0; i < REFERENCES; i++) {
		for (uint32_t bucket = 0; bucket < references[i].buckets; bucket++) {
			uint64_t end = references[i].upper_ns[bucket];

			/* One above the last end is clamped into the last bucket. */
			if (end > 0)
				check(&references[i], end - 1);
			check(&references[i], end);
			check(&references[i], end + 1);
		}
	}
}

Test(bucket, ends_of_the_range)
{
	for (size_t i = 0; i < REFERENCES; i++) {
		uint32_t schema = references[i].schema, last = references[i].buckets - 1;

		cr_assert(promcb_bucket_of(schema, 0) == 0);
		cr_assert(promcb_bucket_of(schema, 1) == 1);
		cr_assert(promcb_bucket_of(schema, MAX - 1) == last);
		cr_assert(promcb_bucket_of(schema, MAX) == last);
		cr_assert(promcb_bucket_of(schema, MAX + 1) == last);
		cr_assert(promcb_bucket_of(schema, (uint64_t)INT64_MAX) == last);
		cr_assert(promcb_bucket_of(schema, (uint64_t)INT64_MAX + 1) == last);
		cr_assert(promcb_bucket_of(schema, UINT64_MAX) == last);
	}
}

/* Powers of two and their neighbours, where the exponent changes. */
Test(bucket, every_octave)
{
	for (size_t i = 0; i < REFERENCES; i++) {
		for (uint64_t power = 1; power <= MAX; power *= 2) {
			check(&references[i], power - 1);
			check(&references[i], power);
			check(&references[i], power + 1);
		}
	}
}

Test(bucket, every_latency_up_to_a_millisecond)
{
	for (size_t i = 0; i < REFERENCES; i++) {
		uint32_t bucket = 0;

		for (uint64_t latency_ns = 0; latency_ns <= 1000000; latency_ns++) {
			while (references[i].upper_ns[bucket] < latency_ns)
				bucket++;
			if (promcb_bucket_of(references[i].schema, latency_ns) != bucket)
				cr_assert_fail("schema %" PRIu32 ": %" PRIu64 " ns", references[i].schema, latency_ns);
		}
	}
}

Test(bucket, random_latencies)
{
	uint64_t state = 1;

	for (int n = 0; n < RANDOM_VALUES; n++) {
		uint64_t word = random_next(&state);
		uint64_t uniform = word % MAX + 1;
		/* Every octave as often as another. */
		uint64_t octave = (uint64_t)1 << (word >> 58) % 40;
		uint64_t logarithmic = octave | (random_next(&state) & (octave - 1));

		for (size_t i = 0; i < REFERENCES; i++) {
			check(&references[i], uniform);
			check(&references[i], logarithmic);
		}
	}
}

Test(bucket, never_falls)
{
	for (size_t i = 0; i < REFERENCES; i++) {
		uint32_t before = 0;

		for (uint64_t latency_ns = 0; latency_ns <= MAX; latency_ns += latency_ns / 10007 + 1) {
			uint32_t bucket = promcb_bucket_of(references[i].schema, latency_ns);

			if (bucket < before)
				cr_assert_fail("schema %" PRIu32 ": %" PRIu64 " ns", references[i].schema, latency_ns);
			before = bucket;
		}
		cr_assert(before == references[i].buckets - 1);
	}
}

Test(bucket, upper_ns_round_trip)
{
	for (size_t i = 0; i < REFERENCES; i++) {
		uint32_t schema = references[i].schema;

		for (uint32_t bucket = 0; bucket < references[i].buckets; bucket++) {
			uint64_t end = promcb_bucket_upper_ns(schema, bucket);

			cr_assert(end == references[i].upper_ns[bucket], "schema %" PRIu32 ", bucket %" PRIu32, schema,
				  bucket);
			if (bucket == 0 || end > promcb_bucket_upper_ns(schema, bucket - 1))
				cr_assert(promcb_bucket_of(schema, end) == bucket);
			else /* between two whole nanoseconds: no latency falls in */
				cr_assert(promcb_bucket_of(schema, end) < bucket);
			if (bucket < references[i].buckets - 1)
				cr_assert(promcb_bucket_of(schema, end + 1) > bucket);
		}
		cr_assert(promcb_bucket_upper_ns(schema, references[i].buckets - 1) == MAX);
	}
}

Test(bucket, upper_seconds)
{
	for (size_t i = 0; i < REFERENCES; i++) {
		for (uint32_t bucket = 0; bucket < references[i].buckets; bucket++) {
			double have = promcb_bucket_upper_seconds(references[i].schema, bucket);

			cr_assert(memcmp(&have, &references[i].upper_seconds[bucket], sizeof(have)) == 0,
				  "schema %" PRIu32 ", bucket %" PRIu32 ": %a", references[i].schema, bucket, have);
		}
	}
}

/* [0, end) are the buckets whose native bound is at most 2^exponent s, and nothing longer falls in one of them. */
Test(bucket, end_of_power)
{
	for (size_t i = 0; i < REFERENCES; i++) {
		const struct reference *reference = &references[i];

		for (int32_t exponent = -40; exponent <= 20; exponent++) {
			uint32_t end = promcb_bucket_end_of_power(reference->schema, exponent);
			double power =
				exponent < 0 ? 1.0 / (double)((uint64_t)1 << -exponent) : (double)(1 << exponent);
			uint32_t want = 1;

			while (want < reference->buckets && reference->upper_seconds[want] <= power)
				want++;
			cr_assert(end == want, "schema %" PRIu32 ", 2^%" PRId32 " s: %" PRIu32, reference->schema,
				  exponent, end);
			if (exponent < -30 || exponent > 10)
				continue;
			/* The whole nanoseconds up to the power, which is 10^9 * 2^exponent of them, rounded down. */
			uint64_t below = exponent < 0 ? 1000000000u >> -exponent : (uint64_t)1000000000u << exponent;

			cr_assert(promcb_bucket_of(reference->schema, below) < end);
			cr_assert(promcb_bucket_of(reference->schema, below + 1) >= end);
		}
		cr_assert(promcb_bucket_end_of_power(reference->schema, INT32_MIN) == 1);
		cr_assert(promcb_bucket_end_of_power(reference->schema, INT32_MAX) == reference->buckets);
	}
}

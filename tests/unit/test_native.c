/* SPDX-License-Identifier: MIT */
/*
 * test_native.c: the buckets of native.h against the exact boundaries that bucket_reference.py writes at build time.
 *
 * The reference is a binary search over those boundaries. It shares no table and no arithmetic with what it judges.
 */
#include "base/native.h"
#include "native_boundaries.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { STEPS = 1 << PROMCB_NATIVE_SCHEMA_MAX, OCTAVES = 20, RANDOM_VALUES = 200000 };

/* Ranges that together reach every boundary of whole numbers, within what a histogram has buckets for. */
struct range {
	double smallest, largest;
};

static uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Which bucket of the schema holds the whole number: the native index of the first end that is not below it. */
static int64_t reference_index(const struct native_reference *reference, uint32_t schema, uint64_t value)
{
	uint32_t low = 0, high = reference->count - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (reference->ends[middle] < value)
			low = middle + 1;
		else
			high = middle;
	}
	int64_t index = reference->first + (int64_t)low;
	int64_t coarse = 1 << (PROMCB_NATIVE_SCHEMA_MAX - schema);

	/* The bucket of a coarser schema ends at the next boundary of it. */
	return index >= 0 ? (index + coarse - 1) / coarse : -(-index / coarse);
}

static void check(const struct promcb_native *native, const struct native_reference *reference, uint64_t value)
{
	int64_t want = value == 0 ? 0 : reference_index(reference, native->schema, value) - native->first + 1;
	uint32_t have = promcb_native_bucket(native, value);

	want = want < 0 ? 0 : want >= native->buckets ? native->buckets - 1 : want;
	if (have != want)
		cr_assert_fail("schema %" PRIu32 ", decimals %" PRIu32 ", %" PRIu32 " buckets: %" PRIu64
			       " is in bucket %" PRId64 ", not %" PRIu32,
			       native->schema, reference->decimals, native->buckets, value, want, have);
}

static void check_all(const struct promcb_native *native, const struct native_reference *reference)
{
	uint64_t seed = 1;

	for (uint32_t i = 0; i < reference->count; i++)
		for (uint64_t value = reference->ends[i] - 1; value <= reference->ends[i] + 2; value++)
			check(native, reference, value);
	for (unsigned shift = 0; shift < 64; shift++)
		for (unsigned by = 0; by < 3; by++)
			check(native, reference, ((uint64_t)1 << shift) - 1 + by);
	check(native, reference, UINT64_MAX);
	check(native, reference, (uint64_t)INT64_MAX);
	check(native, reference, (uint64_t)INT64_MAX + 1);
	for (uint32_t i = 0; i < RANDOM_VALUES; i++) {
		uint64_t value = random_next(&seed);

		check(native, reference, value >> (value & 63));
	}
}

Test(native, whole_numbers)
{
	for (size_t i = 0; i < COUNT_OF(native_references); i++) {
		const struct native_reference *reference = &native_references[i];
		double unit = pow(10, -(double)reference->decimals);

		for (uint32_t schema = 0; schema <= PROMCB_NATIVE_SCHEMA_MAX; schema++) {
			/* 15 octaves are 480 buckets at schema 5; from below one unit to where whole numbers end. */
			for (int from = -2; from < 52; from += 14) {
				struct promcb_native native;
				double largest = ldexp(unit, from + 15 < 52 ? from + 15 : 52);

				cr_assert(promcb_native_make(&native, schema, reference->decimals, ldexp(unit, from),
							     largest),
					  "schema %u, from 2^%d", schema, from);
				cr_assert(promcb_native_is_whole(&native, reference->decimals));
				check_all(&native, reference);
			}
		}
	}
}

Test(native, a_histogram_of_few_buckets)
{
	struct promcb_native native;

	cr_assert(promcb_native_make(&native, 0, 0, 1, 16384));
	cr_assert(native.buckets == 16 && native.first == 1);
	check_all(&native, &native_references[0]);
	cr_assert(promcb_native_bucket(&native, 0) == 0 && promcb_native_bucket(&native, 1) == 0);
	cr_assert(promcb_native_bucket(&native, 2) == 1 && promcb_native_bucket(&native, 3) == 2);
	cr_assert(promcb_native_bucket(&native, 16384) == 14 && promcb_native_bucket(&native, 16385) == 15);
	cr_assert(promcb_native_make(&native, 3, 9, 0x1p-30, 0x1p10));
	cr_assert(native.buckets == 322 && native.first == -239);
	cr_assert(promcb_native_bucket(&native, 1) == 1);
	cr_assert(promcb_native_make(&native, 3, 0, 1, 0x1p40));
	cr_assert(native.buckets == 322);
}

/* The bucket of a double, by its mantissa alone. */
static int64_t reference_of_double(uint32_t schema, double value)
{
	int exponent;
	double fraction = frexp(value, &exponent);
	uint64_t mantissa = (uint64_t)ldexp(fraction, 53) - ((uint64_t)1 << 52);
	int64_t index = (int64_t)(exponent - 1) * (1 << schema);

	for (uint32_t k = 0; k < STEPS; k += STEPS >> schema)
		index += native_mantissas[k] < mantissa;
	return index;
}

static void check_double(const struct promcb_native *native, double value)
{
	int64_t want = value <= 0 ? 0 : reference_of_double(native->schema, value) - native->first + 1;
	uint32_t have = promcb_native_bucket_double(native, value);

	want = want < 0 ? 0 : want >= native->buckets ? native->buckets - 1 : want;
	if (have != want)
		cr_assert_fail("schema %" PRIu32 ": %a is in bucket %" PRId64 ", not %" PRIu32, native->schema, value,
			       want, have);
}

Test(native, doubles)
{
	static const int lows[] = {-500, -100, -30, -8, -1, 0, 1, 20, 480};

	for (uint32_t schema = 0; schema <= PROMCB_NATIVE_SCHEMA_MAX; schema++) {
		for (size_t i = 0; i < COUNT_OF(lows); i++) {
			struct promcb_native native;
			uint64_t seed = 7;

			cr_assert(promcb_native_make(&native, schema, 0, ldexp(1, lows[i]), ldexp(1, lows[i] + 15)));
			for (int octave = lows[i] - 2; octave < lows[i] + 18; octave++) {
				for (uint32_t k = 0; k < STEPS; k++) {
					double at =
						ldexp((double)(native_mantissas[k] | (uint64_t)1 << 52), octave - 52);

					check_double(&native, at);
					check_double(&native, nextafter(at, 0));
					check_double(&native, nextafter(at, INFINITY));
				}
			}
			check_double(&native, 0);
			check_double(&native, -0.0);
			check_double(&native, -1);
			check_double(&native, -1e300);
			check_double(&native, 0x1p-1074);
			check_double(&native, 1e308);
			for (uint32_t j = 0; j < RANDOM_VALUES; j++) {
				uint64_t bits = random_next(&seed);
				double value =
					ldexp(1 + (double)(bits >> 12) * 0x1p-52, lows[i] - 3 + (int)(bits & 31) % 22);

				check_double(&native, value);
			}
			cr_assert(promcb_native_bucket_double(&native, INFINITY) == native.buckets - 1);
			cr_assert(promcb_native_bucket_double(&native, -INFINITY) == 0);
		}
	}
}

Test(native, bounds)
{
	for (uint32_t schema = 0; schema <= PROMCB_NATIVE_SCHEMA_MAX; schema++) {
		uint32_t coarse = 1u << (PROMCB_NATIVE_SCHEMA_MAX - schema);

		for (uint32_t i = 0; i < COUNT_OF(native_bounds); i += coarse) {
			int32_t index = ((int32_t)i - OCTAVES * STEPS) / (int32_t)coarse;
			double bound = promcb_native_bound(schema, index);

			cr_assert(bound == native_bounds[i], "schema %u, index %d: %a", schema, index, bound);
			/* As a range's end it is itself, though the double may lie beside the boundary. */
			struct promcb_native native;

			cr_assert(promcb_native_make(&native, schema, 0, bound, bound * 16));
			cr_assert(native.first == index + 1 && promcb_native_upper(&native, 0) == bound);
			cr_assert(native.buckets == (4u << schema) + 2);
			cr_assert(promcb_native_make(&native, schema, 0, bound / 16, bound));
			cr_assert(promcb_native_upper(&native, native.buckets - 2) == bound);
		}
	}
}

Test(native, a_range_is_taken_to_the_next_bounds)
{
	struct promcb_native native;

	cr_assert(promcb_native_make(&native, 0, 0, 3, 100));
	cr_assert(promcb_native_upper(&native, 0) == 2 && promcb_native_upper(&native, native.buckets - 2) == 128);
	cr_assert(promcb_native_make(&native, 1, 6, 0.003, 0.3));
	cr_assert(promcb_native_upper(&native, 0) <= 0.003 && promcb_native_upper(&native, 1) > 0.003);
	cr_assert(promcb_native_upper(&native, native.buckets - 2) >= 0.3);
	cr_assert(promcb_native_upper(&native, native.buckets - 3) < 0.3);
}

Test(native, what_is_no_histogram)
{
	struct promcb_native native;

	cr_assert(!promcb_native_make(&native, 6, 0, 1, 2));
	cr_assert(!promcb_native_make(&native, UINT32_MAX, 0, 1, 2));
	cr_assert(!promcb_native_make(&native, 3, 1, 1, 2));
	cr_assert(!promcb_native_make(&native, 3, 12, 1, 2));
	cr_assert(!promcb_native_make(&native, 3, 0, 0, 2));
	cr_assert(!promcb_native_make(&native, 3, 0, -1, 2));
	cr_assert(!promcb_native_make(&native, 3, 0, 2, 2));
	cr_assert(!promcb_native_make(&native, 3, 0, 2, 1));
	cr_assert(!promcb_native_make(&native, 3, 0, NAN, 1));
	cr_assert(!promcb_native_make(&native, 3, 0, 1, NAN));
	cr_assert(!promcb_native_make(&native, 3, 0, 1, INFINITY));
	cr_assert(!promcb_native_make(&native, 3, 0, 0x1p-1074, 1));
	cr_assert(!promcb_native_make(&native, 0, 0, 0x1p-500, 0x1p+500));
	cr_assert(promcb_native_make(&native, 0, 0, 0x1p-250, 0x1p+258) && native.buckets == PROMCB_NATIVE_BUCKETS_MAX);
	cr_assert(!promcb_native_make(&native, 0, 0, 0x1p-250, 0x1p+259));
	cr_assert(!promcb_native_make(&native, 5, 0, 1, 0x1p+16));
	cr_assert(promcb_native_make(&native, 3, 0, 1, 0x1p53) && !promcb_native_is_whole(&native, 0));
	cr_assert(promcb_native_make(&native, 3, 9, 0x1p-20, 0x1p23) && promcb_native_is_whole(&native, 9));
	cr_assert(promcb_native_make(&native, 3, 9, 0x1p-20, 0x1p24) && !promcb_native_is_whole(&native, 9));
}

Test(native, classic_buckets)
{
	struct promcb_native native;

	cr_assert(promcb_native_make(&native, 3, 9, 0x1p-30, 0x1p10));
	for (uint32_t classic = 0; classic <= 3; classic++) {
		uint32_t count = 0, bucket = 0;

		for (;; bucket++, count++) {
			bucket = promcb_native_classic(&native, classic, bucket);
			if (bucket == native.buckets - 1)
				break;
			double power = log2(promcb_native_upper(&native, bucket)) * (1 << classic);

			cr_assert(fabs(power - round(power)) < 1e-9);
		}
		cr_assert(count == (40u << classic) + 1, "%u", count);
	}
	cr_assert(promcb_native_classic(&native, 7, 17) == 17);
	cr_assert(promcb_native_make(&native, 3, 0, 1, 4));
	for (uint32_t bucket = 0; bucket < native.buckets; bucket++)
		cr_assert(promcb_native_classic(&native, 0, bucket) == bucket);
}

Test(native, explicit_bounds_of_whole_numbers)
{
	cr_assert(promcb_bound_whole(0.3, 1) == 3);
	cr_assert(promcb_bound_whole(0.3, 3) == 300);
	cr_assert(promcb_bound_whole(0.1, 9) == 100000000);
	cr_assert(promcb_bound_whole(0.29999, 3) == 299);
	cr_assert(promcb_bound_whole(2.5, 0) == 2);
	cr_assert(promcb_bound_whole(-1, 0) == 0);
	cr_assert(promcb_bound_whole(1e300, 9) == UINT64_MAX);
	cr_assert(promcb_bound_whole(0x1p60, 0) == (uint64_t)1 << 60);
	for (uint32_t decimals = 0; decimals <= 9; decimals++) {
		double scale = pow(10, decimals);

		for (uint64_t number = 0; number < 20000; number++)
			cr_assert(promcb_bound_whole((double)number / scale, decimals) == number, "%" PRIu64 ", %u",
				  number, decimals);
	}
}

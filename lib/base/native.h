/* SPDX-License-Identifier: MIT */
/*
 * native.h: the buckets of histograms of a constant relative width, which are native buckets of Prometheus **of the
 * exported unit**, and back. Pure; includes nothing of promcb but the record path's part of it.
 *
 * At schema s, native bucket i holds values in ( 2^((i-1)/2^s), 2^(i/2^s) ], the upper bound included (Prometheus
 * documentation, "Native Histograms"). A histogram has those between two bounds, as buckets:
 *
 *   bucket 0                   the zero bucket: all up to the lower bound, which is its zero threshold
 *   bucket b, 0 < b < last     native bucket  first + b - 1
 *   the last                   all above the upper bound
 *
 * Both bounds are bounds of native buckets. Whole numbers n with decimals d, 0, 3, 6 or 9, are values n x 10^-d; they
 * and doubles fall into their buckets exactly, as if there were no rounding: thresholds come from whole-number roots.
 */
#ifndef PROMCB_BASE_NATIVE_H
#define PROMCB_BASE_NATIVE_H

#include <promcb/native.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROMCB_NATIVE_SCHEMA_MAX = 5, PROMCB_NATIVE_BUCKETS_MAX = 510 };

/* What bounds may be: 2^-500 to 2^500; and of whole numbers, the upper one at most 2^53 units. */
#define PROMCB_NATIVE_LEAST 0x1p-500
#define PROMCB_NATIVE_MOST 0x1p+500

/*
 * Makes the table for values between smallest and largest, which are taken down and up to the next bound of a native
 * bucket. decimals: of whole numbers; doubles: 0. Returns false if there is no such histogram: another schema or
 * decimals, bounds that are no range, more than PROMCB_NATIVE_BUCKETS_MAX buckets.
 */
bool promcb_native_make(struct promcb_native *native, uint32_t schema, uint32_t decimals, double smallest,
			double largest);

/* Whether whole numbers up to the upper bound are exact: without, the histogram is one of doubles alone. */
bool promcb_native_is_whole(const struct promcb_native *native, uint32_t decimals);

/* 2^(index / 2^schema), rounded to the nearest double. */
double promcb_native_bound(uint32_t schema, int32_t index);

/* The native index of a value: 2^-1000 to 2^1000. */
int32_t promcb_native_index(uint32_t schema, double value);

/* The upper bound of a bucket but the last: of bucket 0, the zero threshold. */
static inline double promcb_native_upper(const struct promcb_native *native, uint32_t bucket)
{
	return promcb_native_bound(native->schema, native->first + (int32_t)bucket - 1);
}

/*
 * Classic buckets are sums of these: those up to a bound that is 2^(k / 2^classic_schema), or all where there are few.
 * Returns the first bucket from `bucket` on whose upper bound is one; the last bucket, which has none, if no other is.
 */
uint32_t promcb_native_classic(const struct promcb_native *native, uint32_t classic_schema, uint32_t bucket);

/*
 * The greatest whole number that an explicit bound holds: n x 10^-decimals <= bound, where a bound means the decimal
 * fraction that it was written as, 0.3 say, which no double is. bound: finite.
 */
uint64_t promcb_bound_whole(double bound, uint32_t decimals);

#endif

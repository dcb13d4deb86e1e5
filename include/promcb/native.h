/* SPDX-License-Identifier: MIT */
/*
 * native.h: from a value to its bucket in a histogram of a constant relative width, for the record path.
 * lib/base/native.h makes the tables, and says what the buckets are.
 *
 * It is the method of bucket3.h, for any schema from 0 to 5, and for values that are whole numbers of 10^-decimals or
 * doubles: read as an integer, a double's bits count parts of octaves, and one word, chosen by the first bits of the
 * mantissa, moves the boundaries to where they belong. What lies below the first boundary or above the last is brought
 * into the bucket next to it first, so the sum is a bucket of the histogram whatever the value is. No branch.
 *
 * Exact for every whole number and for every double. Includes nothing of promcb. Compiles as C11 and as C++11, and
 * later.
 */
#ifndef PROMCB_NATIVE_H
#define PROMCB_NATIVE_H

#include <stdint.h>
#include <string.h>

#define PROMCB_NATIVE_WORDS_MAX 64

struct promcb_native {
	double low, high;       /* in bucket 0, and in the last; in units of 10^-decimals */
	uint32_t slot_shift;    /* what chooses the word */
	uint32_t slot_mask;
	uint32_t bucket_shift;
	uint32_t buckets;       /* bucket 0 and the last included */
	int32_t first;          /* native index of bucket 1 */
	uint32_t schema;
	uint64_t words[PROMCB_NATIVE_WORDS_MAX]; /* slot_mask + 1 of them */
};

/* The bucket of a double that is a number. */
static inline uint32_t promcb_native_bucket_double(const struct promcb_native *native, double value)
{
	uint64_t bits;

	value = value < native->high ? value : native->high;
	value = value > native->low ? value : native->low;
	memcpy(&bits, &value, sizeof(bits));
	return (uint32_t)((bits + native->words[bits >> native->slot_shift & native->slot_mask]) >>
			  native->bucket_shift);
}

/* The bucket of value x 10^-decimals. From 2^53 on, where doubles are not exact, all are in the last. */
static inline uint32_t promcb_native_bucket(const struct promcb_native *native, uint64_t value)
{
	/* At most INT64_MAX: signed numbers are converted in one instruction. */
	value = (value | (0 - (value >> 63))) & INT64_MAX;
	return promcb_native_bucket_double(native, (double)(int64_t)value);
}

#endif

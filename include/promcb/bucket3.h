/* SPDX-License-Identifier: MIT */
/*
 * bucket3.h: from a latency to its bucket at schema 3, the default, for the record path. lib/base/bucket.h defines
 * the buckets.
 *
 * A latency of up to 2^40 ns is exact as a double. Read as an integer, the double's bits count eighths of octaves in
 * their top 15 bits, and the rest tell how far into its eighth the latency lies. That would be the bucket if the
 * boundaries stood at even steps of nanoseconds; they stand at even steps of a logarithm, of seconds. One word of 16,
 * chosen by the first four bits of the mantissa, moves them there:
 *
 *   word = ((bucket below the threshold + 1) << 49) - (threshold + 1) - (exponent << 52)      modulo 2^64
 *
 * for any one exponent with its bucket (an octave on, both grow by 8). The threshold is the mantissa of the only
 * boundary in that sixteenth of an octave, rounded down: the sum reaches the next multiple of 2^49, which is the next
 * bucket, at the first latency above the boundary, so upper bounds are inclusive.
 *
 * Exact for every nanosecond from 1 to 2^40, in nine instructions, without a branch. The other exact form, which counts
 * leading zeros, shifts and compares, is longer, and on x86-64 it waits for what the destination of bsr held before,
 * unless that is cleared in assembly.
 *
 * The words come from whole-number roots (bucket_reference.py), not from libm. Needs doubles that are IEEE 754 binary64
 * in the byte order of uint64_t, as they are on every machine that promcb builds for.
 *
 * Includes nothing of promcb. Compiles as C11 and as C++11, and later.
 */
#ifndef PROMCB_BUCKET3_H
#define PROMCB_BUCKET3_H

#include <stdint.h>
#include <string.h>

/* promcb_schema_buckets(3) */
#define PROMCB_BUCKET3_COUNT 322

/* Aligned to lie in two cache lines, not three. */
static const uint64_t promcb_bucket3_words[16] __attribute__((aligned(64))) = {
	0xc013c00b0ad56c6bu, 0xc0144788ed3fd36bu, 0xc014ffffffffffffu, 0xc014acf31f5655dbu,
	0xc014ffffffffffffu, 0xc014ed3411681f35u, 0xc01504eebda5e44cu, 0xc015ffffffffffffu,
	0xc014ffffffffffffu, 0xc014f078305f8648u, 0xc014ffffffffffffu, 0xc014abd07a65cd55u,
	0xc014ffffffffffffu, 0xc014329affffffffu, 0xc014ffffffffffffu, 0xc013ffffffffffffu,
};

/* The bucket of a latency. latency_ns: 1 to 2^40; any other gives no bucket. */
static inline uint32_t promcb_bucket3(uint64_t latency_ns)
{
	double exact = (double)(int64_t)latency_ns;
	uint64_t bits;

	memcpy(&bits, &exact, sizeof(bits));
	return (uint32_t)((bits + promcb_bucket3_words[bits >> 48 & 15]) >> 49);
}

#endif

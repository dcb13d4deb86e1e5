/* SPDX-License-Identifier: MIT */
/*
 * bucket.h: from a latency to its bucket and back. Pure; includes nothing of promcb.
 *
 * Buckets are those of Prometheus' native histograms: at schema s, native bucket i holds latencies in
 * ( 2^((i-1)/2^s), 2^(i/2^s) ] seconds, the upper bound included (Prometheus documentation, "Native Histograms").
 * promcb stores the ones that whole nanoseconds from 1 up to 2^40 fall in, numbered from 0:
 *
 *   bucket 0                       the zero bucket: exactly 0 ns (zero threshold 2^-30 s, just below 1 ns)
 *   bucket b, 1 <= b < buckets     native bucket  b - 1 + promcb_bucket_first(s)
 *
 * 2^40 ns is 1,099.5 s, a little above 2^10 s, so the last buckets cover ( 2^10 s, 2^40 ns ] too: there is no clamped
 * bucket.
 */
#ifndef PROMCB_BUCKET_H
#define PROMCB_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

enum { PROMCB_SCHEMA_MIN = 3, PROMCB_SCHEMA_MAX = 5 };

/* Latencies are in 0 .. 2^40 ns. */
#define PROMCB_BUCKET_LATENCY_MAX_NS ((uint64_t)1 << 40)

/* Buckets per outcome: 322, 642 and 1,282 at schema 3, 4 and 5. 0 for another schema. */
uint32_t promcb_schema_buckets(uint32_t schema);

/* The native index of bucket 1: the bucket that 1 ns falls in. */
int32_t promcb_bucket_first(uint32_t schema);

/* The bucket of a latency; latencies above the maximum fall in the last. schema: 3 to 5. */
uint32_t promcb_bucket_of(uint32_t schema, uint64_t latency_ns);

/* The largest whole number of nanoseconds that falls in the bucket: 0 for bucket 0, the maximum for the last. */
uint64_t promcb_bucket_upper_ns(uint32_t schema, uint32_t bucket);

/* The upper bound of the native bucket in seconds; 2^-30 for bucket 0. For display and quantile estimates. */
double promcb_bucket_upper_seconds(uint32_t schema, uint32_t bucket);

/*
 * One past the last bucket whose native upper bound is <= 2^exponent seconds. Sums over [0, end) are exact `le`
 * buckets.
 */
uint32_t promcb_bucket_end_of_power(uint32_t schema, int32_t exponent);

#endif

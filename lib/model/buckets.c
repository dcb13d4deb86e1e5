/* SPDX-License-Identifier: MIT */
/* buckets.c: what readers are told of buckets, and the quantiles in them. */
#include "base/bucket.h"
#include "model/snapshot.h"

#include <errno.h>
#include <string.h>

size_t promcb_bucket_count(uint32_t schema)
{
	return promcb_schema_buckets(schema);
}

int promcb_bucket_bounds(uint32_t schema, size_t bucket, struct promcb_bucket *out)
{
	if (bucket >= promcb_schema_buckets(schema))
		return -EINVAL;
	uint32_t number = (uint32_t)bucket;

	*out = (struct promcb_bucket){
		.least_ns = number ? promcb_bucket_upper_ns(schema, number - 1) + 1 : 0,
		.most_ns = promcb_bucket_upper_ns(schema, number),
		.above_seconds = number ? promcb_bucket_upper_seconds(schema, number - 1) : 0,
		.upto_seconds = promcb_bucket_upper_seconds(schema, number),
	};
	return 0;
}

static uint64_t count_of(const struct promcb_snapshot_component *c, enum promcb_outcome outcome, size_t bucket)
{
	if (outcome == PROMCB_OUTCOME_ANY)
		return c->counts.buckets[0][bucket] + c->counts.buckets[1][bucket];
	return c->counts.buckets[outcome][bucket];
}

static bool is_outcome(enum promcb_outcome outcome)
{
	return outcome == PROMCB_OUTCOME_SUCCESS || outcome == PROMCB_OUTCOME_FAILURE || outcome == PROMCB_OUTCOME_ANY;
}

size_t promcb_snapshot_buckets(const struct promcb_snapshot *snapshot, size_t index, enum promcb_outcome outcome,
			       uint64_t *counts, size_t capacity)
{
	if (index >= snapshot->count || !is_outcome(outcome))
		return 0;
	const struct promcb_snapshot_component *c = &snapshot->components[index];
	size_t count = snapshot->buckets < capacity ? snapshot->buckets : capacity;

	/* Who watches a segment asks for all of both, each second. */
	if (outcome != PROMCB_OUTCOME_ANY && count)
		memcpy(counts, c->counts.buckets[outcome], count * sizeof(*counts));
	for (size_t bucket = 0; outcome == PROMCB_OUTCOME_ANY && bucket < count; bucket++)
		counts[bucket] = count_of(c, outcome, bucket);
	return snapshot->buckets;
}

/* Rounded up, but for what the product itself is off: 0.07 of 100 is 7, and as doubles a little more. */
static uint64_t rank_of(double quantile, uint64_t calls)
{
	double exact = quantile * (double)calls;

	if (exact >= (double)calls)
		return calls;
	uint64_t rank = (uint64_t)exact;

	if (exact - (double)rank > exact * 0x1p-50)
		rank++;
	return rank < 1 ? 1 : rank < calls ? rank : calls;
}

int promcb_snapshot_quantile(const struct promcb_snapshot *snapshot, size_t index, enum promcb_outcome outcome,
			     double quantile, struct promcb_bucket *out, uint64_t *calls)
{
	uint64_t count = 0, rank, below = 0;

	/* Written so that a NaN is refused, too. */
	if (!(quantile >= 0 && quantile <= 1) || !is_outcome(outcome))
		return -EINVAL;
	if (index >= snapshot->count)
		return -ENOENT;
	const struct promcb_snapshot_component *c = &snapshot->components[index];

	for (size_t bucket = 0; bucket < snapshot->buckets; bucket++)
		count += count_of(c, outcome, bucket);
	if (calls)
		*calls = count;
	if (!count)
		return -ENODATA;
	rank = rank_of(quantile, count);
	for (size_t bucket = 0; bucket < snapshot->buckets; bucket++) {
		below += count_of(c, outcome, bucket);
		if (below >= rank)
			return promcb_bucket_bounds(snapshot->schema, bucket, out);
	}
	/* Only where hostile counts have run over 64 bits in between. */
	return -ENODATA;
}

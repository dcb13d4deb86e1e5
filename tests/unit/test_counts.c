/* SPDX-License-Identifier: MIT */
/* Counts are a value: what was added and subtracted again left no trace, to the last word, wherever one went round. */
#include "base/bucket.h"
#include "format/layout.h"
#include "model/counts.h"

#include <criterion/criterion.h>

#include <string.h>

enum { SCHEMAS = 3, ROUNDS = 200 };

static uint64_t seed;

static uint64_t random_word(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed ^ seed >> 29;
}

/* Zero, small, large, or as large as there is: where sums go round, and where nothing is. */
static uint64_t random_count(void)
{
	switch (random_word() % 4) {
	case 0:
		return 0;
	case 1:
		return random_word() % 1000;
	case 2:
		return random_word();
	default:
		return UINT64_MAX - random_word() % 4;
	}
}

/* A block with random words in all that is counted. Most octaves are empty, as in life. */
static struct promcb_block *make_block(uint32_t schema)
{
	uint32_t buckets = promcb_schema_buckets(schema);
	struct promcb_block *block = calloc(1, sizeof(*block) + 2 * buckets * sizeof(uint64_t));
	uint64_t octaves = random_word() & random_word() & random_word();

	cr_assert_not_null(block);
	for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++) {
		block->latency_sum_ns[outcome] = random_count();
		block->unmeasured[outcome] = random_count();
		for (uint32_t bucket = 0; bucket < buckets; bucket++)
			if (octaves >> (bucket >> schema) & 1)
				promcb_block_buckets(block)[outcome * buckets + bucket] = random_count();
	}
	for (unsigned level = 0; level < PROMCB_LOG_LEVELS; level++)
		block->log_entries[level] = random_count();
	block->saturated = random_count();
	block->backward = random_count();
	return block;
}

static struct promcb_counts make_counts(uint32_t schema)
{
	uint32_t buckets = promcb_schema_buckets(schema);
	struct promcb_counts counts;
	uint64_t *memory = calloc(2 * (size_t)buckets, sizeof(*memory));

	cr_assert_not_null(memory);
	promcb_counts_init(&counts, schema, buckets, memory);
	return counts;
}

static struct promcb_counts make_random(uint32_t schema)
{
	struct promcb_counts counts = make_counts(schema);
	struct promcb_block *block = make_block(schema);

	promcb_counts_add_block(&counts, block);
	free(block);
	counts.latency_wraps = random_count();
	for (unsigned state = 0; state < PROMCB_STATES; state++)
		counts.transitions[state] = random_word() & PROMCB_COUNTS_TRANSITION_MASK;
	return counts;
}

static void drop(struct promcb_counts *counts)
{
	free(counts->buckets[0]);
}

/* Every word but where the buckets lie and what is known to be empty, which says no more than the buckets. */
static void assert_same(const struct promcb_counts *one, const struct promcb_counts *other)
{
	struct promcb_counts left = *one, right = *other;

	cr_assert_eq(memcmp(one->buckets[0], other->buckets[0], 2 * one->bucket_count * sizeof(uint64_t)), 0);
	left.buckets[0] = left.buckets[1] = right.buckets[0] = right.buckets[1] = NULL;
	left.empty = right.empty = 0;
	cr_assert_eq(memcmp(&left, &right, sizeof(left)), 0);
}

/* The invariants of counts.h. */
static void assert_sound(const struct promcb_counts *counts)
{
	for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++) {
		uint64_t calls = counts->unmeasured[outcome];

		for (uint32_t bucket = 0; bucket < counts->bucket_count; bucket++) {
			calls += counts->buckets[outcome][bucket];
			if (counts->empty >> (bucket >> counts->schema) & 1)
				cr_assert_eq(counts->buckets[outcome][bucket], 0, "bucket %u is not empty", bucket);
		}
		cr_assert_eq(calls, counts->calls[outcome]);
	}
	for (unsigned state = 0; state < PROMCB_STATES; state++)
		cr_assert_leq(counts->transitions[state], PROMCB_COUNTS_TRANSITION_MASK);
}

Test(counts, add_then_subtract_leaves_no_trace)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t schema = 3 + round % SCHEMAS;
		struct promcb_counts counts = make_random(schema), other = make_random(schema);
		struct promcb_counts before = make_counts(schema);

		promcb_counts_copy(&before, &counts);
		assert_same(&before, &counts);
		promcb_counts_add(&counts, &other);
		assert_sound(&counts);
		promcb_counts_subtract(&counts, &other);
		assert_sound(&counts);
		assert_same(&counts, &before);
		/* And the other way round: below 0 and back. */
		promcb_counts_subtract(&counts, &other);
		assert_sound(&counts);
		promcb_counts_add(&counts, &other);
		assert_same(&counts, &before);
		drop(&counts);
		drop(&other);
		drop(&before);
	}
}

Test(counts, sums_are_word_by_word)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t schema = 3 + round % SCHEMAS;
		struct promcb_counts one = make_random(schema), other = make_random(schema);
		struct promcb_counts sum = make_counts(schema);

		promcb_counts_copy(&sum, &one);
		promcb_counts_add(&sum, &other);
		for (uint32_t bucket = 0; bucket < 2 * sum.bucket_count; bucket++)
			cr_assert_eq(sum.buckets[0][bucket], one.buckets[0][bucket] + other.buckets[0][bucket]);
		for (unsigned i = 0; i < PROMCB_OUTCOMES; i++) {
			cr_assert_eq(sum.calls[i], one.calls[i] + other.calls[i]);
			cr_assert_eq(sum.unmeasured[i], one.unmeasured[i] + other.unmeasured[i]);
			cr_assert_eq(sum.latency_sum_ns[i], one.latency_sum_ns[i] + other.latency_sum_ns[i]);
		}
		for (unsigned i = 0; i < PROMCB_LOG_LEVELS; i++)
			cr_assert_eq(sum.log_entries[i], one.log_entries[i] + other.log_entries[i]);
		for (unsigned i = 0; i < PROMCB_STATES; i++)
			cr_assert_eq(sum.transitions[i], (one.transitions[i] + other.transitions[i]) % (1 << 20));
		cr_assert_eq(sum.saturated, one.saturated + other.saturated);
		cr_assert_eq(sum.backward, one.backward + other.backward);
		drop(&one);
		drop(&other);
		drop(&sum);
	}
}

Test(counts, latency_goes_round_once_in_one_place)
{
	struct promcb_counts sum = make_counts(3), step = make_counts(3);
	const uint64_t wrap_seconds = 18446744073;

	step.latency_sum_ns[0] = (uint64_t)1 << 63;
	for (unsigned i = 0; i < 10; i++) {
		struct promcb_latency_sum latency = promcb_counts_latency(&sum);

		cr_assert_eq(sum.latency_wraps, i / 2);
		cr_assert_eq(latency.seconds, i / 2 * wrap_seconds + i % 2 * (wrap_seconds / 2) +
						      (i / 2 * 709551616u + i % 2 * 854775808u) / 1000000000);
		/* Which outcome has it does not matter. */
		promcb_counts_add(&sum, &step);
		step.latency_sum_ns[1] = step.latency_sum_ns[0];
		step.latency_sum_ns[0] = ((uint64_t)1 << 63) - step.latency_sum_ns[1];
	}
	for (unsigned i = 10; i-- > 0;) {
		promcb_counts_subtract(&sum, &step);
		cr_assert_eq(sum.latency_wraps, i / 2);
	}
	cr_assert_eq(sum.latency_sum_ns[0] + sum.latency_sum_ns[1], 0);
	drop(&sum);
	drop(&step);
}

Test(counts, blocks_add_up_and_come_back)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t schema = 3 + round % SCHEMAS, buckets = promcb_schema_buckets(schema);
		struct promcb_block *blocks[2] = {make_block(schema), make_block(schema)};
		struct promcb_block *stored = calloc(1, sizeof(*stored) + 2 * buckets * sizeof(uint64_t));
		struct promcb_counts whole = make_counts(schema), each, again = make_counts(schema);
		uint64_t calls = 0;

		cr_assert_not_null(stored);
		promcb_counts_init(&each, schema, buckets, promcb_block_buckets(stored));
		for (unsigned i = 0; i < 2; i++) {
			struct promcb_counts one = make_counts(schema);
			uint64_t added = promcb_counts_add_block(&one, blocks[i]);

			assert_sound(&one);
			cr_assert_eq(added, promcb_counts_calls(&one));
			promcb_counts_add(&whole, &one);
			calls += promcb_counts_add_block(&each, blocks[i]);
			drop(&one);
		}
		cr_assert_eq(calls, promcb_counts_calls(&each));
		/* How often a block's sums went round is not for it to say. */
		whole.latency_wraps = 0;
		assert_same(&whole, &each);
		/* As a reset stores it and a reader finds it. */
		promcb_counts_store(&each, stored);
		promcb_counts_add_block(&again, stored);
		assert_same(&again, &each);
		assert_sound(&again);
		drop(&whole);
		drop(&again);
		free(stored);
		free(blocks[0]);
		free(blocks[1]);
	}
}

Test(counts, later_covers_earlier)
{
	struct promcb_counts earlier = make_counts(3), later = make_counts(3);

	earlier.buckets[0][40] = earlier.calls[0] = 7;
	earlier.empty &= ~((uint64_t)1 << 5);
	earlier.latency_sum_ns[0] = UINT64_MAX;
	promcb_counts_copy(&later, &earlier);
	cr_assert(promcb_counts_cover(&later, &earlier));
	later.buckets[1][41] = later.calls[1] = 1;
	later.latency_sum_ns[1] = 2;
	later.latency_wraps = 1;
	cr_assert(promcb_counts_cover(&later, &earlier));
	cr_assert(!promcb_counts_cover(&earlier, &later));
	/* More calls in all, fewer in one bucket: no later state of the same. */
	later.buckets[0][40] = 6;
	later.calls[1] = 2;
	cr_assert(!promcb_counts_cover(&later, &earlier));
	drop(&earlier);
	drop(&later);
}

Test(counts, limited_can_be_subtracted)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t schema = 3 + round % SCHEMAS;
		struct promcb_counts counts = make_random(schema), other = make_random(schema);
		struct promcb_counts rest = make_counts(schema);

		promcb_counts_limit(&other, &counts);
		assert_sound(&other);
		promcb_counts_copy(&rest, &counts);
		promcb_counts_subtract(&rest, &other);
		assert_sound(&rest);
		for (uint32_t bucket = 0; bucket < 2 * counts.bucket_count; bucket++)
			cr_assert_leq(rest.buckets[0][bucket], counts.buckets[0][bucket]);
		for (unsigned level = 0; level < PROMCB_LOG_LEVELS; level++)
			cr_assert_leq(rest.log_entries[level], counts.log_entries[level]);
		cr_assert_leq(rest.saturated, counts.saturated);
		drop(&counts);
		drop(&other);
		drop(&rest);
	}
}

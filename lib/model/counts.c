/* SPDX-License-Identifier: MIT */
#include "model/counts.h"

#include "base/bucket.h"

#include <promcb/atomic.h>
#include <promcb/block.h>

#include <string.h>

enum { BUCKETS_AT_ONCE = 8 };

/* How many octaves the buckets reach into: bits of empty. */
static uint32_t octave_count(const struct promcb_counts *counts)
{
	return ((counts->bucket_count - 1) >> counts->schema) + 1;
}

static uint32_t octave_end(const struct promcb_counts *counts, uint32_t octave)
{
	uint32_t end = (octave + 1) << counts->schema;

	return end < counts->bucket_count ? end : counts->bucket_count;
}

void promcb_counts_init(struct promcb_counts *counts, uint32_t schema, uint32_t bucket_count, uint64_t *memory)
{
	*counts = (struct promcb_counts){
		.schema = schema,
		.bucket_count = bucket_count,
		.buckets = {memory, memory + bucket_count},
		.empty = ~(uint64_t)0,
	};
}

void promcb_counts_clear(struct promcb_counts *counts)
{
	for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++)
		memset(counts->buckets[outcome], 0, counts->bucket_count * sizeof(uint64_t));
	promcb_counts_init(counts, counts->schema, counts->bucket_count, counts->buckets[0]);
}

/* -- Blocks -------------------------------------------------------------------------------------------------------- */

/*
 * Adds the buckets of one outcome. Returns how many calls they hold, and takes away from *empty the octaves that hold
 * some. The latencies of a component lie in some 50 of 322 buckets: those that hold nothing are passed over, eight at a
 * time, and what they would be added to stays untouched. Written out, since compilers do not unroll a loop of atomic
 * loads: that is a fifth of a snapshot's time.
 */
static uint64_t add_buckets(uint64_t *into, const uint64_t *buckets, uint32_t count, uint32_t schema, uint64_t *empty)
{
	uint64_t calls = 0;
	uint32_t bucket = 0;

	for (; bucket + BUCKETS_AT_ONCE <= count; bucket += BUCKETS_AT_ONCE) {
		const uint64_t *at = &buckets[bucket];

		if ((promcb_load_relaxed(&at[0]) | promcb_load_relaxed(&at[1]) | promcb_load_relaxed(&at[2]) |
		     promcb_load_relaxed(&at[3]) | promcb_load_relaxed(&at[4]) | promcb_load_relaxed(&at[5]) |
		     promcb_load_relaxed(&at[6]) | promcb_load_relaxed(&at[7])) == 0)
			continue;
		*empty &= ~((uint64_t)1 << (bucket >> schema));
		for (unsigned i = 0; i < BUCKETS_AT_ONCE; i++) {
			uint64_t value = promcb_load_relaxed(&at[i]);

			into[bucket + i] += value;
			calls += value;
		}
	}
	for (; bucket < count; bucket++) {
		uint64_t value = promcb_load_relaxed(&buckets[bucket]);

		if (!value)
			continue;
		*empty &= ~((uint64_t)1 << (bucket >> schema));
		into[bucket] += value;
		calls += value;
	}
	return calls;
}

/* A field of counts or of a block as the words that it is. */
#define WORDS(field) ((uint64_t *)(void *)&(field))
#define CONST_WORDS(field) ((const uint64_t *)(const void *)&(field))

#define EACH_WORD(field, i) for (size_t i = 0; i < sizeof(((struct promcb_counts *)0)->field) / sizeof(uint64_t); i++)

#define ASSERT_SIZE(field)                                                      \
	_Static_assert(sizeof(((const struct promcb_counts *)0)->field) ==      \
			       sizeof(((const struct promcb_block *)0)->field), \
		       #field " has as many words in a block as it has in counts");
PROMCB_COUNTS_PLAIN(ASSERT_SIZE)

uint64_t promcb_counts_add_block(struct promcb_counts *into, const struct promcb_block *block)
{
	const uint64_t *buckets = promcb_block_buckets_const(block);
	const uint64_t unmeasured[PROMCB_OUTCOMES] = {into->unmeasured[0], into->unmeasured[1]};
	uint64_t calls = 0;

#define ADD(field)          \
	EACH_WORD(field, i) \
	WORDS(into->field)[i] += promcb_load_relaxed(&CONST_WORDS(block->field)[i]);
	PROMCB_COUNTS_PLAIN(ADD)
#undef ADD
	for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++) {
		into->latency_sum_ns[outcome] += promcb_load_relaxed(&block->latency_sum_ns[outcome]);
		/* What was added above, not loaded once more: it may have grown. */
		uint64_t added = into->unmeasured[outcome] - unmeasured[outcome];

		added += add_buckets(into->buckets[outcome], &buckets[outcome * into->bucket_count], into->bucket_count,
				     into->schema, &into->empty);
		into->calls[outcome] += added;
		calls += added;
	}
	return calls;
}

void promcb_counts_store(const struct promcb_counts *counts, struct promcb_block *block)
{
#define STORE(field)        \
	EACH_WORD(field, i) \
	WORDS(block->field)[i] = CONST_WORDS(counts->field)[i];
	PROMCB_COUNTS_PLAIN(STORE)
	STORE(latency_sum_ns)
#undef STORE
}

/* -- Arithmetic ---------------------------------------------------------------------------------------------------- */

/* Adds other, sign times: sign is 1, or -1 modulo 2^64. Only octaves that hold something are touched. */
static void combine(struct promcb_counts *into, const struct promcb_counts *other, uint64_t sign)
{
	uint64_t low_ns = into->latency_sum_ns[0] + into->latency_sum_ns[1];
	uint64_t other_ns = other->latency_sum_ns[0] + other->latency_sum_ns[1];
	bool carries = sign == 1 ? low_ns + other_ns < low_ns : low_ns < other_ns;

	for (uint32_t octave = 0; octave < octave_count(other); octave++) {
		uint64_t bit = (uint64_t)1 << octave, held = 0;

		if (other->empty & bit)
			continue;
		for (uint32_t bucket = octave << other->schema; bucket < octave_end(other, octave); bucket++)
			for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++)
				held |= into->buckets[outcome][bucket] += sign * other->buckets[outcome][bucket];
		into->empty = held ? into->empty & ~bit : into->empty | bit;
	}
#define COMBINE(field)      \
	EACH_WORD(field, i) \
	WORDS(into->field)[i] += sign * CONST_WORDS(other->field)[i];
	PROMCB_COUNTS_PLAIN(COMBINE)
	COMBINE(calls)
	COMBINE(latency_sum_ns)
	COMBINE(transitions)
#undef COMBINE
	into->latency_wraps += sign * (other->latency_wraps + carries);
	for (unsigned state = 0; state < PROMCB_STATES; state++)
		into->transitions[state] &= PROMCB_COUNTS_TRANSITION_MASK;
}

void promcb_counts_add(struct promcb_counts *into, const struct promcb_counts *other)
{
	combine(into, other, 1);
}

void promcb_counts_subtract(struct promcb_counts *into, const struct promcb_counts *other)
{
	combine(into, other, ~(uint64_t)0);
}

void promcb_counts_copy(struct promcb_counts *into, const struct promcb_counts *from)
{
	uint64_t *buckets = into->buckets[0];

	memcpy(buckets, from->buckets[0], PROMCB_OUTCOMES * from->bucket_count * sizeof(*buckets));
	*into = *from;
	into->buckets[0] = buckets;
	into->buckets[1] = buckets + from->bucket_count;
}

bool promcb_counts_cover(const struct promcb_counts *counts, const struct promcb_counts *other)
{
	uint64_t low_ns = counts->latency_sum_ns[0] + counts->latency_sum_ns[1];
	uint64_t other_ns = other->latency_sum_ns[0] + other->latency_sum_ns[1];
	bool covers = counts->latency_wraps > other->latency_wraps ||
		      (counts->latency_wraps == other->latency_wraps && low_ns >= other_ns);

#define COVER(field)        \
	EACH_WORD(field, i) \
	covers &= CONST_WORDS(counts->field)[i] >= CONST_WORDS(other->field)[i];
	PROMCB_COUNTS_PLAIN(COVER)
	COVER(calls)
#undef COVER
	for (uint32_t bucket = 0; covers && bucket < PROMCB_OUTCOMES * counts->bucket_count; bucket++)
		covers = counts->buckets[0][bucket] >= other->buckets[0][bucket];
	return covers;
}

static uint64_t lesser(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

void promcb_counts_limit(struct promcb_counts *counts, const struct promcb_counts *most)
{
#define LIMIT(field)        \
	EACH_WORD(field, i) \
	WORDS(counts->field)[i] = lesser(WORDS(counts->field)[i], CONST_WORDS(most->field)[i]);
	PROMCB_COUNTS_PLAIN(LIMIT)
#undef LIMIT
	for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++)
		counts->calls[outcome] = counts->unmeasured[outcome];
	for (uint32_t octave = 0; octave < octave_count(counts); octave++) {
		if (counts->empty >> octave & 1)
			continue;
		for (uint32_t bucket = octave << counts->schema; bucket < octave_end(counts, octave); bucket++)
			for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++) {
				uint64_t *held = &counts->buckets[outcome][bucket];

				*held = lesser(*held, most->buckets[outcome][bucket]);
				counts->calls[outcome] += *held;
			}
	}
}

/* -- The latency's sum --------------------------------------------------------------------------------------------- */

void promcb_counts_find_wraps(struct promcb_counts *counts)
{
	const double wrap = 18446744073709551616.0;
	uint32_t buckets = counts->bucket_count, schema = counts->schema;
	uint64_t low_ns = counts->latency_sum_ns[0] + counts->latency_sum_ns[1];
	uint64_t last = counts->buckets[0][buckets - 1] + counts->buckets[1][buckets - 1];
	uint64_t longest = lesser(counts->saturated, last);
	double about = (double)longest * (double)PROMCB_LATENCY_MAX_NS;

	counts->latency_wraps = 0;
	/* With so few it cannot have. */
	if (promcb_counts_calls(counts) < UINT64_MAX / PROMCB_LATENCY_MAX_NS)
		return;
	for (uint32_t bucket = 1; bucket < buckets; bucket++) {
		uint64_t calls = counts->buckets[0][bucket] + counts->buckets[1][bucket];

		if (bucket == buckets - 1)
			calls -= longest;
		if (calls)
			about += (double)calls *
				 ((double)promcb_bucket_upper_ns(schema, bucket - 1) + 1 +
				  (double)promcb_bucket_upper_ns(schema, bucket)) /
				 2;
	}
	double wraps = (about - (double)low_ns) / wrap + 0.5;

	if (wraps >= 1)
		counts->latency_wraps = wraps < (double)(1 << 29) ? (uint64_t)wraps : (1 << 29) - 1;
}

/* SPDX-License-Identifier: MIT */
/*
 * counts.h: the numbers of a component as a value: everything that a block counts, which can be added up over blocks,
 * subtracted and copied. A reset, a snapshot and the difference of two snapshots are sums of these.
 *
 * A number that a block gains is named here and in PROMCB_COUNTS_PLAIN, and nowhere else. Times are no counts: they
 * stay with whoever keeps counts.
 *
 * Arithmetic is modulo 2^64, and of transitions modulo 2^20, as the state word has them. So after adding and then
 * subtracting the same, every word is what it was. Invariants, for each outcome o:
 *   calls[o] = sum of buckets[o][0 .. bucket_count - 1] + unmeasured[o]
 *   a bit i of empty that is set: buckets[0] and buckets[1] hold nothing from i << schema on, for an octave
 *   latency = 2^64 latency_wraps + (latency_sum_ns[0] + latency_sum_ns[1]) modulo 2^64
 */
#ifndef PROMCB_COUNTS_H
#define PROMCB_COUNTS_H

#include <promcb/promcb.h>

struct promcb_block;

enum { PROMCB_OUTCOMES = 2 };

struct promcb_counts {
	uint32_t schema;
	uint32_t bucket_count;                  /* per outcome */
	uint64_t *buckets[PROMCB_OUTCOMES];     /* the caller's memory: bucket counts, see bucket.h */
	uint64_t empty;
	uint64_t calls[PROMCB_OUTCOMES];
	uint64_t unmeasured[PROMCB_OUTCOMES];   /* of the calls: those without a latency */
	uint64_t latency_sum_ns[PROMCB_OUTCOMES]; /* modulo 2^64, as both together are */
	uint64_t latency_wraps;                 /* how often 2^64 ns are to be added to both together */
	uint64_t log_entries[PROMCB_LOG_LEVELS];
	uint64_t saturated;                     /* calls that were counted as the longest latency there is */
	uint64_t backward;                      /* calls whose clock ran backwards, counted with a latency of 0 */
	uint64_t transitions[PROMCB_STATES];    /* modulo 2^20; in no block */
};

/* The words that are counted plainly, in a block as here. */
#define PROMCB_COUNTS_PLAIN(X) \
	X(unmeasured)          \
	X(log_entries)         \
	X(saturated)           \
	X(backward)

/* What transitions are kept modulo: a power of two, less one. */
#define PROMCB_COUNTS_TRANSITION_MASK (((uint64_t)1 << 20) - 1)

/* Makes counts of nothing. memory: 2 * bucket_count words, all 0; it must last as long as the counts. */
void promcb_counts_init(struct promcb_counts *counts, uint32_t schema, uint32_t bucket_count, uint64_t *memory);

/* Forgets everything; the memory for buckets stays. */
void promcb_counts_clear(struct promcb_counts *counts);

/*
 * Adds what stands in a block of the same schema, which others may be counting into. latency_wraps stays, since a
 * block does not know how often its sums went round: see promcb_counts_find_wraps(). Returns how many calls it has.
 */
uint64_t promcb_counts_add_block(struct promcb_counts *into, const struct promcb_block *block);

/* Stores them in a block that nobody reads yet. Its buckets: promcb_counts_init() was given them, so they are there. */
void promcb_counts_store(const struct promcb_counts *counts, struct promcb_block *block);

/* Adds, subtracts, copies. Both of the same schema; into keeps its own memory for buckets. */
void promcb_counts_add(struct promcb_counts *into, const struct promcb_counts *other);
void promcb_counts_subtract(struct promcb_counts *into, const struct promcb_counts *other);
void promcb_counts_copy(struct promcb_counts *into, const struct promcb_counts *from);

/* Whether no number of other is above that of counts: whether other can be what counts were earlier. */
bool promcb_counts_cover(const struct promcb_counts *counts, const struct promcb_counts *other);

/*
 * Lowers what counts says to what most says, number by number, so that it can be subtracted from it without going
 * below 0. Sums and transitions, which are modulo something, stay.
 */
void promcb_counts_limit(struct promcb_counts *counts, const struct promcb_counts *most);

/*
 * Finds latency_wraps. What the sum is modulo 2^64 is exact; how much it is about, the buckets say: a call's latency is
 * known to a twentieth, and one that was cut down exactly. That tells 2^64 ns apart as long as all the others come to
 * less than 2^67, which are 4,600 years.
 */
void promcb_counts_find_wraps(struct promcb_counts *counts);

/* Seconds and nanoseconds. */
struct promcb_latency_sum {
	uint64_t seconds;
	uint32_t nanoseconds;
};

/* The latency of all calls. */
static inline struct promcb_latency_sum promcb_counts_latency(const struct promcb_counts *counts)
{
	const uint64_t second = 1000000000, wrap_seconds = 18446744073, wrap_ns = 709551616;
	uint64_t low_ns = counts->latency_sum_ns[0] + counts->latency_sum_ns[1];
	/* Below 2^29 wraps, which are more calls than a word can count, nothing here exceeds 64 bits. */
	uint64_t rest_ns = low_ns % second + counts->latency_wraps * wrap_ns;

	return (struct promcb_latency_sum){
		counts->latency_wraps * wrap_seconds + low_ns / second + rest_ns / second,
		(uint32_t)(rest_ns % second),
	};
}

static inline uint64_t promcb_counts_calls(const struct promcb_counts *counts)
{
	return counts->calls[0] + counts->calls[1];
}

/* Those in the histogram and in the sum: all but those without a latency. */
static inline uint64_t promcb_counts_measured(const struct promcb_counts *counts)
{
	return promcb_counts_calls(counts) - counts->unmeasured[0] - counts->unmeasured[1];
}

#endif

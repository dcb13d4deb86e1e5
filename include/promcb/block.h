/* SPDX-License-Identifier: MIT */
/*
 * block.h: the hot part of a segment, which the record path writes and readers add up: a block, and the words in it
 * that hold more than one thing. For every such word one function makes it, and one for each part takes it out again.
 *
 * It is part of the format, see promcb-segment(5), and of the library's ABI, since inline.h compiles it into callers.
 * Pure. Compiles as C11 and later, strict or GNU, and as C++11 and later.
 */
#ifndef PROMCB_BLOCK_H
#define PROMCB_BLOCK_H

#include <promcb/promcb.h>

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The ring in the block itself, which serves until a component has seen that many calls in a lane. */
#define PROMCB_FIRST_RING_SLOTS 32
#define PROMCB_FIRST_RING_LOG2 5

/* The counters of one (component, lane): its hot part. layout.h asserts every offset. */
struct promcb_block {
	uint64_t head;                  /* CLOCK_MONOTONIC ns of the last record; low 20 bits: position */
	uint64_t ring;                  /* full ring's block number + 1; 0: the first ring. [RING] */
	uint64_t latency_sum_ns[2];     /* by outcome: 0 success, 1 failure */
	uint64_t last_failure_ns;       /* CLOCK_REALTIME ns of the last failure; 0: none */
	uint64_t log_entries[PROMCB_LOG_LEVELS];        /* by enum promcb_log_level */
	uint64_t saturated;             /* calls whose latency was cut down to PROMCB_LATENCY_MAX_NS */
	uint64_t backward;              /* calls whose clock ran backwards, counted with a latency of 0 */
	uint64_t component_lane;        /* promcb_pair(): whose it is, for display and checks */
	uint64_t kind;                  /* PROMCB_BLOCK_ in layout.h */
	uint64_t position;              /* of the first ring of an overflow block; else promcb_block_last_success() */
	uint64_t unmeasured[2];         /* calls without a latency, by outcome: in no bucket and in no sum */
	uint64_t first_ring[PROMCB_FIRST_RING_SLOTS];
	/* then the histogram: words [outcome][bucket], promcb_schema_buckets() per outcome: promcb_block_buckets() */
};

static inline uint64_t *promcb_block_buckets(struct promcb_block *block)
{
	return (uint64_t *)(void *)(block + 1);
}

static inline const uint64_t *promcb_block_buckets_const(const struct promcb_block *block)
{
	return (const uint64_t *)(const void *)(block + 1);
}

/* Of a plain block: its head when the last success was there that a failure followed; 0: none, or not known. */
static inline uint64_t *promcb_block_last_success(struct promcb_block *block)
{
	return &block->position;
}

static inline const uint64_t *promcb_block_last_success_const(const struct promcb_block *block)
{
	return &block->position;
}

/* -- Component and lane -------------------------------------------------------------------------------------------- */

static inline uint64_t promcb_pair(uint32_t component, uint32_t lane)
{
	return (uint64_t)component << 32 | lane;
}

static inline uint32_t promcb_pair_component(uint64_t pair)
{
	return (uint32_t)(pair >> 32);
}

static inline uint32_t promcb_pair_lane(uint64_t pair)
{
	return (uint32_t)pair;
}

/* -- Head ---------------------------------------------------------------------------------------------------------- */

/*
 * The low bits of a head hold the position, the rest the time, so that one store carries both. Of a position counts
 * what is left modulo the ring's slots: the slot of the next sample.
 */
#define PROMCB_HEAD_POSITION_BITS 20
#define PROMCB_HEAD_POSITION_MASK (((uint64_t)1 << PROMCB_HEAD_POSITION_BITS) - 1)

/* A head: what is kept of a stamp, about a millisecond, and the position. */
static inline uint64_t promcb_head(uint64_t now_ns, uint64_t position)
{
	return (now_ns & ~PROMCB_HEAD_POSITION_MASK) | (position & PROMCB_HEAD_POSITION_MASK);
}

/* Its stamp, of about a millisecond. */
static inline uint64_t promcb_head_ns(uint64_t head)
{
	return head & ~PROMCB_HEAD_POSITION_MASK;
}

static inline uint32_t promcb_head_position(uint64_t head)
{
	return (uint32_t)(head & PROMCB_HEAD_POSITION_MASK);
}

/* -- Sample -------------------------------------------------------------------------------------------------------- */

/*
 * A sample: 32 bits of tick, one of failure, float32 of the nanoseconds (exact to 16.7 ms, then 6e-8; never negative,
 * so its bits sort as whole numbers). 0 is an empty slot. By way of a double, which is exact, because the bucket needs
 * that anyway. A call without a latency has PROMCB_SAMPLE_UNMEASURED there, which is no float of a latency. tick_ns:
 * the time in a head.
 */
#define PROMCB_SAMPLE_UNMEASURED ((uint32_t)INT32_MAX)

static inline uint64_t promcb_sample_of(uint64_t latency_ns, bool success, uint64_t tick_ns)
{
	float nanoseconds = (float)(double)(int64_t)latency_ns;
	uint32_t bits;

	memcpy(&bits, &nanoseconds, sizeof(bits));
	return tick_ns << (32 - PROMCB_HEAD_POSITION_BITS) | (uint64_t)!success << 31 | bits;
}

static inline uint64_t promcb_sample(uint64_t latency_ns, bool success, uint64_t now_ns)
{
	return promcb_sample_of(latency_ns, success, now_ns & ~PROMCB_HEAD_POSITION_MASK);
}

/* What a tick counts: CLOCK_MONOTONIC in steps of 2^20 ns; a sample keeps 32 bits of it, which wrap in 52 days. */
static inline uint32_t promcb_tick(uint64_t nanoseconds)
{
	return (uint32_t)(nanoseconds >> PROMCB_HEAD_POSITION_BITS);
}

static inline uint32_t promcb_sample_tick(uint64_t sample)
{
	return (uint32_t)(sample >> 32);
}

/* What is to be added to a sample to make it later by so many ticks. */
static inline uint64_t promcb_sample_ticks(uint64_t ticks)
{
	return ticks << 32;
}

/* 1 for a failure, 0 for a success. */
static inline uint32_t promcb_sample_failure(uint64_t sample)
{
	return (uint32_t)sample >> 31;
}

/* The bits of the latency, in the order of latencies, PROMCB_SAMPLE_UNMEASURED the last. */
static inline uint32_t promcb_sample_latency(uint64_t sample)
{
	return (uint32_t)sample & PROMCB_SAMPLE_UNMEASURED;
}

/* Those bits as nanoseconds. */
static inline double promcb_sample_ns(uint32_t latency)
{
	float nanoseconds;

	memcpy(&nanoseconds, &latency, sizeof(nanoseconds));
	return (double)nanoseconds;
}

#ifdef __cplusplus
}
#endif

#endif

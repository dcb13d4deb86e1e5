/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h: the model in private memory that readers fill and renderers print.
 *
 * Knows nothing of the segment's layout.
 *
 * Invariants of a finished snapshot, per component c:
 *   c.calls[o]  = sum of c.cells[o][0 .. cells-1] + c.unmeasured[o]       for each outcome o (0 success, 1 failure)
 *   recent.measured <= recent.calls <= recent_samples of the segment; quantiles, minimum, maximum and average are NaN
 *   when measured is 0
 *   components are sorted by name (bytes) and names are distinct, valid UTF-8, 1 to 127 bytes, zero-terminated
 */
#ifndef PROMCB_SNAPSHOT_H
#define PROMCB_SNAPSHOT_H

#include <promcb/reader.h>

enum { PROMCB_OUTCOMES = 2 };

enum promcb_quantile { PROMCB_P50, PROMCB_P90, PROMCB_P95, PROMCB_P99, PROMCB_P999, PROMCB_QUANTILES };

/* What the quantiles of enum promcb_quantile are, 0 to 1. */
extern const double promcb_quantile_ranks[PROMCB_QUANTILES];

/* The recent samples of one component, digested. Nanoseconds. */
struct promcb_recent {
	uint64_t calls;
	uint64_t failures;
	uint64_t measured;                      /* of the calls: those that have a latency */
	double average_ns;
	double minimum_ns;
	double maximum_ns;
	double quantile_ns[PROMCB_QUANTILES];
};

struct promcb_snapshot_component {
	char name[PROMCB_NAME_MAX + 1];
	uint32_t name_bytes;
	uint32_t state;                         /* enum promcb_state */
	uint64_t *cells[PROMCB_OUTCOMES];       /* snapshot->cells words each: bucket counts, see bucket.h */
	uint64_t empty;                         /* bit i: cells i << schema and up, an octave, hold nothing */
	uint64_t calls[PROMCB_OUTCOMES];
	uint64_t unmeasured[PROMCB_OUTCOMES];   /* of the calls: those without a latency */
	uint64_t latency_sum_ns[PROMCB_OUTCOMES]; /* modulo 2^64, as both together are */
	uint64_t latency_sum_wraps;             /* how often 2^64 ns are to be added to both together */
	uint64_t saturated;                     /* calls that were counted as the longest latency there is */
	uint64_t transitions[3];
	uint64_t log_entries[4];
	uint64_t last_failure_ns;               /* Unix nanoseconds; 0: none */
	uint64_t last_state_change_ns;          /* Unix nanoseconds; 0: none or unknown */
	uint64_t since_ns;                      /* Unix nanoseconds of the component's creation, or its last reset */
	struct promcb_recent recent;
};

/* Seconds and nanoseconds. */
struct promcb_latency_sum {
	uint64_t seconds;
	uint32_t nanoseconds;
};

/* The latency of all calls of a component. */
static inline struct promcb_latency_sum promcb_latency_sum(const struct promcb_snapshot_component *component)
{
	const uint64_t second = 1000000000, wrap_seconds = 18446744073, wrap_ns = 709551616;
	uint64_t low_ns = component->latency_sum_ns[0] + component->latency_sum_ns[1];
	/* Below 2^29 wraps, which are more calls than a word can count, nothing here exceeds 64 bits. */
	uint64_t rest_ns = low_ns % second + component->latency_sum_wraps * wrap_ns;

	return (struct promcb_latency_sum){
		component->latency_sum_wraps * wrap_seconds + low_ns / second + rest_ns / second,
		(uint32_t)(rest_ns % second),
	};
}

/*
 * The double that is nearest to so much time, which is what the digits of the text formats read as. (double)ns / 1e9
 * rounds twice from 2^53 ns on. That the sum here is rounded right, too: a second has 5^9 x 2^9 nanoseconds, so what
 * lies between two doubles of 2^23 seconds or more is never nearer than 2^-51 s to the middle of them, unless it is it.
 */
static inline double promcb_seconds_double(uint64_t seconds, uint32_t nanoseconds)
{
	if (seconds < (uint64_t)1 << 23)
		return (double)(seconds * 1000000000 + nanoseconds) / 1e9;
	return (double)seconds + nanoseconds / 1e9;
}

static inline double promcb_ns_double(uint64_t nanoseconds)
{
	return promcb_seconds_double(nanoseconds / 1000000000, (uint32_t)(nanoseconds % 1000000000));
}

struct promcb_snapshot {
	struct promcb_segment_info info;
	uint64_t taken_ns;                      /* Unix nanoseconds */
	uint64_t created_ns;                    /* Unix nanoseconds of the segment's creation; 0: unknown */
	uint32_t schema;
	uint32_t cells;                         /* per outcome */
	size_t count;
	struct promcb_snapshot_component *components;
	uint64_t *cell_memory;                  /* count * 2 * cells words */
};

/*
 * Words for the cells, all 0; NULL: no memory. Freed with the snapshot. Those of 10,000 components are 51 MB that are
 * written all over: 12,600 page faults of 4 KiB, 20 ms, or 24 of 2 MiB.
 */
uint64_t *promcb_snapshot_cells(size_t count);

#endif

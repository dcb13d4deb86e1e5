/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h: the model in private memory that readers fill and renderers print.
 *
 * Knows nothing of the segment's layout.
 *
 * Invariants of a finished snapshot, per component c:
 *   its counts are sound: see counts.h
 *   recent.measured <= recent.calls <= recent_samples of the segment; quantiles, minimum, maximum and average are NaN
 *   when measured is 0
 *   components are sorted by full name (bytes), which are distinct and good
 */
#ifndef PROMCB_SNAPSHOT_H
#define PROMCB_SNAPSHOT_H

#include "base/labels.h"
#include "model/counts.h"
#include "model/metrics.h"

#include <promcb/reader.h>

enum promcb_quantile { PROMCB_P50, PROMCB_P90, PROMCB_P95, PROMCB_P99, PROMCB_P999, PROMCB_QUANTILES };

/* What the quantiles of enum promcb_quantile are, 0 to 1. */
extern const double promcb_quantile_ranks[PROMCB_QUANTILES];

/* The recent samples of one component, digested. Nanoseconds. */
struct promcb_recent {
	uint64_t calls;
	uint64_t failures;
	uint64_t measured;                      /* of the calls: those that have a latency */
	bool has_success;                       /* one was seen, maybe older than those that are counted here */
	uint32_t success_tick;                  /* of the newest such */
	double average_ns;
	double minimum_ns;
	double maximum_ns;
	double quantile_ns[PROMCB_QUANTILES];
};

struct promcb_snapshot_component {
	struct promcb_full_name name;
	uint32_t state;                         /* enum promcb_state */
	struct promcb_counts counts;            /* its buckets lie in the snapshot's bucket_memory */
	uint64_t last_failure_ns;               /* Unix nanoseconds; 0: none */
	uint64_t last_state_change_ns;          /* Unix nanoseconds; 0: none or unknown */
	uint64_t created_ns;                    /* Unix nanoseconds of the component's creation */
	uint64_t since_ns;                      /* Unix nanoseconds of the component's creation, or its last reset */
	uint64_t reset;                         /* another one after each reset; 0: never reset */
	uint64_t last_call_ns;                  /* Unix nanoseconds; 0: none since since_ns, or unknown */
	uint64_t last_success_ns;               /* likewise */
	enum promcb_span span;                  /* what the counts cover */
	uint64_t span_ns;                       /* and how long that is, of a difference */
	size_t first_call;                      /* in snapshot->calls */
	size_t listed_calls;                    /* how many there are */
	struct promcb_recent recent;
};

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

/* One of the newest calls. */
struct promcb_snapshot_call {
	uint64_t time_ns;                       /* Unix nanoseconds */
	uint64_t latency_ns : 63;               /* or PROMCB_LATENCY_UNMEASURED */
	uint64_t failed : 1;
};

struct promcb_snapshot {
	struct promcb_segment_info info;
	uint64_t taken_ns;                      /* Unix nanoseconds */
	uint64_t monotonic_ns;                  /* the same moment by CLOCK_MONOTONIC */
	uint64_t identity[2];                   /* of the segment: random */
	char *matching;                         /* only components whose name contains this; NULL: all */
	uint64_t created_ns;                    /* Unix nanoseconds of the segment's creation; 0: unknown */
	bool is_difference;                     /* of two snapshots: spans are not PROMCB_SPAN_TOTAL */
	uint32_t schema;
	uint32_t buckets;                       /* per outcome */
	size_t count;
	struct promcb_snapshot_component *components;
	uint64_t *bucket_memory;                /* count * 2 * buckets words */
	struct promcb_snapshot_call *calls;     /* of all components; NULL: not asked for */
	size_t call_count, call_room;
	struct promcb_metrics *metrics;         /* families and series; NULL: there are none */
};

/*
 * Words for the buckets, all 0; NULL: no memory. Freed with the snapshot. Those of 10,000 components are 51 MB that are
 * written all over: 12,600 page faults of 4 KiB, 20 ms, or 24 of 2 MiB.
 */
uint64_t *promcb_snapshot_bucket_memory(size_t count);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * families.h: the metric families of components: what they are called, what they mean, and where their values are.
 * What every format says alike stands here; how it is spelled is a renderer's business.
 */
#ifndef PROMCB_FAMILIES_H
#define PROMCB_FAMILIES_H

#include "render/render.h"

#include <math.h>

/* In the order of rendering. */
enum promcb_family_kind {
	PROMCB_KIND_CALLS,
	PROMCB_KIND_SUCCESSES,
	PROMCB_KIND_FAILURES,
	PROMCB_KIND_COMPAT_SUCCESSES,
	PROMCB_KIND_COMPAT_FAILURES,
	PROMCB_KIND_FAILURE_RATE,
	PROMCB_KIND_RECENT_FAILURE_RATE,
	PROMCB_KIND_LATENCY,
	PROMCB_KIND_AVERAGE,
	PROMCB_KIND_DURATION,
	PROMCB_KIND_STATE,
	PROMCB_KIND_STATE_CODE,
	PROMCB_KIND_TRANSITIONS,
	PROMCB_KIND_LAST_STATE_CHANGE,
	PROMCB_KIND_LAST_FAILURE,
	PROMCB_KIND_LOG_ENTRIES,
	PROMCB_KIND_LOG_LEVELS,
	PROMCB_KINDS
};

/* The numbers are those of the protobuf format. */
enum promcb_metric_type {
	PROMCB_TYPE_COUNTER = 0,
	PROMCB_TYPE_GAUGE = 1,
	PROMCB_TYPE_SUMMARY = 2,
	PROMCB_TYPE_UNTYPED = 3,
	PROMCB_TYPE_HISTOGRAM = 4,
};

struct promcb_component_family {
	const char *name;
	enum promcb_metric_type type;
	const char *unit;       /* NULL: none */
	const char *help;
	bool compat;            /* says again, in the words of the reference guide, what another family says */
};

extern const struct promcb_component_family promcb_families[PROMCB_KINDS];

/*
 * Classic bounds are powers of two of a second, from 1 ns to 1,024 s at most, in 2^classic_schema steps an octave:
 * bounds of the native buckets as well, so that their sums are exact.
 */
enum {
	PROMCB_CLASSIC_LEAST = -30,
	PROMCB_CLASSIC_FIRST = -12,
	PROMCB_CLASSIC_LAST = 3,
	PROMCB_CLASSIC_MOST = 10,
	PROMCB_CLASSIC_SCHEMA_MAX = 3,
	PROMCB_CLASSIC_MAX = ((PROMCB_CLASSIC_MOST - PROMCB_CLASSIC_LEAST) << PROMCB_CLASSIC_SCHEMA_MAX) + 1,
};

struct promcb_classic {
	unsigned count;
	double bound_seconds[PROMCB_CLASSIC_MAX];
	uint32_t end[PROMCB_CLASSIC_MAX]; /* one past the last cell at or below the bound */
};

/* Whether the options' range is one. */
bool promcb_classic_is_range(const struct promcb_render_options *options);

/* As the options say, whose range is one. A classic_schema above the segment's, or the most there is, is that. */
void promcb_classic_make(struct promcb_classic *classic, uint32_t schema, const struct promcb_render_options *options);

static inline uint64_t promcb_calls(const struct promcb_snapshot_component *component)
{
	return promcb_counts_calls(&component->counts);
}

/* Those in the histogram and in the sum: all but those without a latency. */
static inline uint64_t promcb_measured_calls(const struct promcb_snapshot_component *component)
{
	return promcb_counts_measured(&component->counts);
}

static inline double promcb_failure_rate(const struct promcb_snapshot_component *component)
{
	uint64_t total = promcb_calls(component);

	return total ? 100.0 * (double)component->counts.calls[1] / (double)total : 0;
}

static inline double promcb_recent_failure_rate(const struct promcb_snapshot_component *component)
{
	const struct promcb_recent *recent = &component->recent;

	return recent->calls ? 100.0 * (double)recent->failures / (double)recent->calls : (double)NAN;
}

/* A latency of the recent calls: not a number if none has one, whatever stands there. */
static inline double promcb_recent_ns(const struct promcb_recent *recent, double nanoseconds)
{
	return recent->measured ? nanoseconds : (double)NAN;
}

/*
 * A latency of the recent samples as whole picoseconds, which all formats print: a thousand times finer than what was
 * measured, and short, where a binary fraction of a second takes 17 digits to say exactly.
 */
static inline bool promcb_recent_picoseconds(double nanoseconds, uint64_t *out)
{
	if (!(nanoseconds >= 0 && nanoseconds < 1e15))
		return false;
	*out = (uint64_t)(nanoseconds * 1000 + 0.5);
	return true;
}

/* Whether cells [from, end) are known to hold nothing. Most octaves of most components do. */
static inline bool promcb_is_empty(const struct promcb_snapshot_component *component, uint32_t schema, uint32_t from,
				   uint32_t end)
{
	if (from >= end)
		return true;
	if (!component->counts.empty)
		return false;
	/* A segment's schema is 3, 4 or 5, and has 41 octaves. */
	uint64_t octaves = ((uint64_t)2 << ((end - 1) >> schema)) - ((uint64_t)1 << (from >> schema));

	return (octaves & ~component->counts.empty) == 0;
}

/* How many calls fell in cells [from, end). */
static inline uint64_t promcb_calls_in(const struct promcb_snapshot_component *component, uint32_t from, uint32_t end)
{
	const uint64_t *success = component->counts.cells[0];
	const uint64_t *failure = component->counts.cells[1];
	uint64_t sums[2] = {0};

	/* Octaves have a multiple of eight cells; written out like this, compilers make vectors of it. */
	for (; from + 8 <= end; from += 8)
		for (unsigned j = 0; j < 8; j++)
			sums[j % 2] += success[from + j] + failure[from + j];
	for (; from < end; from++)
		sums[0] += success[from] + failure[from];
	return sums[0] + sums[1];
}

/*
 * Asks for the cells [from, end) of a component whose turn comes soon: at 10,000 components this saves a fifth of all
 * time.
 */
static inline void promcb_prefetch_cells(const struct promcb_snapshot_component *component, uint32_t from, uint32_t end)
{
	const uint32_t cells_per_line = 64 / sizeof(uint64_t);

	for (; from < end; from += cells_per_line) {
		__builtin_prefetch(component->counts.cells[0] + from);
		__builtin_prefetch(component->counts.cells[1] + from);
	}
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * families.h: the metric families of components: what they are called, what they mean, and where their values are.
 * What every format says alike stands here; how it is spelled is a renderer's business.
 */
#ifndef PROMCB_FAMILIES_H
#define PROMCB_FAMILIES_H

#include "model/values.h"
#include "render/render.h"

/*
 * The families, a line each, in the order of rendering: kind, shape, value (see values.h), type, unit, whether it says
 * again, in other words, what another family says; name, help. Every format makes of this what it prints.
 */
#define PROMCB_FAMILIES(X)                                                                                       \
	X(CALLS, WHOLE, promcb_value_calls, COUNTER, NULL, false, "circuit_breaker_calls_total",                 \
	  "Finished calls of the component.")                                                                    \
	X(SUCCESSES, WHOLE, promcb_value_successes, COUNTER, NULL, false, "circuit_breaker_successes_total",     \
	  "Calls that succeeded.")                                                                               \
	X(FAILURES, WHOLE, promcb_value_failures, COUNTER, NULL, false, "circuit_breaker_failures_total",        \
	  "Calls that failed.")                                                                                  \
	X(COMPAT_SUCCESSES, WHOLE, promcb_value_successes, UNTYPED, NULL, true, "circuit_breaker_calls_success", \
	  "Alias of circuit_breaker_successes_total.")                                                           \
	X(COMPAT_FAILURES, WHOLE, promcb_value_failures, UNTYPED, NULL, true, "circuit_breaker_calls_failed",    \
	  "Alias of circuit_breaker_failures_total.")                                                            \
	X(FAILURE_RATE, REAL, promcb_value_failure_rate, GAUGE, NULL, true, "circuit_breaker_failure_rate",      \
	  "Failed calls in percent of all calls, 0 to 100; 0 if there were none.")                               \
	X(RECENT_FAILURE_RATE, REAL, promcb_value_recent_failure_rate, GAUGE, NULL, false,                       \
	  "circuit_breaker_recent_failure_rate",                                                                 \
	  "Failed calls in percent of the recent calls, 0 to 100; NaN if there were none.")                      \
	X(LATENCY, SUMMARY, NONE, SUMMARY, "seconds", false, "circuit_breaker_latency_seconds",                  \
	  "Call latency: quantiles over the recent calls; sum and count are cumulative.")                        \
	X(AVERAGE, RECENT, promcb_value_average_ns, GAUGE, NULL, true, "circuit_breaker_latency_seconds_avg",    \
	  "Mean latency of the recent calls in seconds; NaN if there were none.")                                \
	X(DURATION, HISTOGRAM, NONE, HISTOGRAM, "seconds", false, "circuit_breaker_call_duration_seconds",       \
	  "Call latency distribution.")                                                                          \
	X(STATE, BY_STATE, promcb_value_is_in_state, GAUGE, NULL, false, "circuit_breaker_state",                \
	  "1 for the current state of the breaker, 0 for the others.")                                           \
	X(STATE_CODE, WHOLE, promcb_value_state, GAUGE, NULL, false, "circuit_breaker_state_code",               \
	  "State of the breaker: 0 closed, 1 open, 2 half-open.")                                                \
	X(TRANSITIONS, BY_STATE, promcb_value_transitions, COUNTER, NULL, false,                                 \
	  "circuit_breaker_state_transitions_total", "Changes into that state.")                                 \
	X(LAST_STATE_CHANGE, TIME, promcb_value_last_state_change_ns, GAUGE, "seconds", false,                   \
	  "circuit_breaker_last_state_change_timestamp_seconds", "Unix time of the last change of state.")       \
	X(LAST_SUCCESS, TIME, promcb_value_last_success_ns, GAUGE, "seconds", false,                             \
	  "circuit_breaker_last_success_timestamp_seconds", "Unix time of the last success.")                    \
	X(LAST_FAILURE, TIME, promcb_value_last_failure_ns, GAUGE, "seconds", false,                             \
	  "circuit_breaker_last_failure_timestamp_seconds", "Unix time of the last failure.")                    \
	X(LOG_ENTRIES, BY_LEVEL, promcb_value_log_entries, COUNTER, NULL, false, "log_entries_total",            \
	  "Log lines by level.")                                                                                 \
	X(LOG_LEVELS, BY_LEVEL, promcb_value_log_entries, UNTYPED, NULL, true, "log_entries_by_level",           \
	  "Alias of log_entries_total.")

/* The longest prefix in place of circuit_breaker, and room for a name with it, or for a help that has such a name. */
enum { PROMCB_PREFIX_MAX = 63, PROMCB_PREFIXED_MAX = 192 };

enum promcb_family_kind {
#define KIND(kind, ...) PROMCB_KIND_##kind,
	PROMCB_FAMILIES(KIND)
#undef KIND
		PROMCB_KINDS
};

/* What a component has of a family, and what its value function takes and returns. */
enum promcb_family_shape {
	PROMCB_SHAPE_WHOLE,     /* one series: a whole number */
	PROMCB_SHAPE_REAL,      /* one series: a double */
	PROMCB_SHAPE_TIME,      /* one series, or none for 0: Unix nanoseconds, printed as seconds */
	PROMCB_SHAPE_RECENT,    /* one series: nanoseconds of recent calls, printed as seconds */
	PROMCB_SHAPE_BY_STATE,  /* a series for each enum promcb_state, which the function takes: a whole number */
	PROMCB_SHAPE_BY_LEVEL,  /* the same for each enum promcb_log_level */
	PROMCB_SHAPE_SUMMARY,   /* the latency: no value function */
	PROMCB_SHAPE_HISTOGRAM, /* the latency: no value function */
};

/* The numbers are those of the protobuf format. */
enum promcb_exposed_type {
	PROMCB_TYPE_COUNTER = 0,
	PROMCB_TYPE_GAUGE = 1,
	PROMCB_TYPE_SUMMARY = 2,
	PROMCB_TYPE_UNTYPED = 3,
	PROMCB_TYPE_HISTOGRAM = 4,
	PROMCB_TYPE_INFO = 5,   /* of OpenMetrics alone: a gauge elsewhere */
};

struct promcb_component_family {
	const char *name;
	enum promcb_family_shape shape;
	enum promcb_exposed_type type;
	const char *unit;       /* NULL: none */
	const char *help;
	bool compat;            /* says again, in the names of the Python collector, what another family says */
};

extern const struct promcb_component_family promcb_families[PROMCB_KINDS];

/* A family as options.prefix has it. */
struct promcb_prefixed {
	char name[PROMCB_PREFIXED_MAX];
	char help[PROMCB_PREFIXED_MAX];
};

void promcb_prefixed_make(struct promcb_prefixed *out, const struct promcb_component_family *family,
			  const struct promcb_render_options *options);

/* Whether a prefix is one; NULL is. */
bool promcb_prefix_is_good(const char *prefix);

/* Whether a family of components has this stem, which is what OpenMetrics calls a family. */
bool promcb_prefixed_has_stem(const struct promcb_render_options *options, const char *stem, size_t bytes);

/* The label that tells series of a shape apart, NULL if there is one alone; how many there are, and their values. */
struct promcb_shape_label {
	const char *name;
	unsigned count;
	const char *(*value)(unsigned index);
};

struct promcb_shape_label promcb_shape_label(enum promcb_family_shape shape);

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
	uint32_t end[PROMCB_CLASSIC_MAX]; /* one past the last bucket at or below the bound */
};

/* Whether the options' range is one. */
bool promcb_classic_is_range(const struct promcb_render_options *options);

/* As the options say, whose range is one. A classic_schema above the segment's, or the most there is, is that. */
void promcb_classic_make(struct promcb_classic *classic, uint32_t schema, const struct promcb_render_options *options);

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

/* The double that reads as those picoseconds. */
static inline double promcb_recent_seconds(double nanoseconds)
{
	uint64_t picoseconds;

	return promcb_recent_picoseconds(nanoseconds, &picoseconds) ? (double)picoseconds / 1e12 : nanoseconds / 1e9;
}

/* By shape: what a value function's value is as a number, and whether it is one. */
#define NUMBER_WHOLE(value) (*out = (double)value(component), true)
#define NUMBER_REAL(value) (*out = value(component), true)
#define NUMBER_TIME(value) (*out = promcb_ns_double(value(component)), value(component) != 0)
#define NUMBER_RECENT(value) (*out = promcb_recent_seconds(value(component)), true)
#define NUMBER_BY_STATE(value) (*out = (double)value(component, index), true)
#define NUMBER_BY_LEVEL NUMBER_BY_STATE
#define NUMBER_SUMMARY(value) false
#define NUMBER_HISTOGRAM(value) false

/*
 * The number of one series of a component, for formats that need no speed: index below the shape's count. Returns
 * false if there is none: a time that is not known; or a summary or a histogram, which are no number.
 */
static inline bool promcb_family_number(enum promcb_family_kind kind, const struct promcb_snapshot_component *component,
					unsigned index, double *out)
{
	switch (kind) {
#define NUMBER(kind, shape, value, ...) \
	case PROMCB_KIND_##kind:        \
		return NUMBER_##shape(value);
		PROMCB_FAMILIES(NUMBER)
#undef NUMBER
	default:
		return false;
	}
}

#undef NUMBER_WHOLE
#undef NUMBER_REAL
#undef NUMBER_TIME
#undef NUMBER_RECENT
#undef NUMBER_BY_STATE
#undef NUMBER_BY_LEVEL
#undef NUMBER_SUMMARY
#undef NUMBER_HISTOGRAM

/* Whether buckets [from, end) are known to hold nothing. Most octaves of most components do. */
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

/* How many calls fell in buckets [from, end). */
static inline uint64_t promcb_calls_in(const struct promcb_snapshot_component *component, uint32_t from, uint32_t end)
{
	const uint64_t *success = component->counts.buckets[0];
	const uint64_t *failure = component->counts.buckets[1];
	uint64_t sums[2] = {0};

	/* Octaves have a multiple of eight buckets; written out like this, compilers make vectors of it. */
	for (; from + 8 <= end; from += 8)
		for (unsigned j = 0; j < 8; j++)
			sums[j % 2] += success[from + j] + failure[from + j];
	for (; from < end; from++)
		sums[0] += success[from] + failure[from];
	return sums[0] + sums[1];
}

/*
 * Asks for the buckets [from, end) of a component whose turn comes soon: at 10,000 components this saves a fifth of all
 * time.
 */
static inline void promcb_prefetch_buckets(const struct promcb_snapshot_component *component, uint32_t from,
					   uint32_t end)
{
	const uint32_t buckets_per_line = 64 / sizeof(uint64_t);

	for (; from < end; from += buckets_per_line) {
		__builtin_prefetch(component->counts.buckets[0] + from);
		__builtin_prefetch(component->counts.buckets[1] + from);
	}
}

#endif

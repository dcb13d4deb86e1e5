/* SPDX-License-Identifier: MIT */
/*
 * render_text.c: a snapshot as Prometheus text 0.0.4: the families of components. Those about promcb itself are in
 * render_self.c.
 *
 * May include: render_text.h, bucket.h.
 *
 * Invariants: all lines of a family stand together, HELP and TYPE before them; within a family the lines of a
 * component stand together, in the snapshot's order; `_count` = `le="+Inf"` = circuit_breaker_calls_total = successes
 * + failures, since all are made from the same two sums; every line ends with one line feed.
 */
#include "render_text.h"

#include "bucket.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct text {
	const struct promcb_snapshot *snapshot;
	struct promcb_sink *sink;
	struct label *labels;   /* by component */
};

static inline uint64_t calls(const struct promcb_snapshot_component *component)
{
	return component->calls[0] + component->calls[1];
}

static inline uint64_t successes(const struct promcb_snapshot_component *component)
{
	return component->calls[0];
}

static inline uint64_t failures(const struct promcb_snapshot_component *component)
{
	return component->calls[1];
}

static inline uint64_t latency_sum_ns(const struct promcb_snapshot_component *component)
{
	return component->latency_sum_ns[0] + component->latency_sum_ns[1];
}

static inline uint64_t state_code(const struct promcb_snapshot_component *component)
{
	return component->state;
}

static inline uint64_t log_entries(const struct promcb_snapshot_component *component)
{
	return component->log_entries[PROMCB_LOG_DEBUG] + component->log_entries[PROMCB_LOG_INFO] +
	       component->log_entries[PROMCB_LOG_WARNING] + component->log_entries[PROMCB_LOG_ERROR];
}

static inline uint64_t last_failure_ns(const struct promcb_snapshot_component *component)
{
	return component->last_failure_ns;
}

static inline uint64_t last_state_change_ns(const struct promcb_snapshot_component *component)
{
	return component->last_state_change_ns;
}

static inline double failure_rate(const struct promcb_snapshot_component *component)
{
	uint64_t total = calls(component);

	return total ? 100.0 * (double)failures(component) / (double)total : 0;
}

static inline double recent_failure_rate(const struct promcb_snapshot_component *component)
{
	const struct promcb_recent *recent = &component->recent;

	return recent->calls ? 100.0 * (double)recent->failures / (double)recent->calls : (double)NAN;
}

/*
 * The four shapes of a family with at most one line per component. Inlined with their value function, so that each is
 * one tight loop.
 */

#define SHAPE static inline __attribute__((always_inline)) void

SHAPE each_u64(const struct text *text, const char *name, uint64_t (*value)(const struct promcb_snapshot_component *))
{
	const struct series series = make_series(name, "");

	for (size_t i = 0; i < text->snapshot->count; i++) {
		char *at = promcb_sink_room(text->sink, LINE_MAX_BYTES);

		if (!at)
			return;
		at = put_plain(at, &series, &text->labels[i]);
		promcb_sink_wrote(text->sink, put_u64(at, value(&text->snapshot->components[i])));
	}
}

SHAPE each_double(const struct text *text, const char *name, double (*value)(const struct promcb_snapshot_component *))
{
	const struct series series = make_series(name, "");

	for (size_t i = 0; i < text->snapshot->count; i++) {
		char *at = promcb_sink_room(text->sink, LINE_MAX_BYTES);

		if (!at)
			return;
		at = put_plain(at, &series, &text->labels[i]);
		promcb_sink_wrote(text->sink, put_double(at, value(&text->snapshot->components[i])));
	}
}

/* A point in time; none, no line. */
SHAPE each_time(const struct text *text, const char *name, uint64_t (*value)(const struct promcb_snapshot_component *))
{
	const struct series series = make_series(name, "");

	for (size_t i = 0; i < text->snapshot->count; i++) {
		uint64_t nanoseconds = value(&text->snapshot->components[i]);
		char *at = promcb_sink_room(text->sink, LINE_MAX_BYTES);

		if (!at)
			return;
		if (nanoseconds == 0)
			continue;
		at = put_plain(at, &series, &text->labels[i]);
		promcb_sink_wrote(text->sink, put_seconds(at, nanoseconds));
	}
}

/* One line for each of a few suffixes. */
SHAPE each_suffixed(const struct text *text, const char *name, const struct suffix *suffixes, unsigned count,
		    uint64_t (*value)(const struct promcb_snapshot_component *, unsigned))
{
	const struct series series = make_series(name, "");

	for (size_t i = 0; i < text->snapshot->count; i++) {
		char *at = promcb_sink_room(text->sink, count * LINE_MAX_BYTES);

		if (!at)
			return;
		for (unsigned j = 0; j < count; j++) {
			at = put_suffixed(at, &series, &text->labels[i], &suffixes[j]);
			at = put_u64(at, value(&text->snapshot->components[i], j));
		}
		promcb_sink_wrote(text->sink, at);
	}
}

static void lines_calls(const struct text *text, const char *name)
{
	each_u64(text, name, calls);
}

static void lines_successes(const struct text *text, const char *name)
{
	each_u64(text, name, successes);
}

static void lines_failures(const struct text *text, const char *name)
{
	each_u64(text, name, failures);
}

static void lines_failure_rate(const struct text *text, const char *name)
{
	each_double(text, name, failure_rate);
}

static void lines_recent_failure_rate(const struct text *text, const char *name)
{
	each_double(text, name, recent_failure_rate);
}

static void lines_state_code(const struct text *text, const char *name)
{
	each_u64(text, name, state_code);
}

static void lines_last_failure(const struct text *text, const char *name)
{
	each_time(text, name, last_failure_ns);
}

static void lines_last_state_change(const struct text *text, const char *name)
{
	each_time(text, name, last_state_change_ns);
}

static void lines_log_entries(const struct text *text, const char *name)
{
	each_u64(text, name, log_entries);
}

static const struct suffix states[] = {
	[PROMCB_CLOSED] = SUFFIX(",state=\"closed\"} "),
	[PROMCB_OPEN] = SUFFIX(",state=\"open\"} "),
	[PROMCB_HALF_OPEN] = SUFFIX(",state=\"half_open\"} "),
};

static inline uint64_t is_in_state(const struct promcb_snapshot_component *component, unsigned state)
{
	return component->state == state;
}

static void lines_state(const struct text *text, const char *name)
{
	each_suffixed(text, name, states, 3, is_in_state);
}

static inline uint64_t transitions(const struct promcb_snapshot_component *component, unsigned state)
{
	return component->transitions[state];
}

static void lines_transitions(const struct text *text, const char *name)
{
	each_suffixed(text, name, states, 3, transitions);
}

static const struct suffix levels[] = {
	[PROMCB_LOG_DEBUG] = SUFFIX(",level=\"debug\"} "),
	[PROMCB_LOG_INFO] = SUFFIX(",level=\"info\"} "),
	[PROMCB_LOG_WARNING] = SUFFIX(",level=\"warning\"} "),
	[PROMCB_LOG_ERROR] = SUFFIX(",level=\"error\"} "),
};

static inline uint64_t log_entries_of(const struct promcb_snapshot_component *component, unsigned level)
{
	return component->log_entries[level];
}

static void lines_log_levels(const struct text *text, const char *name)
{
	each_suffixed(text, name, levels, 4, log_entries_of);
}

/* A latency of the recent calls: not a number if there were none, whatever stands there. */
static inline char *put_recent(char *at, const struct promcb_recent *recent, double nanoseconds)
{
	return put_latency(at, recent->calls ? nanoseconds : (double)NAN);
}

static void lines_average(const struct text *text, const char *name)
{
	const struct series series = make_series(name, "");

	for (size_t i = 0; i < text->snapshot->count; i++) {
		const struct promcb_recent *recent = &text->snapshot->components[i].recent;
		char *at = promcb_sink_room(text->sink, LINE_MAX_BYTES);

		if (!at)
			return;
		at = put_plain(at, &series, &text->labels[i]);
		promcb_sink_wrote(text->sink, put_recent(at, recent, recent->average_ns));
	}
}

static const struct suffix quantiles[PROMCB_QUANTILES] = {
	[PROMCB_P50] = SUFFIX(",quantile=\"0.5\"} "),    [PROMCB_P90] = SUFFIX(",quantile=\"0.9\"} "),
	[PROMCB_P95] = SUFFIX(",quantile=\"0.95\"} "),   [PROMCB_P99] = SUFFIX(",quantile=\"0.99\"} "),
	[PROMCB_P999] = SUFFIX(",quantile=\"0.999\"} "),
};

static void lines_latency(const struct text *text, const char *name)
{
	const struct series series = make_series(name, "");
	const struct series sum = make_series(name, "_sum");
	const struct series count = make_series(name, "_count");

	for (size_t i = 0; i < text->snapshot->count; i++) {
		const struct promcb_snapshot_component *component = &text->snapshot->components[i];
		const struct label *label = &text->labels[i];
		char *at = promcb_sink_room(text->sink, (PROMCB_QUANTILES + 2) * LINE_MAX_BYTES);

		if (!at)
			return;
		for (unsigned q = 0; q < PROMCB_QUANTILES; q++) {
			at = put_suffixed(at, &series, label, &quantiles[q]);
			at = put_recent(at, &component->recent, component->recent.quantile_ns[q]);
		}
		at = put_seconds(put_plain(at, &sum, label), latency_sum_ns(component));
		at = put_u64(put_plain(at, &count, label), calls(component));
		promcb_sink_wrote(text->sink, at);
	}
}

/*
 * Bounds are 2^-12 to 2^3 s: powers of two, for then they are bounds of the native buckets as well, and their sums
 * are exact.
 */
enum { LE_FIRST = -12, LE_BOUNDS = 16 };

static const struct suffix bounds[LE_BOUNDS + 1] = {
	SUFFIX(",le=\"0.000244140625\"} "),
	SUFFIX(",le=\"0.00048828125\"} "),
	SUFFIX(",le=\"0.0009765625\"} "),
	SUFFIX(",le=\"0.001953125\"} "),
	SUFFIX(",le=\"0.00390625\"} "),
	SUFFIX(",le=\"0.0078125\"} "),
	SUFFIX(",le=\"0.015625\"} "),
	SUFFIX(",le=\"0.03125\"} "),
	SUFFIX(",le=\"0.0625\"} "),
	SUFFIX(",le=\"0.125\"} "),
	SUFFIX(",le=\"0.25\"} "),
	SUFFIX(",le=\"0.5\"} "),
	SUFFIX(",le=\"1.0\"} "),
	SUFFIX(",le=\"2.0\"} "),
	SUFFIX(",le=\"4.0\"} "),
	SUFFIX(",le=\"8.0\"} "),
	SUFFIX(",le=\"+Inf\"} "),
};

/* How many calls fell in cells [from, end). */
static inline uint64_t calls_in(const struct promcb_snapshot_component *component, uint32_t from, uint32_t end)
{
	const uint64_t *success = component->cells[0];
	const uint64_t *failure = component->cells[1];
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
static inline void prefetch(const struct promcb_snapshot_component *component, uint32_t from, uint32_t end)
{
	const uint32_t cells_per_line = 64 / sizeof(uint64_t);

	for (; from < end; from += cells_per_line) {
		__builtin_prefetch(component->cells[0] + from);
		__builtin_prefetch(component->cells[1] + from);
	}
}

static void lines_duration(const struct text *text, const char *name)
{
	const struct promcb_snapshot *snapshot = text->snapshot;
	const struct series bucket = make_series(name, "_bucket");
	const struct series sum = make_series(name, "_sum");
	const struct series count = make_series(name, "_count");
	uint32_t end[LE_BOUNDS];

	for (int k = 0; k < LE_BOUNDS; k++)
		end[k] = promcb_bucket_end_of_power(snapshot->schema, LE_FIRST + k);
	for (size_t i = 0; i < snapshot->count; i++) {
		const struct promcb_snapshot_component *component = &snapshot->components[i];
		const struct promcb_snapshot_component *next = i + 1 < snapshot->count ? component + 1 : component;
		const struct label *label = &text->labels[i];
		uint64_t in[LE_BOUNDS];
		char *at = promcb_sink_room(text->sink, (LE_BOUNDS + 3) * LINE_MAX_BYTES);

		if (!at)
			return;
		/*
		 * Reading cells is what takes time here. The lowest are nearly half of them: since a snapshot's calls
		 * are the sum of all its cells, what lies below the first bound is what is left of the calls.
		 */
		in[0] = calls(component) - calls_in(component, end[LE_BOUNDS - 1], snapshot->cells);
		for (int k = 1; k < LE_BOUNDS; k++) {
			in[k] = calls_in(component, end[k - 1], end[k]);
			in[0] -= in[k];
		}
		uint64_t below = 0;

		prefetch(next, end[LE_BOUNDS - 1], snapshot->cells);
		for (int k = 0; k < LE_BOUNDS; k++) {
			if (k > 0)
				prefetch(next, end[k - 1], end[k]);
			below += in[k];
			at = put_u64(put_suffixed(at, &bucket, label, &bounds[k]), below);
		}
		at = put_u64(put_suffixed(at, &bucket, label, &bounds[LE_BOUNDS]), calls(component));
		at = put_seconds(put_plain(at, &sum, label), latency_sum_ns(component));
		at = put_u64(put_plain(at, &count, label), calls(component));
		promcb_sink_wrote(text->sink, at);
	}
}

_Static_assert((LE_BOUNDS + 3) * LINE_MAX_BYTES <= PROMCB_SINK_ROOM_MAX,
	       "the largest family asks for more than a sink gives");

/* The families of components. compat: says again, in the words of the reference guide, what another family says. */
static const struct family {
	const char *name, *type, *help;
	void (*lines)(const struct text *text, const char *name);
	bool compat;
} families[] = {
	{"circuit_breaker_calls_total", "counter", "Calls through the breaker.", lines_calls, false},
	{"circuit_breaker_successes_total", "counter", "Calls that succeeded.", lines_successes, false},
	{"circuit_breaker_failures_total", "counter", "Calls that failed.", lines_failures, false},
	{"circuit_breaker_calls_success", "untyped", "Alias of circuit_breaker_successes_total.", lines_successes,
	 true},
	{"circuit_breaker_calls_failed", "untyped", "Alias of circuit_breaker_failures_total.", lines_failures, true},
	{"circuit_breaker_failure_rate", "gauge",
	 "Failed calls in percent of all calls, 0 to 100; 0 if there were none.", lines_failure_rate, true},
	{"circuit_breaker_recent_failure_rate", "gauge",
	 "Failed calls in percent of the recent calls, 0 to 100; NaN if there were none.", lines_recent_failure_rate,
	 false},
	{"circuit_breaker_latency_seconds", "summary",
	 "Call latency: quantiles over the recent calls; sum and count are cumulative.", lines_latency, false},
	{"circuit_breaker_latency_seconds_avg", "gauge",
	 "Mean latency of the recent calls in seconds; NaN if there were none.", lines_average, true},
	{"circuit_breaker_call_duration_seconds", "histogram", "Call latency distribution.", lines_duration, false},
	{"circuit_breaker_state", "gauge", "1 for the current state of the breaker, 0 for the others.", lines_state,
	 false},
	{"circuit_breaker_state_code", "gauge", "State of the breaker: 0 closed, 1 open, 2 half-open.",
	 lines_state_code, false},
	{"circuit_breaker_state_transitions_total", "counter", "Changes into that state.", lines_transitions, false},
	{"circuit_breaker_last_state_change_timestamp_seconds", "gauge", "Unix time of the last change of state.",
	 lines_last_state_change, false},
	{"circuit_breaker_last_failure_timestamp_seconds", "gauge", "Unix time of the last failure.",
	 lines_last_failure, false},
	{"log_entries_total", "counter", "Log entries.", lines_log_entries, false},
	{"log_entries_by_level", "untyped", "Log entries by level.", lines_log_levels, false},
};

/* Escapes all labels. Returns their memory, to be freed, or NULL. */
static struct label *make_labels(const struct promcb_snapshot *snapshot)
{
	size_t bytes = snapshot->count * sizeof(struct label) + PIECE;

	for (size_t i = 0; i < snapshot->count; i++)
		bytes += 12 + 2 * (size_t)snapshot->components[i].name_bytes + 3;
	struct label *labels = malloc(bytes);

	if (!labels)
		return NULL;
	char *at = (char *)(labels + snapshot->count);

	for (size_t i = 0; i < snapshot->count; i++) {
		const struct promcb_snapshot_component *component = &snapshot->components[i];

		labels[i].text = at;
		memcpy(at, "{component=\"", 12);
		at += 12;
		for (uint32_t j = 0; j < component->name_bytes; j++) {
			char c = component->name[j];

			if (c == '"' || c == '\\' || c == '\n')
				*at++ = '\\';
			*at++ = c == '\n' ? 'n' : c;
		}
		memcpy(at, "\"} ", 3);
		at += 3;
		labels[i].bytes = (size_t)(at - labels[i].text) - 2;
	}
	memset(at, 0, PIECE); /* copies read past the last */
	return labels;
}

void promcb_render_text(const struct promcb_snapshot *snapshot, const struct promcb_render_options *options,
			struct promcb_sink *sink)
{
	struct text text = {.snapshot = snapshot, .sink = sink};

	if (snapshot->count) {
		text.labels = make_labels(snapshot);
		if (!text.labels) {
			if (!sink->error)
				sink->error = -ENOMEM;
			return;
		}
	}
	for (size_t i = 0; snapshot->count && i < sizeof(families) / sizeof(families[0]); i++) {
		const struct family *family = &families[i];

		if (family->compat && options->without_compat)
			continue;
		promcb_render_head(sink, family->name, family->type, family->help);
		family->lines(&text, family->name);
	}
	free(text.labels);
	promcb_render_self(&snapshot->info, options, sink);
}

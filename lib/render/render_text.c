/* SPDX-License-Identifier: MIT */
/*
 * render_text.c: snapshots as Prometheus text 0.0.4 and as OpenMetrics 1.0.0, which differ in what stands above a
 * family and in the last line.
 *
 * Invariants: all lines of a family stand together, HELP and TYPE before them; within a family the lines of a
 * component stand together, by part and then in the snapshot's order; `_count` = `le="+Inf"` =
 * circuit_breaker_calls_total = successes + failures, since all are made from the same two sums; every line ends with
 * one line feed. Sources: Prometheus' exposition_formats.md, OpenMetrics 1.0.0.
 */
#include "render/render_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* One part, and what its lines are made with. */
struct text {
	const struct promcb_snapshot *snapshot;
	struct promcb_sink *sink;
	struct label *labels;           /* by component */
	struct promcb_classic classic;
	const struct suffix *bounds;    /* of all parts: classic.count, then that of +Inf */
};

static inline uint64_t successes(const struct promcb_snapshot_component *component)
{
	return component->counts.calls[0];
}

static inline uint64_t failures(const struct promcb_snapshot_component *component)
{
	return component->counts.calls[1];
}

static inline uint64_t state_code(const struct promcb_snapshot_component *component)
{
	return component->state;
}

static inline uint64_t last_failure_ns(const struct promcb_snapshot_component *component)
{
	return component->last_failure_ns;
}

static inline uint64_t last_state_change_ns(const struct promcb_snapshot_component *component)
{
	return component->last_state_change_ns;
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
	each_u64(text, name, promcb_calls);
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
	each_double(text, name, promcb_failure_rate);
}

static void lines_recent_failure_rate(const struct text *text, const char *name)
{
	each_double(text, name, promcb_recent_failure_rate);
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
	return component->counts.transitions[state];
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
	return component->counts.log_entries[level];
}

static void lines_log_levels(const struct text *text, const char *name)
{
	each_suffixed(text, name, levels, 4, log_entries_of);
}

static inline char *put_recent(char *at, const struct promcb_recent *recent, double nanoseconds)
{
	uint64_t picoseconds;

	nanoseconds = promcb_recent_ns(recent, nanoseconds);
	if (promcb_recent_picoseconds(nanoseconds, &picoseconds))
		at = promcb_digits_picoseconds(at, picoseconds);
	else
		at = promcb_digits_double(at, nanoseconds / 1e9);
	*at++ = '\n';
	return at;
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
		at = put_sum(put_plain(at, &sum, label), component);
		at = put_u64(put_plain(at, &count, label), promcb_measured_calls(component));
		promcb_sink_wrote(text->sink, at);
	}
}

/* How many lines of buckets room is asked for at a time. */
enum { BUCKET_LINES = 16 };

static void lines_duration(const struct text *text, const char *name)
{
	const struct promcb_snapshot *snapshot = text->snapshot;
	const struct series bucket = make_series(name, "_bucket");
	const struct series sum = make_series(name, "_sum");
	const struct series count = make_series(name, "_count");
	const struct promcb_classic *classic = &text->classic;
	const uint32_t *end = classic->end;
	uint32_t schema = snapshot->schema;
	unsigned bounds = classic->count;

	for (size_t i = 0; i < snapshot->count; i++) {
		const struct promcb_snapshot_component *component = &snapshot->components[i];
		const struct promcb_snapshot_component *next = i + 1 < snapshot->count ? component + 1 : component;
		const struct label *label = &text->labels[i];
		uint64_t in[PROMCB_CLASSIC_MAX], below = 0;
		const char *digits = "";
		size_t digits_bytes = 0;
		char *at = NULL;

		/*
		 * Reading cells is what takes time here. The lowest are nearly half of them: since a snapshot's calls
		 * are the sum of all its cells, what lies below the first bound is what is left of the calls.
		 */
		in[0] = promcb_measured_calls(component);
		if (!promcb_is_empty(component, schema, end[bounds - 1], snapshot->cells))
			in[0] -= promcb_calls_in(component, end[bounds - 1], snapshot->cells);
		for (unsigned k = 1; k < bounds; k++) {
			in[k] = promcb_is_empty(component, schema, end[k - 1], end[k])
					? 0
					: promcb_calls_in(component, end[k - 1], end[k]);
			in[0] -= in[k];
		}
		if (!promcb_is_empty(next, schema, end[bounds - 1], snapshot->cells))
			promcb_prefetch_cells(next, end[bounds - 1], snapshot->cells);
		for (unsigned k = 0; k < bounds; k++) {
			if (k % BUCKET_LINES == 0) {
				if (at)
					promcb_sink_wrote(text->sink, at);
				at = promcb_sink_room(text->sink, (BUCKET_LINES + 3) * LINE_MAX_BYTES);
				if (!at)
					return;
			}
			if (k > 0 && !promcb_is_empty(next, schema, end[k - 1], end[k]))
				promcb_prefetch_cells(next, end[k - 1], end[k]);
			below += in[k];
			at = put_suffixed(at, &bucket, label, &text->bounds[k]);
			/* Nothing new in this bucket: the line before has the digits, with the line feed. */
			if (k % BUCKET_LINES > 0 && in[k] == 0) {
				at = copy(at, digits, digits_bytes);
				continue;
			}
			digits = at;
			at = put_u64(at, below);
			digits_bytes = (size_t)(at - digits);
		}
		at = put_u64(put_suffixed(at, &bucket, label, &text->bounds[bounds]), promcb_measured_calls(component));
		at = put_sum(put_plain(at, &sum, label), component);
		at = put_u64(put_plain(at, &count, label), promcb_measured_calls(component));
		promcb_sink_wrote(text->sink, at);
	}
}

_Static_assert((BUCKET_LINES + 3) * LINE_MAX_BYTES <= PROMCB_SINK_ROOM_MAX,
	       "the largest family asks for more than a sink gives");

static void (*const lines[PROMCB_KINDS])(const struct text *text, const char *name) = {
	[PROMCB_KIND_CALLS] = lines_calls,
	[PROMCB_KIND_SUCCESSES] = lines_successes,
	[PROMCB_KIND_FAILURES] = lines_failures,
	[PROMCB_KIND_COMPAT_SUCCESSES] = lines_successes,
	[PROMCB_KIND_COMPAT_FAILURES] = lines_failures,
	[PROMCB_KIND_FAILURE_RATE] = lines_failure_rate,
	[PROMCB_KIND_RECENT_FAILURE_RATE] = lines_recent_failure_rate,
	[PROMCB_KIND_LATENCY] = lines_latency,
	[PROMCB_KIND_AVERAGE] = lines_average,
	[PROMCB_KIND_DURATION] = lines_duration,
	[PROMCB_KIND_STATE] = lines_state,
	[PROMCB_KIND_STATE_CODE] = lines_state_code,
	[PROMCB_KIND_TRANSITIONS] = lines_transitions,
	[PROMCB_KIND_LAST_STATE_CHANGE] = lines_last_state_change,
	[PROMCB_KIND_LAST_FAILURE] = lines_last_failure,
	[PROMCB_KIND_LOG_ENTRIES] = lines_log_levels,
	[PROMCB_KIND_LOG_LEVELS] = lines_log_levels,
};

/* -- A rendering --------------------------------------------------------------------------------------------------- */

static char *put_label(char *at, const char *value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		char c = value[i];

		if (c == '"' || c == '\\' || c == '\n')
			*at++ = '\\';
		*at++ = c == '\n' ? 'n' : c;
	}
	return at;
}

/* Escapes all labels of a part. Returns their memory, to be freed, or NULL. */
static struct label *make_labels(const struct promcb_render_part *part, const struct promcb_render_options *options)
{
	const struct promcb_snapshot *snapshot = part->snapshot;
	size_t segment_bytes = part->segment ? strlen(part->segment) : 0;
	size_t around = LABEL_MAX - 2 * PROMCB_NAME_MAX - 2 * PROMCB_SEGMENT_LABEL_MAX + 2 * segment_bytes;
	size_t bytes = snapshot->count * sizeof(struct label) + PIECE;

	for (size_t i = 0; i < snapshot->count; i++)
		bytes += around + 2 * (size_t)snapshot->components[i].name_bytes;
	struct label *labels = malloc(bytes);

	if (!labels)
		return NULL;
	char *at = (char *)(labels + snapshot->count);

	for (size_t i = 0; i < snapshot->count; i++) {
		const struct promcb_snapshot_component *component = &snapshot->components[i];

		labels[i].text = at;
		*at++ = '{';
		if (options->label_name) {
			at = stpcpy(stpcpy(at, options->label_name), "=\"");
			at = put_label(at, options->label_value, strlen(options->label_value));
			at = stpcpy(at, "\",");
		}
		if (part->segment) {
			at = stpcpy(at, "segment=\"");
			at = put_label(at, part->segment, segment_bytes);
			at = stpcpy(at, "\",");
		}
		at = stpcpy(at, "component=\"");
		at = put_label(at, component->name, component->name_bytes);
		memcpy(at, "\"} ", 3);
		at += 3;
		labels[i].bytes = (size_t)(at - labels[i].text) - 2;
	}
	memset(at, 0, PIECE); /* copies read past the last */
	return labels;
}

/* The labels of classic bounds. */
static void make_bounds(const struct promcb_classic *classic, struct suffix *bounds)
{
	static const struct suffix infinite = SUFFIX(",le=\"+Inf\"} ");

	for (unsigned i = 0; i < classic->count; i++) {
		char number[PROMCB_DIGITS_ROOM] = "";
		char *end = promcb_digits_canonical(number, classic->bound_seconds[i]);

		*end = '\0';
		bounds[i].bytes = (size_t)snprintf(bounds[i].text, sizeof(bounds[i].text), ",le=\"%s\"} ", number);
	}
	bounds[classic->count] = infinite;
}

/* Makes what the lines of each part need. Returns 0, or -ENOMEM. */
static int prepare(const struct promcb_rendering *rendering, struct text *texts,
		   struct suffix (*bounds)[PROMCB_CLASSIC_MAX + 1])
{
	for (size_t i = 0; i < rendering->count; i++) {
		const struct promcb_render_part *part = &rendering->parts[i];
		struct text *text = &texts[i];

		text->snapshot = part->snapshot;
		text->sink = rendering->sink;
		if (!part->snapshot || !part->snapshot->count)
			continue;
		text->labels = make_labels(part, rendering->options);
		if (!text->labels)
			return -ENOMEM;
		promcb_classic_make(&text->classic, part->snapshot->schema, rendering->options);
		make_bounds(&text->classic, bounds[i]);
		text->bounds = bounds[i];
	}
	return 0;
}

static void render(const struct promcb_rendering *rendering, bool openmetrics)
{
	struct promcb_text_dialect dialect = {rendering->sink, openmetrics};
	struct text *texts = calloc(rendering->count + 1, sizeof(*texts));
	struct suffix(*bounds)[PROMCB_CLASSIC_MAX + 1] = calloc(rendering->count + 1, sizeof(*bounds));
	bool any = false;

	if (!texts || !bounds || prepare(rendering, texts, bounds) < 0) {
		if (!rendering->sink->error)
			rendering->sink->error = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < rendering->count; i++)
		any |= texts[i].labels != NULL;
	for (unsigned kind = 0; any && kind < PROMCB_KINDS; kind++) {
		const struct promcb_component_family *family = &promcb_families[kind];

		if (family->compat && rendering->options->without_compat)
			continue;
		promcb_text_head(rendering->sink, openmetrics, family->name, family->type, family->unit, family->help);
		for (size_t i = 0; i < rendering->count; i++) {
			if (texts[i].labels)
				lines[kind](&texts[i], family->name);
		}
	}
	promcb_plain_each(rendering, promcb_text_plain, &dialect);
	if (openmetrics)
		promcb_sink_text(rendering->sink, "# EOF\n");
out:
	for (size_t i = 0; texts && i < rendering->count; i++)
		free(texts[i].labels);
	free(bounds);
	free(texts);
}

void promcb_render_text(const struct promcb_rendering *rendering)
{
	render(rendering, false);
}

void promcb_render_openmetrics(const struct promcb_rendering *rendering)
{
	render(rendering, true);
}

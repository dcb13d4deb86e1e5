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

/*
 * The shapes of a family with at most one line per component or label. Inlined with their value function, so that each
 * is one tight loop.
 */

#define SHAPE static inline __attribute__((always_inline)) void

/* A component's line up to its value; NULL: the sink takes no more. */
static inline __attribute__((always_inline)) char *begin_line(const struct text *text, const struct series *series,
							      size_t i)
{
	char *at = promcb_sink_room(text->sink, LINE_MAX_BYTES);

	return at ? put_plain(at, series, &text->labels[i]) : NULL;
}

SHAPE each_whole(const struct text *text, const char *name, uint64_t (*value)(const struct promcb_snapshot_component *))
{
	const struct series series = make_series(name, "");

	for (size_t i = 0; i < text->snapshot->count; i++) {
		char *at = begin_line(text, &series, i);

		if (!at)
			return;
		promcb_sink_wrote(text->sink, put_u64(at, value(&text->snapshot->components[i])));
	}
}

SHAPE each_real(const struct text *text, const char *name, double (*value)(const struct promcb_snapshot_component *))
{
	const struct series series = make_series(name, "");

	for (size_t i = 0; i < text->snapshot->count; i++) {
		char *at = begin_line(text, &series, i);

		if (!at)
			return;
		promcb_sink_wrote(text->sink, put_double(at, value(&text->snapshot->components[i])));
	}
}

/* A point in time; none, no line. */
SHAPE each_time(const struct text *text, const char *name, uint64_t (*value)(const struct promcb_snapshot_component *))
{
	const struct series series = make_series(name, "");

	for (size_t i = 0; i < text->snapshot->count; i++) {
		uint64_t nanoseconds = value(&text->snapshot->components[i]);

		if (nanoseconds == 0)
			continue;
		char *at = begin_line(text, &series, i);

		if (!at)
			return;
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

static const struct suffix states[] = {
	[PROMCB_CLOSED] = SUFFIX(",state=\"closed\"} "),
	[PROMCB_OPEN] = SUFFIX(",state=\"open\"} "),
	[PROMCB_HALF_OPEN] = SUFFIX(",state=\"half_open\"} "),
};

static const struct suffix levels[] = {
	[PROMCB_LOG_DEBUG] = SUFFIX(",level=\"debug\"} "),
	[PROMCB_LOG_INFO] = SUFFIX(",level=\"info\"} "),
	[PROMCB_LOG_WARNING] = SUFFIX(",level=\"warning\"} "),
	[PROMCB_LOG_ERROR] = SUFFIX(",level=\"error\"} "),
};

/* nanoseconds: not a number if there are none. */
static inline char *put_recent(char *at, double nanoseconds)
{
	uint64_t picoseconds;

	if (promcb_recent_picoseconds(nanoseconds, &picoseconds))
		at = promcb_digits_picoseconds(at, picoseconds);
	else
		at = promcb_digits_double(at, nanoseconds / 1e9);
	*at++ = '\n';
	return at;
}

SHAPE each_recent(const struct text *text, const char *name, double (*value)(const struct promcb_snapshot_component *))
{
	const struct series series = make_series(name, "");

	for (size_t i = 0; i < text->snapshot->count; i++) {
		char *at = promcb_sink_room(text->sink, LINE_MAX_BYTES);

		if (!at)
			return;
		at = put_plain(at, &series, &text->labels[i]);
		promcb_sink_wrote(text->sink, put_recent(at, value(&text->snapshot->components[i])));
	}
}

static const struct suffix quantiles[PROMCB_QUANTILES] = {
	[PROMCB_P50] = SUFFIX(",quantile=\"0.5\"} "),    [PROMCB_P90] = SUFFIX(",quantile=\"0.9\"} "),
	[PROMCB_P95] = SUFFIX(",quantile=\"0.95\"} "),   [PROMCB_P99] = SUFFIX(",quantile=\"0.99\"} "),
	[PROMCB_P999] = SUFFIX(",quantile=\"0.999\"} "),
};

static void lines_summary(const struct text *text, const char *name)
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
			at = put_recent(at, promcb_recent_ns(&component->recent, component->recent.quantile_ns[q]));
		}
		at = put_sum(put_plain(at, &sum, label), component);
		at = put_u64(put_plain(at, &count, label), promcb_counts_measured(&component->counts));
		promcb_sink_wrote(text->sink, at);
	}
}

/* How many lines of buckets room is asked for at a time. */
enum { BUCKET_LINES = 16 };

static void lines_histogram(const struct text *text, const char *name)
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
		 * Reading buckets is what takes time here. The lowest are nearly half of them: since a snapshot's calls
		 * are the sum of all its buckets, what lies below the first bound is what is left of the calls.
		 */
		in[0] = promcb_counts_measured(&component->counts);
		if (!promcb_is_empty(component, schema, end[bounds - 1], snapshot->buckets))
			in[0] -= promcb_calls_in(component, end[bounds - 1], snapshot->buckets);
		for (unsigned k = 1; k < bounds; k++) {
			in[k] = promcb_is_empty(component, schema, end[k - 1], end[k])
					? 0
					: promcb_calls_in(component, end[k - 1], end[k]);
			in[0] -= in[k];
		}
		if (!promcb_is_empty(next, schema, end[bounds - 1], snapshot->buckets))
			promcb_prefetch_buckets(next, end[bounds - 1], snapshot->buckets);
		for (unsigned k = 0; k < bounds; k++) {
			if (k % BUCKET_LINES == 0) {
				if (at)
					promcb_sink_wrote(text->sink, at);
				at = promcb_sink_room(text->sink, (BUCKET_LINES + 3) * LINE_MAX_BYTES);
				if (!at)
					return;
			}
			if (k > 0 && !promcb_is_empty(next, schema, end[k - 1], end[k]))
				promcb_prefetch_buckets(next, end[k - 1], end[k]);
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
		at = put_u64(put_suffixed(at, &bucket, label, &text->bounds[bounds]),
			     promcb_counts_measured(&component->counts));
		at = put_sum(put_plain(at, &sum, label), component);
		at = put_u64(put_plain(at, &count, label), promcb_counts_measured(&component->counts));
		promcb_sink_wrote(text->sink, at);
	}
}

_Static_assert((BUCKET_LINES + 3) * LINE_MAX_BYTES <= PROMCB_SINK_ROOM_MAX,
	       "the largest family asks for more than a sink gives");

/* By shape: the lines of a family, and its value compiled into them. */
#define LINES_WHOLE(value) each_whole(text, name, value)
#define LINES_REAL(value) each_real(text, name, value)
#define LINES_TIME(value) each_time(text, name, value)
#define LINES_RECENT(value) each_recent(text, name, value)
#define LINES_BY_STATE(value) each_suffixed(text, name, states, PROMCB_STATES, value)
#define LINES_BY_LEVEL(value) each_suffixed(text, name, levels, PROMCB_LOG_LEVELS, value)
#define LINES_SUMMARY(value) lines_summary(text, name)
#define LINES_HISTOGRAM(value) lines_histogram(text, name)

#define LINES(kind, shape, value, ...)                                      \
	static void lines_##kind(const struct text *text, const char *name) \
	{                                                                   \
		LINES_##shape(value);                                       \
	}
PROMCB_FAMILIES(LINES)
#undef LINES

static void (*const lines[PROMCB_KINDS])(const struct text *text, const char *name) = {
#define LINES(kind, ...) [PROMCB_KIND_##kind] = lines_##kind,
	PROMCB_FAMILIES(LINES)
#undef LINES
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

static char *put_own_labels(char *at, const struct promcb_full_name *name, const struct promcb_render_options *options)
{
	for (unsigned i = 0; i < name->count; i++) {
		const char *value = name->parts + name->value_at[i];

		*at++ = ',';
		at = stpcpy(at, promcb_own_label_prefix(options, name->parts + name->label_at[i]));
		at = stpcpy(stpcpy(at, name->parts + name->label_at[i]), "=\"");
		at = put_label(at, value, strlen(value));
		*at++ = '"';
	}
	return at;
}

/* Escapes all labels of a part. Returns their memory, to be freed, or NULL. */
static struct label *make_labels(const struct promcb_render_segment *part, const struct promcb_render_options *options)
{
	const struct promcb_snapshot *snapshot = part->snapshot;
	size_t segment_bytes = part->segment ? strlen(part->segment) : 0;
	size_t around = LABEL_MAX - COMPONENT_MAX - 2 * PROMCB_SEGMENT_LABEL_MAX + 2 * segment_bytes + 18 + RENAMED_MAX;
	size_t bytes = snapshot->count * sizeof(struct label) + PIECE;

	for (size_t i = 0; i < snapshot->count; i++)
		bytes += around + 2 * (size_t)snapshot->components[i].name.bytes;
	struct label *labels = malloc(bytes);

	if (!labels)
		return NULL;
	char *at = (char *)(labels + snapshot->count);

	for (size_t i = 0; i < snapshot->count; i++) {
		const struct promcb_snapshot_component *component = &snapshot->components[i];

		labels[i].text = at;
		*at++ = '{';
		for (size_t j = 0; j < options->label_count; j++) {
			at = stpcpy(stpcpy(at, options->labels[j].name), "=\"");
			at = put_label(at, options->labels[j].value, strlen(options->labels[j].value));
			at = stpcpy(at, "\",");
		}
		if (part->segment) {
			at = stpcpy(at, "segment=\"");
			at = put_label(at, part->segment, segment_bytes);
			at = stpcpy(at, "\",");
		}
		at = stpcpy(at, "component=\"");
		at = put_label(at, component->name.parts, promcb_full_name_bare_bytes(&component->name));
		*at++ = '"';
		if (component->name.count)
			at = put_own_labels(at, &component->name, options);
		memcpy(at, "} ", 2);
		at += 2;
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
		const struct promcb_render_segment *part = &rendering->parts[i];
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
	struct promcb_prefixed named;
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

		if (family->compat && (rendering->options->flags & PROMCB_RENDER_WITHOUT_COMPAT))
			continue;
		promcb_prefixed_make(&named, family, rendering->options);
		promcb_text_head(rendering->sink, openmetrics, named.name, family->type, family->unit, named.help);
		for (size_t i = 0; i < rendering->count; i++) {
			if (texts[i].labels)
				lines[kind](&texts[i], named.name);
		}
	}
	promcb_text_metrics(rendering, openmetrics);
	promcb_each_family(rendering, promcb_text_family, &dialect);
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

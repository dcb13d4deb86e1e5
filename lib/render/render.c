/* SPDX-License-Identifier: MIT */
/*
 * render.c: the table of renderers, and the calls of reader.h that go through it.
 *
 * A format is known here or nowhere: its name, its content type and its function stand in one row.
 */
#include "render/render.h"

#include "base/cancel.h"
#include "base/name.h"
#include "base/reserved.h"
#include "render/families.h"

#include <errno.h>
#include <string.h>

static const struct promcb_renderer renderers[] = {
	[PROMCB_FORMAT_TEXT] = {"text", "text/plain; version=0.0.4; charset=utf-8", promcb_render_text},
	[PROMCB_FORMAT_JSON] = {"json", "application/json", promcb_render_json},
	[PROMCB_FORMAT_HEALTH] = {"health", "application/json", promcb_render_health},
	[PROMCB_FORMAT_OPENMETRICS] = {"openmetrics", "application/openmetrics-text; version=1.0.0; charset=utf-8",
				       promcb_render_openmetrics},
	[PROMCB_FORMAT_PROTOBUF] = {"protobuf",
				    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
				    "encoding=delimited",
				    promcb_render_protobuf},
	[PROMCB_FORMAT_METRICS] = {"metrics", "application/json", promcb_render_metrics},
};

enum { RENDERERS = sizeof(renderers) / sizeof(renderers[0]) };

static const struct promcb_renderer *find(enum promcb_format format)
{
	return (unsigned)format < RENDERERS ? &renderers[format] : NULL;
}

static bool is_label(const char *segment)
{
	size_t bytes = segment ? strlen(segment) : 0;

	return !segment || (bytes >= 1 && bytes <= PROMCB_SEGMENT_LABEL_MAX && promcb_name_is_utf8(segment, bytes));
}

static bool has_label(const struct promcb_label *labels, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(labels[i].name, name) == 0)
			return true;
	return false;
}

static bool is_label_name(const char *name)
{
	static const char *const taken[] = {"segment", "component", "state",   "level",    "quantile",
					    "le",      "kind",      "version", "revision", "code"};

	size_t bytes = strlen(name);

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(name, taken[i]) == 0)
			return false;
	return bytes <= PROMCB_LABEL_NAME_MAX && promcb_name_is_word(name, bytes);
}

/* Every series of the caller's with labels that are not among those of all. */
static bool are_families(const struct promcb_render_options *options)
{
	for (size_t i = 0; i < options->family_count; i++) {
		const struct promcb_family *family = &options->families[i];

		if (!PROMCB_RESERVED_ARE_ZERO(family))
			return false;
		for (size_t j = 0; j < family->count; j++) {
			const struct promcb_series *series = &family->series[j];

			if (series->label_count > PROMCB_LABELS_MAX || !PROMCB_RESERVED_ARE_ZERO(series))
				return false;
			for (size_t k = 0; k < series->label_count; k++)
				if (has_label(options->labels, options->label_count, series->labels[k].name) ||
				    has_label(series->labels, k, series->labels[k].name))
					return false;
		}
	}
	return true;
}

static bool are_options(const struct promcb_render_options *options)
{
	size_t bytes = 1;

	if ((options->flags & ~(uint64_t)PROMCB_RENDER_WITHOUT_COMPAT) || !PROMCB_RESERVED_ARE_ZERO(options) ||
	    !promcb_classic_is_range(options) || !promcb_prefix_is_good(options->prefix) ||
	    options->label_count > PROMCB_LABELS_MAX)
		return false;
	for (size_t i = 0; i < options->label_count; i++) {
		const struct promcb_label *label = &options->labels[i];

		if (!label->name || !label->value || !is_label(label->value) || !is_label_name(label->name) ||
		    has_label(options->labels, i, label->name))
			return false;
		bytes += PROMCB_LABEL_BYTES(strlen(label->name), strlen(label->value));
	}
	return bytes <= PROMCB_COMMON_LABELS_MAX && are_families(options);
}

/* Two parts of one label would give every series twice, and a scrape of that fails, or worse, does not. */
static bool are_distinct(const struct promcb_render_segment *parts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			const char *one = parts[i].segment, *other = parts[j].segment;

			if (one == other || (one && other && strcmp(one, other) == 0))
				return false;
		}
	}
	return true;
}

int promcb_render_segments(const struct promcb_render_segment *parts, size_t count, enum promcb_format format,
			   const struct promcb_render_options *options, promcb_write_fn *write, void *context)
{
	PROMCB_NOT_CANCELLED;
	const struct promcb_render_options defaults = {0};
	const struct promcb_renderer *renderer = find(format);
	struct promcb_sink sink;
	const struct promcb_rendering rendering = {parts, count, options ? options : &defaults, &sink};

	if (!renderer || !are_options(rendering.options))
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (!is_label(parts[i].segment) || !PROMCB_RESERVED_ARE_ZERO(&parts[i]))
			return -EINVAL;
	}
	if (!are_distinct(parts, count))
		return -EINVAL;
	promcb_sink_start(&sink, write, context);
	renderer->render(&rendering);
	return promcb_sink_finish(&sink);
}

int promcb_render(const struct promcb_snapshot *snapshot, enum promcb_format format,
		  const struct promcb_render_options *options, promcb_write_fn *write, void *context)
{
	const struct promcb_render_segment part = {
		.snapshot = snapshot,
		.scrape_seconds = options ? options->scrape_seconds : 0,
	};

	return promcb_render_segments(&part, 1, format, options, write, context);
}

int promcb_format_parse(const char *name, enum promcb_format *out)
{
	for (unsigned i = 0; name && i < RENDERERS; i++) {
		if (strcmp(name, renderers[i].name) == 0) {
			*out = (enum promcb_format)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *promcb_format_content_type(enum promcb_format format)
{
	const struct promcb_renderer *renderer = find(format);

	return renderer ? renderer->content_type : NULL;
}

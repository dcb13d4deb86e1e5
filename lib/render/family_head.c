/* SPDX-License-Identifier: MIT */
/*
 * family_head.c: what the text formats do not agree on: what stands above a family. And families of a few series,
 * which need no speed.
 */
#include "render/render_text.h"

/* -- What stands above a family ------------------------------------------------------------------------------------ */

static const char *const text_types[] = {"counter", "gauge", "summary", "untyped", "histogram", "gauge"};
static const char *const openmetrics_types[] = {"counter", "gauge", "summary", "unknown", "histogram", "info"};

/* Backslash and line feed, and in OpenMetrics quotes too; label values have all three in both. */
static void put_escaped(struct promcb_sink *sink, const char *text, bool quotes)
{
	for (; *text; text++) {
		size_t plain = strcspn(text, quotes ? "\\\n\"" : "\\\n");

		promcb_sink_bytes(sink, text, plain);
		text += plain;
		if (!*text)
			return;
		promcb_sink_bytes(sink, "\\", 1);
		promcb_sink_bytes(sink, *text == '\n' ? "n" : text, 1);
	}
}

static void put_line(struct promcb_sink *sink, const char *keyword, const char *name, size_t name_bytes,
		     const char *text, bool escape_quotes)
{
	promcb_sink_text(sink, "# ");
	promcb_sink_text(sink, keyword);
	promcb_sink_text(sink, " ");
	promcb_sink_bytes(sink, name, name_bytes);
	promcb_sink_text(sink, " ");
	put_escaped(sink, text, escape_quotes);
	promcb_sink_text(sink, "\n");
}

void promcb_text_head(struct promcb_sink *sink, bool openmetrics, const char *name, enum promcb_exposed_type type,
		      const char *unit, const char *help)
{
	size_t bytes = strlen(name);

	if (!openmetrics) {
		put_line(sink, "HELP", name, bytes, help, false);
		put_line(sink, "TYPE", name, bytes, text_types[type], false);
		return;
	}
	/* A counter's family is called like its samples without this. */
	if (type == PROMCB_TYPE_COUNTER)
		bytes -= strlen("_total");
	if (type == PROMCB_TYPE_INFO)
		bytes -= strlen("_info");
	put_line(sink, "TYPE", name, bytes, openmetrics_types[type], false);
	if (unit && type != PROMCB_TYPE_INFO)
		put_line(sink, "UNIT", name, bytes, unit, false);
	put_line(sink, "HELP", name, bytes, help, true);
}

/* -- Families of a few series -------------------------------------------------------------------------------------- */

void promcb_text_family(void *context, const struct promcb_family *family)
{
	const struct promcb_text_dialect *dialect = context;
	struct promcb_sink *sink = dialect->sink;

	promcb_text_head(sink, dialect->openmetrics, family->name,
			 family->type == PROMCB_FAMILY_COUNTER ? PROMCB_TYPE_COUNTER : PROMCB_TYPE_GAUGE, family->unit,
			 family->help);
	for (size_t i = 0; i < family->count; i++) {
		const struct promcb_series *series = &family->series[i];

		promcb_sink_text(sink, family->name);
		for (size_t j = 0; j < series->label_count; j++) {
			promcb_sink_text(sink, j ? "," : "{");
			promcb_sink_text(sink, series->labels[j].name);
			promcb_sink_text(sink, "=\"");
			put_escaped(sink, series->labels[j].value, true);
			promcb_sink_text(sink, "\"");
		}
		promcb_sink_text(sink, series->label_count ? "} " : " ");
		promcb_sink_double(sink, series->number);
		promcb_sink_text(sink, "\n");
	}
}

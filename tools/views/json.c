/* SPDX-License-Identifier: MIT */
#include "json.h"

#include "common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void promcb_view_json_text(struct promcb_view_bytes *out, const char *text)
{
	promcb_view_put(out, text, strlen(text));
}

void promcb_view_json_print(struct promcb_view_bytes *out, const char *format, ...)
{
	char text[512]; /* a segment, if all of its numbers are as long as they can be */
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	promcb_view_json_text(out, text);
}

void promcb_view_json_string(struct promcb_view_bytes *out, const char *text)
{
	promcb_view_json_text(out, "\"");
	while (*text) {
		size_t length = promcb_tool_utf8_length(text);

		if (length == 0)
			promcb_view_json_text(out, "\\ufffd");
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			promcb_view_json_print(out, "\\u%04x", (unsigned char)*text);
		else if (*text == '"' || *text == '\\')
			promcb_view_json_print(out, "\\%c", *text);
		else
			promcb_view_put(out, text, length);
		text += length ? length : 1;
	}
	promcb_view_json_text(out, "\"");
}

void promcb_view_json_time(struct promcb_view_bytes *out, const char *name, uint64_t ns)
{
	if (ns)
		promcb_view_json_print(out, "\"%s\":%llu.%09llu", name, (unsigned long long)(ns / 1000000000),
				       (unsigned long long)(ns % 1000000000));
	else
		promcb_view_json_print(out, "\"%s\":null", name);
}

static void put_seconds(struct promcb_view_bytes *out, uint64_t ns)
{
	promcb_view_json_print(out, "%llu.%09llu", (unsigned long long)(ns / 1000000000),
			       (unsigned long long)(ns % 1000000000));
}

void promcb_view_json_quantile(struct promcb_view_bytes *out, const struct promcb_view_history *history,
			       const uint64_t *buckets, const char *name, struct promcb_view_quantile quantile)
{
	size_t bucket = 0, count = history->bucket_count;
	struct promcb_bucket bounds;

	promcb_view_json_print(out, ",\"%s\":", name);
	if (promcb_view_quantile(buckets, buckets + count, count, quantile, &bucket) == PROMCB_VIEW_NONE ||
	    promcb_bucket_bounds(history->schema, bucket, &bounds) < 0) {
		promcb_view_json_text(out, "null");
		return;
	}
	promcb_view_json_text(out, "[");
	put_seconds(out, bounds.least_ns);
	promcb_view_json_text(out, ",");
	put_seconds(out, bounds.most_ns);
	promcb_view_json_text(out, "]");
}

void promcb_view_json_counts(struct promcb_view_bytes *out, const struct promcb_view_counts *counts)
{
	promcb_view_json_print(out, "\"calls\":%llu,\"failed\":%llu",
			       (unsigned long long)(counts->calls[0] + counts->calls[1]),
			       (unsigned long long)counts->calls[1]);
}

static void put_transitions(struct promcb_view_bytes *out, const char *name, const struct promcb_view_counts *counts)
{
	promcb_view_json_print(out, ",\"%s\":{\"closed\":%llu,\"open\":%llu,\"half_open\":%llu}", name,
			       (unsigned long long)counts->transitions[PROMCB_CLOSED],
			       (unsigned long long)counts->transitions[PROMCB_OPEN],
			       (unsigned long long)counts->transitions[PROMCB_HALF_OPEN]);
}

const char *promcb_view_json_state(bool known, uint32_t state)
{
	static const char *const states[PROMCB_STATES] = {"\"closed\"", "\"open\"", "\"half_open\""};

	return known && state < PROMCB_STATES ? states[state] : "null";
}

void promcb_view_json_line(struct promcb_view_bytes *out, const struct promcb_view_history *history,
			   const struct promcb_view_line *line, size_t segment)
{
	const struct promcb_view_component *component = &history->components[line->component];
	const struct promcb_view_window *window = &line->window;

	promcb_view_json_text(out, "{\"name\":");
	promcb_view_json_string(out, line->name);
	promcb_view_json_print(out, ",\"segment\":%zu,", segment);
	promcb_view_json_time(out, "since", component->since_ns);
	promcb_view_json_text(out, ",");
	promcb_view_json_time(out, "last_call", component->last_call_ns);
	promcb_view_json_text(out, ",");
	promcb_view_json_counts(out, &component->total);
	promcb_view_json_text(out, ",\"window\":{");
	promcb_view_json_counts(out, &window->counts);
	promcb_view_json_print(out, ",\"measured\":%llu,\"seconds\":%.9f", (unsigned long long)line->measured,
			       window->seconds);
	promcb_view_json_quantile(out, history, window->buckets, "p50", (struct promcb_view_quantile){1, 2});
	promcb_view_json_quantile(out, history, window->buckets, "p90", (struct promcb_view_quantile){9, 10});
	promcb_view_json_quantile(out, history, window->buckets, "p99", (struct promcb_view_quantile){99, 100});
	promcb_view_json_quantile(out, history, window->buckets, "p999", (struct promcb_view_quantile){999, 1000});
	put_transitions(out, "transitions", &window->counts);
	promcb_view_json_print(out, ",\"reset\":%s},\"breaker\":{\"state\":%s,",
			       window->marks & PROMCB_VIEW_MARK_RESET ? "true" : "false",
			       promcb_view_json_state(line->stated && line->changed_ns, line->state));
	promcb_view_json_time(out, "changed", line->changed_ns);
	put_transitions(out, "transitions", &component->total);
	promcb_view_json_text(out, "}}");
}

void promcb_view_json_segment(struct promcb_view_bytes *out, const char *name, const struct promcb_segment_info *info)
{
	promcb_view_json_text(out, "{\"name\":");
	promcb_view_json_string(out, name);
	if (info)
		promcb_view_json_print(out,
				       ",\"up\":true,\"created\":%.3f,\"components\":%u,\"producers\":%d,\"lanes\":%d,"
				       "\"lanes_idle\":%d,"
				       "\"dropped\":%llu,\"used_bytes\":%llu,\"max_bytes\":%llu",
				       info->created, info->components, info->producers, info->lanes_live,
				       info->lanes_idle, (unsigned long long)info->dropped_calls,
				       (unsigned long long)info->used_bytes, (unsigned long long)info->max_bytes);
	else
		promcb_view_json_text(out, ",\"up\":false");
}

int promcb_view_json(const struct promcb_view_history *history, const struct promcb_view_list *list,
		     const struct promcb_view_origin *origin, promcb_write_fn *write, void *context)
{
	struct promcb_view_bytes out = {.bytes = NULL};
	int result;

	promcb_view_json_text(&out, "{\"format\":1,");
	promcb_view_json_time(&out, "now", origin->now_ns);
	promcb_view_json_print(&out, ",\"window_seconds\":%.9f,\"history\":{",
			       list->count ? list->lines[0].window.seconds : 0);
	promcb_view_json_time(&out, "from", promcb_view_from_ns(history));
	promcb_view_json_text(&out, ",");
	promcb_view_json_time(&out, "to", promcb_view_upto_ns(history));
	promcb_view_json_print(&out, ",\"columns\":%zu,\"bytes\":%zu},", history->column_count, history->bytes);
	promcb_view_json_text(&out, "\"segments\":[");
	promcb_view_json_segment(&out, origin->segment, origin->info);
	promcb_view_json_text(&out, "}],\"components\":[");
	for (size_t i = 0; i < list->count; i++) {
		promcb_view_json_text(&out, i ? ",\n" : "\n");
		promcb_view_json_line(&out, history, &list->lines[i], 0);
	}
	promcb_view_json_text(&out, "]}\n");
	result = out.failed ? -ENOMEM : write(context, out.bytes, out.length);
	promcb_view_bytes_free(&out);
	return result;
}

/* SPDX-License-Identifier: MIT */
#include "json.h"

#include "common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put_text(struct promcb_view_bytes *out, const char *text)
{
	promcb_view_put(out, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void put(struct promcb_view_bytes *out, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	put_text(out, text);
}

/* Bytes that are no UTF-8 are replaced by U+FFFD, which is what JSON can say. */
static void put_string(struct promcb_view_bytes *out, const char *text)
{
	put_text(out, "\"");
	while (*text) {
		size_t length = promcb_tool_utf8_length(text);

		if (length == 0)
			put_text(out, "\\ufffd");
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			put(out, "\\u%04x", (unsigned char)*text);
		else if (*text == '"' || *text == '\\')
			put(out, "\\%c", *text);
		else
			promcb_view_put(out, text, length);
		text += length ? length : 1;
	}
	put_text(out, "\"");
}

/* Nanoseconds as seconds, exactly. 0: null. */
static void put_time(struct promcb_view_bytes *out, const char *name, uint64_t ns)
{
	if (ns)
		put(out, "\"%s\":%llu.%09llu", name, (unsigned long long)(ns / 1000000000),
		    (unsigned long long)(ns % 1000000000));
	else
		put(out, "\"%s\":null", name);
}

static void put_seconds(struct promcb_view_bytes *out, uint64_t ns)
{
	put(out, "%llu.%09llu", (unsigned long long)(ns / 1000000000), (unsigned long long)(ns % 1000000000));
}

static void put_quantile(struct promcb_view_bytes *out, const struct promcb_view_history *history,
			 const struct promcb_view_window *window, const char *name,
			 struct promcb_view_quantile quantile)
{
	size_t bucket = 0, count = history->bucket_count;
	struct promcb_bucket bounds;

	put(out, ",\"%s\":", name);
	if (promcb_view_quantile(window->buckets, window->buckets + count, count, quantile, &bucket) ==
		    PROMCB_VIEW_NONE ||
	    promcb_bucket_bounds(history->schema, bucket, &bounds) < 0) {
		put_text(out, "null");
		return;
	}
	put_text(out, "[");
	put_seconds(out, bounds.least_ns);
	put_text(out, ",");
	put_seconds(out, bounds.most_ns);
	put_text(out, "]");
}

static void put_counts(struct promcb_view_bytes *out, const struct promcb_view_counts *counts)
{
	put(out, "\"calls\":%llu,\"failed\":%llu", (unsigned long long)(counts->calls[0] + counts->calls[1]),
	    (unsigned long long)counts->calls[1]);
}

static void put_transitions(struct promcb_view_bytes *out, const char *name, const struct promcb_view_counts *counts)
{
	put(out, ",\"%s\":{\"closed\":%llu,\"open\":%llu,\"half_open\":%llu}", name,
	    (unsigned long long)counts->transitions[PROMCB_CLOSED],
	    (unsigned long long)counts->transitions[PROMCB_OPEN],
	    (unsigned long long)counts->transitions[PROMCB_HALF_OPEN]);
}

static void put_line(struct promcb_view_bytes *out, const struct promcb_view_history *history,
		     const struct promcb_view_line *line)
{
	static const char *const states[] = {"\"closed\"", "\"open\"", "\"half_open\""};
	const struct promcb_view_component *component = &history->components[line->component];
	const struct promcb_view_window *window = &line->window;

	put_text(out, "{\"name\":");
	put_string(out, line->name);
	put_text(out, ",");
	put_time(out, "since", component->since_ns);
	put_text(out, ",");
	put_time(out, "last_call", component->last_call_ns);
	put_text(out, ",");
	put_counts(out, &component->total);
	put_text(out, ",\"window\":{");
	put_counts(out, &window->counts);
	put(out, ",\"measured\":%llu,\"seconds\":%.9f", (unsigned long long)line->measured, window->seconds);
	put_quantile(out, history, window, "p50", (struct promcb_view_quantile){1, 2});
	put_quantile(out, history, window, "p90", (struct promcb_view_quantile){9, 10});
	put_quantile(out, history, window, "p99", (struct promcb_view_quantile){99, 100});
	put_quantile(out, history, window, "p999", (struct promcb_view_quantile){999, 1000});
	put_transitions(out, "transitions", &window->counts);
	put(out, ",\"reset\":%s},\"breaker\":{\"state\":%s,", window->marks & PROMCB_VIEW_MARK_RESET ? "true" : "false",
	    line->stated && line->changed_ns ? states[line->state] : "null");
	put_time(out, "changed", line->changed_ns);
	put_transitions(out, "transitions", &component->total);
	put_text(out, "}}");
}

static void put_segment(struct promcb_view_bytes *out, const struct promcb_view_origin *origin)
{
	const struct promcb_segment_info *info = origin->info;

	put_text(out, "\"segments\":[{\"name\":");
	put_string(out, origin->segment);
	if (info)
		put(out,
		    ",\"up\":true,\"created\":%.3f,\"components\":%u,\"producers\":%d,\"lanes\":%d,\"lanes_idle\":%d,"
		    "\"dropped\":%llu,\"used_bytes\":%llu,\"max_bytes\":%llu}]",
		    info->created, info->components, info->producers, info->lanes_live, info->lanes_idle,
		    (unsigned long long)info->dropped_calls, (unsigned long long)info->used_bytes,
		    (unsigned long long)info->max_bytes);
	else
		put_text(out, ",\"up\":false}]");
}

int promcb_view_json(const struct promcb_view_history *history, const struct promcb_view_list *list,
		     const struct promcb_view_origin *origin, promcb_write_fn *write, void *context)
{
	struct promcb_view_bytes out = {.bytes = NULL};
	int result;

	put_text(&out, "{\"format\":1,");
	put_time(&out, "now", origin->now_ns);
	put(&out, ",\"window_seconds\":%.9f,\"history\":{", list->count ? list->lines[0].window.seconds : 0);
	put_time(&out, "from", promcb_view_from_ns(history));
	put_text(&out, ",");
	put_time(&out, "upto", promcb_view_upto_ns(history));
	put(&out, ",\"columns\":%zu,\"bytes\":%zu},", history->column_count, history->bytes);
	put_segment(&out, origin);
	put_text(&out, ",\"components\":[");
	for (size_t i = 0; i < list->count; i++) {
		put_text(&out, i ? ",\n" : "\n");
		put_line(&out, history, &list->lines[i]);
	}
	put_text(&out, "]}\n");
	result = out.failed ? -ENOMEM : write(context, out.bytes, out.length);
	promcb_view_bytes_free(&out);
	return result;
}

/* SPDX-License-Identifier: MIT */
/*
 * landing.c: segments and their components as a table, with links to what else is served.
 *
 * May include: landing.h.
 *
 * Whatever stands in a segment is escaped, and the page takes neither scripts nor anything from elsewhere.
 */
#include "landing.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A page is for looking; who has more wants Prometheus. */
enum { ROWS_MAX = 500 };

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>promcb</title>\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
	"body { font: 16px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }\n"
	"table { border-collapse: collapse; }\nth, td { padding: .2em .8em; text-align: right; }\n"
	"th { border-bottom: 1px solid; }\n"
	"th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; }\n"
	".open, .bad { color: #b00020; font-weight: bold; }\n"
	"@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } a { color: #8ab4f8; }\n"
	".open, .bad { color: #ff6b81; } }\n"
	"</style>\n</head>\n<body>\n<h1>promcb</h1>\n";

static void put_escaped(FILE *page, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", page);
			break;
		case '>':
			fputs("&gt;", page);
			break;
		case '&':
			fputs("&amp;", page);
			break;
		case '"':
			fputs("&quot;", page);
			break;
		default:
			fputc(*text, page);
		}
	}
}

static void put_ms(FILE *page, double seconds)
{
	if (isnan(seconds))
		fputs("<td>&ndash;</td>", page);
	else
		fprintf(page, "<td>%.3f</td>", seconds * 1000);
}

static void put_component(FILE *page, const struct promcb_summary *summary)
{
	const char *state = promcb_state_name(summary->state);

	fputs("<tr><td>", page);
	put_escaped(page, summary->name);
	fprintf(page, "</td><td>%" PRIu64 "</td><td%s>%.2f %%</td>", summary->total_calls,
		summary->failure_rate > 50 ? " class=\"bad\"" : "", summary->failure_rate);
	put_ms(page, summary->p50);
	put_ms(page, summary->p99);
	fprintf(page, "<td class=\"%s\">%s</td></tr>\n", state ? state : "", state ? state : "");
}

static void put_segment(void *context, const struct sidecar_segment *segment)
{
	FILE *page = context;
	size_t count = segment->snapshot ? promcb_snapshot_count(segment->snapshot) : 0;
	struct promcb_segment_info info;
	struct promcb_summary summary;

	fputs("<h2>", page);
	put_escaped(page, segment->name);
	fputs("</h2>\n", page);
	if (!segment->snapshot) {
		fputs("<p class=\"bad\">Cannot be read: ", page);
		put_escaped(page, segment->message);
		fputs("</p>\n", page);
		return;
	}
	promcb_snapshot_info(segment->snapshot, &info);
	fputs("<p>", page);
	put_escaped(page, info.path);
	fprintf(page, ", %.1f of %.1f MiB, %" PRIu32 " of %" PRIu32 " components", (double)info.used_bytes / (1 << 20),
		(double)info.max_bytes / (1 << 20), info.components, info.components_max);
	if (info.producers >= 0)
		fprintf(page, ", %d producers in %d threads", (int)info.producers, (int)info.lanes_live);
	fputs(".</p>\n<table>\n<tr><th>component</th><th>calls</th><th>failed</th><th>p50 ms</th><th>p99 ms</th>"
	      "<th>breaker</th></tr>\n",
	      page);
	for (size_t i = 0; i < count && i < ROWS_MAX; i++) {
		if (promcb_snapshot_summary(segment->snapshot, i, &summary) == 0)
			put_component(page, &summary);
	}
	fputs("</table>\n", page);
	if (count > ROWS_MAX)
		fprintf(page, "<p>The first %d of %zu.</p>\n", ROWS_MAX, count);
}

int sidecar_landing_page(struct sidecar_bodies *bodies, const char *telemetry_path, uint64_t budget_ns, char **page,
			 size_t *length)
{
	FILE *stream = open_memstream(page, length);
	int result, failed;

	if (!stream)
		return -ENOMEM;
	fputs(head, stream);
	fputs("<p><a href=\"", stream);
	put_escaped(stream, telemetry_path);
	fputs("\">metrics</a> &middot; <a href=\"/health/metrics\">health</a> &middot; "
	      "<a href=\"/prometheus/query\">summaries</a> (<code>?q=TEXT</code>: of matching components) &middot; "
	      "<a href=\"/-/healthy\">healthy</a> &middot; <a href=\"/-/ready\">ready</a></p>\n",
	      stream);
	result = sidecar_bodies_describe(bodies, budget_ns, put_segment, stream);
	fprintf(stream, "<p>promcb-sidecar %s</p>\n</body>\n</html>\n", promcb_version());
	failed = ferror(stream);
	failed |= fclose(stream);
	if (result == 0 && failed)
		result = -ENOMEM;
	if (result < 0)
		free(*page);
	return result;
}

/* SPDX-License-Identifier: MIT */
/*
 * landing.c: segments and their components as a table, with links to what else is served.
 *
 * Whatever stands in a segment is escaped, and the page takes nothing from elsewhere. All that it says is there without
 * scripts; where history is kept, a script puts what is told of it in the place of this. What needs a look comes first:
 * segments that cannot be read, then components whose breaker is not closed or whose calls fail.
 */
#include "landing.h"

#include "assets.h"
#include "landing_past.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A page is for looking; who has more wants Prometheus. */
enum { ROWS_MAX = 500 };

static const char columns[] =
	"<div class=\"wide\">\n<table>\n<tr><th>component</th><th>breaker</th><th>calls</th><th>calls/s</th>"
	"<th>failed</th><th>recently</th><th>p50 ms</th><th>p99 ms</th><th>max ms</th><th>last failure</th>"
	"<th>error lines</th></tr>\n";

/* What the segments are printed into, those that cannot be read apart. */
struct pages {
	FILE *good;
	FILE *bad;
	struct sidecar_present present;
};

struct row {
	struct promcb_summary summary;
	double rate; /* calls a second; NaN: not known */
	bool is_bad;
};

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

static void put_rate(FILE *page, double percent)
{
	if (isnan(percent))
		fputs("<td>&ndash;</td>", page);
	else
		fprintf(page, "<td%s>%.2f&nbsp;%%</td>", percent > 50 ? " class=\"bad\"" : "", percent);
}

static void put_age(FILE *page, double time_of)
{
	static const struct {
		double seconds;
		const char *unit;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	double age = difftime(time(NULL), 0) - time_of;
	unsigned i = 0;

	if (isnan(age)) {
		fputs("<td>&ndash;</td>", page);
		return;
	}
	while (i < 3 && age < units[i].seconds)
		i++;
	fprintf(page, "<td>%.0f %s ago</td>", age > 0 ? floor(age / units[i].seconds) : 0, units[i].unit);
}

static void put_component(FILE *page, const struct row *row)
{
	const struct promcb_summary *summary = &row->summary;
	const char *state = promcb_state_name(summary->state);

	fputs("<tr><td>", page);
	put_escaped(page, summary->name);
	fprintf(page, "</td><td class=\"%s\">%s</td><td>%" PRIu64 "</td>", state ? state : "", state ? state : "",
		summary->total_calls);
	if (isnan(row->rate))
		fputs("<td>&ndash;</td>", page);
	else
		fprintf(page, "<td>%.1f</td>", row->rate);
	put_rate(page, summary->failure_rate);
	put_rate(page, summary->recent_failure_rate);
	put_ms(page, summary->p50);
	put_ms(page, summary->p99);
	put_ms(page, summary->max_latency);
	put_age(page, summary->last_failure_time);
	fprintf(page, "<td>%" PRIu64 "</td></tr>\n", summary->log_entries[PROMCB_LOG_ERROR]);
}

/* Bad ones first, then by name, with item/2 before item/10. */
static int compare_rows(const void *one, const void *other)
{
	const struct row *a = one, *b = other;

	if (a->is_bad != b->is_bad)
		return a->is_bad ? -1 : 1;
	return strverscmp(a->summary.name, b->summary.name);
}

static void put_components(FILE *page, const struct promcb_snapshot *snapshot, const char *segment,
			   struct sidecar_present *present)
{
	size_t count = promcb_snapshot_count(snapshot), rows_count = 0;
	struct row *rows = calloc(count + 1, sizeof(*rows));

	if (!rows) {
		fputs("<p class=\"bad\">No memory to list the components.</p>\n", page);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct row *row = &rows[rows_count];

		if (promcb_snapshot_summary(snapshot, i, &row->summary) < 0)
			continue;
		row->is_bad = row->summary.state != PROMCB_CLOSED || row->summary.failure_rate > 50 ||
			      row->summary.recent_failure_rate > 50;
		row->rate = sidecar_past_rate(present, segment, snapshot, i, &row->summary);
		rows_count++;
	}
	qsort(rows, rows_count, sizeof(*rows), compare_rows);
	fputs(columns, page);
	for (size_t i = 0; i < rows_count && i < ROWS_MAX; i++)
		put_component(page, &rows[i]);
	fputs("</table>\n</div>\n", page);
	if (rows_count > ROWS_MAX)
		fprintf(page, "<p>The first %d of %zu.</p>\n", ROWS_MAX, rows_count);
	free(rows);
}

/* What is counted beside calls: the families, with how many series each has of how many it may have. */
static void put_families(FILE *page, const struct promcb_snapshot *snapshot)
{
	static const char *const types[] = {"", "counter", "level", "gauge", "histogram", "info"};
	size_t count = promcb_snapshot_families(snapshot);
	struct promcb_family_summary family;

	if (count == 0)
		return;
	fputs("<div>\n<table>\n<tr><th>family</th><th>type</th><th>series</th><th>at most</th><th>help</th></tr>\n",
	      page);
	for (size_t i = 0; i < count && i < ROWS_MAX; i++) {
		if (promcb_snapshot_family(snapshot, i, &family) < 0)
			continue;
		fputs("<tr><td>", page);
		put_escaped(page, family.name);
		fprintf(page, "</td><td>%s</td><td%s>%" PRIu64 "</td><td>%" PRIu64 "</td><td>",
			types[family.type <= PROMCB_INFO ? family.type : 0], family.refused ? " class=\"bad\"" : "",
			family.series, family.series_max);
		put_escaped(page, family.help);
		fputs("</td></tr>\n", page);
	}
	fputs("</table>\n</div>\n", page);
	if (count > ROWS_MAX)
		fprintf(page, "<p>The first %d of %zu families.</p>\n", ROWS_MAX, count);
}

static void put_count(FILE *page, uint64_t number, const char *what)
{
	fprintf(page, "%" PRIu64 " %s%s", number, what, number == 1 ? "" : "s");
}

static void put_facts(FILE *page, const struct promcb_snapshot *snapshot)
{
	struct promcb_segment_info info;
	struct promcb_summary summary;
	uint64_t calls = 0, failed = 0;

	promcb_snapshot_info(snapshot, &info);
	for (size_t i = 0; i < promcb_snapshot_count(snapshot); i++) {
		if (promcb_snapshot_summary(snapshot, i, &summary) < 0)
			continue;
		calls += summary.total_calls;
		failed += summary.failed_calls;
	}
	fputs("<p>", page);
	put_escaped(page, info.path);
	fputs(": ", page);
	put_count(page, calls, "call");
	fprintf(page, ", %" PRIu64 " failed; %" PRIu32 " of at most ", failed, info.components);
	put_count(page, info.components_max, "component");
	fprintf(page, ", %.1f of at most %.1f MiB", (double)info.used_bytes / (1 << 20),
		(double)info.max_bytes / (1 << 20));
	if (info.producers >= 0) {
		fputs("; ", page);
		put_count(page, (uint64_t)info.producers, "producer");
		fputs(" in ", page);
		put_count(page, (uint64_t)info.lanes_live, "thread");
	}
	fputs(".</p>\n", page);
	if (info.dropped_calls || info.components_rejected)
		fprintf(page,
			"<p class=\"bad\">%" PRIu64 " calls could not be recorded; %" PRIu64
			" components found no room and count as _overflow.</p>\n",
			info.dropped_calls, info.components_rejected);
}

static void put_segment(void *context, const struct sidecar_segment *segment)
{
	struct pages *pages = context;
	FILE *page = segment->snapshot ? pages->good : pages->bad;

	fputs("<h2>", page);
	put_escaped(page, segment->name);
	fputs("</h2>\n", page);
	if (!segment->snapshot) {
		fputs("<p class=\"bad\">Cannot be read: ", page);
		put_escaped(page, segment->message);
		fputs("</p>\n", page);
		return;
	}
	put_facts(page, segment->snapshot);
	put_components(page, segment->snapshot, segment->name, &pages->present);
	put_families(page, segment->snapshot);
}

/* Where a file of the page is, seen from the page, which may itself be anywhere. */
static const char *asset_path(const char *name)
{
	for (size_t i = 0; i < sidecar_asset_count; i++)
		if (strcmp(sidecar_assets[i].name, name) == 0)
			return sidecar_assets[i].path + 1;
	return "";
}

static void put_files(FILE *page, bool is_live)
{
	fprintf(page, "<link rel=\"stylesheet\" href=\"%s\">\n<link rel=\"icon\" type=\"image/svg+xml\" href=\"%s\">\n",
		asset_path("app.css"), asset_path("icon.svg"));
	if (is_live)
		fprintf(page, "<script defer src=\"%s\"></script>\n", asset_path("app.js"));
}

static void put_head(FILE *page, const struct sidecar_landing *landing)
{
	const char *telemetry_path = landing->telemetry_path;
	unsigned refresh_seconds = landing->refresh_seconds;
	char host[256] = "this host", now[64] = "";
	time_t seconds = time(NULL);
	struct tm utc;

	gethostname(host, sizeof(host) - 1);
	if (gmtime_r(&seconds, &utc))
		strftime(now, sizeof(now), "%Y-%m-%d %H:%M:%S UTC", &utc);
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>promcb on ", page);
	put_escaped(page, host);
	fputs("</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n", page);
	if (refresh_seconds)
		fprintf(page, "<meta http-equiv=\"refresh\" content=\"%u\">\n", refresh_seconds);
	put_files(page, landing->is_live);
	fputs("</head>\n<body>\n<main id=\"still\">\n<h1>promcb on ", page);
	put_escaped(page, host);
	fprintf(page, "</h1>\n<p>%s &middot; <a href=\"%s</a></p>\n", now,
		refresh_seconds ? "/\">stop refreshing" : "/?refresh=5\">refresh every 5 seconds");
	fputs("<p id=\"links\"><a href=\"", page);
	put_escaped(page, telemetry_path);
	fputs("\">metrics</a> &middot; <a href=\"/health/metrics\">health</a> &middot; "
	      "<a href=\"/prometheus/query\">summaries</a> &middot; "
	      "<a href=\"/api/v1/metrics\">families</a> &middot; <a href=\"/-/healthy\">healthy</a> &middot; "
	      "<a href=\"/-/ready\">ready</a></p>\n"
	      "<form action=\"/prometheus/query\"><label>Summaries of components that contain "
	      "<input name=\"q\"></label> <button>JSON</button></form>\n",
	      page);
}

/* Appends what was printed into a stream of memory, and drops it. */
static int move_to(FILE *page, FILE *from, char **bytes, const size_t *length)
{
	int failed = from ? ferror(from) : 0;

	if (from)
		failed |= fclose(from);
	if (page && *bytes)
		failed |= fwrite(*bytes, 1, *length, page) != *length;
	free(*bytes);
	return failed;
}

int sidecar_landing_page(struct sidecar_bodies *bodies, const struct sidecar_landing *landing, char **page,
			 size_t *length)
{
	char *good = NULL, *bad = NULL;
	size_t good_length = 0, bad_length = 0;
	FILE *stream = open_memstream(page, length);
	struct pages pages = {
		open_memstream(&good, &good_length), open_memstream(&bad, &bad_length), {.past = sidecar_past_get()}};
	int result = stream && pages.good && pages.bad ? 0 : -ENOMEM, failed = 0;

	if (result == 0) {
		put_head(stream, landing);
		result = sidecar_bodies_describe(bodies, landing->budget_ns, put_segment, &pages);
	}
	sidecar_past_keep(&pages.present);
	failed |= move_to(stream, pages.bad, &bad, &bad_length);
	failed |= move_to(stream, pages.good, &good, &good_length);
	if (stream) {
		fprintf(stream, "<p>promcb-sidecar %s</p>\n</main>\n</body>\n</html>\n", promcb_version());
		failed |= ferror(stream);
		failed |= fclose(stream);
	}
	if (result == 0 && failed)
		result = -ENOMEM;
	if (result < 0)
		free(*page);
	return result;
}

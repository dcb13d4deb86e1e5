/* SPDX-License-Identifier: MIT */
#include "api_asked.h"

#include "views/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND_NS ((uint64_t)1000000000)

/* Strips of more are a megabyte. */
enum { STRIPS_MAX = 200, PARTS_MAX = 300 };

static const struct {
	const char *path;
	enum sidecar_asked_what what;
} paths[] = {
	{"/api/v1/live", SIDECAR_ASKED_LIVE},       {"/api/v1/strips", SIDECAR_ASKED_STRIPS},
	{"/api/v1/history", SIDECAR_ASKED_HISTORY}, {"/api/v1/compare", SIDECAR_ASKED_COMPARE},
	{"/api/v1/samples", SIDECAR_ASKED_SAMPLES}, {"/api/v1/recording", SIDECAR_ASKED_RECORDING},
};

bool sidecar_asked_find(const char *path, enum sidecar_asked_what *out)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (strcmp(path, paths[i].path) == 0) {
			*out = paths[i].what;
			return true;
		}
	return false;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* A whole number from least to most; what is there stays if it is not said. Returns whether it is one. */
static bool parse_number(const struct sidecar_head *head, const char *name, uint64_t least, uint64_t most,
			 uint64_t *out)
{
	char room[32];
	const char *text = sidecar_head_argument(head, name, room, sizeof(room));
	uint64_t number = 0;

	if (!text)
		return true;
	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || number > most)
			return false;
		number = number * 10 + (uint64_t)(*text - '0');
	}
	*out = number;
	return number >= least && number <= most;
}

/* Returns false: it is longer than any name is. */
static bool parse_text(const struct sidecar_head *head, const char *name, char *out, size_t size)
{
	/* Each byte may be three as it comes. */
	char room[3 * SIDECAR_SEGMENT_NAME_MAX + 2];
	const char *text = sidecar_head_argument(head, name, room, sizeof(room));

	if (text && strlen(text) >= size)
		return false;
	snprintf(out, size, "%s", text ? text : "");
	return true;
}

static bool parse_moment(const struct sidecar_head *head, const char *name, const char *otherwise, uint64_t *out_ns)
{
	char room[40];
	const char *text = sidecar_head_argument(head, name, room, sizeof(room));

	return promcb_view_moment_parse(text ? text : otherwise, now_ns(), out_ns);
}

/* "FROM..UPTO". */
static bool parse_range(const struct sidecar_head *head, const char *name, struct promcb_view_range *out)
{
	char room[80];
	const char *text = sidecar_head_argument(head, name, room, sizeof(room));
	char *between = text ? strstr(room, "..") : NULL;
	uint64_t now = now_ns();

	if (!between)
		return false;
	*between = '\0';
	return promcb_view_moment_parse(room, now, &out->from_ns) &&
	       promcb_view_moment_parse(between + 2, now, &out->upto_ns) && out->from_ns < out->upto_ns;
}

static const char *parse_listing(const struct sidecar_head *head, struct sidecar_asked *out)
{
	bool strips = out->what == SIDECAR_ASKED_STRIPS;
	uint64_t limit = 100, window = strips ? 600 : 10, parts = 60;
	char room[32];
	const char *sort = sidecar_head_argument(head, "sort", room, sizeof(room));

	if (sort && promcb_view_sort_parse(sort, &out->listing.sort) < 0)
		return "sort= is trouble, failed, calls, p99 or name.";
	if (!parse_number(head, "limit", 1, strips ? STRIPS_MAX : PROMCB_VIEW_LINES_MAX, &limit))
		return strips ? "limit= is a number from 1 to 200." : "limit= is a number from 1 to 1000.";
	if (!parse_number(head, "window", 1, 86400, &window))
		return "window= is a number of seconds from 1 to 86400.";
	if (strips && (!parse_number(head, "parts", 1, PARTS_MAX, &parts) || window < parts))
		return "parts= is a number from 1 to 300, and not more than the seconds of window=.";
	out->listing.limit = (size_t)limit;
	out->listing.window_ns = window * SECOND_NS;
	out->parts = (size_t)parts;
	return NULL;
}

static const char *parse_times(const struct sidecar_head *head, struct sidecar_asked *out)
{
	static const char moments[] =
		"from= and to= are moments, the first before the second: now, -90, -10m, -1h, -1d, or seconds of Unix.";
	uint64_t columns = 300;

	if (out->what == SIDECAR_ASKED_COMPARE) {
		if (!parse_range(head, "a", &out->range) || !parse_range(head, "b", &out->other))
			return "a= and b= are two moments each, such as -20m..-10m: now, -90, -10m, -1h, -1d, or "
			       "seconds of Unix.";
		return NULL;
	}
	if (out->what == SIDECAR_ASKED_RECORDING && !parse_moment(head, "from", "0", &out->range.from_ns))
		return "from= is a moment: now, -90, -10m, -1h, -1d, or seconds of Unix.";
	if (out->what != SIDECAR_ASKED_HISTORY)
		return NULL;
	if (!parse_moment(head, "from", "-10m", &out->range.from_ns) ||
	    !parse_moment(head, "to", "now", &out->range.upto_ns) || out->range.from_ns >= out->range.upto_ns)
		return moments;
	if (!parse_number(head, "columns", 10, PROMCB_VIEW_COLUMNS_MAX, &columns))
		return "columns= is a number from 10 to 1000.";
	out->columns = (size_t)columns;
	return NULL;
}

const char *sidecar_asked_parse(const struct sidecar_head *head, struct sidecar_asked *out)
{
	const char *sentence = NULL;

	*out = (struct sidecar_asked){.budget_ns = 10 * SECOND_NS};
	sidecar_asked_find(sidecar_head_path(head), &out->what);
	if (!parse_text(head, "component", out->component, sizeof(out->component)) ||
	    !parse_text(head, "segment", out->segment, sizeof(out->segment)) ||
	    !parse_text(head, "match", out->matching, sizeof(out->matching)))
		return "component=, segment= and match= are no longer than a name can be.";
	out->listing.matching = *out->matching ? out->matching : NULL;
	if (out->what == SIDECAR_ASKED_LIVE || out->what == SIDECAR_ASKED_STRIPS)
		sentence = parse_listing(head, out);
	return sentence ? sentence : parse_times(head, out);
}

static void put_number(struct promcb_view_bytes *out, const char *name, double number)
{
	if (isnan(number))
		promcb_view_json_print(out, ",\"%s\":null", name);
	else
		promcb_view_json_print(out, ",\"%s\":%.9f", name, number);
}

void sidecar_asked_put_calls(const struct sidecar_segment *segment, size_t index, const struct promcb_summary *summary,
			     struct promcb_view_bytes *out)
{
	struct promcb_recent_call call;

	promcb_view_json_text(out, "{\"format\":1,");
	promcb_view_json_time(out, "taken", promcb_snapshot_taken_ns(segment->snapshot));
	promcb_view_json_text(out, ",\"segment\":");
	promcb_view_json_string(out, segment->name);
	promcb_view_json_text(out, ",\"component\":");
	promcb_view_json_string(out, summary->name);
	promcb_view_json_print(out, ",\"recent_calls\":%llu", (unsigned long long)summary->recent_calls);
	put_number(out, "min", summary->min_latency);
	put_number(out, "avg", summary->avg_latency);
	put_number(out, "p50", summary->p50);
	put_number(out, "p90", summary->p90);
	put_number(out, "p95", summary->p95);
	put_number(out, "p99", summary->p99);
	put_number(out, "p999", summary->p999);
	put_number(out, "max", summary->max_latency);
	promcb_view_json_text(out, ",\"calls\":[");
	for (size_t i = 0; promcb_snapshot_call(segment->snapshot, index, i, &call) == 0; i++) {
		promcb_view_json_print(out, "%s[%llu.%09llu,", i ? "," : "",
				       (unsigned long long)(call.time_ns / SECOND_NS),
				       (unsigned long long)(call.time_ns % SECOND_NS));
		if (call.latency_ns == PROMCB_LATENCY_UNMEASURED)
			promcb_view_json_text(out, "null");
		else
			promcb_view_json_print(out, "%llu", (unsigned long long)call.latency_ns);
		promcb_view_json_print(out, ",%s]", call.failed ? "true" : "false");
	}
	promcb_view_json_text(out, "]}\n");
}

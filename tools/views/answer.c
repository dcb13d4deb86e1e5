/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

#define SECOND ((uint64_t)1000000000)

static const char *const mark_names[] = {"created", "reset", "backwards"};

/* -- Parts of answers ---------------------------------------------------------------------------------------------- */

void promcb_view_answer_head(const struct promcb_view_sources *sources, struct promcb_view_bytes *out)
{
	promcb_view_json_text(out, "{\"format\":1,\"id\":");
	promcb_view_json_string(out, sources->id);
	promcb_view_json_text(out, ",");
	promcb_view_json_time(out, "now", sources->now_ns);
	promcb_view_json_print(out, ",\"tick_seconds\":%.3f", (double)sources->tick_ns / 1e9);
}

/* Names of the bits that are set. */
static void put_bits(struct promcb_view_bytes *out, const char *name, uint32_t bits, const char *const *names,
		     size_t count)
{
	const char *between = "";

	promcb_view_json_print(out, ",\"%s\":[", name);
	for (size_t i = 0; i < count; i++)
		if (names[i] && bits >> i & 1) {
			promcb_view_json_print(out, "%s\"%s\"", between, names[i]);
			between = ",";
		}
	promcb_view_json_text(out, "]");
}

/* -- Columns ------------------------------------------------------------------------------------------------------- */

/* Which buckets were seen. */
struct seen {
	size_t first, end;
};

/* Those that are not empty, each after how many were passed over: gap, count, gap, count. */
static void put_cells(struct promcb_view_bytes *out, const char *name, const uint64_t *buckets, size_t count,
		      struct seen *seen)
{
	const char *between = "";
	size_t passed = 0;

	promcb_view_json_print(out, ",\"%s\":[", name);
	for (size_t i = 0; i < count; i++, passed++) {
		if (!buckets[i])
			continue;
		promcb_view_json_print(out, "%s%zu,%llu", between, passed, (unsigned long long)buckets[i]);
		between = ",";
		passed = (size_t)-1;
		seen->first = seen->end && seen->first < i ? seen->first : i;
		seen->end = seen->end > i + 1 ? seen->end : i + 1;
	}
	promcb_view_json_text(out, "]");
}

static void put_numbers(struct promcb_view_bytes *out, const char *name, const uint64_t *numbers, size_t count)
{
	promcb_view_json_print(out, ",\"%s\":[", name);
	for (size_t i = 0; i < count; i++)
		promcb_view_json_print(out, "%s%llu", i ? "," : "", (unsigned long long)numbers[i]);
	promcb_view_json_text(out, "]");
}

/* The state that a breaker had at the end of a window: by its last row, or because it has not changed since. */
static const char *state_of(const struct promcb_view_component *component, const struct promcb_view_window *window)
{
	if (component->changed_ns && component->changed_ns <= window->upto_ns)
		return promcb_view_json_state(true, component->state);
	return promcb_view_json_state(window->stated && window->changed_ns, window->state);
}

static void put_window(const struct promcb_view_history *history, uint32_t component,
		       const struct promcb_view_window *window, struct seen *seen, struct promcb_view_bytes *out)
{
	const uint64_t *buckets = window->buckets;
	size_t count = history->bucket_count;

	promcb_view_json_text(out, "{");
	promcb_view_json_time(out, "from", window->from_ns);
	promcb_view_json_text(out, ",");
	promcb_view_json_time(out, "to", window->upto_ns);
	promcb_view_json_print(out, ",\"seconds\":%.9f,", window->seconds);
	promcb_view_json_counts(out, &window->counts);
	promcb_view_json_text(out, ",");
	promcb_view_json_print(out, "\"latency_sum\":%llu.%09llu",
			       (unsigned long long)(window->counts.latency_ns / SECOND),
			       (unsigned long long)(window->counts.latency_ns % SECOND));
	put_cells(out, "ok", buckets, count, seen);
	put_cells(out, "bad", buckets + count, count, seen);
	promcb_view_json_quantile(out, history, buckets, "p50", (struct promcb_view_quantile){1, 2});
	promcb_view_json_quantile(out, history, buckets, "p90", (struct promcb_view_quantile){9, 10});
	promcb_view_json_quantile(out, history, buckets, "p99", (struct promcb_view_quantile){99, 100});
	promcb_view_json_quantile(out, history, buckets, "p999", (struct promcb_view_quantile){999, 1000});
	promcb_view_json_print(out, ",\"state\":%s", state_of(&history->components[component], window));
	put_numbers(out, "transitions", window->counts.transitions, PROMCB_STATES);
	put_numbers(out, "logs", window->counts.logs, PROMCB_LOG_LEVELS);
	put_bits(out, "marks", window->marks, mark_names, sizeof(mark_names) / sizeof(mark_names[0]));
	put_bits(out, "gaps", window->gaps, promcb_view_gap_names, PROMCB_VIEW_GAPS);
	promcb_view_json_text(out, "}");
}

/* The bounds of the buckets that cells are of, in nanoseconds. */
static void put_bounds(const struct promcb_view_history *history, const struct seen *seen,
		       struct promcb_view_bytes *out)
{
	promcb_view_json_print(out, "\"first_bucket\":%zu,\"bounds_ns\":[", seen->first);
	for (size_t i = seen->first; i < seen->end; i++) {
		struct promcb_bucket bounds = {.least_ns = 0};

		promcb_bucket_bounds(history->schema, i, &bounds);
		promcb_view_json_print(out, "%s[%llu,%llu]", i > seen->first ? "," : "",
				       (unsigned long long)bounds.least_ns, (unsigned long long)bounds.most_ns);
	}
	promcb_view_json_text(out, "]");
}

static void put_whose(const struct promcb_view_sources *sources, size_t source, uint32_t component,
		      struct promcb_view_bytes *out)
{
	const struct promcb_view_history *history = sources->sources[source].history;
	const struct promcb_view_component *known = &history->components[component];

	promcb_view_answer_head(sources, out);
	promcb_view_json_text(out, ",\"segment\":");
	promcb_view_json_string(out, sources->sources[source].name);
	promcb_view_json_text(out, ",\"component\":");
	promcb_view_json_string(out, known->name);
	promcb_view_json_print(out, ",\"listed\":%s,", known->listed ? "true" : "false");
	promcb_view_json_time(out, "since", known->since_ns);
	promcb_view_json_text(out, ",");
	promcb_view_json_time(out, "last_call", known->last_call_ns);
	promcb_view_json_text(out, ",");
	promcb_view_json_time(out, "last_failure", known->last_failure_ns);
	promcb_view_json_print(out, ",\"state\":%s,", promcb_view_json_state(known->changed_ns, known->state));
	promcb_view_json_time(out, "changed", known->changed_ns);
	promcb_view_json_text(out, ",\"total\":{");
	promcb_view_json_counts(out, &known->total);
	promcb_view_json_print(out, "},\"schema\":%u", history->schema);
}

void promcb_view_answer_history(const struct promcb_view_sources *sources, size_t source, uint32_t component,
				struct promcb_view_range range, size_t columns, struct promcb_view_bytes *out)
{
	const struct promcb_view_history *history = sources->sources[source].history;
	uint64_t *buckets = malloc(PROMCB_VIEW_OUTCOMES * history->bucket_count * sizeof(*buckets));
	uint64_t step_ns = promcb_view_step_ns(range, columns);
	uint64_t first_ns = promcb_view_from_ns(history), last_ns = promcb_view_upto_ns(history);
	uint64_t at_ns = (range.from_ns > first_ns ? range.from_ns : first_ns) / step_ns * step_ns;
	const char *between = "\n";
	struct seen seen = {0, 0};

	out->failed |= !buckets;
	put_whose(sources, source, component, out);
	promcb_view_json_print(out, ",\"step_seconds\":%.0f,", (double)step_ns / 1e9);
	promcb_view_json_time(out, "from", range.from_ns);
	promcb_view_json_text(out, ",");
	promcb_view_json_time(out, "to", range.upto_ns);
	promcb_view_json_text(out, ",\n\"columns\":[");
	last_ns = last_ns < range.upto_ns ? last_ns : range.upto_ns;
	for (; buckets && at_ns < last_ns && at_ns <= UINT64_MAX - step_ns; at_ns += step_ns) {
		uint64_t from_ns = at_ns > range.from_ns ? at_ns : range.from_ns;
		uint64_t upto_ns = at_ns + step_ns < range.upto_ns ? at_ns + step_ns : range.upto_ns;
		struct promcb_view_window window;

		promcb_view_window(history, component, from_ns, upto_ns, buckets, &window);
		if (!window.upto_ns)
			continue;
		promcb_view_json_text(out, between);
		put_window(history, component, &window, &seen, out);
		between = ",\n";
	}
	promcb_view_json_text(out, "],\n");
	put_bounds(history, &seen, out);
	promcb_view_json_text(out, "}\n");
	free(buckets);
}

void promcb_view_answer_compare(const struct promcb_view_sources *sources, size_t source, uint32_t component,
				struct promcb_view_range a, struct promcb_view_range b, struct promcb_view_bytes *out)
{
	const struct promcb_view_history *history = sources->sources[source].history;
	uint64_t *buckets = malloc(PROMCB_VIEW_OUTCOMES * history->bucket_count * sizeof(*buckets));
	const struct promcb_view_range ranges[] = {a, b};
	struct seen seen = {0, 0};

	out->failed |= !buckets;
	put_whose(sources, source, component, out);
	for (size_t i = 0; buckets && i < 2; i++) {
		struct promcb_view_window window;

		promcb_view_json_print(out, ",\n\"%c\":", (char)('a' + (int)i));
		promcb_view_window(history, component, ranges[i].from_ns, ranges[i].upto_ns, buckets, &window);
		put_window(history, component, &window, &seen, out);
	}
	promcb_view_json_text(out, ",\n");
	put_bounds(history, &seen, out);
	promcb_view_json_text(out, "}\n");
	free(buckets);
}

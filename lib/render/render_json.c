/* SPDX-License-Identifier: MIT */
/*
 * render_json.c: a snapshot as JSON: the summaries by name, and the health document.
 *
 * Components are built, printed and dropped one by one, so that memory does not grow with their number; what stands
 * around them is plain text. Keys come in a fixed order, components in the snapshot's. Numbers have 15 digits, which
 * is as many as survive both ways, and not a number is null, since JSON has no NaN. Memory is all that can fail: then
 * the error sticks in the sink.
 */
#include "render/render_json.h"

#include "base/name.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

/* A name alone is printed too, which is no document: hence "any". */
#define DUMP_FLAGS (JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

static int take(const char *bytes, size_t length, void *context)
{
	struct promcb_sink *sink = context;

	promcb_sink_bytes(sink, bytes, length);
	return sink->error ? -1 : 0;
}

void promcb_json_print(struct promcb_sink *sink, json_t *value)
{
	if ((!value || json_dump_callback(value, take, sink, DUMP_FLAGS) < 0) && !sink->error)
		sink->error = -ENOMEM;
	json_decref(value);
}

json_t *promcb_json_whole(uint64_t value)
{
	return value <= INT64_MAX ? json_integer((json_int_t)value) : json_real((double)value);
}

json_t *promcb_json_real(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text(const char *value)
{
	return value ? json_string(value) : json_null();
}

int promcb_json_set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value);
}

static json_t *percentiles(const struct promcb_summary *summary)
{
	json_t *object = json_object();
	int failed = 0;

	failed |= promcb_json_set(object, "p50", promcb_json_real(summary->p50));
	failed |= promcb_json_set(object, "p90", promcb_json_real(summary->p90));
	failed |= promcb_json_set(object, "p95", promcb_json_real(summary->p95));
	failed |= promcb_json_set(object, "p99", promcb_json_real(summary->p99));
	failed |= promcb_json_set(object, "p999", promcb_json_real(summary->p999));
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *transitions(const struct promcb_summary *summary)
{
	json_t *object = json_object();
	int failed = 0;

	for (unsigned state = PROMCB_CLOSED; state <= PROMCB_HALF_OPEN; state++)
		failed |= promcb_json_set(object, promcb_state_name((enum promcb_state)state),
					  promcb_json_whole(summary->transitions[state]));
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *log_entries(const struct promcb_summary *summary)
{
	json_t *object = json_object();
	int failed = 0;

	for (unsigned level = PROMCB_LOG_DEBUG; level <= PROMCB_LOG_ERROR; level++)
		failed |= promcb_json_set(object, promcb_log_level_name((enum promcb_log_level)level),
					  promcb_json_whole(summary->log_entries[level]));
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

/* A component as the reference guide's summary, and what promcb knows beyond it. */
static json_t *whole_summary(const struct promcb_summary *summary)
{
	json_t *object = json_object();
	int failed = 0;

	failed |= promcb_json_set(object, "total_calls", promcb_json_whole(summary->total_calls));
	failed |= promcb_json_set(object, "successful_calls", promcb_json_whole(summary->successful_calls));
	failed |= promcb_json_set(object, "failed_calls", promcb_json_whole(summary->failed_calls));
	failed |= promcb_json_set(object, "success_rate", promcb_json_real(summary->success_rate));
	failed |= promcb_json_set(object, "failure_rate", promcb_json_real(summary->failure_rate));
	failed |= promcb_json_set(object, "avg_latency", promcb_json_real(summary->avg_latency));
	failed |= promcb_json_set(object, "min_latency", promcb_json_real(summary->min_latency));
	failed |= promcb_json_set(object, "max_latency", promcb_json_real(summary->max_latency));
	failed |= promcb_json_set(object, "latency_percentiles", percentiles(summary));
	failed |= promcb_json_set(object, "current_state", text(promcb_state_name(summary->state)));
	failed |= promcb_json_set(object, "last_failure_time", promcb_json_real(summary->last_failure_time));
	failed |= promcb_json_set(object, "unmeasured_calls", promcb_json_whole(summary->unmeasured_calls));
	failed |= promcb_json_set(object, "recent_calls", promcb_json_whole(summary->recent_calls));
	failed |= promcb_json_set(object, "recent_failure_rate", promcb_json_real(summary->recent_failure_rate));
	failed |= promcb_json_set(object, "last_state_change", promcb_json_real(summary->last_state_change));
	failed |= promcb_json_set(object, "transitions", transitions(summary));
	failed |= promcb_json_set(object, "log_entries", log_entries(summary));
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

/* A component in the health document: latencies are milliseconds there. */
static json_t *health_summary(const struct promcb_summary *summary)
{
	json_t *object = json_object();
	int failed = 0;

	failed |= promcb_json_set(object, "total_calls", promcb_json_whole(summary->total_calls));
	failed |= promcb_json_set(object, "success_rate", promcb_json_real(summary->success_rate));
	failed |= promcb_json_set(object, "failure_rate", promcb_json_real(summary->failure_rate));
	failed |= promcb_json_set(object, "avg_latency_ms", promcb_json_real(summary->avg_latency * 1000));
	failed |= promcb_json_set(object, "p99_latency_ms", promcb_json_real(summary->p99 * 1000));
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

/* A component's key: its name, with its segment before it where parts are told apart by that. */
static json_t *key_of(const struct promcb_rendering *rendering, size_t part, const char *name)
{
	const char *segment = rendering->parts[part].segment;

	return segment ? json_sprintf("%s %s", segment, name) : json_string(name);
}

/* An object from names to what make() makes of their summaries, one component to a line. */
static void print_components(const struct promcb_rendering *rendering, const char *matching,
			     json_t *(*make)(const struct promcb_summary *summary))
{
	struct promcb_sink *sink = rendering->sink;
	const char *before = "\n";

	promcb_sink_text(sink, "{");
	for (size_t part = 0; part < rendering->count; part++) {
		const struct promcb_snapshot *snapshot = rendering->parts[part].snapshot;

		for (size_t i = 0; snapshot && i < snapshot->count && !sink->error; i++) {
			struct promcb_summary summary;

			if (matching && !promcb_name_matches(snapshot->components[i].name, matching))
				continue;
			if (promcb_snapshot_summary(snapshot, i, &summary) < 0)
				continue;
			promcb_sink_text(sink, before);
			promcb_json_print(sink, key_of(rendering, part, summary.name));
			promcb_sink_text(sink, ": ");
			promcb_json_print(sink, make(&summary));
			before = ",\n";
		}
	}
	promcb_sink_text(sink, *before == ',' ? "\n}" : "}");
}

void promcb_render_json(const struct promcb_rendering *rendering)
{
	print_components(rendering, rendering->options->matching, whole_summary);
	promcb_sink_text(rendering->sink, "\n");
}

bool promcb_parts_healthy(const struct promcb_render_segment *parts, size_t count)
{
	for (size_t part = 0; part < count; part++) {
		const struct promcb_snapshot *snapshot = parts[part].snapshot;

		if (!snapshot)
			return false;
		/* A failure rate over 50 percent is more failures than successes, without the rounding. */
		for (size_t i = 0; i < snapshot->count; i++)
			if (snapshot->components[i].counts.calls[1] > snapshot->components[i].counts.calls[0])
				return false;
	}
	return count > 0;
}

void promcb_render_health(const struct promcb_rendering *rendering)
{
	struct promcb_sink *sink = rendering->sink;
	uint64_t taken_ns = 0, unreadable = 0;
	bool healthy = promcb_parts_healthy(rendering->parts, rendering->count);

	for (size_t part = 0; part < rendering->count; part++) {
		const struct promcb_snapshot *snapshot = rendering->parts[part].snapshot;

		if (snapshot && snapshot->taken_ns > taken_ns)
			taken_ns = snapshot->taken_ns;
		unreadable += !snapshot;
	}
	promcb_sink_text(sink,
			 healthy ? "{\"healthy\": true, \"components\": " : "{\"healthy\": false, \"components\": ");
	print_components(rendering, NULL, health_summary);
	promcb_sink_text(sink, ", \"timestamp\": ");
	/* Without a segment, the time of the answer. */
	promcb_json_print(sink,
			  taken_ns ? json_real(promcb_ns_double(taken_ns)) : json_integer((json_int_t)time(NULL)));
	promcb_sink_text(sink, ", \"unreadable_segments\": ");
	promcb_json_print(sink, promcb_json_whole(unreadable));
	promcb_sink_text(sink, "}\n");
}

/* SPDX-License-Identifier: MIT */
/*
 * render_json.c: a snapshot as JSON: the summaries by name, and the health document.
 *
 * Components are built, printed and dropped one by one, so that memory does not grow with their number; what stands
 * around them is plain text. Keys come in a fixed order, components in the snapshot's. Numbers have 15 digits, which
 * is as many as survive both ways, and not a number is null, since JSON has no NaN. Memory is all that can fail: then
 * the error sticks in the sink.
 */
#include "base/name.h"
#include "render/render.h"

#include <jansson.h>

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

/* Prints and drops. value: NULL if it could not be made. */
static void print(struct promcb_sink *sink, json_t *value)
{
	if ((!value || json_dump_callback(value, take, sink, DUMP_FLAGS) < 0) && !sink->error)
		sink->error = -ENOMEM;
	json_decref(value);
}

/* Whole numbers beyond a signed 64-bit integer go as reals: near enough, and never negative. */
static json_t *whole(uint64_t value)
{
	return value <= INT64_MAX ? json_integer((json_int_t)value) : json_real((double)value);
}

static json_t *real(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text(const char *value)
{
	return value ? json_string(value) : json_null();
}

/*
 * Sets a key to a new value, which it takes. Returns 0, or -1 if either could not be had, as the calls of jansson do.
 */
static int set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value);
}

static json_t *percentiles(const struct promcb_summary *summary)
{
	json_t *object = json_object();
	int failed = 0;

	failed |= set(object, "p50", real(summary->p50));
	failed |= set(object, "p90", real(summary->p90));
	failed |= set(object, "p95", real(summary->p95));
	failed |= set(object, "p99", real(summary->p99));
	failed |= set(object, "p999", real(summary->p999));
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
		failed |= set(object, promcb_state_name((enum promcb_state)state), whole(summary->transitions[state]));
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
		failed |= set(object, promcb_log_level_name((enum promcb_log_level)level),
			      whole(summary->log_entries[level]));
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

	failed |= set(object, "total_calls", whole(summary->total_calls));
	failed |= set(object, "successful_calls", whole(summary->successful_calls));
	failed |= set(object, "failed_calls", whole(summary->failed_calls));
	failed |= set(object, "success_rate", real(summary->success_rate));
	failed |= set(object, "failure_rate", real(summary->failure_rate));
	failed |= set(object, "avg_latency", real(summary->avg_latency));
	failed |= set(object, "min_latency", real(summary->min_latency));
	failed |= set(object, "max_latency", real(summary->max_latency));
	failed |= set(object, "latency_percentiles", percentiles(summary));
	failed |= set(object, "current_state", text(promcb_state_name(summary->state)));
	failed |= set(object, "last_failure_time", real(summary->last_failure_time));
	failed |= set(object, "unmeasured_calls", whole(summary->unmeasured_calls));
	failed |= set(object, "recent_calls", whole(summary->recent_calls));
	failed |= set(object, "recent_failure_rate", real(summary->recent_failure_rate));
	failed |= set(object, "last_state_change", real(summary->last_state_change));
	failed |= set(object, "transitions", transitions(summary));
	failed |= set(object, "log_entries", log_entries(summary));
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

	failed |= set(object, "total_calls", whole(summary->total_calls));
	failed |= set(object, "success_rate", real(summary->success_rate));
	failed |= set(object, "failure_rate", real(summary->failure_rate));
	failed |= set(object, "avg_latency_ms", real(summary->avg_latency * 1000));
	failed |= set(object, "p99_latency_ms", real(summary->p99 * 1000));
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
			print(sink, key_of(rendering, part, summary.name));
			promcb_sink_text(sink, ": ");
			print(sink, make(&summary));
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
	print(sink, taken_ns ? json_real(promcb_ns_double(taken_ns)) : json_integer((json_int_t)time(NULL)));
	promcb_sink_text(sink, ", \"unreadable_segments\": ");
	print(sink, whole(unreadable));
	promcb_sink_text(sink, "}\n");
}

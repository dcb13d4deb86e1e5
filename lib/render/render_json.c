/* SPDX-License-Identifier: MIT */
/*
 * render_json.c: a snapshot as JSON: the summaries by name, and the health document.
 *
 * Keys come in a fixed order, components in the snapshot's. Numbers have 15 digits, which is as many as survive both
 * ways, and not a number is null, since JSON has no NaN.
 */
#include "render/render_json.h"

#include "base/name.h"

#include <time.h>

/* What the name of a component with labels is made of. */
static void print_labels(struct promcb_sink *sink, const struct promcb_full_name *name)
{
	promcb_json_text_member(sink, ", \"component\": ", name->parts);
	for (unsigned i = 0; i < name->count; i++) {
		promcb_sink_text(sink, i ? ", " : ", \"labels\": {");
		promcb_json_text(sink, name->parts + name->label_at[i]);
		promcb_json_text_member(sink, ": ", name->parts + name->value_at[i]);
	}
	promcb_sink_text(sink, "}");
}

/* A component as the Python collector's summary, and what promcb knows beyond it. */
static void print_summary(struct promcb_sink *sink, const struct promcb_summary *summary,
			  const struct promcb_full_name *name)
{
	promcb_json_whole_member(sink, "{\"total_calls\": ", summary->total_calls);
	promcb_json_whole_member(sink, ", \"successful_calls\": ", summary->successful_calls);
	promcb_json_whole_member(sink, ", \"failed_calls\": ", summary->failed_calls);
	promcb_json_real_member(sink, ", \"success_rate\": ", summary->success_rate);
	promcb_json_real_member(sink, ", \"failure_rate\": ", summary->failure_rate);
	promcb_json_real_member(sink, ", \"avg_latency\": ", summary->avg_latency);
	promcb_json_real_member(sink, ", \"min_latency\": ", summary->min_latency);
	promcb_json_real_member(sink, ", \"max_latency\": ", summary->max_latency);
	promcb_json_real_member(sink, ", \"latency_percentiles\": {\"p50\": ", summary->p50);
	promcb_json_real_member(sink, ", \"p90\": ", summary->p90);
	promcb_json_real_member(sink, ", \"p95\": ", summary->p95);
	promcb_json_real_member(sink, ", \"p99\": ", summary->p99);
	promcb_json_real_member(sink, ", \"p999\": ", summary->p999);
	promcb_json_text_member(sink, "}, \"current_state\": ", promcb_state_name(summary->state));
	promcb_json_real_member(sink, ", \"last_failure_time\": ", summary->last_failure_time);
	promcb_json_whole_member(sink, ", \"unmeasured_calls\": ", summary->unmeasured_calls);
	promcb_json_whole_member(sink, ", \"recent_calls\": ", summary->recent_calls);
	promcb_json_real_member(sink, ", \"recent_failure_rate\": ", summary->recent_failure_rate);
	promcb_json_real_member(sink, ", \"last_state_change\": ", summary->last_state_change);
	for (unsigned state = PROMCB_CLOSED; state <= PROMCB_HALF_OPEN; state++) {
		promcb_sink_text(sink, state == PROMCB_CLOSED ? ", \"transitions\": {" : ", ");
		promcb_json_text(sink, promcb_state_name((enum promcb_state)state));
		promcb_json_whole_member(sink, ": ", summary->transitions[state]);
	}
	for (unsigned level = PROMCB_LOG_DEBUG; level <= PROMCB_LOG_ERROR; level++) {
		promcb_sink_text(sink, level == PROMCB_LOG_DEBUG ? "}, \"log_entries\": {" : ", ");
		promcb_json_text(sink, promcb_log_level_name((enum promcb_log_level)level));
		promcb_json_whole_member(sink, ": ", summary->log_entries[level]);
	}
	promcb_sink_text(sink, "}");
	if (name->count)
		print_labels(sink, name);
	promcb_sink_text(sink, "}");
}

/* A component in the health document: latencies are milliseconds there. */
static void print_health(struct promcb_sink *sink, const struct promcb_summary *summary,
			 const struct promcb_full_name *name)
{
	(void)name;
	promcb_json_whole_member(sink, "{\"total_calls\": ", summary->total_calls);
	promcb_json_real_member(sink, ", \"success_rate\": ", summary->success_rate);
	promcb_json_real_member(sink, ", \"failure_rate\": ", summary->failure_rate);
	promcb_json_real_member(sink, ", \"avg_latency_ms\": ", summary->avg_latency * 1000);
	promcb_json_real_member(sink, ", \"p99_latency_ms\": ", summary->p99 * 1000);
	promcb_sink_text(sink, "}");
}

/* A component's key: its name, with its segment before it where parts are told apart by that. */
static void print_key(const struct promcb_rendering *rendering, size_t part, const char *name)
{
	const char *segment = rendering->parts[part].segment;
	struct promcb_sink *sink = rendering->sink;

	promcb_sink_text(sink, "\"");
	if (segment) {
		promcb_json_inside(sink, segment);
		promcb_sink_text(sink, " ");
	}
	promcb_json_inside(sink, name);
	promcb_sink_text(sink, "\"");
}

/* An object from names to what print() makes of their summaries, one component to a line. */
static void print_components(const struct promcb_rendering *rendering, const char *matching,
			     void (*print)(struct promcb_sink *sink, const struct promcb_summary *summary,
					   const struct promcb_full_name *name))
{
	struct promcb_sink *sink = rendering->sink;
	const char *before = "\n";

	promcb_sink_text(sink, "{");
	for (size_t part = 0; part < rendering->count; part++) {
		const struct promcb_snapshot *snapshot = rendering->parts[part].snapshot;

		for (size_t i = 0; snapshot && i < snapshot->count && !sink->error; i++) {
			struct promcb_summary summary;

			if (matching && !promcb_name_matches(snapshot->components[i].name.text, matching))
				continue;
			if (promcb_snapshot_summary(snapshot, i, &summary) < 0)
				continue;
			promcb_sink_text(sink, before);
			print_key(rendering, part, summary.name);
			promcb_sink_text(sink, ": ");
			print(sink, &summary, &snapshot->components[i].name);
			before = ",\n";
		}
	}
	promcb_sink_text(sink, *before == ',' ? "\n}" : "}");
}

void promcb_render_json(const struct promcb_rendering *rendering)
{
	print_components(rendering, rendering->options->matching, print_summary);
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
	print_components(rendering, NULL, print_health);
	/* Without a segment, the time of the answer. */
	if (taken_ns)
		promcb_json_real_member(sink, ", \"timestamp\": ", promcb_ns_double(taken_ns));
	else
		promcb_json_whole_member(sink, ", \"timestamp\": ", (uint64_t)time(NULL));
	promcb_json_whole_member(sink, ", \"unreadable_segments\": ", unreadable);
	promcb_sink_text(sink, "}\n");
}

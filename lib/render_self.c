/* SPDX-License-Identifier: MIT */
/*
 * render_self.c: the text families about promcb itself and the segment: a few dozen lines, once per rendering.
 *
 * May include: render_text.h.
 */
#include "render_text.h"

/* The build may name the revision it is made from. */
#ifndef PROMCB_REVISION
#define PROMCB_REVISION "unknown"
#endif

void promcb_render_head(struct promcb_sink *sink, const char *name, const char *type, const char *help)
{
	promcb_sink_text(sink, "# HELP ");
	promcb_sink_text(sink, name);
	promcb_sink_text(sink, " ");
	promcb_sink_text(sink, help);
	promcb_sink_text(sink, "\n# TYPE ");
	promcb_sink_text(sink, name);
	promcb_sink_text(sink, " ");
	promcb_sink_text(sink, type);
	promcb_sink_text(sink, "\n");
}

/* One sample of a family about promcb itself; labels with their braces, or "". */
static void sample(struct promcb_sink *sink, const char *name, const char *labels, double value)
{
	promcb_sink_text(sink, name);
	promcb_sink_text(sink, labels);
	promcb_sink_text(sink, " ");
	promcb_sink_double(sink, value);
	promcb_sink_text(sink, "\n");
}

static void sample_u64(struct promcb_sink *sink, const char *name, const char *labels, uint64_t value)
{
	promcb_sink_text(sink, name);
	promcb_sink_text(sink, labels);
	promcb_sink_text(sink, " ");
	promcb_sink_u64(sink, value);
	promcb_sink_text(sink, "\n");
}

static void gauge(struct promcb_sink *sink, const char *name, const char *help, double value)
{
	promcb_render_head(sink, name, "gauge", help);
	sample(sink, name, "", value);
}

static void counter(struct promcb_sink *sink, const char *name, const char *help, uint64_t value)
{
	promcb_render_head(sink, name, "counter", help);
	sample_u64(sink, name, "", value);
}

/*
 * What promcb says of itself and of the segment. Counts of -1 are unknown: no series is more honest than a false one.
 */
void promcb_render_self(const struct promcb_segment_info *info, const struct promcb_render_options *options,
			struct promcb_sink *sink)
{
	promcb_render_head(sink, "promcb_build_info", "gauge", "The version of promcb that rendered this; always 1.");
	sample(sink, "promcb_build_info", "{version=\"" PROMCB_VERSION "\",revision=\"" PROMCB_REVISION "\"}", 1);
	gauge(sink, "promcb_up", "1 if the segment could be read.", 1);
	gauge(sink, "promcb_scrape_duration_seconds", "How long reading the segment took.", options->scrape_seconds);
	promcb_render_head(sink, "promcb_segment_bytes", "gauge",
			   "Memory that the segment uses, and the most it may use.");
	sample_u64(sink, "promcb_segment_bytes", "{kind=\"used\"}", info->used_bytes);
	sample_u64(sink, "promcb_segment_bytes", "{kind=\"max\"}", info->max_bytes);
	gauge(sink, "promcb_segment_created_timestamp_seconds", "Unix time of the segment's creation.", info->created);
	gauge(sink, "promcb_components", "Components registered.", info->components);
	gauge(sink, "promcb_components_max", "Components that the segment has room for.", info->components_max);
	counter(sink, "promcb_components_rejected_total", "Registrations that found the segment full.",
		info->components_rejected);
	if (info->lanes_live >= 0 || info->lanes_idle >= 0)
		promcb_render_head(sink, "promcb_lanes", "gauge",
				   "Lanes held by a thread, and lanes with counts that nobody holds.");
	if (info->lanes_live >= 0)
		sample(sink, "promcb_lanes", "{state=\"live\"}", info->lanes_live);
	if (info->lanes_idle >= 0)
		sample(sink, "promcb_lanes", "{state=\"idle\"}", info->lanes_idle);
	gauge(sink, "promcb_lanes_max", "Threads that can hold a lane at a time.", info->lanes_max);
	if (info->producers >= 0)
		gauge(sink, "promcb_producers", "Processes that hold a lane.", info->producers);
	counter(sink, "promcb_overflow_calls_total", "Calls recorded without a lane: counted in full, but slower.",
		info->overflow_calls);
	counter(sink, "promcb_dropped_calls_total", "Calls that could not be recorded.", info->dropped_calls);
	counter(sink, "promcb_rejected_calls_total", "Calls refused for a negative, NaN or infinite latency.",
		info->rejected_calls);
	counter(sink, "promcb_saturated_calls_total", "Calls whose latency was cut down to the longest there is.",
		info->saturated_calls);
	counter(sink, "promcb_backward_calls_total", "Calls whose clock ran backwards, recorded with a latency of 0.",
		info->backward_calls);
}

/* SPDX-License-Identifier: MIT */
/* render_self.c: the families about promcb itself and its segments as series, and the caller's after them. */
#include "render/render_self.h"

#include "promcb_revision.h"

#include <errno.h>
#include <stdlib.h>

/* What a row says of a segment. Returns false where that cannot be known: no series is more honest than a false one. */
typedef bool value_fn(const struct promcb_segment_info *info, double *out);

#define VALUE(name, condition, value)                                            \
	static bool name(const struct promcb_segment_info *info, double *number) \
	{                                                                        \
		*number = (double)(value);                                       \
		return condition;                                                \
	}

VALUE(used_bytes, true, info->used_bytes)
VALUE(max_bytes, true, info->max_bytes)
VALUE(created, true, info->created)
VALUE(components, true, info->components)
VALUE(components_max, true, info->components_max)
VALUE(components_rejected, true, info->components_rejected)
VALUE(lanes_live, info->lanes_live >= 0, info->lanes_live)
VALUE(lanes_idle, info->lanes_idle >= 0, info->lanes_idle)
VALUE(lanes_undated, info->lanes_undated >= 0, info->lanes_undated)
VALUE(lanes_max, true, info->lanes_max)
VALUE(producers, info->producers >= 0, info->producers)
VALUE(overflow_calls, true, info->overflow_calls)
VALUE(dropped_calls, true, info->dropped_calls)
VALUE(rejected_calls, true, info->rejected_calls)
VALUE(bad_lines, true, info->bad_lines)
VALUE(saturated_calls, true, info->saturated_calls)
VALUE(backward_calls, true, info->backward_calls)

static const struct row {
	struct promcb_family family;
	struct {
		const char *label, *text;
		value_fn *value;
	} values[2];
} rows[] = {
	{{"promcb_segment_bytes", "Memory that the segment uses, and the most it may use.", NULL, PROMCB_FAMILY_GAUGE,
	  NULL, 0},
	 {{"kind", "used", used_bytes}, {"kind", "max", max_bytes}}},
	{{"promcb_segment_created_timestamp_seconds", "Unix time of the segment's creation.", "seconds",
	  PROMCB_FAMILY_GAUGE, NULL, 0},
	 {{NULL, NULL, created}}},
	{{"promcb_components", "Components registered.", NULL, PROMCB_FAMILY_GAUGE, NULL, 0},
	 {{NULL, NULL, components}}},
	{{"promcb_components_max", "Components that the segment has room for.", NULL, PROMCB_FAMILY_GAUGE, NULL, 0},
	 {{NULL, NULL, components_max}}},
	{{"promcb_components_rejected_total", "Registrations that found the segment full.", NULL, PROMCB_FAMILY_COUNTER,
	  NULL, 0},
	 {{NULL, NULL, components_rejected}}},
	{{"promcb_lanes", "Lanes held by a thread, and lanes with counts that nobody holds.", NULL, PROMCB_FAMILY_GAUGE,
	  NULL, 0},
	 {{"state", "live", lanes_live}, {"state", "idle", lanes_idle}}},
	{{"promcb_lanes_undated",
	  "Lanes held by a thread whose clock is not known to the reader: their recent calls have no quantiles.", NULL,
	  PROMCB_FAMILY_GAUGE, NULL, 0},
	 {{NULL, NULL, lanes_undated}}},
	{{"promcb_lanes_max", "Threads that can hold a lane at a time.", NULL, PROMCB_FAMILY_GAUGE, NULL, 0},
	 {{NULL, NULL, lanes_max}}},
	{{"promcb_producers", "Processes that hold a lane.", NULL, PROMCB_FAMILY_GAUGE, NULL, 0},
	 {{NULL, NULL, producers}}},
	{{"promcb_overflow_calls_total", "Calls recorded without a lane: counted in full, but slower.", NULL,
	  PROMCB_FAMILY_COUNTER, NULL, 0},
	 {{NULL, NULL, overflow_calls}}},
	{{"promcb_dropped_calls_total", "Calls that could not be recorded.", NULL, PROMCB_FAMILY_COUNTER, NULL, 0},
	 {{NULL, NULL, dropped_calls}}},
	{{"promcb_rejected_calls_total", "Calls refused for a negative, NaN or infinite latency.", NULL,
	  PROMCB_FAMILY_COUNTER, NULL, 0},
	 {{NULL, NULL, rejected_calls}}},
	{{"promcb_bad_lines_total", "Lines of logs from which no call could be read.", NULL, PROMCB_FAMILY_COUNTER,
	  NULL, 0},
	 {{NULL, NULL, bad_lines}}},
	{{"promcb_saturated_calls_total", "Calls whose latency was cut down to the longest there is.", NULL,
	  PROMCB_FAMILY_COUNTER, NULL, 0},
	 {{NULL, NULL, saturated_calls}}},
	{{"promcb_backward_calls_total", "Calls whose clock ran backwards, recorded with a latency of 0.", NULL,
	  PROMCB_FAMILY_COUNTER, NULL, 0},
	 {{NULL, NULL, backward_calls}}},
};

/* A series of a part: the label of all comes first, then its segment. */
static struct promcb_plain_series *begin(struct promcb_plain_series *series, const struct promcb_rendering *rendering,
					 const struct promcb_render_part *part)
{
	const struct promcb_render_options *options = rendering->options;

	*series = (struct promcb_plain_series){.label_count = 0};
	if (options->label_name)
		series->labels[series->label_count++] =
			(struct promcb_plain_label){options->label_name, options->label_value};
	if (part && part->segment)
		series->labels[series->label_count++] = (struct promcb_plain_label){"segment", part->segment};
	return series;
}

static void add(struct promcb_plain_series *series, const char *label, const char *value)
{
	if (label)
		series->labels[series->label_count++] = (struct promcb_plain_label){label, value};
}

static void print_row(const struct promcb_rendering *rendering, const struct row *row,
		      struct promcb_plain_series *series, promcb_plain_fn *print, void *context)
{
	size_t count = 0;

	for (size_t i = 0; i < rendering->count; i++) {
		const struct promcb_render_part *part = &rendering->parts[i];

		for (unsigned j = 0; part->snapshot && j < 2 && row->values[j].value; j++) {
			begin(&series[count], rendering, part);
			add(&series[count], row->values[j].label, row->values[j].text);
			series[count].since_ns = part->snapshot->created_ns;
			count += row->values[j].value(&part->snapshot->info, &series[count].number);
		}
	}
	if (count)
		print(context, &row->family, series, count);
}

static void print_up(const struct promcb_rendering *rendering, struct promcb_plain_series *series,
		     promcb_plain_fn *print, void *context)
{
	static const struct promcb_family build = {.name = "promcb_build_info",
						   .help = "The version of promcb that rendered this; always 1."};
	static const struct promcb_family up = {.name = "promcb_up", .help = "1 if the segment could be read."};
	static const struct promcb_family duration = {.name = "promcb_scrape_duration_seconds",
						      .help = "How long reading the segment took.",
						      .unit = "seconds"};

	begin(&series[0], rendering, NULL)->number = 1;
	add(&series[0], "version", PROMCB_VERSION);
	add(&series[0], "revision", PROMCB_REVISION);
	print(context, &build, series, 1);
	for (size_t i = 0; i < rendering->count; i++)
		begin(&series[i], rendering, &rendering->parts[i])->number = rendering->parts[i].snapshot != NULL;
	if (rendering->count)
		print(context, &up, series, rendering->count);
	for (size_t i = 0; i < rendering->count; i++)
		begin(&series[i], rendering, &rendering->parts[i])->number = rendering->parts[i].scrape_seconds;
	if (rendering->count)
		print(context, &duration, series, rendering->count);
}

void promcb_plain_each(const struct promcb_rendering *rendering, promcb_plain_fn *print, void *context)
{
	const struct promcb_render_options *options = rendering->options;
	size_t room = 2 * rendering->count + 1;

	for (size_t i = 0; i < options->family_count; i++) {
		if (options->families[i].count > room)
			room = options->families[i].count;
	}
	struct promcb_plain_series *series = calloc(room, sizeof(*series));

	if (!series) {
		if (!rendering->sink->error)
			rendering->sink->error = -ENOMEM;
		return;
	}
	print_up(rendering, series, print, context);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		print_row(rendering, &rows[i], series, print, context);
	for (size_t i = 0; i < options->family_count; i++) {
		const struct promcb_family *family = &options->families[i];

		for (size_t j = 0; j < family->count; j++) {
			begin(&series[j], rendering, NULL)->number = family->samples[j].number;
			add(&series[j], family->samples[j].label, family->samples[j].value);
			series[j].since_ns = options->families_since_ns;
		}
		if (family->count)
			print(context, family, series, family->count);
	}
	free(series);
}

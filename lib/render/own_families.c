/* SPDX-License-Identifier: MIT */
/* own_families.c: the families about promcb itself and its segments as series, and the caller's after them. */
#include "render/own_families.h"

#include "promcb_revision.h"
#include "render/groups.h"

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

/* Where nobody ever declared a family, nothing is said of them. */
static bool has_families(const struct promcb_segment_info *info)
{
	return info->families || info->families_rejected;
}

VALUE(families, has_families(info), info->families)
VALUE(series, has_families(info), info->series)
VALUE(families_rejected, has_families(info), info->families_rejected)
VALUE(series_rejected, has_families(info), info->series_rejected)
VALUE(rejected_values, has_families(info), info->rejected_values)
VALUE(dropped_values, has_families(info), info->dropped_values)

static const struct row {
	struct promcb_family family;
	struct {
		const char *label, *text;
		value_fn *value;
	} values[2];
} rows[] = {
	{{"promcb_segment_bytes",
	  "Memory that the segment uses, and the most it may use.",
	  NULL,
	  PROMCB_FAMILY_GAUGE,
	  NULL,
	  0,
	  {0}},
	 {{"kind", "used", used_bytes}, {"kind", "max", max_bytes}}},
	{{"promcb_segment_created_timestamp_seconds",
	  "Unix time of the segment's creation.",
	  "seconds",
	  PROMCB_FAMILY_GAUGE,
	  NULL,
	  0,
	  {0}},
	 {{NULL, NULL, created}}},
	{{"promcb_components", "Components registered.", NULL, PROMCB_FAMILY_GAUGE, NULL, 0, {0}},
	 {{NULL, NULL, components}}},
	{{"promcb_components_max",
	  "Components that the segment has room for.",
	  NULL,
	  PROMCB_FAMILY_GAUGE,
	  NULL,
	  0,
	  {0}},
	 {{NULL, NULL, components_max}}},
	{{"promcb_components_rejected_total",
	  "Registrations that found the segment full.",
	  NULL,
	  PROMCB_FAMILY_COUNTER,
	  NULL,
	  0,
	  {0}},
	 {{NULL, NULL, components_rejected}}},
	{{"promcb_lanes",
	  "Lanes held by a thread, and lanes with counts that nobody holds.",
	  NULL,
	  PROMCB_FAMILY_GAUGE,
	  NULL,
	  0,
	  {0}},
	 {{"state", "live", lanes_live}, {"state", "idle", lanes_idle}}},
	{{"promcb_lanes_undated",
	  "Lanes held by a thread whose clock is not known to the reader: their recent calls have no quantiles.",
	  NULL,
	  PROMCB_FAMILY_GAUGE,
	  NULL,
	  0,
	  {0}},
	 {{NULL, NULL, lanes_undated}}},
	{{"promcb_lanes_max", "Threads that can hold a lane at a time.", NULL, PROMCB_FAMILY_GAUGE, NULL, 0, {0}},
	 {{NULL, NULL, lanes_max}}},
	{{"promcb_producers", "Processes that hold a lane.", NULL, PROMCB_FAMILY_GAUGE, NULL, 0, {0}},
	 {{NULL, NULL, producers}}},
	{{"promcb_overflow_calls_total",
	  "Calls recorded without a lane: counted in full, but slower.",
	  NULL,
	  PROMCB_FAMILY_COUNTER,
	  NULL,
	  0,
	  {0}},
	 {{NULL, NULL, overflow_calls}}},
	{{"promcb_dropped_calls_total", "Calls that could not be recorded.", NULL, PROMCB_FAMILY_COUNTER, NULL, 0, {0}},
	 {{NULL, NULL, dropped_calls}}},
	{{"promcb_rejected_calls_total",
	  "Calls refused for a negative, NaN or infinite latency.",
	  NULL,
	  PROMCB_FAMILY_COUNTER,
	  NULL,
	  0,
	  {0}},
	 {{NULL, NULL, rejected_calls}}},
	{{"promcb_bad_lines_total",
	  "Lines of logs from which no call could be read.",
	  NULL,
	  PROMCB_FAMILY_COUNTER,
	  NULL,
	  0,
	  {0}},
	 {{NULL, NULL, bad_lines}}},
	{{"promcb_saturated_calls_total",
	  "Calls whose latency was cut down to the longest there is.",
	  NULL,
	  PROMCB_FAMILY_COUNTER,
	  NULL,
	  0,
	  {0}},
	 {{NULL, NULL, saturated_calls}}},
	{{"promcb_backward_calls_total",
	  "Calls whose clock ran backwards, recorded with a latency of 0.",
	  NULL,
	  PROMCB_FAMILY_COUNTER,
	  NULL,
	  0,
	  {0}},
	 {{NULL, NULL, backward_calls}}},
	{{"promcb_families", "Families that are registered.", NULL, PROMCB_FAMILY_GAUGE, NULL, 0, {0}},
	 {{NULL, NULL, families}}},
	{{"promcb_series", "Series of families that are listed.", NULL, PROMCB_FAMILY_GAUGE, NULL, 0, {0}},
	 {{NULL, NULL, series}}},
	{{"promcb_families_rejected_total",
	  "Families that were declared otherwise than they are.",
	  NULL,
	  PROMCB_FAMILY_COUNTER,
	  NULL,
	  0,
	  {0}},
	 {{NULL, NULL, families_rejected}}},
	{{"promcb_series_rejected_total",
	  "Look-ups of series beyond a cap, or with label values against the rules.",
	  NULL,
	  PROMCB_FAMILY_COUNTER,
	  NULL,
	  0,
	  {0}},
	 {{NULL, NULL, series_rejected}}},
	{{"promcb_rejected_values_total",
	  "Negative amounts of counters, NaN and infinities, which are not counted.",
	  NULL,
	  PROMCB_FAMILY_COUNTER,
	  NULL,
	  0,
	  {0}},
	 {{NULL, NULL, rejected_values}}},
	{{"promcb_dropped_values_total",
	  "Values that could not be recorded.",
	  NULL,
	  PROMCB_FAMILY_COUNTER,
	  NULL,
	  0,
	  {0}},
	 {{NULL, NULL, dropped_values}}},
};

/* The series of a family at hand, and memory for their labels: as many for each. */
struct list {
	const struct promcb_rendering *rendering;
	struct promcb_series *series;
	struct promcb_label *labels;
	size_t labels_each;
	size_t count;
};

static void add_label(struct list *list, const char *name, const char *value)
{
	struct promcb_series *series = &list->series[list->count];

	list->labels[list->count * list->labels_each + series->label_count++] = (struct promcb_label){name, value};
}

/* Begins a series of a part: the labels of all come first, then its segment. It is in the list once it is counted. */
static struct promcb_series *begin(struct list *list, const struct promcb_render_segment *part)
{
	const struct promcb_render_options *options = list->rendering->options;
	struct promcb_series *series = &list->series[list->count];

	*series = (struct promcb_series){.labels = list->labels + list->count * list->labels_each};
	for (size_t i = 0; i < options->label_count; i++)
		add_label(list, options->labels[i].name, options->labels[i].value);
	if (part && part->segment)
		add_label(list, "segment", part->segment);
	return series;
}

/* Visits a family with the series of the list, if there are any, and empties the list. */
static void visit_list(struct list *list, const struct promcb_family *family, promcb_family_visitor *visit,
		       void *context)
{
	struct promcb_family listed = *family;

	listed.series = list->series;
	listed.count = list->count;
	list->count = 0;
	if (listed.count)
		visit(context, &listed);
}

static void list_row(struct list *list, const struct row *row)
{
	const struct promcb_rendering *rendering = list->rendering;

	for (size_t i = 0; i < rendering->count; i++) {
		const struct promcb_render_segment *part = &rendering->parts[i];

		for (unsigned j = 0; part->snapshot && j < 2 && row->values[j].value; j++) {
			struct promcb_series *series = begin(list, part);

			if (row->values[j].label)
				add_label(list, row->values[j].label, row->values[j].text);
			series->since_ns = part->snapshot->created_ns;
			list->count += row->values[j].value(&part->snapshot->info, &series->number);
		}
	}
}

static void visit_up(struct list *list, promcb_family_visitor *visit, void *context)
{
	static const struct promcb_family build = {.name = "promcb_build_info",
						   .help = "The version of promcb that rendered this; always 1."};
	static const struct promcb_family up = {.name = "promcb_up", .help = "1 if the segment could be read."};
	static const struct promcb_family duration = {.name = "promcb_scrape_duration_seconds",
						      .help = "How long reading the segment took.",
						      .unit = "seconds"};
	const struct promcb_rendering *rendering = list->rendering;

	begin(list, NULL)->number = 1;
	add_label(list, "version", PROMCB_VERSION);
	add_label(list, "revision", PROMCB_REVISION);
	list->count++;
	visit_list(list, &build, visit, context);
	for (size_t i = 0; i < rendering->count; i++, list->count++)
		begin(list, &rendering->parts[i])->number = rendering->parts[i].snapshot != NULL;
	visit_list(list, &up, visit, context);
	for (size_t i = 0; i < rendering->count; i++, list->count++)
		begin(list, &rendering->parts[i])->number = rendering->parts[i].scrape_seconds;
	visit_list(list, &duration, visit, context);
}

/* Families that could not be printed beside others of their name: where there are any at all. */
static void visit_conflicts(struct list *list, promcb_family_visitor *visit, void *context)
{
	static const struct promcb_family family = {
		.name = "promcb_families_conflicting",
		.help = "Families of a segment that are left out: another segment has one of that name and another "
			"type, or components have one of that name."};
	const struct promcb_rendering *rendering = list->rendering;
	size_t *counts = calloc(rendering->count + 1, sizeof(*counts));
	bool any = counts && promcb_groups_conflicting(rendering, counts);

	for (size_t i = 0; any && i < rendering->count; i++) {
		begin(list, &rendering->parts[i])->number = (double)counts[i];
		list->count += rendering->parts[i].snapshot != NULL;
	}
	visit_list(list, &family, visit, context);
	free(counts);
}

static void list_family(struct list *list, const struct promcb_family *family)
{
	for (size_t i = 0; i < family->count; i++) {
		const struct promcb_series *from = &family->series[i];
		struct promcb_series *series = begin(list, NULL);

		series->number = from->number;
		series->since_ns = from->since_ns ? from->since_ns : list->rendering->options->families_since_ns;
		for (size_t j = 0; j < from->label_count; j++)
			add_label(list, from->labels[j].name, from->labels[j].value);
		list->count++;
	}
}

void promcb_each_family(const struct promcb_rendering *rendering, promcb_family_visitor *visit, void *context)
{
	const struct promcb_render_options *options = rendering->options;
	struct list list = {.rendering = rendering, .labels_each = options->label_count + 1 + PROMCB_LABELS_MAX};
	size_t room = 2 * rendering->count + 1;

	for (size_t i = 0; i < options->family_count; i++)
		if (options->families[i].count > room)
			room = options->families[i].count;
	list.series = calloc(room, sizeof(*list.series));
	list.labels = calloc(room, list.labels_each * sizeof(*list.labels));
	if (!list.series || !list.labels) {
		if (!rendering->sink->error)
			rendering->sink->error = -ENOMEM;
		goto out;
	}
	visit_up(&list, visit, context);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		list_row(&list, &rows[i]);
		visit_list(&list, &rows[i].family, visit, context);
	}
	visit_conflicts(&list, visit, context);
	for (size_t i = 0; i < options->family_count; i++) {
		list_family(&list, &options->families[i]);
		visit_list(&list, &options->families[i], visit, context);
	}
out:
	free(list.series);
	free(list.labels);
}

/* SPDX-License-Identifier: MIT */
/*
 * json_metrics.c: families and their series as JSON: one object, with a list of families in the order of their names;
 * of each its series, one to a line.
 *
 * Buckets are [upper bound, values in it], from the first to the last that has any; the last of all has the bound null.
 * They are not cumulative: their sum is the count.
 */
#include "base/name.h"
#include "render/groups.h"
#include "render/render_json.h"

#include <math.h>

struct printer {
	const struct promcb_rendering *rendering;
	const char *before; /* the next family */
};

static const char *type_name(enum promcb_metric_type type)
{
	static const char *const names[] = {
		[PROMCB_COUNTER] = "counter",     [PROMCB_LEVEL] = "level", [PROMCB_GAUGE] = "gauge",
		[PROMCB_HISTOGRAM] = "histogram", [PROMCB_INFO] = "info",
	};

	return names[type];
}

/* A list of the names of labels. */
static void print_names(struct promcb_sink *sink, const struct promcb_snapshot_family *family)
{
	const char *name = family->label_names;

	for (uint32_t i = 0; i < family->labels + (family->enumerated != 0); i++, name = promcb_text_next(name))
		promcb_json_text_member(sink, i ? ", " : "", name);
}

/* Labels by name; enumerated: the value of that label, NULL where there is none. */
static void print_labels(struct promcb_sink *sink, const struct promcb_snapshot_family *family,
			 const struct promcb_snapshot_series *series, const char *enumerated)
{
	const char *name = family->label_names, *value = series->values;

	for (uint32_t i = 0; i < family->labels; i++) {
		promcb_json_text_member(sink, i ? ", " : "", name);
		promcb_json_text_member(sink, ": ", value);
		name = promcb_text_next(name);
		value = promcb_text_next(value);
	}
	if (!enumerated)
		return;
	promcb_json_text_member(sink, family->labels ? ", " : "", name);
	promcb_json_text_member(sink, ": ", enumerated);
}

static void print_buckets(struct promcb_sink *sink, const struct promcb_snapshot_family *family, const uint64_t *cells)
{
	const char *before = "[";

	for (uint32_t i = 0; i < family->buckets; i++) {
		if (!cells[i])
			continue;
		promcb_json_real_member(sink, before, i + 1 < family->buckets ? promcb_family_bound(family, i) : NAN);
		promcb_json_whole_member(sink, ", ", cells[i]);
		before = "], [";
	}
	promcb_sink_text(sink, *before == ']' ? "]" : "");
}

/* A whole number as such, as long as it is one. */
static void print_number(struct promcb_sink *sink, const struct promcb_snapshot_family *family, uint64_t cell)
{
	bool is_whole = !family->is_double && family->decimals == 0 && family->type != PROMCB_GAUGE;

	if (family->type == PROMCB_INFO) {
		promcb_json_whole(sink, 1);
	} else if (is_whole && family->type == PROMCB_LEVEL) {
		promcb_sink_text(sink, (int64_t)cell < 0 ? "-" : "");
		promcb_sink_u64(sink, (int64_t)cell < 0 ? -cell : cell);
	} else if (is_whole) {
		promcb_json_whole(sink, cell);
	} else {
		promcb_json_real(sink, promcb_metrics_number(family, cell));
	}
}

/* cell: which of the series', where it has one for each enumerated value; else the first of all. */
static void print_series(struct promcb_sink *sink, const struct promcb_group_member *member,
			 const struct promcb_snapshot_series *series, const char *enumerated, uint32_t cell)
{
	const struct promcb_snapshot_family *family = member->family;
	const uint64_t *cells = promcb_member_cells(member, series) + cell;
	uint64_t count = 0;

	promcb_sink_text(sink, "{\"labels\": {");
	print_labels(sink, family, series, enumerated);
	promcb_json_real_member(sink, "}, \"created\": ", promcb_ns_double(series->created_ns));
	if (family->type == PROMCB_HISTOGRAM) {
		for (uint32_t i = 0; i < family->buckets; i++)
			count += cells[i];
		promcb_json_whole_member(sink, ", \"count\": ", count);
		promcb_sink_text(sink, ", \"sum\": ");
		print_number(sink, family, cells[family->buckets]);
		promcb_sink_text(sink, ", \"buckets\": [");
		print_buckets(sink, family, cells);
		promcb_sink_text(sink, "]}");
	} else {
		promcb_sink_text(sink, ", \"value\": ");
		print_number(sink, family, *cells);
		promcb_sink_text(sink, "}");
	}
}

static void print_member(struct printer *p, const struct promcb_group_member *member)
{
	const struct promcb_snapshot_family *family = member->family;
	struct promcb_sink *sink = p->rendering->sink;
	const char *before = "\n";

	promcb_sink_text(sink, p->before);
	promcb_json_text_member(sink, "{\"name\": ", family->name);
	if (member->part->segment)
		promcb_json_text_member(sink, ", \"segment\": ", member->part->segment);
	promcb_json_text_member(sink, ", \"type\": ", type_name(family->type));
	promcb_json_text_member(sink, ", \"help\": ", family->help);
	promcb_json_text_member(sink, ", \"unit\": ", family->unit);
	promcb_json_real_member(sink, ", \"created\": ", promcb_ns_double(family->created_ns));
	promcb_json_whole_member(sink, ", \"series_max\": ", family->series_max);
	promcb_json_whole_member(sink, ", \"refused\": ", family->refused);
	promcb_sink_text(sink, ", \"labels\": [");
	print_names(sink, family);
	promcb_sink_text(sink, "], \"series\": [");
	for (size_t i = 0; i < family->count && !sink->error; i++) {
		const struct promcb_snapshot_series *series = promcb_member_series(member, i);
		const char *enumerated = family->enumerated ? family->enumerated_values : NULL;

		for (uint32_t cell = 0; cell < (family->enumerated ? family->enumerated : 1); cell++) {
			promcb_sink_text(sink, before);
			print_series(sink, member, series, enumerated, cell);
			enumerated = enumerated ? promcb_text_next(enumerated) : NULL;
			before = ",\n";
		}
	}
	promcb_sink_text(sink, "]}");
	p->before = ",\n";
}

static void print_group(void *context, const struct promcb_group *group)
{
	struct printer *p = context;
	const char *matching = p->rendering->options->matching;

	for (size_t i = 0; i < group->count && !p->rendering->sink->error; i++)
		if (!matching || promcb_name_matches(group->members[i].family->name, matching))
			print_member(p, &group->members[i]);
}

void promcb_render_metrics(const struct promcb_rendering *rendering)
{
	/* Families of components are not in here, so that no name of theirs is taken. */
	struct promcb_render_options options = *rendering->options;
	struct promcb_rendering alone = *rendering;
	struct printer p = {&alone, "\n"};
	uint64_t unreadable = 0;

	for (size_t i = 0; i < rendering->count; i++)
		unreadable += !rendering->parts[i].snapshot;
	options.prefix = NULL;
	alone.options = &options;
	promcb_sink_text(rendering->sink, "{\"families\": [");
	promcb_each_group(&alone, print_group, &p);
	promcb_json_whole_member(rendering->sink, "], \"unreadable_segments\": ", unreadable);
	promcb_sink_text(rendering->sink, "}\n");
}

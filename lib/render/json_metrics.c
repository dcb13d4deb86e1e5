/* SPDX-License-Identifier: MIT */
/*
 * json_metrics.c: families and their series as JSON: one object, with a list of families in the order of their names;
 * of each its series, one to a line. Series are built, printed and dropped one by one.
 *
 * Buckets are [upper bound, values in it], from the first to the last that has any; the last of all has the bound null.
 * They are not cumulative: their sum is the count.
 */
#include "base/name.h"
#include "render/groups.h"
#include "render/render_json.h"

#include <string.h>

struct printer {
	const struct promcb_rendering *rendering;
	const char *before;             /* the next family */
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
static json_t *names_of(const struct promcb_snapshot_family *family)
{
	const char *name = family->label_names;
	json_t *array = json_array();
	int failed = 0;

	for (uint32_t i = 0; i < family->labels + (family->enumerated != 0); i++, name = promcb_text_next(name))
		failed |= json_array_append_new(array, json_string(name));
	if (!failed)
		return array;
	json_decref(array);
	return NULL;
}

/* Labels by name; enumerated: the value of that label, NULL where there is none. */
static json_t *labels_of(const struct promcb_snapshot_family *family, const struct promcb_snapshot_series *series,
			 const char *enumerated)
{
	const char *name = family->label_names, *value = series->values;
	json_t *object = json_object();
	int failed = 0;

	for (uint32_t i = 0; i < family->labels; i++) {
		failed |= promcb_json_set(object, name, json_string(value));
		name = promcb_text_next(name);
		value = promcb_text_next(value);
	}
	if (enumerated)
		failed |= promcb_json_set(object, name, json_string(enumerated));
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *buckets_of(const struct promcb_snapshot_family *family, const uint64_t *cells)
{
	json_t *array = json_array();
	int failed = 0;

	for (uint32_t i = 0; i < family->buckets; i++) {
		json_t *bucket = cells[i] ? json_array() : NULL;

		if (!cells[i])
			continue;
		failed |= json_array_append_new(bucket, i + 1 < family->buckets
								? promcb_json_real(promcb_family_bound(family, i))
								: json_null());
		failed |= json_array_append_new(bucket, promcb_json_whole(cells[i]));
		failed |= json_array_append_new(array, bucket);
	}
	if (!failed)
		return array;
	json_decref(array);
	return NULL;
}

/* A whole number as such, as long as it is one. */
static json_t *number_of(const struct promcb_snapshot_family *family, uint64_t cell)
{
	bool is_whole = !family->is_double && family->decimals == 0 && family->type != PROMCB_GAUGE;

	if (family->type == PROMCB_INFO)
		return json_integer(1);
	if (is_whole && family->type == PROMCB_LEVEL)
		return json_integer((json_int_t)cell);
	return is_whole ? promcb_json_whole(cell) : promcb_json_real(promcb_metrics_number(family, cell));
}

/* cell: which of the series', where it has one for each enumerated value; else the first of all. */
static json_t *series_of(const struct promcb_group_member *member, const struct promcb_snapshot_series *series,
			 const char *enumerated, uint32_t cell)
{
	const struct promcb_snapshot_family *family = member->family;
	const uint64_t *cells = promcb_member_cells(member, series) + cell;
	json_t *object = json_object();
	uint64_t count = 0;
	int failed = promcb_json_set(object, "labels", labels_of(family, series, enumerated));

	failed |= promcb_json_set(object, "created", promcb_json_real(promcb_ns_double(series->created_ns)));
	if (family->type == PROMCB_HISTOGRAM) {
		for (uint32_t i = 0; i < family->buckets; i++)
			count += cells[i];
		failed |= promcb_json_set(object, "count", promcb_json_whole(count));
		failed |= promcb_json_set(object, "sum", number_of(family, cells[family->buckets]));
		failed |= promcb_json_set(object, "buckets", buckets_of(family, cells));
	} else {
		failed |= promcb_json_set(object, "value", number_of(family, *cells));
	}
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

static void print_field(struct promcb_sink *sink, const char *key, json_t *value)
{
	promcb_sink_text(sink, key);
	promcb_json_print(sink, value);
}

static void print_member(struct printer *p, const struct promcb_group_member *member)
{
	const struct promcb_snapshot_family *family = member->family;
	struct promcb_sink *sink = p->rendering->sink;
	const char *before = "\n";

	promcb_sink_text(sink, p->before);
	print_field(sink, "{\"name\": ", json_string(family->name));
	if (member->part->segment)
		print_field(sink, ", \"segment\": ", json_string(member->part->segment));
	print_field(sink, ", \"type\": ", json_string(type_name(family->type)));
	print_field(sink, ", \"help\": ", json_string(family->help));
	print_field(sink, ", \"unit\": ", json_string(family->unit));
	print_field(sink, ", \"created\": ", promcb_json_real(promcb_ns_double(family->created_ns)));
	print_field(sink, ", \"series_max\": ", promcb_json_whole(family->series_max));
	print_field(sink, ", \"refused\": ", promcb_json_whole(family->refused));
	print_field(sink, ", \"labels\": ", names_of(family));
	promcb_sink_text(sink, ", \"series\": [");
	for (size_t i = 0; i < family->count && !sink->error; i++) {
		const struct promcb_snapshot_series *series = promcb_member_series(member, i);
		const char *enumerated = family->enumerated ? family->enumerated_values : NULL;

		for (uint32_t cell = 0; cell < (family->enumerated ? family->enumerated : 1); cell++) {
			promcb_sink_text(sink, before);
			promcb_json_print(sink, series_of(member, series, enumerated, cell));
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
	struct printer p = {rendering, "\n"};
	uint64_t unreadable = 0;

	for (size_t i = 0; i < rendering->count; i++)
		unreadable += !rendering->parts[i].snapshot;
	promcb_sink_text(rendering->sink, "{\"families\": [");
	promcb_each_group(rendering, print_group, &p);
	print_field(rendering->sink, "], \"unreadable_segments\": ", promcb_json_whole(unreadable));
	promcb_sink_text(rendering->sink, "}\n");
}

/* SPDX-License-Identifier: MIT */
/*
 * text_metrics.c: families and their series in the text formats.
 *
 * A line is the name, the labels, maybe one more label, and the digits. The labels of a series are put together once,
 * in memory that all series of a family use, with room for the longest; names and values are no longer than a record,
 * so a line always fits the sink's room. Invariants: as in render_text.c; `_count` = `le="+Inf"` = the sum of all
 * buckets. Whole numbers are printed exactly, with their point moved.
 */
#include "render/groups.h"
#include "render/render_text.h"

#include <errno.h>
#include <stdlib.h>

enum { LE_ROOM = PROMCB_DIGITS_ROOM + 16 };

/* A bucket's label. */
struct le {
	char text[LE_ROOM];
	size_t bytes;
	uint32_t bucket;                /* the last that counts in it */
};

struct printer {
	struct promcb_sink *sink;
	const struct promcb_rendering *rendering;
	bool openmetrics;
	const struct promcb_group_member *member;
	char *labels;                   /* `{a="b",c="d"` of the series at hand; nothing if it has none */
	size_t label_bytes;
	size_t fixed_bytes;             /* of these the labels of all series of the part */
	struct le *les;                 /* of a histogram */
	size_t le_count;
};

/* -- Labels -------------------------------------------------------------------------------------------------------- */

static char *put_escaped(char *at, const char *value)
{
	for (; *value; value++) {
		if (*value == '"' || *value == '\\' || *value == '\n')
			*at++ = '\\';
		*at++ = *value == '\n' ? 'n' : *value;
	}
	return at;
}

static char *put_label(char *at, const char *begin, const char *prefix, const char *name, const char *value)
{
	*at = at == begin ? '{' : ',';
	at = stpcpy(stpcpy(stpcpy(at + 1, prefix), name), "=\"");
	at = put_escaped(at, value);
	*at++ = '"';
	return at;
}

/* The most that labels of a family's series take: names, and values that are all quotes. */
static size_t labels_room(const struct promcb_group_member *member)
{
	const struct promcb_snapshot_family *family = member->family;
	const char *name = family->label_names, *value = family->enumerated_values;
	size_t room = PROMCB_COMMON_LABELS_MAX + 16 + 2 * PROMCB_SEGMENT_LABEL_MAX, longest = 0, most = 0;

	for (uint32_t i = 0; i < family->labels + (family->enumerated != 0); i++, name = promcb_text_next(name))
		room += sizeof(PROMCB_EXPORTED) + strlen(name) + 4;
	for (uint32_t i = 0; i < family->enumerated; i++, value = promcb_text_next(value))
		if (strlen(value) > longest)
			longest = strlen(value);
	for (size_t i = 0; i < family->count; i++) {
		const char *text = promcb_member_series(member, i)->values, *end = text;

		for (uint32_t j = 0; j < family->labels; j++)
			end = promcb_text_next(end);
		if ((size_t)(end - text) > most)
			most = (size_t)(end - text);
	}
	return room + 2 * (longest + most) + 1;
}

static void put_fixed(struct printer *p)
{
	const struct promcb_render_options *options = p->rendering->options;
	char *at = p->labels;

	for (size_t i = 0; i < options->label_count; i++)
		at = put_label(at, p->labels, "", options->labels[i].name, options->labels[i].value);
	if (p->member->part->segment)
		at = put_label(at, p->labels, "", "segment", p->member->part->segment);
	p->fixed_bytes = (size_t)(at - p->labels);
}

/* Returns the name of the label behind them, the enumerated one's. */
static const char *put_own(struct printer *p, const struct promcb_snapshot_series *series)
{
	const char *name = p->member->family->label_names, *value = series->values;
	char *at = p->labels + p->fixed_bytes;

	for (uint32_t i = 0; i < p->member->family->labels; i++) {
		at = put_label(at, p->labels, promcb_own_label_prefix(p->rendering->options, name), name, value);
		name = promcb_text_next(name);
		value = promcb_text_next(value);
	}
	p->label_bytes = (size_t)(at - p->labels);
	return name;
}

/* -- Lines --------------------------------------------------------------------------------------------------------- */

static char *append(char *at, const void *bytes, size_t count)
{
	memcpy(at, bytes, count);
	return at + count;
}

/* NAME ENDING {LABELS, MORE} and the blank. more: `le="1.0"`, or nothing. Returns where the number goes, or NULL. */
static char *begin_line(const struct printer *p, const char *ending, const char *more, size_t more_bytes)
{
	const char *name = p->member->family->name;
	size_t name_bytes = strlen(name), ending_bytes = strlen(ending);
	size_t bytes = name_bytes + ending_bytes + p->label_bytes + more_bytes + 4 + PROMCB_DIGITS_ROOM;
	char *at;

	if (bytes > PROMCB_SINK_ROOM_MAX) {
		if (!p->sink->error)
			p->sink->error = -E2BIG;
		return NULL;
	}
	at = promcb_sink_room(p->sink, bytes);
	if (!at)
		return NULL;
	at = append(at, name, name_bytes);
	at = append(at, ending, ending_bytes);
	at = append(at, p->labels, p->label_bytes);
	if (more_bytes) {
		*at++ = p->label_bytes ? ',' : '{';
		at = append(at, more, more_bytes);
	}
	if (p->label_bytes || more_bytes)
		*at++ = '}';
	*at++ = ' ';
	return at;
}

static void end_line(const struct printer *p, char *at)
{
	*at++ = '\n';
	promcb_sink_wrote(p->sink, at);
}

static char *put_number(char *at, const struct promcb_snapshot_family *family, uint64_t cell)
{
	if (family->is_double || family->type == PROMCB_GAUGE)
		return promcb_digits_double(at, promcb_cell_double(cell));
	if (family->type == PROMCB_LEVEL && cell >> 63) {
		*at++ = '-';
		cell = 0 - cell;
	}
	return promcb_digits_decimal(at, cell, family->decimals);
}

static void print_number(const struct printer *p, const char *ending, uint64_t cell)
{
	char *at = begin_line(p, ending, NULL, 0);

	if (at)
		end_line(p, put_number(at, p->member->family, cell));
}

static void print_whole(const struct printer *p, const char *ending, const struct le *le, uint64_t number)
{
	char *at = begin_line(p, ending, le ? le->text : NULL, le ? le->bytes : 0);

	if (at)
		end_line(p, promcb_digits_u64(at, number));
}

/* -- Series -------------------------------------------------------------------------------------------------------- */

static void print_histogram(const struct printer *p, const uint64_t *cells)
{
	const struct promcb_snapshot_family *family = p->member->family;
	uint64_t sum = cells[family->buckets], below = 0;
	uint32_t bucket = 0;

	for (size_t i = 0; i < p->le_count; i++) {
		for (; bucket <= p->les[i].bucket; bucket++)
			below += cells[bucket];
		print_whole(p, "_bucket", &p->les[i], below);
	}
	/* OpenMetrics has no sum that may fall, as with observations below 0; and no count without a sum. */
	if (p->openmetrics && family->is_double && !(promcb_cell_double(sum) >= 0))
		return;
	print_number(p, "_sum", sum);
	print_whole(p, "_count", NULL, below);
}

static void print_series(struct printer *p, const struct promcb_snapshot_series *series)
{
	const struct promcb_snapshot_family *family = p->member->family;
	const uint64_t *cells = promcb_member_cells(p->member, series);
	const char *label = put_own(p, series), *value = family->enumerated_values;
	size_t own_bytes = p->label_bytes;

	switch (family->type) {
	case PROMCB_HISTOGRAM:
		print_histogram(p, cells);
		break;
	case PROMCB_INFO:
		print_whole(p, "", NULL, 1);
		break;
	default:
		if (!family->enumerated)
			print_number(p, "", cells[0]);
		for (uint32_t i = 0; i < family->enumerated; i++, value = promcb_text_next(value)) {
			char *at = put_label(p->labels + own_bytes, p->labels,
					     promcb_own_label_prefix(p->rendering->options, label), label, value);

			p->label_bytes = (size_t)(at - p->labels);
			print_number(p, "", cells[i]);
		}
	}
}

/* -- Families ------------------------------------------------------------------------------------------------------ */

/* The labels of a histogram's buckets. */
static bool make_les(struct printer *p)
{
	const struct promcb_snapshot_family *family = p->member->family;
	uint32_t last = family->buckets - 1;

	p->le_count = 0;
	p->les = malloc(family->buckets * sizeof(*p->les));
	if (!p->les)
		return false;
	for (uint32_t bucket = 0;; bucket++) {
		struct le *le = &p->les[p->le_count++];
		char *at = stpcpy(le->text, "le=\"");

		bucket = promcb_family_classic(family, p->rendering->options->classic_schema, bucket);
		at = bucket < last ? promcb_digits_canonical(at, promcb_family_bound(family, bucket))
				   : append(at, "+Inf", 4);
		*at++ = '"';
		le->bytes = (size_t)(at - le->text);
		le->bucket = bucket;
		if (bucket == last)
			return true;
	}
}

static void print_member(struct printer *p)
{
	p->les = NULL;
	p->labels = malloc(labels_room(p->member));
	if (!p->labels || (p->member->family->type == PROMCB_HISTOGRAM && !make_les(p))) {
		if (!p->sink->error)
			p->sink->error = -ENOMEM;
	} else {
		put_fixed(p);
		for (size_t i = 0; i < p->member->family->count && !p->sink->error; i++)
			print_series(p, promcb_member_series(p->member, i));
	}
	free(p->labels);
	free(p->les);
}

static void print_group(void *context, const struct promcb_group *group)
{
	struct printer *p = context;

	promcb_text_head(p->sink, p->openmetrics, group->name, group->type, group->unit, group->help);
	for (size_t i = 0; i < group->count; i++) {
		p->member = &group->members[i];
		print_member(p);
	}
}

void promcb_text_metrics(const struct promcb_rendering *rendering, bool openmetrics)
{
	struct printer printer = {.sink = rendering->sink, .rendering = rendering, .openmetrics = openmetrics};

	promcb_each_group(rendering, print_group, &printer);
}

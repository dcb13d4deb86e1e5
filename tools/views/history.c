/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND ((uint64_t)1000000000)

const struct promcb_view_limits promcb_view_default_limits = {
	.tiers = {{0, 300}, {10 * SECOND, 360}, {60 * SECOND, 1440}},
	.bytes = (size_t)32 << 20,
};

const char *const promcb_view_gap_names[PROMCB_VIEW_GAPS] = {NULL, "stopped", "missing"};

int promcb_view_history_start(struct promcb_view_history *history, uint32_t schema,
			      const struct promcb_view_limits *limits)
{
	size_t count = promcb_bucket_count(schema);

	*history = (struct promcb_view_history){.schema = schema, .bucket_count = count, .limits = *limits};
	return count && count <= PROMCB_VIEW_BUCKETS_MAX ? 0 : -EINVAL;
}

void promcb_view_history_end(struct promcb_view_history *history)
{
	for (uint32_t i = 0; i < history->component_count; i++) {
		free(history->components[i].name);
		promcb_view_bytes_free(&history->components[i].buckets);
	}
	for (size_t i = 0; i < history->column_count; i++)
		free(history->columns[i].rows);
	free(history->components);
	free(history->by_name);
	free(history->columns);
	*history = (struct promcb_view_history){.schema = 0};
}

/* -- Components ---------------------------------------------------------------------------------------------------- */

/* Where a name stands among those sorted, or would. */
static uint32_t place_of(const struct promcb_view_history *history, const char *name)
{
	uint32_t low = 0, high = history->component_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (strcmp(history->components[history->by_name[middle]].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t promcb_view_find(const struct promcb_view_history *history, const char *name)
{
	uint32_t place = place_of(history, name);

	if (place == history->component_count || strcmp(history->components[history->by_name[place]].name, name) != 0)
		return UINT32_MAX;
	return history->by_name[place];
}

static bool make_room_for_component(struct promcb_view_history *history)
{
	uint32_t room = history->component_room * 2 + 16;
	struct promcb_view_component *components;
	uint32_t *by_name;

	if (history->component_count < history->component_room)
		return true;
	components = realloc(history->components, room * sizeof(*components));
	if (!components)
		return false;
	history->components = components;
	by_name = realloc(history->by_name, room * sizeof(*by_name));
	if (!by_name)
		return false;
	history->by_name = by_name;
	history->component_room = room;
	return true;
}

uint32_t promcb_view_add(struct promcb_view_history *history, const char *name)
{
	struct promcb_view_component component = {.listed = true};
	uint32_t number = history->component_count, place = place_of(history, name);

	if (!make_room_for_component(history))
		return UINT32_MAX;
	component.name = strdup(name);
	if (!component.name)
		return UINT32_MAX;
	history->components[number] = component;
	memmove(history->by_name + place + 1, history->by_name + place, (number - place) * sizeof(uint32_t));
	history->by_name[place] = number;
	history->component_count++;
	return number;
}

size_t promcb_view_component_bytes(const struct promcb_view_history *history)
{
	size_t bytes = history->component_room * (sizeof(*history->components) + sizeof(*history->by_name));

	for (uint32_t i = 0; i < history->component_count; i++)
		bytes += strlen(history->components[i].name) + 1 + history->components[i].buckets.room;
	return bytes;
}

/* -- Columns ------------------------------------------------------------------------------------------------------- */

uint64_t promcb_view_from_ns(const struct promcb_view_history *history)
{
	return history->column_count ? history->columns[0].from_ns : 0;
}

uint64_t promcb_view_upto_ns(const struct promcb_view_history *history)
{
	return history->column_count ? history->columns[history->column_count - 1].upto_ns : 0;
}

static size_t bytes_of(const struct promcb_view_column *column)
{
	return sizeof(*column) + column->length;
}

/* Takes columns out; their rows are the caller's. */
static void cut(struct promcb_view_history *history, size_t at, size_t count)
{
	for (size_t i = at; i < at + count; i++) {
		history->bytes -= bytes_of(&history->columns[i]);
		history->tier_columns[history->columns[i].tier]--;
	}
	history->column_count -= count;
	memmove(history->columns + at, history->columns + at + count,
		(history->column_count - at) * sizeof(*history->columns));
}

static void drop_oldest(struct promcb_view_history *history)
{
	uint8_t *rows = history->columns[0].rows;

	cut(history, 0, 1);
	free(rows);
}

/* The rows of several columns, as one: each has its next row at its cursor. */
static int join_rows(const struct promcb_view_history *history, const struct promcb_view_column *columns, size_t count,
		     struct promcb_view_bytes *out)
{
	struct promcb_view_span *cursors = malloc(count * sizeof(*cursors));
	uint64_t *buckets = malloc(PROMCB_VIEW_OUTCOMES * history->bucket_count * sizeof(*buckets));

	for (size_t i = 0; cursors && i < count; i++)
		cursors[i] = promcb_view_span_of(columns[i].rows, columns[i].length);
	while (cursors && buckets && !out->failed) {
		struct promcb_view_row row = {.buckets = buckets};
		uint32_t next = UINT32_MAX;

		for (size_t i = 0; i < count; i++)
			if (cursors[i].at < cursors[i].end && promcb_view_row_peek(&cursors[i]) < next)
				next = promcb_view_row_peek(&cursors[i]);
		if (next == UINT32_MAX)
			break;
		memset(buckets, 0, PROMCB_VIEW_OUTCOMES * history->bucket_count * sizeof(*buckets));
		for (size_t i = 0; i < count; i++)
			if (cursors[i].at < cursors[i].end && promcb_view_row_peek(&cursors[i]) == next)
				promcb_view_row_add(&cursors[i], &row, history->bucket_count);
		promcb_view_row_put(out, &row, history->bucket_count);
	}
	out->failed |= !cursors || !buckets || out->length > UINT32_MAX;
	free(cursors);
	free(buckets);
	return out->failed ? -ENOMEM : 0;
}

/* Columns of one tier become one of the next. */
static int join(struct promcb_view_history *history, size_t at, size_t count)
{
	struct promcb_view_column *first = &history->columns[at], *last = first + count - 1, joined = *first;
	struct promcb_view_bytes rows = {.bytes = NULL};
	int result = join_rows(history, first, count, &rows);

	if (result < 0) {
		promcb_view_bytes_free(&rows);
		return result;
	}
	joined.upto_ns = last->upto_ns;
	for (size_t i = 1; i < count; i++)
		joined.took_ns += first[i].took_ns;
	joined.tier++;
	joined.length = (uint32_t)rows.length;
	joined.rows = promcb_view_bytes_take(&rows);
	for (size_t i = 0; i < count; i++)
		free(first[i].rows);
	cut(history, at + 1, count - 1);
	history->bytes += joined.length;
	history->bytes -= first->length;
	history->tier_columns[first->tier]--;
	history->tier_columns[joined.tier]++;
	*first = joined;
	return 0;
}

/* Which column of a tier a moment is in. */
static uint64_t group_of(const struct promcb_view_column *column, const struct promcb_view_tier *tier)
{
	return tier->width_ns ? (column->upto_ns - 1) / tier->width_ns : column->upto_ns;
}

/* Joins what is too much of a tier. A gap stays a column of its own. */
static int age(struct promcb_view_history *history, uint32_t tier)
{
	const struct promcb_view_tier *next = &history->limits.tiers[tier + 1];

	while (history->tier_columns[tier] > history->limits.tiers[tier].columns) {
		const struct promcb_view_column *column = history->columns;
		size_t at = 0, count = 1;
		int result;

		while (column[at].tier != tier)
			at++;
		while (at + count < history->column_count && column[at + count].tier == tier && !column[at].gap &&
		       !column[at + count].gap && group_of(&column[at + count], next) == group_of(&column[at], next))
			count++;
		/* More of it may come. */
		if (at + count == history->column_count)
			return 0;
		/* So long that it would be joined too early, when all of a group is not there yet. */
		if (count > 1 && history->tier_columns[tier] - count < history->limits.tiers[tier].columns)
			return 0;
		result = join(history, at, count);
		if (result < 0)
			return result;
	}
	return 0;
}

/* The newest column stays, whatever it takes. */
void promcb_view_trim(struct promcb_view_history *history, size_t bytes)
{
	while (history->bytes > bytes && history->column_count > 1)
		drop_oldest(history);
}

static int shrink(struct promcb_view_history *history)
{
	for (uint32_t tier = 0; tier + 1 < PROMCB_VIEW_TIERS; tier++) {
		int result = age(history, tier);

		if (result < 0)
			return result;
	}
	while (history->tier_columns[PROMCB_VIEW_TIERS - 1] > history->limits.tiers[PROMCB_VIEW_TIERS - 1].columns)
		drop_oldest(history);
	if (history->limits.bytes)
		promcb_view_trim(history, history->limits.bytes);
	return 0;
}

/* Rows come from files, too. */
static bool are_rows(const struct promcb_view_history *history, const struct promcb_view_column *column)
{
	struct promcb_view_span in = promcb_view_span_of(column->rows, column->length);
	uint64_t next = 0;

	while (in.at < in.end) {
		struct promcb_view_row row = {.component = 0};

		promcb_view_row_add(&in, &row, history->bucket_count);
		if (in.failed || row.component < next || row.component >= history->component_count)
			return false;
		next = (uint64_t)row.component + 1;
	}
	return true;
}

int promcb_view_push(struct promcb_view_history *history, const struct promcb_view_column *column)
{
	uint64_t upto_ns = promcb_view_upto_ns(history);

	if (column->tier >= PROMCB_VIEW_TIERS || column->gap > PROMCB_VIEW_GAP_MISSING ||
	    column->from_ns > column->upto_ns || column->from_ns < upto_ns || !are_rows(history, column)) {
		free(column->rows);
		return -EBADMSG;
	}
	if (history->column_count == history->column_room) {
		size_t room = history->column_room * 2 + 64;
		struct promcb_view_column *grown = realloc(history->columns, room * sizeof(*grown));

		if (!grown) {
			free(column->rows);
			return -ENOMEM;
		}
		history->columns = grown;
		history->column_room = room;
	}
	history->columns[history->column_count++] = *column;
	history->tier_columns[column->tier]++;
	history->bytes += bytes_of(column);
	history->sequence++;
	return shrink(history);
}

/* SPDX-License-Identifier: MIT */
#include "list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const sort_names[PROMCB_VIEW_SORTS] = {"trouble", "failed", "calls", "p99", "name"};

const char *promcb_view_sort_name(enum promcb_view_sort sort)
{
	return (unsigned)sort < PROMCB_VIEW_SORTS ? sort_names[sort] : NULL;
}

int promcb_view_sort_parse(const char *name, enum promcb_view_sort *out)
{
	for (unsigned i = 0; i < PROMCB_VIEW_SORTS; i++)
		if (strcmp(name, sort_names[i]) == 0) {
			*out = (enum promcb_view_sort)i;
			return 0;
		}
	return -EINVAL;
}

bool promcb_view_matches(const char *name, const char *text)
{
	const char *star = NULL, *resume = NULL;

	if (!strchr(text, '*'))
		return strstr(name, text) != NULL;
	while (*name) {
		if (*text == '*') {
			star = ++text;
			resume = name;
		} else if (*text == *name) {
			text++;
			name++;
		} else if (star) {
			text = star;
			name = ++resume;
		} else {
			return false;
		}
	}
	while (*text == '*')
		text++;
	return !*text;
}

/* -- Lines --------------------------------------------------------------------------------------------------------- */

static enum promcb_view_trouble trouble_of(const struct promcb_view_line *line)
{
	uint64_t failed = line->window.counts.calls[PROMCB_OUTCOME_FAILURE];

	if (line->stated && line->state == PROMCB_OPEN)
		return PROMCB_VIEW_OPEN;
	if (line->stated && line->state == PROMCB_HALF_OPEN)
		return PROMCB_VIEW_HALF_OPEN;
	if (failed == 0)
		return PROMCB_VIEW_WELL;
	return failed >= line->calls / 10 + (line->calls % 10 != 0)     ? PROMCB_VIEW_FAILS_MUCH
	       : failed >= line->calls / 100 + (line->calls % 100 != 0) ? PROMCB_VIEW_FAILS_MORE
									: PROMCB_VIEW_FAILS_SOME;
}

static enum promcb_view_firmness quantile_of(const struct promcb_view_history *history,
					     const struct promcb_view_line *line, struct promcb_view_quantile quantile,
					     struct promcb_bucket *out)
{
	const uint64_t *buckets = line->window.buckets;
	size_t bucket = 0;
	enum promcb_view_firmness firmness = promcb_view_quantile(buckets, buckets + history->bucket_count,
								  history->bucket_count, quantile, &bucket);

	if (firmness == PROMCB_VIEW_NONE || promcb_bucket_bounds(history->schema, bucket, out) < 0)
		return PROMCB_VIEW_NONE;
	return firmness;
}

static void fill(const struct promcb_view_history *history, struct promcb_view_line *line)
{
	line->measured = promcb_view_measured(line->window.buckets, PROMCB_VIEW_OUTCOMES * history->bucket_count);
	line->p50_firmness = quantile_of(history, line, (struct promcb_view_quantile){1, 2}, &line->p50);
	line->p99_firmness = quantile_of(history, line, (struct promcb_view_quantile){99, 100}, &line->p99);
}

static bool is_shown(const struct promcb_view_line *line, const struct promcb_view_choice *choice)
{
	if (choice->hide_idle && line->calls == 0 && line->trouble < PROMCB_VIEW_HALF_OPEN)
		return false;
	return !choice->matching || promcb_view_matches(line->name, choice->matching);
}

/* -- Order --------------------------------------------------------------------------------------------------------- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

/* a/b against c/d, the greater first; of nothing comes last. */
static int compare_shares(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	long double left = b ? (long double)a / (long double)b : -1, right = d ? (long double)c / (long double)d : -1;

	return left < right ? 1 : left > right ? -1 : 0;
}

static int compare_trouble(const struct promcb_view_line *a, const struct promcb_view_line *b)
{
	int result = compare_numbers(a->trouble, b->trouble);

	if (result == 0)
		result = compare_numbers(a->window.counts.calls[1], b->window.counts.calls[1]);
	if (result == 0)
		result = compare_numbers(a->calls, b->calls);
	return result;
}

int promcb_view_line_compare(const void *left, const void *right, const void *context)
{
	const struct promcb_view_line *a = left, *b = right;
	const struct promcb_view_choice *choice = context;
	int result = 0;

	switch (choice->sort) {
	case PROMCB_VIEW_SORT_TROUBLE:
		result = compare_trouble(a, b);
		break;
	case PROMCB_VIEW_SORT_FAILED:
		result = compare_shares(a->window.counts.calls[1], a->calls, b->window.counts.calls[1], b->calls);
		break;
	case PROMCB_VIEW_SORT_CALLS:
		result = compare_numbers(a->calls, b->calls);
		break;
	case PROMCB_VIEW_SORT_P99:
		result = compare_numbers(a->p99_firmness ? a->p99.most_ns + 1 : 0,
					 b->p99_firmness ? b->p99.most_ns + 1 : 0);
		break;
	case PROMCB_VIEW_SORT_NAME:
		result = strcmp(a->name, b->name);
		break;
	}
	if (choice->reversed)
		result = -result;
	if (result == 0)
		result = compare_trouble(a, b);
	return result ? result : strcmp(a->name, b->name);
}

static int compare_lines(const void *left, const void *right, void *choice)
{
	return promcb_view_line_compare(left, right, choice);
}

/* -- The list ------------------------------------------------------------------------------------------------------ */

/* What the breakers were at an earlier moment: by all rows until then. */
static void look_back(const struct promcb_view_history *history, uint64_t upto_ns, struct promcb_view_window *states)
{
	if (upto_ns < promcb_view_upto_ns(history)) {
		promcb_view_windows(history, 0, upto_ns, NULL, states);
		return;
	}
	for (uint32_t i = 0; i < history->component_count; i++)
		states[i] = (struct promcb_view_window){.stated = true,
							.state = history->components[i].state,
							.changed_ns = history->components[i].changed_ns};
}

static void add_line(const struct promcb_view_history *history, const struct promcb_view_line *line,
		     const struct promcb_view_choice *choice, struct promcb_view_list *out)
{
	struct promcb_view_line *filled = &out->lines[out->count];

	*filled = *line;
	filled->calls = line->window.counts.calls[0] + line->window.counts.calls[1];
	filled->trouble = trouble_of(filled);
	out->all++;
	out->open += filled->trouble >= PROMCB_VIEW_HALF_OPEN;
	out->failing += filled->trouble == PROMCB_VIEW_FAILS_MUCH;
	/* Buckets are looked at only of those that are shown, which takes most of the time. */
	if (is_shown(filled, choice)) {
		fill(history, filled);
		out->count++;
	}
}

int promcb_view_list_make(const struct promcb_view_history *history, uint64_t from_ns, uint64_t upto_ns,
			  const struct promcb_view_choice *choice, struct promcb_view_list *out)
{
	size_t count = history->component_count, each = PROMCB_VIEW_OUTCOMES * history->bucket_count;
	struct promcb_view_window *windows = calloc(2 * count + 1, sizeof(*windows)), *states = windows + count;
	struct promcb_view_choice chosen = *choice;

	*out = (struct promcb_view_list){.lines = calloc(count + 1, sizeof(*out->lines)),
					 .buckets = malloc(each * count * sizeof(uint64_t) + 1)};
	if (!windows || !out->lines || !out->buckets) {
		free(windows);
		promcb_view_list_free(out);
		return -ENOMEM;
	}
	promcb_view_windows(history, from_ns, upto_ns, out->buckets, windows);
	look_back(history, upto_ns, states);
	for (uint32_t i = 0; i < count; i++) {
		struct promcb_view_line line = {
			.component = i,
			.name = history->components[i].name,
			.window = windows[i],
			.stated = states[i].stated,
			.state = states[i].state,
			.changed_ns = states[i].changed_ns,
		};

		if (history->components[i].listed || windows[i].counts.calls[0] || windows[i].counts.calls[1])
			add_line(history, &line, choice, out);
	}
	free(windows);
	if (out->count)
		qsort_r(out->lines, out->count, sizeof(*out->lines), compare_lines, &chosen);
	return 0;
}

void promcb_view_list_free(struct promcb_view_list *list)
{
	free(list->lines);
	free(list->buckets);
	*list = (struct promcb_view_list){.lines = NULL};
}

/* -- Sparks -------------------------------------------------------------------------------------------------------- */

/* Fills the parts that a column touches with the greatest rate. */
static void spark_column(const struct promcb_view_column *column, double rate, uint64_t from_ns, uint64_t upto_ns,
			 size_t parts, double *out)
{
	double width = (double)(upto_ns - from_ns) / (double)parts;
	uint64_t begins = column->from_ns > from_ns ? column->from_ns - from_ns : 0;
	size_t first = (size_t)((double)begins / width),
	       last = (size_t)((double)(column->upto_ns - from_ns - 1) / width);

	if (column->gap)
		return;
	for (size_t i = first; i <= last && i < parts; i++)
		out[i] = out[i] < rate ? rate : out[i];
}

void promcb_view_sparks(const struct promcb_view_history *history, const uint32_t *components, size_t count,
			uint64_t from_ns, uint64_t upto_ns, size_t parts, double *out)
{
	for (size_t i = 0; i < count * parts; i++)
		out[i] = -1;
	for (size_t at = 0; at < history->column_count && parts && upto_ns > from_ns; at++) {
		const struct promcb_view_column *column = &history->columns[at];
		struct promcb_view_span in = promcb_view_span_of(column->rows, column->length);

		if (column->upto_ns <= from_ns || column->upto_ns > upto_ns)
			continue;
		for (size_t i = 0; i < count; i++)
			spark_column(column, 0, from_ns, upto_ns, parts, out + i * parts);
		while (in.at < in.end) {
			uint32_t component = promcb_view_row_peek(&in);
			struct promcb_view_row row = {.component = 0};

			promcb_view_row_add(&in, &row, history->bucket_count);
			for (size_t i = 0; i < count; i++)
				if (components[i] == component && column->took_ns)
					spark_column(column,
						     (double)(row.counts.calls[0] + row.counts.calls[1]) * 1e9 /
							     (double)column->took_ns,
						     from_ns, upto_ns, parts, out + i * parts);
		}
	}
}

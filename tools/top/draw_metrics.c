/* SPDX-License-Identifier: MIT */
/* draw_metrics.c: counters, gauges and histograms with labels as values, and the page of keys. */
#include "top.h"
#include "views/words.h"

#include <math.h>
#include <string.h>

/* NAME{LABEL="VALUE",...}; a value that is empty is none. */
static void name_series(const struct promcb_snapshot *snapshot, size_t family, size_t series,
			const struct promcb_family_summary *summary, char *out, size_t size)
{
	int used = snprintf(out, size, "%s", summary->name);
	const char *separator = "{";

	for (size_t label = 0; label < summary->labels && used < (int)size; label++) {
		const char *name = promcb_snapshot_label(snapshot, family, label);
		const char *value = promcb_snapshot_label_value(snapshot, family, series, label);

		used += snprintf(out + used, size - (size_t)used, "%s%s=\"%s\"", separator, name ? name : "?",
				 value ? value : "");
		separator = ",";
	}
	if (summary->labels && used < (int)size)
		snprintf(out + used, size - (size_t)used, "}");
}

/* The bucket that the middle value is in, of a histogram. */
static double upper_median(const struct promcb_snapshot *snapshot, size_t family, size_t series, uint64_t count)
{
	uint64_t counts[PROMCB_VIEW_BUCKETS_MAX], sum = 0;
	size_t buckets = promcb_snapshot_series_buckets(snapshot, family, series, counts, PROMCB_VIEW_BUCKETS_MAX);

	for (size_t i = 0; i < buckets && i < PROMCB_VIEW_BUCKETS_MAX; i++) {
		sum += counts[i];
		if (count && sum * 2 >= count)
			return promcb_snapshot_series_bound(snapshot, family, i);
	}
	return NAN;
}

static void draw_series(const struct promcb_snapshot *snapshot, struct promcb_grid *grid, int row, size_t family,
			size_t series, const struct promcb_family_summary *summary)
{
	struct promcb_series_summary numbers;
	char name[1024], value[96];
	int width;

	if (promcb_snapshot_series(snapshot, family, series, &numbers) < 0)
		return;
	name_series(snapshot, family, series, summary, name, sizeof(name));
	if (summary->buckets)
		snprintf(value, sizeof(value), "%s values, half <= %g", promcb_view_grouped(numbers.count).text,
			 upper_median(snapshot, family, series, numbers.count));
	else if (numbers.number >= 0 && numbers.number < 9e15 && floor(numbers.number) == numbers.number)
		snprintf(value, sizeof(value), "%s", promcb_view_grouped((uint64_t)numbers.number).text);
	else
		snprintf(value, sizeof(value), "%.6g", numbers.number);
	width = promcb_grid_width(grid, value);
	promcb_grid_put_right(grid, row, grid->columns, grid->columns / 2, PROMCB_LOOK_BOLD, value);
	promcb_grid_put(grid, row, 1, grid->columns - width - 2, PROMCB_LOOK_PLAIN, name);
}

void promcb_top_draw_metrics(struct promcb_top *top, struct promcb_grid *grid)
{
	size_t families = top->snapshot ? promcb_snapshot_families(top->snapshot) : 0, line = 0;
	int row = 2, end = grid->rows - (top->plain ? 0 : 1);

	if (families == 0)
		promcb_grid_put(grid, 2, 0, grid->columns, PROMCB_LOOK_DIM,
				"this segment has no counters, gauges or histograms");
	promcb_grid_put(grid, 1, 0, grid->columns, PROMCB_LOOK_BOLD,
			"counters, gauges and histograms, since their creation");
	for (size_t family = 0; family < families && row < end; family++) {
		struct promcb_family_summary summary;

		if (promcb_snapshot_family(top->snapshot, family, &summary) < 0 ||
		    (top->choice.matching && !promcb_view_matches(summary.name, top->choice.matching)))
			continue;
		for (size_t series = 0; series < summary.series && row < end; series++)
			if (line++ >= top->offset)
				draw_series(top->snapshot, grid, row++, family, series, &summary);
	}
	if (line <= top->offset && top->offset)
		top->offset = line ? line - 1 : 0;
}

void promcb_top_draw_help(struct promcb_top *top, struct promcb_grid *grid)
{
	int row = 2;

	promcb_grid_put(grid, 0, 0, grid->columns, PROMCB_LOOK_BOLD, "Keys of this page");
	for (size_t i = 0; i < promcb_top_binding_count && row < grid->rows - 1; i++) {
		const struct promcb_top_binding *binding = &promcb_top_bindings[i];

		if (!(binding->pages & 1u << top->before_help))
			continue;
		promcb_grid_put(grid, row, 1, 16, PROMCB_LOOK_BOLD, binding->keys);
		promcb_grid_put(grid, row++, 18, grid->columns - 18, PROMCB_LOOK_PLAIN, binding->does);
	}
}

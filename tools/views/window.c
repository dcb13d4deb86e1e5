/* SPDX-License-Identifier: MIT */
/* window.c: sums over columns, and quantiles of them. */
#include "history.h"

#include <string.h>

/* The first column that ends after a moment. */
static size_t first_after(const struct promcb_view_history *history, uint64_t moment_ns)
{
	size_t low = 0, high = history->column_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (history->columns[middle].upto_ns <= moment_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* That a column is part of a window, whoever has rows in it. */
static void cover(struct promcb_view_window *window, const struct promcb_view_column *column)
{
	if (!window->upto_ns)
		window->from_ns = column->from_ns;
	window->upto_ns = column->upto_ns;
	window->gaps |= column->gap ? 1u << column->gap : 0;
	if (column->gap != PROMCB_VIEW_GAP_MISSING)
		window->seconds += (double)column->took_ns / 1e9;
}

static void add_row(struct promcb_view_window *window, struct promcb_view_span *in, size_t count, uint64_t upto_ns)
{
	struct promcb_view_row row = {.buckets = window->buckets};

	promcb_view_row_add(in, &row, count);
	promcb_view_add_counts(&window->counts, &row.counts);
	window->marks |= row.marks;
	window->stated = true;
	window->state = row.state;
	window->changed_ns = row.changed_ns;
	if (row.counts.calls[0] || row.counts.calls[1]) {
		window->first_ns = window->first_ns ? window->first_ns : upto_ns;
		window->last_ns = upto_ns;
	}
}

void promcb_view_window(const struct promcb_view_history *history, uint32_t component, uint64_t from_ns,
			uint64_t upto_ns, uint64_t *buckets, struct promcb_view_window *out)
{
	*out = (struct promcb_view_window){.buckets = buckets};
	if (buckets)
		memset(buckets, 0, PROMCB_VIEW_OUTCOMES * history->bucket_count * sizeof(*buckets));
	for (size_t i = first_after(history, from_ns); i < history->column_count; i++) {
		const struct promcb_view_column *column = &history->columns[i];
		struct promcb_view_span in = promcb_view_span_of(column->rows, column->length);

		if (column->upto_ns > upto_ns)
			break;
		cover(out, column);
		while (in.at < in.end && promcb_view_row_peek(&in) < component)
			promcb_view_row_skip(&in);
		if (in.at < in.end && promcb_view_row_peek(&in) == component)
			add_row(out, &in, history->bucket_count, column->upto_ns);
	}
}

void promcb_view_windows(const struct promcb_view_history *history, uint64_t from_ns, uint64_t upto_ns,
			 uint64_t *buckets, struct promcb_view_window *out)
{
	size_t each = PROMCB_VIEW_OUTCOMES * history->bucket_count;
	struct promcb_view_window all = {.from_ns = 0};

	if (buckets)
		memset(buckets, 0, each * history->component_count * sizeof(*buckets));
	for (uint32_t i = 0; i < history->component_count; i++)
		out[i] = (struct promcb_view_window){.buckets = buckets ? buckets + i * each : NULL};
	for (size_t i = first_after(history, from_ns); i < history->column_count; i++) {
		const struct promcb_view_column *column = &history->columns[i];
		struct promcb_view_span in = promcb_view_span_of(column->rows, column->length);

		if (column->upto_ns > upto_ns)
			break;
		cover(&all, column);
		while (in.at < in.end)
			add_row(&out[promcb_view_row_peek(&in)], &in, history->bucket_count, column->upto_ns);
	}
	for (uint32_t i = 0; i < history->component_count; i++) {
		out[i].from_ns = all.from_ns;
		out[i].upto_ns = all.upto_ns;
		out[i].seconds = all.seconds;
		out[i].gaps = all.gaps;
	}
}

uint64_t promcb_view_measured(const uint64_t *buckets, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += buckets[i];
	return sum;
}

enum promcb_view_firmness promcb_view_quantile(const uint64_t *buckets, const uint64_t *also, size_t count,
					       struct promcb_view_quantile quantile, size_t *bucket)
{
	uint64_t n = promcb_view_measured(buckets, count) + (also ? promcb_view_measured(also, count) : 0);
	uint64_t rest = quantile.whole - quantile.part, rank, sum = 0;

	/* So many calls are none that anybody made. */
	if (n == 0 || n > UINT64_MAX / quantile.whole || n * rest < quantile.whole)
		return PROMCB_VIEW_NONE;
	rank = (n * quantile.part + quantile.whole - 1) / quantile.whole;
	for (size_t i = 0; i < count; i++) {
		sum += buckets[i] + (also ? also[i] : 0);
		if (sum >= rank) {
			*bucket = i;
			break;
		}
	}
	return n * rest >= (uint64_t)10 * quantile.whole ? PROMCB_VIEW_FIRM : PROMCB_VIEW_COARSE;
}

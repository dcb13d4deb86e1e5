/* SPDX-License-Identifier: MIT */
/* draw_component.c: one component: what it is, and one of four views of it. */
#include "top.h"
#include "views/words.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND ((uint64_t)1000000000)

static const struct {
	const char *name;
	struct promcb_view_quantile quantile;
} quantiles[] = {{"p50", {1, 2}}, {"p99", {99, 100}}, {"p99.9", {999, 1000}}};

/* The buckets of both outcomes in one. */
static void join_outcomes(const struct promcb_top *top, const uint64_t *buckets, uint64_t *out)
{
	size_t count = top->history.bucket_count;

	for (size_t i = 0; i < count; i++)
		out[i] = buckets[i] + buckets[count + i];
}

void promcb_top_tell(const struct promcb_top *top, const struct promcb_view_window *window, char *out, size_t size)
{
	uint64_t joined[PROMCB_VIEW_BUCKETS_MAX], failed = window->counts.calls[1],
						  calls = window->counts.calls[0] + failed;
	size_t count = top->history.bucket_count, last = count, bucket = 0;
	struct promcb_bucket bounds;
	char clock[16];
	int used;

	if (!window->upto_ns) {
		snprintf(out, size, "nobody looked at this time");
		return;
	}
	promcb_top_clock(window->from_ns, clock, sizeof(clock));
	used = snprintf(out, size, "%s +%.3g s: %s calls, %s failed (%s %%)", clock,
			(double)(window->upto_ns - window->from_ns) / 1e9, promcb_view_grouped(calls).text,
			promcb_view_grouped(failed).text, promcb_view_percent(failed, calls).text);
	join_outcomes(top, window->buckets, joined);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		enum promcb_view_firmness firmness =
			promcb_view_quantile(joined, NULL, count, quantiles[i].quantile, &bucket);

		if (firmness == PROMCB_VIEW_NONE)
			break;
		promcb_bucket_bounds(top->history.schema, bucket, &bounds);
		used += snprintf(out + used, size - (size_t)used, "  %s %s%s", quantiles[i].name,
				 firmness == PROMCB_VIEW_COARSE ? "~" : "",
				 promcb_view_latencies(bounds.least_ns, bounds.most_ns).text);
	}
	for (size_t i = 0; i < count; i++)
		last = joined[i] ? i : last;
	if (last < count && promcb_bucket_bounds(top->history.schema, last, &bounds) == 0)
		snprintf(out + used, size - (size_t)used, "  max <= %s",
			 promcb_view_latency(bounds.most_ns, PROMCB_VIEW_UP).text);
}

/* -- Percentiles --------------------------------------------------------------------------------------------------- */

static void draw_curve_row(const struct promcb_top *top, struct promcb_grid *grid, int row, const char *name,
			   enum promcb_view_firmness firmness, size_t bucket, const size_t *ends)
{
	struct promcb_bucket bounds = {.most_ns = 0};
	int room = grid->columns - 28;
	size_t span = ends[1] > ends[0] ? ends[1] - ends[0] : 1;

	promcb_grid_put(grid, row, 0, 8, PROMCB_LOOK_BOLD, name);
	if (firmness == PROMCB_VIEW_NONE) {
		promcb_grid_put(grid, row, 8, 18, PROMCB_LOOK_DIM, "too few calls");
		return;
	}
	promcb_bucket_bounds(top->history.schema, bucket, &bounds);
	promcb_grid_printf(grid, row, 8, 19, PROMCB_LOOK_PLAIN, "%s%s", firmness == PROMCB_VIEW_COARSE ? "~" : "",
			   promcb_view_latencies(bounds.least_ns, bounds.most_ns).text);
	for (int i = 0; i <= (int)((bucket - ends[0]) * (size_t)(room > 1 ? room - 1 : 0) / span); i++)
		promcb_grid_set(grid, row, 27 + i, PROMCB_LOOK_GOOD, grid->ascii ? '=' : 0x2588);
}

int promcb_top_draw_curve(struct promcb_top *top, struct promcb_grid *grid, int first, int end)
{
	static const struct {
		const char *name;
		struct promcb_view_quantile quantile;
	} steps[] = {{"p10", {1, 10}},          {"p25", {1, 4}},
		     {"p50", {1, 2}},           {"p75", {3, 4}},
		     {"p90", {9, 10}},          {"p95", {19, 20}},
		     {"p99", {99, 100}},        {"p99.9", {999, 1000}},
		     {"p99.99", {9999, 10000}}, {"p99.999", {99999, 100000}}};
	size_t count = top->history.bucket_count, ends[2] = {count, 0}, bucket = 0;
	uint64_t *buckets = malloc(3 * count * sizeof(*buckets)), *joined = buckets + 2 * count;
	struct promcb_view_window window;
	char text[512];
	int row = first;

	if (!buckets)
		return -ENOMEM;
	promcb_view_window(&top->history, top->selected, promcb_top_from_ns(top), promcb_top_upto_ns(top), buckets,
			   &window);
	promcb_top_tell(top, &window, text, sizeof(text));
	promcb_grid_put(grid, row++, 0, grid->columns, PROMCB_LOOK_PLAIN, text);
	if (top->outcome == PROMCB_OUTCOME_ANY)
		join_outcomes(top, buckets, joined);
	else
		memcpy(joined, buckets + (size_t)top->outcome * count, count * sizeof(*joined));
	for (size_t i = 0; i < count; i++)
		if (joined[i]) {
			ends[0] = i < ends[0] ? i : ends[0];
			ends[1] = i;
		}
	if (ends[0] < count) {
		if (row < end)
			draw_curve_row(top, grid, row++, "least", PROMCB_VIEW_FIRM, ends[0], ends);
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && row < end - 1; i++) {
			enum promcb_view_firmness firmness =
				promcb_view_quantile(joined, NULL, count, steps[i].quantile, &bucket);

			draw_curve_row(top, grid, row++, steps[i].name, firmness, bucket, ends);
		}
		if (row < end)
			draw_curve_row(top, grid, row++, "most", PROMCB_VIEW_FIRM, ends[1], ends);
	}
	free(buckets);
	return 0;
}

/* -- What happened ------------------------------------------------------------------------------------------------- */

static void tell_changes(const struct promcb_view_window *window, char *out, size_t size)
{
	static const char *const states[] = {"closed", "opened", "half open"};
	static const char *const levels[] = {"debug", "info", "warning", "error"};
	int used = 0;

	out[0] = '\0';
	if (window->marks & PROMCB_VIEW_MARK_CREATED)
		used += snprintf(out + used, size - (size_t)used, "  registered");
	if (window->marks & PROMCB_VIEW_MARK_RESET)
		used += snprintf(out + used, size - (size_t)used, "  reset, or the segment was recreated");
	if (window->marks & PROMCB_VIEW_MARK_BACKWARDS)
		used += snprintf(out + used, size - (size_t)used, "  counts went back");
	for (size_t i = 0; i < PROMCB_STATES; i++)
		if (window->counts.transitions[i])
			used += snprintf(out + used, size - (size_t)used, "  %s %s x", states[i],
					 promcb_view_count(window->counts.transitions[i]).text);
	for (size_t i = 0; i < PROMCB_LOG_LEVELS; i++)
		if (window->counts.logs[i])
			used += snprintf(out + used, size - (size_t)used, "  log %s %s", levels[i],
					 promcb_view_count(window->counts.logs[i]).text);
}

int promcb_top_draw_timeline(struct promcb_top *top, struct promcb_grid *grid, int first, int end)
{
	const struct promcb_view_history *history = &top->history;
	int row = first, column = 0;

	for (size_t i = history->column_count; i-- > 0 && row < end;) {
		const struct promcb_view_column *part = &history->columns[i];
		struct promcb_view_window window;
		char clock[16], text[256];

		if (part->upto_ns > promcb_top_upto_ns(top))
			continue;
		promcb_view_window(history, top->selected, part->upto_ns - 1, part->upto_ns, NULL, &window);
		tell_changes(&window, text, sizeof(text));
		if (!text[0] || column++ < top->column)
			continue;
		promcb_top_clock(part->from_ns, clock, sizeof(clock));
		promcb_grid_printf(grid, row++, 0, grid->columns,
				   window.counts.transitions[PROMCB_OPEN] ? PROMCB_LOOK_BAD : PROMCB_LOOK_PLAIN,
				   "%s +%.3g s%s", clock, (double)(part->upto_ns - part->from_ns) / 1e9, text);
	}
	if (row == first)
		promcb_grid_put(grid, row, 0, grid->columns, PROMCB_LOOK_DIM,
				"no change of the breaker, no log entry and no reset in this time");
	return 0;
}

/* -- The newest calls ---------------------------------------------------------------------------------------------- */

static double scale_of(uint64_t latency_ns)
{
	return log2((double)latency_ns + 1);
}

void promcb_top_draw_calls(struct promcb_top *top, struct promcb_grid *grid, int first, int end)
{
	const struct promcb_top_calls *calls = &top->calls;
	int rows = end - first - 2, columns = grid->columns - 10;
	uint64_t newest = 0, oldest = UINT64_MAX, least = UINT64_MAX, most = 0;

	if (!calls->known || !calls->count || strcmp(calls->name, top->history.components[top->selected].name) != 0) {
		promcb_grid_put(grid, first, 0, grid->columns, PROMCB_LOOK_DIM, "no recent calls");
		return;
	}
	for (size_t i = 0; i < calls->count; i++) {
		const struct promcb_recent_call *call = &calls->calls[i];

		newest = call->time_ns > newest ? call->time_ns : newest;
		oldest = call->time_ns < oldest ? call->time_ns : oldest;
		if (call->latency_ns == PROMCB_LATENCY_UNMEASURED)
			continue;
		least = call->latency_ns < least ? call->latency_ns : least;
		most = call->latency_ns > most ? call->latency_ns : most;
	}
	promcb_grid_printf(
		grid, first, 0, grid->columns, PROMCB_LOOK_PLAIN,
		"the newest %zu calls, exactly: p50 %.6g ms  p90 %.6g ms  p99 %.6g ms  avg %.6g ms  . call  x failed",
		calls->count, calls->summary.p50 * 1e3, calls->summary.p90 * 1e3, calls->summary.p99 * 1e3,
		calls->summary.avg_latency * 1e3);
	if (rows < 2 || most < least)
		return;
	promcb_grid_put_right(grid, first + 1, 8, 8, PROMCB_LOOK_DIM, promcb_view_latency(most, PROMCB_VIEW_UP).text);
	promcb_grid_put_right(grid, first + rows, 8, 8, PROMCB_LOOK_DIM,
			      promcb_view_latency(least, PROMCB_VIEW_DOWN).text);
	for (size_t i = calls->count; i-- > 0;) {
		const struct promcb_recent_call *call = &calls->calls[i];
		double height = scale_of(most) - scale_of(least), at = scale_of(call->latency_ns) - scale_of(least);
		double when = newest > oldest ? (double)(call->time_ns - oldest) / (double)(newest - oldest) : 1;
		int row = first + rows - (int)(height > 0 ? at / height * (rows - 1) + 0.5 : 0);

		if (call->latency_ns != PROMCB_LATENCY_UNMEASURED)
			promcb_grid_set(grid, row, 9 + (int)(when * (columns - 1)),
					call->failed ? PROMCB_LOOK_BAD : PROMCB_LOOK_PLAIN, call->failed ? 'x' : '.');
	}
	promcb_grid_printf(grid, first + rows + 1, 9, columns, PROMCB_LOOK_DIM, "%.3g s ago",
			   top->now_ns > oldest ? (double)(top->now_ns - oldest) / 1e9 : 0);
	promcb_grid_put_right(grid, first + rows + 1, grid->columns - 1, 20, PROMCB_LOOK_DIM, "newest");
}

/* -- The page ------------------------------------------------------------------------------------------------------ */

enum { TABS = 46 };

static void draw_tabs(const struct promcb_top *top, struct promcb_grid *grid, int row)
{
	static const char *const names[] = {"heat map", "percentiles", "timeline", "newest calls"};
	int at = 0;

	for (unsigned i = 0; i < PROMCB_TOP_VIEWS; i++) {
		bool chosen = i == (unsigned)top->view;

		at += promcb_grid_printf(grid, row, at, grid->columns - at,
					 chosen ? PROMCB_LOOK_REVERSE | PROMCB_LOOK_BOLD : PROMCB_LOOK_DIM,
					 chosen ? "[%s]" : " %s ", names[i]);
	}
}

static void draw_about(const struct promcb_top *top, struct promcb_grid *grid, const struct promcb_view_line *line)
{
	const struct promcb_view_component *component = &top->history.components[top->selected];
	uint64_t upto_ns = promcb_top_upto_ns(top), failed = component->total.calls[1];
	uint64_t calls = component->total.calls[0] + failed;
	char text[64], clock[32] = "";
	time_t since = (time_t)(component->since_ns / SECOND);
	struct promcb_view_window all;
	struct tm when;
	unsigned look = promcb_top_breaker(line, upto_ns, true, text, sizeof(text));
	int used;

	promcb_grid_put_right(grid, 0, grid->columns, 24, look, text);
	promcb_grid_put(grid, 0, 0, grid->columns - promcb_grid_width(grid, text) - 2, PROMCB_LOOK_BOLD,
			component->name);
	localtime_r(&since, &when);
	if (component->since_ns)
		strftime(clock, sizeof(clock), " since %Y-%m-%d %H:%M %Z", &when);
	promcb_view_window(&top->history, top->selected, 0, upto_ns, NULL, &all);
	used = promcb_grid_printf(grid, 1, 0, grid->columns, PROMCB_LOOK_PLAIN, "%s calls, %s %% failed%s",
				  promcb_view_grouped(calls).text, promcb_view_percent(failed, calls).text, clock);
	if (all.counts.transitions[PROMCB_OPEN])
		promcb_grid_printf(grid, 1, used, grid->columns - used, PROMCB_LOOK_PLAIN, "; opened %s x in %s",
				   promcb_view_count(all.counts.transitions[PROMCB_OPEN]).text,
				   promcb_view_age(all.upto_ns - all.from_ns).text);
}

/*
 * At the right of the tabs: what must be known before the picture is believed. Who said that the breaker is open may be
 * gone, and the calls succeed.
 */
static void draw_warning(const struct promcb_top *top, struct promcb_grid *grid, const struct promcb_view_line *line)
{
	int room = grid->columns - TABS - 1;
	char text[96];

	if (top->missing[0]) {
		promcb_grid_put_right(grid, 2, grid->columns, room, PROMCB_LOOK_BAD, "STALE");
	} else if (top->paused) {
		promcb_grid_put_right(grid, 2, grid->columns, room, PROMCB_LOOK_BOLD, "PAUSED");
	} else if (line->stated && line->state == PROMCB_OPEN && line->window.counts.calls[0]) {
		snprintf(text, sizeof(text), "open, yet %s succeeded in %s",
			 promcb_view_count(line->window.counts.calls[0]).text, promcb_top_window_name(top->window));
		promcb_grid_put_right(grid, 2, grid->columns, room, PROMCB_LOOK_WARN, text);
	}
}

int promcb_top_draw_component(struct promcb_top *top, struct promcb_grid *grid)
{
	struct promcb_view_choice choice = {.sort = PROMCB_VIEW_SORT_NAME};
	int end = grid->rows - 1, result;
	struct promcb_view_list list;

	if (!top->started || top->selected >= top->history.component_count) {
		promcb_grid_put(grid, 0, 0, grid->columns, PROMCB_LOOK_BAD, "the component is not there");
		return 0;
	}
	choice.matching = top->history.components[top->selected].name;
	result = promcb_view_list_make(&top->history, promcb_top_from_ns(top), promcb_top_upto_ns(top), &choice, &list);
	if (result < 0)
		return result;
	for (size_t i = 0; i < list.count; i++)
		if (list.lines[i].component == top->selected) {
			draw_about(top, grid, &list.lines[i]);
			draw_warning(top, grid, &list.lines[i]);
		}
	promcb_view_list_free(&list);
	draw_tabs(top, grid, 2);
	switch (top->view) {
	case PROMCB_TOP_HEAT:
		return promcb_top_draw_heat(top, grid, 3, end);
	case PROMCB_TOP_CURVE:
		return promcb_top_draw_curve(top, grid, 3, end);
	case PROMCB_TOP_TIMELINE:
		return promcb_top_draw_timeline(top, grid, 3, end);
	default:
		promcb_top_draw_calls(top, grid, 3, end);
		return 0;
	}
}

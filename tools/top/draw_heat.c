/* SPDX-License-Identifier: MIT */
/*
 * draw_heat.c: latency by time: a square for each range of latencies in each part of time, the darker the more calls.
 *
 * Invariants: a part of the time is as long as the window; where history is coarser, its column is shown in all parts
 * that it covers. A square with one call is not empty. What the darkest one means is told, and does not shrink.
 */
#include "top.h"
#include "views/words.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECOND ((uint64_t)1000000000)

enum { AXIS = 9, LEVELS = 5 };

/* The picture: parts of time, the oldest first. */
struct heat {
	int parts, rows;
	uint64_t width_ns;
	struct promcb_view_window *windows;
	uint64_t *buckets;          /* of all windows */
	size_t first, last, factor; /* buckets that are shown, and how many a row has */
};

static uint64_t calls_in(const struct promcb_top *top, const struct promcb_view_window *window, size_t bucket,
			 enum promcb_outcome outcome)
{
	size_t count = top->history.bucket_count;
	uint64_t calls = 0;

	if (outcome != PROMCB_OUTCOME_FAILURE)
		calls += window->buckets[bucket];
	if (outcome != PROMCB_OUTCOME_SUCCESS)
		calls += window->buckets[count + bucket];
	return calls;
}

/* The columns that end in a part; where none does, the one that covers it. */
static void fill_part(const struct promcb_top *top, uint64_t from_ns, uint64_t upto_ns, uint64_t *buckets,
		      struct promcb_view_window *out)
{
	const struct promcb_view_history *history = &top->history;

	promcb_view_window(history, top->selected, from_ns, upto_ns, buckets, out);
	for (size_t i = 0; i < history->column_count && !out->upto_ns; i++) {
		const struct promcb_view_column *column = &history->columns[i];

		if (column->upto_ns > upto_ns && column->upto_ns <= promcb_top_upto_ns(top)) {
			if (column->from_ns < upto_ns)
				promcb_view_window(history, top->selected, column->upto_ns - 1, column->upto_ns,
						   buckets, out);
			break;
		}
	}
}

static bool make_heat(const struct promcb_top *top, int parts, struct heat *heat)
{
	size_t each = PROMCB_VIEW_OUTCOMES * top->history.bucket_count;
	uint64_t upto_ns = promcb_top_upto_ns(top), from_ns = promcb_view_from_ns(&top->history), last;

	*heat = (struct heat){.parts = parts, .width_ns = promcb_top_windows[top->window] * SECOND};
	if (!heat->width_ns)
		heat->width_ns = upto_ns > from_ns ? (upto_ns - from_ns) / (uint64_t)parts + 1 : SECOND;
	heat->windows = calloc((size_t)parts, sizeof(*heat->windows));
	heat->buckets = malloc((size_t)parts * each * sizeof(*heat->buckets));
	if (!heat->windows || !heat->buckets)
		return false;
	if (!upto_ns)
		return true;
	/* Parts stay where they are while time goes on. */
	last = (upto_ns - 1) / heat->width_ns + 1;
	for (int i = 0; i < parts; i++) {
		uint64_t number = last - (uint64_t)(parts - 1 - i), end_ns = number * heat->width_ns;

		if (number > last || number == 0 || end_ns < heat->width_ns)
			continue;
		fill_part(top, end_ns - heat->width_ns, end_ns < upto_ns ? end_ns : upto_ns,
			  heat->buckets + (size_t)i * each, &heat->windows[i]);
	}
	return true;
}

static void end_heat(struct heat *heat)
{
	free(heat->windows);
	free(heat->buckets);
}

/* Which buckets there are, and how many of them one row has. Returns whether there are any. */
static bool find_rows(const struct promcb_top *top, struct heat *heat, int rows)
{
	size_t count = top->history.bucket_count;

	heat->first = count;
	for (int i = 0; i < heat->parts; i++)
		for (size_t bucket = 0; heat->windows[i].upto_ns && bucket < count; bucket++)
			if (calls_in(top, &heat->windows[i], bucket, top->outcome)) {
				heat->first = bucket < heat->first ? bucket : heat->first;
				heat->last = bucket > heat->last ? bucket : heat->last;
			}
	if (heat->first == count)
		return false;
	heat->factor = (heat->last - heat->first + (size_t)rows) / (size_t)rows;
	heat->rows = (int)((heat->last - heat->first) / heat->factor) + 1;
	return true;
}

static void square(const struct promcb_top *top, const struct heat *heat, int part, int row, uint64_t *calls,
		   uint64_t *failed)
{
	size_t begin = heat->first + (size_t)row * heat->factor, end = begin + heat->factor;

	*calls = *failed = 0;
	for (size_t bucket = begin; bucket < end && bucket <= heat->last; bucket++) {
		*calls += calls_in(top, &heat->windows[part], bucket, top->outcome);
		if (top->outcome != PROMCB_OUTCOME_SUCCESS)
			*failed += calls_in(top, &heat->windows[part], bucket, PROMCB_OUTCOME_FAILURE);
	}
}

static void draw_square(struct promcb_grid *grid, int row, int column, uint64_t calls, uint64_t failed, uint64_t most,
			bool chosen)
{
	static const uint32_t marks[] = {0xb7, 0x2591, 0x2592, 0x2593, 0x2588};
	static const char ascii[] = ".:+#@";
	unsigned look = failed ? PROMCB_LOOK_BAD : PROMCB_LOOK_PLAIN;
	int level = 0;

	if (chosen)
		look |= PROMCB_LOOK_REVERSE;
	if (calls == 0) {
		promcb_grid_set(grid, row, column, look, ' ');
		return;
	}
	if (most > 1)
		level = (int)(log((double)calls) / log((double)most) * (LEVELS - 1) + 0.5);
	level = level < 0 ? 0 : level >= LEVELS ? LEVELS - 1 : level;
	promcb_grid_set(grid, row, column, look,
			failed * 2 > calls ? (uint32_t)'x'
			: grid->ascii      ? (uint32_t)ascii[level]
					   : marks[level]);
}

/* The darkest square; it is kept, so that two pictures can be compared by eye. */
static void find_most(struct promcb_top *top, const struct heat *heat)
{
	for (int part = 0; part < heat->parts; part++)
		for (int row = 0; heat->windows[part].upto_ns && row < heat->rows; row++) {
			uint64_t calls, failed;

			square(top, heat, part, row, &calls, &failed);
			top->most = calls > top->most ? calls : top->most;
		}
}

static void draw_squares(struct promcb_top *top, struct promcb_grid *grid, const struct heat *heat, int bottom)
{
	for (int row = 0; row < heat->rows; row++) {
		size_t highest = heat->first + (size_t)(row + 1) * heat->factor - 1;
		struct promcb_bucket bucket = {.most_ns = 0};

		promcb_bucket_bounds(top->history.schema, highest < heat->last ? highest : heat->last, &bucket);
		promcb_grid_put_right(grid, bottom - row, AXIS - 1, AXIS - 1, PROMCB_LOOK_DIM,
				      promcb_view_latency(bucket.most_ns, PROMCB_VIEW_UP).text);
		for (int part = 0; part < heat->parts; part++) {
			bool chosen = part == heat->parts - 1 - top->column;
			uint64_t calls, failed;

			if (!heat->windows[part].upto_ns)
				continue;
			square(top, heat, part, row, &calls, &failed);
			draw_square(grid, bottom - row, AXIS + part, calls, failed, top->most, chosen);
		}
	}
}

/* How many of the calls failed, and what the breaker did, for each part. */
static void draw_lanes(const struct promcb_top *top, struct promcb_grid *grid, const struct heat *heat, int row)
{
	const struct promcb_view_component *component = &top->history.components[top->selected];
	static const char states[] = "-Oh";
	struct promcb_view_window before;
	char state = ' ';

	promcb_view_window(&top->history, top->selected, 0, heat->windows[0].from_ns, NULL, &before);
	if (before.stated)
		state = states[before.state];
	promcb_grid_put(grid, row, 0, AXIS - 1, PROMCB_LOOK_DIM, "  failed");
	promcb_grid_put(grid, row + 1, 0, AXIS - 1, PROMCB_LOOK_DIM, " breaker");
	for (int part = 0; part < heat->parts; part++) {
		const struct promcb_view_window *window = &heat->windows[part];
		uint64_t failed = window->counts.calls[1], calls = window->counts.calls[0] + failed;
		uint64_t opened = window->counts.transitions[PROMCB_OPEN];
		char mark = window->marks & PROMCB_VIEW_MARK_RESET ? '|' : ' ';

		if (!window->upto_ns)
			continue;
		if (failed)
			mark = failed * 2 >= calls     ? '#'
			       : failed * 10 >= calls  ? '*'
			       : failed * 100 >= calls ? ':'
						       : '.';
		promcb_grid_set(grid, row, AXIS + part, failed ? PROMCB_LOOK_BAD : 0, (uint32_t)mark);
		/* Since it changed last, it is what it is, whether there were calls or not. */
		if (component->changed_ns && component->changed_ns < window->upto_ns)
			state = states[component->state];
		else if (window->stated)
			state = states[window->state];
		/* Every opening counts, however short: how many there were, where there were any. */
		mark = opened ? (char)(opened > 9 ? '+' : '0' + (int)opened) : window->gaps ? ' ' : state;
		promcb_grid_set(grid, row + 1, AXIS + part, mark == '-' ? PROMCB_LOOK_DIM : PROMCB_LOOK_BAD,
				(uint32_t)mark);
	}
}

static void draw_axis(const struct promcb_top *top, struct promcb_grid *grid, const struct heat *heat, int row)
{
	int chosen = heat->parts - 1 - top->column, at = AXIS + chosen, first = 0;
	char clock[16];

	while (first < heat->parts - 1 && !heat->windows[first].upto_ns)
		first++;
	/* The first and the one that is told of; where both have no room, the latter. */
	if (heat->windows[first].upto_ns && AXIS + first + 9 < at - 8) {
		promcb_top_clock(heat->windows[first].from_ns, clock, sizeof(clock));
		promcb_grid_put(grid, row, AXIS + first, 8, PROMCB_LOOK_DIM, clock);
	}
	if (chosen >= 0 && heat->windows[chosen].upto_ns) {
		promcb_top_clock(heat->windows[chosen].upto_ns, clock, sizeof(clock));
		promcb_grid_put(grid, row, at >= 8 ? at - 8 : at + 1, 8, PROMCB_LOOK_BOLD, clock);
		promcb_grid_set(grid, row, at, PROMCB_LOOK_BOLD, '^');
	}
}

static void draw_legend(const struct promcb_top *top, struct promcb_grid *grid, const struct heat *heat, int row)
{
	static const char *const outcomes[] = {"succeeded", "failed", "all calls"};
	const char *scale = grid->ascii ? ".:+#@" : "\302\267\342\226\221\342\226\222\342\226\223\342\226\210";

	promcb_grid_printf(grid, row, 0, grid->columns, PROMCB_LOOK_DIM,
			   "%s  %s 1 to %s calls (log)  x mostly failed  column %s  row x%.2f", outcomes[top->outcome],
			   scale, promcb_view_count(top->most ? top->most : 1).text,
			   promcb_view_age(heat->width_ns).text,
			   pow(2, (double)heat->factor / (double)(1u << top->history.schema)));
}

int promcb_top_draw_heat(struct promcb_top *top, struct promcb_grid *grid, int first, int end)
{
	int parts = grid->columns - AXIS - 1, rows = end - first - 5;
	struct heat heat;
	char text[512];

	if (rows < 1 || parts < 1)
		return 0;
	if (!make_heat(top, parts, &heat)) {
		end_heat(&heat);
		return -ENOMEM;
	}
	top->column = top->column < parts ? top->column : parts - 1;
	if (find_rows(top, &heat, rows)) {
		find_most(top, &heat);
		draw_squares(top, grid, &heat, first + rows - 1);
	} else {
		heat.factor = 1;
		promcb_grid_put(grid, first, AXIS, parts, PROMCB_LOOK_DIM, "no calls with a latency in this time");
	}
	draw_lanes(top, grid, &heat, first + rows);
	draw_axis(top, grid, &heat, first + rows + 2);
	promcb_top_tell(top, &heat.windows[parts - 1 - top->column], text, sizeof(text));
	promcb_grid_put(grid, first + rows + 3, 0, grid->columns, PROMCB_LOOK_BOLD, text);
	draw_legend(top, grid, &heat, first + rows + 4);
	end_heat(&heat);
	return 0;
}

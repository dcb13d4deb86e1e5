/* SPDX-License-Identifier: MIT */
/*
 * draw_list.c: the first page: a line for each component, what needs somebody first.
 *
 * Where there is less room, columns go in this order: calls over time, number of calls, p50, calls per second. Name,
 * breaker, failures and p99 stay.
 */
#include "top.h"
#include "views/words.h"

#include <stdlib.h>
#include <string.h>

#define SECOND ((uint64_t)1000000000)

/* Which columns there are, and how wide: 0: not shown. */
struct layout {
	int name, breaker, failed, rate, p50, p99, calls, spark;
};

enum { LONG_BREAKER = 11, SHORT_BREAKER = 8, SPARK_MIN = 6, SPARK_MAX = 60, NAME_MIN = 16, FIRST_LINE = 3 };

static struct layout lay_out(const struct promcb_top *top, const struct promcb_grid *grid,
			     const struct promcb_view_list *list)
{
	struct layout layout = {.failed = 9, .rate = 8, .p50 = 9, .p99 = 9, .calls = 9, .breaker = LONG_BREAKER};
	int left, longest = 9;

	for (size_t i = 0; i < list->count; i++) {
		int width = promcb_grid_width(grid, list->lines[i].name);

		longest = width > longest ? width : longest;
	}
	left = grid->columns - 2 - (layout.breaker + layout.failed + layout.p99);
	if (left - layout.rate < NAME_MIN)
		layout.rate = 0;
	left -= layout.rate;
	if (!layout.rate || left - layout.p50 < NAME_MIN)
		layout.p50 = 0;
	left -= layout.p50;
	if (!layout.p50 || left - layout.calls < NAME_MIN)
		layout.calls = 0;
	left -= layout.calls;
	if (left < NAME_MIN) {
		layout.breaker = SHORT_BREAKER;
		left += LONG_BREAKER - SHORT_BREAKER;
	}
	/* Names that would be whole are not cut for it. */
	if (layout.calls && !top->plain && (left - SPARK_MIN - 1 >= longest || longest > left) &&
	    left - SPARK_MIN - 1 >= NAME_MIN) {
		int room = left - 1 - (longest < left ? longest : NAME_MIN);

		layout.spark = room > SPARK_MAX ? SPARK_MAX : room;
		left -= layout.spark + 1;
	}
	layout.name = left > longest ? longest : left;
	return layout;
}

/* How long the window is in truth, for headings. */
static void span_word(const struct promcb_view_list *list, char *out, size_t size)
{
	double seconds = list->count ? list->lines[0].window.seconds : 0;

	if (seconds <= 0)
		snprintf(out, size, "n");
	else if (seconds < 119.5)
		snprintf(out, size, "n %.0f s", seconds < 1 ? 1 : seconds);
	else
		snprintf(out, size, "n %.0f min", seconds / 60);
}

static void draw_heads(const struct promcb_top *top, struct promcb_grid *grid, int row, const struct layout *layout,
		       const struct promcb_view_list *list)
{
	static const char *const arrows[] = {"v", "^"};
	const struct {
		int width;
		const char *head;
		int sort; /* -1: by none */
	} heads[] = {
		{layout->failed, "failed %", PROMCB_VIEW_SORT_FAILED},
		{layout->rate, "calls/s", PROMCB_VIEW_SORT_CALLS},
		{layout->p50, "p50 <=", -1},
		{layout->p99, "p99 <=", PROMCB_VIEW_SORT_P99},
	};
	int at = 1 + layout->name + 1;
	char text[32];

	promcb_grid_put(grid, row, 1, layout->name, PROMCB_LOOK_BOLD, "component");
	promcb_grid_put(grid, row, at + 1, layout->breaker - 1, PROMCB_LOOK_BOLD, "breaker");
	at += layout->breaker;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		bool sorted = heads[i].sort == (int)top->choice.sort && heads[i].width && !top->plain;

		at += heads[i].width;
		snprintf(text, sizeof(text), "%s%s", sorted ? arrows[top->choice.reversed] : "", heads[i].head);
		promcb_grid_put_right(grid, row, at, heads[i].width,
				      PROMCB_LOOK_BOLD | (sorted ? PROMCB_LOOK_REVERSE : 0), text);
	}
	span_word(list, text, sizeof(text));
	at += layout->calls;
	promcb_grid_put_right(grid, row, at, layout->calls, PROMCB_LOOK_BOLD, text);
	if (layout->spark)
		promcb_grid_put(grid, row, at + 1, layout->spark, PROMCB_LOOK_BOLD, "calls/s, last 60 s");
}

static void draw_quantile(struct promcb_grid *grid, int row, int end, int width, enum promcb_view_firmness firmness,
			  const struct promcb_bucket *bucket, bool idle)
{
	char text[PROMCB_VIEW_WORD_BYTES + 1];

	if (firmness == PROMCB_VIEW_NONE)
		snprintf(text, sizeof(text), "%s", idle ? "-" : "*");
	else
		snprintf(text, sizeof(text), "%s%s", firmness == PROMCB_VIEW_COARSE ? "~" : "",
			 promcb_view_latency(bucket->most_ns, PROMCB_VIEW_UP).text);
	promcb_grid_put_right(grid, row, end, width, firmness == PROMCB_VIEW_FIRM ? PROMCB_LOOK_PLAIN : PROMCB_LOOK_DIM,
			      text);
}

static unsigned failure_look(enum promcb_view_trouble trouble, uint64_t failed)
{
	return failed == 0 ? PROMCB_LOOK_PLAIN
	       : trouble == PROMCB_VIEW_FAILS_MUCH || trouble >= PROMCB_VIEW_HALF_OPEN
		       ? PROMCB_LOOK_BAD | PROMCB_LOOK_BOLD
	       : trouble == PROMCB_VIEW_FAILS_MORE ? PROMCB_LOOK_WARN
						   : PROMCB_LOOK_PLAIN;
}

static void draw_spark(struct promcb_grid *grid, int row, int column, int width, const double *rates)
{
	static const char ascii[] = " .:-=+*#@";
	double most = 0;

	for (int i = 0; i < width; i++)
		most = rates[i] > most ? rates[i] : most;
	for (int i = 0; i < width; i++) {
		/* The least rate that is one can be seen; 0 is the ground, and where nobody looked there is nothing. */
		int step = rates[i] <= 0 ? 0 : 1 + (int)(rates[i] / most * 7.999);

		step = step > 8 ? 8 : step;
		promcb_grid_set(grid, row, column + i, PROMCB_LOOK_GOOD,
				rates[i] < 0  ? ' '
				: step == 0   ? (uint32_t)'_'
				: grid->ascii ? (uint32_t)ascii[step]
					      : 0x2580 + (uint32_t)step);
	}
}

static void draw_line(const struct promcb_top *top, struct promcb_grid *grid, int row, const struct layout *layout,
		      const struct promcb_view_line *line, const double *rates)
{
	const struct promcb_view_component *component = &top->history.components[line->component];
	uint64_t failed = line->window.counts.calls[PROMCB_OUTCOME_FAILURE], upto_ns = promcb_top_upto_ns(top);
	bool selected = line->component == top->selected && !top->plain;
	unsigned look;
	char text[64];
	int at = 1 + layout->name + 1;

	promcb_grid_set(grid, row, 0, PROMCB_LOOK_PLAIN, selected ? '>' : ' ');
	promcb_grid_put(grid, row, 1, layout->name, line->trouble >= PROMCB_VIEW_FAILS_MUCH ? PROMCB_LOOK_BOLD : 0,
			line->name);
	look = promcb_top_breaker(line, upto_ns, layout->breaker == LONG_BREAKER, text, sizeof(text));
	promcb_grid_put(grid, row, at, layout->breaker, look, text);
	at += layout->breaker + layout->failed;
	promcb_grid_put_right(grid, row, at, layout->failed - 1, failure_look(line->trouble, failed),
			      promcb_view_percent(failed, line->calls).text);
	at += layout->rate;
	promcb_grid_put_right(grid, row, at, layout->rate, PROMCB_LOOK_PLAIN,
			      promcb_view_rate(line->calls, line->window.seconds).text);
	at += layout->p50;
	if (layout->p50)
		draw_quantile(grid, row, at, layout->p50, line->p50_firmness, &line->p50, line->measured == 0);
	at += layout->p99;
	draw_quantile(grid, row, at, layout->p99, line->p99_firmness, &line->p99, line->measured == 0);
	at += layout->calls;
	promcb_grid_put_right(grid, row, at, layout->calls, PROMCB_LOOK_PLAIN, promcb_view_count(line->calls).text);
	if (layout->spark && line->calls == 0 && component->last_call_ns && component->last_call_ns < upto_ns &&
	    upto_ns - component->last_call_ns > 60 * SECOND)
		promcb_grid_printf(grid, row, at + 1, layout->spark, PROMCB_LOOK_DIM, "(last call %s ago)",
				   promcb_view_age(upto_ns - component->last_call_ns).text);
	else if (layout->spark && rates)
		draw_spark(grid, row, at + 1, layout->spark, rates);
	if (selected)
		promcb_grid_shade(grid, row, 0, 1 + layout->name, PROMCB_LOOK_REVERSE);
}

static void draw_summary(const struct promcb_top *top, struct promcb_grid *grid, const struct promcb_view_list *list)
{
	const struct promcb_segment_info *info = &top->info;
	const char *between = grid->ascii ? " - " : " \302\267 ";
	int used;

	if (top->missing[0]) {
		promcb_grid_put(grid, 1, 0, grid->columns, PROMCB_LOOK_BAD | PROMCB_LOOK_BOLD, top->missing);
		return;
	}
	used = promcb_grid_printf(grid, 1, 0, grid->columns, list->open ? PROMCB_LOOK_BAD | PROMCB_LOOK_BOLD : 0,
				  "%zu open", list->open);
	used += promcb_grid_printf(grid, 1, used, grid->columns - used, list->failing ? PROMCB_LOOK_BAD : 0,
				   "%s%zu at 10 %% failed or more", between, list->failing);
	used += promcb_grid_printf(grid, 1, used, grid->columns - used, info->dropped_calls ? PROMCB_LOOK_BAD : 0,
				   "%s%s dropped", between, promcb_view_grouped(info->dropped_calls).text);
	if (info->lanes_idle > 0)
		promcb_grid_printf(grid, 1, used, grid->columns - used, PROMCB_LOOK_DIM, "%s%d thread%s gone, counted",
				   between, info->lanes_idle, info->lanes_idle == 1 ? "" : "s");
}

/* Says what marks in the lines mean, if there are any. */
static void draw_note(const struct promcb_top *top, struct promcb_grid *grid, int row,
		      const struct promcb_view_list *list)
{
	bool none = false, coarse = false;
	char filter[160] = "";

	for (size_t i = 0; i < list->count; i++) {
		none |= list->lines[i].measured && list->lines[i].p99_firmness == PROMCB_VIEW_NONE;
		coarse |= list->lines[i].p99_firmness == PROMCB_VIEW_COARSE;
	}
	if (top->choice.matching)
		snprintf(filter, sizeof(filter), "%zu of %zu like \"%s\"  ", list->count, list->all,
			 top->choice.matching);
	promcb_grid_printf(grid, row, 0, grid->columns, PROMCB_LOOK_DIM, "%s%s%s", filter,
			   none ? "* too few calls for a p99 (100)  " : "",
			   coarse ? "~ of fewer than 1,000 calls" : "");
}

/* The selected line stays on the screen, wherever it goes. */
static void scroll(struct promcb_top *top, const struct promcb_view_list *list, size_t room)
{
	size_t place = 0;

	while (place < list->count && list->lines[place].component != top->selected)
		place++;
	if (place == list->count) {
		place = 0;
		top->selected = list->count ? list->lines[0].component : UINT32_MAX;
	}
	if (top->offset > place)
		top->offset = place;
	if (place >= top->offset + room)
		top->offset = place - room + 1;
	if (top->offset + room > list->count)
		top->offset = list->count > room ? list->count - room : 0;
}

static void draw_lines(struct promcb_top *top, struct promcb_grid *grid, const struct promcb_view_list *list,
		       size_t room)
{
	struct layout layout = lay_out(top, grid, list);
	size_t shown = list->count - top->offset < room ? list->count - top->offset : room;
	uint32_t *components = malloc(shown * sizeof(*components) + 1);
	double *rates = malloc(shown * (size_t)layout.spark * sizeof(*rates) + 1);
	uint64_t upto_ns = promcb_top_upto_ns(top);

	for (size_t i = 0; components && i < shown; i++)
		components[i] = list->lines[top->offset + i].component;
	if (layout.spark && components && rates)
		promcb_view_sparks(&top->history, components, shown, upto_ns > 60 * SECOND ? upto_ns - 60 * SECOND : 0,
				   upto_ns, (size_t)layout.spark, rates);
	draw_heads(top, grid, FIRST_LINE - 1, &layout, list);
	for (size_t i = 0; i < shown; i++)
		draw_line(top, grid, FIRST_LINE + (int)i, &layout, &list->lines[top->offset + i],
			  components && rates && layout.spark ? rates + i * (size_t)layout.spark : NULL);
	free(components);
	free(rates);
}

int promcb_top_draw_list(struct promcb_top *top, struct promcb_grid *grid)
{
	int room = grid->rows - FIRST_LINE - (top->plain ? 1 : 2);
	struct promcb_view_list list;
	int result;

	if (!top->started) {
		promcb_grid_put(grid, 1, 0, grid->columns, PROMCB_LOOK_BAD | PROMCB_LOOK_BOLD, top->missing);
		return 0;
	}
	result = promcb_view_list_make(&top->history, promcb_top_from_ns(top), promcb_top_upto_ns(top), &top->choice,
				       &list);
	if (result < 0)
		return result;
	room = room < 1 ? 1 : room;
	scroll(top, &list, (size_t)room);
	draw_summary(top, grid, &list);
	draw_lines(top, grid, &list, (size_t)room);
	draw_note(top, grid, FIRST_LINE + (list.count < (size_t)room ? (int)list.count : room), &list);
	promcb_view_list_free(&list);
	return 0;
}

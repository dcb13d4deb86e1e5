/* SPDX-License-Identifier: MIT */
#include "top.h"

#include "views/words.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND ((uint64_t)1000000000)

const unsigned promcb_top_windows[] = {1, 10, 60, 600, 0};

const char *promcb_top_window_name(unsigned window)
{
	static const char *const names[] = {"1 s", "10 s", "1 min", "10 min", "all"};

	return names[window];
}

uint64_t promcb_top_upto_ns(const struct promcb_top *top)
{
	return top->paused ? top->paused_ns : promcb_view_upto_ns(&top->history);
}

uint64_t promcb_top_from_ns(const struct promcb_top *top)
{
	uint64_t upto_ns = promcb_top_upto_ns(top), length_ns = promcb_top_windows[top->window] * SECOND;

	/* Looks are not exactly as far apart as they shall be: of columns that are a little too long, as many. */
	return length_ns && length_ns < upto_ns ? upto_ns - length_ns : 0;
}

void promcb_top_clock(uint64_t ns, char *out, size_t size)
{
	time_t seconds = (time_t)(ns / SECOND);
	struct tm when;

	localtime_r(&seconds, &when);
	strftime(out, size, "%H:%M:%S", &when);
}

unsigned promcb_top_breaker(const struct promcb_view_line *line, uint64_t now_ns, bool with_age, char *out, size_t size)
{
	static const char *const words[] = {" closed", "!OPEN", "?half"};
	static const unsigned looks[] = {PROMCB_LOOK_PLAIN, PROMCB_LOOK_BAD | PROMCB_LOOK_BOLD,
					 PROMCB_LOOK_WARN | PROMCB_LOOK_BOLD};

	if (!line->stated || (line->state == PROMCB_CLOSED && !line->changed_ns)) {
		snprintf(out, size, " -");
		return PROMCB_LOOK_DIM;
	}
	if (with_age && line->state != PROMCB_CLOSED && line->changed_ns && now_ns >= line->changed_ns)
		snprintf(out, size, "%s %s", words[line->state], promcb_view_age(now_ns - line->changed_ns).text);
	else
		snprintf(out, size, "%s", words[line->state]);
	return looks[line->state];
}

/* -- Lines that all pages have ------------------------------------------------------------------------------------- */

/* Whether it is now, and of what; at the right of the first line. Returns the columns it took. */
static int draw_when(const struct promcb_top *top, struct promcb_grid *grid)
{
	uint64_t upto_ns = promcb_view_upto_ns(&top->history), shown_ns = promcb_top_upto_ns(top);
	uint64_t age_ns = top->now_ns > upto_ns ? top->now_ns - upto_ns : 0;
	unsigned look = PROMCB_LOOK_BOLD;
	char text[128], clock[16], zone[16], day[16];
	time_t seconds = (time_t)(shown_ns / SECOND);
	struct tm when;

	promcb_top_clock(shown_ns, clock, sizeof(clock));
	localtime_r(&seconds, &when);
	strftime(zone, sizeof(zone), "%Z", &when);
	if (!top->started || !shown_ns) {
		snprintf(text, sizeof(text), "%s", top->missing[0] ? "no segment" : "starting");
	} else if (top->paused) {
		snprintf(text, sizeof(text), "%s %s PAUSED, %s behind", clock, zone,
			 promcb_view_age(upto_ns - shown_ns + (top->source == PROMCB_TOP_LIVE ? age_ns : 0)).text);
	} else if (top->source == PROMCB_TOP_DEAD) {
		snprintf(text, sizeof(text), "a file, read at %s %s", clock, zone);
	} else if (top->source == PROMCB_TOP_RECORDING) {
		strftime(day, sizeof(day), "%Y-%m-%d", &when);
		snprintf(text, sizeof(text), "recorded %s %s %s", day, clock, zone);
	} else if ((double)age_ns / 1e9 > 3 * top->interval) {
		look |= PROMCB_LOOK_BAD;
		snprintf(text, sizeof(text), "%s %s STALE %s", clock, zone, promcb_view_age(age_ns).text);
	} else {
		snprintf(text, sizeof(text), "%s %s live %g s%s", clock, zone, top->interval,
			 top->recording ? " REC" : "");
	}
	promcb_grid_put_right(grid, 0, grid->columns, grid->columns, look, text);
	return promcb_grid_width(grid, text);
}

static void draw_headline(const struct promcb_top *top, struct promcb_grid *grid)
{
	const struct promcb_segment_info *info = &top->info;
	int room = grid->columns - draw_when(top, grid) - 2;
	int used = promcb_grid_printf(grid, 0, 0, room, PROMCB_LOOK_BOLD, "promcb-top %s", top->segment);

	if (!top->started)
		return;
	used += promcb_grid_printf(grid, 0, used, room - used, PROMCB_LOOK_PLAIN, "  %u component%s", info->components,
				   info->components == 1 ? "" : "s");
	if (info->producers >= 0)
		used += promcb_grid_printf(grid, 0, used, room - used, PROMCB_LOOK_PLAIN, "  %d process%s, %d thread%s",
					   info->producers, info->producers == 1 ? "" : "es", info->lanes_live,
					   info->lanes_live == 1 ? "" : "s");
	promcb_grid_printf(grid, 0, used, room - used, PROMCB_LOOK_PLAIN, "  %s of %s",
			   promcb_view_bytes(info->used_bytes).text, promcb_view_bytes(info->max_bytes).text);
}

void promcb_top_draw_keys(const struct promcb_top *top, struct promcb_grid *grid)
{
	char text[256];

	if (top->plain)
		return;
	if (top->typing) {
		promcb_grid_printf(grid, grid->rows - 1, 0, grid->columns, PROMCB_LOOK_REVERSE,
				   "filter: %s_  (enter: keep, esc: none)", top->filter);
		return;
	}
	if (top->said[0]) {
		promcb_grid_put(grid, grid->rows - 1, 0, grid->columns, PROMCB_LOOK_REVERSE, top->said);
		return;
	}
	if (top->page == PROMCB_TOP_LIST)
		snprintf(text, sizeof(text),
			 "[q]uit [?]keys [/]filter [s]ort:%s [enter]open [space]pause [w]indow:%s [v]alues",
			 promcb_view_sort_name(top->choice.sort), promcb_top_window_name(top->window));
	else if (top->page == PROMCB_TOP_COMPONENT)
		snprintf(text, sizeof(text),
			 "[esc]back [tab]view [left/right]column [w]indow:%s [o]utcome [space]pause [?]keys",
			 promcb_top_window_name(top->window));
	else
		snprintf(text, sizeof(text), "[esc]back [up/down]move%s",
			 top->page == PROMCB_TOP_METRICS ? " [/]filter [?]keys" : "");
	promcb_grid_put(grid, grid->rows - 1, 0, grid->columns, PROMCB_LOOK_DIM, text);
}

int promcb_top_draw(struct promcb_top *top, struct promcb_grid *grid)
{
	int result = 0;

	if (grid->columns < PROMCB_TOP_COLUMNS_MIN || grid->rows < PROMCB_TOP_ROWS_MIN) {
		promcb_grid_printf(grid, 0, 0, grid->columns, PROMCB_LOOK_PLAIN, "%d columns and %d rows are needed",
				   PROMCB_TOP_COLUMNS_MIN, PROMCB_TOP_ROWS_MIN);
		promcb_grid_put(grid, 1, 0, grid->columns, PROMCB_LOOK_PLAIN, "--once prints");
		return 0;
	}
	switch (top->page) {
	case PROMCB_TOP_LIST:
		draw_headline(top, grid);
		result = promcb_top_draw_list(top, grid);
		break;
	case PROMCB_TOP_COMPONENT:
		result = promcb_top_draw_component(top, grid);
		break;
	case PROMCB_TOP_METRICS:
		draw_headline(top, grid);
		promcb_top_draw_metrics(top, grid);
		break;
	case PROMCB_TOP_HELP:
		promcb_top_draw_help(top, grid);
		break;
	}
	promcb_top_draw_keys(top, grid);
	return result;
}

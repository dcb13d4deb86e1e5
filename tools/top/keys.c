/* SPDX-License-Identifier: MIT */
/* keys.c: what keys do: one table for the program, its page of keys, and the test of the man page. */
#include "common.h"
#include "top.h"

#include <stdio.h>
#include <string.h>

#define SECOND ((uint64_t)1000000000)

static void leave(struct promcb_top *top, int rows)
{
	(void)rows;
	top->ended = true;
}

static void go_back(struct promcb_top *top, int rows)
{
	(void)rows;
	if (top->page == PROMCB_TOP_HELP) {
		top->page = top->before_help;
	} else if (top->page != PROMCB_TOP_LIST) {
		top->page = PROMCB_TOP_LIST;
		top->column = 0;
		top->offset = 0;
	} else if (top->choice.matching) {
		top->choice.matching = NULL;
		top->filter[0] = '\0';
	} else {
		top->paused = false;
	}
}

static void help(struct promcb_top *top, int rows)
{
	(void)rows;
	if (top->page != PROMCB_TOP_HELP)
		top->before_help = top->page;
	top->page = PROMCB_TOP_HELP;
}

/* Selects another line: by so many, as the list is now. */
static void move(struct promcb_top *top, long by)
{
	struct promcb_view_list list;
	long place = 0, last;

	if (top->page == PROMCB_TOP_METRICS) {
		top->offset = by < 0 && (size_t)-by > top->offset ? 0 : top->offset + (size_t)by;
		return;
	}
	if (!top->started || promcb_view_list_make(&top->history, promcb_top_from_ns(top), promcb_top_upto_ns(top),
						   &top->choice, &list) < 0)
		return;
	last = (long)list.count - 1;
	while (place < last && list.lines[place].component != top->selected)
		place++;
	place = by < -place ? 0 : by > last - place ? last : place + by;
	if (last >= 0)
		top->selected = list.lines[place].component;
	promcb_view_list_free(&list);
}

static void move_up(struct promcb_top *top, int rows)
{
	(void)rows;
	move(top, -1);
}

static void move_down(struct promcb_top *top, int rows)
{
	(void)rows;
	move(top, 1);
}

static void page_up(struct promcb_top *top, int rows)
{
	move(top, rows > 6 ? 6 - rows : -1);
}

static void page_down(struct promcb_top *top, int rows)
{
	move(top, rows > 6 ? rows - 6 : 1);
}

static void first(struct promcb_top *top, int rows)
{
	(void)rows;
	move(top, -(1L << 30));
}

static void last(struct promcb_top *top, int rows)
{
	(void)rows;
	if (top->page != PROMCB_TOP_METRICS)
		move(top, 1L << 30);
}

static void open_component(struct promcb_top *top, int rows)
{
	(void)rows;
	if (!top->started || top->selected >= top->history.component_count)
		return;
	top->page = PROMCB_TOP_COMPONENT;
	top->column = 0;
	top->most = 0;
}

static void earlier(struct promcb_top *top, int rows)
{
	(void)rows;
	top->column++;
}

static void later(struct promcb_top *top, int rows)
{
	(void)rows;
	top->column -= top->column > 0;
}

static void next_view(struct promcb_top *top, int rows)
{
	(void)rows;
	top->view = (enum promcb_top_view)((top->view + 1) % PROMCB_TOP_VIEWS);
	top->column = 0;
}

static void next_outcome(struct promcb_top *top, int rows)
{
	static const enum promcb_outcome next[] = {PROMCB_OUTCOME_FAILURE, PROMCB_OUTCOME_ANY, PROMCB_OUTCOME_SUCCESS};

	(void)rows;
	top->outcome = next[top->outcome];
	top->most = 0;
}

static void next_window(struct promcb_top *top, int rows)
{
	(void)rows;
	top->window = (top->window + 1) % PROMCB_TOP_WINDOWS;
	top->column = 0;
	top->most = 0;
}

static void next_sort(struct promcb_top *top, int rows)
{
	(void)rows;
	top->choice.sort = (enum promcb_view_sort)((top->choice.sort + 1) % PROMCB_VIEW_SORTS);
	top->offset = 0;
}

static void reverse(struct promcb_top *top, int rows)
{
	(void)rows;
	top->choice.reversed = !top->choice.reversed;
}

static void hide_idle(struct promcb_top *top, int rows)
{
	(void)rows;
	top->choice.hide_idle = !top->choice.hide_idle;
	snprintf(top->said, sizeof(top->said), "components without calls are %s",
		 top->choice.hide_idle ? "hidden" : "shown");
}

static void pause_picture(struct promcb_top *top, int rows)
{
	(void)rows;
	top->paused_ns = promcb_top_upto_ns(top);
	top->paused = !top->paused && top->paused_ns;
	if (!top->paused_ns)
		snprintf(top->said, sizeof(top->said), "there is nothing yet to pause");
}

/* To the end of the column before the one that is shown, or of the one after it. */
static void step(struct promcb_top *top, bool forward)
{
	const struct promcb_view_history *history = &top->history;
	uint64_t shown_ns = promcb_top_upto_ns(top), found_ns = shown_ns;

	for (size_t i = 0; i < history->column_count; i++) {
		uint64_t upto_ns = history->columns[i].upto_ns;

		if (!forward && upto_ns < shown_ns)
			found_ns = upto_ns;
		if (forward && upto_ns > shown_ns) {
			found_ns = upto_ns;
			break;
		}
	}
	top->paused_ns = found_ns;
	top->paused = found_ns != promcb_view_upto_ns(history);
}

static void step_back(struct promcb_top *top, int rows)
{
	(void)rows;
	step(top, false);
}

static void step_forward(struct promcb_top *top, int rows)
{
	(void)rows;
	step(top, true);
}

static void slower(struct promcb_top *top, int rows)
{
	(void)rows;
	top->interval = top->interval >= 30 ? 60 : top->interval * 2;
}

static void faster(struct promcb_top *top, int rows)
{
	(void)rows;
	top->interval = top->interval <= 0.4 ? 0.2 : top->interval / 2;
}

static void type_filter(struct promcb_top *top, int rows)
{
	(void)rows;
	top->typing = true;
}

static void values(struct promcb_top *top, int rows)
{
	(void)rows;
	top->page = PROMCB_TOP_METRICS;
	top->offset = 0;
}

static void record(struct promcb_top *top, int rows)
{
	(void)rows;
	top->wants_recording = top->source == PROMCB_TOP_LIVE;
	if (!top->wants_recording)
		snprintf(top->said, sizeof(top->said), "only what is live is recorded");
}

static void write_page(struct promcb_top *top, int rows)
{
	(void)rows;
	top->wants_page = true;
}

enum {
	LIST = 1u << PROMCB_TOP_LIST,
	COMPONENT = 1u << PROMCB_TOP_COMPONENT,
	METRICS = 1u << PROMCB_TOP_METRICS,
	HELP = 1u << PROMCB_TOP_HELP,
	PICTURES = LIST | COMPONENT,
	LINES = LIST | METRICS,
	ANY = LIST | COMPONENT | METRICS | HELP,
};

const struct promcb_top_binding promcb_top_bindings[] = {
	{'q', 3, ANY, "q, ^C", "end", leave},
	{PROMCB_KEY_ESCAPE, 'h', ANY, "Esc, h", "a step back; in the list: no filter, then no pause", go_back},
	{'?', PROMCB_KEY_HELP, ANY, "?, F1", "the keys of this page", help},
	{'k', PROMCB_KEY_UP, LINES, "k, up", "the line above", move_up},
	{'j', PROMCB_KEY_DOWN, LINES, "j, down", "the line below", move_down},
	{PROMCB_KEY_PAGE_UP, 0, LINES, "PgUp", "a page up", page_up},
	{PROMCB_KEY_PAGE_DOWN, 0, LINES, "PgDn", "a page down", page_down},
	{'g', PROMCB_KEY_HOME, LINES, "g, Home", "the first line", first},
	{'G', PROMCB_KEY_END, LINES, "G, End", "the last line", last},
	{PROMCB_KEY_ENTER, 'l', LIST, "Enter, l", "open the component", open_component},
	{PROMCB_KEY_TAB, 0, COMPONENT, "Tab", "heat map, percentiles, timeline, newest calls", next_view},
	{PROMCB_KEY_LEFT, 0, COMPONENT, "left", "the column before; in the timeline, older lines", earlier},
	{PROMCB_KEY_RIGHT, 0, COMPONENT, "right", "the column after; in the timeline, newer lines", later},
	{'o', 0, COMPONENT, "o", "all calls, those that succeeded, those that failed", next_outcome},
	{'w', 0, PICTURES, "w", "window, and column of the heat map: 1 s, 10 s, 1 min, 10 min, all", next_window},
	{'/', 0, LINES, "/", "filter: text in the name, or a pattern with *", type_filter},
	{'s', 0, LIST, "s", "sort by trouble, failed, calls, p99, name", next_sort},
	{'S', 0, LIST, "S", "reverse", reverse},
	{'e', 0, LIST, "e", "hide components without calls in the window, or show them", hide_idle},
	{'v', 0, LIST, "v", "counters, gauges and histograms with labels", values},
	{' ', 0, PICTURES, "space", "pause the picture; the history goes on", pause_picture},
	{'[', 't', PICTURES, "[, t", "a column of time earlier, paused", step_back},
	{']', 'T', PICTURES, "], T", "a column of time later", step_forward},
	{'-', 0, PICTURES, "-", "look half as often, down to once in 60 s", slower},
	{'+', '=', PICTURES, "+", "look twice as often, up to 5 times a second", faster},
	{'r', 0, PICTURES, "r", "record to a file, from the beginning of the history; again: end that", record},
	{'P', 0, ANY, "P", "write this screen to a file as text", write_page},
};
const size_t promcb_top_binding_count = sizeof(promcb_top_bindings) / sizeof(promcb_top_bindings[0]);

/* -- Typing -------------------------------------------------------------------------------------------------------- */

static void type(struct promcb_top *top, uint32_t key)
{
	size_t length = strlen(top->filter);
	char bytes[5];

	if (key == PROMCB_KEY_ENTER || key == PROMCB_KEY_ESCAPE) {
		if (key == PROMCB_KEY_ESCAPE)
			top->filter[0] = '\0';
		top->typing = false;
	} else if (key == PROMCB_KEY_BACKSPACE) {
		/* A whole character. */
		while (length && (top->filter[--length] & 0xc0) == 0x80)
			;
		top->filter[length] = '\0';
	} else if (key >= 0x20 && key < 0x110000 && key != 0x7f) {
		promcb_grid_utf8(key, bytes);
		if (length + strlen(bytes) < sizeof(top->filter))
			strcpy(top->filter + length, bytes);
	}
	top->choice.matching = top->filter[0] ? top->filter : NULL;
	top->offset = 0;
}

void promcb_top_press(struct promcb_top *top, uint32_t key, int rows)
{
	top->said[0] = '\0';
	if (key == PROMCB_KEY_RESIZE)
		return;
	if (top->typing && key != 3) {
		type(top, key);
		return;
	}
	for (size_t i = 0; i < promcb_top_binding_count; i++) {
		const struct promcb_top_binding *binding = &promcb_top_bindings[i];

		if (binding->pages & 1u << top->page &&
		    (binding->key == key || (binding->other && binding->other == key))) {
			binding->press(top, rows);
			return;
		}
	}
}

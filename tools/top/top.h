/* SPDX-License-Identifier: MIT */
/*
 * top.h: what promcb-top shows: a history, and where in it somebody looks.
 *
 * Nothing here reads a clock, a terminal or a segment: main.c does, and tells.
 */
#ifndef PROMCB_TOP_TOP_H
#define PROMCB_TOP_TOP_H

#include "grid.h"
#include "views/list.h"

#include <limits.h>

/* The fewest columns that a screen needs. */
enum { PROMCB_TOP_COLUMNS_MIN = 36, PROMCB_TOP_ROWS_MIN = 4 };

enum promcb_top_page { PROMCB_TOP_LIST, PROMCB_TOP_COMPONENT, PROMCB_TOP_METRICS, PROMCB_TOP_HELP };

/* What is shown of a component. */
enum promcb_top_view { PROMCB_TOP_HEAT, PROMCB_TOP_CURVE, PROMCB_TOP_TIMELINE, PROMCB_TOP_CALLS, PROMCB_TOP_VIEWS };

/* Where the numbers come from. */
enum promcb_top_source {
	PROMCB_TOP_LIVE,      /* a segment, again and again */
	PROMCB_TOP_DEAD,      /* a segment's file, once: counts since its creation */
	PROMCB_TOP_RECORDING, /* what was looked at earlier */
};

/* The newest calls of one component, which are looked for while it is shown. */
struct promcb_top_calls {
	char name[PROMCB_FULL_NAME_MAX + 1];
	bool known;
	struct promcb_summary summary;
	struct promcb_recent_call *calls; /* the newest first */
	size_t count;
};

struct promcb_top {
	/* What is known. */
	enum promcb_top_source source;
	const char *segment;              /* what was opened, for the headline */
	char origin[512];                 /* the segment of a recording */
	struct promcb_view_history history;
	bool started;                     /* there is a history */
	struct promcb_segment_info info;
	struct promcb_snapshot *snapshot; /* the newest; NULL: none */
	struct promcb_top_calls calls;
	char missing[256];                /* why nothing new comes; empty: it does */
	uint64_t now_ns;                  /* Unix */
	double interval;                  /* seconds */
	/* Where somebody looks. */
	enum promcb_top_page page, before_help;
	enum promcb_top_view view;
	struct promcb_view_choice choice;
	char filter[128];
	bool typing;                      /* the filter */
	unsigned window;                  /* of promcb_top_windows */
	uint32_t selected;                /* component; UINT32_MAX: none yet */
	size_t offset;                    /* of the first line */
	bool paused;
	uint64_t paused_ns;               /* the end of the column that is shown */
	int column;                       /* of the heat map that is told of, from the newest, 0 on */
	enum promcb_outcome outcome;      /* that the heat map has */
	uint64_t most;                    /* calls of the darkest square so far: it may grow, and does not shrink */
	bool ended;
	bool wants_page;                  /* main.c shall write the screen down */
	bool wants_recording;             /* main.c shall begin a recording, or end it */
	bool recording;                   /* into a file, now */
	char said[256];                   /* the answer to the last key */
	bool plain;                       /* printed once: without keys and selection */
};

/* Lengths of windows in seconds; 0: all that there is. */
extern const unsigned promcb_top_windows[];
enum { PROMCB_TOP_WINDOWS = 5 };

/* The end of what is shown, and of the window in which it begins. */
uint64_t promcb_top_upto_ns(const struct promcb_top *top);
uint64_t promcb_top_from_ns(const struct promcb_top *top);

/* "10 s", "1 min", "all": what a window is called. */
const char *promcb_top_window_name(unsigned window);

/* Draws the page. Returns 0, or -ENOMEM. */
int promcb_top_draw(struct promcb_top *top, struct promcb_grid *grid);

/* The pages. */
int promcb_top_draw_list(struct promcb_top *top, struct promcb_grid *grid);
int promcb_top_draw_component(struct promcb_top *top, struct promcb_grid *grid);
void promcb_top_draw_metrics(struct promcb_top *top, struct promcb_grid *grid);
void promcb_top_draw_help(struct promcb_top *top, struct promcb_grid *grid);

/* A latency's ranges and counts in a window, as one line: what the heat map tells of a column. */
void promcb_top_tell(const struct promcb_top *top, const struct promcb_view_window *window, char *out, size_t size);

/* The views of a component, in rows first to end. */
int promcb_top_draw_heat(struct promcb_top *top, struct promcb_grid *grid, int first, int end);
int promcb_top_draw_curve(struct promcb_top *top, struct promcb_grid *grid, int first, int end);
int promcb_top_draw_timeline(struct promcb_top *top, struct promcb_grid *grid, int first, int end);
void promcb_top_draw_calls(struct promcb_top *top, struct promcb_grid *grid, int first, int end);

/* The line of keys, or the answer to one, at the bottom. */
void promcb_top_draw_keys(const struct promcb_top *top, struct promcb_grid *grid);

/* Time of day in the local zone, "14:02:31". */
void promcb_top_clock(uint64_t ns, char *out, size_t size);

/* The word and mark of a breaker, with its age if there is room: "!OPEN 12 s", "closed". Returns how it looks. */
unsigned promcb_top_breaker(const struct promcb_view_line *line, uint64_t now_ns, bool with_age, char *out,
			    size_t size);

/* -- Keys ---------------------------------------------------------------------------------------------------------- */

/* Keys that are no characters. */
enum promcb_top_key {
	PROMCB_KEY_UP = 0x110000,
	PROMCB_KEY_DOWN,
	PROMCB_KEY_LEFT,
	PROMCB_KEY_RIGHT,
	PROMCB_KEY_PAGE_UP,
	PROMCB_KEY_PAGE_DOWN,
	PROMCB_KEY_HOME,
	PROMCB_KEY_END,
	PROMCB_KEY_ENTER,
	PROMCB_KEY_ESCAPE,
	PROMCB_KEY_BACKSPACE,
	PROMCB_KEY_TAB,
	PROMCB_KEY_HELP,
	PROMCB_KEY_RESIZE,
};

/* What a key does. rows: of the screen. */
void promcb_top_press(struct promcb_top *top, uint32_t key, int rows);

/* A line of the help. */
struct promcb_top_binding {
	uint32_t key, other; /* other: the same; 0: none */
	unsigned pages;      /* bits of enum promcb_top_page */
	const char *keys;    /* as they are told */
	const char *does;
	void (*press)(struct promcb_top *top, int rows);
};
extern const struct promcb_top_binding promcb_top_bindings[];
extern const size_t promcb_top_binding_count;

#endif

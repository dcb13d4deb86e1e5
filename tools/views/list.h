/* SPDX-License-Identifier: MIT */
/*
 * list.h: a line for each component: how it did in a window, and what is wrong first.
 *
 * Invariant: the order is total. What is equal by the sort asked for is in the order of trouble, then of names, so that
 * lines do not change places by themselves.
 */
#ifndef PROMCB_VIEW_LIST_H
#define PROMCB_VIEW_LIST_H

#include "history.h"

/* How much a component needs somebody. */
enum promcb_view_trouble {
	PROMCB_VIEW_WELL = 0,
	PROMCB_VIEW_FAILS_SOME = 1,  /* calls failed, fewer than 1 in 100 */
	PROMCB_VIEW_FAILS_MORE = 2,  /* at least 1 in 100 */
	PROMCB_VIEW_FAILS_MUCH = 3,  /* at least 1 in 10 */
	PROMCB_VIEW_HALF_OPEN = 4,
	PROMCB_VIEW_OPEN = 5,
};

enum promcb_view_sort {
	PROMCB_VIEW_SORT_TROUBLE,
	PROMCB_VIEW_SORT_FAILED,
	PROMCB_VIEW_SORT_CALLS,
	PROMCB_VIEW_SORT_P99,
	PROMCB_VIEW_SORT_NAME,
};
enum { PROMCB_VIEW_SORTS = 5 };

/* "trouble", "failed", "calls", "p99", "name"; NULL: no such sort. */
const char *promcb_view_sort_name(enum promcb_view_sort sort);
/* Returns 0, or -EINVAL. */
int promcb_view_sort_parse(const char *name, enum promcb_view_sort *out);

struct promcb_view_line {
	uint32_t component;
	const char *name;
	struct promcb_view_window window;
	uint64_t calls, measured; /* in the window; those that have a latency */
	enum promcb_view_firmness p50_firmness, p99_firmness;
	struct promcb_bucket p50, p99; /* of both outcomes */
	bool stated;              /* the state is known */
	uint32_t state;
	uint64_t changed_ns;
	enum promcb_view_trouble trouble;
};

struct promcb_view_list {
	struct promcb_view_line *lines;
	size_t count;  /* those shown */
	size_t all;    /* before the filter, but without those that are gone */
	size_t open;   /* of all: breakers that are open or half open */
	size_t failing; /* of all: at least 1 in 10 failed, and the breaker is closed */
	uint64_t *buckets;
};

struct promcb_view_choice {
	const char *matching; /* as in promcb_snapshot_options; NULL: all */
	enum promcb_view_sort sort;
	bool reversed;
	bool hide_idle;       /* those without a call in the window, unless the breaker is not closed */
};

/* Whether a name is like a text: contains it, or is like it where it has a "*", any text. */
bool promcb_view_matches(const char *name, const char *text);

/*
 * The list of a window. upto_ns: the end of a column, as the newest has it for now, or earlier. Returns 0, or -ENOMEM.
 * Freed by promcb_view_list_free().
 */
int promcb_view_list_make(const struct promcb_view_history *history, uint64_t from_ns, uint64_t upto_ns,
			  const struct promcb_view_choice *choice, struct promcb_view_list *out);
void promcb_view_list_free(struct promcb_view_list *list);

/* Which of two lines comes first: negative: a. choice: a const struct promcb_view_choice *. */
int promcb_view_line_compare(const void *a, const void *b, const void *choice);

/*
 * Calls per second in equal parts of a window, for some components at once: the greatest of the columns that end in a
 * part, and the column before where none does; negative where nobody looked. out: count x parts.
 */
void promcb_view_sparks(const struct promcb_view_history *history, const uint32_t *components, size_t count,
			uint64_t from_ns, uint64_t upto_ns, size_t parts, double *out);

#endif

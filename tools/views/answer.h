/* SPDX-License-Identifier: MIT */
/*
 * answer.h: what programs and the page are told, as JSON: a list of all segments, and a component's columns of time.
 *
 * Nothing is rounded or smoothed: counts are whole numbers, times are seconds of Unix, latencies seconds, quantiles the
 * two ends of a bucket or null. A column covers what its "from" and "to" say, whatever was asked for; where there is
 * none, nobody looked.
 */
#ifndef PROMCB_VIEW_ANSWER_H
#define PROMCB_VIEW_ANSWER_H

#include "list.h"

enum { PROMCB_VIEW_COLUMNS_MAX = 1000, PROMCB_VIEW_LINES_MAX = 1000 };

/* A segment, and what is known of it. */
struct promcb_view_source {
	const char *name;
	const struct promcb_view_history *history; /* NULL: nothing yet */
	const struct promcb_segment_info *info;    /* NULL: it cannot be read now */
	const char *message;                       /* why not; or "" */
};

struct promcb_view_sources {
	const struct promcb_view_source *sources;
	size_t count;
	const char *id;         /* of the answer: another one where it differs */
	uint64_t now_ns;        /* Unix */
	uint64_t tick_ns;       /* how often is looked */
	size_t bytes, bytes_max; /* of history: used, and at most */
};

/* What is wanted of a list. */
struct promcb_view_listing {
	const char *matching; /* NULL: all */
	enum promcb_view_sort sort;
	uint64_t window_ns;
	size_t limit;
};

/* All segments, and a line of each component, as many as the limit. Without memory out has failed. */
void promcb_view_answer_live(const struct promcb_view_sources *sources, const struct promcb_view_listing *listing,
			     struct promcb_view_bytes *out);

/*
 * Calls, failures and octaves of latency by time of the components of a list, in equal parts of its window: what is
 * small enough to be drawn beside each. parts: of at least a nanosecond. Without memory out has failed.
 */
void promcb_view_answer_strips(const struct promcb_view_sources *sources, const struct promcb_view_listing *listing,
			       size_t parts, struct promcb_view_bytes *out);

/* What all of them begin with; the object is not closed. */
void promcb_view_answer_head(const struct promcb_view_sources *sources, struct promcb_view_bytes *out);

/* A window of time. */
struct promcb_view_range {
	uint64_t from_ns, upto_ns;
};

/*
 * A component's columns, at most as many as are asked for. All are as wide as promcb_view_step_ns() says, and end with
 * multiples of it, but for those of tiers that are wider. Without memory out has failed.
 */
void promcb_view_answer_history(const struct promcb_view_sources *sources, size_t source, uint32_t component,
				struct promcb_view_range range, size_t columns, struct promcb_view_bytes *out);

/* A component in two windows, each as one column. */
void promcb_view_answer_compare(const struct promcb_view_sources *sources, size_t source, uint32_t component,
				struct promcb_view_range a, struct promcb_view_range b, struct promcb_view_bytes *out);

/* The least of 1, 2, 5, 10, 15, 30 seconds, minutes, and so on, of which a range has at most so many. */
uint64_t promcb_view_step_ns(struct promcb_view_range range, size_t columns);

/*
 * A moment: "now", seconds of Unix ("1764338551.4"), or before now: "-90", "-90s", "-10m", "-1h", "-1d". Returns
 * whether it is one.
 */
bool promcb_view_moment_parse(const char *text, uint64_t now_ns, uint64_t *out_ns);

#endif

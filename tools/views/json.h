/* SPDX-License-Identifier: MIT */
/*
 * json.h: a list as JSON, for programs: nothing is rounded, counts are whole numbers, times are seconds of Unix, and
 * quantiles are the two ends of the bucket that they lie in, in seconds, or null.
 */
#ifndef PROMCB_VIEW_JSON_H
#define PROMCB_VIEW_JSON_H

#include "list.h"

/* Where a list is from. */
struct promcb_view_origin {
	const char *segment;
	const struct promcb_segment_info *info; /* NULL: it cannot be read */
	uint64_t now_ns;                        /* Unix */
};

/* Writes one object. Returns 0, -ENOMEM, or what write returned. */
int promcb_view_json(const struct promcb_view_history *history, const struct promcb_view_list *list,
		     const struct promcb_view_origin *origin, promcb_write_fn *write, void *context);

#endif

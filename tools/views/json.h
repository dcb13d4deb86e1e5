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

/* -- What answers are made of; without memory, out has failed ------------------------------------------------------ */

void promcb_view_json_text(struct promcb_view_bytes *out, const char *text);

/* At most 511 bytes. */
__attribute__((format(printf, 2, 3))) void promcb_view_json_print(struct promcb_view_bytes *out, const char *format,
								  ...);

/* A string; bytes that are no UTF-8 are replaced by U+FFFD, which is what JSON can say. */
void promcb_view_json_string(struct promcb_view_bytes *out, const char *text);

/* "name": nanoseconds as seconds, exactly; 0: null. */
void promcb_view_json_time(struct promcb_view_bytes *out, const char *name, uint64_t ns);

/* The bucket that a quantile lies in, of both outcomes of a window with buckets: , "name": the pair, or null. */
void promcb_view_json_quantile(struct promcb_view_bytes *out, const struct promcb_view_history *history,
			       const uint64_t *buckets, const char *name, struct promcb_view_quantile quantile);

/* "calls": and "failed":. */
void promcb_view_json_counts(struct promcb_view_bytes *out, const struct promcb_view_counts *counts);

/* "closed", "open" or "half_open", with its quotes; anything else is null. */
const char *promcb_view_json_state(bool known, uint32_t state);

/* Of a segment: its name and, where it can be read, what it has; the object is not closed. */
void promcb_view_json_segment(struct promcb_view_bytes *out, const char *name, const struct promcb_segment_info *info);

/* A component's object. segment: its number in the answer. */
void promcb_view_json_line(struct promcb_view_bytes *out, const struct promcb_view_history *history,
			   const struct promcb_view_line *line, size_t segment);

#endif

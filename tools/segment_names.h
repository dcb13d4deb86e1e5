/* SPDX-License-Identifier: MIT */
/*
 * segment_names.h: names and glob patterns of segments to the names that there are.
 *
 * Used by whatever reads several segments at once.
 */
#ifndef PROMCB_TOOL_SEGMENT_NAMES_H
#define PROMCB_TOOL_SEGMENT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum { PROMCB_SEGMENT_NAMES_MAX = 256 };

struct promcb_segment_names {
	size_t count;
	char *items[PROMCB_SEGMENT_NAMES_MAX];
};

/* Whether it is a pattern: it has one of "*?[". */
bool promcb_segment_is_pattern(const char *name);

/* Whether several segments may be meant, so that each needs its label. */
bool promcb_segments_are_several(const char *const *patterns, size_t count);

/* Whether a name can be told by its label: 1 to 255 bytes of UTF-8. */
bool promcb_segment_is_label(const char *name);

/* Whether every series can have the label. */
bool promcb_label_is_free(const char *name, const char *value);

/*
 * Finds what is there, in the order of the patterns and then of the names, each once, a file of several names by the
 * first of them, and at most PROMCB_SEGMENT_NAMES_MAX. A name is there, existing or not; what a pattern finds is so if
 * it is a segment and makes a label. is_known: whether a name that a pattern finds is known to be a segment; NULL: none
 * is. Returns 0, or -ENOMEM. In any case the caller frees what out has.
 */
int promcb_segment_names_find(const char *const *patterns, size_t count,
			      bool (*is_known)(void *context, const char *name), void *context,
			      struct promcb_segment_names *out);

void promcb_segment_names_free(struct promcb_segment_names *names);

#endif

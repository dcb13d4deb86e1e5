/* SPDX-License-Identifier: MIT */
/*
 * export_segments.h: the segments that are exported: found, opened, and snapshots of them, round by round.
 *
 * Complaints go out by common.h.
 */
#ifndef PROMCB_TOOL_EXPORT_SEGMENTS_H
#define PROMCB_TOOL_EXPORT_SEGMENTS_H

#include "segment_names.h"

#include <promcb/reader.h>

enum { PROMCB_EXPORT_PATTERNS_MAX = 64 };

/* As --segment says, once or more; none: the default segment. */
struct promcb_export_patterns {
	size_t count;
	const char *items[PROMCB_EXPORT_PATTERNS_MAX];
};

struct promcb_export_segment {
	char *name;
	const char *given;            /* the same, or NULL for the default */
	struct promcb_reader *reader; /* NULL: not open */
	struct promcb_idle *idle;     /* what was seen before; NULL: nothing */
	int error;                    /* of its last round, as told; 0: none */
};

/* Zeroed but for patterns and idle_ns. */
struct promcb_export_segments {
	const struct promcb_export_patterns *patterns;
	const uint64_t *idle_ns; /* hide what is idle for so long; NULL: nothing */
	size_t count;
	struct promcb_export_segment items[PROMCB_SEGMENT_NAMES_MAX];
	struct promcb_render_segment parts[PROMCB_SEGMENT_NAMES_MAX]; /* of the last take */
	bool is_empty; /* patterns found nothing, as told */
};

/* Whether each is told by a label. */
bool promcb_export_segments_are_several(const struct promcb_export_segments *segments);

/* Looks what there is; what is known stays open. Returns 0, or -errno, told once: -ENOENT where nothing is found. */
int promcb_export_segments_find(struct promcb_export_segments *segments);

/* Opens one, unless it is open and still what its name leads to. Returns 0, or -errno with message. */
int promcb_export_segment_open(struct promcb_export_segment *segment, struct promcb_message *message);

/*
 * Finds, opens and takes a snapshot of each: parts are those. An error is told when it begins, and its end too. Returns
 * the first error of any of them, or 0; *taken: of how many there is a snapshot.
 */
int promcb_export_segments_take(struct promcb_export_segments *segments, const char *matching, size_t *taken);

/* Ends what promcb_export_segments_take() began. */
void promcb_export_segments_drop(struct promcb_export_segments *segments);

void promcb_export_segments_free(struct promcb_export_segments *segments);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * parts.h: a snapshot of each of several segments, within the time that a scrape has.
 *
 * Used by bodies.c alone.
 *
 * One segment's trouble is that segment's: each has an equal share of the time that is left, and what one does not use
 * is for those after it. Where there are so many that a share is little, those that it was not enough for have another.
 */
#ifndef PROMCB_SIDECAR_PARTS_H
#define PROMCB_SIDECAR_PARTS_H

#include "segments.h"

/* Arrays of count; parts and messages are filled in. A part without a snapshot has a promcb_up of 0. */
struct sidecar_parts {
	struct sidecar_attachment *const *attachments;
	struct promcb_render_segment *parts;
	struct promcb_message *messages;
	size_t count;
	bool labelled;
	uint64_t flags;       /* as in promcb_snapshot_options */
	const char *matching; /* likewise */
	const uint64_t *idle_ns; /* what is idle for so long is left out; NULL: nothing */
};

/*
 * deadline_ns: of CLOCK_MONOTONIC. *is_short: whether some part is missing for want of time or memory, of which another
 * scrape may have more. Returns 0, or -errno where for that reason there is nothing to serve: -EAGAIN, -ETIMEDOUT,
 * -ENOMEM.
 */
int sidecar_parts_take(const struct sidecar_parts *parts, uint64_t deadline_ns, bool *is_short);

#endif

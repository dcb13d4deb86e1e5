/* SPDX-License-Identifier: MIT */
/*
 * segments.h: which segments are served, and readers attached to them.
 *
 * Used by bodies.c alone.
 *
 * Whoever takes a snapshot attaches where that is needed, with a reader of its own: nobody waits for anybody, and a
 * segment that is created, recreated or mended is seen by the very next scrape. Readers that are not in use wait in
 * their segment's slots. The list of segments changes only where patterns do match something else; it is published
 * by one pointer, and the old one is freed after a grace period.
 */
#ifndef PROMCB_SIDECAR_SEGMENTS_H
#define PROMCB_SIDECAR_SEGMENTS_H

#include "segment_names.h"

#include <promcb/reader.h>

#include <pthread.h>

enum { SIDECAR_SEGMENTS_MAX = PROMCB_SEGMENT_NAMES_MAX, SIDECAR_READERS_KEPT = 4 };

struct sidecar_attachment {
	char *name;                                          /* of a segment, as promcb_reader_open() takes it */
	int error;                                           /* of the last attempt; 0: attached; 1: none yet */
	unsigned long users;                                 /* lists and snapshots that hold it */
	struct promcb_reader *readers[SIDECAR_READERS_KEPT]; /* that nobody uses now */
	pthread_mutex_t idle_lock;
	struct promcb_idle *idle;                            /* what was seen before; NULL: nothing */
};

struct sidecar_segments;

/* patterns: names, or glob patterns; borrowed. Returns NULL without memory. */
struct sidecar_segments *sidecar_segments_new(const char *const *patterns, size_t count);

void sidecar_segments_free(struct sidecar_segments *segments);

/*
 * Looks what is there, and holds all of it: at most SIDECAR_SEGMENTS_MAX. Names without a pattern are always there,
 * existing or not. Returns how many, or -errno. Thread-safe.
 */
int sidecar_segments_hold(struct sidecar_segments *segments, struct sidecar_attachment **held);

void sidecar_attachment_put(struct sidecar_attachment *attachment);

/* Whether several segments may be served, so that each needs its label. */
bool sidecar_segments_are_several(const struct sidecar_segments *segments);

/*
 * Takes a snapshot, attaching if need be; NULL out: sees only whether there is a segment, whatever the options. Changes
 * of fortune are logged, once. Returns 0, or -errno with a sentence in message. Thread-safe.
 */
int sidecar_attachment_snapshot(struct sidecar_attachment *attachment, const struct promcb_snapshot_options *options,
				const uint64_t *idle_ns, struct promcb_snapshot **out, struct promcb_message *message);

#endif

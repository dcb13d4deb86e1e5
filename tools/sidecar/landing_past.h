/* SPDX-License-Identifier: MIT */
/*
 * landing_past.h: how many calls each component had when an earlier first page was made, from which the next one has
 * the calls a second.
 *
 * What a page counted is kept for later ones if the one that was kept last is five seconds old: browsers that refresh
 * in turn do not shorten each other's time. A page goes by one that is between a second and ten minutes old. A
 * component takes 64 bytes. Components are known by a hash of their names: of two that share one, a rate may be
 * missing, or wrong.
 */
#ifndef PROMCB_SIDECAR_LANDING_PAST_H
#define PROMCB_SIDECAR_LANDING_PAST_H

#include <promcb/reader.h>

#include <stddef.h>
#include <stdint.h>

struct sidecar_past;

/* What one page counts. Zeroed, but for the past. */
struct sidecar_present {
	struct sidecar_past *past; /* from sidecar_past_get() */
	struct sidecar_past_count *counts;
	size_t used;
	size_t size;
};

/* The counts of an earlier page, or NULL; sidecar_past_keep() gives it back. Thread-safe. */
struct sidecar_past *sidecar_past_get(void);

/*
 * Counts component index of a segment's snapshot, whose summary is given. Returns its calls a second since the past,
 * NaN if they are not known: at a first page, and after a reset.
 */
double sidecar_past_rate(struct sidecar_present *present, const char *segment, const struct promcb_snapshot *snapshot,
			 size_t index, const struct promcb_summary *summary);

/* Ends a page, whose counts may be what the next ones see. Thread-safe. */
void sidecar_past_keep(struct sidecar_present *present);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * family.h: families in the segment. Called with the process's mutex held. Async-signal-safe where message is NULL.
 *
 * Invariants
 *   - All families whose names differ by "_total" or "_info" alone have one hash, so whoever registers one meets the
 *     others.
 *     They have one name, type, unit and so on, and differ in their label names; else the later one is refused.
 *   - A family that is led to says what it is, for good. One with label values has its series "_overflow", or whoever
 *     finds it makes that.
 */
#ifndef PROMCB_FAMILY_H
#define PROMCB_FAMILY_H

#include "record/series.h"
#include "record/spec.h"

/*
 * Finds or registers. lease: of the calling thread; NULL or without a lane: the registrar's is taken for the moment.
 * message: filled on -EEXIST; may be NULL. Returns 0 and the place, or -EEXIST (it is another there), -ENOSPC, -EBUSY.
 */
int promcb_family_find_or_add(struct promcb_segment *segment, struct promcb_lane_lease *lease,
			      const union promcb_family_image *image, uint32_t *place, struct promcb_message *message);

/*
 * Copies the record of the family that has the name and these labels, the enumerated one among them, in whatever order;
 * labels: NULL at the end; NULL: whichever. The copy is sound, but nobody has judged what it says. Returns false where
 * there is none. Without the mutex, too.
 */
bool promcb_family_copy(struct promcb_segment *segment, const char *name, const char *const *labels,
			union promcb_family_image *image);

#endif

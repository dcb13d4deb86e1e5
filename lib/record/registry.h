/* SPDX-License-Identifier: MIT */
/*
 * registry.h: names to descriptors in the segment. Called with the process's mutex held.
 *
 * Invariants
 *   - A name has at most one descriptor in a segment: all registrars probe the same slots, a slot never becomes empty
 *     again, and whoever loses the CAS for one looks at what won.
 *   - A published descriptor has its overflow block: a registered component can never drop a call.
 */
#ifndef PROMCB_REGISTRY_H
#define PROMCB_REGISTRY_H

#include "record/lane.h"

/* Finds a component of the segment by its name, or its full name. Returns its number, or -ENOENT. */
int promcb_component_find(const struct promcb_segment *segment, const char *name, size_t length);

/*
 * The first byte of what a component with labels is registered by; behind it stands its full name. No name begins so.
 * What handles keep as their name begins so, too: a handle by a name that merely looks like a full name is another one,
 * of the same component.
 */
#define PROMCB_NAME_LABELLED '\x01'

/*
 * Finds or registers. name: maybe marked. lease: of the calling thread; if it has no lane, the registrar's is taken for
 * the moment. Returns the number, or -ENOSPC (no descriptor, or no memory), -EBUSY.
 */
int promcb_component_register(struct promcb_segment *segment, struct promcb_lane_lease *lease, const char *name,
			      size_t length);

#endif

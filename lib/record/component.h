/* SPDX-License-Identifier: MIT */
/*
 * component.h: names to descriptors in the segment, and names to handles in the process.
 *
 * Invariants
 *   - A name has at most one descriptor in a segment: all registrars probe the same slots, a slot never becomes empty
 *     again, and whoever loses the CAS for one looks at what won.
 *   - A published descriptor has its overflow block: a registered component can never drop a call.
 *   - Looking a handle up waits for nobody, not even for a thread that registers: ck_ht, many readers and one writer,
 *     whose old tables are kept (less than once the present one's size in all).
 */
#ifndef PROMCB_COMPONENT_H
#define PROMCB_COMPONENT_H

#include "record/recorder.h"

#include <ck_ht.h>

struct promcb_names {
	ck_ht_t table;
	bool ready;
	char *arena;            /* where keys are kept */
	size_t arena_left;
};

/* Returns 0, or -ENOMEM. */
int promcb_names_start(struct promcb_names *names);

/* The handle of a name, or NULL. Any thread, without the mutex. */
struct promcb_component *promcb_names_find(struct promcb_names *names, const char *name, size_t length);

/* The rest with the mutex held. */

/* A new handle for the owner's component. Returns 0, or -EMFILE, -ENOMEM. */
int promcb_names_add(struct promcb *p, const char *name, size_t length, uint32_t component,
		     struct promcb_component **out);

/* Finds a component of the segment. Returns its number, or -ENOENT. */
int promcb_component_find(const struct promcb_segment *segment, const char *name, size_t length);

/*
 * Finds or registers. seat: of the calling thread; if it has no lane, the registrar's is taken for the moment.
 * Returns the number, or -ENOSPC (no descriptor, or no memory), -EBUSY.
 */
int promcb_component_register(struct promcb_segment *segment, struct promcb_seat *seat, const char *name,
			      size_t length);

/* The handle's component in the owner's present segment, registered there if need be; "_overflow" if it cannot be. */
uint32_t promcb_component_resolve(struct promcb *p, struct promcb_component *component, struct promcb_seat *seat);

struct promcb_handle *promcb_component_handle(const struct promcb_component *component);

#endif

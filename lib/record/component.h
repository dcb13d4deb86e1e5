/* SPDX-License-Identifier: MIT */
/*
 * component.h: handles to components of the segment that their session has at present. promcb_component() is here.
 *
 * Called with the process's mutex held, but for promcb_component_known() and promcb_component_known_again().
 */
#ifndef PROMCB_COMPONENT_H
#define PROMCB_COMPONENT_H

#include "record/open.h"

/* The handle's component in the session's present segment, registered there if need be; "_overflow" if it cannot be. */
uint32_t promcb_component_resolve(struct promcb_session *p, struct promcb_component *component,
				  struct promcb_lane_lease *lease);

/* The same for a name that no hint by its address leads to. */
struct promcb_component *promcb_component_known_again(struct promcb_session *p, const char *name, size_t length);

/* The handle that this process has had for a component's name as it is given, or NULL. Without the mutex. */
static inline struct promcb_component *promcb_component_known(struct promcb_session *p, const char *name)
{
	size_t length = strnlen(name, PROMCB_NAME_MAX + 1);
	struct promcb_component *known = promcb_hints_find_at(&p->names.hints, name, length);

	return PROMCB_UNLIKELY(!known) ? promcb_component_known_again(p, name, length) : known;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * component.h: handles to components of the segment that their session has at present. promcb_component() is here.
 *
 * Called with the process's mutex held.
 */
#ifndef PROMCB_COMPONENT_H
#define PROMCB_COMPONENT_H

#include "record/open.h"

/* The handle's component in the session's present segment, registered there if need be; "_overflow" if it cannot be. */
uint32_t promcb_component_resolve(struct promcb_session *p, struct promcb_component *component,
				  struct promcb_lane_lease *lease);

#endif

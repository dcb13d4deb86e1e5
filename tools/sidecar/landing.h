/* SPDX-License-Identifier: MIT */
/*
 * landing.h: the page for a person.
 *
 * May include: bodies.h.
 */
#ifndef PROMCB_SIDECAR_LANDING_H
#define PROMCB_SIDECAR_LANDING_H

#include "bodies.h"

/* *page is the caller's to free. Returns 0, or -errno as sidecar_bodies_describe(), -ENOMEM. */
int sidecar_landing_page(struct sidecar_bodies *bodies, const char *telemetry_path, uint64_t budget_ns, char **page,
			 size_t *length);

#endif

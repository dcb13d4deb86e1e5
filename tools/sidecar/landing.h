/* SPDX-License-Identifier: MIT */
/* landing.h: the page for a person. */
#ifndef PROMCB_SIDECAR_LANDING_H
#define PROMCB_SIDECAR_LANDING_H

#include "bodies.h"

struct sidecar_landing {
	const char *telemetry_path;
	bool is_live; /* history is kept, which a script shows */
	uint64_t budget_ns;
	unsigned refresh_seconds; /* after which a browser asks again; 0: it does not */
};

/* *page is the caller's to free. Returns 0, or -errno as sidecar_bodies_describe(), -ENOMEM. */
int sidecar_landing_page(struct sidecar_bodies *bodies, const struct sidecar_landing *landing, char **page,
			 size_t *length);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * render_self.h: the families about promcb itself and its segments, and those of the caller: a few dozen series, once
 * per rendering, made here for every format alike.
 */
#ifndef PROMCB_RENDER_SELF_H
#define PROMCB_RENDER_SELF_H

#include "render/render.h"

struct promcb_plain_label {
	const char *name;
	const char *value;
};

struct promcb_plain_series {
	struct promcb_plain_label labels[4];
	unsigned label_count;
	double number;
	uint64_t since_ns;      /* Unix nanoseconds of when a counter began; 0: unknown, or no counter */
};

/* A family with its series of all parts, to be printed by a renderer. family->samples are not to be looked at. */
typedef void promcb_plain_fn(void *context, const struct promcb_family *family,
			     const struct promcb_plain_series *series, size_t count);

/* Calls print for every family that has a series. Without memory the error sticks in the sink. */
void promcb_plain_each(const struct promcb_rendering *rendering, promcb_plain_fn *print, void *context);

#endif

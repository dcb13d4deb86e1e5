/* SPDX-License-Identifier: MIT */
/*
 * own_families.h: the families about promcb itself and its segments, and those of the caller: a few dozen series, once
 * per rendering. They need no speed, so they are made here for every format alike; a renderer visits them.
 */
#ifndef PROMCB_OWN_FAMILIES_H
#define PROMCB_OWN_FAMILIES_H

#include "render/render.h"

/*
 * Prints a family. Its series are those of all parts, with all labels that they have: those of every series, that of
 * the segment, their own; since_ns is 0 only where it is not known.
 */
typedef void promcb_family_visitor(void *context, const struct promcb_family *family);

/* Visits every family that has a series. Without memory the error sticks in the sink. */
void promcb_each_family(const struct promcb_rendering *rendering, promcb_family_visitor *visit, void *context);

#endif

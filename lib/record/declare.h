/* SPDX-License-Identifier: MIT */
/* declare.h: families that are declared by an image, as those of promcb's own. */
#ifndef PROMCB_DECLARE_H
#define PROMCB_DECLARE_H

#include "record/cell.h"

/*
 * Finds or registers a family. out: always set, as of promcb_family_register(). Returns 0, or -errno and says why.
 * Thread-safe.
 */
int promcb_family_declare(struct promcb_session *p, const union promcb_family_image *image,
			  struct promcb_message *message, struct promcb_metric_family **out);

/*
 * A series of a family of promcb's own, for good: what the present segment has no room for is tried again by who
 * counts, at most once a second and without waiting, and what comes meanwhile is counted as dropped. values: as of
 * promcb_counter_with(). NULL: there is no memory, or this is the child of vfork,
 * which registers nothing. Thread-safe.
 */
void *promcb_series_keep(struct promcb_session *p, const union promcb_family_image *image, const char *const *values);

#endif

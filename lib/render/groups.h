/* SPDX-License-Identifier: MIT */
/*
 * groups.h: the families of all parts of a rendering, by name: those of one name are printed as one, since a scrape
 * that has a family twice fails. Where a name is of two types, those of the type that comes first are printed, and the
 * others are told: promcb_families_conflicting. So are those that are called like a family of components, which can be
 * if these have a prefix of the caller's.
 */
#ifndef PROMCB_GROUPS_H
#define PROMCB_GROUPS_H

#include "render/families.h"

struct promcb_group_member {
	const struct promcb_render_segment *part;
	const struct promcb_snapshot_family *family;
};

struct promcb_group {
	const char *name;
	const char *help;
	const char *unit;               /* NULL: none */
	enum promcb_exposed_type type;
	size_t count;
	const struct promcb_group_member *members;
};

typedef void promcb_group_visitor(void *context, const struct promcb_group *group);

/* Visits every group that has a series, sorted by name. Without memory the error sticks in the sink. */
void promcb_each_group(const struct promcb_rendering *rendering, promcb_group_visitor *visit, void *context);

/* How many families of each part are left out, into counts. Returns whether any part has a family at all. */
bool promcb_groups_conflicting(const struct promcb_rendering *rendering, size_t *counts);

static inline const struct promcb_snapshot_series *promcb_member_series(const struct promcb_group_member *member,
									size_t number)
{
	return &member->part->snapshot->metrics->series[member->family->first + number];
}

static inline const uint64_t *promcb_member_cells(const struct promcb_group_member *member,
						  const struct promcb_snapshot_series *series)
{
	return member->part->snapshot->metrics->cells + series->cell;
}

#endif

/* SPDX-License-Identifier: MIT */
#include "render/groups.h"

#include "base/name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum promcb_exposed_type exposed_type(const struct promcb_snapshot_family *family)
{
	switch (family->type) {
	case PROMCB_COUNTER:
		return PROMCB_TYPE_COUNTER;
	case PROMCB_HISTOGRAM:
		return PROMCB_TYPE_HISTOGRAM;
	case PROMCB_INFO:
		return PROMCB_TYPE_INFO;
	default:
		return PROMCB_TYPE_GAUGE;
	}
}

/* How much of a name is what OpenMetrics calls the family: there no two may share that. */
static size_t stem_bytes(const struct promcb_snapshot_family *family)
{
	size_t bytes = strlen(family->name);

	if (family->type == PROMCB_COUNTER)
		return bytes - strlen("_total");
	return family->type == PROMCB_INFO ? bytes - strlen("_info") : bytes;
}

static int compare_stems(const struct promcb_group_member *left, const struct promcb_group_member *right)
{
	size_t one = stem_bytes(left->family), other = stem_bytes(right->family);
	int order = memcmp(left->family->name, right->family->name, one < other ? one : other);

	return order ? order : (one > other) - (one < other);
}

static int compare(const void *left, const void *right)
{
	const struct promcb_group_member *one = left, *other = right;
	int order = compare_stems(one, other);

	if (order == 0)
		order = (one->part > other->part) - (one->part < other->part);
	return order ? order : (one->family > other->family) - (one->family < other->family);
}

/* A family of calls' errors, as options.prefix has it. */
struct renamed {
	struct promcb_snapshot_family family;
	char name[PROMCB_PREFIXED_MAX];
};

static const struct promcb_snapshot_family *rename_errors(const struct promcb_rendering *rendering,
							  const struct promcb_snapshot_family *family,
							  struct renamed *renamed)
{
	renamed->family = *family;
	stpcpy(stpcpy(renamed->name, rendering->options->prefix), family->name + strlen("circuit_breaker"));
	renamed->family.name = renamed->name;
	return &renamed->family;
}

static bool is_renamed(const struct promcb_rendering *rendering, const struct promcb_snapshot_family *family)
{
	return rendering->options->prefix && promcb_name_is_errors(family->name, strlen(family->name));
}

/*
 * All families that have a series, sorted: by name, then part. Returns how many, or SIZE_MAX without memory. What out
 * leads to is one piece of memory.
 */
static size_t gather(const struct promcb_rendering *rendering, struct promcb_group_member **out)
{
	struct promcb_group_member *members;
	struct renamed *renamed;
	size_t count = 0, renamed_count = 0;

	*out = NULL;
	for (size_t i = 0; i < rendering->count; i++) {
		const struct promcb_snapshot *snapshot = rendering->parts[i].snapshot;
		const struct promcb_metrics *metrics = snapshot ? snapshot->metrics : NULL;

		count += metrics ? metrics->family_count : 0;
		for (size_t j = 0; metrics && j < metrics->family_count; j++)
			renamed_count += is_renamed(rendering, &metrics->families[j]);
	}
	if (count == 0)
		return 0;
	members = calloc(1, count * sizeof(*members) + renamed_count * sizeof(*renamed));
	if (!members)
		return SIZE_MAX;
	renamed = (struct renamed *)(void *)(members + count);
	count = 0;
	for (size_t i = 0; i < rendering->count; i++) {
		const struct promcb_render_segment *part = &rendering->parts[i];
		const struct promcb_metrics *metrics = part->snapshot ? part->snapshot->metrics : NULL;

		for (size_t j = 0; metrics && j < metrics->family_count; j++) {
			const struct promcb_snapshot_family *family = &metrics->families[j];

			if (!family->count)
				continue;
			if (is_renamed(rendering, family))
				family = rename_errors(rendering, family, renamed++);
			members[count++] = (struct promcb_group_member){part, family};
		}
	}
	qsort(members, count, sizeof(*members), compare);
	*out = members;
	return count;
}

/*
 * Where the group of the first of some members ends; those of another type are moved to the front of what follows.
 * kept: how many are printed; 0 where components have a family of this name.
 */
static size_t group_end(const struct promcb_rendering *rendering, struct promcb_group_member *members, size_t count,
			size_t *kept)
{
	enum promcb_exposed_type type = exposed_type(members[0].family);
	size_t end = 1;

	*kept = 1;
	for (; end < count && compare_stems(&members[0], &members[end]) == 0; end++) {
		if (exposed_type(members[end].family) != type)
			continue;
		struct promcb_group_member other = members[*kept];

		members[*kept] = members[end];
		members[end] = other;
		++*kept;
	}
	if (promcb_prefixed_has_stem(rendering->options, members[0].family->name, stem_bytes(members[0].family)))
		*kept = 0;
	return end;
}

void promcb_each_group(const struct promcb_rendering *rendering, promcb_group_visitor *visit, void *context)
{
	struct promcb_group_member *members;
	size_t count = gather(rendering, &members), kept;

	if (count == SIZE_MAX) {
		if (!rendering->sink->error)
			rendering->sink->error = -ENOMEM;
		return;
	}
	for (size_t i = 0, end; i < count; i = end) {
		const struct promcb_snapshot_family *family = members[i].family;

		end = i + group_end(rendering, members + i, count - i, &kept);
		if (kept == 0)
			continue;
		visit(context, &(struct promcb_group){.name = family->name,
						      .help = *family->help ? family->help : "No help was given.",
						      .unit = *family->unit ? family->unit : NULL,
						      .type = exposed_type(family),
						      .count = kept,
						      .members = members + i});
	}
	free(members);
}

bool promcb_groups_conflicting(const struct promcb_rendering *rendering, size_t *counts)
{
	struct promcb_group_member *members;
	size_t count = gather(rendering, &members), kept;

	memset(counts, 0, rendering->count * sizeof(*counts));
	if (count == SIZE_MAX)
		return false;
	for (size_t i = 0, end; i < count; i = end) {
		end = i + group_end(rendering, members + i, count - i, &kept);
		for (size_t j = i + kept; j < end; j++)
			counts[members[j].part - rendering->parts]++;
	}
	free(members);
	return count > 0;
}

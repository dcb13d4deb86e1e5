/* SPDX-License-Identifier: MIT */
/*
 * difference.c: what came between two snapshots, as a snapshot.
 *
 * Counts only grow, by one segment's identity and one component's reset word. Where one did not, nothing is said.
 */
#include "base/cancel.h"
#include "model/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How long ago it was by real time, at most most_ns; 0: not known. */
static uint64_t time_since(const struct promcb_snapshot *later, uint64_t since_ns, uint64_t most_ns)
{
	uint64_t ns = since_ns && since_ns < later->taken_ns ? later->taken_ns - since_ns : 0;

	return ns < most_ns ? ns : most_ns;
}

/*
 * earlier: the same component; NULL: it was not listed. between_ns: from snapshot to snapshot; UINT64_MAX: of two
 * segments.
 */
static void difference_of(struct promcb_snapshot_component *component, const struct promcb_snapshot_component *earlier,
			  const struct promcb_snapshot *later, uint64_t earlier_taken_ns, uint64_t between_ns)
{
	component->span_ns = time_since(later, component->since_ns, between_ns);
	if (between_ns == UINT64_MAX) {
		component->span = PROMCB_SPAN_RECREATED;
	} else if (earlier && earlier->reset == component->reset) {
		component->span = PROMCB_SPAN_BETWEEN;
		component->span_ns = between_ns;
		if (promcb_counts_cover(&component->counts, &earlier->counts)) {
			promcb_counts_subtract(&component->counts, &earlier->counts);
		} else {
			promcb_counts_clear(&component->counts);
			component->span = PROMCB_SPAN_UNKNOWN;
		}
	} else if (earlier || component->since_ns > earlier_taken_ns) {
		component->span = component->reset ? PROMCB_SPAN_RESET : PROMCB_SPAN_CREATED;
	} else {
		/* It was there, and nothing had happened: what is listed has something to say. */
		component->span = PROMCB_SPAN_BETWEEN;
		component->span_ns = between_ns;
	}
}

/* A copy of components and buckets, which is to become the difference. */
static struct promcb_snapshot *copy(const struct promcb_snapshot *from)
{
	struct promcb_snapshot *to = calloc(1, sizeof(*to));
	size_t words = (from->count + 1) * PROMCB_OUTCOMES * from->buckets;

	if (!to)
		return NULL;
	*to = *from;
	to->is_difference = true;
	to->metrics = NULL;
	to->call_room = from->call_count;
	to->components = calloc(from->count + 1, sizeof(*to->components));
	to->bucket_memory = promcb_snapshot_bucket_memory(words);
	to->calls = from->calls ? calloc(from->call_count + 1, sizeof(*to->calls)) : NULL;
	to->matching = from->matching ? strdup(from->matching) : NULL;
	if (!to->components || !to->bucket_memory || !to->calls != !from->calls || !to->matching != !from->matching) {
		promcb_snapshot_free(to);
		return NULL;
	}
	if (from->calls)
		memcpy(to->calls, from->calls, from->call_count * sizeof(*to->calls));
	for (size_t i = 0; i < from->count; i++) {
		struct promcb_snapshot_component *component = &to->components[i];

		*component = from->components[i];
		promcb_counts_init(&component->counts, from->schema, from->buckets,
				   to->bucket_memory + i * PROMCB_OUTCOMES * from->buckets);
		promcb_counts_copy(&component->counts, &from->components[i].counts);
	}
	return to;
}

static bool is_one_choice(const char *left, const char *right)
{
	return left && right ? strcmp(left, right) == 0 : left == right;
}

int promcb_snapshot_difference(const struct promcb_snapshot *later, const struct promcb_snapshot *earlier,
			       struct promcb_snapshot **out)
{
	PROMCB_NOT_CANCELLED;
	bool is_one = memcmp(later->identity, earlier->identity, sizeof(later->identity)) == 0 &&
		      later->buckets == earlier->buckets;
	uint64_t between_ns = is_one ? later->monotonic_ns - earlier->monotonic_ns : UINT64_MAX;
	size_t next = 0;

	*out = NULL;
	if (later->is_difference || earlier->is_difference || later->monotonic_ns < earlier->monotonic_ns ||
	    !is_one_choice(later->matching, earlier->matching))
		return -EINVAL;
	*out = copy(later);
	if (!*out)
		return -ENOMEM;
	for (size_t i = 0; i < later->count; i++) {
		struct promcb_snapshot_component *component = &(*out)->components[i];

		/* Both are sorted. */
		while (next < earlier->count && strcmp(earlier->components[next].name.text, component->name.text) < 0)
			next++;
		const struct promcb_snapshot_component *before =
			next < earlier->count && strcmp(earlier->components[next].name.text, component->name.text) == 0
				? &earlier->components[next]
				: NULL;

		difference_of(component, before, later, earlier->taken_ns, between_ns);
	}
	return is_one ? 0 : 1;
}

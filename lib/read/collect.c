/* SPDX-License-Identifier: MIT */
/*
 * collect.c: one pass over the chunks, in the order in which they lie, adds every block to its component; then the
 * rings of each component are digested. Baselines were read, and their words checked, before the first counter:
 * counters only grow, so no difference is negative unless the segment is corrupt.
 */
#include "read/collect.h"

#include "base/bucket.h"
#include "base/name.h"
#include "read/moments.h"
#include "read/rings.h"

#include <errno.h>
#include <stdlib.h>

_Static_assert(PROMCB_COUNTS_TRANSITION_MASK == PROMCB_TRANSITION_MASK,
	       "changes of state are counted as they are kept");

struct collection {
	struct promcb_snapshot *snapshot;
	const struct promcb_catalog *image;
	struct promcb_source *source;
	struct promcb_message *message;
	uint32_t *index_of;             /* descriptor -> index in the snapshot + 1 */
	struct promcb_block **baselines; /* by index; NULL: never reset */
	struct promcb_rings rings;
	struct promcb_moments moments;
	size_t wanted;                  /* components that the options let through */
	bool with_recent;
};

static int corrupt(const struct collection *c, const char *what, uint64_t number)
{
	return promcb_message_error(c->message, -EBADMSG, "segment %s is corrupt: %s (%llu)", c->source->path, what,
				    (unsigned long long)number);
}

static int too_late(const struct collection *c)
{
	return promcb_source_too_late(c->source, c->message);
}

static bool is_wanted(const struct promcb_catalog_component *listed, const struct promcb_snapshot_options *options)
{
	return !options || !options->matching || promcb_name_matches(listed->name.text, options->matching);
}

/* -- Baselines ---------------------------------------------------------------------------------------------------- */

static int read_baseline(struct collection *c, const struct promcb_catalog_component *listed, uint32_t index)
{
	const struct promcb_geometry *g = c->image->geometry;
	struct promcb_block *copy;
	const uint64_t *view;

	if (!listed->baseline)
		return 0;
	if (promcb_source_is_late(c->source))
		return too_late(c);
	copy = aligned_alloc(64, g->block_bytes);
	c->baselines[index] = copy;
	if (!copy)
		return -ENOMEM;
	if (promcb_chunk_kind(c->image->chunk_words[(listed->baseline - 1) / promcb_blocks_per_chunk(g)]) !=
	    PROMCB_CHUNK_BLOCKS)
		return corrupt(c, "a baseline lies in a chunk without blocks", listed->component);
	view = promcb_source_view(c->source, promcb_block_off(g, listed->baseline - 1), g->block_bytes, copy);
	if (!view)
		return corrupt(c, "a baseline lies past the end", listed->component);
	for (uint32_t i = 0; i < g->block_bytes / sizeof(uint64_t); i++)
		/* [RST] acquire: each word of the baseline before the reset word is looked at again. */
		((uint64_t *)copy)[i] = promcb_load_acquire(&view[i]);
	if (copy->kind != PROMCB_BLOCK_BASELINE || promcb_pair_component(copy->component_lane) != listed->component)
		return corrupt(c, "a baseline is none, or another component's", listed->component);
	return 0;
}

/* -- Blocks ------------------------------------------------------------------------------------------------------- */

static int add_block(struct collection *c, const struct promcb_block *block, uint32_t number, uint32_t component,
		     uint32_t index)
{
	struct promcb_snapshot_component *into = &c->snapshot->components[index];
	uint64_t component_lane = promcb_load_relaxed(&block->component_lane), kind = promcb_load_relaxed(&block->kind);
	uint32_t lane = promcb_pair_lane(component_lane);
	uint64_t calls, failed = into->counts.calls[1], failure_ns;

	const struct promcb_catalog_component *listed = &c->image->components[c->image->index_of[component] - 1];
	bool overflow = listed->overflow == number + 1;

	/* Of a newer minor version, which says that it may be passed over. */
	if (kind > PROMCB_BLOCK_BASELINE && !overflow)
		return 0;
	if (promcb_pair_component(component_lane) != component ||
	    kind != (overflow ? PROMCB_BLOCK_OVERFLOW : PROMCB_BLOCK_PLAIN) ||
	    !promcb_chunk_is_of(c->image->chunk_words[number / promcb_blocks_per_chunk(c->image->geometry)], lane) ||
	    (kind == PROMCB_BLOCK_PLAIN && lane >= c->image->geometry->lanes))
		return corrupt(c, "a block's header and the directory that lists it disagree", number);
	/* Ring and head before the counters or after: no order is promised between them. */
	int result = c->with_recent ? promcb_rings_note(&c->rings, block, number, index, lane) : 0;

	calls = promcb_counts_add_block(&into->counts, block);
	failure_ns = promcb_load_relaxed(&block->last_failure_ns);
	if (failure_ns > into->last_failure_ns)
		into->last_failure_ns = failure_ns;
	if (kind == PROMCB_BLOCK_OVERFLOW)
		c->snapshot->info.overflow_calls += calls;
	if (calls)
		promcb_moments_note(&c->moments, block, lane, c->baselines[index], into->counts.calls[1] == failed,
				    into);
	return result;
}

static bool chunk_has_blocks(const struct promcb_catalog *image, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (image->block_component[first + i])
			return true;
	return false;
}

static int sweep(struct collection *c)
{
	const struct promcb_geometry *g = c->image->geometry;
	uint32_t each = promcb_blocks_per_chunk(g);
	/* Not chunk_bytes: what the blocks leave of a huge page is nobody's. */
	uint64_t bytes = (uint64_t)each * g->block_bytes;
	uint8_t *buffer = aligned_alloc(64, bytes);
	int result = buffer ? 0 : -ENOMEM;

	for (uint32_t chunk = 0; chunk < g->chunks && result == 0; chunk++) {
		const uint8_t *view;

		if (!chunk_has_blocks(c->image, chunk * each, each))
			continue;
		if (promcb_source_is_late(c->source)) {
			result = too_late(c);
			break;
		}
		view = promcb_source_view(c->source, promcb_chunk_off(g, chunk), bytes, buffer);
		if (!view) {
			result = corrupt(c, "a chunk lies past the end", chunk);
			break;
		}
		for (uint32_t slot = 0; slot < each && result == 0; slot++) {
			uint32_t number = chunk * each + slot, component = c->image->block_component[number];

			if (component && c->index_of[component - 1])
				result = add_block(
					c,
					(const struct promcb_block *)(const void *)(view +
										    (uint64_t)slot * g->block_bytes),
					number, component - 1, c->index_of[component - 1] - 1);
		}
	}
	free(buffer);
	return result;
}

/* -- Finishing ---------------------------------------------------------------------------------------------------- */

/* Takes away what was there at the reset. base: counts with memory, to be written to. */
static void subtract_baseline(struct promcb_snapshot_component *component, const struct promcb_block *baseline,
			      struct promcb_counts *base)
{
	promcb_counts_clear(base);
	promcb_counts_add_block(base, baseline);
	for (unsigned state = 0; state < PROMCB_STATES; state++)
		base->transitions[state] = promcb_state_transitions(baseline->position, state);
	/* A baseline that says more than there is can only be damage. */
	promcb_counts_limit(base, &component->counts);
	promcb_counts_subtract(&component->counts, base);
	component->since_ns = baseline->last_failure_ns;
	if (component->last_failure_ns < component->since_ns)
		component->last_failure_ns = 0;
}

/* What is a little older than the reset came with it, or after it: heads tell milliseconds. */
static void finish_moments(struct promcb_snapshot_component *component)
{
	if (promcb_counts_calls(&component->counts) == 0)
		component->last_call_ns = 0;
	else if (component->last_call_ns && component->last_call_ns < component->since_ns)
		component->last_call_ns = component->since_ns;
	if (component->counts.calls[0] == 0)
		component->last_success_ns = 0;
	else if (component->last_success_ns && component->last_success_ns < component->since_ns)
		component->last_success_ns = component->since_ns;
}

/* What only all blocks of a component tell, once they were added up. Returns 0, or -ENOMEM. */
static int finish(struct collection *c)
{
	struct promcb_snapshot *snapshot = c->snapshot;
	uint64_t *memory = calloc(2 * (size_t)snapshot->buckets, sizeof(*memory));
	struct promcb_counts base;

	if (!memory)
		return -ENOMEM;
	promcb_counts_init(&base, snapshot->schema, snapshot->buckets, memory);
	for (size_t i = 0; i < snapshot->count; i++) {
		struct promcb_snapshot_component *component = &snapshot->components[i];

		snapshot->info.saturated_calls += component->counts.saturated;
		snapshot->info.backward_calls += component->counts.backward;
		if (c->baselines[i])
			subtract_baseline(component, c->baselines[i], &base);
		promcb_counts_find_wraps(&component->counts);
		finish_moments(component);
	}
	free(memory);
	return 0;
}

static bool is_listed(const struct promcb_snapshot_component *c, bool after_reset, bool reserved)
{
	uint64_t events = promcb_counts_calls(&c->counts);

	for (unsigned level = 0; level < PROMCB_LOG_LEVELS; level++)
		events += c->counts.log_entries[level];
	for (unsigned state = 0; state < PROMCB_STATES; state++)
		events += c->counts.transitions[state];
	/* A reset must not silence the alert of an open breaker. */
	return events || c->state != PROMCB_CLOSED || (!after_reset && !reserved);
}

static void drop_unlisted(struct collection *c)
{
	struct promcb_snapshot *s = c->snapshot;
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++) {
		bool reserved = strcmp(s->components[i].name.text, PROMCB_OVERFLOW_NAME) == 0;

		if (is_listed(&s->components[i], c->baselines[i] != NULL, reserved))
			s->components[kept++] = s->components[i];
	}
	s->count = kept;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(((const struct promcb_snapshot_component *)left)->name.text,
		      ((const struct promcb_snapshot_component *)right)->name.text);
}

/* Sorted. Two of one name would be one series twice, which a scraper refuses with all the rest. */
static int check_names(const struct collection *c)
{
	const struct promcb_snapshot *s = c->snapshot;

	for (size_t i = 1; i < s->count; i++)
		if (compare_names(&s->components[i - 1], &s->components[i]) == 0)
			return corrupt(c, "two components have one name", i);
	return 0;
}

static int begin(struct collection *c, const struct promcb_snapshot_options *options)
{
	struct promcb_snapshot *s = c->snapshot;
	const struct promcb_geometry *g = c->image->geometry;
	uint32_t buckets = g->buckets;
	int result = 0;

	for (uint32_t i = 0; i < c->image->count; i++)
		c->wanted += is_wanted(&c->image->components[i], options);
	s->buckets = buckets;
	s->components = calloc(c->wanted + 1, sizeof(*s->components));
	s->bucket_memory = promcb_snapshot_bucket_memory((c->wanted + 1) * 2 * buckets);
	c->index_of = calloc(g->components, sizeof(*c->index_of));
	c->baselines = calloc(c->wanted + 1, sizeof(*c->baselines));
	if (!s->components || !s->bucket_memory || !c->index_of || !c->baselines || promcb_rings_start(&c->rings) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->image->count && result == 0; i++) {
		const struct promcb_catalog_component *listed = &c->image->components[i];
		struct promcb_snapshot_component *component = &s->components[s->count];

		if (!is_wanted(listed, options))
			continue;
		component->name = listed->name;
		component->state = promcb_state_of(listed->state);
		if (component->state > PROMCB_HALF_OPEN)
			return corrupt(c, "a component's state is none", listed->component);
		promcb_counts_init(&component->counts, g->schema, buckets, s->bucket_memory + s->count * 2 * buckets);
		for (unsigned state = 0; state < PROMCB_STATES; state++)
			component->counts.transitions[state] = promcb_state_transitions(listed->state, state);
		component->last_state_change_ns = promcb_state_time_ns(listed->state_time);
		component->created_ns = component->since_ns = listed->created_ns;
		component->reset = listed->reset;
		result = read_baseline(c, listed, (uint32_t)s->count);
		c->index_of[listed->component] = (uint32_t)++s->count;
	}
	return result;
}

int promcb_collect(struct promcb_snapshot *snapshot, const struct promcb_catalog *image, struct promcb_source *source,
		   const struct promcb_snapshot_options *options, uint64_t now_ns,
		   struct promcb_recent_scratch *scratch, struct promcb_message *message)
{
	struct collection c = {.snapshot = snapshot,
			       .image = image,
			       .source = source,
			       .message = message,
			       .rings = {.image = image,
					 .source = source,
					 .message = message,
					 .now_ns = now_ns,
					 .with_calls = options && (options->flags & PROMCB_SNAPSHOT_WITH_CALLS)},
			       .moments = {image, source, now_ns, snapshot->taken_ns},
			       .with_recent = !options || !(options->flags & PROMCB_SNAPSHOT_WITHOUT_RECENT)};
	int result = begin(&c, options);

	if (result == 0)
		result = sweep(&c);
	if (result == 0)
		result = promcb_rings_digest(&c.rings, snapshot, c.baselines, scratch);
	if (result == 0)
		result = finish(&c);
	if (result == 0) {
		drop_unlisted(&c);
		qsort(snapshot->components, snapshot->count, sizeof(*snapshot->components), compare_names);
		result = check_names(&c);
	}
	for (size_t i = 0; c.baselines && i < c.wanted; i++)
		free(c.baselines[i]);
	free(c.baselines);
	free(c.index_of);
	promcb_rings_free(&c.rings);
	return result;
}

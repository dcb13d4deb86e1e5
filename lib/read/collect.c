/* SPDX-License-Identifier: MIT */
/*
 * collect.c: one pass over the chunks, in the order in which they lie, adds every block to its component; then the
 * rings of each component are digested. Baselines were read, and their words checked, before the first cell: cells
 * only grow, so no difference is negative unless the segment is corrupt.
 */
#include "read/collect.h"

#include "base/bucket.h"
#include "base/name.h"
#include "read/rings.h"

#include <errno.h>
#include <stdlib.h>

enum { CELLS_AT_ONCE = 8 };

struct collection {
	struct promcb_snapshot *snapshot;
	const struct promcb_image *image;
	struct promcb_source *source;
	struct promcb_message *message;
	uint32_t *index_of;             /* descriptor -> index in the snapshot + 1 */
	struct promcb_block **baselines; /* by index; NULL: never reset */
	struct promcb_rings rings;
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

static bool is_wanted(const struct promcb_image_component *listed, const struct promcb_snapshot_options *options)
{
	return !options || !options->matching || promcb_name_contains(listed->name, options->matching);
}

/* -- Baselines ---------------------------------------------------------------------------------------------------- */

static int read_baseline(struct collection *c, const struct promcb_image_component *listed, uint32_t index)
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
	if (copy->kind != PROMCB_BLOCK_BASELINE || copy->component_lane >> 32 != listed->component)
		return corrupt(c, "a baseline is none, or another component's", listed->component);
	return 0;
}

/* -- Blocks ------------------------------------------------------------------------------------------------------- */

/*
 * Adds the cells of one outcome to the sums. Returns how many calls they hold, and takes away from *empty the octaves,
 * 2 to the power of schema cells each, that hold some. The latencies of a component lie in some 50 of 322 cells: those
 * that hold nothing are passed over, eight at a time, and their sums stay untouched. Written out, since compilers do
 * not unroll a loop of atomic loads: that is a fifth of a snapshot's time.
 */
static uint64_t add_cells(uint64_t *into, const uint64_t *cells, uint32_t count, uint32_t schema, uint64_t *empty)
{
	uint64_t calls = 0;
	uint32_t cell = 0;

	for (; cell + CELLS_AT_ONCE <= count; cell += CELLS_AT_ONCE) {
		const uint64_t *at = &cells[cell];

		if ((promcb_load_relaxed(&at[0]) | promcb_load_relaxed(&at[1]) | promcb_load_relaxed(&at[2]) |
		     promcb_load_relaxed(&at[3]) | promcb_load_relaxed(&at[4]) | promcb_load_relaxed(&at[5]) |
		     promcb_load_relaxed(&at[6]) | promcb_load_relaxed(&at[7])) == 0)
			continue;
		*empty &= ~((uint64_t)1 << (cell >> schema));
		for (unsigned i = 0; i < CELLS_AT_ONCE; i++) {
			uint64_t value = promcb_load_relaxed(&at[i]);

			into[cell + i] += value;
			calls += value;
		}
	}
	for (; cell < count; cell++) {
		uint64_t value = promcb_load_relaxed(&cells[cell]);

		if (!value)
			continue;
		*empty &= ~((uint64_t)1 << (cell >> schema));
		into[cell] += value;
		calls += value;
	}
	return calls;
}

static int add_block(struct collection *c, const struct promcb_block *block, uint32_t number, uint32_t component,
		     uint32_t index)
{
	struct promcb_snapshot_component *into = &c->snapshot->components[index];
	const uint64_t *cells = (const uint64_t *)(const void *)(block + 1);
	uint64_t component_lane = promcb_load_relaxed(&block->component_lane), kind = promcb_load_relaxed(&block->kind);
	uint32_t lane = (uint32_t)component_lane, count = c->image->geometry->cells;
	uint64_t calls = 0, failure_ns;

	if (component_lane >> 32 != component || (kind != PROMCB_BLOCK_PLAIN && kind != PROMCB_BLOCK_OVERFLOW) ||
	    !promcb_chunk_is_of(c->image->chunk_words[number / promcb_blocks_per_chunk(c->image->geometry)], lane) ||
	    (kind == PROMCB_BLOCK_PLAIN && lane >= c->image->geometry->lanes))
		return corrupt(c, "a block's header and the directory that lists it disagree", number);
	/* Ring and head before the cells or after, as it comes: no order is promised between them. */
	int result = c->with_recent ? promcb_rings_note(&c->rings, block, number, index, lane) : 0;

	for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++) {
		into->latency_sum_ns[outcome] += promcb_load_relaxed(&block->latency_sum_ns[outcome]);
		uint64_t unmeasured = promcb_load_relaxed(&block->unmeasured[outcome]);
		uint64_t added = unmeasured + add_cells(into->cells[outcome], &cells[outcome * count], count,
							c->image->geometry->schema, &into->empty);

		into->unmeasured[outcome] += unmeasured;
		into->calls[outcome] += added;
		calls += added;
	}
	for (unsigned level = 0; level < 4; level++)
		into->log_entries[level] += promcb_load_relaxed(&block->log_entries[level]);
	failure_ns = promcb_load_relaxed(&block->last_failure_ns);
	if (failure_ns > into->last_failure_ns)
		into->last_failure_ns = failure_ns;
	into->saturated += promcb_load_relaxed(&block->saturated);
	c->snapshot->info.backward_calls += promcb_load_relaxed(&block->backward);
	if (kind == PROMCB_BLOCK_OVERFLOW)
		c->snapshot->info.overflow_calls += calls;
	return result;
}

static bool chunk_has_blocks(const struct promcb_image *image, uint32_t first, uint32_t count)
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

static uint64_t less(uint64_t value, uint64_t subtract)
{
	return value > subtract ? value - subtract : 0;
}

/* Takes away what was there at the reset. */
static void finish(struct promcb_snapshot_component *component, const struct promcb_block *baseline, uint32_t cells)
{
	const uint64_t *base_cells = (const uint64_t *)(const void *)(baseline + 1);

	for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++) {
		component->unmeasured[outcome] = less(component->unmeasured[outcome], baseline->unmeasured[outcome]);
		component->calls[outcome] = component->unmeasured[outcome];
		for (uint32_t cell = 0; cell < cells; cell++) {
			component->cells[outcome][cell] =
				less(component->cells[outcome][cell], base_cells[outcome * cells + cell]);
			component->calls[outcome] += component->cells[outcome][cell];
		}
		/* Both are modulo 2^64, and so is the difference. */
		component->latency_sum_ns[outcome] -= baseline->latency_sum_ns[outcome];
	}
	component->saturated = less(component->saturated, baseline->saturated);
	for (unsigned level = 0; level < 4; level++)
		component->log_entries[level] = less(component->log_entries[level], baseline->log_entries[level]);
	for (unsigned state = 0; state < 3; state++)
		component->transitions[state] =
			(component->transitions[state] - promcb_state_transitions(baseline->position, state)) &
			PROMCB_TRANSITION_MASK;
	component->since_ns = baseline->last_failure_ns;
	if (component->last_failure_ns < component->since_ns)
		component->last_failure_ns = 0;
}

/*
 * How often the sum passed 2^64 ns. What it is modulo 2^64 is exact; how much it is about, the cells say: a call's
 * latency is known to a twentieth, and one that was cut down exactly. That tells 2^64 ns apart as long as all the
 * others of a component come to less than 2^67, which are 4,600 years.
 */
static uint64_t count_wraps(const struct promcb_snapshot_component *component, uint32_t schema, uint32_t cells)
{
	const double wrap = 18446744073709551616.0;
	uint64_t low_ns = component->latency_sum_ns[0] + component->latency_sum_ns[1];
	uint64_t last = component->cells[0][cells - 1] + component->cells[1][cells - 1];
	uint64_t longest = component->saturated < last ? component->saturated : last;
	double about = (double)longest * (double)PROMCB_LATENCY_MAX_NS;

	/* With so few it cannot have. */
	if (component->calls[0] + component->calls[1] < UINT64_MAX / PROMCB_LATENCY_MAX_NS)
		return 0;
	for (uint32_t cell = 1; cell < cells; cell++) {
		uint64_t calls = component->cells[0][cell] + component->cells[1][cell];

		if (cell == cells - 1)
			calls -= longest;
		if (calls)
			about += (double)calls *
				 ((double)promcb_bucket_upper_ns(schema, cell - 1) + 1 +
				  (double)promcb_bucket_upper_ns(schema, cell)) /
				 2;
	}
	double wraps = (about - (double)low_ns) / wrap + 0.5;

	return wraps < 1 ? 0 : wraps < (double)(1 << 29) ? (uint64_t)wraps : (1 << 29) - 1;
}

static bool is_listed(const struct promcb_snapshot_component *c, bool after_reset, bool reserved)
{
	uint64_t events = c->calls[0] + c->calls[1];

	for (unsigned level = 0; level < 4; level++)
		events += c->log_entries[level];
	for (unsigned state = 0; state < 3; state++)
		events += c->transitions[state];
	/* A reset must not silence the alert of an open breaker. */
	return events || c->state != PROMCB_CLOSED || (!after_reset && !reserved);
}

static void drop_unlisted(struct collection *c)
{
	struct promcb_snapshot *s = c->snapshot;
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++) {
		bool reserved = strcmp(s->components[i].name, PROMCB_OVERFLOW_NAME) == 0;

		if (is_listed(&s->components[i], c->baselines[i] != NULL, reserved))
			s->components[kept++] = s->components[i];
	}
	s->count = kept;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(((const struct promcb_snapshot_component *)left)->name,
		      ((const struct promcb_snapshot_component *)right)->name);
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
	uint32_t cells = g->cells;
	int result = 0;

	for (uint32_t i = 0; i < c->image->count; i++)
		c->wanted += is_wanted(&c->image->components[i], options);
	s->cells = cells;
	s->components = calloc(c->wanted + 1, sizeof(*s->components));
	s->cell_memory = promcb_snapshot_cells((c->wanted + 1) * 2 * cells);
	c->index_of = calloc(g->components, sizeof(*c->index_of));
	c->baselines = calloc(c->wanted + 1, sizeof(*c->baselines));
	if (!s->components || !s->cell_memory || !c->index_of || !c->baselines || promcb_rings_start(&c->rings) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->image->count && result == 0; i++) {
		const struct promcb_image_component *listed = &c->image->components[i];
		struct promcb_snapshot_component *component = &s->components[s->count];

		if (!is_wanted(listed, options))
			continue;
		memcpy(component->name, listed->name, sizeof(component->name));
		component->name_bytes = listed->name_bytes;
		component->state = (uint32_t)(listed->state >> PROMCB_STATE_SHIFT) & 3;
		if (component->state > PROMCB_HALF_OPEN)
			return corrupt(c, "a component's state is none", listed->component);
		for (unsigned state = 0; state < 3; state++)
			component->transitions[state] = promcb_state_transitions(listed->state, state);
		component->last_state_change_ns = (listed->state_time >> 16) * 1000000;
		component->since_ns = listed->created_ns;
		component->empty = ~(uint64_t)0;
		component->cells[0] = s->cell_memory + s->count * 2 * cells;
		component->cells[1] = component->cells[0] + cells;
		result = read_baseline(c, listed, (uint32_t)s->count);
		c->index_of[listed->component] = (uint32_t)++s->count;
	}
	return result;
}

int promcb_collect(struct promcb_snapshot *snapshot, const struct promcb_image *image, struct promcb_source *source,
		   const struct promcb_snapshot_options *options, uint64_t now_ns,
		   struct promcb_recent_scratch *scratch, struct promcb_message *message)
{
	struct collection c = {.snapshot = snapshot,
			       .image = image,
			       .source = source,
			       .message = message,
			       .rings = {.image = image, .source = source, .message = message, .now_ns = now_ns},
			       .with_recent = !options || !options->without_recent};
	int result = begin(&c, options);

	if (result == 0)
		result = sweep(&c);
	if (result == 0)
		result = promcb_rings_digest(&c.rings, snapshot, c.baselines, scratch);
	if (result == 0) {
		for (size_t i = 0; i < snapshot->count; i++) {
			struct promcb_snapshot_component *component = &snapshot->components[i];

			snapshot->info.saturated_calls += component->saturated;
			if (c.baselines[i])
				finish(component, c.baselines[i], snapshot->cells);
			component->latency_sum_wraps = count_wraps(component, snapshot->schema, snapshot->cells);
		}
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

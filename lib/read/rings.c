/* SPDX-License-Identifier: MIT */
#include "read/rings.h"

#include <errno.h>
#include <stdlib.h>

/* Within this, the difference of two 32-bit ticks is an age. */
#define TICKS_MEAN_AGE_NS ((uint64_t)INT32_MAX << PROMCB_HEAD_POSITION_BITS)

/* Stamps may be a second ahead of the reader's clock. */
#define SAMPLES_FUTURE_NS ((uint64_t)1000000000)

/* Where a component's recent samples lie. */
struct promcb_ring_place {
	uint32_t index;         /* in the snapshot */
	uint32_t block;         /* number; for its first ring */
	uint32_t ring;          /* number + 1 of its full ring; 0: the first ring */
	uint32_t position;
	uint32_t lane;
};

/* A part of a ring that has data; all of it, most often. */
struct ring_piece {
	uint64_t off;
	uint32_t slots;
	uint32_t position;
	uint64_t shift;         /* to add to each sample */
};

/* Whether a block has the ring to itself: two that name one are damage, and would make their readers read it twice. */
static bool claim_ring(struct promcb_rings *rings, uint32_t number)
{
	uint64_t *word = &rings->named[number / 64], bit = (uint64_t)1 << number % 64;
	bool is_new = !(*word & bit);

	*word |= bit;
	return is_new;
}

/* Makes room for one more than count. Returns where the items are then, or NULL: they are where they were. */
static void *with_room(void *items, size_t count, size_t *room, size_t item_bytes)
{
	size_t more = *room ? 2 * *room : 256;
	void *moved;

	if (count < *room)
		return items;
	moved = realloc(items, more * item_bytes);
	if (moved)
		*room = more;
	return moved;
}

int promcb_rings_note(struct promcb_rings *rings, const struct promcb_block *block, uint32_t number, uint32_t index,
		      uint32_t lane)
{
	const struct promcb_geometry *g = rings->image->geometry;
	bool overflow = promcb_load_relaxed(&block->kind) == PROMCB_BLOCK_OVERFLOW;
	uint64_t head = promcb_load_relaxed(&block->head);
	/* [RING] acquire: the number before the ring that it leads to. */
	uint64_t ring = overflow ? 0 : promcb_load_acquire(&block->ring);
	bool own_lane = lane < g->lanes;

	if (own_lane && !rings->image->lanes[lane].samples_count)
		return 0;
	/* Idle for longer than the window: nothing in it counts, and the head says so without a look. */
	if (g->window_ns &&
	    head + (own_lane ? (uint64_t)rings->image->lanes[lane].shift_ns : 0) + g->window_ns < rings->now_ns &&
	    rings->now_ns - head < (uint64_t)1 << 62)
		return 0;
	uint64_t chunk = ring ? (ring - 1) / promcb_rings_per_chunk(g) : 0;

	/* The image may be older than the chunk. Then the first ring still holds genuine samples. */
	if (ring &&
	    (ring > UINT32_MAX || chunk >= g->chunks ||
	     promcb_chunk_kind(rings->image->chunk_words[chunk]) != PROMCB_CHUNK_RINGS ||
	     !promcb_chunk_is_of(rings->image->chunk_words[chunk], lane) || !claim_ring(rings, (uint32_t)ring - 1)))
		ring = 0;
	struct promcb_ring_place *places = with_room(rings->places, rings->count, &rings->room, sizeof(*places));

	if (!places)
		return -ENOMEM;
	rings->places = places;
	rings->places[rings->count++] = (struct promcb_ring_place){
		.index = index,
		.block = number,
		.ring = (uint32_t)ring,
		.position = overflow ? (uint32_t)promcb_load_relaxed(&block->position) : promcb_head_position(head),
		.lane = lane,
	};
	return 0;
}

/* -- Reading ------------------------------------------------------------------------------------------------------ */

/* What has been read of the component at hand. */
struct pieces {
	struct ring_piece *items;
	struct promcb_ring_copy *copies;
	size_t count, room;
	uint64_t *samples;
	size_t slots, slots_room;
};

static int add_piece(struct pieces *pieces, const struct ring_piece *piece)
{
	struct ring_piece *items = with_room(pieces->items, pieces->count, &pieces->room, sizeof(*items));

	if (!items)
		return -ENOMEM;
	pieces->items = items;
	pieces->items[pieces->count++] = *piece;
	pieces->slots += piece->slots;
	return 0;
}

/*
 * A ring is one piece. Where it has holes, as in a sparse copy, each of its pages that has data is one: a ring of its
 * own, with the samples that it holds in their order.
 */
static int add_ring(struct promcb_rings *rings, const struct promcb_ring_place *place, struct pieces *pieces)
{
	enum { PAGE = 4096 };
	const struct promcb_geometry *g = rings->image->geometry;
	struct ring_piece piece = {
		.off = place->ring ? promcb_ring_off(g, place->ring - 1)
				   : promcb_block_off(g, place->block) + offsetof(struct promcb_block, first_ring),
		.slots = place->ring ? (uint32_t)1 << g->ring_log2 : PROMCB_FIRST_RING_SLOTS,
		.position = place->position,
	};
	uint64_t bytes = piece.slots * sizeof(uint64_t);
	int result = 0;

	if (place->lane < g->lanes && rings->image->lanes[place->lane].shift_ns)
		piece.shift = promcb_sample_ticks(
			(uint64_t)(rings->image->lanes[place->lane].shift_ns >> PROMCB_HEAD_POSITION_BITS));
	if (!place->ring || bytes <= PAGE || promcb_source_data(rings->source, piece.off, bytes) == bytes)
		return add_piece(pieces, &piece);
	piece.slots = PAGE / sizeof(uint64_t);
	piece.position = 0;
	for (uint64_t end = piece.off + bytes; piece.off < end && result == 0; piece.off += PAGE)
		if (promcb_source_data(rings->source, piece.off, PAGE))
			result = add_piece(pieces, &piece);
	return result;
}

/* Copies a piece. Returns false if it is not there. */
static bool copy_piece(struct promcb_rings *rings, const struct ring_piece *piece, uint64_t *samples)
{
	const uint64_t *view = promcb_source_view(rings->source, piece->off, piece->slots * sizeof(uint64_t), samples);

	for (uint32_t slot = 0; view && slot < piece->slots; slot++) {
		uint64_t sample = promcb_load_relaxed(&view[slot]);

		samples[slot] = sample ? sample + piece->shift : 0;
	}
	return view != NULL;
}

/* Reads all rings of the places, which are one component's. *count: of how many pieces there is a copy. */
static int copy_rings(struct promcb_rings *rings, const struct promcb_ring_place *places, size_t place_count,
		      struct pieces *pieces, size_t *count)
{
	enum { LATE_STEP = 16 };
	uint64_t *copy;
	int result = 0;

	*count = pieces->count = pieces->slots = 0;
	for (size_t i = 0; i < place_count && result == 0; i++)
		result = add_ring(rings, &places[i], pieces);
	if (result == 0 && pieces->slots > pieces->slots_room) {
		free(pieces->samples);
		free(pieces->copies);
		pieces->slots_room = pieces->slots;
		pieces->samples = aligned_alloc(64, pieces->slots * sizeof(*pieces->samples));
		/* The least piece has as many slots as a first ring. */
		pieces->copies = calloc(pieces->slots / PROMCB_FIRST_RING_SLOTS, sizeof(*pieces->copies));
		if (!pieces->samples || !pieces->copies) {
			pieces->slots_room = 0;
			result = -ENOMEM;
		}
	}
	copy = pieces->samples;
	for (size_t i = 0; i < pieces->count && result == 0; i++) {
		const struct ring_piece *piece = &pieces->items[i];

		if (i % LATE_STEP == 0 && promcb_source_is_late(rings->source))
			return promcb_source_too_late(rings->source, rings->message);
		if (!copy_piece(rings, piece, copy))
			continue;
		pieces->copies[(*count)++] = (struct promcb_ring_copy){
			.samples = copy,
			.slots = piece->slots,
			.position = promcb_recent_position(copy, piece->slots, piece->position),
		};
		copy += piece->slots;
	}
	return result;
}

static void pieces_free(struct pieces *pieces)
{
	free(pieces->items);
	free(pieces->copies);
	free(pieces->samples);
}

static int compare_places(const void *left, const void *right)
{
	const struct promcb_ring_place *a = left, *b = right;

	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	return a->block < b->block ? -1 : a->block > b->block;
}

uint64_t promcb_rings_reset_ns(const struct promcb_catalog *image, const struct promcb_block *baseline)
{
	const struct promcb_clock_domain *here = &image->here;
	const struct promcb_clock_domain there = {
		.boot = baseline->first_ring[PROMCB_BASELINE_BOOT],
		.time_namespace = baseline->first_ring[PROMCB_BASELINE_TIME_NAMESPACE],
		.birth = baseline->first_ring[PROMCB_BASELINE_BIRTH],
		.clock_offset_ns = baseline->last_failure_ns - baseline->head,
	};

	if ((!there.boot && !there.birth) || promcb_clock_domain_compare(here, &there) == PROMCB_CLOCKS_SAME)
		return baseline->head;
	/* Before our boot it wraps, and so do the differences to it. */
	return baseline->last_failure_ns - here->clock_offset_ns;
}

/* Unix nanoseconds of when a tick began, which is at most 26 days from now. */
static uint64_t time_of_tick(const struct promcb_rings *rings, const struct promcb_snapshot *snapshot, uint32_t tick)
{
	int32_t age = (int32_t)(promcb_tick(rings->now_ns) - tick);
	uint64_t begun_ns = promcb_head_ns(rings->now_ns) - (uint64_t)age * ((uint64_t)1 << PROMCB_HEAD_POSITION_BITS);

	/* Producers' clocks may be ahead by what counts as now. */
	return age < 0 ? snapshot->taken_ns : snapshot->taken_ns - (rings->now_ns - begun_ns);
}

static uint64_t later_of(uint64_t left_ns, uint64_t right_ns)
{
	return left_ns > right_ns ? left_ns : right_ns;
}

/* The latency of a sample, which nobody need have recorded. */
static uint64_t latency_of(uint64_t sample)
{
	uint32_t latency = promcb_sample_latency(sample);
	double nanoseconds = promcb_sample_ns(latency);

	if (latency == PROMCB_SAMPLE_UNMEASURED)
		return PROMCB_LATENCY_UNMEASURED;
	return nanoseconds < (double)PROMCB_LATENCY_MAX_NS ? (uint64_t)nanoseconds : PROMCB_LATENCY_MAX_NS;
}

/* The calls themselves, the newest first. */
static int list_calls(const struct promcb_rings *rings, const struct pieces *pieces, size_t count,
		      const struct promcb_recent_window *window, struct promcb_recent_scratch *scratch,
		      struct promcb_snapshot *snapshot, struct promcb_snapshot_component *component)
{
	size_t most = window->newest < pieces->slots ? window->newest : pieces->slots, listed = 0;
	uint64_t *samples;
	int result;

	if (count == 0)
		return 0;
	samples = malloc(most * sizeof(*samples));
	result = samples ? promcb_recent_list(pieces->copies, count, window, scratch, samples, &listed) : -ENOMEM;
	if (result == 0 && snapshot->call_count + listed > snapshot->call_room) {
		size_t room = 2 * snapshot->call_room + listed;
		struct promcb_snapshot_call *calls = realloc(snapshot->calls, room * sizeof(*calls));

		result = calls ? 0 : -ENOMEM;
		snapshot->calls = calls ? calls : snapshot->calls;
		snapshot->call_room = calls ? room : snapshot->call_room;
	}
	component->first_call = snapshot->call_count;
	for (size_t i = 0; i < listed && result == 0; i++)
		snapshot->calls[snapshot->call_count++] = (struct promcb_snapshot_call){
			.time_ns = time_of_tick(rings, snapshot, promcb_sample_tick(samples[i])),
			.latency_ns = latency_of(samples[i]),
			.failed = promcb_sample_failure(samples[i]),
		};
	component->listed_calls = snapshot->call_count - component->first_call;
	free(samples);
	return result;
}

int promcb_rings_digest(struct promcb_rings *rings, struct promcb_snapshot *snapshot,
			struct promcb_block *const *baselines, struct promcb_recent_scratch *scratch)
{
	const struct promcb_geometry *g = rings->image->geometry;
	struct promcb_recent_window window = {
		.now_tick = promcb_tick(rings->now_ns),
		.window_ticks = g->window_ns ? promcb_tick(g->window_ns) : UINT32_MAX,
		.future_ticks = promcb_tick(SAMPLES_FUTURE_NS) + 1,
		.newest = g->recent_samples,
	};
	struct pieces pieces = {.count = 0};
	size_t next = 0;
	int result = 0;

	if (g->window_ns >> PROMCB_HEAD_POSITION_BITS >= INT32_MAX)
		window.window_ticks = UINT32_MAX;
	if (rings->count)
		qsort(rings->places, rings->count, sizeof(*rings->places), compare_places);
	for (uint32_t index = 0; index < snapshot->count && result == 0; index++) {
		struct promcb_snapshot_component *component = &snapshot->components[index];
		size_t first = next, count = 0;

		while (next < rings->count && rings->places[next].index == index)
			next++;
		if (next > first)
			result = copy_rings(rings, rings->places + first, next - first, &pieces, &count);
		if (result < 0)
			break;
		/* Ticks wrap: a reset that is older than half a round would seem to lie ahead. */
		uint64_t since_ns = baselines[index] ? promcb_rings_reset_ns(rings->image, baselines[index]) : 0;

		window.after_reset = baselines[index] && rings->now_ns - since_ns < TICKS_MEAN_AGE_NS;
		window.reset_tick = promcb_tick(since_ns);
		result = promcb_recent_digest(pieces.copies, count, &window, scratch, &component->recent);
		if (result == 0 && component->recent.has_success)
			component->last_success_ns =
				later_of(component->last_success_ns,
					 time_of_tick(rings, snapshot, component->recent.success_tick));
		if (result == 0 && rings->with_calls)
			result = list_calls(rings, &pieces, count, &window, scratch, snapshot, component);
	}
	pieces_free(&pieces);
	return result;
}

int promcb_rings_start(struct promcb_rings *rings)
{
	const struct promcb_geometry *g = rings->image->geometry;

	rings->named = calloc((size_t)g->chunks * promcb_rings_per_chunk(g) / 64 + 1, sizeof(*rings->named));
	return rings->named ? 0 : -ENOMEM;
}

void promcb_rings_free(struct promcb_rings *rings)
{
	free(rings->places);
	free(rings->named);
}

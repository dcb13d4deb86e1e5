/* SPDX-License-Identifier: MIT */
#include "record/lane.h"

#include "base/clock_domain.h"
#include "base/descriptor.h"
#include "segment/piece.h"

#include <promcb/inject.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static uint32_t per_chunk(const struct promcb_geometry *g, uint32_t kind)
{
	return kind == PROMCB_CHUNK_BLOCKS ? promcb_blocks_per_chunk(g) : promcb_rings_per_chunk(g);
}

/* The lane's own block of the component, as the directory has it: checked. NULL: none, or not believable. */
static struct promcb_block *listed_block(struct promcb_segment *segment, uint32_t lane, uint32_t component, bool *empty)
{
	uint32_t number = promcb_load32_relaxed(promcb_segment_directory(segment, lane) + component);
	struct promcb_block *block = promcb_segment_block(segment, number);

	*empty = number == 0;
	if (!block || !promcb_chunk_is_of(promcb_load32_relaxed(promcb_segment_chunk_word(
						  segment, (number - 1) / promcb_blocks_per_chunk(&segment->geometry))),
					  lane))
		return NULL;
	if (promcb_load_relaxed(&block->kind) != PROMCB_BLOCK_PLAIN ||
	    promcb_load_relaxed(&block->component_lane) != promcb_pair(component, lane))
		return NULL;
	return block;
}

/* The block's full ring, if it has one that is its lane's own. */
static uint64_t *own_ring(struct promcb_segment *segment, const struct promcb_block *block)
{
	uint64_t number = promcb_load_relaxed(&block->ring);
	uint32_t lane = (uint32_t)promcb_load_relaxed(&block->component_lane);
	uint64_t *ring = number <= UINT32_MAX ? promcb_segment_ring(segment, (uint32_t)number) : NULL;

	if (!ring)
		return NULL;
	uint32_t chunk = ((uint32_t)number - 1) / promcb_rings_per_chunk(&segment->geometry);

	return promcb_chunk_is_of(promcb_load32_relaxed(promcb_segment_chunk_word(segment, chunk)), lane) ? ring : NULL;
}

/* Stamps by another clock mean nothing here: forget those that the lane came with. */
static void forget_samples(struct promcb_segment *segment, uint32_t lane)
{
	const struct promcb_geometry *g = &segment->geometry;
	bool empty;

	for (uint32_t component = 0; component < g->components; component++) {
		struct promcb_block *block = listed_block(segment, lane, component, &empty);

		if (!block)
			continue;
		uint64_t *ring = own_ring(segment, block);

		for (uint32_t slot = 0; slot < PROMCB_FIRST_RING_SLOTS; slot++)
			promcb_store_relaxed(&block->first_ring[slot], 0);
		for (uint32_t slot = 0; ring && slot < (uint32_t)1 << g->ring_log2; slot++)
			promcb_store_relaxed(&ring[slot], 0);
		/* Nor is when it was last called, and last succeeded, known by this clock. */
		promcb_store_relaxed(promcb_block_last_success(block), 0);
		promcb_store_relaxed(&block->head,
				     promcb_head(0, promcb_head_position(promcb_load_relaxed(&block->head))));
	}
}

static bool stamps_differ(const struct promcb_lane *entry, const struct promcb_clock_domain *here)
{
	const struct promcb_clock_domain there = {
		.boot = promcb_load_relaxed(&entry->boot),
		.time_namespace = promcb_load_relaxed(&entry->time_namespace),
		.birth = promcb_load_relaxed(&entry->birth),
		.clock_offset_ns = promcb_load_relaxed(&entry->clock_offset_ns),
	};

	return promcb_clock_domain_compare(here, &there) != PROMCB_CLOCKS_SAME;
}

/* After the lock: memory behind what the lane came with, our name on it. */
static int move_in(struct promcb_segment *segment, uint32_t lane, struct promcb_lane_lease *lease)
{
	const struct promcb_geometry *g = &segment->geometry;
	const struct promcb_clock_domain here = promcb_clock_domain_now(segment->birth);
	struct promcb_lane *entry = promcb_segment_lane(segment, lane);
	uint64_t bytes = g->directory_words * sizeof(uint32_t);
	int fd;

	if (!promcb_load_relaxed(&entry->used) && !promcb_segment_may_grow(segment, bytes))
		return -ENOSPC;
	/*
	 * Also where used is set: a sparse copy of a segment has holes where zeros were, and a store into one can be
	 * SIGBUS.
	 */
	if (!promcb_segment_directory(segment, lane) ||
	    promcb_segment_reserve(segment, g->directories_off + lane * bytes, bytes) < 0)
		return -ENOSPC;
	for (uint32_t chunk = 0; chunk < promcb_segment_chunks(segment); chunk++) {
		uint32_t word = promcb_load32_relaxed(promcb_segment_chunk_word(segment, chunk));

		/* One of parts that nobody has found memory for is nobody's care. */
		if (promcb_chunk_is_of(word, lane) && promcb_chunk_has_memory(word) &&
		    promcb_segment_reserve(segment, promcb_chunk_off(g, chunk), g->chunk_bytes) < 0)
			return -ENOSPC;
	}
	if (promcb_load_relaxed(&entry->used) && stamps_differ(entry, &here))
		forget_samples(segment, lane);
	PROMCB_INJECT("lane: reserved");
	promcb_store_relaxed(&entry->owner_cookie, promcb_process->cookie);
	promcb_store_relaxed(&entry->pid, (uint64_t)getpid());
	/* [LANE] release: no samples of another clock are left when the lane says that it stamps by this one. */
	promcb_store_release(&entry->clock_offset_ns, here.clock_offset_ns);
	promcb_store_release(&entry->time_namespace, here.time_namespace);
	promcb_store_release(&entry->boot, here.boot);
	promcb_store_release(&entry->birth, here.birth);
	promcb_store_relaxed(&entry->taken, promcb_load_relaxed(&entry->taken) + 1);
	fd = promcb_descriptor_open("/proc/self/comm", O_RDONLY, 0);
	if (fd >= 0) {
		uint64_t comm[2] = {0, 0};
		ssize_t length = read(fd, comm, sizeof(comm));

		close(fd);
		if (length > 0 && (size_t)length <= sizeof(comm) && ((char *)comm)[length - 1] == '\n')
			((char *)comm)[length - 1] = 0;
		promcb_store_relaxed(&entry->comm[0], comm[0]);
		promcb_store_relaxed(&entry->comm[1], comm[1]);
	}
	PROMCB_INJECT("lane: signed");
	/* [LANE] release: the directory's memory before used; a reader that sees used may read it. */
	promcb_store_release(&entry->used, 1);
	PROMCB_INJECT("lane: used");
	*lease = (struct promcb_lane_lease){.segment = segment, .lane = lane + 1};
	return 0;
}

static int take(struct promcb_segment *segment, uint32_t lane, struct promcb_lane_lease *lease)
{
	int result = promcb_lock_take(segment, lane);

	if (result < 0)
		return result;
	PROMCB_INJECT("lane: locked");
	result = move_in(segment, lane, lease);
	if (result < 0)
		promcb_lock_drop(segment, lane);
	return result;
}

int promcb_lane_take(struct promcb_segment *segment, struct promcb_lane_lease *lease)
{
	int result = promcb_locks_ready(segment), worst = -EAGAIN;

	if (result < 0)
		return result;
	/*
	 * In order: the lanes of the dead, which have memory already, come before fresh ones. One that cannot be
	 * given memory, since its owner died before it had any, is passed over.
	 */
	for (uint32_t lane = 0; lane < segment->geometry.lanes;) {
		result = take(segment, lane, lease);
		if (result == 0 || result == -ENOLCK)
			return result;
		worst = result == -ENOSPC ? result : worst;
		lane = result == -EAGAIN ? promcb_lock_behind(segment, lane) : lane + 1;
	}
	return worst;
}

int promcb_lane_acquire_special(struct promcb_segment *segment, uint32_t which, struct promcb_lane_lease *lease)
{
	int result = take(segment, segment->geometry.lanes + which, lease);

	return result == -EAGAIN ? -EBUSY : result;
}

bool promcb_lane_give(struct promcb_lane_lease *lease)
{
	PROMCB_INJECT("lane: before giving");
	if (lease->lane && !promcb_lock_drop(lease->segment, lease->lane - 1))
		return false;
	lease->lane = 0;
	return true;
}

/* Whether a number (+ 1) is published: by a block's directory entry, by a descriptor, or by a block's ring word. */
static bool is_published(const struct promcb_lane_lease *lease, uint32_t kind, uint32_t number)
{
	struct promcb_segment *segment = lease->segment;
	uint32_t lane = lease->lane - 1;
	bool empty;

	if (kind == PROMCB_CHUNK_BLOCKS) {
		const struct promcb_block *block = promcb_segment_block(segment, number);
		uint32_t component =
			block ? promcb_pair_component(promcb_load_relaxed(&block->component_lane)) : UINT32_MAX;

		if (component >= segment->geometry.components)
			return false;
		const struct promcb_descriptor *descriptor = promcb_segment_descriptor(segment, component);

		return promcb_load32_relaxed(promcb_segment_directory(segment, lane) + component) == number ||
		       (promcb_load32_relaxed(promcb_segment_claim(segment, component)) &&
			(promcb_load32_relaxed(&descriptor->overflow) == number ||
			 promcb_load32_relaxed(&descriptor->baseline[0]) == number ||
			 promcb_load32_relaxed(&descriptor->baseline[1]) == number));
	}
	for (uint32_t component = 0; component < segment->geometry.components; component++) {
		const struct promcb_block *block = listed_block(segment, lane, component, &empty);

		if (block && promcb_load_relaxed(&block->ring) == number)
			return true;
	}
	return false;
}

static void count_carved(const struct promcb_segment *segment, uint32_t kind, uint32_t chunk, uint32_t carved)
{
	uint32_t *word = promcb_segment_chunk_word(segment, chunk);

	/*
	 * [DIR] release: the number was published before it is counted, so the next owner need look no further than
	 * one.
	 */
	promcb_store32_release(word, promcb_chunk_word(kind, carved, promcb_chunk_lane(promcb_load32_relaxed(word))));
}

/* Room for one more of a kind, in a chunk of the lane's or in a new one. Returns its number + 1, or 0. */
static uint32_t find_room(struct promcb_lane_lease *lease, uint32_t kind)
{
	struct promcb_segment *segment = lease->segment;
	uint32_t each = per_chunk(&segment->geometry, kind), lane = lease->lane - 1, chunk;

	if (lease->chunk[kind]) {
		uint32_t word = promcb_load32_relaxed(promcb_segment_chunk_word(segment, lease->chunk[kind] - 1));

		if (promcb_chunk_is_of(word, lane) && promcb_chunk_kind(word) == kind &&
		    promcb_chunk_carved(word) < each)
			return (lease->chunk[kind] - 1) * each + promcb_chunk_carved(word) + 1;
	}
	/* Each is looked at once: only the lane's owner carves there, and what it takes from now on is lease->chunk. */
	for (chunk = lease->full_below[kind]; chunk < promcb_segment_chunks(segment); chunk++) {
		uint32_t word = promcb_load32_relaxed(promcb_segment_chunk_word(segment, chunk));
		uint32_t carved = promcb_chunk_carved(word);

		if (!promcb_chunk_is_of(word, lane) || promcb_chunk_kind(word) != kind || carved >= each)
			continue;
		/* An owner may have died after publishing and before counting. */
		if (is_published(lease, kind, chunk * each + carved + 1))
			count_carved(segment, kind, chunk, ++carved);
		if (carved >= each)
			continue;
		lease->chunk[kind] = chunk + 1;
		lease->full_below[kind] = chunk;
		return chunk * each + carved + 1;
	}
	lease->full_below[kind] = chunk;
	if (promcb_segment_take_chunk(segment, kind, lane, &chunk) < 0)
		return 0;
	lease->chunk[kind] = chunk + 1;
	return chunk * each + 1;
}

static void carved(struct promcb_lane_lease *lease, uint32_t kind, uint32_t number)
{
	uint32_t each = per_chunk(&lease->segment->geometry, kind);

	count_carved(lease->segment, kind, (number - 1) / each, (number - 1) % each + 1);
}

uint32_t promcb_lane_carve(struct promcb_lane_lease *lease, uint32_t kind, uint32_t component)
{
	uint32_t number = find_room(lease, PROMCB_CHUNK_BLOCKS);
	struct promcb_block *block = promcb_segment_block(lease->segment, number);

	if (!block)
		return 0;
	/* A dead owner may have begun here. Nobody else knows of the block before it is published. */
	memset(block, 0, lease->segment->geometry.block_bytes);
	PROMCB_INJECT("block: zeroed");
	block->kind = kind;
	block->component_lane = promcb_pair(component, lease->lane - 1);
	return number;
}

void promcb_lane_commit_block(struct promcb_lane_lease *lease, uint32_t number)
{
	carved(lease, PROMCB_CHUNK_BLOCKS, number);
}

struct promcb_block *promcb_lane_block(struct promcb_lane_lease *lease, uint32_t component)
{
	uint32_t *directory = promcb_segment_directory(lease->segment, lease->lane - 1);
	bool empty;
	struct promcb_block *block = listed_block(lease->segment, lease->lane - 1, component, &empty);
	uint32_t number;

	/* What is listed but not believable is left alone: whatever it is, the counts in it may be somebody's. */
	if (block || !empty)
		return block;
	number = promcb_lane_carve(lease, PROMCB_BLOCK_PLAIN, component);
	if (!number)
		return NULL;
	PROMCB_INJECT("block: carved");
	/* [DIR] release: the zeroed block and its header before its number. */
	promcb_store32_release(directory + component, number);
	PROMCB_INJECT("block: published");
	promcb_lane_commit_block(lease, number);
	return promcb_segment_block(lease->segment, number);
}

uintptr_t promcb_lane_ring(struct promcb_segment *segment, struct promcb_block *block)
{
	uint64_t *ring = own_ring(segment, block);

	if (ring)
		return (uintptr_t)ring | segment->geometry.ring_log2;
	return (uintptr_t)block->first_ring | PROMCB_FIRST_RING_LOG2;
}

bool promcb_lane_grow_ring(struct promcb_lane_lease *lease, struct promcb_block *block)
{
	const struct promcb_geometry *g = &lease->segment->geometry;
	uint32_t number, slots = (uint32_t)1 << g->ring_log2;
	uint64_t head, position;
	uint64_t *ring;

	if (promcb_load_relaxed(&block->ring))
		return true;
	number = find_room(lease, PROMCB_CHUNK_RINGS);
	ring = promcb_segment_ring(lease->segment, number);
	if (!ring)
		return false;
	for (uint32_t slot = 0; slot < slots; slot++)
		promcb_store_relaxed(&ring[slot], 0);
	/*
	 * Positions begin at another line in each ring: rings lie a power of two apart, and components called in turn
	 * would otherwise all write the same set of a cache (9.8 ns a call instead of 6.4).
	 */
	head = promcb_load_relaxed(&block->head);
	position = (uint64_t)number * 5 % (slots / 8) * 8 + PROMCB_FIRST_RING_SLOTS;
	for (uint32_t age = 1; age <= PROMCB_FIRST_RING_SLOTS; age++)
		promcb_store_relaxed(
			&ring[(position - age) & (slots - 1)],
			promcb_load_relaxed(&block->first_ring[(head - age) & (PROMCB_FIRST_RING_SLOTS - 1)]));
	PROMCB_INJECT("ring: filled");
	/* [RING] release: the samples before the number that leads to them. */
	promcb_store_release(&block->ring, number);
	PROMCB_INJECT("ring: published");
	carved(lease, PROMCB_CHUNK_RINGS, number);
	PROMCB_INJECT("ring: counted");
	promcb_store_relaxed(&block->head, promcb_head(head, position));
	return true;
}

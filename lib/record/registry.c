/* SPDX-License-Identifier: MIT */
#include "record/registry.h"

#include "base/clock.h"
#include "base/hash.h"

#include <errno.h>
#include <promcb/inject.h>

static uint64_t name_hash(const struct promcb_segment *segment, const char *name, size_t length)
{
	return promcb_table_hash_of(promcb_hash(segment->identity, name, length));
}

static bool has_name(const struct promcb_segment *segment, uint64_t word, uint64_t hash, const char *name,
		     size_t length)
{
	const struct promcb_descriptor *descriptor;

	if (promcb_table_hash(word) != hash)
		return false;
	descriptor = promcb_segment_descriptor(segment, promcb_table_component(word));
	return descriptor && promcb_load32_relaxed(&descriptor->kind) == PROMCB_DESCRIPTOR_COMPONENT &&
	       memcmp(descriptor->name, name, length) == 0 && descriptor->name[length] == 0;
}

/* Probes for the name. Returns its number, or -ENOENT with the first empty slot. */
static int probe(const struct promcb_segment *segment, uint64_t hash, const char *name, size_t length,
		 uint32_t *empty_slot)
{
	const uint64_t *table = promcb_segment_table(segment);
	uint32_t mask = segment->geometry.table_slots - 1;

	for (uint32_t i = 0; i <= mask; i++) {
		uint32_t slot = ((uint32_t)hash + i) & mask;
		/* [PUB] acquire: the word before the descriptor that it leads to. */
		uint64_t word = promcb_load_acquire(&table[slot]);

		if (word == 0) {
			*empty_slot = slot;
			return -ENOENT;
		}
		if (has_name(segment, word, hash, name, length))
			return (int)promcb_table_component(word);
	}
	/* Only a corrupt table is full. */
	return -ENOSPC;
}

int promcb_component_find(const struct promcb_segment *segment, const char *name, size_t length)
{
	uint32_t empty_slot;

	return probe(segment, name_hash(segment, name, length), name, length, &empty_slot);
}

/* Whether the table has a word that leads to the component. Its descriptor has memory. */
static bool is_listed(const struct promcb_segment *segment, uint32_t component)
{
	const struct promcb_descriptor *descriptor = promcb_segment_descriptor(segment, component);
	const uint64_t *table = promcb_segment_table(segment);
	uint32_t mask = segment->geometry.table_slots - 1;

	for (uint32_t i = 0; i <= mask; i++) {
		/* [PUB] acquire: as in probe(). */
		uint64_t word = promcb_load_acquire(&table[((uint32_t)descriptor->hash + i) & mask]);

		if (word == 0)
			return false;
		if (promcb_table_component(word) == component)
			return true;
	}
	return false;
}

static int reserve_descriptor(struct promcb_segment *segment, uint32_t component)
{
	const struct promcb_geometry *g = &segment->geometry;

	if (!promcb_segment_descriptor(segment, component))
		return -ENOSPC;
	return promcb_segment_reserve(segment, g->descriptors_off + (uint64_t)component * g->descriptor_bytes,
				      g->descriptor_bytes);
}

/* A sparse copy of a segment has holes where zeros were: gives memory to what is stored into of others' components. */
static int reserve_component(struct promcb_segment *segment, uint32_t component)
{
	const struct promcb_geometry *g = &segment->geometry;
	uint32_t number;

	if (reserve_descriptor(segment, component) < 0)
		return -ENOSPC;
	number = promcb_load32_relaxed(&promcb_segment_descriptor(segment, component)->overflow);
	if (!number || (number - 1) / promcb_blocks_per_chunk(g) >= g->chunks)
		return 0;
	return promcb_segment_reserve(segment, promcb_chunk_off(g, (number - 1) / promcb_blocks_per_chunk(g)),
				      g->chunk_bytes);
}

/* Whether a descriptor that the lane has claimed was left before it was published. */
static bool is_spare(const struct promcb_segment *segment, uint32_t component)
{
	/* One of a newer kind may be published elsewhere. */
	return promcb_load32_relaxed(&promcb_segment_descriptor(segment, component)->kind) ==
		       PROMCB_DESCRIPTOR_COMPONENT &&
	       !is_listed(segment, component);
}

/*
 * A descriptor of the lane's own that is not published: one that a dead owner left, or a free one. Returns it, or
 * -ENOSPC.
 */
static int own_descriptor(struct promcb_segment *segment, struct promcb_lane_lease *lease)
{
	uint32_t components = segment->geometry.components, page_bytes = segment->geometry.page_bytes;
	uint32_t mine = lease->lane;

	if (!lease->searched) {
		for (uint32_t component = 0; component < components && !lease->spare; component++)
			if (promcb_load32_relaxed(promcb_segment_claim(segment, component)) == mine &&
			    reserve_descriptor(segment, component) == 0 && is_spare(segment, component))
				lease->spare = component + 1;
		lease->searched = true;
	}
	if (lease->spare)
		return (int)lease->spare - 1;
	for (; segment->claims_from < components; segment->claims_from++) {
		if (promcb_load32_relaxed(promcb_segment_claim(segment, segment->claims_from)))
			continue;
		/* The first of its page. */
		if (segment->claims_from % (page_bytes / segment->geometry.descriptor_bytes) == 0 &&
		    !promcb_segment_may_grow(segment, page_bytes))
			return -ENOSPC;
		/* [PUB] the claim before the descriptor, which its next owner may find filled in part. */
		if (promcb_cas32_acq_rel(promcb_segment_claim(segment, segment->claims_from), 0, mine)) {
			PROMCB_INJECT("component: claimed");
			lease->spare = segment->claims_from + 1;
			if (reserve_descriptor(segment, lease->spare - 1) < 0)
				return -ENOSPC;
			return (int)lease->spare - 1;
		}
	}
	return -ENOSPC;
}

/* Writes an unpublished descriptor of the lane's. */
static int fill_descriptor(struct promcb_segment *segment, struct promcb_lane_lease *lease, uint32_t component,
			   uint64_t hash, const char *name, size_t length)
{
	struct promcb_descriptor *descriptor;
	struct promcb_block *block;
	uint32_t overflow;

	if (reserve_descriptor(segment, component) < 0)
		return -ENOSPC;
	descriptor = promcb_segment_descriptor(segment, component);
	overflow = promcb_load32_relaxed(&descriptor->overflow);
	block = promcb_segment_block(segment, overflow);
	/* A spare may have its overflow block already, which no other name ever used. */
	if (!block || promcb_load_relaxed(&block->kind) != PROMCB_BLOCK_OVERFLOW ||
	    promcb_load_relaxed(&block->component_lane) != promcb_pair(component, lease->lane - 1))
		overflow = 0;
	PROMCB_INJECT("component: reserved");
	memset(descriptor->name, 0, sizeof(descriptor->name));
	memcpy(descriptor->name, name, length);
	descriptor->hash = hash;
	descriptor->created_realtime_ns = promcb_clock_realtime_ns();
	PROMCB_INJECT("component: named");
	if (!overflow) {
		overflow = promcb_lane_carve(lease, PROMCB_BLOCK_OVERFLOW, component);
		promcb_store32_relaxed(&descriptor->overflow, overflow);
		if (!overflow)
			return -ENOSPC;
		PROMCB_INJECT("component: overflow stored");
		promcb_lane_commit_block(lease, overflow);
	}
	return 0;
}

static int register_in(struct promcb_segment *segment, struct promcb_lane_lease *lease, uint64_t hash, const char *name,
		       size_t length)
{
	uint32_t slot;
	int found = own_descriptor(segment, lease), component = found;

	if (found < 0)
		return found;
	found = fill_descriptor(segment, lease, (uint32_t)component, hash, name, length);
	if (found < 0)
		return found;
	for (;;) {
		/* Somebody may have been faster, here or in a slot before: then the descriptor stays our spare. */
		found = probe(segment, hash, name, length, &slot);
		if (found != -ENOENT)
			return found;
		PROMCB_INJECT("component: filled");
		/* [PUB] release: the descriptor and its overflow block before the word that leads to them. */
		if (promcb_cas_acq_rel(promcb_segment_table(segment) + slot, 0, promcb_table_word(hash, component))) {
			PROMCB_INJECT("component: published");
			lease->spare = 0;
			return component;
		}
	}
}

int promcb_component_register(struct promcb_segment *segment, struct promcb_lane_lease *lease, const char *name,
			      size_t length)
{
	uint64_t hash = name_hash(segment, name, length);
	struct promcb_lane_lease registrar = {.segment = segment};
	uint32_t slot;
	int result = probe(segment, hash, name, length, &slot);

	if (result >= 0)
		return reserve_component(segment, (uint32_t)result) < 0 ? -ENOSPC : result;
	if (result != -ENOENT)
		return result;
	if (lease && lease->lane)
		return register_in(segment, lease, hash, name, length);
	result = promcb_lane_acquire_special(segment, 0, &registrar);
	if (result == 0) {
		result = register_in(segment, &registrar, hash, name, length);
		promcb_lane_give(&registrar);
	}
	return result == -ENOLCK ? -EBUSY : result;
}

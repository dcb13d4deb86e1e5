/* SPDX-License-Identifier: MIT */
#include "record/registry.h"

#include "base/clock.h"
#include "base/hash.h"

#include <errno.h>
#include <promcb/inject.h>

/* What is looked for: a name, or a full name without its mark. */
struct wanted {
	const char *name;
	size_t length;
	uint32_t kind;          /* of the descriptor, if there is to be one */
	uint64_t hash;
};

static struct wanted wanted_of(const struct promcb_segment *segment, const char *name, size_t length)
{
	struct wanted wanted = {name, length, PROMCB_DESCRIPTOR_COMPONENT, 0};

	if (length && *name == PROMCB_NAME_LABELLED)
		wanted = (struct wanted){name + 1, length - 1, PROMCB_DESCRIPTOR_LABELLED, 0};
	wanted.hash = promcb_table_hash_of(promcb_hash(segment->identity, wanted.name, wanted.length));
	return wanted;
}

/* How much of a name stands in descriptor->name; the rest in name_more. */
static size_t head_length(size_t length)
{
	return length < PROMCB_NAME_MAX ? length : PROMCB_NAME_MAX;
}

static bool has_name(const struct promcb_segment *segment, uint64_t word, const struct wanted *wanted)
{
	size_t head = head_length(wanted->length), rest = wanted->length - head;
	const struct promcb_descriptor *descriptor;

	if (promcb_table_hash(word) != wanted->hash)
		return false;
	descriptor = promcb_segment_descriptor(segment, promcb_table_component(word));
	if (!descriptor || promcb_load32_relaxed(&descriptor->kind) > PROMCB_DESCRIPTOR_LABELLED)
		return false;
	return memcmp(descriptor->name, wanted->name, head) == 0 && descriptor->name[head] == 0 &&
	       memcmp(descriptor->name_more, wanted->name + head, rest) == 0 && descriptor->name_more[rest] == 0;
}

/* Probes for the name. Returns its number, or -ENOENT with the first empty slot. */
static int probe(const struct promcb_segment *segment, const struct wanted *wanted, uint32_t *empty_slot)
{
	const uint64_t *table = promcb_segment_table(segment);
	uint32_t mask = segment->geometry.table_slots - 1;

	for (uint32_t i = 0; i <= mask; i++) {
		uint32_t slot = ((uint32_t)wanted->hash + i) & mask;
		/* [PUB] acquire: the word before the descriptor that it leads to. */
		uint64_t word = promcb_load_acquire(&table[slot]);

		if (word == 0) {
			*empty_slot = slot;
			return -ENOENT;
		}
		if (has_name(segment, word, wanted))
			return (int)promcb_table_component(word);
	}
	/* Only a corrupt table is full. */
	return -ENOSPC;
}

int promcb_component_find(const struct promcb_segment *segment, const char *name, size_t length)
{
	const struct wanted wanted = wanted_of(segment, name, length);
	uint32_t empty_slot;

	return probe(segment, &wanted, &empty_slot);
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
	return promcb_load32_relaxed(&promcb_segment_descriptor(segment, component)->kind) <=
		       PROMCB_DESCRIPTOR_LABELLED &&
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
			   const struct wanted *wanted)
{
	size_t head = head_length(wanted->length);
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
	memset(descriptor->name_more, 0, sizeof(descriptor->name_more));
	memcpy(descriptor->name, wanted->name, head);
	memcpy(descriptor->name_more, wanted->name + head, wanted->length - head);
	descriptor->hash = wanted->hash;
	promcb_store32_relaxed(&descriptor->kind, wanted->kind);
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

static int register_in(struct promcb_segment *segment, struct promcb_lane_lease *lease, const struct wanted *wanted)
{
	uint32_t slot;
	int found = own_descriptor(segment, lease), component = found;

	if (found < 0)
		return found;
	found = fill_descriptor(segment, lease, (uint32_t)component, wanted);
	if (found < 0)
		return found;
	for (;;) {
		/* Somebody may have been faster, here or in a slot before: then the descriptor stays our spare. */
		found = probe(segment, wanted, &slot);
		if (found != -ENOENT)
			return found;
		PROMCB_INJECT("component: filled");
		/* [PUB] release: the descriptor and its overflow block before the word that leads to them. */
		if (promcb_cas_acq_rel(promcb_segment_table(segment) + slot, 0,
				       promcb_table_word(wanted->hash, component))) {
			PROMCB_INJECT("component: published");
			lease->spare = 0;
			return component;
		}
	}
}

/*
 * A component that was registered by its name, and now is by its name and labels, has labels from now on: who says so
 * knows, and a stranger's name that looks like it must not take them away.
 */
static void set_kind(struct promcb_segment *segment, uint32_t component, uint32_t kind)
{
	uint32_t *word = &promcb_segment_descriptor(segment, component)->kind;

	if (kind == PROMCB_DESCRIPTOR_LABELLED && promcb_load32_relaxed(word) != kind)
		promcb_store32_relaxed(word, kind);
}

int promcb_component_register(struct promcb_segment *segment, struct promcb_lane_lease *lease, const char *name,
			      size_t length)
{
	const struct wanted wanted = wanted_of(segment, name, length);
	struct promcb_lane_lease registrar = {.segment = segment};
	uint32_t slot;
	int result = probe(segment, &wanted, &slot);

	if (result >= 0) {
		if (reserve_component(segment, (uint32_t)result) < 0)
			return -ENOSPC;
		set_kind(segment, (uint32_t)result, wanted.kind);
		return result;
	}
	if (result != -ENOENT)
		return result;
	if (lease && lease->lane) {
		result = register_in(segment, lease, &wanted);
	} else {
		result = promcb_lane_acquire_special(segment, 0, &registrar);
		if (result == 0) {
			result = register_in(segment, &registrar, &wanted);
			promcb_lane_give(&registrar);
		}
	}
	/* Who lost a race has what another registered, by its name alone perhaps. */
	if (result >= 0)
		set_kind(segment, (uint32_t)result, wanted.kind);
	return result == -ENOLCK ? -EBUSY : result;
}

/* SPDX-License-Identifier: MIT */
#include "record/component.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/name.h"
#include "record/open.h"

#include <errno.h>
#include <sys/mman.h>

enum { NAMES_START = 64, ARENA_BYTES = 65536, PAGE = 4096 };

uint32_t promcb_handles_used = 1;

/* The key of each handle in its owner's names: zero-terminated, never freed. */
static const char *handle_names[PROMCB_HANDLES_MAX];

/* -- Names to handles --------------------------------------------------------------------------------------------- */

/* ck asks for memory under the mutex, where malloc is not allowed. */
static void *map_bytes(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void unmap_bytes(void *memory, size_t bytes, bool defer)
{
	/* Readers may still be in an old table: it stays. */
	if (!defer)
		munmap(memory, bytes);
}

static struct ck_malloc memory_of_names = {.malloc = map_bytes, .free = unmap_bytes};

int promcb_names_start(struct promcb_names *names)
{
	if (!names->ready && !ck_ht_init(&names->table, CK_HT_MODE_BYTESTRING, NULL, &memory_of_names, NAMES_START,
					 promcb_process->cookie))
		return -ENOMEM;
	names->ready = true;
	return 0;
}

struct promcb_component *promcb_names_find(struct promcb_names *names, const char *name, size_t length)
{
	ck_ht_entry_t entry;
	ck_ht_hash_t hash;

	ck_ht_hash(&hash, &names->table, name, (uint16_t)length);
	ck_ht_entry_key_set(&entry, name, (uint16_t)length);
	return ck_ht_get_spmc(&names->table, hash, &entry) ? ck_ht_entry_value(&entry) : NULL;
}

static char *keep_name(struct promcb_names *names, const char *name, size_t length)
{
	char *kept;

	if (names->arena_left < length + 1) {
		names->arena = map_bytes(ARENA_BYTES);
		names->arena_left = names->arena ? ARENA_BYTES : 0;
		if (!names->arena)
			return NULL;
	}
	kept = names->arena;
	memcpy(kept, name, length);
	kept[length] = 0;
	names->arena += length + 1;
	names->arena_left -= length + 1;
	return kept;
}

struct promcb_handle *promcb_component_handle(const struct promcb_component *component)
{
	return (struct promcb_handle *)(uintptr_t)component;
}

int promcb_names_add(struct promcb *p, const char *name, size_t length, uint32_t component,
		     struct promcb_component **out)
{
	struct promcb_handle *handle = &promcb_home.handles[promcb_handles_used];
	ck_ht_entry_t entry;
	ck_ht_hash_t hash;
	char *key;

	if (promcb_handles_used == PROMCB_HANDLES_MAX)
		return -EMFILE;
	key = keep_name(&p->names, name, length);
	if (!key)
		return -ENOMEM;
	handle->component = component;
	handle->generation = p->generation;
	/* [HANDLE] release: the rest before the owner. */
	promcb_store_pointer_release(&handle->owner, p);
	handle_names[promcb_handles_used] = key;
	ck_ht_hash(&hash, &p->names.table, key, (uint16_t)length);
	ck_ht_entry_set(&entry, hash, key, (uint16_t)length, handle);
	if (!ck_ht_put_spmc(&p->names.table, hash, &entry)) {
		/* [HANDLE] release: nobody was given it. */
		promcb_store_pointer_release(&handle->owner, NULL);
		return -ENOMEM;
	}
	promcb_handles_used++;
	*out = (struct promcb_component *)(void *)handle;
	return 0;
}

/* -- Names to descriptors ----------------------------------------------------------------------------------------- */

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
	return descriptor && memcmp(descriptor->name, name, length) == 0 && descriptor->name[length] == 0;
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

/*
 * A descriptor of the lane's own that is not published: one that a dead owner left, or a free one. Returns it, or
 * -ENOSPC.
 */
static int own_descriptor(struct promcb_segment *segment, struct promcb_seat *seat)
{
	uint32_t components = segment->geometry.components, page_bytes = segment->geometry.page_bytes;
	uint32_t mine = seat->lane;

	if (!seat->searched) {
		for (uint32_t component = 0; component < components && !seat->spare; component++)
			if (promcb_load32_relaxed(promcb_segment_claim(segment, component)) == mine &&
			    reserve_descriptor(segment, component) == 0 && !is_listed(segment, component))
				seat->spare = component + 1;
		seat->searched = true;
	}
	if (seat->spare)
		return (int)seat->spare - 1;
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
			seat->spare = segment->claims_from + 1;
			if (reserve_descriptor(segment, seat->spare - 1) < 0)
				return -ENOSPC;
			return (int)seat->spare - 1;
		}
	}
	return -ENOSPC;
}

/* Writes an unpublished descriptor of the lane's. */
static int fill_descriptor(struct promcb_segment *segment, struct promcb_seat *seat, uint32_t component, uint64_t hash,
			   const char *name, size_t length)
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
	    promcb_load_relaxed(&block->component_lane) != promcb_pair(component, seat->lane - 1))
		overflow = 0;
	PROMCB_INJECT("component: reserved");
	memset(descriptor->name, 0, sizeof(descriptor->name));
	memcpy(descriptor->name, name, length);
	descriptor->hash = hash;
	descriptor->created_realtime_ns = promcb_clock_realtime_ns();
	PROMCB_INJECT("component: named");
	if (!overflow) {
		overflow = promcb_lane_carve(seat, PROMCB_BLOCK_OVERFLOW, component);
		promcb_store32_relaxed(&descriptor->overflow, overflow);
		if (!overflow)
			return -ENOSPC;
		PROMCB_INJECT("component: overflow stored");
		promcb_lane_carved(seat, overflow);
	}
	return 0;
}

static int register_in(struct promcb_segment *segment, struct promcb_seat *seat, uint64_t hash, const char *name,
		       size_t length)
{
	uint32_t slot;
	int found = own_descriptor(segment, seat), component = found;

	if (found < 0)
		return found;
	found = fill_descriptor(segment, seat, (uint32_t)component, hash, name, length);
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
			seat->spare = 0;
			return component;
		}
	}
}

int promcb_component_register(struct promcb_segment *segment, struct promcb_seat *seat, const char *name, size_t length)
{
	uint64_t hash = name_hash(segment, name, length);
	struct promcb_seat registrar = {.segment = segment};
	uint32_t slot;
	int result = probe(segment, hash, name, length, &slot);

	if (result >= 0)
		return reserve_component(segment, (uint32_t)result) < 0 ? -ENOSPC : result;
	if (result != -ENOENT)
		return result;
	if (seat && seat->lane)
		return register_in(segment, seat, hash, name, length);
	result = promcb_lane_take_special(segment, 0, &registrar);
	if (result == 0) {
		result = register_in(segment, &registrar, hash, name, length);
		promcb_lane_give(&registrar);
	}
	return result == -ENOLCK ? -EBUSY : result;
}

uint32_t promcb_component_resolve(struct promcb *p, struct promcb_component *component, struct promcb_seat *seat)
{
	struct promcb_handle *handle = promcb_component_handle(component);

	if (handle->generation != p->generation) {
		const char *name = handle_names[handle - promcb_home.handles];
		int found = promcb_component_register(p->segment, seat, name, strlen(name));

		if (found < 0) {
			promcb_add_relaxed(&promcb_segment_header(p->segment)->components_rejected, 1);
			/* Not for good: the generation stays behind, and the next thread tries again. */
			return PROMCB_OVERFLOW_COMPONENT;
		}
		/* [FOLLOW] release: the place before the number, and the number before the generation that it is of. */
		promcb_store32_release(&handle->component, (uint32_t)found);
		promcb_store32_release(&handle->generation, p->generation);
	}
	return handle->component;
}

/* A handle whose component is looked up once there is a segment again. */
static int add_unresolved(struct promcb *p, const char *name, size_t length, struct promcb_component **out)
{
	int result = promcb_names_add(p, name, length, PROMCB_OVERFLOW_COMPONENT, out);

	if (result == 0)
		/* [FOLLOW] release: of no segment yet. */
		promcb_store32_release(&promcb_component_handle(*out)->generation, p->generation - 1);
	else
		*out = p->overflow;
	return result;
}

int promcb_component(struct promcb *p, const char *name, struct promcb_component **out)
{
	struct promcb_component *found;
	struct promcb_seat *seat;
	struct promcb_way_out way;
	bool entered;
	int result;

	*out = (struct promcb_component *)(void *)promcb_home.handles;
	if (!p || !name)
		return -EINVAL;
	size_t length = strlen(name);

	promcb_name_trim(&name, &length);
	if (promcb_name_fault(name, length))
		return -EINVAL;

	found = promcb_names_find(&p->names, name, length);
	if (found) {
		*out = found;
		return 0;
	}
	entered = promcb_process_enter(&way);
	found = promcb_names_find(&p->names, name, length);
	if (found) {
		*out = found;
		result = 0;
	} else if (!entered) {
		*out = p->overflow;
		result = -EBUSY;
	} else if (promcb_owner_follow(p), !p->segment) {
		result = p->opens ? add_unresolved(p, name, length, out) : -EINVAL;
	} else {
		*out = p->overflow;
		seat = promcb_owner_seat(p, promcb_recorder_current(true));
		result = promcb_component_register(p->segment, seat, name, length);
		if (result >= 0)
			result = promcb_names_add(p, name, length, (uint32_t)result, out);
		if (result < 0)
			promcb_add_relaxed(&promcb_segment_header(p->segment)->components_rejected, 1);
	}
	promcb_process_leave(&way);
	return result;
}

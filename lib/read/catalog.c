/* SPDX-License-Identifier: MIT */
#include "read/catalog.h"

#include "base/name.h"

#include <promcb/inject.h>

#include <errno.h>
#include <stdlib.h>

/* How many components are listed between two looks at the clock. */
enum { LATE_STEP = 16 };

static int corrupt(const struct promcb_source *source, struct promcb_message *message, const char *what,
		   uint64_t number)
{
	return promcb_message_error(message, -EBADMSG, "segment %s is corrupt: %s (%llu)", source->path, what,
				    (unsigned long long)number);
}

static bool is_zero(const char *bytes, size_t count)
{
	while (count && !*bytes)
		bytes++, count--;
	return count == 0;
}

/* -- Components --------------------------------------------------------------------------------------------------- */

/* What never changes of a descriptor. Returns false if its name is none. */
static bool copy_name(struct promcb_catalog_component *listed, const struct promcb_descriptor *descriptor,
		      uint32_t kind)
{
	char text[PROMCB_FULL_NAME_MAX + 1] = "", padding[sizeof(text)];
	size_t length;

	memcpy(text, descriptor->name, PROMCB_NAME_MAX);
	memcpy(text + PROMCB_NAME_MAX, descriptor->name_more, sizeof(descriptor->name_more) - 1);
	memcpy(padding, text, sizeof(padding));
	/* What stands behind the name of a component without labels is no part of it, however it goes on. */
	if (kind == PROMCB_DESCRIPTOR_COMPONENT)
		text[PROMCB_NAME_MAX] = 0;
	length = strlen(text);
	listed->hash = descriptor->hash;
	listed->created_ns = descriptor->created_realtime_ns;
	listed->is_padded = is_zero(padding + length, sizeof(padding) - length) &&
			    descriptor->name[PROMCB_NAME_MAX] == 0 &&
			    descriptor->name_more[sizeof(descriptor->name_more) - 1] == 0;
	promcb_full_name_set(&listed->name, text, length);
	return kind == PROMCB_DESCRIPTOR_LABELLED ? promcb_full_name_take_apart(&listed->name)
						  : !promcb_name_fault(text, length);
}

static int list_component(struct promcb_catalog *image, struct promcb_source *source, uint32_t slot, uint64_t word,
			  struct promcb_message *message)
{
	const struct promcb_geometry *g = image->geometry;
	uint32_t component = promcb_table_component(word);
	struct promcb_catalog_component *listed = &image->components[image->count];
	struct promcb_descriptor copy;
	const struct promcb_descriptor *descriptor;
	uint32_t kind;

	if (component >= g->components)
		return corrupt(source, message, "a component's number is out of range", component);
	if (image->index_of[component])
		return corrupt(source, message, "a component is listed twice", component);
	descriptor = promcb_source_view(source, g->descriptors_off + (uint64_t)component * g->descriptor_bytes,
					sizeof(copy), &copy);
	if (!descriptor)
		return corrupt(source, message, "a component lies past the end", component);
	kind = promcb_load32_relaxed(&descriptor->kind);
	if (kind > PROMCB_DESCRIPTOR_LABELLED)
		return 0;
	*listed = (struct promcb_catalog_component){.component = component, .slot = slot, .word = word};
	if (!copy_name(listed, descriptor, kind))
		return corrupt(source, message, "a component's name is no name", component);
	/* [RST] acquire: before any counter of the component, and before its state, which a baseline holds too. */
	listed->reset = promcb_load_acquire(&descriptor->reset);
	PROMCB_INJECT("image: reset read");
	if (listed->reset) {
		/* What was copied in one piece may be older than its reset word: a second copy is not. */
		descriptor = promcb_source_view(source, g->descriptors_off + (uint64_t)component * g->descriptor_bytes,
						sizeof(copy), &copy);
		if (!descriptor)
			return corrupt(source, message, "a component lies past the end", component);
		PROMCB_INJECT("image: copied again");
		listed->baseline = promcb_load32_relaxed(&descriptor->baseline[promcb_reset_which(listed->reset)]);
		if (listed->baseline == 0 || listed->baseline > image->block_count)
			return corrupt(source, message, "a component's baseline is out of range", component);
	}
	/*
	 * [STATE] acquire: the state before its time. The time is believed only if its tag is that of the state, read
	 *         before and after.
	 */
	listed->state = promcb_load_acquire(&descriptor->state);
	PROMCB_INJECT("image: state read");
	listed->state_time = promcb_load_acquire(&descriptor->state_time);
	if (promcb_load_relaxed(&descriptor->state) != listed->state ||
	    !promcb_state_time_is_of(listed->state_time, listed->state))
		listed->state_time = 0;
	listed->overflow = promcb_load32_relaxed(&descriptor->overflow);
	if (listed->overflow == 0 || listed->overflow > image->block_count ||
	    image->block_component[listed->overflow - 1])
		return corrupt(source, message, "a component's overflow block is out of range or another's", component);
	image->block_component[listed->overflow - 1] = component + 1;
	image->index_of[component] = ++image->count;
	return 0;
}

static int list_components(struct promcb_catalog *image, struct promcb_source *source, struct promcb_message *message)
{
	const struct promcb_geometry *g = image->geometry;
	uint64_t bytes = g->table_slots * sizeof(uint64_t);
	uint64_t *buffer = aligned_alloc(64, (bytes + 63) / 64 * 64);
	const uint64_t *table = buffer ? promcb_source_view(source, g->table_off, bytes, buffer) : NULL;
	int result = buffer ? 0 : -ENOMEM;

	if (buffer && !table)
		result = corrupt(source, message, "its table lies past the end", g->table_off);
	for (uint32_t slot = 0; slot < g->table_slots && result == 0; slot++) {
		/* [PUB] acquire: the word before the descriptor that it leads to. */
		uint64_t word = promcb_load_acquire(&table[slot]);

		if (word)
			result = image->count % LATE_STEP == 0 && promcb_source_is_late(source)
					 ? promcb_source_too_late(source, message)
					 : list_component(image, source, slot, word, message);
	}
	free(buffer);
	return result;
}

/* -- Lanes and blocks --------------------------------------------------------------------------------------------- */

static int list_blocks(struct promcb_catalog *image, struct promcb_source *source, uint32_t lane, uint32_t *buffer,
		       struct promcb_message *message)
{
	const struct promcb_geometry *g = image->geometry;
	uint64_t stride = g->directory_words * sizeof(uint32_t);
	/* The rest is there to fill a page, which may be a huge one. */
	const uint32_t *directory = promcb_source_view(source, g->directories_off + lane * stride,
						       g->components * sizeof(uint32_t), buffer);

	if (!directory)
		return corrupt(source, message, "a lane's directory lies past the end", lane);
	if (promcb_source_is_late(source))
		return promcb_source_too_late(source, message);
	for (uint32_t component = 0; component < g->components; component++) {
		/* [DIR] acquire: the number before the block that it leads to. */
		uint32_t number = promcb_load32_acquire(&directory[component]);

		/* Of what is not listed, since it is of a newer kind or younger than the list, nothing is read. */
		if (!number || !image->index_of[component])
			continue;
		if (number > image->block_count || image->block_component[number - 1])
			return corrupt(source, message, "a block is out of range or belongs to two components", number);
		image->block_component[number - 1] = component + 1;
	}
	return 0;
}

static void compare_clocks(struct promcb_catalog_lane *listed, const struct promcb_lane *entry,
			   const struct promcb_clock_domain *here)
{
	struct promcb_clock_domain there;
	enum promcb_clocks clocks;

	/* [LANE] acquire: by which clock it stamps, the word that is stored last first, before the samples. */
	there.birth = promcb_load_acquire(&entry->birth);
	there.boot = promcb_load_acquire(&entry->boot);                       /* [LANE] */
	there.time_namespace = promcb_load_acquire(&entry->time_namespace);   /* [LANE] */
	there.clock_offset_ns = promcb_load_acquire(&entry->clock_offset_ns); /* [LANE] */
	clocks = promcb_clock_domain_compare(here, &there);
	listed->clock_offset_ns = there.clock_offset_ns;
	listed->samples_count = clocks != PROMCB_CLOCKS_FOREIGN;
	if (clocks == PROMCB_CLOCKS_SHIFTED)
		listed->shift_ns = (int64_t)(there.clock_offset_ns - here->clock_offset_ns);
}

static int list_lanes(struct promcb_catalog *image, struct promcb_source *source, struct promcb_message *message)
{
	const struct promcb_geometry *g = image->geometry;
	uint32_t *buffer = aligned_alloc(64, (g->components * sizeof(uint32_t) + 63) / 64 * 64);
	int result = buffer ? 0 : -ENOMEM;

	for (uint32_t lane = 0; lane < g->lanes && result == 0; lane++) {
		struct promcb_catalog_lane *listed = &image->lanes[lane];
		struct promcb_lane copy;
		const struct promcb_lane *entry =
			promcb_source_view(source, g->lanes_off + (uint64_t)lane * g->lane_bytes, sizeof(copy), &copy);

		/* [LANE] acquire: used before the directory, which has no memory else. */
		if (!entry || !promcb_load_acquire(&entry->used))
			continue;
		listed->used = true;
		listed->cookie = promcb_load_relaxed(&entry->owner_cookie);
		compare_clocks(listed, entry, &image->here);
		result = list_blocks(image, source, lane, buffer, message);
	}
	free(buffer);
	return result;
}

static int check_chunks(struct promcb_catalog *image, struct promcb_source *source, struct promcb_message *message)
{
	const struct promcb_geometry *g = image->geometry;
	uint64_t bytes = g->chunks * sizeof(uint32_t), chunk_bytes = 0;
	const uint32_t *words = promcb_source_view(source, g->chunk_table_off, bytes, image->chunk_words);

	if (!words)
		return corrupt(source, message, "its chunk table lies past the end", g->chunk_table_off);
	for (uint32_t chunk = 0; chunk < g->chunks; chunk++) {
		/* [CHUNK] after the numbers that lead there. */
		image->chunk_words[chunk] = promcb_load32_acquire(&words[chunk]);
	}
	for (uint32_t number = 0; number < image->block_count; number++) {
		uint32_t chunk = number / promcb_blocks_per_chunk(g);

		if (!image->block_component[number])
			continue;
		if (promcb_chunk_kind(image->chunk_words[chunk]) != PROMCB_CHUNK_BLOCKS)
			return corrupt(source, message, "a block lies in a chunk that holds none", number);
		chunk_bytes += g->block_bytes;
	}
	/*
	 * To read a hole of a mapped tmpfs file takes memory, even read-only: a sparse file must not make a reader
	 * eat it.
	 */
	if (fstat(source->fd, &source->status) < 0 || (uint64_t)source->status.st_blocks * 512 < chunk_bytes)
		return corrupt(source, message, "it has holes where it lists blocks; bytes in use",
			       (uint64_t)source->status.st_blocks * 512);
	return 0;
}

int promcb_catalog_make(struct promcb_catalog *image, struct promcb_source *source, struct promcb_message *message)
{
	const struct promcb_geometry *g = &source->header.geometry;
	int result;

	*image = (struct promcb_catalog){.geometry = g,
					 .here = promcb_clock_domain_now(source->birth),
					 .block_count = g->chunks * promcb_blocks_per_chunk(g)};
	image->components = calloc(g->components, sizeof(*image->components));
	image->index_of = calloc(g->components, sizeof(*image->index_of));
	image->block_component = calloc(image->block_count, sizeof(*image->block_component));
	image->chunk_words = aligned_alloc(64, (g->chunks * sizeof(uint32_t) + 63) / 64 * 64);
	image->lanes = calloc(g->lanes, sizeof(*image->lanes));
	if (!image->components || !image->index_of || !image->block_component || !image->chunk_words || !image->lanes)
		return -ENOMEM;
	result = list_components(image, source, message);
	if (result == 0)
		result = list_lanes(image, source, message);
	if (result == 0)
		result = check_chunks(image, source, message);
	PROMCB_INJECT("image: made");
	return result;
}

void promcb_catalog_free(struct promcb_catalog *image)
{
	free(image->components);
	free(image->index_of);
	free(image->block_component);
	free(image->chunk_words);
	free(image->lanes);
	*image = (struct promcb_catalog){.count = 0};
}

static bool is_of(uint32_t word, uint32_t kind, uint32_t lane)
{
	return promcb_chunk_kind(word) == kind && (lane == UINT32_MAX || promcb_chunk_is_of(word, lane));
}

bool promcb_catalog_chunk_is(const struct promcb_catalog *image, struct promcb_source *source, uint32_t chunk,
			     uint32_t kind, uint32_t lane)
{
	uint32_t copy;
	const uint32_t *word;

	if (is_of(image->chunk_words[chunk], kind, lane))
		return true;
	word = promcb_source_view(source, image->geometry->chunk_table_off + chunk * sizeof(copy), sizeof(copy), &copy);
	/* [CHUNK] after the number that leads there. */
	return word && is_of(promcb_load32_acquire(word), kind, lane);
}

bool promcb_catalog_is_stable(const struct promcb_catalog *image, struct promcb_source *source)
{
	const struct promcb_geometry *g = image->geometry;

	PROMCB_INJECT("image: all read");
	for (uint32_t i = 0; i < image->count; i++) {
		uint64_t copy, off = g->descriptors_off +
				     (uint64_t)image->components[i].component * g->descriptor_bytes +
				     offsetof(struct promcb_descriptor, reset);
		const uint64_t *word = promcb_source_view(source, off, sizeof(copy), &copy);

		/* [RST] acquire: the word once more, after all counters. */
		if (!word || promcb_load_acquire(word) != image->components[i].reset)
			return false;
	}
	return true;
}

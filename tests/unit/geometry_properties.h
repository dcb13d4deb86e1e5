/* SPDX-License-Identifier: MIT */
/*
 * geometry_properties.h: the properties that validate.h promises, computed from the geometry alone, in another way than
 * there; they hold for what options make, and for whatever a stranger's header is believed to say.
 */
#ifndef PROMCB_GEOMETRY_PROPERTIES_H
#define PROMCB_GEOMETRY_PROPERTIES_H

#include "format/geometry.h"

#include "base/bucket.h"

#include <criterion/criterion.h>

#include <string.h>

enum { AREAS = 8, PATTERN = 0xa5 };

static const char path[] = "/dev/shm/of-a-test";

struct area {
	const char *name;
	uint64_t off, bytes;
};

static inline bool is_power_of_two(uint64_t value)
{
	return value && (value & (value - 1)) == 0;
}

/* Whether a creator may choose these numbers. */
static inline bool is_allowed(const struct promcb_geometry *g)
{
	return g->schema >= 3 && g->schema <= 5 && g->lanes >= 1 && g->lanes <= 1024 && g->components >= 1 &&
	       g->components <= 65001 && g->recent_samples >= 32 && g->recent_samples <= 65536 &&
	       is_power_of_two(g->page_bytes) && g->page_bytes >= 4096 && g->page_bytes <= 1 << 30 &&
	       g->max_bytes <= (uint64_t)16 << 30 && g->chunks >= 8;
}

/* What is wrong with a geometry, or NULL. */
static const char *fault_of(const struct promcb_geometry *g)
{
	const uint64_t slots = g->lanes + 2, ring_bytes = (uint64_t)8 << g->ring_log2;
	const uint64_t bucket_bytes = (uint64_t)2 * g->buckets * 8;
	const struct area areas[AREAS] = {
		{"header", 0, 1280},
		{"lanes", g->lanes_off, slots * g->lane_bytes},
		{"chunk table", g->chunk_table_off, (uint64_t)g->chunks * 4},
		{"claims", g->claims_off, (uint64_t)g->components * 4},
		{"table", g->table_off, (uint64_t)g->table_slots * 8},
		{"descriptors", g->descriptors_off, (uint64_t)g->components * g->descriptor_bytes},
		{"directories", g->directories_off, slots * g->directory_words * 4},
		{"chunks", g->chunks_off, (uint64_t)g->chunks * g->chunk_bytes},
	};

	for (int i = 0; i < AREAS; i++) {
		uint64_t limit = i + 1 < AREAS ? areas[i + 1].off : g->max_bytes;

		if (areas[i].off % g->page_bytes || areas[i].off > limit || areas[i].bytes > limit - areas[i].off)
			return areas[i].name;
	}
	if (g->max_bytes - g->chunks_off - (uint64_t)g->chunks * g->chunk_bytes >= g->chunk_bytes)
		return "one more chunk would fit";
	if (promcb_geometry_fixed_bytes(g) != g->descriptors_off)
		return "fixed bytes";
	if (!is_allowed(g))
		return "a number out of its bounds";
	if (g->buckets != promcb_schema_buckets(g->schema) || g->buckets == 0)
		return "buckets";
	if (!is_power_of_two(g->table_slots) || g->table_slots < 2 * g->components ||
	    g->table_slots >= 4 * g->components)
		return "table slots";
	if (1u << g->ring_log2 < g->recent_samples || 1u << g->ring_log2 < 64 ||
	    (g->ring_log2 > 6 && 1u << (g->ring_log2 - 1) >= g->recent_samples))
		return "ring";
	if (g->block_bytes % 4096 == 0 || g->block_bytes % 64 || g->block_bytes / 64 % 2 == 0)
		return "block stride";
	if (g->block_bytes < sizeof(struct promcb_block) + bucket_bytes ||
	    g->block_bytes >= sizeof(struct promcb_block) + bucket_bytes + 128)
		return "block size";
	if (g->descriptor_bytes != 512 || g->lane_bytes != 128)
		return "strides";
	if (g->chunk_bytes % g->page_bytes || g->chunk_bytes < g->block_bytes || g->chunk_bytes < ring_bytes ||
	    g->chunks < 8)
		return "chunk size";
	if (g->directory_words < g->components || g->directory_words * 4ull % g->page_bytes)
		return "directory";
	/* What words of the segment hold of it: 16 bits of component + 1 and of lane + 1, 32 of block + 1. */
	if (g->components > 0xffff || slots > 0xffff ||
	    (uint64_t)g->chunks * promcb_blocks_per_chunk(g) >= UINT32_MAX ||
	    (uint64_t)g->chunks * promcb_rings_per_chunk(g) >= UINT32_MAX)
		return "numbers";
	return NULL;
}

static inline struct promcb_header header_of(const struct promcb_geometry *geometry)
{
	return (struct promcb_header){
		.magic = PROMCB_MAGIC,
		.format_major = PROMCB_FORMAT_MAJOR,
		.format_minor = PROMCB_FORMAT_MINOR,
		.abi = PROMCB_ABI,
		.geometry = *geometry,
	};
}

static inline struct promcb_geometry made(const struct promcb_options *options, uint32_t page_bytes)
{
	struct promcb_message message = {.text = ""};
	struct promcb_geometry g;

	memset(&g, PATTERN, sizeof(g));
	cr_assert_eq(promcb_geometry_make(options, page_bytes, &g, &message), 0, "%s", message.text);
	cr_assert_str_empty(message.text);
	return g;
}

#endif

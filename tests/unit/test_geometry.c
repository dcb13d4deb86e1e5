/* SPDX-License-Identifier: MIT */
/*
 * Geometries, made and judged. The properties that validate.h promises are computed here from the geometry alone, in
 * another way than there; they hold for what options make, and for whatever a stranger's header is believed to say.
 * (Over 500 lines, since what is made and what is believed are held against the same second arithmetic.)
 */
#include "format/geometry.h"

#include "base/bucket.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AREAS = 8, PATTERN = 0xa5 };

static const char path[] = "/dev/shm/of-a-test";

/* -- Properties -------------------------------------------------------------------------------------------------- */

struct area {
	const char *name;
	uint64_t off, bytes;
};

static bool is_power_of_two(uint64_t value)
{
	return value && (value & (value - 1)) == 0;
}

/* Whether a creator may choose these numbers. */
static bool is_allowed(const struct promcb_geometry *g)
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
	const uint64_t cell_bytes = (uint64_t)2 * g->cells * 8;
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
	if (g->cells != promcb_bucket_cells(g->schema) || g->cells == 0)
		return "cells";
	if (!is_power_of_two(g->table_slots) || g->table_slots < 2 * g->components ||
	    g->table_slots >= 4 * g->components)
		return "table slots";
	if (1u << g->ring_log2 < g->recent_samples || 1u << g->ring_log2 < 64 ||
	    (g->ring_log2 > 6 && 1u << (g->ring_log2 - 1) >= g->recent_samples))
		return "ring";
	if (g->block_bytes % 4096 == 0 || g->block_bytes % 64 || g->block_bytes / 64 % 2 == 0)
		return "block stride";
	if (g->block_bytes < sizeof(struct promcb_block) + cell_bytes ||
	    g->block_bytes >= sizeof(struct promcb_block) + cell_bytes + 128)
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

/* Every block and ring lies in its chunk, behind the one before, on a cache line of its own. */
static const char *places_fault(const struct promcb_geometry *g)
{
	const uint32_t blocks = promcb_blocks_per_chunk(g), rings = promcb_rings_per_chunk(g), last = g->chunks - 1;
	const uint64_t end = g->chunks_off + (uint64_t)g->chunks * g->chunk_bytes,
		       ring_bytes = (uint64_t)8 << g->ring_log2;

	if (blocks == 0 || rings == 0 || promcb_block_off(g, 0) != g->chunks_off ||
	    promcb_ring_off(g, 0) != g->chunks_off)
		return "the first";
	if (promcb_block_off(g, blocks) != g->chunks_off + g->chunk_bytes ||
	    promcb_ring_off(g, rings) != promcb_chunk_off(g, 1))
		return "the first of the second chunk";
	if (promcb_block_off(g, 1) - promcb_block_off(g, 0) < g->block_bytes ||
	    promcb_ring_off(g, 1) - promcb_ring_off(g, 0) < ring_bytes)
		return "the second";
	if (promcb_block_off(g, last * blocks + blocks - 1) + g->block_bytes > end ||
	    promcb_ring_off(g, last * rings + rings - 1) + ring_bytes > end)
		return "the last";
	for (uint32_t i = 0; i < 2 * blocks; i++)
		if (promcb_block_off(g, i) % 64)
			return "alignment";
	return NULL;
}

static struct promcb_header header_of(const struct promcb_geometry *geometry)
{
	return (struct promcb_header){
		.magic = PROMCB_MAGIC,
		.format_major = PROMCB_FORMAT_MAJOR,
		.format_minor = PROMCB_FORMAT_MINOR,
		.abi = PROMCB_ABI,
		.geometry = *geometry,
	};
}

static void assert_sound(const struct promcb_geometry *g)
{
	struct promcb_header header = header_of(g);
	const char *fault = fault_of(g);

	if (!fault)
		fault = places_fault(g);
	cr_assert_null(fault, "%s: %u components, %u lanes, %u samples, schema %u, %llu bytes, page %u", fault,
		       g->components, g->lanes, g->recent_samples, g->schema, (unsigned long long)g->max_bytes,
		       g->page_bytes);
	cr_assert_eq(promcb_header_validate(&header, path, NULL), 0);
}

static struct promcb_geometry made(const struct promcb_options *options, uint32_t page_bytes)
{
	struct promcb_message message = {.text = ""};
	struct promcb_geometry g;

	memset(&g, PATTERN, sizeof(g));
	cr_assert_eq(promcb_geometry_make(options, page_bytes, &g, &message), 0, "%s", message.text);
	cr_assert_str_empty(message.text);
	return g;
}

/* Refused, with a sentence, and with the geometry left alone. */
static void assert_refused(const struct promcb_options *options, const char *says)
{
	struct promcb_message message = {.text = ""};
	struct promcb_geometry g, before;

	memset(&g, PATTERN, sizeof(g));
	before = g;
	cr_assert_eq(promcb_geometry_make(options, 4096, &g, &message), -EINVAL);
	cr_assert_not_null(strstr(message.text, says), "\"%s\" does not say \"%s\"", message.text, says);
	cr_assert_arr_eq(&g, &before, sizeof(g));
	cr_assert_eq(promcb_geometry_make(options, 4096, &g, NULL), -EINVAL);
}

/* -- Making ------------------------------------------------------------------------------------------------------ */

Test(validate, every_combination_of_options)
{
	static const uint64_t bytes[] = {0, 1 << 20, (4 << 20) + 12345, 256 << 20, (uint64_t)3 << 30, PROMCB_BYTES_MAX};
	static const uint32_t components[] = {0, 1, 2, 511, 512, 1023, 4096, 65000},
			      lanes[] = {0, 1, 3, 64, 1023, 1024};
	static const uint32_t samples[] = {0, 32, 33, 64, 65, 1024, 1025, 32769, 65536}, schemas[] = {0, 4, 5};
	static const uint32_t pages[] = {4096, 65536, 2 << 20};
	enum { BYTES = 6, COMPONENTS = 8, LANES = 6, SAMPLES = 9, SCHEMAS = 3, PAGES = 3 };
	uint32_t combinations = BYTES * COMPONENTS * LANES * SAMPLES * SCHEMAS * PAGES, fit = 0;

	for (uint32_t i = 0; i < combinations; i++) {
		uint32_t rest = i;
		struct promcb_options options = {.max_bytes = bytes[rest % BYTES]};
		struct promcb_geometry g;
		uint32_t page_bytes;

		options.components = components[(rest /= BYTES) % COMPONENTS];
		options.lanes = lanes[(rest /= COMPONENTS) % LANES];
		options.recent_samples = samples[(rest /= LANES) % SAMPLES];
		options.schema = schemas[(rest /= SAMPLES) % SCHEMAS];
		page_bytes = pages[rest / SCHEMAS];
		memset(&g, PATTERN, sizeof(g));
		int result = promcb_geometry_make(&options, page_bytes, &g, NULL);

		/* Nothing here is out of range, so what is refused is too small. */
		if (result == -EINVAL && options.max_bytes != PROMCB_BYTES_MAX)
			continue;
		cr_assert_eq(result, 0, "combination %u", i);
		assert_sound(&g);
		fit++;
	}
	cr_assert_gt(fit, combinations / 2, "%u of %u", fit, combinations);
}

Test(validate, defaults)
{
	struct promcb_options none = {.max_bytes = 0};
	struct promcb_geometry g = made(&none, 4096);

	cr_assert_eq(g.max_bytes, 32 << 20);
	cr_assert_eq(g.window_ns, 600000000000u);
	cr_assert_eq(g.page_bytes, 4096);
	cr_assert_eq(g.schema, 3);
	cr_assert_eq(g.lanes, 256);
	cr_assert_eq(g.components, 1024 + 1);
	cr_assert_eq(g.recent_samples, 1000);
	cr_assert_eq(g.ring_log2, 10);
	/* A fresh segment is to stay below 256 KiB, with its first page of descriptors and its first chunk. */
	cr_assert_leq(promcb_geometry_fixed_bytes(&g) + g.page_bytes + g.chunk_bytes, 256 << 10);
}

Test(validate, options_arrive)
{
	struct promcb_options options = {.max_bytes = (100 << 20) + 4097,
					 .components = 77,
					 .lanes = 9,
					 .recent_samples = 4097,
					 .window_seconds = 3600,
					 .schema = 5};
	struct promcb_geometry g = made(&options, 4096);

	assert_sound(&g);
	cr_assert_eq(g.max_bytes, (100 << 20) + 4096, "whole pages");
	cr_assert_eq(g.components, 78, "and \"_overflow\"");
	cr_assert_eq(g.lanes, 9);
	cr_assert_eq(g.recent_samples, 4097);
	cr_assert_eq(g.ring_log2, 13);
	cr_assert_eq(g.window_ns, 3600000000000u);
	cr_assert_eq(g.schema, 5);
	options.window_seconds = PROMCB_WINDOW_ANY;
	cr_assert_eq(made(&options, 4096).window_ns, 0);
	options.window_seconds = PROMCB_WINDOW_ANY - 1;
	cr_assert_eq(made(&options, 4096).window_ns, 4294967294000000000u);
}

Test(validate, options_out_of_range)
{
	const struct {
		struct promcb_options inside, outside;
		const char *says;
	} borders[] = {
		{{.max_bytes = PROMCB_BYTES_MAX}, {.max_bytes = PROMCB_BYTES_MAX + 1}, "17179869185 is out of range"},
		{{.max_bytes = PROMCB_BYTES_MAX}, {.max_bytes = UINT64_MAX}, "17179869184"},
		{{.components = 65000, .max_bytes = 1 << 30},
		 {.components = 65001, .max_bytes = 1 << 30},
		 "65001 is out of range"},
		{{.components = 1}, {.components = UINT32_MAX}, "components 4294967295"},
		{{.lanes = 1024}, {.lanes = 1025}, "lanes 1025 is out of range: 1 to 1024"},
		{{.lanes = 1}, {.lanes = UINT32_MAX}, "lanes"},
		{{.recent_samples = 32}, {.recent_samples = 31}, "samples 31 is out of range: 32 to 65536"},
		{{.recent_samples = 65536}, {.recent_samples = 65537}, "samples 65537"},
		{{.recent_samples = 32}, {.recent_samples = UINT32_MAX}, "samples"},
		{{.schema = 3}, {.schema = 2}, "schema 2 is out of range: 3 to 5"},
		{{.schema = 5}, {.schema = 6}, "schema 6"},
		{{.schema = 4}, {.schema = UINT32_MAX}, "schema"},
	};

	for (size_t i = 0; i < sizeof(borders) / sizeof(borders[0]); i++) {
		struct promcb_geometry g = made(&borders[i].inside, 4096);

		assert_sound(&g);
		assert_refused(&borders[i].outside, borders[i].says);
	}
}

/* The smallest maximum that is accepted: one page less is refused, with the arithmetic. */
Test(validate, smallest_segments)
{
	static const struct promcb_options kinds[] = {
		{.components = 1, .lanes = 1, .recent_samples = 32},
		{.components = 1024, .lanes = 256},
		{.components = 65000, .lanes = 1024, .recent_samples = 65536, .schema = 5}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct promcb_options options = kinds[i];
		uint64_t low = 4096, high = (uint64_t)1 << 30;
		struct promcb_geometry g;

		while (high - low > 4096) {
			options.max_bytes = low + (high - low) / 8192 * 4096;
			if (promcb_geometry_make(&options, 4096, &g, NULL) == 0)
				high = options.max_bytes;
			else
				low = options.max_bytes;
		}
		options.max_bytes = low;
		char least[64];

		/* What would do is named. */
		snprintf(least, sizeof(least), "need at least %" PRIu64 "K", high / 1024);
		assert_refused(&options, least);
		options.max_bytes = high;
		g = made(&options, 4096);
		assert_sound(&g);
		cr_assert_eq(g.chunks, 8);
	}
	assert_refused(&(struct promcb_options){.max_bytes = 1}, "too small");
	assert_refused(&(struct promcb_options){.max_bytes = 1024}, "a maximum size of 1024 bytes is too small");
}

/* A chunk's word has 12 bits for how many were carved. */
Test(validate, carved_counts_fit_their_bits)
{
	static const uint32_t pages[] = {4096, 16384, 65536, 2 << 20, 32 << 20}, samples[] = {32, 64, 65, 1000, 65536};

	for (size_t page = 0; page < sizeof(pages) / sizeof(pages[0]); page++)
		for (size_t sample = 0; sample < sizeof(samples) / sizeof(samples[0]); sample++) {
			struct promcb_options options = {.max_bytes = PROMCB_BYTES_MAX,
							 .components = 10,
							 .lanes = 4,
							 .recent_samples = samples[sample]};
			struct promcb_geometry g = made(&options, pages[page]);
			const uint32_t full[] = {0, promcb_blocks_per_chunk(&g), promcb_rings_per_chunk(&g)};

			for (uint32_t kind = PROMCB_CHUNK_BLOCKS; kind <= PROMCB_CHUNK_RINGS; kind++) {
				uint32_t word = promcb_chunk_word(kind, full[kind], g.lanes + 1);

				cr_assert_eq(promcb_chunk_kind(word), kind, "%u of kind %u, page %u, %u samples",
					     full[kind], kind, pages[page], samples[sample]);
				cr_assert_eq(promcb_chunk_carved(word), full[kind]);
				cr_assert(promcb_chunk_is_of(word, g.lanes + 1));
			}
		}
}

/* -- Judging ----------------------------------------------------------------------------------------------------- */

static int judge(const struct promcb_header *header, const char *says)
{
	struct promcb_message message = {.text = ""};
	int result = promcb_header_validate(header, path, &message);

	cr_assert_eq(promcb_header_validate(header, path, NULL), result);
	cr_assert_eq(result == 0, !*message.text, "%d: %s", result, message.text);
	if (result < 0) {
		cr_assert_not_null(strstr(message.text, path), "%s", message.text);
		cr_assert_not_null(strstr(message.text, says), "\"%s\" does not say \"%s\"", message.text, says);
	}
	return result;
}

static struct promcb_header good_header(void)
{
	struct promcb_options none = {.max_bytes = 0};
	struct promcb_geometry g = made(&none, 4096);

	return header_of(&g);
}

Test(validate, identification)
{
	struct promcb_header good = good_header(), header = good;

	cr_assert_eq(judge(&header, ""), 0);
	for (unsigned bit = 0; bit < 64; bit++) {
		header = good;
		header.magic ^= (uint64_t)1 << bit;
		cr_assert_eq(judge(&header, "not a promcb segment"), -EBADMSG);
		header = good;
		header.abi ^= (uint64_t)1 << bit;
		cr_assert_eq(judge(&header, "machine of another kind"), -EPROTO);
	}
	memset(&header, 0, sizeof(header));
	cr_assert_eq(judge(&header, "not a promcb segment"), -EBADMSG);
	cr_assert_eq(memcmp(&good.magic, "\x89PROMCB\n", 8), 0);
}

Test(validate, versions)
{
	struct promcb_header good = good_header(), header = good;
	char both[64];

	/* A newer minor version only adds. */
	for (uint32_t bit = 0; bit < 32; bit++) {
		header.format_minor = (uint32_t)1 << bit;
		cr_assert_eq(judge(&header, ""), 0);
	}
	/* Another major one is refused, whatever else is in the header, and both are named. */
	memset(&header.geometry, PATTERN, sizeof(header.geometry));
	header.abi = 0;
	header.format_minor = 7;
	for (uint32_t bit = 0; bit < 32; bit++) {
		header.format_major = PROMCB_FORMAT_MAJOR ^ (uint32_t)1 << bit;
		snprintf(both, sizeof(both), "format %u.7, ", header.format_major);
		cr_assert_eq(judge(&header, both), -EPROTO);
		snprintf(both, sizeof(both), "format %u.%u", PROMCB_FORMAT_MAJOR, PROMCB_FORMAT_MINOR);
		cr_assert_eq(judge(&header, both), -EPROTO);
	}
}

/* What a creator has no choice about is refused for one bit. */
Test(validate, one_bit_of_what_follows_from_the_rest)
{
	const size_t derived[][2] = {
		{offsetof(struct promcb_geometry, cells), 4},
		{offsetof(struct promcb_geometry, table_slots), 4},
		/* ring_log2 to the end: chunk sizes, strides, offsets */
		{offsetof(struct promcb_geometry, ring_log2),
		 sizeof(struct promcb_geometry) - offsetof(struct promcb_geometry, ring_log2)},
	};
	struct promcb_header good = good_header(), header = good;

	for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
		for (size_t bit = 8 * derived[i][0]; bit < 8 * (derived[i][0] + derived[i][1]); bit++) {
			uint8_t *byte = (uint8_t *)&header.geometry + bit / 8;

			*byte ^= (uint8_t)(1 << bit % 8);
			cr_assert_eq(judge(&header, "do not fit together"), -EBADMSG, "bit %zu", bit);
			*byte ^= (uint8_t)(1 << bit % 8);
		}
	cr_assert_eq(judge(&header, ""), 0);
}

/* A refused header is no trouble, and what is believed of any has the properties. */
static bool is_believed(const struct promcb_geometry *g)
{
	struct promcb_header header = header_of(g);
	int result = promcb_header_validate(&header, path, NULL);

	cr_assert(result == 0 || result == -EBADMSG);
	if (result == 0) {
		const char *fault = fault_of(g);

		cr_assert_null(fault, "%s is wrong, and believed", fault);
	}
	return result == 0;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* What follows from the seven numbers that a creator chooses, in 64 bits, and cut to the field at the end. */
static struct promcb_geometry with_the_rest(struct promcb_geometry g)
{
	const uint64_t page = g.page_bytes, slots = (uint64_t)g.lanes + 2;
	uint64_t ring = 64, chunk, table = 2, at[8], length[7];

	while (ring < g.recent_samples)
		ring *= 2;
	while (table < 2 * (uint64_t)g.components)
		table *= 2;
	chunk = ((ring * 8 > 65536 ? ring * 8 : 65536) + page - 1) / page * page;
	g.cells = promcb_bucket_cells(g.schema);
	g.ring_log2 = (uint32_t)__builtin_ctzll(ring);
	g.chunk_bytes = (uint32_t)chunk;
	g.block_bytes = ((384 + 16 * g.cells + 63) / 64 | 1) * 64;
	g.descriptor_bytes = 512;
	g.lane_bytes = 128;
	g.directory_words = (uint32_t)((4 * (uint64_t)g.components + page - 1) / page * (page / 4));
	g.table_slots = (uint32_t)table;
	length[0] = 1280;
	length[1] = slots * 128;
	length[2] = g.max_bytes / chunk * 4;
	length[3] = (uint64_t)g.components * 4;
	length[4] = table * 8;
	length[5] = (uint64_t)g.components * 512;
	length[6] = slots * g.directory_words * 4;
	at[0] = 0;
	for (int i = 0; i < 7; i++)
		at[i + 1] = (at[i] + length[i] + page - 1) / page * page;
	g.lanes_off = at[1];
	g.chunk_table_off = at[2];
	g.claims_off = at[3];
	g.table_off = at[4];
	g.descriptors_off = at[5];
	g.directories_off = at[6];
	g.chunks_off = at[7];
	g.chunks = g.max_bytes > at[7] ? (uint32_t)((g.max_bytes - at[7]) / chunk) : 0;
	return g;
}

/* Numbers at and around every bound, with all that follows from them: believed if they are allowed, and only then. */
Test(validate, strangers_numbers)
{
	static const uint32_t edges[] = {0,       1,       2,       3,        5,          6,         31,
					 32,      1023,    1024,    1025,     2048,       4095,      4096,
					 8192,    65000,   65001,   65002,    65536,      65537,     98304,
					 1 << 20, 2 << 20, 1 << 30, 1u << 31, 0x7fffffff, UINT32_MAX};
	enum { EDGES = sizeof(edges) / sizeof(edges[0]), ROUNDS = 100000 };
	const struct promcb_geometry good = good_header().geometry;
	uint64_t random = 0x9e3779b97f4a7c15u;
	uint32_t believed = 0, refused = 0, disagreed = 0;

	cr_assert_arr_eq(&good, &(struct promcb_geometry[]){with_the_rest(good)}, sizeof(good));
	for (int round = 0; round < ROUNDS; round++) {
		struct promcb_geometry g = good;
		uint32_t *const chosen[] = {&g.schema, &g.lanes, &g.components, &g.recent_samples, &g.page_bytes};

		g.max_bytes = next_random(&random) >> (28 + next_random(&random) % 20);
		for (uint64_t changes = next_random(&random) % 3; changes > 0; changes--)
			*chosen[next_random(&random) % 5] = edges[next_random(&random) % EDGES];
		/* Not a page at all: nothing can be a multiple of it. */
		if (g.page_bytes < 4)
			continue;
		g = with_the_rest(g);
		bool allowed = is_allowed(&g);

		believed += allowed;
		refused += !allowed;
		disagreed += is_believed(&g) != allowed;
	}
	cr_assert_eq(disagreed, 0);
	cr_assert_gt(believed, ROUNDS / 10, "%u", believed);
	cr_assert_gt(refused, ROUNDS / 10, "%u", refused);
}

Test(validate, strangers_noise)
{
	struct promcb_geometry good = good_header().geometry, g;
	uint64_t random = 0x2545f4914f6cdd1du;

	for (int round = 0; round < 20000; round++) {
		uint64_t bits = next_random(&random);

		for (size_t word = 0; word < sizeof(g) / 8; word++)
			((uint64_t *)&g)[word] = next_random(&random);
		cr_assert_not(is_believed(&g));
		/* One word of noise, of any size, in what is good. */
		g = good;
		((uint64_t *)&g)[bits % (sizeof(g) / 8)] = next_random(&random) >> (bits >> 58);
		is_believed(&g);
	}
}

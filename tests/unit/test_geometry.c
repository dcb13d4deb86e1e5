/* SPDX-License-Identifier: MIT */
/* Geometries that options make: sound, or refused with a sentence. */
#include "geometry_properties.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

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

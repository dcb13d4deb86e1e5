/* SPDX-License-Identifier: MIT */
/*
 * check.c: every invariant of the format that can be seen from outside, for operators and tests.
 *
 * A snapshot refuses what it cannot count; this goes on to what it need not look at: chunks, claims, rings, hashes,
 * slots.
 */
#include "read/check.h"

#include "base/hash.h"
#include "read/findings.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void promcb_find(struct promcb_findings *findings, const char *format, ...)
{
	char sentence[256];
	va_list arguments;

	if (findings->count < INT_MAX)
		findings->count++;
	if (findings->count > PROMCB_TOLD_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	findings->report(findings->context, sentence);
}

static void check_chunks(struct promcb_findings *findings, const struct promcb_catalog *image)
{
	const struct promcb_geometry *g = image->geometry;
	uint32_t blocks = promcb_blocks_per_chunk(g), rings = promcb_rings_per_chunk(g);

	for (uint32_t chunk = 0; chunk < g->chunks; chunk++) {
		uint32_t word = image->chunk_words[chunk], kind = promcb_chunk_kind(word), each = 0, listed = 0;

		if (word == 0)
			continue;
		if (kind > PROMCB_CHUNK_RINGS)
			continue;
		if (kind != PROMCB_CHUNK_BLOCKS && kind != PROMCB_CHUNK_RINGS)
			promcb_find(findings, "chunk %u has kind %u, which is none", chunk, kind);
		each = kind == PROMCB_CHUNK_BLOCKS ? blocks : rings;
		if (promcb_chunk_lane(word) >= g->lanes + PROMCB_SPECIAL_LANES)
			promcb_find(findings, "chunk %u belongs to lane %u, which is none", chunk,
				    promcb_chunk_lane(word));
		if (promcb_chunk_carved(word) > each)
			promcb_find(findings, "chunk %u has %u carved, more than fit", chunk,
				    promcb_chunk_carved(word));
		for (uint32_t slot = 0; kind == PROMCB_CHUNK_BLOCKS && slot < blocks; slot++)
			if (image->block_component[chunk * blocks + slot])
				listed = slot + 1;
		/* It is counted after it was published, so it may lag by one. */
		if (listed > promcb_chunk_carved(word) + 1)
			promcb_find(findings, "chunk %u lists block %u, which was never carved", chunk, listed - 1);
	}
}

static bool is_overflow(const struct promcb_catalog *image, uint32_t number)
{
	uint32_t index = image->index_of[image->block_component[number] - 1];

	return index && image->components[index - 1].overflow == number + 1;
}

static void check_blocks(struct promcb_findings *findings, struct promcb_catalog *image, struct promcb_source *source)
{
	const struct promcb_geometry *g = image->geometry;
	uint32_t *seen = calloc((size_t)g->chunks * promcb_rings_per_chunk(g) + 1, sizeof(*seen));
	struct promcb_block *copy = aligned_alloc(64, (g->block_bytes + 63) / 64 * 64);

	for (uint32_t number = 0; seen && copy && number < image->block_count; number++) {
		if (!image->block_component[number])
			continue;
		const struct promcb_block *block =
			promcb_source_view(source, promcb_block_off(g, number), g->block_bytes, copy);
		uint64_t kind = block ? promcb_load_relaxed(&block->kind) : 0;

		if (!block) {
			promcb_find(findings, "block %u lies past the end of %" PRIu64 " bytes", number,
				    source->file_bytes);
			continue;
		}
		bool overflow = is_overflow(image, number);

		if (kind > PROMCB_BLOCK_BASELINE && !overflow)
			continue;
		if (kind != (overflow ? PROMCB_BLOCK_OVERFLOW : PROMCB_BLOCK_PLAIN))
			promcb_find(findings, "block %u has kind %" PRIu64 ", which is none that may be listed so",
				    number, kind);
		if (promcb_pair_component(promcb_load_relaxed(&block->component_lane)) !=
		    image->block_component[number] - 1)
			promcb_find(findings, "block %u is listed for component %u, and says it is another's", number,
				    image->block_component[number] - 1);
		uint64_t ring = promcb_load_relaxed(&block->ring);

		if (ring == 0)
			continue;
		if (ring > (uint64_t)g->chunks * promcb_rings_per_chunk(g))
			promcb_find(findings, "block %u has ring %" PRIu64 ", which is out of range", number, ring);
		else if (seen[ring]++)
			promcb_find(findings, "block %u shares ring %" PRIu64 " with another", number, ring - 1);
		else if (!promcb_catalog_chunk_is(image, source, (uint32_t)(ring - 1) / promcb_rings_per_chunk(g),
						  PROMCB_CHUNK_RINGS,
						  (uint32_t)promcb_load_relaxed(&block->component_lane)))
			promcb_find(findings, "block %u has ring %" PRIu64 ", which is another lane's", number,
				    ring - 1);
	}
	if (!seen || !copy)
		promcb_find(findings, "no memory to check %u blocks of %u bytes", image->block_count, g->block_bytes);
	free(seen);
	free(copy);
}

static void check_claims(struct promcb_findings *findings, const struct promcb_catalog *image,
			 struct promcb_source *source)
{
	const struct promcb_geometry *g = image->geometry;

	for (uint32_t i = 0; i < image->count; i++) {
		uint32_t component = image->components[i].component, copy;
		const uint32_t *claim =
			promcb_source_view(source, g->claims_off + component * sizeof(copy), sizeof(copy), &copy);

		if (!claim || promcb_load32_relaxed(claim) == 0)
			promcb_find(findings, "component %u is listed, and nobody claimed its descriptor", component);
		else if (promcb_load32_relaxed(claim) > g->lanes + PROMCB_SPECIAL_LANES)
			promcb_find(findings, "component %u is claimed by lane %u, which is none", component,
				    promcb_load32_relaxed(claim) - 1);
	}
}

/* Whether a producer that looks for a hash comes to the slot: none before it is free. */
static bool is_reached(const uint64_t *table, uint32_t mask, uint64_t hash, uint32_t slot)
{
	for (uint32_t at = (uint32_t)hash & mask; at != slot; at = (at + 1) & mask)
		if (promcb_load_relaxed(&table[at]) == 0)
			return false;
	return true;
}

/* Names are looked for by hash: a component that no producer finds is listed by readers all the same. */
static void check_names(struct promcb_findings *findings, const struct promcb_catalog *image,
			struct promcb_source *source)
{
	const struct promcb_geometry *g = image->geometry;
	uint64_t bytes = g->table_slots * sizeof(uint64_t);
	uint64_t *buffer = aligned_alloc(64, (bytes + 63) / 64 * 64);
	const uint64_t *table = buffer ? promcb_source_view(source, g->table_off, bytes, buffer) : NULL;

	if (!table)
		promcb_find(findings, "no memory to check a table of %u slots", g->table_slots);
	for (uint32_t i = 0; table && i < image->count && !promcb_source_is_late(source); i++) {
		const struct promcb_catalog_component *listed = &image->components[i];
		uint64_t hash = promcb_table_hash_of(
			promcb_hash(source->header.identity, listed->name.text, listed->name.bytes));
		uint64_t table_hash = promcb_table_hash(listed->word);

		if (listed->hash != hash && table_hash != hash)
			promcb_find(findings, "component %u is called \"%s\", and has the hash of another name",
				    listed->component, listed->name.text);
		else if (listed->hash != hash)
			promcb_find(findings,
				    "component %u, \"%s\", has another hash in its descriptor than its name has",
				    listed->component, listed->name.text);
		else if (table_hash != hash)
			promcb_find(findings,
				    "slot %u of the table leads to component %u, \"%s\", by another name's hash",
				    listed->slot, listed->component, listed->name.text);
		else if (!is_reached(table, g->table_slots - 1, hash, listed->slot))
			promcb_find(findings,
				    "component %u, \"%s\", is in slot %u of the table, where nobody looks for it",
				    listed->component, listed->name.text, listed->slot);
		if (!listed->is_padded)
			promcb_find(findings, "component %u, \"%s\", has bytes behind its name", listed->component,
				    listed->name.text);
	}
	free(buffer);
}

static void check_clocks(struct promcb_findings *findings, const struct promcb_catalog *image,
			 const struct promcb_source *source)
{
	for (uint32_t lane = 0; lane < image->geometry->lanes && !promcb_source_is_late(source); lane++)
		if (image->lanes[lane].used && !image->lanes[lane].samples_count &&
		    promcb_source_is_held(source, lane) == 1)
			promcb_find(findings,
				    "lane %u is held by a process whose clock is not known here, as if it ran under "
				    "another boot: its calls count, and have no recent quantiles",
				    lane);
}

int promcb_check(struct promcb_source *source, void (*report)(void *context, const char *sentence), void *context)
{
	struct promcb_findings findings = {.report = report, .context = context};
	struct promcb_message message = {.text = ""};
	struct promcb_catalog image = {.count = 0};
	int result = promcb_source_begin(source, &message);

	if (result == 0)
		result = promcb_catalog_make(&image, source, &message);
	if (result == 0) {
		check_chunks(&findings, &image);
		check_blocks(&findings, &image, source);
		check_claims(&findings, &image, source);
		check_names(&findings, &image, source);
		check_clocks(&findings, &image, source);
		promcb_check_breakers(&findings, &image, source);
		result = promcb_check_metrics(&findings, &image, source);
	}
	promcb_catalog_free(&image);
	if (result == -ENOMEM)
		return result;
	if (result < 0)
		promcb_find(&findings, "%s", message.text);
	if (findings.count > PROMCB_TOLD_MAX) {
		char sentence[64];

		snprintf(sentence, sizeof(sentence), "and %d findings more, %d in all",
			 findings.count - PROMCB_TOLD_MAX, findings.count);
		report(context, sentence);
	}
	return findings.count;
}

/* SPDX-License-Identifier: MIT */
#include "format/geometry.h"

#include "base/bucket.h"

#include <errno.h>
#include <inttypes.h>

enum {
	DEFAULT_COMPONENTS = 1024,
	DEFAULT_LANES = 256,
	DEFAULT_RECENT_SAMPLES = 1000,
	RECENT_SAMPLES_MIN = 32,
	RECENT_SAMPLES_MAX = 65536,
	DEFAULT_WINDOW_SECONDS = 600,
	CHUNK_BYTES = 65536,
	FULL_RING_LOG2_MIN = 6,
	/* Room for "_overflow" and a few lanes at work. */
	CHUNKS_MIN = 8,
};

#define DEFAULT_MAX_BYTES ((uint64_t)32 << 20)

static uint64_t round_up(uint64_t value, uint64_t step)
{
	return (value + step - 1) / step * step;
}

/*
 * An odd number of lines, so that the headers of neighbours fall into different sets of a cache, and no multiple of a
 * page.
 */
static uint32_t block_stride(uint32_t buckets)
{
	uint32_t bytes = (uint32_t)round_up(sizeof(struct promcb_block) + 2 * buckets * sizeof(uint64_t), 64);

	return bytes / 64 % 2 ? bytes : bytes + 64;
}

/* Fills what follows from the sizes and counts. Needs them in range. */
static void place(struct promcb_geometry *g)
{
	uint64_t page = g->page_bytes, lane_slots = g->lanes + PROMCB_SPECIAL_LANES;

	g->buckets = promcb_schema_buckets(g->schema);
	g->ring_log2 = FULL_RING_LOG2_MIN;
	while ((uint32_t)1 << g->ring_log2 < g->recent_samples)
		g->ring_log2++;
	g->chunk_bytes = CHUNK_BYTES;
	if (g->chunk_bytes < (uint32_t)sizeof(uint64_t) << g->ring_log2)
		g->chunk_bytes = (uint32_t)sizeof(uint64_t) << g->ring_log2;
	g->chunk_bytes = (uint32_t)round_up(g->chunk_bytes, page);
	g->block_bytes = block_stride(g->buckets);
	g->descriptor_bytes = sizeof(struct promcb_descriptor);
	g->lane_bytes = sizeof(struct promcb_lane);
	g->directory_words = (uint32_t)(round_up(g->components * sizeof(uint32_t), page) / sizeof(uint32_t));
	g->table_slots = 2;
	while (g->table_slots < 2 * g->components)
		g->table_slots *= 2;
	/* As many chunks as would fit if they were all; then as many as are left by the table that counts them. */
	g->chunks = (uint32_t)(g->max_bytes / g->chunk_bytes);
	g->lanes_off = round_up(sizeof(struct promcb_header), page);
	g->chunk_table_off = round_up(g->lanes_off + lane_slots * g->lane_bytes, page);
	g->claims_off = round_up(g->chunk_table_off + g->chunks * sizeof(uint32_t), page);
	g->table_off = round_up(g->claims_off + g->components * sizeof(uint32_t), page);
	g->descriptors_off = round_up(g->table_off + g->table_slots * sizeof(uint64_t), page);
	g->directories_off = round_up(g->descriptors_off + (uint64_t)g->components * g->descriptor_bytes, page);
	g->chunks_off = round_up(g->directories_off + lane_slots * g->directory_words * sizeof(uint32_t), page);
	uint64_t room = g->max_bytes > g->chunks_off ? g->max_bytes - g->chunks_off : 0;

	g->chunks = (uint32_t)(room / g->chunk_bytes);
}

uint64_t promcb_geometry_fixed_bytes(const struct promcb_geometry *geometry)
{
	return geometry->descriptors_off;
}

static int out_of_range(struct promcb_message *message, const char *what, uint64_t value, uint64_t low, uint64_t high)
{
	return promcb_message_error(message, -EINVAL, "%s %" PRIu64 " is out of range: %" PRIu64 " to %" PRIu64, what,
				    value, low, high);
}

/* The least maximum size that has room for a geometry's components and lanes. */
static uint64_t least_bytes(const struct promcb_geometry *wanted)
{
	uint64_t page = wanted->page_bytes, low = 0, high = PROMCB_BYTES_MAX / page;

	/* It is in (low, high], in pages. */
	while (high - low > 1) {
		struct promcb_geometry g = *wanted;
		uint64_t middle = low + (high - low) / 2;

		g.max_bytes = middle * page;
		place(&g);
		if (g.chunks < CHUNKS_MIN)
			low = middle;
		else
			high = middle;
	}
	return high * page;
}

int promcb_geometry_make(const struct promcb_options *options, uint32_t page_bytes, struct promcb_geometry *geometry,
			 struct promcb_message *message)
{
	struct promcb_geometry g = {
		.max_bytes = options->max_bytes ? options->max_bytes : DEFAULT_MAX_BYTES,
		.window_ns = (uint64_t)(options->window_seconds ? options->window_seconds : DEFAULT_WINDOW_SECONDS) *
			     1000000000u,
		.page_bytes = page_bytes,
		.schema = options->schema ? options->schema : PROMCB_SCHEMA_MIN,
		.lanes = options->lanes ? options->lanes : DEFAULT_LANES,
		.components = (options->components ? options->components : DEFAULT_COMPONENTS) + 1,
		.recent_samples = options->recent_samples ? options->recent_samples : DEFAULT_RECENT_SAMPLES,
	};

	if (options->window_seconds == PROMCB_WINDOW_ANY)
		g.window_ns = 0;
	if (g.max_bytes > PROMCB_BYTES_MAX)
		return out_of_range(message, "the maximum size in bytes", g.max_bytes, 1 << 20, PROMCB_BYTES_MAX);
	if (options->components > PROMCB_COMPONENTS_MAX)
		return out_of_range(message, "the number of components", options->components, 1, PROMCB_COMPONENTS_MAX);
	if (g.lanes > PROMCB_LANES_MAX)
		return out_of_range(message, "the number of lanes", g.lanes, 1, PROMCB_LANES_MAX);
	if (g.recent_samples < RECENT_SAMPLES_MIN || g.recent_samples > RECENT_SAMPLES_MAX)
		return out_of_range(message, "the number of recent samples", g.recent_samples, RECENT_SAMPLES_MIN,
				    RECENT_SAMPLES_MAX);
	if (g.schema < PROMCB_SCHEMA_MIN || g.schema > PROMCB_SCHEMA_MAX)
		return out_of_range(message, "the histogram schema", g.schema, PROMCB_SCHEMA_MIN, PROMCB_SCHEMA_MAX);
	g.max_bytes = g.max_bytes / page_bytes * page_bytes;
	place(&g);
	if (g.chunks < CHUNKS_MIN)
		return promcb_message_error(message, -EINVAL,
					    "a maximum size of %" PRIu64
					    " bytes is too small: %u components and %u lanes need at least "
					    "%" PRIu64 "K",
					    options->max_bytes ? options->max_bytes : (uint64_t)DEFAULT_MAX_BYTES,
					    g.components - 1, g.lanes, least_bytes(&g) / 1024);
	*geometry = g;
	return 0;
}

/* Whether the geometry is the one that place() makes from its own sizes and counts: nothing else is ever written. */
static bool geometry_is_sound(const struct promcb_geometry *theirs)
{
	struct promcb_geometry ours = {
		.max_bytes = theirs->max_bytes,
		.window_ns = theirs->window_ns,
		.page_bytes = theirs->page_bytes,
		.schema = theirs->schema,
		.lanes = theirs->lanes,
		.components = theirs->components,
		.recent_samples = theirs->recent_samples,
	};

	if (theirs->max_bytes > PROMCB_BYTES_MAX || theirs->schema < PROMCB_SCHEMA_MIN ||
	    theirs->schema > PROMCB_SCHEMA_MAX || theirs->lanes == 0 || theirs->lanes > PROMCB_LANES_MAX ||
	    theirs->components == 0 || theirs->components > PROMCB_COMPONENTS_MAX + 1 ||
	    theirs->recent_samples < RECENT_SAMPLES_MIN || theirs->recent_samples > RECENT_SAMPLES_MAX ||
	    theirs->page_bytes < 4096 || theirs->page_bytes > 1 << 30 ||
	    (theirs->page_bytes & (theirs->page_bytes - 1)))
		return false;
	place(&ours);
	return ours.chunks >= CHUNKS_MIN && memcmp(&ours, theirs, sizeof(ours)) == 0;
}

int promcb_header_validate(const struct promcb_header *header, const char *path, struct promcb_message *message)
{
	if (header->magic != PROMCB_MAGIC)
		return promcb_message_error(
			message, -EBADMSG,
			"%s is not a promcb segment: its first 8 bytes say otherwise; if it was one, "
			"promcb-admin remove --force removes what is left",
			path);
	if (header->format_major != PROMCB_FORMAT_MAJOR)
		return promcb_message_error(
			message, -EPROTO,
			"%s has segment format %u.%u, this promcb " PROMCB_VERSION
			" has format %d.%d: use the promcb that made it, or remove it with promcb-admin remove",
			path, header->format_major, header->format_minor, PROMCB_FORMAT_MAJOR, PROMCB_FORMAT_MINOR);
	if (header->abi != PROMCB_ABI)
		return promcb_message_error(message, -EPROTO,
					    "%s was made by a machine of another kind: its ABI word is %#" PRIx64
					    ", here it is %#" PRIx64,
					    path, header->abi, PROMCB_ABI);
	if (!geometry_is_sound(&header->geometry))
		return promcb_message_error(
			message, -EBADMSG,
			"%s is corrupt: its header's sizes do not fit together; remove it with promcb-admin "
			"remove --force",
			path);
	return 0;
}

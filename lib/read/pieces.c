/* SPDX-License-Identifier: MIT */
#include "read/pieces.h"

#include <errno.h>
#include <stdlib.h>

int promcb_pieces_start(struct promcb_pieces *pieces, struct promcb_catalog *catalog, struct promcb_source *source,
			struct promcb_message *message)
{
	const struct promcb_geometry *g = catalog->geometry;

	*pieces = (struct promcb_pieces){.catalog = catalog, .source = source, .message = message};
	pieces->chunks = calloc(g->chunks + 1, sizeof(*pieces->chunks));
	pieces->lanes = calloc((size_t)g->chunks * promcb_parts_per_chunk(g) + 1, sizeof(*pieces->lanes));
	return pieces->chunks && pieces->lanes ? 0 : -ENOMEM;
}

void promcb_pieces_stage(struct promcb_pieces *pieces)
{
	/* What lies in the map is no copy. */
	for (uint32_t chunk = 0; chunk < pieces->copied_end; chunk++) {
		free((void *)(uintptr_t)pieces->chunks[chunk]);
		pieces->chunks[chunk] = NULL;
	}
	pieces->copied_end = 0;
}

void promcb_pieces_free(struct promcb_pieces *pieces)
{
	promcb_pieces_stage(pieces);
	free(pieces->chunks);
	free(pieces->lanes);
	pieces->chunks = NULL;
	pieces->lanes = NULL;
}

int promcb_pieces_corrupt(const struct promcb_pieces *pieces, const char *what, uint64_t number)
{
	return promcb_message_error(pieces->message, -EBADMSG, "segment %s is corrupt: %s (%llu)", pieces->source->path,
				    what, (unsigned long long)number);
}

/* A whole chunk, in the map or copied in this stage. NULL: it has holes, as no honest one; or there is no memory. */
static const uint8_t *find_chunk(struct promcb_pieces *pieces, uint32_t chunk)
{
	const struct promcb_geometry *g = pieces->catalog->geometry;
	uint64_t off = g->chunks_off + (uint64_t)chunk * g->chunk_bytes;
	bool is_whole = promcb_source_data(pieces->source, off, g->chunk_bytes) == g->chunk_bytes;
	void *copy;

	if (!is_whole)
		return NULL;
	if (pieces->source->base) {
		/* Beyond, nobody looked for holes. */
		if (off + g->chunk_bytes <= pieces->source->extents_end)
			pieces->chunks[chunk] = pieces->source->base + off;
		return pieces->chunks[chunk];
	}
	copy = aligned_alloc(PROMCB_LINE_BYTES, g->chunk_bytes);
	if (!copy || !promcb_source_view(pieces->source, off, g->chunk_bytes, copy)) {
		free(copy);
		return NULL;
	}
	pieces->chunks[chunk] = copy;
	if (pieces->copied_end <= chunk)
		pieces->copied_end = chunk + 1;
	return copy;
}

/* Some bytes of a chunk: of the whole one, or read into buffer. */
static const void *view(struct promcb_pieces *pieces, uint32_t chunk, uint32_t at, uint32_t bytes, void *buffer)
{
	const struct promcb_geometry *g = pieces->catalog->geometry;
	const uint8_t *whole = pieces->chunks[chunk];

	if (!whole)
		whole = find_chunk(pieces, chunk);
	return whole ? whole + at
		     : promcb_source_view(pieces->source, g->chunks_off + (uint64_t)chunk * g->chunk_bytes + at, bytes,
					  buffer);
}

/* Whether the part is one of that lane's, or of anybody's. Once it is somebody's it stays his. */
static bool is_part(struct promcb_pieces *pieces, uint32_t chunk, uint32_t part, uint32_t lane)
{
	const struct promcb_geometry *g = pieces->catalog->geometry;
	uint16_t *known = &pieces->lanes[chunk * promcb_parts_per_chunk(g) + part];
	uint32_t copy, word;
	const uint32_t *at;

	if (*known == 0) {
		/* [CHUNK] after the place that leads there. */
		if (!promcb_catalog_chunk_is(pieces->catalog, pieces->source, chunk, PROMCB_CHUNK_PARTS, UINT32_MAX))
			return false;
		at = view(pieces, chunk, part * (uint32_t)sizeof(copy), sizeof(copy), &copy);
		word = at ? promcb_load32_relaxed(at) : 0;
		if (promcb_chunk_kind(word) != PROMCB_PART_KIND ||
		    promcb_chunk_lane(word) >= g->lanes + PROMCB_SPECIAL_LANES)
			return false;
		*known = (uint16_t)(promcb_chunk_lane(word) + 1);
	}
	return lane == UINT32_MAX || *known == lane + 1;
}

const void *promcb_pieces_view(struct promcb_pieces *pieces, uint32_t place, const struct promcb_piece_wanted *wanted,
			       void *buffer, uint32_t *lines)
{
	const struct promcb_geometry *g = pieces->catalog->geometry;
	uint32_t chunk = promcb_place_chunk(g, place), part = promcb_place_part(g, place);
	uint32_t line = promcb_place_line(place), has = wanted->lines;
	uint32_t at = (part * PROMCB_PART_LINES + line) * PROMCB_LINE_BYTES;
	const uint64_t *piece;
	uint64_t head;

	if (place == 0 || chunk >= g->chunks || line < promcb_part_first_line(g, part) ||
	    line + has > PROMCB_PART_LINES || !is_part(pieces, chunk, part, wanted->lane))
		return NULL;
	if (has == 0) {
		piece = view(pieces, chunk, at, PROMCB_LINE_BYTES, buffer);
		has = piece ? promcb_piece_lines(promcb_load_relaxed(piece)) : 0;
		if (has == 0 || line + has > PROMCB_PART_LINES)
			return NULL;
	}
	piece = view(pieces, chunk, at, has * PROMCB_LINE_BYTES, buffer);
	head = piece ? promcb_load_relaxed(piece) : 0;
	if ((wanted->kind && promcb_piece_kind(head) != wanted->kind) || promcb_piece_lines(head) != has ||
	    (wanted->by_head &&
	     (promcb_piece_copy(head) != wanted->copy || promcb_piece_number(head) != wanted->number)))
		return NULL;
	if (lines)
		*lines = has;
	return piece;
}

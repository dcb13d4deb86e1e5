/* SPDX-License-Identifier: MIT */
#include "read/pieces.h"

#include <errno.h>
#include <stdlib.h>

int promcb_pieces_start(struct promcb_pieces *pieces, struct promcb_catalog *catalog, struct promcb_source *source,
			struct promcb_message *message)
{
	*pieces = (struct promcb_pieces){.catalog = catalog, .source = source, .message = message};
	pieces->chunks = calloc(catalog->geometry->chunks + 1, sizeof(*pieces->chunks));
	return pieces->chunks ? 0 : -ENOMEM;
}

void promcb_pieces_stage(struct promcb_pieces *pieces)
{
	for (uint32_t chunk = 0; pieces->chunks && chunk < pieces->catalog->geometry->chunks; chunk++) {
		free((void *)(uintptr_t)pieces->chunks[chunk]);
		pieces->chunks[chunk] = NULL;
	}
}

void promcb_pieces_free(struct promcb_pieces *pieces)
{
	promcb_pieces_stage(pieces);
	free(pieces->chunks);
	pieces->chunks = NULL;
}

int promcb_pieces_corrupt(const struct promcb_pieces *pieces, const char *what, uint64_t number)
{
	return promcb_message_error(pieces->message, -EBADMSG, "segment %s is corrupt: %s (%llu)", pieces->source->path,
				    what, (unsigned long long)number);
}

/* Some bytes of a chunk: in the map, in this stage's copy of the chunk, or read into buffer. */
static const void *view(struct promcb_pieces *pieces, uint32_t chunk, uint32_t at, uint32_t bytes, void *buffer)
{
	const struct promcb_geometry *g = pieces->catalog->geometry;
	uint64_t off = g->chunks_off + (uint64_t)chunk * g->chunk_bytes;

	if (pieces->source->base)
		return promcb_source_view(pieces->source, off + at, bytes, buffer);
	/* A chunk with holes is no honest one, and takes no memory here. */
	if (!pieces->chunks[chunk] && promcb_source_data(pieces->source, off, g->chunk_bytes) == g->chunk_bytes) {
		void *copy = aligned_alloc(PROMCB_LINE_BYTES, g->chunk_bytes);

		pieces->chunks[chunk] = copy ? promcb_source_view(pieces->source, off, g->chunk_bytes, copy) : NULL;
		if (!pieces->chunks[chunk])
			free(copy);
	}
	if (pieces->chunks[chunk])
		return pieces->chunks[chunk] + at;
	return promcb_source_view(pieces->source, off + at, bytes, buffer);
}

/* Whether the part is one of that lane's, or of anybody's. */
static bool is_part(struct promcb_pieces *pieces, uint32_t chunk, uint32_t part, uint32_t lane)
{
	const struct promcb_geometry *g = pieces->catalog->geometry;
	uint32_t copy, word;
	const uint32_t *at;

	/* [CHUNK] after the place that leads there. */
	if (promcb_chunk_kind(promcb_catalog_chunk_word(pieces->catalog, pieces->source, chunk)) != PROMCB_CHUNK_PARTS)
		return false;
	at = view(pieces, chunk, part * (uint32_t)sizeof(copy), sizeof(copy), &copy);
	word = at ? promcb_load32_relaxed(at) : 0;
	return promcb_chunk_kind(word) == PROMCB_PART_KIND &&
	       promcb_chunk_lane(word) < g->lanes + PROMCB_SPECIAL_LANES &&
	       (lane == UINT32_MAX || promcb_chunk_lane(word) == lane);
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

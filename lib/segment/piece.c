/* SPDX-License-Identifier: MIT */
#include "segment/piece.h"

uint32_t promcb_segment_chunks(const struct promcb_segment *segment)
{
	const struct promcb_geometry *g = &segment->geometry;

	if (segment->mapped_bytes <= g->chunks_off)
		return 0;
	uint64_t mapped = (segment->mapped_bytes - g->chunks_off) / g->chunk_bytes;

	return mapped < g->chunks ? (uint32_t)mapped : g->chunks;
}

bool promcb_segment_has_parts(struct promcb_segment *segment, uint32_t chunk)
{
	return promcb_segment_has_chunk(segment, chunk, PROMCB_CHUNK_PARTS) &&
	       promcb_chunk_carved(promcb_load32_relaxed(promcb_segment_chunk_word(segment, chunk))) != 0;
}

uint32_t *promcb_segment_part_word(const struct promcb_segment *segment, uint32_t chunk, uint32_t part)
{
	return (uint32_t *)(void *)(segment->base + promcb_chunk_off(&segment->geometry, chunk)) + part;
}

void *promcb_segment_piece(struct promcb_segment *segment, uint32_t place, uint32_t kind, uint32_t lines)
{
	const struct promcb_geometry *g = &segment->geometry;
	uint32_t chunk, part, line, word;

	if (place == 0 || place > PROMCB_PLACE_MASK)
		return NULL;
	chunk = promcb_place_chunk(g, place);
	part = promcb_place_part(g, place);
	line = promcb_place_line(place);
	if (!promcb_segment_has_parts(segment, chunk) || line < promcb_part_first_line(g, part))
		return NULL;
	word = promcb_load32_relaxed(promcb_segment_part_word(segment, chunk, part));
	if (promcb_chunk_kind(word) != PROMCB_PART_KIND || promcb_chunk_lane(word) >= g->lanes + PROMCB_SPECIAL_LANES)
		return NULL;
	uint64_t *piece = (uint64_t *)(void *)(segment->base + promcb_place_off(g, place));
	uint64_t head = promcb_load_relaxed(piece);

	if (promcb_piece_kind(head) != kind || promcb_piece_lines(head) == 0 ||
	    (lines && promcb_piece_lines(head) != lines) || line + promcb_piece_lines(head) > PROMCB_PART_LINES)
		return NULL;
	return piece;
}

struct promcb_metrics_root *promcb_segment_root(struct promcb_segment *segment)
{
	/* [PIECE] acquire: the place before the root. */
	uint64_t place = promcb_load_acquire(&promcb_segment_header(segment)->metrics);

	return place <= PROMCB_PLACE_MASK
		       ? promcb_segment_piece(segment, (uint32_t)place, PROMCB_PIECE_ROOT, PROMCB_PART_LINES)
		       : NULL;
}

uint64_t *promcb_segment_slot(struct promcb_segment *segment, struct promcb_metrics_root *root, uint64_t hash,
			      uint32_t step, uint32_t *page)
{
	uint32_t number = promcb_table_page(hash, step);
	uint32_t slot = promcb_table_slot(hash, step);
	/* [PIECE] acquire: the page's place before the page. */
	uint64_t *words = promcb_segment_piece(segment, promcb_load32_acquire(&root->tables[number]),
					       PROMCB_PIECE_TABLE, PROMCB_PART_LINES);

	*page = slot == 0 ? UINT32_MAX : number;
	return words && slot ? words + slot : NULL;
}

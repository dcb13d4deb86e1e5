/* SPDX-License-Identifier: MIT */
/*
 * piece.h: addresses of what format/metrics.h describes. Async-signal-safe.
 *
 * Invariant: every address handed out is of memory that the segment has, and that no other piece can be in, whatever
 * the words say that led there.
 */
#ifndef PROMCB_PIECE_H
#define PROMCB_PIECE_H

#include "format/metrics.h"
#include "segment/segment.h"

/* How many chunks' words may be looked at: those in the mapping. */
uint32_t promcb_segment_chunks(const struct promcb_segment *segment);

/* Whether the chunk is one of parts that has memory. */
bool promcb_segment_has_parts(struct promcb_segment *segment, uint32_t chunk);

/* The word of a part, counted in its chunk. The chunk must be one of the above. */
uint32_t *promcb_segment_part_word(const struct promcb_segment *segment, uint32_t chunk, uint32_t part);

/*
 * The piece at a place. lines: how many it has; 0: whatever its head says. [PIECE] the place was loaded with acquire.
 * NULL if there is no such piece, or it is not believable. Whether it was counted in its part does not matter.
 */
void *promcb_segment_piece(struct promcb_segment *segment, uint32_t place, uint32_t kind, uint32_t lines);

/*
 * How many bytes of a piece at the place belong to it: what its head says now, which a stranger may have changed since
 * it was found, and in any case no more than its part has.
 */
static inline size_t promcb_segment_piece_bytes(uint32_t place, const void *piece)
{
	uint32_t lines = promcb_piece_lines(promcb_load_relaxed(piece)),
		 most = PROMCB_PART_LINES - promcb_place_line(place);

	return (size_t)(lines < most ? lines : most) * PROMCB_LINE_BYTES;
}

/* The root of all metrics, NULL if there is none. */
struct promcb_metrics_root *promcb_segment_root(struct promcb_segment *segment);

/*
 * The slot of a step of the search for what has the hash. NULL: there is none; then page is that which is not there, or
 * UINT32_MAX where it is the page's head that lies there, and the search goes on with the next step.
 */
uint64_t *promcb_segment_slot(struct promcb_segment *segment, struct promcb_metrics_root *root, uint64_t hash,
			      uint32_t step, uint32_t *page);

#endif

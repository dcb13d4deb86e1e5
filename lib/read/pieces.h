/* SPDX-License-Identifier: MIT */
/*
 * pieces.h: the pieces of format/metrics.h out of a source: from a place to bytes, with everything checked that says
 * that there is such a piece. Untrusted.
 *
 * By copies, chunks are copied whole, once a stage: rows and records are small, and calls of the kernel are not. What
 * leads to a piece is read in an earlier stage than the piece [PIECE]: a copy that is older than what led to it would
 * show it half made.
 */
#ifndef PROMCB_PIECES_H
#define PROMCB_PIECES_H

#include "format/metrics.h"
#include "read/catalog.h"

struct promcb_pieces {
	struct promcb_catalog *catalog;
	struct promcb_source *source;
	struct promcb_message *message;
	const uint8_t **chunks;         /* in the map, or copies of this stage; NULL: none */
	uint32_t copied_end;            /* behind the last that is a copy */
	uint16_t *lanes;                /* of each part: the lane + 1; 0: not known yet */
};

/* Returns 0, or -ENOMEM. pieces: freed by promcb_pieces_free() in any case. */
int promcb_pieces_start(struct promcb_pieces *pieces, struct promcb_catalog *catalog, struct promcb_source *source,
			struct promcb_message *message);
void promcb_pieces_free(struct promcb_pieces *pieces);

/* Begins a stage: what was copied is forgotten, and views of it end. */
void promcb_pieces_stage(struct promcb_pieces *pieces);

/* What a piece has to be. */
struct promcb_piece_wanted {
	uint32_t kind;                  /* 0: any */
	uint32_t lines;                 /* 0: as many as its head says */
	uint32_t lane;                  /* whose part it lies in; UINT32_MAX: anybody's */
	bool by_head;                   /* copy and number are those of the head, too */
	uint32_t copy, number;
};

/*
 * The piece at a place. buffer: a part, for where it has to be copied. *lines, unless NULL: how many it has. Returns
 * NULL, and says nothing, if there is no such piece.
 */
const void *promcb_pieces_view(struct promcb_pieces *pieces, uint32_t place, const struct promcb_piece_wanted *wanted,
			       void *buffer, uint32_t *lines);

/* Returns -EBADMSG, and says what is wrong with what. */
int promcb_pieces_corrupt(const struct promcb_pieces *pieces, const char *what, uint64_t number);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * catalog.h: what a segment lists, checked: which components, which blocks, whose. Private memory; the counters stay in
 * the source.
 *
 * An image is made or refused as a whole: a component with an unreadable block would look like a counter reset.
 *
 * Invariants of an image
 *   - block_component[n] - 1 is the component that block n belongs to, or it is 0; no block belongs to two.
 *   - Every listed block lies inside the file, in a chunk of its lane that holds blocks.
 */
#ifndef PROMCB_CATALOG_H
#define PROMCB_CATALOG_H

#include "base/clock_domain.h"
#include "base/labels.h"
#include "read/source.h"

struct promcb_catalog_component {
	uint32_t component;             /* descriptor */
	struct promcb_full_name name;
	uint64_t created_ns;
	uint64_t state;
	uint64_t state_time;
	uint64_t reset;                 /* the word, as it was before any counter was read */
	uint32_t baseline;              /* block number + 1 of the active one; 0: none */
	uint32_t overflow;              /* block number + 1 */
	uint32_t slot;                  /* of the table */
	uint64_t word;                  /* that leads there */
	uint64_t hash;                  /* as the descriptor has it */
	bool is_padded;                 /* nothing stands behind the name */
};

struct promcb_catalog_lane {
	bool used;
	bool samples_count;             /* its stamps are not of another boot */
	uint64_t cookie;
	uint64_t clock_offset_ns;       /* what makes real time of its stamps; 0: not known */
	int64_t shift_ns;               /* to add to its stamps: its clock is another */
};

struct promcb_catalog {
	const struct promcb_geometry *geometry;
	struct promcb_clock_domain here;      /* the reader's own clocks */
	uint32_t count;
	struct promcb_catalog_component *components;
	uint32_t *index_of;             /* descriptor -> index in components + 1; 0: not listed */
	uint32_t *block_component;      /* block number -> descriptor + 1 */
	uint32_t *chunk_words;
	struct promcb_catalog_lane *lanes;
	uint32_t block_count;           /* how many numbers there are */
};

/* Returns 0, -EBADMSG with a message, or -ENOMEM. image: freed by promcb_catalog_free() in any case. */
int promcb_catalog_make(struct promcb_catalog *image, struct promcb_source *source, struct promcb_message *message);
void promcb_catalog_free(struct promcb_catalog *image);

/*
 * Whether the chunk is of the kind, and the lane's; UINT32_MAX: anybody's. As the image has it, or as it is now: for
 * numbers that were read after the image was made, since the chunks that they lead to may be younger, and may have been
 * another's, who found no memory and gave them up.
 */
bool promcb_catalog_chunk_is(const struct promcb_catalog *image, struct promcb_source *source, uint32_t chunk,
			     uint32_t kind, uint32_t lane);

/* Whether no component was reset since the image was made. */
bool promcb_catalog_is_stable(const struct promcb_catalog *image, struct promcb_source *source);

#endif

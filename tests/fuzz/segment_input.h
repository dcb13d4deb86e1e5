/* SPDX-License-Identifier: MIT */
/*
 * segment_input.h: an input of the targets that read or write segments: a segment that the library made, by number, and
 * changes to it that know the format's areas.
 *
 *   byte 0        which segment (modulo their number)
 *   byte 1        flags, for the target
 *   then 12 bytes per change, little-endian:
 *     area        low 4 bits: enum fuzz_area; the next 2: set, add, exclusive or, set the low half
 *     field       which word in it
 *     index (2)   which of its kind
 *     value (8)
 *
 * May include: layout.h, validate.h, promcb.h, fuzz.h, world.h. Numbers are taken modulo what there is, so every input
 * means something, and most changes hit a word that somebody looks at.
 */
#ifndef PROMCB_FUZZ_SEGMENT_INPUT_H
#define PROMCB_FUZZ_SEGMENT_INPUT_H

#include "format/layout.h"
#include "fuzz.h"

#include <sys/types.h>

enum { FUZZ_SEGMENTS = 5, FUZZ_HEAD_BYTES = 2, FUZZ_CHANGE_BYTES = 12, FUZZ_CHANGES_MAX = 48 };

enum fuzz_area {
	FUZZ_HEADER,            /* word field of the header, its geometry included */
	FUZZ_GEOMETRY,          /* a sound geometry, made from the value */
	FUZZ_LANE,              /* word field of lane index */
	FUZZ_CHUNK,             /* word index of the chunk table */
	FUZZ_CLAIM,             /* word index of the claims */
	FUZZ_TABLE,             /* word index of the table */
	FUZZ_DESCRIPTOR,        /* word field of descriptor index */
	FUZZ_DIRECTORY,         /* word index of lane field's directory */
	FUZZ_BLOCK,             /* block index (low 6 bits), word field, 256 words on for each of the rest of index */
	FUZZ_RING,              /* word field of ring index */
	FUZZ_SIZE,              /* the file's length becomes the value */
	FUZZ_HOLE,              /* pages from page index on, one more than field, lose their memory */
	FUZZ_BYTES,             /* 8 bytes anywhere */
	FUZZ_CALL,              /* of the library, for fuzz_writer.c: which is field, with index and value */
	FUZZ_PIECE,             /* word field of line index of all chunks of parts */
	FUZZ_AREAS,
};

enum fuzz_operation { FUZZ_SET, FUZZ_ADD, FUZZ_XOR, FUZZ_SET_LOW };

struct fuzz_change {
	enum fuzz_area area;
	enum fuzz_operation operation;
	uint8_t field;
	uint16_t index;
	uint64_t value;
};

struct fuzz_input {
	unsigned segment;
	uint8_t flags;
	size_t count;
	struct fuzz_change changes[FUZZ_CHANGES_MAX];
};

/* A segment that the library made, and its file. */
struct fuzz_segment {
	struct promcb_geometry geometry;
	struct promcb_geometry now; /* as changes to come shall find their areas: that of the last FUZZ_GEOMETRY */
	uint8_t *bytes;         /* as it was made */
	uint64_t file_bytes;
	char path[64];
	int fd;
};

void fuzz_input_parse(const uint8_t *data, size_t size, struct fuzz_input *out);

/* Made at the first call, and removed when the process ends. */
struct fuzz_segment *fuzz_segment_get(unsigned number);

/* Gives the file back its bytes and its length. */
void fuzz_segment_restore(struct fuzz_segment *segment);

/*
 * Changes the file, as a stranger would: by pwrite(2), never by a map. FUZZ_CALL changes nothing. large: geometries may
 * be of any size that the format allows.
 */
void fuzz_segment_change(struct fuzz_segment *segment, const struct fuzz_change *change, bool large);

#endif

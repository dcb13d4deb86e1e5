/* SPDX-License-Identifier: MIT */
/*
 * segment_mutate.c: libFuzzer's mutator for inputs of segment_input.h. Most of what it makes is a change that means
 * something: a word that somebody follows, with a value that leads somewhere. May include: segment_input.h, world.h.
 */
#include "segment_input.h"

#include <string.h>

static uint64_t next(uint64_t *state)
{
	uint64_t word = *state += 0x9E3779B97F4A7C15u;

	word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9u;
	word = (word ^ word >> 27) * 0x94D049BB133111EBu;
	return word ^ word >> 31;
}

static uint64_t load(const struct fuzz_segment *segment, uint64_t off)
{
	uint64_t word = 0;

	if (off + sizeof(word) <= segment->file_bytes)
		memcpy(&word, segment->bytes + off, sizeof(word));
	return word;
}

/* Values that mean something somewhere in the segment. */
static uint64_t value_for(const struct fuzz_segment *segment, uint64_t *state)
{
	const struct promcb_geometry *g = &segment->geometry;
	uint64_t random = next(state);
	uint32_t low = (uint32_t)(random >> 8), lane = (low >> 4) % (g->lanes + 3);
	uint32_t blocks = g->chunks * promcb_blocks_per_chunk(g), rings = g->chunks * promcb_rings_per_chunk(g);

	switch (random & 15) {
	case 0:
		return low & 7;
	case 1:
		return (uint64_t)1 << low % 64;
	case 2:
		return ((uint64_t)1 << low % 64) - 1;
	case 3:
		return ~(uint64_t)(low & 7);
	case 4:
	case 5:
		return low % (blocks + 2);
	case 6:
		return low % (rings + 2);
	case 7:
	case 8:
		return promcb_chunk_word(low % 4, (low >> 16) % 16, lane);
	case 9:
		/* A word of the table, and another that leads elsewhere. */
		return load(segment, g->table_off + low % g->table_slots * sizeof(uint64_t)) + (low >> 28);
	case 10:
		return (uint64_t)(low % (g->components + 1)) << 32 | lane;
	case 11:
		/* Of the header: geometry, identity. */
		return load(segment, low % (sizeof(struct promcb_header) / 8) * 8);
	case 12:
		/* A moment near those of the good samples: head, tick in a sample. */
		return (uint64_t)86400 * 1000000000 + (low & 0xffffff) * 1000 - (low >> 28) * 1000000000u;
	case 13:
		return (((uint64_t)86400 * 1000000000 + (low & 0xffffff)) >> 20 << 32) | (low & 0xbfffffff);
	case 14:
		/* What stands anywhere in the file. */
		return load(segment, low % (segment->file_bytes / 8) * 8);
	default:
		return next(state);
	}
}

static void fill_change(const struct fuzz_segment *segment, uint64_t *state, uint8_t change[FUZZ_CHANGE_BYTES])
{
	/* Areas by how much hangs on them. */
	static const uint8_t areas[32] = {
		FUZZ_HEADER,     FUZZ_GEOMETRY,   FUZZ_LANE,       FUZZ_LANE,      FUZZ_CHUNK,     FUZZ_CHUNK,
		FUZZ_CHUNK,      FUZZ_CLAIM,      FUZZ_CLAIM,      FUZZ_TABLE,     FUZZ_TABLE,     FUZZ_TABLE,
		FUZZ_DESCRIPTOR, FUZZ_DESCRIPTOR, FUZZ_DESCRIPTOR, FUZZ_DIRECTORY, FUZZ_DIRECTORY, FUZZ_DIRECTORY,
		FUZZ_BLOCK,      FUZZ_BLOCK,      FUZZ_BLOCK,      FUZZ_BLOCK,     FUZZ_RING,      FUZZ_SIZE,
		FUZZ_HOLE,       FUZZ_BYTES,      FUZZ_CALL,       FUZZ_CALL,      FUZZ_CALL,      FUZZ_PIECE,
		FUZZ_PIECE,      FUZZ_PIECE,
	};
	/* Words that are followed or judged, by area. */
	static const uint8_t descriptor_fields[] = {0, 0, 1, 16, 17, 32, 33, 48, 48, 49, 49};
	static const uint8_t block_fields[] = {0, 1, 1, 2, 3, 4, 5, 9, 10, 11, 11, 12, 12, 13, 16, 48, 49, 60};
	uint64_t random = next(state), value = value_for(segment, state);
	uint8_t area = areas[random & 31], operation = random >> 5 & 3, field = (uint8_t)(random >> 8);
	uint16_t index = (uint16_t)(random >> 16) % (random >> 32 & 1 ? 8 : 64);

	if (area == FUZZ_DESCRIPTOR && random >> 33 & 3)
		field = descriptor_fields[field % sizeof(descriptor_fields)];
	if (area == FUZZ_BLOCK && random >> 33 & 3)
		field = block_fields[field % sizeof(block_fields)];
	if (area == FUZZ_DIRECTORY)
		field %= 8;
	/* The first parts have most of what there is. */
	if (area == FUZZ_PIECE)
		index = (uint16_t)(random >> 16) % (random >> 32 & 1 ? 512 : 4096);
	if (random >> 35 & 1)
		operation = FUZZ_SET;
	change[0] = (uint8_t)(area | operation << 4);
	change[1] = field;
	memcpy(change + 2, &index, sizeof(index));
	memcpy(change + 4, &value, sizeof(value));
}

/* Changes the change at a place, drops it or doubles it. Returns the new size, or 0: the choice is another one. */
static size_t mutate_change(uint8_t *data, size_t size, bool has_room, size_t at, unsigned choice, uint64_t *state)
{
	const struct fuzz_segment *segment = fuzz_segment_get(data[0] % FUZZ_SEGMENTS);
	uint64_t value;

	switch (choice) {
	case 4:
	case 5:
		memmove(data + at, data + at + FUZZ_CHANGE_BYTES, size - at - FUZZ_CHANGE_BYTES);
		return size - FUZZ_CHANGE_BYTES;
	case 6:
	case 7:
		value = value_for(segment, state);
		memcpy(data + at + 4, &value, sizeof(value));
		return size;
	case 8:
		data[at + 1 + next(state) % 3] ^= (uint8_t)(1 << next(state) % 8);
		return size;
	case 9:
		fill_change(segment, state, data + at);
		return size;
	case 10:
		/* The same once more: twice is what a word of two owners takes. */
		if (!has_room)
			return 0;
		memmove(data + at + FUZZ_CHANGE_BYTES, data + at, size - at);
		data[at + 2] ^= (uint8_t)(1 << next(state) % 3);
		return size + FUZZ_CHANGE_BYTES;
	default:
		return 0;
	}
}

/* Puts a change in before the one at a place, or in its place where there is no room for one more. */
static size_t add_change(uint8_t *data, size_t size, bool has_room, size_t at, uint64_t *state)
{
	if (has_room) {
		memmove(data + at + FUZZ_CHANGE_BYTES, data + at, size - at);
		size += FUZZ_CHANGE_BYTES;
	}
	fill_change(fuzz_segment_get(data[0] % FUZZ_SEGMENTS), state, data + at);
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	uint64_t state = seed;
	size_t count, at, mutated = 0;

	if (max_size < FUZZ_HEAD_BYTES + FUZZ_CHANGE_BYTES)
		return size;
	if (size < FUZZ_HEAD_BYTES) {
		memset(data, 0, FUZZ_HEAD_BYTES);
		size = FUZZ_HEAD_BYTES;
	}
	count = (size - FUZZ_HEAD_BYTES) / FUZZ_CHANGE_BYTES;
	size = FUZZ_HEAD_BYTES + count * FUZZ_CHANGE_BYTES;
	bool has_room = size + FUZZ_CHANGE_BYTES <= max_size && count < FUZZ_CHANGES_MAX;

	at = count ? FUZZ_HEAD_BYTES + next(&state) % count * FUZZ_CHANGE_BYTES : FUZZ_HEAD_BYTES;
	unsigned choice = next(&state) % 16;

	if (choice == 0) {
		data[0] = (uint8_t)(next(&state) % FUZZ_SEGMENTS);
		return size;
	}
	if (choice == 1) {
		data[1] ^= (uint8_t)(1 << next(&state) % 8);
		return size;
	}
	/* Any bytes anywhere, by libFuzzer's own way. */
	if (choice <= 3)
		return LLVMFuzzerMutate(data, size, max_size);
	if (count)
		mutated = mutate_change(data, size, has_room, at, choice, &state);
	return mutated ? mutated : add_change(data, size, has_room, at, &state);
}

/* SPDX-License-Identifier: MIT */
/*
 * protobuf.h: the protobuf wire format, as far as metrics need it: tags, varints, doubles, bytes; and a buffer.
 *
 * Pure. Source: the "Encoding" page of the Protocol Buffers documentation. Functions that put return where what
 * they put ends; room is the caller's business. Doubles are stored as they lie in memory: promcb is built for
 * little-endian machines alone.
 */
#ifndef PROMCB_PROTOBUF_H
#define PROMCB_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum promcb_wire { PROMCB_WIRE_VARINT = 0, PROMCB_WIRE_DOUBLE = 1, PROMCB_WIRE_BYTES = 2 };

static inline uint8_t *promcb_put_varint(uint8_t *at, uint64_t value)
{
	while (value > 127) {
		*at++ = (uint8_t)(value | 128);
		value >>= 7;
	}
	*at++ = (uint8_t)value;
	return at;
}

static inline size_t promcb_varint_size(uint64_t value)
{
	return 1 + (63 - (unsigned)__builtin_clzll(value | 1)) / 7;
}

/* Fields up to 15: a tag is one byte. */
static inline uint8_t *promcb_put_tag(uint8_t *at, unsigned field, enum promcb_wire wire)
{
	*at++ = (uint8_t)(field << 3 | wire);
	return at;
}

static inline uint8_t *promcb_put_u64(uint8_t *at, unsigned field, uint64_t value)
{
	return promcb_put_varint(promcb_put_tag(at, field, PROMCB_WIRE_VARINT), value);
}

static inline size_t promcb_u64_size(unsigned field, uint64_t value)
{
	(void)field;
	return 1 + promcb_varint_size(value);
}

static inline uint8_t *promcb_put_double(uint8_t *at, unsigned field, double value)
{
	at = promcb_put_tag(at, field, PROMCB_WIRE_DOUBLE);
	memcpy(at, &value, sizeof(value));
	return at + sizeof(value);
}

static inline uint8_t *promcb_put_bytes(uint8_t *at, unsigned field, const void *bytes, size_t length)
{
	at = promcb_put_varint(promcb_put_tag(at, field, PROMCB_WIRE_BYTES), length);
	memcpy(at, bytes, length);
	return at + length;
}

static inline size_t promcb_bytes_size(unsigned field, size_t length)
{
	(void)field;
	return 1 + promcb_varint_size(length) + length;
}

/* What sint32 and sint64 fields hold. */
static inline uint64_t promcb_zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

/* Memory that grows. Zero it to begin, free bytes at the end. */
struct promcb_buffer {
	uint8_t *bytes;
	size_t used;
	size_t size;
	bool failed;            /* there was no memory once; sticks */
};

/* Where the next bytes may be written; NULL without memory. */
static inline uint8_t *promcb_buffer_room(struct promcb_buffer *buffer, size_t bytes)
{
	if (buffer->failed)
		return NULL;
	if (buffer->size - buffer->used < bytes) {
		size_t size = 2 * buffer->size + bytes;
		uint8_t *memory = realloc(buffer->bytes, size);

		if (!memory) {
			buffer->failed = true;
			return NULL;
		}
		buffer->bytes = memory;
		buffer->size = size;
	}
	return buffer->bytes + buffer->used;
}

static inline void promcb_buffer_wrote(struct promcb_buffer *buffer, const uint8_t *end)
{
	buffer->used = (size_t)(end - buffer->bytes);
}

#endif

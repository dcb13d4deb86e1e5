/* SPDX-License-Identifier: MIT */
/*
 * sink_direct.h: writing numbers and lines straight into a sink's buffer, for renderers that print a million lines.
 *
 * For render_*.c and sink.c only.
 *
 * The pattern: ask promcb_sink_room() for more bytes than will be needed, write, and tell promcb_sink_wrote() where
 * that ended. The functions here may write up to PROMCB_DIGITS_ROOM bytes after `at`, whatever the length of what
 * they print: whole words are stored and the surplus is overwritten by what follows. All of it is the same in every
 * locale.
 */
#ifndef PROMCB_SINK_DIRECT_H
#define PROMCB_SINK_DIRECT_H

#include "render/sink.h"

#include <string.h>

/* The most that promcb_sink_room() can be asked for. */
#define PROMCB_SINK_ROOM_MAX ((size_t)40960)

/*
 * Every number printed here fits, with the surplus: 20 digits of a u64, a point, 16 more; or
 * "-1.7976931348623157e+308".
 */
#define PROMCB_DIGITS_ROOM 64

/* Hands the buffer on. Returns it, empty; NULL after an error. */
char *promcb_sink_drain(struct promcb_sink *sink);

/* Where the next bytes may be written, at most PROMCB_SINK_ROOM_MAX of them; NULL after an error. */
static inline char *promcb_sink_room(struct promcb_sink *sink, size_t bytes)
{
	if (__builtin_expect(sink->size - sink->used >= bytes, 1))
		return sink->buffer + sink->used;
	return promcb_sink_drain(sink);
}

static inline void promcb_sink_wrote(struct promcb_sink *sink, const char *end)
{
	sink->used = (size_t)(end - sink->buffer);
}

/*
 * The eight decimal digits of value < 10^8 as eight bytes of 0 to 9, the first digit in the lowest byte. Three rounds
 * split all parts at once, 8 digits to 4 + 4, to 2 + 2 + 2 + 2, to single ones; the multiplications are divisions by
 * 100 and 10 that are exact in the range of the parts.
 */
static inline uint64_t promcb_digits_eight(uint32_t value)
{
	uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
	uint64_t hundreds = (fours * 5243 >> 19) & 0x0000007f0000007f;
	uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
	uint64_t tens = (twos * 103 >> 10) & 0x000f000f000f000f;

	return tens | (twos - 10 * tens) << 8;
}

#define PROMCB_DIGITS_ZEROS ((uint64_t)0x3030303030303030)

static inline void promcb_digits_store(char *at, uint64_t digits)
{
	digits |= PROMCB_DIGITS_ZEROS;
	memcpy(at, &digits, sizeof(digits));
}

/* value < 10^8, without leading zeros. Returns the end, as all of these. */
static inline char *promcb_digits_short(char *at, uint32_t value)
{
	/* Half of what is printed of a quiet component: zeros, and the ones of states. */
	if (value < 10) {
		*at = (char)('0' + value);
		return at + 1;
	}
	uint64_t digits = promcb_digits_eight(value);
	/* The guard bit keeps the last digit of 0. */
	unsigned skip = (unsigned)__builtin_ctzll(digits | (uint64_t)1 << 56) & ~7u;

	promcb_digits_store(at, digits >> skip);
	return at + 8 - skip / 8;
}

static inline char *promcb_digits_u64(char *at, uint64_t value)
{
	const uint64_t eight = 100000000;

	if (__builtin_expect(value < eight, 1))
		return promcb_digits_short(at, (uint32_t)value);
	uint64_t upper = value / eight;

	if (upper < eight) {
		at = promcb_digits_short(at, (uint32_t)upper);
	} else {
		at = promcb_digits_short(at, (uint32_t)(upper / eight));
		promcb_digits_store(at, promcb_digits_eight((uint32_t)(upper % eight)));
		at += 8;
	}
	promcb_digits_store(at, promcb_digits_eight((uint32_t)(value % eight)));
	return at + 8;
}

/* The point and the digits of fraction / 10^16, without trailing zeros; nothing for 0. fraction < 10^16. */
static inline char *promcb_digits_fraction(char *at, uint64_t fraction)
{
	uint64_t upper = promcb_digits_eight((uint32_t)(fraction / 100000000));
	uint64_t lower = promcb_digits_eight((uint32_t)(fraction % 100000000));

	if (fraction == 0)
		return at;
	*at++ = '.';
	promcb_digits_store(at, upper);
	promcb_digits_store(at + 8, lower);
	return lower ? at + 16 - __builtin_clzll(lower) / 8 : at + 8 - __builtin_clzll(upper) / 8;
}

/* Nanoseconds as seconds, exact. */
static inline char *promcb_digits_seconds(char *at, uint64_t nanoseconds)
{
	at = promcb_digits_u64(at, nanoseconds / 1000000000);
	return promcb_digits_fraction(at, nanoseconds % 1000000000 * 10000000);
}

/* Picoseconds as seconds, exact. */
static inline char *promcb_digits_picoseconds(char *at, uint64_t picoseconds)
{
	at = promcb_digits_u64(at, picoseconds / 1000000000000);
	return promcb_digits_fraction(at, picoseconds % 1000000000000 * 10000);
}

/* number / 10^decimals, exact; 0 to 16 decimals. */
char *promcb_digits_decimal(char *at, uint64_t number, uint32_t decimals);

/* A double, as promcb_sink_double() has it. */
char *promcb_digits_double(char *at, double value);

/*
 * A finite double with 15 digits, which is as many as survive both ways, as JSON has it: always with a point or an
 * exponent.
 */
char *promcb_digits_fifteen(char *at, double value);

/*
 * A finite number as label values of OpenMetrics have it, where 1 and 1.0 are two: the shortest form, with an exponent
 * below 0.0001, and with a point.
 */
char *promcb_digits_canonical(char *at, double value);

#endif

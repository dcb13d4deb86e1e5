/* SPDX-License-Identifier: MIT */
/*
 * sink.c: the growing text of a rendering, and doubles as text.
 *
 * Invariants: used <= size; size is PROMCB_SINK_BYTES, or 0 once error is set, so that every check for room fails
 * after an error.
 */
#include "render/sink.h"

#include "render/sink_direct.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Large enough that write is called rarely, small enough to stay in a core's own cache while it is filled and handed
 * on.
 */
#define PROMCB_SINK_BYTES ((size_t)65536)

_Static_assert(PROMCB_SINK_ROOM_MAX <= PROMCB_SINK_BYTES, "an empty buffer has room for whatever may be asked");

static void fail(struct promcb_sink *sink, int error)
{
	if (!sink->error)
		sink->error = error;
	sink->used = 0;
	sink->size = 0;
}

static void hand_on(struct promcb_sink *sink, const void *bytes, size_t length)
{
	if (sink->error || length == 0)
		return;
	int error = sink->write(sink->context, bytes, length);

	if (error)
		fail(sink, error);
}

void promcb_sink_start(struct promcb_sink *sink, promcb_write_fn *write, void *context)
{
	*sink = (struct promcb_sink){.write = write, .context = context, .size = PROMCB_SINK_BYTES};
	sink->buffer = malloc(PROMCB_SINK_BYTES);
	if (!sink->buffer)
		fail(sink, -ENOMEM);
}

int promcb_sink_finish(struct promcb_sink *sink)
{
	/* A renderer that ran out of memory sets the error and leaves bytes behind: half a document is of no use. */
	hand_on(sink, sink->buffer, sink->used);
	free(sink->buffer);
	sink->buffer = NULL;
	sink->used = 0;
	sink->size = 0;
	return sink->error;
}

char *promcb_sink_drain(struct promcb_sink *sink)
{
	hand_on(sink, sink->buffer, sink->used);
	sink->used = 0;
	return sink->error ? NULL : sink->buffer;
}

void promcb_sink_bytes(struct promcb_sink *sink, const void *bytes, size_t length)
{
	if (length > sink->size - sink->used) {
		promcb_sink_drain(sink);
		if (length > sink->size) {
			hand_on(sink, bytes, length);
			return;
		}
	}
	if (sink->error || length == 0)
		return;
	memcpy(sink->buffer + sink->used, bytes, length);
	sink->used += length;
}

void promcb_sink_text(struct promcb_sink *sink, const char *text)
{
	promcb_sink_bytes(sink, text, strlen(text));
}

void promcb_sink_u64(struct promcb_sink *sink, uint64_t value)
{
	char *at = promcb_sink_room(sink, PROMCB_DIGITS_ROOM);

	if (at)
		promcb_sink_wrote(sink, promcb_digits_u64(at, value));
}

void promcb_sink_seconds(struct promcb_sink *sink, uint64_t nanoseconds)
{
	char *at = promcb_sink_room(sink, PROMCB_DIGITS_ROOM);

	if (at)
		promcb_sink_wrote(sink, promcb_digits_seconds(at, nanoseconds));
}

void promcb_sink_double(struct promcb_sink *sink, double value)
{
	char *at = promcb_sink_room(sink, PROMCB_DIGITS_ROOM);

	if (at)
		promcb_sink_wrote(sink, promcb_digits_double(at, value));
}

__extension__ typedef unsigned __int128 wide;

static const uint64_t ten_to[] = {
	1u,
	10u,
	100u,
	1000u,
	10000u,
	100000u,
	1000000u,
	10000000u,
	100000000u,
	1000000000u,
	10000000000u,
	100000000000u,
	1000000000000u,
	10000000000000u,
	100000000000000u,
	1000000000000000u,
	10000000000000000u,
	100000000000000000u,
};

char *promcb_digits_decimal(char *at, uint64_t number, uint32_t decimals)
{
	at = promcb_digits_u64(at, number / ten_to[decimals]);
	return promcb_digits_fraction(at, number % ten_to[decimals] * ten_to[16 - decimals]);
}

/* Doubles from here on need no more than 22 decimals for 17 digits, so that all of exact_digits() fits 128 bits. */
#define EXACT_LEAST 1e-6
#define EXACT_END 9007199254740992.0 /* 2^53; doubles from there on are whole */

/* A double that is no whole number, EXACT_LEAST <= value < EXACT_END: 10^k times it is whole + rest / 2^s, exactly. */
struct scaled {
	uint64_t whole; /* 17 digits */
	unsigned s, k;
	wide rest;
	wide ulp; /* of the double, in units of 10^-k / 2^s */
};

static inline struct scaled scale(double value, uint64_t m, unsigned s)
{
	int exponent = value >= 1 ? 0 : -6;

	if (value >= 1)
		while (exponent < 15 && value >= (double)ten_to[exponent + 1])
			exponent++;
	else
		while (exponent < -1 && value * (double)ten_to[-exponent - 1] >= 1)
			exponent++;

	unsigned k = (unsigned)(16 - exponent);
	wide ulp = k <= 17 ? (wide)ten_to[k] : (wide)ten_to[17] * ten_to[k - 17];
	wide all = m * ulp;

	return (struct scaled){(uint64_t)(all >> s), s, k, all & (((wide)1 << s) - 1), ulp};
}

/* The value is m / 2^s. */
static inline uint64_t split_double(double value, unsigned *s)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	*s = 1075 - (unsigned)(bits >> 52);
	return (bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1 << 52;
}

/*
 * A double as scale() takes it, in whole arithmetic. The fewest digits, of 15, 16 and 17, are taken that lie closer to
 * the value than half the distance to the next double, for then they read back as it. Any double that has a decimal
 * form of 15 digits or fewer is found with 15: what is surplus is trailing zeros. Returns the end; `at` if nothing was
 * close enough.
 */
static char *exact_digits(char *at, double value)
{
	unsigned s;
	uint64_t m = split_double(value, &s);
	struct scaled scaled = scale(value, m, s);
	unsigned k = scaled.k;
	wide closer_than =
		m == (uint64_t)1 << 52 ? scaled.ulp / 4 : scaled.ulp / 2; /* below a power of two they are denser */

	for (unsigned drop = 3; drop-- > 0;) {
		uint64_t unit = ten_to[drop];
		wide below = ((wide)(scaled.whole % unit) << s) + scaled.rest;
		wide above = ((wide)unit << s) - below;
		uint64_t digits = (scaled.whole / unit + (above <= below)) * unit;

		if ((above <= below ? above : below) >= closer_than)
			continue;
		if (k <= 16) {
			at = promcb_digits_u64(at, digits / ten_to[k]);
			return promcb_digits_fraction(at, digits % ten_to[k] * ten_to[16 - k]);
		}
		/*
		 * "0.", k - 17 zeros, then 17 digits: one, and 16 as after the point of another number, whose point
		 * it overwrites
		 */
		memcpy(at, "0.000000", 8);
		at += 2 + (k - 17);
		char first = (char)('0' + digits / ten_to[16]);
		char *end = promcb_digits_fraction(at, digits % ten_to[16]);

		*at = first;
		return end > at ? end : at + 1;
	}
	return at;
}

/* The rest, by the C library: its point is whatever is no digit, sign or exponent, and may be several bytes long. */
static char *library_digits(char *at, double value)
{
	char text[64];
	bool in_point = false;

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
		/* A power of two may lie between two of these; printf takes the even one, and the other reads back. */
		char *last = text + strcspn(text, "e") - 1;

		if (*last < '9' && (++*last, strtod(text, NULL) == value))
			break;
	}
	for (const char *from = text; *from; from++) {
		bool point = !strchr("0123456789+-e", *from);

		if (!point)
			*at++ = *from;
		else if (!in_point)
			*at++ = '.';
		in_point = point;
	}
	return at;
}

/* In one piece: gcc would take its beginning apart, now that it is called from here, too, and make two calls of one. */
__attribute__((noinline)) char *promcb_digits_double(char *at, double value)
{
	if (isnan(value)) {
		memcpy(at, "NaN", 3); /* never "-nan", which Prometheus refuses along with all the rest */
		return at + 3;
	}
	if (isinf(value)) {
		memcpy(at, value < 0 ? "-Inf" : "+Inf", 4);
		return at + 4;
	}
	if (signbit(value)) {
		*at++ = '-';
		value = -value;
	}
	if (value < EXACT_END) {
		uint64_t whole = (uint64_t)value;

		if ((double)whole == value)
			return promcb_digits_u64(at, whole);
		if (value >= EXACT_LEAST) {
			char *end = exact_digits(at, value);

			if (end != at)
				return end;
		}
	}
	return library_digits(at, value);
}

char *promcb_digits_canonical(char *at, double value)
{
	char *end = value > 0 && value < 1e-4 ? library_digits(at, value) : promcb_digits_double(at, value);

	if (!memchr(at, '.', (size_t)(end - at)) && !memchr(at, 'e', (size_t)(end - at))) {
		memcpy(end, ".0", 2);
		end += 2;
	}
	return end;
}

/* Of a positive finite double: 15 digits, rounded as printf rounds, and the power of ten of the first. */
static uint64_t fifteen_digits(double value, int *exponent)
{
	char text[64];
	const char *from;
	uint64_t digits = 0;

	if (value >= EXACT_LEAST && value < EXACT_END) {
		unsigned s;
		uint64_t m = split_double(value, &s);
		struct scaled scaled = scale(value, m, s);
		wide below = ((wide)(scaled.whole % 100) << s) + scaled.rest, half = (wide)50 << s;

		digits = scaled.whole / 100;
		digits += below > half || (below == half && (digits & 1));
		*exponent = 16 - (int)scaled.k;
		if (digits < ten_to[15])
			return digits;
		++*exponent;
		return ten_to[14];
	}
	snprintf(text, sizeof(text), "%.14e", value);
	for (from = text; *from != 'e'; from++)
		if (*from >= '0' && *from <= '9')
			digits = digits * 10 + (uint64_t)(*from - '0');
	*exponent = atoi(from + 1);
	return digits;
}

/* count of the 15 digits, with the point after the first `before` of them; zeros fill the gap. */
static char *place_point(char *at, const char *digits, int count, int before)
{
	if (before <= 0) {
		memcpy(at, "0.0000", 6);
		at += 2 - before;
		memcpy(at, digits, (size_t)count);
		return at + count;
	}
	memcpy(at, digits, (size_t)before);
	at += before;
	*at++ = '.';
	if (count <= before)
		*at++ = '0';
	for (int i = before; i < count; i++)
		*at++ = digits[i];
	return at;
}

char *promcb_digits_fifteen(char *at, double value)
{
	char digits[PROMCB_DIGITS_ROOM];
	int exponent, count = 15;

	if (signbit(value)) {
		*at++ = '-';
		value = -value;
	}
	if (value < 1e15 && (double)(uint64_t)value == value) {
		at = promcb_digits_u64(at, (uint64_t)value);
		memcpy(at, ".0", 2);
		return at + 2;
	}
	promcb_digits_u64(digits, fifteen_digits(value, &exponent));
	while (count > 1 && digits[count - 1] == '0')
		count--;
	if (exponent >= -4 && exponent < 15)
		return place_point(at, digits, count, exponent + 1);
	if (count > 1) {
		at = place_point(at, digits, count, 1);
	} else {
		*at++ = *digits;
	}
	*at++ = 'e';
	if (exponent < 0)
		*at++ = '-';
	return promcb_digits_u64(at, (uint64_t)(exponent < 0 ? -exponent : exponent));
}

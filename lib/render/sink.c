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

/*
 * A double that is no whole number, EXACT_LEAST <= value < EXACT_END, in whole arithmetic: the value is m / 2^s
 * exactly, and 10^k times it has 17 digits before the point. The fewest digits, of 15, 16 and 17, are taken that lie
 * closer to the value than half the distance to the next double, for then they read back as it. Any double that has a
 * decimal form of 15 digits or fewer is found with 15: what is surplus is trailing zeros. Returns the end; `at` if
 * nothing was close enough.
 */
static char *exact_digits(char *at, double value)
{
	uint64_t bits;
	int exponent = value >= 1 ? 0 : -6;

	if (value >= 1)
		while (exponent < 15 && value >= (double)ten_to[exponent + 1])
			exponent++;
	else
		while (exponent < -1 && value * (double)ten_to[-exponent - 1] >= 1)
			exponent++;
	memcpy(&bits, &value, sizeof(bits));

	uint64_t m = (bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1 << 52;
	unsigned s = 1075 - (unsigned)(bits >> 52);
	unsigned k = (unsigned)(16 - exponent);
	wide ulp = k <= 17 ? (wide)ten_to[k] : (wide)ten_to[17] * ten_to[k - 17];
	wide scaled = m * ulp;                                  /* of 10^k value, in units of 1 / 2^s */
	uint64_t whole = (uint64_t)(scaled >> s);
	wide rest = scaled & (((wide)1 << s) - 1);
	wide closer_than =
		m == (uint64_t)1 << 52 ? ulp / 4 : ulp / 2; /* below a power of two doubles are twice as dense */

	for (unsigned drop = 3; drop-- > 0;) {
		uint64_t unit = ten_to[drop];
		wide below = ((wide)(whole % unit) << s) + rest;
		wide above = ((wide)unit << s) - below;
		uint64_t digits = (whole / unit + (above <= below)) * unit;

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

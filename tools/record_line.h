/* SPDX-License-Identifier: MIT */
/*
 * record_line.h: what a line of "promcb-record --stdin" says. Pure functions of bytes; a leaf.
 *
 *     COMPONENT LATENCY_SECONDS OUTCOME
 *
 * Fields are parted by blanks (spaces, tabs). The last two are found from the right, so a component may hold blanks
 * inside. Blanks at either end and one carriage return at the end of the line do not count. A latency is a decimal
 * number, with or without an exponent, whatever the locale; it is turned into nanoseconds exactly, and what is below a
 * nanosecond is rounded half up.
 */
#ifndef PROMCB_TOOL_RECORD_LINE_H
#define PROMCB_TOOL_RECORD_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest line, in bytes, without its newline. */
#define PROMCB_LINE_MAX_BYTES ((size_t)65536)

enum promcb_line_fault {
	PROMCB_LINE_GOOD = 0,
	PROMCB_LINE_BLANK, /* nothing but blanks: not counted as bad */
	PROMCB_LINE_TOO_LONG, /* above PROMCB_LINE_MAX_BYTES */
	PROMCB_LINE_NUL, /* a zero byte */
	PROMCB_LINE_FIELDS, /* fewer than three fields */
	PROMCB_LINE_OUTCOME, /* none of success, failure, 100 to 599 */
	PROMCB_LINE_LATENCY, /* no number */
	PROMCB_LINE_REJECTED, /* a line as it should be, but the latency is negative, NaN or infinite */
};

struct promcb_line {
	const char *component; /* in the line; set when the fault is GOOD or REJECTED */
	size_t component_bytes; /* 1 or more */
	uint64_t latency_ns; /* UINT64_MAX where it would be more */
	bool success;
};

/* line: length bytes without the newline; any bytes will do. */
enum promcb_line_fault promcb_line_parse(const char *line, size_t length, struct promcb_line *out);

/* What is wrong, as a phrase; NULL for GOOD. */
const char *promcb_line_fault_phrase(enum promcb_line_fault fault);

/* Decimal seconds to nanoseconds. Returns GOOD, LATENCY or REJECTED. */
enum promcb_line_fault promcb_seconds_parse(const char *text, size_t length, uint64_t *out_ns);

#endif

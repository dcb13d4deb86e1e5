/* SPDX-License-Identifier: MIT */
/*
 * latency.h: a latency as it is written, in nanoseconds. Pure functions of bytes; a leaf.
 *
 * A latency is a decimal number, with or without an exponent, whatever the locale. It is turned into nanoseconds
 * exactly, and what is below a nanosecond is rounded half up. What logs print where they know none is no error.
 */
#ifndef PROMCB_TOOL_LATENCY_H
#define PROMCB_TOOL_LATENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a number counts: the decimal places of a nanosecond in it. */
enum promcb_unit { PROMCB_UNIT_NS = 0, PROMCB_UNIT_US = 3, PROMCB_UNIT_MS = 6, PROMCB_UNIT_S = 9 };

enum promcb_latency {
	PROMCB_LATENCY_KNOWN,
	PROMCB_LATENCY_UNKNOWN, /* "-", "null", NaN, infinite, or negative (HAProxy prints -1) */
	PROMCB_LATENCY_NONE,    /* neither */
};

/* out_ns: nanoseconds, UINT64_MAX where they would be more; 0 unless the latency is known. */
enum promcb_latency promcb_latency_parse(const char *text, size_t length, enum promcb_unit unit, uint64_t *out_ns);

/* "s", "ms", "us" or "ns" to a unit. Returns false for anything else. */
bool promcb_unit_parse(const char *name, enum promcb_unit *out);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * spec.h: what a family is declared to be: judged by the rules, and brought into the form that its record has in a
 * segment. Both forms are read here alone. Knows no segment.
 *
 * Rules of names: [a-zA-Z_][a-zA-Z0-9_]* without "__" at the beginning; counters end in "_total", infos in "_info", and
 * no name, "_total" taken off, in what a format puts behind the names of its samples; the unit is the last word. So
 * whatever is registered can be exposed in every format, and no two families meet in one name.
 */
#ifndef PROMCB_SPEC_H
#define PROMCB_SPEC_H

#include "base/message.h"
#include "format/breaker.h"

#include <promcb/metric.h>

enum { PROMCB_RECORD_BYTES_MAX = PROMCB_RECORD_LINES_MAX * PROMCB_LINE_BYTES };

/* A family as a record, zero where a segment's own words are: head, hash, time, overflow, counts. */
union promcb_family_image {
	struct promcb_family_record record;
	uint8_t bytes[PROMCB_RECORD_BYTES_MAX];
};

/* A string of a record: no zero behind it. */
struct promcb_text {
	const char *bytes;
	uint32_t length;
};

/* What a record says, taken out once. The strings lie in the record. */
struct promcb_family_view {
	const struct promcb_family_record *record;
	const uint8_t *bounds;          /* unaligned doubles */
	struct promcb_text name, base;  /* base: the name without its ending */
	struct promcb_text unit, help;
	struct promcb_text labels[PROMCB_RECORD_LABELS_MAX];
	struct promcb_text enumerated;  /* all its values, with their lengths */
	uint32_t label_count;           /* with the enumerated one */
	uint32_t value_count;           /* without: how many values a series has */
	uint32_t width;
	uint32_t bytes;                 /* of the record */
};

/*
 * Judges a declaration and makes the image of it. Not async-signal-safe. Returns 0, or -EINVAL and says why in message
 * (may be NULL).
 */
int promcb_family_make(const struct promcb_family_spec *spec, union promcb_family_image *image,
		       struct promcb_message *message);

/* The image of the family of breakers. */
void promcb_family_make_breakers(union promcb_family_image *image);

/* Takes a record of so many bytes apart. Returns false if it is not sound. Async-signal-safe. */
bool promcb_family_view(const void *record, size_t bytes, struct promcb_family_view *view);

/* "counter", for messages. */
const char *promcb_family_type_name(const struct promcb_family_view *view);

static inline bool promcb_text_is(struct promcb_text a, struct promcb_text b)
{
	return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * labels.h: components with labels, and the one text that says both: NAME{LABEL="VALUE",...}, the full name. Pure.
 *
 * A full name is in canonical form: labels sorted by their names, none of them twice, none with an empty value, no
 * blank between them, and of escapes only \" and \\. So two components are the same if their full names are, and a full
 * name can be taken apart in one way alone: read from one quote on, the quotes of all values are paired the same way,
 * and from any brace inside of a value the other way, which leaves the last one open.
 */
#ifndef PROMCB_BASE_LABELS_H
#define PROMCB_BASE_LABELS_H

#include <promcb/promcb.h>

/* A full name, and taken apart: the name alone is at the beginning of parts. */
struct promcb_full_name {
	char text[PROMCB_FULL_NAME_MAX + 1];
	char parts[PROMCB_FULL_NAME_MAX + 1];
	uint32_t bytes;                                 /* of the text */
	uint8_t count;                                  /* of labels */
	uint8_t label_at[PROMCB_COMPONENT_LABELS_MAX];  /* where their names are in parts, */
	uint8_t value_at[PROMCB_COMPONENT_LABELS_MAX];  /* and their values; each with a zero behind it */
};

/* How long the name alone is. */
static inline uint32_t promcb_full_name_bare_bytes(const struct promcb_full_name *name)
{
	return name->count ? name->label_at[0] - 1u : name->bytes;
}

_Static_assert(PROMCB_FULL_NAME_MAX <= UINT8_MAX, "places in a full name are bytes");

/*
 * Makes the text of a full name, not its parts. name: length bytes, trimmed. Returns NULL, or what is wrong as a
 * phrase. A component without a label that has a value is called by its name alone.
 */
const char *promcb_full_name_make(struct promcb_full_name *out, const char *name, size_t length,
				  const struct promcb_label *labels, size_t count);

/* Takes the text apart. Returns false if it is no full name in canonical form, with at least one label. */
bool promcb_full_name_take_apart(struct promcb_full_name *name);

/* A text that is a component's name alone. */
void promcb_full_name_set(struct promcb_full_name *out, const char *name, size_t length);

#endif

/* SPDX-License-Identifier: MIT */
/* name.h: what a component may be called. Pure. */
#ifndef PROMCB_NAME_H
#define PROMCB_NAME_H

#include <promcb/promcb.h>

/*
 * Whether bytes make a component name: 1 to PROMCB_NAME_MAX bytes of UTF-8 (RFC 3629: no surrogates, no overlong
 * forms, up to U+10FFFF), no byte below 0x20 and no 0x7f. Returns NULL, or what is wrong as a phrase.
 */
const char *promcb_name_fault(const char *name, size_t length);

/* The same for as many bytes as a name with labels may have, see labels.h. */
const char *promcb_full_name_fault(const char *name, size_t length);

/*
 * What --match and ?q= ask of a name: whether it contains a text, trimmed as names are; or, if there is a "*" in the
 * text, which stands for any text, whether the whole name is like that.
 */
bool promcb_name_matches(const char *name, const char *text);

/* Whether bytes are UTF-8 in that sense. */
bool promcb_name_is_utf8(const char *text, size_t length);

/*
 * What a metric's name begins with that is promcb's own; NULL: nothing. The one family of these that programs have, by
 * promcb_count_error(), is PROMCB_ERRORS_NAME.
 */
const char *promcb_name_own_prefix(const char *name, size_t length);

#define PROMCB_ERRORS_NAME "circuit_breaker_errors_total"
#define PROMCB_ERRORS_LABEL "component"
#define PROMCB_ERRORS_ENUMERATED "type"

bool promcb_name_is_errors(const char *name, size_t length);

/* Whether series get a label of that name from promcb, from formats or from scrapers. */
bool promcb_label_is_own(const char *name);

/* Whether metrics and labels may be called so: [a-zA-Z_][a-zA-Z0-9_]*, and no "__" at the beginning. */
bool promcb_name_is_word(const char *text, size_t length);

#endif

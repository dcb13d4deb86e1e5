/* SPDX-License-Identifier: MIT */
/*
 * map.h: routes of what clients send: a file of regular expressions, in the order in which they are tried.
 *
 *     # what matches            is component
 *     ^GET /api/orders/\d+$     /api/orders/:id
 *     ^(GET|HEAD) /static/      $1_/static
 *
 * The last word of a line is the name; what is before is a pattern of PCRE2, which may hold blanks. $1 to $9 in a name
 * are what the pattern's groups matched, "$$" is "$". Nothing matches: the component is "other".
 */
#ifndef PROMCB_TOOL_RECORD_MAP_H
#define PROMCB_TOOL_RECORD_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What no line of the map matches. */
#define PROMCB_MAP_OTHER "other"

/* Room for a name; longer ones are cut, and no name. */
#define PROMCB_MAPPED_BYTES 256

struct promcb_map;

/* Reads a file, or complains: with the line, and the place in the pattern. Returns NULL then. */
struct promcb_map *promcb_map_read(const char *path);

/* map: may be NULL. */
void promcb_map_end(struct promcb_map *map);

/*
 * The name of what is there: any bytes. out: PROMCB_MAPPED_BYTES. Returns its length. A pattern that takes too many
 * steps for this text counts as one that does not match; the first such is complained of.
 */
size_t promcb_map_apply(struct promcb_map *map, const char *text, size_t bytes, char *out);

#endif

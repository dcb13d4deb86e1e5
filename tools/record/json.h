/* SPDX-License-Identifier: MIT */
/*
 * json.h: some fields of a line of JSON, by their paths: "request.method" is "method" in the object "request".
 * A pure function of bytes, in bounded memory.
 */
#ifndef PROMCB_TOOL_RECORD_JSON_H
#define PROMCB_TOOL_RECORD_JSON_H

#include <stdbool.h>
#include <stddef.h>

struct promcb_json_value {
	const char *text; /* a string's characters; of anything else, how it is written; NULL: not there, or null */
	size_t bytes;
};

/*
 * The line: one object, and blanks around. paths: count of them. values: as many. room: for strings, as many bytes as
 * the line has. Of a path that is there twice, the last counts. Returns false if it is no such object.
 */
bool promcb_json_fields(const char *line, size_t length, const char *const *paths, size_t count,
			struct promcb_json_value *values, char *room);

#endif

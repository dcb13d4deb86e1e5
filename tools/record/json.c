/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <stdint.h>
#include <string.h>

enum { DEPTH_MAX = 64, PATH_BYTES = 256 };

/* Invariant: at <= end. path: of the value at hand, path_bytes of it, more than PATH_BYTES if it is longer. */
struct scan {
	const char *at, *end;
	const char *const *paths;
	size_t count;
	struct promcb_json_value *values;
	char *room;
	char path[PATH_BYTES];
	size_t path_bytes;
};

static bool scan_value(struct scan *scan, unsigned depth);

static void skip_blanks(struct scan *scan)
{
	while (scan->at < scan->end &&
	       (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r' || *scan->at == '\n'))
		scan->at++;
}

static bool take(struct scan *scan, char byte)
{
	skip_blanks(scan);
	if (scan->at == scan->end || *scan->at != byte)
		return false;
	scan->at++;
	return true;
}

/* Four digits of hexadecimal. */
static bool take_unit(struct scan *scan, uint32_t *out)
{
	*out = 0;
	if (scan->end - scan->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char byte = *scan->at++, lower = byte | 0x20;

		if (byte >= '0' && byte <= '9')
			*out = *out << 4 | (uint32_t)(byte - '0');
		else if (lower >= 'a' && lower <= 'f')
			*out = *out << 4 | (uint32_t)(lower - 'a' + 10);
		else
			return false;
	}
	return true;
}

static char *put_point(char *to, uint32_t point)
{
	if (point < 0x80) {
		*to++ = (char)point;
	} else if (point < 0x800) {
		*to++ = (char)(0xc0 | point >> 6);
		*to++ = (char)(0x80 | (point & 0x3f));
	} else if (point < 0x10000) {
		*to++ = (char)(0xe0 | point >> 12);
		*to++ = (char)(0x80 | (point >> 6 & 0x3f));
		*to++ = (char)(0x80 | (point & 0x3f));
	} else {
		*to++ = (char)(0xf0 | point >> 18);
		*to++ = (char)(0x80 | (point >> 12 & 0x3f));
		*to++ = (char)(0x80 | (point >> 6 & 0x3f));
		*to++ = (char)(0x80 | (point & 0x3f));
	}
	return to;
}

/* After "\u". Half of a pair stands for nothing: U+FFFD, as long as it was. */
static bool take_point(struct scan *scan, char **to)
{
	uint32_t point, low;

	if (!take_unit(scan, &point))
		return false;
	if (point >= 0xd800 && point < 0xdc00 && scan->end - scan->at >= 6 && scan->at[0] == '\\' &&
	    scan->at[1] == 'u') {
		const char *back = scan->at;

		scan->at += 2;
		if (!take_unit(scan, &low))
			return false;
		if (low >= 0xdc00 && low < 0xe000)
			point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
		else
			scan->at = back;
	}
	*to = put_point(*to, point >= 0xd800 && point < 0xe000 ? 0xfffd : point);
	return true;
}

/* A string, after its quote, into the room. No escape is shorter than what it stands for. */
static bool take_string(struct scan *scan, struct promcb_json_value *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char *at = scan->room;

	while (scan->at < scan->end && *scan->at != '"') {
		const char *known;

		if ((unsigned char)*scan->at < ' ')
			return false;
		if (*scan->at != '\\') {
			*at++ = *scan->at++;
			continue;
		}
		if (++scan->at == scan->end)
			return false;
		if (*scan->at == 'u') {
			scan->at++;
			if (!take_point(scan, &at))
				return false;
			continue;
		}
		known = *scan->at ? strchr(from, *scan->at) : NULL;
		if (!known)
			return false;
		*at++ = to[known - from];
		scan->at++;
	}
	if (scan->at == scan->end)
		return false;
	scan->at++;
	*out = (struct promcb_json_value){scan->room, (size_t)(at - scan->room)};
	return true;
}

/* What a path is asked for is kept; the room of other strings is used again. */
static void keep(struct scan *scan, struct promcb_json_value value, bool in_room)
{
	bool kept = false;

	for (size_t i = 0; i < scan->count; i++)
		if (strlen(scan->paths[i]) == scan->path_bytes &&
		    memcmp(scan->paths[i], scan->path, scan->path_bytes) == 0) {
			scan->values[i] = value;
			kept = true;
		}
	if (kept && in_room)
		scan->room += value.bytes;
}

/* A member's value, with its key added to the path. */
static bool scan_member(struct scan *scan, unsigned depth, size_t outer)
{
	struct promcb_json_value key;
	size_t before = outer + (outer > 0);

	if (!take(scan, '"') || !take_string(scan, &key) || !take(scan, ':'))
		return false;
	scan->path_bytes = PATH_BYTES + 1;
	if (outer <= PATH_BYTES && before + key.bytes <= PATH_BYTES) {
		if (outer > 0)
			scan->path[outer] = '.';
		memcpy(scan->path + before, key.text, key.bytes);
		scan->path_bytes = before + key.bytes;
	}
	return scan_value(scan, depth + 1);
}

/* An object or a list, after its bracket. What is in a list has no path. */
static bool scan_members(struct scan *scan, unsigned depth, char close)
{
	size_t outer = scan->path_bytes;
	bool good;

	if (depth >= DEPTH_MAX)
		return false;
	if (take(scan, close))
		return true;
	do {
		scan->path_bytes = PATH_BYTES + 1;
		good = close == '}' ? scan_member(scan, depth, outer) : scan_value(scan, depth + 1);
	} while (good && take(scan, ','));
	scan->path_bytes = outer;
	return good && take(scan, close);
}

/* A number, or a word. */
static bool scan_bare(struct scan *scan)
{
	const char *start = scan->at;
	struct promcb_json_value value;

	while (scan->at < scan->end && !strchr(" \t\r\n,]}:\"[{", *scan->at))
		scan->at++;
	value = (struct promcb_json_value){start, (size_t)(scan->at - start)};
	if (value.bytes == 0)
		return false;
	if (*start != '-' && (*start < '0' || *start > '9')) {
		if (value.bytes == 4 && memcmp(start, "null", 4) == 0)
			value.text = NULL;
		else if ((value.bytes != 4 || memcmp(start, "true", 4) != 0) &&
			 (value.bytes != 5 || memcmp(start, "false", 5) != 0))
			return false;
	}
	keep(scan, value, false);
	return true;
}

static bool scan_value(struct scan *scan, unsigned depth)
{
	struct promcb_json_value value;

	if (take(scan, '{'))
		return scan_members(scan, depth, '}');
	if (take(scan, '['))
		return scan_members(scan, depth, ']');
	if (!take(scan, '"'))
		return scan_bare(scan);
	if (!take_string(scan, &value))
		return false;
	keep(scan, value, true);
	return true;
}

bool promcb_json_fields(const char *line, size_t length, const char *const *paths, size_t count,
			struct promcb_json_value *values, char *room)
{
	struct scan scan = {
		.at = line, .end = line + length, .paths = paths, .count = count, .values = values, .room = room};

	memset(values, 0, count * sizeof(*values));
	if (!take(&scan, '{') || !scan_members(&scan, 0, '}'))
		return false;
	skip_blanks(&scan);
	return scan.at == scan.end;
}

/* SPDX-License-Identifier: MIT */
#include "base/name.h"

#include <promcb/promcb.h>

#include <string.h>

/* Length of the UTF-8 sequence at text, 0 if it is none. The table of RFC 3629, section 4. */
static size_t sequence_length(const unsigned char *text, size_t left)
{
	unsigned char first = text[0], low = 0x80, high = 0xbf;
	size_t length;

	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf) {
		length = 2;
	} else if (first >= 0xe0 && first <= 0xef) {
		length = 3;
		low = first == 0xe0 ? 0xa0 : 0x80;
		high = first == 0xed ? 0x9f : 0xbf;
	} else if (first >= 0xf0 && first <= 0xf4) {
		length = 4;
		low = first == 0xf0 ? 0x90 : 0x80;
		high = first == 0xf4 ? 0x8f : 0xbf;
	} else {
		return 0;
	}
	if (left < length || text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (text[i] < 0x80 || text[i] > 0xbf)
			return 0;
	return length;
}

bool promcb_name_is_utf8(const char *text, size_t length)
{
	for (size_t i = 0; i < length;) {
		size_t step = sequence_length((const unsigned char *)text + i, length - i);

		if (step == 0)
			return false;
		i += step;
	}
	return true;
}

bool promcb_name_is_word(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i && c >= '0' && c <= '9')))
			return false;
	}
	return length > 0 && (length == 1 || memcmp(text, "__", 2) != 0);
}

const char *promcb_full_name_fault(const char *name, size_t length)
{
	const unsigned char *text = (const unsigned char *)name;

	if (length == 0)
		return "a component name may not be empty";
	if (length > PROMCB_FULL_NAME_MAX)
		return "a component name with its labels has at most 230 bytes";
	for (size_t i = 0; i < length;) {
		size_t step = sequence_length(text + i, length - i);

		if (step == 0)
			return "a component name must be UTF-8";
		if (text[i] < 0x20 || text[i] == 0x7f)
			return "a component name may not hold control bytes";
		i += step;
	}
	return NULL;
}

const char *promcb_name_fault(const char *name, size_t length)
{
	return length > PROMCB_NAME_MAX ? "a component name has at most 127 bytes"
					: promcb_full_name_fault(name, length);
}

const char *promcb_name_error(const char *name, size_t length)
{
	promcb_name_trim(&name, &length);
	return promcb_name_fault(name, length);
}

/* Whether three bytes are a blank of Unicode, or one of what has no width and joins nothing: U+1680, U+2000 to U+200B,
 * U+2028, U+2029, U+202F, U+205F, U+2060, U+3000, U+FEFF. */
static bool is_wide_blank(const unsigned char *text)
{
	switch (text[0]) {
	case 0xe1:
		return text[1] == 0x9a && text[2] == 0x80;
	case 0xe2:
		if (text[1] == 0x80)
			return (text[2] >= 0x80 && text[2] <= 0x8b) || text[2] == 0xa8 || text[2] == 0xa9 ||
			       text[2] == 0xaf;
		return text[1] == 0x81 && (text[2] == 0x9f || text[2] == 0xa0);
	case 0xe3:
		return text[1] == 0x80 && text[2] == 0x80;
	default:
		return text[0] == 0xef && text[1] == 0xbb && text[2] == 0xbf;
	}
}

/* Length of what is trimmed at the text's beginning, or at its end; 0: nothing is. */
static size_t trimmed_length(const char *text, size_t length, bool at_end)
{
	const unsigned char *edge = (const unsigned char *)text, *end = edge + length;

	if (length == 0)
		return 0;
	if ((at_end ? end[-1] : edge[0]) < 0x80) {
		unsigned char byte = at_end ? end[-1] : edge[0];

		return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
	}
	if (length >= 2) {
		const unsigned char *two = at_end ? end - 2 : edge;

		if (two[0] == 0xc2 && (two[1] == 0x85 || two[1] == 0xa0))
			return 2;
	}
	return length >= 3 && is_wide_blank(at_end ? end - 3 : edge) ? 3 : 0;
}

void promcb_name_trim(const char **name, size_t *length)
{
	size_t bytes;

	while ((bytes = trimmed_length(*name, *length, true)))
		*length -= bytes;
	while ((bytes = trimmed_length(*name, *length, false))) {
		*name += bytes;
		*length -= bytes;
	}
}

/* What stands between two stars is looked for from the left, which finds it if it is there: no step is taken back. */
bool promcb_name_matches(const char *name, const char *text)
{
	size_t left = strlen(name), length = strlen(text), piece;
	const char *star, *found;

	promcb_name_trim(&text, &length);
	star = memchr(text, '*', length);
	if (!star)
		return memmem(name, left, text, length) != NULL;
	piece = (size_t)(star - text);
	if (piece > left || memcmp(name, text, piece) != 0)
		return false;
	for (found = name;;) {
		name = found + piece;
		left = strlen(name);
		length -= piece + 1;
		text = star + 1;
		star = memchr(text, '*', length);
		if (!star)
			return length <= left && memcmp(name + left - length, text, length) == 0;
		piece = (size_t)(star - text);
		found = memmem(name, left, text, piece);
		if (!found)
			return false;
	}
}

const char *promcb_name_own_prefix(const char *name, size_t length)
{
	static const char *const own[] = {"promcb_", "circuit_breaker_", "log_entries"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (length >= strlen(own[i]) && memcmp(name, own[i], strlen(own[i])) == 0)
			return own[i];
	return NULL;
}

bool promcb_name_is_errors(const char *name, size_t length)
{
	return length == strlen(PROMCB_ERRORS_NAME) && memcmp(name, PROMCB_ERRORS_NAME, length) == 0;
}

bool promcb_label_is_own(const char *name)
{
	static const char *const own[] = {"le", "quantile", "segment", PROMCB_ERRORS_LABEL, "job", "instance"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(name, own[i]) == 0)
			return true;
	return false;
}

/* SPDX-License-Identifier: MIT */
/*
 * What a segment and a component may be called. Names are held against a second decoder, which is written the other way
 * round: it computes a code point and asks whether it is one, and whether it could have been written shorter.
 */
#include "base/name.h"
#include "format/path.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- Components -------------------------------------------------------------------------------------------------- */

enum verdict { FINE, NOT_UTF8, CONTROL, EMPTY, TOO_LONG };

static const char *const phrases[] = {
	[FINE] = NULL,
	[NOT_UTF8] = "a component name must be UTF-8",
	[CONTROL] = "a component name may not hold control bytes",
	[EMPTY] = "a component name may not be empty",
	[TOO_LONG] = "a component name has at most 127 bytes",
};

/* Bytes of the code point that begins at text, with the point; 0 if there is none. */
static size_t decode(const unsigned char *text, size_t left, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = 0;

	while (length < 8 && text[0] & 0x80 >> length)
		length++;
	if (length == 0) {
		*point = text[0];
		return 1;
	}
	if (length == 1 || length > 4 || length > left)
		return 0;
	*point = text[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (text[i] & 0x3f);
	}
	if (*point < least[length] || *point > 0x10ffff || (*point >= 0xd800 && *point <= 0xdfff))
		return 0;
	return length;
}

static enum verdict expected(const unsigned char *text, size_t length)
{
	uint32_t point;

	if (length == 0)
		return EMPTY;
	if (length > PROMCB_NAME_MAX)
		return TOO_LONG;
	for (size_t i = 0; i < length;) {
		size_t step = decode(text + i, length - i, &point);

		if (step == 0)
			return NOT_UTF8;
		if (point < 0x20 || point == 0x7f)
			return CONTROL;
		i += step;
	}
	return FINE;
}

static bool agrees(const unsigned char *text, size_t length)
{
	const char *fault = promcb_name_fault((const char *)text, length), *phrase = phrases[expected(text, length)];

	return fault == phrase || (fault && phrase && strcmp(fault, phrase) == 0);
}

/* An assertion for each of millions of names would take minutes: they are counted, and the first is told. */
struct disagreements {
	uint64_t names, count;
	unsigned char first[PROMCB_NAME_MAX + 1];
};

static void compare(struct disagreements *found, const unsigned char *text, size_t length)
{
	found->names++;
	if (!agrees(text, length) && found->count++ == 0)
		memcpy(found->first, text, length);
}

static void assert_none(const struct disagreements *found, uint64_t names)
{
	cr_assert_eq(found->count, 0, "%llu of %llu names, the first begins with %02x %02x %02x %02x",
		     (unsigned long long)found->count, (unsigned long long)found->names, found->first[0],
		     found->first[1], found->first[2], found->first[3]);
	cr_assert_eq(found->names, names);
}

Test(name, every_one_and_two_bytes)
{
	struct disagreements found = {.count = 0};
	unsigned char text[2];

	for (unsigned first = 0; first < 256; first++) {
		text[0] = (unsigned char)first;
		compare(&found, text, 1);
		for (unsigned second = 0; second < 256; second++) {
			text[1] = (unsigned char)second;
			compare(&found, text, 2);
		}
	}
	assert_none(&found, 256 + 65536);
}

/* All first and second bytes, which decide; then bytes on both sides of each border between kinds of bytes. */
Test(name, three_and_four_bytes_at_the_borders)
{
	static const unsigned char borders[] = {0x00, 0x1f, 0x20, 0x7e, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
						0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xef, 0xf0, 0xf4, 0xff};
	struct disagreements found = {.count = 0};
	unsigned char text[4];

	for (unsigned pair = 0; pair < 65536; pair++) {
		text[0] = (unsigned char)(pair >> 8);
		text[1] = (unsigned char)pair;
		for (size_t third = 0; third < sizeof(borders); third++) {
			text[2] = borders[third];
			compare(&found, text, 3);
			/* Below, the fourth byte begins anew, which the others have tried. */
			if (text[0] < 0xe0)
				continue;
			for (size_t fourth = 0; fourth < sizeof(borders); fourth++) {
				text[3] = borders[fourth];
				compare(&found, text, 4);
			}
		}
	}
	assert_none(&found, 65536 * sizeof(borders) + 0x2000 * sizeof(borders) * sizeof(borders));
}

static size_t encode(uint32_t point, unsigned char text[4])
{
	size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

	for (size_t i = length; i-- > 1; point >>= 6)
		text[i] = (unsigned char)(0x80 | (point & 0x3f));
	text[0] = (unsigned char)(length == 1 ? point : (0xf00u >> length & 0xff) | point);
	return length;
}

Test(name, every_code_point)
{
	uint64_t wrong = 0, refused = 0, fine_cut_short = 0;
	unsigned char text[4];

	for (uint32_t point = 0; point <= 0x10ffff; point++) {
		bool allowed = point >= 0x20 && point != 0x7f && (point < 0xd800 || point > 0xdfff);
		size_t length = encode(point, text);

		wrong += (promcb_name_fault((const char *)text, length) == NULL) != allowed;
		refused += !allowed;
		/* No sequence is valid without its last byte. */
		fine_cut_short += length > 1 && promcb_name_fault((const char *)text, length - 1) == NULL;
	}
	cr_assert_eq(wrong, 0);
	cr_assert_eq(fine_cut_short, 0);
	cr_assert_eq(refused, 32 + 1 + 2048);
}

Test(name, code_points_past_the_end_and_overlong_forms)
{
	static const char *const refused[] = {
		"\xf4\x90\x80\x80",                                                              /* U+110000 */
		"\xf5\x80\x80\x80",
		"\xf7\xbf\xbf\xbf",
		"\xf8\x88\x80\x80\x80",
		"\xfc\x84\x80\x80\x80\x80",
		"\xc0\xaf",
		"\xe0\x80\xaf",
		"\xf0\x80\x80\xaf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x9f\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xed\xa0\xbd\xed\xb8\x80",       /* surrogates, a pair too */
		"\xfe\xff",
		"\x80",
		"caf\xe9",
		"\xef\xbb",
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const char *fault = promcb_name_fault(refused[i], strlen(refused[i]));

		cr_assert_not_null(fault, "name %zu", i);
		cr_assert_str_eq(fault, phrases[NOT_UTF8], "name %zu", i);
	}
}

Test(name, lengths_count_bytes_and_nothing_is_read_past_them)
{
	/* A name that ends in U+1F600, of which the last bytes lack. */
	for (size_t length = 0; length <= PROMCB_NAME_MAX + 2; length++)
		for (size_t tail = 0; tail <= 4 && tail <= length; tail++) {
			unsigned char *text = malloc(length ? length : 1);

			cr_assert_not_null(text);
			memset(text, 'n', length);
			memcpy(text + length - tail, "\xf0\x9f\x98\x80", tail);
			cr_assert(agrees(text, length), "%zu bytes, of U+1F600 %zu", length, tail);
			free(text);
		}
	cr_assert_str_eq(promcb_name_fault("", 0), phrases[EMPTY]);
	cr_assert_str_eq(promcb_name_fault("a\0b", 3), phrases[CONTROL]);
	cr_assert_null(promcb_name_fault("a\0b", 1));
	cr_assert_null(promcb_name_fault("_overflow", 9));
}

/* A fault in any place is found, whatever stands around it. */
Test(name, every_place_is_looked_at)
{
	static const struct {
		const char *bytes;
		enum verdict verdict;
	} faults[] = {{"\x01", CONTROL},
		      {"\x7f", CONTROL},
		      {"\xff", NOT_UTF8},
		      {"\xc3", NOT_UTF8},
		      {"\xed\xa0\x80", NOT_UTF8}};

	for (size_t place = 0; place <= PROMCB_NAME_MAX - 3; place++)
		for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
			char name[PROMCB_NAME_MAX];

			memset(name, ' ', sizeof(name));
			memcpy(name + place, faults[i].bytes, strlen(faults[i].bytes));
			const char *fault = promcb_name_fault(name, sizeof(name));

			cr_assert_not_null(fault, "fault %zu at %zu", i, place);
			cr_assert_str_eq(fault, phrases[faults[i].verdict], "fault %zu at %zu", i, place);
		}
}

/* -- Segments ---------------------------------------------------------------------------------------------------- */

static void assert_path(const char *segment, const char *path)
{
	struct promcb_message message = {.text = ""};
	char got[PROMCB_PATH_MAX];

	cr_assert_eq(promcb_segment_path(segment, got, &message), 0, "%s: %s", segment, message.text);
	cr_assert_str_eq(got, path);
	cr_assert_str_empty(message.text);
}

static void assert_refused(const char *segment)
{
	struct promcb_message message = {.text = ""};
	char got[PROMCB_PATH_MAX];

	cr_assert_eq(promcb_segment_path(segment, got, &message), -EINVAL, "\"%s\"", segment);
	cr_assert_str_not_empty(message.text);
	cr_assert_eq(promcb_segment_path(segment, got, NULL), -EINVAL);
}

Test(name, segments_in_shared_memory)
{
	assert_path("/promcb", "/dev/shm/promcb");
	assert_path("promcb", "/dev/shm/promcb");
	assert_path("/a", "/dev/shm/a");
	assert_path("...", "/dev/shm/...");
	assert_path("/.hidden", "/dev/shm/.hidden");
	assert_path("/with blank", "/dev/shm/with blank");
	assert_path("/%s%n", "/dev/shm/%s%n");
}

Test(name, segments_by_path)
{
	assert_path("/run/app/metrics", "/run/app/metrics");
	assert_path("/run/app", "/run/app");
	/* Absolute, since a process may change its directory afterwards. */
	cr_assert_eq(chdir("/usr"), 0);
	assert_path("./metrics", "/usr/./metrics");
	assert_path("app/metrics", "/usr/app/metrics");
	assert_path("/dev/shm/promcb", "/dev/shm/promcb");
	assert_path("/./%s", "/./%s");
}

Test(name, segments_without_a_name)
{
	static const char *const none[] = {"", "/", ".", "..", "/.", "/.."};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_refused(none[i]);
}

Test(name, segments_from_the_environment)
{
	cr_assert_eq(setenv("PROMCB_SEGMENT", "/of_the_environment", 1), 0);
	assert_path(NULL, "/dev/shm/of_the_environment");
	assert_path("/of_the_caller", "/dev/shm/of_the_caller");
	cr_assert_eq(setenv("PROMCB_SEGMENT", "/run/app/metrics", 1), 0);
	assert_path(NULL, "/run/app/metrics");
	cr_assert_eq(setenv("PROMCB_SEGMENT", "", 1), 0);
	assert_path(NULL, "/dev/shm/promcb");
	assert_refused("");
	cr_assert_eq(unsetenv("PROMCB_SEGMENT"), 0);
	assert_path(NULL, "/dev/shm/promcb");
}

/* As long as a path may be, and one byte longer, for both kinds. */
Test(name, segments_length)
{
	const size_t directory = strlen(PROMCB_SHM_DIRECTORY);
	char name[PROMCB_PATH_MAX + 64], path[PROMCB_PATH_MAX + 64];

	for (size_t length = 2; length < sizeof(name); length++) {
		memset(name, 'n', length);
		name[0] = '/';
		name[length] = 0;
		snprintf(path, sizeof(path), "%s", PROMCB_SHM_DIRECTORY);
		if (directory + length < PROMCB_PATH_MAX) {
			memcpy(path + directory, name, length + 1);
			assert_path(name, path);
		} else {
			assert_refused(name);
		}
		name[1] = '/';
		if (length < PROMCB_PATH_MAX)
			assert_path(name, name);
		else
			assert_refused(name);
	}
}

static void expect_trimmed(const char *text, const char *trimmed)
{
	size_t length = strlen(text);

	promcb_name_trim(&text, &length);
	cr_expect(length == strlen(trimmed) && memcmp(text, trimmed, length) == 0, "\"%.*s\", not \"%s\"", (int)length,
		  text, trimmed);
}

Test(name, ends_are_trimmed)
{
	expect_trimmed("", "");
	expect_trimmed("a", "a");
	expect_trimmed(" a ", "a");
	expect_trimmed(" \t\r\n", "");
	expect_trimmed("\xef\xbb\xbf"
		       "a b\n",
		       "a b");
	expect_trimmed("\xc2\xa0 \xe3\x80\x80"
		       "GET /\xe2\x80\x8b\xef\xbb\xbf",
		       "GET /");
	/* Pieces of what is trimmed, and what is inside, stay. */
	expect_trimmed("\xbb\xbf"
		       "a\xc2",
		       "\xbb\xbf"
		       "a\xc2");
	expect_trimmed("a\xef\xbb\xbf"
		       "b",
		       "a\xef\xbb\xbf"
		       "b");
	expect_trimmed("\xc3\xa0", "\xc3\xa0");
}

/* Of all characters of up to three bytes, these and no others, at either end. */
Test(name, blanks_of_unicode_are_trimmed)
{
	static const unsigned trimmed[] = {0x09,   0x0a,   0x0d,   0x20,   0x85,   0xa0,   0x1680, 0x2000, 0x2001,
					   0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a,
					   0x200b, 0x2028, 0x2029, 0x202f, 0x205f, 0x2060, 0x3000, 0xfeff};
	size_t found = 0;

	for (unsigned code = 1; code < 0x10000; code++) {
		char one[4] = {0}, both[16];
		const char *at = both;
		size_t length, bytes = code < 0x80 ? 1 : code < 0x800 ? 2 : 3;

		one[0] = (char)(bytes == 1 ? code : bytes == 2 ? 0xc0 | code >> 6 : 0xe0 | code >> 12);
		one[bytes - 1] = (char)(bytes == 1 ? code : 0x80 | (code & 0x3f));
		if (bytes == 3)
			one[1] = (char)(0x80 | (code >> 6 & 0x3f));
		length = (size_t)snprintf(both, sizeof(both), "%sx%s", one, one);
		promcb_name_trim(&at, &length);
		if (length == 1) {
			cr_assert(found < sizeof(trimmed) / sizeof(trimmed[0]) && trimmed[found] == code, "U+%04X",
				  code);
			cr_assert(*at == 'x');
			found++;
		} else {
			cr_assert(at == both && length == 2 * bytes + 1, "U+%04X", code);
		}
	}
	cr_assert(found == sizeof(trimmed) / sizeof(trimmed[0]), "%zu are trimmed", found);
}

Test(name, matches_what_is_left_of_a_text)
{
	cr_expect(promcb_name_matches("GET /a", " GET "));
	cr_expect(promcb_name_matches("GET /a", ""));
	cr_expect(promcb_name_matches("GET /a", "T /"));
	cr_expect(promcb_name_matches("GET /a", "\xef\xbb\xbfGET /a\n"));
	cr_expect(!promcb_name_matches("GET /a", "GET /ab"));
}

/* By the definition: a star is nothing, or a byte and a star. */
static bool is_like(const char *name, const char *text)
{
	if (*text == '*')
		return is_like(name, text + 1) || (*name && is_like(name + 1, text));
	return *text == *name && (!*text || is_like(name + 1, text + 1));
}

/* Every name and every text with a star of up to five of these characters. */
Test(name, matches_stars)
{
	static const char letters[] = "ab*";
	char names[363][6], texts[363][6];
	size_t count = 0, checked = 0;

	for (unsigned length = 1; length <= 5; length++) {
		unsigned all = 1;

		for (unsigned i = 0; i < length; i++)
			all *= 3;
		for (unsigned number = 0; number < all; number++, count++) {
			unsigned rest = number;

			for (unsigned i = 0; i < length; i++, rest /= 3)
				texts[count][i] = letters[rest % 3];
			texts[count][length] = '\0';
			memcpy(names[count], texts[count], sizeof(texts[count]));
		}
	}
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++) {
			if (!strchr(texts[j], '*'))
				continue;
			checked++;
			cr_assert_eq(promcb_name_matches(names[i], texts[j]), is_like(names[i], texts[j]), "%s like %s",
				     names[i], texts[j]);
		}
	cr_assert_eq(count, 363);
	cr_assert_gt(checked, 100000);
	cr_expect(promcb_name_matches("GET_/users", " GET_* "));
	cr_expect(promcb_name_matches("GET_/users", "*"));
	cr_expect(!promcb_name_matches("xGET_/users", "GET_*"));
}

/* Every byte at every place of a short word; and what no byte alone decides. */
Test(name, words_of_metrics_and_labels)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", digits[] = "0123456789";

	for (unsigned byte = 0; byte < 256; byte++) {
		bool is_letter = byte && strchr(letters, (int)byte), is_digit = byte && strchr(digits, (int)byte);

		for (size_t at = 0; at < 3; at++) {
			char word[] = "a_9";

			word[at] = (char)byte;
			cr_assert_eq(promcb_name_is_word(word, 3),
				     (is_letter || (is_digit && at > 0)) && (at || byte != '_'), "%02x at %zu", byte,
				     at);
		}
	}
	cr_assert_not(promcb_name_is_word("", 0));
	cr_assert(promcb_name_is_word("_", 1));
	cr_assert(promcb_name_is_word("_a", 2));
	cr_assert(promcb_name_is_word("a__", 3));
	cr_assert_not(promcb_name_is_word("__", 2));
	cr_assert_not(promcb_name_is_word("__name", 6));
	cr_assert(promcb_name_is_word("a b", 1), "nothing is read past its end");
}

/* SPDX-License-Identifier: MIT */
/* The sink hands on what it was given, once and in order, or an error that sticks; numbers read back as themselves. */
#include "render/render_json.h"
#include "render/sink.h"

#include "collected.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* One number as the sink prints it. */
static const char *print(void (*number)(struct promcb_sink *sink, uint64_t bits), uint64_t bits)
{
	static char text[128];
	struct collected to = {0};
	struct promcb_sink sink;

	promcb_sink_start(&sink, collect, &to);
	number(&sink, bits);
	cr_assert_eq(promcb_sink_finish(&sink), 0);
	cr_assert_lt(to.length, sizeof(text));
	memcpy(text, to.bytes, to.length + 1);
	free(to.bytes);
	return text;
}

static void number_double(struct promcb_sink *sink, uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	promcb_sink_double(sink, value);
}

static const char *print_double(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return print(number_double, bits);
}

static void check_u64(uint64_t value)
{
	char expected[32];

	snprintf(expected, sizeof(expected), "%" PRIu64, value);
	cr_assert_str_eq(print(promcb_sink_u64, value), expected);
}

static void check_seconds(uint64_t nanoseconds)
{
	char expected[64];
	int length = snprintf(expected, sizeof(expected), "%" PRIu64 ".%09" PRIu64, nanoseconds / 1000000000,
			      nanoseconds % 1000000000);

	while (expected[length - 1] == '0')
		expected[--length] = 0;
	if (expected[length - 1] == '.')
		expected[--length] = 0;
	cr_assert_str_eq(print(promcb_sink_seconds, nanoseconds), expected);
}

Test(sink, integers_at_every_edge)
{
	uint64_t power = 1;

	check_u64(0);
	for (int i = 0; i < 20; i++, power *= 10) {
		check_u64(power - 1);
		check_u64(power);
		check_u64(power + 1);
		check_u64(power * 9);
	}
	for (int i = 0; i < 64; i++) {
		check_u64((uint64_t)1 << i);
		check_u64(((uint64_t)1 << i) - 1);
	}
	check_u64(UINT64_MAX);
	for (int i = 0; i < 20000; i++)
		check_u64(random64() >> random64() % 64);
}

Test(sink, seconds_are_exact)
{
	cr_assert_str_eq(print(promcb_sink_seconds, 1500000000), "1.5");
	cr_assert_str_eq(print(promcb_sink_seconds, 0), "0");
	cr_assert_str_eq(print(promcb_sink_seconds, 1), "0.000000001");
	cr_assert_str_eq(print(promcb_sink_seconds, 1000), "0.000001");
	cr_assert_str_eq(print(promcb_sink_seconds, 100000000), "0.1");
	cr_assert_str_eq(print(promcb_sink_seconds, 1700000000123456789), "1700000000.123456789");
	cr_assert_str_eq(print(promcb_sink_seconds, UINT64_MAX), "18446744073.709551615");
	uint64_t power = 1;

	for (int i = 0; i < 20; i++, power *= 10) {
		check_seconds(power - 1);
		check_seconds(power);
		check_seconds(power * 7);
	}
	for (int i = 0; i < 20000; i++)
		check_seconds(random64() >> random64() % 64);
}

/* The digits of a number as text, without sign, point, exponent, leading and trailing zeros. */
static unsigned significant(const char *text)
{
	unsigned digits = 0, zeros = 0;

	for (; *text && *text != 'e'; text++) {
		if (*text < '0' || *text > '9')
			continue;
		if (*text != '0') {
			digits += zeros + 1;
			zeros = 0;
		} else if (digits) {
			zeros++;
		}
	}
	return digits;
}

/* Reads back as itself, in no more digits than the C library needs. For the "C" locale. */
static void check_double(double value)
{
	const char *text = print_double(value);
	char shortest[64];
	double back = strtod(text, NULL);
	int digits = 15;

	cr_assert(memcmp(&back, &value, sizeof(value)) == 0, "%.17g was printed as %s", value, text);
	cr_assert_eq(strspn(text, "0123456789.e+-"), strlen(text), "%s", text);
	do
		snprintf(shortest, sizeof(shortest), "%.*g", digits, value);
	while (strtod(shortest, NULL) != value && ++digits <= 17);
	cr_assert_leq(significant(text), significant(shortest), "%s instead of %s", text, shortest);
}

/* Borders of notation, of precision and of whole numbers. */
static const double odd[] = {
	0,
	-0.0,
	1,
	-1,
	0.1,
	0.5,
	3.7,
	100,
	99.9,
	33.333333333333336,
	1e-6,
	9.9e-7,
	1e-5,
	1e-4,
	0.001,
	0.01,
	1e15,
	1e16,
	1e17,
	1e22,
	1e23,
	5e-324,
	1e308,
	1e-300,
	1e300,
	2.5,
	1e-7,
	0.3,
	2.0 / 3,
	1.7e9 + 0.123456,
	1e-22,
	4503599627370495.5,
	4503599627370496.5,
	9007199254740991,
	9007199254740992,
	9007199254740994,
	18446744073709551616.0,
	0.99999999999999989,
	9.9999999999999982,
	1.0000000000000002,
};

Test(sink, doubles_read_back)
{
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		check_double(odd[i]);
		check_double(-odd[i]);
		check_double(nextafter(odd[i], INFINITY));
		check_double(nextafter(odd[i], -INFINITY));
	}
	for (int i = -1070; i < 1024; i++) {
		check_double(ldexp(1, i));
		check_double(nextafter(ldexp(1, i), 0));
		check_double(nextafter(ldexp(1, i), INFINITY));
	}
	for (int i = -20; i < 20; i++) {
		check_double(pow(10, i));
		check_double(nextafter(pow(10, i), 0));
		check_double(nextafter(pow(10, i), INFINITY));
	}
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = random64();
		double value;

		memcpy(&value, &bits, sizeof(value));
		if (isfinite(value))
			check_double(value);
		check_double(100.0 * (double)(random64() % 1000) / (double)(1 + random64() % 100000));
		check_double(ldexp((double)(random64() >> 11), -(int)(random64() % 80)));
		check_double((double)(random64() % 1000000) / 1e6);
	}
}

Test(sink, doubles_are_short)
{
	cr_assert_str_eq(print_double(0.1), "0.1");
	cr_assert_str_eq(print_double(3.7), "3.7");
	cr_assert_str_eq(print_double(100), "100");
	cr_assert_str_eq(print_double(-2.5), "-2.5");
	cr_assert_str_eq(print_double(0.000123), "0.000123");
	cr_assert_str_eq(print_double(1700000000.25), "1700000000.25");
	cr_assert_str_eq(print_double(9007199254740991), "9007199254740991");
	cr_assert_str_eq(print_double(100.0 / 3), "33.333333333333336");
}

Test(sink, what_is_no_number_is_spelt_as_prometheus_does)
{
	cr_assert_str_eq(print_double((double)NAN), "NaN");
	cr_assert_str_eq(print_double(copysign((double)NAN, -1)), "NaN");
	cr_assert_str_eq(print_double(INFINITY), "+Inf");
	cr_assert_str_eq(print_double(-INFINITY), "-Inf");
}

/*
 * Sets a locale, and makes it first if the machine has the tool but not the locale: once, in the build's directory,
 * since that takes a second. Returns whether its point is another.
 */
static bool set_foreign_locale(const char *language)
{
	static const char make[] = "cd '%s' && mkdir -p locales && [ -d locales/%s ] && exit\n"
				   "new=$(mktemp -d locales/XXXXXX) || exit\n"
				   "localedef -i %s -f UTF-8 $new/made && mv -T $new/made locales/%s\n"
				   "rm -r $new";
	const char *build = getenv("PROMCB_BUILD");
	char locale[32], text[1024];

	snprintf(locale, sizeof(locale), "%s.UTF-8", language);
	if (!setlocale(LC_ALL, locale) && build) {
		snprintf(text, sizeof(text), make, build, locale, language, locale);
		pid_t child = fork();

		if (child == 0) {
			if (freopen("/dev/null", "w", stderr))
				execl("/bin/sh", "sh", "-c", text, (char *)NULL);
			_exit(127);
		}
		waitpid(child, NULL, 0);
		snprintf(text, sizeof(text), "%s/locales", build);
		setenv("LOCPATH", text, 1);
		setlocale(LC_ALL, locale);
	}
	return strcmp(localeconv()->decimal_point, ".") != 0;
}

static void check_locale(const char *language)
{
	enum { VALUES = 5000 };
	static double values[VALUES];
	static char expected[VALUES][32];

	for (int i = 0; i < VALUES; i++) {
		uint64_t bits = random64();

		memcpy(&values[i], &bits, sizeof(bits));
		if (i % 2 || isnan(values[i]))
			values[i] = (double)(random64() % 100000) / (double)(1 + random64() % 1000);
		strcpy(expected[i], print_double(values[i]));
	}
	if (!set_foreign_locale(language))
		cr_skip_test("there is no such locale here");
	for (int i = 0; i < VALUES; i++)
		cr_assert_str_eq(print_double(values[i]), expected[i]);
	cr_assert_str_eq(print_double(1.5e-9), "1.5e-09");
	cr_assert_str_eq(print_double(0.1), "0.1");
	cr_assert_str_eq(print(promcb_sink_seconds, 1500000000), "1.5");
}

Test(sink, a_decimal_comma_changes_no_number)
{
	check_locale("de_DE");
}

/* There the decimal point is U+066B, two bytes long. */
Test(sink, a_point_of_two_bytes_changes_no_number)
{
	check_locale("ps_AF");
}

Test(sink, hands_on_everything_in_order)
{
	struct collected to = {0};
	struct promcb_sink sink;
	char *expected = malloc(4 << 20);
	static char large[200000];
	size_t length = 0;

	memset(large, 'x', sizeof(large));
	promcb_sink_start(&sink, collect, &to);
	for (int i = 0; i < 1000; i++) {
		size_t bytes = i % 100 == 7 ? random64() % sizeof(large) : random64() % 200;

		large[0] = (char)('a' + i % 26);
		promcb_sink_bytes(&sink, large, bytes);
		memcpy(expected + length, large, bytes);
		length += bytes;
		promcb_sink_text(&sink, "text");
		promcb_sink_u64(&sink, (uint64_t)i);
		length += (size_t)sprintf(expected + length, "text%d", i);
	}
	cr_assert_eq(promcb_sink_finish(&sink), 0);
	cr_assert_eq(to.length, length);
	cr_assert(memcmp(to.bytes, expected, length) == 0);
	free(expected);
	free(to.bytes);
}

Test(sink, nothing_is_written_for_nothing)
{
	struct collected to = {0};
	struct promcb_sink sink;

	promcb_sink_start(&sink, collect, &to);
	promcb_sink_text(&sink, "");
	promcb_sink_bytes(&sink, NULL, 0);
	cr_assert_eq(promcb_sink_finish(&sink), 0);
	cr_assert_eq(to.calls, 0);
}

Test(sink, the_first_error_sticks)
{
	static const char large[100000];

	for (unsigned fail_at = 1; fail_at < 6; fail_at++) {
		struct collected to = {.fail_at = fail_at};
		struct promcb_sink sink;

		promcb_sink_start(&sink, collect, &to);
		for (int i = 0; i < 20000; i++) {
			promcb_sink_text(&sink, "text");
			promcb_sink_u64(&sink, UINT64_MAX);
			promcb_sink_seconds(&sink, 1);
			promcb_sink_double(&sink, 0.1);
			if (i % 1000 == 0)
				promcb_sink_bytes(&sink, large, sizeof(large));
		}
		cr_assert_eq(promcb_sink_finish(&sink), -EPIPE);
		cr_assert_eq(to.calls, fail_at);
		free(to.bytes);
	}
}

/* -- JSON -------------------------------------------------------------------------------------------------------- */

static void number_json(struct promcb_sink *sink, uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	promcb_json_real(sink, value);
}

/* As printf has it with 15 digits, but for an exponent without "+" and leading zeros, and with ".0" if it is whole. */
static void check_json(double value)
{
	char printed[64], expected[64], *to = expected;
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	snprintf(printed, sizeof(printed), "%.15g", value);
	for (const char *from = printed; *from; from++) {
		*to++ = *from;
		if (*from != 'e')
			continue;
		if (*++from == '-')
			*to++ = '-';
		while (from[1] == '0')
			from++;
	}
	*to = 0;
	if (!strpbrk(expected, ".e"))
		strcpy(to, ".0");
	cr_assert_str_eq(print(number_json, bits), expected, "%a", value);
}

Test(sink, json_numbers_have_fifteen_digits)
{
	static const double values[] = {0,
					1,
					0.1,
					1.0 / 3,
					2.0 / 3,
					1e-4,
					9.9999999999999999e-5,
					1e-5,
					1e-6,
					9.99999999999999e-7,
					1e-7,
					0.5,
					1e14,
					999999999999999,
					999999999999999.5,
					1e15,
					1e16,
					1e20,
					4.5e15,
					9007199254740991.0,
					9007199254740993.0,
					0.99999999999999994,
					9.9999999999999982,
					100000000000000.5,
					100000000000001.5,
					1764399599.123456,
					1764399599.1234567,
					5e-324,
					1.7976931348623157e308};
	uint64_t state = 88172645463325252u;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		check_json(values[i]);
		check_json(-values[i]);
	}
	for (int i = 0; i < 40000; i++) {
		double value;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(&value, &state, sizeof(value));
		if (isfinite(value))
			check_json(value);
		check_json((double)(state >> 11) / 9007199254740992.0);
		check_json((double)(state % 1000000000000) / 1e9);
	}
	cr_assert_str_eq(print(number_json, 0x7ff8000000000000), "null");
	cr_assert_str_eq(print(number_json, 0xfff0000000000000), "null");
}

Test(sink, json_strings_are_escaped)
{
	static const char bytes[] = "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9\xf0\x9f\x9a\x80";
	struct collected to = {0};
	struct promcb_sink sink;

	promcb_sink_start(&sink, collect, &to);
	promcb_json_text(&sink, bytes);
	promcb_json_text(&sink, "");
	promcb_json_text(&sink, NULL);
	promcb_json_whole(&sink, INT64_MAX);
	promcb_json_whole(&sink, (uint64_t)INT64_MAX + 1);
	cr_assert_eq(promcb_sink_finish(&sink), 0);
	cr_assert_str_eq(to.bytes, "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001F\x7f\xc3\xa9\xf0\x9f\x9a\x80\""
				   "\"\"null9223372036854775807"
				   "9.22337203685478e18");
	free(to.bytes);
}

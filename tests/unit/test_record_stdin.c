/* SPDX-License-Identifier: MIT */
/*
 * test_record_stdin.c: the line parser of "promcb-record --stdin". Values are checked against integers that were never
 * text with a point in it, so nothing here depends on a floating-point conversion.
 */
#include "record_line.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 200000 };

static enum promcb_line_fault seconds(const char *text, uint64_t *ns)
{
	/* In memory of its exact size, so that a sanitizer sees a byte read too many. */
	size_t length = strlen(text);
	char *copy = malloc(length ? length : 1);
	enum promcb_line_fault fault;

	memcpy(copy, text, length);
	fault = promcb_seconds_parse(copy, length, ns);
	free(copy);
	return fault;
}

static void expect(const char *text, uint64_t want)
{
	uint64_t have;

	cr_expect(seconds(text, &have) == PROMCB_LINE_GOOD, "%s is refused", text);
	cr_expect(have == want, "%s is %" PRIu64 ", not %" PRIu64, text, have, want);
}

Test(seconds, known_values)
{
	expect("0", 0);
	expect("1", 1000000000);
	expect("0.025", 25000000);
	expect(".5", 500000000);
	expect("5.", 5000000000);
	expect("+2", 2000000000);
	expect("-0", 0);
	expect("-0.000e7", 0);
	expect("0.000000001", 1);
	expect("0.0000000004", 0);
	expect("0.0000000005", 1);
	expect("0.00000000049999999999999999999999", 0);
	expect("5e-10", 1);
	expect("4e-10", 0);
	expect("9e-11", 0);
	expect("0.9999999995", 1000000000);
	expect("999999999.999999999", 999999999999999999);
	expect("9999999999.999999999", 9999999999999999999u);
	expect("1E3", 1000000000000);
	expect("1234567.891e-6", 1234567891);
	expect("0.0000001234567891e7", 1234567891);
	expect("00000000000000000000001.5", 1500000000);
	expect("18446744073.709551615", UINT64_MAX);
	expect("18446744073.709551614", UINT64_MAX - 1);
	expect("18446744073.709551616", UINT64_MAX);
	expect("18446744073.7095516155", UINT64_MAX);
	expect("99999999999999999999", UINT64_MAX);
	expect("1e999999999999999999999", UINT64_MAX);
	expect("1e-999999999999999999999", 0);
	expect("0e999999999999999999999", 0);
}

Test(seconds, refused)
{
	static const char *const no_number[] = {
		"",   "-",  "+",     ".",   "+.",  "e5",    "1e", "1e+",    "1e-",   "1.2.3", "1,5",     "0x10", "1 ",
		" 1", "1s", "1e5.0", "--1", "+-1", "infin", "na", "nan(1)", "1_000", "1e5e5", "infinit", "\"1\""};
	static const char *const rejected[] = {"-1",  "-0.1", "-1e-300", "nan",  "NaN",      "-nan",
					       "inf", "+Inf", "-INF",    "-1e9", "Infinity", "-infinity"};
	uint64_t ns;

	for (size_t i = 0; i < sizeof(no_number) / sizeof(no_number[0]); i++)
		cr_expect(seconds(no_number[i], &ns) == PROMCB_LINE_LATENCY, "\"%s\" is a number", no_number[i]);
	for (size_t i = 0; i < sizeof(rejected) / sizeof(rejected[0]); i++)
		cr_expect(seconds(rejected[i], &ns) == PROMCB_LINE_REJECTED, "\"%s\" is not rejected", rejected[i]);
}

static uint64_t random_u64(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* The same number written in many ways: a point anywhere, an exponent that undoes it, zeros around. */
Test(seconds, every_spelling_is_exact)
{
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t want = random_u64() >> (random_u64() % 64), have;
		int point, length, zeros = (int)(random_u64() % 4);
		char digits[32], text[80];

		length = snprintf(digits, sizeof(digits), "%" PRIu64, want);
		point = (int)(random_u64() % (unsigned)(length + 1));
		snprintf(text, sizeof(text), "%.*s%.*s.%s%.*se%d", zeros, "0000", point, digits, digits + point, zeros,
			 "0000", length - point - 9);
		cr_assert(seconds(text, &have) == PROMCB_LINE_GOOD, "%s is refused", text);
		cr_assert(have == want, "%s is %" PRIu64 ", not %" PRIu64, text, have, want);
		snprintf(text, sizeof(text), "%" PRIu64 ".%09" PRIu64, want / 1000000000, want % 1000000000);
		expect(text, want);
	}
}

static enum promcb_line_fault line(const char *text, size_t length, struct promcb_line *out)
{
	char *copy = malloc(length ? length : 1);
	enum promcb_line_fault fault;

	memcpy(copy, text, length);
	fault = promcb_line_parse(copy, length, out);
	/* The same place in what the caller knows. */
	if (out->component)
		out->component = text + (out->component - copy);
	free(copy);
	return fault;
}

static void expect_line(const char *text, const char *component, uint64_t ns, bool success)
{
	struct promcb_line out;

	cr_expect(line(text, strlen(text), &out) == PROMCB_LINE_GOOD, "\"%s\" is refused", text);
	cr_expect(out.component && out.component_bytes == strlen(component) &&
			  memcmp(out.component, component, out.component_bytes) == 0,
		  "the component of \"%s\"", text);
	cr_expect(out.latency_ns == ns && out.success == success, "the call of \"%s\"", text);
}

Test(line, fields)
{
	expect_line("a 1 success", "a", 1000000000, true);
	expect_line("a 1 failure", "a", 1000000000, false);
	expect_line("GET /a b c 0.5 200", "GET /a b c", 500000000, true);
	expect_line("  a \t b\t 0.5 \t 503 \t\r", "a \t b", 500000000, false);
	expect_line("1 2 3 399", "1 2", 3000000000, true);
	expect_line("a 0 100", "a", 0, false);
	expect_line("a 0 199", "a", 0, false);
	expect_line("a 0 400", "a", 0, false);
	expect_line("a 0 599", "a", 0, false);
	expect_line("success success 1 success", "success success", 1000000000, true);
}

Test(line, faults)
{
	static const struct {
		const char *text;
		enum promcb_line_fault fault;
	} lines[] = {
		{"", PROMCB_LINE_BLANK},
		{" \t \r", PROMCB_LINE_BLANK},
		{"a", PROMCB_LINE_FIELDS},
		{"1 200", PROMCB_LINE_FIELDS},
		{" \t1 200 ", PROMCB_LINE_FIELDS},
		{"a 1 600", PROMCB_LINE_OUTCOME},
		{"a 1 099", PROMCB_LINE_OUTCOME},
		{"a 1 20", PROMCB_LINE_OUTCOME},
		{"a 1 Success", PROMCB_LINE_OUTCOME},
		{"a 1 success\r\r", PROMCB_LINE_OUTCOME},
		{"a - 200", PROMCB_LINE_LATENCY},
		{"a 1\r 200", PROMCB_LINE_LATENCY},
		{"a -1 200", PROMCB_LINE_REJECTED},
	};
	struct promcb_line out;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		cr_expect(line(lines[i].text, strlen(lines[i].text), &out) == lines[i].fault, "\"%s\"", lines[i].text);
	cr_expect(line("a\0b 1 200", 9, &out) == PROMCB_LINE_NUL);
	cr_expect(line("a 1 200\0", 8, &out) == PROMCB_LINE_NUL);
	for (int fault = PROMCB_LINE_BLANK; fault <= PROMCB_LINE_REJECTED; fault++)
		cr_expect(promcb_line_fault_phrase((enum promcb_line_fault)fault) != NULL);
	cr_expect(promcb_line_fault_phrase(PROMCB_LINE_GOOD) == NULL);
}

Test(line, length)
{
	char *text = malloc(PROMCB_LINE_MAX_BYTES + 1);
	struct promcb_line out;

	memset(text, 'x', PROMCB_LINE_MAX_BYTES + 1);
	memcpy(text + PROMCB_LINE_MAX_BYTES - 6, " 1 200 ", 7);
	cr_expect(line(text, PROMCB_LINE_MAX_BYTES, &out) == PROMCB_LINE_GOOD);
	cr_expect(out.component_bytes == PROMCB_LINE_MAX_BYTES - 6);
	cr_expect(line(text, PROMCB_LINE_MAX_BYTES + 1, &out) == PROMCB_LINE_TOO_LONG);
	free(text);
}

/* Whatever the bytes, what comes out lies in the line. */
Test(line, any_bytes)
{
	static const char alphabet[] = "01259.e+-ainfsuccess \t\r\n\0\377x";
	char text[40];

	for (int round = 0; round < ROUNDS; round++) {
		size_t length = random_u64() % (sizeof(text) + 1);
		enum promcb_line_fault fault;
		struct promcb_line out;

		for (size_t i = 0; i < length; i++)
			text[i] = alphabet[random_u64() % sizeof(alphabet)];
		fault = line(text, length, &out);
		cr_assert(fault <= PROMCB_LINE_REJECTED);
		cr_assert((out.component != NULL) == (fault == PROMCB_LINE_GOOD || fault == PROMCB_LINE_REJECTED));
		if (out.component)
			cr_assert(out.component_bytes > 0 && out.component >= text &&
				  out.component + out.component_bytes < text + length);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * test_record_stdin.c: the line parser of "promcb-record --stdin", and what it is made of. Values are checked against
 * integers that were never text with a point in it, so nothing here depends on a floating-point conversion.
 */
#include "base/name.h"
#include "record/line.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 200000 };

static enum promcb_latency in_unit(const char *text, enum promcb_unit unit, uint64_t *ns)
{
	/* In memory of its exact size, so that a sanitizer sees a byte read too many. */
	size_t length = strlen(text);
	char *copy = malloc(length ? length : 1);
	enum promcb_latency latency;

	memcpy(copy, text, length);
	latency = promcb_latency_parse(copy, length, unit, ns);
	free(copy);
	return latency;
}

static enum promcb_latency seconds(const char *text, uint64_t *ns)
{
	return in_unit(text, PROMCB_UNIT_S, ns);
}

static void expect(const char *text, uint64_t want)
{
	uint64_t have;

	cr_expect(seconds(text, &have) == PROMCB_LATENCY_KNOWN, "%s is refused", text);
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

Test(seconds, unknown_or_none)
{
	static const char *const no_number[] = {
		"",   "+",  ".",     "+.",  "e5",  "1e",    "1e+", "1e-",    "1.2.3", "1,5",   "0x10",    "1 ",
		" 1", "1s", "1e5.0", "--1", "+-1", "infin", "na",  "nan(1)", "1_000", "1e5e5", "infinit", "\"1\""};
	static const char *const unknown[] = {"-",    "null", "-1",   "-0.1", "-1e-300", "nan",      "NaN",
					      "-nan", "inf",  "+Inf", "-INF", "-1e9",    "Infinity", "-infinity"};
	uint64_t ns;

	for (size_t i = 0; i < sizeof(no_number) / sizeof(no_number[0]); i++)
		cr_expect(seconds(no_number[i], &ns) == PROMCB_LATENCY_NONE, "\"%s\" is a number", no_number[i]);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		cr_expect(seconds(unknown[i], &ns) == PROMCB_LATENCY_UNKNOWN, "\"%s\" is known", unknown[i]);
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
		cr_assert(seconds(text, &have) == PROMCB_LATENCY_KNOWN, "%s is refused", text);
		cr_assert(have == want, "%s is %" PRIu64 ", not %" PRIu64, text, have, want);
		snprintf(text, sizeof(text), "%" PRIu64 ".%09" PRIu64, want / 1000000000, want % 1000000000);
		expect(text, want);
	}
}

/* In every unit, the same time. */
Test(latency, units)
{
	static const struct {
		const char *text;
		enum promcb_unit unit;
		uint64_t ns;
	} latencies[] = {
		{"1.5", PROMCB_UNIT_S, 1500000000},
		{"1.5", PROMCB_UNIT_MS, 1500000},
		{"1.5", PROMCB_UNIT_US, 1500},
		{"1.5", PROMCB_UNIT_NS, 2},
		{"12", PROMCB_UNIT_MS, 12000000},
		{"999999999", PROMCB_UNIT_S, 999999999000000000},
		{"999999999", PROMCB_UNIT_NS, 999999999},
		{"9999999999", PROMCB_UNIT_NS, 9999999999},
		{"0.123456", PROMCB_UNIT_MS, 123456},
		{"0.1234567", PROMCB_UNIT_MS, 123457},
		{"0.4", PROMCB_UNIT_NS, 0},
		{"0.5", PROMCB_UNIT_NS, 1},
		{"7.", PROMCB_UNIT_NS, 7},
		{"+31", PROMCB_UNIT_MS, 31000000},
		{"1e3", PROMCB_UNIT_US, 1000000},
		{"25e-6", PROMCB_UNIT_S, 25000},
		{"-0", PROMCB_UNIT_MS, 0},
		{"18446744073709551616", PROMCB_UNIT_NS, UINT64_MAX},
	};
	enum promcb_unit unit;
	uint64_t ns;

	for (size_t i = 0; i < sizeof(latencies) / sizeof(latencies[0]); i++) {
		cr_expect(in_unit(latencies[i].text, latencies[i].unit, &ns) == PROMCB_LATENCY_KNOWN);
		cr_expect(ns == latencies[i].ns, "%s is %" PRIu64 " ns", latencies[i].text, ns);
	}
	cr_expect(in_unit("-1", PROMCB_UNIT_MS, &ns) == PROMCB_LATENCY_UNKNOWN && ns == 0);
	cr_expect(promcb_unit_parse("ms", &unit) && unit == PROMCB_UNIT_MS);
	cr_expect(promcb_unit_parse("s", &unit) && unit == PROMCB_UNIT_S);
	cr_expect(!promcb_unit_parse("", &unit) && !promcb_unit_parse("sec", &unit) && !promcb_unit_parse("S", &unit));
}

static bool fails(const char *list, const char *outcome)
{
	struct promcb_failures failures;
	struct promcb_parsed_outcome parsed;

	if (list)
		cr_assert(promcb_failures_parse(list, &failures) == NULL, "%s", list);
	else
		promcb_failures_default(&failures);
	cr_assert(promcb_outcome_parse(outcome, strlen(outcome), &failures, &parsed), "%s", outcome);
	return !parsed.success;
}

Test(outcome, what_fails_is_a_choice)
{
	static const char *const good[] = {"success", "100", "101", "200", "304", "400", "404", "429", "499"};
	static const char *const bad[] = {"failure", "000", "009", "0", "-", "-1", "500", "503", "599", "600", "999"};
	static const char *const wrong[] = {"",     "5",     "5x",   "500,",  ",500", "5xxx",    "5xx 4xx", "!",
					    "5000", "!!5xx", "a5xx", "5xx,x", "-1",   "5xx;6xx", "50x"};
	struct promcb_failures failures;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(!fails(NULL, good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(fails(NULL, bad[i]), "%s", bad[i]);
	cr_expect(fails("5xx,499", "499") && fails("5xx,499", "500") && !fails("5xx,499", "000") &&
		  !fails("5xx,499", "404"));
	cr_expect(fails("4XX,!404,000", "403") && !fails("4XX,!404,000", "404") && fails("4XX,!404,000", "-1"));
	cr_expect(!fails("5xx,!5xx", "500") && fails("!5xx,503", "503"));
	cr_expect(fails("200", "failure") && !fails("5xx", "success"));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect(promcb_failures_parse(wrong[i], &failures) != NULL, "\"%s\" is a list", wrong[i]);
}

static struct promcb_line_rules rules(void)
{
	struct promcb_line_rules made = {.unit = PROMCB_UNIT_S};

	promcb_failures_default(&made.failures);
	return made;
}

static enum promcb_line_fault line(const char *text, size_t length, const struct promcb_line_rules *how,
				   struct promcb_line *out)
{
	char *copy = malloc(length ? length : 1);
	enum promcb_line_fault fault;

	memcpy(copy, text, length);
	fault = promcb_line_parse(copy, length, how, out);
	/* The same place in what the caller knows. */
	if (out->component)
		out->component = text + (out->component - copy);
	free(copy);
	return fault;
}

/* latency: as text; NULL: none. */
static void expect_by(const struct promcb_line_rules *how, const char *text, const char *component, const char *latency,
		      bool success)
{
	struct promcb_line out;
	uint64_t ns = 0;

	if (latency)
		cr_assert(seconds(latency, &ns) == PROMCB_LATENCY_KNOWN);
	cr_expect(line(text, strlen(text), how, &out) == PROMCB_LINE_GOOD, "\"%s\" is refused", text);
	cr_expect(out.component && out.component_bytes == strlen(component) &&
			  memcmp(out.component, component, out.component_bytes) == 0,
		  "the component of \"%s\" is \"%.*s\"", text, (int)out.component_bytes,
		  out.component ? out.component : "");
	cr_expect(out.measured == (latency != NULL) && out.latency_ns == ns, "the latency of \"%s\" is %" PRIu64, text,
		  out.latency_ns);
	cr_expect(out.success == success, "the outcome of \"%s\"", text);
}

static void expect_line(const char *text, const char *component, const char *latency, bool success)
{
	struct promcb_line_rules how = rules();
	struct promcb_line out;

	expect_by(&how, text, component, latency, success);
	line(text, strlen(text), &how, &out);
	cr_expect(out.name_fault == NULL, "\"%s\": %s", text, out.name_fault);
}

/* A call all the same. */
static void expect_nameless(const char *text, const char *latency, bool success, const char *why)
{
	struct promcb_line_rules how = rules();
	struct promcb_line out;
	uint64_t ns = 0;

	if (latency)
		cr_assert(seconds(latency, &ns) == PROMCB_LATENCY_KNOWN);
	cr_expect(line(text, strlen(text), &how, &out) == PROMCB_LINE_GOOD, "\"%s\" is refused", text);
	cr_expect(out.name_fault && strstr(out.name_fault, why), "\"%s\": %s", text,
		  out.name_fault ? out.name_fault : "no fault");
	cr_expect(out.measured == (latency != NULL) && out.latency_ns == ns && out.success == success, "\"%s\"", text);
}

Test(line, fields)
{
	expect_line("a 1 success", "a", "1", true);
	expect_line("a 1 failure", "a", "1", false);
	expect_line("  a \t 0.5 \t \t 503 \t\r", "a", "0.5", false);
	expect_line("a 0 399", "a", "0", true);
	expect_line("success 1 success", "success", "1", true);
	expect_line("200 200 200", "200", "200", true);
	expect_line("a, 1 200", "a,", "1", true);
	expect_line("\xef\xbb\xbf"
		    "a 1 200",
		    "a", "1", true);
	expect_nameless("GET /a b 0.5 200", "0.5", true, "several words");
	expect_nameless("1 2 1 2 200", "2", true, "several words");
	expect_nameless("0.5 200", "0.5", true, "empty");
	expect_nameless("\xef\xbb\xbf 0.5 503", "0.5", false, "empty");
	expect_nameless("a\x01"
			"b 1 200",
			"1", true, "control");
	expect_nameless("\377 1 200", "1", true, "UTF-8");
}

Test(line, calls_without_a_latency)
{
	expect_line("a - 200", "a", NULL, true);
	expect_line("a -1 503", "a", NULL, false);
	expect_line("a null 200", "a", NULL, true);
	expect_line("a NaN 200", "a", NULL, true);
	expect_line("a inf failure", "a", NULL, false);
	expect_line("a 200", "a", NULL, true);
	expect_line("a failure", "a", NULL, false);
	expect_line("a\t\t200", "a", NULL, true);
	expect_line("a - -", "a", NULL, false);
	expect_line("a - -1", "a", NULL, false);
	expect_line("chat 3623.181 101", "chat", NULL, true);
	expect_line("chat\t3623.181\t101", "chat", NULL, true);
	expect_nameless("- 200", NULL, true, "empty");
}

Test(line, lists)
{
	expect_line("web1 0.028, 0.001 200", "web1", "0.029", true);
	expect_line("web1 0.028 : 0.001 200", "web1", "0.029", true);
	expect_line("web1 0.010,0.020 200", "web1", "0.030", true);
	expect_line("web1 0.1, 0.2 : 0.3, 0.4 200", "web1", "1.0", true);
	expect_line("web1 -, 0.2 200", "web1", "0.2", true);
	expect_line("web1 0.2 : - 502", "web1", "0.2", false);
	expect_line("web1 -, - 502", "web1", NULL, false);
	expect_line("web1 -,- 502", "web1", NULL, false);
	expect_line("web1 0.1, 0.2 502, 200", "web1", "0.3", true);
	expect_line("web1 0.1 502 : 504", "web1", "0.1", false);
	expect_line("web1\t0.1, 0.2\t502, 200", "web1", "0.3", true);
	expect_line("web1 3, 4 200", "web1", "7", true);
	/* What goes before a list is a name if it is no latency. */
	expect_line("x, 0.2 200", "x,", "0.2", true);
	expect_line("w 18446744073, 18446744073 200", "w", "18446744073.709551615", true);
	expect_nameless("0.1, 0.2 200", "0.3", true, "empty");
	expect_nameless("GET /a 0.1, 0.2 200", "0.3", true, "several words");
}

Test(line, names_with_blanks)
{
	struct promcb_line_rules how = rules();

	expect_line("GET /a  b\t0.5\t200", "GET /a  b", "0.5", true);
	expect_line(" GET /a \t \t 200 ", "GET /a", NULL, true);
	how.names_with_blanks = true;
	expect_by(&how, "GET /a b c 0.5 200", "GET /a b c", "0.5", true);
	expect_by(&how, "1 2 3 399", "1 2", "3", true);
	expect_by(&how, "GET /a 0.1, 0.2 200", "GET /a", "0.3", true);
	expect_by(&how, "success success 1 success", "success success", "1", true);
}

Test(line, rules)
{
	struct promcb_line_rules how = rules();

	how.unit = PROMCB_UNIT_MS;
	expect_by(&how, "a 12.5 200", "a", "0.0125", true);
	expect_by(&how, "a 1, 2 200", "a", "0.003", true);
	cr_assert(promcb_failures_parse("4xx,101", &how.failures) == NULL);
	expect_by(&how, "a 12 404", "a", "0.012", false);
	expect_by(&how, "a 12 500", "a", "0.012", true);
	expect_by(&how, "a 12 101", "a", NULL, false);
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
		{"200", PROMCB_LINE_FIELDS},
		{" \t200 ", PROMCB_LINE_FIELDS},
		{"a 1 20", PROMCB_LINE_OUTCOME},
		{"a 1 2000", PROMCB_LINE_OUTCOME},
		{"a 1 20x", PROMCB_LINE_OUTCOME},
		{"a 1 Success", PROMCB_LINE_OUTCOME},
		{"a 1 \"200\"", PROMCB_LINE_OUTCOME},
		{"a 1 success\r\r", PROMCB_LINE_OUTCOME},
		{"a\t1\t20", PROMCB_LINE_OUTCOME},
		{"a\t1\t200 200", PROMCB_LINE_OUTCOME},
		{"a 12ms 200", PROMCB_LINE_LATENCY},
		{"a 0,012 200", PROMCB_LINE_LATENCY},
		{"a 0.1,2 200", PROMCB_LINE_LATENCY},
		{"a ,0.1 200", PROMCB_LINE_LATENCY},
		{"a 0.1, 200", PROMCB_LINE_LATENCY},
		{"a 1\r 200", PROMCB_LINE_LATENCY},
		{"a\tb 1\t200", PROMCB_LINE_LATENCY},
		{"Connect from 192.0.2.1:80 to 192.0.2.2:443 (http/TCP)", PROMCB_LINE_OUTCOME},
	};
	struct promcb_line_rules how = rules();
	struct promcb_line out;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		cr_expect(line(lines[i].text, strlen(lines[i].text), &how, &out) == lines[i].fault, "\"%s\"",
			  lines[i].text);
	cr_expect(line("a 1 200\0", 8, &how, &out) == PROMCB_LINE_OUTCOME);
	cr_expect(line("a\0b 1 200", 9, &how, &out) == PROMCB_LINE_GOOD && out.name_fault);
	for (int fault = PROMCB_LINE_BLANK; fault < PROMCB_LINE_FAULTS; fault++)
		cr_expect(promcb_line_fault_phrase((enum promcb_line_fault)fault) != NULL);
	cr_expect(promcb_line_fault_phrase(PROMCB_LINE_GOOD) == NULL);
}

Test(line, length)
{
	struct promcb_line_rules how = rules();
	char *text = malloc(PROMCB_LINE_MAX_BYTES + 1);
	struct promcb_line out;

	memset(text, 'x', PROMCB_LINE_MAX_BYTES + 1);
	memcpy(text + PROMCB_LINE_MAX_BYTES - 6, " 1 200 ", 7);
	cr_assert(line(text, PROMCB_LINE_MAX_BYTES, &how, &out) == PROMCB_LINE_GOOD);
	cr_assert(out.component_bytes == PROMCB_LINE_MAX_BYTES - 6 && strstr(out.name_fault, "127 bytes"));
	cr_assert(line(text, PROMCB_LINE_MAX_BYTES + 1, &how, &out) == PROMCB_LINE_TOO_LONG);
	/* A list of 20,000. */
	for (size_t i = 1; i + 7 <= PROMCB_LINE_MAX_BYTES; i += 3)
		memcpy(text + i - 1, i == 1 ? "x  " : "1, ", 3);
	memcpy(text + PROMCB_LINE_MAX_BYTES - 10, "1, 1 200  ", 10);
	cr_expect(line(text, PROMCB_LINE_MAX_BYTES, &how, &out) == PROMCB_LINE_GOOD);
	cr_expect(out.latency_ns / 1000000000 > 21000, "%" PRIu64, out.latency_ns);
	free(text);
}

/* Whatever the bytes, what comes out lies in the line, and names are what names may be, or said to be none. */
Test(line, any_bytes)
{
	static const char alphabet[] = "01259.e+-,:ainfsuccess \t\r\n\0\377x";
	struct promcb_line_rules how = rules();
	char text[40];

	for (int round = 0; round < ROUNDS; round++) {
		size_t length = random_u64() % (sizeof(text) + 1);
		enum promcb_line_fault fault;
		struct promcb_line out;

		for (size_t i = 0; i < length; i++)
			text[i] = alphabet[random_u64() % sizeof(alphabet)];
		how.names_with_blanks = round % 2;
		fault = line(text, length, &how, &out);
		cr_assert(fault < PROMCB_LINE_FAULTS);
		cr_assert((out.component != NULL) == (fault == PROMCB_LINE_GOOD));
		if (!out.component)
			continue;
		cr_assert(out.component >= text && out.component + out.component_bytes < text + length);
		cr_assert(out.measured || out.latency_ns == 0);
		if (!out.name_fault)
			cr_assert(!promcb_name_fault(out.component, out.component_bytes));
	}
}

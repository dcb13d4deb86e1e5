/* SPDX-License-Identifier: MIT */
/* Series and amounts as a command line or a line of standard input says them. */
#include "record/change.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct promcb_change change;
static size_t rest;

static const char *series(const char *text)
{
	return promcb_change_series(text, strlen(text), &change, &rest);
}

static void is(const char *label, const char *value, size_t at)
{
	cr_assert_str_eq(change.labels[at], label);
	cr_assert_str_eq(change.values[at], value);
	cr_assert_eq(change.lengths[at], strlen(value));
}

Test(change, a_series_has_one_form)
{
	cr_assert_null(series("up"));
	cr_assert_str_eq(change.name, "up");
	cr_assert_eq(change.label_count, 0);
	cr_assert_null(series("up{} 1"));
	cr_assert_eq(rest, 5);
	cr_assert_null(series("jobs_total{ queue = \"a b\\\\\\\"\\n}\" , a=\"\", }\t 7"));
	cr_assert_str_eq(change.name, "jobs_total");
	cr_assert_eq(change.label_count, 2);
	is("a", "", 0);
	is("queue", "a b\\\"\n}", 1);
	cr_assert_null(change.labels[2]);
	cr_assert_null(series("x{c=\"3\",b=\"2\",a=\"1\",d=\"4\"}"));
	is("a", "1", 0);
	is("b", "2", 1);
	is("c", "3", 2);
	is("d", "4", 3);
}

Test(change, what_is_no_series_is_said)
{
	static const char *const wrong[] = {"",
					    " x",
					    "{a=\"1\"}",
					    "x{",
					    "x{a",
					    "x{a=",
					    "x{a=\"",
					    "x{a=\"1\"",
					    "x{a=1}",
					    "x{a=\"1\" b=\"2\"}",
					    "x{=\"1\"}",
					    "x{a=\"\\t\"}",
					    "x{a=\"\\",
					    "x{a=\"1\",a=\"2\"}",
					    "x{a=\"1\"}y",
					    "x{,}"};
	char many[400] = "x{";

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_not_null(series(wrong[i]), "'%s'", wrong[i]);
	cr_assert_not_null(promcb_change_series("x{a=\"\0\"}", 8, &change, &rest));
	cr_assert_not_null(promcb_change_series("x\0y", 3, &change, &rest));
	for (int i = 0; i < 17; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), "l%d=\"v\",", i);
	cr_assert_str_eq(series(many), "the series has more than 16 labels");
}

/* "x", "a", the value, "b" and nothing, with a zero behind each. */
static size_t change_bytes(size_t length)
{
	return 2 + 2 + (length - 5) + 1 + 2 + 1;
}

Test(change, no_series_is_too_long_for_its_texts)
{
	static char text[2 * PROMCB_CHANGE_BYTES_MAX];

	for (size_t length = PROMCB_CHANGE_BYTES_MAX - 40; length < PROMCB_CHANGE_BYTES_MAX + 40; length++) {
		const char *fault;

		memset(text, 'v', sizeof(text));
		memcpy(text, "x{a=\"", 5);
		memcpy(text + length, "\",b=\"\"}", 7);
		fault = promcb_change_series(text, length + 7, &change, &rest);
		cr_assert_leq(change.used, sizeof(change.texts));
		cr_assert_eq(fault != NULL, change_bytes(length) > PROMCB_CHANGE_BYTES_MAX, "%zu: %s", length, fault);
	}
}

static const char *amount(const char *text)
{
	return promcb_change_amount(text, strlen(text), &change);
}

Test(change, amounts_are_exact)
{
	static const struct {
		const char *text;
		uint32_t decimals;
		uint64_t whole, nano;
		bool is_negative;
	} cases[] = {
		{"0", 0, 0, 0, false},
		{"-0", 0, 0, 0, false},
		{"1", 0, 1, 1000000000, false},
		{"-3.5", 1, 4, 3500000000, true},
		{"1.50", 1, 2, 1500000000, false},
		{"+.25e1", 1, 3, 2500000000, false},
		{"1e3", 0, 1000, 1000000000000, false},
		{"1500e-3", 1, 2, 1500000000, false},
		{"0.000000000", 0, 0, 0, false},
		{"0.0000000004", 10, 0, 0, false},
		{"18446744073709551614", 0, UINT64_MAX - 1, UINT64_MAX, false},
		{"1e30", 0, UINT64_MAX, UINT64_MAX, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_null(amount(cases[i].text), "%s", cases[i].text);
		cr_assert_eq(promcb_amount_decimals(&change), cases[i].decimals, "%s", cases[i].text);
		cr_assert_eq(promcb_amount_whole(&change, 0), cases[i].whole, "%s", cases[i].text);
		cr_assert_eq(promcb_amount_whole(&change, 9), cases[i].nano, "%s", cases[i].text);
		cr_assert_eq(promcb_amount_is_negative(&change), cases[i].is_negative, "%s", cases[i].text);
	}
	cr_assert_null(amount("NaN"));
	cr_assert(isnan(promcb_amount_double(&change)));
	cr_assert_null(amount("-inf"));
	cr_assert(isinf(promcb_amount_double(&change)) && promcb_amount_is_negative(&change));
	static const char *const wrong[] = {"",   "-",  "null",  "1x",  "0x10", "1 2",
					    "1e", "e5", "1.2.3", "--1", "1,5",  "."};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_not_null(amount(wrong[i]), "'%s'", wrong[i]);
}

Test(change, lines_begin_with_an_option)
{
	enum promcb_change_kind kind;

	cr_assert(promcb_change_begins("--observe\t x 1", 14, &kind, &rest) && kind == PROMCB_CHANGE_OBSERVE);
	cr_assert_eq(rest, 11);
	cr_assert(promcb_change_begins("--set x", 7, &kind, &rest) && kind == PROMCB_CHANGE_SET);
	cr_assert(!promcb_change_begins("--add", 5, &kind, &rest));
	cr_assert(!promcb_change_begins("--added x", 9, &kind, &rest));
	cr_assert(!promcb_change_begins("add x 1", 7, &kind, &rest));
}

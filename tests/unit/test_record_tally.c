/* SPDX-License-Identifier: MIT */
/* What is wrong with lines is told at 1, 10, 100, ..., quoted without harm. */
#include "record/tally.h"

#include <criterion/criterion.h>
#include <string.h>

Test(tally, told_at_powers_of_ten)
{
	struct promcb_tally tally = {.count = 0};
	uint64_t told = 0, expected = 1;

	for (uint64_t i = 1; i <= 100000; i++) {
		if (!promcb_tally_count(&tally))
			continue;
		cr_assert_eq(i, expected);
		expected *= 10;
		told++;
	}
	cr_assert_eq(told, 6);
	cr_assert_eq(tally.count, 100000);
}

static void expect(const char *bytes, size_t length, const char *quote)
{
	char out[PROMCB_QUOTE_BYTES];

	cr_expect_str_eq(promcb_tally_quote(bytes, length, out), quote);
}

Test(tally, quotes)
{
	char bytes[1000], out[PROMCB_QUOTE_BYTES];

	expect("", 0, "\"\"");
	expect("api 12ms 200", 12, "\"api 12ms 200\"");
	expect("a \"b\" \\ c\td", 11, "\"a \\\"b\\\" \\\\ c\\td\"");
	expect("\x1b[31m\0\x7f\xc3\xa9\n", 10, "\"\\x1b[31m\\x00\\x7f\\xc3\\xa9\\x0a\"");
	for (int byte = 0; byte < 256; byte++) {
		memset(bytes, byte, sizeof(bytes));
		for (size_t length = 0; length < sizeof(bytes); length++) {
			size_t quoted;

			promcb_tally_quote(bytes, length, out);
			quoted = strlen(out);
			cr_assert_lt(quoted, sizeof(out));
			cr_assert(out[0] == '"' && (out[quoted - 1] == '"' || strcmp(out + quoted - 4, "\"...") == 0));
			for (size_t i = 0; i < quoted; i++)
				cr_assert(out[i] >= ' ' && out[i] < 0x7f);
		}
	}
}

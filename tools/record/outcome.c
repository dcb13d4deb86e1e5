/* SPDX-License-Identifier: MIT */
#include "outcome.h"

#include <string.h>

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

void promcb_failures_default(struct promcb_failures *out)
{
	for (int status = 0; status < PROMCB_STATUSES; status++)
		out->fails[status] = status < 100 || status >= 500;
}

/* A status or a class, at the text's beginning. Returns how many bytes it has, 0 if it is none. */
static size_t take_range(const char *text, int *first, int *count)
{
	if (!is_digit(text[0]))
		return 0;
	*first = 100 * (text[0] - '0');
	*count = 100;
	if ((text[1] | 0x20) == 'x' && (text[2] | 0x20) == 'x')
		return 3;
	if (!is_digit(text[1]) || !is_digit(text[2]))
		return 0;
	*first += 10 * (text[1] - '0') + (text[2] - '0');
	*count = 1;
	return 3;
}

const char *promcb_failures_parse(const char *list, struct promcb_failures *out)
{
	*out = (struct promcb_failures){.fails = {false}};
	for (;; list++) {
		bool fails = *list != '!';
		int first, count;
		size_t bytes;

		bytes = take_range(list + !fails, &first, &count);
		if (bytes == 0)
			return list;
		list += bytes + !fails;
		if (*list && *list != ',')
			return list;
		for (int status = first; status < first + count; status++)
			out->fails[status] = fails;
		if (!*list)
			return NULL;
	}
}

static bool is(const char *text, size_t length, const char *word)
{
	return length == strlen(word) && memcmp(text, word, length) == 0;
}

bool promcb_outcome_parse(const char *text, size_t length, const struct promcb_failures *failures,
			  struct promcb_parsed_outcome *out)
{
	int status;

	*out = (struct promcb_parsed_outcome){.success = false};
	if (length == 3 && is_digit(text[0]) && is_digit(text[1]) && is_digit(text[2])) {
		status = 100 * (text[0] - '0') + 10 * (text[1] - '0') + (text[2] - '0');
	} else if (is(text, length, "0") || is(text, length, "-") || is(text, length, "-1")) {
		status = 0;
	} else {
		out->success = is(text, length, "success");
		return out->success || is(text, length, "failure");
	}
	out->success = !failures->fails[status];
	out->without_latency = status == PROMCB_STATUS_SWITCHED;
	return true;
}

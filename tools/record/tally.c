/* SPDX-License-Identifier: MIT */
#include "tally.h"

#include "common.h"

#include <inttypes.h>
#include <string.h>

bool promcb_tally_count(struct promcb_tally *tally)
{
	tally->count++;
	if (tally->count < tally->next)
		return false;
	tally->next = 10 * tally->count;
	return true;
}

const char *promcb_tally_quote(const char *bytes, size_t length, char out[PROMCB_QUOTE_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	/* Of the longest escape, the end of a quote that is cut, and its zero. */
	const char *full = out + PROMCB_QUOTE_BYTES - sizeof("\\xff\"...");
	char *at = out;
	size_t i;

	*at++ = '"';
	for (i = 0; i < length && at < full; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (byte == '"' || byte == '\\') {
			*at++ = '\\';
			*at++ = bytes[i];
		} else if (byte == '\t') {
			*at++ = '\\';
			*at++ = 't';
		} else if (byte >= ' ' && byte < 0x7f) {
			*at++ = bytes[i];
		} else {
			*at++ = '\\';
			*at++ = 'x';
			*at++ = digits[byte >> 4];
			*at++ = digits[byte & 15];
		}
	}
	strcpy(at, i < length ? "\"..." : "\"");
	return out;
}

void promcb_tally_line(struct promcb_tally *tally, uint64_t number, const char *reason, const char *quoted,
		       size_t length)
{
	char quote[PROMCB_QUOTE_BYTES];

	if (!promcb_tally_count(tally))
		return;
	promcb_tally_quote(quoted, length, quote);
	if (tally->count == 1)
		promcb_tool_complain("line %" PRIu64 ": %s: %s", number, reason, quote);
	else
		promcb_tool_complain("line %" PRIu64 ": %s: %s (%" PRIu64 " such lines so far)", number, reason, quote,
				     tally->count);
}

void promcb_tally_sum_up(uint64_t count, uint64_t lines, const char *what)
{
	if (count > 0)
		promcb_tool_complain("%" PRIu64 " of %" PRIu64 " lines %s", count, lines, what);
}

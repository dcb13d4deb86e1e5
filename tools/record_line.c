/* SPDX-License-Identifier: MIT */
#include "record_line.h"

#include <string.h>

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* -- Seconds ------------------------------------------------------------------------------------------------------ */

/* The common case: up to 9 digits, and up to 9 more after a point. No step can overflow. */
static bool parse_plain(const char *text, size_t length, uint64_t *out_ns)
{
	static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
	const char *end = text + length, *start = text;
	uint64_t value = 0;

	while (text < end && is_digit(*text))
		value = value * 10 + (uint64_t)(*text++ - '0');
	if (text == start || text - start > 9)
		return false;
	if (text == end) {
		*out_ns = value * 1000000000u;
		return true;
	}
	if (*text != '.' || end - text > 10)
		return false;
	for (start = ++text; text < end && is_digit(*text); text++)
		value = value * 10 + (uint64_t)(*text - '0');
	if (text != end)
		return false;
	*out_ns = value * powers[9 - (end - start)];
	return true;
}

/* Case of ASCII letters only: the locale is none of our business. */
static bool is_word(const char *text, size_t length, const char *word)
{
	if (length != strlen(word))
		return false;
	for (size_t i = 0; i < length; i++)
		if ((text[i] | 0x20) != word[i])
			return false;
	return true;
}

/* A number as it was written: digits, one point somewhere among them, and the power of ten. */
struct decimal {
	const char *digits; /* with at most one point in between */
	size_t bytes;
	int64_t integer_digits; /* how many digits stand before the decimal point, exponent applied; may be negative */
	bool is_zero;
};

static bool split_decimal(const char *text, size_t length, struct decimal *out)
{
	/* Far more than any line has digits, and far from overflow. */
	const int64_t exponent_max = 1000000000;
	const char *end = text + length;
	int64_t exponent = 0;
	size_t digits = 0;
	bool point = false, minus = false;

	*out = (struct decimal){.digits = text, .is_zero = true};
	for (; text < end && (is_digit(*text) || (*text == '.' && !point)); text++) {
		if (*text == '.') {
			point = true;
			continue;
		}
		digits++;
		out->integer_digits += !point;
		out->is_zero = out->is_zero && *text == '0';
	}
	out->bytes = (size_t)(text - out->digits);
	if (digits == 0)
		return false;
	if (text == end)
		return true;
	if (*text != 'e' && *text != 'E')
		return false;
	text++;
	if (text < end && (*text == '+' || *text == '-'))
		minus = *text++ == '-';
	if (text == end)
		return false;
	for (; text < end; text++) {
		if (!is_digit(*text))
			return false;
		if (exponent < exponent_max)
			exponent = exponent * 10 + (*text - '0');
	}
	out->integer_digits += minus ? -exponent : exponent;
	return true;
}

static uint64_t append_digit(uint64_t value, unsigned digit)
{
	return value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
}

/* Nanoseconds are the number cut nine digits after its point. */
static uint64_t decimal_to_ns(const struct decimal *decimal)
{
	int64_t wanted = decimal->integer_digits + 9, taken = 0;
	uint64_t value = 0;

	for (size_t i = 0; i < decimal->bytes && taken <= wanted; i++) {
		unsigned digit = (unsigned)(decimal->digits[i] - '0');

		if (decimal->digits[i] == '.')
			continue;
		if (taken++ < wanted)
			value = append_digit(value, digit);
		else if (digit >= 5 && value < UINT64_MAX)
			value++;
	}
	for (; taken < wanted && value != 0 && value != UINT64_MAX; taken++)
		value = append_digit(value, 0);
	return value;
}

enum promcb_line_fault promcb_seconds_parse(const char *text, size_t length, uint64_t *out_ns)
{
	bool minus = length > 0 && *text == '-';
	struct decimal decimal;

	*out_ns = 0;
	if (parse_plain(text, length, out_ns))
		return PROMCB_LINE_GOOD;
	if (length > 0 && (*text == '-' || *text == '+')) {
		text++;
		length--;
	}
	if (is_word(text, length, "nan") || is_word(text, length, "inf") || is_word(text, length, "infinity"))
		return PROMCB_LINE_REJECTED;
	if (!split_decimal(text, length, &decimal))
		return PROMCB_LINE_LATENCY;
	if (minus && !decimal.is_zero)
		return PROMCB_LINE_REJECTED;
	*out_ns = decimal_to_ns(&decimal);
	return PROMCB_LINE_GOOD;
}

/* -- Lines -------------------------------------------------------------------------------------------------------- */

static bool parse_outcome(const char *text, size_t length, bool *success)
{
	if (length == 3 && text[0] >= '1' && text[0] <= '5' && is_digit(text[1]) && is_digit(text[2])) {
		*success = text[0] == '2' || text[0] == '3';
		return true;
	}
	*success = length == 7 && memcmp(text, "success", 7) == 0;
	return *success || (length == 7 && memcmp(text, "failure", 7) == 0);
}

/*
 * Takes the last field off a text without blanks at its end, and the blanks before it. Returns where the field begins.
 */
static const char *take_field(const char *text, size_t *length, size_t *field_bytes)
{
	size_t end = *length, start = end;

	while (start > 0 && !is_blank(text[start - 1]))
		start--;
	*field_bytes = end - start;
	end = start;
	while (end > 0 && is_blank(text[end - 1]))
		end--;
	*length = end;
	return text + start;
}

enum promcb_line_fault promcb_line_parse(const char *line, size_t length, struct promcb_line *out)
{
	size_t outcome_bytes, latency_bytes;
	const char *outcome, *latency;
	enum promcb_line_fault fault;

	*out = (struct promcb_line){.component = NULL};
	if (length > PROMCB_LINE_MAX_BYTES)
		return PROMCB_LINE_TOO_LONG;
	if (length > 0 && line[length - 1] == '\r')
		length--;
	while (length > 0 && is_blank(line[length - 1]))
		length--;
	while (length > 0 && is_blank(*line)) {
		line++;
		length--;
	}
	if (length == 0)
		return PROMCB_LINE_BLANK;
	if (memchr(line, 0, length))
		return PROMCB_LINE_NUL;
	outcome = take_field(line, &length, &outcome_bytes);
	latency = take_field(line, &length, &latency_bytes);
	if (length == 0)
		return PROMCB_LINE_FIELDS;
	if (!parse_outcome(outcome, outcome_bytes, &out->success))
		return PROMCB_LINE_OUTCOME;
	fault = promcb_seconds_parse(latency, latency_bytes, &out->latency_ns);
	if (fault == PROMCB_LINE_GOOD || fault == PROMCB_LINE_REJECTED) {
		out->component = line;
		out->component_bytes = length;
	}
	return fault;
}

const char *promcb_line_fault_phrase(enum promcb_line_fault fault)
{
	switch (fault) {
	case PROMCB_LINE_GOOD:
		break;
	case PROMCB_LINE_BLANK:
		return "the line is blank";
	case PROMCB_LINE_TOO_LONG:
		return "the line is longer than 65536 bytes";
	case PROMCB_LINE_NUL:
		return "the line holds a zero byte";
	case PROMCB_LINE_FIELDS:
		return "fewer than three fields: COMPONENT LATENCY_SECONDS OUTCOME are expected";
	case PROMCB_LINE_OUTCOME:
		return "the last field is no outcome: success, failure or an HTTP status (100 to 599) is expected";
	case PROMCB_LINE_LATENCY:
		return "the field before the last is no latency: decimal seconds are expected";
	case PROMCB_LINE_REJECTED:
		return "the latency is negative, NaN or infinite";
	}
	return NULL;
}

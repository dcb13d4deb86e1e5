/* SPDX-License-Identifier: MIT */
#include "latency.h"

#include <string.h>

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* The common case: up to 9 digits, and after a point as many more as the unit has. No step can overflow. */
static bool parse_plain(const char *text, size_t length, enum promcb_unit unit, uint64_t *out_ns)
{
	static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
	const char *end = text + length, *start = text;
	uint64_t value = 0;

	while (text < end && is_digit(*text))
		value = value * 10 + (uint64_t)(*text++ - '0');
	if (text == start || text - start > 9)
		return false;
	if (text == end) {
		*out_ns = value * powers[unit];
		return true;
	}
	if (*text != '.' || end - text > (ptrdiff_t)unit + 1)
		return false;
	for (start = ++text; text < end && is_digit(*text); text++)
		value = value * 10 + (uint64_t)(*text - '0');
	if (text != end)
		return false;
	*out_ns = value * powers[(ptrdiff_t)unit - (end - start)];
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

/* Nanoseconds are the number cut as many digits after its point as the unit has. */
static uint64_t decimal_to_ns(const struct decimal *decimal, enum promcb_unit unit)
{
	int64_t wanted = decimal->integer_digits + (int64_t)unit, taken = 0;
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

enum promcb_latency promcb_latency_parse(const char *text, size_t length, enum promcb_unit unit, uint64_t *out_ns)
{
	bool minus = length > 0 && *text == '-';
	struct decimal decimal;

	*out_ns = 0;
	if (parse_plain(text, length, unit, out_ns))
		return PROMCB_LATENCY_KNOWN;
	if ((length == 1 && minus) || is_word(text, length, "null"))
		return PROMCB_LATENCY_UNKNOWN;
	if (length > 0 && (*text == '-' || *text == '+')) {
		text++;
		length--;
	}
	if (is_word(text, length, "nan") || is_word(text, length, "inf") || is_word(text, length, "infinity"))
		return PROMCB_LATENCY_UNKNOWN;
	if (!split_decimal(text, length, &decimal))
		return PROMCB_LATENCY_NONE;
	if (minus && !decimal.is_zero)
		return PROMCB_LATENCY_UNKNOWN;
	*out_ns = decimal_to_ns(&decimal, unit);
	return PROMCB_LATENCY_KNOWN;
}

bool promcb_unit_parse(const char *name, enum promcb_unit *out)
{
	static const struct {
		const char *name;
		enum promcb_unit unit;
	} units[] = {{"s", PROMCB_UNIT_S}, {"ms", PROMCB_UNIT_MS}, {"us", PROMCB_UNIT_US}, {"ns", PROMCB_UNIT_NS}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(name, units[i].name) == 0) {
			*out = units[i].unit;
			return true;
		}
	}
	return false;
}

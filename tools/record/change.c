/* SPDX-License-Identifier: MIT */
#include "change.h"

#include "latency.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

const char *promcb_change_option(enum promcb_change_kind kind)
{
	static const char *const options[] = {"--add", "--set", "--observe"};

	return options[kind];
}

bool promcb_change_begins(const char *line, size_t length, enum promcb_change_kind *kind, size_t *rest)
{
	for (int i = PROMCB_CHANGE_ADD; i <= PROMCB_CHANGE_OBSERVE; i++) {
		size_t bytes = strlen(promcb_change_option((enum promcb_change_kind)i));

		if (length > bytes && is_blank(line[bytes]) &&
		    memcmp(line, promcb_change_option((enum promcb_change_kind)i), bytes) == 0) {
			*kind = (enum promcb_change_kind)i;
			for (*rest = bytes; *rest < length && is_blank(line[*rest]);)
				++*rest;
			return true;
		}
	}
	return false;
}

/* -- Series -------------------------------------------------------------------------------------------------------- */

struct cursor {
	const char *at, *end;
};

static void skip_blanks(struct cursor *cursor)
{
	while (cursor->at < cursor->end && is_blank(*cursor->at))
		cursor->at++;
}

static bool take(struct cursor *cursor, char byte)
{
	if (cursor->at == cursor->end || *cursor->at != byte)
		return false;
	cursor->at++;
	return true;
}

/* Puts a byte behind the others. Returns false where there is no room. */
static bool put(struct promcb_change *out, char byte)
{
	if (out->used == sizeof(out->texts))
		return false;
	out->texts[out->used++] = byte;
	return true;
}

static const char too_long[] = "the series is longer than 16384 bytes";

/* Up to a blank or one of the stops. The library says whether it is a name. */
static const char *take_name(struct cursor *cursor, const char *stops, struct promcb_change *out, const char **name)
{
	*name = out->texts + out->used;
	while (cursor->at < cursor->end && !is_blank(*cursor->at) && (!*cursor->at || !strchr(stops, *cursor->at))) {
		if (!*cursor->at)
			return "the series has a zero byte";
		if (!put(out, *cursor->at++))
			return too_long;
	}
	if (*name == out->texts + out->used)
		return "a name is missing: expected a series such as jobs_total{queue=\"mail\"}";
	return put(out, 0) ? NULL : too_long;
}

static const char *take_value(struct cursor *cursor, struct promcb_change *out)
{
	size_t start = out->used;

	if (!take(cursor, '"'))
		return "a label's value is not quoted: expected LABEL=\"VALUE\"";
	for (;;) {
		char byte;

		if (cursor->at == cursor->end)
			return "a label's value has no quote at its end";
		byte = *cursor->at++;
		if (byte == '"')
			break;
		if (!byte)
			return "the series has a zero byte";
		if (byte == '\\') {
			byte = cursor->at == cursor->end ? 0 : *cursor->at++;
			if (byte != '\\' && byte != '"' && byte != 'n')
				return "a label's value has a backslash that is not part of \\\\, \\\" or \\n";
			byte = byte == 'n' ? '\n' : byte;
		}
		if (!put(out, byte))
			return too_long;
	}
	out->values[out->label_count] = out->texts + start;
	out->lengths[out->label_count] = out->used - start;
	return put(out, 0) ? NULL : too_long;
}

/* Puts the last label where it belongs among the others. Returns false where it is there already. */
static bool sort_last(struct promcb_change *out)
{
	size_t at = out->label_count;
	const char *label = out->labels[at], *value = out->values[at];
	size_t length = out->lengths[at];

	for (; at > 0 && strcmp(out->labels[at - 1], label) >= 0; at--) {
		if (strcmp(out->labels[at - 1], label) == 0)
			return false;
		out->labels[at] = out->labels[at - 1];
		out->values[at] = out->values[at - 1];
		out->lengths[at] = out->lengths[at - 1];
	}
	out->labels[at] = label;
	out->values[at] = value;
	out->lengths[at] = length;
	return true;
}

static const char *take_labels(struct cursor *cursor, struct promcb_change *out)
{
	for (;;) {
		const char *fault;

		skip_blanks(cursor);
		if (take(cursor, '}'))
			return NULL;
		if (out->label_count == PROMCB_CHANGE_LABELS_MAX)
			return "the series has more than 16 labels";
		fault = take_name(cursor, "=,{}\"", out, &out->labels[out->label_count]);
		if (fault)
			return fault;
		skip_blanks(cursor);
		if (!take(cursor, '='))
			return "a label has no value: expected LABEL=\"VALUE\"";
		skip_blanks(cursor);
		fault = take_value(cursor, out);
		if (fault)
			return fault;
		if (!sort_last(out))
			return "the series has a label twice";
		out->label_count++;
		skip_blanks(cursor);
		if (take(cursor, ','))
			continue;
		if (cursor->at == cursor->end || *cursor->at != '}')
			return "labels are not separated by commas, or have no \"}\" at their end";
	}
}

const char *promcb_change_series(const char *text, size_t length, struct promcb_change *out, size_t *rest)
{
	struct cursor cursor = {text, text + length};
	const char *fault;

	out->label_count = out->used = 0;
	fault = take_name(&cursor, "{", out, &out->name);
	if (!fault && take(&cursor, '{'))
		fault = take_labels(&cursor, out);
	out->labels[out->label_count] = NULL;
	if (!fault && cursor.at < cursor.end && !is_blank(*cursor.at))
		fault = "no blank comes after the series";
	skip_blanks(&cursor);
	*rest = (size_t)(cursor.at - text);
	return fault;
}

/* -- Amounts ------------------------------------------------------------------------------------------------------- */

static size_t sign_bytes(const struct promcb_change *change)
{
	return change->amount[0] == '-' || change->amount[0] == '+';
}

/* An amount without its sign, taken apart. */
struct decimal {
	bool is_number, is_zero;
	int64_t last_place; /* of the last digit that is not 0: 1 is the first behind the point */
};

static struct decimal take_apart(const char *text, size_t length)
{
	struct decimal decimal = {.is_zero = true};
	int64_t place = 0, integer_digits = 0, exponent = 0;
	size_t i = 0, digits = 0;
	bool point = false;

	for (; i < length && (is_digit(text[i]) || (text[i] == '.' && !point)); i++) {
		if (text[i] == '.') {
			point = true;
			continue;
		}
		digits++;
		place++;
		integer_digits += !point;
		if (text[i] != '0') {
			decimal.is_zero = false;
			decimal.last_place = place;
		}
	}
	if (digits == 0)
		return decimal;
	if (i < length && (text[i] | 0x20) == 'e') {
		bool minus = ++i < length && text[i] == '-';

		i += i < length && (text[i] == '-' || text[i] == '+');
		if (i == length)
			return decimal;
		for (; i < length && is_digit(text[i]); i++)
			exponent = exponent < 1000000 ? exponent * 10 + (text[i] - '0') : exponent;
		exponent = minus ? -exponent : exponent;
	}
	decimal.is_number = i == length;
	decimal.last_place -= integer_digits + exponent;
	return decimal;
}

static bool is_word(const char *text, size_t length, const char *word)
{
	for (size_t i = 0; i < length; i++)
		if ((text[i] | 0x20) != word[i])
			return false;
	return length == strlen(word);
}

const char *promcb_change_amount(const char *text, size_t length, struct promcb_change *out)
{
	size_t sign = length > 0 && (*text == '-' || *text == '+');

	out->amount = text;
	out->amount_bytes = length;
	if (length > PROMCB_AMOUNT_BYTES_MAX)
		return "the amount has more than 400 characters";
	text += sign;
	length -= sign;
	if (is_word(text, length, "nan") || is_word(text, length, "inf") || is_word(text, length, "infinity") ||
	    take_apart(text, length).is_number)
		return NULL;
	return out->amount_bytes ? "the amount is not a decimal number" : "the amount is missing";
}

double promcb_amount_double(const struct promcb_change *change)
{
	char text[PROMCB_AMOUNT_BYTES_MAX + 1];

	memcpy(text, change->amount, change->amount_bytes);
	text[change->amount_bytes] = 0;
	return strtod(text, NULL);
}

static struct decimal decimal_of(const struct promcb_change *change)
{
	return take_apart(change->amount + sign_bytes(change), change->amount_bytes - sign_bytes(change));
}

bool promcb_amount_is_negative(const struct promcb_change *change)
{
	struct decimal decimal = decimal_of(change);

	return change->amount[0] == '-' && !isnan(promcb_amount_double(change)) &&
	       !(decimal.is_number && decimal.is_zero);
}

uint32_t promcb_amount_decimals(const struct promcb_change *change)
{
	struct decimal decimal = decimal_of(change);

	if (!decimal.is_number || decimal.is_zero || decimal.last_place < 0)
		return 0;
	return decimal.last_place < UINT32_MAX ? (uint32_t)decimal.last_place : UINT32_MAX;
}

uint64_t promcb_amount_whole(const struct promcb_change *change, uint32_t decimals)
{
	uint64_t whole;

	/* A latency in seconds is a number with nine decimals, and so on. */
	promcb_latency_parse(change->amount + sign_bytes(change), change->amount_bytes - sign_bytes(change),
			     (enum promcb_unit)decimals, &whole);
	return whole;
}

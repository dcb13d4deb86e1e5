/* SPDX-License-Identifier: MIT */
/*
 * negotiate.c: Accept, Accept-Encoding and the scrape's timeout, each read once from left to right, in place.
 *
 * A header is a list of elements, each a name and parameters: "name; key=value; q=0.5, name". Invariants:
 *   weights are whole thousandths, 0 to 1000; 0 is a refusal, and so is a weight that is no number: whoever sends it
 *     gets what everybody can read;
 *   a parameter that is there several times must suit each time; of several weights the first counts;
 *   commas and semicolons in quotes part nothing, and a quote that is not closed reaches to the end.
 */
#include "negotiate.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { WEIGHT_ONE = 1000 };

static const uint64_t NS_PER_SECOND = 1000000000u;

/* Bytes of a header, from at up to end. */
struct span {
	const char *at, *end;
};

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static struct span trimmed(struct span span)
{
	while (span.at < span.end && is_blank(*span.at))
		span.at++;
	while (span.at < span.end && is_blank(span.end[-1]))
		span.end--;
	return span;
}

/* What stands before the next separator outside quotes, without blanks around; rest goes on behind that. */
static struct span take(struct span *rest, char separator)
{
	struct span taken = {rest->at, rest->at};
	bool quoted = false;

	for (; taken.end < rest->end; taken.end++) {
		if (quoted && *taken.end == '\\' && taken.end + 1 < rest->end)
			taken.end++;
		else if (*taken.end == '"')
			quoted = !quoted;
		else if (*taken.end == separator && !quoted)
			break;
	}
	rest->at = taken.end < rest->end ? taken.end + 1 : rest->end;
	return trimmed(taken);
}

static bool same_word(struct span span, const char *word)
{
	size_t length = (size_t)(span.end - span.at);

	return length == strlen(word) && strncasecmp(span.at, word, length) == 0;
}

/* Whether a parameter's value, which may be quoted, is the text. */
static bool same_value(struct span value, const char *text)
{
	bool quoted = value.at < value.end && *value.at == '"';

	for (value.at += quoted; value.at < value.end; value.at++) {
		if (quoted && *value.at == '"')
			break;
		if (quoted && *value.at == '\\' && value.at + 1 < value.end)
			value.at++;
		if (*text == '\0' || *text++ != *value.at)
			return false;
	}
	return *text == '\0';
}

/* "0.75" to thousandths: what is over 1 is 1, what is finer than thousandths is cut off. */
static unsigned weight_of(struct span text)
{
	const char *start = text.at;
	unsigned weight = 0, digit_worth = WEIGHT_ONE / 10;

	for (; text.at < text.end && is_digit(*text.at); text.at++) {
		if (*text.at != '0')
			weight = WEIGHT_ONE;
	}
	if (text.at < text.end && *text.at == '.') {
		start++;
		for (text.at++; text.at < text.end && is_digit(*text.at); text.at++) {
			weight += (unsigned)(*text.at - '0') * digit_worth;
			digit_worth /= 10;
		}
	}
	if (text.at != text.end || text.at == start)
		return 0;
	return weight < WEIGHT_ONE ? weight : WEIGHT_ONE;
}

/* An element's parameters, one after the other. */
static bool next_parameter(struct span *rest, struct span *key, struct span *value)
{
	if (rest->at == rest->end)
		return false;
	*value = take(rest, ';');
	*key = take(value, '=');
	*value = trimmed(*value);
	return true;
}

/* -- Formats ------------------------------------------------------------------------------------------------------ */

/* The weight at which an element of Accept asks for a format, which goes to format; 0: for none that is served. */
static unsigned format_asked(struct span element, enum promcb_format *format)
{
	struct span type = take(&element, ';'), key, value;
	bool any = false, weighted = false, suits = true, message = false, delimited = false;
	unsigned weight = WEIGHT_ONE;

	if (same_word(type, "application/vnd.google.protobuf"))
		*format = PROMCB_FORMAT_PROTOBUF;
	else if (same_word(type, "application/openmetrics-text"))
		*format = PROMCB_FORMAT_OPENMETRICS;
	else if (same_word(type, "text/plain"))
		*format = PROMCB_FORMAT_TEXT;
	else if (same_word(type, "text/*") || same_word(type, "*/*"))
		any = true;
	else
		return 0;
	if (any)
		*format = PROMCB_FORMAT_TEXT;

	while (next_parameter(&element, &key, &value)) {
		if (same_word(key, "q")) {
			weight = weighted ? weight : weight_of(value);
			weighted = true;
		} else if (any) {
			continue;
		} else if (*format == PROMCB_FORMAT_PROTOBUF) {
			bool is_message = same_value(value, "io.prometheus.client.MetricFamily");

			if (same_word(key, "proto"))
				suits = suits && (message = is_message);
			else if (same_word(key, "encoding"))
				suits = suits && (delimited = same_value(value, "delimited"));
		} else if (same_word(key, "version")) {
			suits = suits && (*format == PROMCB_FORMAT_TEXT
						  ? same_value(value, "0.0.4")
						  : same_value(value, "1.0.0") || same_value(value, "0.0.1"));
		}
	}
	if (*format == PROMCB_FORMAT_PROTOBUF)
		suits = suits && message && delimited;
	return suits ? weight : 0;
}

static unsigned rank(enum promcb_format format)
{
	return format == PROMCB_FORMAT_PROTOBUF ? 2 : format == PROMCB_FORMAT_OPENMETRICS ? 1 : 0;
}

enum promcb_format sidecar_negotiate_format(const char *accept)
{
	enum promcb_format best = PROMCB_FORMAT_TEXT, format = PROMCB_FORMAT_TEXT;
	unsigned best_weight = 0;
	struct span rest = {accept, accept ? accept + strlen(accept) : NULL};

	while (rest.at != rest.end) {
		unsigned weight = format_asked(take(&rest, ','), &format);

		if (weight > best_weight || (weight == best_weight && weight > 0 && rank(format) > rank(best))) {
			best = format;
			best_weight = weight;
		}
	}
	return best;
}

/* -- Compression -------------------------------------------------------------------------------------------------- */

bool sidecar_negotiate_gzip(const char *accept_encoding)
{
	struct span rest = {accept_encoding, accept_encoding ? accept_encoding + strlen(accept_encoding) : NULL};
	bool named = false, wanted = false, any_wanted = false;

	while (rest.at != rest.end) {
		struct span element = take(&rest, ','), coding = take(&element, ';'), key, value;
		bool is_gzip = same_word(coding, "gzip") || same_word(coding, "x-gzip"), weighted = false;
		unsigned weight = WEIGHT_ONE;

		if (!is_gzip && !same_word(coding, "*"))
			continue;
		while (next_parameter(&element, &key, &value)) {
			if (!weighted && same_word(key, "q")) {
				weight = weight_of(value);
				weighted = true;
			}
		}
		if (is_gzip) {
			named = true;
			wanted = wanted || weight > 0;
		} else {
			any_wanted = any_wanted || weight > 0;
		}
	}
	/* "gzip;q=0, *" is everything but gzip. */
	return named ? wanted : any_wanted;
}

/* -- Time --------------------------------------------------------------------------------------------------------- */

uint64_t sidecar_negotiate_budget_ns(const char *timeout_seconds, uint64_t most_ns)
{
	const uint64_t kept_ns = NS_PER_SECOND / 2, least_ns = NS_PER_SECOND / 10;
	uint64_t ns = 0, digit_worth = NS_PER_SECOND / 10;
	struct span text = {timeout_seconds, timeout_seconds ? timeout_seconds + strlen(timeout_seconds) : NULL};
	bool digits = false;

	text = trimmed(text);
	for (; text.at != text.end && is_digit(*text.at); text.at++) {
		/* Years are as good as ever, and cannot overflow below. */
		ns = (ns < UINT64_MAX / 20 ? ns : UINT64_MAX / 20) * 10 + (uint64_t)(*text.at - '0') * NS_PER_SECOND;
		digits = true;
	}
	if (text.at != text.end && *text.at == '.') {
		for (text.at++; text.at != text.end && is_digit(*text.at); text.at++) {
			ns += (uint64_t)(*text.at - '0') * digit_worth;
			digit_worth /= 10;
			digits = true;
		}
	}
	if (text.at != text.end || !digits)
		return most_ns;
	ns = ns > kept_ns + least_ns ? ns - kept_ns : least_ns;
	return ns < most_ns ? ns : most_ns;
}

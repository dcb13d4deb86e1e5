/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <promcb/promcb.h>

#include <string.h>

/* A piece of the line. */
struct span {
	const char *text;
	size_t bytes;
};

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static struct span trim(struct span span)
{
	while (span.bytes > 0 && is_blank(span.text[span.bytes - 1]))
		span.bytes--;
	while (span.bytes > 0 && is_blank(*span.text)) {
		span.text++;
		span.bytes--;
	}
	return span;
}

/* Takes the last word off a text that is trimmed, and the blanks before it. */
static struct span take_word(struct span *from)
{
	size_t start = from->bytes;
	struct span word;

	while (start > 0 && !is_blank(from->text[start - 1]))
		start--;
	word = (struct span){from->text + start, from->bytes - start};
	from->bytes = start;
	*from = trim(*from);
	return word;
}

/* Whether the word before goes on in the same list; takes its comma, or the colon between the two. */
static bool take_joint(struct span *from, struct span *word)
{
	struct span rest = *from;

	*word = take_word(&rest);
	if (word->bytes == 1 && *word->text == ':')
		*word = take_word(&rest);
	else if (word->bytes > 1 && word->text[word->bytes - 1] == ',')
		word->bytes--;
	else
		return false;
	*from = rest;
	return word->bytes > 0;
}

/* -- Latencies ---------------------------------------------------------------------------------------------------- */

struct sum {
	uint64_t ns;
	bool known; /* of one member at least */
};

static void add_member(struct sum *sum, enum promcb_latency latency, uint64_t ns)
{
	if (latency != PROMCB_LATENCY_KNOWN)
		return;
	sum->known = true;
	sum->ns = ns > UINT64_MAX - sum->ns ? UINT64_MAX : sum->ns + ns;
}

/* One word: a latency, or several with commas between. Returns false where it is neither, and adds nothing then. */
static bool add_word(struct span word, enum promcb_unit unit, struct sum *sum)
{
	bool joined = memchr(word.text, ',', word.bytes) != NULL;
	struct sum added = *sum;

	for (;;) {
		const char *comma = memchr(word.text, ',', word.bytes);
		size_t bytes = comma ? (size_t)(comma - word.text) : word.bytes;
		uint64_t ns;
		enum promcb_latency latency = promcb_latency_parse(word.text, bytes, unit, &ns);

		if (latency == PROMCB_LATENCY_NONE ||
		    (joined && latency == PROMCB_LATENCY_KNOWN && !memchr(word.text, '.', bytes)))
			return false;
		add_member(&added, latency, ns);
		if (!comma)
			break;
		word.bytes -= bytes + 1;
		word.text = comma + 1;
	}
	*sum = added;
	return true;
}

/* Takes the latency off the text's end. Returns false where there is none. */
static bool take_latency(struct span *from, enum promcb_unit unit, struct sum *sum)
{
	struct span rest = *from, word = take_word(&rest);

	*sum = (struct sum){.ns = 0};
	if (word.bytes == 0 || !add_word(word, unit, sum))
		return false;
	*from = rest;
	while (take_joint(&rest, &word) && add_word(word, unit, sum))
		*from = rest;
	return true;
}

/* -- Lines -------------------------------------------------------------------------------------------------------- */

/* Takes the outcome off the text's end: of a list, the last. Returns false where there is none. */
static bool take_outcome(struct span *from, const struct promcb_failures *failures, struct promcb_parsed_outcome *out)
{
	struct promcb_parsed_outcome earlier;
	struct span rest, word = take_word(from);

	if (!promcb_outcome_parse(word.text, word.bytes, failures, out))
		return false;
	for (rest = *from; take_joint(&rest, &word) && promcb_outcome_parse(word.text, word.bytes, failures, &earlier);)
		*from = rest;
	return true;
}

static void take_name(struct span name, bool with_blanks, struct promcb_line *out)
{
	promcb_name_trim(&name.text, &name.bytes);
	out->component = name.text;
	out->component_bytes = name.bytes;
	out->name_fault = promcb_name_error(name.text, name.bytes);
	for (size_t i = 0; i < name.bytes && !with_blanks; i++)
		if (is_blank(name.text[i]))
			out->name_fault = "the name has several words: separate fields by tabs, or use "
					  "--names-with-blanks";
}

/* What the line's end says, all but the name. */
static void take_call(const struct promcb_parsed_outcome *how, const struct sum *sum, struct promcb_line *out)
{
	out->measured = sum->known && !how->without_latency;
	out->latency_ns = out->measured ? sum->ns : 0;
	out->success = how->success;
}

/* Fields separated by two tabs. */
static enum promcb_line_fault parse_tabs(struct span name, struct span latency, struct span outcome,
					 const struct promcb_line_rules *rules, struct promcb_line *out)
{
	struct promcb_parsed_outcome how;
	struct sum sum = {.ns = 0};

	if (!take_outcome(&outcome, &rules->failures, &how) || outcome.bytes > 0)
		return PROMCB_LINE_OUTCOME;
	if (latency.bytes > 0 && (!take_latency(&latency, rules->unit, &sum) || latency.bytes > 0))
		return PROMCB_LINE_LATENCY;
	take_call(&how, &sum, out);
	take_name(name, true, out);
	return PROMCB_LINE_GOOD;
}

/* Fields separated by blanks. */
static enum promcb_line_fault parse_words(struct span line, const struct promcb_line_rules *rules,
					  struct promcb_line *out)
{
	struct promcb_parsed_outcome how;
	struct span rest = line;
	struct sum sum;

	if (!take_outcome(&rest, &rules->failures, &how))
		return rest.bytes > 0 ? PROMCB_LINE_OUTCOME : PROMCB_LINE_FIELDS;
	if (rest.bytes == 0)
		return PROMCB_LINE_FIELDS;
	if (!take_latency(&rest, rules->unit, &sum)) {
		struct span name = rest;

		/* No latency at all is one word and an outcome. Of more words one was meant to be the latency. */
		take_word(&name);
		if (name.bytes > 0)
			return PROMCB_LINE_LATENCY;
	}
	take_call(&how, &sum, out);
	take_name(rest, rules->names_with_blanks, out);
	return PROMCB_LINE_GOOD;
}

bool promcb_outcomes_parse(const char *text, size_t bytes, const struct promcb_failures *failures,
			   struct promcb_line *line)
{
	struct promcb_parsed_outcome how;
	struct span all = trim((struct span){text, bytes});

	if (all.bytes == 0 || !take_outcome(&all, failures, &how) || all.bytes > 0)
		return false;
	line->success = how.success;
	line->without_latency = how.without_latency;
	return true;
}

bool promcb_latencies_parse(const char *text, size_t bytes, enum promcb_unit unit, struct promcb_line *line)
{
	struct span all = trim((struct span){text, bytes});
	struct sum sum = {.ns = 0};

	if (all.bytes > 0 && (!take_latency(&all, unit, &sum) || all.bytes > 0))
		return false;
	line->measured = sum.known && !line->without_latency;
	line->latency_ns = line->measured ? sum.ns : 0;
	return true;
}

enum promcb_line_fault promcb_line_parse(const char *line, size_t length, const struct promcb_line_rules *rules,
					 struct promcb_line *out)
{
	const char *first, *second;
	struct span all;

	*out = (struct promcb_line){.times = 1};
	if (length > PROMCB_LINE_MAX_BYTES)
		return PROMCB_LINE_TOO_LONG;
	if (length > 0 && line[length - 1] == '\r')
		length--;
	all = trim((struct span){line, length});
	if (all.bytes == 0)
		return PROMCB_LINE_BLANK;
	line = all.text + all.bytes;
	first = memchr(all.text, '\t', all.bytes);
	second = first ? memchr(first + 1, '\t', (size_t)(line - first - 1)) : NULL;
	if (!second || memchr(second + 1, '\t', (size_t)(line - second - 1)))
		return parse_words(all, rules, out);
	return parse_tabs((struct span){all.text, (size_t)(first - all.text)},
			  trim((struct span){first + 1, (size_t)(second - first - 1)}),
			  trim((struct span){second + 1, (size_t)(line - second - 1)}), rules, out);
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
	case PROMCB_LINE_FIELDS:
		return "fewer than two fields: expected COMPONENT LATENCY OUTCOME";
	case PROMCB_LINE_OUTCOME:
		return "the last field is not an outcome: expected success, failure or an HTTP status "
		       "of three digits";
	case PROMCB_LINE_LATENCY:
		return "the field before the last is not a latency: expected a decimal number or \"-\"";
	case PROMCB_LINE_CHANGE:
		return "nothing can be recorded of the series";
	case PROMCB_LINE_FORM:
		return "the line is not of the format that --format names";
	case PROMCB_LINE_STATUS:
		return "there is no status, or it is not an HTTP status of three digits";
	case PROMCB_LINE_TIME:
		return "what stands where the format has the latency is none: expected a decimal number or \"-\"";
	case PROMCB_LINE_NO_CALL:
		return "no timer: of statsd's metrics, those of type ms are calls";
	case PROMCB_LINE_FAULTS:
		break;
	}
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * line.h: what a line of "promcb-record --stdin" says. Pure functions of bytes.
 *
 *     COMPONENT LATENCY OUTCOME
 *
 * Fields are separated by blanks (spaces, tabs), or by tabs alone where the line has just two of them. Blanks at either
 * end and one carriage return at the end of the line do not count.
 *
 * The last two are found from the right. Each may be a list, as nginx writes it where a request was tried on several
 * upstreams: members separated by "," and blanks, or by ":" between blanks. The latency of a list is the sum of those
 * that are known, its outcome the last. Commas without a blank separate latencies only where each has a point or is
 * "-": "0,012" is a decimal comma, and no latency. A line may lack its latency: COMPONENT OUTCOME.
 *
 * What is left is the name: one word, so that no line makes a name of several fields by accident. It may hold blanks in
 * a line separated by tabs, or where the rules say so.
 */
#ifndef PROMCB_TOOL_RECORD_LINE_H
#define PROMCB_TOOL_RECORD_LINE_H

#include "latency.h"
#include "outcome.h"

/* The longest line, in bytes, without its newline. */
#define PROMCB_LINE_MAX_BYTES ((size_t)65536)

enum promcb_log_format {
	PROMCB_LOG_LINES, /* as above */
	PROMCB_LOG_COMBINED,
	PROMCB_LOG_HAPROXY,
	PROMCB_LOG_JSON,
	PROMCB_LOG_LTSV,
	PROMCB_LOG_STATSD
};

/* How many fields a name may have. */
enum { PROMCB_FIELD_NAMES = 4, PROMCB_LINE_TIMES_MAX = 10000 };

/* Paths of the name's fields, then of the latency and the status, in text. */
struct promcb_fields {
	const char *paths[PROMCB_FIELD_NAMES + 2];
	unsigned names;
	char text[512];
};

struct promcb_map;

/* How lines are read. */
struct promcb_line_rules {
	enum promcb_log_format format;
	struct promcb_map *map; /* NULL: none, see map.h */
	struct promcb_fields fields; /* of JSON and LTSV */
	enum promcb_unit unit;
	bool names_with_blanks;
	struct promcb_failures failures;
};

enum promcb_line_fault {
	PROMCB_LINE_GOOD = 0,
	PROMCB_LINE_BLANK, /* nothing but blanks: not counted as bad */
	PROMCB_LINE_TOO_LONG, /* above PROMCB_LINE_MAX_BYTES */
	PROMCB_LINE_FIELDS, /* fewer than two fields */
	PROMCB_LINE_OUTCOME, /* the last field is none */
	PROMCB_LINE_LATENCY, /* the field before the last is none */
	PROMCB_LINE_CHANGE, /* it is of a series, of which nothing can be recorded; see change.h */
	PROMCB_LINE_FORM, /* it is not of the format that was said; this and the next three: see format.h */
	PROMCB_LINE_STATUS, /* there is no status, or it is none */
	PROMCB_LINE_TIME, /* what stands where the format has the latency is none */
	PROMCB_LINE_NO_CALL, /* another kind of statsd's metrics: not counted as bad */
	PROMCB_LINE_FAULTS
};

/* Set when the fault is GOOD. */
struct promcb_line {
	const char *component; /* in the line, trimmed as names are */
	size_t component_bytes; /* may be 0 */
	const char *name_fault; /* why nothing can be called so: it is a call of "_overflow"; NULL: it can */
	uint64_t latency_ns; /* UINT64_MAX where it would be more */
	uint32_t times; /* how many such calls it stands for: 1, but of statsd */
	bool measured; /* there is a latency */
	bool without_latency; /* of the outcome: any latency is left out */
	bool success;
};

/* line: length bytes without the newline; any bytes will do. */
enum promcb_line_fault promcb_line_parse(const char *line, size_t length, const struct promcb_line_rules *rules,
					 struct promcb_line *out);

/* A latency, or a list of some, alone. Sets the line's, unless its outcome has none. Returns false if it is neither. */
bool promcb_latencies_parse(const char *text, size_t bytes, enum promcb_unit unit, struct promcb_line *line);

/* An outcome, or a list of some, alone; before the latency. Returns false if it is neither. */
bool promcb_outcomes_parse(const char *text, size_t bytes, const struct promcb_failures *failures,
			   struct promcb_line *line);

/* What is wrong, as a phrase; NULL for GOOD. */
const char *promcb_line_fault_phrase(enum promcb_line_fault fault);

#endif

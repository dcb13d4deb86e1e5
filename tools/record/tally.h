/* SPDX-License-Identifier: MIT */
/*
 * tally.h: what is wrong with lines, counted, and told at the 1st, 10th, 100th, ...: a log whose format
 * changed must neither be silent nor fill another log.
 */
#ifndef PROMCB_TOOL_RECORD_TALLY_H
#define PROMCB_TOOL_RECORD_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for a quote: all of a short line, the beginning of a long one. */
#define PROMCB_QUOTE_BYTES 200

struct promcb_tally {
	uint64_t count;
	uint64_t next; /* told at that count; 0: at the first */
};

/* Counts one more. Returns whether it is to be told. */
bool promcb_tally_count(struct promcb_tally *tally);

/* Bytes as a line on a terminal shows them without harm: all but printable ASCII escaped, and cut. */
const char *promcb_tally_quote(const char *bytes, size_t length, char out[PROMCB_QUOTE_BYTES]);

/*
 * Counts one more, and complains: the line's number, the reason, the line. quoted: its bytes.
 */
void promcb_tally_line(struct promcb_tally *tally, uint64_t number, const char *reason, const char *quoted,
		       size_t length);

/* One line if there was any. lines: of how many. what: what they did, in the plural. */
void promcb_tally_sum_up(uint64_t count, uint64_t lines, const char *what);

#endif

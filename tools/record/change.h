/* SPDX-License-Identifier: MIT */
/*
 * change.h: what is to be done to which series, as a command line or a line of standard input says it. Pure
 * functions of bytes.
 *
 *     --add jobs_total{queue="mail"} 1
 *
 * A series is a name, and labels as Prometheus' text has them: \\, \" and \n in values, blanks around names and commas,
 * a comma at the end. Labels are put in the order of their names, so that one series has one form.
 *
 * An amount is a decimal number, with or without an exponent, whatever the locale; what is set or observed may be NaN
 * or infinite, too, which is for the library to judge.
 */
#ifndef PROMCB_TOOL_RECORD_CHANGE_H
#define PROMCB_TOOL_RECORD_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum promcb_change_kind { PROMCB_CHANGE_ADD, PROMCB_CHANGE_SET, PROMCB_CHANGE_OBSERVE };

/* Labels of a series, and bytes of all that is quoted from it. */
enum { PROMCB_CHANGE_LABELS_MAX = 16, PROMCB_CHANGE_BYTES_MAX = 16384, PROMCB_AMOUNT_BYTES_MAX = 400 };

struct promcb_change {
	enum promcb_change_kind kind;
	const char *name;
	size_t label_count;
	const char *labels[PROMCB_CHANGE_LABELS_MAX + 1]; /* NULL at the end */
	const char *values[PROMCB_CHANGE_LABELS_MAX];
	size_t lengths[PROMCB_CHANGE_LABELS_MAX]; /* of values */
	const char *amount;
	size_t amount_bytes;
	size_t used; /* of texts: the name, labels and values lie there, each with a zero behind it */
	char texts[PROMCB_CHANGE_BYTES_MAX];
};

/* "--add", "--set", "--observe". */
const char *promcb_change_option(enum promcb_change_kind kind);

/*
 * Whether a line begins with one of them and a blank. rest: what comes behind. length: without blanks at either end.
 */
bool promcb_change_begins(const char *line, size_t length, enum promcb_change_kind *kind, size_t *rest);

/*
 * Takes a series off the beginning of a text. rest: behind it, and behind blanks. out: all but kind and amount. Returns
 * NULL, or what is wrong, as a phrase.
 */
const char *promcb_change_series(const char *text, size_t length, struct promcb_change *out, size_t *rest);

/* Takes an amount, which is the whole text. Returns NULL, or what is wrong, as a phrase. */
const char *promcb_change_amount(const char *text, size_t length, struct promcb_change *out);

/* -- Amounts that promcb_change_amount() took ---------------------------------------------------------------------- */

double promcb_amount_double(const struct promcb_change *change);

/* Below 0; -0 is not. */
bool promcb_amount_is_negative(const struct promcb_change *change);

/* How many decimals it takes to write it without an exponent: 1.50 takes 1, 1e3 none. Of NaN and infinities 0. */
uint32_t promcb_amount_decimals(const struct promcb_change *change);

/* Without its sign, in units of 10^-decimals, 0 to 9: rounded half up; UINT64_MAX where it would be more. */
uint64_t promcb_amount_whole(const struct promcb_change *change, uint32_t decimals);

#endif

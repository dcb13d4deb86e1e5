/* SPDX-License-Identifier: MIT */
/*
 * outcome.h: which outcomes of a log are failures. Pure functions of bytes; a leaf.
 *
 * An outcome is "success", "failure" or an HTTP status of three digits, whatever it is: a call was made. "0", "-" and
 * "-1" are what logs print where nobody answered, and count as 000.
 *
 * By default 000 to 099 and 500 to 999 are failures: nobody answered, or the server failed. 400 to 499 are not: they
 * say that the client was wrong (404, 401) or went away (499), so that strangers would raise alarms about a service
 * that is well.
 */
#ifndef PROMCB_TOOL_RECORD_OUTCOME_H
#define PROMCB_TOOL_RECORD_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>

enum { PROMCB_STATUSES = 1000, PROMCB_STATUS_SWITCHED = 101 };

struct promcb_failures {
	bool fails[PROMCB_STATUSES]; /* by status */
};

/* The default, see above. */
void promcb_failures_default(struct promcb_failures *out);

/*
 * A list of what fails: statuses ("499") and classes ("5xx") separated by commas; those after "!" do not ("5xx,!529").
 * The last that names a status counts. Returns NULL, or the place in list where it is none.
 */
const char *promcb_failures_parse(const char *list, struct promcb_failures *out);

struct promcb_parsed_outcome {
	bool success;
	bool without_latency; /* 101: the time of what follows is no latency of the service */
};

/* Returns false where the text is no outcome. */
bool promcb_outcome_parse(const char *text, size_t length, const struct promcb_failures *failures,
			  struct promcb_parsed_outcome *out);

#endif

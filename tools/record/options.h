/* SPDX-License-Identifier: MIT */
/* options.h: what the command line of promcb-record says. */
#ifndef PROMCB_TOOL_RECORD_OPTIONS_H
#define PROMCB_TOOL_RECORD_OPTIONS_H

#include "change.h"
#include "line.h"

#include <promcb/breaker.h>

enum promcb_said_outcome { PROMCB_SAID_NONE, PROMCB_SAID_SUCCESS, PROMCB_SAID_FAILURE };

/* What is to be done to a series, as it was given. */
struct promcb_words {
	enum promcb_change_kind kind;
	const char *series, *amount; /* amount: NULL until it comes */
};

struct promcb_arguments {
	const char *segment;
	const char *component;
	char *const *command; /* NULL: none */
	bool component_quoted; /* it came after "--" */
	bool through_breaker, has_policy;
	struct promcb_policy policy;
	bool from_stdin;
	const char *socket; /* NULL: none */
	bool has_state, has_log, has_error;
	bool has_rules; /* something is said of lines */
	const char *unit; /* NULL: none is given */
	enum promcb_unit format_unit; /* what it is then */
	const char *help_text;
	struct promcb_words *changes;
	size_t change_count;
	const char *latency; /* NULL: none is given */
	uint64_t latency_ns;
	struct promcb_line_rules rules;
	enum promcb_said_outcome outcome;
	enum promcb_state state;
	enum promcb_log_level log;
	enum promcb_error_type error;
};

/* Takes the arguments of main(), or says what is wrong with them and exits. */
void promcb_record_arguments(int argc, char **argv, struct promcb_arguments *out);

#endif

/* SPDX-License-Identifier: MIT */
/* ways.h: the ways of promcb-record that are modules of their own. */
#ifndef PROMCB_TOOL_RECORD_WAYS_H
#define PROMCB_TOOL_RECORD_WAYS_H

#include "line.h"

#include <promcb/breaker.h>
#include <promcb/promcb.h>

/* What is said of a latency above PROMCB_LATENCY_MAX_NS. */
#define PROMCB_RECORD_TOO_LONG "latencies above 1099.5 s (18 minutes) are recorded as 1099.5 s"

/* The component of calls whose own cannot be had. */
#define PROMCB_RECORD_OVERFLOW "_overflow"

/* A command's call: recorded in a component, and, where there is one, told to its circuit breaker. */
struct promcb_record_call {
	struct promcb_component *component; /* NULL: nothing is recorded */
	struct promcb_breaker *breaker;     /* NULL: none */
	struct promcb_token token;
};

/*
 * Runs a command and records its wall time and outcome. command: zero-terminated arguments, the first the program,
 * looked for in PATH. Without a segment the command runs all the same. through_breaker: if the component's circuit
 * breaker lets it; policy: to be put in force, or NULL. Returns the status to exit with: the command's, 128 + the
 * signal that killed it, 127 if there is no such program, 126 if it cannot be run, 125 if the policy is none, 75 if the
 * breaker refused it.
 */
int promcb_record_command(const char *segment, const char *component, char *const *command, bool through_breaker,
			  const struct promcb_policy *policy);

/*
 * Asks the breaker of call->component. policy: NULL: what is in force. Returns 0: the command may run, through the
 * breaker or, after a word, without; or the status to exit with.
 */
int promcb_record_ask(struct promcb_record_call *call, const char *component, const struct promcb_policy *policy);

/* Records what this program timed, and says so on standard error if its latency is cut. status: the command's. */
void promcb_record_elapsed(struct promcb_record_call *call, const char *component, uint64_t latency_ns, int status,
			   uint64_t now_ns);

/* Records the lines of standard input as they come. Returns the status to exit with. */
int promcb_record_stdin(const char *segment, const struct promcb_line_rules *rules);

/*
 * Records the lines that are sent to a unix socket, which it makes: datagrams at PATH, a stream at "stream:PATH".
 * Returns the status to exit with.
 */
int promcb_record_socket(const char *segment, const struct promcb_line_rules *rules, const char *where);

/*
 * Finds or registers a component, and complains where it cannot be had: then it is "_overflow". Returns 0, or the
 * library's -errno.
 */
int promcb_record_find(struct promcb_session *metrics, const char *name, struct promcb_component **out);

/* Opens the segment, or complains. Returns it, or NULL. */
struct promcb_session *promcb_record_open(const char *segment);

#endif

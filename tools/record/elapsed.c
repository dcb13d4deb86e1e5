/* SPDX-License-Identifier: MIT */
/*
 * elapsed.c: the call that a command was. It is apart from where the command is run, so that a test can say how
 * long it took.
 */
#include "common.h"
#include "ways.h"

/* What timeout(1) ends with. */
enum { STATUS_TIMEOUT = 124 };

void promcb_record_elapsed(struct promcb_record_call *call, const char *component, uint64_t latency_ns, int status,
			   uint64_t now_ns)
{
	enum promcb_call_outcome outcome = status == 0                ? PROMCB_SUCCESS
					   : status == STATUS_TIMEOUT ? PROMCB_TIMEOUT
								      : PROMCB_FAILURE;

	if (call->breaker)
		promcb_done_at(call->breaker, &call->token, latency_ns, outcome, now_ns);
	else
		promcb_record_at(call->component, latency_ns, status == 0, now_ns);
	if (latency_ns > PROMCB_LATENCY_MAX_NS)
		promcb_tool_complain("\"%s\" took %.1f s: " PROMCB_RECORD_TOO_LONG, component,
				     (double)latency_ns / 1e9);
}

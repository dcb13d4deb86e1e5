/* SPDX-License-Identifier: MIT */
/*
 * guarded.c: whether a command may run, as a circuit breaker has it that all processes of the segment share.
 *
 * What is wrong with the segment or with the breaker is no reason not to run it; a policy that is none is one.
 */
#include "common.h"
#include "ways.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

/* Of sysexits.h: try again later. */
enum { STATUS_REFUSED = 75, STATUS_USAGE = 125 };

static void complain_of_refusal(const struct promcb_record_call *call, const char *component)
{
	uint64_t wait_ns = promcb_retry_after(call->breaker);
	time_t until = time(NULL) + (time_t)((wait_ns + 999999999) / 1000000000);
	char text[64];
	struct tm local;

	if (wait_ns && localtime_r(&until, &local) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &local))
		promcb_tool_complain("\"%s\" is not run: its circuit breaker is open until %s, for %.1f s more",
				     component, text, (double)wait_ns / 1e9);
	else if (promcb_state(call->component) == PROMCB_HALF_OPEN)
		promcb_tool_complain(
			"\"%s\" is not run: its circuit breaker is half-open, and as many as may are trying",
			component);
	else
		promcb_tool_complain("\"%s\" is not run: its circuit breaker is open, and it is not known until when",
				     component);
}

int promcb_record_ask(struct promcb_record_call *call, const char *component, const struct promcb_policy *policy)
{
	struct promcb_message message = {.text = ""};
	struct promcb_policy wanted = policy ? *policy : (struct promcb_policy){.version = 0};
	int result;

	wanted.message = &message;
	result = promcb_breaker(call->component, policy ? &wanted : NULL, &call->breaker);
	if (result == -EINVAL) {
		promcb_tool_complain("\"%s\" is not run: %s", component, promcb_tool_reason(result, &message));
		return STATUS_USAGE;
	}
	if (result < 0)
		promcb_tool_complain("warning: the breaker of \"%s\": %s", component,
				     promcb_tool_reason(result, &message));
	if (promcb_begin(call->breaker, &call->token))
		return 0;
	complain_of_refusal(call, component);
	return STATUS_REFUSED;
}

/* SPDX-License-Identifier: MIT */
/*
 * elapsed.c: the call that a command was. May include: promcb.h, common.h, record.h. It is apart from where the
 * command is run, so that a test can say how long it took.
 */
#include "common.h"
#include "ways.h"

void promcb_record_elapsed(struct promcb_component *handle, const char *component, uint64_t latency_ns, bool success,
			   uint64_t now_ns)
{
	promcb_record_at(handle, latency_ns, success, now_ns);
	if (latency_ns > PROMCB_LATENCY_MAX_NS)
		promcb_tool_complain("\"%s\" took %.1f s: " PROMCB_RECORD_TOO_LONG, component,
				     (double)latency_ns / 1e9);
}

/* SPDX-License-Identifier: MIT */
/*
 * policy.h: policies of circuit breakers as text: "failure_rate=30%,window=30s,open=10s". Pure functions of bytes.
 *
 * A share is "30%" or "off", with one decimal at most; a time a number with a unit, ms, s, m, h or d (of slow also ns
 * and us), and without one seconds. What is not said stays as it is. Whether numbers are in range the library says.
 */
#ifndef PROMCB_TOOL_POLICY_H
#define PROMCB_TOOL_POLICY_H

#include <promcb/breaker.h>

/* The keys, in the order in which they are told. */
#define PROMCB_TOOL_POLICY_KEYS                                                                                      \
	"failure_rate, slow_rate, slow, consecutive, min_calls, window, open, open_max, jitter, probes, successes, " \
	"failures, lease, mode or version"

/* Takes KEY=VALUE,KEY=VALUE... into out. Returns false, and says why not in message. */
bool promcb_tool_policy_parse(const char *text, struct promcb_policy *out, struct promcb_message *message);

/* A time: "30", "1.5s", "5m". Returns whether it is one, of less than a year. */
bool promcb_tool_time_parse(const char *text, uint64_t *out_ns);

/* The same as text: "1.5 s", "10 ms", "3 h". room: 32 are enough. Returns text. */
const char *promcb_tool_time_print(uint64_t ns, char *text, size_t room);

#endif

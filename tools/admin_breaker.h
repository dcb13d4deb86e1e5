/* SPDX-License-Identifier: MIT */
/* admin_breaker.h: "promcb-admin breaker": what circuit breakers do, and what an operator does to them. */
#ifndef PROMCB_TOOL_ADMIN_BREAKER_H
#define PROMCB_TOOL_ADMIN_BREAKER_H

#include <promcb/breaker_reader.h>

#include <stdio.h>

/* Runs the command with options of its own. segment: what was named before it, or NULL. Returns the exit status. */
int promcb_admin_breaker(const char *segment, int argc, char **argv);

/* -- For it alone: as lines for a person, and as an object of JSON ------------------------------------------------- */

void promcb_admin_breaker_print(FILE *out, const struct promcb_breaker_summary *breaker, uint64_t now_ns);
void promcb_admin_breaker_json(FILE *out, const struct promcb_breaker_summary *breaker);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * breaker.c: one call through the breaker of a component, of PROMCB_SEGMENT. Usage: breaker COMPONENT [VERSION]: says
 * whether it was allowed or refused, or puts a policy of that version in force, and says nothing.
 */
#include <promcb/breaker.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct promcb_policy policy = {.consecutive = 7};
	struct promcb_component *component;
	struct promcb_breaker *breaker;
	struct promcb_token token;
	bool allowed;

	if (argc < 2 || promcb_component(promcb_default(), argv[1], &component) < 0)
		return 2;
	policy.version = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
	if (promcb_breaker(component, argc > 2 ? &policy : NULL, &breaker) < 0)
		return 1;
	if (argc > 2)
		return 0;
	allowed = promcb_begin(breaker, &token);
	if (allowed)
		promcb_end(breaker, &token, PROMCB_SUCCESS);
	puts(allowed ? "allowed" : "refused");
	return 0;
}

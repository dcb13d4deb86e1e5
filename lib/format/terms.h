/* SPDX-License-Identifier: MIT */
/*
 * terms.h: a policy as the words of a descriptor have it, taken apart. What is taken out is in range, whoever wrote it:
 * no division by 0, no shift too far.
 */
#ifndef PROMCB_TERMS_H
#define PROMCB_TERMS_H

#include "format/breaker.h"

/* With the defaults filled in. Off: 0; of slow_ns all ones. */
struct promcb_terms {
	uint32_t version;
	uint32_t window_ms, min_calls;
	uint32_t failure_permille, slow_permille, consecutive;
	uint64_t slow_ns;
	uint32_t open_ms, open_max_ms, jitter_percent;
	uint32_t probes, successes, failures, lease_ms;
	uint32_t mode;
	bool is_default;                /* nobody gave it: any other takes its place */
	uint64_t slot_ns;               /* of the window */
};

void promcb_terms_pack(const struct promcb_terms *terms, uint64_t words[PROMCB_POLICY_WORDS]);
void promcb_terms_unpack(const uint64_t words[PROMCB_POLICY_WORDS], struct promcb_terms *terms);

/* The bounds of what they say. */
enum {
	PROMCB_WINDOW_MS_MIN = 100,
	PROMCB_WINDOW_MS_MAX = 3600000,
	PROMCB_MIN_CALLS_MAX = 1000000,
	PROMCB_PERIOD_MS_MAX = 86400000,
	PROMCB_JITTER_MAX = 50,
};

/* Of slow_ns: none is slow. */
#define PROMCB_SLOW_OFF UINT64_MAX

#endif

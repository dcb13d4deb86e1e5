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
	bool is_operators;              /* one of the same version is in nobody's way */
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

/* The longest slot that any policy can have. */
#define PROMCB_SLOT_NS_MAX ((uint64_t)PROMCB_WINDOW_MS_MAX * 1000000 / PROMCB_BREAKER_WINDOW_SLOTS)

/*
 * The first slot of the window that ends in slot. since: the word, of the present episode. It may be later than slot:
 * until what ended in slots of another length, at most the longest, is not in the window. One that is later still is
 * of another boot, or anybody's.
 */
static inline uint64_t promcb_window_from(uint64_t since, uint64_t slot, uint64_t slot_ns)
{
	uint64_t from = slot > PROMCB_BREAKER_WINDOW_SLOTS ? slot - PROMCB_BREAKER_WINDOW_SLOTS : 0;
	uint64_t first = promcb_since_slot(since, slot_ns);

	return first > from && first <= slot + 4 + PROMCB_SLOT_NS_MAX / slot_ns ? first : from;
}

/* Of slow_ns: none is slow. */
#define PROMCB_SLOW_OFF UINT64_MAX

#endif

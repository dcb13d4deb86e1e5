/* SPDX-License-Identifier: MIT */
#include "format/terms.h"

#define SLOW_MASK (((uint64_t)1 << 48) - 1)

enum { PERMILLE_MAX = 1000 };

void promcb_terms_pack(const struct promcb_terms *t, uint64_t words[PROMCB_POLICY_WORDS])
{
	words[0] = (uint64_t)t->version << 32 | t->window_ms;
	words[1] = (uint64_t)t->open_max_ms << 32 | t->open_ms;
	words[2] = (uint64_t)t->min_calls << 32 | t->lease_ms;
	words[3] = (uint64_t)t->consecutive << 48 | (t->slow_ns & SLOW_MASK);
	words[4] = t->failure_permille | (uint64_t)t->slow_permille << 10 | (uint64_t)t->jitter_percent << 20 |
		   (uint64_t)t->mode << 27 | (uint64_t)t->probes << 30 | (uint64_t)t->successes << 34 |
		   (uint64_t)t->failures << 42 | (uint64_t)t->is_default << 50 | (uint64_t)t->is_operators << 51;
	words[5] = 0;
}

static uint32_t within(uint64_t value, uint32_t least, uint32_t most)
{
	return value < least ? least : value > most ? most : (uint32_t)value;
}

void promcb_terms_unpack(const uint64_t words[PROMCB_POLICY_WORDS], struct promcb_terms *terms)
{
	*terms = (struct promcb_terms){
		.version = (uint32_t)(words[0] >> 32),
		.window_ms = within((uint32_t)words[0], PROMCB_WINDOW_MS_MIN, PROMCB_WINDOW_MS_MAX),
		.open_ms = within((uint32_t)words[1], 1, PROMCB_PERIOD_MS_MAX),
		.open_max_ms = within(words[1] >> 32, 1, PROMCB_PERIOD_MS_MAX),
		.lease_ms = within((uint32_t)words[2], 1, PROMCB_PERIOD_MS_MAX),
		.min_calls = within(words[2] >> 32, 1, PROMCB_MIN_CALLS_MAX),
		.slow_ns = words[3] & SLOW_MASK,
		.consecutive = (uint32_t)(words[3] >> 48),
		.failure_permille = within(words[4] & 0x3ff, 0, PERMILLE_MAX),
		.slow_permille = within(words[4] >> 10 & 0x3ff, 0, PERMILLE_MAX),
		.jitter_percent = within(words[4] >> 20 & 0x7f, 0, PROMCB_JITTER_MAX),
		.mode = within(words[4] >> 27 & 7, 0, PROMCB_MODE_WORDS - 1),
		.probes = within(words[4] >> 30 & 0xf, 1, PROMCB_PERMITS),
		.successes = within(words[4] >> 34 & 0xff, 1, UINT8_MAX),
		.failures = within(words[4] >> 42 & 0xff, 1, UINT8_MAX),
		.is_default = words[4] >> 50 & 1,
		.is_operators = words[4] >> 51 & 1,
	};
	if (terms->slow_ns == SLOW_MASK)
		terms->slow_ns = PROMCB_SLOW_OFF;
	terms->slot_ns = terms->window_ms * (uint64_t)1000000 / PROMCB_BREAKER_WINDOW_SLOTS;
}

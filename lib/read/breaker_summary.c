/* SPDX-License-Identifier: MIT */
/* breaker_summary.c: what a breaker's descriptor and cells say, in the words of promcb/breaker_reader.h. */
#include "read/breakers.h"

const char *const promcb_breaker_reasons[PROMCB_REASONS] = {
	[PROMCB_REASON_FAILURE_RATE] = "failure_rate", [PROMCB_REASON_SLOW_RATE] = "slow_rate",
	[PROMCB_REASON_CONSECUTIVE] = "consecutive",   [PROMCB_REASON_PROBE] = "probe",
	[PROMCB_REASON_TRIPPED] = "tripped",
};

bool promcb_breaker_has_deadline(const struct promcb_descriptor *d)
{
	return promcb_state_of(d->state) == PROMCB_OPEN && promcb_word_tag(d->until) == promcb_state_tag(d->state);
}

static bool is_forced(const struct promcb_descriptor *d)
{
	return d->forced && d->forced <= PROMCB_MODES;
}

unsigned promcb_breaker_mode(const struct promcb_descriptor *d, const struct promcb_terms *terms)
{
	return is_forced(d) ? (unsigned)d->forced - 1 : terms->mode;
}

static uint32_t or_off(uint32_t value)
{
	return value ? value : PROMCB_POLICY_OFF;
}

/* As the application gives one. */
static struct promcb_policy policy_of(const struct promcb_terms *terms)
{
	return (struct promcb_policy){
		.version = terms->version,
		.window_ms = terms->window_ms,
		.min_calls = terms->min_calls,
		.failure_permille = or_off(terms->failure_permille),
		.slow_permille = or_off(terms->slow_permille),
		.consecutive = or_off(terms->consecutive),
		.slow_ns = terms->slow_ns == PROMCB_SLOW_OFF ? 0 : terms->slow_ns,
		.open_ms = terms->open_ms,
		.open_max_ms = terms->open_max_ms,
		.jitter_percent = or_off(terms->jitter_percent),
		.probes = terms->probes,
		.successes = terms->successes,
		.failures = terms->failures,
		.lease_ms = terms->lease_ms,
		.mode = terms->mode,
		.flags = terms->is_operators ? PROMCB_POLICY_ANYWAY : 0,
	};
}

void promcb_breaker_summarize(const struct promcb_descriptor *d, const uint64_t *cells, uint64_t clock_offset_ns,
			      struct promcb_breaker_summary *out)
{
	uint64_t reason = promcb_tagged_value(d->opened);
	unsigned state = promcb_state_of(d->state);
	struct promcb_terms terms;

	promcb_terms_unpack(d->policy + (d->selector & 1) * PROMCB_POLICY_WORDS, &terms);
	*out = (struct promcb_breaker_summary){
		.last_reason = reason < PROMCB_REASONS ? promcb_breaker_reasons[reason] : NULL,
		.state = state < PROMCB_STATES ? (enum promcb_state)state : PROMCB_CLOSED,
		.mode = (enum promcb_mode)promcb_breaker_mode(d, &terms),
		.policy = policy_of(&terms),
		.is_forced = is_forced(d),
		.permitted = cells[PROMCB_BREAKER_BEGUN],
		.refused_open = cells[PROMCB_BREAKER_REFUSED_OPEN],
		.refused_half_open = cells[PROMCB_BREAKER_REFUSED_HALF_OPEN],
		.refused_forced = cells[PROMCB_BREAKER_REFUSED_FORCED],
		.shadow_refusals = cells[PROMCB_BREAKER_SHADOW],
		.slow = cells[PROMCB_BREAKER_SLOW],
		.ignored = cells[PROMCB_BREAKER_IGNORED],
		.late = cells[PROMCB_BREAKER_LATE],
		.probes_good = cells[PROMCB_BREAKER_GOOD],
		.probes_bad = cells[PROMCB_BREAKER_BAD],
		.probes_lost = cells[PROMCB_BREAKER_LOST],
	};
	if (promcb_breaker_has_deadline(d))
		out->open_until_ns = promcb_until_ms(d->until) * 1000000 + clock_offset_ns;
}

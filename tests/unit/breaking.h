/* SPDX-License-Identifier: MIT */
/* breaking.h: a breaker of the fixture's segment, by a clock of the test's own. */
#ifndef PROMCB_BREAKING_H
#define PROMCB_BREAKING_H

#include "fixture.h"

#include "record/episode.h"

#include <promcb/breaker_inline.h>
#include <promcb/metric.h>

#include <time.h>

#define MS ((uint64_t)1000000)
#define SECOND ((uint64_t)1000000000)

static uint64_t now_ns;
static struct promcb_session *session;
static struct promcb_component *component;

static inline uint64_t test_clock(void)
{
	return now_ns;
}

/* A breaker of a component "db", at a whole second. */
static inline struct promcb_breaker *make(const struct promcb_policy *policy)
{
	struct promcb_message message = {.text = ""};
	struct promcb_policy ours = *policy;
	struct promcb_breaker *breaker;
	struct timespec now;

	/* About now, since readers have a clock of their own. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * SECOND;
	promcb_guard_clock = test_clock;
	session = fixture_open(NULL);
	component = fixture_component(session, "db");
	ours.message = &message;
	cr_assert_eq(promcb_breaker(component, &ours, &breaker), 0, "%s", message.text);
	return breaker;
}

/* Returns whether the call was let through. */
static inline bool call_for(struct promcb_breaker *breaker, enum promcb_call_outcome outcome, uint64_t latency_ns)
{
	struct promcb_token token;

	if (!promcb_allow(breaker, &token))
		return false;
	promcb_done_at(breaker, &token, latency_ns, outcome, now_ns);
	return true;
}

static inline bool call(struct promcb_breaker *breaker, enum promcb_call_outcome outcome)
{
	return call_for(breaker, outcome, 1000);
}

static inline void calls(struct promcb_breaker *breaker, unsigned count, enum promcb_call_outcome outcome)
{
	for (unsigned i = 0; i < count; i++)
		cr_assert(call(breaker, outcome), "call %u was refused", i);
}

/* The number of a series that is exported of the breaker. value: of its second label; NULL: it has none. */
static inline double exported(const char *family, const char *value)
{
	struct promcb_snapshot *snapshot = fixture_snapshot();
	double number = -1;

	for (size_t i = 0; i < promcb_snapshot_families(snapshot); i++) {
		struct promcb_family_summary f;

		promcb_snapshot_family(snapshot, i, &f);
		for (size_t j = 0; j < f.series && strcmp(f.name, family) == 0; j++) {
			struct promcb_series_summary s;

			promcb_snapshot_series(snapshot, i, j, &s);
			if (!value || strcmp(promcb_snapshot_label_value(snapshot, i, j, 1), value) == 0)
				number = s.number;
		}
	}
	promcb_snapshot_free(snapshot);
	return number;
}

#define STATE(state) \
	cr_assert_eq(promcb_state(component), state, "it is %s", promcb_state_name(promcb_state(component)))

/* Opens with the first failure, for a second, then for longer; two probes at a time. */
static const struct promcb_policy probing = {
	.consecutive = 1,
	.open_ms = 1000,
	.open_max_ms = 3000,
	.jitter_percent = PROMCB_POLICY_OFF,
	.probes = 2,
	.successes = 3,
	.failures = 2,
	.lease_ms = 500,
};

#endif

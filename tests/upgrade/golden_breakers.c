/* SPDX-License-Identifier: MIT */
/*
 * golden_breakers.c: breakers by a clock that begins ten seconds after the boot, so that no window of the present
 * reaches there. None is open: until when that would be depends on when the reader's machine was started.
 */
#include "../stress/stress.h"

#include "golden.h"

#include "record/episode.h"

#include <promcb/breaker.h>

#define SECOND_NS ((uint64_t)1000000000)

static uint64_t now_ns = 10 * SECOND_NS;

static uint64_t early_clock(void)
{
	return now_ns;
}

static struct promcb_breaker *breaker_of(struct promcb_component *component, const struct promcb_policy *policy)
{
	struct promcb_message message = {.text = ""};
	struct promcb_policy ours = *policy;
	struct promcb_breaker *breaker;

	promcb_guard_clock = early_clock;
	ours.message = &message;
	CHECK(promcb_breaker(component, &ours, &breaker) == 0, "%s", message.text);
	return breaker;
}

static void call(struct promcb_breaker *breaker, unsigned count, enum promcb_call_outcome outcome, uint64_t latency_ns)
{
	for (unsigned i = 0; i < count; i++) {
		struct promcb_token token;

		if (promcb_allow(breaker, &token))
			promcb_done_at(breaker, &token, latency_ns, outcome, now_ns);
	}
}

static const struct promcb_policy wary = {
	.version = 3,
	.consecutive = 2,
	.slow_permille = 900,
	.slow_ns = SECOND_NS / 2,
	.jitter_percent = PROMCB_POLICY_OFF,
};

void golden_make_breakers(struct promcb_session *p)
{
	const struct promcb_label labels[] = {{"op", "read"}, {"reason", "b\xc3\xbc\"\\"}};
	const struct promcb_policy shadow = {
		.mode = PROMCB_MODE_SHADOW, .consecutive = 1, .open_ms = 1000, .jitter_percent = PROMCB_POLICY_OFF};
	struct promcb_component *labelled;
	struct promcb_breaker *breaker;
	struct promcb_token under_way;

	breaker = breaker_of(stress_component(p, "closed"), &(struct promcb_policy){.min_calls = 100});
	for (unsigned outcome = 0; outcome < PROMCB_CALL_OUTCOMES; outcome++)
		call(breaker, outcome + 1, (enum promcb_call_outcome)outcome, 1000000);
	CHECK(promcb_component_with(p, "db", labels, 2, &labelled) == 0, "labels");
	call(breaker_of(labelled, &shadow), 4, PROMCB_TIMEOUT, 2 * SECOND_NS);
	breaker = breaker_of(stress_component(p, "half open"), &wary);
	call(breaker, 3, PROMCB_RESET, SECOND_NS);
	now_ns += 5 * SECOND_NS;
	call(breaker, 1, PROMCB_SUCCESS, 1000000);
	CHECK(promcb_allow(breaker, &under_way), "a probe");
	breaker = breaker_of(stress_component(p, "forced"), &wary);
	promcb_breaker_force(breaker, PROMCB_MODE_OPEN);
	call(breaker, 5, PROMCB_SUCCESS, 1000000);
	/* It was open. */
	call(breaker_of(labelled, &shadow), 1, PROMCB_SUCCESS, 1000000);
	promcb_close(p);
}

static bool is_there(const char *segment, const char *name)
{
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;
	struct promcb_summary summary;
	bool found;

	CHECK(promcb_reader_open(segment, NULL, &reader, NULL) == 0, "%s", segment);
	CHECK(promcb_reader_snapshot(reader, NULL, &snapshot, NULL) == 0, "%s", segment);
	found = promcb_snapshot_find(snapshot, name, &summary) == 0;
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
	return found;
}

void golden_call_breakers(struct promcb_session *p, const char *segment)
{
	if (!is_there(segment, "forced"))
		return;
	now_ns = 20 * SECOND_NS;
	call(breaker_of(stress_component(p, "closed"), &(struct promcb_policy){.min_calls = 100}), 7, PROMCB_SUCCESS,
	     1000000);
	call(breaker_of(stress_component(p, "half open"), &wary), 2, PROMCB_SUCCESS, 1000000);
	call(breaker_of(stress_component(p, "forced"), &wary), 2, PROMCB_SUCCESS, 1000000);
}

/* SPDX-License-Identifier: MIT */
#include "record/policy.h"

#include "base/reserved.h"

#include <promcb/inject.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { READ_ROUNDS = 8 };

/* A field that is to be from least to most: 0 means the default, PROMCB_POLICY_OFF 0 if the field can be off. */
struct field {
	const char *name;
	uint32_t value, least, most, usual;
	bool can_be_off;
	uint32_t *out;
};

static int take(const struct field *field, struct promcb_message *message)
{
	if (field->value == 0) {
		*field->out = field->usual;
		return 0;
	}
	if (field->value == PROMCB_POLICY_OFF && field->can_be_off) {
		*field->out = 0;
		return 0;
	}
	*field->out = field->value;
	if (field->value < field->least || field->value > field->most)
		return promcb_message_error(message, -EINVAL,
					    "the policy's %s is %" PRIu32 ": %" PRIu32 " to %" PRIu32 " are possible%s",
					    field->name, field->value, field->least, field->most,
					    field->can_be_off ? ", or PROMCB_POLICY_OFF" : "");
	return 0;
}

static int judge(const struct promcb_policy *p, struct promcb_terms *t)
{
	const struct field fields[] = {
		{"window_ms", p->window_ms, PROMCB_WINDOW_MS_MIN, PROMCB_WINDOW_MS_MAX, 10000, false, &t->window_ms},
		{"min_calls", p->min_calls, 1, PROMCB_MIN_CALLS_MAX, 20, false, &t->min_calls},
		{"failure_permille", p->failure_permille, 1, 1000, 500, true, &t->failure_permille},
		{"slow_permille", p->slow_permille, 1, 1000, 0, true, &t->slow_permille},
		{"consecutive", p->consecutive, 1, UINT16_MAX, 0, true, &t->consecutive},
		{"open_ms", p->open_ms, 1, PROMCB_PERIOD_MS_MAX, 5000, false, &t->open_ms},
		{"open_max_ms", p->open_max_ms, 1, PROMCB_PERIOD_MS_MAX, 60000, false, &t->open_max_ms},
		{"jitter_percent", p->jitter_percent, 1, PROMCB_JITTER_MAX, 10, true, &t->jitter_percent},
		{"probes", p->probes, 1, PROMCB_PERMITS, 3, false, &t->probes},
		{"successes", p->successes, 1, UINT8_MAX, 0, false, &t->successes},
		{"failures", p->failures, 1, UINT8_MAX, 1, false, &t->failures},
		{"lease_ms", p->lease_ms, 1, PROMCB_PERIOD_MS_MAX, 10000, false, &t->lease_ms},
		{"mode", p->mode, 1, PROMCB_MODES - 1, 0, false, &t->mode},
	};
	int result = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && result == 0; i++)
		result = take(&fields[i], p->message);
	if (result < 0)
		return result;
	t->version = p->version;
	t->is_operators = p->flags & PROMCB_POLICY_ANYWAY;
	t->slow_ns = p->slow_ns && t->slow_permille ? p->slow_ns : PROMCB_SLOW_OFF;
	t->successes = t->successes ? t->successes : t->probes;
	if (!p->open_max_ms && t->open_max_ms < t->open_ms)
		t->open_max_ms = t->open_ms;
	if (t->open_max_ms < t->open_ms)
		return promcb_message_error(p->message, -EINVAL, "the policy's open_max_ms is less than its open_ms");
	if (p->slow_ns > PROMCB_LATENCY_MAX_NS)
		return promcb_message_error(p->message, -EINVAL, "the policy's slow_ns is longer than any latency");
	if (!p->slow_ns && t->slow_permille)
		return promcb_message_error(p->message, -EINVAL, "the policy has a slow_permille, and no slow_ns");
	if (p->flags & ~(uint64_t)PROMCB_POLICY_ANYWAY)
		return promcb_message_error(p->message, -EINVAL, "the policy has flags that are none");
	if (!PROMCB_RESERVED_ARE_ZERO(p))
		return promcb_message_error(p->message, -EINVAL, PROMCB_RESERVED_SENTENCE);
	return 0;
}

int promcb_policy_pack(const struct promcb_policy *policy, uint64_t words[PROMCB_POLICY_WORDS])
{
	struct promcb_terms t = {.version = 0};
	int result = judge(policy, &t);

	promcb_terms_pack(&t, words);
	return result;
}

void promcb_policy_default(uint64_t words[PROMCB_POLICY_WORDS])
{
	struct promcb_terms t = {.version = 0};

	judge(&(struct promcb_policy){.version = 0}, &t);
	t.is_default = true;
	promcb_terms_pack(&t, words);
}

static uint32_t version_of(const uint64_t words[PROMCB_POLICY_WORDS])
{
	return (uint32_t)(words[0] >> 32);
}

static bool is_default(const uint64_t words[PROMCB_POLICY_WORDS])
{
	return words[4] >> 50 & 1;
}

static bool is_operators(const uint64_t words[PROMCB_POLICY_WORDS])
{
	return words[4] >> 51 & 1;
}

/* The words of what is in force. Returns false if there is none. */
static bool read_words(const struct promcb_descriptor *descriptor, uint64_t words[PROMCB_POLICY_WORDS])
{
	for (int round = 0; round < READ_ROUNDS; round++) {
		/* [POLICY] acquire: the selector before the copy, */
		uint64_t selector = promcb_load_acquire(&descriptor->selector);

		if (selector == 0)
			break;
		for (uint32_t i = 0; i < PROMCB_POLICY_WORDS; i++)
			/* [POLICY] acquire: and the copy before the selector again. */
			words[i] = promcb_load_acquire(&descriptor->policy[(selector & 1) * PROMCB_POLICY_WORDS + i]);
		if (promcb_load_relaxed(&descriptor->selector) == selector)
			return true;
	}
	return false;
}

bool promcb_policy_read(const struct promcb_descriptor *descriptor, struct promcb_terms *terms)
{
	uint64_t words[PROMCB_POLICY_WORDS];
	bool is_there = read_words(descriptor, words);

	if (!is_there)
		promcb_policy_default(words);
	promcb_terms_unpack(words, terms);
	if (!is_there)
		terms->failure_permille = 0;
	return is_there;
}

void promcb_policy_want(uint64_t wanted[PROMCB_POLICY_WORDS], const uint64_t words[PROMCB_POLICY_WORDS])
{
	if (!is_default(words) && (is_default(wanted) || version_of(words) >= version_of(wanted)))
		memcpy(wanted, words, PROMCB_POLICY_WORDS * sizeof(*words));
}

static void describe(const uint64_t words[PROMCB_POLICY_WORDS], char *text, size_t room)
{
	struct promcb_terms t;

	promcb_terms_unpack(words, &t);
	snprintf(text, room,
		 "window %" PRIu32 " ms, %" PRIu32 " calls, failures %" PRIu32 ", slow %" PRIu32 " of 1,000, %" PRIu32
		 " in a row, open %" PRIu32 " to %" PRIu32 " ms, %" PRIu32 " probes, mode %s",
		 t.window_ms, t.min_calls, t.failure_permille, t.slow_permille, t.consecutive, t.open_ms, t.open_max_ms,
		 t.probes, promcb_mode_name((enum promcb_mode)t.mode));
}

/* What is to become of it: 1: it is to be put in force, 0: nothing, or -EEXIST. present: of what is. */
static int compare(const struct promcb_descriptor *descriptor, const uint64_t words[PROMCB_POLICY_WORDS], bool anyway,
		   uint64_t present[PROMCB_POLICY_WORDS])
{
	if (!read_words(descriptor, present))
		return 1;
	if (memcmp(present, words, PROMCB_POLICY_WORDS * sizeof(*words)) == 0)
		return 0;
	if (anyway || (is_default(present) && !is_default(words)))
		return 1;
	if (is_default(words) || version_of(words) < version_of(present))
		return 0;
	if (version_of(words) > version_of(present))
		return 1;
	return is_operators(present) ? 0 : -EEXIST;
}

/* By the holder of the resetter's lane. */
static void put(struct promcb_descriptor *descriptor, const uint64_t words[PROMCB_POLICY_WORDS])
{
	uint64_t selector = promcb_load_relaxed(&descriptor->selector);
	/* One higher, and the other copy; at first that of number 0. */
	uint64_t next = ((selector >> 1) + 1) << 1 | (selector && !(selector & 1));

	for (uint32_t i = 0; i < PROMCB_POLICY_WORDS; i++)
		/* [POLICY] release: the selector that is now, before what it does not select. */
		promcb_store_release(&descriptor->policy[(next & 1) * PROMCB_POLICY_WORDS + i], words[i]);
	PROMCB_INJECT("policy: filled");
	/* [POLICY] release: the copy before the selector. */
	promcb_store_release(&descriptor->selector, next);
	PROMCB_INJECT("policy: selected");
}

int promcb_policy_put(struct promcb_segment *segment, struct promcb_descriptor *descriptor,
		      const uint64_t words[PROMCB_POLICY_WORDS], bool anyway, struct promcb_message *message)
{
	struct promcb_lane_lease lease = {.segment = NULL};
	uint64_t present[PROMCB_POLICY_WORDS];
	int result = compare(descriptor, words, anyway, present);
	char there[200], here[200];

	if (result == 1) {
		result = promcb_lane_acquire_special(segment, 1, &lease);
		if (result < 0)
			return result == -ENOLCK ? -EBUSY : result;
		/* Another may have had the lane before. */
		result = compare(descriptor, words, anyway, present);
		if (result == 1)
			put(descriptor, words);
		promcb_lane_give(&lease);
	}
	if (result >= 0 || !message)
		return result < 0 ? result : 0;
	describe(present, there, sizeof(there));
	describe(words, here, sizeof(here));
	return promcb_message_error(message, result,
				    "version %" PRIu32 " of the policy is in force as: %s; and not as: %s",
				    version_of(words), there, here);
}

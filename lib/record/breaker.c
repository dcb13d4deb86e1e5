/* SPDX-License-Identifier: MIT */
/*
 * breaker.c: breakers as the application has them: the exported twins of the inline functions, what is not their common
 * case, and what changes a breaker from outside.
 *
 * A breaker is a series of a family of promcb's own, so that finding its row, following a segment, forks, handlers and
 * threads without a lane are what they are for counters: see cell.h.
 */
#include "base/clock.h"
#include "record/declare.h"
#include "record/entry.h"
#include "record/guard.h"
#include "record/registry.h"

#include <promcb/breaker_inline.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

_Static_assert(PROMCB_ROW_BEGUN == PROMCB_BREAKER_BEGUN && PROMCB_ROW_ENDED == PROMCB_BREAKER_ENDED &&
		       PROMCB_ROW_SLOT_END == PROMCB_BREAKER_SLOT_END && PROMCB_ROW_SLOW_NS == PROMCB_BREAKER_SLOW_NS,
	       "a row as inline functions know it");
_Static_assert(offsetof(struct promcb_descriptor, state) + PROMCB_STATE_STREAK * sizeof(uint64_t) ==
		       offsetof(struct promcb_descriptor, streak),
	       "a descriptor as inline functions know it");
_Static_assert(PROMCB_NAME_LABELLED == PROMCB_BREAKER_LABELLED_NAME, "a component's name, as its handle has it");
_Static_assert((int)PROMCB_APPLICATION == (int)PROMCB_BREAKER_CLASSES &&
		       PROMCB_CALL_OUTCOMES == PROMCB_BREAKER_CLASSES + 2,
	       "a cell for each class of failure");

enum { BUSY_RETRIES = 50, BUSY_PAUSE_NS = 2000000, CHANGE_ROUNDS = 16 };

static struct promcb_component *component_of(const struct promcb_breaker *breaker)
{
	return (struct promcb_component *)(uintptr_t)promcb_load_relaxed((const uint64_t *)(const void *)breaker + 1);
}

/* -- Calls --------------------------------------------------------------------------------------------------------- */

/* The breaker's descriptor, in the segment that the thread's row is in. NULL: there is none at present. */
static struct promcb_descriptor *descriptor_of(const struct promcb_series_handle *series, const void *handle)
{
	const uint64_t *entries = (const uint64_t *)((uintptr_t)handle + promcb_thread.distance);
	struct promcb_segment *segment;
	uint32_t number;

	if (promcb_load_relaxed(&entries[0]))
		return (struct promcb_descriptor *)(promcb_load_relaxed(&entries[1]) -
						    offsetof(struct promcb_descriptor, state));
	segment = promcb_session_glance(series->at.session, promcb_component_handle(series->component), &number);
	if (!segment || number == PROMCB_NO_COMPONENT || number == PROMCB_OVERFLOW_COMPONENT)
		return NULL;
	return promcb_segment_descriptor(segment, number);
}

struct asking {
	struct promcb_breaker *breaker;
	struct promcb_token *token;
	bool allowed;
};

static void ask(struct promcb_series_handle *series, struct promcb_cell at, void *context)
{
	struct asking *asking = context;
	struct promcb_descriptor *descriptor = descriptor_of(series, asking->breaker);
	struct promcb_guard guard;

	if (!descriptor || !promcb_guard_begin(&guard, descriptor, at))
		return;
	asking->token->row |= (uintptr_t)at.words & PROMCB_TOKEN_ROW_MASK;
	asking->allowed = promcb_guard_ask(&guard, asking->token);
}

static uint64_t process_bits(void)
{
	return promcb_process_is_started() ? promcb_process->cookie << PROMCB_TOKEN_PROCESS_SHIFT : 0;
}

__attribute__((noinline)) bool promcb_allow_slow(struct promcb_breaker *breaker, struct promcb_token *token)
{
	struct asking asking = {breaker, token, true};

	token->row = PROMCB_TOKEN_ASIDE;
	token->state = token->permit = 0;
	promcb_cell_with(breaker, ask, &asking);
	/* After it: a child learns there who it is. */
	token->row |= process_bits();
	return asking.allowed;
}

bool promcb_allow(struct promcb_breaker *breaker, struct promcb_token *token)
{
	return promcb_allow_inline(breaker, token);
}

bool promcb_begin(struct promcb_breaker *breaker, struct promcb_token *token)
{
	bool allowed = promcb_allow_inline(breaker, token);

	if (allowed)
		token->start = promcb_start();
	return allowed;
}

struct ending {
	struct promcb_breaker *breaker;
	const struct promcb_token *token;
	uint64_t latency_ns, now_ns;
	enum promcb_call_outcome outcome;
	bool is_anothers;               /* out: the call is another process's to end */
};

static void end(struct promcb_series_handle *series, struct promcb_cell at, void *context)
{
	struct ending *ending = context;
	struct promcb_descriptor *descriptor = descriptor_of(series, ending->breaker);
	uint64_t *began = promcb_token_row(ending->token);
	struct promcb_guard guard;

	if (!descriptor || !promcb_guard_begin(&guard, descriptor, at))
		return;
	ending->is_anothers = began != at.words && !promcb_guard_adopt(&guard, began);
	if (!ending->is_anothers)
		promcb_guard_end(&guard, ending->token, ending->latency_ns, ending->outcome, ending->now_ns);
}

__attribute__((noinline)) void promcb_done_slow(struct promcb_breaker *breaker, struct promcb_token *token,
						uint64_t latency_ns, enum promcb_call_outcome outcome, uint64_t now_ns)
{
	struct ending ending = {breaker, token, latency_ns, now_ns, outcome, false};
	uint64_t process = token->row >> PROMCB_TOKEN_PROCESS_SHIFT << PROMCB_TOKEN_PROCESS_SHIFT;

	if ((unsigned)outcome >= PROMCB_CALL_OUTCOMES)
		ending.outcome = outcome = PROMCB_FAILURE;
	/* The child of a process in the middle of a call has no part in it. */
	if ((token->row & PROMCB_TOKEN_ASIDE) && process && process != process_bits())
		return;
	promcb_cell_with(breaker, end, &ending);
	if (!ending.is_anothers && outcome != PROMCB_IGNORED && component_of(breaker))
		promcb_record_at_inline(component_of(breaker), latency_ns, outcome == PROMCB_SUCCESS, now_ns);
}

void promcb_done_at(struct promcb_breaker *breaker, struct promcb_token *token, uint64_t latency_ns,
		    enum promcb_call_outcome outcome, uint64_t now_ns)
{
	promcb_done_at_inline(breaker, token, latency_ns, outcome, now_ns);
}

void promcb_end(struct promcb_breaker *breaker, struct promcb_token *token, enum promcb_call_outcome outcome)
{
	uint64_t now_ns, latency_ns;
	bool backward = false;

	latency_ns = promcb_clock_elapsed_ns(token->start, &now_ns, &backward);
	promcb_done_at_inline(breaker, token, latency_ns, outcome, now_ns);
}

/* -- From outside -------------------------------------------------------------------------------------------------- */

struct change {
	struct promcb_breaker *breaker;
	void (*apply)(const struct promcb_guard *guard, struct change *change);
	uint64_t value;
	bool is_done;
};

static void apply_change(struct promcb_series_handle *series, struct promcb_cell at, void *context)
{
	struct change *change = context;
	struct promcb_descriptor *descriptor = descriptor_of(series, change->breaker);
	struct promcb_guard guard;

	if (!descriptor || !promcb_guard_begin(&guard, descriptor, at))
		return;
	change->apply(&guard, change);
	change->is_done = true;
}

/* Returns 0, or -ENOENT: there is no breaker at present that could be changed. */
static int make_change(struct change *change)
{
	promcb_cell_with(change->breaker, apply_change, change);
	return change->is_done ? 0 : -ENOENT;
}

static void find_wait(const struct promcb_guard *guard, struct change *change)
{
	uint64_t state, until_ns;

	if (promcb_guard_mode(guard, &state) > PROMCB_MODE_OPEN || promcb_state_of(state) != PROMCB_OPEN)
		return;
	until_ns = promcb_episode_until(guard, state) * 1000000;
	if (until_ns > guard->now_ns)
		change->value = until_ns - guard->now_ns;
}

uint64_t promcb_retry_after(struct promcb_breaker *breaker)
{
	struct change change = {.breaker = breaker, .apply = find_wait};

	make_change(&change);
	return change.value;
}

static void force(const struct promcb_guard *guard, struct change *change)
{
	uint64_t state;

	promcb_store_relaxed(&guard->descriptor->forced, change->value ? change->value + 1 : 0);
	PROMCB_INJECT("breaker: forced");
	promcb_guard_mode(guard, &state);
}

int promcb_breaker_force(struct promcb_breaker *breaker, enum promcb_mode mode)
{
	if ((unsigned)mode >= PROMCB_MODES)
		return -EINVAL;
	return make_change(&(struct change){.breaker = breaker, .apply = force, .value = (uint64_t)mode});
}

static void trip(const struct promcb_guard *guard, struct change *change)
{
	for (int round = 0; round < CHANGE_ROUNDS; round++) {
		/* [BREAK] acquire: the state before the words with its tag. */
		uint64_t state = promcb_load_acquire(&guard->descriptor->state);

		if (promcb_state_of(state) == PROMCB_OPEN) {
			promcb_episode_extend(guard, state, (guard->now_ns + change->value + 999999) / 1000000);
			/* If it is another, its time was over meanwhile. */
			if (promcb_state_tag(promcb_load_relaxed(&guard->descriptor->state)) == promcb_state_tag(state))
				return;
			continue;
		}
		promcb_episode_open(guard, state, PROMCB_REASON_TRIPPED);
	}
}

int promcb_breaker_trip(struct promcb_breaker *breaker, uint64_t at_least_ns)
{
	const uint64_t most_ns = (uint64_t)3600 * 1000000000;

	return make_change(&(struct change){
		.breaker = breaker, .apply = trip, .value = at_least_ns < most_ns ? at_least_ns : most_ns});
}

static void forget(const struct promcb_guard *guard, struct change *change)
{
	(void)change;
	for (int round = 0; round < CHANGE_ROUNDS; round++) {
		/* [BREAK] acquire: what is there before the state, so that a later one's is not overwritten. */
		uint64_t since = promcb_load_acquire(&guard->descriptor->since);
		/* [BREAK] acquire: the state before the words with its tag. */
		uint64_t state = promcb_load_acquire(&guard->descriptor->state), tag = promcb_state_tag(state);

		if (promcb_state_of(state) != PROMCB_CLOSED) {
			/* If not, somebody else changed it. */
			if (promcb_episode_close(guard, state))
				return;
			continue;
		}
		promcb_store_relaxed(&guard->descriptor->streak, 0);
		/* [BREAK] release: as after a change. */
		if (promcb_cas_acq_rel(
			    &guard->descriptor->since, since,
			    promcb_since_word(tag, guard->now_ns / guard->terms.slot_ns + 1, guard->terms.slot_ns)))
			return;
	}
}

int promcb_breaker_reset(struct promcb_breaker *breaker)
{
	return make_change(&(struct change){.breaker = breaker, .apply = forget});
}

/* -- Making one ---------------------------------------------------------------------------------------------------- */

/* What is to be had and to be given back, for what is done under the mutex. */
struct making {
	struct promcb_component *component;
	struct promcb_metric_family *family;
	struct promcb_message *message;
	uint64_t words[PROMCB_POLICY_WORDS];
	bool anyway;                    /* whatever is in force */
	uint64_t *memory;               /* for the policy that is wanted; NULL once that has it */
	void *found;                    /* the handle, if there is one */
};

static int find_or_add(struct making *m, const char *key, size_t bytes)
{
	int result;

	m->found = promcb_known_find(m->family, key, bytes);
	if (m->found)
		return 0;
	promcb_policy_default(m->memory);
	result = promcb_known_add_breaker(m->family, m->component, m->memory, key, bytes, &m->found);
	if (m->found)
		m->memory = NULL;
	return result;
}

/* So that who finds it closed, and all of whose calls succeed, learns at once of a mode that decides otherwise. */
static void tell_mode(struct promcb_descriptor *descriptor)
{
	struct promcb_guard guard = {.descriptor = descriptor};
	uint64_t state;

	promcb_policy_read(descriptor, &guard.terms);
	promcb_guard_mode(&guard, &state);
}

/* All of it but waiting for another process. With the mutex held. */
static int make(struct making *m)
{
	struct promcb_session *p = m->family->at.session;
	const char *name = promcb_handle_name(promcb_component_handle(m->component));
	struct promcb_lane_lease *lease;
	char key[2 + PROMCB_FULL_NAME_MAX] = {(char)strlen(name)};
	size_t bytes = 2 + strlen(name);
	struct promcb_descriptor *descriptor;
	struct promcb_series_found series;
	uint32_t number;
	int result;

	memcpy(key + 2, name, strlen(name));
	result = find_or_add(m, key, bytes);
	promcb_session_follow(p);
	if (result == 0 && p->segment) {
		lease = promcb_session_lease(p, promcb_recorder_current(true));
		number = promcb_component_resolve(p, m->component, lease);
		descriptor = promcb_segment_descriptor(p->segment, number);
		if (number == PROMCB_OVERFLOW_COMPONENT || !descriptor)
			return -ENOSPC;
		result = promcb_known_register(m->family, lease, key, bytes, &series);
		if (result == 0)
			result = promcb_policy_put(p->segment, descriptor, m->words, m->anyway, m->message);
		if (result == 0)
			tell_mode(descriptor);
	}
	if (result == 0)
		promcb_policy_want(promcb_series_handle_of(m->found)->policy, m->words);
	return result;
}

static int make_patiently(struct making *m)
{
	const struct timespec pause = {.tv_nsec = BUSY_PAUSE_NS};
	int result = -EBUSY;

	for (int round = 0; result == -EBUSY && round < BUSY_RETRIES; round++) {
		struct promcb_saved_state way;
		bool entered = promcb_process_enter(&way);

		if (entered)
			result = make(m);
		promcb_process_leave(&way);
		if (!entered)
			break;
		if (result == -EBUSY)
			nanosleep(&pause, NULL);
	}
	return result;
}

int promcb_breaker(struct promcb_component *component, const struct promcb_policy *policy, struct promcb_breaker **out)
{
	PROMCB_NOT_CANCELLED;
	struct promcb_session *p =
		/* [HANDLE] acquire: the session before what it leads to. */
		component ? promcb_load_pointer_acquire(&promcb_component_handle(component)->session) : NULL;
	struct making making = {.component = component, .message = policy ? policy->message : NULL};
	void *nothing = promcb_handle_table.series;
	union promcb_family_image image;
	int result, refusal = 0;

	*out = nothing;
	if (!p)
		return promcb_message_error(making.message, -EINVAL, "there is no component for a breaker");
	if (making.message)
		making.message->text[0] = 0;
	if (policy) {
		refusal = promcb_policy_pack(policy, making.words);
		making.anyway = refusal == 0 && (policy->flags & PROMCB_POLICY_ANYWAY);
	}
	if (!policy || refusal < 0)
		promcb_policy_default(making.words);
	promcb_family_make_breakers(&image);
	result = promcb_family_declare(p, &image, making.message, &making.family);
	making.memory = malloc(sizeof(making.words));
	if (result == 0)
		result = making.memory ? make_patiently(&making) : -ENOMEM;
	free(making.memory);
	if (making.found)
		*out = making.found;
	if (result == -EBUSY)
		promcb_message_error(making.message, result,
				     "another process is changing a policy, resetting or removing");
	else if (result < 0 && result != -EEXIST)
		promcb_message_error(making.message, result, "no room for a breaker: %s", promcb_strerror(result));
	return refusal < 0 ? refusal : result;
}

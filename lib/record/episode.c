/* SPDX-License-Identifier: MIT */
#include "record/episode.h"

#include "base/clock.h"
#include "base/hash.h"

enum { ROUNDS_MAX = 16, LEVEL_MAX = 30, REAP_MS = 4 };

#define MILLISECOND_NS ((uint64_t)1000000)
/* The longest that a breaker can be tripped for. */
#define TRIPPED_MAX_MS ((uint64_t)3600000)

uint64_t (*promcb_guard_clock)(void) = promcb_clock_monotonic_coarse_ns;

static uint64_t now_ms(const struct promcb_guard *guard)
{
	return guard->now_ns / MILLISECOND_NS;
}

/*
 * Whether a deadline is later than any that can be: of another boot, or anybody's. By a clock that is looked at after
 * it: who settled it may have had a later one than this call.
 */
static bool is_too_late(const struct promcb_guard *guard, uint64_t ends_ms, uint64_t longest_ms)
{
	return ends_ms > now_ms(guard) + longest_ms && ends_ms > promcb_guard_clock() / MILLISECOND_NS + longest_ms;
}

bool promcb_episode_change(const struct promcb_guard *guard, uint64_t before, unsigned state)
{
	uint64_t after = promcb_state_changed(before, state);

	/* [STATE] the change before its time. [BREAK] and before the words with its tag. */
	if (!promcb_cas_acq_rel(&guard->descriptor->state, before, after))
		return false;
	PROMCB_INJECT("breaker: changed");
	/* [STATE] release: after the change. */
	promcb_store_release(&guard->descriptor->state_time,
			     promcb_state_time(after, promcb_clock_realtime_coarse_ns()));
	return true;
}

/* -- Open ---------------------------------------------------------------------------------------------------------- */

/* How long it stays open: twice as long each level, off by a share that differs by segment, component and change. */
static uint64_t period_ms(const struct promcb_guard *guard, uint64_t state, unsigned level)
{
	const struct promcb_terms *terms = &guard->terms;
	const uint64_t what[2] = {guard->descriptor->hash, state};
	uint64_t period = (uint64_t)terms->open_ms << (level < LEVEL_MAX ? level : LEVEL_MAX), spread;

	period = period < terms->open_max_ms ? period : terms->open_max_ms;
	spread = period * terms->jitter_percent / 100;
	return period - spread + promcb_hash(guard->segment->identity, what, sizeof(what)) % (2 * spread + 1);
}

/* The longest that the present episode can last; a later deadline is of another boot, or anybody's. */
static uint64_t longest_ms(const struct promcb_guard *guard, bool tripped)
{
	uint64_t longest = (uint64_t)guard->terms.open_max_ms * 3 / 2 + 1;

	return tripped && longest < TRIPPED_MAX_MS ? TRIPPED_MAX_MS : longest;
}

/*
 * The level of the episode that begins. The word before is of the last one that was open: two changes ago if the probes
 * failed, three if they closed it; then the level stays unless it was closed for twice as long as it had been open. Two
 * as well if somebody else closed it, which since says: then it begins anew.
 */
static unsigned next_level(const struct promcb_guard *guard, uint64_t state, uint64_t before)
{
	uint64_t changes = (promcb_state_tag(state) - promcb_word_tag(before)) & 0xffff;
	unsigned level = promcb_until_level(before);
	uint64_t since = now_ms(guard) - promcb_until_ms(before);

	if (before == 0 || changes > 3)
		return 0;
	/* [BREAK] acquire: after the state. */
	if (changes == 2 &&
	    promcb_word_tag(promcb_load_acquire(&guard->descriptor->since)) == ((promcb_state_tag(state) - 1) & 0xffff))
		return 0;
	if (changes == 2)
		return level < LEVEL_MAX ? level + 1 : LEVEL_MAX;
	return since < 2 * period_ms(guard, state, level) ? level : 0;
}

uint64_t promcb_episode_until(const struct promcb_guard *guard, uint64_t state)
{
	uint64_t *word = &guard->descriptor->until, tag = promcb_state_tag(state);

	for (int round = 0; round < ROUNDS_MAX; round++) {
		/* [BREAK] acquire: after the state. */
		uint64_t until = promcb_load_acquire(word), ms = now_ms(guard);
		unsigned level;

		if (promcb_word_tag(until) == tag && until &&
		    !is_too_late(guard, promcb_until_ms(until), longest_ms(guard, promcb_until_is_tripped(until))))
			return promcb_until_ms(until);
		/* [BREAK] acquire, above: if the word is of a later episode, the state is by now. Then it stays. */
		if (promcb_state_tag(promcb_load_relaxed(&guard->descriptor->state)) != tag)
			return 0;
		level = next_level(guard, state, until);
		/* [BREAK] only over what was there: whoever was stopped before this does not overwrite a later one. */
		if (promcb_cas_acq_rel(word, until,
				       promcb_until_word(tag, level, false, ms + period_ms(guard, state, level))))
			PROMCB_INJECT("breaker: until");
	}
	return 0;
}

void promcb_episode_extend(const struct promcb_guard *guard, uint64_t state, uint64_t ms)
{
	uint64_t tag = promcb_state_tag(state);

	ms = ms < now_ms(guard) + TRIPPED_MAX_MS ? ms : now_ms(guard) + TRIPPED_MAX_MS;
	for (int round = 0; round < ROUNDS_MAX; round++) {
		/* [BREAK] acquire: after the state. */
		uint64_t until;

		promcb_episode_until(guard, state);
		until = promcb_load_acquire(&guard->descriptor->until); /* [BREAK] */
		if (promcb_word_tag(until) != tag || promcb_until_ms(until) >= ms ||
		    /* [BREAK] as above. */
		    promcb_cas_acq_rel(&guard->descriptor->until, until,
				       promcb_until_word(tag, promcb_until_level(until), true, ms)))
			return;
	}
}

bool promcb_episode_open(const struct promcb_guard *guard, uint64_t before, unsigned reason)
{
	uint64_t after = promcb_state_changed(before, PROMCB_OPEN), opened;

	/* [BREAK] acquire: what is there before the change, so that nobody's of a later one is taken for it. */
	opened = promcb_load_acquire(&guard->descriptor->opened);
	if (!promcb_episode_change(guard, before, PROMCB_OPEN))
		return false;
	/* [BREAK] release: after the change. */
	promcb_cas_acq_rel(&guard->descriptor->opened, opened, promcb_tagged_word(promcb_state_tag(after), reason));
	promcb_episode_until(guard, after);
	return true;
}

/* -- Closed -------------------------------------------------------------------------------------------------------- */

bool promcb_episode_close(const struct promcb_guard *guard, uint64_t before)
{
	uint64_t after = promcb_state_changed(before, PROMCB_CLOSED), since;

	/* [BREAK] acquire: as above. */
	since = promcb_load_acquire(&guard->descriptor->since);
	if (!promcb_episode_change(guard, before, PROMCB_CLOSED))
		return false;
	PROMCB_INJECT("breaker: closed");
	/* [BREAK] release: after the change. What ended in the present slot ended before. */
	promcb_cas_acq_rel(&guard->descriptor->since, since,
			   promcb_since_word(promcb_state_tag(after), guard->now_ns / guard->terms.slot_ns + 1,
					     guard->terms.slot_ns));
	return true;
}

uint64_t promcb_streak_add(const struct promcb_guard *guard, uint64_t state)
{
	uint64_t tag = promcb_state_tag(state), before = promcb_load_relaxed(&guard->descriptor->streak), count;

	do
		count = promcb_word_tag(before) == tag ? promcb_tagged_value(before) + 1 : 1;
	while (!promcb_cas_relaxed(&guard->descriptor->streak, &before, promcb_tagged_word(tag, count)));
	return count;
}

/* -- Half-open ----------------------------------------------------------------------------------------------------- */

bool promcb_episode_is_decided(const struct promcb_guard *guard, uint64_t state)
{
	/* [BREAK] acquire: after the state. */
	uint64_t result = promcb_load_acquire(&guard->descriptor->result);

	if (promcb_word_tag(result) != promcb_state_tag(state))
		return false;
	if (promcb_result_bad(result) >= guard->terms.failures)
		promcb_episode_open(guard, state, PROMCB_REASON_PROBE);
	else if (promcb_result_good(result) >= guard->terms.successes)
		promcb_episode_close(guard, state);
	else
		return false;
	return true;
}

void promcb_episode_count(const struct promcb_guard *guard, uint64_t state, bool good)
{
	uint64_t tag = promcb_state_tag(state), before, after;

	do {
		/* [BREAK] acquire: after the state; of a later episode, it stays. */
		before = promcb_load_acquire(&guard->descriptor->result);
		if (promcb_load_relaxed(&guard->descriptor->state) != state)
			return;
		after = promcb_word_tag(before) == tag ? promcb_result_word(tag, promcb_result_bad(before) + !good,
									    promcb_result_good(before) + good)
						       : promcb_result_word(tag, !good, good);
		/* [BREAK] only over what was there. */
	} while (!promcb_cas_acq_rel(&guard->descriptor->result, before, after));
	PROMCB_INJECT("breaker: probe counted");
	promcb_episode_is_decided(guard, state);
}

/* Whether the lane has changed hands since. */
static bool is_orphan(const struct promcb_guard *guard, uint64_t permit)
{
	uint32_t lane = promcb_permit_lane(permit);

	if (lane == 0 || lane > guard->segment->geometry.lanes)
		return false;
	return (promcb_load_relaxed(&promcb_segment_lane(guard->segment, lane - 1)->taken) & 0xff) !=
	       promcb_permit_taken(permit);
}

static bool is_over(const struct promcb_guard *guard, uint64_t permit)
{
	uint64_t ends = promcb_permit_ms(permit);

	return ends <= now_ms(guard) || is_too_late(guard, ends, (uint64_t)guard->terms.lease_ms + 1) ||
	       is_orphan(guard, permit);
}

/* Whether it is this call's turn to ask whose permits they are: one of all processes. next_look is idle meanwhile. */
static bool may_reap(const struct promcb_guard *guard)
{
	uint64_t next_ns = promcb_load_relaxed(&guard->descriptor->next_look);

	return guard->lane && (guard->now_ns >= next_ns || next_ns - guard->now_ns > REAP_MS * MILLISECOND_NS);
}

/* With the mutex held. Returns whether there was one. */
static bool end_leases_of_nobody(const struct promcb_guard *guard)
{
	bool ended = false;

	for (uint32_t i = 0; i < guard->terms.probes; i++) {
		/* [PERMIT] acquire: whose it is, before whether that lane is locked. */
		uint64_t permit = promcb_load_acquire(&guard->descriptor->permits[i]);
		uint32_t lane = promcb_permit_lane(permit);

		if (lane == 0 || lane > guard->segment->geometry.lanes || is_over(guard, permit) ||
		    !promcb_lock_is_free(guard->segment, lane - 1))
			continue;
		/* [PERMIT] that one alone: a lease of whoever has taken the lane since is another word. */
		if (promcb_cas_acq_rel(&guard->descriptor->permits[i], permit, promcb_permit_ended(permit))) {
			PROMCB_INJECT("breaker: lease ended");
			ended = true;
		}
	}
	return ended;
}

bool promcb_permits_reap(const struct promcb_guard *guard)
{
	const struct promcb_attachment *attachment = promcb_attachment_of(guard->segment);
	struct promcb_saved_state way;
	uint64_t next_ns;
	bool ended = false;

	/* Who is in the middle of something waits for its end like the others. */
	if (!may_reap(guard) || !promcb_process_try_enter(&way))
		return false;
	next_ns = promcb_load_relaxed(&guard->descriptor->next_look);
	/* Whoever cannot tell leaves the turn to those who can. */
	if (may_reap(guard) && promcb_attachment_is_attached(attachment) && !attachment->closing &&
	    promcb_locks_ready(guard->segment) == 0 &&
	    promcb_cas_relaxed(&guard->descriptor->next_look, &next_ns, guard->now_ns + REAP_MS * MILLISECOND_NS))
		ended = end_leases_of_nobody(guard);
	promcb_process_leave(&way);
	return ended;
}

uint32_t promcb_permit_take(const struct promcb_guard *guard, uint64_t state, uint64_t *word, bool *lost)
{
	uint64_t taken = 0;

	if (guard->lane)
		taken = promcb_load_relaxed(&promcb_segment_lane(guard->segment, guard->lane - 1)->taken);
	/* One more than the lease, since the present millisecond is not a whole one. */
	*word = promcb_permit_word(promcb_state_tag(state), taken, guard->lane,
				   now_ms(guard) + guard->terms.lease_ms + 1);
	for (uint32_t i = 0; i < guard->terms.probes; i++) {
		/* [PERMIT] acquire: what its former holder did. */
		uint64_t before = promcb_load_acquire(&guard->descriptor->permits[i]);

		/* One of the same word would be taken for ours. */
		if (before == *word || (before && !is_over(guard, before)))
			continue;
		/* [PERMIT] one of all that try. */
		if (!promcb_cas_acq_rel(&guard->descriptor->permits[i], before, *word))
			continue;
		PROMCB_INJECT("breaker: permit taken");
		*lost = before != 0;
		return i + 1;
	}
	return 0;
}

bool promcb_permit_give(const struct promcb_guard *guard, uint32_t permit, uint64_t word)
{
	/* [PERMIT] release: to whoever takes it next. */
	if (permit == 0 || permit > PROMCB_PERMITS ||
	    !promcb_cas_acq_rel(&guard->descriptor->permits[permit - 1], word, 0))
		return false;
	PROMCB_INJECT("breaker: permit given");
	return true;
}

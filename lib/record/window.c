/* SPDX-License-Identifier: MIT */
#include "record/window.h"

enum { ROUNDS_MAX = 8 };

#define MILLISECOND_NS ((uint64_t)1000000)

/* Which cells history has, in its order. */
static const uint8_t counted[PROMCB_BREAKER_SLOT_CELLS] = {PROMCB_BREAKER_ENDED, PROMCB_BREAKER_FAILED,
							   PROMCB_BREAKER_SLOW, PROMCB_BREAKER_IGNORED};

static uint32_t history_of(uint64_t slot)
{
	return PROMCB_BREAKER_HISTORY + (uint32_t)(slot % PROMCB_BREAKER_SLOTS) * PROMCB_BREAKER_SLOT_CELLS;
}

/* Whether the row notes slots of the present length: it has noted the one that its last call ended in. */
static bool is_of_length(const uint64_t *words, uint64_t end_ns, uint64_t slot_ns)
{
	uint64_t slot = end_ns / slot_ns - 1;

	/* [LATE] acquire: after slot_end. */
	return end_ns && end_ns % slot_ns == 0 &&
	       promcb_history_is_of(promcb_load_acquire(&words[history_of(slot)]), slot);
}

/* Lets nothing count that ended before the slot. */
static void begin_later(const struct promcb_guard *guard, uint64_t slot)
{
	uint64_t slot_ns = guard->terms.slot_ns;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		/* [BREAK] acquire: the state before the words with its tag. */
		uint64_t state = promcb_load_acquire(&guard->descriptor->state), tag = promcb_state_tag(state);
		/* [BREAK] acquire: after the state. */
		uint64_t since = promcb_load_acquire(&guard->descriptor->since);

		if (promcb_state_of(state) != PROMCB_CLOSED ||
		    (promcb_word_tag(since) == tag &&
		     promcb_window_from(since, guard->now_ns / slot_ns, slot_ns) >= slot))
			return;
		/* [BREAK] of a later episode, it stays. */
		if (promcb_load_relaxed(&guard->descriptor->state) != state)
			continue;
		/* [LATE] release: before slot_end. */
		if (promcb_cas_acq_rel(&guard->descriptor->since, since, promcb_since_word(tag, slot, slot_ns))) {
			PROMCB_INJECT("breaker: begins later");
			return;
		}
	}
}

void promcb_window_rotate(const struct promcb_guard *guard, uint64_t ended_ns)
{
	uint64_t *words = guard->row.words, slot_ns = guard->terms.slot_ns, now_ns = guard->now_ns, slot, end_ns;
	bool same;

	/* The caller's stamp counts as long as it is about now. */
	if (ended_ns + slot_ns > now_ns && ended_ns < now_ns + slot_ns)
		now_ns = ended_ns;
	slot = now_ns / slot_ns;
	end_ns = promcb_load_acquire(&words[PROMCB_BREAKER_SLOT_END]); /* [LATE] of a row that is shared */
	same = is_of_length(words, end_ns, slot_ns);
	/* It is in that slot, or in a later one already. */
	if (same && now_ns < end_ns && end_ns - now_ns <= 2 * slot_ns)
		return;
	/* What it counted of the window until now stands in slots of another length, which nobody can look at. */
	if (!same && end_ns / slot_ns + PROMCB_BREAKER_WINDOW_SLOTS >= slot && end_ns)
		begin_later(guard, slot + 1);
	for (uint32_t i = 0; i < PROMCB_BREAKER_SLOT_CELLS; i++) {
		uint64_t *word = &words[history_of(slot) + i];

		if (!promcb_history_is_of(promcb_load_relaxed(word), slot))
			/* [LATE] release: what was counted before, before what the slot began with. */
			promcb_store_release(word, promcb_history_word(slot, promcb_load_relaxed(&words[counted[i]])));
	}
	PROMCB_INJECT("breaker: rotated");
	promcb_store_relaxed(&words[PROMCB_BREAKER_SLOW_NS], guard->terms.slow_ns);
	/* [LATE] release: after all that, and after since. */
	promcb_store_release(&words[PROMCB_BREAKER_SLOT_END], (slot + 1) * slot_ns);
}

/* What the row had when the slot began for it. Returns false if it does not say. */
static bool read_slot(const uint64_t *words, uint64_t slot, uint64_t begun[PROMCB_BREAKER_SLOT_CELLS])
{
	for (uint32_t i = 0; i < PROMCB_BREAKER_SLOT_CELLS; i++) {
		/* [LATE] acquire: that, before what it has now, which is no less. */
		uint64_t word = promcb_load_acquire(&words[history_of(slot) + i]);

		if (!promcb_history_is_of(word, slot))
			return false;
		begun[i] = promcb_history_count(word);
	}
	return true;
}

/*
 * Adds what a row counted since the slot began: what it has now, less what it had at the first call that ended in the
 * slot or after it. Between two slots in which calls ended, nothing did.
 */
static void add_row(const struct promcb_guard *guard, const uint64_t *words, uint64_t since_slot,
		    struct promcb_window_sums *sums)
{
	/* [LATE] acquire: before the history, and before since is looked at again. */
	uint64_t end_ns = promcb_load_acquire(&words[PROMCB_BREAKER_SLOT_END]), slot_ns = guard->terms.slot_ns;
	uint64_t of_slot[PROMCB_BREAKER_SLOT_CELLS] = {0}, begun[PROMCB_BREAKER_SLOT_CELLS], slot, last;

	/* What is far ahead is anybody's. */
	if (end_ns / slot_ns <= since_slot || end_ns > guard->now_ns + slot_ns + PROMCB_SLOT_NS_MAX)
		return;
	last = end_ns / slot_ns - 1;
	if (!is_of_length(words, end_ns, slot_ns)) {
		sums->mixed_until_ns = end_ns > sums->mixed_until_ns ? end_ns : sums->mixed_until_ns;
		return;
	}
	if (last > since_slot + PROMCB_BREAKER_SLOTS)
		return;
	for (slot = since_slot; slot <= last && !read_slot(words, slot, begun);)
		slot++;
	if (slot > last)
		return;
	/* [LATE] acquire: what failed or was slow, before what ended. */
	for (uint32_t i = PROMCB_BREAKER_SLOT_CELLS; i-- > 0;)
		of_slot[i] = (promcb_load_acquire(&words[counted[i]]) - begun[i]) & PROMCB_HISTORY_MASK;
	sums->calls += of_slot[0] - (of_slot[3] < of_slot[0] ? of_slot[3] : of_slot[0]);
	sums->failed += of_slot[1];
	sums->slow += of_slot[2];
}

void promcb_window_sum(const struct promcb_guard *guard, uint64_t since_slot, struct promcb_window_sums *sums)
{
	struct promcb_segment *segment = guard->segment;
	/* The row's head says which cells are its own. */
	uint32_t cell = promcb_piece_number(promcb_load_relaxed(guard->row.words - 1)) * PROMCB_ROW_WORDS + 1;
	const uint64_t *row = promcb_row_shared(segment, cell, PROMCB_BREAKER_CELLS);

	*sums = (struct promcb_window_sums){.calls = 0};
	if (row)
		add_row(guard, row, since_slot, sums);
	for (uint32_t lane = 0; lane < segment->geometry.lanes; lane++) {
		/* [LANE] acquire: used before the rest. */
		if (!promcb_load_acquire(&promcb_segment_lane(segment, lane)->used))
			continue;
		row = promcb_row_of_lane(segment, lane, cell, PROMCB_BREAKER_CELLS);
		if (row)
			add_row(guard, row, since_slot, sums);
	}
}

/* Whether it is this call's turn to look. */
static bool is_turn(const struct promcb_guard *guard)
{
	uint64_t interval_ns = (uint64_t)guard->terms.window_ms * MILLISECOND_NS / 100;
	uint64_t next_ns = promcb_load_relaxed(&guard->descriptor->next_look);

	interval_ns = interval_ns < 10 * MILLISECOND_NS ? interval_ns : 10 * MILLISECOND_NS;
	/* What is far ahead is of another boot, or anybody's. */
	if (guard->now_ns < next_ns && next_ns - guard->now_ns <= interval_ns)
		return false;
	return promcb_cas_relaxed(&guard->descriptor->next_look, &next_ns, guard->now_ns + interval_ns);
}

void promcb_window_look(const struct promcb_guard *guard, uint64_t state)
{
	const struct promcb_terms *terms = &guard->terms;
	uint64_t slot = guard->now_ns / terms->slot_ns, since, tag = promcb_state_tag(state);
	struct promcb_window_sums sums;

	if ((terms->failure_permille == 0 && terms->slow_permille == 0) || !is_turn(guard))
		return;
	PROMCB_INJECT("breaker: turn");
	/* [BREAK] acquire: after the state. */
	since = promcb_load_acquire(&guard->descriptor->since);
	if (promcb_word_tag(since) != tag) {
		/* [BREAK] whoever closed it died, or is about to say so. Of a later episode, it stays. */
		if (promcb_state_tag(promcb_load_relaxed(&guard->descriptor->state)) == tag)
			promcb_cas_acq_rel(&guard->descriptor->since, since,
					   promcb_since_word(tag, slot + 1, terms->slot_ns));
		return;
	}
	promcb_window_sum(guard, promcb_window_from(since, slot, terms->slot_ns), &sums);
	/* Whoever was stopped since it looked at the clock has passed over what others counted meanwhile: add_row(). */
	if (promcb_guard_clock() / terms->slot_ns > slot + 1)
		return;
	if (sums.mixed_until_ns) {
		begin_later(guard, (sums.mixed_until_ns + terms->slot_ns - 1) / terms->slot_ns);
		return;
	}
	/* [LATE] acquire: a row that was of another length when since was loaded has moved it. */
	if (sums.calls < terms->min_calls || promcb_load_acquire(&guard->descriptor->since) != since)
		return;
	if (terms->failure_permille && sums.failed * 1000 >= sums.calls * terms->failure_permille)
		promcb_episode_open(guard, state, PROMCB_REASON_FAILURE_RATE);
	else if (terms->slow_permille && sums.slow * 1000 >= sums.calls * terms->slow_permille)
		promcb_episode_open(guard, state, PROMCB_REASON_SLOW_RATE);
}

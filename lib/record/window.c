/* SPDX-License-Identifier: MIT */
#include "record/window.h"

#define MILLISECOND_NS ((uint64_t)1000000)

/* Which cells history has, in its order. */
static const uint8_t counted[PROMCB_BREAKER_SLOT_CELLS] = {PROMCB_BREAKER_ENDED, PROMCB_BREAKER_FAILED,
							   PROMCB_BREAKER_SLOW, PROMCB_BREAKER_IGNORED};

static uint32_t history_of(uint64_t slot)
{
	return PROMCB_BREAKER_HISTORY + (uint32_t)(slot % PROMCB_BREAKER_SLOTS) * PROMCB_BREAKER_SLOT_CELLS;
}

void promcb_window_rotate(const struct promcb_guard *guard, uint64_t ended_ns)
{
	uint64_t *words = guard->row.words, slot_ns = guard->terms.slot_ns, now_ns = guard->now_ns, slot, end;

	/* The caller's stamp counts as long as it is about now. */
	if (ended_ns + slot_ns > now_ns && ended_ns < now_ns + slot_ns)
		now_ns = ended_ns;
	slot = now_ns / slot_ns;
	end = promcb_load_relaxed(&words[PROMCB_BREAKER_SLOT_END]);
	/* Somebody else did, of a row that is shared. */
	if (now_ns < end && end - now_ns <= slot_ns)
		return;
	for (uint32_t i = 0; i < PROMCB_BREAKER_SLOT_CELLS; i++) {
		uint64_t *word = &words[history_of(slot) + i];

		if (!promcb_history_is_of(promcb_load_relaxed(word), slot))
			/* [LATE] release: what was counted before, before what the slot began with. */
			promcb_store_release(word, promcb_history_word(slot, promcb_load_relaxed(&words[counted[i]])));
	}
	PROMCB_INJECT("breaker: rotated");
	promcb_store_relaxed(&words[PROMCB_BREAKER_SLOW_NS], guard->terms.slow_ns);
	promcb_store_relaxed(&words[PROMCB_BREAKER_SLOT_END], (slot + 1) * slot_ns);
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
	uint64_t last = promcb_load_relaxed(&words[PROMCB_BREAKER_SLOT_END]) / guard->terms.slot_ns;
	uint64_t of_slot[PROMCB_BREAKER_SLOT_CELLS] = {0}, begun[PROMCB_BREAKER_SLOT_CELLS], slot;

	if (last <= since_slot)
		return;
	last--;
	/* Of another numbering of slots, or anybody's. */
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
	uint64_t slot = guard->now_ns / terms->slot_ns, since, tag = promcb_state_tag(state), from;
	struct promcb_window_sums sums;

	if ((terms->failure_permille == 0 && terms->slow_permille == 0) || !is_turn(guard))
		return;
	PROMCB_INJECT("breaker: turn");
	/* [BREAK] acquire: after the state. */
	since = promcb_load_acquire(&guard->descriptor->since);
	if (promcb_word_tag(since) != tag) {
		/* [BREAK] whoever closed it died, or is about to say so. Of a later episode, it stays. */
		if (promcb_state_tag(promcb_load_relaxed(&guard->descriptor->state)) == tag)
			promcb_cas_acq_rel(&guard->descriptor->since, since, promcb_tagged_word(tag, slot + 1));
		return;
	}
	from = slot > PROMCB_BREAKER_WINDOW_SLOTS ? slot - PROMCB_BREAKER_WINDOW_SLOTS : 0;
	/* From another boot, it does not count. */
	if (promcb_tagged_value(since) > from && promcb_tagged_value(since) <= slot + 1)
		from = promcb_tagged_value(since);
	promcb_window_sum(guard, from, &sums);
	/* Whoever was stopped since it looked at the clock has passed over what others counted meanwhile: add_row(). */
	if (sums.calls < terms->min_calls || promcb_guard_clock() / terms->slot_ns > slot + 1)
		return;
	if (terms->failure_permille && sums.failed * 1000 >= sums.calls * terms->failure_permille)
		promcb_episode_open(guard, state, PROMCB_REASON_FAILURE_RATE);
	else if (terms->slow_permille && sums.slow * 1000 >= sums.calls * terms->slow_permille)
		promcb_episode_open(guard, state, PROMCB_REASON_SLOW_RATE);
}

/* SPDX-License-Identifier: MIT */
#include "record/guard.h"

enum { ROUNDS_MAX = 8 };

#define MILLISECOND_NS ((uint64_t)1000000)

static void add(const struct promcb_guard *guard, uint32_t cell)
{
	if (guard->row.own)
		promcb_add_owned(guard->row.words + cell, 1);
	else
		promcb_add_relaxed(guard->row.words + cell, 1);
}

bool promcb_guard_begin(struct promcb_guard *guard, struct promcb_descriptor *descriptor, struct promcb_cell row)
{
	const uint8_t *address = (const uint8_t *)descriptor;
	uint32_t copy = promcb_piece_copy(promcb_load_relaxed(row.words - 1));

	*guard = (struct promcb_guard){.descriptor = descriptor, .row = row, .now_ns = promcb_guard_clock()};
	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX && !guard->segment; slot++) {
		struct promcb_segment *segment = &promcb_attachments[slot].segment;

		if (segment->base && address >= segment->base && address < segment->base + segment->mapped_bytes)
			guard->segment = segment;
	}
	if (!guard->segment || (const uint8_t *)row.words < guard->segment->base ||
	    (const uint8_t *)row.words >= guard->segment->base + guard->segment->mapped_bytes)
		return false;
	if (row.own && copy < guard->segment->geometry.lanes)
		guard->lane = copy + 1;
	promcb_policy_read(descriptor, &guard->terms);
	return true;
}

/* -- May it be made? ----------------------------------------------------------------------------------------------- */

unsigned promcb_guard_mode(const struct promcb_guard *guard, uint64_t *state)
{
	unsigned mode = 0;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		uint64_t forced = promcb_load_relaxed(&guard->descriptor->forced), aside;

		mode = forced && forced <= PROMCB_MODES ? (unsigned)forced - 1 : guard->terms.mode;
		aside = mode != PROMCB_MODE_AUTOMATIC ? PROMCB_STATE_ASIDE : 0;
		/* [BREAK] acquire: the state before the words with its tag. */
		*state = promcb_load_acquire(&guard->descriptor->state);
		if ((*state & PROMCB_STATE_ASIDE) == aside)
			break;
		/* [BREAK] so that calls that find it closed come here, or do not. */
		promcb_cas_acq_rel(&guard->descriptor->state, *state, *state ^ PROMCB_STATE_ASIDE);
	}
	return mode;
}

/* The cell that a refusal counts in, or PROMCB_BREAKER_BEGUN: let through. */
static uint32_t judge(const struct promcb_guard *guard, struct promcb_token *token, unsigned *mode)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		uint64_t state;
		uint32_t permit;
		bool lost = false;

		*mode = promcb_guard_mode(guard, &state);
		token->state = state;
		if (*mode == PROMCB_MODE_OPEN)
			return PROMCB_BREAKER_REFUSED_FORCED;
		if (*mode == PROMCB_MODE_CLOSED || promcb_state_of(state) == PROMCB_CLOSED)
			return PROMCB_BREAKER_BEGUN;
		if (promcb_state_of(state) == PROMCB_OPEN) {
			if (guard->now_ns / MILLISECOND_NS < promcb_episode_until(guard, state))
				return PROMCB_BREAKER_REFUSED_OPEN;
			promcb_episode_change(guard, state, PROMCB_HALF_OPEN);
			continue;
		}
		/* Somebody may have died between the probe that decided and the change. */
		if (promcb_episode_is_decided(guard, state))
			continue;
		permit = promcb_permit_take(guard, state, &token->permit, &lost);
		if (!permit && promcb_permits_reap(guard))
			continue;
		if (!permit)
			return PROMCB_BREAKER_REFUSED_HALF_OPEN;
		if (lost)
			add(guard, PROMCB_BREAKER_LOST);
		token->row |= (uint64_t)permit << PROMCB_TOKEN_PERMIT_SHIFT;
		return PROMCB_BREAKER_BEGUN;
	}
	return PROMCB_BREAKER_REFUSED_HALF_OPEN;
}

bool promcb_guard_ask(const struct promcb_guard *guard, struct promcb_token *token)
{
	unsigned mode;
	uint32_t cell = judge(guard, token, &mode);

	if (cell != PROMCB_BREAKER_BEGUN && mode == PROMCB_MODE_SHADOW) {
		add(guard, PROMCB_BREAKER_SHADOW);
		cell = PROMCB_BREAKER_BEGUN;
	}
	add(guard, cell);
	return cell == PROMCB_BREAKER_BEGUN;
}

/* -- How did it end? ----------------------------------------------------------------------------------------------- */

/*
 * Whether the address is that of a row of the same breaker. A call may have begun in a segment that was left since, and
 * another may have come to lie where that was: then anything may stand there.
 */
static bool is_row_of_same(const struct promcb_guard *guard, const uint64_t *words)
{
	struct promcb_segment *segment = guard->segment;
	uintptr_t begin = (uintptr_t)segment->base + segment->geometry.chunks_off;
	uint64_t line = ((uintptr_t)words - begin) / PROMCB_LINE_BYTES;

	if ((uintptr_t)words < begin || line >= PROMCB_PLACE_MASK ||
	    !promcb_segment_piece(segment, (uint32_t)line + 1, PROMCB_PIECE_ROW, PROMCB_ROW_LINES))
		return false;
	return promcb_piece_number(promcb_load_relaxed(words - 1)) ==
	       promcb_piece_number(promcb_load_relaxed(guard->row.words - 1));
}

bool promcb_guard_adopt(const struct promcb_guard *guard, uint64_t *began)
{
	struct promcb_segment *segment = guard->segment;
	uint32_t copy;

	/* Of a segment that was left nobody counts on anything. */
	if (is_row_of_same(guard, began)) {
		copy = promcb_piece_copy(promcb_load_relaxed(began - 1));
		if (copy < segment->geometry.lanes &&
		    promcb_load_relaxed(&promcb_segment_lane(segment, copy)->owner_cookie) != promcb_process->cookie)
			return false;
		promcb_add_relaxed(began + PROMCB_BREAKER_ELSEWHERE, 1);
	}
	PROMCB_INJECT("breaker: elsewhere");
	add(guard, PROMCB_BREAKER_FOREIGN);
	return true;
}

static void end_probe(const struct promcb_guard *guard, const struct promcb_token *token, uint32_t permit, bool good,
		      bool ignored)
{
	uint64_t state;

	if (!promcb_permit_give(guard, permit, token->permit)) {
		add(guard, PROMCB_BREAKER_LATE);
		return;
	}
	/* [BREAK] acquire: the state before the words with its tag. */
	state = promcb_load_acquire(&guard->descriptor->state);
	if (ignored)
		return;
	if (promcb_state_tag(state) != promcb_state_tag(token->state)) {
		add(guard, PROMCB_BREAKER_LATE);
		return;
	}
	add(guard, good ? PROMCB_BREAKER_GOOD : PROMCB_BREAKER_BAD);
	promcb_episode_count(guard, state, good);
}

/* A call that was let through while closed. */
static void end_call(const struct promcb_guard *guard, const struct promcb_token *token, bool failed, bool slow,
		     bool ignored)
{
	uint64_t state;

	promcb_guard_mode(guard, &state);
	if (!failed && !ignored && promcb_load_relaxed(&guard->descriptor->streak) &&
	    promcb_state_of(state) == PROMCB_CLOSED)
		promcb_store_relaxed(&guard->descriptor->streak, 0);
	if (!failed && !slow)
		return;
	/* What began in another episode is no evidence in this one. */
	if (promcb_state_tag(state) != promcb_state_tag(token->state)) {
		add(guard, PROMCB_BREAKER_LATE);
		return;
	}
	if (promcb_state_of(state) != PROMCB_CLOSED)
		return;
	if (failed && guard->terms.consecutive && promcb_streak_add(guard, state) >= guard->terms.consecutive)
		promcb_episode_open(guard, state, PROMCB_REASON_CONSECUTIVE);
	else
		promcb_window_look(guard, state);
}

void promcb_guard_end(const struct promcb_guard *guard, const struct promcb_token *token, uint64_t latency_ns,
		      enum promcb_call_outcome outcome, uint64_t now_ns)
{
	uint64_t permit = token->row & PROMCB_TOKEN_ASIDE ? token->row & PROMCB_TOKEN_PERMIT_MASK : 0;
	bool failed = outcome != PROMCB_SUCCESS && outcome != PROMCB_IGNORED;
	bool slow = outcome != PROMCB_IGNORED && latency_ns > guard->terms.slow_ns;
	uint32_t class = (uint32_t)outcome - PROMCB_FAILURE;

	promcb_window_rotate(guard, now_ns);
	add(guard, PROMCB_BREAKER_ENDED);
	PROMCB_INJECT("breaker: ended");
	/* [LATE] release: that it ended, before how. */
	promcb_store_fence();
	if (outcome == PROMCB_IGNORED)
		add(guard, PROMCB_BREAKER_IGNORED);
	if (failed) {
		add(guard, PROMCB_BREAKER_FAILED);
		/* [LATE] release: that it failed, before of which class. */
		promcb_store_fence();
		add(guard, PROMCB_BREAKER_CLASSES_FROM + (class < PROMCB_BREAKER_CLASSES ? class : 0));
	}
	if (slow)
		add(guard, PROMCB_BREAKER_SLOW);
	PROMCB_INJECT("breaker: counted");
	if (permit)
		end_probe(guard, token, (uint32_t)(permit >> PROMCB_TOKEN_PERMIT_SHIFT), !failed && !slow,
			  outcome == PROMCB_IGNORED);
	else
		end_call(guard, token, failed, slow, outcome == PROMCB_IGNORED);
}

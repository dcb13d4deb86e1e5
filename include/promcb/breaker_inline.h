/* SPDX-License-Identifier: MIT */
/*
 * breaker_inline.h: asking a breaker and ending a call, for callers that want it compiled into their own code, and for
 * the library itself. What it knows of memory is part of the library's ABI.
 *
 * A breaker's handle is two words of the array of series' handles, and a thread has two entries for it: its row, an
 * address above 0 where the common case applies, and the component's state word. The latter is filled before the former
 * and not taken away, so whoever finds a row finds a state. Neither function writes a word that others write.
 *
 * Compiles as C11 and later, strict or GNU, and as C++11 and later.
 */
#ifndef PROMCB_BREAKER_INLINE_H
#define PROMCB_BREAKER_INLINE_H

#include <promcb/breaker.h>
#include <promcb/metric_inline.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* Words of a row, and of a descriptor from its state on. */
#define PROMCB_ROW_BEGUN 0
#define PROMCB_ROW_ENDED 1
#define PROMCB_ROW_SLOT_END 4
#define PROMCB_ROW_SLOW_NS 5
#define PROMCB_STATE_STREAK 5

/* All that is not the common case: closed, automatic, an own row; a success in the slot of the last call. */
bool promcb_allow_slow(struct promcb_breaker *breaker, struct promcb_token *token);
void promcb_done_slow(struct promcb_breaker *breaker, struct promcb_token *token, uint64_t latency_ns,
		      enum promcb_call_outcome outcome, uint64_t now_ns);

static inline bool promcb_allow_inline(struct promcb_breaker *breaker, struct promcb_token *token)
{
	const uint64_t *entries = (const uint64_t *)((uintptr_t)breaker + promcb_thread.distance);
	int64_t row = (int64_t)promcb_load_relaxed(&entries[0]);

	if (PROMCB_UNLIKELY(row <= 0 || promcb_thread_is_busy()))
		return promcb_allow_slow(breaker, token);
	promcb_signal_fence();
	uint64_t state = promcb_load_relaxed((const uint64_t *)(uintptr_t)promcb_load_relaxed(&entries[1]));

	if (PROMCB_UNLIKELY(state >> 60))
		return promcb_allow_slow(breaker, token);
	promcb_thread_set_busy(1);
	promcb_add_owned((uint64_t *)(uintptr_t)row + PROMCB_ROW_BEGUN, 1);
	promcb_thread_set_busy(0);
	token->row = (uint64_t)row;
	token->state = state;
	return true;
}

static inline void promcb_done_at_inline(struct promcb_breaker *breaker, struct promcb_token *token,
					 uint64_t latency_ns, enum promcb_call_outcome outcome, uint64_t now_ns)
{
	const uint64_t *entries = (const uint64_t *)((uintptr_t)breaker + promcb_thread.distance);
	uint64_t *row = (uint64_t *)(uintptr_t)promcb_load_relaxed(&entries[0]);

	/* A token without a permit has the row, and so is one above 0. */
	if (PROMCB_UNLIKELY(token->row != (uintptr_t)row || outcome != PROMCB_SUCCESS || promcb_thread_is_busy() ||
			    now_ns >= promcb_load_relaxed(&row[PROMCB_ROW_SLOT_END]) ||
			    latency_ns > promcb_load_relaxed(&row[PROMCB_ROW_SLOW_NS]))) {
		promcb_done_slow(breaker, token, latency_ns, outcome, now_ns);
		return;
	}
	promcb_signal_fence();
	const uint64_t *state = (const uint64_t *)(uintptr_t)promcb_load_relaxed(&entries[1]);

	if (PROMCB_UNLIKELY(promcb_load_relaxed(&state[PROMCB_STATE_STREAK]))) {
		promcb_done_slow(breaker, token, latency_ns, outcome, now_ns);
		return;
	}
	promcb_thread_set_busy(1);
	promcb_add_owned(&row[PROMCB_ROW_ENDED], 1);
	promcb_thread_set_busy(0);
	promcb_record_at_inline(
		(struct promcb_component *)(uintptr_t)promcb_load_relaxed((const uint64_t *)(const void *)breaker + 1),
		latency_ns, true, now_ns);
}

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif

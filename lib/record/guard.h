/* SPDX-License-Identifier: MIT */
/*
 * guard.h: what a breaker says to a call, and what it makes of its end: the decisions, of one row and one descriptor.
 * Async-signal-safe, lock-free.
 */
#ifndef PROMCB_GUARD_H
#define PROMCB_GUARD_H

#include "record/window.h"

/*
 * Of a token's row: it is none of the fast path's, bit 0; its permit's number in 1 to 4; of the row's address, which is
 * 8 more than that of a line, bits 6 to 47; bits of the process's cookie in 48 to 63.
 */
#define PROMCB_TOKEN_ASIDE ((uint64_t)1)
#define PROMCB_TOKEN_PERMIT_SHIFT 1
#define PROMCB_TOKEN_PERMIT_MASK ((uint64_t)0xf << PROMCB_TOKEN_PERMIT_SHIFT)
#define PROMCB_TOKEN_ROW_MASK ((((uint64_t)1 << 48) - 1) & ~(uint64_t)(PROMCB_LINE_BYTES - 1))
#define PROMCB_TOKEN_PROCESS_SHIFT 48

/* The row that the call began in. NULL: in none. */
static inline uint64_t *promcb_token_row(const struct promcb_token *token)
{
	uint64_t line = token->row & PROMCB_TOKEN_ROW_MASK;

	return line ? (uint64_t *)(uintptr_t)line + 1 : NULL;
}

/* Takes what a call needs together. Returns false if the row and the segment do not belong together any more. */
bool promcb_guard_begin(struct promcb_guard *guard, struct promcb_descriptor *descriptor, struct promcb_cell row);

/* Whether the call may be made, and counts that. token: begun as one of the slow path. */
bool promcb_guard_ask(const struct promcb_guard *guard, struct promcb_token *token);

/* Counts the call's end. */
void promcb_guard_end(const struct promcb_guard *guard, const struct promcb_token *token, uint64_t latency_ns,
		      enum promcb_call_outcome outcome, uint64_t now_ns);

/*
 * Ends here a call that began in another row, or in none: NULL. Returns false if it is another process's to end, which
 * this is a child of.
 */
bool promcb_guard_adopt(const struct promcb_guard *guard, uint64_t *began);

/* What decides at present, and the state's word, whose bit says whether that is another than the policy. */
unsigned promcb_guard_mode(const struct promcb_guard *guard, uint64_t *state);

#endif

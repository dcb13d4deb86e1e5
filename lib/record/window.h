/* SPDX-License-Identifier: MIT */
/*
 * window.h: what ended in a breaker's window: history kept lane by lane, and added up by whoever fails.
 *
 * Invariants
 *   - Of a row, the history is written by whom the row is of; nothing in it is emptied, not even when the lane changes
 *     hands: it is as monotonic as the counts.
 *   - To look only reads; its one write is the exchange of the state word from what it began with. So it does no harm
 *     if two look at once, or one dies of it.
 *   - Nobody judges by a row whose slots are of another length than the policy's, as they are for up to such a slot
 *     after another policy was put in force. What ended until such a row has changed over counts for nobody: whoever
 *     finds one lets the window begin when its slot ends, and the row itself when it changes over. So all that
 *     counts, of all rows, ended in the same time.
 */
#ifndef PROMCB_WINDOW_H
#define PROMCB_WINDOW_H

#include "record/episode.h"

/* Begins a slot in the guard's row. ended_ns: of the call, its caller's stamp. */
void promcb_window_rotate(const struct promcb_guard *guard, uint64_t ended_ns);

/* What ended since the window began. */
struct promcb_window_sums {
	uint64_t calls;                 /* that say something */
	uint64_t failed, slow;
	uint64_t mixed_until_ns;        /* until when slots of another length go on, in any row; 0: in none */
};

void promcb_window_sum(const struct promcb_guard *guard, uint64_t since_slot, struct promcb_window_sums *sums);

/* Opens the breaker, closed by that word, if it is time: at most one of all that ask so within a hundredth of it. */
void promcb_window_look(const struct promcb_guard *guard, uint64_t state);

#endif

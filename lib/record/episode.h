/* SPDX-License-Identifier: MIT */
/*
 * episode.h: the changes of a breaker's state, and what each leaves to be done: how long it is open, the permits and
 * results of probes. All of it by compare and exchange; async-signal-safe; lock-free.
 *
 * Invariants
 *   - One change is one exchange of the state word. What follows from it is done by whoever comes next, if need be.
 *   - No word of an earlier episode is believed, and none of a later one is overwritten: [BREAK].
 *   - No permit that is leased to a living lane is given to another before its lease ends. [PERMIT] A lane lives as
 *     long as somebody has its lock and its taken is what the permit says: the kernel drops the one, and its next owner
 *     changes the other before it does anything else.
 *   - A result counts in its own episode, once, and only of whoever gave the permit back himself.
 */
#ifndef PROMCB_EPISODE_H
#define PROMCB_EPISODE_H

#include "record/cell.h"
#include "record/policy.h"

/* What a call that takes the slow path has at hand. */
struct promcb_guard {
	struct promcb_descriptor *descriptor;
	struct promcb_segment *segment;
	struct promcb_cell row;
	uint32_t lane;                  /* + 1: whose row that is; 0: nobody's */
	uint64_t now_ns;                /* CLOCK_MONOTONIC, coarse */
	struct promcb_terms terms;
};

/* The clock of all breakers: CLOCK_MONOTONIC, coarse. Tests have one of their own. */
extern uint64_t (*promcb_guard_clock)(void);

/* Changes the state from the very word. Returns false if it is another by now. */
bool promcb_episode_change(const struct promcb_guard *guard, uint64_t before, unsigned state);

/* The same into open, and all that belongs to it. reason: enum promcb_breaker_reason. */
bool promcb_episode_open(const struct promcb_guard *guard, uint64_t before, unsigned reason);

/* The same into closed. */
bool promcb_episode_close(const struct promcb_guard *guard, uint64_t before);

/* Of an open breaker: until when, in milliseconds; settled if nobody has yet. 0: the state is another by now. */
uint64_t promcb_episode_until(const struct promcb_guard *guard, uint64_t state);

/* Lets it stay open until at least then. */
void promcb_episode_extend(const struct promcb_guard *guard, uint64_t state, uint64_t ms);

/* Whether the probes of the episode have decided; if so, changes the state as they say. */
bool promcb_episode_is_decided(const struct promcb_guard *guard, uint64_t state);

/* Takes a permit. Returns its number + 1, the word, and whether somebody lost it; or 0: there is none. */
uint32_t promcb_permit_take(const struct promcb_guard *guard, uint64_t state, uint64_t *word, bool *lost);

/*
 * Where all permits are leased: ends the leases of lanes that nobody has, if it is time to ask and the mutex is free.
 * Returns whether there was one. Waits for nobody.
 */
bool promcb_permits_reap(const struct promcb_guard *guard);

/* Gives it back. Returns false if it is another's by now. */
bool promcb_permit_give(const struct promcb_guard *guard, uint32_t permit, uint64_t word);

/* Counts a probe of the state's episode. */
void promcb_episode_count(const struct promcb_guard *guard, uint64_t state, bool good);

/* One more failure in a row. Returns how many that are. */
uint64_t promcb_streak_add(const struct promcb_guard *guard, uint64_t state);

#endif

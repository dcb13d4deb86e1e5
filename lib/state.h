/* SPDX-License-Identifier: MIT */
/*
 * state.h: the cold words: breaker state, and counts of what could not be recorded. May include: open.h, clock.h.
 *
 * State and transitions are one word, changed by CAS, so a crash leaves no half of a change. Its time is a second
 * word with the low bits of the transition count in it: a reader that finds others there says that the time is
 * unknown.
 */
#ifndef PROMCB_STATE_H
#define PROMCB_STATE_H

#include "open.h"

/* A latency that is none. Async-signal-safe. */
void promcb_count_rejected(struct promcb *p);

#endif

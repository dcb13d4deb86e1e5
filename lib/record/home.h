/* SPDX-License-Identifier: MIT */
/*
 * home.h: a process's home in a segment: a lane of its own, which no thread holds, and whose live copy has the values
 * that the process has set. It is taken at the first, and kept until the process ends or leaves the segment, so threads
 * come and go without a thought of gauges.
 *
 * Called with the process's mutex held, but for promcb_home_glance(). Async-signal-safe.
 *
 * Invariants
 *   - The live copy is written by this process alone, by any thread: plain stores of whole words, or compare and
 *     exchange. It counts while its lock is held: it goes with the process, however that ends.
 *   - A child of fork has no home until it sets a value: a home is known by the cookie of the process that took it.
 *
 * Pair, in one process
 *   [HOME]  home.c empties a home's live copy before it tells guests of it. One could set a value that is emptied.
 */
#ifndef PROMCB_HOME_H
#define PROMCB_HOME_H

#include "record/row.h"

/* The lease of the process's home in an attached segment, taken if there is none. NULL: no lane to be had. */
struct promcb_lane_lease *promcb_home(struct promcb_segment *segment);

/* The lease of the home that the process has or had there, for looking. NULL: it had none. */
struct promcb_lane_lease *promcb_home_former(struct promcb_segment *segment);

/* For a guest: what the process has set there, in the home that it has now. NULL: it has set nothing in that place. */
uint64_t *promcb_home_glance(struct promcb_segment *segment, uint32_t cell, uint32_t width);

/* The segment is left: what the process has set there counts no more. Its lane goes with the attachment. */
void promcb_home_leave(struct promcb_segment *segment);

/* Another segment takes the attachment's place. */
void promcb_home_forget(const struct promcb_segment *segment);

#endif

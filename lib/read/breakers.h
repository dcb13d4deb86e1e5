/* SPDX-License-Identifier: MIT */
/*
 * breakers.h: what the rows and descriptors of circuit breakers say, as families that every format prints: in place of
 * the family that the rows are of, which is promcb's own.
 */
#ifndef PROMCB_READ_BREAKERS_H
#define PROMCB_READ_BREAKERS_H

#include "format/terms.h"
#include "read/records.h"

/* Looks who has the lanes, before any row is read. Returns 0, or -ENOMEM. */
int promcb_breakers_look(struct promcb_records *records, struct promcb_pieces *pieces);

/*
 * Keeps a row of breakers, whose words are not only added, as one copy has it. words: where it is, then what was kept.
 * Returns 0, or -ENOMEM.
 */
int promcb_breakers_keep(struct promcb_records *records, uint32_t number, const uint64_t **words);

/* Replaces them. Returns 0, -EBADMSG with a message, or -ENOMEM. */
int promcb_breakers_read(struct promcb_records *records, struct promcb_metrics *metrics, struct promcb_pieces *pieces);

/* Once all are kept: so that those of a row stand together. */
void promcb_breakers_sort(struct promcb_records *records);

/*
 * What was let through of a breaker and has not ended: in flight, of processes that live; died, with those that do not.
 * The shared copy's have no process that is known. While a lane changes hands, what is in flight may count as died.
 */
struct promcb_flight {
	uint64_t in_flight, died;
};

void promcb_breakers_flight(const struct promcb_records *records, uint32_t row, uint32_t lanes,
			    struct promcb_flight *flight);

/* What calls ended in a breaker's window, as it is now. */
struct promcb_window_counts {
	uint64_t calls, failed, slow;
};

/* descriptor: a copy. slot_ns: of the policy in force. */
void promcb_breakers_window(const struct promcb_records *records, uint32_t row,
			    const struct promcb_descriptor *descriptor, uint64_t slot_ns,
			    struct promcb_window_counts *counts);

/* Why a breaker opened, by enum promcb_breaker_reason. */
extern const char *const promcb_breaker_reasons[PROMCB_REASONS];

/* Whether it is known until when it is open. descriptor: a copy, as in all that follow. */
bool promcb_breaker_has_deadline(const struct promcb_descriptor *descriptor);

/* What decides: enum promcb_mode. */
unsigned promcb_breaker_mode(const struct promcb_descriptor *descriptor, const struct promcb_terms *terms);

/*
 * What the descriptor and the cells say: all but the component, the window, and what is in flight or died.
 * clock_offset_ns: CLOCK_REALTIME - CLOCK_MONOTONIC.
 */
void promcb_breaker_summarize(const struct promcb_descriptor *descriptor, const uint64_t *cells,
			      uint64_t clock_offset_ns, struct promcb_breaker_summary *out);

#endif

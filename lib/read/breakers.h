/* SPDX-License-Identifier: MIT */
/*
 * breakers.h: what the rows and descriptors of circuit breakers say, as families that every format prints: in place of
 * the family that the rows are of, which is promcb's own.
 */
#ifndef PROMCB_READ_BREAKERS_H
#define PROMCB_READ_BREAKERS_H

#include "format/terms.h"
#include "read/records.h"

/*
 * Keeps a row of breakers, whose words are not only added, as one copy has it. words: where it is, then what was kept.
 * Returns 0, or -ENOMEM.
 */
int promcb_breakers_keep(struct promcb_records *records, uint32_t number, const uint64_t **words);

/* Replaces them. Returns 0, -EBADMSG with a message, or -ENOMEM. */
int promcb_breakers_read(struct promcb_records *records, struct promcb_metrics *metrics, struct promcb_pieces *pieces);

/* Once all are kept: so that those of a row stand together. */
void promcb_breakers_sort(struct promcb_records *records);

/* What calls ended in a breaker's window, as it is now. */
struct promcb_window_counts {
	uint64_t calls, failed, slow;
};

/* descriptor: a copy. slot_ns: of the policy in force. */
void promcb_breakers_window(const struct promcb_records *records, uint32_t row,
			    const struct promcb_descriptor *descriptor, uint64_t slot_ns,
			    struct promcb_window_counts *counts);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * series.h: series in the segment. Called with the process's mutex held, but for promcb_series_find().
 * Async-signal-safe.
 *
 * Invariants
 *   - A series that is led to has room in the shared copy: what is counted of it can never be dropped.
 *   - A family has at most as many series as its cap, and beside them that of "_overflow". A place below the cap is
 *     taken before the series is led to, and given back if it never is; of who died in between, by the lane's next
 *     owner, who finds the record behind what is counted. Only between taking the place and saying so in the record, or
 *     back, two instructions, does a death cost a place of the cap, for good. It never gives one.
 *   - A series that was removed is hidden, and has no place. Who looks it up to register it takes one, and has it
 *     listed again; else it is one of too many, as a new one is. Who was led to it before counts in it as ever, and
 *     by that it is listed, beside the cap.
 */
#ifndef PROMCB_SERIES_H
#define PROMCB_SERIES_H

#include "record/table.h"

/* Of all label values of the series that takes what is refused. */
#define PROMCB_OVERFLOW_VALUE "_overflow"

/* All values of a series together, bytes. */
#define PROMCB_SERIES_VALUES_MAX 3800

struct promcb_series_found {
	uint32_t place;         /* 0: none */
	uint32_t cell, width;
	bool is_overflow;
	bool is_hidden;         /* it was removed, and nobody has registered it since */
};

/*
 * values, lengths: count of them, as many as the family's view has value_count; of an enumerated label there is none.
 * A family whose record says another number is none.
 * Finds the series. Returns whether it is there. Without the mutex, too.
 */
bool promcb_series_find(struct promcb_segment *segment, uint32_t family, const char *const *values,
			const size_t *lengths, uint32_t count, struct promcb_series_found *found);

/*
 * Finds or registers; else found is the family's "_overflow", if it has one, and that is counted. lease: of the calling
 * thread; NULL or without a lane: the registrar's is taken for the moment. Returns 0, or -EINVAL (values against the
 * rules, or no such family), -ENOSPC (the cap, or no room), -EBUSY.
 */
int promcb_series_find_or_add(struct promcb_segment *segment, struct promcb_lane_lease *lease, uint32_t family,
			      const char *const *values, const size_t *lengths, uint32_t count,
			      struct promcb_series_found *found);

/* The series that takes what is refused of a family, made if there is none. Returns 0, -ENOSPC or -EBUSY. */
int promcb_series_add_overflow(struct promcb_segment *segment, struct promcb_lane_lease *lease, uint32_t family);

#endif

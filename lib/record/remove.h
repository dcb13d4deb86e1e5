/* SPDX-License-Identifier: MIT */
/*
 * remove.h: series that are removed, by subtraction: what stands in the cells is noted in a baseline, which readers
 * subtract; the record, the cells and all that leads there stay.
 *
 * Called with the mutex held, and a lease of the resetter's lane.
 *
 * Invariants
 *   - Each add is of the life before or of the next one: of each copy, what stood there when it was read is taken away
 *     for good, and what came after stays. An observation is two adds, of which one may be of either.
 *   - A crash at any step leaves the life before or the next one, whole: one word tells which. Between that word and
 *     the count of the family, one instruction, a death costs a place of the cap, for good.
 */
#ifndef PROMCB_REMOVE_H
#define PROMCB_REMOVE_H

#include "record/resetter.h"

/*
 * Removes the series at the place. idle_ns: only if it was noted at least so long ago that its numbers were these, and
 * else they are noted; a level, only if it is 0; never what is set. NULL: whatever it is. Returns 0; -ENOENT: it is
 * none, or was removed and has counted nothing since; -EAGAIN: it is not idle; or another -errno.
 */
int promcb_remove_at(struct promcb_lane_lease *lease, uint32_t place, const uint64_t *idle_ns);

/*
 * Calls visit with the place of each series in the segment's table, letting others have the mutex in between. Ends when
 * that returns less than 0, and returns it.
 */
typedef int promcb_remove_visit(struct promcb_lane_lease *lease, uint32_t place, void *context);

int promcb_remove_each(struct promcb_lane_lease *lease, const struct promcb_saved_state *way,
		       promcb_remove_visit *visit, void *context);

#endif

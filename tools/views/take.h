/* SPDX-License-Identifier: MIT */
/*
 * take.h: from a snapshot to the next column of a history.
 *
 * What came since the look before is the difference of totals, component by component; those that were reset, or
 * recreated with their segment, have all that they counted since, and a mark.
 */
#ifndef PROMCB_VIEW_TAKE_H
#define PROMCB_VIEW_TAKE_H

#include "history.h"

/*
 * Takes the totals of a snapshot, that is no difference, to begin from, without a column. Returns 0, or -errno: -EINVAL
 * (the snapshot has another schema), -ENOMEM.
 */
int promcb_view_take_first(struct promcb_view_history *history, const struct promcb_snapshot *snapshot);

/*
 * Takes what a snapshot has beyond the one that was taken before, as a column that begins at before_ns. took_ns: how
 * long that is by a clock that is never set; 0: not known, so that there are no rates. gap: what was between the two.
 * Returns as promcb_view_take_first().
 */
int promcb_view_take(struct promcb_view_history *history, const struct promcb_snapshot *snapshot, uint64_t before_ns,
		     uint64_t took_ns, enum promcb_view_gap gap);

#endif

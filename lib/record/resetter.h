/* SPDX-License-Identifier: MIT */
/*
 * resetter.h: the resetter's lane, for who forgets by subtraction: components (reset.c) and series (remove.c). Its
 * holder excludes all others, of any process, and its chunks and parts hold what is subtracted.
 *
 * Blocking: for at most a tenth of a second, if another has the lane. Without the mutex, which is held in between.
 */
#ifndef PROMCB_RESETTER_H
#define PROMCB_RESETTER_H

#include "record/open.h"

/*
 * Takes the lane, in the segment that the session has now, and gives memory to all that is read to forget. After 0 the
 * mutex is held, until promcb_resetter_give(). Returns 0, or -EINVAL (there is no segment), -EBUSY, -ENOSPC.
 */
int promcb_resetter_take(struct promcb_session *p, struct promcb_lane_lease *lease, struct promcb_saved_state *way);

/* Gives the lane back, and leaves the mutex. */
void promcb_resetter_give(struct promcb_lane_lease *lease, struct promcb_saved_state *way);

#endif

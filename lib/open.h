/* SPDX-License-Identifier: MIT */
/*
 * open.h: an opened segment as the application knows it, whichever file it presently is.
 *
 * May include: component.h, recorder.h, clock.h.
 *
 * Invariants
 *   - A file is attached once per process, by one owner; opens counts how often.
 *   - An owner is never freed, since handles lead to it. Without a segment, its handles do nothing.
 *   - When the segment is removed or recreated the owner follows: generation goes up, and every handle looks its
 *     component up again. The old mapping goes when the last thread has left its seat there.
 *
 * Pairs, in one process
 *   [DEFAULT] open.c publishes the segment of promcb_default(). A thread could see it half made.
 *   [FOLLOW]  open.c changes the owner's generation before its place, and component.c a handle's number before its
 *             generation; a guest loads them the other way round. It could take a number of the old segment to the new
 *             one, and record another component.
 */
#ifndef PROMCB_OPEN_H
#define PROMCB_OPEN_H

#include "component.h"
#include "recorder.h"

struct promcb {
	struct promcb *next;
	uint32_t opens;
	uint32_t generation;
	struct promcb_segment *segment;         /* NULL: closed */
	uint64_t place;                         /* slot of the segment + 1; 0: closed. Without the mutex. [FOLLOW] */
	uint64_t grow_retry_ns;                 /* CLOCK_MONOTONIC: no ring is grown before. Relaxed */
	struct promcb_component *overflow;      /* the handle of "_overflow" */
	struct promcb_names names;
	struct promcb_options options;          /* for a segment that must be made anew */
	dev_t device;                           /* of the present or last segment */
	ino_t inode;
	uint64_t identity[2];
	bool stuck;                             /* the segment is retired, and there is no other yet */
	uint64_t checked_ns;                    /* CLOCK_MONOTONIC of the last look at the name. Relaxed */
};

/* How long a name is believed to lead where it did. */
#define PROMCB_LOOK_INTERVAL_NS ((uint64_t)1000000000)

/* All that were ever opened. Under the mutex. */
extern struct promcb *promcb_owners;

/* How many handles exist; the first, which does nothing, included. Under the mutex. */
extern uint32_t promcb_handles_used;

/*
 * With the mutex held: looks, at most once a second, whether the name still leads to the owner's segment, and follows
 * it.
 */
void promcb_owner_follow(struct promcb *p);

/*
 * With the mutex held: the recorder's seat in the owner's present segment, with a lane if one can be had. NULL: no
 * recorder, or closed.
 */
struct promcb_seat *promcb_owner_seat(struct promcb *p, struct promcb_recorder *recorder);

/*
 * For a guest, or by whom the owner cannot change: the owner's segment, and the handle's component there, that of
 * "_overflow" if the handle has none yet. NULL: closed.
 */
struct promcb_segment *promcb_owner_glance(const struct promcb *p, const struct promcb_handle *handle,
					   uint32_t *component);

/*
 * With the mutex held: gives up a segment that the owner has left, once all threads with a seat there have moved
 * their entries.
 */
void promcb_owner_park(struct promcb_segment *segment);

/* With the mutex held: unmaps a closing segment that nobody uses or has a seat in. */
void promcb_owner_release(struct promcb_segment *segment);

#endif

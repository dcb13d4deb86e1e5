/* SPDX-License-Identifier: MIT */
/*
 * open.h: an opened segment as the application knows it, whichever file it presently is.
 *
 * Invariants
 *   - A file is attached once per process, by one session; opens counts how often.
 *   - A session is never freed, since handles lead to it. Without a segment, its handles do nothing.
 *   - When the segment is removed or recreated the session follows: generation goes up, and every handle looks its
 *     component up again. All threads' entries are taken away at that moment. The old mapping stays for two seconds,
 *     for threads in the middle of a record; then it goes where no thread has a lease, else it is parked: its leases
 *     are cleared, its lanes and its file given up, and what a frame that a handler interrupted may still load from and
 *     store into is memory of nobody, at the same addresses, until 62 other segments were left. So an idle thread costs
 *     nothing.
 *   - A session whose file has no name left, and who finds no other, is away: it has no segment, calls are counted as
 *     dropped, in the next segment, and the name is looked for each second.
 *
 * Pairs, in one process
 *   [DEFAULT] open.c publishes the segment of promcb_default(). A thread could see it half made.
 *   [FOLLOW]  open.c changes the session's place before component.c a handle's number, and that before the handle's
 *             generation. A guest loads them the other way round, the place once more at the end: if it is the same,
 *             and of the handle's generation, the number is of that segment. It could take a number of the old segment
 *             to the new one, or the other way round, and record another component.
 */
#ifndef PROMCB_OPEN_H
#define PROMCB_OPEN_H

#include "record/detach.h"
#include "record/home.h"
#include "record/recorder.h"

struct promcb_session {
	struct promcb_session *next;
	uint32_t opens;
	uint32_t generation;
	struct promcb_segment *segment;         /* NULL: closed, or away */
	uint64_t place;                         /* where the segment is, as below. Without the mutex. [FOLLOW] */
	struct promcb_segment last;             /* the present or last one, as it was attached */
	uint32_t slot;                          /* of its attachment */
	struct promcb_lost *lost;               /* what found it away, in wiped memory */
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

/* A place: the generation, and below it slot + 1 of the segment. Of sessions without a segment; 0: closed. */
#define PROMCB_PLACE_AWAY UINT64_MAX
#define PROMCB_PLACE_SLOT_BITS 8

/* How long a name is believed to lead where it did. */
#define PROMCB_LOOK_INTERVAL_NS ((uint64_t)1000000000)

/* What those who know more do when a session had to leave a segment, and when it has come to another. */
struct promcb_session_hooks {
	/* generation: by which handles know where they are in the segment. */
	void (*left)(struct promcb_session *p, struct promcb_segment *segment, uint32_t generation);
	void (*arrived)(struct promcb_session *p);
	/* When a session was closed, or, with NULL, in a process that finds itself new. */
	void (*forget)(const struct promcb_session *p);
};

/* With the mutex held. NULL: nobody. */
extern const struct promcb_session_hooks *promcb_session_hooks;

/* All that were ever opened. Under the mutex. */
extern struct promcb_session *promcb_sessions;

/*
 * With the mutex held: looks, at most once a second, whether the name still leads to the session's segment, and follows
 * it.
 */
void promcb_session_follow(struct promcb_session *p);

/*
 * With the mutex held: the recorder's lease in the session's present segment, with a lane if one can be had. NULL: no
 * recorder, or closed.
 */
struct promcb_lane_lease *promcb_session_lease(struct promcb_session *p, struct promcb_recorder *recorder);

/*
 * For a guest, or by whom the session cannot change: the session's segment, and the handle's component there, or
 * PROMCB_NO_COMPONENT if the handle has none yet. NULL: closed, or away.
 */
struct promcb_segment *promcb_session_glance(const struct promcb_session *p, const struct promcb_handle *handle,
					     uint32_t *component);

#define PROMCB_NO_COMPONENT UINT32_MAX

/* Whether the session is away; without the mutex, as the next two. */
bool promcb_session_is_away(const struct promcb_session *p);

/* Whether it is worth a try to record: open, and not away since the last look. */
bool promcb_session_is_found(const struct promcb_session *p);

/* Counts a call, or what was to be counted in a series, that found its session away. */
void promcb_session_count_lost(const struct promcb_session *p);
void promcb_session_count_lost_value(const struct promcb_session *p);

#endif

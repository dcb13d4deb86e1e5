/* SPDX-License-Identifier: MIT */
/*
 * process.h: what one process knows of itself: its slow-path mutex, its guests, its locks, its recorders. Survives
 * nothing that it must not survive.
 *
 * Invariants
 *   - struct promcb_process lies in memory that the kernel wipes in any child (MADV_WIPEONFORK), raw clone included:
 *     a child finds no locks, no recorders, a free mutex, and renewed = 0. What a child needs of its parent
 *     (mappings, descriptors' numbers, handles) lies elsewhere and does not change while a segment is attached.
 *   - The mutex is held with cancellation off and all signals blocked but those that the thread itself raises (a
 *     blocked SIGSYS kills where a seccomp sandbox wants to answer), and nothing is called under it but system calls
 *     and code of this library that is async-signal-safe: no malloc. So a handler may come here, and fork may.
 *   - No record of a component that the thread has recorded before waits for the mutex.
 *   - Who cannot wait for the mutex is a guest, and takes none: the child of vfork(2), whose death would leave it
 *     locked, and the handler of a signal that the thread raised inside. So is who need not wait: a record, a state,
 *     told or asked for, or a thread's end while a fork holds the mutex, whose handlers may want a lock that the thread
 *     holds, or its end; and the record of a thread that gets no recorder. A guest reads where a component is and
 *     changes nothing of the process's but who its guests are; nothing is unmapped while there are any. One that was
 *     killed is sent away by the thread that had it, when that comes here itself.
 *   - The thread that forks holds the mutex from promcb's handler of pthread_atfork(3) before fork to that after it.
 *     In the other handlers in between it comes and goes as if it were free.
 *
 * Pairs, in one process
 *   [MUTEX]  process.c's futex: what one holder wrote, before the next holder reads it.
 *   [START]  process.c's first start: what one thread made, before the next looks whether it is there; or a handler of
 *            fork, or a record, that came by no handle.
 *   [GUEST]  process.c names a guest before it looks where the session's segment is; detach.c looks whether there are
 *            any after open.c has told where the segment is now, and before it unmaps the old one. Both change one
 *            word, so one comes first: a guest is seen, or sees the new place. Without, it could store into unmapped
 *            memory.
 */
#ifndef PROMCB_PROCESS_H
#define PROMCB_PROCESS_H

#include "base/cancel.h"
#include "segment/segment.h"

#include <signal.h>

/* For guests: of more at once, one that dies in the middle would be waited for for ever. */
enum { PROMCB_CHAIRS = 64 };

enum { PROMCB_SEGMENTS_MAX = 64, PROMCB_LANE_WORDS = (PROMCB_LANES_MAX + PROMCB_SPECIAL_LANES + 63) / 64 };

/* An open file description that holds lanes: see lock.h. */
struct promcb_locks {
	bool open;
	int fd;
	int64_t marker;
	uint64_t retry_ns;                  /* CLOCK_MONOTONIC: after a failed open, not before */
	uint64_t held[PROMCB_LANE_WORDS];   /* lanes of this process, whichever description holds them */
	uint64_t current[PROMCB_LANE_WORDS]; /* those that fd can unlock */
	void *special_pages[PROMCB_SPECIAL_LANES]; /* of the special lanes' own descriptions, while they are held */
	bool special_kept[PROMCB_SPECIAL_LANES]; /* nobody here uses the lane, and it could not be unlocked */
};

struct promcb_recorder;

/* What came while a session was away. Relaxed. */
struct promcb_lost {
	uint64_t calls;
	uint64_t values;
};

struct promcb_process {
	uint64_t renewed;                   /* 0 in a child that has not been here yet */
	uint32_t mutex;                     /* a futex of this process alone: see process.c */
	uint32_t pid;                       /* of the process that this is; 0: not renewed. Relaxed */
	uint32_t forking;                   /* a thread is between the handlers of fork; 0 in a wiped child. Relaxed */
	uint32_t has_robust_list;           /* see is_child_of_vfork(). Relaxed */
	uint64_t unwiped;                   /* in a child that is not renewed: the kernel wipes nothing here */
	uint64_t guests[PROMCB_CHAIRS];     /* by name, 0: none. [GUEST] */
	uint64_t unnamed_guests;            /* who found all chairs taken. [GUEST] */
	uint64_t cookie;                    /* random: tells this process's lanes from others' */
	struct promcb_recorder *recorders;  /* all, idle ones too */
	struct promcb_recorder *idle;       /* those of no thread */
	struct promcb_recorder *suspect;    /* whose thread is asked for next; NULL: the first's */
	uint32_t idle_recorders;
	uint64_t reaped_ns;                 /* CLOCK_MONOTONIC: when all threads were asked for */
	struct promcb_locks locks[PROMCB_SEGMENTS_MAX];
};

/* The process's own, made at the first open. NULL before. */
extern struct promcb_process *promcb_process;

/* What those who know more must do, though they are called by nobody. */
struct promcb_process_hooks {
	/* Once, before the first call. */
	void (*start)(void);
	/* In a process that finds itself new, the child of any fork above all; with the mutex held. */
	void (*renew)(void);
};

/* Makes what a process needs once. hooks: kept. Returns 0, or -ENOMEM. */
int promcb_process_start(const struct promcb_process_hooks *hooks);

/* Whether that was done, for whoever has no handle or opened segment, which lead to it as well. */
bool promcb_process_is_started(void);

/* Memory that any child finds zeroed. NULL if there is none. */
void *promcb_process_map_wiped(size_t bytes);

/* What the slow path took from the thread, and gives back. */
struct promcb_saved_state {
	sigset_t signals;
	struct promcb_cancel cancel;
	int error;       /* errno */
	uint32_t before; /* where the thread was: see process.c */
	bool guest;
	uint32_t chair;  /* of a guest */
};

/*
 * Into the slow path: signals blocked, cancellation off, the mutex held. Returns false to a guest, who holds no mutex:
 * see above. Either way out is promcb_process_leave().
 */
bool promcb_process_enter(struct promcb_saved_state *way);

/*
 * The same, but as a guest where that would wait for a fork; or, if patient is not set, for anybody. Who is no guest
 * otherwise and finds that a guest's way does not serve him leaves, and enters as above.
 */
bool promcb_process_enter_or_visit(struct promcb_saved_state *way, bool patient);

/* The same without waiting. Returns false where that would wait, and to guests: then there is nothing to leave. */
bool promcb_process_try_enter(struct promcb_saved_state *way);

void promcb_process_leave(struct promcb_saved_state *way);

/*
 * Inside: lets other threads have the mutex for a moment, between two steps of something long. What the mutex guards
 * may have changed afterwards.
 */
void promcb_process_let_others(const struct promcb_saved_state *way);

/* Inside: whether anybody may be looking at a segment that he holds no lease in. [GUEST] */
bool promcb_process_has_guests(void);

#endif

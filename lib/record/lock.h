/* SPDX-License-Identifier: MIT */
/*
 * lock.h: liveness. Taking the lock byte of a lane is taking the lane; the kernel gives it back at death, SIGKILL
 * included, across pid namespaces. Nobody judges whether another is alive.
 *
 * Called with the process's mutex held. Async-signal-safe.
 *
 * Invariants
 *   - A lane is recorded in only between take and drop, by one thread, whatever the application does to descriptors:
 *     the locks belong to an open file description (F_OFD_SETLK), and one page of it stays mapped, PROT_NONE and
 *     MADV_DONTFORK. So closing every descriptor (close_range in a daemoniser lost 37 % of counts) leaves them, a
 *     child does not inherit them, and exec and death drop them.
 *   - A descriptor's number is used only after it was shown to be that description: same file, and blind to its
 *     marker, a lock on a byte of its own that any other description of the file would run into.
 *   - A process never asks the kernel for a lane that it holds: a description does not conflict with itself.
 *   - The registrar's and the resetter's lane, which are held for a moment, have a description of their own, and of
 *     that nothing but the page: giving them back is unmapping it. So nobody can keep them from others by closing
 *     descriptors meanwhile. Where none can be opened (rights that were given up), they are taken like the others; if
 *     they then cannot be dropped they are the process's next to take.
 */
#ifndef PROMCB_LOCK_H
#define PROMCB_LOCK_H

#include "record/attachment.h"

/* Opens the segment's description, with the rights that the process has now. Returns 0, or -errno. */
int promcb_locks_open(struct promcb_segment *segment);

/* In a child: closes the parent's descriptor. */
void promcb_locks_forget_inherited(struct promcb_segment *segment);

/* Before lanes are asked for: makes sure of the description, or opens another. Returns 0, or -ENOLCK. */
int promcb_locks_ready(struct promcb_segment *segment);

/*
 * Takes a lane's lock, right after the above if it is not a special one. Returns 0, -EAGAIN (held by somebody), or
 * -ENOLCK (no locks to be had here).
 */
int promcb_lock_take(struct promcb_segment *segment, uint32_t lane);

/*
 * Whether nobody at all has the lane, right after promcb_locks_ready(). Whoever had it has died or given it away, since
 * only its owner's description drops the lock. False where that cannot be told.
 */
bool promcb_lock_is_free(const struct promcb_segment *segment, uint32_t lane);

/* Takes the lock of the live copy of a lane that this process holds, for good. Returns as promcb_lock_take(). */
int promcb_lock_take_live(struct promcb_segment *segment, uint32_t lane);

/* The first lane behind one that is held which may be free: a process's lanes lie in few runs, each one lock. */
uint32_t promcb_lock_behind(struct promcb_segment *segment, uint32_t lane);

/* Drops a lane's lock. Returns false if that cannot be done any more: the lane stays this process's. */
bool promcb_lock_drop(struct promcb_segment *segment, uint32_t lane);

/* At unmap: drops all locks of the segment that can be dropped. */
void promcb_locks_close(struct promcb_segment *segment);

#endif

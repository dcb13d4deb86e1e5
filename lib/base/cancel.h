/* SPDX-License-Identifier: MIT */
/*
 * cancel.h: no call of promcb is a cancellation point. A thread that was cancelled in the middle of one would leave
 * descriptors, mappings and the process's mutex behind.
 *
 * Async-signal-safe with glibc and musl, though POSIX does not ask for it.
 */
#ifndef PROMCB_CANCEL_H
#define PROMCB_CANCEL_H

#include <pthread.h>

struct promcb_cancel {
	int state;
	int type;
};

/*
 * The type before the state: the handler of glibc 2.36's own signal for cancellation looks at the type alone, and
 * unwinds a thread that disabled cancellation between the sender's look and the signal.
 */
static inline void promcb_cancel_off(struct promcb_cancel *saved)
{
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &saved->type);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &saved->state);
}

/* The last thing that a call does: a thread whose type is asynchronous may end here. */
static inline void promcb_cancel_restore(struct promcb_cancel *saved)
{
	pthread_setcancelstate(saved->state, NULL);
	pthread_setcanceltype(saved->type, NULL);
}

/* As the first line of a call: not cancelled in it, on whichever way it returns. */
#define PROMCB_NOT_CANCELLED                                                                      \
	struct promcb_cancel promcb_cancel_saved __attribute__((cleanup(promcb_cancel_restore))); \
	promcb_cancel_off(&promcb_cancel_saved)

#endif

/* SPDX-License-Identifier: MIT */
#include "process.h"

#include "clock.h"
#include "headroom.h"
#include "lock.h"
#include "recorder.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

struct promcb_process *promcb_process;
struct promcb_segment promcb_process_segments[PROMCB_SEGMENTS_MAX];

/*
 * The process that has a thread in promcb_process_start(), 0: none. No mutex, which a child that was forked meanwhile
 * would find locked for ever: its parent's number is not its own, so the child goes ahead.
 */
static uint32_t starting_pid;
static struct promcb_way_out fork_saved; /* written and read by the thread that forks, under the mutex */

void *promcb_process_map_wiped(size_t bytes)
{
	void *memory = promcb_map_sparse(bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	if (!memory)
		return NULL;
	/*
	 * Before Linux 4.14 there is none, and emulators may take the advice and not follow it; then only the handlers
	 * below stand between a forked child and its parent's lanes.
	 */
	madvise(memory, bytes, MADV_WIPEONFORK);
	return memory;
}

/*
 * In a process that has not been here: the parent's locks are not ours, so make our own, while our rights are still
 * the parent's.
 */
static void renew(void)
{
	promcb_process->renewed = 1;
	promcb_process->pid = getpid();
	if (getrandom(&promcb_process->cookie, sizeof(promcb_process->cookie), GRND_NONBLOCK) !=
	    sizeof(promcb_process->cookie)) {
		promcb_process->cookie = (uint64_t)getpid() << 32 ^ promcb_clock_monotonic_ns();
	}
	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++)
		if (promcb_process_segments[slot].base) {
			promcb_locks_forget_inherited(&promcb_process_segments[slot]);
			promcb_locks_open(&promcb_process_segments[slot]);
		}
}

/*
 * A mutex of our own, since a pthread mutex may not be wiped, by the letter of its contract, nor locked in a handler.
 * The states are those of Drepper, "Futexes Are Tricky" (2011), mutex 2.
 */
static void lock_mutex(uint32_t *mutex)
{
	/* [MUTEX] acquire: what the last holder wrote. */
	if (promcb_cas32_acq_rel(mutex, 0, 1))
		return;
	/* [MUTEX] acquire: as above. */
	while (!promcb_cas32_acq_rel(mutex, 0, 2))
		/* [MUTEX] tells the holder to wake us. */
		if (promcb_load32_relaxed(mutex) == 2 || promcb_cas32_acq_rel(mutex, 1, 2))
			syscall(SYS_futex, mutex, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

static void unlock_mutex(uint32_t *mutex)
{
	/* [MUTEX] release: what we wrote, to the next holder. */
	if (promcb_cas32_acq_rel(mutex, 1, 0))
		return;
	/* [MUTEX] release: as above. */
	promcb_store32_release(mutex, 0);
	syscall(SYS_futex, mutex, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void promcb_process_enter(struct promcb_way_out *way)
{
	sigset_t all;
	int error = errno;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &way->signals);
	/* A thread that is cancelled in open(2) would take the mutex with it. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &way->cancel_state);
	lock_mutex(&promcb_process->mutex);
	if (!promcb_process->renewed)
		renew();
	/* Records interrupt code that may be about to look at it. */
	way->error = error;
}

void promcb_process_leave(const struct promcb_way_out *way)
{
	unlock_mutex(&promcb_process->mutex);
	pthread_setcancelstate(way->cancel_state, NULL);
	pthread_sigmask(SIG_SETMASK, &way->signals, NULL);
	errno = way->error;
}

static void before_fork(void)
{
	struct promcb_way_out way;

	promcb_process_enter(&way);
	fork_saved = way;
}

static void after_fork_in_parent(void)
{
	struct promcb_way_out way = fork_saved;

	promcb_process_leave(&way);
}

static void after_fork_in_child(void)
{
	struct promcb_way_out way;

	/* What before_fork() left there is the proof, not what madvise() returned. */
	if (promcb_process->renewed) {
		memset(promcb_process, 0, sizeof(*promcb_process));
		promcb_recorder_wipe_current();
	}
	promcb_process_enter(&way);
	promcb_process_leave(&fork_saved);
}

static void enter_start(void)
{
	const struct timespec pause = {.tv_nsec = 50000};
	uint32_t own = (uint32_t)getpid();

	for (;;) {
		uint32_t holder = promcb_load32_relaxed(&starting_pid);

		/* [START] acquire: what another thread has started. */
		if (holder != own && promcb_cas32_acq_rel(&starting_pid, holder, own))
			return;
		/* Not sched_yield(), which never yields to a holder of a lower real-time priority. */
		nanosleep(&pause, NULL);
	}
}

int promcb_process_start(void)
{
	int result = 0;

	enter_start();
	PROMCB_INJECT("process: starting");
	if (!promcb_process) {
		struct promcb_process *process = promcb_process_map_wiped(sizeof(*process));

		if (!process) {
			result = -ENOMEM;
		} else {
			promcb_recorder_start();
			/* Before the handlers: a child must not add them twice, and can do without. */
			promcb_process = process;
			pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
		}
	}
	/* [START] release: what we started, to the next. */
	promcb_store32_release(&starting_pid, 0);
	return result;
}

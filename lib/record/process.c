/* SPDX-License-Identifier: MIT */
#include "record/process.h"

#include "base/clock.h"
#include "base/memory.h"
#include "record/pin.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <promcb/inject.h>
#include <promcb/inline.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

struct promcb_process *promcb_process;

/* 1 once the above is there, and what was made with it: for those who were led here by no handle. [START] */
static uint32_t started;

/*
 * The process that has a thread in promcb_process_start(), 0: none. No mutex, which a child that was forked meanwhile
 * would find locked for ever: its parent's number is not its own, so the child goes ahead.
 */
static uint32_t starting_pid;

static const struct promcb_process_hooks *hooks;

/* Of the thread that is between the handlers of fork: what it left, and which one it is. Under the mutex. */
static struct promcb_saved_state fork_saved;
static const void *forker;
/* How many forks a handler of fork makes, one in another. Of that thread. */
static uint32_t forks_between;

/* The mutex: free; held; held, and waited for; held by a thread that is between the handlers of fork. */
enum { FREE, HELD, AWAITED, HELD_BY_FORK };

/*
 * Where the thread is: INSIDE while it has the mutex or waits for it, or is a guest instead of waiting; FORKING while
 * it has the mutex between the handlers of fork. A child of vfork(2) shares it with the thread that waits for it.
 */
enum { OUTSIDE, INSIDE, FORKING };
static __thread uint32_t whereabouts PROMCB_TLS;

/* The thread was a guest, or a child of vfork in its place, which may have died as one. */
static __thread bool has_visited PROMCB_TLS;

enum { LET_OTHERS_NS = 50000 };

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
 * Whether the kernel knows no list of robust mutexes of the calling thread: 1, 0, or -1 if it does not say. The C
 * library registers one for each thread it starts and for the child of fork, and nobody does for the child of vfork,
 * nor for the first thread of a raw clone's child, which is then a guest where another thread came first.
 */
static int lacks_robust_list(void)
{
#ifdef __GLIBC__
	void *head = NULL;
	size_t length;

	return syscall(SYS_get_robust_list, 0, &head, &length) < 0 ? -1 : head == NULL;
#else
	/* musl registers it when a thread first locks such a mutex. */
	return -1;
#endif
}

/* Whether the parent and this process are of one memory: 1, 0, or -1 if the kernel does not say. */
static int shares_memory_with_parent(void)
{
	long parent = getppid(), order;

	/* The first process of a namespace. */
	if (parent == 0)
		return 0;
	order = syscall(SYS_kcmp, (long)getpid(), parent, KCMP_VM, 0L, 0L);
	return order < 0 ? -1 : order == 0;
}

/*
 * The child of vfork(2), or of clone(2) in that manner, has all this in common with its parent, but not its threads.
 * Its number tells, but where each is the first process of a namespace of its own; then the list above does. Where
 * nobody has left a number yet, since a raw clone was told to no handler, the first thread of that has no list either.
 */
static bool is_child_of_vfork(void)
{
	uint32_t pid = promcb_load32_relaxed(&promcb_process->pid);
	int lacks, shares;

	if (pid != 0)
		return (uint32_t)getpid() != pid ||
		       (promcb_load32_relaxed(&promcb_process->has_robust_list) && lacks_robust_list() == 1);
	lacks = lacks_robust_list();
	if (lacks == 0)
		return false;
	shares = shares_memory_with_parent();
	return shares == 1 || (shares < 0 && lacks == 1);
}

/* In a process that has not been here. */
static void renew(void)
{
	promcb_process->renewed = 1;
	promcb_store32_relaxed(&promcb_process->has_robust_list, lacks_robust_list() == 0);
	promcb_store32_relaxed(&promcb_process->pid, (uint32_t)getpid());
	if (getrandom(&promcb_process->cookie, sizeof(promcb_process->cookie), GRND_NONBLOCK) !=
	    sizeof(promcb_process->cookie)) {
		promcb_process->cookie = (uint64_t)getpid() << 32 ^ promcb_clock_monotonic_ns();
	}
	hooks->renew();
}

/*
 * A mutex of our own, since a pthread mutex may not be wiped, by the letter of its contract, nor locked in a handler.
 * The states are those of Drepper, "Futexes Are Tricky" (2011), mutex 2, and one more: who waits for a fork waits for
 * what the application does in its handlers.
 */
static bool try_mutex(uint32_t *mutex)
{
	/* [MUTEX] acquire: what the last holder wrote. */
	return promcb_cas32_acq_rel(mutex, FREE, HELD);
}

/* Returns false, without it, if a fork holds it and for_fork is not set. */
static bool lock_mutex(uint32_t *mutex, bool for_fork)
{
	if (try_mutex(mutex))
		return true;
	/* [MUTEX] acquire: as above. */
	while (!promcb_cas32_acq_rel(mutex, FREE, AWAITED)) {
		uint32_t state = promcb_load32_relaxed(mutex);

		if (state == HELD_BY_FORK && !for_fork)
			return false;
		/* [MUTEX] tells the holder to wake us. */
		if (state == HELD && promcb_cas32_acq_rel(mutex, HELD, AWAITED))
			state = AWAITED;
		if (state == AWAITED || state == HELD_BY_FORK)
			syscall(SYS_futex, mutex, FUTEX_WAIT_PRIVATE, state, NULL, NULL, 0);
	}
	return true;
}

static void unlock_mutex(uint32_t *mutex)
{
	/* [MUTEX] release: what we wrote, to the next holder. */
	if (promcb_cas32_acq_rel(mutex, HELD, FREE))
		return;
	/* [MUTEX] release: as above. */
	promcb_store32_release(mutex, FREE);
	syscall(SYS_futex, mutex, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* With the mutex held: all who wait for it are told what for, those too who slept when it was free for a moment. */
static void hold_for_fork(uint32_t *mutex)
{
	/* [MUTEX] release: as above. */
	promcb_store32_release(mutex, HELD_BY_FORK);
	syscall(SYS_futex, mutex, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* Signals that come while the mutex is held would come too late. But one that the thread raises kills if blocked. */
static void shield(struct promcb_saved_state *way)
{
	int error = errno;
	sigset_t most;

	sigfillset(&most);
	sigdelset(&most, SIGSYS);
	sigdelset(&most, SIGSEGV);
	sigdelset(&most, SIGBUS);
	sigdelset(&most, SIGFPE);
	sigdelset(&most, SIGILL);
	sigdelset(&most, SIGTRAP);
	pthread_sigmask(SIG_BLOCK, &most, &way->signals);
	promcb_cancel_off(&way->cancel);
	/* Records interrupt code that may be about to look at it. */
	way->error = error;
}

static void unshield(struct promcb_saved_state *way)
{
	pthread_sigmask(SIG_SETMASK, &way->signals, NULL);
	errno = way->error;
	promcb_cancel_restore(&way->cancel);
}

static void be(uint32_t where)
{
	promcb_signal_fence();
	whereabouts = where;
	promcb_signal_fence();
}

/*
 * In the child of fork: what the kernel did not wipe is forgotten. The proof is what before_fork() left there, not what
 * madvise() returned.
 */
static void become_child(void)
{
	if (promcb_process->forking) {
		memset(promcb_process, 0, sizeof(*promcb_process));
		promcb_process->unwiped = 1;
	}
	forks_between = 0;
	be(OUTSIDE);
}

/* What the thread, its handlers, and its children of vfork are called as guests. */
static uint64_t guest_name(void)
{
	return (uintptr_t)&has_visited;
}

static void change_unnamed_guests(uint64_t by)
{
	uint64_t guests;

	do
		guests = promcb_load_relaxed(&promcb_process->unnamed_guests);
	/* [GUEST] as below. */
	while (!promcb_cas_acq_rel(&promcb_process->unnamed_guests, guests, guests + by));
}

static void begin_visit(struct promcb_saved_state *way)
{
	has_visited = true;
	promcb_signal_fence();
	way->guest = true;
	for (way->chair = 0; way->chair < PROMCB_CHAIRS; way->chair++)
		/* [GUEST] to a guest, where the segment is; to others, that there is a guest. */
		if (promcb_cas_acq_rel(&promcb_process->guests[way->chair], 0, guest_name()))
			return;
	change_unnamed_guests(1);
}

static void end_visit(const struct promcb_saved_state *way)
{
	if (way->chair == PROMCB_CHAIRS)
		change_unnamed_guests(UINT64_MAX);
	else
		/* [GUEST] release: what the guest has done in the segment. */
		promcb_store_release(&promcb_process->guests[way->chair], 0);
}

/* A thread that comes from outside is no guest: who bears its name died in the middle of a visit. */
static void end_visits_of_the_dead(void)
{
	has_visited = false;
	for (uint32_t chair = 0; chair < PROMCB_CHAIRS; chair++)
		if (promcb_load_relaxed(&promcb_process->guests[chair]) == guest_name())
			/* [GUEST] release: as above. */
			promcb_store_release(&promcb_process->guests[chair], 0);
}

bool promcb_process_has_guests(void)
{
	for (uint32_t chair = 0; chair < PROMCB_CHAIRS; chair++)
		/* [GUEST] changes the word, or finds a guest. */
		if (!promcb_cas_acq_rel(&promcb_process->guests[chair], 0, 0))
			return true;
	/* [GUEST] as above. */
	return !promcb_cas_acq_rel(&promcb_process->unnamed_guests, 0, 0);
}

/*
 * Before promcb's own handler has run in a child of fork, another's may come here; or a child of vfork that one has
 * made, in its parent's memory.
 */
static void look_for_fork(void)
{
	if (whereabouts == FORKING &&
	    (!promcb_process->forking ||
	     ((uint32_t)getpid() != promcb_load32_relaxed(&promcb_process->pid) && lacks_robust_list() != 1)))
		become_child();
}

static void arrive(struct promcb_saved_state *way)
{
	if (!promcb_process->renewed)
		renew();
	if (has_visited && way->before == OUTSIDE)
		end_visits_of_the_dead();
	way->guest = false;
}

enum wait { FOR_ALL, NOT_FOR_FORK, FOR_NOBODY };

static bool have_mutex(enum wait wait)
{
	return wait == FOR_NOBODY ? try_mutex(&promcb_process->mutex)
				  : lock_mutex(&promcb_process->mutex, wait == FOR_ALL);
}

static bool enter(struct promcb_saved_state *way, enum wait wait)
{
	shield(way);
	look_for_fork();
	way->before = whereabouts;
	if (way->before == INSIDE || is_child_of_vfork()) {
		begin_visit(way);
		return false;
	}
	be(INSIDE);
	if (way->before == OUTSIDE && !have_mutex(wait)) {
		begin_visit(way);
		return false;
	}
	arrive(way);
	return true;
}

bool promcb_process_enter(struct promcb_saved_state *way)
{
	return enter(way, FOR_ALL);
}

bool promcb_process_enter_or_visit(struct promcb_saved_state *way, bool patient)
{
	return enter(way, patient ? NOT_FOR_FORK : FOR_NOBODY);
}

bool promcb_process_try_enter(struct promcb_saved_state *way)
{
	if (whereabouts == OUTSIDE && promcb_load32_relaxed(&promcb_process->mutex) != FREE)
		return false;
	shield(way);
	look_for_fork();
	way->before = whereabouts;
	if (way->before != INSIDE && !is_child_of_vfork()) {
		be(INSIDE);
		if (way->before == FORKING || try_mutex(&promcb_process->mutex)) {
			arrive(way);
			return true;
		}
		be(way->before);
	}
	unshield(way);
	return false;
}

void promcb_process_leave(struct promcb_saved_state *way)
{
	if (way->guest)
		end_visit(way);
	else if (way->before == OUTSIDE)
		unlock_mutex(&promcb_process->mutex);
	be(way->before);
	unshield(way);
}

void promcb_process_let_others(const struct promcb_saved_state *way)
{
	const struct timespec pause = {.tv_nsec = LET_OTHERS_NS};
	bool waited_for = promcb_load32_relaxed(&promcb_process->mutex) == AWAITED;

	if (way->before != OUTSIDE)
		return;
	unlock_mutex(&promcb_process->mutex);
	/* Who was woken needs a moment: the mutex is had by whoever asks first. */
	if (waited_for)
		nanosleep(&pause, NULL);
	lock_mutex(&promcb_process->mutex, true);
}

/* -- fork --------------------------------------------------------------------------------------------------------- */

static void before_fork(void)
{
	struct promcb_saved_state way;

	if (!promcb_process_is_started())
		return;
	if (promcb_process_enter(&way) && way.before == OUTSIDE) {
		fork_saved = way;
		forker = &whereabouts;
		promcb_store32_relaxed(&promcb_process->forking, 1);
		be(FORKING);
		hold_for_fork(&promcb_process->mutex);
	} else {
		forks_between += !way.guest;
		promcb_process_leave(&way);
	}
}

static void after_fork_in_parent(void)
{
	struct promcb_saved_state way = fork_saved;

	if (whereabouts != FORKING)
		return;
	/* Of a fork that a handler of fork has made; the other is still to come. */
	if (forks_between) {
		forks_between--;
		return;
	}
	/* First: FORKING in a process that is not is how a child knows itself. */
	be(INSIDE);
	promcb_store32_relaxed(&promcb_process->forking, 0);
	forker = NULL;
	promcb_process_leave(&way);
}

static void after_fork_in_child(void)
{
	struct promcb_saved_state way;

	if (!promcb_process_is_started())
		return;
	/* Forking still: nobody else's handler came before. */
	if (whereabouts == FORKING)
		become_child();
	/* Its own locks while its rights are still its parent's. */
	promcb_process_enter(&way);
	promcb_process_leave(&way);
	if (forker == &whereabouts)
		unshield(&fork_saved);
	forker = NULL;
}

/*
 * When the library is loaded, not at the first open: handlers before fork run in the reverse order of registration. So
 * this one runs after those of the application, which may hold its own locks by then as it does when it records.
 */
__attribute__((constructor)) static void register_handlers_of_fork(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* -- Start -------------------------------------------------------------------------------------------------------- */

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

bool promcb_process_is_started(void)
{
	/* [START] acquire: what the thread has made that started. */
	return promcb_load32_acquire(&started) != 0;
}

int promcb_process_start(const struct promcb_process_hooks *these)
{
	int result = 0;

	/* Outside of what follows, where a thread that loads a plugin may wait, and holds what this waits for. */
	promcb_pin();
	enter_start();
	PROMCB_INJECT("process: starting");
	if (!promcb_process) {
		struct promcb_process *process = promcb_process_map_wiped(sizeof(*process));

		if (!process) {
			result = -ENOMEM;
		} else {
			hooks = these;
			hooks->start();
			promcb_process = process;
			/* [START] release: all of it, to those who do not come by here. */
			promcb_store32_release(&started, 1);
		}
	}
	/* [START] release: what we started, to the next. */
	promcb_store32_release(&starting_pid, 0);
	return result;
}

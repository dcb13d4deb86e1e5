/* SPDX-License-Identifier: MIT */
/*
 * live.pml: what a process has set counts while it lives, and no longer, whoever had its lane before. [LIVE]
 *
 * Covers home.c (promcb_home, promcb_home_leave), row.c (promcb_row_begin_live, promcb_row_end_live), lock.c (the lane's
 * lock and that of its live copy) and rows.c (list_lane, add_live, is_living). Three owners in turn, each may die at any
 * step; the second is one that sets nothing, as a thread's lane has no live copy. A scrape that looks twice.
 *
 * Invariants
 *   - A scrape shows no value of an owner that was dead, or had left, before the scrape began.
 *   - It shows the value of one that had set it before the scrape began and lives when the scrape has ended.
 *
 * Does not cover: several threads that set one gauge, which is one word; rows and branches, which are published as
 * others are; a segment that is left for another.
 *
 * Mutations: M_NO_EMPTY, M_BEGIN_EARLY, M_BEGIN_RELAXED, M_NO_TAKEN, M_LOCK_FIRST, M_NO_ASK, M_NO_LOOK_AGAIN, M_READ_EARLY,
 * M_NO_LIVE_LOCK
 */
#define WRITERS 1
#define TAKEN 0
#define LIVE_TAKEN 1
#define GAUGE 2
#define WORDS 3
#define OWNERS 3

#include "weak.h"

/* The locks, which go with their holder. */
bool lane_locked, live_locked;
byte owners_left = OWNERS;
/* Who has set the gauge and lives; 0: nobody. */
byte living;
/* Owners up to this one are dead, or have left. */
byte gone;

#define MAY_DIE :: true -> goto dead

proctype owner(byte number; bool sets)
{
	byte taken;

	/* lock.c: promcb_lock_take(). */
	atomic { !lane_locked && owners_left == OWNERS + 1 - number -> lane_locked = true };
#ifdef M_LOCK_FIRST
	if
	:: sets -> live_locked = true
	:: else
	fi;
#endif
	/* lane.c: move_in(). */
#ifndef M_NO_TAKEN
	if
	MAY_DIE
	:: store(0, TAKEN, number)
	fi;
#else
	store(0, TAKEN, 1);
#endif
	if
	:: !sets -> goto leave
	:: else
	fi;
	/* row.c: promcb_row_begin_live(). */
	taken = LOAD(0, TAKEN);
#ifdef M_BEGIN_EARLY
	release(0, LIVE_TAKEN, taken);
#endif
#ifndef M_NO_EMPTY
	if
	MAY_DIE
	:: store(0, GAUGE, 0)
	fi;
#endif
	/* [LIVE] release. */
	if
	MAY_DIE
#ifdef M_BEGIN_RELAXED
	:: store(0, LIVE_TAKEN, taken)
#else
	:: release(0, LIVE_TAKEN, taken)
#endif
	fi;
	/* lock.c: promcb_lock_take_live(), a system call. */
#ifndef M_LOCK_FIRST
	if
	MAY_DIE
	:: d_step { land_all(0); live_locked = true }
	fi;
#endif
	/* metric.c: promcb_gauge_set(). */
	if
	MAY_DIE
	:: store(0, GAUGE, number)
	fi;
	/* It has landed when the next system call, or another's load, says so. */
	d_step { land_all(0); living = number };
	if
	MAY_DIE
	:: true
	fi;
	/* home.c: promcb_home_leave(). */
	atomic {
		living = 0;
		gone = number;
		land_all(0);
		mem[LIVE_TAKEN] = 0
	}
leave:
dead:
	/* Either way its locks go. */
	atomic {
		die(0);
		living = 0;
		gone = number;
		live_locked = false;
		lane_locked = false;
		owners_left--
	}
}

/* rows.c, of one lane. */
active proctype reader()
{
	byte taken, live_taken, value, before, at_first;
	bool again, counts;

look:
	before = gone;
	at_first = living;
	counts = true;
#ifdef M_READ_EARLY
	value = mem[GAUGE];
#endif
	/* list_lane(). [LIVE] acquire. */
	live_taken = mem[LIVE_TAKEN];
	taken = mem[TAKEN];
	if
	:: live_taken == 0 || live_taken != taken -> goto none
	:: else
	fi;
	/* add_live() */
#ifndef M_READ_EARLY
	value = mem[GAUGE];
#endif
	/* is_living(): the lock is asked for after that, */
#if defined(M_NO_LIVE_LOCK)
	counts = lane_locked;
#elif !defined(M_NO_ASK)
	counts = live_locked;
#endif
	/* and taken after the lock. */
#ifndef M_NO_LOOK_AGAIN
	if
	:: mem[TAKEN] != live_taken -> counts = false
	:: else
	fi;
#endif
	if
	:: counts && value ->
		assert(value > before);
		goto looked
	:: else
	fi;
none:
	/* Who had set before and lives still was missed. */
	assert(at_first == 0 || living != at_first);
looked:
	skip;
	d_step { taken = 0; live_taken = 0; value = 0; before = 0; at_first = 0; counts = false };
	if
	:: !again -> again = true; goto look
	:: else
	fi
}

init {
	atomic {
		run owner(1, true);
		run owner(2, false);
		run owner(3, true)
	}
}

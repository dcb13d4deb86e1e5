/* SPDX-License-Identifier: MIT */
/*
 * reset.pml: a reset notes what stands in the cells, in one of two baselines; a scrape subtracts it. [RST]
 *
 * Covers reset.c (reset_component, fill_baseline), catalog.c (list_component, promcb_catalog_is_stable) and collect.c
 * (read_baseline, add_block, finish). One component with two cells, of two blocks; a recorder that adds to both; three
 * resets in turn, the first two of which may be killed at any step; a scrape that looks twice.
 *
 * Invariants, for a scrape that finds the reset word unchanged at its end
 *   - It read the baseline of that reset, whole.
 *   - No cell is less than what is subtracted from it.
 *   - A count does not shrink between two scrapes but by a reset, and then to no more than was recorded since that
 *     reset began.
 *
 * What is stored after a release may overtake it. So the second of two resets would spoil a baseline that still counts,
 * were the lock between them not a system call, which orders them: M_UNLOCK_LATE.
 *
 * Does not cover: blocks that are new (lane.pml), the carving of a baseline (lane.pml, component.pml: the same
 * steps), samples and states, more than one component, more resets during one scrape than three.
 *
 * Mutations: M_RST_RELAXED, M_PUBLISH_FIRST, M_ACTIVE_FILLED, M_NO_CHECK, M_CHECK_EARLY, M_CELLS_FIRST, M_NO_LOCK,
 * M_UNLOCK_LATE
 */
#define WRITERS 2
#define RECORDER 0
#define RESETTER 1
#define RECORDS 2
#define RESETS 3

/* The reset word: generation * 2 + which baseline counts; 0: never reset. */
#define CELL(n) (n)
#define BASELINE(which, n) (2 + (which) * 2 + (n))
#define RESET 6
#define WORDS 7

#include "weak.h"

bool locked;
byte resets_left = RESETS;
/* What generation g is made of, and what stood in the cells when its reset began. */
byte made[2 * (RESETS + 1)], began[2 * (RESETS + 1)];

#define MAY_DIE :: mortal -> goto dead

active proctype recorder()
{
	byte left = RECORDS;

	do
	:: left ->
		left--;
		if
		:: bump(RECORDER, CELL(0))
		:: bump(RECORDER, CELL(1))
		fi
	:: left == 0 -> break
	od
}

proctype resetter(byte turn; bool mortal)
{
	byte word, which, value[2], stood[2];

	/* The resetter's lane. */
#ifdef M_NO_LOCK
	locked = true;
#else
	atomic { !locked && resets_left == RESETS - turn -> locked = true };
#endif
	d_step {
		word = LOAD(RESETTER, RESET);
		which = (word -> 1 - word % 2 : 0);
#ifdef M_ACTIVE_FILLED
		which = 0;
#endif
		word = (word / 2 + 1) * 2 + which;
		stood[0] = mem[CELL(0)];
		stood[1] = mem[CELL(1)]
	}
#ifdef M_PUBLISH_FIRST
	d_step {
		began[word / 2 * 2] = stood[0];
		began[word / 2 * 2 + 1] = stood[1];
		release(RESETTER, RESET, word)
	}
#endif
	/* fill_baseline(): zeroed, */
	if
	MAY_DIE
	:: store(RESETTER, BASELINE(which, 0), 0)
	fi;
	if
	MAY_DIE
	:: store(RESETTER, BASELINE(which, 1), 0)
	fi;
	/* then summed. */
	if
	MAY_DIE
	:: d_step {
		value[0] = mem[CELL(0)];
		store(RESETTER, BASELINE(which, 0), value[0])
	}
	fi;
	if
	MAY_DIE
	:: d_step {
		value[1] = mem[CELL(1)];
		store(RESETTER, BASELINE(which, 1), value[1])
	}
	fi;
#ifdef M_PUBLISH_FIRST
	d_step {
		land_all(RESETTER);
		made[word / 2 * 2] = value[0];
		made[word / 2 * 2 + 1] = value[1]
	}
#endif
#ifndef M_PUBLISH_FIRST
	/* [RST] release. */
	if
	MAY_DIE
	:: d_step {
		made[word / 2 * 2] = value[0];
		made[word / 2 * 2 + 1] = value[1];
		began[word / 2 * 2] = stood[0];
		began[word / 2 * 2 + 1] = stood[1];
#ifdef M_RST_RELAXED
		store(RESETTER, RESET, word)
#else
		release(RESETTER, RESET, word)
#endif
	}
	fi;
#endif
	if
	MAY_DIE
	:: skip
	fi;
	skip;
	/* The unlock orders what the next resetter stores after what this one published. */
	d_step {
#ifndef M_UNLOCK_LATE
		land_all(RESETTER);
#endif
		locked = false;
		resets_left--;
		word = 0; which = 0; value[0] = 0; value[1] = 0; stood[0] = 0; stood[1] = 0
	}
	goto over;
dead:
	atomic {
		die(RESETTER);
		locked = false;
		resets_left--;
		word = 0; which = 0; value[0] = 0; value[1] = 0; stood[0] = 0; stood[1] = 0
	}
over:
	skip
}

active proctype reader()
{
	byte word, base[2], cell[2], last_word, last[2];
	bool again;

look:
#ifdef M_CELLS_FIRST
	cell[0] = mem[CELL(0)];
	cell[1] = mem[CELL(1)];
#endif
	/* [RST] acquire, list_component(). */
	word = mem[RESET];
#ifdef M_CHECK_EARLY
	if
	:: mem[RESET] != word -> goto next
	:: else
	fi;
#endif
	/* [RST] acquire, read_baseline(). */
	if
	:: word ->
		base[0] = mem[BASELINE(word % 2, 0)];
		base[1] = mem[BASELINE(word % 2, 1)]
	:: else
	fi;
#ifndef M_CELLS_FIRST
	cell[0] = mem[CELL(0)];
	cell[1] = mem[CELL(1)];
#endif
#if !defined(M_NO_CHECK) && !defined(M_CHECK_EARLY)
	/* [RST] acquire, promcb_catalog_is_stable(). */
	if
	:: mem[RESET] != word -> goto next
	:: else
	fi;
#endif
	d_step {
		if
		:: word -> assert(base[0] == made[word / 2 * 2] && base[1] == made[word / 2 * 2 + 1])
		:: else
		fi;
		/* finish() */
		assert(cell[0] >= base[0] && cell[1] >= base[1]);
		if
		:: again && word == last_word -> assert(cell[0] - base[0] >= last[0] && cell[1] - base[1] >= last[1])
		:: else
		fi;
		assert(cell[0] - base[0] <= mem[CELL(0)] - (word -> began[word / 2 * 2] : 0));
		assert(cell[1] - base[1] <= mem[CELL(1)] - (word -> began[word / 2 * 2 + 1] : 0));
		last_word = word;
		last[0] = cell[0] - base[0];
		last[1] = cell[1] - base[1]
	}
next:
	skip;
	d_step { word = 0; base[0] = 0; base[1] = 0; cell[0] = 0; cell[1] = 0 }
	if
	:: !again -> again = true; goto look
	:: else
	fi
}

init {
	atomic {
		run resetter(0, true);
		run resetter(1, true);
		run resetter(2, false)
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * chunk.pml: two lanes take chunks from one table; reserving memory may fail, owners may die. [CHUNK]
 *
 * Covers segment.c (promcb_segment_take_chunk), lane.c (find_room's scan, move_in's reservation of what a dead owner
 * left) and catalog.c (check_chunks). Two lanes, each with an owner that may die at any step and a next one; two chunks
 * of one block each; a scrape of both lanes.
 *
 * Invariants
 *   - A chunk has one lane, and a taken one never changes hands: each lane writes to chunks of its own.
 *   - A block is published only in a chunk with memory.
 *   - A scrape that finds a number finds the chunk to be that lane's.
 *   - No leak: a lane has at most one chunk without a block, which its next owner carves.
 *
 * Does not cover: blocks within a chunk (lane.pml), the pause after a failure, a mapping shorter than the file.
 *
 * Mutations: M_TAKE_PLAIN, M_TAKE_LATE, M_WORDS_FIRST, M_NO_RESERVE_AGAIN, M_KEEP_FAILED, M_DROP_FOREIGN
 */
#define WRITERS 2
#define LANES 2

/* A chunk's word: 0, or lane + 1. Chunk n holds block n + 1 alone; a directory has one entry. */
#define CHUNK(n) (n)
#define DIR(lane) (2 + (lane))
#define WORDS 4

#include "weak.h"

bool locked[LANES], has_memory[2], first_gone[LANES];

#define MAY_DIE :: mortal -> goto dead

proctype owner(byte lane; bool mortal)
{
	byte chunk, number;
	bool mine, failed;

	/* lock.c: promcb_lock_take() */
	atomic { !locked[lane] && (mortal || first_gone[lane]) -> locked[lane] = true };
	/* lane.c: move_in() reserves what the lane came with, or the lane is passed over. */
	chunk = 0;
#ifndef M_NO_RESERVE_AGAIN
	do
	:: chunk < 2 && LOAD(lane, CHUNK(chunk)) == lane + 1 && !has_memory[chunk] ->
		if
		MAY_DIE
		:: has_memory[chunk] = true; chunk++
		:: goto give
		fi
	:: chunk < 2 && (LOAD(lane, CHUNK(chunk)) != lane + 1 || has_memory[chunk]) -> chunk++
	:: chunk == 2 -> break
	od;
	chunk = 0;
#endif
	if
	:: LOAD(lane, DIR(lane)) -> goto give
	:: else
	fi;
again:
	/* find_room(): a chunk of the lane's with room, */
	do
	:: chunk < 2 && LOAD(lane, CHUNK(chunk)) == lane + 1 -> goto publish
	:: chunk < 2 && LOAD(lane, CHUNK(chunk)) != lane + 1 -> chunk++
	:: chunk == 2 -> break
	od;
	chunk = 0;
	/* or a new one, promcb_segment_take_chunk(). */
	do
	:: chunk < 2 ->
		if
		:: LOAD(lane, CHUNK(chunk)) -> chunk++
		:: else ->
			/* [CHUNK] */
#if defined(M_TAKE_PLAIN)
			store(lane, CHUNK(chunk), lane + 1);
			mine = true;
#elif defined(M_TAKE_LATE)
			mine = true;
#else
			if
			MAY_DIE
			:: cas(lane, CHUNK(chunk), 0, lane + 1, mine)
			fi;
#endif
			if
			:: mine -> break
			:: else -> chunk++
			fi
		fi
	:: else -> goto give
	od;
	if
	MAY_DIE
	:: has_memory[chunk] = true
	:: !has_memory[chunk] && !failed ->
		/* No room: the word is given back, and a second later it is tried again. */
#ifndef M_KEEP_FAILED
		if
		MAY_DIE
		:: release(lane, CHUNK(chunk), 0)
		fi;
#endif
		failed = true;
		chunk = 0;
		goto again
	fi;
publish:
	assert(has_memory[chunk]);
#ifndef M_TAKE_LATE
	assert(LOAD(lane, CHUNK(chunk)) == lane + 1);
#endif
	/* [DIR] release, promcb_lane_block(). */
	if
	MAY_DIE
	:: release(lane, DIR(lane), chunk + 1)
	fi;
#ifdef M_TAKE_LATE
	release(lane, CHUNK(chunk), lane + 1);
#endif
	if
	MAY_DIE
	:: skip
	fi;
#ifdef M_DROP_FOREIGN
	/* As if a reservation that failed gave back a word without knowing whose it is. */
	release(lane, CHUNK(1 - chunk), 0);
#endif
give:
	skip;
	d_step {
		land_all(lane);
		locked[lane] = false;
		first_gone[lane] = true;
		chunk = 0; mine = false; failed = false
	}
	goto over;
dead:
	atomic {
		die(lane);
		locked[lane] = false;
		first_gone[lane] = true;
		chunk = 0; mine = false; failed = false
	}
over:
	skip
}

#define WASTED(lane) (mem[CHUNK(0)] == lane + 1 && mem[CHUNK(1)] == lane + 1)
#define FOREIGN(lane) (mem[DIR(lane)] && mem[CHUNK(mem[DIR(lane)] - 1)] != lane + 1)

active proctype invariant()
{
end:
	atomic {
		(mem[DIR(0)] && mem[DIR(0)] == mem[DIR(1)]) || FOREIGN(0) || FOREIGN(1) ||
		(!locked[0] && WASTED(0)) || (!locked[1] && WASTED(1)) -> assert(false)
	}
}

active proctype reader()
{
	byte lane, number, word;

	if
	:: lane = 0
	:: lane = 1
	fi;
#ifdef M_WORDS_FIRST
	/* As if the words had been loaded before the numbers. */
	word = mem[CHUNK(0)];
	number = mem[DIR(lane)];
	if
	:: number == 2 -> word = mem[CHUNK(1)]
	:: else
	fi;
#else
	/* [DIR] acquire, list_blocks(). */
	number = mem[DIR(lane)];
	/* [CHUNK] acquire, check_chunks(). */
	if
	:: number -> word = mem[CHUNK(number - 1)]
	:: else
	fi;
#endif
	assert(number == 0 || word == lane + 1)
}

init {
	atomic {
		run owner(0, true);
		run owner(1, true);
		run owner(0, false);
		run owner(1, false)
	}
}

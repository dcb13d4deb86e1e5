/* SPDX-License-Identifier: MIT */
/*
 * lane.pml: a lane is taken, filled and given back or lost to SIGKILL, and the next owner goes on. [LANE] [DIR]
 *
 * Covers lock.c (take, drop, death), lane.c (move_in, find_room, is_published, count_carved, promcb_lane_carve,
 * promcb_lane_block), catalog.c (list_lanes, list_blocks) and collect.c (add_block). Three owners in turn, the first two
 * may die at any step; two components; two chunks of ONE_CHUNK blocks; a scrape that looks twice.
 *
 * Invariants
 *   - A block that is carved is not published; no two directory entries are the same.
 *   - No leak: with the lane free, every block that its chunk counts is published.
 *   - carved lags by at most one: what is past the first uncounted block was never published.
 *   - A scrape touches no directory without memory; a block that it finds has its header and no count that was not
 *     recorded; no count shrinks; no record is lost but those that a death cut off.
 *
 * Does not cover: two lanes that compete for a chunk (chunk.pml), rings (ring.pml), overflow blocks (component.pml),
 * descriptors closed behind the library's back, forks.
 *
 * Mutations: M_DIR_RELAXED, M_USED_EARLY, M_COUNT_FIRST, M_COUNT_RELAXED, M_NO_REPAIR, M_NO_ZERO, M_READ_EARLY,
 * M_NO_LOCK, M_HEADER_LATE
 */
#ifndef EACH
#define EACH 2
#endif
#define WRITERS 1
#define COMPONENTS 2
#define BLOCKS (2 * EACH)
#define JUNK 9

/* The words. A chunk's word: 0, or 1 + carved; whose it is, chunk.pml asks. */
#define USED 0
#define CHUNK(n) (1 + (n))
#define DIR(c) (3 + (c))
#define HEADER(b) (4 + (b))
#define CELL(b) (4 + BLOCKS + (b))
#define WORDS (5 + 2 * BLOCKS)

#include "weak.h"

bool locked, directory_has_memory;
byte recorded[COMPONENTS], cut_off[COMPONENTS], owners_left = 3;

#define MAY_DIE :: mortal -> goto dead

proctype owner(byte turn; bool mortal)
{
	byte component, chunk, number, carved, cached;
	bool twice;

	/* lock.c: promcb_lock_take(). Who comes first makes no difference, so they come in order. */
#ifdef M_NO_LOCK
	locked = true;
#else
	atomic { !locked && owners_left == 3 - turn -> locked = true };
#endif
	/* lane.c: move_in(). */
#ifdef M_USED_EARLY
	release(0, USED, 1);
#endif
	if
	MAY_DIE
	:: directory_has_memory = true
	fi;
#ifndef M_USED_EARLY
	/* [LANE] release. */
	if
	MAY_DIE
	:: release(0, USED, 1)
	fi;
#endif
	if
	:: component = 0
	:: component = 1
	fi;
next:
	number = LOAD(0, DIR(component));
	if
	:: number -> goto record
	:: else
	fi;
	/* find_room() */
	if
	:: cached && LOAD(0, CHUNK(cached - 1)) - 1 < EACH ->
		number = (cached - 1) * EACH + LOAD(0, CHUNK(cached - 1))
	:: else ->
		chunk = 0;
		number = 0;
		do
		:: chunk < 2 && LOAD(0, CHUNK(chunk)) && LOAD(0, CHUNK(chunk)) - 1 < EACH ->
			carved = LOAD(0, CHUNK(chunk)) - 1;
#ifndef M_NO_REPAIR
			/* is_published(), by the header that lies there. */
			number = LOAD(0, HEADER(chunk * EACH + carved + 1));
			if
			:: number && LOAD(0, DIR(number - 1)) == chunk * EACH + carved + 1 ->
				carved++;
				if
				MAY_DIE
				:: release(0, CHUNK(chunk), carved + 1)
				fi
			:: else
			fi;
			number = 0;
#endif
			if
			:: carved < EACH ->
				number = chunk * EACH + carved + 1;
				break
			:: else -> chunk++
			fi
		:: chunk < 2 && LOAD(0, CHUNK(chunk)) && LOAD(0, CHUNK(chunk)) - 1 >= EACH -> chunk++
		:: chunk < 2 && !LOAD(0, CHUNK(chunk)) ->
			/* [CHUNK] promcb_segment_take_chunk(), alone. */
			if
			MAY_DIE
			:: d_step { land_all(0); mem[CHUNK(chunk)] = 1 }
			fi;
			number = chunk * EACH + 1;
			break
		:: chunk == 2 -> assert(false)
		od;
		cached = chunk + 1
	fi;
	assert(LOAD(0, DIR(0)) != number && LOAD(0, DIR(1)) != number);
	/* promcb_lane_carve() */
#ifndef M_NO_ZERO
	if
	MAY_DIE
	:: d_step {
		store(0, HEADER(number), 0);
		store(0, CELL(number), 0)
	}
	fi;
#endif
#ifndef M_HEADER_LATE
	if
	MAY_DIE
	:: store(0, HEADER(number), component + 1)
	fi;
#endif
#ifdef M_COUNT_FIRST
	if
	MAY_DIE
	:: release(0, CHUNK((number - 1) / EACH), (number - 1) % EACH + 2)
	fi;
#endif
	/* [DIR] release, promcb_lane_block(). */
	if
	MAY_DIE
#ifdef M_DIR_RELAXED
	:: store(0, DIR(component), number)
#else
	:: release(0, DIR(component), number)
#endif
	fi;
#ifdef M_HEADER_LATE
	store(0, HEADER(number), component + 1);
#endif
	/* [DIR] release, count_carved(). */
	if
	MAY_DIE
#ifdef M_COUNT_RELAXED
	:: store(0, CHUNK((number - 1) / EACH), (number - 1) % EACH + 2)
#elif !defined(M_COUNT_FIRST)
	:: release(0, CHUNK((number - 1) / EACH), (number - 1) % EACH + 2)
#else
	:: skip
#endif
	fi;
record:
	if
	MAY_DIE
	:: d_step {
		recorded[component]++;
		bump(0, CELL(number))
	}
	fi;
	if
	MAY_DIE
	:: !twice ->
		twice = true;
		component = 1 - component;
		goto next
	:: true
	fi;
	/* promcb_lock_drop(), a system call. */
	d_step {
		land_all(0);
		locked = false;
		owners_left--;
		component = 0; chunk = 0; number = 0; carved = 0; cached = 0; twice = 0
	}
	goto over;
dead:
	/* What it had recorded and what had not landed may be gone with it. */
	atomic {
		chunk = 0;
		do
		:: chunk < COMPONENTS ->
			number = LOAD(0, DIR(chunk));
			if
			:: number && pending[CELL(number)] ->
				cut_off[chunk] = cut_off[chunk] + late[CELL(number)] - mem[CELL(number)]
			:: else
			fi;
			chunk++
		:: else -> break
		od;
		die(0);
		component = 0; chunk = 0; number = 0; carved = 0; cached = 0; twice = 0;
		locked = false;
		owners_left--
	}
over:
	skip
}

#define COUNTED(n) (mem[CHUNK((n - 1) / EACH)] > (n - 1) % EACH + 1)
#define PUBLISHED(n) (mem[DIR(0)] == n || mem[DIR(1)] == n)
#define LOST(n) (COUNTED(n) && !PUBLISHED(n))
#define AHEAD(n) (PUBLISHED(n) && (n - 1) % EACH > 0 && !COUNTED(n - 1))
#if EACH == 2
#define ANY(what) (what(1) || what(2) || what(3) || what(4))
#else
#define ANY(what) (what(1) || what(2))
#endif

active proctype free_lane()
{
end:
	atomic {
		!locked && (ANY(LOST) || ANY(AHEAD) || (mem[DIR(0)] && mem[DIR(0)] == mem[DIR(1)])) -> assert(false)
	}
}

#define TOTAL(c) (mem[DIR(c)] -> mem[CELL(mem[DIR(c)])] : 0)

active proctype totals()
{
end:
	atomic {
		owners_left == 0;
		assert(TOTAL(0) <= recorded[0] && TOTAL(0) + cut_off[0] >= recorded[0]);
		assert(TOTAL(1) <= recorded[1] && TOTAL(1) + cut_off[1] >= recorded[1])
	}
}

/* A scrape of one component, twice. */
active proctype reader()
{
	byte component, number, value, before, header;
	bool again;

	if
	:: component = 0
	:: component = 1
	fi;
look:
#ifdef M_READ_EARLY
	/* As if the load of the block had been moved up. */
	header = mem[HEADER(1)];
	number = mem[DIR(component)];
	if
	:: number != 1 -> header = mem[HEADER(number)]
	:: else
	fi;
#else
	/* [LANE] acquire. */
	if
	:: mem[USED] == 0 -> goto done
	:: else
	fi;
	assert(directory_has_memory);
	/* [DIR] acquire, list_blocks(). */
	number = mem[DIR(component)];
	header = mem[HEADER(number)];
#endif
	if
	:: number == 0 -> goto done
	:: else
	fi;
	/* collect.c: add_block(). */
	assert(header == component + 1);
	d_step {
		value = mem[CELL(number)];
		assert(value <= recorded[component]);
		assert(value >= before);
		before = value;
		value = 0; header = 0; number = 0
	}
done:
	if
	:: !again -> again = true; goto look
	:: else
	fi
}

init {
	atomic {
		/* Memory that somebody used before. */
		mem[CELL(1)] = JUNK;
		mem[CELL(2)] = JUNK;
#if EACH == 2
		mem[CELL(3)] = JUNK;
		mem[CELL(4)] = JUNK;
#endif
		run owner(0, true);
		run owner(1, true);
		run owner(2, false)
	}
}

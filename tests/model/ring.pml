/* SPDX-License-Identifier: MIT */
/*
 * ring.pml: a component that sees more calls gets a full ring in place of the one in its block. [RING]
 *
 * Covers lane.c (promcb_lane_grow_ring, find_room, is_published, count_carved), the stores of a record in inline.h
 * and record.c, and collect.c (note_ring, copy_ring). One lane with two components, whose blocks are there; a first
 * ring of one slot and full rings of two; an owner that may die at any step, and the next; a scrape.
 *
 * Invariants
 *   - A scrape finds in a ring nothing but empty slots and samples of that component that were recorded.
 *   - A ring that is cleared is no block's; no two blocks have the same ring.
 *   - No leak: with the lane free, every ring that its chunk counts is a block's.
 *
 * Does not cover: which of the samples survive a death between the new ring and its head, chunks that run full
 * (chunk.pml), overflow blocks, whose ring never grows, the order of samples.
 *
 * Mutations: M_RING_RELAXED, M_PUBLISH_FIRST, M_NO_CLEAR, M_READ_EARLY, M_NO_REPAIR, M_COUNT_FIRST, M_COUNT_RELAXED
 */
#define WRITERS 1
#define RINGS 2
#define JUNK 9

/*
 * A head: the position, modulo the slots. A sample: component + 1. Rings hold JUNK before they are cleared: what an
 * earlier owner may have left, who died before the ring was any block's.
 */
#define RING(c) (c)
#define HEAD(c) (2 + (c))
#define FIRST(c) (4 + (c))
#define FULL(r, slot) (6 + ((r) - 1) * 2 + (slot))
#define CARVED 10
#define WORDS 11

#include "weak.h"

bool locked, first_gone;

#define MAY_DIE :: mortal -> goto dead

proctype owner(byte next; bool mortal)
{
	byte component, number, ring, head, round;

	atomic { !locked && (next == 0 || first_gone) -> locked = true };
	do
	:: round < 3 - next ->
		round++;
		if
		:: component = 0
		:: component = 1
		fi;
		number = LOAD(0, RING(component));
		head = LOAD(0, HEAD(component));
		if
		/* A record: the sample, then the head. All relaxed. */
		:: true ->
			if
			MAY_DIE
			:: number == 0 -> store(0, FIRST(component), component + 1)
			:: number -> store(0, FULL(number, head), component + 1)
			fi;
			if
			MAY_DIE
			:: store(0, HEAD(component), (head + 1) % 2)
			fi
		/* promcb_lane_grow_ring() */
		:: number == 0 ->
			/* find_room(), is_published() */
			ring = LOAD(0, CARVED) + 1;
#ifndef M_NO_REPAIR
			if
			:: ring <= RINGS && (LOAD(0, RING(0)) == ring || LOAD(0, RING(1)) == ring) ->
				if
				MAY_DIE
				:: release(0, CARVED, ring)
				fi;
				ring++
			:: else
			fi;
#endif
			assert(ring <= RINGS);
			assert(LOAD(0, RING(0)) != ring && LOAD(0, RING(1)) != ring);
#ifdef M_PUBLISH_FIRST
			if
			MAY_DIE
			:: release(0, RING(component), ring)
			fi;
#endif
#ifndef M_NO_CLEAR
			if
			MAY_DIE
			:: store(0, FULL(ring, 0), 0)
			fi;
			if
			MAY_DIE
			:: store(0, FULL(ring, 1), 0)
			fi;
#endif
			/* Positions begin anew; the last sample comes along. */
			if
			MAY_DIE
			:: LOAD(0, FIRST(component)) -> store(0, FULL(ring, 1), component + 1)
			:: LOAD(0, FIRST(component)) == 0
			fi;
#ifdef M_COUNT_FIRST
			if
			MAY_DIE
			:: release(0, CARVED, ring)
			fi;
#endif
#ifndef M_PUBLISH_FIRST
			/* [RING] release. */
			if
			MAY_DIE
#ifdef M_RING_RELAXED
			:: store(0, RING(component), ring)
#else
			:: release(0, RING(component), ring)
#endif
			fi;
#endif
			/* [DIR] release, count_carved(). */
			if
			MAY_DIE
#ifdef M_COUNT_RELAXED
			:: store(0, CARVED, ring)
#else
			:: release(0, CARVED, ring)
#endif
			fi;
			if
			MAY_DIE
			:: store(0, HEAD(component), 0)
			fi;
			ring = 0
		fi
	:: true -> break
	od;
	skip;
	d_step {
		land_all(0);
		locked = false;
		first_gone = true;
		component = 0; number = 0; ring = 0; head = 0; round = 0
	}
	goto over;
dead:
	atomic {
		die(0);
		locked = false;
		first_gone = true;
		component = 0; number = 0; ring = 0; head = 0; round = 0
	}
over:
	skip
}

#define LOST(n) (!locked && mem[CARVED] >= n && mem[RING(0)] != n && mem[RING(1)] != n)

active proctype invariant()
{
end:
	atomic { (mem[RING(0)] && mem[RING(0)] == mem[RING(1)]) || LOST(1) || LOST(2) -> assert(false) }
}

#define GENUINE(sample) ((sample) == 0 || (sample) == component + 1)

active proctype reader()
{
	byte component, number, slot, sample;

	if
	:: component = 0
	:: component = 1
	fi;
	if
	:: slot = 0
	:: slot = 1
	fi;
	/* collect.c: note_ring(), then copy_ring(), for one slot. [RING] acquire. */
#ifdef M_READ_EARLY
	sample = mem[FULL(1, slot)];
	number = mem[RING(component)];
	if
	:: number == 2 -> sample = mem[FULL(2, slot)]
	:: number == 0 -> sample = mem[FIRST(component)]
	:: number == 1
	fi;
#else
	number = mem[RING(component)];
	if
	:: number -> sample = mem[FULL(number, slot)]
	:: else -> sample = mem[FIRST(component)]
	fi;
#endif
	assert(GENUINE(sample))
}

init {
	atomic {
		mem[FULL(1, 0)] = JUNK;
		mem[FULL(1, 1)] = JUNK;
		mem[FULL(2, 0)] = JUNK;
		mem[FULL(2, 1)] = JUNK;
		run owner(0, true);
		run owner(1, false)
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * component.pml: a name becomes a descriptor, once. [PUB]
 *
 * Covers component.c (probe, is_listed, own_descriptor, fill_descriptor, register_in) with the overflow block that
 * lane.c carves, and catalog.c (list_component). Two lanes register the same name at once; the owner of the first may
 * die at any step, and the next owner of that lane registers that name and another, in either order. All names fall on
 * the same slot of the table, so each collides.
 *
 * Invariants
 *   - No two words of the table lead to the same name, or to the same descriptor; a word never changes.
 *   - What a word leads to is named, and has an overflow block that is its own: for a scrape, and for who registers.
 *   - No leak: a lane that nobody holds has at most one claimed descriptor that is not listed, and counts no block
 *     that no descriptor has.
 *   - In the end each name is listed.
 *
 * Does not cover: a full table or segment, plain blocks of the same lane (lane.pml), handles in a process, the
 * registrar's lane, which is a lane.
 *
 * Mutations: M_PUB_RELAXED, M_READ_EARLY, M_PUB_PLAIN, M_NO_REPROBE, M_CLAIM_PLAIN, M_NO_SPARE, M_NOT_LISTED,
 * M_OVERFLOW_TRUSTED, M_NAME_LATE, M_COUNT_EARLY, M_NO_REPAIR
 */
#define WRITERS 2
#define LANES 2
#define DESCRIPTORS 3
#define SLOTS 3
#define EACH 2

/*
 * A table word: 0, or name * 4 + descriptor + 1. A claim: 0, or lane + 1. Lane n's chunk has blocks n * EACH + 1 and
 * on. A block's header: 0, or descriptor + 1, of kind overflow.
 */
#define TABLE(n) (n)
#define CLAIM(d) (3 + (d))
#define NAME(d) (6 + (d))
#define OVERFLOW(d) (9 + (d))
#define HEADER(b) (11 + (b))
#define CARVED(lane) (16 + (lane))
#define WORDS 18

#include "weak.h"

#define LISTED_NAME(word) ((word) / 4)
#define LISTED(word) ((word) % 4 - 1)

bool locked[LANES], first_gone;
byte done;

#define MAY_DIE :: mortal -> goto dead

/* component.c: probe(). The word before the descriptor. Gives the slot, or found. */
#define PROBE(label_found, label_absent) \
	slot = 0; \
	do \
	:: d_step { slot < SLOTS && mem[TABLE(slot)] -> word = mem[TABLE(slot)] }; \
		if \
		:: LISTED_NAME(word) == name && LOAD(lane, NAME(LISTED(word))) == name -> goto label_found \
		:: else -> slot++ \
		fi; \
		word = 0 \
	:: slot < SLOTS && mem[TABLE(slot)] == 0 -> goto label_absent \
	od

proctype registrar(byte lane; byte name; bool mortal; bool next_owner)
{
	byte slot, word, own, block, carved, d;
	bool mine, again;

	atomic { !locked[lane] && (!next_owner || first_gone) -> locked[lane] = true };
	/* promcb_component_register() */
name_it:
	PROBE(next, absent);
absent:
	/* own_descriptor(): one that a dead owner left, */
	d = 0;
	if
#ifndef M_NO_SPARE
	:: next_owner && !again ->
		do
		:: d < DESCRIPTORS && LOAD(lane, CLAIM(d)) == lane + 1 ->
			/* is_listed() */
			slot = 0;
#ifndef M_NOT_LISTED
			do
			:: d_step {
				slot < SLOTS && mem[TABLE(slot)] && LISTED(mem[TABLE(slot)]) != d -> slot++
			}
			:: slot == SLOTS || mem[TABLE(slot)] == 0 -> own = d + 1; break
			:: d_step { slot < SLOTS && mem[TABLE(slot)] && LISTED(mem[TABLE(slot)]) == d -> skip }; break
			od;
			slot = 0;
#else
			own = d + 1;
#endif
			if
			:: own -> break
			:: else -> d++
			fi
		:: d < DESCRIPTORS && LOAD(lane, CLAIM(d)) != lane + 1 -> d++
		:: d == DESCRIPTORS -> break
		od
#endif
	:: !next_owner || again
#ifdef M_NO_SPARE
	:: next_owner && !again
#endif
	fi;
	d = 0;
	/* or a free one. [PUB] the claim before the descriptor. */
	do
	:: own -> break
	:: !own && d < DESCRIPTORS ->
		if
		MAY_DIE
#ifdef M_CLAIM_PLAIN
		:: mem[CLAIM(d)] == 0 -> store(lane, CLAIM(d), lane + 1); mine = true
		:: mem[CLAIM(d)] != 0 -> mine = false
#else
		:: cas(lane, CLAIM(d), 0, lane + 1, mine)
#endif
		fi;
		if
		:: mine -> own = d + 1; mine = false
		:: else -> d++
		fi
	:: !own && d == DESCRIPTORS -> goto next
	od;
	/* From now on the spare of its owner, until it is published. */
	d = own - 1;
	/* fill_descriptor() */
	assert(LOAD(lane, CLAIM(d)) == lane + 1);
	block = LOAD(lane, OVERFLOW(d));
#ifndef M_OVERFLOW_TRUSTED
	if
	:: block && (LOAD(lane, HEADER(block)) != d + 1 || (block - 1) / EACH != lane) -> block = 0
	:: else
	fi;
#endif
	if
	MAY_DIE
	:: store(lane, NAME(d), 0)
	fi;
#ifndef M_NAME_LATE
	if
	MAY_DIE
	:: store(lane, NAME(d), name)
	fi;
#endif
	if
	:: block == 0 ->
		/* lane.c: find_room(), is_published() by the header that lies there. */
		carved = LOAD(lane, CARVED(lane));
		assert(carved < EACH);
#ifndef M_NO_REPAIR
		block = LOAD(lane, HEADER(lane * EACH + carved + 1));
#endif
		if
		:: block && LOAD(lane, CLAIM(block - 1)) &&
		   LOAD(lane, OVERFLOW(block - 1)) == lane * EACH + carved + 1 ->
			carved++;
			release(lane, CARVED(lane), carved)
		:: else
		fi;
		assert(carved < EACH);
		block = lane * EACH + carved + 1;
		/* promcb_lane_carve() */
		if
		MAY_DIE
		:: store(lane, HEADER(block), 0)
		fi;
		if
		MAY_DIE
		:: store(lane, HEADER(block), d + 1)
		fi;
#ifdef M_COUNT_EARLY
		if
		MAY_DIE
		:: release(lane, CARVED(lane), carved + 1)
		fi;
#endif
		if
		MAY_DIE
		:: store(lane, OVERFLOW(d), block)
		fi;
		/* promcb_lane_commit_block() */
#ifndef M_COUNT_EARLY
		if
		MAY_DIE
		:: release(lane, CARVED(lane), carved + 1)
		fi;
#endif
		carved = 0
	:: else
	fi;
	block = 0;
	/* register_in() */
try:
	PROBE(next, publish);
publish:
	/* [PUB] release. */
	if
	MAY_DIE
#if defined(M_PUB_RELAXED)
	:: d_step {
		mine = (mem[TABLE(slot)] == 0);
		if
		:: mine -> mem[TABLE(slot)] = name * 4 + d + 1
		:: else
		fi
	}
#elif defined(M_PUB_PLAIN)
	:: flush(lane); mem[TABLE(slot)] = name * 4 + d + 1; mine = true
#else
	:: cas(lane, TABLE(slot), 0, name * 4 + d + 1, mine)
#endif
	fi;
#ifdef M_NAME_LATE
	store(lane, NAME(d), name);
#endif
	if
	:: mine -> own = 0
	:: else ->
#ifdef M_NO_REPROBE
		slot++;
		goto publish
#else
		goto try
#endif
	fi;
	if
	MAY_DIE
	:: skip
	fi;
next:
	/* The next owner registers the other name, too. */
	if
	:: next_owner && !again ->
		d_step { again = true; name = 3 - name; slot = 0; word = 0; block = 0; carved = 0; d = 0; mine = false }
		goto name_it
	:: else
	fi;
	d_step {
		land_all(lane);
		locked[lane] = false;
		if
		:: lane == 0 -> first_gone = true
		:: else
		fi;
		done++;
		slot = 0; word = 0; own = 0; block = 0; carved = 0; d = 0; mine = false; again = false
	}
	goto over;
dead:
	atomic {
		die(lane);
		locked[lane] = false;
		first_gone = true;
		done++;
		slot = 0; word = 0; own = 0; block = 0; carved = 0; d = 0; mine = false; again = false
	}
over:
	skip
}

#define BOTH(a, b) (mem[TABLE(a)] && mem[TABLE(b)])
#define SAME(a, b) (BOTH(a, b) && (LISTED_NAME(mem[TABLE(a)]) == LISTED_NAME(mem[TABLE(b)]) || \
	LISTED(mem[TABLE(a)]) == LISTED(mem[TABLE(b)])))
#define IS_LISTED(d) (mem[TABLE(0)] % 4 == d + 1 || mem[TABLE(1)] % 4 == d + 1 || mem[TABLE(2)] % 4 == d + 1)
#define SPARE(lane, d) (mem[CLAIM(d)] == lane + 1 && !IS_LISTED(d))
#define LEAK(lane) (!locked[lane] && ((SPARE(lane, 0) && SPARE(lane, 1)) || (SPARE(lane, 0) && SPARE(lane, 2)) || \
	(SPARE(lane, 1) && SPARE(lane, 2))))
#define HAS(d, b) (mem[OVERFLOW(d)] == b)
#define LOST(lane, n) (!locked[lane] && mem[CARVED(lane)] > n && \
	!HAS(0, lane * EACH + n + 1) && !HAS(1, lane * EACH + n + 1) && !HAS(2, lane * EACH + n + 1))

active proctype invariant()
{
end:
	atomic {
		SAME(0, 1) || SAME(0, 2) || SAME(1, 2) || LEAK(0) || LEAK(1) ||
		LOST(0, 0) || LOST(0, 1) || LOST(1, 0) || LOST(1, 1) -> assert(false)
	}
}

#define LISTS(name) (LISTED_NAME(mem[TABLE(0)]) == name || LISTED_NAME(mem[TABLE(1)]) == name || \
	LISTED_NAME(mem[TABLE(2)]) == name)

active proctype listed_in_the_end()
{
end:
	atomic { done == 3; assert(LISTS(1) && LISTS(2)) }
}

/* catalog.c: list_component(), of one slot. */
active proctype reader()
{
	byte slot, word, name, block;

	if
	:: slot = 0
	:: slot = 1
	:: slot = 2
	fi;
#ifdef M_READ_EARLY
	/* As if the descriptor had been loaded before the word. */
	name = mem[NAME(0)];
	word = mem[TABLE(slot)];
	if
	:: word && LISTED(word) -> name = mem[NAME(LISTED(word))]
	:: else
	fi;
#else
	/* [PUB] acquire. */
	word = mem[TABLE(slot)];
	if
	:: word -> name = mem[NAME(LISTED(word))]
	:: else
	fi;
#endif
	if
	:: word ->
		assert(name == LISTED_NAME(word));
		block = mem[OVERFLOW(LISTED(word))];
		assert(block);
		assert(mem[HEADER(block)] == LISTED(word) + 1);
		assert(mem[TABLE(slot)] == word)
	:: else
	fi
}

init {
	byte first_name;

	atomic {
		if
		:: first_name = 1
		:: first_name = 2
		fi;
		run registrar(0, 1, true, false);
		run registrar(1, 1, false, false);
		run registrar(0, first_name, false, true)
	}
}

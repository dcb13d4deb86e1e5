/* SPDX-License-Identifier: MIT */
/*
 * series.pml: label values become a series, once, with cells and a place below the cap that are its own. [PIECE]
 *
 * Covers series.c (add, take_place), table.c (promcb_table_find, promcb_table_put, promcb_table_cells) and part.c
 * (promcb_part_carve, promcb_part_commit, promcb_part_give_up, promcb_part_settle, promcb_part_count_cells), and
 * records.c (a series of the table). Two lanes register the same key at once; the owner of the first may die at any
 * step, the next owner of that lane as well, who registers that key or another; then one who registers both. All keys go
 * the same way through the table, so each collides. A record is one line, and has one cell.
 *
 * Invariants
 *   - No two words of the table are of the same key, or lead to the same record; a word never changes.
 *   - No cell has two series.
 *   - What a word leads to is whole: for a scrape, and for who registers.
 *   - No leak: of a lane that nobody holds, what is counted is led to; what is led to is counted, but for one.
 *   - The count of a family is at least that of its series, and more by no more than what died between a step of it and
 *     the word that tells of that.
 *   - In the end each key is listed.
 *
 * Does not cover: pages of the table and rows of copies, which are published as records are, by one exchange of a word;
 * stretches and parts, which are taken as chunks are (chunk.pml); families, whose records go the same way; removal.
 *
 * Mutations: M_PUT_PLAIN, M_NO_REPROBE, M_READ_EARLY, M_NO_SETTLE, M_SETTLE_TRUSTS, M_COUNT_EARLY,
 * M_COUNT_RELAXED, M_LINES_FIRST, M_NO_GIVE_BACK, M_GIVE_BACK_FIRST, M_TOLD_EARLY
 */
#define WRITERS 2
#define LANES 2
#define SLOTS 3
#define PLACES 4

/*
 * A table word: 0, or key * 8 + place. Lane n's part has places n * 2 + 1 and the next, and its stretch the cells of
 * these numbers. A record's first word: 0, or its key.
 */
#define TABLE(n) (n)
#define LINES(lane) (3 + (lane))
#define CELLS(lane) (5 + (lane))
#define COUNT 7
#define KEY(place) (7 + (place))
#define CELL(place) (11 + (place))
#define LIFE(place) (15 + (place))
#define WORDS 20

#include "weak.h"

#define LISTED_KEY(word) ((word) / 8)
#define LISTED(word) ((word) % 8)

bool locked[LANES];
byte owners_left = 3, done, lost_places;

#define MAY_DIE :: mortal -> goto dead

/* table.c: promcb_table_find(). The word before the record. Gives the slot, or found. */
#define FIND(label_found, label_absent) \
	slot = 0; \
	do \
	:: d_step { slot < SLOTS && mem[TABLE(slot)] -> word = mem[TABLE(slot)] }; \
		if \
		:: LOAD(lane, KEY(LISTED(word))) == key -> goto label_found \
		:: else -> slot++ \
		fi; \
		word = 0 \
	:: slot < SLOTS && mem[TABLE(slot)] == 0 -> goto label_absent \
	od

/* promcb_add_relaxed(): at once, and it lands nothing. */
inline count(by)
{
	d_step { mem[COUNT] = mem[COUNT] + by }
}

proctype registrar(byte lane; byte key; bool mortal; byte turn)
{
	byte slot, word, record, cell, carved;
	bool mine, again, taken;

	atomic { !locked[lane] && (lane == 1 || owners_left == 3 - turn) -> locked[lane] = true };
	/* promcb_part_settle(): the piece behind what is counted. */
#ifndef M_NO_SETTLE
	carved = LOAD(lane, LINES(lane));
	if
	:: carved < 2 && LOAD(lane, KEY(lane * 2 + carved + 1)) ->
		record = lane * 2 + carved + 1;
		/* is_published() */
#ifndef M_SETTLE_TRUSTS
		do
		:: d_step { slot < SLOTS && mem[TABLE(slot)] && LISTED(mem[TABLE(slot)]) != record -> slot++ }
		:: d_step { slot < SLOTS && mem[TABLE(slot)] && LISTED(mem[TABLE(slot)]) == record -> mine = true }; break
		:: slot == SLOTS || mem[TABLE(slot)] == 0 -> break
		od;
		slot = 0;
#else
		mine = true;
#endif
		if
		:: mine ->
			/* count_cells_of(), count_lines() */
			cell = LOAD(lane, CELL(record));
			if
			MAY_DIE
			:: LOAD(lane, CELLS(lane)) < cell - lane * 2 -> store(lane, CELLS(lane), cell - lane * 2)
			:: else
			fi;
			if
			MAY_DIE
			:: release(lane, LINES(lane), carved + 1)
			fi
#ifndef M_NO_GIVE_BACK
		:: !mine && LOAD(lane, LIFE(record)) ->
			/* give_back() */
			taken = true;
#ifdef M_GIVE_BACK_FIRST
			count(-1);
			taken = false;
			if
			MAY_DIE
			:: store(lane, LIFE(record), 0)
			fi
#else
			if
			MAY_DIE
			:: release(lane, LIFE(record), 0); flush(lane)
			fi;
			if
			MAY_DIE
			:: count(-1); taken = false
			fi
#endif
		:: !mine && !LOAD(lane, LIFE(record))
#else
		:: !mine
#endif
		fi;
		record = 0; cell = 0; mine = false
	:: else
	fi;
	carved = 0;
#endif
	/* promcb_series_find_or_add() */
register:
	FIND(next, absent);
absent:
	/* promcb_table_cells() */
	cell = lane * 2 + LOAD(lane, CELLS(lane)) + 1;
	/* promcb_part_carve() */
	record = lane * 2 + LOAD(lane, LINES(lane)) + 1;
	assert(record <= lane * 2 + 2 && cell <= lane * 2 + 2);
	if
	MAY_DIE
	:: d_step {
		store(lane, KEY(record), 0);
		store(lane, CELL(record), 0);
		store(lane, LIFE(record), 0)
	}
	fi;
	/* carve_record() */
	if
	MAY_DIE
	:: d_step {
		store(lane, KEY(record), key);
		store(lane, CELL(record), cell)
	}
	fi;
#ifdef M_TOLD_EARLY
	if
	MAY_DIE
	:: store(lane, LIFE(record), 1)
	fi;
#endif
	/* take_place(), by compare and exchange. */
	if
	MAY_DIE
	:: d_step { land_all(lane); mem[COUNT] = mem[COUNT] + 1; taken = true }
	fi;
#ifndef M_TOLD_EARLY
	if
	MAY_DIE
	:: store(lane, LIFE(record), 1)
	fi;
#endif
#ifdef M_COUNT_EARLY
	if
	MAY_DIE
	:: store(lane, CELLS(lane), cell - lane * 2); release(lane, LINES(lane), record - lane * 2)
	fi;
#endif
	/* promcb_table_put(). [PIECE] release. */
	if
	MAY_DIE
#if defined(M_PUT_PLAIN)
	:: flush(lane); mem[TABLE(slot)] = key * 8 + record; mine = true
#else
	:: cas(lane, TABLE(slot), 0, key * 8 + record, mine)
#endif
	fi;
	if
	:: mine ->
		taken = false;
#if defined(M_LINES_FIRST)
		if
		MAY_DIE
		:: release(lane, LINES(lane), record - lane * 2)
		fi;
#endif
#ifndef M_COUNT_EARLY
		/* promcb_part_count_cells() */
		if
		MAY_DIE
		:: store(lane, CELLS(lane), cell - lane * 2)
		fi;
		/* promcb_part_commit(). [PIECE] release. */
		if
		MAY_DIE
#if defined(M_LINES_FIRST)
		:: skip
#elif defined(M_COUNT_RELAXED)
		:: store(lane, LINES(lane), record - lane * 2)
#else
		:: release(lane, LINES(lane), record - lane * 2)
#endif
		fi;
#endif
		if
		MAY_DIE
		:: mine = false
		fi
	:: else ->
		/* promcb_part_give_up() */
		if
		MAY_DIE
		:: release(lane, LIFE(record), 0); flush(lane)
		fi;
		if
		MAY_DIE
		:: count(-1); taken = false
		fi;
#ifdef M_NO_REPROBE
		do
		:: slot < SLOTS && mem[TABLE(slot)] -> slot++
		:: else -> break
		od;
		goto absent
#else
		goto register
#endif
	fi;
next:
	/* The last owner registers the other key, too. */
	if
	:: turn == 2 && !again ->
		d_step { again = true; key = 3 - key; slot = 0; word = 0; record = 0; cell = 0; mine = false }
		goto register
	:: else
	fi;
	d_step {
		land_all(lane);
		locked[lane] = false;
		if
		:: lane == 0 -> owners_left--
		:: else
		fi;
		done++;
		slot = 0; word = 0; record = 0; cell = 0; mine = false; again = false
	}
	goto over;
dead:
	atomic {
		die(lane);
		/* What was taken, and nothing tells of it. */
		if
		:: taken && mem[LIFE(record)] == 0 -> lost_places++
		:: else
		fi;
		locked[lane] = false;
		owners_left--;
		done++;
		slot = 0; word = 0; record = 0; cell = 0; mine = false; again = false; taken = false
	}
over:
	skip
}

#define BOTH(a, b) (mem[TABLE(a)] && mem[TABLE(b)])
#define CELL_OF(n) mem[CELL(LISTED(mem[TABLE(n)]))]
#define SAME(a, b) (BOTH(a, b) && (LISTED_KEY(mem[TABLE(a)]) == LISTED_KEY(mem[TABLE(b)]) || \
	LISTED(mem[TABLE(a)]) == LISTED(mem[TABLE(b)]) || CELL_OF(a) == CELL_OF(b)))
#define IS_LED_TO(p) (LISTED(mem[TABLE(0)]) == p || LISTED(mem[TABLE(1)]) == p || LISTED(mem[TABLE(2)]) == p)
#define COUNTED(lane, n) (mem[LINES(lane)] >= n)
#define LEAK(lane, n) (!locked[lane] && COUNTED(lane, n) && !IS_LED_TO(lane * 2 + n))
#define AHEAD(lane) (!locked[lane] && IS_LED_TO(lane * 2 + 2) && !COUNTED(lane, 1))
#define LISTED_COUNT ((mem[TABLE(0)] > 0) + (mem[TABLE(1)] > 0) + (mem[TABLE(2)] > 0))

active proctype invariant()
{
end:
	atomic {
		SAME(0, 1) || SAME(0, 2) || SAME(1, 2) || LEAK(0, 1) || LEAK(0, 2) || LEAK(1, 1) || LEAK(1, 2) ||
		AHEAD(0) || AHEAD(1) || mem[COUNT] < LISTED_COUNT -> assert(false)
	}
}

#define LISTS(key) (LISTED_KEY(mem[TABLE(0)]) == key || LISTED_KEY(mem[TABLE(1)]) == key || \
	LISTED_KEY(mem[TABLE(2)]) == key)

active proctype in_the_end()
{
end:
	atomic { done == 4; assert(LISTS(1) && LISTS(2) && mem[COUNT] <= LISTED_COUNT + lost_places) }
}

/* records.c: a series of one slot. */
active proctype reader()
{
	byte slot, word, key;

	if
	:: slot = 0
	:: slot = 1
	:: slot = 2
	fi;
#ifdef M_READ_EARLY
	/* As if the record had been loaded before the word. */
	key = mem[KEY(1)];
	word = mem[TABLE(slot)];
	if
	:: word && LISTED(word) != 1 -> key = mem[KEY(LISTED(word))]
	:: else
	fi;
#else
	/* [PIECE] acquire. */
	word = mem[TABLE(slot)];
	if
	:: word -> key = mem[KEY(LISTED(word))]
	:: else
	fi;
#endif
	if
	:: word ->
		assert(key == LISTED_KEY(word));
		assert(mem[CELL(LISTED(word))]);
		assert(mem[TABLE(slot)] == word)
	:: else
	fi
}

/* QUICK: the second owner of the lane registers the other key, and lives. */
#ifdef QUICK
#define SECOND_MAY_DIE false
#else
#define SECOND_MAY_DIE true
#endif

init {
	byte second;

	atomic {
		if
#ifndef QUICK
		:: second = 1
#endif
		:: second = 2
		fi;
		run registrar(0, 1, true, 0);
		run registrar(1, 1, false, 0);
		run registrar(0, second, SECOND_MAY_DIE, 1);
		run registrar(0, 1, false, 2)
	}
}

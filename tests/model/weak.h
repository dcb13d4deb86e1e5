/* SPDX-License-Identifier: MIT */
/*
 * weak.h: memory as the models know it. A model defines WRITERS and WORDS before it includes this.
 *
 * Each writer has a buffer of stores that nobody else sees yet. A pending store lands at any time, in any order (the
 * process "landing"). A release store is pending like any other, but all that was stored before it has landed: so it
 * may be late, and what follows it may overtake it. A compare-and-swap lands what was stored before, and happens at
 * once. Who dies may have executed any of its pending stores, and no others: that is also what a compiler may do that
 * reorders plain stores. System calls (locks, fallocate, link) are ordered: they land everything.
 *
 * Loads see the writer's own pending stores, else memory. Loads happen in the order of the model: a missing acquire is
 * a mutation that swaps them. What has landed, all see: machines on which two readers may disagree about the order of
 * two writers' stores are not covered (none of x86, Armv8 and RISC-V is one).
 */
byte mem[WORDS];
byte late[WRITERS * WORDS];
bool pending[WRITERS * WORDS];

#define AT(writer, word) ((writer)*WORDS + (word))
#define LOAD(writer, word) (pending[AT(writer, word)]->late[AT(writer, word)] : mem[word])

inline store(by, place, content)
{
	d_step
	{
		late[AT(by, place)] = content;
		pending[AT(by, place)] = true
	}
}

/* A load and a store of one more. */
inline bump(by, place)
{
	d_step
	{
		if
			::pending[AT(by, place)] ::else->late[AT(by, place)] = mem[place] fi;
		late[AT(by, place)] = late[AT(by, place)] + 1;
		pending[AT(by, place)] = true
	}
}

/* Inside of a d_step. */
inline land_all(by)
{
	landing_word = 0;
	do
		::landing_word < WORDS->if ::pending[AT(by, landing_word)]->mem[landing_word] =
			late[AT(by, landing_word)];
	late[AT(by, landing_word)] = 0;
	pending[AT(by, landing_word)] = false ::else fi;
	landing_word++ ::else->break od;
	landing_word = 0
}

inline flush(by)
{
	d_step
	{
		land_all(by)
	}
}

inline release(by, place, content)
{
	d_step
	{
		land_all(by);
		late[AT(by, place)] = content;
		pending[AT(by, place)] = true
	}
}

inline cas(by, place, expected, desired, outcome)
{
	d_step
	{
		land_all(by);
		outcome = (mem[place] == (expected));
		if
			::outcome->mem[place] = desired ::else fi
	}
}

/* Inside of an atomic: each pending store was executed, or was not. */
inline die(by)
{
	dying_word = 0;
	do
		::dying_word < WORDS &&pending[AT(by, dying_word)]->if ::mem[dying_word] =
			late[AT(by, dying_word)] ::skip fi;
	late[AT(by, dying_word)] = 0;
	pending[AT(by, dying_word)] = false;
	dying_word++ ::dying_word < WORDS && !pending[AT(by, dying_word)]->dying_word++ ::dying_word >= WORDS->break od;
	dying_word = 0
}

byte landing_word, dying_word;

/* Lands one pending store, any, at any time. */
active proctype landing()
{
	byte at;

end:
	do
		::atomic
		{
			true;
			do
				::pending[at]->mem[at % WORDS] = late[at];
			late[at] = 0;
			pending[at] = false;
			break ::at < WRITERS *WORDS - 1->at++ ::at == WRITERS *WORDS - 1 && !pending[at]->break od;
			at = 0
		}
	od
}

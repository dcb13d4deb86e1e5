/* SPDX-License-Identifier: MIT */
/*
 * create.pml: a segment is there whole or not at all. [MAGIC]
 *
 * Covers create.c (make, fill, link_nameless, create_renamed), segment.c (promcb_segment_attach, attach_existing,
 * check_file) and admin.c (promcb_remove). Two who attach and create, either way of naming a file, each of which may
 * die at any step; one who removes; one who copies a file that is still being made, in the order of the file, and
 * attaches to the copy.
 *
 * Invariants
 *   - Who opens the name finds a file with all memory, all words, the owner and the mode: no other is ever named.
 *   - A name that leads to a file is made to lead to another only by removing it first.
 *   - Who dies leaves no name, or that of a whole file (and a temporary name beside it, where O_TMPFILE cannot be had).
 *   - A copy without the magic is refused; one with it is whole.
 *   - Who lives is attached in the end, unless what it made or found was removed; so is the file of who is attached to
 *     another than the name leads to, which it can tell.
 *
 * Does not cover: two removers at once, of whom the slower may unlink what was made since its lstat; strangers who
 * write to the directory, errors of the file system, the checks of a header's numbers; temporary names, which nobody
 * opens.
 *
 * Mutations: M_LINK_FIRST, M_REPLACE, M_MAGIC_RELAXED, M_MAGIC_FIRST, M_MODE_LATE, M_COPY_TRUSTED, M_RESERVE_LATE
 */
#define WRITERS 2
#define FILES 4 /* two for each creator; numbered from 1 */
#define ROUNDS 2

/* The words of a file: two parts of its contents, and the magic. */
#define PART(file) (((file) - 1) * 3)
#define OTHER(file) (((file) - 1) * 3 + 1)
#define MAGIC(file) (((file) - 1) * 3 + 2)
#define WORDS (3 * FILES)

#include "weak.h"

/* Of the name, and of files by number. */
byte name, removals;
bool has_memory[FILES + 1], has_mode[FILES + 1], retired[FILES + 1];
byte being_made;

#define MAY_DIE :: true -> goto dead

/* create.c: fill(), of one word. */
#define FILL(file_word) \
	if \
	MAY_DIE \
	:: store(me, file_word, 1) \
	fi

proctype creator(byte me)
{
	byte file, opened, round;

	do
	:: round < ROUNDS ->
		/* attach_existing() */
		opened = name;
		if
		:: opened ->
			/* [MAGIC] check_file() */
			assert(mem[MAGIC(opened)]);
			assert(mem[PART(opened)] && mem[OTHER(opened)] && has_memory[opened] && has_mode[opened]);
			break
		:: else
		fi;
		/* promcb_segment_create(): a file without a name, or with one that nobody attaches to. */
		if
		MAY_DIE
		:: file = me * 2 + 1 + round
		fi;
#ifdef M_LINK_FIRST
		atomic {
			if
			:: name == 0 -> name = file
			:: else
			fi
		};
#endif
#ifndef M_RESERVE_LATE
		if
		MAY_DIE
		:: has_memory[file] = true
		fi;
#endif
		being_made = file;
#ifdef M_MAGIC_FIRST
		release(me, MAGIC(file), 1);
#endif
		FILL(PART(file));
		FILL(OTHER(file));
		/* [MAGIC] release. */
		if
		MAY_DIE
#ifdef M_MAGIC_RELAXED
		:: store(me, MAGIC(file), 1)
#else
		:: release(me, MAGIC(file), 1)
#endif
		fi;
		/* munmap, fchown, fchmod: system calls. */
		if
		MAY_DIE
		:: flush(me)
		fi;
#ifndef M_MODE_LATE
		if
		MAY_DIE
		:: has_mode[file] = true
		fi;
#endif
		/* link_nameless(), or renameat2() with RENAME_NOREPLACE: both fail where there is a name. */
		if
		MAY_DIE
#ifdef M_REPLACE
		:: assert(name == 0); name = file
#elif !defined(M_LINK_FIRST)
		:: atomic {
			if
			:: name == 0 -> name = file
			:: else
			fi
		}
#else
		:: skip
#endif
		fi;
#ifdef M_MODE_LATE
		has_mode[file] = true;
#endif
#ifdef M_RESERVE_LATE
		has_memory[file] = true;
#endif
		round++
	:: round == ROUNDS ->
		opened = name;
		assert(opened || removals);
		break
	od;
	/* promcb_segment_is_gone() knows, or the name leads here. */
	atomic {
		assert(!opened || name == opened || removals);
		file = 0; round = 0; opened = 0
	}
	goto over;
dead:
	atomic {
		die(me);
		file = 0; round = 0; opened = 0
	}
over:
	skip
}

/* admin.c: promcb_remove(), with --force. */
active proctype remover()
{
	byte opened;

	opened = name;
	if
	:: opened ->
		assert(mem[MAGIC(opened)]);
		if
		:: retired[opened] = true
		:: goto over
		fi;
		/* lstat, then unlink. */
		if
		:: name == opened ->
			atomic { assert(name == opened); name = 0; removals++ }
		:: else -> assert(false)
		fi
	:: else
	fi;
over:
	opened = 0
}

/* Copies a file while it is made: the header, with the magic, comes first in the file. */
active proctype copier()
{
	byte file;
	bool magic, part, other;

	being_made -> file = being_made;
	magic = mem[MAGIC(file)];
	part = mem[PART(file)];
	other = mem[OTHER(file)];
	/* [MAGIC] check_file() refuses it without the magic. */
#ifdef M_COPY_TRUSTED
	assert(part && other)
#else
	assert(!magic || (part && other))
#endif
}

#define WHOLE(file) (mem[PART(file)] && mem[OTHER(file)] && mem[MAGIC(file)] && has_memory[file] && has_mode[file])

active proctype invariant()
{
end:
	atomic { name && !WHOLE(name) -> assert(false) }
}

init {
	atomic {
		run creator(0);
		run creator(1)
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * hints.h: a short way to names that are asked for again, in front of the table that has them all.
 *
 * Knows nothing of promcb. A hint leads to a name as it is kept, and holds only if its bytes are those that are asked
 * for. So a hint can be missing or of another name, and never gives what is under another: not where a caller's buffer
 * has a new text, nor after a fork, nor where two threads write one. Asking waits for nobody and allocates nothing.
 *
 * Words, two halves of one size, a power of two that is at least twice as many as names; each the address of a kept
 * name:
 *   by address   two places for each address that somebody asked with; written by who found the name by its bytes
 *   by bytes     four places for each hash, and the next eight, with 7 bits of it above the address; written when a
 *                name is put, by one thread at a time
 * When there are more names, larger halves are made, and the old ones kept, for who looks there: less than once the
 * present ones' size in all. The most is 4 MiB for each table of names; what has no place there is in the table.
 *
 * Pairs, in one process
 *   [HINT] hints.c has a name's bytes, length and value stored before a word leads to it, and the words before they are
 *          told where words are. A thread could compare bytes that are not there yet, and take a value that is none.
 */
#ifndef PROMCB_HINTS_H
#define PROMCB_HINTS_H

#include <promcb/inline.h>

/* Never changed once a hint leads there, and never freed. */
struct promcb_kept_name {
	void *value;
	uint64_t length;
	char bytes[];           /* zero-terminated */
};

struct promcb_hints {
	uint64_t words;         /* where they are, and 64 - the logarithm of how many a half has; 0: none. [HINT] */
	uint64_t seed;          /* of the hash of bytes */
	uint64_t count;         /* of names that were added */
};

static inline uint64_t promcb_hints_word(const char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static inline uint32_t promcb_hints_half(const char *bytes)
{
	uint32_t half;

	memcpy(&half, bytes, sizeof(half));
	return half;
}

/* The first and last bytes of a text of less than 16: all of them. */
static inline uint64_t promcb_hints_first(const char *bytes, size_t length)
{
	if (length >= 8)
		return promcb_hints_word(bytes);
	if (length >= 4)
		return promcb_hints_half(bytes);
	return length ? (uint8_t)bytes[0] | (uint64_t)(uint8_t)bytes[length / 2] << 8 : 0;
}

static inline uint64_t promcb_hints_last(const char *bytes, size_t length)
{
	if (length >= 8)
		return promcb_hints_word(bytes + length - 8);
	if (length >= 4)
		return promcb_hints_half(bytes + length - 4);
	return length ? (uint8_t)bytes[length - 1] : 0;
}

/* Not libc's, which is called; and no byte behind the texts is read. */
static inline bool promcb_hints_is_same(const char *one, const char *other, size_t length)
{
	uint64_t differs;

	if (length < 16)
		return promcb_hints_first(one, length) == promcb_hints_first(other, length) &&
		       promcb_hints_last(one, length) == promcb_hints_last(other, length);
	differs = (promcb_hints_word(one) ^ promcb_hints_word(other)) |
		  (promcb_hints_word(one + 8) ^ promcb_hints_word(other + 8));
	for (; length > 32; length -= 16) {
		one += 16;
		other += 16;
		differs |= (promcb_hints_word(one) ^ promcb_hints_word(other)) |
			   (promcb_hints_word(one + 8) ^ promcb_hints_word(other + 8));
	}
	one += length - 16;
	other += length - 16;
	return (differs | (promcb_hints_word(one) ^ promcb_hints_word(other)) |
		(promcb_hints_word(one + 8) ^ promcb_hints_word(other + 8))) == 0;
}

/* -- Words: the low bits of promcb_hints.words, whose memory begins with a page ------------------------------------ */

/* Of a hash of 64 bits, those above this many choose places: the processor's shifts look at no more of the word. */
static inline unsigned promcb_hints_shift(uint64_t words)
{
	return words & 63;
}

static inline uint64_t *promcb_hints_base(uint64_t words)
{
	return (uint64_t *)(uintptr_t)(words & ~(uint64_t)63);
}

/* The first place of an address, by the digits of the golden ratio; the other one is its neighbour. */
static inline uint64_t *promcb_hints_by_address(uint64_t words, const char *name)
{
	uint64_t hash = (uintptr_t)name * (uint64_t)0x9e3779b97f4a7c15;

	return promcb_hints_base(words) + (hash >> promcb_hints_shift(words));
}

/* The name that a place leads to, if it is this one; or NULL. */
static inline const struct promcb_kept_name *promcb_hints_at(const uint64_t *place, const char *name, size_t length)
{
	/* [HINT] acquire: the word before the name that it leads to. */
	const struct promcb_kept_name *kept = (const struct promcb_kept_name *)(uintptr_t)promcb_load_acquire(place);

	return kept && kept->length == length && promcb_hints_is_same(kept->bytes, name, length) ? kept : NULL;
}

/* -- Asking ------------------------------------------------------------------------------------------------------- */

/* What is under the name, or NULL: there is no hint of it. Any thread. */
void *promcb_hints_find(const struct promcb_hints *hints, const char *name, size_t length);

/* The same where the first hint by the name's address is none: it is there from then on, most of the time. */
void *promcb_hints_find_again(const struct promcb_hints *hints, const char *name, size_t length);

/* What is under the name by the first hint of its address, for who asks with the same memory again. Any thread. */
static inline void *promcb_hints_find_at(const struct promcb_hints *hints, const char *name, size_t length)
{
	/* [HINT] acquire: where words are, before them. */
	uint64_t words = promcb_load_acquire(&hints->words);
	const struct promcb_kept_name *kept;

	if (PROMCB_UNLIKELY(!words))
		return NULL;
	kept = promcb_hints_at(promcb_hints_by_address(words, name), name, length);
	return kept ? kept->value : NULL;
}

/* -- Putting ------------------------------------------------------------------------------------------------------ */

/* One more name, which is there for good. By one thread at a time. Async-signal-safe. */
void promcb_hints_add(struct promcb_hints *hints, const struct promcb_kept_name *name);

#endif

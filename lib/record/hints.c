/* SPDX-License-Identifier: MIT */
#include "record/hints.h"

#include "base/memory.h"

#include <sys/mman.h>

enum { SHIFT_MOST = 64 - 8, SHIFT_LEAST = 64 - 18, BY_BYTES = 4, BY_BYTES_TRIES = 3, REPLACE_EACH = 64 };

/* Of a word by bytes: above it is the tag. */
#define TAG_SHIFT 56

/* Of no pattern: the digits of the square root of 2. */
#define SALT ((uint64_t)0x6a09e667f3bcc909)

/* How often the thread came with an address whose places are taken. */
static __thread uint32_t missed PROMCB_TLS;

/* -- Bytes -------------------------------------------------------------------------------------------------------- */

/* Both halves of the product in one word. */
static inline uint64_t fold(uint64_t one, uint64_t other)
{
	__extension__ unsigned __int128 product = one;

	product *= other;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * Two words a multiplication, keyed, since names come from URLs: the way of wyhash (Wang Yi). Names that meet all the
 * same take places from one another, and no more than that.
 */
static inline uint64_t hash_of(uint64_t seed, const char *bytes, size_t length)
{
	uint64_t hash = seed ^ SALT;
	size_t i = 0;

	for (; i + 16 < length; i += 16)
		hash = fold(promcb_hints_word(bytes + i) ^ seed, promcb_hints_word(bytes + i + 8) ^ hash);
	bytes += i;
	i = length - i;
	if (length >= 16)
		return fold(promcb_hints_word(bytes + i - 16) ^ seed ^ length, promcb_hints_word(bytes + i - 8) ^ hash);
	return fold(promcb_hints_first(bytes, i) ^ seed ^ length, promcb_hints_last(bytes, i) ^ hash);
}

/* -- Words -------------------------------------------------------------------------------------------------------- */

static inline uint64_t half_of(uint64_t words)
{
	return (uint64_t)1 << (64 - promcb_hints_shift(words));
}

/* The places of a hash by bytes. after: how many of them come between. */
static inline uint64_t *by_bytes(uint64_t words, uint64_t hash, unsigned after)
{
	hash += (uint64_t)(after * BY_BYTES) << promcb_hints_shift(words);
	return promcb_hints_base(words) + half_of(words) +
	       (hash >> promcb_hints_shift(words) & ~(uint64_t)(BY_BYTES - 1));
}

/* Never 0, which a free place has. */
static inline uint8_t tag_of(uint64_t hash)
{
	return (uint8_t)(hash >> 32) | 1;
}

static inline uint64_t word_of(const struct promcb_kept_name *name, uint8_t tag)
{
	return (uintptr_t)name | (uint64_t)tag << TAG_SHIFT;
}

static inline const struct promcb_kept_name *name_of(uint64_t word)
{
	return (const struct promcb_kept_name *)(uintptr_t)(word << 8 >> 8);
}

static inline bool is_tagged(uint64_t word, uint8_t tag)
{
	return word >> TAG_SHIFT == tag;
}

/*
 * Of some places the one with the tag, or else any. By arithmetic, not by branches: which it is cannot be foreseen, and
 * two with one tag, which there can be for a moment, lead to one of the places as well.
 */
static inline uint64_t choose(const uint64_t *places, unsigned count, uint8_t tag)
{
	unsigned place = 0;

	for (unsigned i = 1; i < count; i++)
		place |= i * is_tagged(promcb_load_relaxed(&places[i]), tag);
	/* [HINT] acquire: the word before the name that it leads to. */
	return promcb_load_acquire(&places[place]);
}

static inline bool leads_to(uint64_t word, uint8_t tag, const char *name, size_t length)
{
	return is_tagged(word, tag) && name_of(word)->length == length &&
	       promcb_hints_is_same(name_of(word)->bytes, name, length);
}

/* The word of a name, by its bytes; or 0. */
static inline uint64_t word_by_bytes(const struct promcb_hints *hints, uint64_t words, const char *name, size_t length)
{
	uint64_t hash = hash_of(hints->seed, name, length);
	uint8_t tag = tag_of(hash);

	for (unsigned after = 0; after < BY_BYTES_TRIES; after++) {
		uint64_t word = choose(by_bytes(words, hash, after), BY_BYTES, tag);

		if (leads_to(word, tag, name, length))
			return word;
	}
	return 0;
}

/* -- Asking ------------------------------------------------------------------------------------------------------- */

void *promcb_hints_find(const struct promcb_hints *hints, const char *name, size_t length)
{
	/* [HINT] acquire: where words are, before them. */
	uint64_t words = promcb_load_acquire(&hints->words), word;

	if (PROMCB_UNLIKELY(!words))
		return NULL;
	word = word_by_bytes(hints, words, name, length);
	return word ? name_of(word)->value : NULL;
}

static uint64_t *neighbour_of(uint64_t *place)
{
	return (uint64_t *)((uintptr_t)place ^ sizeof(*place));
}

/*
 * A free place is taken. Others are somebody's, or were: of names that meet, those that are asked for most have them
 * most of the time, and nobody writes so often that threads would take the line from one another.
 */
static void remember(uint64_t *place, const struct promcb_kept_name *name)
{
	if (promcb_load_relaxed(place)) {
		if (!promcb_load_relaxed(neighbour_of(place)))
			place = neighbour_of(place);
		else if (++missed % REPLACE_EACH != 0)
			return;
		else if (missed / REPLACE_EACH % 2)
			place = neighbour_of(place);
	}
	/* [HINT] release: the name, as we found it. */
	promcb_store_release(place, (uintptr_t)name);
}

void *promcb_hints_find_again(const struct promcb_hints *hints, const char *name, size_t length)
{
	/* [HINT] acquire: where words are, before them. */
	uint64_t words = promcb_load_acquire(&hints->words), *place, word;
	const struct promcb_kept_name *kept;

	if (!words)
		return NULL;
	place = promcb_hints_by_address(words, name);
	kept = promcb_hints_at(neighbour_of(place), name, length);
	if (kept)
		return kept->value;
	word = word_by_bytes(hints, words, name, length);
	if (!word)
		return NULL;
	remember(place, name_of(word));
	return name_of(word)->value;
}

/* -- Putting ------------------------------------------------------------------------------------------------------ */

static bool put_in(uint64_t *places, const struct promcb_kept_name *name, uint8_t tag)
{
	unsigned place = 0;

	for (; place < BY_BYTES && promcb_load_relaxed(&places[place]); place++)
		/* Of two with one tag only one would be found. */
		if (is_tagged(promcb_load_relaxed(&places[place]), tag))
			return false;
	if (place == BY_BYTES)
		return false;
	/* [HINT] release: the name before the word that leads to it. */
	promcb_store_release(&places[place], word_of(name, tag));
	return true;
}

static void put(uint64_t words, uint64_t seed, const struct promcb_kept_name *name)
{
	uint64_t hash = hash_of(seed, name->bytes, name->length);

	for (unsigned after = 0; after < BY_BYTES_TRIES; after++)
		if (put_in(by_bytes(words, hash, after), name, tag_of(hash)))
			return;
}

/* Larger halves, with hints of all names that had one. Where there is no memory for them, the old ones stay. */
static void grow(struct promcb_hints *hints)
{
	uint64_t old = promcb_load_relaxed(&hints->words), words;
	unsigned shift = old ? promcb_hints_shift(old) - 1 : SHIFT_MOST;

	words = (uintptr_t)promcb_map_sparse((uint64_t)2 * sizeof(uint64_t) << (64 - shift),
					     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	if (!words)
		return;
	words |= shift;
	for (uint64_t i = 0; old && i < half_of(old); i++) {
		uint64_t word = promcb_load_relaxed(promcb_hints_base(old) + half_of(old) + i);

		if (word)
			put(words, hints->seed, name_of(word));
	}
	/* [HINT] release: the words before where they are. */
	promcb_store_release(&hints->words, words);
}

void promcb_hints_add(struct promcb_hints *hints, const struct promcb_kept_name *name)
{
	uint64_t words = promcb_load_relaxed(&hints->words);

	hints->count++;
	if (!words || (hints->count > half_of(words) / 2 && promcb_hints_shift(words) > SHIFT_LEAST)) {
		grow(hints);
		words = promcb_load_relaxed(&hints->words);
	}
	if (words && (uintptr_t)name >> TAG_SHIFT == 0)
		put(words, hints->seed, name);
}

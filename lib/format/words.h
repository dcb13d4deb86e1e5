/* SPDX-License-Identifier: MIT */
/*
 * words.h: the words of a segment that hold more than one thing, but for those of a block, which block.h has. One
 * function makes each, and one for each part takes it out again; nobody else shifts and masks them. Numbers of lanes
 * and components stand in words plus 1, so that 0 is none: the functions take and give the numbers themselves.
 */
#ifndef PROMCB_WORDS_H
#define PROMCB_WORDS_H

#include <stdbool.h>
#include <stdint.h>

/* -- Chunk table: lane + 1 in bits 0 to 15, how many blocks or rings were carved in 16 to 27, the kind in 28 to 31 - */

/* How many blocks or rings a chunk's word can count: with huge pages more would fit, and the rest lies fallow. */
#define PROMCB_CARVED_MAX 4095

static inline uint32_t promcb_chunk_word(uint32_t kind, uint32_t carved, uint32_t lane)
{
	return kind << 28 | carved << 16 | (lane + 1);
}

static inline uint32_t promcb_chunk_kind(uint32_t word)
{
	return word >> 28;
}

static inline uint32_t promcb_chunk_carved(uint32_t word)
{
	return word >> 16 & PROMCB_CARVED_MAX;
}

/* UINT32_MAX: nobody's. */
static inline uint32_t promcb_chunk_lane(uint32_t word)
{
	return (word & 0xffff) - 1;
}

/* Whether the chunk is the lane's. */
static inline bool promcb_chunk_is_of(uint32_t word, uint32_t lane)
{
	return (word & 0xffff) == lane + 1;
}

/* -- Table of names: component + 1 in bits 0 to 15, the hash of the name in 16 to 63 ------------------------------- */

/* What is kept of a hash of 64 bits. */
static inline uint64_t promcb_table_hash_of(uint64_t hash)
{
	return hash >> 16;
}

static inline uint64_t promcb_table_word(uint64_t table_hash, uint32_t component)
{
	return table_hash << 16 | (component + 1);
}

static inline uint64_t promcb_table_hash(uint64_t word)
{
	return word >> 16;
}

/* UINT32_MAX: none. */
static inline uint32_t promcb_table_component(uint64_t word)
{
	return (uint32_t)(word & 0xffff) - 1;
}

/*
 * -- State: changes into closed, open and half-open, 20 bits each; the state in bits 60 and 61; whether the breaker's
 * mode is another than automatic in bit 62; bit 63 is 0 --
 */

#define PROMCB_STATE_SHIFT 60
#define PROMCB_STATE_ASIDE ((uint64_t)1 << 62)
#define PROMCB_TRANSITION_BITS 20
#define PROMCB_TRANSITION_MASK (((uint64_t)1 << PROMCB_TRANSITION_BITS) - 1)

static inline uint64_t promcb_state_word(unsigned state, uint64_t closed, uint64_t open, uint64_t half_open)
{
	return (uint64_t)state << PROMCB_STATE_SHIFT | (closed & PROMCB_TRANSITION_MASK) |
	       (open & PROMCB_TRANSITION_MASK) << PROMCB_TRANSITION_BITS |
	       (half_open & PROMCB_TRANSITION_MASK) << 2 * PROMCB_TRANSITION_BITS;
}

static inline unsigned promcb_state_of(uint64_t word)
{
	return (unsigned)((word & ~PROMCB_STATE_ASIDE) >> PROMCB_STATE_SHIFT);
}

static inline uint64_t promcb_state_transitions(uint64_t word, unsigned state)
{
	return word >> (state * PROMCB_TRANSITION_BITS) & PROMCB_TRANSITION_MASK;
}

/* The word after a change into the state: one more change into it, modulo 2^20. */
static inline uint64_t promcb_state_changed(uint64_t word, unsigned state)
{
	return promcb_state_word(state, promcb_state_transitions(word, 0) + (state == 0),
				 promcb_state_transitions(word, 1) + (state == 1),
				 promcb_state_transitions(word, 2) + (state == 2)) |
	       (word & PROMCB_STATE_ASIDE);
}

/* The low 16 bits of all transitions: what ties a state_time to its state word. */
static inline uint64_t promcb_state_tag(uint64_t word)
{
	return (promcb_state_transitions(word, 0) + promcb_state_transitions(word, 1) +
		promcb_state_transitions(word, 2)) &
	       0xffff;
}

/* -- Time of the state: the tag of its word in bits 0 to 15, CLOCK_REALTIME milliseconds in 16 to 63 --------------- */

static inline uint64_t promcb_state_time(uint64_t state_word, uint64_t realtime_ns)
{
	return realtime_ns / 1000000 << 16 | promcb_state_tag(state_word);
}

/* Whether it is the time of that change. */
static inline bool promcb_state_time_is_of(uint64_t word, uint64_t state_word)
{
	return (word & 0xffff) == promcb_state_tag(state_word);
}

static inline uint64_t promcb_state_time_ns(uint64_t word)
{
	return (word >> 16) * 1000000;
}

/* -- Reset: which baseline counts in bit 0, how often the component was reset in 1 to 63; 0: never ----------------- */

static inline uint64_t promcb_reset_word(uint64_t generation, unsigned which)
{
	return generation << 1 | which;
}

static inline uint64_t promcb_reset_generation(uint64_t word)
{
	return word >> 1;
}

static inline unsigned promcb_reset_which(uint64_t word)
{
	return word & 1;
}

/* The word of the next reset: the other baseline, and at first the one of number 0. */
static inline uint64_t promcb_reset_next(uint64_t word)
{
	return promcb_reset_word(promcb_reset_generation(word) + 1, word ? !promcb_reset_which(word) : 0);
}

#endif

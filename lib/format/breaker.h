/* SPDX-License-Identifier: MIT */
/*
 * breaker.h: the words of circuit breakers: of a component's descriptor, which all processes share, and of the rows in
 * which each lane counts the calls that it let through.
 *
 * Words
 *   breaker   of a component that has a policy: lets calls through or refuses them, for all processes
 *   policy    when a breaker opens, for how long, and how it closes
 *   episode   the time between two changes of the state; its tag is promcb_state_tag()
 *   probe     a call let through while half-open; it holds a permit
 *   permit    the right to one probe, leased to a lane until a time
 *   slot      an eighth of the window, counted from the boot
 *   row       what a lane counts of a breaker: a series of a family of promcb's own, see below
 *
 * The state word is the only authority: a change is one compare and exchange of it. Every other word of the descriptor
 * carries the tag of the episode that it belongs to. One with another tag is as if it were not written yet, and whoever
 * meets it writes it, by compare and exchange as well. So no step is atomic with another, and a death between any two
 * is mended by the next call that looks.
 *
 * Pairs (release here, acquire there; what breaks without)
 *   [BREAK]  episode.c changes the state, then the words with its tag; all load the state before those. The tag would
 *            catch a mix; without the order more of them would have to be caught.
 *   [PERMIT] episode.c takes and gives back a permit by compare and exchange of one word. Two could hold one.
 *   [POLICY] policy.c fills the copy that is not selected, each word with release, then stores the selector; who reads
 *            loads the selector, the copy, the selector. Half a policy could be read.
 *   [LATE]   guard.c counts a call as ended before it counts it as failed or slow, and a failure before its class;
 *            window.c and readers load them the other way round. A window could have more failures than calls, and a
 *            check could find more classes than failures. So it is with what a slot began with, which window.c
 *            stores after what was counted before, and loads before that: less would be there than when it began.
 *            And with a row's slot_end, which it stores after that and after since, and loads before both: the row
 *            would seem to be of slots of another length, or those who had been would be taken for what they are not.
 *            And with whose a row is: cell.c stores what died before holder and taken, and both before the first call
 *            of the new holder; readers load holder, taken, died. A call that is under way would be told as dead.
 */
#ifndef PROMCB_FORMAT_BREAKER_H
#define PROMCB_FORMAT_BREAKER_H

#include "format/metrics.h"

/* -- Rows ---------------------------------------------------------------------------------------------------------- */

/*
 * A family of type PROMCB_FAMILY_BREAKERS and of this name, with one label: the component's name; of one that has
 * labels, a byte and the full name. A series has all cells of a row, so a breaker has one row in each lane's copy, and
 * one in the shared copy.
 */
#define PROMCB_BREAKER_FAMILY "promcb_breaker"
#define PROMCB_BREAKER_LABEL "component"
#define PROMCB_BREAKER_LABELLED_NAME '\x01'

enum {
	PROMCB_BREAKER_SLOTS = 9,       /* of history: the window's eight, and the present one */
	PROMCB_BREAKER_WINDOW_SLOTS = 8,
	PROMCB_BREAKER_SLOT_CELLS = 4,
	PROMCB_BREAKER_CLASSES = 7,
};

/* All but slot_end, slow_ns and the history only grow. */
enum promcb_breaker_cell {
	PROMCB_BREAKER_BEGUN = 0,       /* calls let through */
	PROMCB_BREAKER_ENDED,           /* and ended, in whatever way */
	PROMCB_BREAKER_FAILED,          /* of these: failures */
	PROMCB_BREAKER_SLOW,            /* took longer than the policy's slow_ns, failed or not */
	PROMCB_BREAKER_SLOT_END,        /* CLOCK_MONOTONIC ns: when the slot of the last call ends */
	PROMCB_BREAKER_SLOW_NS,         /* the policy's; all ones: none is slow */
	PROMCB_BREAKER_REFUSED_OPEN,
	/* by slot % 9: ended, failed, slow, ignored as they stood when the slot's first call ended */
	PROMCB_BREAKER_HISTORY,
	PROMCB_BREAKER_IGNORED = PROMCB_BREAKER_HISTORY + PROMCB_BREAKER_SLOTS * PROMCB_BREAKER_SLOT_CELLS,
	PROMCB_BREAKER_REFUSED_HALF_OPEN,
	PROMCB_BREAKER_REFUSED_FORCED,
	PROMCB_BREAKER_SHADOW,          /* let through, but refused if it were not for the shadow mode */
	PROMCB_BREAKER_GOOD,            /* probes that counted: as successes, */
	PROMCB_BREAKER_BAD,             /* as failures */
	PROMCB_BREAKER_LATE,            /* ended in another episode than they began in, or after their lease */
	PROMCB_BREAKER_ELSEWHERE,       /* begun here, and ended in another row; by all */
	PROMCB_BREAKER_DIED,            /* begun by former holders of the lane, and never ended */
	PROMCB_BREAKER_TAKEN,           /* the lane's, as its present holder found it */
	PROMCB_BREAKER_CLASSES_FROM,    /* failures by what they were */
	/* permits that were taken from others, whose lease was over, or whose lane changed hands */
	PROMCB_BREAKER_LOST = PROMCB_BREAKER_CLASSES_FROM + PROMCB_BREAKER_CLASSES,
	PROMCB_BREAKER_FOREIGN,         /* ended here, and begun in another row, or in none */
	PROMCB_BREAKER_HOLDER,          /* cookie of the process that taken is of */
	PROMCB_BREAKER_CELLS = 63,
};

_Static_assert(PROMCB_BREAKER_HOLDER == 62, "cells of a breaker's row");

#define PROMCB_HISTORY_BITS 40
#define PROMCB_HISTORY_MASK (((uint64_t)1 << PROMCB_HISTORY_BITS) - 1)

static inline uint64_t promcb_history_word(uint64_t slot, uint64_t count)
{
	return slot << PROMCB_HISTORY_BITS | (count & PROMCB_HISTORY_MASK);
}

static inline bool promcb_history_is_of(uint64_t word, uint64_t slot)
{
	return word >> PROMCB_HISTORY_BITS == slot << PROMCB_HISTORY_BITS >> PROMCB_HISTORY_BITS;
}

static inline uint64_t promcb_history_count(uint64_t word)
{
	return word & PROMCB_HISTORY_MASK;
}

/*
 * -- Until when an open breaker stays so: tag in bits 0 to 15, level in 16 to 22, whether it was tripped in 23,
 * CLOCK_MONOTONIC milliseconds in 24 to 63. The level is how often it was opened again without success --
 */

static inline uint64_t promcb_until_word(uint64_t tag, unsigned level, bool tripped, uint64_t ms)
{
	return ms << 24 | (uint64_t)tripped << 23 | (uint64_t)level << 16 | tag;
}

static inline uint64_t promcb_word_tag(uint64_t word)
{
	return word & 0xffff;
}

static inline unsigned promcb_until_level(uint64_t word)
{
	return word >> 16 & 0x7f;
}

static inline bool promcb_until_is_tripped(uint64_t word)
{
	return word >> 23 & 1;
}

static inline uint64_t promcb_until_ms(uint64_t word)
{
	return word >> 24;
}

/* -- Result of an episode's probes: tag in bits 0 to 15, bad ones in 16 to 39, good ones in 40 to 63 --------------- */

static inline uint64_t promcb_result_word(uint64_t tag, uint32_t bad, uint32_t good)
{
	return (uint64_t)(good & 0xffffff) << 40 | (uint64_t)(bad & 0xffffff) << 16 | tag;
}

static inline uint32_t promcb_result_bad(uint64_t word)
{
	return word >> 16 & 0xffffff;
}

static inline uint32_t promcb_result_good(uint64_t word)
{
	return (uint32_t)(word >> 40);
}

/*
 * -- Since, streak, opened: tag in bits 0 to 15; CLOCK_MONOTONIC milliseconds from which on calls count, failures in a
 * row, the reason in 16 to 63 --
 */

static inline uint64_t promcb_tagged_word(uint64_t tag, uint64_t value)
{
	return value << 16 | tag;
}

static inline uint64_t promcb_tagged_value(uint64_t word)
{
	return word >> 16;
}

/* A slot's begin for since, and the first slot that begins then or later: a slot is longer than a millisecond. */
static inline uint64_t promcb_since_word(uint64_t tag, uint64_t slot, uint64_t slot_ns)
{
	return promcb_tagged_word(tag, slot * slot_ns / 1000000);
}

static inline uint64_t promcb_since_slot(uint64_t word, uint64_t slot_ns)
{
	uint64_t ms = promcb_tagged_value(word);

	return ms >> 44 ? UINT64_MAX : (ms * 1000000 + slot_ns - 1) / slot_ns;
}

/*
 * -- Permit: the lower 8 bits of the tag in bits 0 to 7, of the lane's taken in 8 to 15, lane + 1 in 16 to 26 (0: of
 * who has no lane), CLOCK_MONOTONIC milliseconds when the lease ends in 27 to 63; 0: free --
 */

static inline uint64_t promcb_permit_word(uint64_t tag, uint64_t taken, uint32_t lane, uint64_t ms)
{
	return ms << 27 | (uint64_t)lane << 16 | (taken & 0xff) << 8 | (tag & 0xff);
}

/* The same, whose lease is over. */
static inline uint64_t promcb_permit_ended(uint64_t word)
{
	return word & (((uint64_t)1 << 27) - 1);
}

static inline uint64_t promcb_permit_ms(uint64_t word)
{
	return word >> 27;
}

static inline uint32_t promcb_permit_lane(uint64_t word)
{
	return word >> 16 & 0x7ff;
}

static inline uint64_t promcb_permit_taken(uint64_t word)
{
	return word >> 8 & 0xff;
}

/* -- Selector of the policy: which copy counts in bit 0, how often it was set in 1 to 63; 0: there is none -- */

/*
 * -- Policy, in words. 0: window_ms in bits 0 to 31, version in 32 to 63. 1: open_ms, open_max_ms. 2: lease_ms,
 * min_calls. 3: slow_ns in 0 to 47, consecutive in 48 to 63. 4: failure_permille in 0 to 9, slow_permille in 10 to 19,
 * jitter_percent in 20 to 26, mode in 27 to 29, probes in 30 to 33, successes in 34 to 41, failures in 42 to 49,
 * whether nobody gave it and any other takes its place in 50, whether it is an operator's in 51. 5: 0
 */

enum promcb_breaker_mode {
	PROMCB_MODE_WORD_AUTOMATIC = 0,
	PROMCB_MODE_WORD_OPEN = 1,
	PROMCB_MODE_WORD_CLOSED = 2,
	PROMCB_MODE_WORD_SHADOW = 3,
	PROMCB_MODE_WORDS,
};

/* -- Opened: tag in bits 0 to 15, why the breaker was opened in 16 to 63 ------------------------------------------- */

enum promcb_breaker_reason {
	PROMCB_REASON_NONE = 0,
	PROMCB_REASON_FAILURE_RATE = 1,
	PROMCB_REASON_SLOW_RATE = 2,
	PROMCB_REASON_CONSECUTIVE = 3,
	PROMCB_REASON_PROBE = 4,
	PROMCB_REASON_TRIPPED = 5,
	PROMCB_REASONS,
};

#endif

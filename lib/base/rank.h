/* SPDX-License-Identifier: MIT */
/*
 * rank.h: order statistics of whole numbers without sorting them: count them in buckets of equal width, keep the
 * buckets that hold a wanted rank, again within those.
 *
 * Pure.
 */
#ifndef PROMCB_RANK_H
#define PROMCB_RANK_H

#include <stdint.h>

enum { PROMCB_SELECT_BITS = 10, PROMCB_SELECT_BUCKETS = 1 << PROMCB_SELECT_BITS };

/* How far to shift 0 to range right for it to fall in as many buckets. */
static inline unsigned promcb_select_shift(uint32_t range)
{
	unsigned bits = range ? 32 - (unsigned)__builtin_clz(range) : 0;

	return bits > PROMCB_SELECT_BITS ? bits - PROMCB_SELECT_BITS : 0;
}

/* The most ranks that may be asked for at once. */
enum { PROMCB_SELECT_RANKS_MAX = 16 };

/* out[i] = the value of rank ranks[i], counted from 0. Ranks rise and are below count. Spoils values and spare. */
void promcb_rank_select(uint32_t *values, uint32_t count, uint32_t *spare, const uint32_t *ranks, unsigned wanted,
			uint32_t *out);

#endif

/* SPDX-License-Identifier: MIT */
/* collected.h: what a renderer or a sink wrote, in memory; and a sequence of numbers that is the same in every run. */
#ifndef PROMCB_COLLECTED_H
#define PROMCB_COLLECTED_H

#include <criterion/criterion.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct collected {
	char *bytes;            /* freed by who collects */
	size_t length;
	unsigned calls;
	unsigned fail_at;       /* the call that fails, counted from 1; 0: none */
};

static inline int collect(void *context, const void *bytes, size_t length)
{
	struct collected *to = context;

	if (++to->calls == to->fail_at)
		return -EPIPE;
	cr_assert(to->fail_at == 0 || to->calls < to->fail_at, "written to after an error");
	cr_assert_gt(length, 0);
	to->bytes = realloc(to->bytes, to->length + length + 1);
	memcpy(to->bytes + to->length, bytes, length);
	to->length += length;
	to->bytes[to->length] = 0;
	return 0;
}

/* xorshift64*, as in G. Marsaglia's and S. Vigna's papers. */
static inline uint64_t random64(void)
{
	static uint64_t seed = 0x9E3779B97F4A7C15u;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545F4914F6CDD1Du;
}

#endif

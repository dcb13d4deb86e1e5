/* SPDX-License-Identifier: MIT */
/*
 * reserved.h: the words of a caller's struct that this version has no use for.
 *
 * They must be zero: a later version's caller asks for something with them, and must not be told that it was done.
 */
#ifndef PROMCB_RESERVED_H
#define PROMCB_RESERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool promcb_reserved_are_zero(const uint64_t *words, size_t count)
{
	uint64_t any = 0;

	for (size_t i = 0; i < count; i++)
		any |= words[i];
	return any == 0;
}

/* Of a struct that has "uint64_t reserved[N]". */
#define PROMCB_RESERVED_ARE_ZERO(object) \
	promcb_reserved_are_zero((object)->reserved, sizeof((object)->reserved) / sizeof(*(object)->reserved))

#define PROMCB_RESERVED_SENTENCE \
	"the options ask for what this version does not know: zero the struct, then set what should differ"

#endif

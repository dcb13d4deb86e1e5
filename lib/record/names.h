/* SPDX-License-Identifier: MIT */
/*
 * names.h: which names an opened segment's handles have: from a name to whatever was put there.
 *
 * Knows nothing of promcb. Looking up waits for nobody, not even for a thread that puts: ck_ht, many readers and one
 * writer, whose old tables are kept (less than once the present one's size in all). Nothing is ever taken out.
 *
 * Names that are asked for again are mostly found by a hint, and the table is not asked: see hints.h.
 */
#ifndef PROMCB_NAMES_H
#define PROMCB_NAMES_H

#include "record/hints.h"

#include <ck_ht.h>

struct promcb_names {
	struct promcb_hints hints;
	ck_ht_t table;
	bool ready;
	char *arena;            /* where keys are kept */
	size_t arena_left;
};

/* Once; harmless again. seed: of the hash. Returns 0, or -ENOMEM. */
int promcb_names_start(struct promcb_names *names, uint64_t seed);

/* What was put under a name, or NULL. Any thread. */
void *promcb_names_find(struct promcb_names *names, const char *name, size_t length);

/* The same where promcb_hints_find_at() has found none: for who asks with the same memory again. Any thread. */
void *promcb_names_find_again(struct promcb_names *names, const char *name, size_t length);

/* The rest by one thread at a time. */

/* A copy of a name for good, zero-terminated. NULL: no memory. */
const char *promcb_names_keep(struct promcb_names *names, const char *name, size_t length);

/* Puts a value under a kept name that nothing is under. Returns 0, or -ENOMEM. */
int promcb_names_put(struct promcb_names *names, const char *key, size_t length, void *value);

#endif

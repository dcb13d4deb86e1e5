/* SPDX-License-Identifier: MIT */
/*
 * guard.h: survives the truncation of mapped segments, in programs that ask for it (promcb_reader_guard()). A leaf
 * over atomic.h and reader.h.
 *
 * The handler maps zeros over a range in which a page was lost and marks it as hurt, so that the read goes on and its
 * result is thrown away. Every other SIGBUS goes to the handler of before.
 */
#ifndef PROMCB_GUARD_H
#define PROMCB_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct promcb_guard {
	uint32_t number;        /* + 1 in the list of ranges; 0: none */
};

/* Watches a range, a whole map. Returns false, and watches nothing, if the list is full: then it must not be mapped. */
bool promcb_guard_add(struct promcb_guard *guard, void *base, size_t bytes);
void promcb_guard_remove(struct promcb_guard *guard);
bool promcb_guard_is_hurt(const struct promcb_guard *guard);
void promcb_guard_heal(struct promcb_guard *guard);

#endif

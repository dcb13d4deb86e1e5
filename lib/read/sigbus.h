/* SPDX-License-Identifier: MIT */
/*
 * sigbus.h: survives the truncation of mapped segments, in programs that ask for it (promcb_reader_catch_sigbus()).
 *
 * The handler maps zeros over a range in which a page was lost and marks it as faulted, so that the read goes on and
 * its result is thrown away. Every other SIGBUS goes to the handler of before.
 */
#ifndef PROMCB_SIGBUS_H
#define PROMCB_SIGBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct promcb_sigbus {
	uint32_t number;        /* + 1 in the list of ranges; 0: none */
};

/* Watches a range, a whole map. Returns false, and watches nothing, if the list is full: then it must not be mapped. */
bool promcb_sigbus_add(struct promcb_sigbus *guard, void *base, size_t bytes);
void promcb_sigbus_remove(struct promcb_sigbus *guard);
bool promcb_sigbus_is_faulted(const struct promcb_sigbus *guard);
void promcb_sigbus_remap(struct promcb_sigbus *guard);

#endif

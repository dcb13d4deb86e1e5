/* SPDX-License-Identifier: MIT */
/*
 * hash.h: SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; 1 and 3 rounds), keyed by the
 * segment's identity, because names come from URLs and a table must not be made to degenerate from outside.
 */
#ifndef PROMCB_HASH_H
#define PROMCB_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t promcb_hash(const uint64_t key[2], const void *bytes, size_t length);

#endif

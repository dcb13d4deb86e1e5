/* SPDX-License-Identifier: MIT */
/*
 * words.h: every number that a person reads, with its unit. No input, no output, no locale.
 *
 * Invariants: what is printed is true. A bound from below is rounded down and one from above is rounded up, so that a
 * range that is printed holds the one that was meant. A share is 0 or 100 only if it is exactly that. No number is
 * wider than PROMCB_VIEW_WORD_COLUMNS, ranges and grouped counts aside.
 */
#ifndef PROMCB_VIEW_WORDS_H
#define PROMCB_VIEW_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROMCB_VIEW_WORD_COLUMNS = 8, PROMCB_VIEW_WORD_BYTES = 56 };

struct promcb_view_word {
	char text[PROMCB_VIEW_WORD_BYTES];
};

enum promcb_view_rounding { PROMCB_VIEW_DOWN, PROMCB_VIEW_UP };

/* A latency in three digits: "0 ns", "391 us", "4.83 s". */
struct promcb_view_word promcb_view_latency(uint64_t ns, enum promcb_view_rounding rounding);

/* A range of latencies, both ends included: "4.42-4.83 s", "980 us-1.07 ms". At most 17 columns. */
struct promcb_view_word promcb_view_latencies(uint64_t least_ns, uint64_t most_ns);

/* part of whole in percent: "62.10", "<0.01", ">99.99"; "-" of nothing. */
struct promcb_view_word promcb_view_percent(uint64_t part, uint64_t whole);

/* Calls in a time, as calls per second: "604.1", "<0.1", "123k", "1.23M"; "-" if the time is not known. */
struct promcb_view_word promcb_view_rate(uint64_t calls, double seconds);

/* "9999999", "12.3M" (rounded down), up to "18.4E". */
struct promcb_view_word promcb_view_count(uint64_t count);

/* With commas, whole: "918,233". Up to 26 columns. */
struct promcb_view_word promcb_view_grouped(uint64_t count);

/* How long ago, or for how long, rounded down: "12 s", "3 min", "2 h", "5 d". */
struct promcb_view_word promcb_view_age(uint64_t ns);

/* "512 B", "1.3 MiB". */
struct promcb_view_word promcb_view_bytes(uint64_t bytes);

#endif

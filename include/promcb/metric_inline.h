/* SPDX-License-Identifier: MIT */
/*
 * metric_inline.h: adding to counters and levels and setting gauges, for callers that want it compiled into their own
 * code, and for the library itself. What it knows of memory is part of the library's ABI.
 *
 * An add is, by the only writer of the word: cell += amount. Relaxed: no lock, no fence, no fork check.
 *
 * Finding the cell costs what finding a block costs (inline.h): handles of series lie in one dense array of words of 8
 * bytes, a thread's entries of series in another, and promcb_thread.distance leads from one to the other as it does for
 * components. Where a thread has no stamps, it is told by a countdown when to look at the clock, and so where its
 * segments' names lead.
 *
 * Compiles as C11 and later, strict or GNU, and as C++11 and later.
 */
#ifndef PROMCB_METRIC_INLINE_H
#define PROMCB_METRIC_INLINE_H

#include <promcb/inline.h>
#include <promcb/metric.h>
#include <promcb/native.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/*
 * Where a thread counts a series: one word.
 *   above 0      the address of its first cell, which is the thread's own; of gauges, the process's
 *   0            not known yet, or not any more: the slow path
 *   below 0      aside: the slow path, see cell.h
 *
 * The handle's own word: the last index of its cells above PROMCB_SERIES_LAST_SHIFT, below it an address of the
 * library's: of histograms of constant width, a struct promcb_native. 0: the handle does nothing.
 */
#define PROMCB_SERIES_LAST_SHIFT 48

/* What is not the common case: no own cell, or a look is due. */
void promcb_counter_add_slow(struct promcb_counter *counter, uint64_t amount);
void promcb_counter_add_at_slow(struct promcb_counter *counter, uint32_t index, uint64_t amount);
void promcb_gauge_set_slow(struct promcb_gauge *gauge, double value);
void promcb_histogram_observe_slow(struct promcb_histogram *histogram, uint64_t value);

static inline int64_t promcb_series_entry(const void *series)
{
	return (int64_t)promcb_load_relaxed((const uint64_t *)((uintptr_t)series + promcb_thread.distance));
}

/* Whether the entry leads to no cell that may be used plainly, or a look is due. */
static inline bool promcb_series_needs_slow_path(int64_t entry)
{
	/* In this order each is one instruction and a jump. */
	if (PROMCB_UNLIKELY(entry <= 0 || promcb_thread_is_busy()))
		return true;
	return PROMCB_UNLIKELY(promcb_count_down(&promcb_thread.countdown));
}

static inline void promcb_counter_add_inline(struct promcb_counter *counter, uint64_t amount)
{
	int64_t entry = promcb_series_entry(counter);

	if (PROMCB_UNLIKELY(promcb_series_needs_slow_path(entry))) {
		promcb_counter_add_slow(counter, amount);
		return;
	}
	promcb_thread_set_busy(1);
	promcb_add_owned((uint64_t *)(uintptr_t)entry, amount);
	PROMCB_INJECT("series: added");
	promcb_thread_set_busy(0);
}

static inline void promcb_counter_add_at_inline(struct promcb_counter *counter, uint32_t index, uint64_t amount)
{
	uint64_t last = promcb_load_relaxed((const uint64_t *)(const void *)counter) >> PROMCB_SERIES_LAST_SHIFT;
	int64_t entry = promcb_series_entry(counter);

	if (PROMCB_UNLIKELY(promcb_series_needs_slow_path(entry))) {
		promcb_counter_add_at_slow(counter, index, amount);
		return;
	}
	promcb_thread_set_busy(1);
	promcb_add_owned((uint64_t *)(uintptr_t)entry + (index < last ? index : last), amount);
	promcb_thread_set_busy(0);
}

static inline void promcb_level_add_inline(struct promcb_level *level, int64_t amount)
{
	promcb_counter_add_inline((struct promcb_counter *)(void *)level, (uint64_t)amount);
}

/* A gauge's cell is the double's bits, exclusive or these: memory of zeros is a gauge that was not set. */
#define PROMCB_GAUGE_UNSET_BITS ((uint64_t)0x7ff8505243424755)

static inline void promcb_gauge_set_inline(struct promcb_gauge *gauge, double value)
{
	int64_t entry = promcb_series_entry(gauge);

	if (PROMCB_UNLIKELY(promcb_series_needs_slow_path(entry))) {
		promcb_gauge_set_slow(gauge, value);
		return;
	}
	PROMCB_INJECT("gauge: found");
	promcb_store_relaxed((uint64_t *)(uintptr_t)entry, promcb_double_bits(value) ^ PROMCB_GAUGE_UNSET_BITS);
}

/* An observation is two adds: its bucket, and the sum in the last cell. */
static inline void promcb_histogram_observe_inline(struct promcb_histogram *histogram, uint64_t value)
{
	uint64_t word = promcb_load_relaxed((const uint64_t *)(const void *)histogram);
	int64_t entry = promcb_series_entry(histogram);
	uint64_t *cells = (uint64_t *)(uintptr_t)entry;

	if (PROMCB_UNLIKELY(promcb_series_needs_slow_path(entry))) {
		promcb_histogram_observe_slow(histogram, value);
		return;
	}
	promcb_thread_set_busy(1);
	promcb_add_owned(cells + promcb_native_bucket(
					 (const struct promcb_native
						  *)(uintptr_t)(word & (((uint64_t)1 << PROMCB_SERIES_LAST_SHIFT) - 1)),
					 value),
			 1);
	PROMCB_INJECT("series: counted");
	promcb_add_owned(cells + (word >> PROMCB_SERIES_LAST_SHIFT), value);
	promcb_thread_set_busy(0);
}

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif

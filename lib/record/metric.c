/* SPDX-License-Identifier: MIT */
/*
 * metric.c: adding to series, setting and observing: the exported twins of the inline functions, and all that is not
 * the common case. Async-signal-safe.
 */
#include "base/clock.h"
#include "record/cell.h"

#include <float.h>

_Static_assert(PROMCB_GAUGE_UNSET_BITS == PROMCB_GAUGE_UNSET, "one pattern");

struct change {
	uint64_t amount;
	double value;
	uint32_t index;
};

static void reject(struct promcb_cell at)
{
	struct promcb_header *header = promcb_cell_header(at);

	if (header)
		promcb_add_relaxed(&header->rejected_values, 1);
}

static void add(struct promcb_cell at, uint32_t index, uint64_t amount)
{
	if (at.own)
		promcb_add_owned(at.words + index, amount);
	else
		promcb_add_relaxed(at.words + index, amount);
}

static void add_double(struct promcb_cell at, uint32_t index, double amount)
{
	if (at.own)
		promcb_add_double_owned(at.words + index, amount);
	else
		promcb_add_double_relaxed(at.words + index, amount);
}

/* What a double is in the family's units, rounded. Returns false if it is none of its numbers. */
static bool to_whole(const struct promcb_metric_family *family, double value, uint64_t *whole)
{
	double scaled = value * family->scale + 0.5;

	/* Written so that a NaN is refused, too. */
	if (!(value >= 0 && scaled < 0x1p63))
		return false;
	*whole = (uint64_t)scaled;
	return true;
}

/* -- Counters and levels ------------------------------------------------------------------------------------------- */

static void add_whole(struct promcb_series_handle *series, struct promcb_cell at, void *context)
{
	const struct change *change = context;
	uint32_t index = change->index < series->width ? change->index : series->width - 1;

	if (series->family->doubles)
		add_double(at, index, (double)change->amount);
	else
		add(at, index, change->amount);
}

/* Apart, as promcb_record_slow() is. */
__attribute__((noinline)) void promcb_counter_add_slow(struct promcb_counter *counter, uint64_t amount)
{
	promcb_cell_with(counter, add_whole, &(struct change){.amount = amount});
}

__attribute__((noinline)) void promcb_counter_add_at_slow(struct promcb_counter *counter, uint32_t index,
							  uint64_t amount)
{
	promcb_cell_with(counter, add_whole, &(struct change){.amount = amount, .index = index});
}

void promcb_counter_add(struct promcb_counter *counter, uint64_t amount)
{
	promcb_counter_add_inline(counter, amount);
}

void promcb_counter_add_at(struct promcb_counter *counter, uint32_t index, uint64_t amount)
{
	promcb_counter_add_at_inline(counter, index, amount);
}

void promcb_level_add(struct promcb_level *level, int64_t amount)
{
	promcb_level_add_inline(level, amount);
}

static void add_real(struct promcb_series_handle *series, struct promcb_cell at, void *context)
{
	const struct change *change = context;
	uint64_t whole;

	if (!(change->value >= 0 && change->value <= DBL_MAX))
		reject(at);
	else if (series->family->doubles)
		add_double(at, 0, change->value);
	else if (to_whole(series->family, change->value, &whole))
		add(at, 0, whole);
	else
		reject(at);
}

/* Whether the entry leads to an own cell that the library itself may use plainly now. */
static bool is_at_hand(int64_t entry)
{
	return (uint64_t)entry >> 62 == (PROMCB_CELL_ASIDE | PROMCB_CELL_OWN) >> 62 && !promcb_thread_is_busy() &&
	       !promcb_count_down(&promcb_thread.countdown);
}

void promcb_counter_add_double(struct promcb_counter *counter, double amount)
{
	int64_t entry = promcb_series_entry(counter);

	if (PROMCB_UNLIKELY(!is_at_hand(entry) || !(amount >= 0 && amount <= DBL_MAX))) {
		promcb_cell_with(counter, add_real, &(struct change){.value = amount});
		return;
	}
	promcb_thread_set_busy(1);
	promcb_add_double_owned(promcb_cell_of((uint64_t)entry).words, amount);
	promcb_thread_set_busy(0);
}

/* -- Gauges -------------------------------------------------------------------------------------------------------- */

/* When it was set stands behind a gauge of the segment. */
static void stamp(const struct promcb_series_handle *series, struct promcb_cell at)
{
	if (series->family->scope == PROMCB_SCOPE_SEGMENT)
		promcb_store_relaxed(at.words + 1, promcb_clock_realtime_coarse_ns());
}

static void set_gauge(struct promcb_series_handle *series, struct promcb_cell at, void *context)
{
	const struct change *change = context;

	promcb_store_relaxed(at.words, promcb_double_bits(change->value) ^ PROMCB_GAUGE_UNSET);
	stamp(series, at);
}

static void add_gauge(struct promcb_series_handle *series, struct promcb_cell at, void *context)
{
	const struct change *change = context;
	uint64_t before = promcb_load_relaxed(at.words);
	double value;

	/* All threads of the process, or all processes, write there. */
	do
		value = (before ? promcb_bits_double(before ^ PROMCB_GAUGE_UNSET) : 0) + change->value;
	while (!promcb_cas_relaxed(at.words, &before, promcb_double_bits(value) ^ PROMCB_GAUGE_UNSET));
	stamp(series, at);
}

static void clear_gauge(struct promcb_series_handle *series, struct promcb_cell at, void *context)
{
	(void)context;
	promcb_store_relaxed(at.words, 0);
	stamp(series, at);
}

__attribute__((noinline)) void promcb_gauge_set_slow(struct promcb_gauge *gauge, double value)
{
	promcb_cell_with(gauge, set_gauge, &(struct change){.value = value});
}

void promcb_gauge_set(struct promcb_gauge *gauge, double value)
{
	promcb_gauge_set_inline(gauge, value);
}

void promcb_gauge_add(struct promcb_gauge *gauge, double amount)
{
	promcb_cell_with(gauge, add_gauge, &(struct change){.value = amount});
}

void promcb_gauge_clear(struct promcb_gauge *gauge)
{
	promcb_cell_with(gauge, clear_gauge, NULL);
}

/* -- Histograms ---------------------------------------------------------------------------------------------------- */

static void observe_in(const struct promcb_metric_family *family, struct promcb_cell at, uint64_t value)
{
	uint32_t bucket = 0;

	if (family->bound_count)
		for (uint32_t i = 0; i < family->bound_count; i++)
			bucket += value > family->whole_bounds[i];
	else
		bucket = promcb_native_bucket(&family->native, value);
	add(at, bucket, 1);
	PROMCB_INJECT("series: counted aside");
	add(at, family->width - 1, value);
}

static void observe_double_in(const struct promcb_metric_family *family, struct promcb_cell at, double value)
{
	uint32_t bucket = 0;

	if (family->bound_count)
		for (uint32_t i = 0; i < family->bound_count; i++)
			bucket += value > family->bounds[i];
	else
		bucket = promcb_native_bucket_double(&family->native, value);
	add(at, bucket, 1);
	PROMCB_INJECT("series: counted aside");
	add_double(at, family->width - 1, value);
}

static void observe_whole(struct promcb_series_handle *series, struct promcb_cell at, void *context)
{
	const struct change *change = context;

	if (series->family->doubles)
		observe_double_in(series->family, at, (double)change->amount);
	else
		observe_in(series->family, at, change->amount);
}

static void observe_real(struct promcb_series_handle *series, struct promcb_cell at, void *context)
{
	const struct change *change = context;
	uint64_t whole;

	if (!(change->value >= -DBL_MAX && change->value <= DBL_MAX))
		reject(at);
	else if (series->family->doubles)
		observe_double_in(series->family, at, change->value);
	else if (to_whole(series->family, change->value, &whole))
		observe_in(series->family, at, whole);
	else
		reject(at);
}

static void use_at_hand(struct promcb_histogram *histogram, int64_t entry, promcb_cell_use *use, struct change *change)
{
	if (PROMCB_UNLIKELY(!is_at_hand(entry))) {
		promcb_cell_with(histogram, use, change);
		return;
	}
	promcb_thread_set_busy(1);
	use(promcb_series_handle_of(histogram), promcb_cell_of((uint64_t)entry), change);
	promcb_thread_set_busy(0);
}

__attribute__((noinline)) void promcb_histogram_observe_slow(struct promcb_histogram *histogram, uint64_t value)
{
	use_at_hand(histogram, promcb_series_entry(histogram), observe_whole, &(struct change){.amount = value});
}

void promcb_histogram_observe(struct promcb_histogram *histogram, uint64_t value)
{
	promcb_histogram_observe_inline(histogram, value);
}

void promcb_histogram_observe_double(struct promcb_histogram *histogram, double value)
{
	use_at_hand(histogram, promcb_series_entry(histogram), observe_real, &(struct change){.value = value});
}

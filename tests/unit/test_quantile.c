/* SPDX-License-Identifier: MIT */
/* The digest of rings equals that of a naive twin, which sorts everything, whatever the rings hold. */
#include "read/quantile.h"

#include "collected.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RINGS_MAX = 9, SLOTS_MAX = 2048 };

static uint32_t below(uint32_t limit)
{
	return (uint32_t)(random64() >> 32) % limit;
}

static uint64_t sample(uint32_t tick, bool failure, float nanoseconds)
{
	uint32_t bits;

	memcpy(&bits, &nanoseconds, sizeof(bits));
	return (uint64_t)tick << 32 | (uint64_t)failure << 31 | bits;
}

/* The naive twin. */
struct reference {
	int32_t age;
	uint32_t distance;
	size_t ring;
	bool failure;
	bool measured;
	double value;
};

static int by_newness(const void *left, const void *right)
{
	const struct reference *a = left, *b = right;

	if (a->age != b->age)
		return a->age < b->age ? -1 : 1;
	if (a->distance != b->distance)
		return a->distance < b->distance ? -1 : 1;
	return a->ring < b->ring ? -1 : a->ring > b->ring;
}

static int by_value(const void *left, const void *right)
{
	const struct reference *a = left, *b = right;

	return a->value < b->value ? -1 : a->value > b->value;
}

static void naive(const struct promcb_ring_copy *rings, size_t count, const struct promcb_recent_window *window,
		  struct promcb_recent *out)
{
	static struct reference samples[RINGS_MAX * SLOTS_MAX];
	size_t valid = 0;
	double sum = 0;

	for (size_t ring = 0; ring < count; ring++) {
		for (uint32_t distance = 0; distance < rings[ring].slots; distance++) {
			uint64_t word =
				rings[ring].samples[(rings[ring].position - 1 - distance) & (rings[ring].slots - 1)];
			int32_t age = (int32_t)(window->now_tick - (uint32_t)(word >> 32));
			uint32_t bits = (uint32_t)word & INT32_MAX;
			float value;

			if (word == 0)
				continue;
			if (window->window_ticks != UINT32_MAX && age > (int64_t)window->window_ticks)
				continue;
			if (age < -(int64_t)window->future_ticks)
				continue;
			if (window->after_reset && age >= (int32_t)(window->now_tick - window->reset_tick))
				continue;
			memcpy(&value, &bits, sizeof(value));
			if (!(value < 0x1p40f))
				value = 0x1p40f;
			samples[valid++] = (struct reference){
				age, distance, ring, word >> 31 & 1, bits != PROMCB_SAMPLE_UNMEASURED, (double)value};
		}
	}
	qsort(samples, valid, sizeof(samples[0]), by_newness);
	if (valid > window->newest)
		valid = window->newest;
	*out = (struct promcb_recent){.calls = valid, .average_ns = NAN, .minimum_ns = NAN, .maximum_ns = NAN};
	for (unsigned q = 0; q < PROMCB_QUANTILES; q++)
		out->quantile_ns[q] = NAN;
	for (size_t i = 0; i < valid; i++) {
		out->failures += samples[i].failure;
		if (samples[i].measured)
			samples[out->measured++] = samples[i];
	}
	valid = out->measured;
	if (valid == 0)
		return;
	qsort(samples, valid, sizeof(samples[0]), by_value);
	for (size_t i = 0; i < valid; i++)
		sum += samples[i].value;
	out->average_ns = sum / (double)valid;
	out->minimum_ns = samples[0].value;
	out->maximum_ns = samples[valid - 1].value;
	for (unsigned q = 0; q < PROMCB_QUANTILES; q++) {
		double position = promcb_quantile_ranks[q] * (double)(valid - 1);
		size_t rank = (size_t)position;
		double lower = samples[rank].value;
		double upper = rank + 1 < valid ? samples[rank + 1].value : lower;

		out->quantile_ns[q] = lower + (position - (double)rank) * (upper - lower);
	}
}

static bool same(double a, double b, double relative)
{
	return (isnan(a) && isnan(b)) || fabs(a - b) <= relative * fabs(b);
}

static void check(const struct promcb_ring_copy *rings, size_t count, const struct promcb_recent_window *window)
{
	static struct promcb_recent_scratch scratch;
	struct promcb_recent expected, found, again;

	naive(rings, count, window, &expected);
	cr_assert_eq(promcb_recent_digest(rings, count, window, &scratch, &found), 0);
	cr_assert_eq(found.calls, expected.calls, "%lu calls, not %lu", (unsigned long)found.calls,
		     (unsigned long)expected.calls);
	cr_assert_eq(found.failures, expected.failures);
	cr_assert_eq(found.measured, expected.measured);
	cr_assert(same(found.minimum_ns, expected.minimum_ns, 0));
	cr_assert(same(found.maximum_ns, expected.maximum_ns, 0));
	cr_assert(same(found.average_ns, expected.average_ns, 1e-12), "%g, not %g", found.average_ns,
		  expected.average_ns);
	for (unsigned q = 0; q < PROMCB_QUANTILES; q++)
		cr_assert(same(found.quantile_ns[q], expected.quantile_ns[q], 0), "quantile %u: %.17g, not %.17g", q,
			  found.quantile_ns[q], expected.quantile_ns[q]);
	for (unsigned q = 0; found.measured && q < PROMCB_QUANTILES; q++)
		cr_assert(isfinite(found.quantile_ns[q]));

	/* Nothing of one digest is left for the next. */
	cr_assert_eq(promcb_recent_digest(rings, count, window, &scratch, &again), 0);
	cr_assert(memcmp(&again.average_ns, &found.average_ns, sizeof(double)) == 0);
	if (random64() % 64 == 0)
		promcb_recent_scratch_free(&scratch);
}

/* How a ring is made. */
enum kind {
	SORTED,
	YOUNG, /* never full */
	TIED, /* few ticks, the same in all rings */
	JITTERED, /* by a few ticks, as by mixed clocks */
	JUMBLED, /* by many */
	TORN, /* the position is not where it should be */
	SEAM, /* out of order only where the ring's memory begins */
	CONSTANT,
	SPREAD,
	HOLES,
	HOSTILE,
	NEAR_HOSTILE,
	UNMEASURED, /* some without a latency */
	MUTE, /* all */
	EMPTY,
	KINDS
};

static float latency(enum kind kind)
{
	switch (kind) {
	case CONSTANT:
		return 123456;
	case SPREAD:
		return (float)(1u << below(30)) * (float)(1 + below(1000));
	default:
		/* Most close together, some far off, so that counting in buckets has to go deeper. */
		return below(100) ? (float)(1000000 + below(1000)) : (float)(1 + below(2000000000));
	}
}

static struct promcb_ring_copy make_ring(uint64_t *samples, uint32_t slots, enum kind kind, uint32_t now)
{
	uint32_t position = (uint32_t)random64();
	uint32_t used = kind == YOUNG ? below(slots + 1) : slots;
	uint32_t step = kind == TIED ? 0 : kind == SEAM ? 2 : 1 + below(2000);
	uint32_t tick = kind == TIED ? now : now + below(1200) - below(200);
	uint32_t seam = 1 + below(50);

	memset(samples, 0, slots * sizeof(samples[0]));
	if (kind == EMPTY)
		return (struct promcb_ring_copy){samples, slots, position};
	if (kind == YOUNG)
		position = used;
	for (uint32_t i = 0; i < used; i++) {
		uint64_t word = sample(tick, below(10) == 0, latency(kind));

		if (kind == JITTERED)
			word -= (uint64_t)below(8) << 32;
		if (kind == JUMBLED)
			word -= (uint64_t)below(100000) << 32;
		if (kind == SEAM && i < (position & (slots - 1)))
			word -= (uint64_t)seam << 32;
		if (kind == MUTE || (kind == UNMEASURED && below(3) == 0))
			word |= PROMCB_SAMPLE_UNMEASURED;
		if (kind == HOLES && below(20) == 0)
			word = 0;
		if (kind == HOSTILE || (kind == NEAR_HOSTILE && below(50) == 0))
			word = random64();
		samples[(position - 1 - i) & (slots - 1)] = word;
		if (step ? below(3) : below(50) == 0)
			tick -= step ? below(step) : 1;
	}
	if (kind == TORN)
		position += below(slots);
	return (struct promcb_ring_copy){samples, slots, position};
}

static struct promcb_recent_window make_window(uint32_t now)
{
	static const uint32_t windows[] = {0, 1, 1000, 100000, 572204, INT32_MAX, (uint32_t)INT32_MAX + 1, UINT32_MAX};
	static const uint32_t futures[] = {0, 1, 954, INT32_MAX, (uint32_t)INT32_MAX + 1, UINT32_MAX};
	struct promcb_recent_window window = {
		.now_tick = now,
		.window_ticks = windows[below(8)],
		.future_ticks = futures[below(8) % 6],
		.newest = 1 + below(3000),
		.after_reset = below(3) == 0,
		.reset_tick = below(20) ? now - below(100000) : (uint32_t)random64(),
	};

	if (below(8) == 0)
		window.newest = below(2) ? 0 : UINT32_MAX;
	return window;
}

static void check_kinds(bool mixed, int rounds)
{
	static uint64_t memory[RINGS_MAX][SLOTS_MAX];
	struct promcb_ring_copy rings[RINGS_MAX];

	for (int round = 0; round < rounds; round++) {
		/* Now and then the clock is about to wrap, or has just done so. */
		uint32_t now = below(3) ? (uint32_t)random64() : below(2) ? below(1000) : 0u - below(1000);
		size_t count = below(4) ? below(5) : below(RINGS_MAX + 1);
		enum kind kind = (enum kind)(round % KINDS);

		for (size_t i = 0; i < count; i++)
			rings[i] = make_ring(memory[i], 1u << below(12), mixed ? (enum kind)below(KINDS) : kind, now);
		struct promcb_recent_window window = make_window(now);

		check(rings, count, &window);
	}
}

Test(quantile, rings_of_one_kind)
{
	check_kinds(false, 6000);
}

Test(quantile, rings_of_all_kinds)
{
	check_kinds(true, 6000);
}

Test(quantile, small_ones)
{
	/* Every number of samples around the sizes at which the method changes, in a few values only. */
	static uint64_t memory[SLOTS_MAX];

	for (uint32_t count = 0; count < 100; count++) {
		for (uint32_t values = 1; values < 6; values++) {
			memset(memory, 0, sizeof(memory));
			for (uint32_t i = 0; i < count; i++)
				memory[i] = sample(1000 + i, false, (float)below(values));
			struct promcb_ring_copy ring = {memory, 128, count};
			struct promcb_recent_window window = {
				.now_tick = 2000, .window_ticks = UINT32_MAX, .newest = 1000};

			check(&ring, 1, &window);
		}
	}
}

Test(quantile, no_ring_and_no_sample)
{
	struct promcb_recent_window window = {.now_tick = 5, .window_ticks = 10, .newest = 1000};
	struct promcb_recent_scratch scratch = {0};
	struct promcb_ring_copy none = {NULL, 0, 7};
	struct promcb_recent recent;

	for (size_t count = 0; count < 2; count++) {
		cr_assert_eq(promcb_recent_digest(&none, count, &window, &scratch, &recent), 0);
		cr_assert_eq(recent.calls, 0);
		cr_assert_eq(recent.failures, 0);
		cr_assert(isnan(recent.minimum_ns) && isnan(recent.maximum_ns) && isnan(recent.average_ns));
		for (unsigned q = 0; q < PROMCB_QUANTILES; q++)
			cr_assert(isnan(recent.quantile_ns[q]));
	}
	promcb_recent_scratch_free(&scratch);
	cr_assert_null(scratch.memory);
	promcb_recent_scratch_free(&scratch);
}

Test(quantile, one_to_a_thousand)
{
	/* What numpy.quantile(range(1, 1001), ...) says. */
	static uint64_t memory[1024];
	struct promcb_recent_window window = {.now_tick = 2000, .window_ticks = UINT32_MAX, .newest = 1000};
	struct promcb_recent_scratch scratch = {0};
	struct promcb_ring_copy ring = {memory, 1024, 1000};
	struct promcb_recent recent;

	for (uint32_t i = 0; i < 1000; i++)
		memory[i] = sample(1000, i % 4 == 0, (float)((i * 7) % 1000 + 1));
	cr_assert_eq(promcb_recent_digest(&ring, 1, &window, &scratch, &recent), 0);
	cr_assert_eq(recent.calls, 1000);
	cr_assert_eq(recent.measured, 1000);
	cr_assert_eq(recent.failures, 250);
	cr_assert_float_eq(recent.average_ns, 500.5, 1e-9);
	cr_assert_float_eq(recent.minimum_ns, 1, 0);
	cr_assert_float_eq(recent.maximum_ns, 1000, 0);
	cr_assert_float_eq(recent.quantile_ns[PROMCB_P50], 500.5, 1e-9);
	cr_assert_float_eq(recent.quantile_ns[PROMCB_P90], 900.1, 1e-9);
	cr_assert_float_eq(recent.quantile_ns[PROMCB_P95], 950.05, 1e-9);
	cr_assert_float_eq(recent.quantile_ns[PROMCB_P99], 990.01, 1e-9);
	cr_assert_float_eq(recent.quantile_ns[PROMCB_P999], 999.001, 1e-9);
	promcb_recent_scratch_free(&scratch);
}

Test(quantile, within_one_tick_rings_are_mixed_by_position)
{
	/* Two rings of 64 samples in one tick; of 20 newest, ten come from each. */
	static uint64_t memory[2][64];
	struct promcb_recent_window window = {.now_tick = 1000, .window_ticks = 10, .newest = 20};
	struct promcb_recent_scratch scratch = {0};
	struct promcb_ring_copy rings[2] = {{memory[0], 64, 5}, {memory[1], 64, 60}};
	struct promcb_recent recent;

	for (uint32_t i = 0; i < 64; i++) {
		memory[0][i] = sample(1000, true, 1);
		memory[1][i] = sample(1000, false, 3);
	}
	cr_assert_eq(promcb_recent_digest(rings, 2, &window, &scratch, &recent), 0);
	cr_assert_eq(recent.calls, 20);
	cr_assert_eq(recent.failures, 10);
	cr_assert_float_eq(recent.average_ns, 2, 0);
	promcb_recent_scratch_free(&scratch);
}

Test(quantile, an_empty_slot_is_no_sample_of_tick_zero)
{
	/* Just after the clock wrapped, empty slots look like samples of now. Real ones of tick 0 are cut singly. */
	static uint64_t memory[32];
	struct promcb_recent_window window = {.now_tick = 1, .window_ticks = UINT32_MAX, .newest = 4};
	struct promcb_ring_copy ring = {memory, 32, 0};

	memory[31] = sample(1, false, 10);
	memory[29] = sample(0, false, 20);
	memory[28] = sample(1, false, 30);
	memory[25] = sample(0, true, 40);
	memory[22] = sample(0, true, 50);
	for (window.newest = 0; window.newest < 8; window.newest++)
		check(&ring, 1, &window);
}

/* A producer that goes on while its ring is copied leaves newer samples past the position that was read before. */
Test(quantile, ring_written_while_copied_is_in_order)
{
	enum { SLOTS = 1024 };
	static uint64_t samples[SLOTS];

	for (uint32_t written = 0; written < SLOTS; written++) {
		uint32_t position = below(SLOTS), tick = (uint32_t)random64();

		/* From the oldest to the newest; ticks rise by 0 to 2, and by 1 at least once in the ring. */
		for (uint32_t i = 0; i < SLOTS; i++) {
			tick += below(3) + (i == 1);
			samples[(position + i) % SLOTS] = sample(tick, false, 1 + (float)below(1000));
		}
		cr_assert_eq(promcb_recent_position(samples, SLOTS, position - written) % SLOTS, position,
			     "%u written since", written);
	}
}

Test(quantile, position_of_other_rings_stays)
{
	uint64_t samples[64] = {0};

	cr_assert_eq(promcb_recent_position(samples, 64, 0), 0, "an empty ring");
	for (uint32_t i = 0; i < 10; i++)
		samples[i] = sample(i, false, 1);
	cr_assert_eq(promcb_recent_position(samples, 64, 10), 10, "a ring that was never full");
	cr_assert_eq(promcb_recent_position(samples, 64, 7), 10, "and was written since");
	for (uint32_t i = 0; i < 64; i++)
		samples[i] = sample(5, false, 1);
	cr_assert_eq(promcb_recent_position(samples, 64, 17), 17, "all of one tick");
}

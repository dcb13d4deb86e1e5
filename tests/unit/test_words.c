/* SPDX-License-Identifier: MIT */
/*
 * Words that hold more than one thing: what went in comes out, each part leaves the others alone, and the bits are
 * those of promcb-segment(5), written here once more as numbers.
 */
#include "format/layout.h"

#include <criterion/criterion.h>

static uint64_t seed = 1;

static uint64_t random_word(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed ^ seed >> 29;
}

enum { ROUNDS = 10000 };

Test(words, pair_of_component_and_lane)
{
	cr_assert_eq(promcb_pair(0x12345678, 0x9abcdef0), 0x123456789abcdef0);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t component = (uint32_t)random_word(), lane = (uint32_t)random_word();
		uint64_t pair = promcb_pair(component, lane);

		cr_assert_eq(promcb_pair_component(pair), component);
		cr_assert_eq(promcb_pair_lane(pair), lane);
	}
}

Test(words, head)
{
	cr_assert_eq(promcb_head(0xfedcba9876543210, 0x1abcde), 0xfedcba98765abcde);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t now_ns = random_word(), position = random_word(), head = promcb_head(now_ns, position);

		cr_assert_eq(promcb_head_position(head), position % (1 << 20));
		cr_assert_eq(promcb_head_ns(head), now_ns - now_ns % (1 << 20));
		cr_assert_eq(promcb_tick(head), promcb_tick(now_ns), "a position has no part in the tick");
	}
}

Test(words, sample)
{
	/* 1 ns is the float 0x3f800000; a tick is 2^20 ns. */
	cr_assert_eq(promcb_sample(1, true, (uint64_t)0x12345678 << 20), 0x123456783f800000);
	cr_assert_eq(promcb_sample(1, false, (uint64_t)0x12345678 << 20), 0x12345678bf800000);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t latency_ns = random_word() >> (24 + random_word() % 40), now_ns = random_word();
		bool success = random_word() & 1;
		uint64_t sample = promcb_sample(latency_ns, success, now_ns), later = random_word() % UINT32_MAX;

		cr_assert_eq(sample, promcb_sample_of(latency_ns, success, promcb_head_ns(now_ns)));
		cr_assert_eq(promcb_sample_tick(sample), promcb_tick(now_ns));
		cr_assert_eq(promcb_sample_failure(sample), !success);
		cr_assert_eq(promcb_sample_ns(promcb_sample_latency(sample)), (double)(float)latency_ns);
		cr_assert_lt(promcb_sample_latency(sample), PROMCB_SAMPLE_UNMEASURED);
		sample += promcb_sample_ticks(later);
		cr_assert_eq(promcb_sample_tick(sample), (uint32_t)(promcb_tick(now_ns) + later));
		cr_assert_eq(promcb_sample_failure(sample), !success);
		cr_assert_eq(promcb_sample_ns(promcb_sample_latency(sample)), (double)(float)latency_ns);
	}
	cr_assert_eq(promcb_sample_latency(UINT64_MAX), PROMCB_SAMPLE_UNMEASURED);
}

Test(words, chunk)
{
	cr_assert_eq(promcb_chunk_word(2, 0x345, 0x6788), 0x23456789u);
	cr_assert_eq(promcb_chunk_lane(0), UINT32_MAX, "nobody's");
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t kind = random_word() % 16, carved = random_word() % 4096;
		uint32_t lane = random_word() % (PROMCB_LANES_MAX + PROMCB_SPECIAL_LANES);
		uint32_t word = promcb_chunk_word(kind, carved, lane);

		cr_assert_eq(promcb_chunk_kind(word), kind);
		cr_assert_eq(promcb_chunk_carved(word), carved);
		cr_assert_eq(promcb_chunk_lane(word), lane);
		cr_assert(promcb_chunk_is_of(word, lane) && !promcb_chunk_is_of(word, lane + 1));
		cr_assert(!promcb_chunk_is_of(promcb_chunk_word(kind, carved, UINT32_MAX), lane));
	}
}

Test(words, table)
{
	cr_assert_eq(promcb_table_word(0x123456789abc, 0xdeef), 0x123456789abcdef0);
	cr_assert_eq(promcb_table_component(0), UINT32_MAX, "none");
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t hash = promcb_table_hash_of(random_word());
		uint32_t component = random_word() % PROMCB_COMPONENTS_MAX;
		uint64_t word = promcb_table_word(hash, component);

		cr_assert_eq(promcb_table_hash(word), hash);
		cr_assert_eq(promcb_table_component(word), component);
		cr_assert_neq(word, 0, "a word of something is not that of nothing");
	}
}

Test(words, state)
{
	cr_assert_eq(promcb_state_word(2, 0x12345, 0x6789a, 0xbcdef), 0x2bcdef6789a12345);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t counts[PROMCB_STATES], sum = 0;
		unsigned state = random_word() % PROMCB_STATES, into = random_word() % PROMCB_STATES;

		for (unsigned k = 0; k < PROMCB_STATES; k++) {
			/* Now and then the last one before it goes round. */
			counts[k] = random_word() % 4 ? random_word() % (1 << 20) : (1 << 20) - 1;
			sum += counts[k];
		}
		uint64_t word = promcb_state_word(state, counts[0], counts[1], counts[2]);
		uint64_t changed = promcb_state_changed(word, into);

		cr_assert_eq(promcb_state_of(word), state);
		cr_assert_eq(promcb_state_of(changed), into);
		cr_assert_eq(promcb_state_tag(word), sum % 65536);
		for (unsigned k = 0; k < PROMCB_STATES; k++) {
			cr_assert_eq(promcb_state_transitions(word, k), counts[k]);
			cr_assert_eq(promcb_state_transitions(changed, k), (counts[k] + (k == into)) % (1 << 20));
		}
	}
}

Test(words, time_of_state)
{
	uint64_t state = promcb_state_word(PROMCB_OPEN, 0, 0x1234, 0);

	cr_assert_eq(promcb_state_time(state, 0x06789abcdef0 * 1000000u + 999999), 0x06789abcdef01234);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t now_ns = random_word() >> 1;

		state = random_word();
		uint64_t word = promcb_state_time(state, now_ns);

		cr_assert_eq(promcb_state_time_ns(word), now_ns - now_ns % 1000000);
		cr_assert(promcb_state_time_is_of(word, state));
		cr_assert(!promcb_state_time_is_of(word, promcb_state_changed(promcb_state_word(1, 0, i, 0), 1)) ||
			  promcb_state_tag(state) == (uint64_t)i + 1);
	}
}

Test(words, reset)
{
	cr_assert_eq(promcb_reset_word(0x123456789abcdef, 1), 0x2468acf13579bdf);
	uint64_t word = 0;

	for (unsigned i = 1; i < ROUNDS; i++) {
		word = promcb_reset_next(word);
		cr_assert_eq(promcb_reset_generation(word), i);
		cr_assert_eq(promcb_reset_which(word), (i - 1) % 2, "baselines take turns, and the first is number 0");
		cr_assert_eq(word, promcb_reset_word(i, (i - 1) % 2));
	}
}

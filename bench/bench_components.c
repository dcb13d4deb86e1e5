/* SPDX-License-Identifier: MIT */
/*
 * bench_components: what does recording cost when the calls go to many components, in turn or at random?
 *
 * x: how many components. The order is drawn before; the floor follows the same order over blocks of the same shape.
 *
 * Usage: bench_components [ROUNDS [MILLISECONDS [COMPONENTS...]]]
 */
#include "bench.h"
#include "floor.h"

#include <promcb/admin.h>
#include <promcb/promcb.h>

enum { ORDER = 65536 };

static struct floor_block *blocks[BENCH_WORKERS_MAX];
static struct promcb_component **components;
static uint32_t in_turn_order[ORDER], random_order[ORDER];
static uint64_t base_ns;

static void floor_in_turn(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(
		floor_record(&blocks[worker][in_turn_order[i % ORDER]], latency_ns, success, base_ns + i * 1000));
}

static void floor_at_random(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(
		floor_record(&blocks[worker][random_order[i % ORDER]], latency_ns, success, base_ns + i * 1000));
}

static void in_turn(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(
		promcb_record_at(components[in_turn_order[i % ORDER]], latency_ns, success, base_ns + i * 1000));
}

static void at_random(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(promcb_record_at(components[random_order[i % ORDER]], latency_ns, success, base_ns + i * 1000));
}

static void measure(uint32_t count, struct bench_arguments arguments)
{
	uint64_t warm = bench_warm(count, ORDER);
	struct bench_case cases[] = {
		{"components", "components in turn", "floor", floor_in_turn, count, warm, 0},
		{"components", "components in turn", "promcb", in_turn, count, warm, 0},
		{"components", "components at random", "floor", floor_at_random, count, warm, 0},
		{"components", "components at random", "promcb", at_random, count, warm, 0},
	};
	uint64_t state = 1 + count;

	for (uint32_t i = 0; i < ORDER; i++) {
		in_turn_order[i] = i % count;
		random_order[i] = (uint32_t)(bench_random(&state) % count);
	}
	bench_run(cases, sizeof(cases) / sizeof(cases[0]), arguments, BENCH_TWO_PROCESSES);
}

int main(int argc, char **argv)
{
	struct bench_arguments arguments = bench_arguments(argc, argv);
	struct promcb_options options = {.max_bytes = (uint64_t)4 << 30, .components = 20000};
	struct promcb_session *metrics;
	const char *segment = bench_segment();
	uint32_t most = 0;

	for (int i = 3; i < argc; i++)
		most = (uint32_t)atoi(argv[i]) > most ? (uint32_t)atoi(argv[i]) : most;
	if (most == 0)
		most = 1000;
	components = calloc(most, sizeof(struct promcb_component *));
	if (!components || promcb_open(segment, &options, &metrics) < 0) {
		fprintf(stderr, "bench_components: no segment %s\n", segment);
		return 1;
	}
	for (uint32_t i = 0; i < most; i++) {
		char name[32];

		snprintf(name, sizeof(name), "component_%05u", i);
		if (promcb_component(metrics, name, &components[i]) < 0)
			return 1;
	}
	for (unsigned w = 0; w < BENCH_WORKERS_MAX; w++)
		blocks[w] = bench_shared_memory(most * sizeof(struct floor_block));
	bench_make_latencies();
	base_ns = bench_now_ns();
	for (int i = 3; i < argc; i++)
		if (atoi(argv[i]) > 0)
			measure((uint32_t)atoi(argv[i]), arguments);
	if (argc <= 3)
		measure(most, arguments);
	promcb_close(metrics);
	promcb_remove(segment, true, NULL);
	return 0;
}

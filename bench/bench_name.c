/* SPDX-License-Identifier: MIT */
/*
 * bench_name: what does recording by name cost, beside looking the name up in libck's hash table and no more? ("look-up
 * and record" is that look-up and promcb_record() of the handle found: what is left is promcb_call()'s own. "handle" is
 * promcb_record() with nothing to look up. "copied" is a name that comes in the same buffer each time, another one in
 * each call: who has it in memory of its own is found faster.)
 *
 * x: how many names there are, of 30 bytes, asked for at random. Once alone, and once while another thread registers
 * a new name every 20 us: look-ups are wait-free. A process has 65,535 handles, enough for a
 * second of that.
 *
 * Usage: bench_name [ROUNDS [MILLISECONDS [NAMES...]]]
 */
#include "bench.h"
#include "table.h"

#include <promcb/admin.h>
#include <promcb/promcb.h>

/* A process has 65,535 handles: 40,000 names at most, and newcomers up to here. */
enum { ORDER = 65536, NAME_BYTES = 32, NAMES_MAX = 40000, HANDLES_MAX = 65000 };

/* A copy as key, as promcb keeps one: the name that is asked for and the table's are not the same memory. */
static char (*names)[NAME_BYTES], (*keys)[NAME_BYTES];
static uint32_t order[ORDER];
static struct promcb_component *handle_of[NAMES_MAX];
static ck_ht_t table;
static struct promcb_session *metrics;
static uint64_t stop;
static uint32_t handles;

static void *look_up(const char *name)
{
	uint16_t length = (uint16_t)strlen(name);
	ck_ht_entry_t entry;
	ck_ht_hash_t hash;

	ck_ht_hash(&hash, &table, name, length);
	ck_ht_entry_key_set(&entry, name, length);
	return ck_ht_get_spmc(&table, hash, &entry) ? ck_ht_entry_value(&entry) : NULL;
}

static void floor_look_up(unsigned worker, uint64_t count)
{
	uintptr_t sum = 0;

	BENCH_EACH_CALL(sum += (uintptr_t)look_up(names[order[i % ORDER]]));
	if (sum == 0)
		abort();
}

static void look_up_and_record(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(promcb_record(look_up(names[order[i % ORDER]]), latency_ns, success));
}

static void by_name(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(promcb_call(metrics, names[order[i % ORDER]], (double)latency_ns * 1e-9, success));
}

static void by_copied_name(unsigned worker, uint64_t count)
{
	char buffer[NAME_BYTES];

	BENCH_EACH_CALL(memcpy(buffer, names[order[i % ORDER]], NAME_BYTES);
			promcb_call(metrics, buffer, (double)latency_ns * 1e-9, success));
}

static void look_up_component(unsigned worker, uint64_t count)
{
	struct promcb_component *component;
	uintptr_t sum = 0;

	BENCH_EACH_CALL(promcb_component(metrics, names[order[i % ORDER]], &component); sum += (uintptr_t)component);
	if (sum == 0)
		abort();
}

static void by_handle(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(promcb_record(handle_of[order[i % ORDER]], latency_ns, success));
}

static bool register_one(const char *name, struct promcb_component **out)
{
	handles++;
	return promcb_component(metrics, name, out) == 0;
}

/* The other thread. Returns NULL if it ran out of handles before it was told to stop. */
static void *keep_registering(void *registering)
{
	struct promcb_component *component;
	uint64_t next_ns = bench_now_ns();
	char name[NAME_BYTES];

	bench_pin(1);
	for (; !promcb_load_acquire(&stop); next_ns += 20000) {
		while (bench_now_ns() < next_ns)
			if (promcb_load_acquire(&stop))
				return registering;
		snprintf(name, sizeof(name), "newcomer_%021u", handles);
		if (handles >= HANDLES_MAX || !register_one(name, &component))
			return NULL;
	}
	return registering;
}

/* Both cases while another thread registers. A figure that it did not last for is not told. */
static void measure_beside(struct bench_case *cases, uint32_t count, unsigned rounds)
{
	for (unsigned i = 0; i < 2 * rounds; i++) {
		const struct bench_case *c = &cases[i % 2];
		pthread_t thread;
		void *lasted;
		double ns;

		promcb_store_release(&stop, 0);
		pthread_create(&thread, NULL, keep_registering, &stop);
		ns = bench_measure(c, BENCH_ONE_THREAD, c->count);
		promcb_store_release(&stop, 1);
		pthread_join(thread, &lasted);
		if (lasted)
			bench_row(c->group, "by name while another registers", c->who, count, 0, "1 thread", "ns", ns);
	}
}

static void measure(uint32_t count, struct bench_arguments arguments)
{
	uint64_t warm = bench_warm(count, ORDER);
	struct bench_case cases[] = {
		{"name", "by name", "floor", floor_look_up, count, warm, 0},
		{"name", "by name", "promcb", by_name, count, warm, 0},
		{"name", "by name", "look-up and record", look_up_and_record, count, warm, 0},
		{"name", "by name", "handle", by_handle, count, warm, 0},
		{"name", "by copied name", "promcb", by_copied_name, count, warm, 0},
		{"name", "component", "floor", floor_look_up, count, warm, 0},
		{"name", "component", "promcb", look_up_component, count, warm, 0},
	};
	struct promcb_options options = {.max_bytes = (uint64_t)2 << 30, .components = 65000};
	uint64_t state = 1 + count;
	const char *segment = bench_segment();

	if (promcb_open(segment, &options, &metrics) < 0 ||
	    !ck_ht_init(&table, CK_HT_MODE_BYTESTRING, NULL, &table_memory, 256, 1)) {
		fprintf(stderr, "bench_name: no segment %s\n", segment);
		exit(1);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct promcb_component *component;
		ck_ht_entry_t entry;
		ck_ht_hash_t hash;

		snprintf(names[i], NAME_BYTES, "service_component_%012u", i);
		if (!register_one(names[i], &component))
			exit(1);
		handle_of[i] = component;
		const char *key = memcpy(keys[i], names[i], NAME_BYTES);

		ck_ht_hash(&hash, &table, key, (uint16_t)strlen(key));
		ck_ht_entry_set(&entry, hash, key, (uint16_t)strlen(key), component);
		ck_ht_put_spmc(&table, hash, &entry);
	}
	for (uint32_t i = 0; i < ORDER; i++)
		order[i] = (uint32_t)(bench_random(&state) % count);
	bench_run(cases, sizeof(cases) / sizeof(cases[0]), arguments, BENCH_TWO_THREADS);

	measure_beside(cases, count, arguments.rounds);
	ck_ht_destroy(&table);
	promcb_close(metrics);
	promcb_remove(segment, true, NULL);
}

int main(int argc, char **argv)
{
	struct bench_arguments arguments = bench_arguments(argc, argv);
	static const char *const usual[] = {"100", "1000"};
	int given = argc > 3 ? argc - 3 : 2;

	names = malloc((size_t)NAME_BYTES * NAMES_MAX);
	keys = malloc((size_t)NAME_BYTES * NAMES_MAX);
	if (!names || !keys)
		return 1;
	bench_make_latencies();
	for (int i = 0; i < given; i++) {
		int count = atoi(argc > 3 ? argv[i + 3] : usual[i]);

		if (count > 0 && handles + (unsigned)count <= NAMES_MAX)
			measure((uint32_t)count, arguments);
	}
	free(names);
	free(keys);
	return 0;
}

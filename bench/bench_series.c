/* SPDX-License-Identifier: MIT */
/*
 * bench_series: what does counting in a series cost, beside the same instruction on a plain array of one's own?
 *
 * x: how many series there are, of three labels with 33 bytes of values, taken at random; 1: always the one. floor:
 * for counters one un-prefixed add, for gauges one store, for doubles one un-prefixed compare and exchange, for
 * histograms the bucket and two adds; by label values, the look-up in libck's hash table of values that are joined
 * already. inline: compiled into the caller; promcb: by a call.
 *
 * Usage: bench_series [ROUNDS [MILLISECONDS [SERIES...]]]
 */
#include "bench.h"
#include "table.h"

#include <promcb/admin.h>
#include <promcb/metric_inline.h>

enum { ORDER = 65536, VALUE_BYTES = 16, SERIES_MAX = 120000, BUCKETS_MAX = 512 };

struct values {
	char method[VALUE_BYTES], route[VALUE_BYTES], peer[VALUE_BYTES], joined[3 * VALUE_BYTES];
};

static struct values *values;
static uint32_t order[ORDER];
static struct promcb_metric_family *family;
static struct promcb_counter **counters, *real;
static struct promcb_gauge *gauge;
static struct promcb_histogram *histogram;
static uint64_t *cells[BENCH_WORKERS_MAX];
static uint64_t buckets[BENCH_WORKERS_MAX][BUCKETS_MAX] __attribute__((aligned(128)));
static ck_ht_t table;

#define EACH(statement)                              \
	do {                                         \
		for (uint64_t i = 0; i < count; i++) \
			statement;                   \
	} while (0)

static void floor_counter(unsigned worker, uint64_t count)
{
	EACH(promcb_add_owned(&cells[worker][order[i % ORDER]], 1));
}

static void inline_counter(unsigned worker, uint64_t count)
{
	(void)worker;
	EACH(promcb_counter_add_inline(counters[order[i % ORDER]], 1));
}

static void called_counter(unsigned worker, uint64_t count)
{
	(void)worker;
	EACH(promcb_counter_add(counters[order[i % ORDER]], 1));
}

static void floor_look_up(unsigned worker, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		const char *key = values[order[i % ORDER]].joined;
		uint16_t length = (uint16_t)strlen(key);
		ck_ht_entry_t entry;
		ck_ht_hash_t hash;

		ck_ht_hash(&hash, &table, key, length);
		ck_ht_entry_key_set(&entry, key, length);
		if (ck_ht_get_spmc(&table, hash, &entry))
			promcb_add_owned(ck_ht_entry_value(&entry), worker);
	}
}

static void by_values(unsigned worker, uint64_t count)
{
	(void)worker;
	for (uint64_t i = 0; i < count; i++) {
		const struct values *of = &values[order[i % ORDER]];

		promcb_counter_add_with(family, (const char *const[]){of->method, of->route, of->peer, NULL}, 1);
	}
}

/* A family at its cap: no two in turn are the same. */
static void strangers(unsigned worker, uint64_t count)
{
	char name[VALUE_BYTES] = "000000000000000";

	for (uint64_t i = 0; i < count; i++) {
		memcpy(name, &i, 3);
		for (unsigned k = 0; k < 3; k++)
			name[k] = (char)('a' + (uint8_t)name[k] % 26);
		name[4] = (char)('a' + worker);
		promcb_counter_add_with(family, (const char *const[]){"strange", name, "x", NULL}, 1);
	}
}

static void floor_gauge(unsigned worker, uint64_t count)
{
	EACH(promcb_store_relaxed(&buckets[worker][0], i));
}

static void inline_gauge(unsigned worker, uint64_t count)
{
	(void)worker;
	EACH(promcb_gauge_set_inline(gauge, (double)(int64_t)i));
}

static void gauge_add(unsigned worker, uint64_t count)
{
	(void)worker;
	EACH(promcb_gauge_add(gauge, 1));
}

static void floor_double(unsigned worker, uint64_t count)
{
	EACH(promcb_add_double_owned(&buckets[worker][0], 0.5));
}

static void called_double(unsigned worker, uint64_t count)
{
	(void)worker;
	EACH(promcb_counter_add_double(real, 0.5));
}

static void floor_histogram(unsigned worker, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t value = bench_latency_ns[i % BENCH_LATENCIES];

		promcb_add_owned(&buckets[worker][promcb_bucket3(value)], 1);
		promcb_add_owned(&buckets[worker][BUCKETS_MAX - 1], value);
	}
}

static void inline_histogram(unsigned worker, uint64_t count)
{
	(void)worker;
	EACH(promcb_histogram_observe_inline(histogram, bench_latency_ns[i % BENCH_LATENCIES]));
}

static void called_histogram(unsigned worker, uint64_t count)
{
	(void)worker;
	EACH(promcb_histogram_observe(histogram, bench_latency_ns[i % BENCH_LATENCIES]));
}

static bool declare(struct promcb_session *p, uint32_t count)
{
	static const char *const labels[] = {"method", "route", "peer", NULL};
	struct promcb_metric_family *reals, *gauges, *histograms;

	return promcb_family_register(
		       p,
		       &(struct promcb_family_spec){
			       .name = "requests_total", .type = PROMCB_COUNTER, .labels = labels, .series_max = count},
		       &family) == 0 &&
	       promcb_family_register(p,
				      &(struct promcb_family_spec){
					      .name = "energy_total", .type = PROMCB_COUNTER, .flags = PROMCB_DOUBLES},
				      &reals) == 0 &&
	       promcb_family_register(p, &(struct promcb_family_spec){.name = "used", .type = PROMCB_GAUGE}, &gauges) ==
		       0 &&
	       promcb_family_register(
		       p,
		       &(struct promcb_family_spec){
			       .name = "wait_seconds", .unit = "seconds", .type = PROMCB_HISTOGRAM, .decimals = 9},
		       &histograms) == 0 &&
	       promcb_counter_with(reals, NULL, &real) == 0 && promcb_gauge_with(gauges, NULL, &gauge) == 0 &&
	       promcb_histogram_with(histograms, NULL, &histogram) == 0;
}

static bool fill(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct values *of = &values[i];
		ck_ht_entry_t entry;
		ck_ht_hash_t hash;

		snprintf(of->method, VALUE_BYTES, "%s", i % 2 ? "POST" : "GETS");
		snprintf(of->route, VALUE_BYTES, "/api/v1/%06u", i % 1000000);
		snprintf(of->peer, VALUE_BYTES, "10.0.0.12:%05u", i % 1000);
		snprintf(of->joined, sizeof(of->joined), "%s%s%s", of->method, of->route, of->peer);
		if (promcb_counter_with(family, (const char *const[]){of->method, of->route, of->peer, NULL},
					&counters[i]) != 0)
			return false;
		ck_ht_hash(&hash, &table, of->joined, (uint16_t)strlen(of->joined));
		ck_ht_entry_set(&entry, hash, of->joined, (uint16_t)strlen(of->joined), &cells[0][i]);
		ck_ht_put_spmc(&table, hash, &entry);
	}
	return true;
}

static void measure(uint32_t count, struct bench_arguments arguments)
{
	uint64_t warm = bench_warm(count, ORDER);
	struct bench_case cases[] = {
		{"series", "counter", "floor", floor_counter, count, warm, 0},
		{"series", "counter inlined", "floor", floor_counter, count, warm, 0},
		{"series", "counter inlined", "promcb", inline_counter, count, warm, 0},
		{"series", "counter", "promcb", called_counter, count, warm, 0},
		{"series", "counter by label values", "floor", floor_look_up, count, warm, 0},
		{"series", "counter by label values", "promcb", by_values, count, warm, 0},
		{"series", "label values of strangers", "promcb", strangers, count, warm, 0},
		{"series", "counter of doubles", "floor", floor_double, count, warm, 0},
		{"series", "counter of doubles", "promcb", called_double, count, warm, 0},
		{"series", "gauge set inlined", "floor", floor_gauge, count, warm, 0},
		{"series", "gauge set inlined", "promcb", inline_gauge, count, warm, 0},
		{"series", "gauge add", "promcb", gauge_add, count, warm, 0},
		{"series", "histogram", "floor", floor_histogram, count, warm, 0},
		{"series", "histogram inlined", "floor", floor_histogram, count, warm, 0},
		{"series", "histogram inlined", "promcb", inline_histogram, count, warm, 0},
		{"series", "histogram", "promcb", called_histogram, count, warm, 0},
	};
	struct promcb_options options = {.max_bytes = (uint64_t)1 << 30};
	uint64_t state = 1 + count;
	const char *segment = bench_segment();
	struct promcb_session *p;

	for (unsigned worker = 0; worker < BENCH_WORKERS_MAX; worker++)
		cells[worker] = calloc(count + 16, sizeof(uint64_t));
	if (promcb_open(segment, &options, &p) < 0 || !declare(p, count) ||
	    !ck_ht_init(&table, CK_HT_MODE_BYTESTRING, NULL, &table_memory, 256, 1) || !fill(count)) {
		fprintf(stderr, "bench_series: cannot fill %s\n", segment);
		exit(1);
	}
	for (uint32_t i = 0; i < ORDER; i++)
		order[i] = (uint32_t)(bench_random(&state) % count);
	bench_run(cases, sizeof(cases) / sizeof(cases[0]), arguments, BENCH_TWO_PROCESSES);
	ck_ht_destroy(&table);
	promcb_close(p);
	promcb_remove(segment, true, NULL);
	for (unsigned worker = 0; worker < BENCH_WORKERS_MAX; worker++)
		free(cells[worker]);
}

int main(int argc, char **argv)
{
	struct bench_arguments arguments = bench_arguments(argc, argv);
	static const char *const usual[] = {"1", "1000"};
	int given = argc > 3 ? argc - 3 : 2;

	values = calloc(SERIES_MAX, sizeof(*values));
	counters = calloc(SERIES_MAX, sizeof(*counters));
	if (!values || !counters)
		return 1;
	bench_make_latencies();
	for (int i = 0; i < given; i++) {
		int count = atoi(argc > 3 ? argv[i + 3] : usual[i]);

		if (count > 0 && count <= SERIES_MAX)
			measure((uint32_t)count, arguments);
	}
	free(values);
	free(counters);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * peer_prometheus_cpp_series: what bench_series counts, in prometheus-cpp: counters of three labels with 33 bytes of
 * values, taken at random, at hand and found by their labels in each call; a gauge; a histogram of 12 buckets.
 *
 * Usage: peer_prometheus_cpp_series [ROUNDS [MILLISECONDS [SERIES...]]]
 */
#include "bench.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>
#include <vector>

static const char me[] = "prometheus-cpp";
static const prometheus::Histogram::BucketBoundaries bounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
							       0.01,   0.025,   0.05,   0.1,   1.0};

enum { ORDER = 65536, VALUE_BYTES = 16, SERIES_MAX = 120000 };

static prometheus::Family<prometheus::Counter> *requests;
static std::vector<prometheus::Labels> labels;
static std::vector<prometheus::Counter *> counters;
static prometheus::Gauge *gauge;
static prometheus::Histogram *histogram;
static uint32_t order[ORDER];

static void counter_at_hand(unsigned worker, uint64_t count)
{
	(void)worker;
	for (uint64_t i = 0; i < count; i++)
		counters[order[i % ORDER]]->Increment();
}

static void counter_found(unsigned worker, uint64_t count)
{
	(void)worker;
	for (uint64_t i = 0; i < count; i++)
		requests->Add(labels[order[i % ORDER]]).Increment();
}

static void gauge_set(unsigned worker, uint64_t count)
{
	(void)worker;
	for (uint64_t i = 0; i < count; i++)
		gauge->Set((double)i);
}

static void gauge_add(unsigned worker, uint64_t count)
{
	(void)worker;
	for (uint64_t i = 0; i < count; i++)
		gauge->Increment();
}

static void observe(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL((void)success; histogram->Observe((double)latency_ns * 1e-9));
}

static void measure(uint32_t count, struct bench_arguments arguments)
{
	uint64_t warm = bench_warm(count, ORDER), state = 1 + count;
	struct bench_case cases[] = {
		{"series", "counter", me, counter_at_hand, count, warm, 0},
		{"series", "counter by label values", me, counter_found, count, warm, 0},
		{"series", "gauge set inlined", me, gauge_set, count, warm, 0},
		{"series", "gauge add", me, gauge_add, count, warm, 0},
		{"series", "histogram", me, observe, count, warm, 0},
	};
	prometheus::Registry registry;

	requests = &prometheus::BuildCounter().Name("requests_total").Help("requests").Register(registry);
	gauge = &prometheus::BuildGauge().Name("used").Help("used").Register(registry).Add({});
	histogram = &prometheus::BuildHistogram().Name("wait_seconds").Help("wait").Register(registry).Add({}, bounds);
	labels.clear();
	counters.clear();
	for (uint32_t i = 0; i < count; i++) {
		char route[VALUE_BYTES], peer[VALUE_BYTES];

		snprintf(route, sizeof(route), "/api/v1/%06u", (unsigned)(i % 1000000));
		snprintf(peer, sizeof(peer), "10.0.0.12:%05u", (unsigned)(i % 1000));
		labels.push_back({{"method", i % 2 ? "POST" : "GETS"}, {"route", route}, {"peer", peer}});
		counters.push_back(&requests->Add(labels.back()));
	}
	for (uint32_t i = 0; i < ORDER; i++)
		order[i] = (uint32_t)(bench_random(&state) % count);
	bench_run(cases, sizeof(cases) / sizeof(cases[0]), arguments, BENCH_TWO_THREADS);
}

int main(int argc, char **argv)
{
	static const char *const usual[] = {"1", "1000"};
	struct bench_arguments arguments = bench_arguments(argc, argv);
	int given = argc > 3 ? argc - 3 : 2;

	bench_make_latencies();
	for (int i = 0; i < given; i++) {
		int count = atoi(argc > 3 ? argv[i + 3] : usual[i]);

		if (count > 0 && count <= SERIES_MAX)
			measure((uint32_t)count, arguments);
	}
	return 0;
}

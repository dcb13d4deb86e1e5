/* SPDX-License-Identifier: MIT */
/*
 * peer_prometheus_cpp: the same calls through prometheus-cpp: a counter by outcome and a histogram of 12 buckets.
 *
 * Once with the metrics at hand, once found by their labels at each call, among 100 components. Then x components of 22
 * lines each (2 counters, a gauge, a histogram, a summary) collected and rendered as text. It has no way to share a
 * metric between processes.
 *
 * Usage: peer_prometheus_cpp [ROUNDS [MILLISECONDS [COMPONENTS...]]]
 */
#include "bench.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/summary.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

static const char me[] = "prometheus-cpp";
static const prometheus::Histogram::BucketBoundaries bounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
							       0.01,   0.025,   0.05,   0.1,   1.0};

enum { NAMES = 100 };

static prometheus::Family<prometheus::Counter> *calls;
static prometheus::Family<prometheus::Histogram> *latencies;
static prometheus::Counter *by_outcome[2];
static prometheus::Histogram *latency;
static std::vector<std::string> names;

static void at_hand(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(by_outcome[success]->Increment(); latency->Observe((double)latency_ns * 1e-9));
}

static void found(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(const std::string &name = names[i * 41 % NAMES];
			calls->Add({{"component", name}, {"outcome", success ? "success" : "failure"}}).Increment();
			latencies->Add({{"component", name}}, bounds).Observe((double)latency_ns * 1e-9));
}

static void render(uint64_t components, unsigned rounds)
{
	prometheus::Registry registry;
	auto &counters = prometheus::BuildCounter().Name("calls_total").Help("calls").Register(registry);
	auto &gauges = prometheus::BuildGauge().Name("state").Help("state").Register(registry);
	auto &histograms = prometheus::BuildHistogram().Name("duration_seconds").Help("latency").Register(registry);
	auto &summaries = prometheus::BuildSummary().Name("latency_seconds").Help("latency").Register(registry);
	const prometheus::Summary::Quantiles quantiles = {{0.5, 0.05}, {0.9, 0.01}, {0.99, 0.001}};

	for (uint64_t i = 0; i < components; i++) {
		char name[40];

		snprintf(name, sizeof(name), "service_component_%012u", (unsigned)i);
		counters.Add({{"component", name}, {"outcome", "success"}}).Increment((double)(i * 977 + 12345));
		counters.Add({{"component", name}, {"outcome", "failure"}}).Increment((double)(i % 97));
		gauges.Add({{"component", name}}).Set(0);
		auto &histogram = histograms.Add({{"component", name}}, bounds);
		auto &summary = summaries.Add({{"component", name}}, quantiles);

		for (unsigned k = 0; k < 100; k++) {
			histogram.Observe(bench_latency_ns[(i + k) % BENCH_LATENCIES] * 1e-9);
			summary.Observe(bench_latency_ns[(i + k) % BENCH_LATENCIES] * 1e-9);
		}
	}
	for (unsigned round = 0; round < rounds; round++) {
		uint64_t begin_ns = bench_now_ns();
		auto collected = registry.Collect();
		uint64_t collected_ns = bench_now_ns();
		std::string text = prometheus::TextSerializer().Serialize(collected);
		uint64_t end_ns = bench_now_ns();
		double lines = (double)std::count(text.begin(), text.end(), '\n');

		bench_row("read", "snapshot + render text (full)", me, components, 0, "1 thread", "ms",
			  (double)(end_ns - begin_ns) * 1e-6);
		bench_row("read", "render text a line (full)", me, components, 0, "1 thread", "ns",
			  (double)(end_ns - collected_ns) / lines);
	}
}

int main(int argc, char **argv)
{
	static struct bench_case cases[] = {
		{"record", "record", me, at_hand, 0, NAMES, 0},
		{"name", "by name", me, found, NAMES, NAMES, 0},
	};
	struct bench_arguments arguments = bench_arguments(argc, argv);
	prometheus::Registry registry;

	calls = &prometheus::BuildCounter().Name("calls_total").Help("calls").Register(registry);
	latencies = &prometheus::BuildHistogram().Name("duration_seconds").Help("latency").Register(registry);
	for (unsigned i = 0; i < NAMES; i++)
		names.push_back("service_component_" + std::string(9, '0') + std::to_string(100 + i));
	by_outcome[0] = &calls->Add({{"component", "bench"}, {"outcome", "failure"}});
	by_outcome[1] = &calls->Add({{"component", "bench"}, {"outcome", "success"}});
	latency = &latencies->Add({{"component", "bench"}}, bounds);
	bench_make_latencies();
	bench_run(cases, sizeof(cases) / sizeof(cases[0]), arguments, BENCH_TWO_THREADS);
	for (int i = 3; i < argc; i++)
		render(strtoull(argv[i], nullptr, 10), arguments.rounds);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * peer_pcp: the same calls through PCP's memory-mapped values (libpcp_mmv): two counters, a sum, and, since it has no
 * histogram, a counter for each of 12 buckets.
 *
 * Once with the values at hand, once found by name at each call, among 100 components. Two threads or processes on one
 * value lose counts: its additions are not atomic.
 *
 * Usage: peer_pcp [ROUNDS [MILLISECONDS]]
 */
#include "bench.h"

#include <pcp/pmapi.h>

#include <pcp/mmv_stats.h>

#include <sys/stat.h>

enum { NAMES = 100, BUCKETS = 12, METRICS = 3 + BUCKETS };

static const double bounds[BUCKETS] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
				       0.01,   0.025,   0.05,   0.1,   1.0,    INFINITY};

static void *mapping;
static char names[NAMES][MMV_NAMEMAX];
static char bucket_names[BUCKETS][16];
static pmAtomValue *calls[2], *sum, *buckets[BUCKETS];

static unsigned bucket_of(double seconds)
{
	unsigned bucket = 0;

	while (seconds > bounds[bucket])
		bucket++;
	return bucket;
}

static void at_hand(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(double seconds = (double)latency_ns * 1e-9; mmv_inc(mapping, calls[success]);
			mmv_inc_value(mapping, sum, seconds); mmv_inc(mapping, buckets[bucket_of(seconds)]));
}

static void found(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(const char *name = names[i * 41 % NAMES]; double seconds = (double)latency_ns * 1e-9;
			mmv_stats_inc(mapping, success ? "successes" : "failures", name);
			mmv_stats_add(mapping, "seconds", name, seconds);
			mmv_stats_inc(mapping, bucket_names[bucket_of(seconds)], name));
}

static void name_metric(mmv_metric_t *metric, unsigned item, const char *name, mmv_metric_type_t type)
{
	snprintf(metric->name, sizeof(metric->name), "%s", name);
	metric->item = item + 1;
	metric->type = type;
	metric->semantics = MMV_SEM_COUNTER;
	metric->indom = 1;
}

static bool make(void)
{
	static mmv_metric_t metrics[METRICS];
	static mmv_instances_t instances[NAMES];
	static mmv_indom_t indom = {.serial = 1, .count = NAMES, .instances = instances};

	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(names[i], sizeof(names[i]), "service_component_%012u", i);
		instances[i].internal = (int)i;
		memcpy(instances[i].external, names[i], sizeof(instances[i].external));
	}
	name_metric(&metrics[0], 0, "failures", MMV_TYPE_U64);
	name_metric(&metrics[1], 1, "successes", MMV_TYPE_U64);
	name_metric(&metrics[2], 2, "seconds", MMV_TYPE_DOUBLE);
	for (unsigned i = 0; i < BUCKETS; i++) {
		snprintf(bucket_names[i], sizeof(bucket_names[i]), "bucket_%u", i);
		name_metric(&metrics[3 + i], 3 + i, bucket_names[i], MMV_TYPE_U64);
	}
	mapping = mmv_stats_init("bench", 1, 0, metrics, METRICS, &indom, 1);
	if (!mapping)
		return false;
	calls[0] = mmv_lookup_value_desc(mapping, "failures", names[0]);
	calls[1] = mmv_lookup_value_desc(mapping, "successes", names[0]);
	sum = mmv_lookup_value_desc(mapping, "seconds", names[0]);
	for (unsigned i = 0; i < BUCKETS; i++)
		buckets[i] = mmv_lookup_value_desc(mapping, bucket_names[i], names[0]);
	return calls[0] && calls[1] && sum && buckets[BUCKETS - 1];
}

int main(int argc, char **argv)
{
	static struct bench_case cases[] = {
		{"record", "record", "PCP MMV", at_hand, 0, NAMES, 0},
		{"name", "by name", "PCP MMV", found, NAMES, NAMES, 0},
	};
	struct bench_arguments arguments = bench_arguments(argc, argv);
	char directory[] = "/dev/shm/promcb-bench-XXXXXX", path[64];

	/* Its files lie in shared memory, as promcb's do. */
	if (!mkdtemp(directory))
		return 1;
	setenv("PCP_TMP_DIR", directory, 1);
	snprintf(path, sizeof(path), "%s/mmv", directory);
	mkdir(path, 0700);
	bool made = make();

	if (made) {
		bench_make_latencies();
		bench_run(cases, sizeof(cases) / sizeof(cases[0]), arguments, BENCH_TWO_PROCESSES);
		mmv_stats_stop("bench", mapping);
	} else {
		fprintf(stderr, "peer_pcp: no values in %s\n", path);
	}
	snprintf(path, sizeof(path), "%s/mmv/bench", directory);
	unlink(path);
	path[strlen(path) - strlen("/bench")] = '\0';
	rmdir(path);
	rmdir(directory);
	return !made;
}

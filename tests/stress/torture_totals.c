/* SPDX-License-Identifier: MIT */
/*
 * torture_totals: processes x threads record a known series on the same components while readers take snapshots back
 * to back.
 *
 * Invariants: no count, bucket or sum ever goes down between two snapshots; calls = sum of buckets and of calls without
 * a latency in each; at the end every bucket, every sum and every count of calls without a latency equals that of a
 * serial twin. Once with lanes for all threads, once with too few, where the rest goes into overflow blocks.
 */
#include "stress.h"

#include <promcb/atomic.h>

#include <sched.h>

enum { PROCESSES = 4, THREADS = 4, COMPONENTS = 3 };

static const char *const names[COMPONENTS] = {"alpha", "be\"ta\\", "gamma delta"};

/* How many threads have recorded their first call and hold a lane, or found none: all of them do before any goes on. */
static uint64_t *started;

struct work {
	struct promcb_component *components[COMPONENTS];
	uint64_t writer;
	uint64_t calls;
};

struct expected {
	uint64_t buckets[COMPONENTS][2][4096];
	uint64_t sums[COMPONENTS][2];
	uint64_t unmeasured[COMPONENTS][2];
};

/* Call k of a writer: any latency from 0 to beyond the maximum, or none; one in ten a failure. */
static uint64_t series(uint64_t writer, uint64_t k, unsigned *component, bool *success, bool *measured)
{
	uint64_t state = (writer + 1) * 0x9E3779B97F4A7C15u ^ (k + 1) * 0xD1B54A32D192ED03u;

	stress_random(&state);
	*component = (unsigned)(state % COMPONENTS);
	*success = state / 8 % 10 != 0;
	*measured = state / 128 % 6 != 0;
	stress_random(&state);
	return state >> 22 >> (state % 42);
}

static void *record_all(void *argument)
{
	const struct work *work = argument;

	for (uint64_t k = 0; k < work->calls; k++) {
		unsigned component;
		bool success, measured;
		uint64_t latency_ns = series(work->writer, k, &component, &success, &measured);

		if (!measured)
			promcb_record_outcome(work->components[component], success);
		else if (k % 3)
			promcb_record(work->components[component], latency_ns, success);
		else
			promcb_record_at(work->components[component], latency_ns, success, stress_now_ns());
		if (k == 0) {
			promcb_add_relaxed(started, 1);
			while (promcb_load_relaxed(started) < PROCESSES * THREADS)
				sched_yield();
		}
	}
	return NULL;
}

static void produce(unsigned process, uint64_t calls)
{
	struct promcb_session *p = stress_open(NULL);
	struct work work[THREADS];
	pthread_t threads[THREADS];

	for (unsigned t = 0; t < THREADS; t++) {
		for (unsigned i = 0; i < COMPONENTS; i++)
			work[t].components[i] = stress_component(p, names[i]);
		work[t].writer = process * THREADS + t;
		work[t].calls = calls;
		CHECK(pthread_create(&threads[t], NULL, record_all, &work[t]) == 0, "thread");
	}
	for (unsigned t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	promcb_close(p);
}

static void expect(struct expected *expected, uint64_t calls)
{
	for (uint64_t writer = 0; writer < PROCESSES * THREADS; writer++)
		for (uint64_t k = 0; k < calls; k++) {
			unsigned component;
			bool success, measured;
			uint64_t latency_ns = series(writer, k, &component, &success, &measured);

			if (!measured) {
				expected->unmeasured[component][!success]++;
				continue;
			}
			if (latency_ns > PROMCB_LATENCY_MAX_NS)
				latency_ns = PROMCB_LATENCY_MAX_NS;
			expected->buckets[component][!success][promcb_bucket_of(3, latency_ns)]++;
			expected->sums[component][!success] += latency_ns;
		}
}

static void check_monotonic(const struct promcb_snapshot *before, const struct promcb_snapshot *after)
{
	for (size_t i = 0; before && i < before->count; i++) {
		const struct promcb_snapshot_component *was = &before->components[i],
						       *is = stress_find(after, was->name.text);

		CHECK(is, "%s vanished", was->name.text);
		for (unsigned outcome = 0; outcome < 2; outcome++) {
			CHECK(is->counts.latency_sum_ns[outcome] >= was->counts.latency_sum_ns[outcome],
			      "%s: sum went down", was->name.text);
			CHECK(is->counts.calls[outcome] >= was->counts.calls[outcome], "%s: calls went down",
			      was->name.text);
			CHECK(is->counts.unmeasured[outcome] >= was->counts.unmeasured[outcome],
			      "%s: calls without a latency went down", was->name.text);
			for (uint32_t bucket = 0; bucket < before->buckets; bucket++)
				CHECK(is->counts.buckets[outcome][bucket] >= was->counts.buckets[outcome][bucket],
				      "%s: bucket %u went down", was->name.text, bucket);
		}
	}
	for (size_t i = 0; i < after->count; i++)
		for (unsigned outcome = 0; outcome < 2; outcome++) {
			uint64_t sum = after->components[i].counts.unmeasured[outcome];

			for (uint32_t bucket = 0; bucket < after->buckets; bucket++)
				sum += after->components[i].counts.buckets[outcome][bucket];
			CHECK(sum == after->components[i].counts.calls[outcome], "%s: calls are not the sum of buckets",
			      after->components[i].name.text);
		}
}

static void check_exact(const struct promcb_snapshot *after, const struct expected *expected)
{
	for (unsigned i = 0; i < COMPONENTS; i++) {
		const struct promcb_snapshot_component *c = stress_find(after, names[i]);

		CHECK(c, "%s is missing", names[i]);
		for (unsigned outcome = 0; outcome < 2; outcome++) {
			CHECK(c->counts.latency_sum_ns[outcome] == expected->sums[i][outcome],
			      "%s: sum %llu, expected %llu", names[i],
			      (unsigned long long)c->counts.latency_sum_ns[outcome],
			      (unsigned long long)expected->sums[i][outcome]);
			CHECK(c->counts.unmeasured[outcome] == expected->unmeasured[i][outcome],
			      "%s: %llu calls without a latency, expected %llu", names[i],
			      (unsigned long long)c->counts.unmeasured[outcome],
			      (unsigned long long)expected->unmeasured[i][outcome]);
			for (uint32_t bucket = 0; bucket < after->buckets; bucket++)
				CHECK(c->counts.buckets[outcome][bucket] == expected->buckets[i][outcome][bucket],
				      "%s: bucket %u has %llu, expected %llu", names[i], bucket,
				      (unsigned long long)c->counts.buckets[outcome][bucket],
				      (unsigned long long)expected->buckets[i][outcome][bucket]);
		}
	}
}

static void run(const struct promcb_options *options, uint64_t calls, bool expect_overflow)
{
	struct expected *expected = calloc(1, sizeof(*expected));
	struct promcb_snapshot *before = NULL, *after;
	struct promcb_session *p = stress_open(options);
	pid_t children[PROCESSES];
	unsigned running = PROCESSES, snapshots = 0;

	started = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(expected && started != MAP_FAILED, "memory");
	for (unsigned i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		CHECK(children[i] >= 0, "fork");
		if (children[i] == 0) {
			produce(i, calls);
			_exit(0);
		}
	}
	while (running) {
		int status;
		pid_t ended = waitpid(-1, &status, WNOHANG);

		if (ended > 0) {
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a producer failed: %d", status);
			running--;
		}
		after = stress_snapshot(snapshots++ % 2 ? PROMCB_ACCESS_MAPPED : PROMCB_ACCESS_COPY);
		check_monotonic(before, after);
		promcb_snapshot_free(before);
		before = after;
	}
	expect(expected, calls);
	after = stress_snapshot(PROMCB_ACCESS_COPY);
	check_exact(after, expected);
	CHECK(expect_overflow == (after->info.overflow_calls > 0), "overflow calls: %llu",
	      (unsigned long long)after->info.overflow_calls);
	CHECK(after->info.dropped_calls == 0, "dropped calls");
	stress_check_segment();
	printf("%u snapshots, %llu calls, %llu of them by overflow: exact\n", snapshots,
	       (unsigned long long)(calls * PROCESSES * THREADS), (unsigned long long)after->info.overflow_calls);
	promcb_snapshot_free(before);
	promcb_snapshot_free(after);
	promcb_close(p);
	stress_remove();
	free(expected);
}

int main(void)
{
	const struct promcb_options few_lanes = {.lanes = 5};

	stress_begin("totals");
	run(NULL, stress_scale(1500000), false);
	run(&few_lanes, stress_scale(300000), true);
	return 0;
}

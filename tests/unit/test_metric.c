/* SPDX-License-Identifier: MIT */
/* Counting in series, by the public interface: what is counted is what the copies hold together. */
#include "fixture.h"

#include "cells.h"

#include <promcb/metric_inline.h>

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sys/wait.h>

TestSuite(metric, .init = fixture_begin, .fini = fixture_end);

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct promcb_session *p;

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		cr_assert_eq(errno, EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct promcb_metric_family *sent_family(void)
{
	return fixture_family(p, (struct promcb_family_spec){.name = "sent_bytes_total",
							     .unit = "bytes",
							     .type = PROMCB_COUNTER,
							     .labels = VALUES("peer")});
}

Test(metric, counter_with_a_label)
{
	struct promcb_counter *a, *b, *again;

	p = fixture_open(NULL);
	struct promcb_metric_family *family = sent_family();

	cr_assert_eq(sent_family(), family);
	cr_assert_eq(promcb_counter_with(family, VALUES("a"), &a), 0);
	cr_assert_eq(promcb_counter_with(family, VALUES("b"), &b), 0);
	cr_assert_eq(promcb_counter_with(family, VALUES("a"), &again), 0);
	cr_assert_eq(a, again);
	for (uint32_t i = 1; i <= 1000; i++) {
		promcb_counter_add(a, i);
		promcb_counter_add_inline(b, 2 * i);
		cr_assert_eq(promcb_counter_add_with(family, VALUES("a"), 1), 0);
	}
	cr_assert_eq(cells_total(a, 0), 501500);
	cr_assert_eq(cells_total(b, 0), 1001000);
}

Test(metric, families_without_labels)
{
	struct promcb_counter *counter;
	struct promcb_level *level;

	p = fixture_open(NULL);
	struct promcb_metric_family *family =
		fixture_family(p, (struct promcb_family_spec){.name = "a_total", .type = PROMCB_COUNTER});

	cr_assert_eq(promcb_counter_with(family, NULL, &counter), 0);
	cr_assert_eq(promcb_counter_with(family, (const char *const[]){NULL}, &counter), 0);
	promcb_counter_add(counter, 7);
	cr_assert_eq(cells_total(counter, 0), 7);
	family = fixture_family(p, (struct promcb_family_spec){.name = "queue", .type = PROMCB_LEVEL});
	cr_assert_eq(promcb_level_with(family, NULL, &level), 0);
	promcb_level_add(level, 10);
	promcb_level_add(level, -13);
	cr_assert_eq((int64_t)cells_total(level, 0), -3);
	/* Another type, or values that are none of it: a handle that does nothing. */
	cr_assert_eq(promcb_counter_with(family, NULL, &counter), -EINVAL);
	promcb_counter_add(counter, 1);
	cr_assert_eq((int64_t)cells_total(level, 0), -3);
	cr_assert_eq(promcb_counter_with(NULL, NULL, &counter), -EINVAL);
	promcb_counter_add(counter, 1);
}

Test(metric, enumerated_label)
{
	struct promcb_counter *counter;

	p = fixture_open(NULL);
	struct promcb_metric_family *family =
		fixture_family(p, (struct promcb_family_spec){
					  .name = "errors_total",
					  .type = PROMCB_COUNTER,
					  .labels = VALUES("peer"),
					  .enumerated_label = "kind",
					  .enumerated = VALUES("timeout", "refused", "other"),
				  });

	cr_assert_eq(promcb_counter_with(family, VALUES("a"), &counter), 0);
	for (uint32_t index = 0; index < 5; index++)
		for (uint32_t i = 0; i <= index; i++) {
			promcb_counter_add_at(counter, index, 1);
			promcb_counter_add_at_inline(counter, index, 10);
		}
	cr_assert_eq(cells_total(counter, 0), 11);
	cr_assert_eq(cells_total(counter, 1), 22);
	cr_assert_eq(cells_total(counter, 2), 11 * (3 + 4 + 5));
}

Test(metric, doubles_and_what_is_no_amount)
{
	struct promcb_counter *real, *whole;

	p = fixture_open(NULL);
	struct promcb_header *header = promcb_segment_header(p->segment);
	struct promcb_metric_family *family = fixture_family(
		p, (struct promcb_family_spec){
			   .name = "energy_joules_total", .type = PROMCB_COUNTER, .flags = PROMCB_DOUBLES});

	cr_assert_eq(promcb_counter_with(family, NULL, &real), 0);
	for (uint32_t i = 0; i < 1000; i++)
		promcb_counter_add_double(real, 0.25);
	promcb_counter_add(real, 3);
	cr_assert_eq(cells_real(real, 0), 253.0);
	cr_assert_eq(promcb_counter_add_double_with(family, NULL, 0.5), 0);
	cr_assert_eq(promcb_counter_add_double_with(family, NULL, 0.5), 0);
	cr_assert_eq(promcb_gauge_add_with(family, NULL, 1), -EINVAL);
	cr_assert_eq(cells_real(real, 0), 254.0);
	family = fixture_family(
		p, (struct promcb_family_spec){.name = "cpu_seconds_total", .type = PROMCB_COUNTER, .decimals = 3});
	cr_assert_eq(promcb_counter_with(family, NULL, &whole), 0);
	promcb_counter_add_double(whole, 0.0015);
	promcb_counter_add(whole, 1000);
	cr_assert_eq(cells_total(whole, 0), 1002);
	cr_assert_eq(promcb_load_relaxed(&header->rejected_values), 0);
	promcb_counter_add_double(real, -1);
	promcb_counter_add_double(real, (double)NAN);
	promcb_counter_add_double(real, (double)INFINITY);
	promcb_counter_add_double(whole, -0.001);
	promcb_counter_add_double(whole, 1e300);
	cr_assert_eq(promcb_load_relaxed(&header->rejected_values), 5);
	cr_assert_eq(cells_real(real, 0), 254.0);
	cr_assert_eq(cells_total(whole, 0), 1002);
}

Test(metric, histograms)
{
	static const double bounds[] = {1, 2.5, 10};
	static const double values[] = {0, 1, 1.5, 2.5, 2.75, 10, 11, 1000};
	struct promcb_histogram *native, *explicit, *real;

	p = fixture_open(NULL);
	struct promcb_metric_family *family = fixture_family(p, (struct promcb_family_spec){.name = "size_bytes",
											    .unit = "bytes",
											    .type = PROMCB_HISTOGRAM,
											    .smallest = 1,
											    .largest = 1024,
											    .buckets_per_octave = 1});

	cr_assert_eq(promcb_histogram_with(family, NULL, &native), 0);
	for (uint64_t value = 0; value <= 2048; value++) {
		promcb_histogram_observe(native, value);
		promcb_histogram_observe_inline(native, value);
	}
	/* 0 and 1; 2; 3, 4; 5 to 8 ... 513 to 1024; above. */
	cr_assert_eq(family->width, 13);
	cr_assert_eq(cells_total(native, 0), 4);
	for (uint32_t k = 1; k <= 10; k++)
		cr_assert_eq(cells_total(native, k), (uint64_t)1 << k, "bucket %u", k);
	cr_assert_eq(cells_total(native, 11), 2048);
	cr_assert_eq(cells_total(native, 12), (uint64_t)2048 * 2049);

	family = fixture_family(p, (struct promcb_family_spec){.name = "wait_ms",
							       .type = PROMCB_HISTOGRAM,
							       .bounds = bounds,
							       .bound_count = 3,
							       .decimals = 3});
	cr_assert_eq(promcb_histogram_with(family, NULL, &explicit), 0);
	family = fixture_family(p, (struct promcb_family_spec){.name = "wait_real",
							       .type = PROMCB_HISTOGRAM,
							       .bounds = bounds,
							       .bound_count = 3,
							       .flags = PROMCB_DOUBLES});
	cr_assert_eq(promcb_histogram_with(family, NULL, &real), 0);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		promcb_histogram_observe(explicit, (uint64_t)(values[i] * 1000));
		promcb_histogram_observe_double(explicit, values[i]);
		promcb_histogram_observe_double(real, values[i]);
	}
	for (uint32_t bucket = 0; bucket < 4; bucket++) {
		cr_assert_eq(cells_total(explicit, bucket), 4, "bucket %u", bucket);
		cr_assert_eq(cells_total(real, bucket), 2, "bucket %u", bucket);
	}
	cr_assert_eq(cells_total(explicit, 4), 2 * 1028750);
	cr_assert_eq(cells_real(real, 4), 1028.75);
	promcb_histogram_observe_double(real, (double)NAN);
	promcb_histogram_observe_double(explicit, -1);
	cr_assert_eq(promcb_load_relaxed(&promcb_segment_header(p->segment)->rejected_values), 2);
}

Test(metric, gauges_of_the_process_and_of_the_segment)
{
	struct promcb_gauge *gauge, *last;
	double sum;

	p = fixture_open(NULL);
	struct promcb_metric_family *family = fixture_family(
		p, (struct promcb_family_spec){.name = "connections", .type = PROMCB_GAUGE, .labels = VALUES("pool")});

	cr_assert_eq(promcb_gauge_with(family, VALUES("x"), &gauge), 0);
	cr_assert_eq(cells_live(p->segment, cells_first(gauge), &sum), 0);
	promcb_gauge_set(gauge, 4);
	promcb_gauge_set_inline(gauge, 5);
	cr_assert_eq(cells_live(p->segment, cells_first(gauge), &sum), 1);
	cr_assert_eq(sum, 5);
	promcb_gauge_add(gauge, -2.5);
	cr_assert_eq(cells_live(p->segment, cells_first(gauge), &sum), 1);
	cr_assert_eq(sum, 2.5);
	promcb_gauge_clear(gauge);
	cr_assert_eq(cells_live(p->segment, cells_first(gauge), &sum), 0);
	promcb_gauge_add(gauge, 3);
	cr_assert_eq(cells_live(p->segment, cells_first(gauge), &sum), 1);
	cr_assert_eq(sum, 3);
	cr_assert_eq(cells_total(gauge, 0), 0, "nothing of it lasts");

	family = fixture_family(p, (struct promcb_family_spec){.name = "config_version",
							       .type = PROMCB_GAUGE,
							       .scope = PROMCB_SCOPE_SEGMENT});
	cr_assert_eq(promcb_gauge_with(family, NULL, &last), 0);
	promcb_gauge_set(last, 17);
	promcb_gauge_add(last, 1);
	cr_assert_eq(cells_real(last, 0), 0 * sum + promcb_bits_double(promcb_double_bits(18) ^ PROMCB_GAUGE_UNSET));
	cr_assert_neq(cells_total(last, 1), 0, "when it was set");
	cr_assert_eq(promcb_load_relaxed(&promcb_segment_header(p->segment)->dropped_values), 0);
}

static struct promcb_family_record *record_of(const struct promcb_metric_family *family)
{
	return promcb_segment_piece(p->segment, family->at.component, PROMCB_PIECE_FAMILY, 0);
}

/* The cap is exact; what is beyond it is counted in one series, and nothing is lost. */
Test(metric, strangers_overflow)
{
	char name[32];
	struct promcb_counter *counter;
	uint64_t refused = 0;

	p = fixture_open(NULL);
	struct promcb_metric_family *family = fixture_family(p, (struct promcb_family_spec){.name = "routes_total",
											    .type = PROMCB_COUNTER,
											    .labels = VALUES("route"),
											    .series_max = 10});

	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "/%u", i);
		int result = promcb_counter_add_with(family, VALUES(name), 3);

		cr_assert_eq(result, i < 10 ? 0 : -ENOSPC, "%u: %d", i, result);
		refused += result < 0;
	}
	cr_assert_eq(refused, 990);
	cr_assert_eq(promcb_counter_with(family, VALUES("/0"), &counter), 0);
	cr_assert_eq(cells_total(counter, 0), 3);
	cr_assert_eq(promcb_counter_with(family, VALUES("/999"), &counter), -ENOSPC);
	cr_assert_eq(cells_total(counter, 0), 2970);
	cr_assert_eq(promcb_load_relaxed(&record_of(family)->refused), 991, "each of them, and the one just now");
	cr_assert_eq(promcb_series_handles_used, 13, "no handle for strangers");
	/* So are values against the rules. */
	cr_assert_eq(promcb_counter_add_with(family, VALUES("\xff"), 1), -EINVAL);
	cr_assert_eq(promcb_counter_add_with(family, VALUES("a", "b"), 1), -EINVAL);
	cr_assert_eq(promcb_counter_add_with(family, NULL, 1), -EINVAL);
	cr_assert_eq(cells_total(counter, 0), 2973);
}

/* A segment that is removed takes its counts along, and nothing that the process has set. */
Test(metric, what_is_set_goes_along)
{
	struct promcb_gauge *used, *cleared;
	struct promcb_counter *before, *after;
	double sum;

	p = fixture_open(NULL);
	struct promcb_metric_family *gauges = fixture_family(
		p, (struct promcb_family_spec){.name = "used", .type = PROMCB_GAUGE, .labels = VALUES("pool")});
	struct promcb_metric_family *infos = fixture_family(
		p, (struct promcb_family_spec){.name = "app_info", .type = PROMCB_INFO, .labels = VALUES("version")});
	struct promcb_metric_family *sent = sent_family();

	cr_assert_eq(promcb_gauge_with(gauges, VALUES("a"), &used), 0);
	cr_assert_eq(promcb_gauge_with(gauges, VALUES("b"), &cleared), 0);
	cr_assert_eq(promcb_counter_with(sent, VALUES("a"), &before), 0);
	promcb_gauge_set(used, 12.5);
	promcb_gauge_set(cleared, 3);
	promcb_gauge_clear(cleared);
	cr_assert_eq(promcb_info_with(infos, VALUES("1.2")), 0);
	promcb_counter_add(before, 5);
	for (uint32_t generation = 1; generation <= 3; generation++) {
		uint32_t cell = cells_first(used);

		cr_assert_eq(promcb_remove(fixture_segment, true, NULL), 0);
		/* Whatever comes to the slow path finds it out. */
		cr_assert_eq(promcb_counter_with(sent,
						 VALUES(generation == 1   ? "b"
							: generation == 2 ? "c"
									  : "d"),
						 &after),
			     0);
		cr_assert_eq(cells_live(p->segment, cells_first(used), &sum), 1, "cell %u, then %u", cell,
			     cells_first(used));
		cr_assert_eq(sum, 12.5);
		promcb_gauge_add(used, 1);
		cr_assert_eq(cells_live(p->segment, cells_first(used), &sum), 1);
		cr_assert_eq(sum, 13.5);
		promcb_gauge_add(used, -1);
		promcb_counter_add(before, generation);
		promcb_counter_add(after, 7);
		cr_assert_eq(cells_total(before, 0), generation);
		cr_assert_eq(cells_total(after, 0), 7);
		for (uint32_t number = 1; number < promcb_series_handles_used; number++)
			if (promcb_series_handles[number].family == infos && promcb_series_handles[number].key) {
				cr_assert_eq(cells_live(p->segment, promcb_series_handles[number].at.component, &sum),
					     1);
				cr_assert_eq(sum, 1);
			}
	}
	cr_assert_eq(promcb_load_relaxed(&promcb_segment_header(p->segment)->dropped_values), 0);
}

/* The child of vfork may die in the middle: it counts beside its parent's cells what the parent has not counted yet. */
Test(metric, child_of_vfork_counts)
{
	struct promcb_counter *had, *fresh;
	struct promcb_gauge *gauge, *set_before;
	double sum;

	if (getenv("MESON_EXE_WRAPPER"))
		cr_skip_test("an emulator has no vfork");
	p = fixture_open(NULL);
	struct promcb_metric_family *sent = sent_family();
	struct promcb_metric_family *gauges = fixture_family(
		p, (struct promcb_family_spec){.name = "used", .type = PROMCB_GAUGE, .labels = VALUES("pool")});
	struct promcb_header *header = promcb_segment_header(p->segment);

	cr_assert_eq(promcb_counter_with(sent, VALUES("a"), &had), 0);
	cr_assert_eq(promcb_counter_with(sent, VALUES("b"), &fresh), 0);
	cr_assert_eq(promcb_gauge_with(gauges, VALUES("a"), &set_before), 0);
	cr_assert_eq(promcb_gauge_with(gauges, VALUES("b"), &gauge), 0);
	promcb_counter_add(had, 1);
	promcb_gauge_set(set_before, 1);
	pid_t child = vfork();

	if (child == 0) {
		for (uint32_t i = 0; i < 1000; i++) {
			promcb_counter_add(had, 1);
			promcb_counter_add(fresh, 1);
			promcb_counter_add_with(sent, VALUES("b"), 1);
		}
		promcb_gauge_set(set_before, 2);
		promcb_gauge_set(gauge, 3);
		_exit(0);
	}
	cr_assert_eq(wait_for(child), 0);
	cr_assert_eq(cells_total(had, 0), 1001);
	cr_assert_eq(cells_total(fresh, 0), 2000);
	cr_assert_eq(cells_live(p->segment, cells_first(set_before), &sum), 1);
	cr_assert_eq(sum, 2);
	cr_assert_eq(cells_live(p->segment, cells_first(gauge), &sum), 0);
	cr_assert_eq(promcb_load_relaxed(&header->dropped_values), 1);
	promcb_gauge_set(gauge, 4);
	promcb_counter_add(fresh, 1);
	cr_assert_eq(cells_live(p->segment, cells_first(gauge), &sum), 1);
	cr_assert_eq(cells_total(fresh, 0), 2001);
	cr_assert_eq(promcb_load_relaxed(&header->dropped_values), 1);
}

/* Setting needs a lane of the process's own; where there is none, what was to be set is counted as dropped. */
Test(metric, no_lane_for_gauges)
{
	struct promcb_options options = {.lanes = 1};
	struct promcb_counter *counter;
	struct promcb_gauge *gauge;
	double sum;

	p = fixture_open(&options);
	struct promcb_metric_family *gauges =
		fixture_family(p, (struct promcb_family_spec){.name = "used", .type = PROMCB_GAUGE});

	cr_assert_eq(promcb_counter_with(sent_family(), VALUES("a"), &counter), 0);
	promcb_counter_add(counter, 1);
	cr_assert_eq(promcb_gauge_with(gauges, NULL, &gauge), 0);
	for (uint32_t i = 0; i < 100; i++) {
		promcb_gauge_set(gauge, 1);
		promcb_gauge_add(gauge, 1);
		promcb_counter_add(counter, 1);
	}
	cr_assert_eq(cells_live(p->segment, cells_first(gauge), &sum), 0);
	cr_assert_eq(cells_total(counter, 0), 101);
	cr_assert_eq(promcb_load_relaxed(&promcb_segment_header(p->segment)->dropped_values), 200);
}

/* A child has no gauges of its parent's, and its own are beside them. */
Test(metric, child_of_fork_has_a_home_of_its_own)
{
	struct promcb_gauge *gauge;
	int ready[2], end[2];
	char byte = 0;
	double sum;

	p = fixture_open(NULL);
	struct promcb_metric_family *gauges =
		fixture_family(p, (struct promcb_family_spec){.name = "used", .type = PROMCB_GAUGE});

	cr_assert_eq(promcb_gauge_with(gauges, NULL, &gauge), 0);
	promcb_gauge_set(gauge, 5);
	cr_assert_eq(pipe(ready), 0);
	cr_assert_eq(pipe(end), 0);
	pid_t child = fork();

	if (child == 0) {
		close(end[1]);
		promcb_gauge_add(gauge, 7);
		if (write(ready[1], &byte, 1) != 1 || read(end[0], &byte, 1) != 0)
			_exit(1);
		_exit(0);
	}
	close(end[0]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	cr_assert_eq(cells_live(p->segment, cells_first(gauge), &sum), 2);
	cr_assert_eq(sum, 12, "the child began at 0");
	promcb_gauge_add(gauge, 1);
	cr_assert_eq(cells_live(p->segment, cells_first(gauge), &sum), 2);
	cr_assert_eq(sum, 13);
	close(end[1]);
	cr_assert_eq(wait_for(child), 0);
}

enum { THREADS = 8, ROUNDS = 20000 };

static struct promcb_counter *counters[4];
static struct promcb_metric_family *shared_family;

static void *add_all(void *context)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		promcb_counter_add(counters[i % 4], 1);
		promcb_counter_add_with(shared_family, VALUES("third"), 1);
	}
	return context;
}

/* More threads than lanes: the others count in the shared copy. */
Test(metric, threads_without_lanes_count_aside)
{
	static const char *const names[] = {"first", "second", "third", "fourth"};
	pthread_t threads[THREADS];
	struct promcb_options options = {.lanes = 3};

	p = fixture_open(&options);
	shared_family = sent_family();
	for (uint32_t i = 0; i < 4; i++)
		cr_assert_eq(promcb_counter_with(shared_family, VALUES(names[i]), &counters[i]), 0);
	for (uint32_t i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, add_all, NULL), 0);
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 0; i < 4; i++)
		cr_assert_eq(cells_total(counters[i], 0),
			     (uint64_t)THREADS * ROUNDS / 4 + (i == 2 ? (uint64_t)THREADS * ROUNDS : 0), "%s",
			     names[i]);
}

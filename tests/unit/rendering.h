/* SPDX-License-Identifier: MIT */
/* rendering.h: snapshots made by hand, and what is rendered of them, in memory that lives as long as a test. */
#ifndef PROMCB_RENDERING_H
#define PROMCB_RENDERING_H

#include "render/render.h"

#include "base/bucket.h"
#include "collected.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *kept[4096];
static unsigned kept_count;

static inline void *keep(void *memory)
{
	cr_assert_not_null(memory);
	cr_assert_lt(kept_count, 4096);
	return kept[kept_count++] = memory;
}

static inline void drop_all(void)
{
	while (kept_count)
		free(kept[--kept_count]);
}

static inline char *render(const struct promcb_snapshot *snapshot, enum promcb_format format,
			   const struct promcb_render_options *options)
{
	struct collected to = {0};

	cr_assert_eq(promcb_render(snapshot, format, options, collect, &to), 0);
	cr_assert_eq(strlen(to.bytes), to.length);
	return keep(to.bytes);
}

static inline char *render_text(const struct promcb_snapshot *snapshot)
{
	return render(snapshot, PROMCB_FORMAT_TEXT, NULL);
}

/* Snapshots made by hand. */
static inline struct promcb_snapshot make_snapshot(size_t count)
{
	struct promcb_snapshot snapshot = {
		.info =
			{
				.path = "/dev/shm/promcb",
				.used_bytes = 262144,
				.max_bytes = 33554432,
				.created = 1690000000.25,
				.components = (uint32_t)count,
				.components_max = 1024,
				.lanes_max = 256,
				.lanes_live = 3,
				.lanes_idle = 1,
				.producers = 2,
				.schema = 3,
				.recent_samples = 1000,
				.window_seconds = 600,
				.components_rejected = 4,
				.overflow_calls = 5,
				.dropped_calls = 6,
				.rejected_calls = 7,
				.saturated_calls = 8,
				.backward_calls = 9,
				.bad_lines = 10,
			},
		.taken_ns = 1700000000500000000,
		.schema = 3,
		.buckets = promcb_schema_buckets(3),
		.count = count,
	};

	snapshot.components = keep(calloc(count + 1, sizeof(*snapshot.components)));
	snapshot.bucket_memory = keep(calloc(count + 1, 2 * snapshot.buckets * sizeof(uint64_t)));
	for (size_t i = 0; i < count; i++) {
		struct promcb_recent *recent = &snapshot.components[i].recent;

		for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++)
			snapshot.components[i].counts.buckets[outcome] =
				snapshot.bucket_memory + (2 * i + outcome) * snapshot.buckets;
		recent->average_ns = recent->minimum_ns = recent->maximum_ns = (double)NAN;
		for (unsigned q = 0; q < PROMCB_QUANTILES; q++)
			recent->quantile_ns[q] = (double)NAN;
	}
	return snapshot;
}

static inline void name(struct promcb_snapshot *snapshot, size_t i, const char *text)
{
	promcb_full_name_set(&snapshot->components[i].name, text, strlen(text));
	promcb_full_name_take_apart(&snapshot->components[i].name);
}

static inline void add(struct promcb_snapshot *snapshot, size_t i, unsigned outcome, uint64_t latency_ns,
		       uint64_t calls)
{
	struct promcb_snapshot_component *component = &snapshot->components[i];

	component->counts.buckets[outcome][promcb_bucket_of(snapshot->schema, latency_ns)] += calls;
	component->counts.calls[outcome] += calls;
	component->counts.latency_sum_ns[outcome] += calls * latency_ns;
}

/* Names in the order of their bytes, with everything that wants escaping. */
static inline struct promcb_snapshot make_golden(void)
{
	static const uint64_t latencies[] = {0,        1,          999,        244140,     244141,       1000000,
					     50000000, 1000000000, 8000000000, 8000000001, 1000000000000};
	struct promcb_snapshot snapshot = make_snapshot(5);

	name(&snapshot, 0, "GET_/users/{id} # all");
	name(&snapshot, 1, "a \"quoted\" name");
	name(&snapshot, 2, "back\\slash\\");
	name(&snapshot, 3, "idle");
	name(&snapshot, 4,
	     "zahlung\xc3\xbc"
	     "bersicht \xe2\x82\xac");
	for (size_t i = 0; i < 5; i++) {
		struct promcb_snapshot_component *component = &snapshot.components[i];

		if (i == 3)
			continue;
		for (size_t j = 0; j < sizeof(latencies) / sizeof(latencies[0]); j++) {
			add(&snapshot, i, 0, latencies[j], 10 * i + j + 1);
			add(&snapshot, i, 1, latencies[j] / 2, i * j);
		}
		component->state = (uint32_t)(i % 3);
		for (unsigned state = 0; state < 3; state++)
			component->counts.transitions[state] = 100 * i + state;
		for (unsigned level = 0; level < 4; level++)
			component->counts.log_entries[level] = 1000 * i + 10 * level;
		component->last_failure_ns = i ? 1699999999000000000 + i : 0;
		/* What differs in less than 10 ms is one time. */
		component->last_success_ns = i == 2 ? 0 : 1699999998251234567 + i;
		component->last_state_change_ns = i % 2 ? 0 : 1699999000250000000;
		component->recent = (struct promcb_recent){
			.calls = 300 + i,
			.measured = 300 - i,
			.failures = 7 * i,
			.average_ns = 1234567.25 * (double)(i + 1),
			.minimum_ns = 1,
			.maximum_ns = 0x1p40,
			.quantile_ns = {1000000, 2500000.5, 33333333.333333332, 4000000000, 0x1p40},
		};
	}
	add(&snapshot, 4, 0, 1, UINT64_MAX / 4);
	for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++) {
		snapshot.components[1].counts.unmeasured[outcome] = 30 + outcome;
		snapshot.components[1].counts.calls[outcome] += 30 + outcome;
	}
	return snapshot;
}

#endif

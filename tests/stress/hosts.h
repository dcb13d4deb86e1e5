/* SPDX-License-Identifier: MIT */
/* hosts.h: what programs share that try promcb's hosts: scenarios in time, each with a segment of its own; totals. */
#ifndef PROMCB_HOSTS_H
#define PROMCB_HOSTS_H

#include "stress.h"

enum { DEADLINE_S = 200, FRESH = 40 };

/* In memory that children share. */
static struct counts {
	uint64_t begun;
	uint64_t done;
	uint64_t added; /* to a series */
} * counts;

static struct promcb_session *metrics;
static struct promcb_component *known, *fresh[FRESH];

static inline void record_one(struct promcb_component *component)
{
	__atomic_add_fetch(&counts->begun, 1, __ATOMIC_RELAXED);
	promcb_record(component, 1000, true);
	__atomic_add_fetch(&counts->done, 1, __ATOMIC_RELAXED);
}

/* Opens a segment of the scenario's own. */
static inline void start(void)
{
	char name[32];

	promcb_remove(stress_segment, true, NULL);
	metrics = stress_open(NULL);
	known = stress_component(metrics, "known");
	for (unsigned i = 0; i < FRESH; i++) {
		snprintf(name, sizeof(name), "fresh%u", i);
		fresh[i] = stress_component(metrics, name);
	}
	*counts = (struct counts){0, 0, 0};
	record_one(known);
}

static inline uint64_t total(struct promcb_segment_info *info)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	uint64_t calls = 0;

	for (size_t i = 0; i < snapshot->count; i++)
		calls += snapshot->components[i].counts.calls[0] + snapshot->components[i].counts.calls[1];
	CHECK(snapshot->info.dropped_calls == 0, "dropped calls");
	if (info)
		*info = snapshot->info;
	promcb_snapshot_free(snapshot);
	return calls;
}

static inline void expect_total(void)
{
	uint64_t is = total(NULL);

	CHECK(is >= counts->done && is <= counts->begun, "%llu calls, between %llu and %llu are right",
	      (unsigned long long)is, (unsigned long long)counts->done, (unsigned long long)counts->begun);
	stress_check_segment();
}

static uint64_t stop;

static inline void hosts_begin(const char *name)
{
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(counts != MAP_FAILED, "mmap");
	stress_begin(name);
}

#endif

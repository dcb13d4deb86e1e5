/* SPDX-License-Identifier: MIT */
#include "base/cancel.h"
#include "model/values.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE_BYTES = 2 << 20 };

uint64_t *promcb_snapshot_bucket_memory(size_t count)
{
	uint64_t *buckets = calloc(count, sizeof(*buckets));
	uintptr_t begin = ((uintptr_t)buckets + HUGE_PAGE_BYTES - 1) & ~(uintptr_t)(HUGE_PAGE_BYTES - 1);
	uintptr_t end = (uintptr_t)(buckets + count) & ~(uintptr_t)(HUGE_PAGE_BYTES - 1);

	/* Advice, no more: where the kernel has no such pages, everything is as it was. */
	if (buckets && begin < end)
		madvise((void *)begin, end - begin, MADV_HUGEPAGE);
	return buckets;
}

void promcb_snapshot_free(struct promcb_snapshot *snapshot)
{
	PROMCB_NOT_CANCELLED;

	if (!snapshot)
		return;
	free(snapshot->components);
	free(snapshot->bucket_memory);
	free(snapshot->calls);
	free(snapshot->matching);
	promcb_metrics_free(snapshot->metrics);
	free(snapshot);
}

size_t promcb_snapshot_count(const struct promcb_snapshot *snapshot)
{
	return snapshot->count;
}

int promcb_snapshot_component(const struct promcb_snapshot *snapshot, size_t index, const char **name,
			      struct promcb_label *labels, size_t capacity)
{
	if (index >= snapshot->count)
		return -ENOENT;
	const struct promcb_full_name *full = &snapshot->components[index].name;

	*name = full->parts;
	for (size_t i = 0; i < full->count && i < capacity; i++)
		labels[i] = (struct promcb_label){full->parts + full->label_at[i], full->parts + full->value_at[i]};
	return full->count;
}

void promcb_snapshot_info(const struct promcb_snapshot *snapshot, struct promcb_segment_info *out)
{
	*out = snapshot->info;
}

static double seconds(double nanoseconds)
{
	return nanoseconds / 1e9;
}

int promcb_snapshot_summary(const struct promcb_snapshot *snapshot, size_t index, struct promcb_summary *out)
{
	if (index >= snapshot->count)
		return -ENOENT;
	const struct promcb_snapshot_component *c = &snapshot->components[index];
	const struct promcb_recent *recent = &c->recent;
	const struct promcb_latency_sum sum = promcb_counts_latency(&c->counts);

	*out = (struct promcb_summary){
		.name = c->name.text,
		.total_calls = promcb_value_calls(c),
		.successful_calls = promcb_value_successes(c),
		.failed_calls = promcb_value_failures(c),
		.unmeasured_calls = c->counts.unmeasured[0] + c->counts.unmeasured[1],
		.success_rate = promcb_value_success_rate(c),
		.failure_rate = promcb_value_failure_rate(c),
		.latency_sum = promcb_seconds_double(sum.seconds, sum.nanoseconds),
		.avg_latency = seconds(promcb_value_average_ns(c)),
		.min_latency = seconds(promcb_recent_ns(recent, recent->minimum_ns)),
		.max_latency = seconds(promcb_recent_ns(recent, recent->maximum_ns)),
		.p50 = seconds(promcb_recent_ns(recent, recent->quantile_ns[PROMCB_P50])),
		.p90 = seconds(promcb_recent_ns(recent, recent->quantile_ns[PROMCB_P90])),
		.p95 = seconds(promcb_recent_ns(recent, recent->quantile_ns[PROMCB_P95])),
		.p99 = seconds(promcb_recent_ns(recent, recent->quantile_ns[PROMCB_P99])),
		.p999 = seconds(promcb_recent_ns(recent, recent->quantile_ns[PROMCB_P999])),
		.recent_calls = recent->calls,
		.recent_failure_rate = promcb_value_recent_failure_rate(c),
		.state = (enum promcb_state)c->state,
		.last_state_change = c->last_state_change_ns ? promcb_ns_double(c->last_state_change_ns) : NAN,
		.last_failure_time = c->last_failure_ns ? promcb_ns_double(c->last_failure_ns) : NAN,
	};
	memcpy(out->transitions, c->counts.transitions, sizeof(out->transitions));
	memcpy(out->log_entries, c->counts.log_entries, sizeof(out->log_entries));
	return 0;
}

uint64_t promcb_snapshot_taken_ns(const struct promcb_snapshot *snapshot)
{
	return snapshot->taken_ns;
}

uint64_t promcb_snapshot_taken_monotonic_ns(const struct promcb_snapshot *snapshot)
{
	return snapshot->monotonic_ns;
}

uint64_t promcb_snapshot_moment_ns(const struct promcb_snapshot *snapshot, size_t index, enum promcb_moment moment)
{
	if (index >= snapshot->count)
		return 0;
	const struct promcb_snapshot_component *c = &snapshot->components[index];

	switch (moment) {
	case PROMCB_MOMENT_CREATED:
		return c->created_ns;
	case PROMCB_MOMENT_SINCE:
		return c->since_ns;
	case PROMCB_MOMENT_LAST_CALL:
		return c->last_call_ns;
	case PROMCB_MOMENT_LAST_SUCCESS:
		return c->last_success_ns;
	case PROMCB_MOMENT_LAST_FAILURE:
		return c->last_failure_ns;
	case PROMCB_MOMENT_LAST_STATE_CHANGE:
		return c->last_state_change_ns;
	default:
		return 0;
	}
}

int promcb_snapshot_call(const struct promcb_snapshot *snapshot, size_t index, size_t number,
			 struct promcb_recent_call *out)
{
	if (index >= snapshot->count || number >= snapshot->components[index].listed_calls)
		return -ENOENT;
	const struct promcb_snapshot_call *call = &snapshot->calls[snapshot->components[index].first_call + number];

	*out = (struct promcb_recent_call){
		.time_ns = call->time_ns, .latency_ns = call->latency_ns, .failed = call->failed};
	return 0;
}

enum promcb_span promcb_snapshot_span(const struct promcb_snapshot *snapshot, size_t index)
{
	return index < snapshot->count ? snapshot->components[index].span : PROMCB_SPAN_UNKNOWN;
}

double promcb_snapshot_seconds(const struct promcb_snapshot *snapshot, size_t index)
{
	if (index >= snapshot->count)
		return 0;
	const struct promcb_snapshot_component *c = &snapshot->components[index];

	if (c->span != PROMCB_SPAN_TOTAL)
		return promcb_ns_double(c->span_ns);
	return c->since_ns && c->since_ns < snapshot->taken_ns ? promcb_ns_double(snapshot->taken_ns - c->since_ns) : 0;
}

int promcb_snapshot_find(const struct promcb_snapshot *snapshot, const char *name, struct promcb_summary *out)
{
	size_t low = 0, high = snapshot->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(snapshot->components[middle].name.text, name);

		if (order == 0)
			return promcb_snapshot_summary(snapshot, middle, out);
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -ENOENT;
}

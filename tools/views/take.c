/* SPDX-License-Identifier: MIT */
#include "take.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A component of the snapshot, by its number in the history. */
struct taken {
	uint32_t component;
	uint32_t index;
	bool added;
};

static int compare_taken(const void *left, const void *right)
{
	const struct taken *a = left, *b = right;

	return a->component < b->component ? -1 : a->component > b->component;
}

static struct promcb_view_counts counts_of(const struct promcb_summary *summary)
{
	struct promcb_view_counts counts = {
		.calls = {summary->successful_calls, summary->failed_calls},
		.latency_ns = summary->latency_sum > 0 ? (uint64_t)(summary->latency_sum * 1e9 + 0.5) : 0,
	};

	memcpy(counts.transitions, summary->transitions, sizeof(counts.transitions));
	memcpy(counts.logs, summary->log_entries, sizeof(counts.logs));
	return counts;
}

/* later less earlier; false: not all of it is more. Of sums in seconds, the last digits are those of a double. */
static bool subtract(struct promcb_view_counts *later, const struct promcb_view_counts *earlier)
{
	bool forward = true;

	for (size_t i = 0; i < PROMCB_VIEW_OUTCOMES; i++)
		forward &= later->calls[i] >= earlier->calls[i];
	for (size_t i = 0; i < PROMCB_STATES; i++)
		forward &= later->transitions[i] >= earlier->transitions[i];
	for (size_t i = 0; i < PROMCB_LOG_LEVELS; i++)
		forward &= later->logs[i] >= earlier->logs[i];
	for (size_t i = 0; i < PROMCB_VIEW_OUTCOMES; i++)
		later->calls[i] -= earlier->calls[i];
	for (size_t i = 0; i < PROMCB_STATES; i++)
		later->transitions[i] -= earlier->transitions[i];
	for (size_t i = 0; i < PROMCB_LOG_LEVELS; i++)
		later->logs[i] -= earlier->logs[i];
	later->latency_ns -= later->latency_ns < earlier->latency_ns ? later->latency_ns : earlier->latency_ns;
	return forward;
}

static bool subtract_buckets(uint64_t *later, const struct promcb_view_bytes *bytes, uint64_t *earlier, size_t count)
{
	struct promcb_view_span in = promcb_view_span_of(bytes->bytes, bytes->length);
	bool forward = true;

	if (!bytes->length)
		return true;
	memset(earlier, 0, PROMCB_VIEW_OUTCOMES * count * sizeof(*earlier));
	promcb_view_get_all_buckets(&in, earlier, count);
	count *= PROMCB_VIEW_OUTCOMES;

	for (size_t i = 0; i < count; i++) {
		forward &= later[i] >= earlier[i];
		later[i] -= earlier[i];
	}
	return forward;
}

static bool is_nothing(const struct promcb_view_row *row)
{
	static const struct promcb_view_counts none;

	return row->marks == 0 && memcmp(&row->counts, &none, sizeof(none)) == 0;
}

/* What is known of the component without counts. */
static void take_moments(struct promcb_view_component *component, const struct promcb_snapshot *snapshot, size_t index,
			 const struct promcb_summary *summary)
{
	component->created_ns = promcb_snapshot_moment_ns(snapshot, index, PROMCB_MOMENT_CREATED);
	component->since_ns = promcb_snapshot_moment_ns(snapshot, index, PROMCB_MOMENT_SINCE);
	component->last_call_ns = promcb_snapshot_moment_ns(snapshot, index, PROMCB_MOMENT_LAST_CALL);
	component->last_failure_ns = promcb_snapshot_moment_ns(snapshot, index, PROMCB_MOMENT_LAST_FAILURE);
	component->changed_ns = promcb_snapshot_moment_ns(snapshot, index, PROMCB_MOMENT_LAST_STATE_CHANGE);
	component->state = (unsigned)summary->state < PROMCB_STATES ? (uint32_t)summary->state : 0;
	component->listed = true;
}

/* One component. buckets: room for three times those of both outcomes: what is now, what came in between, what was. */
static void take_one(struct promcb_view_history *history, const struct promcb_snapshot *snapshot,
		     const struct taken *taken, bool first, uint64_t *buckets, struct promcb_view_bytes *rows)
{
	struct promcb_view_component *component = &history->components[taken->component];
	size_t count = history->bucket_count, bytes = PROMCB_VIEW_OUTCOMES * count * sizeof(*buckets);
	struct promcb_view_row row = {.component = taken->component, .buckets = buckets + 2 * count};
	uint64_t since_ns = component->since_ns;
	struct promcb_view_counts total;
	struct promcb_summary summary;

	promcb_snapshot_summary(snapshot, taken->index, &summary);
	total = counts_of(&summary);
	take_moments(component, snapshot, taken->index, &summary);
	row.counts = total;
	row.state = component->state;
	row.changed_ns = component->changed_ns;
	if (!first && !taken->added && since_ns == component->since_ns &&
	    memcmp(&total, &component->total, sizeof(total)) == 0)
		return;
	for (unsigned i = 0; i < PROMCB_VIEW_OUTCOMES; i++)
		promcb_snapshot_buckets(snapshot, taken->index, (enum promcb_outcome)i, buckets + i * count, count);
	memcpy(row.buckets, buckets, bytes);
	if (taken->added) {
		row.marks = PROMCB_VIEW_MARK_CREATED;
	} else if (since_ns != component->since_ns) {
		row.marks = PROMCB_VIEW_MARK_RESET;
	} else if (!subtract(&row.counts, &component->total) ||
		   !subtract_buckets(row.buckets, &component->buckets, buckets + 4 * count, count)) {
		row.marks = PROMCB_VIEW_MARK_BACKWARDS;
		row.counts = (struct promcb_view_counts){.latency_ns = 0};
		memset(row.buckets, 0, bytes);
	}
	component->total = total;
	component->buckets.length = 0;
	promcb_view_put_all_buckets(&component->buckets, buckets, count);
	rows->failed |= component->buckets.failed;
	if (!first && !is_nothing(&row))
		promcb_view_row_put(rows, &row, count);
}

/* Numbers of all components of a snapshot, in their order. */
static int find_all(struct promcb_view_history *history, const struct promcb_snapshot *snapshot, struct taken *taken,
		    size_t count)
{
	for (uint32_t i = 0; i < history->component_count; i++)
		history->components[i].listed = false;
	for (size_t i = 0; i < count; i++) {
		struct promcb_summary summary;

		promcb_snapshot_summary(snapshot, i, &summary);
		taken[i] = (struct taken){promcb_view_find(history, summary.name), (uint32_t)i, false};
		if (taken[i].component == UINT32_MAX) {
			taken[i].component = promcb_view_add(history, summary.name);
			taken[i].added = true;
		}
		if (taken[i].component == UINT32_MAX)
			return -ENOMEM;
	}
	if (count)
		qsort(taken, count, sizeof(*taken), compare_taken);
	return 0;
}

/* The rows of what is new; first: no rows, but totals. */
static int take_rows(struct promcb_view_history *history, const struct promcb_snapshot *snapshot, bool first,
		     struct promcb_view_bytes *rows)
{
	size_t count = promcb_snapshot_count(snapshot);
	struct taken *taken = calloc(count + 1, sizeof(*taken));
	uint64_t *buckets = calloc(3 * PROMCB_VIEW_OUTCOMES * history->bucket_count, sizeof(*buckets));
	struct promcb_segment_info info;
	int result = taken && buckets ? 0 : -ENOMEM;

	promcb_snapshot_info(snapshot, &info);
	if (info.schema != history->schema)
		result = -EINVAL;
	if (result == 0)
		result = find_all(history, snapshot, taken, count);
	for (size_t i = 0; i < count && result == 0; i++)
		take_one(history, snapshot, &taken[i], first, buckets, rows);
	if (result == 0 && (rows->failed || rows->length > UINT32_MAX))
		result = -ENOMEM;
	free(taken);
	free(buckets);
	return result;
}

int promcb_view_take_first(struct promcb_view_history *history, const struct promcb_snapshot *snapshot)
{
	struct promcb_view_bytes rows = {.bytes = NULL};
	int result = take_rows(history, snapshot, true, &rows);

	promcb_view_bytes_free(&rows);
	return result;
}

int promcb_view_take(struct promcb_view_history *history, const struct promcb_snapshot *snapshot, uint64_t before_ns,
		     uint64_t took_ns, enum promcb_view_gap gap)
{
	struct promcb_view_column column = {
		.upto_ns = promcb_snapshot_taken_ns(snapshot), .took_ns = took_ns, .gap = gap};
	struct promcb_view_bytes rows = {.bytes = NULL};
	int result = take_rows(history, snapshot, false, &rows);

	if (result < 0) {
		promcb_view_bytes_free(&rows);
		return result;
	}
	/* A clock that was set back shall not end the history. */
	column.from_ns = before_ns > promcb_view_upto_ns(history) ? before_ns : promcb_view_upto_ns(history);
	if (column.upto_ns <= column.from_ns)
		column.upto_ns = column.from_ns + 1;
	column.length = (uint32_t)rows.length;
	column.rows = promcb_view_bytes_take(&rows);
	return promcb_view_push(history, &column);
}

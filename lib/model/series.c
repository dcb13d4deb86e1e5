/* SPDX-License-Identifier: MIT */
/* series.c: what readers are told of families and series. Each enumerated value is a series here, as in a scrape. */
#include "model/snapshot.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* NULL: there is no such family. */
static const struct promcb_snapshot_family *find_family(const struct promcb_snapshot *snapshot, size_t index)
{
	return snapshot->metrics && index < snapshot->metrics->family_count ? &snapshot->metrics->families[index]
									    : NULL;
}

/* How many series of a scrape one of the family is. */
static size_t each(const struct promcb_snapshot_family *family)
{
	return family->enumerated ? family->enumerated : 1;
}

/* NULL: there is none. *value: the number of the enumerated value, or 0. */
static const struct promcb_snapshot_series *find_series(const struct promcb_snapshot *snapshot, size_t index,
							size_t number, size_t *value)
{
	const struct promcb_snapshot_family *family = find_family(snapshot, index);

	if (!family || number / each(family) >= family->count)
		return NULL;
	*value = number % each(family);
	return &snapshot->metrics->series[family->first + number / each(family)];
}

static const char *text_of(const char *texts, size_t number)
{
	while (number--)
		texts = promcb_text_next(texts);
	return texts;
}

size_t promcb_snapshot_families(const struct promcb_snapshot *snapshot)
{
	return snapshot->metrics ? snapshot->metrics->family_count : 0;
}

int promcb_snapshot_family(const struct promcb_snapshot *snapshot, size_t index, struct promcb_family_summary *out)
{
	const struct promcb_snapshot_family *family = find_family(snapshot, index);

	if (!family)
		return -ENOENT;
	*out = (struct promcb_family_summary){
		.name = family->name,
		.help = family->help,
		.unit = family->unit,
		.type = family->type,
		.scope = family->scope,
		.labels = family->labels + (family->enumerated != 0),
		.series = family->count * each(family),
		.series_max = family->series_max,
		.refused = family->refused,
		.buckets = family->buckets,
		.created_ns = family->created_ns,
	};
	return 0;
}

int promcb_snapshot_series(const struct promcb_snapshot *snapshot, size_t index, size_t number,
			   struct promcb_series_summary *out)
{
	size_t value;
	const struct promcb_snapshot_series *series = find_series(snapshot, index, number, &value);

	if (!series)
		return -ENOENT;
	const struct promcb_snapshot_family *family = find_family(snapshot, index);
	const uint64_t *cells = snapshot->metrics->cells + series->cell;

	*out = (struct promcb_series_summary){.created_ns = series->created_ns};
	for (uint32_t bucket = 0; bucket < family->buckets; bucket++)
		out->count += cells[bucket];
	out->number = family->type == PROMCB_INFO ? 1 : promcb_metrics_number(family, cells[value + family->buckets]);
	return 0;
}

const char *promcb_snapshot_label(const struct promcb_snapshot *snapshot, size_t index, size_t label)
{
	const struct promcb_snapshot_family *family = find_family(snapshot, index);

	if (!family || label >= family->labels + (family->enumerated != 0))
		return NULL;
	return text_of(family->label_names, label);
}

const char *promcb_snapshot_label_value(const struct promcb_snapshot *snapshot, size_t index, size_t number,
					size_t label)
{
	size_t value;
	const struct promcb_snapshot_series *series = find_series(snapshot, index, number, &value);

	if (!series || !promcb_snapshot_label(snapshot, index, label))
		return NULL;
	const struct promcb_snapshot_family *family = find_family(snapshot, index);

	return label < family->labels ? text_of(series->values, label) : text_of(family->enumerated_values, value);
}

size_t promcb_snapshot_series_buckets(const struct promcb_snapshot *snapshot, size_t index, size_t number,
				      uint64_t *counts, size_t capacity)
{
	size_t value;
	const struct promcb_snapshot_series *series = find_series(snapshot, index, number, &value);

	if (!series)
		return 0;
	size_t buckets = find_family(snapshot, index)->buckets;

	memcpy(counts, snapshot->metrics->cells + series->cell,
	       (capacity < buckets ? capacity : buckets) * sizeof(*counts));
	return buckets;
}

double promcb_snapshot_series_bound(const struct promcb_snapshot *snapshot, size_t index, size_t bucket)
{
	const struct promcb_snapshot_family *family = find_family(snapshot, index);

	if (!family || bucket >= family->buckets)
		return (double)NAN;
	return bucket + 1 < family->buckets ? promcb_family_bound(family, (uint32_t)bucket) : (double)INFINITY;
}

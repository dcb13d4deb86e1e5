/* SPDX-License-Identifier: MIT */
/* series.h: what the stress programs of series share: declaring, and what a reader finds. */
#ifndef PROMCB_STRESS_SERIES_H
#define PROMCB_STRESS_SERIES_H

#include "stress.h"

#include <promcb/atomic.h>
#include <promcb/metric_inline.h>

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

static inline struct promcb_metric_family *series_family(struct promcb_session *p, struct promcb_family_spec spec)
{
	struct promcb_message message = {.text = ""};
	struct promcb_metric_family *family;

	spec.message = &message;
	int result = promcb_family_register(p, &spec, &family);

	CHECK(result == 0, "family %s: %d %s", spec.name, result, message.text);
	return family;
}

static inline struct promcb_counter *series_counter(struct promcb_metric_family *family, const char *const *values)
{
	struct promcb_counter *counter;
	int result = promcb_counter_with(family, values, &counter);

	CHECK(result == 0, "counter: %s", promcb_strerror(result));
	return counter;
}

/* The cells of the family's series whose first label has the value; NULL: any. NULL: there is none. */
static inline const uint64_t *series_cells(const struct promcb_snapshot *snapshot, const char *name, const char *value)
{
	const struct promcb_metrics *read = snapshot->metrics;

	for (size_t i = 0; read && i < read->series_count; i++) {
		const struct promcb_snapshot_series *series = &read->series[i];

		if (strcmp(read->families[series->family].name, name) == 0 &&
		    (!value || strcmp(series->values, value) == 0))
			return read->cells + series->cell;
	}
	return NULL;
}

static inline uint64_t series_total(const char *name, const char *value, uint32_t index)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	const uint64_t *cells = series_cells(snapshot, name, value);
	uint64_t total = cells ? cells[index] : 0;

	promcb_snapshot_free(snapshot);
	return total;
}

#endif

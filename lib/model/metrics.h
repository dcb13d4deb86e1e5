/* SPDX-License-Identifier: MIT */
/*
 * metrics.h: the families and series of a snapshot: what a segment holds beside its components, as private memory.
 *
 * Knows nothing of the segment's layout.
 *
 * Invariants of finished metrics
 *   - Families are sorted by name and then by their labels' names; the series of one stand together, in the order in
 *     which they were made.
 *   - Names are [a-zA-Z_][a-zA-Z0-9_]*, all other text is valid UTF-8, all of it zero-terminated.
 *   - A series has width words in cells: by type
 *       counter     whole numbers, or doubles (is_double); one, or one for each enumerated value
 *       level       a whole number, signed
 *       gauge       a double, what its scope makes of all that were set; listed only if there is one
 *       histogram   the counts of the buckets, then the sum, which is what a counter is
 *       info        listed if a living process told it
 *   - Breakers are sorted by their component's name.
 */
#ifndef PROMCB_MODEL_METRICS_H
#define PROMCB_MODEL_METRICS_H

#include "base/native.h"

#include <promcb/breaker_reader.h>
#include <promcb/metric.h>

struct promcb_snapshot_family {
	const char *name;               /* a counter's with "_total", an info's with "_info" */
	const char *help;               /* may be empty, as may */
	const char *unit;
	enum promcb_metric_type type;
	enum promcb_scope scope;
	bool is_double;
	uint32_t decimals;
	uint32_t labels;                /* the enumerated one not counted */
	const char *label_names;        /* each with a zero behind it; the enumerated one's last */
	uint32_t enumerated;            /* 0: there is none */
	const char *enumerated_values;  /* likewise */
	uint32_t buckets;               /* of a histogram, the last included, which has no upper bound */
	const double *bounds;           /* of the others; NULL: they are native */
	struct promcb_native native;
	uint32_t width;
	uint32_t series_max;
	uint64_t created_ns;            /* Unix nanoseconds */
	uint64_t refused;               /* look-ups beyond the cap */
	size_t first;                   /* of its series */
	size_t count;
};

struct promcb_snapshot_series {
	const char *values;             /* of the labels, each with a zero behind it */
	uint64_t created_ns;
	uint32_t cell;                  /* the first, in metrics->cells */
	uint32_t family : 30;
	uint32_t is_overflow : 1;       /* it has what came beyond the cap, or against the rules */
	uint32_t is_hidden : 1;         /* it was removed: listed only while it tells something */
};

/* Text and doubles, in pieces that stay where they are. */
struct promcb_text_block;

struct promcb_metrics {
	size_t family_count;
	struct promcb_snapshot_family *families;
	size_t series_count;
	struct promcb_snapshot_series *series;
	uint64_t *cells;
	size_t breaker_count;
	struct promcb_breaker_summary *breakers;
	struct promcb_text_block *text;
};

/* Memory that lasts as long as the metrics, aligned for doubles; NULL: there is none. */
void *promcb_metrics_memory(struct promcb_metrics *metrics, size_t bytes);

void promcb_metrics_free(struct promcb_metrics *metrics);

/*
 * Sorts the breakers and the families, and gives each family its series, in the order in which they stand; series of no
 * family are dropped.
 * series->family: on entry the family's number in the present order. Returns 0, or -ENOMEM.
 */
int promcb_metrics_sort(struct promcb_metrics *metrics);

/*
 * Drops the families whose names do not match, as promcb_name_matches() has it, with their series, and the breakers of
 * components whose names do not.
 */
void promcb_metrics_match(struct promcb_metrics *metrics, const char *matching);

/* The text behind one of those that each have a zero behind it. */
static inline const char *promcb_text_next(const char *text)
{
	return text + __builtin_strlen(text) + 1;
}

static inline double promcb_cell_double(uint64_t cell)
{
	double value;

	__builtin_memcpy(&value, &cell, sizeof(value));
	return value;
}

/* What one cell of a counter, a level or a gauge says, or the sum of a histogram, as the double nearest to it. */
double promcb_metrics_number(const struct promcb_snapshot_family *family, uint64_t cell);

/* The upper bound of a histogram's bucket but the last. */
static inline double promcb_family_bound(const struct promcb_snapshot_family *family, uint32_t bucket)
{
	return family->bounds ? family->bounds[bucket] : promcb_native_upper(&family->native, bucket);
}

/*
 * Which bucket ends at the next bound that classic buckets have, from `bucket` on; the last if there is none: all
 * explicit ones, and of native ones what promcb_native_classic() says.
 */
static inline uint32_t promcb_family_classic(const struct promcb_snapshot_family *family, uint32_t classic_schema,
					     uint32_t bucket)
{
	return family->bounds ? bucket : promcb_native_classic(&family->native, classic_schema, bucket);
}

#endif

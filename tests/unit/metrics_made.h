/* SPDX-License-Identifier: MIT */
/* metrics_made.h: families and series made by hand, for snapshots made by hand. */
#ifndef PROMCB_METRICS_MADE_H
#define PROMCB_METRICS_MADE_H

#include "rendering.h"

#define MADE_CREATED ((uint64_t)1700000007000000000)

/* Of everything that is added to them at most so much. */
enum { MADE_FAMILIES = 16, MADE_SERIES = 64, MADE_CELLS = 8192 };

static struct promcb_metrics *made_metrics[8];
static unsigned made_count;

static inline struct promcb_metrics *make_metrics(struct promcb_snapshot *snapshot)
{
	struct promcb_metrics *metrics = calloc(1, sizeof(*metrics));

	cr_assert_lt(made_count, 8);
	made_metrics[made_count++] = metrics;
	metrics->families = calloc(MADE_FAMILIES, sizeof(*metrics->families));
	metrics->series = calloc(MADE_SERIES, sizeof(*metrics->series));
	metrics->cells = calloc(MADE_CELLS, sizeof(*metrics->cells));
	snapshot->metrics = metrics;
	return metrics;
}

static inline void drop_metrics(void)
{
	while (made_count)
		promcb_metrics_free(made_metrics[--made_count]);
	drop_all();
}

/* labels, values: each with a zero behind it. */
static inline struct promcb_snapshot_family *add_family(struct promcb_metrics *metrics, const char *name,
							const char *help, const char *unit,
							enum promcb_metric_type type, uint32_t labels,
							const char *label_names)
{
	struct promcb_snapshot_family *family = &metrics->families[metrics->family_count++];

	*family = (struct promcb_snapshot_family){.name = name,
						  .help = help,
						  .unit = unit,
						  .type = type,
						  .labels = labels,
						  .label_names = label_names,
						  .enumerated_values = "",
						  .width = 1};
	return family;
}

/* Returns its cells. The family is the last that was added. */
static inline uint64_t *add_series(struct promcb_metrics *metrics, const char *values, uint64_t created_ns)
{
	const struct promcb_snapshot_series *last =
		metrics->series_count ? &metrics->series[metrics->series_count - 1] : NULL;
	uint32_t cell = last ? last->cell + metrics->families[last->family].width : 1;

	metrics->series[metrics->series_count++] = (struct promcb_snapshot_series){
		.values = values,
		.created_ns = created_ns,
		.cell = cell,
		.family = (uint32_t)metrics->family_count - 1,
	};
	return metrics->cells + cell;
}

static inline uint64_t double_cell(double value)
{
	uint64_t cell;

	memcpy(&cell, &value, sizeof(cell));
	return cell;
}

/* One family of each kind. */
static inline void make_every_kind(struct promcb_metrics *metrics)
{
	static const double bounds[] = {0.1, 0.5, 1, 10};
	struct promcb_snapshot_family *family;
	uint64_t *cells;

	add_family(metrics, "sent_bytes_total", "Bytes \"sent\" to a\\peer.\nAll.", "bytes", PROMCB_COUNTER, 2,
		   "peer\0zone\0");
	*add_series(metrics, "10.0.0.7\0a\\b \"c\"\n\0", 1700000003250000000) = 18446744073709551615u;
	*add_series(metrics, "z\xc3\xbcrich\0\0", 1700000001000000000) = 0;
	family = add_family(metrics, "cpu_seconds_total", "CPU.", "seconds", PROMCB_COUNTER, 0, "");
	family->decimals = 9;
	*add_series(metrics, "", MADE_CREATED) = 1234567890123;
	family = add_family(metrics, "work_total", "Work.", "", PROMCB_COUNTER, 0, "");
	family->is_double = true;
	*add_series(metrics, "", MADE_CREATED) = double_cell(0.1);
	family = add_family(metrics, "errors_total", "Errors by type.", "", PROMCB_COUNTER, 1, "queue\0type\0");
	family->enumerated = family->width = 3;
	family->enumerated_values = "timeout\0refused\0other\0";
	cells = add_series(metrics, "mail\0", MADE_CREATED);
	cells[0] = 1;
	cells[2] = 3;
	family = add_family(metrics, "queue_jobs", "Jobs that wait.", "jobs", PROMCB_LEVEL, 1, "queue\0");
	family->decimals = 1;
	*add_series(metrics, "mail\0", MADE_CREATED) = (uint64_t)-125;
	*add_series(metrics, "logs\0", MADE_CREATED) = 40;
	add_family(metrics, "connections", "", "", PROMCB_GAUGE, 0, "");
	*add_series(metrics, "", MADE_CREATED) = double_cell(-2.5);
	add_family(metrics, "app_build_info", "The version.", "", PROMCB_INFO, 1, "version\0");
	*add_series(metrics, "1.2\0", MADE_CREATED) = double_cell(1);
	family = add_family(metrics, "request_seconds", "Requests.", "seconds", PROMCB_HISTOGRAM, 1, "code\0");
	family->decimals = 9;
	cr_assert(promcb_native_make(&family->native, 3, 9, 0x1p-30, 0x1p10));
	family->buckets = family->native.buckets;
	family->width = family->buckets + 1;
	cells = add_series(metrics, "200\0", MADE_CREATED);
	for (uint64_t ns = 1; ns < (uint64_t)1 << 42; ns *= 3) {
		cells[promcb_native_bucket(&family->native, ns)]++;
		cells[family->buckets] += ns;
	}
	cells[0] = 2;
	add_series(metrics, "500\0", MADE_CREATED);
	family = add_family(metrics, "ratio", "Ratios.", "", PROMCB_HISTOGRAM, 0, "");
	family->is_double = true;
	family->bounds = bounds;
	family->buckets = 5;
	family->width = 6;
	cells = add_series(metrics, "", MADE_CREATED);
	for (uint32_t i = 0; i < 5; i++)
		cells[i] = i + 1;
	cells[5] = double_cell(3.25);
	cr_assert_eq(promcb_metrics_sort(metrics), 0);
}

#endif

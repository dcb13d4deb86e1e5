/* SPDX-License-Identifier: MIT */
/* metrics.c: the families and series of a segment, their cells, and what is made of breakers' ones. */
#include "read/breakers.h"
#include "read/rows.h"

#include <errno.h>
#include <stdlib.h>

/* Whether there is something to tell: a gauge that is set; of what was too many, or was removed, a number. */
static bool is_listed(const struct promcb_records *records, const struct promcb_metrics *metrics,
		      const struct promcb_snapshot_series *series)
{
	const struct promcb_snapshot_family *family = &metrics->families[series->family];

	if (family->type == PROMCB_GAUGE || family->type == PROMCB_INFO)
		return records->uses[series->cell] & PROMCB_CELL_IS_SET;
	if (!series->is_hidden && (!series->is_overflow || family->labels == 0))
		return true;
	for (uint32_t cell = 0; cell < family->width; cell++)
		if (metrics->cells[series->cell + cell])
			return true;
	return false;
}

int promcb_metrics_read(struct promcb_metrics **out, struct promcb_catalog *catalog, struct promcb_source *source,
			struct promcb_message *message)
{
	struct promcb_metrics *metrics = calloc(1, sizeof(*metrics));
	struct promcb_records records = {.cells = 0};
	struct promcb_pieces pieces = {.chunks = NULL};
	int result = metrics ? promcb_pieces_start(&pieces, catalog, source, message) : -ENOMEM;
	size_t kept = 0;

	*out = NULL;
	if (result == 0)
		result = promcb_records_read(&records, metrics, &pieces);
	if (result == 1) {
		result = promcb_rows_read(&records, metrics, &pieces);
		for (size_t i = 0; i < metrics->series_count && result == 0; i++)
			if (is_listed(&records, metrics, &metrics->series[i]))
				metrics->series[kept++] = metrics->series[i];
		metrics->series_count = kept;
		if (result == 0 && records.has_breakers)
			result = promcb_breakers_read(&records, metrics, &pieces);
		if (result == 0)
			result = promcb_metrics_sort(metrics);
		if (result == 0) {
			*out = metrics;
			metrics = NULL;
		}
	}
	promcb_records_free(&records);
	if (pieces.catalog)
		promcb_pieces_free(&pieces);
	promcb_metrics_free(metrics);
	return result;
}

/* SPDX-License-Identifier: MIT */
/*
 * rows.h: the numbers of series: the rows of all copies, added up.
 *
 * A row that cannot be read fails the whole: no total is ever partial. Of a live copy nothing counts unless its lane is
 * held by whom it was made by.
 */
#ifndef PROMCB_ROWS_H
#define PROMCB_ROWS_H

#include "read/records.h"

/* Returns 0, -EBADMSG, -ETIMEDOUT with a message, or -ENOMEM. */
int promcb_rows_read(struct promcb_records *records, struct promcb_metrics *metrics, struct promcb_pieces *pieces);

/* Families and series of the segment with their numbers; *out: NULL if it has none. Returns as above. */
int promcb_metrics_read(struct promcb_metrics **out, struct promcb_catalog *catalog, struct promcb_source *source,
			struct promcb_message *message);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * family_record.h: what a record of a family says, if it says what every format can print. Pure.
 *
 * The rules are those that a family is registered by, as far as a scrape depends on them: a name that is none, or
 * promcb's own, would cost all the others as well.
 */
#ifndef PROMCB_FAMILY_RECORD_H
#define PROMCB_FAMILY_RECORD_H

#include "format/breaker.h"
#include "model/metrics.h"

/* A record in private memory. */
struct promcb_record_copy {
	union {
		struct promcb_family_record family;
		struct promcb_series_record series;
		uint8_t bytes[PROMCB_PART_BYTES];
	};
	size_t count;                   /* of the bytes */
};

/* Takes it apart; text goes into memory of the metrics. Returns false if it is no family's, or there is no memory. */
bool promcb_family_take(const struct promcb_record_copy *copy, struct promcb_metrics *metrics,
			struct promcb_snapshot_family *family);

/*
 * Takes some strings out of a record, from *at on: one behind the other, each with a zero behind it. NULL: they are not
 * whole, or no text, or there is no memory.
 */
const char *promcb_record_texts(const struct promcb_record_copy *record, struct promcb_metrics *metrics, size_t *at,
				uint32_t count);

#endif

/* SPDX-License-Identifier: MIT */
/* record_hash.h: the hashes that records of families and series should have, by what they say. Pure. */
#ifndef PROMCB_RECORD_HASH_H
#define PROMCB_RECORD_HASH_H

#include "read/family_record.h"

/* Both return false where a string of the record is not whole. */
bool promcb_record_family_hash(const struct promcb_record_copy *record, const uint64_t identity[2], uint64_t *hash);
/* values: how many label values it has. */
bool promcb_record_series_hash(const struct promcb_record_copy *record, const uint64_t identity[2], uint32_t values,
			       uint64_t *hash);

#endif

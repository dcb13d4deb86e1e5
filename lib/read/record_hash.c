/* SPDX-License-Identifier: MIT */
#include "read/record_hash.h"

#include "format/keys.h"

#include <string.h>

/* Returns where the next string begins, or 0: there is none. */
static size_t take_string(const struct promcb_record_copy *record, size_t at, uint16_t *bytes)
{
	if (at + sizeof(*bytes) > record->count)
		return 0;
	memcpy(bytes, record->bytes + at, sizeof(*bytes));
	at += sizeof(*bytes) + *bytes;
	return at <= record->count ? at : 0;
}

bool promcb_record_family_hash(const struct promcb_record_copy *record, const uint64_t identity[2], uint64_t *hash)
{
	uint16_t bytes;
	size_t at = sizeof(record->family) + (size_t)record->family.bounds * sizeof(double);
	size_t end = take_string(record, at, &bytes);

	if (!end || bytes > PROMCB_NAME_MAX)
		return false;
	*hash = promcb_family_hash(identity, (const char *)record->bytes + end - bytes, bytes);
	return true;
}

bool promcb_record_series_hash(const struct promcb_record_copy *record, const uint64_t identity[2], uint32_t values,
			       uint64_t *hash)
{
	size_t at = sizeof(record->series);
	uint16_t bytes;

	*hash = promcb_series_hash(identity, record->series.family);
	for (uint32_t i = 0; i < values; i++) {
		at = take_string(record, at, &bytes);
		if (!at)
			return false;
		*hash = promcb_series_hash_with(identity, *hash, record->bytes + at - bytes, bytes);
	}
	return true;
}

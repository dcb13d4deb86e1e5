/* SPDX-License-Identifier: MIT */
/* keys.h: the hashes by which families and series are found in the table: see metrics.h. Pure. */
#ifndef PROMCB_FORMAT_KEYS_H
#define PROMCB_FORMAT_KEYS_H

#include "base/hash.h"
#include "format/layout.h"

#include <string.h>

/* How long a family's name is without "_total" or "_info". */
static inline size_t promcb_stem_bytes(const char *name, size_t bytes)
{
	static const char total[] = "_total", info[] = "_info";
	const size_t of_total = sizeof(total) - 1, of_info = sizeof(info) - 1;

	if (bytes >= of_total && memcmp(name + bytes - of_total, total, of_total) == 0)
		return bytes - of_total;
	if (bytes >= of_info && memcmp(name + bytes - of_info, info, of_info) == 0)
		return bytes - of_info;
	return bytes;
}

/* Of a name of at most PROMCB_NAME_MAX bytes. */
static inline uint64_t promcb_family_hash(const uint64_t identity[2], const char *name, size_t bytes)
{
	char key[1 + PROMCB_NAME_MAX] = "F";
	size_t stem = promcb_stem_bytes(name, bytes);

	memcpy(key + 1, name, stem);
	return promcb_hash(identity, key, 1 + stem);
}

/* Of a series, as far as the place of its family; then label value by label value. */
static inline uint64_t promcb_series_hash(const uint64_t identity[2], uint32_t family)
{
	const uint8_t key[5] = {'S', (uint8_t)family, (uint8_t)(family >> 8), (uint8_t)(family >> 16),
				(uint8_t)(family >> 24)};

	return promcb_hash(identity, key, sizeof(key));
}

static inline uint64_t promcb_series_hash_with(const uint64_t identity[2], uint64_t hash, const void *value,
					       size_t bytes)
{
	const uint64_t key[2] = {identity[0] ^ hash, identity[1]};

	return promcb_hash(key, value, bytes);
}

#endif

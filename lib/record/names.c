/* SPDX-License-Identifier: MIT */
#include "record/names.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { NAMES_START = 64, ARENA_BYTES = 65536 };

/* ck asks for memory under the mutex, where malloc is not allowed. */
static void *map_bytes(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void unmap_bytes(void *memory, size_t bytes, bool defer)
{
	/* Readers may still be in an old table: it stays. */
	if (!defer)
		munmap(memory, bytes);
}

static struct ck_malloc memory_of_names = {.malloc = map_bytes, .free = unmap_bytes};

int promcb_names_start(struct promcb_names *names, uint64_t seed)
{
	if (!names->ready &&
	    !ck_ht_init(&names->table, CK_HT_MODE_BYTESTRING, NULL, &memory_of_names, NAMES_START, seed))
		return -ENOMEM;
	names->ready = true;
	return 0;
}

void *promcb_names_find(struct promcb_names *names, const char *name, size_t length)
{
	ck_ht_entry_t entry;
	ck_ht_hash_t hash;

	ck_ht_hash(&hash, &names->table, name, (uint16_t)length);
	ck_ht_entry_key_set(&entry, name, (uint16_t)length);
	return ck_ht_get_spmc(&names->table, hash, &entry) ? ck_ht_entry_value(&entry) : NULL;
}

const char *promcb_names_keep(struct promcb_names *names, const char *name, size_t length)
{
	char *kept;

	if (names->arena_left < length + 1) {
		names->arena = map_bytes(ARENA_BYTES);
		names->arena_left = names->arena ? ARENA_BYTES : 0;
		if (!names->arena)
			return NULL;
	}
	kept = names->arena;
	memcpy(kept, name, length);
	kept[length] = 0;
	names->arena += length + 1;
	names->arena_left -= length + 1;
	return kept;
}

int promcb_names_put(struct promcb_names *names, const char *key, size_t length, void *value)
{
	ck_ht_entry_t entry;
	ck_ht_hash_t hash;

	ck_ht_hash(&hash, &names->table, key, (uint16_t)length);
	ck_ht_entry_set(&entry, hash, key, (uint16_t)length, value);
	return ck_ht_put_spmc(&names->table, hash, &entry) ? 0 : -ENOMEM;
}

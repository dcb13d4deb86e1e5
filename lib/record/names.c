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
	if (!names->ready)
		names->hints.seed = seed;
	names->ready = true;
	return 0;
}

static __attribute__((noinline)) void *find_in_table(struct promcb_names *names, const char *name, size_t length)
{
	ck_ht_entry_t entry;
	ck_ht_hash_t hash;

	ck_ht_hash(&hash, &names->table, name, (uint16_t)length);
	ck_ht_entry_key_set(&entry, name, (uint16_t)length);
	return ck_ht_get_spmc(&names->table, hash, &entry) ? ck_ht_entry_value(&entry) : NULL;
}

void *promcb_names_find(struct promcb_names *names, const char *name, size_t length)
{
	void *found = promcb_hints_find(&names->hints, name, length);

	return found ? found : find_in_table(names, name, length);
}

void *promcb_names_find_again(struct promcb_names *names, const char *name, size_t length)
{
	void *found = promcb_hints_find_again(&names->hints, name, length);

	return found ? found : find_in_table(names, name, length);
}

const char *promcb_names_keep(struct promcb_names *names, const char *name, size_t length)
{
	/* And the next one's words are aligned. */
	const size_t bytes = (sizeof(struct promcb_kept_name) + length + 1 + 7) / 8 * 8;
	struct promcb_kept_name *kept;

	if (names->arena_left < bytes) {
		names->arena = map_bytes(ARENA_BYTES);
		names->arena_left = names->arena ? ARENA_BYTES : 0;
		if (!names->arena)
			return NULL;
	}
	kept = (struct promcb_kept_name *)(void *)names->arena;
	kept->length = length;
	memcpy(kept->bytes, name, length);
	kept->bytes[length] = 0;
	names->arena += bytes;
	names->arena_left -= bytes;
	return kept->bytes;
}

int promcb_names_put(struct promcb_names *names, const char *key, size_t length, void *value)
{
	struct promcb_kept_name *kept =
		(struct promcb_kept_name *)((uintptr_t)key - offsetof(struct promcb_kept_name, bytes));
	ck_ht_entry_t entry;
	ck_ht_hash_t hash;

	kept->value = value;
	ck_ht_hash(&hash, &names->table, key, (uint16_t)length);
	ck_ht_entry_set(&entry, hash, key, (uint16_t)length, value);
	if (!ck_ht_put_spmc(&names->table, hash, &entry))
		return -ENOMEM;
	promcb_hints_add(&names->hints, kept);
	return 0;
}

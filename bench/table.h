/* SPDX-License-Identifier: MIT */
/* table.h: the floor of a look-up: libck's hash table alone, with malloc's memory. */
#ifndef PROMCB_TABLE_H
#define PROMCB_TABLE_H

#include <ck_ht.h>

#include <stdbool.h>
#include <stdlib.h>

static inline void *table_give(size_t bytes)
{
	return malloc(bytes);
}

static inline void table_take(void *memory, size_t bytes, bool later)
{
	(void)bytes, (void)later;
	free(memory);
}

static struct ck_malloc table_memory = {.malloc = table_give, .free = table_take};

#endif

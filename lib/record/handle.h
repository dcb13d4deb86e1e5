/* SPDX-License-Identifier: MIT */
/*
 * handle.h: the process's table of handles, which is what applications hold, and behind it the entries of threads that
 * have none.
 *
 * Called with the process's mutex held. A handle is never freed, and its session never changes.
 *
 * Pairs, in one process
 *   [HANDLE] handle.c fills a handle, then stores its session; record.c loads the session before what it leads to. A
 *            thread that finds a handle by its name could see it half made.
 */
#ifndef PROMCB_HANDLE_H
#define PROMCB_HANDLE_H

#include "record/names.h"

#include <promcb/metric_inline.h>

enum { PROMCB_HANDLES_MAX = 65536, PROMCB_SERIES_HANDLES_MAX = 131072 };

/* Handles, and behind them entries of nothing for threads without a recorder: see inline.h. */
struct promcb_handle {
	void *session;                    /* struct promcb_session; NULL: the handle does nothing. [HANDLE] */
	uint32_t component;             /* in the session's present segment, if generation is the session's */
	uint32_t generation;
};

_Static_assert(sizeof(struct promcb_handle) == sizeof(struct promcb_entry), "handles and entries need one stride");

/*
 * One object, so that the distance between its halves is known when it is linked. Series have words of 8 bytes behind
 * both handles and entries: one distance leads from either to its entry. See metric_inline.h.
 */
struct promcb_handle_table {
	struct promcb_handle handles[PROMCB_HANDLES_MAX];
	uint64_t series[PROMCB_SERIES_HANDLES_MAX];     /* 0: the handle does nothing. [HANDLE] */
	struct promcb_entry no_entries[PROMCB_HANDLES_MAX]; /* never written, as the next */
	uint64_t no_series_entries[PROMCB_SERIES_HANDLES_MAX];
};

#define PROMCB_NO_ENTRIES_DISTANCE offsetof(struct promcb_handle_table, no_entries)

extern struct promcb_handle_table promcb_handle_table;

/* How many handles exist; the first, which does nothing, included. */
extern uint32_t promcb_handles_used;
extern uint32_t promcb_series_handles_used;

struct promcb_metric_family;

/* A series as this process has it, by the number of its handle. Never freed. */
struct promcb_series_handle {
	struct promcb_handle at;        /* its component is the first cell in the session's present segment */
	struct promcb_metric_family *family;   /* see known.h */
	const char *key;                /* its label values */
	uint32_t key_bytes;
	uint32_t width;                 /* cells */
	uint32_t record;                /* its place, in the same segment; 0: not known */
	struct promcb_component *component; /* of a breaker, which has the next handle, too */
	uint64_t *policy;               /* of a breaker: as this process wants it, see policy.h. Under the mutex */
	/* of a gauge, under the mutex */
	uint64_t kept;                  /* its cell while the session is away */
	uint64_t *left;                 /* its cell in the segment that was left, until a thread has come by since; */
	uint64_t left_value;            /* and what went along */
};

extern struct promcb_series_handle promcb_series_handles[PROMCB_SERIES_HANDLES_MAX];

/* What the application's handle of a series is the address of. */
static inline struct promcb_series_handle *promcb_series_handle_of(const void *handle)
{
	return promcb_series_handles + ((const uint64_t *)handle - promcb_handle_table.series);
}

static inline struct promcb_handle *promcb_component_handle(const struct promcb_component *component)
{
	return (struct promcb_handle *)(uintptr_t)component;
}

static inline struct promcb_component *promcb_handle_component(struct promcb_handle *handle)
{
	return (struct promcb_component *)(void *)handle;
}

/* The name that a handle was made with: zero-terminated. */
const char *promcb_handle_name(const struct promcb_handle *handle);

/*
 * A new handle, found by its name from then on, with the words session, component and generation. Returns 0, or
 * -EMFILE, -ENOMEM.
 */
int promcb_handle_add(struct promcb_names *names, const char *name, size_t length, const struct promcb_handle *words,
		      struct promcb_component **out);

#endif

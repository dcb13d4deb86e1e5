/* SPDX-License-Identifier: MIT */
/*
 * history.h: what came when, of all segments that are served: a thread that looks once a second.
 *
 * It costs a snapshot without recent calls a second, whoever looks at what comes of it, and the memory that it may
 * have. Where several segments need more than that, the one that has most loses its oldest columns first.
 */
#ifndef PROMCB_SIDECAR_HISTORY_H
#define PROMCB_SIDECAR_HISTORY_H

#include "bodies.h"
#include "views/answer.h"

struct sidecar_history;

struct sidecar_history_options {
	struct sidecar_bodies *bodies; /* borrowed */
	size_t bytes;                  /* at most; at least SIDECAR_HISTORY_LEAST */
	const char *directory;         /* where it is kept for the next process; NULL: nowhere; borrowed */
};

enum { SIDECAR_HISTORY_DEFAULT = 32 << 20, SIDECAR_HISTORY_LEAST = 1 << 16 };

/* Begins to look. Returns 0, or -errno. */
int sidecar_history_start(const struct sidecar_history_options *options, struct sidecar_history **out);

/* Nobody may be in a call of this module any more, nor begin one. */
void sidecar_history_stop(struct sidecar_history *history);

/*
 * What is known now; it stays as it is until use returns. step_ns: 0: the answer's id is another one after each look;
 * else after each multiple of it that columns have come to. Thread-safe; one at a time, and not while it is looked.
 */
void sidecar_history_use(struct sidecar_history *history, uint64_t step_ns,
			 void (*use)(void *context, const struct promcb_view_sources *sources), void *context);

#endif

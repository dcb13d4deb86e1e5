/* SPDX-License-Identifier: MIT */
/* live.h: from a segment to what is known: looks again and again, and follows one that is removed and recreated. */
#ifndef PROMCB_TOP_LIVE_H
#define PROMCB_TOP_LIVE_H

#include "top.h"

struct promcb_live {
	const char *segment; /* as for promcb_reader_open() */
	enum promcb_access access;
	struct promcb_reader *reader;
	uint64_t before_ns, before_monotonic_ns; /* when it was looked at; 0: not yet */
	enum promcb_view_gap gap;                /* since then */
	bool with_metrics;                       /* the snapshot is kept */
};

/* CLOCK_REALTIME in nanoseconds. */
uint64_t promcb_live_now_ns(void);

/*
 * Looks once. Returns 0, or -errno: that the segment cannot be read is told by top->missing too. -ENOMEM is the end.
 */
int promcb_live_look(struct promcb_live *live, struct promcb_top *top);

/*
 * Takes what a segment's file has since its creation, as one column. Returns 0 or -errno; top->missing says why.
 */
int promcb_live_dead(struct promcb_live *live, struct promcb_top *top);

/* The newest calls of the component that is shown. */
void promcb_live_calls(struct promcb_live *live, struct promcb_top *top);

void promcb_live_end(struct promcb_live *live, struct promcb_top *top);

#endif

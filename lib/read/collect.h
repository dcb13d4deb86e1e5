/* SPDX-License-Identifier: MIT */
/* collect.h: reads the counters of all listed blocks into a snapshot. */
#ifndef PROMCB_COLLECT_H
#define PROMCB_COLLECT_H

#include "model/snapshot.h"
#include "read/catalog.h"
#include "read/quantile.h"

/*
 * Fills snapshot->components and the counts of snapshot->info that blocks hold. now_ns: CLOCK_MONOTONIC.
 * Returns 0, -EBADMSG with a message, or -ENOMEM.
 */
int promcb_collect(struct promcb_snapshot *snapshot, const struct promcb_catalog *image, struct promcb_source *source,
		   const struct promcb_snapshot_options *options, uint64_t now_ns,
		   struct promcb_recent_scratch *scratch, struct promcb_message *message);

#endif

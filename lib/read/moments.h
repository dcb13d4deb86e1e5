/* SPDX-License-Identifier: MIT */
/* moments.h: when a component was last called, from the heads of its blocks. */
#ifndef PROMCB_MOMENTS_H
#define PROMCB_MOMENTS_H

#include "model/snapshot.h"
#include "read/catalog.h"

struct promcb_moments {
	const struct promcb_catalog *image;
	struct promcb_source *source;
	uint64_t now_ns;   /* CLOCK_MONOTONIC */
	uint64_t taken_ns; /* the same moment by CLOCK_REALTIME */
};

/*
 * Notes the time of a block's last call in last_call_ns; in last_success_ns, too, if that did not fail, as none_failed
 * says, no call of the block ever did, or its newest sample; else what the block has of it. lane: whose the block is,
 * checked. baseline: of the component, a private copy; NULL: never reset.
 */
void promcb_moments_note(const struct promcb_moments *moments, const struct promcb_block *block, uint32_t lane,
			 const struct promcb_block *baseline, bool none_failed, struct promcb_snapshot_component *into);

#endif

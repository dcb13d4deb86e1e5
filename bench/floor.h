/* SPDX-License-Identifier: MIT */
/*
 * floor.h: the least that recording a call can cost: the same stores as promcb's, by hand, into a block of the same
 * shape, with nothing around them. Inlined here; behind a shared library's call in floor.c.
 */
#ifndef PROMCB_FLOOR_H
#define PROMCB_FLOOR_H

#include <promcb/inline.h>

struct floor_block {
	struct promcb_block header;
	uint64_t buckets[2][PROMCB_BUCKET3_COUNT];
	uint64_t pad[4];
	uint64_t ring[1024];
};

static inline void floor_record_inline(struct floor_block *block, uint64_t latency_ns, bool success, uint64_t now_ns)
{
	uint64_t head = block->header.head;

	block->buckets[!success][promcb_bucket3(latency_ns)]++;
	block->header.latency_sum_ns[!success] += latency_ns;
	block->ring[head & 1023] = promcb_sample(latency_ns, success, now_ns);
	block->header.head = promcb_head(now_ns, head + 1);
}

#ifdef __cplusplus
extern "C"
#endif
	void
	floor_record(struct floor_block *block, uint64_t latency_ns, bool success, uint64_t now_ns);

#endif

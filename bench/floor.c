/* SPDX-License-Identifier: MIT */
#include "floor.h"

void floor_record(struct floor_block *block, uint64_t latency_ns, bool success, uint64_t now_ns)
{
	floor_record_inline(block, latency_ns, success, now_ns);
}

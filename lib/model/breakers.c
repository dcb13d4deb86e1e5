/* SPDX-License-Identifier: MIT */
/* breakers.c: the circuit breakers of a snapshot, as promcb/breaker_reader.h gives them out. */
#include "model/snapshot.h"

#include <errno.h>

size_t promcb_snapshot_breakers(const struct promcb_snapshot *snapshot)
{
	return snapshot->metrics ? snapshot->metrics->breaker_count : 0;
}

int promcb_snapshot_breaker(const struct promcb_snapshot *snapshot, size_t index, struct promcb_breaker_summary *out)
{
	if (index >= promcb_snapshot_breakers(snapshot))
		return -ENOENT;
	*out = snapshot->metrics->breakers[index];
	return 0;
}

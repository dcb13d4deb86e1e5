/* SPDX-License-Identifier: MIT */
#include "parts.h"

#include <errno.h>
#include <time.h>

/* How long one of several segments is tried that does not hold still. */
#define PATIENCE_NS ((uint64_t)500000000)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Whether a part is missing for want of what another scrape may have more of. */
static bool is_short(int error)
{
	return error == -EAGAIN || error == -ETIMEDOUT || error == -ENOMEM;
}

/*
 * How long one is tried whose components are being reset, or that is being cut short. Not for all of its share: who is
 * in order and late needs what is left of it.
 */
static uint64_t patience_of(const struct sidecar_parts *parts, uint64_t share_ns)
{
	if (parts->count == 1)
		return share_ns;
	return share_ns / 4 < PATIENCE_NS ? share_ns / 4 + 1 : PATIENCE_NS;
}

/* Gives up at deadline_ns. Returns 0, or -errno; then the part has no snapshot, and its promcb_up is 0. */
static int snapshot_part(const struct sidecar_parts *parts, size_t i, uint64_t deadline_ns)
{
	uint64_t begun_ns = now_ns(), left_ns = begun_ns < deadline_ns ? deadline_ns - begun_ns : 1;
	const struct promcb_snapshot_options options = {
		.flags = parts->flags,
		.matching = parts->matching,
		.timeout_ns = patience_of(parts, left_ns),
		.deadline_ns = deadline_ns,
	};
	struct promcb_snapshot *snapshot = NULL;
	int error = sidecar_attachment_snapshot(parts->attachments[i], &options, parts->idle_ns, &snapshot,
						&parts->messages[i]);

	parts->parts[i].snapshot = snapshot;
	parts->parts[i].segment = parts->labelled ? parts->attachments[i]->name : NULL;
	parts->parts[i].scrape_seconds += (double)(now_ns() - begun_ns) / 1e9;
	return error;
}

int sidecar_parts_take(const struct sidecar_parts *parts, uint64_t deadline_ns, bool *is_short_of)
{
	uint64_t begun_ns = now_ns(), budget_ns = begun_ns < deadline_ns ? deadline_ns - begun_ns : 0;
	size_t again[SIDECAR_SEGMENTS_MAX], again_count = 0, served = 0;
	int shortage = 0;

	for (size_t i = 0; i < parts->count; i++) {
		uint64_t now = now_ns(), left_ns = now < deadline_ns ? deadline_ns - now : 0;
		int error = snapshot_part(parts, i, now + left_ns / (parts->count - i));

		served += error == 0;
		if (error == -ETIMEDOUT && left_ns / (parts->count - i) < budget_ns / 4)
			again[again_count++] = i;
		else if (is_short(error))
			shortage = error;
	}
	for (size_t k = 0; k < again_count; k++) {
		uint64_t now = now_ns(), left_ns = now < deadline_ns ? deadline_ns - now : 0;
		uint64_t share_ns = left_ns / (again_count - k);
		int error = snapshot_part(parts, again[k], now + (share_ns < budget_ns / 4 ? share_ns : budget_ns / 4));

		served += error == 0;
		if (is_short(error))
			shortage = error;
	}
	*is_short_of = shortage < 0;
	return served ? 0 : shortage;
}

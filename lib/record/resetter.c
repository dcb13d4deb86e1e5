/* SPDX-License-Identifier: MIT */
#include "record/resetter.h"

#include <errno.h>
#include <time.h>

enum { BUSY_RETRIES = 50, BUSY_PAUSE_NS = 2000000, CHUNKS_A_STEP = 64 };

/*
 * Gives memory to all that is read to forget: a hole of a sparse copy would be filled by reading it, or be SIGBUS. In
 * steps, like all that is long here.
 */
static int reserve_all(struct promcb_segment *segment, const struct promcb_saved_state *way)
{
	const struct promcb_geometry *g = &segment->geometry;
	uint64_t bytes = g->directory_words * sizeof(uint32_t);
	int result = 0;

	for (uint32_t lane = 0; lane < g->lanes && result == 0; lane++)
		if (promcb_load_relaxed(&promcb_segment_lane(segment, lane)->used))
			result = promcb_segment_reserve(segment, g->directories_off + lane * bytes, bytes);
	for (uint32_t chunk = 0; chunk < g->chunks && result == 0; chunk++) {
		if (promcb_chunk_has_memory(promcb_load32_relaxed(promcb_segment_chunk_word(segment, chunk))) &&
		    promcb_chunk_off(g, chunk) < promcb_load_relaxed(&segment->file_bytes))
			result = promcb_segment_reserve(segment, promcb_chunk_off(g, chunk), g->chunk_bytes);
		if (chunk % CHUNKS_A_STEP == 0)
			promcb_process_let_others(way);
	}
	return result;
}

static void give(struct promcb_lane_lease *lease)
{
	struct promcb_segment *segment = lease->segment;

	promcb_lane_give(lease);
	promcb_attachment_of(segment)->calls--;
	promcb_attachment_tidy(promcb_attachment_of(segment));
}

int promcb_resetter_take(struct promcb_session *p, struct promcb_lane_lease *lease, struct promcb_saved_state *way)
{
	struct timespec pause = {.tv_nsec = BUSY_PAUSE_NS};
	int result;

	/* A stopped resetter delays other resets, and nothing else; so give up after a tenth of a second. */
	for (int round = 0;; round++) {
		bool entered = promcb_process_enter(way);

		if (entered)
			promcb_session_follow(p);
		if (!entered)
			result = -EBUSY;
		else
			result = p->segment ? promcb_lane_acquire_special(p->segment, 1, lease) : -EINVAL;
		if (result == 0) {
			/* The segment stays where it is until the end, though others come in between the steps. */
			promcb_attachment_of(lease->segment)->calls++;
			result = reserve_all(lease->segment, way) < 0 ? -ENOSPC : 0;
			if (result == 0)
				return 0;
			give(lease);
		}
		promcb_process_leave(way);
		if (result != -EBUSY || !entered || round == BUSY_RETRIES)
			return result == -ENOLCK ? -EBUSY : result;
		nanosleep(&pause, NULL);
	}
}

void promcb_resetter_give(struct promcb_lane_lease *lease, struct promcb_saved_state *way)
{
	give(lease);
	promcb_process_leave(way);
}

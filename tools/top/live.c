/* SPDX-License-Identifier: MIT */
#include "live.h"

#include "common.h"
#include "views/take.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t promcb_live_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Says why there is nothing new. Returns the error. */
static int cannot(struct promcb_live *live, struct promcb_top *top, int error, const struct promcb_message *message)
{
	if (error == -ENOENT)
		snprintf(top->missing, sizeof(top->missing), "there is no segment \"%s\"",
			 promcb_tool_segment_name(live->segment));
	else
		snprintf(top->missing, sizeof(top->missing), "%s", promcb_tool_reason(error, message));
	live->gap = PROMCB_VIEW_GAP_MISSING;
	return error;
}

static int get_snapshot(struct promcb_live *live, struct promcb_top *top, struct promcb_snapshot **out)
{
	const struct promcb_snapshot_options options = {.flags = PROMCB_SNAPSHOT_WITHOUT_RECENT};
	const struct promcb_reader_options reading = {.access = live->access};
	struct promcb_message message = {.text = ""};
	int result = live->reader ? promcb_reader_refresh(live->reader, &message)
				  : promcb_reader_open(live->segment, &reading, &live->reader, &message);

	if (result >= 0)
		result = promcb_reader_snapshot(live->reader, &options, out, &message);
	return result < 0 ? cannot(live, top, result, &message) : 0;
}

/* A segment of another schema has another history. */
static int start(struct promcb_top *top, const struct promcb_snapshot *snapshot)
{
	struct promcb_segment_info info;

	promcb_snapshot_info(snapshot, &info);
	top->info = info;
	if (top->started && top->history.schema == info.schema)
		return 0;
	if (top->started) {
		promcb_view_history_end(&top->history);
		top->paused = false;
		top->page = PROMCB_TOP_LIST;
		top->selected = UINT32_MAX;
		snprintf(top->said, sizeof(top->said),
			 "the segment was recreated with other buckets: history begins anew");
	}
	top->started = promcb_view_history_start(&top->history, info.schema, &promcb_view_default_limits) == 0;
	return top->started ? 1 : -EPROTO;
}

static void keep(struct promcb_top *top, struct promcb_snapshot *snapshot)
{
	promcb_snapshot_free(top->snapshot);
	top->snapshot = snapshot;
}

int promcb_live_look(struct promcb_live *live, struct promcb_top *top)
{
	struct promcb_snapshot *snapshot;
	uint64_t monotonic_ns;
	int result = get_snapshot(live, top, &snapshot);

	if (result < 0)
		return result;
	monotonic_ns = promcb_snapshot_taken_monotonic_ns(snapshot);
	result = start(top, snapshot);
	if (result == 1 || !live->before_ns)
		result = promcb_view_take_first(&top->history, snapshot);
	else if (result == 0)
		result = promcb_view_take(&top->history, snapshot, live->before_ns,
					  monotonic_ns - live->before_monotonic_ns, live->gap);
	live->before_ns = promcb_snapshot_taken_ns(snapshot);
	live->before_monotonic_ns = monotonic_ns;
	keep(top, snapshot);
	if (result < 0)
		return cannot(live, top, result, NULL);
	live->gap = PROMCB_VIEW_GAP_NONE;
	top->missing[0] = '\0';
	return 0;
}

int promcb_live_dead(struct promcb_live *live, struct promcb_top *top)
{
	struct promcb_snapshot *snapshot;
	int result = get_snapshot(live, top, &snapshot);

	if (result < 0)
		return result;
	result = start(top, snapshot);
	/* There is one column, whatever the window. */
	top->window = PROMCB_TOP_WINDOWS - 1;
	if (result >= 0)
		result = promcb_view_take(&top->history, snapshot, (uint64_t)(top->info.created * 1e9), 0,
					  PROMCB_VIEW_GAP_NONE);
	keep(top, snapshot);
	return result < 0 ? cannot(live, top, result, NULL) : 0;
}

void promcb_live_calls(struct promcb_live *live, struct promcb_top *top)
{
	struct promcb_top_calls *calls = &top->calls;
	struct promcb_snapshot_options options = {.flags = PROMCB_SNAPSHOT_WITH_CALLS};
	struct promcb_snapshot *snapshot = NULL;
	struct promcb_summary summary;
	size_t index = 0;

	calls->known = false;
	if (!live->reader || top->selected >= top->history.component_count)
		return;
	options.matching = top->history.components[top->selected].name;
	if (promcb_reader_snapshot(live->reader, &options, &snapshot, NULL) < 0)
		return;
	while (promcb_snapshot_summary(snapshot, index, &summary) == 0 && strcmp(summary.name, options.matching) != 0)
		index++;
	free(calls->calls);
	calls->calls = NULL;
	calls->count = 0;
	if (promcb_snapshot_summary(snapshot, index, &summary) == 0) {
		calls->calls = calloc(summary.recent_calls + 1, sizeof(*calls->calls));
		while (calls->calls && calls->count < summary.recent_calls &&
		       promcb_snapshot_call(snapshot, index, calls->count, &calls->calls[calls->count]) == 0)
			calls->count++;
		snprintf(calls->name, sizeof(calls->name), "%s", summary.name);
		calls->summary = summary;
		calls->known = true;
	}
	promcb_snapshot_free(snapshot);
}

void promcb_live_end(struct promcb_live *live, struct promcb_top *top)
{
	promcb_reader_close(live->reader);
	live->reader = NULL;
	keep(top, NULL);
	free(top->calls.calls);
	top->calls.calls = NULL;
	promcb_view_history_end(&top->history);
}

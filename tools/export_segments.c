/* SPDX-License-Identifier: MIT */
#include "export_segments.h"

#include "common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool promcb_export_segments_are_several(const struct promcb_export_segments *segments)
{
	return promcb_segments_are_several(segments->patterns->items, segments->patterns->count);
}

static void segment_free(struct promcb_export_segment *segment)
{
	promcb_reader_close(segment->reader);
	promcb_idle_free(segment->idle);
	free(segment->name);
	*segment = (struct promcb_export_segment){.name = NULL};
}

static bool is_exported(void *context, const char *name)
{
	const struct promcb_export_segments *segments = context;

	for (size_t i = 0; i < segments->count; i++) {
		if (strcmp(segments->items[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Takes over the names, and what is known of them. */
static void replace_list(struct promcb_export_segments *segments, struct promcb_segment_names *names)
{
	struct promcb_export_segment fresh[PROMCB_SEGMENT_NAMES_MAX];

	for (size_t i = 0; i < names->count; i++) {
		fresh[i] = (struct promcb_export_segment){.name = names->items[i], .given = names->items[i]};
		for (size_t j = 0; j < segments->count; j++) {
			struct promcb_export_segment *old = &segments->items[j];

			if (strcmp(old->name, fresh[i].name) == 0) {
				fresh[i].reader = old->reader;
				fresh[i].error = old->error;
				old->reader = NULL;
				fresh[i].idle = old->idle;
				old->idle = NULL;
			}
		}
		if (segments->patterns->count == 0)
			fresh[i].given = NULL;
	}
	while (segments->count)
		segment_free(&segments->items[--segments->count]);
	segments->count = names->count;
	memcpy(segments->items, fresh, names->count * sizeof(fresh[0]));
	names->count = 0;
}

int promcb_export_segments_find(struct promcb_export_segments *segments)
{
	const char *fallback = promcb_tool_segment_name(NULL);
	const struct promcb_export_patterns *patterns = segments->patterns;
	struct promcb_segment_names names;
	int result;

	if (patterns->count == 0 && segments->count == 1)
		return 0;
	if (patterns->count == 0) {
		names.items[0] = strdup(fallback);
		names.count = names.items[0] != NULL;
		result = names.count ? 0 : -ENOMEM;
	} else {
		result = promcb_segment_names_find(patterns->items, patterns->count, is_exported, segments, &names);
	}
	if (result == 0)
		replace_list(segments, &names);
	promcb_segment_names_free(&names);
	if (result == 0 && segments->count == 0) {
		result = -ENOENT;
		if (!segments->is_empty)
			promcb_tool_complain(
				"no segment matches \"%s\": promcb-admin list shows the segments that exist",
				patterns->items[0]);
	} else if (result < 0) {
		promcb_tool_complain("cannot look for segments: %s", promcb_strerror(result));
	}
	segments->is_empty = result == -ENOENT;
	return result;
}

int promcb_export_segment_open(struct promcb_export_segment *segment, struct promcb_message *message)
{
	static const struct promcb_reader_options mapped = {.access = PROMCB_ACCESS_MAPPED};

	int result;

	/* What the name now leads to counts, not what it led to a round ago. */
	if (!segment->reader)
		return promcb_reader_open(segment->given, &mapped, &segment->reader, message);
	result = promcb_reader_refresh(segment->reader, message);
	return result < 0 ? result : 0;
}

static int hide_idle(struct promcb_export_segment *segment, struct promcb_snapshot *snapshot, uint64_t idle_ns)
{
	if (!segment->idle)
		segment->idle = promcb_idle_new();
	return segment->idle ? promcb_snapshot_hide_idle(snapshot, segment->idle, idle_ns) : -ENOMEM;
}

/* Returns 0, or -errno, told unless it is that of the round before. */
static int take_one(struct promcb_export_segment *segment, const char *matching, const uint64_t *idle_ns,
		    struct promcb_render_segment *part)
{
	const struct promcb_snapshot_options wanted = {.matching = matching};
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot = NULL;
	uint64_t start_ns = promcb_tool_now_ns();
	int result = promcb_export_segment_open(segment, &message);

	if (result < 0) {
		if (result != segment->error)
			promcb_tool_cannot_open(segment->given, result, &message);
	} else {
		result = promcb_reader_snapshot(segment->reader, &wanted, &snapshot, &message);
		if (result == 0 && idle_ns)
			result = hide_idle(segment, snapshot, *idle_ns);
		if (result < 0) {
			promcb_snapshot_free(snapshot);
			snapshot = NULL;
		}
		if (result < 0 && result != segment->error)
			promcb_tool_complain("cannot export segment \"%s\": %s", segment->name,
					     promcb_tool_reason(result, &message));
	}
	part->snapshot = snapshot;
	part->scrape_seconds = (double)(promcb_tool_now_ns() - start_ns) / 1e9;
	if (result == 0 && segment->error)
		promcb_tool_complain("segment \"%s\" can be read again", segment->name);
	segment->error = result;
	return result;
}

int promcb_export_segments_take(struct promcb_export_segments *segments, const char *matching, size_t *taken)
{
	bool are_several = promcb_export_segments_are_several(segments);
	int first = promcb_export_segments_find(segments);

	*taken = 0;
	if (first < 0)
		return first;
	for (size_t i = 0; i < segments->count; i++) {
		struct promcb_export_segment *segment = &segments->items[i];
		struct promcb_render_segment *part = &segments->parts[i];
		int result;

		*part = (struct promcb_render_segment){.segment = are_several ? segment->name : NULL};
		result = take_one(segment, matching, segments->idle_ns, part);
		if (first == 0)
			first = result;
		*taken += result == 0;
	}
	return first;
}

void promcb_export_segments_drop(struct promcb_export_segments *segments)
{
	for (size_t i = 0; i < segments->count; i++) {
		/* A snapshot is const to those who render it, not to its owner. */
		promcb_snapshot_free((struct promcb_snapshot *)(uintptr_t)segments->parts[i].snapshot);
		segments->parts[i].snapshot = NULL;
	}
}

void promcb_export_segments_free(struct promcb_export_segments *segments)
{
	while (segments->count)
		segment_free(&segments->items[--segments->count]);
}

/* SPDX-License-Identifier: MIT */
/*
 * reader.c: the reading API: attaches, and takes snapshots until one is stable.
 *
 * A snapshot waits for no writer: it is repeated only if the file was truncated under it, or a component reset, and
 * for at most the timeout asked for; where none is, for a second, or 32 times if these take longer.
 */
#include "base/cancel.h"
#include "base/clock.h"
#include "base/reserved.h"
#include "read/check.h"
#include "read/collect.h"
#include "read/rows.h"

#include <promcb/inject.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define PATIENCE_NS ((uint64_t)1000000000)

enum { TRIES_MIN = 32 };

#define SNAPSHOT_FLAGS ((uint64_t)(PROMCB_SNAPSHOT_WITHOUT_RECENT | PROMCB_SNAPSHOT_WITH_CALLS))

struct promcb_reader {
	struct promcb_source source;
	bool mapped;
	struct promcb_recent_scratch scratch;
};

int promcb_reader_open(const char *segment, const struct promcb_reader_options *options, struct promcb_reader **out,
		       struct promcb_message *message)
{
	PROMCB_NOT_CANCELLED;
	struct promcb_reader *reader = calloc(1, sizeof(*reader));
	int result;

	*out = NULL;
	if (!reader)
		return promcb_message_error(message, -ENOMEM, "no memory for a reader");
	if (options && (options->flags || !PROMCB_RESERVED_ARE_ZERO(options))) {
		free(reader);
		return promcb_message_error(message, -EINVAL, PROMCB_RESERVED_SENTENCE);
	}
	reader->mapped = options && options->access == PROMCB_ACCESS_MAPPED;
	result = promcb_source_open(&reader->source, segment, reader->mapped, message);
	if (result < 0) {
		free(reader);
		return result;
	}
	*out = reader;
	return 0;
}

void promcb_reader_close(struct promcb_reader *reader)
{
	PROMCB_NOT_CANCELLED;
	if (!reader)
		return;
	promcb_source_close(&reader->source);
	promcb_recent_scratch_free(&reader->scratch);
	free(reader);
}

int promcb_reader_validate(struct promcb_reader *reader)
{
	PROMCB_NOT_CANCELLED;
	return promcb_source_follows(&reader->source);
}

int promcb_reader_refresh(struct promcb_reader *reader, struct promcb_message *message)
{
	PROMCB_NOT_CANCELLED;
	char path[PROMCB_PATH_MAX];
	int result;

	if (promcb_source_follows(&reader->source) == 0)
		return 0;
	/* Absolute, and so no other's when the environment or the directory has changed. */
	memcpy(path, reader->source.path, sizeof(path));
	promcb_source_close(&reader->source);
	result = promcb_source_open(&reader->source, path, reader->mapped, message);
	return result < 0 ? result : 1;
}

/* Whether a refresh found no segment. */
static bool is_detached(const struct promcb_reader *reader, struct promcb_message *message, int *result)
{
	if (reader->source.fd >= 0)
		return false;
	*result = promcb_message_error(message, -ENOENT, "there was no segment %s when it was last looked for",
				       reader->source.path);
	return true;
}

/* -- The segment as a whole --------------------------------------------------------------------------------------- */

/* In time: each look takes as long as there are locks, which strangers may have taken. */
static void count_lanes(struct promcb_segment_info *info, const struct promcb_catalog *image,
			const struct promcb_source *source)
{
	const struct promcb_geometry *g = image->geometry;
	uint64_t *cookies = calloc(g->lanes, sizeof(*cookies));
	uint32_t distinct = 0;

	info->lanes_live = info->lanes_idle = info->lanes_undated = 0;
	for (uint32_t lane = 0; lane < g->lanes; lane++) {
		bool is_asked = image->lanes[lane].used && !promcb_source_is_late(source);
		int held = is_asked ? promcb_source_is_held(source, lane) : 0;
		uint32_t i = 0;

		if (held < 0) {
			info->lanes_live = info->lanes_idle = info->lanes_undated = info->producers = -1;
			free(cookies);
			return;
		}
		info->lanes_live += held;
		info->lanes_idle += image->lanes[lane].used && !held;
		info->lanes_undated += held && !image->lanes[lane].samples_count;
		if (!held || !cookies)
			continue;
		while (i < distinct && cookies[i] != image->lanes[lane].cookie)
			i++;
		if (i == distinct)
			cookies[distinct++] = image->lanes[lane].cookie;
	}
	info->producers = cookies ? (int32_t)distinct : -1;
	free(cookies);
}

static void describe(struct promcb_snapshot *snapshot, const struct promcb_catalog *image, struct promcb_source *source)
{
	const struct promcb_geometry *g = image->geometry;
	struct promcb_segment_info *info = &snapshot->info;
	struct promcb_header copy;
	const struct promcb_header *header = promcb_source_view(source, 0, sizeof(copy), &copy);

	memcpy(info->path, source->path, sizeof(info->path));
	info->format_major = source->header.format_major;
	info->format_minor = source->header.format_minor;
	info->used_bytes = (uint64_t)source->status.st_blocks * 512;
	info->max_bytes = g->max_bytes;
	snapshot->created_ns = source->header.created_realtime_ns;
	info->created = promcb_ns_double(source->header.created_realtime_ns);
	/* "_overflow" is listed, and not counted. */
	info->components = image->count - (image->index_of[PROMCB_OVERFLOW_COMPONENT] != 0);
	info->components_max = g->components - 1;
	info->lanes_max = g->lanes;
	info->schema = g->schema;
	info->recent_samples = g->recent_samples;
	info->window_seconds = g->window_ns ? (uint32_t)(g->window_ns / 1000000000u) : PROMCB_WINDOW_ANY;
	if (snapshot->metrics) {
		info->families = snapshot->metrics->family_count;
		info->series = snapshot->metrics->series_count;
	}
	if (header) {
		info->components_rejected = promcb_load_relaxed(&header->components_rejected);
		info->rejected_calls = promcb_load_relaxed(&header->rejected_calls);
		info->dropped_calls = promcb_load_relaxed(&header->dropped_calls);
		info->bad_lines = promcb_load_relaxed(&header->bad_lines);
		info->families_rejected = promcb_load_relaxed(&header->families_rejected);
		info->series_rejected = promcb_load_relaxed(&header->series_rejected);
		info->rejected_values = promcb_load_relaxed(&header->rejected_values);
		info->dropped_values = promcb_load_relaxed(&header->dropped_values);
	}
	count_lanes(info, image, source);
}

/* -- Snapshots ---------------------------------------------------------------------------------------------------- */

static int try_snapshot(struct promcb_reader *reader, const struct promcb_snapshot_options *options,
			struct promcb_snapshot **out, struct promcb_message *message)
{
	struct promcb_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	struct promcb_catalog image = {.count = 0};
	int result = snapshot ? promcb_source_begin(&reader->source, message) : -ENOMEM;

	if (result == 0)
		result = promcb_catalog_make(&image, &reader->source, message);
	if (result == 0) {
		snapshot->taken_ns = promcb_clock_realtime_ns();
		snapshot->monotonic_ns = promcb_clock_monotonic_ns();
		memcpy(snapshot->identity, reader->source.header.identity, sizeof(snapshot->identity));
		snapshot->schema = image.geometry->schema;
		if (options && options->matching)
			snapshot->matching = strdup(options->matching);
		result = options && options->matching && !snapshot->matching
				 ? -ENOMEM
				 : promcb_collect(snapshot, &image, &reader->source, options, snapshot->monotonic_ns,
						  &reader->scratch, message);
	}
	if (result == 0)
		result = promcb_metrics_read(&snapshot->metrics, &image, &reader->source, message);
	if (result == 0)
		describe(snapshot, &image, &reader->source);
	/* After it was told how many there are. */
	if (result == 0 && snapshot->metrics && snapshot->matching)
		promcb_metrics_match(snapshot->metrics, snapshot->matching);
	/* All that was left out on the way was left out for being late. */
	if (result == 0 && promcb_source_is_late(&reader->source))
		result = promcb_source_too_late(&reader->source, message);
	PROMCB_INJECT("snapshot: collected");
	/* Resets in between explain whatever was found. */
	if (image.count && result != -ENOMEM && result != -ETIMEDOUT &&
	    !promcb_catalog_is_stable(&image, &reader->source))
		result = -EAGAIN;
	/* Whatever a truncated file seemed to say, that it was truncated comes first. */
	if (result != -ENOMEM) {
		int whole = promcb_source_end(&reader->source, message);

		result = whole < 0 ? whole : result;
	}
	promcb_catalog_free(&image);
	if (result < 0) {
		promcb_snapshot_free(snapshot);
		snapshot = NULL;
	}
	*out = snapshot;
	return result;
}

int promcb_reader_snapshot(struct promcb_reader *reader, const struct promcb_snapshot_options *options,
			   struct promcb_snapshot **out, struct promcb_message *message)
{
	PROMCB_NOT_CANCELLED;
	uint64_t timeout_ns = options && options->timeout_ns ? options->timeout_ns : PATIENCE_NS;
	uint64_t deadline_ns = promcb_clock_monotonic_ns() + timeout_ns;
	int result, tries = options && options->timeout_ns ? TRIES_MIN : 0;

	*out = NULL;
	if (options && ((options->flags & ~SNAPSHOT_FLAGS) || !PROMCB_RESERVED_ARE_ZERO(options)))
		return promcb_message_error(message, -EINVAL, PROMCB_RESERVED_SENTENCE);
	if (is_detached(reader, message, &result))
		return result;
	reader->source.deadline_ns = options ? options->deadline_ns : 0;
	/* Not by time alone unless it was given: a reader that others keep from running has few tries in a second. */
	do
		result = try_snapshot(reader, options, out, message);
	while ((result == -EAGAIN || result == -ESTALE) && !promcb_source_is_late(&reader->source) &&
	       (++tries < TRIES_MIN || promcb_clock_monotonic_ns() < deadline_ns));
	/* What else the reader is asked for has all time. */
	reader->source.deadline_ns = 0;
	if (result == -EAGAIN)
		promcb_message_error(message, result, "components of %s were being reset all the time for %llu ms",
				     reader->source.path, (unsigned long long)(timeout_ns / 1000000));
	if (result == -ENOMEM)
		promcb_message_error(message, result, "no memory for a snapshot of %s", reader->source.path);
	return result;
}

int promcb_reader_check(struct promcb_reader *reader, void (*report)(void *context, const char *sentence),
			void *context)
{
	PROMCB_NOT_CANCELLED;
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot;
	int findings, result;

	if (is_detached(reader, NULL, &result))
		return result;
	findings = promcb_check(&reader->source, report, context);
	if (findings != 0)
		return findings;
	result = promcb_reader_snapshot(reader, NULL, &snapshot, &message);
	if (result < 0) {
		report(context, message.text);
		return 1;
	}
	promcb_snapshot_free(snapshot);
	return 0;
}

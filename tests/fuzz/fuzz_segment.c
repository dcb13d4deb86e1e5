/* SPDX-License-Identifier: MIT */
/*
 * fuzz_segment.c: a reader meets a segment whose bytes are anything: refused, or a snapshot that keeps its invariants.
 *
 * May include: segment_input.h, snapshot_check.h, world.h, reader.h. Both ways to get at the bytes must say the same of
 * a file that nobody changes meanwhile. Flags: bit 0 only components whose name contains "a".
 */
#include "segment_input.h"
#include "snapshot_check.h"
#include "world.h"

#include <promcb/reader.h>

#include <string.h>

struct outcome {
	int opened;
	int taken;
	size_t count;
	uint64_t calls;
	uint64_t recent_calls;
};

enum { TOLD_MAX = 20 };

static void on_finding(void *context, const char *sentence)
{
	FUZZ_REQUIRE(sentence[0] != 0, "an empty finding");
	++*(int *)context;
}

static void sum_up(const struct promcb_snapshot *snapshot, struct outcome *outcome)
{
	outcome->count = snapshot->count;
	for (size_t i = 0; i < snapshot->count; i++) {
		outcome->calls += snapshot->components[i].counts.calls[0] + 3 * snapshot->components[i].counts.calls[1];
		outcome->recent_calls += snapshot->components[i].recent.calls;
	}
}

static struct outcome take(struct promcb_reader *reader, bool without_recent, const char *matching, bool render)
{
	struct promcb_snapshot_options options = {.flags = without_recent ? PROMCB_SNAPSHOT_WITHOUT_RECENT
									  : PROMCB_SNAPSHOT_WITH_CALLS,
						  .matching = matching};
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot = NULL;
	struct outcome outcome = {.taken = promcb_reader_snapshot(reader, &options, &snapshot, &message)};

	FUZZ_REQUIRE((outcome.taken == 0) == (snapshot != NULL), "%d", outcome.taken);
	FUZZ_REQUIRE(outcome.taken == 0 || message.text[0] != 0, "%d without a word", outcome.taken);
	if (!snapshot)
		return outcome;
	fuzz_check_snapshot(snapshot, !without_recent);
	sum_up(snapshot, &outcome);
	if (render)
		fuzz_check_renderings(snapshot);
	promcb_snapshot_free(snapshot);
	return outcome;
}

static struct outcome read_segment(const char *path, enum promcb_access access, const char *matching)
{
	struct promcb_reader_options options = {.access = access};
	struct promcb_message message = {.text = ""};
	struct promcb_reader *reader = NULL;
	struct outcome outcome = {.opened = promcb_reader_open(path, &options, &reader, &message)}, brief;
	int findings = 0, found;

	FUZZ_REQUIRE((outcome.opened == 0) == (reader != NULL), "%d", outcome.opened);
	FUZZ_REQUIRE(outcome.opened == 0 || message.text[0] != 0, "%d without a word", outcome.opened);
	if (!reader)
		return outcome;
	outcome = take(reader, false, matching, access == PROMCB_ACCESS_COPY);
	brief = take(reader, true, matching, false);
	FUZZ_REQUIRE(brief.taken == outcome.taken && brief.count == outcome.count && brief.calls == outcome.calls,
		     "with recent samples %d, %zu, without %d, %zu", outcome.taken, outcome.count, brief.taken,
		     brief.count);
	found = promcb_reader_check(reader, on_finding, &findings);
	/* The first are told, and one sentence counts the rest. */
	FUZZ_REQUIRE(findings == (found > TOLD_MAX ? TOLD_MAX + 1 : found) || found < 0, "%d of %d findings", findings,
		     found);
	FUZZ_REQUIRE(found != 0 || matching || outcome.taken == 0, "nothing to find, and yet %d", outcome.taken);
	int valid = promcb_reader_validate(reader), refreshed = promcb_reader_refresh(reader, NULL);

	FUZZ_REQUIRE(valid <= 0 && (valid == 0) == (refreshed == 0), "%d, and then %d", valid, refreshed);
	promcb_reader_close(reader);
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_segment *segment;
	struct fuzz_input input;
	struct outcome copied, mapped;
	const char *matching;

	fuzz_input_parse(data, size, &input);
	segment = fuzz_segment_get(input.segment);
	FUZZ_REQUIRE(promcb_reader_catch_sigbus() == 0, "the guard");
	fuzz_segment_restore(segment);
	for (size_t i = 0; i < input.count; i++)
		fuzz_segment_change(segment, &input.changes[i], true);
	matching = input.flags & 1 ? "a" : NULL;
	/* Both from the same moment, so that the same samples are recent. */
	fuzz_world_begin(1000);
	copied = read_segment(segment->path, PROMCB_ACCESS_COPY, matching);
	fuzz_world_begin(1000);
	mapped = read_segment(segment->path, PROMCB_ACCESS_MAPPED, matching);
	FUZZ_REQUIRE(copied.opened == mapped.opened && copied.taken == mapped.taken && copied.count == mapped.count &&
			     copied.calls == mapped.calls && copied.recent_calls == mapped.recent_calls,
		     "copied %d %d %zu, mapped %d %d %zu", copied.opened, copied.taken, copied.count, mapped.opened,
		     mapped.taken, mapped.count);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * fuzz_segment_live.c: a segment whose bytes, and whose length, change while they are read: no crash, an end, and what
 * comes out keeps its invariants.
 *
 * May include: segment_input.h, snapshot_check.h, world.h, atomic.h, reader.h. The changes of the input are made and
 * unmade, round and round, by a thread of their own. Flags: bit 0 mapped, bit 1 without recent samples, bit 2 the
 * second half of the changes is made before the reader comes, and stays.
 */
#include "segment_input.h"
#include "snapshot_check.h"
#include "world.h"

#include <promcb/atomic.h>
#include <promcb/reader.h>

#include <pthread.h>
#include <string.h>

struct stranger {
	struct fuzz_segment *segment;
	const struct fuzz_input *input;
	size_t count;
	uint64_t rounds;
	uint64_t stop;
};

/* Makes the changes one after the other, and every other round puts all back. */
static void *meddle(void *context)
{
	struct stranger *stranger = context;

	while (!promcb_load_relaxed(&stranger->stop)) {
		for (size_t i = 0; i < stranger->count; i++)
			fuzz_segment_change(stranger->segment, &stranger->input->changes[i], false);
		if (promcb_add_relaxed(&stranger->rounds, 1) % 2)
			fuzz_segment_restore(stranger->segment);
	}
	return NULL;
}

static void on_finding(void *context, const char *sentence)
{
	(void)context;
	FUZZ_REQUIRE(sentence[0] != 0, "an empty finding");
}

static void read_once(struct promcb_reader *reader, bool without_recent)
{
	struct promcb_snapshot_options options = {.flags = without_recent ? PROMCB_SNAPSHOT_WITHOUT_RECENT : 0};
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot = NULL;
	int result = promcb_reader_snapshot(reader, &options, &snapshot, &message);

	FUZZ_REQUIRE((result == 0) == (snapshot != NULL), "%d", result);
	if (snapshot) {
		fuzz_check_snapshot(snapshot, !without_recent);
		fuzz_check_renderings(snapshot);
		promcb_snapshot_free(snapshot);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct promcb_message message = {.text = ""};
	struct promcb_reader_options options = {.access = PROMCB_ACCESS_COPY};
	struct promcb_reader *reader = NULL;
	struct fuzz_input input;
	struct stranger stranger = {.input = &input};
	pthread_t thread;
	size_t before;

	fuzz_input_parse(data, size, &input);
	stranger.segment = fuzz_segment_get(input.segment);
	stranger.count = input.count;
	FUZZ_REQUIRE(promcb_reader_catch_sigbus() == 0, "the guard");
	/* A second of patience is a hundred looks at the clock. */
	fuzz_world_begin(10000000);
	fuzz_segment_restore(stranger.segment);
	before = input.flags & 4 ? input.count / 2 : 0;
	stranger.count -= before;
	for (size_t i = stranger.count; i < input.count; i++)
		fuzz_segment_change(stranger.segment, &input.changes[i], false);
	options.access = input.flags & 1 ? PROMCB_ACCESS_MAPPED : PROMCB_ACCESS_COPY;
	if (promcb_reader_open(stranger.segment->path, &options, &reader, &message) < 0)
		return 0;
	FUZZ_REQUIRE(pthread_create(&thread, NULL, meddle, &stranger) == 0, "a thread");
	/* Not before the first changes are there, and across several rounds. */
	for (uint64_t round = 0; round < 3; round++) {
		while (promcb_load_relaxed(&stranger.rounds) <= round)
			continue;
		read_once(reader, input.flags & 2);
		promcb_reader_check(reader, on_finding, NULL);
		promcb_reader_validate(reader);
	}
	promcb_store_relaxed(&stranger.stop, 1);
	pthread_join(thread, NULL);
	promcb_reader_close(reader);
	return 0;
}

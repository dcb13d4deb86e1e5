/* SPDX-License-Identifier: MIT */
/* Recordings: what was written is read, to the last call; of bytes that are none, or not all there, nothing else. */
#include "fixture.h"
#include "views/recording.h"
#include "views/take.h"

TestSuite(recording, .init = fixture_begin, .fini = fixture_end);

#define SECOND ((uint64_t)1000000000)

static struct promcb_view_history history;
static struct promcb_segment_info info;
static struct promcb_view_recorder recorder;
static struct promcb_view_bytes bytes;
static uint64_t before_ns;

static void look(void)
{
	struct promcb_snapshot *snapshot = fixture_snapshot();

	promcb_snapshot_info(snapshot, &info);
	if (before_ns)
		cr_assert_eq(promcb_view_take(&history, snapshot, before_ns, SECOND, PROMCB_VIEW_GAP_NONE), 0);
	else
		cr_assert_eq(promcb_view_take_first(&history, snapshot), 0);
	before_ns = promcb_snapshot_taken_ns(snapshot);
	promcb_snapshot_free(snapshot);
}

static void record_more(void)
{
	cr_assert_eq(promcb_view_record_more(&recorder, &history, &info, &bytes), 0);
}

static void record_calls(struct promcb_component *component, int count)
{
	for (int i = 0; i < count; i++)
		promcb_record(component, 1000u << i % 20, i % 7 != 0);
}

/* What can happen to a segment, looked at eight times; recorded from the third look on, those before it with it. */
static void make_recording(void)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *x = fixture_component(p, "x"), *y;

	cr_assert_eq(promcb_view_history_start(&history, 3, &promcb_view_default_limits), 0);
	record_calls(x, 10);
	look();
	record_calls(x, 100);
	look();
	look();
	cr_assert_eq(promcb_view_record_first(&recorder, &history, "/some \xff segment", &info, &bytes), 0);
	y = fixture_component(p, "y");
	record_calls(y, 1);
	promcb_set_state(x, PROMCB_OPEN);
	look();
	record_more();
	cr_assert_eq(promcb_reset(p, "x"), 0);
	record_calls(x, 30);
	look();
	record_more();
	look();
	record_more();
	promcb_close(p);
	unlink(fixture_segment);
	p = fixture_open(NULL);
	record_calls(fixture_component(p, "x"), 5);
	look();
	record_calls(fixture_component(p, "z"), 200);
	look();
	record_more();
	promcb_close(p);
}

static void forget_recording(void)
{
	promcb_view_recorder_end(&recorder);
	promcb_view_history_end(&history);
	promcb_view_bytes_free(&bytes);
	before_ns = 0;
}

/* Columns as they were written, as many as there are. */
static void check_columns(const struct promcb_view_history *read)
{
	cr_assert_leq(read->column_count, history.column_count);
	for (size_t i = 0; i < read->column_count; i++) {
		const struct promcb_view_column *a = &read->columns[i], *b = &history.columns[i];

		cr_assert(a->from_ns == b->from_ns && a->upto_ns == b->upto_ns && a->took_ns == b->took_ns &&
			  a->tier == b->tier && a->gap == b->gap && a->length == b->length);
		cr_assert(a->length == 0 || memcmp(a->rows, b->rows, a->length) == 0);
	}
}

static void check_whole(const struct promcb_view_recording *read)
{
	cr_assert_eq(read->history.column_count, history.column_count);
	cr_assert_eq(read->history.component_count, history.component_count);
	check_columns(&read->history);
	for (uint32_t i = 0; i < history.component_count; i++) {
		const struct promcb_view_component *a = &read->history.components[i], *b = &history.components[i];

		cr_assert_str_eq(a->name, b->name);
		cr_assert_eq(memcmp(&a->total, &b->total, sizeof(a->total)), 0, "%s", a->name);
		cr_assert(a->since_ns == b->since_ns && a->created_ns == b->created_ns && a->state == b->state &&
			  a->changed_ns == b->changed_ns && a->listed == b->listed);
		/* To the column. */
		cr_assert_eq(a->last_call_ns == 0, b->last_call_ns == 0);
	}
	cr_assert(read->info.producers == info.producers && read->info.used_bytes == info.used_bytes &&
		  read->info.components == info.components && read->info.lanes_idle == info.lanes_idle);
}

Test(recording, what_was_written_is_read)
{
	struct promcb_view_recording read;

	make_recording();
	cr_assert_eq(promcb_view_recording_read(bytes.bytes, bytes.length, PROMCB_VIEW_TO_LOOK, &read), 0);
	cr_assert_not(read.cut);
	cr_assert_str_eq(read.segment, "/some \xff segment");
	check_whole(&read);
	cr_assert_eq(read.history.component_count, 3);
	cr_assert_eq(history.column_count, 7);
	promcb_view_history_end(&read.history);
	forget_recording();
}

/* A recording of what was read is the same history, too. */
Test(recording, a_copy_is_the_same)
{
	struct promcb_view_recording read, again;
	struct promcb_view_recorder copier;
	struct promcb_view_bytes copy = {.bytes = NULL};

	make_recording();
	cr_assert_eq(promcb_view_recording_read(bytes.bytes, bytes.length, PROMCB_VIEW_TO_LOOK, &read), 0);
	cr_assert_eq(promcb_view_record_first(&copier, &read.history, read.segment, &read.info, &copy), 0);
	cr_assert_eq(promcb_view_recording_read(copy.bytes, copy.length, PROMCB_VIEW_TO_LOOK, &again), 0);
	check_whole(&again);
	promcb_view_history_end(&read.history);
	promcb_view_history_end(&again.history);
	promcb_view_recorder_end(&copier);
	promcb_view_bytes_free(&copy);
	forget_recording();
}

/* Who goes on where another one stopped takes the same columns as if it had been there all the time. */
Test(recording, who_goes_on_misses_nothing)
{
	struct promcb_view_recording read;
	struct promcb_snapshot *snapshot;
	struct promcb_session *p;
	uint64_t now_ns;

	make_recording();
	cr_assert_eq(promcb_view_recording_read(bytes.bytes, bytes.length, PROMCB_VIEW_TO_GO_ON, &read), 0);
	check_whole(&read);
	for (uint32_t i = 0; i < 3; i++) {
		const struct promcb_view_bytes *a = &read.history.components[i].buckets,
					       *b = &history.components[i].buckets;

		cr_assert_eq(a->length, b->length);
		cr_assert_eq(memcmp(a->bytes, b->bytes, a->length), 0);
	}
	p = fixture_open(NULL);
	record_calls(fixture_component(p, "x"), 300);
	record_calls(fixture_component(p, "new"), 3);
	cr_assert_eq(promcb_reset(p, "z"), 0);
	record_calls(fixture_component(p, "z"), 7);
	snapshot = fixture_snapshot();
	now_ns = promcb_view_upto_ns(&history);
	cr_assert_eq(promcb_view_take(&history, snapshot, now_ns, 0, PROMCB_VIEW_GAP_STOPPED), 0);
	cr_assert_eq(promcb_view_take(&read.history, snapshot, now_ns, 0, PROMCB_VIEW_GAP_STOPPED), 0);
	promcb_snapshot_info(snapshot, &read.info);
	info = read.info;
	check_whole(&read);
	cr_assert_eq(read.history.components[promcb_view_find(&read.history, "x")].total.calls[0] +
			     read.history.components[promcb_view_find(&read.history, "x")].total.calls[1],
		     305);
	promcb_snapshot_free(snapshot);
	promcb_close(p);
	promcb_view_history_end(&read.history);
	forget_recording();
}

/* Columns that were joined meanwhile are recorded as they are; what comes too late is said to. */
Test(recording, joined_columns_are_recorded_and_others_are_too_late)
{
	const struct promcb_view_limits limits = {.tiers = {{0, 2}, {10 * SECOND, 2}, {60 * SECOND, 100}}};
	struct promcb_view_recording read;

	cr_assert_eq(promcb_view_history_start(&history, 3, &limits), 0);
	for (uint64_t i = 0; i < 300; i++) {
		struct promcb_view_column column = {
			.from_ns = i * SECOND, .upto_ns = (i + 1) * SECOND, .took_ns = SECOND};

		cr_assert_eq(promcb_view_push(&history, &column), 0);
	}
	cr_assert_lt(history.column_count, 60);
	cr_assert_eq(promcb_view_record_first(&recorder, &history, "/x", &info, &bytes), 0);
	cr_assert_eq(promcb_view_recording_read(bytes.bytes, bytes.length, PROMCB_VIEW_TO_LOOK, &read), 0);
	cr_assert_eq(read.history.column_count, history.column_count);
	check_columns(&read.history);
	promcb_view_history_end(&read.history);
	for (uint64_t i = 300; i < 400; i++) {
		struct promcb_view_column column = {
			.from_ns = i * SECOND, .upto_ns = (i + 1) * SECOND, .took_ns = SECOND};

		cr_assert_eq(promcb_view_push(&history, &column), 0);
	}
	cr_assert_eq(promcb_view_record_more(&recorder, &history, &info, &bytes), -ESTALE);
	promcb_view_history_end(&history);
	/* Nor is another history taken for the same. */
	cr_assert_eq(promcb_view_history_start(&history, 4, &limits), 0);
	cr_assert_eq(promcb_view_record_more(&recorder, &history, &info, &bytes), -ESTALE);
	forget_recording();
}

/* Wherever it was cut, what is before the cut is there. */
Test(recording, one_that_is_cut_has_what_is_before)
{
	size_t columns = 0, refused = 0;

	make_recording();
	for (size_t length = 0; length < bytes.length; length++) {
		/* Of its own, so that what is read beyond is seen. */
		uint8_t *copy = malloc(length ? length : 1);
		struct promcb_view_recording read;
		int result;

		cr_assert_not_null(copy);
		memcpy(copy, bytes.bytes, length);
		result = promcb_view_recording_read(copy, length, PROMCB_VIEW_TO_LOOK, &read);
		cr_assert(result == 0 || result == -EBADMSG);
		refused += result < 0;
		if (result == 0) {
			check_columns(&read.history);
			cr_assert_geq(read.history.column_count, columns);
			columns = read.history.column_count;
			promcb_view_history_end(&read.history);
		}
		free(copy);
	}
	cr_assert_eq(columns, history.column_count);
	/* The beginning and the segment. */
	cr_assert_eq(refused, 16 + 9 + 1 + 1 + strlen("/some ? segment"));
	forget_recording();
}

/* A bit that is not as it was is found, or ends the recording. */
Test(recording, no_damage_is_believed)
{
	size_t refused = 0;

	make_recording();
	for (size_t bit = 0; bit < bytes.length * 8; bit++) {
		struct promcb_view_recording read;

		bytes.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (promcb_view_recording_read(bytes.bytes, bytes.length, PROMCB_VIEW_TO_LOOK, &read) < 0) {
			refused++;
		} else {
			cr_assert(read.cut, "bit %zu", bit);
			check_columns(&read.history);
			promcb_view_history_end(&read.history);
		}
		bytes.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* All but those of lengths that point beyond the end. */
	cr_assert_gt(refused, bytes.length * 8 / 2);
	forget_recording();
}

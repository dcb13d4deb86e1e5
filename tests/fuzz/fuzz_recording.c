/* SPDX-License-Identifier: MIT */
/*
 * fuzz_recording.c: recordings of promcb-top, and all that it makes of one. The input is what entries have, each with
 * its kind and length before it; their CRCs are put right here, by another way than the reader's. What is taken for a
 * recording is a history whose windows add up, is written and read again as the same, and can be drawn and be told as
 * JSON without a byte that a terminal would act on. May include: recording.h, list.h, json.h, answer.h, top.h,
 * fuzz.h.
 */
#include "top/top.h"
#include "views/answer.h"
#include "views/json.h"
#include "views/recording.h"

#include "fuzz.h"

#include <errno.h>
#include <locale.h>

/* Bit by bit. */
static uint32_t crc_of(const uint8_t *bytes, size_t length)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < length * 8; i++)
		crc = ((crc ^ (uint32_t)(bytes[i / 8] >> i % 8 & 1)) & 1 ? 0xedb88320u : 0) ^ crc >> 1;
	return ~crc;
}

/* A recording of the entries that an input has, to be freed. */
static uint8_t *make(const uint8_t *data, size_t size, size_t *length)
{
	uint8_t *bytes = malloc(PROMCB_VIEW_RECORDING_MARK + size * 4 + 1);

	FUZZ_REQUIRE(bytes, "memory");
	memcpy(bytes, "promcb history 1", PROMCB_VIEW_RECORDING_MARK);
	*length = PROMCB_VIEW_RECORDING_MARK;
	while (size >= 3) {
		uint32_t words[2] = {(uint32_t)data[1] | (uint32_t)data[2] << 8, 0};

		words[0] = words[0] < size - 3 ? words[0] : (uint32_t)(size - 3);
		bytes[*length + 8] = data[0];
		memcpy(bytes + *length + 9, data + 3, words[0]);
		words[1] = crc_of(bytes + *length + 8, words[0] + 1);
		memcpy(bytes + *length, words, sizeof(words));
		*length += 9 + words[0];
		data += 3 + words[0];
		size -= 3 + words[0];
	}
	return bytes;
}

static uint64_t calls_of(const struct promcb_view_history *history, uint32_t component, uint64_t from_ns,
			 uint64_t upto_ns)
{
	struct promcb_view_window window;

	promcb_view_window(history, component, from_ns, upto_ns, NULL, &window);
	return window.counts.calls[1];
}

/* Two windows have what both have together; so many calls that they would not be a number stay the greatest one. */
static void check_adding(const struct promcb_view_history *history)
{
	uint64_t first = promcb_view_from_ns(history), last = promcb_view_upto_ns(history);
	uint64_t middle = first + (last - first) / 2;

	for (uint32_t i = 0; i < history->component_count && i < 8; i++) {
		uint64_t before = calls_of(history, i, 0, middle), after = calls_of(history, i, middle, UINT64_MAX);
		uint64_t all = calls_of(history, i, 0, UINT64_MAX);

		FUZZ_REQUIRE(all == (before > UINT64_MAX - after ? UINT64_MAX : before + after),
			     "%llu of %llu and %llu", (unsigned long long)all, (unsigned long long)before,
			     (unsigned long long)after);
	}
}

static void check_copy(const struct promcb_view_recording *recording)
{
	const struct promcb_view_history *a = &recording->history, *b;
	struct promcb_view_recorder recorder;
	struct promcb_view_bytes bytes = {.bytes = NULL};
	struct promcb_view_recording again;

	FUZZ_REQUIRE(promcb_view_record_first(&recorder, a, recording->segment, &recording->info, &bytes) == 0,
		     "write");
	FUZZ_REQUIRE(promcb_view_recording_read(bytes.bytes, bytes.length, PROMCB_VIEW_TO_LOOK, &again) == 0 &&
			     !again.cut,
		     "read again");
	b = &again.history;
	FUZZ_REQUIRE(a->column_count == b->column_count && a->component_count == b->component_count &&
			     a->bytes == b->bytes,
		     "another history");
	for (size_t i = 0; i < a->column_count; i++)
		FUZZ_REQUIRE(a->columns[i].length == b->columns[i].length &&
				     memcmp(a->columns[i].rows, b->columns[i].rows, a->columns[i].length) == 0,
			     "column %zu", i);
	for (uint32_t i = 0; i < a->component_count; i++)
		FUZZ_REQUIRE(memcmp(&a->components[i].total, &b->components[i].total, sizeof(a->components[i].total)) ==
					     0 &&
				     a->components[i].since_ns == b->components[i].since_ns,
			     "component %u", i);
	promcb_view_history_end(&again.history);
	promcb_view_recorder_end(&recorder);
	promcb_view_bytes_free(&bytes);
}

static int check_json(void *context, const void *bytes, size_t length)
{
	(void)context;
	FUZZ_REQUIRE(fuzz_is_utf8(bytes, length), "not UTF-8");
	return 0;
}

static void check_page(struct promcb_top *top, int rows, int columns, bool ascii)
{
	struct promcb_grid grid;

	FUZZ_REQUIRE(promcb_grid_start(&grid, rows, columns, ascii), "memory");
	FUZZ_REQUIRE(promcb_top_draw(top, &grid) == 0, "draw");
	for (int i = 0; i < rows * columns; i++) {
		uint32_t character = grid.glyphs[i].character;

		FUZZ_REQUIRE(character == 0 || (character >= 0x20 && (character < 0x7f || character >= 0xa0) &&
						(!ascii || character < 0x7f)),
			     "a character %x", character);
	}
	promcb_grid_end(&grid);
}

static void check_pages(const struct promcb_view_recording *recording, unsigned choice)
{
	struct promcb_top top = {
		.source = PROMCB_TOP_RECORDING,
		.segment = recording->segment,
		.history = recording->history,
		.started = true,
		.info = recording->info,
		.now_ns = promcb_view_upto_ns(&recording->history),
		.interval = 1,
		.window = choice % PROMCB_TOP_WINDOWS,
		.choice.sort = (enum promcb_view_sort)(choice / 5 % PROMCB_VIEW_SORTS),
		.selected =
			recording->history.component_count ? choice % recording->history.component_count : UINT32_MAX,
		.outcome = PROMCB_OUTCOME_ANY,
	};
	const struct promcb_view_origin origin = {recording->segment, &recording->info, top.now_ns};
	struct promcb_view_list list;

	check_page(&top, 24, 80, choice % 2);
	promcb_top_press(&top, PROMCB_KEY_ENTER, 24);
	promcb_top_press(&top, '[', 24);
	for (int view = 0; view < 3; view++) {
		check_page(&top, 14, 60, choice % 2);
		promcb_top_press(&top, PROMCB_KEY_TAB, 24);
	}
	FUZZ_REQUIRE(promcb_view_list_make(&top.history, promcb_top_from_ns(&top), promcb_top_upto_ns(&top),
					   &top.choice, &list) == 0,
		     "list");
	FUZZ_REQUIRE(promcb_view_json(&top.history, &list, &origin, check_json, NULL) == 0, "JSON");
	promcb_view_list_free(&list);
}

/* What the sidecar would tell of it, in ranges that have nothing to do with it, too. */
static void check_answers(const struct promcb_view_recording *recording, unsigned choice)
{
	const struct promcb_view_history *history = &recording->history;
	const struct promcb_view_source source = {recording->segment, history, choice % 2 ? &recording->info : NULL,
						  "x"};
	const struct promcb_view_sources sources = {&source, 1, "id", promcb_view_upto_ns(history), 1000000000, 1, 2};
	const struct promcb_view_listing listing = {
		.sort = (enum promcb_view_sort)(choice % PROMCB_VIEW_SORTS),
		.window_ns = (uint64_t)1000000000 << choice % 16,
		.limit = choice % 7 + 1,
	};
	const struct promcb_view_range all = {0, UINT64_MAX},
				       some = {promcb_view_from_ns(history), promcb_view_upto_ns(history)};
	struct promcb_view_bytes out = {.bytes = NULL};
	uint32_t component = history->component_count ? choice % history->component_count : 0;

	promcb_view_answer_live(&sources, &listing, &out);
	promcb_view_answer_strips(&sources, &listing, choice % 9 + 1, &out);
	if (history->component_count) {
		promcb_view_answer_history(&sources, 0, component, choice % 2 ? all : some, choice % 32, &out);
		promcb_view_answer_compare(&sources, 0, component, all, some, &out);
	}
	FUZZ_REQUIRE(!out.failed && fuzz_is_utf8(out.bytes, out.length), "an answer");
	promcb_view_bytes_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct promcb_view_recording recording;
	size_t length;
	uint8_t *bytes;
	int result;

	if (size < 1)
		return 0;
	setenv("TZ", "UTC", 1);
	setlocale(LC_CTYPE, "C.UTF-8");
	bytes = make(data + 1, size - 1, &length);
	result = promcb_view_recording_read(bytes, length, (enum promcb_view_purpose)(data[0] / 128), &recording);
	FUZZ_REQUIRE(result == 0 || result == -EBADMSG || result == -EPROTO, "%d", result);
	if (result == 0) {
		check_adding(&recording.history);
		check_copy(&recording);
		check_pages(&recording, data[0]);
		check_answers(&recording, data[0]);
		promcb_view_history_end(&recording.history);
	}
	free(bytes);
	return 0;
}

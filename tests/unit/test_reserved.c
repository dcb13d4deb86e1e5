/* SPDX-License-Identifier: MIT */
/* Room for later versions: what a caller asks for with a word or a flag that this version does not know is refused. */
#include "fixture.h"

#include <inttypes.h>

static struct promcb_message message;

static void refused(int result, const char *what)
{
	cr_assert_eq(result, -EINVAL, "%s: %d", what, result);
}

static void said(int result, const char *what)
{
	refused(result, what);
	cr_assert(strstr(message.text, "does not know"), "%s: \"%s\"", what, message.text);
	message.text[0] = 0;
}

static int ignored(void *context, const void *bytes, size_t length)
{
	(void)context, (void)bytes, (void)length;
	return 0;
}

/* With each of an object's reserved words, and each bit of its ends, in turn. */
#define EACH_RESERVED(object, attempt)                                                       \
	for (size_t word = 0; word < sizeof((object).reserved) / sizeof(uint64_t); word++) { \
		for (unsigned bit = 0; bit < 64; bit += 63) {                                \
			(object).reserved[word] = (uint64_t)1 << bit;                        \
			attempt;                                                             \
		}                                                                            \
		(object).reserved[word] = 0;                                                 \
	}

Test(reserved, opening_and_creating)
{
	struct promcb_options options = {.message = &message};
	struct promcb_session *p;

	fixture_begin();
	EACH_RESERVED(options, said(promcb_open(fixture_segment, &options, &p), "open"));
	EACH_RESERVED(options, said(promcb_create(fixture_segment, &options, &message), "create"));
	cr_assert_eq(access(fixture_segment, F_OK), -1, "a segment was made");
	cr_assert_eq(promcb_open(fixture_segment, &options, &p), 0);
	/* Where there is one already, too. */
	struct promcb_session *again = NULL;

	EACH_RESERVED(options, said(promcb_open(fixture_segment, &options, &again), "open what is there"));
	promcb_close(p);
	fixture_end();
}

Test(reserved, reading)
{
	struct promcb_reader_options options = {.access = PROMCB_ACCESS_COPY};
	struct promcb_snapshot_options wanted = {.matching = NULL};
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;

	fixture_begin();
	struct promcb_session *p = fixture_open(NULL);

	promcb_record(fixture_component(p, "component"), 1000, true);
	EACH_RESERVED(options, said(promcb_reader_open(fixture_segment, &options, &reader, &message), "reader"));
	for (unsigned bit = 0; bit < 32; bit++) {
		options.flags = UINT32_C(1) << bit;
		said(promcb_reader_open(fixture_segment, &options, &reader, &message), "a flag of a reader");
	}
	options.flags = 0;
	cr_assert_eq(promcb_reader_open(fixture_segment, &options, &reader, &message), 0);
	EACH_RESERVED(wanted, said(promcb_reader_snapshot(reader, &wanted, &snapshot, &message), "snapshot"));
	for (unsigned bit = 2; bit < 64; bit++) {
		wanted.flags = (uint64_t)1 << bit | PROMCB_SNAPSHOT_WITHOUT_RECENT;
		said(promcb_reader_snapshot(reader, &wanted, &snapshot, &message), "a flag of a snapshot");
		cr_assert_null(snapshot);
	}
	wanted.flags = PROMCB_SNAPSHOT_WITHOUT_RECENT;
	cr_assert_eq(promcb_reader_snapshot(reader, &wanted, &snapshot, &message), 0);

	/* What the library fills it fills whole. */
	struct promcb_summary summary;
	struct promcb_segment_info info;

	memset(&summary, 0xff, sizeof(summary));
	memset(&info, 0xff, sizeof(info));
	cr_assert_eq(promcb_snapshot_find(snapshot, "component", &summary), 0);
	promcb_snapshot_info(snapshot, &info);
	for (size_t i = 0; i < sizeof(summary.reserved) / sizeof(uint64_t); i++)
		cr_assert_eq(summary.reserved[i], 0);
	for (size_t i = 0; i < sizeof(info.reserved) / sizeof(uint64_t); i++)
		cr_assert_eq(info.reserved[i], 0);
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
	promcb_close(p);
	fixture_end();
}

Test(reserved, rendering)
{
	struct promcb_render_options options = {.classic_schema = 0};
	struct promcb_render_segment part = {.segment = "one"};

#define RENDER promcb_render_segments(&part, 1, PROMCB_FORMAT_TEXT, &options, ignored, NULL)
	cr_assert_eq(RENDER, 0);
	EACH_RESERVED(options, refused(RENDER, "options"));
	EACH_RESERVED(part, refused(RENDER, "a part"));
	for (unsigned bit = 1; bit < 64; bit++) {
		options.flags = (uint64_t)1 << bit;
		refused(RENDER, "a flag");
	}
	options.flags = PROMCB_RENDER_WITHOUT_COMPAT;
	cr_assert_eq(RENDER, 0);
}

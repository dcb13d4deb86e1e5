/* SPDX-License-Identifier: MIT */
/*
 * What is rendered is what golden files say; and which parts and formats are refused.
 *
 * PROMCB_GOLDEN_DIR is where the golden files are; with PROMCB_GOLDEN_UPDATE set they are written anew instead of
 * compared.
 */
#include "rendering.h"

#include <errno.h>
#include <stdio.h>

TestSuite(render, .fini = drop_all);

/* The version that was built is not what golden files are about. */
static char *without_version(char *text)
{
	char *from = strstr(text, "promcb_build_info{");

	if (from) {
		char *end = strchr(from, '\n');
		static const char neutral[] = "promcb_build_info{version=\"VERSION\",revision=\"REVISION\"} 1";
		char *replaced = keep(malloc(strlen(text) + sizeof(neutral)));

		sprintf(replaced, "%.*s%s%s", (int)(from - text), text, neutral, end);
		text = replaced;
	}
	return text;
}

static void check_golden(const char *file, char *text)
{
	const char *directory = getenv("PROMCB_GOLDEN_DIR");
	char path[4096];
	FILE *stream;

	if (!directory)
		cr_skip_test("PROMCB_GOLDEN_DIR is not set");
	text = without_version(text);
	snprintf(path, sizeof(path), "%s/%s", directory, file);
	if (getenv("PROMCB_GOLDEN_UPDATE")) {
		stream = fopen(path, "w");
		cr_assert_not_null(stream, "%s", path);
		fputs(text, stream);
		cr_assert_eq(fclose(stream), 0);
		return;
	}
	stream = fopen(path, "r");
	cr_assert_not_null(stream, "%s", path);
	char *expected = keep(calloc(1, 1 << 20));

	cr_assert_lt(fread(expected, 1, (1 << 20) - 1, stream), (1 << 20) - 1);
	fclose(stream);
	for (unsigned line = 1; *expected || *text; line++) {
		size_t expected_bytes = strcspn(expected, "\n");
		size_t bytes = strcspn(text, "\n");

		cr_assert(bytes == expected_bytes && memcmp(text, expected, bytes) == 0,
			  "%s:%u: expected\n%.*s\nnot\n%.*s", file, line, (int)expected_bytes, expected, (int)bytes,
			  text);
		cr_assert_eq(expected[bytes], text[bytes], "%s:%u: one ends here", file, line);
		expected += bytes + (expected[bytes] == '\n');
		text += bytes + (text[bytes] == '\n');
	}
}

Test(render, golden_text)
{
	struct promcb_snapshot snapshot = make_golden();

	check_golden("snapshot.prom",
		     render(&snapshot, PROMCB_FORMAT_TEXT, &(struct promcb_render_options){.scrape_seconds = 0.00125}));
}

Test(render, golden_text_without_compat)
{
	struct promcb_snapshot snapshot = make_golden();

	check_golden("snapshot-without-compat.prom",
		     render(&snapshot, PROMCB_FORMAT_TEXT,
			    &(struct promcb_render_options){.flags = PROMCB_RENDER_WITHOUT_COMPAT}));
}

Test(render, golden_openmetrics)
{
	struct promcb_snapshot snapshot = make_golden();

	check_golden("snapshot.openmetrics", render(&snapshot, PROMCB_FORMAT_OPENMETRICS,
						    &(struct promcb_render_options){.scrape_seconds = 0.00125}));
}

/* Two segments and one that cannot be read, finer classic buckets, and families of the caller's. */
Test(render, golden_parts)
{
	static const struct promcb_label codes[] = {{"code", "20\"0\\"}, {"code", "503"}};
	static const struct promcb_series requests[] = {{&codes[0], 1, 7, 0, {0}}, {&codes[1], 1, 0, 0, {0}}};
	static const struct promcb_series descriptors = {.number = 9};
	static const struct promcb_family families[] = {
		{"promcb_http_requests_total",
		 "Requests\nanswered \"well\" \\.",
		 NULL,
		 PROMCB_FAMILY_COUNTER,
		 requests,
		 2,
		 {0}},
		{"process_open_fds", "Open file descriptors.", NULL, PROMCB_FAMILY_GAUGE, &descriptors, 1, {0}},
	};
	static const struct promcb_render_options options = {
		.classic_schema = 1, .flags = PROMCB_RENDER_WITHOUT_COMPAT, .families = families, .family_count = 2};
	struct promcb_snapshot first = make_golden(), second = make_golden();
	const struct promcb_render_segment parts[] = {
		{&first, "/one", 0.001, {0}}, {NULL, "/missing", 0.002, {0}}, {&second, "/t\"wo", 0.003, {0}}};

	second.count = 1;
	for (int i = 0; i < 2; i++) {
		enum promcb_format format = i ? PROMCB_FORMAT_OPENMETRICS : PROMCB_FORMAT_TEXT;
		struct collected to = {.bytes = NULL};

		cr_assert_eq(promcb_render_segments(parts, 3, format, &options, collect, &to), 0);
		check_golden(i ? "parts.openmetrics" : "parts.prom", keep(to.bytes));
	}
}

Test(render, parts_with_a_label_too_long_are_refused)
{
	char label[PROMCB_SEGMENT_LABEL_MAX + 2] = "";
	struct promcb_render_segment part = {.segment = label};
	struct collected to = {.bytes = NULL};

	memset(label, '"', PROMCB_SEGMENT_LABEL_MAX + 1);
	cr_assert_eq(promcb_render_segments(&part, 1, PROMCB_FORMAT_TEXT, NULL, collect, &to), -EINVAL);
	label[PROMCB_SEGMENT_LABEL_MAX] = '\0';
	for (unsigned format = 0; promcb_format_content_type((enum promcb_format)format); format++) {
		struct promcb_snapshot golden = make_golden();

		part.snapshot = &golden;
		cr_assert_eq(promcb_render_segments(&part, 1, (enum promcb_format)format, NULL, collect, &to), 0);
	}
	free(to.bytes);
}

/* Either would fail the whole scrape. */
Test(render, parts_with_labels_that_are_no_text_or_equal_are_refused)
{
	static const char *const wrong[] = {"", "\xff", "/a\xc3", "\xed\xa0\x80", "\xc0\x80"};
	struct collected to = {.bytes = NULL};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const struct promcb_render_segment parts[] = {{NULL, "/one", 0, {0}}, {NULL, wrong[i], 0, {0}}};

		for (unsigned format = 0; promcb_format_content_type((enum promcb_format)format); format++)
			cr_assert_eq(promcb_render_segments(parts, 2, (enum promcb_format)format, NULL, collect, &to),
				     -EINVAL);
	}
	for (int i = 0; i < 2; i++) {
		const char *label = i ? NULL : "/two";
		const struct promcb_render_segment parts[] = {
			{NULL, label, 0, {0}}, {NULL, "/one", 0, {0}}, {NULL, label, 0, {0}}};

		cr_assert_eq(promcb_render_segments(parts, 3, PROMCB_FORMAT_TEXT, NULL, collect, &to), -EINVAL);
		cr_assert_eq(promcb_render_segments(parts, 2, PROMCB_FORMAT_TEXT, NULL, collect, &to), 0);
	}
	free(to.bytes);
}

/* Spans and deltas of native indexes -8 to -3 with counts 1, 2, 0, 0, 0, 3, as Prometheus' own library has them. */
Test(render, protobuf_spans_and_deltas)
{
	static const uint8_t expected[] = {0x62, 0x04, 0x08, 0x0f, 0x10, 0x02, 0x62, 0x04, 0x08,
					   0x06, 0x10, 0x01, 0x6a, 0x03, 0x02, 0x02, 0x02};
	struct promcb_snapshot snapshot = make_snapshot(1);
	struct promcb_snapshot_component *component = &snapshot.components[0];
	uint32_t bucket = (uint32_t)(-8 - promcb_bucket_first(snapshot.schema) + 1);
	struct collected to = {.bytes = NULL};

	memset(component->counts.buckets[0], 0, snapshot.buckets * sizeof(uint64_t));
	memset(component->counts.buckets[1], 0, snapshot.buckets * sizeof(uint64_t));
	component->counts.buckets[0][bucket] = 1;
	component->counts.buckets[1][bucket + 1] = 2;
	component->counts.buckets[0][bucket + 5] = 2;
	component->counts.buckets[1][bucket + 5] = 1;
	component->counts.calls[0] = component->counts.calls[1] = 3;
	cr_assert_eq(promcb_render(&snapshot, PROMCB_FORMAT_PROTOBUF, NULL, collect, &to), 0);
	cr_assert_not_null(memmem(to.bytes, to.length, expected, sizeof(expected)));
	free(to.bytes);
}

Test(render, golden_text_empty)
{
	struct promcb_snapshot snapshot = make_snapshot(0);

	check_golden("empty.prom", render_text(&snapshot));
}

Test(render, golden_json)
{
	struct promcb_snapshot snapshot = make_golden();

	check_golden("snapshot.json", render(&snapshot, PROMCB_FORMAT_JSON, NULL));
}

Test(render, golden_health)
{
	struct promcb_snapshot snapshot = make_golden();

	check_golden("health.json", render(&snapshot, PROMCB_FORMAT_HEALTH, NULL));
}

Test(render, an_error_of_write_is_returned)
{
	struct promcb_snapshot snapshot = make_snapshot(2000);

	for (size_t i = 0; i < 2000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "component-%04zu", i);
		name(&snapshot, i, text);
	}
	for (unsigned format = PROMCB_FORMAT_TEXT; format <= PROMCB_FORMAT_HEALTH; format++) {
		for (unsigned fail_at = 1; fail_at < 4; fail_at++) {
			struct collected to = {.fail_at = fail_at};

			cr_assert_eq(promcb_render(&snapshot, (enum promcb_format)format, NULL, collect, &to), -EPIPE);
			cr_assert_eq(to.calls, fail_at);
			free(to.bytes);
		}
	}
}

Test(render, formats)
{
	enum promcb_format format;
	struct promcb_snapshot snapshot = make_snapshot(0);
	struct collected to = {0};

	cr_assert_eq(promcb_format_parse("text", &format), 0);
	cr_assert_eq(format, PROMCB_FORMAT_TEXT);
	cr_assert_eq(promcb_format_parse("json", &format), 0);
	cr_assert_eq(format, PROMCB_FORMAT_JSON);
	cr_assert_eq(promcb_format_parse("health", &format), 0);
	cr_assert_eq(format, PROMCB_FORMAT_HEALTH);
	cr_assert_eq(promcb_format_parse("Text", &format), -EINVAL);
	cr_assert_eq(promcb_format_parse("", &format), -EINVAL);
	cr_assert_eq(promcb_format_parse(NULL, &format), -EINVAL);
	cr_assert_str_eq(promcb_format_content_type(PROMCB_FORMAT_TEXT), "text/plain; version=0.0.4; charset=utf-8");
	cr_assert_str_eq(promcb_format_content_type(PROMCB_FORMAT_JSON), "application/json");
	cr_assert_str_eq(promcb_format_content_type(PROMCB_FORMAT_HEALTH), "application/json");
	cr_assert_null(promcb_format_content_type((enum promcb_format)6));
	cr_assert_null(promcb_format_content_type((enum promcb_format) - 1));
	cr_assert_eq(promcb_render(&snapshot, (enum promcb_format)6, NULL, collect, &to), -EINVAL);
	cr_assert_eq(to.calls, 0);
}

/* SPDX-License-Identifier: MIT */
/* Series with any number of labels, their own and those of all: printed in order, checked, and never too long. */
#include "collected.h"

#include "base/bucket.h"
#include "model/snapshot.h"

#include <stdio.h>

static struct promcb_snapshot_component one;
static struct promcb_snapshot snapshot = {.schema = 3, .count = 1, .components = &one};
static char *body;
static size_t body_bytes;

static void make(void)
{
	snapshot.buckets = promcb_schema_buckets(snapshot.schema);
	snapshot.bucket_memory = calloc(2 * (size_t)snapshot.buckets, sizeof(uint64_t));
	cr_assert_not_null(snapshot.bucket_memory);
	promcb_counts_init(&one.counts, snapshot.schema, snapshot.buckets, snapshot.bucket_memory);
	one.since_ns = 1700000000000000000;
}

/* A component's name that is all quotes: with it each line is as long as it can be. */
static void name_longest(void)
{
	char name[PROMCB_NAME_MAX];

	memset(name, '"', sizeof(name));
	promcb_full_name_set(&one.name, name, sizeof(name));
}

TestSuite(series, .init = make);

static int render(enum promcb_format format, const struct promcb_render_options *options, const char *segment)
{
	const struct promcb_render_segment part = {.snapshot = &snapshot, .segment = segment};
	struct collected to = {.bytes = NULL};
	int result = promcb_render_segments(&part, 1, format, options, collect, &to);

	free(body);
	body = to.bytes;
	body_bytes = to.length;
	return result;
}

static void expect(const char *text)
{
	cr_assert_not_null(memmem(body, body_bytes, text, strlen(text)), "%s is not in:\n%s", text, body);
}

Test(series, labels_come_in_order_after_those_of_all)
{
	static const struct promcb_label own[] = {{"method", "GET"}, {"route", "/\"x\""}, {"zone", "a\\b"}};
	static const struct promcb_label common[] = {{"host", "h1"}, {"rack", "7"}};
	static const struct promcb_series series[] = {
		{own, 3, 12, 1600000000000000000, {0}}, {own, 1, 13, 0, {0}}, {.number = 14}};
	static const struct promcb_family family = {
		"app_requests_total", "Requests.", NULL, PROMCB_FAMILY_COUNTER, series, 3, {0}};
	const struct promcb_render_options options = {.labels = common,
						      .label_count = 2,
						      .families = &family,
						      .family_count = 1,
						      .families_since_ns = 1500000000000000000};

	promcb_full_name_set(&one.name, "c", 1);
	one.counts.calls[0] = one.counts.unmeasured[0] = 5;
	cr_assert_eq(render(PROMCB_FORMAT_TEXT, &options, "/s"), 0);
	expect("\napp_requests_total{host=\"h1\",rack=\"7\",method=\"GET\",route=\"/\\\"x\\\"\",zone=\"a\\\\b\"} 12\n"
	       "app_requests_total{host=\"h1\",rack=\"7\",method=\"GET\"} 13\n"
	       "app_requests_total{host=\"h1\",rack=\"7\"} 14\n");
	expect("\ncircuit_breaker_calls_total{host=\"h1\",rack=\"7\",segment=\"/s\",component=\"c\"} 5\n");
	expect("\npromcb_up{host=\"h1\",rack=\"7\",segment=\"/s\"} 1\n");
	cr_assert_eq(render(PROMCB_FORMAT_OPENMETRICS, &options, "/s"), 0);
	expect("\n# TYPE app_requests counter\n");
	expect("\napp_requests_total{host=\"h1\",rack=\"7\",method=\"GET\"} 13\n");
	cr_assert_eq(render(PROMCB_FORMAT_PROTOBUF, &options, "/s"), 0);
	expect("\x0a\x0a\x0a\x04host\x12\x02h1\x0a\x09\x0a\x04rack\x12\x01"
	       "7\x0a\x0d\x0a\x06method\x12\x03GET");
	/* Each series has its own beginning, or that of the families. */
	expect("\x1a\x08\x08\x80\xa0\xf8\xfa\x05\x10");
	expect("\x1a\x08\x08\x80\xde\xa0\xcb\x05\x10");
}

/* As many labels of all as may be, and as long as they may be together. */
static struct promcb_label *fill(struct promcb_label labels[PROMCB_LABELS_MAX], size_t count, size_t bytes)
{
	static char names[PROMCB_LABELS_MAX][3], values[PROMCB_LABELS_MAX][PROMCB_SEGMENT_LABEL_MAX + 1];

	for (size_t i = 0; i < count; i++) {
		size_t value_bytes = (bytes - (count - i) * 6) / 2;

		if (value_bytes > PROMCB_SEGMENT_LABEL_MAX)
			value_bytes = PROMCB_SEGMENT_LABEL_MAX;
		/* What others need at least. */
		if (i + 1 < count && value_bytes > bytes / (2 * (count - i)))
			value_bytes = bytes / (2 * (count - i)) > 3 ? bytes / (2 * (count - i)) - 3 : 1;
		snprintf(names[i], sizeof(names[i]), "%c%c", (char)('a' + i), (char)('a' + i));
		memset(values[i], '"', value_bytes);
		values[i][value_bytes] = 0;
		labels[i] = (struct promcb_label){names[i], values[i]};
		bytes -= 6 + 2 * value_bytes;
	}
	return labels;
}

Test(series, longest_lines_fit_every_format)
{
	enum { ALL_BYTES = 63 + 2 + 2 * 255 + 2 };
	static char segment[PROMCB_SEGMENT_LABEL_MAX + 1];
	struct promcb_label labels[PROMCB_LABELS_MAX];

	name_longest();
	memset(segment, '"', PROMCB_SEGMENT_LABEL_MAX);
	for (size_t count = 2; count <= PROMCB_LABELS_MAX; count++) {
		const struct promcb_render_options options = {.labels = fill(labels, count, ALL_BYTES),
							      .label_count = count};

		for (int format = PROMCB_FORMAT_TEXT; format <= PROMCB_FORMAT_PROTOBUF; format++)
			cr_assert_eq(render((enum promcb_format)format, &options, segment), 0, "%zu labels", count);
	}
}

Test(series, labels_that_cannot_be_are_refused)
{
	static const struct promcb_label twice[] = {{"a", "1"}, {"a", "2"}}, used = {"method", "GET"};
	static const struct promcb_series doubled = {twice, 2, 1, 0, {0}}, named = {&used, 1, 1, 0, {0}};
	static const struct promcb_family families[] = {{"d", "D.", NULL, PROMCB_FAMILY_GAUGE, &doubled, 1, {0}},
							{"n", "N.", NULL, PROMCB_FAMILY_GAUGE, &named, 1, {0}}};
	struct promcb_label many[PROMCB_LABELS_MAX + 1];
	static char names[PROMCB_LABELS_MAX + 1][4];
	const struct promcb_series too_many = {many, PROMCB_LABELS_MAX + 1, 1, 0, {0}};
	const struct promcb_family crowded = {"m", "M.", NULL, PROMCB_FAMILY_GAUGE, &too_many, 1, {0}};
	static char long_value[PROMCB_SEGMENT_LABEL_MAX + 1];
	const struct promcb_label long_ones[] = {{"a", long_value}, {"b", long_value}};

	memset(long_value, 'v', PROMCB_SEGMENT_LABEL_MAX);
	for (int i = 0; i <= PROMCB_LABELS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "l%d", i);
		many[i] = (struct promcb_label){names[i], "v"};
	}
	const struct promcb_render_options refused[] = {
		{.labels = twice, .label_count = 2},
		{.labels = many, .label_count = PROMCB_LABELS_MAX + 1},
		{.labels = long_ones, .label_count = 2},
		{.families = &families[0], .family_count = 1},
		{.families = &crowded, .family_count = 1},
		{.labels = &used, .label_count = 1, .families = &families[1], .family_count = 1},
		{.labels = &(struct promcb_label){"component", "x"}, .label_count = 1},
		{.labels = &(struct promcb_label){"a", NULL}, .label_count = 1},
		{.families = &(struct promcb_family){"f", "F.", NULL, PROMCB_FAMILY_GAUGE, NULL, 0, {0, 1}},
		 .family_count = 1},
		{.families = &(struct promcb_family){"f",
						     "F.",
						     NULL,
						     PROMCB_FAMILY_GAUGE,
						     &(struct promcb_series){.reserved = {1}},
						     1,
						     {0}},
		 .family_count = 1},
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		cr_assert_eq(render(PROMCB_FORMAT_TEXT, &refused[i], NULL), -EINVAL, "case %zu", i);
	cr_assert_eq(render(PROMCB_FORMAT_TEXT, &(struct promcb_render_options){.labels = long_ones, .label_count = 1},
			    NULL),
		     0);
}

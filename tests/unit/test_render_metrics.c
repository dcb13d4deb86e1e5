/* SPDX-License-Identifier: MIT */
/* test_render_metrics.c: families and series, as every format prints them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "metrics_made.h"

/* What stands between the two, the first included. */
static char *part_of(char *text, const char *from, const char *to)
{
	char *begin = strstr(text, from), *end = begin ? strstr(begin, to) : NULL;

	cr_assert(begin && end, "%s", text);
	*end = '\0';
	return begin;
}

static char *render_every_kind(enum promcb_format format)
{
	struct promcb_snapshot snapshot = make_snapshot(0);

	make_every_kind(make_metrics(&snapshot));
	return render(&snapshot, format, NULL);
}

Test(metrics_text, every_kind, .fini = drop_metrics)
{
	char *text = render_every_kind(PROMCB_FORMAT_TEXT);

	cr_assert_str_eq(part_of(text, "# HELP app_build_info", "# HELP request_seconds"),
			 "# HELP app_build_info The version.\n"
			 "# TYPE app_build_info gauge\n"
			 "app_build_info{version=\"1.2\"} 1\n"
			 "# HELP connections No help was given.\n"
			 "# TYPE connections gauge\n"
			 "connections -2.5\n"
			 "# HELP cpu_seconds_total CPU.\n"
			 "# TYPE cpu_seconds_total counter\n"
			 "cpu_seconds_total 1234.567890123\n"
			 "# HELP errors_total Errors by type.\n"
			 "# TYPE errors_total counter\n"
			 "errors_total{queue=\"mail\",type=\"timeout\"} 1\n"
			 "errors_total{queue=\"mail\",type=\"refused\"} 0\n"
			 "errors_total{queue=\"mail\",type=\"other\"} 3\n"
			 "# HELP queue_jobs Jobs that wait.\n"
			 "# TYPE queue_jobs gauge\n"
			 "queue_jobs{queue=\"mail\"} -12.5\n"
			 "queue_jobs{queue=\"logs\"} 4\n"
			 "# HELP ratio Ratios.\n"
			 "# TYPE ratio histogram\n"
			 "ratio_bucket{le=\"0.1\"} 1\n"
			 "ratio_bucket{le=\"0.5\"} 3\n"
			 "ratio_bucket{le=\"1.0\"} 6\n"
			 "ratio_bucket{le=\"10.0\"} 10\n"
			 "ratio_bucket{le=\"+Inf\"} 15\n"
			 "ratio_sum 3.25\n"
			 "ratio_count 15\n");
	text = render_every_kind(PROMCB_FORMAT_TEXT);
	cr_assert_str_eq(part_of(text, "# HELP sent_bytes_total", "# HELP work_total"),
			 "# HELP sent_bytes_total Bytes \"sent\" to a\\\\peer.\\nAll.\n"
			 "# TYPE sent_bytes_total counter\n"
			 "sent_bytes_total{peer=\"10.0.0.7\",zone=\"a\\\\b \\\"c\\\"\\n\"} 18446744073709551615\n"
			 "sent_bytes_total{peer=\"z\xc3\xbcrich\",zone=\"\"} 0\n");
}

Test(metrics_json, every_kind, .fini = drop_metrics)
{
	char *text = render_every_kind(PROMCB_FORMAT_METRICS);
	const char *const parts[] = {
		"{\"families\": [\n{\"name\": \"app_build_info\", \"type\": \"info\", \"help\": \"The version.\", ",
		"\"labels\": [\"version\"], \"series\": [\n{\"labels\": {\"version\": \"1.2\"}, ",
		"\"value\": -2.5}]}",
		"\"value\": 1234.567890123}]}",
		"{\"labels\": {\"queue\": \"mail\", \"type\": \"refused\"}, ",
		"\"value\": 0},\n{\"labels\": {\"queue\": \"mail\", \"type\": \"other\"}, ",
		"\"value\": 3}]}",
		"\"value\": -12.5},",
		"\"count\": 15, \"sum\": 3.25, \"buckets\": [[0.1, 1], [0.5, 2], [1.0, 3], [10.0, 4], [null, 5]]}]}",
		("{\"peer\": \"10.0.0.7\", \"zone\": \"a\\\\b \\\"c\\\"\\n\"}, \"created\": 1700000003.25, "
		 "\"value\": 1.84467440737096e19"),
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		cr_assert(strstr(text, parts[i]), "%s is not in %s", parts[i], text);
}

Test(metrics_text, openmetrics_heads, .fini = drop_metrics)
{
	char *text = render_every_kind(PROMCB_FORMAT_OPENMETRICS);

	cr_assert_str_eq(part_of(text, "# TYPE app_build", "# TYPE errors"), "# TYPE app_build info\n"
									     "# HELP app_build The version.\n"
									     "app_build_info{version=\"1.2\"} 1\n"
									     "# TYPE connections gauge\n"
									     "# HELP connections No help was given.\n"
									     "connections -2.5\n"
									     "# TYPE cpu_seconds counter\n"
									     "# UNIT cpu_seconds seconds\n"
									     "# HELP cpu_seconds CPU.\n"
									     "cpu_seconds_total 1234.567890123\n");
}

/* Powers of two alone, and what the whole comes to. */
Test(metrics_text, a_native_histogram, .fini = drop_metrics)
{
	char *text = render_every_kind(PROMCB_FORMAT_TEXT), *at = strstr(text, "request_seconds_bucket{code=\"200\"");
	unsigned lines = 0;

	cr_assert(at);
	cr_assert(strstr(at, "request_seconds_bucket{code=\"200\",le=\"9.313225746154785e-10\"} 2\n"), "%s", at);
	cr_assert(strstr(at, "request_seconds_bucket{code=\"200\",le=\"1.0\"} 21\n"), "%s", at);
	cr_assert(strstr(at, "request_seconds_bucket{code=\"200\",le=\"1024.0\"} 28\n"), "%s", at);
	cr_assert(strstr(at, "request_seconds_bucket{code=\"200\",le=\"+Inf\"} 29\n"), "%s", at);
	cr_assert(strstr(at, "request_seconds_count{code=\"200\"} 29\n"), "%s", at);
	for (char *next = at; (next = strstr(next, "request_seconds_bucket{code=\"200\"")); next++)
		lines++;
	cr_assert_eq(lines, 42, "%u", lines);
	cr_assert(strstr(at, "request_seconds_sum{code=\"500\"} 0\nrequest_seconds_count{code=\"500\"} 0\n"), "%s", at);
}

/* Families of one name are one; of another type they are left out, and told. */
Test(metrics_text, several_segments, .fini = drop_metrics)
{
	struct promcb_snapshot one = make_snapshot(0), other = make_snapshot(0);
	struct promcb_metrics *metrics = make_metrics(&one);
	const struct promcb_render_segment parts[] = {{&one, "a", 0, {0}}, {&other, "b", 0, {0}}};
	const struct promcb_label labels[] = {{"host", "x\"y"}};
	const struct promcb_render_options options = {.labels = labels, .label_count = 1};
	struct collected to = {0};

	add_family(metrics, "x_total", "First.", "", PROMCB_COUNTER, 1, "k\0");
	*add_series(metrics, "1\0", 0) = 1;
	add_family(metrics, "y", "Level.", "", PROMCB_LEVEL, 0, "");
	*add_series(metrics, "", 0) = 5;
	metrics = make_metrics(&other);
	add_family(metrics, "x", "A gauge.", "", PROMCB_GAUGE, 0, "");
	*add_series(metrics, "", 0) = double_cell(9);
	add_family(metrics, "x_total", "Second.", "", PROMCB_COUNTER, 0, "");
	*add_series(metrics, "", 0) = 2;
	add_family(metrics, "y", "Gauge.", "", PROMCB_GAUGE, 0, "");
	*add_series(metrics, "", 0) = double_cell(0.5);
	cr_assert_eq(promcb_metrics_sort(one.metrics), 0);
	cr_assert_eq(promcb_metrics_sort(other.metrics), 0);
	cr_assert_eq(promcb_render_segments(parts, 2, PROMCB_FORMAT_TEXT, &options, collect, &to), 0);
	keep(to.bytes);
	cr_assert(strstr(to.bytes, "promcb_families_conflicting{host=\"x\\\"y\",segment=\"a\"} 0\n"), "%s", to.bytes);
	cr_assert(strstr(to.bytes, "promcb_families_conflicting{host=\"x\\\"y\",segment=\"b\"} 1\n"), "%s", to.bytes);
	cr_assert_str_eq(part_of(to.bytes, "# HELP x_total", "# HELP promcb_build_info"),
			 "# HELP x_total First.\n"
			 "# TYPE x_total counter\n"
			 "x_total{host=\"x\\\"y\",segment=\"a\",k=\"1\"} 1\n"
			 "x_total{host=\"x\\\"y\",segment=\"b\"} 2\n"
			 "# HELP y Level.\n"
			 "# TYPE y gauge\n"
			 "y{host=\"x\\\"y\",segment=\"a\"} 5\n"
			 "y{host=\"x\\\"y\",segment=\"b\"} 0.5\n");
}

/* The double is the one that the digits read as, at every size and with every number of decimals. */
Test(metrics_text, numbers_are_the_same_in_all_formats)
{
	struct promcb_snapshot_family family = {.type = PROMCB_COUNTER};
	uint64_t state = 3;

	for (family.decimals = 0; family.decimals <= 9; family.decimals++) {
		uint64_t unit = 1;

		for (uint32_t i = 0; i < family.decimals; i++)
			unit *= 10;
		for (unsigned i = 0; i < 200000; i++) {
			char text[64];

			state = state * 6364136223846793005u + 1442695040888963407u;
			uint64_t number = (state ^ state >> 29) >> (i % 64);

			if (i % 3 == 0)
				number |= ((uint64_t)1 << 53) - 1;
			snprintf(text, sizeof(text), "%" PRIu64 ".%0*" PRIu64, number / unit, (int)family.decimals,
				 family.decimals ? number % unit : 0);
			cr_assert_eq(double_cell(promcb_metrics_number(&family, number)),
				     double_cell(strtod(text, NULL)), "%s", text);
		}
	}
	family = (struct promcb_snapshot_family){.type = PROMCB_LEVEL, .decimals = 3};
	cr_assert_eq(double_cell(promcb_metrics_number(&family, (uint64_t)-1500)), double_cell(-1.5));
}

/* -- What readers are told ----------------------------------------------------------------------------------------- */

static size_t find(const struct promcb_snapshot *snapshot, const char *name, struct promcb_family_summary *family)
{
	for (size_t i = 0; promcb_snapshot_family(snapshot, i, family) == 0; i++)
		if (strcmp(family->name, name) == 0)
			return i;
	cr_assert_fail("%s", name);
	return SIZE_MAX;
}

static double number_of(const struct promcb_snapshot *snapshot, size_t index, size_t number)
{
	struct promcb_series_summary series;

	cr_assert_eq(promcb_snapshot_series(snapshot, index, number, &series), 0);
	return series.number;
}

Test(metrics_api, families_and_series, .fini = drop_metrics)
{
	struct promcb_snapshot snapshot = make_snapshot(0);
	struct promcb_family_summary family;
	struct promcb_series_summary series;
	uint64_t counts[400];

	cr_assert_eq(promcb_snapshot_families(&snapshot), 0);
	cr_assert_eq(promcb_snapshot_family(&snapshot, 0, &family), -ENOENT);
	make_every_kind(make_metrics(&snapshot));
	cr_assert_eq(promcb_snapshot_families(&snapshot), 9);
	cr_assert_eq(promcb_snapshot_family(&snapshot, 9, &family), -ENOENT);
	size_t errors = find(&snapshot, "errors_total", &family);

	cr_assert(family.labels == 2 && family.series == 3 && family.type == PROMCB_COUNTER && family.buckets == 0);
	cr_assert_str_eq(promcb_snapshot_label(&snapshot, errors, 1), "type");
	cr_assert_null(promcb_snapshot_label(&snapshot, errors, 2));
	cr_assert_str_eq(promcb_snapshot_label_value(&snapshot, errors, 2, 0), "mail");
	cr_assert_str_eq(promcb_snapshot_label_value(&snapshot, errors, 2, 1), "other");
	cr_assert_null(promcb_snapshot_label_value(&snapshot, errors, 3, 0));
	cr_assert_null(promcb_snapshot_label_value(&snapshot, errors, 0, 2));
	cr_assert_eq(double_cell(number_of(&snapshot, errors, 2)), double_cell(3));
	cr_assert_eq(promcb_snapshot_series(&snapshot, errors, 3, &series), -ENOENT);
	cr_assert_eq(promcb_snapshot_series_buckets(&snapshot, errors, 0, counts, 400), 0);
	size_t jobs = find(&snapshot, "queue_jobs", &family);

	cr_assert_eq(double_cell(number_of(&snapshot, jobs, 0)), double_cell(-12.5));
	cr_assert_eq(double_cell(number_of(&snapshot, find(&snapshot, "app_build_info", &family), 0)), double_cell(1));
	size_t ratio = find(&snapshot, "ratio", &family);

	cr_assert_eq(family.buckets, 5);
	cr_assert_eq(promcb_snapshot_series(&snapshot, ratio, 0, &series), 0);
	cr_assert(series.count == 15 && series.created_ns == MADE_CREATED);
	cr_assert_eq(double_cell(series.number), double_cell(3.25));
	cr_assert_eq(promcb_snapshot_series_buckets(&snapshot, ratio, 0, counts, 400), 5);
	cr_assert(counts[0] == 1 && counts[4] == 5);
	cr_assert_eq(double_cell(promcb_snapshot_series_bound(&snapshot, ratio, 1)), double_cell(0.5));
	cr_assert(isinf(promcb_snapshot_series_bound(&snapshot, ratio, 4)));
	cr_assert(isnan(promcb_snapshot_series_bound(&snapshot, ratio, 5)));
	cr_assert(isnan(promcb_snapshot_series_bound(&snapshot, jobs, 0)));
}

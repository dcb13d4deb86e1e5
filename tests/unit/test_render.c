/* SPDX-License-Identifier: MIT */
/*
 * What is rendered is what golden files say, what promtool takes without a word, and what the snapshot holds.
 *
 * PROMCB_GOLDEN_DIR is where the golden files are; with PROMCB_GOLDEN_UPDATE set they are written anew instead of
 * compared.
 */
#include "render/render.h"

#include "base/bucket.h"
#include "collected.h"

#include <criterion/criterion.h>
#include <jansson.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Memory that lives as long as a test. */
static void *kept[4096];
static json_t *documents[64];
static unsigned kept_count, document_count;

static void *keep(void *memory)
{
	cr_assert_not_null(memory);
	cr_assert_lt(kept_count, 4096);
	return kept[kept_count++] = memory;
}

static void drop_all(void)
{
	while (kept_count)
		free(kept[--kept_count]);
	while (document_count)
		json_decref(documents[--document_count]);
}

TestSuite(render, .fini = drop_all);

static char *render(const struct promcb_snapshot *snapshot, enum promcb_format format,
		    const struct promcb_render_options *options)
{
	struct collected to = {0};

	cr_assert_eq(promcb_render(snapshot, format, options, collect, &to), 0);
	cr_assert_eq(strlen(to.bytes), to.length);
	return keep(to.bytes);
}

static char *render_text(const struct promcb_snapshot *snapshot)
{
	return render(snapshot, PROMCB_FORMAT_TEXT, NULL);
}

/* Snapshots made by hand. */
static struct promcb_snapshot make_snapshot(size_t count)
{
	struct promcb_snapshot snapshot = {
		.info =
			{
				.path = "/dev/shm/promcb",
				.used_bytes = 262144,
				.max_bytes = 33554432,
				.created = 1690000000.25,
				.components = (uint32_t)count,
				.components_max = 1024,
				.lanes_max = 256,
				.lanes_live = 3,
				.lanes_idle = 1,
				.producers = 2,
				.schema = 3,
				.recent_samples = 1000,
				.window_seconds = 600,
				.components_rejected = 4,
				.overflow_calls = 5,
				.dropped_calls = 6,
				.rejected_calls = 7,
				.saturated_calls = 8,
				.backward_calls = 9,
				.bad_lines = 10,
			},
		.taken_ns = 1700000000500000000,
		.schema = 3,
		.cells = promcb_bucket_cells(3),
		.count = count,
	};

	snapshot.components = keep(calloc(count + 1, sizeof(*snapshot.components)));
	snapshot.cell_memory = keep(calloc(count + 1, 2 * snapshot.cells * sizeof(uint64_t)));
	for (size_t i = 0; i < count; i++) {
		struct promcb_recent *recent = &snapshot.components[i].recent;

		for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++)
			snapshot.components[i].counts.cells[outcome] =
				snapshot.cell_memory + (2 * i + outcome) * snapshot.cells;
		recent->average_ns = recent->minimum_ns = recent->maximum_ns = (double)NAN;
		for (unsigned q = 0; q < PROMCB_QUANTILES; q++)
			recent->quantile_ns[q] = (double)NAN;
	}
	return snapshot;
}

static void name(struct promcb_snapshot *snapshot, size_t i, const char *text)
{
	snapshot->components[i].name_bytes = (uint32_t)strlen(text);
	strcpy(snapshot->components[i].name, text);
}

static void add(struct promcb_snapshot *snapshot, size_t i, unsigned outcome, uint64_t latency_ns, uint64_t calls)
{
	struct promcb_snapshot_component *component = &snapshot->components[i];

	component->counts.cells[outcome][promcb_bucket_cell(snapshot->schema, latency_ns)] += calls;
	component->counts.calls[outcome] += calls;
	component->counts.latency_sum_ns[outcome] += calls * latency_ns;
}

/* Names in the order of their bytes, with everything that wants escaping. */
static struct promcb_snapshot make_golden(void)
{
	static const uint64_t latencies[] = {0,        1,          999,        244140,     244141,       1000000,
					     50000000, 1000000000, 8000000000, 8000000001, 1000000000000};
	struct promcb_snapshot snapshot = make_snapshot(5);

	name(&snapshot, 0, "GET_/users/{id} # all");
	name(&snapshot, 1, "a \"quoted\" name");
	name(&snapshot, 2, "back\\slash\\");
	name(&snapshot, 3, "idle");
	name(&snapshot, 4,
	     "zahlung\xc3\xbc"
	     "bersicht \xe2\x82\xac");
	for (size_t i = 0; i < 5; i++) {
		struct promcb_snapshot_component *component = &snapshot.components[i];

		if (i == 3)
			continue;
		for (size_t j = 0; j < sizeof(latencies) / sizeof(latencies[0]); j++) {
			add(&snapshot, i, 0, latencies[j], 10 * i + j + 1);
			add(&snapshot, i, 1, latencies[j] / 2, i * j);
		}
		component->state = (uint32_t)(i % 3);
		for (unsigned state = 0; state < 3; state++)
			component->counts.transitions[state] = 100 * i + state;
		for (unsigned level = 0; level < 4; level++)
			component->counts.log_entries[level] = 1000 * i + 10 * level;
		component->last_failure_ns = i ? 1699999999000000000 + i : 0;
		component->last_state_change_ns = i % 2 ? 0 : 1699999000250000000;
		component->recent = (struct promcb_recent){
			.calls = 300 + i,
			.measured = 300 - i,
			.failures = 7 * i,
			.average_ns = 1234567.25 * (double)(i + 1),
			.minimum_ns = 1,
			.maximum_ns = 0x1p40,
			.quantile_ns = {1000000, 2500000.5, 33333333.333333332, 4000000000, 0x1p40},
		};
	}
	add(&snapshot, 4, 0, 1, UINT64_MAX / 4);
	for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++) {
		snapshot.components[1].counts.unmeasured[outcome] = 30 + outcome;
		snapshot.components[1].counts.calls[outcome] += 30 + outcome;
	}
	return snapshot;
}

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

/* Where parts have labels, a component's key in JSON is of one form, whether or not another has its name. */
Test(render, json_names_the_segments)
{
	struct promcb_snapshot one = make_golden(), two = make_golden();
	const struct promcb_render_segment parts[] = {{&one, "/one", 0, {0}}, {&two, "/two", 0, {0}}};
	struct collected to = {.bytes = NULL};
	char key[512];

	one.count = 1;
	cr_assert_eq(promcb_render_segments(parts, 2, PROMCB_FORMAT_JSON, NULL, collect, &to), 0);
	json_t *document = json_loads(to.bytes, JSON_REJECT_DUPLICATES, NULL);

	free(to.bytes);
	cr_assert_not_null(document);
	cr_assert_eq(json_object_size(document), two.count + 1);
	for (size_t i = 0; i < two.count; i++) {
		snprintf(key, sizeof(key), "/two %s", two.components[i].name);
		cr_assert_not_null(json_object_get(document, key), "%s", key);
	}
	snprintf(key, sizeof(key), "/one %s", one.components[0].name);
	cr_assert_not_null(json_object_get(document, key), "%s", key);
	json_decref(document);
}

/* Spans and deltas of native indexes -8 to -3 with counts 1, 2, 0, 0, 0, 3, as Prometheus' own library has them. */
Test(render, protobuf_spans_and_deltas)
{
	static const uint8_t expected[] = {0x62, 0x04, 0x08, 0x0f, 0x10, 0x02, 0x62, 0x04, 0x08,
					   0x06, 0x10, 0x01, 0x6a, 0x03, 0x02, 0x02, 0x02};
	struct promcb_snapshot snapshot = make_snapshot(1);
	struct promcb_snapshot_component *component = &snapshot.components[0];
	uint32_t cell = (uint32_t)(-8 - promcb_bucket_first(snapshot.schema) + 1);
	struct collected to = {.bytes = NULL};

	memset(component->counts.cells[0], 0, snapshot.cells * sizeof(uint64_t));
	memset(component->counts.cells[1], 0, snapshot.cells * sizeof(uint64_t));
	component->counts.cells[0][cell] = 1;
	component->counts.cells[1][cell + 1] = 2;
	component->counts.cells[0][cell + 5] = 2;
	component->counts.cells[1][cell + 5] = 1;
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

static void check_promtool(const char *text)
{
	char path[] = "/tmp/promcb-render-XXXXXX";
	char command[128], said[4096] = "";
	int file = mkstemp(path);

	cr_assert_geq(file, 0);
	cr_assert_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
	close(file);
	snprintf(command, sizeof(command), "promtool check metrics < %s 2>&1", path);
	FILE *output = popen(command, "r");

	cr_assert_not_null(output);
	said[fread(said, 1, sizeof(said) - 1, output)] = 0;
	int status = pclose(output);

	unlink(path);
	cr_assert_eq(status, 0, "promtool: %s", said);
	cr_assert_str_eq(said, "");
}

Test(render, promtool_is_silent)
{
	struct promcb_snapshot golden = make_golden();
	struct promcb_snapshot empty = make_snapshot(0);

	if (system("command -v promtool >/dev/null 2>&1") != 0)
		cr_skip_test("promtool is not installed");
	check_promtool(render_text(&golden));
	check_promtool(render_text(&empty));
	check_promtool(render(&golden, PROMCB_FORMAT_TEXT,
			      &(struct promcb_render_options){.flags = PROMCB_RENDER_WITHOUT_COMPAT}));
	golden.info.lanes_live = golden.info.lanes_idle = golden.info.producers = -1;
	check_promtool(render_text(&golden));
}

/* The next line of text, or NULL. */
static char *next_line(char **text)
{
	char *line = *text;

	if (!*line)
		return NULL;
	char *end = strchr(line, '\n');

	cr_assert_not_null(end, "the last line does not end");
	cr_assert_neq(end, line, "an empty line");
	*end = 0;
	*text = end + 1;
	return line;
}

static int by_text(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Families contiguous, HELP then TYPE before their samples, once; no series twice. */
static void check_families(char *text)
{
	static const char *families[256];
	static char *series[65536];
	unsigned family_count = 0, series_count = 0;
	char family[128] = "", type[32] = "";
	bool typed = true;

	for (char *line; (line = next_line(&text));) {
		if (strncmp(line, "# HELP ", 7) == 0) {
			cr_assert(typed);
			cr_assert_eq(sscanf(line, "# HELP %127s", family), 1);
			cr_assert_eq(line[strlen(line) - 1], '.', "%s", line);
			for (unsigned i = 0; i < family_count; i++)
				cr_assert_str_neq(families[i], family);
			families[family_count++] = keep(strdup(family));
			typed = false;
			continue;
		}
		if (line[0] == '#') {
			char same[128];

			cr_assert_eq(sscanf(line, "# TYPE %127s %31s", same, type), 2, "%s", line);
			cr_assert_str_eq(same, family);
			cr_assert_not(typed);
			typed = true;
			continue;
		}
		char *value = strrchr(line, ' ');
		size_t bytes = strcspn(line, "{ ");
		char *end;

		cr_assert(typed);
		cr_assert_not_null(value);
		cr_assert(strncmp(line, family, strlen(family)) == 0, "%s stands in family %s", line, family);
		const char *ending = line + strlen(family);
		size_t ending_bytes = bytes - strlen(family);

		if (ending_bytes) {
			bool summary = strcmp(type, "summary") == 0, histogram = strcmp(type, "histogram") == 0;

			cr_assert(summary || histogram, "%s", line);
			cr_assert((ending_bytes == 4 && strncmp(ending, "_sum", 4) == 0) ||
					  (ending_bytes == 6 && strncmp(ending, "_count", 6) == 0) ||
					  (histogram && ending_bytes == 7 && strncmp(ending, "_bucket", 7) == 0),
				  "%s", line);
		}
		cr_assert(strcmp(value + 1, "NaN") == 0 || strspn(value + 1, "0123456789.e+-") == strlen(value + 1),
			  "%s", line);
		strtod(value + 1, &end);
		cr_assert_eq(*end, 0, "%s", line);
		*value = 0;
		cr_assert_lt(series_count, 65536);
		series[series_count++] = line;
	}
	qsort(series, series_count, sizeof(series[0]), by_text);
	for (unsigned i = 1; i < series_count; i++)
		cr_assert_str_neq(series[i - 1], series[i]);
	cr_assert_gt(series_count, 15);
}

Test(render, families_are_whole_and_series_are_unique)
{
	struct promcb_snapshot golden = make_golden();
	struct promcb_snapshot empty = make_snapshot(0);

	check_families(render_text(&golden));
	check_families(render_text(&empty));
	check_families(render(&golden, PROMCB_FORMAT_TEXT,
			      &(struct promcb_render_options){.flags = PROMCB_RENDER_WITHOUT_COMPAT}));
}

/* The value of a series, which must be there once. */
static const char *value_of(const char *text, const char *series)
{
	static char value[64];
	char line[512];

	snprintf(line, sizeof(line), "\n%s ", series);
	const char *at = strstr(text, line);

	cr_assert_not_null(at, "no %s", series);
	at += strlen(line);
	cr_assert_null(strstr(at, line), "two %s", series);
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\n"), at);
	return value;
}

Test(render, classic_buckets_are_exact)
{
	static const char *const bounds[] = {"0.000244140625",
					     "0.00048828125",
					     "0.0009765625",
					     "0.001953125",
					     "0.00390625",
					     "0.0078125",
					     "0.015625",
					     "0.03125",
					     "0.0625",
					     "0.125",
					     "0.25",
					     "0.5",
					     "1.0",
					     "2.0",
					     "4.0",
					     "8.0"};

	for (uint32_t schema = PROMCB_SCHEMA_MIN; schema <= PROMCB_SCHEMA_MAX; schema++) {
		struct promcb_snapshot snapshot = make_snapshot(3);
		uint64_t below[16] = {0};
		uint64_t random = schema;

		snapshot.schema = schema;
		snapshot.cells = promcb_bucket_cells(schema);
		for (size_t i = 0; i < 3; i++) {
			char letter[2] = {(char)('a' + i), 0};

			name(&snapshot, i, letter);
			for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++)
				snapshot.components[i].counts.cells[outcome] =
					keep(calloc(snapshot.cells, sizeof(uint64_t)));
		}
		for (int i = 0; i < 20000; i++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			uint64_t latency = (random >> 24) >> (random & 31);

			/* Half of them lie at a bound or a nanosecond from it. */
			if (random >> 20 & 1)
				latency =
					(uint64_t)(ldexp(1e9, (int)(random >> 40 & 15) - 12)) + (random >> 50 & 3) - 1;
			add(&snapshot, 1, random >> 30 & 1, latency, 1 + (random >> 33 & 7));
			for (int k = 0; k < 16; k++)
				if ((double)latency <= ldexp(1e9, k - 12))
					below[k] += 1 + (random >> 33 & 7);
		}
		char *text = render_text(&snapshot);

		for (int k = 0; k < 16; k++) {
			char series[128], expected[32];

			snprintf(series, sizeof(series),
				 "circuit_breaker_call_duration_seconds_bucket{component=\"b\",le=\"%s\"}", bounds[k]);
			snprintf(expected, sizeof(expected), "%lu", (unsigned long)below[k]);
			cr_assert_str_eq(value_of(text, series), expected, "schema %u: %s", schema, series);
		}
		char total[64];

		strcpy(total, value_of(text, "circuit_breaker_calls_total{component=\"b\"}"));
		cr_assert_str_eq(
			value_of(text, "circuit_breaker_call_duration_seconds_bucket{component=\"b\",le=\"+Inf\"}"),
			total);
		cr_assert_str_eq(value_of(text, "circuit_breaker_call_duration_seconds_count{component=\"b\"}"), total);
		cr_assert_str_eq(value_of(text, "circuit_breaker_latency_seconds_count{component=\"b\"}"), total);
	}
}

Test(render, unknown_counts_are_left_out)
{
	struct promcb_snapshot snapshot = make_snapshot(0);
	char *text = render_text(&snapshot);

	cr_assert_str_eq(value_of(text, "promcb_lanes{state=\"live\"}"), "3");
	cr_assert_str_eq(value_of(text, "promcb_producers"), "2");
	snapshot.info.lanes_live = -1;
	text = render_text(&snapshot);
	cr_assert_null(strstr(text, "live"));
	cr_assert_str_eq(value_of(text, "promcb_lanes{state=\"idle\"}"), "1");
	snapshot.info.lanes_idle = snapshot.info.producers = -1;
	text = render_text(&snapshot);
	cr_assert_null(strstr(text, "promcb_lanes{"));
	cr_assert_null(strstr(text, "promcb_lanes "));
	cr_assert_null(strstr(text, "promcb_producers"));
	cr_assert_str_eq(value_of(text, "promcb_lanes_max"), "256");
}

Test(render, compat_is_optional)
{
	struct promcb_snapshot snapshot = make_golden();
	char *with = render_text(&snapshot);
	char *without = render(&snapshot, PROMCB_FORMAT_TEXT,
			       &(struct promcb_render_options){.flags = PROMCB_RENDER_WITHOUT_COMPAT});
	static const char *const compat[] = {"circuit_breaker_calls_success", "circuit_breaker_calls_failed",
					     "circuit_breaker_failure_rate", "circuit_breaker_latency_seconds_avg"};

	for (size_t i = 0; i < sizeof(compat) / sizeof(compat[0]); i++) {
		char sample[128];

		snprintf(sample, sizeof(sample), "\n%s{component=\"idle\"}", compat[i]);
		cr_assert_not_null(strstr(with, sample), "%s", compat[i]);
		cr_assert_null(strstr(without, compat[i]), "%s", compat[i]);
	}
	cr_assert_not_null(strstr(without, "circuit_breaker_calls_total{"));
	cr_assert_not_null(strstr(without, "circuit_breaker_recent_failure_rate{"));
}

Test(render, largest_lines_fit)
{
	/* Names that double in length, the largest numbers, and enough components to fill the buffer many times. */
	enum { COUNT = 300 };
	struct promcb_snapshot snapshot = make_snapshot(COUNT);

	for (size_t i = 0; i < COUNT; i++) {
		struct promcb_snapshot_component *component = &snapshot.components[i];

		component->name_bytes = PROMCB_NAME_MAX;
		memset(component->name, i % 2 ? '"' : '\\', PROMCB_NAME_MAX);
		snprintf(component->name, 5, "%04zu", i);
		component->name[4] = '"';
		component->counts.calls[0] = component->counts.calls[1] = UINT64_MAX / 2;
		component->counts.cells[0][100] = component->counts.cells[1][100] = UINT64_MAX / 2;
		component->counts.latency_sum_ns[0] = UINT64_MAX;
		component->last_failure_ns = component->last_state_change_ns = UINT64_MAX;
		for (unsigned k = 0; k < 3; k++)
			component->counts.transitions[k] = UINT64_MAX;
		for (unsigned k = 0; k < 4; k++)
			component->counts.log_entries[k] = UINT64_MAX / 4;
		component->recent.calls = 3;
		component->recent.failures = 1;
		component->recent.average_ns = 1e300 / 3;
		for (unsigned q = 0; q < PROMCB_QUANTILES; q++)
			component->recent.quantile_ns[q] = 1e300 / 3;
	}
	check_families(render_text(&snapshot));
	if (system("command -v promtool >/dev/null 2>&1") == 0)
		check_promtool(render_text(&snapshot));
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
	cr_assert_null(promcb_format_content_type((enum promcb_format)5));
	cr_assert_null(promcb_format_content_type((enum promcb_format) - 1));
	cr_assert_eq(promcb_render(&snapshot, (enum promcb_format)5, NULL, collect, &to), -EINVAL);
	cr_assert_eq(to.calls, 0);
}

/* Parses a JSON rendering, which ends with one line feed. */
static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	size_t length = strlen(text);

	cr_assert_not_null(document, "%s", error.text);
	cr_assert_lt(document_count, 64);
	documents[document_count++] = document;
	cr_assert_eq(text[length - 1], '\n');
	cr_assert_eq(text[length - 2], '}');
	return document;
}

Test(render, json_is_the_summary)
{
	struct promcb_snapshot snapshot = make_golden();
	json_t *document = parse(render(&snapshot, PROMCB_FORMAT_JSON, NULL));

	cr_assert_eq(json_object_size(document), 5);
	for (size_t i = 0; i < 5; i++) {
		json_t *component = json_object_get(document, snapshot.components[i].name);
		struct promcb_summary summary;

		cr_assert_eq(promcb_snapshot_summary(&snapshot, i, &summary), 0);
		cr_assert_eq((uint64_t)json_integer_value(json_object_get(component, "total_calls")),
			     summary.total_calls);
		cr_assert_eq((uint64_t)json_integer_value(json_object_get(component, "failed_calls")),
			     summary.failed_calls);
		cr_assert_str_eq(json_string_value(json_object_get(component, "current_state")),
				 promcb_state_name(summary.state));
		json_t *p99 = json_object_get(json_object_get(component, "latency_percentiles"), "p99");

		if (isnan(summary.p99))
			cr_assert(json_is_null(p99));
		else
			cr_assert_float_eq(json_real_value(p99), summary.p99, 1e-14 * summary.p99);
		if (isnan(summary.last_failure_time))
			cr_assert(json_is_null(json_object_get(component, "last_failure_time")));
	}
}

Test(render, json_numbers_are_never_negative)
{
	struct promcb_snapshot snapshot = make_snapshot(1);

	name(&snapshot, 0, "much");
	snapshot.components[0].counts.calls[0] = UINT64_MAX - 5;
	snapshot.components[0].counts.transitions[1] = (uint64_t)INT64_MAX;
	snapshot.components[0].counts.transitions[2] = (uint64_t)INT64_MAX + 1;
	json_t *component = json_object_get(parse(render(&snapshot, PROMCB_FORMAT_JSON, NULL)), "much");
	json_t *changes = json_object_get(component, "transitions");

	cr_assert_float_eq(json_number_value(json_object_get(component, "total_calls")), 0x1p64, 1e5);
	cr_assert_eq(json_integer_value(json_object_get(changes, "open")), INT64_MAX);
	cr_assert_float_eq(json_number_value(json_object_get(changes, "half_open")), 0x1p63, 1e5);
	cr_assert_null(strchr(render(&snapshot, PROMCB_FORMAT_JSON, NULL), '-'));
}

Test(render, json_lists_what_matches)
{
	struct promcb_snapshot snapshot = make_golden();
	struct promcb_render_options options = {.matching = "back"};
	json_t *document = parse(render(&snapshot, PROMCB_FORMAT_JSON, &options));

	cr_assert_eq(json_object_size(document), 1);
	cr_assert_not_null(json_object_get(document, "back\\slash\\"));
	options.matching = "no such";
	cr_assert_str_eq(render(&snapshot, PROMCB_FORMAT_JSON, &options), "{}\n");
	options.matching = "";
	cr_assert_eq(json_object_size(parse(render(&snapshot, PROMCB_FORMAT_JSON, &options))), 5);
}

static bool healthy(const struct promcb_snapshot *snapshot)
{
	return json_is_true(json_object_get(parse(render(snapshot, PROMCB_FORMAT_HEALTH, NULL)), "healthy"));
}

Test(render, one_failing_component_is_unhealthy)
{
	struct promcb_snapshot snapshot = make_snapshot(3);

	name(&snapshot, 0, "a");
	name(&snapshot, 1, "b");
	name(&snapshot, 2, "c");
	cr_assert(healthy(&snapshot));
	snapshot.components[1].counts.calls[0] = 50;
	snapshot.components[1].counts.calls[1] = 50;
	cr_assert(healthy(&snapshot));
	snapshot.components[1].counts.calls[1] = 51;
	cr_assert_not(healthy(&snapshot));

	struct promcb_snapshot empty = make_snapshot(0);
	json_t *document = parse(render(&empty, PROMCB_FORMAT_HEALTH, NULL));

	cr_assert(json_is_true(json_object_get(document, "healthy")));
	cr_assert_eq(json_object_size(json_object_get(document, "components")), 0);
	cr_assert_float_eq(json_real_value(json_object_get(document, "timestamp")), 1700000000.5, 1e-4);
}

/* What cannot be read is not healthy, whatever else can; and neither is nothing. */
Test(render, health_fails_closed)
{
	struct promcb_snapshot snapshot = make_snapshot(1);
	struct promcb_render_segment parts[2] = {{.snapshot = &snapshot, .segment = "/a"}, {.segment = "/b"}};
	struct collected to = {.bytes = NULL};

	name(&snapshot, 0, "a");
	cr_assert(promcb_parts_healthy(parts, 1));
	cr_assert_not(promcb_parts_healthy(parts, 2));
	cr_assert_not(promcb_parts_healthy(parts + 1, 1));
	cr_assert_not(promcb_parts_healthy(NULL, 0));
	cr_assert_eq(promcb_render_segments(parts, 2, PROMCB_FORMAT_HEALTH, NULL, collect, &to), 0);

	json_t *document = parse(to.bytes);

	cr_assert(json_is_false(json_object_get(document, "healthy")));
	cr_assert_eq(json_object_size(json_object_get(document, "components")), 1);
	cr_assert_eq(json_integer_value(json_object_get(document, "unreadable_segments")), 1);
	free(to.bytes);
}

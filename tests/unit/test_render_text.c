/* SPDX-License-Identifier: MIT */
/* Text, as promtool takes it without a word, and as the snapshot has it: whole families, exact buckets, whole lines. */
#include "rendering.h"

#include <stdio.h>
#include <unistd.h>

TestSuite(render, .fini = drop_all);

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

/* Component "b" of three has random calls; below gets how many of them took no longer than each bound. */
static struct promcb_snapshot make_random(uint32_t schema, uint64_t below[16])
{
	struct promcb_snapshot snapshot = make_snapshot(3);
	uint64_t random = schema;

	snapshot.schema = schema;
	snapshot.buckets = promcb_schema_buckets(schema);
	for (size_t i = 0; i < 3; i++) {
		char letter[2] = {(char)('a' + i), 0};

		name(&snapshot, i, letter);
		for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++)
			snapshot.components[i].counts.buckets[outcome] =
				keep(calloc(snapshot.buckets, sizeof(uint64_t)));
	}
	for (int i = 0; i < 20000; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		uint64_t latency = (random >> 24) >> (random & 31);

		/* Half of them lie at a bound or a nanosecond from it. */
		if (random >> 20 & 1)
			latency = (uint64_t)(ldexp(1e9, (int)(random >> 40 & 15) - 12)) + (random >> 50 & 3) - 1;
		add(&snapshot, 1, random >> 30 & 1, latency, 1 + (random >> 33 & 7));
		for (int k = 0; k < 16; k++)
			if ((double)latency <= ldexp(1e9, k - 12))
				below[k] += 1 + (random >> 33 & 7);
	}
	return snapshot;
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
		uint64_t below[16] = {0};
		struct promcb_snapshot snapshot = make_random(schema, below);
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

		/* As long as a name can be, and as it can be with labels. */
		char value[PROMCB_FULL_NAME_MAX - PROMCB_NAME_MAX - sizeof("{a=\"\"}") + 2] = "", name[PROMCB_NAME_MAX];
		const struct promcb_label label = {"a", value};

		memset(value, i % 3 ? 'v' : '\\', i % 3 ? sizeof(value) - 1 : sizeof(value) / 2 - 1);
		memset(name, i % 2 ? '"' : '\\', sizeof(name));
		name[0] = (char)('0' + i / 100);
		name[1] = (char)('0' + i / 10 % 10);
		name[2] = (char)('0' + i % 10);
		cr_assert_null(promcb_full_name_make(&component->name, name, sizeof(name), &label, i % 4 > 0));
		memcpy(component->name.parts, component->name.text, sizeof(component->name.parts));
		cr_assert(promcb_full_name_take_apart(&component->name) == (i % 4 > 0));
		component->counts.calls[0] = component->counts.calls[1] = UINT64_MAX / 2;
		component->counts.buckets[0][100] = component->counts.buckets[1][100] = UINT64_MAX / 2;
		component->counts.latency_sum_ns[0] = UINT64_MAX;
		component->last_failure_ns = component->last_state_change_ns = UINT64_MAX;
		component->last_success_ns = UINT64_MAX;
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

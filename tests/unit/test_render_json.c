/* SPDX-License-Identifier: MIT */
/* JSON and health: parsed again, they say what the snapshot does. */
#include "rendering.h"

#include <jansson.h>

#include <stdio.h>

static json_t *documents[64];
static unsigned document_count;

static void drop_documents(void)
{
	drop_all();
	while (document_count)
		json_decref(documents[--document_count]);
}

TestSuite(render, .fini = drop_documents);

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
		snprintf(key, sizeof(key), "/two %s", two.components[i].name.text);
		cr_assert_not_null(json_object_get(document, key), "%s", key);
	}
	snprintf(key, sizeof(key), "/one %s", one.components[0].name.text);
	cr_assert_not_null(json_object_get(document, key), "%s", key);
	json_decref(document);
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
		json_t *component = json_object_get(document, snapshot.components[i].name.text);
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

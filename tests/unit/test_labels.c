/* SPDX-License-Identifier: MIT */
/* Components with labels: the text that says them, the rules, recording, reading back, and every format. */
#include "base/labels.h"
#include "fixture.h"
#include "rendering.h"

TestSuite(labels, .init = fixture_begin, .fini = fixture_end);

static const char *made(const char *name, const struct promcb_label *labels, size_t count)
{
	static struct promcb_full_name full;
	const char *fault = promcb_full_name_make(&full, name, strlen(name), labels, count);

	return fault ? fault : full.text;
}

Test(labels, one_text_for_one_component)
{
	const struct promcb_label forth[] = {{"op", "read"}, {"az", "eu\"1\\"}},
				  back[] = {{"az", "eu\"1\\"}, {"op", "read"}};

	cr_assert_str_eq(made("db", forth, 2), "db{az=\"eu\\\"1\\\\\",op=\"read\"}");
	cr_assert_str_eq(made("db", back, 2), "db{az=\"eu\\\"1\\\\\",op=\"read\"}");
	cr_assert_str_eq(made("db", forth, 1), "db{op=\"read\"}");
	/* A label without a value is none. */
	cr_assert_str_eq(made("db", (const struct promcb_label[]){{"op", ""}, {"az", NULL}}, 2), "db");
	cr_assert_str_eq(made("GET /users/{id}", NULL, 0), "GET /users/{id}");
}

Test(labels, rules_are_in_the_sentence)
{
	static const struct {
		struct promcb_label label;
		const char *has;
	} bad[] = {
		{{"", "x"}, "letters, digits"},
		{{"0p", "x"}, "letters, digits"},
		{{"__op", "x"}, "not \"__\""},
		{{"o-p", "x"}, "letters, digits"},
		{{NULL, "x"}, "letters, digits"},
		{{"le", "x"}, "quantile"},
		{{"component", "x"}, "component"},
		{{"state", "x"}, "state"},
		{{"type", "x"}, "type"},
		{{"instance", "x"}, "or instance"},
		{{"op", "a\nb"}, "control bytes"},
		{{"op", "a\x7f"}, "control bytes"},
		{{"op", "\xc3\x28"}, "must be UTF-8"},
	};
	char longest[PROMCB_FULL_NAME_MAX] = "";
	struct promcb_label many[9];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert(strstr(made("db", &bad[i].label, 1), bad[i].has), "%zu: %s", i, made("db", &bad[i].label, 1));
	cr_assert(strstr(made("db", (const struct promcb_label[]){{"a", "1"}, {"a", "2"}}, 2), "different names"));
	cr_assert(strstr(made("", &bad[0].label, 0), "empty"));
	static const char letters[] = "a\0b\0c\0d\0e\0f\0g\0h\0i";

	for (size_t i = 0; i < 9; i++)
		many[i] = (struct promcb_label){letters + 2 * i, "1"};
	cr_assert(strstr(made("db", many, 9), "at most 8"));
	cr_assert_str_eq(made("db", many, 8), "db{a=\"1\",b=\"1\",c=\"1\",d=\"1\",e=\"1\",f=\"1\",g=\"1\",h=\"1\"}");
	/* To the byte. */
	memset(longest, 'v', PROMCB_FULL_NAME_MAX - strlen("db{a=\"\"}"));
	cr_assert_eq(strlen(made("db", &(struct promcb_label){"a", longest}, 1)), PROMCB_FULL_NAME_MAX);
	longest[strlen(longest)] = 'v';
	cr_assert(strstr(made("db", &(struct promcb_label){"a", longest}, 1), "230 bytes"));
	cr_assert_str_eq(promcb_labels_error("db", &(struct promcb_label){"a", longest}, 1),
			 made("db", &(struct promcb_label){"a", longest}, 1));
	cr_assert_null(promcb_labels_error(" db ", many, 8));
	cr_assert_not_null(promcb_labels_error(NULL, many, 8));
}

/* What people write: what is a list of labels by its form, and what is part of a name. */
Test(labels, texts_are_taken_apart)
{
	static const struct {
		const char *text, *made; /* NULL: it is a name */
	} cases[] = {
		{"db{op=\"read\"}", "db{op=\"read\"}"},
		{" db { op = \"read\" , az=\"1\", } ", "db{az=\"1\",op=\"read\"}"},
		{"GET /users/{id}", NULL},
		{"/v1/{name=shelves/*}", NULL},
		{"{}", NULL},
		{"{op=\"read\"}", NULL},
		{"db{}", NULL},
		{"db{op=\"read\"", NULL},
		{"db{op=\"read\"} x", NULL},
		{"db{op=read}", NULL},
		{"db{op=\"a\"b=\"c\"}", NULL},
		{"db{=\"a\"}", NULL},
		{"db{op=\"a\\\"}", NULL},
		{"GET /users/{id}{op=\"read\"}", "GET /users/{id}{op=\"read\"}"},
		{"a{x=\"1\"}{y=\"2\"}", "a{x=\"1\"}{y=\"2\"}"},
		{"db{op=\"a{b=\\\"c\\\"}\"}", "db{op=\"a{b=\\\"c\\\"}\"}"},
		{"db{op=\"x{b=\",c=\"y\"}", "db{c=\"y\",op=\"x{b=\"}"},
		{"db{op=\"\\\\\"}", "db{op=\"\\\\\"}"},
		{"db{op=\"\\d\"}", "db{op=\"\\\\d\"}"},
		{"db{op=\"\"}", "db"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct promcb_label labels[PROMCB_COMPONENT_LABELS_MAX];
		char text[64];
		size_t count;

		strcpy(text, cases[i].text);
		count = promcb_name_labels(text, labels, PROMCB_COMPONENT_LABELS_MAX);
		cr_assert_eq(count > 0, cases[i].made != NULL, "%s: %zu", cases[i].text, count);
		if (!count)
			continue;
		const char *name = text;
		size_t length = strlen(text);

		promcb_name_trim(&name, &length);
		struct promcb_full_name full, again;

		cr_assert_null(promcb_full_name_make(&full, name, length, labels, count));
		cr_assert_str_eq(full.text, cases[i].made);
		if (!strchr(full.text, '"'))
			continue;
		again = full;
		cr_assert(promcb_full_name_take_apart(&again), "%s", full.text);
		cr_assert_str_eq(again.text, full.text);
		cr_assert_eq(strlen(again.parts), length);
	}
}

/* No other order, no blank, no other escape, nothing twice: a text that is not as it is made is no full name. */
Test(labels, other_forms_are_no_full_names)
{
	static const char *const others[] = {
		"db",
		"db{b=\"1\",a=\"1\"}",
		"db{a=\"1\",a=\"2\"}",
		"db{ a=\"1\"}",
		"db {a=\"1\"}",
		"db{a=\"1\",}",
		"db{a=\"\\d\"}",
		"db{a=\"\\n\"}",
		"db{a=\"\"}",
		"db{le=\"1\"}",
		"{a=\"1\"}",
		"db{a=\"\x01\"}",
		"db{a=\"1\",b=\"1\",c=\"1\",d=\"1\",e=\"1\",f=\"1\",g=\"1\",h=\"1\",i=\"1\"}",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct promcb_full_name name;

		promcb_full_name_set(&name, others[i], strlen(others[i]));
		cr_assert(!promcb_full_name_take_apart(&name), "%s", others[i]);
	}
}

static struct promcb_component *with(struct promcb_session *p, const char *name, const char *label, const char *value)
{
	const struct promcb_label labels[] = {{label, value}};
	struct promcb_component *component;

	cr_assert_eq(promcb_component_with(p, name, labels, 1, &component), 0);
	return component;
}

Test(labels, calls_are_read_back)
{
	const struct promcb_label forth[] = {{"op", "read"}, {"az", "1"}}, back[] = {{"az", "1"}, {"op", "read"}};
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *one, *other;
	struct promcb_label labels[PROMCB_COMPONENT_LABELS_MAX];
	const char *name;

	cr_assert_eq(promcb_component_with(p, " db", forth, 2, &one), 0);
	cr_assert_eq(promcb_component_with(p, "db", back, 2, &other), 0);
	cr_assert_eq(one, other);
	promcb_record(one, 1000, true);
	promcb_record(with(p, "db", "op", "read"), 1000, false);
	promcb_record(with(p, "db", "op", ""), 1000, false);
	promcb_record(fixture_component(p, "db"), 1000, true);
	cr_assert_eq(fixture_summary("db{az=\"1\",op=\"read\"}").successful_calls, 1);
	cr_assert_eq(fixture_summary("db{op=\"read\"}").failed_calls, 1);
	cr_assert_eq(fixture_summary("db").total_calls, 2);
	cr_assert_eq(promcb_reset(p, "db{op=\"read\"}"), 0);
	cr_assert(!fixture_lists("db{op=\"read\"}"));
	cr_assert(fixture_lists("db{az=\"1\",op=\"read\"}"));

	struct promcb_snapshot *snapshot = fixture_snapshot();

	cr_assert_eq(promcb_snapshot_count(snapshot), 2);
	cr_assert_eq(promcb_snapshot_component(snapshot, 1, &name, labels, PROMCB_COMPONENT_LABELS_MAX), 2);
	cr_assert_str_eq(name, "db");
	cr_assert_str_eq(labels[0].name, "az");
	cr_assert_str_eq(labels[0].value, "1");
	cr_assert_str_eq(labels[1].name, "op");
	cr_assert_str_eq(labels[1].value, "read");
	labels[1].name = NULL;
	cr_assert_eq(promcb_snapshot_component(snapshot, 1, &name, labels, 1), 2);
	cr_assert_null(labels[1].name);
	cr_assert_eq(promcb_snapshot_component(snapshot, 0, &name, labels, 1), 0);
	cr_assert_str_eq(name, "db");
	cr_assert_eq(promcb_snapshot_component(snapshot, 2, &name, labels, 1), -ENOENT);
	promcb_snapshot_free(snapshot);
	promcb_close(p);
}

/* What is wrong is said by the rule that it breaks. */
Test(labels, each_rule_is_told)
{
	static const struct {
		struct promcb_label label;
		const char *part;
	} refused[] = {
		{{"op", "\xff"}, "must be UTF-8"},  {{"op", "a\nb"}, "may not hold control bytes"},
		{{"op", "a\x7f"}, "control bytes"}, {{"le", "1"}, "its metrics have these"},
		{{"9op", "a"}, "no digit first"},   {{"__op", "a"}, "not \"__\""},
		{{"o-p", "a"}, "letters, digits"},  {{"", "a"}, "letters, digits"},
		{{NULL, "a"}, "letters, digits"},   {{"other", "b"}, "have different names"},
	};
	static const struct promcb_label nine[9];
	struct promcb_full_name name;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const struct promcb_label labels[] = {{"other", "a"}, refused[i].label};
		const char *fault = promcb_full_name_make(&name, "db", 2, labels, 2);

		cr_assert(fault && strstr(fault, refused[i].part), "label %zu: %s", i, fault ? fault : "taken");
	}
	cr_assert_str_eq(promcb_full_name_make(&name, "db", 2, nine, 9), "a component has at most 8 labels");
}

/* Whose names or labels are against the rules: their calls are not lost. */
Test(labels, refused_calls_are_overflow)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *component;

	cr_assert_eq(promcb_component_with(p, "db", &(struct promcb_label){"le", "1"}, 1, &component), -EINVAL);
	promcb_record(component, 1000, true);
	cr_assert_eq(promcb_component_with(p, "", NULL, 0, &component), -EINVAL);
	promcb_record(component, 1000, true);
	cr_assert_eq(promcb_call(p, "a\nb", 0.001, false), -EINVAL);
	cr_assert_eq(promcb_call(p, "a\nb", -1, false), -EINVAL);
	cr_assert_eq(fixture_summary("_overflow").total_calls, 3);
	cr_assert_eq(fixture_info().rejected_calls, 1);
	cr_assert_eq(promcb_component_with(NULL, "db", NULL, 0, &component), -EINVAL);
	promcb_record(component, 1000, true);
	promcb_close(p);
}

/* A name that looks like a full name is a name; asked for by its labels, it has them from then on. */
Test(labels, names_with_braces_stay_names)
{
	const char text[] = "db{op=\"read\"}";
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_snapshot *snapshot;
	struct promcb_label label;
	const char *name;

	promcb_record(fixture_component(p, text), 1000, true);
	snapshot = fixture_snapshot();
	cr_assert_eq(promcb_snapshot_component(snapshot, 0, &name, &label, 1), 0);
	cr_assert_str_eq(name, text);
	cr_assert(strstr(render_text(snapshot), "circuit_breaker_calls_total{component=\"db{op=\\\"read\\\"}\"} 1\n"));
	promcb_snapshot_free(snapshot);
	promcb_record(with(p, "db", "op", "read"), 1000, true);
	promcb_record(fixture_component(p, text), 1000, true);
	snapshot = fixture_snapshot();
	cr_assert_eq(promcb_snapshot_count(snapshot), 1);
	cr_assert_eq(promcb_snapshot_component(snapshot, 0, &name, &label, 1), 1);
	cr_assert_str_eq(name, "db");
	cr_assert(strstr(render_text(snapshot), "circuit_breaker_calls_total{component=\"db\",op=\"read\"} 3\n"));
	promcb_snapshot_free(snapshot);
	promcb_close(p);
}

/* The longest one, whose end stands apart, in a segment that is left and opened again. */
Test(labels, longest_is_found_again)
{
	char value[PROMCB_FULL_NAME_MAX] = "", text[2 * PROMCB_FULL_NAME_MAX];
	struct promcb_session *p = fixture_open(NULL);

	memset(value, 'v', PROMCB_FULL_NAME_MAX - strlen("db{a=\"\"}"));
	snprintf(text, sizeof(text), "db{a=\"%s\"}", value);
	promcb_record(with(p, "db", "a", value), 1000, true);
	value[strlen(value) - 1] = 'w';
	promcb_record(with(p, "db", "a", value), 1000, false);
	value[strlen(value) - 1] = 0;
	promcb_record(with(p, "db", "a", value), 1000, false);
	promcb_close(p);
	p = fixture_open(NULL);
	value[strlen(value)] = 'v';
	promcb_record(with(p, "db", "a", value), 1000, true);
	cr_assert_eq(fixture_summary(text).successful_calls, 2);
	cr_assert_eq(fixture_summary(text).failed_calls, 0);
	cr_assert_eq(fixture_info().components, 3);
	promcb_close(p);
}

/* A label that all series are to have, too. */
Test(labels, one_called_like_that_of_all_is_renamed)
{
	const struct promcb_label all = {"op", "x"};
	const struct promcb_render_options options = {.labels = &all, .label_count = 1};
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_snapshot *snapshot;

	promcb_record(with(p, "db", "op", "re\"ad"), 1000, true);
	snapshot = fixture_snapshot();
	cr_assert(strstr(render(snapshot, PROMCB_FORMAT_TEXT, &options),
			 "circuit_breaker_calls_total{op=\"x\",component=\"db\",exported_op=\"re\\\"ad\"} 1\n"));
	promcb_snapshot_free(snapshot);
	promcb_close(p);
}

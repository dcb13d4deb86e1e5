/* SPDX-License-Identifier: MIT */
/* Names of components' metrics that begin with a word of the caller's. */
#include "fixture.h"
#include "render/families.h"
#include "rendering.h"

#include <promcb/metric.h>

TestSuite(prefix, .init = fixture_begin, .fini = fixture_end);

static bool has(const struct collected *body, const char *text)
{
	return memmem(body->bytes, body->length, text, strlen(text)) != NULL;
}

static struct collected rendered(const struct promcb_snapshot *snapshot, enum promcb_format format, const char *prefix)
{
	const struct promcb_render_options options = {.prefix = prefix};
	struct collected to = {0};

	cr_assert_eq(promcb_render(snapshot, format, &options, collect, &to), 0);
	keep(to.bytes);
	return to;
}

/* With the longest prefix, too: what is rendered is what it was, but for the word. */
Test(prefix, is_all_that_differs)
{
	char longest[PROMCB_PREFIX_MAX + 1] = "";
	struct promcb_snapshot snapshot = make_golden();

	memset(longest, 'p', PROMCB_PREFIX_MAX);
	for (int format = PROMCB_FORMAT_TEXT; format <= PROMCB_FORMAT_OPENMETRICS;
	     format += PROMCB_FORMAT_OPENMETRICS) {
		struct collected is = rendered(&snapshot, (enum promcb_format)format, longest);
		struct collected standard = rendered(&snapshot, (enum promcb_format)format, NULL);
		char *back = keep(calloc(1, is.length + 1)), *to = back, *found;
		const char *from = is.bytes;

		cr_assert(!has(&is, "circuit_breaker"));
		while ((found = strstr(from, longest))) {
			to = mempcpy(to, from, (size_t)(found - from));
			to = stpcpy(to, "circuit_breaker");
			from = found + PROMCB_PREFIX_MAX;
		}
		strcpy(to, from);
		cr_assert_str_eq(back, standard.bytes);
	}
	struct collected protobuf = rendered(&snapshot, PROMCB_FORMAT_PROTOBUF, "payments");

	cr_assert(has(&protobuf, "payments_call_duration_seconds") && !has(&protobuf, "circuit_breaker"));
	drop_all();
}

Test(prefix, rules)
{
	static const char *const bad[] = {"", "a_", "0a", "__a", "promcb", "promcb_a", "a-b", "a:b", "\xc3\xa4"};
	char longer[PROMCB_PREFIX_MAX + 2] = "";
	struct collected to = {0};
	struct promcb_snapshot snapshot = make_snapshot(0);

	memset(longer, 'p', PROMCB_PREFIX_MAX + 1);
	for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		const struct promcb_render_options options = {.prefix = i ? bad[i - 1] : longer};

		cr_assert_eq(promcb_render(&snapshot, PROMCB_FORMAT_TEXT, &options, collect, &to), -EINVAL, "%zu", i);
	}
	cr_assert(promcb_prefix_is_good("circuit_breaker") && promcb_prefix_is_good("A0") &&
		  promcb_prefix_is_good("_a"));
	drop_all();
}

/* A family of the segment's own that is called like one of these is left out and counted; others stay. */
Test(prefix, families_of_the_same_name_are_told)
{
	static const struct {
		const char *name;
		enum promcb_metric_type type;
	} families[] = {{"payments_calls_total", PROMCB_COUNTER},
			{"payments_failure_rate", PROMCB_GAUGE},
			{"payments_call_duration_seconds", PROMCB_HISTOGRAM},
			{"payments_refunds_total", PROMCB_COUNTER}};
	static const enum promcb_format formats[] = {PROMCB_FORMAT_TEXT, PROMCB_FORMAT_OPENMETRICS,
						     PROMCB_FORMAT_PROTOBUF};
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_snapshot *snapshot;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		const struct promcb_family_spec spec = {.name = families[i].name,
							.help = "Ours.",
							.type = families[i].type,
							.scope = families[i].type == PROMCB_GAUGE ? PROMCB_SCOPE_SEGMENT
												  : PROMCB_SCOPE_SUM};
		struct promcb_metric_family *family;

		cr_assert_eq(promcb_family_register(p, &spec, &family), 0);
		if (families[i].type == PROMCB_COUNTER)
			promcb_counter_add_with(family, NULL, 777);
		else if (families[i].type == PROMCB_GAUGE)
			promcb_gauge_set_with(family, NULL, 777);
		else
			promcb_histogram_observe_with(family, NULL, 777);
	}
	promcb_record(fixture_component(p, "a"), 1000, true);
	snapshot = fixture_snapshot();
	struct collected text = rendered(snapshot, PROMCB_FORMAT_TEXT, "payments");

	cr_assert(has(&text, "\npayments_calls_total{component=\"a\"} 1\n"));
	cr_assert(has(&text, "\npayments_refunds_total 777\n"));
	cr_assert(!has(&text, "payments_calls_total 777") && !has(&text, "payments_failure_rate 777"));
	cr_assert(has(&text, "\npromcb_families_conflicting 3\n"));
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct collected body = rendered(snapshot, formats[i], "payments"), ours;
		const char *help = "Ours.";
		const char *first = memmem(body.bytes, body.length, help, strlen(help));

		cr_assert_not_null(first);
		ours = (struct collected){.bytes = (char *)(uintptr_t)first + 1,
					  .length = body.length - (size_t)(first + 1 - body.bytes)};
		cr_assert(!has(&ours, help), "one family is left, in each format");
	}
	text = rendered(snapshot, PROMCB_FORMAT_TEXT, NULL);
	cr_assert(has(&text, "payments_calls_total 777") && has(&text, "\npromcb_families_conflicting 0\n"));
	/* In JSON components have no such names. */
	text = rendered(snapshot, PROMCB_FORMAT_METRICS, "payments");
	cr_assert(has(&text, "\"payments_calls_total\""));
	promcb_snapshot_free(snapshot);
	promcb_close(p);
	drop_all();
}

/* SPDX-License-Identifier: MIT */
/* Families that the segment has, taken as they are by who did not declare them. */
#include "fixture.h"

#include "record/family.h"
#include "record/open.h"

#include <promcb/metric.h>

TestSuite(find, .init = fixture_begin, .fini = fixture_end);

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct promcb_session *p;
static struct promcb_metric_family *family;
static struct promcb_family_spec *spec;

static void declare(const struct promcb_family_spec *declared)
{
	struct promcb_metric_family *made;

	cr_assert_eq(promcb_family_register(p, declared, &made), 0);
}

static int find(const char *name, const char *const *labels)
{
	return promcb_family_find(p, name, labels, &family, &spec);
}

/* What is found is what was declared: registered by the found declaration, it is the same family. */
static void is_same(const char *name, const char *const *labels)
{
	struct promcb_metric_family *again;

	cr_assert_eq(find(name, labels), 0, "%s", name);
	cr_assert_str_eq(spec->name, name);
	cr_assert_eq(promcb_family_register(p, spec, &again), 0, "%s", name);
	cr_assert_eq(again, family, "%s", name);
	free(spec);
}

Test(find, what_was_declared_is_found)
{
	const double bounds[] = {0.1, 0.5, 2};

	p = fixture_open(NULL);
	declare(&(struct promcb_family_spec){.name = "jobs_total",
					     .type = PROMCB_COUNTER,
					     .help = "Jobs.",
					     .labels = NAMES("queue", "host"),
					     .series_max = 7});
	declare(&(struct promcb_family_spec){.name = "jobs_total", .type = PROMCB_COUNTER});
	declare(&(struct promcb_family_spec){.name = "faults_total",
					     .type = PROMCB_COUNTER,
					     .labels = NAMES("host"),
					     .enumerated = NAMES("", "timeout", "refused"),
					     .enumerated_label = "kind"});
	declare(&(struct promcb_family_spec){
		.name = "worked_seconds_total", .type = PROMCB_COUNTER, .unit = "seconds", .decimals = 9});
	declare(&(struct promcb_family_spec){.name = "paid_total", .type = PROMCB_COUNTER, .flags = PROMCB_DOUBLES});
	declare(&(struct promcb_family_spec){.name = "queued", .type = PROMCB_LEVEL, .decimals = 2});
	declare(&(struct promcb_family_spec){.name = "open_files", .type = PROMCB_GAUGE, .scope = PROMCB_SCOPE_MAX});
	declare(&(struct promcb_family_spec){
		.name = "app_build_info", .type = PROMCB_INFO, .labels = NAMES("version")});
	declare(&(struct promcb_family_spec){.name = "took_seconds",
					     .type = PROMCB_HISTOGRAM,
					     .decimals = 9,
					     .unit = "seconds",
					     .buckets_per_octave = 4,
					     .smallest = 0.001,
					     .largest = 60});
	declare(&(struct promcb_family_spec){.name = "waited",
					     .type = PROMCB_HISTOGRAM,
					     .flags = PROMCB_DOUBLES,
					     .bounds = bounds,
					     .bound_count = 3});
	is_same("jobs_total", NAMES("queue", "host"));
	is_same("jobs_total", NAMES("host", "queue"));
	is_same("jobs_total", (const char *const[]){NULL});
	is_same("faults_total", NAMES("kind", "host"));
	is_same("worked_seconds_total", NULL);
	is_same("paid_total", NULL);
	is_same("queued", NULL);
	is_same("open_files", NULL);
	is_same("app_build_info", NULL);
	is_same("took_seconds", NULL);
	is_same("waited", NULL);

	cr_assert_eq(find("jobs_total", NAMES("queue", "host")), 0);
	cr_assert_str_eq(spec->help, "Jobs.");
	cr_assert_eq(spec->series_max, 7);
	cr_assert_str_eq(spec->labels[1], "host");
	cr_assert_null(spec->labels[2]);
	free(spec);
	cr_assert_eq(find("faults_total", NULL), 0);
	cr_assert_str_eq(spec->enumerated_label, "kind");
	cr_assert_str_eq(spec->enumerated[2], "refused");
	cr_assert_null(spec->enumerated[3]);
	free(spec);
}

Test(find, what_is_not_there_is_not_made)
{
	struct promcb_counter *counter;

	p = fixture_open(NULL);
	cr_assert_eq(find("jobs_total", NULL), -ENOENT);
	declare(&(struct promcb_family_spec){.name = "jobs_total", .type = PROMCB_COUNTER, .labels = NAMES("queue")});
	cr_assert_eq(find("jobs_total", NAMES("host")), -ENOENT);
	cr_assert_eq(find("jobs_total", NAMES("queue", "host")), -ENOENT);
	/* One name in OpenMetrics, and yet another family. */
	cr_assert_eq(find("jobs", NULL), -ENOENT);
	cr_assert_null(spec);
	/* A handle that does nothing. */
	cr_assert_eq(promcb_counter_with(family, NULL, &counter), -EINVAL);
	promcb_counter_add(counter, 1);
	cr_assert_eq(promcb_family_find(NULL, "jobs_total", NULL, &family, NULL), -EINVAL);
	cr_assert_eq(promcb_family_find(p, NULL, NULL, &family, NULL), -EINVAL);
}

/* What a record says is judged as a caller's declaration is. */
Test(find, a_record_against_the_rules_is_refused)
{
	struct promcb_family_record *record;
	uint32_t place = 0;

	p = fixture_open(NULL);
	declare(&(struct promcb_family_spec){.name = "jobs_total", .type = PROMCB_COUNTER, .labels = NAMES("queue")});
	for (uint32_t i = 1; i < 4096 && !place; i++)
		place = promcb_segment_piece(p->segment, i, PROMCB_PIECE_FAMILY, 0) ? i : 0;
	record = promcb_segment_piece(p->segment, place, PROMCB_PIECE_FAMILY, 0);
	cr_assert_not_null(record);
	record->type = 77;
	cr_assert_eq(find("jobs_total", NULL), -EBADMSG);
	record->type = PROMCB_COUNTER;
	record->decimals = 200;
	cr_assert_eq(find("jobs_total", NULL), -EBADMSG);
	record->decimals = 0;
	record->bounds = UINT32_MAX;
	cr_assert_eq(find("jobs_total", NULL), -ENOENT);
	record->bounds = 0;
	cr_assert_eq(find("jobs_total", NULL), 0);
	free(spec);
}

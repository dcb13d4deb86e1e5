/* SPDX-License-Identifier: MIT */
/* handles: a process that has had all the handles there are goes on, in no more memory than it has. */
#include "cells.h"
#include "fixture.h"

#include "record/known.h"

#include <promcb/breaker.h>
#include <promcb/metric_inline.h>

TestSuite(handles, .init = fixture_begin, .fini = fixture_end);

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

enum { STRANGERS = 500 };

static struct promcb_session *p;

static struct promcb_family_spec spec_of(const char *name)
{
	static const char *const labels[] = {"who", NULL};

	return (struct promcb_family_spec){.name = name, .type = PROMCB_COUNTER, .labels = labels};
}

/* Pages that the process has mapped. */
static unsigned long mapped_pages(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	cr_assert_not_null(file);
	cr_assert_eq(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	return pages;
}

/* Names that get no handle were kept all the same, and had a series in the segment that nobody could count in. */
Test(handles, series_beyond_the_last)
{
	struct promcb_counter *first, *found;
	struct promcb_metric_family *family;
	uint64_t series;
	size_t left;
	char name[32];

	p = fixture_open(NULL);
	family = fixture_family(p, spec_of("sent_total"));
	cr_assert_eq(promcb_counter_with(family, VALUES("first"), &first), 0);
	promcb_series_handles_used = PROMCB_SERIES_HANDLES_MAX;
	left = family->series.arena_left;
	series = promcb_load_relaxed(&((struct promcb_family_record *)promcb_segment_piece(
					       p->segment, family->at.component, PROMCB_PIECE_FAMILY, 0))
					      ->series);
	for (unsigned i = 0; i < STRANGERS; i++) {
		snprintf(name, sizeof(name), "stranger %u", i);
		cr_assert_eq(promcb_counter_add_with(family, VALUES(name), 1), -EMFILE);
	}
	cr_assert_eq(family->series.arena_left, left);
	cr_assert_eq(promcb_load_relaxed(&((struct promcb_family_record *)promcb_segment_piece(
						   p->segment, family->at.component, PROMCB_PIECE_FAMILY, 0))
						  ->series),
		     series);
	cr_assert_eq(cells_total(family->overflow, 0), STRANGERS);
	cr_assert_eq(promcb_counter_with(family, VALUES("first"), &found), 0);
	cr_assert_eq(found, first);
}

static void declare_one_more(void)
{
	struct promcb_metric_family *family;
	struct promcb_family_spec spec = spec_of("received_total");

	cr_assert_eq(promcb_family_register(p, &spec, &family), -EMFILE);
}

/* A first error of a component declares its family, each time where it cannot. */
Test(handles, families_beyond_the_last)
{
	struct promcb_component *component;
	struct promcb_breaker *breaker;
	unsigned long before;

	p = fixture_open(NULL);
	component = fixture_component(p, "db");
	promcb_series_handles_used = PROMCB_SERIES_HANDLES_MAX;
	declare_one_more();
	promcb_count_error(component, PROMCB_ERROR_TIMEOUT);
	cr_assert_eq(promcb_breaker(component, NULL, &breaker), -EMFILE);
	before = mapped_pages();
	for (unsigned i = 0; i < STRANGERS; i++) {
		declare_one_more();
		promcb_count_error(component, PROMCB_ERROR_TIMEOUT);
	}
	cr_assert_leq(mapped_pages(), before + 256);
}

/* Errors of a component that gets no handle are counted where all that have none are. */
Test(handles, errors_beyond_the_last)
{
	struct promcb_component *one, *other;
	struct promcb_metric_family *family;

	p = fixture_open(NULL);
	one = fixture_component(p, "one");
	other = fixture_component(p, "other");
	promcb_count_error(one, PROMCB_ERROR_TIMEOUT);
	family = promcb_series_handles[promcb_series_handles_used - 1].family;
	promcb_series_handles_used = PROMCB_SERIES_HANDLES_MAX;
	for (unsigned i = 0; i < 3; i++)
		promcb_count_error(other, PROMCB_ERROR_TIMEOUT);
	cr_assert_eq(cells_total(family->overflow, PROMCB_ERROR_TIMEOUT), 3);
}

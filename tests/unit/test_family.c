/* SPDX-License-Identifier: MIT */
/* Families and series in a segment: the rules of names, conflicts, caps, cells that nobody else has. */
#include "fixture.h"

#include "record/family.h"
#include "record/open.h"

#include <math.h>

TestSuite(family, .init = fixture_begin, .fini = fixture_end);

static struct promcb_session *p;
static struct promcb_lane_lease lease;
static struct promcb_message message;

#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define COUNTER(...) (&(struct promcb_family_spec){.type = PROMCB_COUNTER, __VA_ARGS__})
#define SPEC(...) (&(struct promcb_family_spec){__VA_ARGS__})
#define SAYS(part) cr_assert(strstr(message.text, part), "\"%s\" does not say \"%s\"", message.text, part)

static void begin(const struct promcb_options *options)
{
	p = fixture_open(options);
	cr_assert_eq(promcb_lane_take(p->segment, &lease), 0);
}

static int make(const struct promcb_family_spec *spec)
{
	static union promcb_family_image image;

	message.text[0] = 0;
	return promcb_family_make(spec, &image, &message);
}

static int add_family(const struct promcb_family_spec *spec, uint32_t *place)
{
	static union promcb_family_image image;

	message.text[0] = 0;
	cr_assert_eq(promcb_family_make(spec, &image, &message), 0, "%s", message.text);
	return promcb_family_find_or_add(p->segment, &lease, &image, place, &message);
}

static int add_series(uint32_t family, const char *a, const char *b, struct promcb_series_found *found)
{
	const char *values[] = {a, b};
	const size_t lengths[] = {a ? strlen(a) : 0, b ? strlen(b) : 0};

	return promcb_series_find_or_add(p->segment, &lease, family, values, lengths, b ? 2 : 1, found);
}

static struct promcb_family_record *record_of(uint32_t place)
{
	return promcb_segment_piece(p->segment, place, PROMCB_PIECE_FAMILY, 0);
}

#define REFUSED(part, ...)                                \
	do {                                              \
		cr_assert_eq(make(__VA_ARGS__), -EINVAL); \
		SAYS(part);                               \
	} while (0)

Test(family, rules_of_names)
{
	static const char *const labels[] = {"le",       "quantile", "segment", "component", "job",
					     "instance", "__a",      "9",       "a-b"};

	REFUSED("is none", COUNTER(.name = NULL));
	REFUSED("is none", COUNTER(.name = ""));
	REFUSED("is none", COUNTER(.name = "a:b_total"));
	REFUSED("is none", COUNTER(.name = "9_total"));
	REFUSED("is none", COUNTER(.name = "__a_total"));
	REFUSED("end in \"_total\"", COUNTER(.name = "a"));
	REFUSED("only that of a counter", SPEC(.name = "a_total", .type = PROMCB_GAUGE));
	REFUSED("only that of an info", SPEC(.name = "a_info", .type = PROMCB_GAUGE));
	REFUSED("does not end in \"_info\"", SPEC(.name = "a", .type = PROMCB_INFO));
	REFUSED("_sum", SPEC(.name = "a_sum", .type = PROMCB_HISTOGRAM));
	REFUSED("_bucket", COUNTER(.name = "a_bucket_total"));
	REFUSED("_total", COUNTER(.name = "a_total_total"));
	REFUSED("ends in", COUNTER(.name = "_total"));
	REFUSED("promcb's own", COUNTER(.name = "promcb_a_total"));
	REFUSED("promcb's own", COUNTER(.name = "circuit_breaker_calls_total"));
	REFUSED("promcb's own", COUNTER(.name = "log_entries_total"));
	REFUSED("last word", COUNTER(.name = "a_total", .unit = "bytes"));
	REFUSED("last word", SPEC(.name = "kilobytes", .unit = "bytes", .type = PROMCB_GAUGE));
	REFUSED("infos have none", SPEC(.name = "a_seconds_info", .unit = "seconds", .type = PROMCB_INFO));
	REFUSED("twice", COUNTER(.name = "a_total", .labels = LABELS("a", "b", "a")));
	REFUSED("twice",
		COUNTER(.name = "a_total", .labels = LABELS("a"), .enumerated = LABELS("x"), .enumerated_label = "a"));
	REFUSED("more than 16", COUNTER(.name = "a_total", .labels = LABELS("a", "b", "c", "d", "e", "f", "g", "h", "i",
									    "j", "k", "l", "m", "n", "o", "p", "q")));
	REFUSED("more than 16", COUNTER(.name = "a_total", .enumerated = LABELS("x"), .enumerated_label = "q",
					.labels = LABELS("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",
							 "m", "n", "o", "p")));
	REFUSED("is no word", COUNTER(.name = "a_total", .unit = "m/s"));
	REFUSED("help of a_total is not UTF-8", COUNTER(.name = "a_total", .help = "\xff"));
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		REFUSED(labels[i], COUNTER(.name = "a_total", .labels = LABELS(labels[i])));
	cr_assert_eq(make(COUNTER(.name = "a_bytes_total", .unit = "bytes", .labels = LABELS("a", "_b9"))), 0);
	cr_assert_eq(make(SPEC(.name = "app_build_info", .type = PROMCB_INFO, .labels = LABELS("version"))), 0);
}

Test(family, rules_of_numbers)
{
	static const double bounds[] = {0.1, 1, 10}, turned[] = {1, 0.1}, infinite[] = {1, INFINITY};

	REFUSED("type 0", SPEC(.name = "a"));
	REFUSED("type 6", SPEC(.name = "a", .type = 6));
	REFUSED("scope", COUNTER(.name = "a_total", .scope = PROMCB_SCOPE_MAX));
	REFUSED("scope 4", SPEC(.name = "a", .type = PROMCB_GAUGE, .scope = 4));
	REFUSED("flags", COUNTER(.name = "a_total", .flags = 2));
	REFUSED("PROMCB_DOUBLES", SPEC(.name = "a", .type = PROMCB_LEVEL, .flags = PROMCB_DOUBLES));
	REFUSED("decimals", COUNTER(.name = "a_total", .decimals = 10));
	REFUSED("decimals", COUNTER(.name = "a_total", .decimals = 1, .flags = PROMCB_DOUBLES));
	REFUSED("decimals", SPEC(.name = "a", .type = PROMCB_GAUGE, .decimals = 1));
	REFUSED("decimals", SPEC(.name = "a", .type = PROMCB_HISTOGRAM, .decimals = 2));
	REFUSED("no room", COUNTER(.name = "a_total", .series_max = 1000000));
	REFUSED("only histograms", COUNTER(.name = "a_total", .buckets_per_octave = 8));
	REFUSED("per octave", SPEC(.name = "a", .type = PROMCB_HISTOGRAM, .buckets_per_octave = 3));
	REFUSED("per octave", SPEC(.name = "a", .type = PROMCB_HISTOGRAM, .buckets_per_octave = 64));
	REFUSED("at most 510", SPEC(.name = "a", .type = PROMCB_HISTOGRAM, .buckets_per_octave = 32));
	REFUSED("greater than 0", SPEC(.name = "a", .type = PROMCB_HISTOGRAM, .smallest = -1));
	REFUSED("bound 2", SPEC(.name = "a", .type = PROMCB_HISTOGRAM, .bounds = turned, .bound_count = 2));
	REFUSED("bound 2", SPEC(.name = "a", .type = PROMCB_HISTOGRAM, .bounds = infinite, .bound_count = 2));
	REFUSED("0 bounds", SPEC(.name = "a", .type = PROMCB_HISTOGRAM, .bounds = bounds));
	REFUSED("differ",
		SPEC(.name = "a", .type = PROMCB_HISTOGRAM, .bounds = bounds, .bound_count = 3, .largest = 2));
	REFUSED("a number of bounds, and no bounds", SPEC(.name = "a", .type = PROMCB_HISTOGRAM, .bound_count = 2));
	REFUSED("zero the struct", COUNTER(.name = "a_total", .reserved = {[3] = 1}));
	REFUSED("without values", COUNTER(.name = "a_total", .enumerated_label = "kind"));
	REFUSED("without values", COUNTER(.name = "a_total", .enumerated_label = "kind", .enumerated = LABELS(NULL)));
	REFUSED("only counters",
		SPEC(.name = "a", .type = PROMCB_GAUGE, .enumerated_label = "kind", .enumerated = LABELS("x")));
	REFUSED("value \"x\" twice",
		COUNTER(.name = "a_total", .enumerated_label = "kind", .enumerated = LABELS("x", "x")));
	REFUSED("UTF-8", COUNTER(.name = "a_total", .enumerated_label = "kind", .enumerated = LABELS("x", "\xff")));
	cr_assert_eq(make(SPEC(.name = "a", .type = PROMCB_HISTOGRAM, .bounds = bounds, .bound_count = 3)), 0);
}

Test(family, found_again)
{
	uint32_t place, again;

	begin(NULL);
	cr_assert_eq(add_family(COUNTER(.name = "a_total", .labels = LABELS("x")), &place), 0);
	cr_assert_eq(add_family(COUNTER(.name = "a_total", .labels = LABELS("x"), .help = "Another."), &again), 0);
	cr_assert_eq(again, place);
	cr_assert_eq(add_family(COUNTER(.name = "a_total", .labels = LABELS("x", "y")), &again), 0);
	cr_assert_neq(again, place, "other labels are another family");
	cr_assert_eq(add_family(COUNTER(.name = "b_total", .labels = LABELS("x")), &again), 0);
	cr_assert_neq(again, place);
	/* Without a lane, by the registrar's. */
	cr_assert(promcb_lane_give(&lease));
	lease = (struct promcb_lane_lease){.segment = NULL};
	cr_assert_eq(add_family(COUNTER(.name = "c_total", .labels = LABELS("x")), &again), 0);
	cr_assert_eq(add_family(COUNTER(.name = "a_total", .labels = LABELS("x")), &again), 0);
	cr_assert_eq(again, place);
}

Test(family, conflicts_name_both)
{
	uint32_t place;

	begin(NULL);
	cr_assert_eq(add_family(COUNTER(.name = "a_bytes_total", .unit = "bytes", .labels = LABELS("x", "y")), &place),
		     0);
	cr_assert_eq(add_family(SPEC(.name = "a_bytes", .type = PROMCB_GAUGE), &place), -EEXIST);
	SAYS("has the counter a_bytes_total in bytes, labels x, y, and not the gauge a_bytes");
	cr_assert_eq(place, 0);
	cr_assert_eq(add_family(SPEC(.name = "a_bytes_info", .type = PROMCB_INFO), &place), -EEXIST);
	cr_assert_eq(add_family(COUNTER(.name = "a_bytes_total", .labels = LABELS("x", "y")), &place), -EEXIST);
	cr_assert_eq(add_family(COUNTER(.name = "a_bytes_total", .unit = "bytes", .labels = LABELS("y", "x")), &place),
		     -EEXIST);
	SAYS("labels y, x");
	cr_assert_eq(add_family(COUNTER(.name = "a_bytes_total", .unit = "bytes", .decimals = 3), &place), -EEXIST);
	SAYS("3 decimals");
	cr_assert_eq(add_family(COUNTER(.name = "a_bytes_total", .unit = "bytes", .labels = LABELS("x"),
					.enumerated_label = "y", .enumerated = LABELS("1", "2")),
				&place),
		     -EEXIST);
	SAYS("(2 values)");
	cr_assert_eq(promcb_segment_header(p->segment)->families_rejected, 6);
	cr_assert_eq(add_family(SPEC(.name = "h", .type = PROMCB_HISTOGRAM), &place), 0);
	cr_assert_eq(add_family(SPEC(.name = "h", .type = PROMCB_HISTOGRAM, .largest = 1024), &place), -EEXIST);
	SAYS("from 1 to 1024");
}

Test(family, cap_is_exact)
{
	struct promcb_series_found found, first;
	uint32_t place;
	char value[16];

	begin(NULL);
	cr_assert_eq(add_family(COUNTER(.name = "a_total", .labels = LABELS("x"), .series_max = 100), &place), 0);
	cr_assert_eq(add_series(place, "first", NULL, &first), 0);
	for (unsigned i = 1; i < 100; i++) {
		snprintf(value, sizeof(value), "%u", i);
		cr_assert_eq(add_series(place, value, NULL, &found), 0);
		cr_assert_not(found.is_overflow);
	}
	for (unsigned i = 100; i < 110; i++) {
		snprintf(value, sizeof(value), "%u", i);
		cr_assert_eq(add_series(place, value, NULL, &found), -ENOSPC);
		cr_assert(found.is_overflow);
	}
	cr_assert_eq(record_of(place)->series, 100);
	cr_assert_eq(record_of(place)->refused, 10);
	cr_assert_eq(found.place, record_of(place)->overflow);
	cr_assert_eq(add_series(place, "first", NULL, &found), 0);
	cr_assert_eq(found.place, first.place);
	cr_assert_eq(found.cell, first.cell);
	cr_assert_eq(add_series(place, PROMCB_OVERFLOW_VALUE, NULL, &found), 0);
	cr_assert(found.is_overflow);
	/* Label values against the rules. */
	cr_assert_eq(add_series(place, "\xff", NULL, &found), -EINVAL);
	cr_assert(found.is_overflow);
	cr_assert_eq(promcb_segment_header(p->segment)->series_rejected, 11);
}

/* 20,000 counters, and histograms and enumerated ones between: each has cells of its own, none is a row's head. */
Test(family, cells_of_ones_own)
{
	static uint8_t taken[PROMCB_STRETCHES * PROMCB_STRETCH_CELLS];
	uint32_t counters, histograms, kinds, flat;
	struct promcb_series_found found, again;
	char value[16];

	begin(&(struct promcb_options){.max_bytes = 256 << 20});
	cr_assert_eq(add_family(COUNTER(.name = "a_total", .labels = LABELS("x", "y"), .series_max = 20000), &counters),
		     0);
	cr_assert_eq(add_family(SPEC(.name = "h_seconds", .unit = "seconds", .type = PROMCB_HISTOGRAM, .decimals = 9,
				     .labels = LABELS("x", "y")),
				&histograms),
		     0);
	cr_assert_eq(add_family(COUNTER(.name = "k_total", .labels = LABELS("x", "y"), .enumerated_label = "kind",
					.enumerated = LABELS("a", "b", "c", "d", "e")),
				&kinds),
		     0);
	cr_assert_eq(add_family(COUNTER(.name = "flat_total"), &flat), 0);
	cr_assert_eq(promcb_series_find_or_add(p->segment, &lease, flat, NULL, NULL, 0, &found), 0);
	cr_assert_eq(record_of(flat)->overflow, 0);
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t family = i % 100 == 7 ? histograms : i % 50 == 3 ? kinds : counters;

		snprintf(value, sizeof(value), "%u", i);
		cr_assert_eq(add_series(family, value, "b", &found), 0, "series %u", i);
		for (uint32_t cell = found.cell; cell < found.cell + found.width; cell++) {
			cr_assert_eq(taken[cell]++, 0, "cell %u has two series", cell);
			cr_assert(found.width >= PROMCB_ROW_WORDS || cell % PROMCB_ROW_WORDS != 0);
		}
		cr_assert_eq(add_series(family, value, "b", &again), 0);
		cr_assert_eq(again.place, found.place);
		/* Another owner goes on. */
		if (i % 1000 == 999) {
			cr_assert(promcb_lane_give(&lease));
			cr_assert_eq(promcb_lane_take(p->segment, &lease), 0);
		}
	}
	/* The same bytes, divided otherwise. */
	cr_assert_eq(add_series(counters, "ab", "c", &found), 0);
	cr_assert_eq(add_series(counters, "a", "bc", &again), 0);
	cr_assert_neq(found.place, again.place);
}

Test(family, a_full_segment)
{
	struct promcb_series_found found;
	uint32_t place, added = 0;
	char value[16];

	begin(&(struct promcb_options){.max_bytes = 2 << 20, .components = 16, .lanes = 2});
	cr_assert_eq(add_family(COUNTER(.name = "a_total", .labels = LABELS("x"), .series_max = 500000), &place), 0);
	do
		snprintf(value, sizeof(value), "%u", added++);
	while (add_series(place, value, NULL, &found) == 0);
	cr_assert(found.is_overflow);
	cr_assert_gt(added, 5000);
	cr_assert_eq(record_of(place)->series, added - 1);
	cr_assert_eq(promcb_segment_header(p->segment)->series_rejected, 1);
}

/* The table has room for as many, whichever they are. */
Test(family, a_hundred_thousand)
{
	struct promcb_series_found found;
	uint32_t place;
	char value[16];

	begin(&(struct promcb_options){.max_bytes = 128 << 20});
	cr_assert_eq(add_family(COUNTER(.name = "a_total", .labels = LABELS("x"), .series_max = 100000), &place), 0);
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(value, sizeof(value), "%u", i);
		cr_assert_eq(add_series(place, value, NULL, &found), 0, "series %u", i);
		cr_assert_not(found.is_overflow);
	}
	cr_assert_eq(record_of(place)->series, 100000);
}

/* SPDX-License-Identifier: MIT */
/* Series that are removed, by the public interface: a reader finds what was counted since. */
#include "reading.h"

#include "model/snapshot.h"
#include "record/known.h"

#include <promcb/metric_inline.h>

#include <pthread.h>
#include <sys/wait.h>

TestSuite(remove, .init = fixture_begin, .fini = fixture_end);

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ABSENT (-1.0)

enum { CAP = 3 };

static struct promcb_session *p;

static struct promcb_metric_family *labelled(enum promcb_metric_type type, const char *name, uint32_t flags)
{
	return fixture_family(
		p, (struct promcb_family_spec){
			   .name = name, .type = type, .labels = VALUES("who"), .flags = flags, .series_max = CAP});
}

static struct promcb_counter *counter_of(struct promcb_metric_family *family, const char *value)
{
	struct promcb_counter *counter;

	cr_assert_eq(promcb_counter_with(family, VALUES(value), &counter), 0);
	return counter;
}

static int remove_series(struct promcb_metric_family *family, const char *value)
{
	return promcb_series_remove(family, VALUES(value), NULL, 0);
}

/* A cell of a series as both ways of reading find it; ABSENT: it is not listed. */
static double number_of(const char *name, const char *value, uint32_t index, uint64_t *start_ns)
{
	static const enum promcb_access ways[] = {PROMCB_ACCESS_COPY, PROMCB_ACCESS_MAPPED};
	double numbers[2] = {ABSENT, ABSENT};

	for (unsigned way = 0; way < 2; way++) {
		struct promcb_reader *reader = open_reader(ways[way]);
		struct promcb_snapshot *snapshot = take(reader, false);
		const struct promcb_metrics *metrics = snapshot->metrics;

		for (size_t i = 0; metrics && i < metrics->series_count; i++) {
			const struct promcb_snapshot_series *series = &metrics->series[i];
			const struct promcb_snapshot_family *family = &metrics->families[series->family];

			if (strcmp(family->name, name) != 0 || strcmp(series->values, value) != 0)
				continue;
			numbers[way] = family->type == PROMCB_HISTOGRAM && index < family->buckets
					       ? (double)metrics->cells[series->cell + index]
					       : promcb_metrics_number(family, metrics->cells[series->cell + index]);
			if (start_ns)
				*start_ns = series->created_ns;
		}
		promcb_snapshot_free(snapshot);
		cr_assert_eq(promcb_reader_check(reader, NULL, NULL), 0);
		promcb_reader_close(reader);
	}
	cr_assert_eq(numbers[0], numbers[1]);
	return numbers[0];
}

static double value_of(const char *name, const char *value)
{
	return number_of(name, value, 0, NULL);
}

Test(remove, counter_begins_anew)
{
	uint64_t first_ns, second_ns, third_ns;

	p = fixture_open(NULL);
	struct promcb_metric_family *family = labelled(PROMCB_COUNTER, "sent_total", 0);
	struct promcb_counter *a = counter_of(family, "a"), *b = counter_of(family, "b");

	promcb_counter_add(a, 5);
	promcb_counter_add(b, 7);
	cr_assert_eq(number_of("sent_total", "a", 0, &first_ns), 5);
	cr_assert_eq(remove_series(family, "a"), 0);
	cr_assert_eq(value_of("sent_total", "a"), ABSENT);
	cr_assert_eq(value_of("sent_total", "b"), 7);
	cr_assert_eq(remove_series(family, "a"), -ENOENT, "it is not there");
	promcb_counter_add_inline(a, 3);
	cr_assert_eq(number_of("sent_total", "a", 0, &second_ns), 3);
	cr_assert_gt(second_ns, first_ns);
	/* The other baseline, and again the first. */
	cr_assert_eq(remove_series(family, "a"), 0);
	cr_assert_eq(value_of("sent_total", "a"), ABSENT);
	cr_assert_eq(promcb_counter_add_with(family, VALUES("a"), 2), 0);
	cr_assert_eq(number_of("sent_total", "a", 0, &third_ns), 2);
	cr_assert_gt(third_ns, second_ns);
	cr_assert_eq(remove_series(family, "a"), 0);
	cr_assert_eq(value_of("sent_total", "a"), ABSENT);
	cr_assert_eq(value_of("sent_total", "b"), 7);
	cr_assert_eq(remove_series(family, "c"), -ENOENT);
	cr_assert_eq(promcb_series_remove(NULL, VALUES("a"), NULL, 0), -EINVAL);
	cr_assert_eq(promcb_series_remove(family, VALUES("a", "b"), NULL, 0), -EINVAL);
	cr_assert_eq(promcb_series_remove(family, VALUES("b?"), (const size_t[]){1}, 1), 0);
	cr_assert_eq(value_of("sent_total", "b"), ABSENT);
}

/* Who asks for the handle of a series means to have it listed, as a new one is, with 0. */
Test(remove, series_that_is_asked_for)
{
	p = fixture_open(NULL);
	struct promcb_metric_family *family = labelled(PROMCB_COUNTER, "sent_total", 0);
	struct promcb_counter *a = counter_of(family, "a");

	promcb_counter_add(a, 5);
	cr_assert_eq(remove_series(family, "a"), 0);
	cr_assert_eq(counter_of(family, "a"), a);
	cr_assert_eq(value_of("sent_total", "a"), 0);
	cr_assert_eq(remove_series(family, "a"), 0, "it was there");
	cr_assert_eq(value_of("sent_total", "a"), ABSENT);
	/* In a process that has nothing to do with it. */
	pid_t child = fork();

	if (child == 0)
		_exit(promcb_counter_with(family, VALUES("a"), &a) != 0);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_eq(value_of("sent_total", "a"), 0);
}

static uint64_t places(struct promcb_counter *counter)
{
	struct promcb_series_handle *series = promcb_series_handle_of(counter);
	const struct promcb_family_record *record =
		promcb_segment_piece(p->segment, series->family->at.component, PROMCB_PIECE_FAMILY, 0);

	return record->series;
}

Test(remove, places_below_the_cap_come_back)
{
	struct promcb_counter *counter;
	char name[16];

	p = fixture_open(NULL);
	struct promcb_metric_family *family = labelled(PROMCB_COUNTER, "sent_total", 0);

	counter = counter_of(family, "kept");
	promcb_counter_add(counter, 1);
	for (unsigned round = 0; round < 40; round++) {
		for (unsigned i = 0; i < CAP - 1; i++) {
			snprintf(name, sizeof(name), "scan %u", round * CAP + i);
			cr_assert_eq(promcb_counter_add_with(family, VALUES(name), 1), 0, "%s", name);
		}
		cr_assert_eq(promcb_counter_add_with(family, VALUES("too many"), 1), -ENOSPC);
		cr_assert_eq(places(counter), CAP);
		for (unsigned i = 0; i < CAP - 1; i++) {
			snprintf(name, sizeof(name), "scan %u", round * CAP + i);
			cr_assert_eq(remove_series(family, name), 0);
		}
		cr_assert_eq(places(counter), 1);
	}
	cr_assert_eq(value_of("sent_total", "_overflow"), 40);
	/* The cap is for those that come back, as well. */
	counter_of(family, "scan 0");
	counter_of(family, "scan 1");
	cr_assert_eq(promcb_counter_with(family, VALUES("scan 3"), &counter), -ENOSPC);
	promcb_counter_add(counter, 1);
	cr_assert_eq(value_of("sent_total", "_overflow"), 41);
	cr_assert_eq(value_of("sent_total", "scan 3"), ABSENT);
	/* But a handle from before loses nothing. */
	cr_assert_eq(promcb_counter_add_with(family, VALUES("scan 3"), 2), 0);
	cr_assert_eq(value_of("sent_total", "scan 3"), 2);
}

Test(remove, clear_of_a_family)
{
	p = fixture_open(NULL);
	struct promcb_metric_family *family = labelled(PROMCB_COUNTER, "sent_total", 0);
	struct promcb_metric_family *other = labelled(PROMCB_COUNTER, "kept_total", 0);

	promcb_counter_add(counter_of(other, "a"), 1);
	for (unsigned i = 0; i < CAP; i++)
		promcb_counter_add(counter_of(family, (const char *const[]){"a", "b", "c"}[i]), i + 1);
	cr_assert_eq(promcb_counter_add_with(family, VALUES("d"), 9), -ENOSPC);
	cr_assert_eq(value_of("sent_total", "_overflow"), 9);
	cr_assert_eq(promcb_family_clear(family), 0);
	cr_assert_eq(places(counter_of(other, "a")), 1);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(value_of("sent_total", (const char *const[]){"a", "b", "c", "_overflow"}[i]), ABSENT);
	cr_assert_eq(value_of("kept_total", "a"), 1);
	cr_assert_eq(promcb_family_clear(family), 0);
	cr_assert_eq(promcb_counter_add_with(family, VALUES("d"), 4), 0);
	cr_assert_eq(value_of("sent_total", "d"), 4);
	cr_assert_eq(promcb_family_clear(NULL), -EINVAL);
}

static void *add_elsewhere(void *context)
{
	promcb_counter_add_double(context, 0.1);
	return NULL;
}

Test(remove, doubles_levels_and_histograms)
{
	struct promcb_histogram *histogram, *real_histogram;
	struct promcb_level *level;
	pthread_t thread;

	p = fixture_open(NULL);
	struct promcb_metric_family *reals = labelled(PROMCB_COUNTER, "joules_total", PROMCB_DOUBLES);
	struct promcb_metric_family *levels = labelled(PROMCB_LEVEL, "queue", 0);
	struct promcb_metric_family *sizes = fixture_family(p, (struct promcb_family_spec){.name = "sizes",
											   .type = PROMCB_HISTOGRAM,
											   .labels = VALUES("who"),
											   .smallest = 1,
											   .largest = 1e6});
	struct promcb_metric_family *waits =
		fixture_family(p, (struct promcb_family_spec){.name = "waits",
							      .type = PROMCB_HISTOGRAM,
							      .labels = VALUES("who"),
							      .flags = PROMCB_DOUBLES,
							      .bounds = (const double[]){1, 2},
							      .bound_count = 2});
	struct promcb_counter *real = counter_of(reals, "a");

	/* Of several copies, whose sum depends on the order. */
	promcb_counter_add_double(real, 0.3);
	pthread_create(&thread, NULL, add_elsewhere, real);
	pthread_join(thread, NULL);
	pid_t child = fork();

	if (child == 0) {
		promcb_counter_add_double(real, 0.7);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_eq(remove_series(reals, "a"), 0);
	cr_assert_eq(value_of("joules_total", "a"), ABSENT, "not even a rounding is left");
	promcb_counter_add_double(real, 0.5);
	cr_assert_float_eq(value_of("joules_total", "a"), 0.5, 1e-12);

	cr_assert_eq(promcb_level_with(levels, VALUES("a"), &level), 0);
	promcb_level_add(level, -4);
	cr_assert_eq(remove_series(levels, "a"), 0);
	cr_assert_eq(value_of("queue", "a"), ABSENT);
	promcb_level_add(level, -2);
	cr_assert_eq(value_of("queue", "a"), -2);

	cr_assert_eq(promcb_histogram_with(sizes, VALUES("a"), &histogram), 0);
	cr_assert_eq(promcb_histogram_with(waits, VALUES("a"), &real_histogram), 0);
	for (uint64_t i = 0; i < 100; i++) {
		promcb_histogram_observe(histogram, i * i);
		promcb_histogram_observe_double(real_histogram, 0.01 * (double)i);
	}
	cr_assert_eq(remove_series(sizes, "a"), 0);
	cr_assert_eq(remove_series(waits, "a"), 0);
	cr_assert_eq(value_of("sizes", "a"), ABSENT);
	cr_assert_eq(value_of("waits", "a"), ABSENT);
	promcb_histogram_observe(histogram, 1);
	promcb_histogram_observe_double(real_histogram, 1.5);
	cr_assert_eq(value_of("sizes", "a"), 1);
	cr_assert_eq(value_of("waits", "a"), 0);
	cr_assert_eq(number_of("waits", "a", 1, NULL), 1);
	cr_assert_float_eq(number_of("waits", "a", 3, NULL), 1.5, 1e-9);
}

Test(remove, gauges)
{
	struct promcb_gauge *gauge, *last;

	p = fixture_open(NULL);
	struct promcb_metric_family *family = labelled(PROMCB_GAUGE, "temperature", 0);
	struct promcb_metric_family *of_all =
		fixture_family(p, (struct promcb_family_spec){.name = "backup",
							      .type = PROMCB_GAUGE,
							      .labels = VALUES("who"),
							      .scope = PROMCB_SCOPE_SEGMENT});

	cr_assert_eq(promcb_gauge_with(family, VALUES("a"), &gauge), 0);
	cr_assert_eq(promcb_gauge_with(of_all, VALUES("a"), &last), 0);
	promcb_gauge_set(gauge, 20);
	promcb_gauge_set(last, 3);
	cr_assert_eq(value_of("temperature", "a"), 20);
	cr_assert_eq(remove_series(family, "a"), 0);
	cr_assert_eq(remove_series(of_all, "a"), 0);
	cr_assert_eq(value_of("temperature", "a"), ABSENT);
	cr_assert_eq(value_of("backup", "a"), ABSENT);
	promcb_gauge_set(gauge, 21);
	promcb_gauge_set(last, 4);
	cr_assert_eq(value_of("temperature", "a"), 21);
	cr_assert_eq(value_of("backup", "a"), 4);
}

static uint64_t remove_idle(uint64_t age_ns)
{
	uint64_t removed = UINT64_MAX;

	cr_assert_eq(promcb_series_remove_idle(p, age_ns, &removed), 0);
	return removed;
}

/* What has the numbers that were noted before; whoever counts on begins anew. */
Test(remove, idle_series)
{
	const uint64_t hour_ns = 3600000000000;
	struct promcb_histogram *histogram;
	struct promcb_level *level, *empty;
	struct promcb_gauge *gauge;

	p = fixture_open(NULL);
	struct promcb_metric_family *family = labelled(PROMCB_COUNTER, "sent_total", 0);
	struct promcb_metric_family *levels = labelled(PROMCB_LEVEL, "queue", 0);
	struct promcb_counter *a = counter_of(family, "a"), *b = counter_of(family, "b");

	cr_assert_eq(promcb_level_with(levels, VALUES("full"), &level), 0);
	cr_assert_eq(promcb_level_with(levels, VALUES("empty"), &empty), 0);
	cr_assert_eq(promcb_histogram_with(labelled(PROMCB_HISTOGRAM, "sizes", 0), VALUES("a"), &histogram), 0);
	cr_assert_eq(promcb_gauge_with(labelled(PROMCB_GAUGE, "temperature", 0), VALUES("a"), &gauge), 0);
	promcb_counter_add(a, 5);
	promcb_counter_add(b, 7);
	promcb_level_add(level, 3);
	promcb_level_add(empty, 2);
	promcb_level_add(empty, -2);
	promcb_histogram_observe(histogram, 9);
	promcb_gauge_set(gauge, 1);
	cr_assert_eq(remove_idle(0), 0, "nothing was noted before");
	promcb_counter_add(a, 1);
	promcb_histogram_observe(histogram, 9);
	cr_assert_eq(remove_idle(hour_ns), 0, "not for so long");
	cr_assert_eq(remove_idle(0), 4);
	cr_assert_eq(value_of("sent_total", "a"), ABSENT, "it is what it was when it was noted last");
	cr_assert_eq(value_of("sent_total", "b"), ABSENT);
	cr_assert_eq(value_of("queue", "empty"), ABSENT);
	cr_assert_eq(value_of("queue", "full"), 3, "what is in it is of interest");
	cr_assert_eq(value_of("sizes", "a"), ABSENT);
	cr_assert_eq(value_of("temperature", "a"), 1);
	cr_assert_eq(places(b), 0);
	/* Adds of any time are in one life. */
	promcb_counter_add(b, 2);
	cr_assert_eq(remove_idle(0), 0);
	cr_assert_eq(value_of("sent_total", "b"), 2);
	/* From another process, which sees what was noted. */
	pid_t child = fork();

	if (child == 0)
		_exit(promcb_series_remove_idle(p, 0, NULL) != 0);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_eq(value_of("sent_total", "b"), ABSENT);
	/* A level that a removal has emptied is 0, whatever its cells hold. */
	cr_assert_eq(remove_series(levels, "full"), 0);
	cr_assert_eq(promcb_level_with(levels, VALUES("full"), &level), 0);
	cr_assert_eq(remove_idle(0), 0);
	cr_assert_eq(remove_idle(0), 1);
	cr_assert_eq(value_of("queue", "full"), ABSENT);
	cr_assert_eq(promcb_series_remove_idle(NULL, 0, NULL), -EINVAL);
}

/* A time that lies ahead, as of a clock that was set back, is none. */
Test(remove, idle_by_a_clock_that_was_set_back)
{
	p = fixture_open(NULL);
	struct promcb_metric_family *family = labelled(PROMCB_COUNTER, "sent_total", 0);
	struct promcb_series_handle *series = promcb_series_handle_of(counter_of(family, "a"));

	promcb_counter_add(counter_of(family, "a"), 1);
	cr_assert_eq(remove_idle(0), 0);
	struct promcb_series_record *record = promcb_segment_piece(p->segment, series->record, PROMCB_PIECE_SERIES, 0);

	cr_assert_not_null(record);
	record->noted_ns += (uint64_t)1 << 60;
	cr_assert_eq(remove_idle(0), 0);
	cr_assert_lt(record->noted_ns, (uint64_t)1 << 61);
	cr_assert_eq(remove_idle(0), 1);
}

/* What was noted of the life before is not the next one's: a series that is asked for anew has its time at 0. */
Test(remove, idle_since_it_was_asked_for_anew)
{
	p = fixture_open(NULL);
	struct promcb_metric_family *family = labelled(PROMCB_COUNTER, "sent_total", 0);

	promcb_counter_add(counter_of(family, "removed"), 1);
	promcb_counter_add(counter_of(family, "idle"), 1);
	cr_assert_eq(remove_idle(0), 0);
	cr_assert_eq(remove_series(family, "removed"), 0);
	cr_assert_eq(remove_idle(0), 1);
	struct promcb_counter *anew[] = {counter_of(family, "removed"), counter_of(family, "idle")};

	cr_assert_eq(remove_idle(0), 0);
	cr_assert_eq(value_of("sent_total", "removed"), 0);
	cr_assert_eq(value_of("sent_total", "idle"), 0);
	cr_assert_eq(places(anew[0]), 2);
	cr_assert_eq(remove_idle(0), 2);
	cr_assert_eq(places(anew[1]), 0);
}

/* SPDX-License-Identifier: MIT */
/* What is idle is taken out of snapshots, and comes back with all that it ever counted. Time is what snapshots say. */
#include "reading.h"

#include "model/snapshot.h"

TestSuite(idle, .init = fixture_begin, .fini = fixture_end);

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

enum { ABSENT = -1, HIDE_AFTER = 100 };

static struct promcb_session *p;

static struct promcb_metric_family *declare(enum promcb_metric_type type, const char *name)
{
	struct promcb_metric_family *family;

	cr_assert_eq(
		promcb_family_register(
			p, &(struct promcb_family_spec){.name = name, .type = type, .labels = VALUES("who")}, &family),
		0);
	return family;
}

/* A snapshot as it would be so many seconds later, without what was idle for HIDE_AFTER seconds. */
static struct promcb_snapshot *look(struct promcb_idle *idle, unsigned seconds)
{
	struct promcb_reader *reader = open_reader(PROMCB_ACCESS_COPY);
	struct promcb_snapshot *snapshot = take(reader, false);

	snapshot->monotonic_ns += seconds * SECOND;
	snapshot->taken_ns += seconds * SECOND;
	cr_assert_eq(promcb_snapshot_hide_idle(snapshot, idle, HIDE_AFTER * SECOND), 0);
	promcb_reader_close(reader);
	return snapshot;
}

static int64_t value_of(const struct promcb_snapshot *snapshot, const char *name, const char *who)
{
	struct promcb_family_summary family;
	struct promcb_series_summary series;

	for (size_t i = 0; promcb_snapshot_family(snapshot, i, &family) == 0; i++)
		for (size_t j = 0; promcb_snapshot_series(snapshot, i, j, &series) == 0; j++)
			if (strcmp(family.name, name) == 0 &&
			    strcmp(promcb_snapshot_label_value(snapshot, i, j, 0), who) == 0)
				return (int64_t)series.number;
	return ABSENT;
}

static int64_t calls_of(const struct promcb_snapshot *snapshot, const char *name)
{
	struct promcb_summary summary;

	return promcb_snapshot_find(snapshot, name, &summary) == 0 ? (int64_t)summary.total_calls : ABSENT;
}

/* What is seen so many seconds later, in the order of names below; ABSENT: it is not. */
enum { SEEN = 8 };

static void expect(struct promcb_idle *idle, unsigned seconds, const int64_t wanted[SEEN])
{
	struct promcb_snapshot *s = look(idle, seconds);
	const int64_t seen[SEEN] = {calls_of(s, "called"),        calls_of(s, "logged"),
				    calls_of(s, "open"),          value_of(s, "sent_total", "a"),
				    value_of(s, "queue", "full"), value_of(s, "queue", "empty"),
				    value_of(s, "sizes", "a"),    value_of(s, "temperature", "a")};

	for (unsigned i = 0; i < SEEN; i++)
		cr_assert_eq(seen[i], wanted[i], "after %u seconds, number %u is %lld", seconds, i, (long long)seen[i]);
	promcb_snapshot_free(s);
}

Test(idle, is_hidden_and_comes_back)
{
	struct promcb_idle *idle = promcb_idle_new(), *other = promcb_idle_new();
	struct promcb_component *called, *logged, *open;
	struct promcb_histogram *histogram;
	struct promcb_level *full, *empty;
	struct promcb_counter *counter;
	struct promcb_gauge *gauge;

	p = fixture_open(NULL);
	called = fixture_component(p, "called");
	logged = fixture_component(p, "logged");
	open = fixture_component(p, "open");
	promcb_record(called, 1000, true);
	promcb_record(called, 1000, false);
	promcb_record(logged, 1000, true);
	promcb_count_log(logged, PROMCB_LOG_INFO);
	promcb_set_state(open, PROMCB_OPEN);
	cr_assert_eq(promcb_counter_with(declare(PROMCB_COUNTER, "sent_total"), VALUES("a"), &counter), 0);
	cr_assert_eq(promcb_level_with(declare(PROMCB_LEVEL, "queue"), VALUES("full"), &full), 0);
	cr_assert_eq(promcb_level_with(declare(PROMCB_LEVEL, "queue"), VALUES("empty"), &empty), 0);
	cr_assert_eq(promcb_histogram_with(declare(PROMCB_HISTOGRAM, "sizes"), VALUES("a"), &histogram), 0);
	cr_assert_eq(promcb_gauge_with(declare(PROMCB_GAUGE, "temperature"), VALUES("a"), &gauge), 0);
	promcb_counter_add(counter, 1000);
	promcb_level_add(full, 3);
	promcb_histogram_observe(histogram, 7);
	promcb_gauge_set(gauge, 20);

	const int64_t all[SEEN] = {2, 1, 0, 1000, 3, 0, 7, 20};
	const int64_t few[SEEN] = {ABSENT, ABSENT, 0, ABSENT, 3, ABSENT, ABSENT, 20};
	const int64_t back[SEEN] = {3, 1, 0, 1001, 3, 0, 15, 20};

	expect(idle, 0, all);
	expect(idle, HIDE_AFTER / 2, all);
	expect(idle, HIDE_AFTER + 10, few);
	expect(idle, HIDE_AFTER + 20, few);
	/* Who has seen nothing before knows of components' calls alone. */
	expect(other, HIDE_AFTER + 20, (const int64_t[SEEN]){ABSENT, 1, 0, 1000, 3, 0, 7, 20});

	/* With the totals: to Prometheus it is a gap, and no reset. */
	promcb_record(called, 1000, true);
	promcb_count_log(logged, PROMCB_LOG_INFO);
	promcb_counter_add(counter, 1);
	promcb_level_add(empty, 1);
	promcb_level_add(empty, -1);
	promcb_histogram_observe(histogram, 8);
	expect(idle, 3 * HIDE_AFTER, (const int64_t[SEEN]){3, 1, 0, 1001, 3, ABSENT, 15, 20});
	promcb_level_add(empty, 5);
	expect(idle, 3 * HIDE_AFTER, (const int64_t[SEEN]){3, 1, 0, 1001, 3, 5, 15, 20});
	promcb_level_add(empty, -5);
	expect(idle, 3 * HIDE_AFTER + 1, back);
	/* One that was taken before, and comes late. */
	expect(idle, 2 * HIDE_AFTER, back);
	expect(idle, 3 * HIDE_AFTER, back);
	expect(idle, 4 * HIDE_AFTER + 10, few);
	promcb_idle_free(idle);
	promcb_idle_free(other);
	promcb_idle_free(NULL);
}

/* What is known of a segment is not known of the next one of its name. */
Test(idle, of_another_segment)
{
	struct promcb_idle *idle = promcb_idle_new();
	struct promcb_counter *counter;

	for (unsigned round = 0; round < 2; round++) {
		struct promcb_snapshot *s;

		p = fixture_open(NULL);
		cr_assert_eq(promcb_counter_with(declare(PROMCB_COUNTER, "sent_total"), VALUES("a"), &counter), 0);
		promcb_counter_add(counter, 1);
		s = look(idle, round * 2 * HIDE_AFTER);
		cr_assert_eq(value_of(s, "sent_total", "a"), 1);
		promcb_snapshot_free(s);
		cr_assert_eq(promcb_remove(fixture_segment, true, NULL), 0);
		promcb_close(p);
	}
	promcb_idle_free(idle);
}

/* More than one page of them, by the hundred: each is told apart from the others, those of other families too. */
Test(idle, many)
{
	struct promcb_idle *idle = promcb_idle_new();
	struct promcb_snapshot *s;
	char name[16];

	p = fixture_open(NULL);
	for (unsigned family = 0; family < 2; family++) {
		struct promcb_metric_family *sent =
			declare(PROMCB_COUNTER, (const char *[]){"sent_total", "got_total"}[family]);

		for (unsigned i = 0; i < 900; i++) {
			snprintf(name, sizeof(name), "%u", i);
			cr_assert_eq(promcb_counter_add_with(sent, VALUES(name), i + 1), 0);
		}
	}
	promcb_snapshot_free(look(idle, 0));
	cr_assert_eq(promcb_counter_add_with(declare(PROMCB_COUNTER, "sent_total"), VALUES("17"), 1), 0);
	s = look(idle, 2 * HIDE_AFTER);
	for (unsigned i = 0; i < 900; i++) {
		snprintf(name, sizeof(name), "%u", i);
		cr_assert_eq(value_of(s, "sent_total", name), i == 17 ? 19 : ABSENT);
		cr_assert_eq(value_of(s, "got_total", name), ABSENT);
	}
	promcb_snapshot_free(s);
	promcb_idle_free(idle);
}

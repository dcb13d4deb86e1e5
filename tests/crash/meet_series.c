/* SPDX-License-Identifier: MIT */
/*
 * meet_series: one stops at a named point of what registers and reads series (inject.h), and another does there what
 * must not harm it, nor be harmed.
 *
 * Invariants
 *   - part_chunk_was_given_up: who takes a chunk for parts and gets no memory for it leaves it to those who got some
 *     meanwhile. It gave the chunk up with their families in it, and the segment was corrupt from then on.
 *   - pieces_chunk_was_of_another_kind: a scrape whose image has a chunk as somebody's who then gave it up reads what
 *     was registered there meanwhile. It called the segment corrupt.
 *   - gauge_set_late: what a thread comes to set in the segment that another has left meanwhile goes along, unless the
 *     gauge was set in the next one before. It was lost, for good where a gauge is set once.
 *   - check_found_what_came_meanwhile: series that are registered between two steps of a reader's check are no finding.
 */
#include "../stress/series.h"

#include "record/open.h"

#include <promcb/inject.h>

#include <sched.h>
#include <sys/resource.h>

enum { PATIENCE_SECONDS = 20 };

static struct {
	uint64_t arrived, go_on;
} * shared;

static const char *meeting_point;
static void (*meeting)(void);

void promcb_inject(const char *point)
{
	if (!meeting_point || strcmp(point, meeting_point) != 0)
		return;
	meeting_point = NULL;
	meeting();
}

static void meet_at(const char *point, void (*what)(void))
{
	meeting = what;
	meeting_point = point;
}

static int add_family(struct promcb_session *p, const char *name)
{
	struct promcb_metric_family *family;
	struct promcb_counter *counter;
	int result = promcb_family_register(
		p, &(struct promcb_family_spec){.name = name, .type = PROMCB_COUNTER, .labels = VALUES("who")},
		&family);

	if (result == 0)
		result = promcb_counter_with(family, VALUES("met"), &counter);
	if (result == 0)
		promcb_counter_add(counter, 1);
	return result;
}

/* -- A chunk without memory ---------------------------------------------------------------------------------------- */

/* Nothing can be given memory without a descriptor of the file. */
static void wait_and_lose_descriptors(void)
{
	const struct rlimit none = {.rlim_cur = 3, .rlim_max = 3};

	promcb_store_release(&shared->arrived, 1);
	while (!promcb_load_acquire(&shared->go_on))
		sched_yield();
	CHECK(close_range(3, ~0U, 0) == 0 && setrlimit(RLIMIT_NOFILE, &none) == 0, "descriptors");
}

static void chunk_given_up(void)
{
	struct promcb_session *p = stress_open(NULL);
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0) {
		alarm(PATIENCE_SECONDS);
		meet_at("chunk: taken", wait_and_lose_descriptors);
		/* Whether it finds room in what the others have made meanwhile is not the question. */
		add_family(p, "slow_total");
		_exit(meeting_point ? 1 : 0);
	}
	while (!promcb_load_acquire(&shared->arrived))
		CHECK(waitpid(child, NULL, WNOHANG) == 0 && sched_yield() == 0, "the child ended");
	CHECK(add_family(p, "fast_total") == 0, "another registers in the chunk that has no memory yet");
	promcb_store_release(&shared->go_on, 1);
	int status = stress_wait(child);

	CHECK(status == 0, "part_chunk_was_given_up: the child ended with %d", status);
	CHECK(series_total("fast_total", "met", 0) == 1, "part_chunk_was_given_up: the series is lost");
	CHECK(add_family(p, "later_total") == 0 && series_total("later_total", "met", 0) == 1, "later");
	stress_check_segment();
	promcb_close(p);
	promcb_remove(stress_segment, true, NULL);
	printf("a chunk that its taker found no memory for: who found some keeps it\n");
}

/* -- A chunk that changes hands ------------------------------------------------------------------------------------ */

static struct promcb_session *session;
static pid_t taker;

static void change_hands(void)
{
	promcb_store_release(&shared->go_on, 1);
	CHECK(stress_wait(taker) == 0, "the child failed");
	CHECK(add_family(session, "fast_total") == 0, "another registers in the chunk that was given up");
}

static void chunk_of_another_kind(enum promcb_access access)
{
	shared->arrived = shared->go_on = 0;
	session = stress_open(NULL);
	taker = fork();
	CHECK(taker >= 0, "fork");
	if (taker == 0) {
		struct promcb_component *component;

		alarm(PATIENCE_SECONDS);
		meet_at("chunk: taken", wait_and_lose_descriptors);
		/* It needs a chunk of blocks. */
		promcb_component(session, "slow", &component);
		_exit(meeting_point ? 1 : 0);
	}
	while (!promcb_load_acquire(&shared->arrived))
		CHECK(waitpid(taker, NULL, WNOHANG) == 0 && sched_yield() == 0, "the child ended");
	meet_at("image: made", change_hands);
	/* Which fails unless there is a snapshot. */
	struct promcb_snapshot *snapshot = stress_snapshot(access);
	const uint64_t *cells = series_cells(snapshot, "fast_total", "met");

	CHECK(!meeting_point && cells && *cells == 1, "pieces_chunk_was_of_another_kind");
	promcb_snapshot_free(snapshot);
	stress_check_segment();
	promcb_close(session);
	promcb_remove(stress_segment, true, NULL);
	printf("a chunk that changes hands beside a scrape: what is in it is read\n");
}

/* -- A check beside a writer --------------------------------------------------------------------------------------- */

enum { SERIES_BEFORE = 450, SERIES_MEANWHILE = 150 };

static struct promcb_metric_family *checked;
static unsigned passages, at_passage, series;

static void add_series(unsigned count)
{
	char value[16];

	for (; count; count--) {
		snprintf(value, sizeof(value), "%u", series++);
		CHECK(promcb_counter_add_with(checked, VALUES(value), 1) == 0, "series %s", value);
	}
}

static void add_meanwhile(void)
{
	if (++passages == at_passage)
		add_series(SERIES_MEANWHILE);
	else
		meeting_point = "check: page read";
}

static void add_at_once(void)
{
	add_series(SERIES_MEANWHILE);
}

static void check_segment(enum promcb_access access)
{
	struct promcb_reader *reader;

	CHECK(promcb_reader_open(stress_segment, &(struct promcb_reader_options){.access = access}, &reader, NULL) == 0,
	      "reader");
	CHECK(promcb_reader_check(reader, stress_report, NULL) == 0, "check_found_what_came_meanwhile");
	promcb_reader_close(reader);
}

/* Fills what a page has to the brim, and then other pages: after each of the first pages was read. */
static void check_beside_a_writer(void)
{
	for (enum promcb_access access = PROMCB_ACCESS_COPY; access <= PROMCB_ACCESS_MAPPED; access++) {
		struct promcb_session *p = stress_open(NULL);

		checked = series_family(p, (struct promcb_family_spec){.name = "checked_total",
								       .type = PROMCB_COUNTER,
								       .labels = VALUES("who"),
								       .series_max = 100000});
		series = 0;
		add_series(SERIES_BEFORE);
		meet_at("check: root read", add_at_once);
		check_segment(access);
		CHECK(!meeting_point, "no root was read");
		for (at_passage = 1; at_passage <= 9; at_passage++) {
			passages = 0;
			meet_at("check: page read", add_meanwhile);
			check_segment(access);
			CHECK(!meeting_point, "%u pages were read", passages);
		}
		promcb_close(p);
		promcb_remove(stress_segment, true, NULL);
	}
	printf("a check beside those who register: it finds nothing\n");
}

/* -- A segment that is left while a gauge is set ------------------------------------------------------------------- */

static struct promcb_gauge *gauge;
static struct promcb_counter *hits;
static bool comes_by;

/* The next call looks where the segment's name leads. */
static void look_now(void)
{
	promcb_store_relaxed(&session->checked_ns, 0);
	promcb_thread.countdown = 0;
	promcb_thread.fresh_ns = 0;
	promcb_counter_add(hits, 1);
}

/* As another thread would. */
static void leave_segment(void)
{
	uint32_t generation = session->generation;

	CHECK(unlink(session->last.path) == 0, "unlink %s", session->last.path);
	look_now();
	CHECK(session->generation == generation + 1, "the segment was not left");
	if (comes_by)
		promcb_gauge_set(gauge, 3);
}

static double shown(void)
{
	return promcb_bits_double(series_total("used", NULL, 0));
}

static void set_late(bool by_another)
{
	session = stress_open(NULL);
	CHECK(promcb_gauge_with(
		      series_family(session, (struct promcb_family_spec){.name = "used", .type = PROMCB_GAUGE}), NULL,
		      &gauge) == 0,
	      "gauge");
	hits = series_counter(
		series_family(session, (struct promcb_family_spec){.name = "hits_total", .type = PROMCB_COUNTER}),
		NULL);
	promcb_gauge_set(gauge, 1);
	promcb_counter_add(hits, 1);
	comes_by = by_another;
	for (unsigned round = 0; round < 3; round++) {
		meet_at("gauge: found", leave_segment);
		/* Not the way of who is to look at the clock first, which has no such point. */
		promcb_thread.countdown = 1;
		promcb_gauge_set(gauge, 10 * (round + 1));
		CHECK(!meeting_point, "no gauge was found");
		look_now();
		CHECK(shown() == (by_another ? 3 : 10 * (round + 1)), "gauge_set_late: round %u: %f", round, shown());
		promcb_gauge_add(gauge, 1);
		CHECK(shown() == (by_another ? 4 : 10 * (round + 1) + 1), "gauge_set_late: round %u, added to: %f",
		      round, shown());
	}
	promcb_close(session);
	promcb_remove(stress_segment, true, NULL);
}

int main(void)
{
	if (stress_emulated()) {
		printf("an emulator has descriptors of its own\n");
		return 77;
	}
	stress_begin("meet-series");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	chunk_given_up();
	chunk_of_another_kind(PROMCB_ACCESS_COPY);
	chunk_of_another_kind(PROMCB_ACCESS_MAPPED);
	check_beside_a_writer();
	set_late(false);
	set_late(true);
	printf("a segment that is left while a gauge is set there: the value goes along\n");
	stress_remove();
	return 0;
}

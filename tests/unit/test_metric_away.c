/* SPDX-License-Identifier: MIT */
/* What a process sets while its segment has no name, and there is no other. */
#include "fixture.h"

#include "cells.h"

#include <promcb/metric_inline.h>

#include <pthread.h>
#include <sys/wait.h>

TestSuite(metric_away);

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct promcb_session *p;

/* Whoever comes here next looks where the segment's name leads. */
static void look_soon(void)
{
	promcb_store_relaxed(&p->checked_ns, 0);
	promcb_thread.countdown = 0;
	promcb_thread.fresh_ns = 0;
}

static struct promcb_metric_family *register_gauges(void)
{
	return fixture_family(
		p, (struct promcb_family_spec){.name = "used", .type = PROMCB_GAUGE, .labels = VALUES("pool")});
}

/*
 * What is set while the segment is away goes along as well; and goes to nobody's child: a child that was the first to
 * find the segment again had its parent's gauges for its own.
 */
Test(metric_away, what_is_set_while_away)
{
	char home[64], elsewhere[80], segment[80];
	struct promcb_metric_family *gauges;
	struct promcb_gauge *kept, *set, *cleared;
	double sum, all = 0;
	int status;

	if (getenv("MESON_EXE_WRAPPER"))
		cr_skip_test("an emulator does not wipe a child's memory");
	snprintf(home, sizeof(home), "/dev/shm/promcb-unit-home-%d", (int)getpid());
	snprintf(elsewhere, sizeof(elsewhere), "%s-away", home);
	snprintf(segment, sizeof(segment), "%s/x", home);
	cr_assert_eq(mkdir(home, 0700), 0);
	cr_assert_eq(promcb_open(segment, NULL, &p), 0);
	gauges = register_gauges();
	cr_assert_eq(promcb_gauge_with(gauges, VALUES("a"), &kept), 0);
	cr_assert_eq(promcb_gauge_with(gauges, VALUES("b"), &set), 0);
	cr_assert_eq(promcb_gauge_with(gauges, VALUES("c"), &cleared), 0);
	promcb_gauge_set(kept, 5);
	promcb_gauge_set(set, 1);
	promcb_gauge_set(cleared, 1);
	cr_assert(unlink(segment) == 0 && rename(home, elsewhere) == 0);
	look_soon();
	promcb_gauge_add(set, 0);
	cr_assert(promcb_session_is_away(p));
	promcb_gauge_set(set, 7);
	promcb_gauge_add(set, 2);
	promcb_gauge_clear(cleared);
	pid_t child = fork();

	if (child == 0) {
		promcb_gauge_add(set, 100);
		if (rename(elsewhere, home) != 0)
			_exit(1);
		look_soon();
		promcb_gauge_clear(cleared);
		/* Whichever series has them: its parent's have none here. */
		for (uint32_t cell = 1; p->segment && cell < PROMCB_ROW_WORDS; cell++) {
			cells_live(p->segment, cell, &sum);
			all += sum;
		}
		_exit(all == 100 ? 0 : 2);
	}
	cr_assert(waitpid(child, &status, 0) == child && status == 0, "a child has what its parent has set");
	look_soon();
	promcb_gauge_clear(cleared);
	cr_assert(p->segment);
	for (uint32_t number = 0; number < 2; number++) {
		cr_assert_eq(cells_live(p->segment, cells_first(number ? set : kept), &sum), 1);
		cr_assert_eq(sum, number ? 9 : 5);
	}
	cr_assert_eq(cells_live(p->segment, cells_first(cleared), &sum), 0);
	cr_assert_eq(promcb_load_relaxed(&promcb_segment_header(p->segment)->dropped_values), 0);
	cr_assert(unlink(segment) == 0 && rmdir(home) == 0);
}

/* -- A segment that goes when a thread ends ------------------------------------------------------------------------ */

static struct promcb_gauge *left_gauge;

/* Sets a gauge, leaves the segment, and is the last who had to do with it: the segment goes with the thread. */
static void *set_and_leave(void *gauges)
{
	struct promcb_component *component = fixture_component(p, "db");
	const struct promcb_segment *before;

	*(struct promcb_metric_family **)gauges = register_gauges();
	cr_assert_eq(promcb_gauge_with(*(struct promcb_metric_family **)gauges, VALUES("a"), &left_gauge), 0);
	promcb_gauge_set(left_gauge, 5);
	promcb_record(component, 1000, true);
	before = p->segment;
	cr_assert_eq(unlink(fixture_segment), 0);
	look_soon();
	promcb_record(component, 1000, true);
	cr_assert(p->segment && p->segment != before);
	/* It was left some seconds ago. */
	promcb_attachment_of(before)->left_ns -= 3000000000u;
	return NULL;
}

/* What a gauge had in the segment that was left is not looked at once that has gone. */
Test(metric_away, what_was_left_goes_with_a_thread, .init = fixture_begin, .fini = fixture_end)
{
	struct promcb_metric_family *gauges;
	pthread_t thread;
	double sum;

	p = fixture_open(NULL);
	cr_assert_eq(pthread_create(&thread, NULL, set_and_leave, &gauges), 0);
	pthread_join(thread, NULL);
	cr_assert_null(promcb_series_handle_of(left_gauge)->left);
	promcb_gauge_add(left_gauge, 2);
	cr_assert_eq(cells_live(p->segment, cells_first(left_gauge), &sum), 1);
	cr_assert_eq(sum, 7);
}

/* Who was about to set a gauge for the first time when its segment was left has set it where the segment is now. */
Test(metric_away, what_is_set_late_for_the_first_time, .init = fixture_begin, .fini = fixture_end)
{
	struct promcb_metric_family *gauges;
	struct promcb_gauge *set, *late;
	uint64_t *cell;
	double sum;

	p = fixture_open(NULL);
	gauges = register_gauges();
	cr_assert_eq(promcb_gauge_with(gauges, VALUES("a"), &set), 0);
	cr_assert_eq(promcb_gauge_with(gauges, VALUES("b"), &late), 0);
	promcb_gauge_set(set, 5);
	cell = promcb_row_live_find(promcb_home_former(p->segment), cells_first(late), 1);
	cr_assert_not_null(cell);
	cr_assert_eq(unlink(fixture_segment), 0);
	look_soon();
	promcb_gauge_set(set, 6);
	/* As the thread that was found its cell before and stores now. */
	promcb_store_relaxed(cell, promcb_double_bits(9) ^ PROMCB_GAUGE_UNSET_BITS);
	look_soon();
	promcb_gauge_set(set, 7);
	cr_assert_eq(cells_live(p->segment, cells_first(set), &sum), 1);
	cr_assert_eq(cells_live(p->segment, cells_first(late), &sum), 1, "it is nowhere");
	cr_assert_eq(sum, 9);
}

/* What is set where the segment is now, by who could not wait for a fork, is not overwritten by what was set before. */
Test(metric_away, what_was_set_late_is_older, .init = fixture_begin, .fini = fixture_end)
{
	struct promcb_metric_family *gauges;
	struct promcb_gauge *set, *other;
	uint64_t *cell;
	double sum;

	p = fixture_open(NULL);
	gauges = register_gauges();
	cr_assert_eq(promcb_gauge_with(gauges, VALUES("a"), &set), 0);
	cr_assert_eq(promcb_gauge_with(gauges, VALUES("b"), &other), 0);
	promcb_gauge_set(set, 5);
	promcb_gauge_set(other, 5);
	cell = promcb_row_live_find(promcb_home_former(p->segment), cells_first(set), 1);
	cr_assert_eq(unlink(fixture_segment), 0);
	look_soon();
	promcb_gauge_set(other, 6);
	/* As the thread that was found its cell before and stores now; then it sets it again, while a fork goes on. */
	promcb_store_relaxed(cell, promcb_double_bits(9) ^ PROMCB_GAUGE_UNSET_BITS);
	promcb_store32_relaxed(&promcb_process->mutex, 3);
	promcb_gauge_set(set, 10);
	promcb_store32_relaxed(&promcb_process->mutex, 0);
	look_soon();
	promcb_gauge_set(other, 7);
	cr_assert_eq(cells_live(p->segment, cells_first(set), &sum), 1);
	cr_assert_eq(sum, 10, "it is %g", sum);
}

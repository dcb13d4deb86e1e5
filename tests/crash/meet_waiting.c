/* SPDX-License-Identifier: MIT */
/*
 * meet_waiting: one thread stops at a named point (inject.h) with the process's mutex held, and stays there until
 * another has recorded all that it has to.
 *
 * Invariants
 *   - record_waited_for_the_mutex: whoever has recorded in a component records on in it by every call that promcb.h
 *     calls wait-free, whatever holds the mutex: where a ring wants to grow, where it is time to look where the segment
 *     is, where the segment is gone, and where there is no lane to be had. A record waited for the whole of
 *     promcb_reset_all(), of a registration, of another thread's first call; and who holds the mutex may be a thread of
 *     a lower priority. Here it waits for the recorder, so that to wait is to hang.
 *   - reset_kept_others_out: who waits for the mutex while all components are reset has it before the last of them.
 */
#include "../stress/stress.h"

#include <promcb/atomic.h>
#include <promcb/inject.h>
#include <promcb/inline.h>

#include "record/process.h"

#include <sched.h>

enum { KNOWN = 6, ROUNDS = 70000, PATIENCE_SECONDS = 100 };

static const uint64_t second_ns = 1000000000;

static struct promcb_session *metrics;
static struct promcb_component *known[KNOWN];
static uint64_t done;

/* -- One holds the mutex ------------------------------------------------------------------------------------------ */

static __thread bool stops;
static const char *meeting_point;
static uint64_t arrived, go_on;

static void pause_a_moment(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void await_the_other(void)
{
	promcb_store_release(&arrived, 1);
	while (!promcb_load_acquire(&go_on))
		pause_a_moment();
}

static void (*at_the_point)(void) = await_the_other;

void promcb_inject(const char *point)
{
	if (!stops || strcmp(point, meeting_point) != 0)
		return;
	stops = false;
	at_the_point();
}

static void reset_all(void)
{
	CHECK(promcb_reset_all(metrics) == 0, "reset");
}

static void register_one(void)
{
	stress_component(metrics, "new");
}

/* With as many calls as its first ring has no room for. */
static void record_first(void)
{
	for (unsigned i = 0; i < 40; i++)
		promcb_record(known[0], 1000, true);
}

static void set_state(void)
{
	promcb_set_state(known[0], PROMCB_OPEN);
}

static const struct meeting {
	const char *point;
	void (*work)(void);
	unsigned calls; /* that it records */
} meetings[] = {
	{"reset: baseline stored", reset_all, 0},  {"reset: carved", reset_all, 0},
	{"reset: filled", reset_all, 0},           {"reset: published", reset_all, 0},
	{"component: claimed", register_one, 0},   {"component: named", register_one, 0},
	{"component: published", register_one, 0}, {"lane: signed", record_first, 40},
	{"lane: used", record_first, 40},          {"block: zeroed", record_first, 40},
	{"block: published", record_first, 40},    {"ring: filled", record_first, 40},
	{"ring: published", record_first, 40},     {"state: changed", set_state, 0},
};

static void *hold(void *argument)
{
	const struct meeting *meeting = argument;

	stops = true;
	meeting->work();
	CHECK(!stops, "%s was not passed", meeting->point);
	return NULL;
}

/* -- The other records -------------------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * second_ns + (uint64_t)now.tv_nsec;
}

/* Seven calls. */
static void record_each_way(unsigned number)
{
	const uint64_t latencies_ns[3] = {1000, 2000, 3000};
	struct promcb_component *component = known[number];
	char name[16];

	snprintf(name, sizeof(name), "known%u", number);
	promcb_record_at(component, 1000, true, now_ns());
	promcb_record_many(component, latencies_ns, 3, false, now_ns());
	promcb_record_outcome(component, true);
	promcb_stop(component, promcb_start(), true);
	CHECK(promcb_call(metrics, name, 0.001, true) == 0, "%s", name);
	promcb_count_log(component, PROMCB_LOG_INFO);
	CHECK(promcb_state(component) <= PROMCB_HALF_OPEN, "%s", name);
	done += 7;
}

/* Over as many rounds of each ring as there are; then slowly, until it was time to look where the segment is. */
static void record_all(uint64_t end_ns)
{
	for (unsigned round = 0; round < ROUNDS || now_ns() < end_ns; round++) {
		promcb_record(known[round % KNOWN], 1000, round % 7);
		promcb_record_inline(known[round % KNOWN], 1000, round % 7);
		done += 2;
		if (round >= ROUNDS)
			pause_a_moment();
	}
	for (unsigned i = 0; i < KNOWN; i++)
		record_each_way(i);
}

/* -- Together ----------------------------------------------------------------------------------------------------- */

static uint64_t calls_of_all(void)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	uint64_t calls = 0;

	for (size_t i = 0; i < snapshot->count; i++) {
		const struct promcb_counts *counts = &snapshot->components[i].counts;

		calls += counts->calls[0] + counts->calls[1];
	}
	promcb_snapshot_free(snapshot);
	return calls;
}

/* The lanes that there are, and one call in each component. */
static void start(uint32_t lanes)
{
	char name[16];

	metrics = stress_open(&(struct promcb_options){.lanes = lanes});
	for (unsigned i = 0; i < KNOWN; i++) {
		snprintf(name, sizeof(name), "known%u", i);
		known[i] = stress_component(metrics, name);
		promcb_record(known[i], 1000, true);
	}
	done = KNOWN;
}

static pthread_t hold_mutex(const struct meeting *meeting)
{
	pthread_t thread;

	meeting_point = meeting->point;
	CHECK(pthread_create(&thread, NULL, hold, (void *)(uintptr_t)meeting) == 0, "thread");
	while (!promcb_load_acquire(&arrived))
		sched_yield();
	return thread;
}

static void let_go(pthread_t thread)
{
	promcb_store_release(&go_on, 1);
	CHECK(pthread_join(thread, NULL) == 0, "join");
}

static const struct meeting *present;

static void meet(void)
{
	bool resets = strncmp(present->point, "reset:", 6) == 0;

	start(0);
	pthread_t thread = hold_mutex(present);

	record_all(present->work == register_one ? now_ns() + 2 * second_ns : 0);
	let_go(thread);
	/* What a reset has taken for its zero is not counted here. */
	CHECK(resets || calls_of_all() == done + present->calls, "%llu calls, expected %llu",
	      (unsigned long long)calls_of_all(), (unsigned long long)(done + present->calls));
	promcb_record(known[0], 1000, true);
}

/* -- Without a lane ----------------------------------------------------------------------------------------------- */

static const struct meeting late = {"component: named", register_one, 1};

static void *take_lane_then_hold(void *argument)
{
	promcb_record(stress_component(metrics, "first"), 1000, true);
	promcb_store_release(&arrived, 1);
	while (!promcb_load_acquire(&go_on))
		sched_yield();
	promcb_store_release(&go_on, 0);
	promcb_store_release(&arrived, 0);
	return hold(argument);
}

static void meet_without_lane(void)
{
	pthread_t thread;

	metrics = stress_open(&(struct promcb_options){.lanes = 1});
	meeting_point = late.point;
	CHECK(pthread_create(&thread, NULL, take_lane_then_hold, (void *)(uintptr_t)&late) == 0, "thread");
	while (!promcb_load_acquire(&arrived))
		sched_yield();
	start(1);
	promcb_store_release(&go_on, 1);
	while (promcb_load_acquire(&go_on))
		sched_yield();
	while (!promcb_load_acquire(&arrived))
		sched_yield();
	record_all(now_ns() + 2 * second_ns);
	let_go(thread);
	CHECK(calls_of_all() == done + 1, "%llu calls, expected %llu", (unsigned long long)calls_of_all(),
	      (unsigned long long)(done + 1));
}

/* -- Without a segment -------------------------------------------------------------------------------------------- */

static void meet_without_segment(void)
{
	char segment[64], path[100], old_path[110];
	uint64_t calls;

	memcpy(segment, stress_segment, sizeof(segment));
	snprintf(path, sizeof(path), "/dev/shm%s", segment);
	snprintf(old_path, sizeof(old_path), "%s-old", path);
	start(0);
	CHECK(link(path, old_path) == 0, "link");
	pthread_t thread = hold_mutex(&late);

	CHECK(promcb_remove(segment, true, NULL) == 0, "remove");
	record_all(now_ns() + 2 * second_ns);
	let_go(thread);
	while (access(path, F_OK) != 0)
		record_all(0);
	calls = calls_of_all();
	snprintf(stress_segment, sizeof(stress_segment), "%.50s-old", segment);
	calls += calls_of_all();
	unlink(old_path);
	memcpy(stress_segment, segment, sizeof(segment));
	CHECK(calls == done, "%llu calls, expected %llu", (unsigned long long)calls, (unsigned long long)done);
}

/* -- Between the steps of a reset --------------------------------------------------------------------------------- */

enum { RESET = 300 };

static uint64_t is_set;

static void *set_state_beside(void *argument)
{
	while (!promcb_load_acquire(&arrived))
		sched_yield();
	promcb_set_state(known[0], PROMCB_OPEN);
	promcb_store_release(&is_set, 1);
	return argument;
}

static unsigned published, published_before_it_was_set;

static void count_published(void)
{
	promcb_store_release(&arrived, 1);
	/* Each time until the other waits for the mutex, so that it is let in 300 times, however rarely it runs. */
	while (!promcb_load_acquire(&is_set) && promcb_load32_relaxed(&promcb_process->mutex) < 2)
		sched_yield();
	if (!promcb_load_acquire(&is_set))
		published_before_it_was_set = published;
	published++;
	stops = true;
}

/* Who waits for the mutex has it before the last of many components is reset. */
static void meet_between_steps(void)
{
	pthread_t thread;
	char name[16];

	start(0);
	for (unsigned i = 0; i < RESET; i++) {
		snprintf(name, sizeof(name), "reset%u", i);
		promcb_record(stress_component(metrics, name), 1000, true);
	}
	meeting_point = "reset: published";
	at_the_point = count_published;
	stops = true;
	CHECK(pthread_create(&thread, NULL, set_state_beside, NULL) == 0, "thread");
	CHECK(promcb_reset_all(metrics) == 0 && published >= RESET, "reset");
	CHECK(published_before_it_was_set + 1 < published, "reset_kept_others_out: until %u components were reset",
	      published);
	CHECK(pthread_join(thread, NULL) == 0, "join");
}

int main(void)
{
	stress_begin("meet-waiting");
	for (size_t i = 0; i < sizeof(meetings) / sizeof(*meetings); i++) {
		present = &meetings[i];
		stress_in_child(present->point, meet, PATIENCE_SECONDS);
	}
	stress_in_child("without a lane", meet_without_lane, PATIENCE_SECONDS);
	stress_in_child("without a segment", meet_without_segment, PATIENCE_SECONDS);
	stress_in_child("between the steps of a reset", meet_between_steps, PATIENCE_SECONDS);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * torture_threads: threads in every number and at every hour: more than lanes, thousands of short ones, handlers that
 * interrupt the slow path, records while a thread ends, after a close and while the process ends.
 *
 * Invariants: each component's total is exactly what was recorded of it (what is recorded after the last close is
 * dropped without harm). Lanes come back, and memory does not grow with the number of threads that there ever were.
 */
#include "stress.h"

#include "record/recorder.h"

#include <sched.h>

enum { NAMES = 200, CROWD = 24, WIDTH = 8, LANES = 3 };

static struct promcb_session *metrics;
static struct promcb_component *components[NAMES];

/* What was recorded of each, in memory that children share. */
static uint64_t *recorded;

static void record(unsigned index, bool success)
{
	promcb_record(components[index], 1000 + index, success);
	promcb_add_relaxed(&recorded[index], 1);
}

static void name_of(char name[32], unsigned index)
{
	snprintf(name, 32, "component %u", index);
}

static void find_component(unsigned index)
{
	char name[32];

	name_of(name, index);
	promcb_store_pointer_release((void **)&components[index], stress_component(metrics, name));
}

/* Every component's total is what was recorded. Returns the snapshot. */
static struct promcb_snapshot *expect(const char *how)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	uint64_t all = 0;

	for (unsigned index = 0; index < NAMES; index++) {
		char name[32];

		name_of(name, index);
		const struct promcb_snapshot_component *found = stress_find(snapshot, name);
		uint64_t is = found ? found->counts.calls[0] + found->counts.calls[1] : 0,
			 expected = promcb_load_acquire(&recorded[index]);

		CHECK(is == expected, "%s: %s has %llu calls, %llu were recorded", how, name, (unsigned long long)is,
		      (unsigned long long)expected);
		all += is;
	}
	CHECK(snapshot->info.dropped_calls == 0, "%s: dropped calls", how);
	stress_check_segment();
	printf("%s: %llu calls, exact; %llu by overflow, %d + %d lanes, %llu bytes\n", how, (unsigned long long)all,
	       (unsigned long long)snapshot->info.overflow_calls, snapshot->info.lanes_live, snapshot->info.lanes_idle,
	       (unsigned long long)snapshot->info.used_bytes);
	return snapshot;
}

/* Whoever has ended has given back what it recorded with, however it ended. */
static void expect_all_given_back(const char *how)
{
	const struct promcb_recorder *recorder;
	struct promcb_saved_state way;
	unsigned kept = 0;

	promcb_process_enter(&way);
	for (recorder = promcb_process->recorders; recorder; recorder = recorder->next)
		kept += recorder->thread && recorder->thread != (int32_t)gettid();
	promcb_process_leave(&way);
	CHECK(kept == 0, "%s: %u recorders of threads that are no more", how, kept);
}

static void begin(const struct promcb_options *options)
{
	stress_remove();
	memset(recorded, 0, NAMES * sizeof(*recorded));
	memset(components, 0, sizeof(components));
	metrics = stress_open(options);
}

static void end(struct promcb_snapshot *snapshot)
{
	promcb_snapshot_free(snapshot);
	promcb_close(metrics);
}

/* -- More threads than lanes -------------------------------------------------------------------------------------- */

static uint64_t crowd_calls;
static uint64_t arrived;

static void *be_in_a_crowd(void *argument)
{
	unsigned from = (unsigned)(uintptr_t)argument;

	for (uint64_t k = 0; k < crowd_calls; k++) {
		record((from + (unsigned)(k % 5)) % 32, k % 9 != 0);
		if (k == 0) {
			/* All have begun before any ends, so that lanes are short. */
			promcb_add_relaxed(&arrived, 1);
			while (promcb_load_relaxed(&arrived) < CROWD)
				sched_yield();
		}
	}
	return NULL;
}

static void crowd(void)
{
	const struct promcb_options options = {.lanes = LANES, .components = 64};
	pthread_t threads[CROWD];

	begin(&options);
	for (unsigned index = 0; index < 32; index++)
		find_component(index);
	crowd_calls = stress_scale(20000);
	/* Twice: the lanes of the first crowd are there for the second. */
	for (unsigned round = 0; round < 2; round++) {
		arrived = 0;
		for (unsigned t = 0; t < CROWD; t++)
			CHECK(pthread_create(&threads[t], NULL, be_in_a_crowd, (void *)(uintptr_t)t) == 0, "thread");
		for (unsigned t = 0; t < CROWD; t++)
			pthread_join(threads[t], NULL);
	}
	struct promcb_snapshot *snapshot = expect("a crowd");

	CHECK(snapshot->info.overflow_calls > 0, "there were lanes for all");
	CHECK(snapshot->info.lanes_live + snapshot->info.lanes_idle <= LANES, "more lanes than there are");
	end(snapshot);
}

/* -- Short threads ------------------------------------------------------------------------------------------------ */

static uint64_t ended;

static void *be_short(void *argument)
{
	unsigned from = (unsigned)(uintptr_t)argument;

	for (unsigned k = 0; k < 40; k++)
		record((from + k) % 40, true);
	promcb_add_relaxed(&ended, 1);
	return NULL;
}

static void short_threads(void)
{
	uint64_t rounds = stress_scale(400), started = 0, bytes = 0;
	pthread_attr_t detached;

	begin(NULL);
	for (unsigned index = 0; index < 40; index++)
		find_component(index);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (uint64_t round = 0; round < rounds; round++) {
		for (unsigned t = 0; t < WIDTH; t++, started++) {
			pthread_t thread;

			CHECK(pthread_create(&thread, &detached, be_short, (void *)(uintptr_t)t) == 0, "thread");
		}
		while (promcb_load_acquire(&ended) < started)
			sched_yield();
		if (round == rounds / 10) {
			struct promcb_snapshot *early = stress_snapshot(PROMCB_ACCESS_COPY);

			bytes = early->info.used_bytes;
			promcb_snapshot_free(early);
		}
	}
	struct promcb_snapshot *snapshot = expect("short threads");

	/* A detached thread may still be ending when the next begins: a few more than run at once. */
	CHECK(snapshot->info.lanes_live + snapshot->info.lanes_idle <= 4 * WIDTH,
	      "%llu threads, %d at a time, took %d lanes", (unsigned long long)started, WIDTH,
	      snapshot->info.lanes_live + snapshot->info.lanes_idle);
	CHECK(snapshot->info.used_bytes <= bytes + (4 << 20), "memory grew from %llu to %llu bytes",
	      (unsigned long long)bytes, (unsigned long long)snapshot->info.used_bytes);
	end(snapshot);
}

/* -- Handlers in the slow path ------------------------------------------------------------------------------------ */

static uint64_t handled;
static timer_t alarm_timer;

/*
 * Shortly, once: after a handler, time passes before the next, also where a machine is so busy, or a sanitizer so slow,
 * that a handler takes longer than that.
 */
static int set_alarm(void)
{
	const struct itimerspec shortly = {.it_value = {.tv_nsec = 20000}};

	return timer_settime(alarm_timer, 0, &shortly, NULL);
}

static void on_alarm(int number)
{
	uint64_t round = promcb_add_relaxed(&handled, 1);
	int error = errno;

	(void)number;
	for (unsigned k = 0; k < 3; k++) {
		unsigned index = (unsigned)(round * 7 + k * 61) % NAMES;

		/* The newest too, whose registration this may have interrupted. */
		if (promcb_load_pointer_acquire((void *const *)&components[index]))
			record(index, k != 1);
	}
	/* Not for a timer that was deleted meanwhile. */
	set_alarm();
	errno = error;
}

static void *record_everything(void *argument)
{
	(void)argument;
	for (unsigned k = 0; k < NAMES; k++)
		if (promcb_load_pointer_acquire((void *const *)&components[k]))
			for (unsigned call = 0; call < 70; call++)
				record(k, call % 5 != 0);
	return NULL;
}

/* Registration, growth and lanes, all of them over and over, each interrupted by a handler that wants the same. */
static void handlers(void)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	unsigned rounds = (unsigned)stress_scale(40);
	pthread_t threads[2];

	sigaction(SIGALRM, &action, NULL);
	for (unsigned round = 0; round < rounds; round++) {
		const struct promcb_options options = {.lanes = round % 2 ? 2 : 8};

		begin(&options);
		find_component(0);
		CHECK(timer_create(CLOCK_MONOTONIC, NULL, &alarm_timer) == 0 && set_alarm() == 0, "timer");
		for (unsigned index = 1; index < NAMES; index++) {
			find_component(index);
			record(index, true);
			if (index % 20 == 0) {
				for (unsigned t = 0; t < 2; t++)
					CHECK(pthread_create(&threads[t], NULL, record_everything, NULL) == 0,
					      "thread");
				for (unsigned t = 0; t < 2; t++)
					pthread_join(threads[t], NULL);
			}
		}
		timer_delete(alarm_timer);
		/* One may be pending still. */
		signal(SIGALRM, SIG_IGN);
		struct promcb_snapshot *snapshot = expect("handlers");

		expect_all_given_back("handlers");
		end(snapshot);
		sigaction(SIGALRM, &action, NULL);
	}
	signal(SIGALRM, SIG_DFL);
	CHECK(handled > 0, "no handler ran");
	printf("%llu handlers\n", (unsigned long long)handled);
}

/* -- The end of threads ------------------------------------------------------------------------------------------- */

#ifndef __SANITIZE_THREAD__
#define __SANITIZE_THREAD__ 0
#endif

static pthread_key_t early_key, late_key;

/* Comes again as long as the C library lets it, so also after promcb has taken its leave of the thread. */
static void at_thread_end(void *value)
{
	uintptr_t round = (uintptr_t)value / 4;
	unsigned index = (unsigned)((uintptr_t)value % 4);

	for (unsigned k = 0; k < 3; k++)
		record(index, true);
	/* ThreadSanitizer leaves the thread in the fourth round, before this. */
	if (!__SANITIZE_THREAD__ || round < 2)
		pthread_setspecific(index == 1 ? early_key : late_key, (void *)(round * 4 + 4 + index));
}

static void *end_with_records(void *argument)
{
	(void)argument;
	pthread_setspecific(early_key, (void *)(uintptr_t)1);
	pthread_setspecific(late_key, (void *)(uintptr_t)2);
	record(0, true);
	return NULL;
}

static void thread_ends(void)
{
	uint64_t rounds = stress_scale(500);
	pthread_t threads[4];

	begin(NULL);
	for (unsigned index = 0; index < 3; index++)
		find_component(index);
	for (uint64_t round = 0; round < rounds; round++) {
		for (unsigned t = 0; t < 4; t++)
			CHECK(pthread_create(&threads[t], NULL, end_with_records, NULL) == 0, "thread");
		for (unsigned t = 0; t < 4; t++)
			pthread_join(threads[t], NULL);
	}
	struct promcb_snapshot *snapshot = expect("ends of threads");

	CHECK(recorded[1] >= 3 * 4 * rounds && recorded[2] >= 3 * 4 * rounds, "the destructors did not run");
	CHECK(snapshot->info.lanes_live + snapshot->info.lanes_idle <= 32, "%llu ends of threads took %d lanes",
	      (unsigned long long)(4 * rounds), snapshot->info.lanes_live + snapshot->info.lanes_idle);
	expect_all_given_back("ends of threads");
	end(snapshot);
}

/* -- Close -------------------------------------------------------------------------------------------------------- */

static uint64_t go_on, closed;

static void *record_across_close(void *argument)
{
	(void)argument;
	record(0, true);
	promcb_add_relaxed(&arrived, 1);
	while (!promcb_load_acquire(&closed))
		sched_yield();
	/* Of a segment that is closed: dropped. */
	for (unsigned k = 0; k < 1000; k++) {
		promcb_record(components[k % 4], 1000, k % 3 != 0);
		promcb_count_log(components[k % 4], PROMCB_LOG_INFO);
		promcb_set_state(components[k % 4], PROMCB_CLOSED);
		promcb_stop(components[k % 4], promcb_start(), true);
	}
	promcb_add_relaxed(&arrived, 1);
	while (!promcb_load_acquire(&go_on))
		sched_yield();
	/* Opened again: it counts. */
	for (unsigned k = 0; k < 1000; k++)
		record(k % 4, true);
	return NULL;
}

static uint64_t total_of(const struct promcb_snapshot *snapshot, unsigned count)
{
	uint64_t sum = 0;

	for (unsigned index = 0; index < count; index++) {
		char name[32];

		name_of(name, index);
		const struct promcb_snapshot_component *found = stress_find(snapshot, name);

		sum += found ? found->counts.calls[0] + found->counts.calls[1] : 0;
	}
	return sum;
}

static void close_and_open(void)
{
	struct promcb_snapshot *snapshot;
	struct promcb_session *twice;
	pthread_t threads[4];
	uint64_t before, after;

	begin(NULL);
	for (unsigned index = 0; index < 4; index++)
		find_component(index);
	twice = stress_open(NULL);
	for (unsigned k = 0; k < 1000; k++)
		record(k % 4, true);
	/* Opened twice, closed once: open. */
	promcb_close(twice);
	for (unsigned k = 0; k < 1000; k++)
		record(k % 4, true);
	arrived = 0;
	for (unsigned t = 0; t < 4; t++)
		CHECK(pthread_create(&threads[t], NULL, record_across_close, NULL) == 0, "thread");
	while (promcb_load_acquire(&arrived) < 4)
		sched_yield();
	promcb_snapshot_free(expect("opened twice, closed once"));
	snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	before = total_of(snapshot, 4);
	promcb_snapshot_free(snapshot);
	promcb_close(metrics);
	/* Late records of this thread, which holds nothing now: dropped, without harm. */
	for (unsigned k = 0; k < 1000; k++) {
		promcb_record(components[k % 4], 1000, true);
		promcb_record(components[k % 4], 0, false);
		promcb_count_log(components[k % 4], PROMCB_LOG_ERROR);
		promcb_set_state(components[k % 4], PROMCB_OPEN);
		promcb_stop(components[k % 4], promcb_start(), false);
	}
	snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	CHECK(total_of(snapshot, 4) == before && stress_find(snapshot, "component 0")->state == PROMCB_CLOSED,
	      "late records were counted: %llu calls, %llu before", (unsigned long long)total_of(snapshot, 4),
	      (unsigned long long)before);
	promcb_snapshot_free(snapshot);
	promcb_store_release(&closed, 1);
	while (promcb_load_acquire(&arrived) < 8)
		sched_yield();
	stress_check_segment();
	snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	after = total_of(snapshot, 4);
	CHECK(after == before, "%llu late calls of threads that held a block", (unsigned long long)(after - before));
	promcb_snapshot_free(snapshot);
	metrics = stress_open(NULL);
	for (unsigned k = 0; k < 1000; k++)
		record(k % 4, false);
	promcb_store_release(&go_on, 1);
	for (unsigned t = 0; t < 4; t++)
		pthread_join(threads[t], NULL);
	end(expect("opened again"));
}

/* -- The end of the process --------------------------------------------------------------------------------------- */

static bool in_ending_process, closed_before_end;

static void record_at_exit(void)
{
	if (!in_ending_process)
		return;
	for (unsigned k = 0; k < 100; k++)
		if (closed_before_end)
			promcb_record(components[k % 4], 1000, k % 7 != 0);
		else
			record(k % 4, k % 7 != 0);
}

__attribute__((destructor)) static void record_in_destructor(void)
{
	record_at_exit();
}

static void process_ends(void)
{
	begin(NULL);
	for (unsigned index = 0; index < 4; index++)
		find_component(index);
	for (unsigned closes = 0; closes < 2; closes++)
		for (unsigned i = 0; i < 10; i++) {
			pid_t child = fork();

			CHECK(child >= 0, "fork");
			if (child == 0) {
				in_ending_process = true;
				atexit(record_at_exit);
				record_at_exit();
				if (closes) {
					promcb_close(metrics);
					closed_before_end = true;
				}
				exit(0);
			}
			CHECK(stress_wait(child) == 0, "a process did not end well");
		}
	/* Two kinds of ten; the first record three times, the second once. */
	CHECK(recorded[0] + recorded[1] + recorded[2] + recorded[3] == 10 * 300 + 10 * 100, "a handler did not run");
	end(expect("ends of processes"));
}

int main(void)
{
	stress_begin("threads");
	recorded = mmap(NULL, NAMES * sizeof(*recorded), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(recorded != MAP_FAILED, "mmap");
	/* One key before promcb has its own, one after. */
	CHECK(pthread_key_create(&early_key, at_thread_end) == 0, "key");
	crowd();
	CHECK(pthread_key_create(&late_key, at_thread_end) == 0, "key");
	short_threads();
	handlers();
	thread_ends();
	close_and_open();
	process_ends();
	stress_remove();
	return 0;
}

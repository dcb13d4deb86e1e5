/* SPDX-License-Identifier: MIT */
/*
 * torture_hosts: programs that fork and cancel threads in the middle of a call.
 *
 * Invariants, each by exact totals or bounds of what was in flight, and none hangs:
 *   - handlers of pthread_atfork(3), registered before promcb's or after, record, register and set states, and fork, in
 *     each way, and count in series and ask breakers; a child has no lane more than its threads; they may take a lock
 *     after promcb's own that threads hold when they record, count, set a gauge that the process has set before, or
 *     set or ask for a state; and wait for the end of threads that have recorded;
 *   - a thread that is cancelled, at once or at a cancellation point, leaves no mutex locked, no descriptor and no
 *     mapping.
 */
#include "hosts.h"

#include "series.h"

#include <promcb/breaker.h>

#include <sys/syscall.h>

/* -- Series and breakers ------------------------------------------------------------------------------------------ */

static struct promcb_counter *counter;
static struct promcb_gauge *gauge;
static struct promcb_breaker *breaker;

static void start_series(void)
{
	const struct promcb_policy policy = {.consecutive = 1, .open_ms = 1};
	struct promcb_metric_family *family =
		series_family(metrics, (struct promcb_family_spec){.name = "used", .type = PROMCB_GAUGE});

	CHECK(promcb_gauge_with(family, NULL, &gauge) == 0, "gauge");
	family = series_family(metrics, (struct promcb_family_spec){.name = "adds_total", .type = PROMCB_COUNTER});
	counter = series_counter(family, NULL);
	CHECK(promcb_breaker(known, &policy, &breaker) == 0, "breaker");
	promcb_count_error(known, PROMCB_ERROR_OTHER);
}

static void use_series(void)
{
	struct promcb_token token;

	promcb_counter_add(counter, 1);
	__atomic_add_fetch(&counts->added, 1, __ATOMIC_RELAXED);
	promcb_count_error(known, PROMCB_ERROR_OTHER);
	promcb_retry_after(breaker);
	__atomic_add_fetch(&counts->begun, 1, __ATOMIC_RELAXED);
	if (promcb_begin(breaker, &token)) {
		promcb_end(breaker, &token, PROMCB_FAILURE);
		__atomic_add_fetch(&counts->done, 1, __ATOMIC_RELAXED);
	}
}

static void expect_added(void)
{
	CHECK(series_total("adds_total", NULL, 0) == counts->added, "adds are missing, or too many");
}

/* -- Handlers of fork --------------------------------------------------------------------------------------------- */

/* Which of the six handlers do something: prepare, parent, child of the early ones, then of the late ones. */
static unsigned active;

static unsigned freshly_used;

static void in_handler(unsigned which)
{
	char name[32];
	struct promcb_component *component;

	if (!metrics || !(active >> which & 1))
		return;
	record_one(known);
	record_one(fresh[freshly_used++ % FRESH]);
	promcb_set_state(known, (enum promcb_state)(which % 3));
	promcb_count_log(known, PROMCB_LOG_INFO);
	use_series();
	snprintf(name, sizeof(name), "by_handler%u", which);
	if (promcb_component(metrics, name, &component) == 0)
		record_one(component);
}

/* A lock of the application's, which the early handlers take: after promcb's own. */
static pthread_mutex_t application = PTHREAD_MUTEX_INITIALIZER;
static bool locks;

/* How the earliest handler forks, if it does. */
static pid_t (*forks)(void);

static pid_t fork_plainly(void)
{
	return fork();
}

static pid_t fork_without_handlers(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

/* The child records, and so do both sides of a fork that is made in a handler of the first one. */
__attribute__((noinline)) static void fork_in_handler(void)
{
	pid_t (*how)(void) = forks;
	pid_t child;

	if (!how)
		return;
	forks = NULL;
	child = how == vfork ? vfork() : how();
	if (child == 0) {
		record_one(known);
		_exit(0);
	}
	CHECK(stress_wait(child) == 0, "a handler's child");
	forks = how;
}

/* A thread of the application's, which the earliest handler ends, as pools do that are stopped before a fork. */
static bool ends;
static pthread_t worker;
static uint64_t must_end;

static void *work_until_fork(void *argument)
{
	while (!__atomic_load_n(&must_end, __ATOMIC_ACQUIRE))
		record_one(known);
	return argument;
}

static void start_worker(void)
{
	__atomic_store_n(&must_end, 0, __ATOMIC_RELEASE);
	CHECK(pthread_create(&worker, NULL, work_until_fork, NULL) == 0, "thread");
}

static void end_worker(void)
{
	__atomic_store_n(&must_end, 1, __ATOMIC_RELEASE);
	CHECK(pthread_join(worker, NULL) == 0, "join");
}

static void early_prepare(void)
{
	in_handler(0);
	fork_in_handler();
	in_handler(0);
	if (ends)
		end_worker();
	if (locks)
		pthread_mutex_lock(&application);
}
static void early_parent(void)
{
	if (locks)
		pthread_mutex_unlock(&application);
	in_handler(1);
}
static void early_child(void)
{
	if (locks)
		pthread_mutex_unlock(&application);
	in_handler(2);
}
static void late_prepare(void)
{
	in_handler(3);
}
static void late_parent(void)
{
	in_handler(4);
}
static void late_child(void)
{
	in_handler(5);
}

/* Before the library's own constructor. */
__attribute__((constructor(101))) static void register_early(void)
{
	pthread_atfork(early_prepare, early_parent, early_child);
}

static void fork_with_handlers(void)
{
	for (active = 0; active < 64; active++) {
		struct promcb_segment_info info;
		int started[2];
		pid_t children[3];
		char byte;

		start();
		start_series();
		CHECK(pipe(started) == 0, "pipe");
		for (unsigned i = 0; i < 3; i++) {
			children[i] = fork();
			if (children[i] == 0) {
				for (unsigned k = 0; k < 100; k++)
					record_one(fresh[k % FRESH]);
				CHECK(write(started[1], "", 1) == 1, "write");
				for (;;)
					pause();
			}
		}
		for (unsigned i = 0; i < 3; i++)
			CHECK(read(started[0], &byte, 1) == 1, "read");
		CHECK(total(&info) == counts->done, "handlers %#x: %llu calls, expected %llu", active,
		      (unsigned long long)total(NULL), (unsigned long long)counts->done);
		CHECK(info.lanes_live == 4 && info.producers == 4 && info.overflow_calls == 0,
		      "handlers %#x: 4 processes of one thread have %d lanes, are %d producers; %llu overflow calls",
		      active, info.lanes_live, info.producers, (unsigned long long)info.overflow_calls);
		expect_added();
		for (unsigned i = 0; i < 3; i++) {
			kill(children[i], SIGKILL);
			stress_wait(children[i]);
		}
		close(started[0]);
		close(started[1]);
		promcb_close(metrics);
	}
}

static void *record_beside(void *argument)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		promcb_reset(metrics, "nobody");
		record_one(known);
	}
	return argument;
}

static bool signals_are_free(void)
{
	sigset_t blocked;

	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	return !sigismember(&blocked, SIGTERM);
}

static void fork_in_handlers(void)
{
	pid_t (*const ways[])(void) = {fork_plainly, fork_without_handlers, vfork};

	start();
	start_series();
	for (unsigned way = 0; way < 3; way++) {
		pthread_t beside;

		active = way == 0 ? 0 : 63;
		stop = 0;
		CHECK(pthread_create(&beside, NULL, record_beside, NULL) == 0, "thread");
		for (unsigned round = 0; round < 40; round++) {
			pid_t child;

			forks = ways[way];
			child = fork();
			if (child == 0) {
				record_one(known);
				_exit(signals_are_free() ? 0 : 2);
			}
			CHECK(stress_wait(child) == 0 && signals_are_free(), "way %u: after a fork in a fork", way);
			forks = NULL;
		}
		__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
		pthread_join(beside, NULL);
		CHECK(total(NULL) == counts->done, "way %u: %llu calls, expected %llu", way,
		      (unsigned long long)total(NULL), (unsigned long long)counts->done);
	}
	stress_check_segment();
}

static void *record_under_lock(void *argument)
{
	for (unsigned i = 0; i < FRESH; i++) {
		pthread_mutex_lock(&application);
		/* Before the thread has a lease, and an entry. */
		promcb_state(fresh[i]);
		record_one(fresh[i]);
		promcb_set_state(fresh[i], (enum promcb_state)(i % 3));
		promcb_count_log(fresh[i], PROMCB_LOG_INFO);
		promcb_count_bad_lines(metrics, 1);
		use_series();
		promcb_gauge_add(gauge, 1);
		promcb_gauge_set(gauge, 1);
		pthread_mutex_unlock(&application);
	}
	return argument;
}

static void *start_recorders(void *argument)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		pthread_t recorder;

		CHECK(pthread_create(&recorder, NULL, record_under_lock, NULL) == 0, "thread");
		pthread_join(recorder, NULL);
	}
	return argument;
}

static void fork_under_locks(void)
{
	pthread_t beside[2];

	start();
	start_series();
	promcb_gauge_set(gauge, 1);
	stop = active = 0;
	locks = true;
	for (unsigned i = 0; i < 2; i++)
		CHECK(pthread_create(&beside[i], NULL, start_recorders, NULL) == 0, "thread");
	for (uint64_t round = stress_scale(1000); round; round--) {
		pid_t child = fork();

		if (child == 0) {
			record_one(known);
			promcb_gauge_set(gauge, 1);
			use_series();
			_exit(0);
		}
		CHECK(stress_wait(child) == 0, "child");
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(beside[i], NULL);
	CHECK(total(NULL) == counts->done, "%llu calls, expected %llu", (unsigned long long)total(NULL),
	      (unsigned long long)counts->done);
	expect_added();
	stress_check_segment();
}

/* What a thread has that ended meanwhile comes back to the next. */
static void end_threads_in_fork(void)
{
	struct promcb_segment_info info;

	start();
	active = 0;
	ends = true;
	for (uint64_t round = stress_scale(400); round; round--) {
		start_worker();
		pid_t child = fork();

		if (child == 0) {
			record_one(known);
			_exit(0);
		}
		CHECK(stress_wait(child) == 0, "child");
	}
	ends = false;
	CHECK(total(&info) == counts->done, "%llu calls, expected %llu", (unsigned long long)total(NULL),
	      (unsigned long long)counts->done);
	CHECK(info.lanes_live <= 3, "lanes_of_the_dead: %d are live, of one thread", info.lanes_live);
	stress_check_segment();
}

/* -- Cancellation ------------------------------------------------------------------------------------------------- */

static void (*cancelled_work)(unsigned round);

static void set_states(unsigned round)
{
	promcb_set_state(known, (enum promcb_state)(round % 3));
	record_one(fresh[round % FRESH]);
}

static void open_and_close(unsigned round)
{
	struct promcb_session *again;

	(void)round;
	if (promcb_open(stress_segment, NULL, &again) == 0)
		promcb_close(again);
	promcb_reset(metrics, "nobody");
}

static int take_bytes(void *context, const void *bytes, size_t length)
{
	(void)context;
	(void)bytes;
	(void)length;
	return 0;
}

static int look_at(void *context, const char *segment, bool usable)
{
	(void)context;
	(void)segment;
	(void)usable;
	return 0;
}

static void read_and_render(unsigned round)
{
	struct promcb_reader_options options = {.access = round % 2 ? PROMCB_ACCESS_COPY : PROMCB_ACCESS_MAPPED};
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;

	if (promcb_reader_open(stress_segment, &options, &reader, NULL) == 0) {
		promcb_reader_validate(reader);
		if (promcb_reader_snapshot(reader, NULL, &snapshot, NULL) == 0) {
			promcb_render(snapshot, PROMCB_FORMAT_TEXT, NULL, take_bytes, NULL);
			promcb_snapshot_free(snapshot);
		}
		promcb_reader_close(reader);
	}
	promcb_list(NULL, look_at, NULL);
}

static void *work_deferred(void *argument)
{
	for (unsigned round = 0;; round++) {
		cancelled_work(round);
		pthread_testcancel();
	}
	return argument;
}

static void *work_asynchronous(void *argument)
{
	int type;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	for (unsigned round = 0;; round++)
		cancelled_work(round);
	return argument;
}

static void cancel_threads(void *(*work)(void *), uint64_t rounds)
{
	uint64_t random = 88172645463325252u;
	unsigned descriptors, mapped;

	start();
	descriptors = stress_descriptors();
	mapped = stress_mappings(stress_segment);
	for (uint64_t round = 0; round < rounds; round++) {
		pthread_t thread;

		CHECK(pthread_create(&thread, NULL, work, NULL) == 0, "thread");
		for (uint64_t spins = stress_random(&random) % (round % 2 ? 3000 : 50000); spins; spins--)
			__asm__ volatile("");
		pthread_cancel(thread);
		pthread_join(thread, NULL);
		/* Of a thread that nobody cancels. */
		promcb_set_state(known, (enum promcb_state)(round % 3));
	}
	expect_total();
	CHECK(stress_descriptors() <= descriptors + 1, "%u descriptors, %u before", stress_descriptors(), descriptors);
	CHECK(stress_mappings(stress_segment) <= mapped + 1, "%u mappings, %u before", stress_mappings(stress_segment),
	      mapped);
}

static void cancel_states_asynchronously(void)
{
	cancelled_work = set_states;
	cancel_threads(work_asynchronous, stress_scale(8000));
}

static void cancel_states_deferred(void)
{
	cancelled_work = set_states;
	cancel_threads(work_deferred, stress_scale(2000));
}

static void cancel_opens(void)
{
	cancelled_work = open_and_close;
	cancel_threads(work_deferred, stress_scale(1500));
}

static void cancel_readers(void)
{
	cancelled_work = read_and_render;
	cancel_threads(work_deferred, stress_scale(1500));
}

int main(void)
{
	if (stress_emulated()) {
		printf("an emulator's vfork and clone are others\n");
		return 77;
	}
	hosts_begin("hosts");
	pthread_atfork(late_prepare, late_parent, late_child);
	stress_in_child("handlers of fork", fork_with_handlers, DEADLINE_S);
#ifdef __GLIBC__ /* others hold a lock while handlers run, musl for one */
	stress_in_child("forks in handlers of fork", fork_in_handlers, DEADLINE_S);
#endif
	stress_in_child("forks and records under one lock", fork_under_locks, DEADLINE_S);
	stress_in_child("threads that handlers of fork end", end_threads_in_fork, DEADLINE_S);
	stress_in_child("states, cancelled asynchronously", cancel_states_asynchronously, DEADLINE_S);
	stress_in_child("states, cancelled", cancel_states_deferred, DEADLINE_S);
	stress_in_child("opens, cancelled", cancel_opens, DEADLINE_S);
	stress_in_child("readers, cancelled", cancel_readers, DEADLINE_S);
	stress_remove();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * bench_breaker: what does a circuit breaker that all processes share add to a record?
 *
 * floor: the record alone, of the same component. Beside a closed breaker, in the same run, what others are made of,
 * each with the record: two shared counters (one atomic addition before the call and one after), a robust mutex that
 * processes share (locked before and after), a System V semaphore (taken and given, with undo). Then calls of which
 * one in a hundred fails; calls that are refused, since it is open, and since all permits of a half-open one are
 * leased; and probes, which are ignored, so that it stays half-open.
 *
 * Usage: bench_breaker [ROUNDS [MILLISECONDS]]
 */
#include "bench.h"

#include <promcb/admin.h>
#include <promcb/breaker_inline.h>

#include <sys/ipc.h>
#include <sys/sem.h>

static struct promcb_component *component;
static struct promcb_breaker *closed, *opened, *leased, *probed;
static uint64_t base_ns;
static int semaphores = -1;

/* On lines of their own. */
static struct shared {
	uint64_t begun __attribute__((aligned(128)));
	uint64_t ended __attribute__((aligned(128)));
	pthread_mutex_t mutex __attribute__((aligned(128)));
} * shared;

static void floor_inlined(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(promcb_record_at_inline(component, latency_ns, true, base_ns));
}

static void floor_called(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(promcb_record_at(component, latency_ns, true, base_ns));
}

static void guarded_inlined(unsigned worker, uint64_t count)
{
	struct promcb_token token;

	BENCH_EACH_CALL(if (promcb_allow_inline(closed, &token))
				promcb_done_at_inline(closed, &token, latency_ns, PROMCB_SUCCESS, base_ns));
}

static void guarded_called(unsigned worker, uint64_t count)
{
	struct promcb_token token;

	BENCH_EACH_CALL(if (promcb_allow(closed, &token))
				promcb_done_at(closed, &token, latency_ns, PROMCB_SUCCESS, base_ns));
}

static void shared_counters(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(promcb_add_relaxed(&shared->begun, 1); promcb_record_at(component, latency_ns, true, base_ns);
			promcb_add_relaxed(&shared->ended, 1));
}

static void take_mutex(void)
{
	if (pthread_mutex_lock(&shared->mutex) == 0) {
		shared->begun++;
		pthread_mutex_unlock(&shared->mutex);
	}
}

static void robust_mutex(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(take_mutex(); promcb_record_at(component, latency_ns, true, base_ns); take_mutex());
}

static void change_semaphore(short by)
{
	struct sembuf operation = {.sem_op = by, .sem_flg = SEM_UNDO};

	semop(semaphores, &operation, 1);
}

static void semaphore(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(change_semaphore(-1); promcb_record_at(component, latency_ns, true, base_ns);
			change_semaphore(1));
}

static void floor_failing(unsigned worker, uint64_t count)
{
	BENCH_EACH_CALL(promcb_record_at(component, latency_ns, success, base_ns));
}

static void guarded_failing(unsigned worker, uint64_t count)
{
	struct promcb_token token;

	BENCH_EACH_CALL(if (promcb_allow(closed, &token)) promcb_done_at(
		closed, &token, latency_ns, success ? PROMCB_SUCCESS : PROMCB_TIMEOUT, base_ns));
}

static void refused_open(unsigned worker, uint64_t count)
{
	struct promcb_token token;

	BENCH_EACH_CALL(promcb_allow(opened, &token));
}

static void refused_half_open(unsigned worker, uint64_t count)
{
	struct promcb_token token;

	BENCH_EACH_CALL(promcb_allow(leased, &token));
}

static void probes(unsigned worker, uint64_t count)
{
	struct promcb_token token;

	BENCH_EACH_CALL(if (promcb_allow(probed, &token))
				promcb_done_at(probed, &token, latency_ns, PROMCB_IGNORED, base_ns));
}

/* A breaker of a component of its own; half-open if it is open for a moment only. */
static struct promcb_breaker *make(struct promcb_session *p, const char *name, uint32_t open_ms, uint32_t permits)
{
	const struct promcb_policy policy = {
		.window_ms = 3600000, .open_ms = open_ms, .probes = permits, .successes = 255, .lease_ms = 86400000};
	struct promcb_breaker *breaker;
	struct promcb_token token;

	if (promcb_component(p, name, &component) < 0 || promcb_breaker(component, &policy, &breaker) < 0) {
		fprintf(stderr, "bench_breaker: no breaker\n");
		exit(1);
	}
	if (open_ms)
		promcb_breaker_trip(breaker, 0);
	if (open_ms == 1)
		while (!promcb_allow(breaker, &token))
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	if (open_ms == 1 && permits > 1)
		promcb_done_at(breaker, &token, 1000, PROMCB_IGNORED, base_ns);
	return breaker;
}

static void make_others(void)
{
	pthread_mutexattr_t attributes;

	shared = (struct shared *)bench_shared_memory(sizeof(*shared));
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&shared->mutex, &attributes);
	semaphores = semget(IPC_PRIVATE, 1, 0600);
	if (semaphores >= 0)
		semctl(semaphores, 0, SETVAL, 1000);
}

int main(int argc, char **argv)
{
	struct bench_arguments arguments = bench_arguments(argc, argv);
	struct bench_case cases[] = {
		{"breaker", "allow + done inlined", "floor", floor_inlined, 0, 64, 0},
		{"breaker", "allow + done inlined", "promcb", guarded_inlined, 0, 64, 0},
		{"breaker", "allow + done", "floor", floor_called, 0, 64, 0},
		{"breaker", "allow + done", "promcb", guarded_called, 0, 64, 0},
		{"breaker", "allow + done", "shared counters", shared_counters, 0, 64, 0},
		{"breaker", "allow + done", "robust mutex", robust_mutex, 0, 64, 0},
		{"breaker", "1 % failures", "floor", floor_failing, 0, 64, 0},
		{"breaker", "1 % failures", "promcb", guarded_failing, 0, 64, 0},
		{"breaker", "refused while open", "promcb", refused_open, 0, 64, 0},
		{"breaker", "refused while half-open", "promcb", refused_half_open, 0, 64, 0},
		{"breaker", "probe", "promcb", probes, 0, 64, 0},
		/* The last, since there may be none. */
		{"breaker", "allow + done", "semaphore", semaphore, 0, 64, 0},
	};
	const char *segment = bench_segment();
	struct promcb_session *p;

	bench_make_latencies();
	make_others();
	if (promcb_open(segment, NULL, &p) < 0) {
		fprintf(stderr, "bench_breaker: cannot open %s\n", segment);
		return 1;
	}
	base_ns = bench_now_ns();
	opened = make(p, "open", 86400000, 3);
	leased = make(p, "leased", 1, 1);
	probed = make(p, "probed", 1, 8);
	closed = make(p, "closed", 0, 3);
	bench_run(cases, sizeof(cases) / sizeof(cases[0]) - (semaphores < 0), arguments, BENCH_TWO_PROCESSES);
	if (semaphores >= 0)
		semctl(semaphores, 0, IPC_RMID);
	promcb_close(p);
	promcb_remove(segment, true, NULL);
	return 0;
}

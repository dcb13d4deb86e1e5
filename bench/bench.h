/* SPDX-License-Identifier: MIT */
/*
 * bench.h: what the benchmarks share: latencies as real ones are, workers pinned to processors, and rows.
 *
 * A case is a function that does count operations. It is done by one thread, by two threads, or by two processes, each
 * on a processor of its own, and a row of CSV says what one operation took, as each worker sees it:
 *
 *   group,what,who,x,y,workers,unit,value
 *
 * what and group say which row of the report it belongs to, who which column; x and y are numbers that the group
 * explains (components, lanes, scrapes a second; 0: none). A program measures its cases in turn, round after round, so
 * that a drifting machine hits all alike. report.py makes the table: minimum and median, and ratios of one run.
 *
 * May include: atomic.h. Compiles as C11 and as C++20, since a peer is C++.
 */
#ifndef PROMCB_BENCH_H
#define PROMCB_BENCH_H

#include <promcb/atomic.h>

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BENCH_WORKERS_MAX = 2, BENCH_LATENCIES = 65536 };

enum bench_workers { BENCH_ONE_THREAD, BENCH_TWO_THREADS, BENCH_TWO_PROCESSES };

struct bench_case {
	const char *group;
	const char *what;
	const char *who;
	void (*run)(unsigned worker, uint64_t count);
	uint64_t x;
	uint64_t warm;          /* operations before each measurement, at least */
	uint64_t count;         /* operations of a measurement; filled by bench_run() */
};

/* What every program takes: PROGRAM [ROUNDS [MILLISECONDS]], of one measurement. */
struct bench_arguments {
	unsigned rounds;
	uint64_t budget_ns;
};

static uint32_t bench_latency_ns[BENCH_LATENCIES];
static uint8_t bench_success[BENCH_LATENCIES];

static inline struct bench_arguments bench_arguments(int argc, char **argv)
{
	struct bench_arguments arguments;
	long rounds = argc > 1 ? atol(argv[1]) : 5;
	long milliseconds = argc > 2 ? atol(argv[2]) : 20;

	setvbuf(stdout, NULL, _IOLBF, 0);
	arguments.rounds = rounds > 0 ? (unsigned)rounds : 1;
	arguments.budget_ns = (uint64_t)(milliseconds > 0 ? milliseconds : 1) * 1000000;
	return arguments;
}

static inline uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What this thread has had of a processor: others that want it, too, are not in it. */
static inline uint64_t bench_thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t bench_coarse_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t bench_tick(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	return bench_now_ns();
#endif
}

static inline uint64_t bench_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Log-normal, median 200 us, sigma 1, as real latencies are; one in a hundred fails. */
static inline void bench_make_latencies(void)
{
	uint64_t state = 88172645463325252u;

	for (unsigned i = 0; i < BENCH_LATENCIES; i++) {
		double uniform[2];

		for (unsigned k = 0; k < 2; k++)
			uniform[k] = ((double)(bench_random(&state) >> 11) + 0.5) / 9007199254740992.0;
		double normal = sqrt(-2 * log(uniform[0])) * cos(6.283185307179586 * uniform[1]);

		bench_latency_ns[i] = (uint32_t)fmin(200e3 * exp(normal), 4e9);
		bench_success[i] = state % 100 != 0;
	}
}

/* A loop of count calls, with a latency and an outcome for each. The compiler keeps no memory in registers across. */
#define BENCH_EACH_CALL(statement)                                                   \
	do {                                                                         \
		for (uint64_t i = 0; i < count; i++) {                               \
			uint64_t latency_ns = bench_latency_ns[i % BENCH_LATENCIES]; \
			bool success = bench_success[i % BENCH_LATENCIES];           \
                                                                                     \
			(void)latency_ns, (void)success, (void)worker;               \
			statement;                                                   \
			__asm__ __volatile__("" ::: "memory");                       \
		}                                                                    \
	} while (0)

/* So many calls that each component's block has its full ring before the clock runs: that comes after 32. */
static inline uint64_t bench_warm(uint64_t components_count, uint64_t least)
{
	return 40 * components_count > least ? 40 * components_count : least;
}

static inline void bench_row(const char *group, const char *what, const char *who, uint64_t x, uint64_t y,
			     const char *workers, const char *unit, double value)
{
	printf("%s,%s,%s,%" PRIu64 ",%" PRIu64 ",%s,%s,%.6g\n", group, what, who, x, y, workers, unit, value);
}

/* What a second segment's name ends with. */
#define BENCH_OTHER "-other"

static char bench_segment_path[64];
static pid_t bench_segment_owner;

static inline void bench_interrupted(int signal_number)
{
	if (getpid() == bench_segment_owner) {
		unlink(bench_segment_path);
		memcpy(bench_segment_path + strlen(bench_segment_path), BENCH_OTHER, sizeof(BENCH_OTHER));
		unlink(bench_segment_path);
	}
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

/* The name of a segment of this process's own, which does not outlive an interrupt. Removed by who asked. */
static inline const char *bench_segment(void)
{
	snprintf(bench_segment_path, sizeof(bench_segment_path), "/dev/shm/promcb-bench-%d", (int)getpid());
	bench_segment_owner = getpid();
	signal(SIGINT, bench_interrupted);
	signal(SIGTERM, bench_interrupted);
	signal(SIGPIPE, bench_interrupted);
	return bench_segment_path + strlen("/dev/shm");
}

/* The worker's own of the processors that this process may use. */
static inline void bench_pin(unsigned worker)
{
	static cpu_set_t allowed;
	static bool known;
	cpu_set_t one;

	if (!known) {
		sched_getaffinity(0, sizeof(allowed), &allowed);
		known = true;
	}
	worker %= (unsigned)CPU_COUNT(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || worker-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

/* Memory that processes share. Never given back. */
static inline void *bench_shared_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return memory;
}

struct bench_meeting {
	uint64_t arrived;
	double ns[BENCH_WORKERS_MAX];
	double thread_ns[BENCH_WORKERS_MAX];
};

struct bench_job {
	const struct bench_case *which;
	struct bench_meeting *meeting;
	unsigned worker;
	unsigned workers;
	uint64_t count;
};

static inline void *bench_work(void *argument)
{
	struct bench_job *job = (struct bench_job *)argument;

	bench_pin(job->worker);
	job->which->run(job->worker, job->count / 8 > job->which->warm ? job->count / 8 : job->which->warm);
	promcb_add_relaxed(&job->meeting->arrived, 1);
	for (unsigned spins = 1; promcb_load_acquire(&job->meeting->arrived) < job->workers; spins++)
		if (spins % 4096 == 0)
			sched_yield();
	uint64_t begin = bench_now_ns(), thread_begin = bench_thread_ns();

	job->which->run(job->worker, job->count);
	job->meeting->ns[job->worker] = (double)(bench_now_ns() - begin) / (double)job->count;
	job->meeting->thread_ns[job->worker] = (double)(bench_thread_ns() - thread_begin) / (double)job->count;
	return NULL;
}

static struct bench_meeting *bench_meeting;

/* Nanoseconds per operation as each worker sees it: their mean. */
static inline double bench_measure(const struct bench_case *which, enum bench_workers how, uint64_t count)
{
	struct bench_meeting *meeting = bench_meeting;
	struct bench_job jobs[BENCH_WORKERS_MAX];
	pthread_t threads[BENCH_WORKERS_MAX];
	pid_t children[BENCH_WORKERS_MAX];
	unsigned workers = how == BENCH_ONE_THREAD ? 1 : 2;
	double sum = 0;

	if (!meeting)
		bench_meeting = meeting = (struct bench_meeting *)bench_shared_memory(sizeof(*meeting));
	memset(meeting, 0, sizeof(*meeting));
	for (unsigned w = 0; w < workers; w++) {
		jobs[w].which = which;
		jobs[w].meeting = meeting;
		jobs[w].worker = w;
		jobs[w].workers = workers;
		jobs[w].count = count;
		if (how != BENCH_TWO_PROCESSES) {
			pthread_create(&threads[w], NULL, bench_work, &jobs[w]);
			continue;
		}
		children[w] = fork();
		if (children[w] == 0) {
			bench_work(&jobs[w]);
			_exit(0);
		}
	}
	for (unsigned w = 0; w < workers; w++) {
		if (how == BENCH_TWO_PROCESSES)
			waitpid(children[w], NULL, 0);
		else
			pthread_join(threads[w], NULL);
		sum += meeting->ns[w];
	}
	return sum / workers;
}

/* The same for one thread, in time that it had of a processor. */
static inline double bench_measure_thread(const struct bench_case *which, uint64_t count)
{
	bench_measure(which, BENCH_ONE_THREAD, count);
	return bench_meeting->thread_ns[0];
}

/* Operations that fill the budget. Not fewer than 64, however slow they are. */
static inline uint64_t bench_count(const struct bench_case *which, uint64_t budget_ns)
{
	for (uint64_t count = 64;; count *= 8) {
		double ns = bench_measure(which, BENCH_ONE_THREAD, count);

		if (ns * (double)count * 16 >= (double)budget_ns) {
			count = (uint64_t)((double)budget_ns / ns);
			return count < 64 ? 64 : count;
		}
	}
}

/* Each case in turn, by each kind of workers in turn, round after round. */
static inline void bench_run(struct bench_case *cases, size_t count, struct bench_arguments arguments,
			     enum bench_workers most)
{
	static const char *const names[] = {"1 thread", "2 threads", "2 processes"};

	for (unsigned round = 0; round < arguments.rounds; round++)
		for (unsigned how = BENCH_ONE_THREAD; how <= (unsigned)most; how++)
			for (size_t i = 0; i < count; i++) {
				struct bench_case *c = &cases[i];

				if (c->count == 0)
					c->count = bench_count(c, arguments.budget_ns);
				bench_row(c->group, c->what, c->who, c->x, 0, names[how], "ns",
					  bench_measure(c, (enum bench_workers)how, c->count));
			}
}

#endif

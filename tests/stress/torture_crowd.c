/* SPDX-License-Identifier: MIT */
/*
 * torture_crowd: thousands of threads that all live, and record for the first time one after the other.
 *
 * Invariants
 *   - recorder_asked_for_all: a first record asks the kernel for a few other threads at most, whether there are ten or
 *     thousands; for all of them once a second. It asked for all each time, which took 7.7 ms with 5,000.
 *   - The total is exact, whoever has a lane.
 */
#include "stress.h"

#include <promcb/atomic.h>

#include <sys/syscall.h>

/* Threads that a first record asks for, at most. */
enum { A_FEW = 8 };

long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);

static __thread unsigned asked;

/* The library is linked so that its calls come here. */
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (number == SYS_tgkill)
		asked++;
	return __real_syscall(number, a, b, c, d, e, f);
}

static struct promcb_component *component;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER, ended = PTHREAD_COND_INITIALIZER;
static bool over;
static unsigned recorded, passes, most;

static void *record_and_stay(void *argument)
{
	promcb_record(component, 1000, true);
	pthread_mutex_lock(&mutex);
	recorded++;
	passes += asked > A_FEW;
	if (asked > most)
		most = asked;
	pthread_cond_signal(&changed);
	while (!over)
		pthread_cond_wait(&ended, &mutex);
	pthread_mutex_unlock(&mutex);
	promcb_record(component, 1000, true);
	return argument;
}

/* Starts another and waits for its first record. Returns false if the machine has no more threads. */
static bool start(pthread_t *thread, const pthread_attr_t *attributes, unsigned number)
{
	if (pthread_create(thread, attributes, record_and_stay, NULL) != 0)
		return false;
	pthread_mutex_lock(&mutex);
	while (recorded == number)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
	return true;
}

int main(void)
{
	unsigned wanted = (unsigned)stress_scale(3000), threads = 0;
	pthread_t *all = calloc(wanted, sizeof(*all));
	pthread_attr_t attributes;
	uint64_t begun_ns = stress_now_ns(), seconds, calls;

	CHECK(all, "no memory");
	stress_begin("crowd");
	component = stress_component(stress_open(NULL), "crowd");
	CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 131072) == 0, "stacks");
	while (threads < wanted && start(&all[threads], &attributes, threads))
		threads++;
	CHECK(threads > 4 * A_FEW, "only %u threads can be had", threads);
	seconds = (stress_now_ns() - begun_ns) / 1000000000 + 1;
	CHECK(passes <= seconds + 1, "recorder_asked_for_all: %u of %u first records, in %llu s; the most are %u",
	      passes, threads, (unsigned long long)seconds, most);
	pthread_mutex_lock(&mutex);
	over = true;
	pthread_cond_broadcast(&ended);
	pthread_mutex_unlock(&mutex);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(all[i], NULL);
	calls = stress_all_calls(1000);
	CHECK(calls == 2 * (uint64_t)threads, "%llu calls of %u threads", (unsigned long long)calls, threads);
	printf("%u threads; %u of the first records asked for more than %d others\n", threads, passes, A_FEW);
	stress_check_segment();
	stress_remove();
	free(all);
	return 0;
}

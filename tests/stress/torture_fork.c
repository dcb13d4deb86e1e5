/* SPDX-License-Identifier: MIT */
/*
 * torture_fork: processes that come to be in every way, and lose what they have in every way, record with their
 * parent's handles.
 *
 * Invariant: the total is exactly the sum of what each recorded. Without wiping, two writers on the parent's lane
 * lost 48 %; with a lock that went with its descriptor, 37 %.
 */
#include "stress.h"

#include <promcb/atomic.h>

#include <grp.h>
#include <sched.h>
#include <sys/syscall.h>

#ifndef __SANITIZE_THREAD__
#define __SANITIZE_THREAD__ 0
#endif

static struct promcb_session *metrics;
static struct promcb_component *component;
static uint64_t calls;

static void record_some(void)
{
	for (uint64_t k = 0; k < calls; k++)
		promcb_record(component, 1000 + k % 1000, k % 10 != 0);
}

static void *record_in_thread(void *argument)
{
	(void)argument;
	record_some();
	return NULL;
}

static uint64_t total(void)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	const struct promcb_snapshot_component *found = stress_find(snapshot, "forked");
	uint64_t result = found ? found->counts.calls[0] + found->counts.calls[1] : 0;

	CHECK(snapshot->info.dropped_calls == 0, "dropped calls");
	promcb_snapshot_free(snapshot);
	return result;
}

/* The parent records all the while, as its children do. */
static void expect_children(const char *how, const pid_t *children, unsigned count, uint64_t before)
{
	record_some();
	for (unsigned i = 0; i < count; i++)
		CHECK(stress_wait(children[i]) == 0, "%s: a child failed", how);
	uint64_t is = total() - before, expected = (count + 1) * calls;

	CHECK(is == expected, "%s: %llu calls, expected %llu", how, (unsigned long long)is,
	      (unsigned long long)expected);
	printf("%s: %llu calls, exact\n", how, (unsigned long long)is);
}

static pid_t raw_clone(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

/*
 * Whether a child finds such memory zeroed. Without handlers of fork, that alone keeps it off its parent's lanes; an
 * emulator may take the advice and not follow it.
 */
static bool memory_is_wiped(void)
{
	uint64_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(word != MAP_FAILED, "mmap");
	if (madvise(word, 4096, MADV_WIPEONFORK) < 0)
		return false;
	*word = 1;
	pid_t child = raw_clone();

	if (child == 0)
		_exit(*word == 0 ? 0 : 77);
	bool wiped = stress_wait(child) == 0;

	munmap(word, 4096);
	return wiped;
}

static pid_t plain_fork(void)
{
	return fork();
}

static void many_children(const char *how, pid_t (*make)(void))
{
	pid_t children[8];
	uint64_t before = total();

	for (unsigned i = 0; i < 8; i++) {
		children[i] = make();
		CHECK(children[i] >= 0, "%s", how);
		if (children[i] == 0) {
			record_some();
			_exit(0);
		}
	}
	expect_children(how, children, 8, before);
}

/*
 * A master opens as root, its workers drop their rights and cannot open the segment by name any more; one has
 * threads.
 */
static void dropping_rights(void)
{
	pid_t children[4];
	uint64_t before = total();

	if (geteuid() != 0)
		return;
	for (unsigned i = 0; i < 4; i++) {
		children[i] = fork();
		CHECK(children[i] >= 0, "fork");
		if (children[i] == 0) {
			if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
				_exit(2);
			if (i == 0) {
				pthread_t thread;

				/* Its calls stand for its own. */
				pthread_create(&thread, NULL, record_in_thread, NULL);
				pthread_join(thread, NULL);
			} else {
				record_some();
			}
			struct promcb_reader *reader;

			_exit(promcb_reader_open(stress_segment, NULL, &reader, NULL) == -EACCES ? 0 : 3);
		}
	}
	expect_children("children without rights", children, 4, before);
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);

	CHECK(snapshot->info.overflow_calls == 0, "children without rights had no lanes: %llu calls by overflow",
	      (unsigned long long)snapshot->info.overflow_calls);
	promcb_snapshot_free(snapshot);
}

static void *record_beside_vfork(void *argument)
{
	(void)argument;
	for (unsigned round = 0; round < 4; round++)
		record_some();
	return NULL;
}

/*
 * Whether vfork is one. qemu-user makes it a fork without its handlers: the child has a copy of a lock that another
 * thread holds, and waits for it for ever.
 */
static bool vfork_shares_memory(void)
{
	static uint64_t word;
	pid_t child = vfork();

	if (child == 0) {
		promcb_store_relaxed(&word, 1);
		_exit(0);
	}
	CHECK(child > 0 && stress_wait(child) == 0, "vfork");
	return promcb_load_relaxed(&word) == 1;
}

/* A child of vfork shares its parent's memory, not its threads: it must not take those for dead, and their lanes. */
static void vfork_children(void)
{
	uint64_t before = total();
	struct promcb_component *fresh;
	pthread_t threads[4];
	char name[32];

	for (unsigned t = 0; t < 2; t++)
		CHECK(pthread_create(&threads[t], NULL, record_beside_vfork, NULL) == 0, "thread");
	for (unsigned k = 0; k < 20; k++) {
		snprintf(name, sizeof(name), "in vfork %u", k);
		fresh = stress_component(metrics, name);
		pid_t child = vfork();

		if (child == 0) {
			promcb_record(fresh, 1000, true);
			_exit(0);
		}
		CHECK(child > 0 && stress_wait(child) == 0, "vfork");
	}
	for (unsigned t = 2; t < 4; t++)
		CHECK(pthread_create(&threads[t], NULL, record_beside_vfork, NULL) == 0, "thread");
	for (unsigned t = 0; t < 4; t++)
		pthread_join(threads[t], NULL);
	CHECK(total() - before == 16 * calls, "vfork: %llu calls", (unsigned long long)(total() - before));
	printf("vfork: exact\n");
}

/* A daemoniser closes every descriptor of a live producer, while another process looks for lanes. */
static void closing_descriptors(void)
{
	pid_t children[2];
	uint64_t before = total();

	for (unsigned i = 0; i < 2; i++) {
		children[i] = fork();
		CHECK(children[i] >= 0, "fork");
		if (children[i] == 0) {
			pthread_t thread;
			uint64_t all = calls;

			calls = all / 4;
			record_some();
			if (syscall(SYS_close_range, 3, ~0u, 0) < 0)
				_exit(77);
			/* Other files get our descriptors' numbers, and must not be touched. */
			FILE *others[8];

			for (unsigned k = 0; k < 8; k++)
				others[k] = tmpfile();
			record_some();
			pthread_create(&thread, NULL, record_in_thread, NULL);
			pthread_join(thread, NULL);
			record_some();
			for (unsigned k = 0; k < 8; k++)
				if (!others[k] || fseek(others[k], 0, SEEK_END) < 0 || ftell(others[k]) != 0)
					_exit(2);
			_exit(0);
		}
	}
	expect_children("closed descriptors", children, 2, before);
}

/* Short threads, one after another and a few at a time: their lanes come back. */
static void short_threads(void)
{
	uint64_t before = total(), all = calls;
	pthread_t threads[4];

	calls = 50;
	for (unsigned round = 0; round < 500; round++) {
		for (unsigned i = 0; i < 4; i++)
			CHECK(pthread_create(&threads[i], NULL, record_in_thread, NULL) == 0, "thread");
		for (unsigned i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
	}
	CHECK(total() - before == 2000 * calls, "short threads: %llu calls", (unsigned long long)(total() - before));
	calls = all;
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);

	CHECK(snapshot->info.lanes_live + snapshot->info.lanes_idle < 32, "2,000 short threads took %d lanes",
	      snapshot->info.lanes_live + snapshot->info.lanes_idle);
	promcb_snapshot_free(snapshot);
	printf("short threads: exact\n");
}

static uint64_t handled;

static void on_alarm(int number)
{
	(void)number;
	promcb_record(component, 5000, true);
	promcb_record(component, 0, false);
	promcb_count_log(component, PROMCB_LOG_INFO);
	__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
}

/* A handler records while its thread does, in its slow path too: every thread starts anew. */
static void *record_under_signals(void *argument)
{
	(void)argument;
	record_some();
	return NULL;
}

static void signals(void)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct itimerspec interval = {.it_value = {.tv_nsec = 50000}, .it_interval = {.tv_nsec = 50000}};
	uint64_t before = total();
	pthread_t thread;
	timer_t timer;

	sigaction(SIGALRM, &action, NULL);
	CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0 && timer_settime(timer, 0, &interval, NULL) == 0,
	      "timer");
	for (unsigned round = 0; round < 20; round++) {
		CHECK(pthread_create(&thread, NULL, record_under_signals, NULL) == 0, "thread");
		pthread_join(thread, NULL);
	}
	timer_delete(timer);
	signal(SIGALRM, SIG_IGN);
	uint64_t is = total() - before, expected = 20 * calls + 2 * __atomic_load_n(&handled, __ATOMIC_RELAXED);

	CHECK(is == expected, "signals: %llu calls, expected %llu", (unsigned long long)is,
	      (unsigned long long)expected);
	printf("signals: %llu handled, exact\n", (unsigned long long)handled);
}

int main(void)
{
	calls = stress_scale(200000) / 4 * 4 + 4;
	stress_begin("fork");
	metrics = stress_open(NULL);
	component = stress_component(metrics, "forked");
	record_some();
	CHECK(total() == calls, "alone");
	many_children("fork", plain_fork);
	if (!__SANITIZE_THREAD__ && memory_is_wiped())
		many_children("raw clone", raw_clone);
	else
		printf("raw clone: cannot be tried here\n");
	dropping_rights();
	closing_descriptors();
	if (!__SANITIZE_THREAD__ && vfork_shares_memory())
		vfork_children();
	else
		printf("vfork: cannot be tried here\n");
	short_threads();
	signals();
	many_children("fork again", plain_fork);
	stress_check_segment();
	stress_remove();
	return 0;
}

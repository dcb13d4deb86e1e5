/* SPDX-License-Identifier: MIT */
/*
 * torture_processes: the ways in which servers make processes, each with threads beside, kills and lost rights.
 *
 * Invariant of each: done <= recorded <= begun, as counted in memory that survives the dead; where nobody is killed
 * the total is exact. Lanes stay bounded by what lives at once.
 */
#include "stress.h"

#include <promcb/atomic.h>

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef __SANITIZE_THREAD__
#define __SANITIZE_THREAD__ 0
#endif

/* gcc 12's AddressSanitizer has no handler of fork: a child may find its allocator locked by a thread that is gone. */
#ifdef __SANITIZE_ADDRESS__
enum { CHILDREN_OPEN = 0 };
#else
enum { CHILDREN_OPEN = 1 };
#endif

enum { WORKERS = 8, KILLS = 24, SLOTS = 64, THREADS = 4, NOBODY = 65534 };

extern char **environ;

/* Not in every C library that builds this. */
extern pid_t _Fork(void) __attribute__((weak));

static struct shared {
	struct {
		uint64_t begun, done;
		uint64_t pad[14];
	} slots[SLOTS];
	uint64_t stop;
	uint64_t gone;
} * shared;

static struct promcb_session *metrics;
static struct promcb_component *component;
static uint64_t calls;

static void record(struct promcb_component *into, unsigned slot, uint64_t count)
{
	for (uint64_t k = 0; k < count; k++) {
		promcb_add_relaxed(&shared->slots[slot].begun, 1);
		promcb_record(into, 1000 + k % 1000, k % 10 != 0);
		promcb_add_relaxed(&shared->slots[slot].done, 1);
	}
}

static uint64_t begun(void)
{
	uint64_t sum = 0;

	for (unsigned slot = 0; slot < SLOTS; slot++)
		sum += promcb_load_relaxed(&shared->slots[slot].begun);
	return sum;
}

static uint64_t done(void)
{
	uint64_t sum = 0;

	for (unsigned slot = 0; slot < SLOTS; slot++)
		sum += promcb_load_relaxed(&shared->slots[slot].done);
	return sum;
}

static uint64_t overflow_before;
static bool forks_beside_threads;

/* What stands in the segment, of all components. Calls that were in flight at a kill may be missing. */
static void expect(const char *how, uint64_t killed_threads)
{
	uint64_t least = done(), most = begun(), is = 0;
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);

	for (size_t i = 0; i < snapshot->count; i++)
		is += snapshot->components[i].counts.calls[0] + snapshot->components[i].counts.calls[1];
	CHECK(snapshot->info.dropped_calls == 0, "%s: dropped calls", how);
	CHECK(least <= is && is <= most && most - least <= killed_threads, "%s: %llu done, %llu recorded, %llu begun",
	      how, (unsigned long long)least, (unsigned long long)is, (unsigned long long)most);
	printf("%s: %llu calls, %llu of them in flight when killed, %d + %d lanes, %llu by overflow\n", how,
	       (unsigned long long)is, (unsigned long long)(most - least), snapshot->info.lanes_live,
	       snapshot->info.lanes_idle, (unsigned long long)snapshot->info.overflow_calls);
	CHECK(snapshot->info.lanes_live + snapshot->info.lanes_idle <= 40, "%s: %d lanes", how,
	      snapshot->info.lanes_live + snapshot->info.lanes_idle);
	/* A thread that needs a lane while another one forks does not wait, and records without: slower, as exact. */
	CHECK(forks_beside_threads || snapshot->info.overflow_calls == overflow_before, "%s: %llu calls found no lane",
	      how, (unsigned long long)snapshot->info.overflow_calls - overflow_before);
	overflow_before = snapshot->info.overflow_calls;
	promcb_snapshot_free(snapshot);
	stress_check_segment();
	/* What was in flight is settled: the next scenario counts from here. */
	memset(shared, 0, sizeof(*shared));
	shared->slots[0].begun = shared->slots[0].done = is;
}

/* -- A server ----------------------------------------------------------------------------------------------------- */

static void *serve(void *argument)
{
	unsigned slot = *(unsigned *)argument;

	while (!promcb_load_acquire(&shared->stop))
		record(component, slot, 50);
	return NULL;
}

static pid_t start_worker(unsigned slot)
{
	pid_t pid = fork();

	CHECK(pid >= 0, "fork");
	if (pid > 0)
		return pid;
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0 || open(stress_segment, O_RDWR) >= 0))
		_exit(2);
	pthread_t thread;
	unsigned mine[2] = {2 * slot, 2 * slot + 1};

	if (pthread_create(&thread, NULL, serve, &mine[1]) != 0)
		_exit(3);
	serve(&mine[0]);
	pthread_join(thread, NULL);
	_exit(0);
}

/*
 * A master registers as root, its workers of two threads drop their rights; some are killed, others take their
 * places. The file is root's alone, so that nobody can open it again.
 */
static void server(uint64_t *seed)
{
	struct {
		pid_t pid;
		unsigned slot;
	} workers[WORKERS];
	unsigned used = 0, kills = (unsigned)stress_scale(KILLS);

	if (kills > KILLS)
		kills = KILLS;
	if (geteuid() != 0)
		printf("server: not root, so nobody drops rights\n");
	record(component, 0, calls);
	for (unsigned i = 0; i < WORKERS - 1; i++, used++) {
		workers[i].slot = used;
		workers[i].pid = start_worker(used);
	}
	for (unsigned kill_count = 0; kill_count < kills; kill_count++) {
		unsigned i = (unsigned)(stress_random(seed) % (WORKERS - 1));
		uint64_t enough = 100 + stress_random(seed) % 4000;

		while (promcb_load_relaxed(&shared->slots[2 * workers[i].slot + 1].done) < enough)
			sched_yield();
		kill(workers[i].pid, SIGKILL);
		CHECK(stress_wait(workers[i].pid) == -SIGKILL, "a worker ended by itself");
		workers[i].slot = used % (SLOTS / 2);
		/* A slot of one long dead serves again: its sums go on. */
		used++;
		workers[i].pid = start_worker(workers[i].slot);
		record(component, 0, 100);
	}
	promcb_store_release(&shared->stop, 1);
	for (unsigned i = 0; i < WORKERS - 1; i++)
		CHECK(stress_wait(workers[i].pid) == 0, "a worker failed");
	expect("server", 2 * kills);
}

/* -- Fork beside threads ------------------------------------------------------------------------------------------ */

static void *open_and_close(void *argument)
{
	unsigned slot = *(unsigned *)argument;
	char name[32];

	for (unsigned k = 0; !promcb_load_acquire(&shared->stop); k++) {
		struct promcb_session *again;

		CHECK(promcb_open(stress_segment, NULL, &again) == 0, "open");
		snprintf(name, sizeof(name), "beside fork %u", k % 50);
		record(stress_component(again, name), slot, 5);
		promcb_close(again);
	}
	return NULL;
}

static void *record_in_thread(void *argument)
{
	record(component, *(unsigned *)argument, calls / 4);
	return NULL;
}

/* In a child of a process whose threads are in the midst of everything. */
static void child_of_threads(unsigned slot, bool opens)
{
	unsigned own = slot;
	struct promcb_session *again;
	pthread_t thread;

	/* Who waits for a lock that a thread held, which is not there any more, dies of it. */
	alarm(60);
	record(component, slot, calls / 4);
	if (!opens)
		_exit(0);
	if (promcb_open(stress_segment, NULL, &again) < 0)
		_exit(2);
	record(stress_component(again, "in a child"), slot, 10);
	/* ThreadSanitizer allows no thread there. */
	if (!__SANITIZE_THREAD__) {
		if (pthread_create(&thread, NULL, record_in_thread, &own) != 0)
			_exit(3);
		record(component, slot, 10);
		pthread_join(thread, NULL);
	}
	promcb_close(again);
	_exit(0);
}

static void beside_threads(const char *how, pid_t (*make)(void), bool opens)
{
	pthread_t threads[THREADS];
	unsigned slots[THREADS], rounds = (unsigned)stress_scale(100);

	for (unsigned t = 0; t < THREADS; t++) {
		slots[t] = 1 + t;
		CHECK(pthread_create(&threads[t], NULL, t % 2 ? open_and_close : serve, &slots[t]) == 0, "thread");
	}
	for (unsigned round = 0; round < rounds; round++) {
		pid_t children[2];

		for (unsigned i = 0; i < 2; i++) {
			children[i] = make();
			CHECK(children[i] >= 0, "%s", how);
			if (children[i] == 0)
				child_of_threads(8 + i, opens);
		}
		record(component, 0, 20);
		for (unsigned i = 0; i < 2; i++) {
			int status = stress_wait(children[i]);

			CHECK(status == 0, "%s: a child ended with %d", how, status);
		}
	}
	promcb_store_release(&shared->stop, 1);
	for (unsigned t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	forks_beside_threads = true;
	expect(how, 0);
	forks_beside_threads = false;
}

static pid_t plain_fork(void)
{
	return fork();
}

static pid_t raw_clone(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static pid_t without_handlers(void)
{
	return _Fork();
}

/* -- Other programs ----------------------------------------------------------------------------------------------- */

/* What "--run" does: nothing of the parent's is open here, and what is recorded counts. */
static int run(const char *segment, const char *count)
{
	char path[64], target[256];

	for (int fd = 3; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t length = readlink(path, target, sizeof(target) - 1);

		if (length < 0)
			continue;
		target[length] = 0;
		if (strstr(target, segment)) {
			fprintf(stderr, "descriptor %d came through exec: %s\n", fd, target);
			return 2;
		}
	}
	snprintf(stress_segment, sizeof(stress_segment), "%s", segment);
	component = stress_component(stress_open(NULL), "forked");
	for (uint64_t k = strtoull(count, NULL, 10); k > 0; k--)
		promcb_record(component, 1000, true);
	return 0;
}

static void programs(void)
{
	char self[] = "/proc/self/exe", option[] = "--run", count[32], path[256];
	char *arguments[] = {self, option, stress_segment, count, NULL};
	ssize_t length = readlink(self, path, sizeof(path) - 1);
	pid_t children[12];

	CHECK(length > 0, "readlink");
	path[length] = 0;
	snprintf(count, sizeof(count), "%llu", (unsigned long long)calls);
	for (unsigned i = 0; i < 12; i++) {
		if (i % 3 == 0) {
			CHECK(posix_spawn(&children[i], path, NULL, NULL, arguments, environ) == 0, "posix_spawn");
		} else if (i % 3 == 1 && !__SANITIZE_THREAD__) {
			children[i] = vfork();
			if (children[i] == 0) {
				execv(path, arguments);
				_exit(4);
			}
		} else {
			children[i] = fork();
			if (children[i] == 0) {
				record(component, 1, 100);
				execv(path, arguments);
				_exit(4);
			}
		}
		CHECK(children[i] > 0, "no child");
		record(component, 0, calls);
	}
	for (unsigned i = 0; i < 12; i++) {
		int status = stress_wait(children[i]);

		CHECK(status == 0, "a program ended with %d", status);
		shared->slots[2].begun = shared->slots[2].done += calls;
	}
	expect("programs", 0);
}

/* -- Daemons ------------------------------------------------------------------------------------------------------ */

static void be_a_daemon(unsigned slot)
{
	unsigned other = slot + 1;
	pthread_t thread;

	record(component, slot, calls);
	promcb_store_release(&shared->stop, 1);
	if (!__SANITIZE_THREAD__ && pthread_create(&thread, NULL, serve, &other) == 0)
		pthread_join(thread, NULL);
	promcb_component(metrics, slot == 2 ? "daemon two" : "daemon four", &component);
	record(component, slot, calls);
	promcb_add_relaxed(&shared->gone, 1);
	_exit(0);
}

static void daemons(void)
{
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0) {
		/* By the book: the descriptors and directories of the parent go, and so do its terminal and session. */
		pid_t grandchild;

		record(component, 1, calls);
		if (setsid() < 0)
			_exit(2);
		grandchild = fork();
		if (grandchild)
			_exit(grandchild > 0 ? 0 : 3);
		umask(0);
		if (chdir("/") < 0)
			_exit(4);
		for (int fd = 0; fd < 256; fd++)
			close(fd);
		be_a_daemon(2);
	}
	CHECK(stress_wait(child) == 0, "the daemon's parent failed");
	child = fork();
	CHECK(child >= 0, "fork");
	if (child == 0) {
		record(component, 1, calls);
		if (daemon(0, 0) < 0)
			_exit(2);
		be_a_daemon(4);
	}
	CHECK(stress_wait(child) == 0, "the parent of daemon(3) failed");
	record(component, 0, calls);
	while (promcb_load_acquire(&shared->gone) < 2)
		sched_yield();
	expect("daemons", 0);
}

int main(int argc, char **argv)
{
	const struct promcb_options options = {.mode = 0600};

	if (argc == 4 && strcmp(argv[1], "--run") == 0)
		return run(argv[2], argv[3]);
	uint64_t seed = stress_seed() | 1;

	calls = stress_scale(4000) / 4 * 4 + 4;
	stress_begin("processes");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	metrics = stress_open(&options);
	component = stress_component(metrics, "forked");
	server(&seed);
	if (!stress_emulated()) {
		beside_threads("fork beside threads", plain_fork, CHILDREN_OPEN);
		if (!__SANITIZE_THREAD__) {
			beside_threads("clone beside threads", raw_clone, false);
			if (_Fork)
				beside_threads("_Fork beside threads", without_handlers, false);
		}
		programs();
	}
	daemons();
	stress_remove();
	return 0;
}

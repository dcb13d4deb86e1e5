/* SPDX-License-Identifier: MIT */
/*
 * trap_steps: at every single instruction of a call there comes the handler of a signal that is never blocked.
 *
 * The process has the processor trap after each instruction (x86-64's trap flag), and SIGTRAP's handler records, in a
 * component that the thread knows and in one that it may not know, and sets a state: where the thread is outside of
 * the slow path, waits for the mutex, has it, or is about to give it back; between the handlers of fork, in both
 * processes; in the child of vfork; in the destructors of a thread.
 *
 * Invariants: nothing hangs, the totals are exact, no guest stays and no lane but those of threads that live.
 */
#include "../stress/stress.h"

#include <promcb/atomic.h>

#if !defined(__x86_64__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
int main(void)
{
	printf("a trap flag, and the library's own instructions, are needed\n");
	return 77;
}
#else

enum { COMPONENTS = 32, LANES = 8, PATIENCE_SECONDS = 100 };

static struct promcb_session *metrics;
static struct promcb_component *known, *fresh[COMPONENTS];
static uint64_t *done; /* in memory that children share */
static uint64_t traps;
static __thread bool in_handler;

static void record_one(struct promcb_component *component, bool success)
{
	promcb_record(component, 1000, success);
	promcb_add_relaxed(done, 1);
}

static void at_trap(int signal)
{
	(void)signal;
	if (in_handler)
		return;
	in_handler = true;
	traps++;
	record_one(known, true);
	record_one(fresh[traps % COMPONENTS], traps % 3 != 0);
	promcb_set_state(known, (enum promcb_state)(traps % 3));
	in_handler = false;
}

static inline void begin_traps(void)
{
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
}

static inline void end_traps(void)
{
	__asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
}

static void first_records(void)
{
	struct promcb_component *registered;

	begin_traps();
	record_one(fresh[0], true);
	promcb_component(metrics, "registered", &registered);
	record_one(registered, false);
	promcb_set_state(registered, PROMCB_OPEN);
	end_traps();
}

static void open_and_close(void)
{
	struct promcb_session *again;
	int result;

	begin_traps();
	result = promcb_open(stress_segment, NULL, &again);
	promcb_close(again);
	end_traps();
	CHECK(result == 0 && again == metrics, "open: %d", result);
}

static void reset(void)
{
	int result;

	/* One in which nothing is recorded, so that the totals stay. */
	stress_component(metrics, "reset");
	begin_traps();
	result = promcb_reset(metrics, "reset");
	end_traps();
	CHECK(result == 0, "reset: %d", result);
}

/*
 * Registered before the library's handlers, so the last of all before a fork and the first after it. In between glibc
 * 2.41 blocks all signals, and a trap that is blocked ends the process.
 */
static bool in_fork_one;

static void before_fork(void)
{
	if (in_fork_one)
		end_traps();
}

static void after_fork(void)
{
	if (in_fork_one)
		begin_traps();
}

__attribute__((constructor(101))) static void register_handlers(void)
{
	pthread_atfork(before_fork, after_fork, after_fork);
}

static void fork_one(void)
{
	pid_t child;

	in_fork_one = true;
	begin_traps();
	child = fork();
	if (child == 0) {
		record_one(known, true);
		end_traps();
		_exit(0);
	}
	end_traps();
	CHECK(stress_wait(child) == 0, "child");
}

static __attribute__((noinline)) void vfork_one(void)
{
	pid_t child;

	begin_traps();
	child = vfork();
	if (child == 0) {
		record_one(known, true);
		record_one(fresh[1], true);
		_exit(0);
	}
	end_traps();
	CHECK(stress_wait(child) == 0, "child");
}

/* Of a key that is later than the library's: its destructor comes after. The C library then blocks all signals. */
static void leave_thread(void *value)
{
	(void)value;
	end_traps();
}

static void *run_thread(void *key)
{
	CHECK(pthread_setspecific(*(pthread_key_t *)key, key) == 0, "value");
	begin_traps();
	record_one(fresh[2], true);
	return NULL;
}

static void run_threads(void)
{
	pthread_key_t key;

	CHECK(pthread_key_create(&key, leave_thread) == 0, "key");
	for (unsigned i = 0; i < 2; i++) {
		pthread_t thread;

		CHECK(pthread_create(&thread, NULL, run_thread, &key) == 0, "thread");
		pthread_join(thread, NULL);
	}
	pthread_key_delete(key);
}

/* In a process and a segment of its own. lanes: that are held in the end. */
static void trap(const char *name, void (*what)(void), int lanes)
{
	const struct promcb_options options = {.lanes = LANES, .components = 64, .max_bytes = 2 << 20};
	pid_t child = fork();
	int status;
	const struct timespec pause = {.tv_nsec = 1000000};

	if (child == 0) {
		struct promcb_snapshot *snapshot;
		struct sigaction action = {.sa_handler = at_trap, .sa_flags = SA_NODEFER};
		uint64_t calls = 0;
		char text[32];

		promcb_remove(stress_segment, true, NULL);
		metrics = stress_open(&options);
		known = stress_component(metrics, "known");
		for (unsigned i = 0; i < COMPONENTS; i++) {
			snprintf(text, sizeof(text), "fresh%u", i);
			fresh[i] = stress_component(metrics, text);
		}
		*done = 0;
		record_one(known, true);
		sigaction(SIGTRAP, &action, NULL);
		what();
		snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
		for (size_t i = 0; i < snapshot->count; i++)
			calls += snapshot->components[i].counts.calls[0] + snapshot->components[i].counts.calls[1];
		CHECK(calls == *done, "%s: %llu calls, expected %llu", name, (unsigned long long)calls,
		      (unsigned long long)*done);
		CHECK(snapshot->info.lanes_live <= lanes && snapshot->info.dropped_calls == 0,
		      "%s: %d lanes are held, %llu calls were dropped", name, snapshot->info.lanes_live,
		      (unsigned long long)snapshot->info.dropped_calls);
		CHECK(traps > 100, "%llu traps", (unsigned long long)traps);
		stress_check_segment();
		printf("%s: %llu traps, %llu calls, exact\n", name, (unsigned long long)traps,
		       (unsigned long long)calls);
		exit(0);
	}
	/* A thread that waits for itself has all its signals blocked. */
	for (uint64_t end_ns = stress_now_ns() + PATIENCE_SECONDS * (uint64_t)1000000000;
	     waitpid(child, &status, WNOHANG) == 0; nanosleep(&pause, NULL))
		if (stress_now_ns() > end_ns) {
			kill(child, SIGKILL);
			stress_wait(child);
			CHECK(false, "%s: hangs", name);
		}
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: ended with %#x", name, (unsigned)status);
}

int main(void)
{
	if (stress_emulated()) {
		printf("an emulator has no trap flag\n");
		return 77;
	}
	stress_begin("trap-steps");
	done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(done != MAP_FAILED, "mmap");
	trap("first records", first_records, 1);
	trap("open and close", open_and_close, 1);
	trap("reset", reset, 1);
	trap("fork", fork_one, 1);
	trap("vfork", vfork_one, 1);
	/* An idle recorder keeps its lane. */
	trap("threads", run_threads, 2);
	stress_remove();
	return 0;
}
#endif

/* SPDX-License-Identifier: MIT */
/*
 * torture_sandbox: records where the kernel refuses system calls, or kills whoever waits.
 *
 * Invariants: a thread that records components it has recorded before never waits, whatever the other threads of its
 * process do with promcb: a filter kills it if it does. That holds too for one that has no memory for its lanes, and
 * for one that ends. And whichever system call is refused, by an error or by a
 * handler of SIGSYS that answers for the kernel, before the first record or after many: the process lives, and the
 * totals are exact.
 */
#include "sandbox.h"

#include <sys/resource.h>
#include <ucontext.h>

/* AddressSanitizer's runtime ends the process where it gets no memory for a thread that starts. */
#ifdef __SANITIZE_ADDRESS__
#define RUNTIME_NEEDS_MEMORY 1
#else
#define RUNTIME_NEEDS_MEMORY 0
#endif

static struct promcb_session *metrics;

/* What children tell of themselves, in memory that they share with their parent. */
static uint64_t *calls_of_all;

static uint64_t total(void)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	uint64_t calls = 0;

	for (size_t i = 0; i < snapshot->count; i++)
		calls += snapshot->components[i].counts.calls[0] + snapshot->components[i].counts.calls[1];
	CHECK(snapshot->info.dropped_calls == 0, "%llu dropped calls",
	      (unsigned long long)snapshot->info.dropped_calls);
	promcb_snapshot_free(snapshot);
	return calls;
}

/* -- Who records does not wait ------------------------------------------------------------------------------------ */

enum { OTHERS = 200, FRESH = 2000 };

static struct promcb_component *known[4];
static uint64_t recorded, ready, stop;

/* The memory that the thread's first record would map is not to be had. */
static bool lacks_memory;

static void forbid_memory(void)
{
	const struct rlimit none = {1 << 20, 1 << 20};

	CHECK(setrlimit(RLIMIT_AS, &none) == 0, "setrlimit");
}

static void *record_known(void *argument)
{
	(void)argument;
	if (lacks_memory)
		forbid_memory();
	for (unsigned i = 0; i < 4; i++)
		promcb_record(known[i], 1000, true);
	if (!sandbox_never_wait())
		_exit(77);
	__atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
	recorded = 4;
	/* Stamps of its own, so that each round of a ring is a second after the last: time for a look each time. */
	for (uint64_t i = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); i++) {
		promcb_record(known[i % 4], 1000 + i % 1000, i % 16 != 0);
		promcb_record_at(known[i % 4], 1000 + i % 1000, true, i << 20);
		promcb_count_log(known[i % 4], PROMCB_LOG_INFO);
		promcb_call(metrics, "known0", i % 64 ? 0.001 : -1, true);
		recorded += 2 + (i % 64 != 0);
	}
	return NULL;
}

/* A thread that ends: its destructor comes after promcb's, which has given its lanes back. */
static pthread_key_t late_key;

static void record_while_leaving(void *argument)
{
	record_known(argument);
}

static void *leave(void *argument)
{
	promcb_record(known[0], 1000, true);
	CHECK(pthread_setspecific(late_key, known[0]) == 0, "thread-specific data");
	return argument;
}

static void *(*recorder)(void *argument) = record_known;

static void reset_all(unsigned round)
{
	(void)round;
	CHECK(promcb_reset_all(metrics) == 0, "reset");
}

static void register_one(unsigned round)
{
	struct promcb_component *fresh;
	char name[32];

	snprintf(name, sizeof(name), "fresh%u", round);
	CHECK(promcb_component(metrics, name, &fresh) == 0, "%s", name);
}

static void register_late(unsigned round)
{
	register_one(FRESH + 1 + round);
}

static void open_and_close(unsigned round)
{
	(void)round;
	promcb_close(stress_open(NULL));
}

static void fork_one(unsigned round)
{
	pid_t child = fork();

	(void)round;
	if (child == 0)
		_exit(0);
	CHECK(stress_wait(child) == 0, "child");
}

static void change_state(unsigned round)
{
	promcb_set_state(known[0], (enum promcb_state)(round % 3));
}

/* In a child, since the filter would kill this process. */
static void nobody_waits(const char *what, void (*other)(unsigned round), uint64_t rounds)
{
	uint64_t before = total();
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;

		stop = ready = 0;
		CHECK(pthread_create(&thread, NULL, recorder, NULL) == 0, "thread");
		while (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE)) {
		}
		for (unsigned round = 0; round < rounds; round++)
			other(round);
		__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
		pthread_join(thread, NULL);
		*calls_of_all = recorded + (recorder == leave);
		_exit(0);
	}
	int status = stress_wait(child);

	if (status == 77) {
		printf("no seccomp here\n");
		stress_remove();
		exit(77);
	}
	CHECK(status == 0, "recording beside %s ended with %d: it waited", what, status);
	CHECK(other == reset_all || total() - before == *calls_of_all, "beside %s: %llu calls, expected %llu", what,
	      (unsigned long long)(total() - before), (unsigned long long)*calls_of_all);
	printf("%llu calls beside %s %llu times: never waited\n", (unsigned long long)*calls_of_all, what,
	       (unsigned long long)rounds);
}

/* -- Refused system calls ----------------------------------------------------------------------------------------- */

static void answer(int signal, siginfo_t *info, void *context)
{
	ucontext_t *machine = context;

	(void)signal;
#if defined(__x86_64__)
	machine->uc_mcontext.gregs[REG_RAX] = -EPERM;
#else
	machine->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#endif
	/*
	 * Handlers may record, here in the middle of promcb, too. But not by a call that would trap in the handler
	 * again: these are how promcb finds out in which process it is.
	 */
	if (info->si_syscall == SYS_getpid || info->si_syscall == SYS_get_robust_list)
		return;
	promcb_record(known[1], 1000, true);
	__atomic_add_fetch(&recorded, 1, __ATOMIC_RELAXED);
}

static const struct {
	const char *name;
	long number;
} refused[] = {
	{"openat", SYS_openat},       {"newfstatat", SYS_newfstatat},
	{"fstat", SYS_fstat},         {"statx", SYS_statx},
	{"fstatfs", SYS_fstatfs},     {"fallocate", SYS_fallocate},
	{"fcntl", SYS_fcntl},         {"ftruncate", SYS_ftruncate},
	{"mmap", SYS_mmap},           {"munmap", SYS_munmap},
	{"mprotect", SYS_mprotect},   {"madvise", SYS_madvise},
	{"munlock", SYS_munlock},     {"read", SYS_read},
	{"close", SYS_close},         {"getrandom", SYS_getrandom},
	{"getpid", SYS_getpid},       {"gettid", SYS_gettid},
	{"tgkill", SYS_tgkill},       {"get_robust_list", SYS_get_robust_list},
	{"prlimit64", SYS_prlimit64}, {"clock_gettime", SYS_clock_gettime},
	{"prctl", SYS_prctl},
};

enum { REFUSED = sizeof(refused) / sizeof(refused[0]), CALLS = 300 };

static void record_refused(unsigned which, unsigned way, uint32_t action, bool late)
{
	struct sigaction trap = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct promcb_component *own;
	char name[32];
	uint64_t until_ns;

	recorded = 0;
	snprintf(name, sizeof(name), "own%u-%u", way, which);
	if (late) {
		own = stress_component(metrics, name);
		for (unsigned i = 0; i < CALLS; i++)
			promcb_record(own, 1000, true);
		recorded = CALLS;
	}
	sigaction(SIGSYS, &trap, NULL);
	if (!sandbox_deny(refused[which].number, action))
		_exit(77);
	/* Where registering is refused the handle is that of "_overflow": counted all the same. */
	promcb_component(metrics, name, &own);
	/* Until the time for a look at the segment's name has come at least once. */
	until_ns = stress_now_ns() + 1100000000u;
	do {
		for (unsigned i = 0; i < CALLS; i++)
			promcb_record(own, 1000, i % 10 != 0);
		__atomic_add_fetch(&recorded, CALLS, __ATOMIC_RELAXED);
		promcb_set_state(own, PROMCB_OPEN);
		promcb_count_log(own, PROMCB_LOG_ERROR);
	} while (stress_now_ns() < until_ns);
	__atomic_add_fetch(calls_of_all, recorded, __ATOMIC_RELAXED);
	_exit(0);
}

/* Each in a process of its own, all at once, since each takes a second. */
static void refuse_each(void)
{
	static const struct {
		const char *how;
		uint32_t action;
		bool late;
	} ways[] = {
		{"refused before the first record", SECCOMP_RET_ERRNO | EPERM, false},
		{"answered by a handler before the first record", SECCOMP_RET_TRAP, false},
		{"refused after many records", SECCOMP_RET_ERRNO | EPERM, true},
		{"answered by a handler after many records", SECCOMP_RET_TRAP, true},
	};
	enum { WAYS = sizeof(ways) / sizeof(ways[0]) };
	uint64_t before = total();
	pid_t children[WAYS][REFUSED];

	*calls_of_all = 0;
	for (unsigned way = 0; way < WAYS; way++)
		for (unsigned which = 0; which < REFUSED; which++) {
			children[way][which] = fork();
			if (children[way][which] == 0)
				record_refused(which, way, ways[way].action, ways[way].late);
		}
	for (unsigned way = 0; way < WAYS; way++)
		for (unsigned which = 0; which < REFUSED; which++) {
			int status = stress_wait(children[way][which]);

			CHECK(status == 0, "%s %s: ended with %d", refused[which].name, ways[way].how, status);
		}
	CHECK(total() - before == *calls_of_all, "refused: %llu calls, expected %llu",
	      (unsigned long long)(total() - before), (unsigned long long)*calls_of_all);
	printf("%u system calls refused in %u ways: %llu calls, exact\n", REFUSED, WAYS,
	       (unsigned long long)*calls_of_all);
}

int main(void)
{
	struct promcb_options options = {.components = 8000, .max_bytes = (uint64_t)1 << 30};
	char name[32];

	if (stress_emulated()) {
		printf("an emulator has no seccomp\n");
		return 77;
	}
	stress_begin("sandbox");
	calls_of_all = mmap(NULL, sizeof(*calls_of_all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(calls_of_all != MAP_FAILED, "mmap");
	metrics = stress_open(&options);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "known%u", i);
		known[i] = stress_component(metrics, name);
	}
	nobody_waits("promcb_reset_all", reset_all, stress_scale(OTHERS));
	nobody_waits("promcb_component", register_one, stress_scale(FRESH));
	nobody_waits("promcb_open and promcb_close", open_and_close, stress_scale(OTHERS));
	nobody_waits("fork", fork_one, stress_scale(OTHERS));
	nobody_waits("promcb_set_state", change_state, stress_scale(100 * OTHERS));
	/* Who has no recorder, and gets none. */
	lacks_memory = true;
	if (!RUNTIME_NEEDS_MEMORY) {
		nobody_waits("promcb_reset_all, without memory,", reset_all, stress_scale(OTHERS));
		nobody_waits("promcb_set_state, without memory,", change_state, stress_scale(100 * OTHERS));
	}
	lacks_memory = false;
	CHECK(pthread_key_create(&late_key, record_while_leaving) == 0, "key");
	recorder = leave;
	nobody_waits("promcb_reset_all, while leaving,", reset_all, stress_scale(OTHERS));
	nobody_waits("promcb_component, while leaving,", register_late, stress_scale(FRESH));
	nobody_waits("fork, while leaving,", fork_one, stress_scale(OTHERS));
	nobody_waits("promcb_set_state, while leaving,", change_state, stress_scale(100 * OTHERS));

	CHECK(promcb_reset_all(metrics) == 0, "reset");
	refuse_each();
	stress_check_segment();
	stress_remove();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * single_steps: a process records one machine instruction at a time.
 *
 * Between any two instructions a scrape comes:
 *   - Calls and sums never fall; calls are between those done and those begun; only calls in flight lack their latency.
 *   - Recent samples are genuine, and each there once: call k has a latency of 2^(k mod 32) ns and the ring 32 slots,
 *     so the sum of the samples in it has as many bits set as it has samples. Of a full ring, 31 at least are there.
 *   - None of another component's, which is called in between, are among them.
 * At every instruction in turn a handler comes that records into the same component, one call or more than a ring:
 *   - Not a call is lost, nor its latency.
 * Or a handler that forks, and both processes go on with what was interrupted:
 *   - The sum is that of the calls that are counted, give or take the call in flight: the child of a run does not add
 *     the latencies that its parent adds. Between the look whether the lane is still its own and the addition lie
 *     GAP_MAX instructions, where it would.
 *   - The child comes to its end: where the ring is full, too, and its entries, which lead nowhere, are looked at.
 */
#include "../stress/stress.h"

#include <promcb/inline.h>

#include <sched.h>
#include <sys/ptrace.h>

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

enum {
	RING = 32,
	SLOW_START = 2,
	MANY = 45,
	STEPS_MAX = 4000000,
	HANDLER_CALLS = 41,
	CANNOT = 77,
	/* Where adding to a word is a load and a store, a child may store over what its parent added in between. */
	GAP_MAX = PROMCB_ADD_OWNED_IS_SIGNAL_ATOMIC ? 4 : 3 * RING / 2,
};

/* Rising by more than a tick, and all within the window. */
#define STAMP_NS ((uint64_t)4 << PROMCB_HEAD_POSITION_BITS)

/* Of so many instructions one is looked at: all of them, or with a scale below 1 a share, another in each process. */
static uint64_t stride, first_step;

static struct shared {
	uint64_t base_ns;
	uint64_t begun, done;           /* calls of the stepped component, handlers' not included */
	uint64_t begun_ns, done_ns;
	uint64_t handled, handled_ns;
	uint64_t forked;                /* the process that a handler made */
	uint64_t through;               /* it has done what was interrupted */
	uint64_t warmed;                /* calls of a nanosecond before */
} * shared;

static struct promcb_component *stepped, *beside;
static struct promcb_reader *reader;

/* -- What is stepped ---------------------------------------------------------------------------------------------- */

static void begin(uint64_t count, uint64_t latency_ns)
{
	promcb_add_relaxed(&shared->begun, count);
	promcb_add_relaxed(&shared->begun_ns, latency_ns);
}

static void end(uint64_t count, uint64_t latency_ns)
{
	promcb_add_relaxed(&shared->done, count);
	promcb_add_relaxed(&shared->done_ns, latency_ns);
}

static uint64_t stamp(uint64_t k)
{
	return shared->base_ns + k * STAMP_NS;
}

static void one_by_one(void)
{
	for (uint64_t k = 0; k < (stride > 1 ? RING + 8 : 80); k++) {
		uint64_t latency_ns = (uint64_t)1 << k % RING;

		begin(1, latency_ns);
		promcb_record_at(stepped, latency_ns, k % 7 != 0, stamp(k));
		end(1, latency_ns);
		promcb_record_at(beside, 3, true, stamp(k));
	}
}

static void many_at_once(void)
{
	uint64_t latencies_ns[MANY], k = 0;

	for (unsigned round = 0; round < (stride > 1 ? 2 : 4); round++) {
		uint64_t sum_ns = 0;

		for (unsigned i = 0; i < MANY; i++, k++)
			sum_ns += latencies_ns[i] = (uint64_t)1 << k % RING;
		begin(MANY, sum_ns);
		promcb_record_many(stepped, latencies_ns, MANY, true, stamp(k));
		end(MANY, sum_ns);
		promcb_record_at(beside, 3, true, stamp(k));
	}
}

/* -- The stepped process, and its handlers ------------------------------------------------------------------------ */

static void record_in_handler(int number)
{
	(void)number;
	promcb_record_at(stepped, 1000, true, stamp(0));
	shared->handled += 1;
	shared->handled_ns += 1000;
}

static void record_rings_in_handler(int number)
{
	uint64_t latencies_ns[HANDLER_CALLS];

	(void)number;
	for (unsigned i = 0; i < HANDLER_CALLS; i++) {
		latencies_ns[i] = 1000;
		promcb_record_at(stepped, i % 9 ? 1000 : 0, i % 5 != 0, stamp(0));
		shared->handled_ns += i % 9 ? 1000 : 0;
	}
	promcb_record_many(stepped, latencies_ns, HANDLER_CALLS, true, stamp(0));
	shared->handled += 2 * HANDLER_CALLS;
	shared->handled_ns += 1000 * HANDLER_CALLS;
}

static bool is_forked;

static void fork_in_handler(int number)
{
	(void)number;
	pid_t child = fork();

	if (child == 0)
		is_forked = true;
	else
		shared->forked = (uint64_t)child;
}

/* Where the full ring's next sample goes. */
static uint64_t next_slot(void)
{
	const struct promcb_entry *entry = (const struct promcb_entry *)((uintptr_t)stepped + promcb_thread.distance);

	return ((const struct promcb_block *)entry->block)->head % RING;
}

/* warm: calls that are recorded before; above RING, as many more as end a round of the ring. */
static pid_t start(void (*what)(void), void (*handler)(int), unsigned warm)
{
	const struct promcb_options options = {.recent_samples = RING, .components = 8, .lanes = 4};
	pid_t child;

	memset(shared, 0, sizeof(*shared));
	shared->base_ns = stress_now_ns() - 1000 * STAMP_NS;
	promcb_remove(stress_segment, true, NULL);
	child = fork();
	CHECK(child >= 0, "fork");
	if (child)
		return child;
	struct promcb_session *p = stress_open(&options);

	stepped = stress_component(p, "stepped");
	beside = stress_component(p, "beside");
	for (unsigned k = 0; k < warm || (warm > RING && next_slot() != 0); k++) {
		begin(1, 1);
		promcb_record_at(stepped, 1, true, stamp(0));
		end(1, 1);
		shared->warmed++;
	}
	signal(SIGUSR1, handler ? handler : SIG_DFL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(CANNOT);
	raise(SIGSTOP);
	what();
	if (is_forked) {
		shared->through = 1;
		_exit(0);
	}
	raise(SIGSTOP);
	shared->through = 1;
	_exit(0);
}

/* Waits for it to stop. Returns by which signal, 0 if it ended. */
static int wait_stop(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child, "wait");
	if (WIFEXITED(status)) {
		if (WEXITSTATUS(status) == CANNOT) {
			stress_remove();
			printf("a process cannot be traced here\n");
			exit(CANNOT);
		}
		CHECK(WEXITSTATUS(status) == 0, "the stepped process failed with %d", WEXITSTATUS(status));
		return 0;
	}
	CHECK(WIFSTOPPED(status), "the stepped process died: %#x", (unsigned)status);
	return WSTOPSIG(status);
}

static void finish(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* -- Scrapes between instructions --------------------------------------------------------------------------------- */

static struct promcb_snapshot *snapshot_now(void)
{
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot;
	int result = promcb_reader_snapshot(reader, NULL, &snapshot, &message);

	CHECK(result == 0, "snapshot: %d %s", result, message.text);
	return snapshot;
}

static void check_recent(const struct promcb_recent *recent, uint64_t done, uint64_t step)
{
	uint64_t least = done < RING - 1 ? done : RING - 1;

	CHECK(recent->calls <= RING && recent->calls >= least, "step %llu: %llu samples of %llu calls",
	      (unsigned long long)step, (unsigned long long)recent->calls, (unsigned long long)done);
	if (recent->calls == 0)
		return;
	uint64_t sum_ns = (uint64_t)(recent->average_ns * (double)recent->calls + 0.5);

	CHECK((uint64_t)__builtin_popcountll(sum_ns) == recent->calls && sum_ns >> RING == 0,
	      "step %llu: %llu samples, whose sum is %#llx: one is doubled or made up", (unsigned long long)step,
	      (unsigned long long)recent->calls, (unsigned long long)sum_ns);
}

static void scrape_at_every_step(const char *name, void (*what)(void), enum promcb_access access)
{
	const struct promcb_reader_options options = {.access = access};
	pid_t child = start(what, NULL, 0);
	uint64_t steps = 0, calls_before = 0, sum_before = 0, looked = 0, least = RING;

	CHECK(wait_stop(child) == SIGSTOP, "start");
	CHECK(promcb_reader_open(stress_segment, &options, &reader, NULL) == 0, "reader");
	for (;; steps++) {
		CHECK(steps < STEPS_MAX, "it never ends");
		CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0, "step: %s", strerror(errno));
		if (wait_stop(child) != SIGTRAP)
			break;
		/* The first call looks for a lane: a hundred thousand instructions, mostly of the kernel's library. */
		if ((shared->done < SLOW_START && steps % 64) || steps % stride != first_step)
			continue;
		struct promcb_snapshot *snapshot = snapshot_now();
		const struct promcb_snapshot_component *found = stress_find(snapshot, "stepped");
		uint64_t calls = found ? found->counts.calls[0] + found->counts.calls[1] : 0;
		uint64_t sum = found ? found->counts.latency_sum_ns[0] + found->counts.latency_sum_ns[1] : 0;

		looked++;
		CHECK(calls >= shared->done && calls <= shared->begun && calls >= calls_before,
		      "step %llu: %llu calls after %llu", (unsigned long long)steps, (unsigned long long)calls,
		      (unsigned long long)calls_before);
		CHECK(sum >= shared->done_ns && sum <= shared->begun_ns && sum >= sum_before,
		      "step %llu: the sum is %llu", (unsigned long long)steps, (unsigned long long)sum);
		if (found) {
			check_recent(&found->recent, shared->done, steps);
			if (shared->done >= RING && found->recent.calls < least)
				least = found->recent.calls;
		}
		found = stress_find(snapshot, "beside");
		CHECK(!found || found->recent.calls == 0 ||
			      (found->recent.minimum_ns == 3 && found->recent.maximum_ns == 3),
		      "step %llu: another component's sample", (unsigned long long)steps);
		calls_before = calls;
		sum_before = sum;
		promcb_snapshot_free(snapshot);
	}
	CHECK(calls_before == shared->done && sum_before == shared->done_ns, "in the end");
	printf("%s: %llu steps, %llu scrapes, %llu calls, %llu samples at least\n", name, (unsigned long long)steps,
	       (unsigned long long)looked, (unsigned long long)shared->done, (unsigned long long)least);
	promcb_reader_close(reader);
	finish(child);
}

/* -- Handlers between instructions -------------------------------------------------------------------------------- */

/* After how many instructions a forked child made the sum differ by more than a call. */
static unsigned gaps;

static void record_one(void)
{
	begin(1, 500);
	promcb_record_at(stepped, 500, true, stamp(0));
	end(1, 500);
}

static void record_failure(void)
{
	begin(1, 500);
	promcb_record_at(stepped, 500, false, stamp(0));
	end(1, 500);
}

static void record_many(void)
{
	uint64_t latencies_ns[RING / 2];

	for (unsigned i = 0; i < RING / 2; i++)
		latencies_ns[i] = 500;
	begin(RING / 2, 500 * RING / 2);
	promcb_record_many(stepped, latencies_ns, RING / 2, true, stamp(0));
	end(RING / 2, 500 * RING / 2);
}

/* Whether the child of a handler that forked is through: dead, or at its last stop. It is not ours to wait for. */
static bool has_ended(pid_t child)
{
	char path[64], state = 'Z';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
	file = fopen(path, "r");
	if (file) {
		if (fscanf(file, "%*d %*s %c", &state) != 1)
			state = 'Z';
		fclose(file);
	}
	if (state == 'T') {
		shared->through = 1;
		kill(child, SIGKILL);
	}
	return state == 'Z' || state == 'T' || state == 'X';
}

/* A fresh process, and a handler in it after so many instructions. Returns false when it ended before. */
static bool handle_after(const char *name, void (*what)(void), void (*handler)(int), unsigned warm, uint64_t after)
{
	const struct promcb_reader_options options = {.access = PROMCB_ACCESS_COPY};
	pid_t child = start(what, handler, warm);
	int stopped = SIGTRAP;

	CHECK(wait_stop(child) == SIGSTOP, "start");
	for (uint64_t i = 0; i < after && stopped == SIGTRAP; i++) {
		CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0, "step: %s", strerror(errno));
		stopped = wait_stop(child);
	}
	if (stopped != SIGTRAP) {
		finish(child);
		return false;
	}
	CHECK(ptrace(PTRACE_CONT, child, NULL, (void *)(uintptr_t)SIGUSR1) == 0, "go on: %s", strerror(errno));
	stopped = wait_stop(child);
	while (stopped == SIGCHLD) {
		ptrace(PTRACE_CONT, child, NULL, NULL);
		stopped = wait_stop(child);
	}
	CHECK(stopped == SIGSTOP, "%s after %llu steps: stopped by %d", name, (unsigned long long)after, stopped);
	while (shared->forked && !has_ended((pid_t)shared->forked))
		sched_yield();
	CHECK(!shared->forked || shared->through, "%s after %llu steps: the child died", name,
	      (unsigned long long)after);
	CHECK(promcb_reader_open(stress_segment, &options, &reader, NULL) == 0, "reader");
	struct promcb_snapshot *snapshot = snapshot_now();
	const struct promcb_snapshot_component *found = stress_find(snapshot, "stepped");
	uint64_t calls = found ? found->counts.calls[0] + found->counts.calls[1] : 0;
	uint64_t sum = found ? found->counts.latency_sum_ns[0] + found->counts.latency_sum_ns[1] : 0;

	if (handler == fork_in_handler) {
		uint64_t expected = shared->warmed + (calls - shared->warmed) * 500;

		gaps += sum > expected + 500 || sum + 500 < expected;
	} else {
		CHECK(calls == shared->done + shared->handled && sum == shared->done_ns + shared->handled_ns,
		      "%s after %llu steps: %llu calls of %llu, sum %llu of %llu", name, (unsigned long long)after,
		      (unsigned long long)calls, (unsigned long long)(shared->done + shared->handled),
		      (unsigned long long)sum, (unsigned long long)(shared->done_ns + shared->handled_ns));
		CHECK(!found || found->recent.calls >= 1, "no sample is left");
	}
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
	finish(child);
	return true;
}

static void handle_at_every_step(const char *name, void (*what)(void), void (*handler)(int), unsigned warm)
{
	uint64_t step = first_step, handled = 0;

	gaps = 0;
	for (; handle_after(name, what, handler, warm, step); step += stride)
		handled++;
	CHECK(step > 20 && handled > 0, "%s: %llu steps", name, (unsigned long long)step);
	CHECK(gaps <= GAP_MAX, "%s: after %u of %llu steps the sum is not that of the calls", name, gaps,
	      (unsigned long long)step);
	printf("%s: a handler after %llu of %llu instructions, %u gaps\n", name, (unsigned long long)handled,
	       (unsigned long long)step, gaps);
}

int main(void)
{
	static const unsigned warms[] = {5, RING - 1};

	if (SANITIZED) {
		printf("a sanitizer's instructions are not those of the record path\n");
		return CANNOT;
	}
	stress_begin("single-steps");
	stride = stress_stride();
	first_step = stride > 1 ? stress_seed() % stride : 0;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	/* In mid-ring; and where the stepped call fills the ring, and a larger one is due with the handler's. */
	for (unsigned i = 0; i < sizeof(warms) / sizeof(*warms); i++) {
		handle_at_every_step("one, one", record_one, record_in_handler, warms[i]);
		handle_at_every_step("one, rings", record_one, record_rings_in_handler, warms[i]);
		handle_at_every_step("failure, rings", record_failure, record_rings_in_handler, warms[i]);
	}
	handle_at_every_step("many, one", record_many, record_in_handler, 5);
	handle_at_every_step("many, rings", record_many, record_rings_in_handler, 5);
	handle_at_every_step("one, fork", record_one, fork_in_handler, 5);
	handle_at_every_step("full ring, fork", record_one, fork_in_handler, 2 * RING);
	handle_at_every_step("many, fork", record_many, fork_in_handler, 5);
	/* Stepping costs more than looking: of a share, each is read in one of both ways, at random. */
	bool all = stride == 1, odd = stress_seed() % 2;

	if (all || odd)
		scrape_at_every_step("one by one", one_by_one, PROMCB_ACCESS_COPY);
	if (all || !odd)
		scrape_at_every_step("one by one, mapped", one_by_one, PROMCB_ACCESS_MAPPED);
	if (all || !odd)
		scrape_at_every_step("many at once", many_at_once, PROMCB_ACCESS_COPY);
	if (all || odd)
		scrape_at_every_step("many at once, mapped", many_at_once, PROMCB_ACCESS_MAPPED);
	stress_remove();
	return 0;
}

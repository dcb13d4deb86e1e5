/* SPDX-License-Identifier: MIT */
/*
 * kill_points: a process dies by SIGKILL, or is stopped, at each named point of the library's protocols in turn
 * (inject.h).
 *
 * Invariants, for each point, at its first and at a later passage:
 *   - A reader answers in bounded time, and the segment keeps its invariants; or there is no segment, if it died in
 *     creation.
 *   - done <= recorded <= begun, as the victim counted them in memory that survives it: only the call in flight may
 *     miss.
 *   - Another process then does all that the victim did, while it is dead or stopped, and its every call is there: it
 *     repairs or steps over what was left. Memory stays bounded.
 */
#include "points.h"

#include <promcb/atomic.h>

enum { COMPONENTS = 14, CALLS = 40 };

static struct shared {
	uint64_t begun, done;
} * shared;

static void record(struct promcb_component *component, uint64_t latency_ns, bool success)
{
	promcb_add_relaxed(&shared->begun, 1);
	promcb_record(component, latency_ns, success);
	promcb_add_relaxed(&shared->done, 1);
}

static void record_outcome(struct promcb_component *component, bool success)
{
	promcb_add_relaxed(&shared->begun, 1);
	promcb_record_outcome(component, success);
	promcb_add_relaxed(&shared->done, 1);
}

static void *record_in_thread(void *argument)
{
	for (unsigned k = 0; k < CALLS; k++) {
		record(argument, 1000, true);
		record_outcome(argument, false);
	}
	return NULL;
}

/*
 * Everything that a producer does: more components than a chunk holds, more calls than a first ring, a thread more
 * than lanes.
 */
static void produce(void)
{
	struct promcb_component *components[COMPONENTS];
	const struct promcb_options options = {.lanes = 3};
	struct promcb_session *p;
	pthread_t threads[4];
	char name[32];

	if (promcb_open(stress_segment, &options, &p) < 0)
		_exit(2);
	for (unsigned c = 0; c < COMPONENTS; c++) {
		snprintf(name, sizeof(name), "component %u", c);
		if (promcb_component(p, name, &components[c]) < 0)
			_exit(3);
		for (unsigned k = 0; k < CALLS; k++)
			record(components[c], k == 7 ? 0 : 1000 + k, k % 5 != 0);
		record_outcome(components[c], true);
	}
	for (unsigned t = 0; t < 4; t++)
		if (pthread_create(&threads[t], NULL, record_in_thread, components[t]) != 0)
			_exit(4);
	for (unsigned t = 0; t < 4; t++)
		pthread_join(threads[t], NULL);
	promcb_set_state(components[0], PROMCB_OPEN);
	promcb_set_state(components[0], PROMCB_CLOSED);
	promcb_count_log(components[1], PROMCB_LOG_ERROR);
	/* Of a component that counts nothing, so that the totals stay. */
	promcb_component(p, "reset", &components[0]);
	if (promcb_reset(p, "reset") == -EBUSY)
		promcb_count_log(components[1], PROMCB_LOG_WARNING);
	promcb_close(p);
}

/* Calls in the segment, or -1 if there is none. */
static int64_t recorded(const char *point)
{
	struct promcb_reader *reader;
	struct promcb_snapshot *snapshot;
	struct promcb_message message = {.text = ""};
	uint64_t begin = stress_now_ns();
	int64_t calls = 0;
	int result = promcb_reader_open(stress_segment, NULL, &reader, &message);

	if (result == -ENOENT)
		return -1;
	CHECK(result == 0, "%s: %s", point, message.text);
	result = promcb_reader_snapshot(reader, NULL, &snapshot, &message);
	CHECK(result == 0, "%s: %s", point, message.text);
	for (size_t i = 0; i < snapshot->count; i++)
		calls += (int64_t)(snapshot->components[i].counts.calls[0] + snapshot->components[i].counts.calls[1]);
	CHECK(snapshot->info.used_bytes <= (3 << 20), "%llu bytes are used",
	      (unsigned long long)snapshot->info.used_bytes);
	CHECK(snapshot->info.dropped_calls == 0, "calls were dropped");
	promcb_snapshot_free(snapshot);
	CHECK(promcb_reader_check(reader, stress_report, NULL) == 0, "after \"%s\" the segment breaks its invariants",
	      point);
	promcb_reader_close(reader);
	CHECK(stress_now_ns() - begin < (uint64_t)PATIENCE_SECONDS * 1000000000u, "a reader waited");
	return calls;
}

/* Returns whether the victim came by there. */
static bool try_point(const char *point, uint64_t passage, int signal_number)
{
	int64_t calls, more;
	int status;
	pid_t victim;

	promcb_remove(stress_segment, true, NULL);
	shared->begun = shared->done = 0;
	victim = points_start(produce, point, passage, signal_number);
	CHECK(waitpid(victim, &status, WUNTRACED) == victim, "wait");
	if (WIFEXITED(status)) {
		/* The point lies on no way of this run: threads raced past it. */
		CHECK(WEXITSTATUS(status) == 0, "\"%s\": the victim failed with %d", point, WEXITSTATUS(status));
		return false;
	}
	CHECK(signal_number == SIGSTOP ? WIFSTOPPED(status) : WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	      "\"%s\": the victim ended with %#x", point, (unsigned)status);
	calls = recorded(point);
	CHECK(calls <= (int64_t)shared->begun && (calls >= (int64_t)shared->done || (calls < 0 && shared->done == 0)),
	      "\"%s\" passage %llu: done %llu, recorded %lld, begun %llu", point, (unsigned long long)passage,
	      (unsigned long long)shared->done, (long long)calls, (unsigned long long)shared->begun);
	for (unsigned round = 0; round < 3; round++) {
		uint64_t before = shared->done;

		status = stress_wait(points_start(produce, NULL, 0, 0));
		CHECK(status == 0, "\"%s\" passage %llu: the next process failed with %d", point,
		      (unsigned long long)passage, status);
		more = recorded(point);
		CHECK(more == (calls < 0 ? 0 : calls) + (int64_t)(shared->done - before),
		      "\"%s\" passage %llu: %lld calls and %llu more are %lld", point, (unsigned long long)passage,
		      (long long)calls, (unsigned long long)(shared->done - before), (long long)more);
		calls = more;
	}
	if (signal_number == SIGSTOP) {
		/* It goes on as if nothing had been. */
		uint64_t before = shared->done;

		kill(victim, SIGCONT);
		CHECK(stress_wait(victim) == 0, "\"%s\": the stopped process failed", point);
		more = recorded(point);
		CHECK(more >= calls + (int64_t)(shared->done - before) - 5 && more <= (int64_t)shared->begun,
		      "\"%s\": %lld calls after going on", point, (long long)more);
		CHECK(more == (int64_t)shared->done, "\"%s\": %lld of %llu calls", point, (long long)more,
		      (unsigned long long)shared->done);
	}
	return true;
}

int main(void)
{
	unsigned tried;

	stress_begin("kill-points");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	points_collect(produce);
	CHECK(points->count > 25, "only %llu points were passed", (unsigned long long)points->count);
	tried = points_try(try_point);
	printf("%llu points, %u deaths and stops: every call but those in flight is there\n",
	       (unsigned long long)points->count, tried);
	stress_remove();
	return 0;
}

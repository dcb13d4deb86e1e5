/* SPDX-License-Identifier: MIT */
/*
 * meet_parked: a thread stops at a named point of a call (inject.h) until the segment that it was in was removed, left,
 * and parked: its addresses are memory of nobody by then.
 *
 * Invariants
 *   - rejected_in_nothing: a call that is counted as rejected in a segment that is parked does no harm.
 *   - state_of_nothing: who asks for a state there, or slept meanwhile, gets the one that was told in the new segment.
 *   - What a record stores into is kept, though a guest has learned the file's size before it grew, and told it after.
 */
#include "../stress/stress.h"

#include "record/attachment.h"
#include "record/process.h"

#include <promcb/inject.h>

#include <pthread.h>

enum { PATIENCE_SECONDS = 60, MANY = 200 };

static const char *stall_at;
static __thread bool may_stall;
static uint64_t stalled, go_on;

static void pause_shortly(void)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	nanosleep(&pause, NULL);
}

static void await(const uint64_t *word)
{
	while (!promcb_load_acquire(word))
		pause_shortly();
}

void promcb_inject(const char *point)
{
	/* Not with the mutex, which those need who are waited for. */
	if (!may_stall || strcmp(point, stall_at) != 0 || promcb_load32_relaxed(&promcb_process->mutex))
		return;
	may_stall = false;
	promcb_store_release(&stalled, 1);
	await(&go_on);
}

static struct promcb_session *metrics;
static struct promcb_component *known;

/* Takes one of few lanes, if few there are. */
static void start(uint32_t lanes)
{
	const struct promcb_options options = {.lanes = lanes};

	metrics = stress_open(&options);
	known = stress_component(metrics, "known");
	promcb_record(known, 1000, true);
	CHECK(promcb_set_state(known, PROMCB_OPEN) == 0, "state");
}

/* The process leaves its segment, and parks it. */
static void park(void)
{
	const struct promcb_attachment *left = &promcb_attachments[0];

	CHECK(left->segment.base && !left->closing, "the segment has another place");
	CHECK(promcb_remove(stress_segment, true, NULL) == 0, "remove");
	do {
		CHECK(promcb_set_state(known, PROMCB_HALF_OPEN) == 0, "state");
		pause_shortly();
	} while (!__atomic_load_n(&left->parked, __ATOMIC_ACQUIRE));
}

static void park_under(const char *point, void *(*call)(void *))
{
	pthread_t thread;

	stall_at = point;
	CHECK(pthread_create(&thread, NULL, call, NULL) == 0, "thread");
	await(&stalled);
	park();
	promcb_store_release(&go_on, 1);
	CHECK(pthread_join(thread, NULL) == 0, "join");
}

/* -- Rejected calls ----------------------------------------------------------------------------------------------- */

static void *call_without_latency(void *argument)
{
	may_stall = true;
	while (!promcb_load_acquire(&go_on))
		CHECK(promcb_call(metrics, "known", -1, true) == -EINVAL, "a latency below 0");
	return argument;
}

static void reject_in_nothing(void)
{
	start(1);
	park_under("rejected: placed", call_without_latency);
	CHECK(promcb_call(metrics, "known", -1, true) == -EINVAL, "a latency below 0");
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);

	CHECK(snapshot->info.rejected_calls == 1, "rejected_in_nothing: %llu in the new segment",
	      (unsigned long long)snapshot->info.rejected_calls);
	promcb_snapshot_free(snapshot);
}

/* -- States ------------------------------------------------------------------------------------------------------- */

static void *ask(void *argument)
{
	enum promcb_state state = PROMCB_OPEN;

	promcb_record(known, 1000, true);
	may_stall = true;
	while (!promcb_load_acquire(&go_on))
		state = promcb_state(known);
	CHECK(state == PROMCB_HALF_OPEN, "state_of_nothing: at \"%s\": %s", stall_at, promcb_state_name(state));
	return argument;
}

static void *sleep_between(void *argument)
{
	promcb_record(known, 1000, true);
	CHECK(promcb_state(known) == PROMCB_OPEN, "state");
	promcb_store_release(&stalled, 1);
	await(&go_on);
	CHECK(promcb_state(known) == PROMCB_HALF_OPEN, "state_of_nothing: of a thread that slept");
	promcb_record(known, 1000, true);
	CHECK(promcb_state(known) == PROMCB_HALF_OPEN, "state_of_nothing: once it has recorded");
	return argument;
}

static void ask_before_nothing(void)
{
	start(8);
	park_under("state: glanced", ask);
}

static void ask_in_nothing(void)
{
	start(8);
	park_under("state: leased", ask);
}

static void ask_after_sleep(void)
{
	start(8);
	park_under("nowhere", sleep_between);
	CHECK(stress_all_calls(1000) == 1, "the sleeper's record");
}

/* -- Sizes -------------------------------------------------------------------------------------------------------- */

static struct promcb_component *late, *last;
static uint64_t sized;

__attribute__((noinline)) static int record_in_vfork(struct promcb_component *component)
{
	pid_t child = vfork();

	if (child == 0) {
		may_stall = true;
		promcb_record(component, 1000, true);
		_exit(0);
	}
	may_stall = false;
	return stress_wait(child);
}

/* Grows the file under the guest's eyes; then it is in the middle of a record at the end of it. */
static void *grow(void *argument)
{
	char name[32];

	await(&stalled);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "many%u", i);
		last = stress_component(metrics, name);
		promcb_record(last, 1000, true);
	}
	promcb_store_release(&go_on, 1);
	await(&sized);
	may_stall = true;
	promcb_record(last, 1000, true);
	return argument;
}

static void keep_all(void)
{
	const struct promcb_segment *segment = &promcb_attachments[0].segment;
	uint64_t grown_bytes;
	pthread_t thread;
	pid_t child;

	start(8);
	/* By another process, so that the file is longer than this one has seen. */
	child = fork();
	if (child == 0)
		for (unsigned i = 0;; i++) {
			char name[32];

			snprintf(name, sizeof(name), "late%u", i);
			late = stress_component(metrics, name);
			promcb_record(late, 1000, true);
			if (i == MANY)
				_exit(0);
		}
	CHECK(stress_wait(child) == 0, "child");
	late = stress_component(metrics, "late100");
	stall_at = "segment: sized";
	CHECK(pthread_create(&thread, NULL, grow, NULL) == 0, "thread");
	CHECK(record_in_vfork(late) == 0 && promcb_load_acquire(&go_on), "the guest was not interrupted");
	grown_bytes = (uint64_t)segment->file_bytes;
	stall_at = "record: counted";
	promcb_store_release(&go_on, 0);
	promcb_store_release(&stalled, 0);
	promcb_store_release(&sized, 1);
	await(&stalled);
	park();
	promcb_store_release(&go_on, 1);
	CHECK(pthread_join(thread, NULL) == 0, "join");
	printf("a guest told of %llu bytes\n", (unsigned long long)grown_bytes);
}

int main(void)
{
	stress_begin("meet-parked");
	stress_in_child("a call that is rejected", reject_in_nothing, PATIENCE_SECONDS);
	stress_in_child("a state that is about to be asked for", ask_before_nothing, PATIENCE_SECONDS);
	stress_in_child("a state that is asked for", ask_in_nothing, PATIENCE_SECONDS);
	stress_in_child("a state that is asked for after a sleep", ask_after_sleep, PATIENCE_SECONDS);
	if (!stress_emulated())
		stress_in_child("a record, and a guest that told of a shorter file", keep_all, PATIENCE_SECONDS);
	stress_remove();
	return 0;
}

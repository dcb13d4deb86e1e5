/* SPDX-License-Identifier: MIT */
/*
 * torture_follow: segments are removed under their producers.
 *
 *   - However seldom a producer calls, by whichever function: the first call that comes a second or more after the
 *     removal is in the new segment, the whole call and nothing before it.
 *   - A producer that never rests is there two seconds after its next call, all its threads are, and no call is
 *     missing in the sum of the old file and the new one.
 *   - Of these: removed by rm, by promcb_remove(), and made anew by another process before the producer calls.
 */
#include "rush.h"

#include <promcb/inline.h>

enum { THREADS = 3, NAMES = 3, LATENCY_NS = 1000 };

enum way { BY_RM, BY_REMOVE, MADE_ANEW, WAYS };

static const char *const ways[] = {"rm", "promcb_remove()", "made anew by another"};

/* -- One call, a second later ------------------------------------------------------------------------------------- */

static void by_record(struct promcb_session *p, struct promcb_component *component)
{
	(void)p;
	promcb_record(component, LATENCY_NS, true);
}

static void by_failure(struct promcb_session *p, struct promcb_component *component)
{
	(void)p;
	promcb_record(component, LATENCY_NS, false);
}

static void by_record_at(struct promcb_session *p, struct promcb_component *component)
{
	(void)p;
	promcb_record_at(component, LATENCY_NS, true, stress_now_ns());
}

static void by_inline(struct promcb_session *p, struct promcb_component *component)
{
	(void)p;
	promcb_record_at_inline(component, LATENCY_NS, true, stress_now_ns());
}

static void by_record_many(struct promcb_session *p, struct promcb_component *component)
{
	const uint64_t latency_ns = LATENCY_NS;

	(void)p;
	promcb_record_many(component, &latency_ns, 1, true, stress_now_ns());
}

static void by_outcome(struct promcb_session *p, struct promcb_component *component)
{
	(void)p;
	promcb_record_outcome(component, true);
}

static void by_stop(struct promcb_session *p, struct promcb_component *component)
{
	(void)p;
	promcb_stop(component, promcb_start(), true);
}

static void by_call(struct promcb_session *p, struct promcb_component *component)
{
	(void)component;
	promcb_call(p, "seldom", LATENCY_NS * 1e-9, true);
}

static void by_log(struct promcb_session *p, struct promcb_component *component)
{
	(void)p;
	promcb_count_log(component, PROMCB_LOG_INFO);
}

static void by_state(struct promcb_session *p, struct promcb_component *component)
{
	static unsigned state;

	(void)p;
	promcb_set_state(component, ++state % 2 ? PROMCB_OPEN : PROMCB_HALF_OPEN);
}

/* What is called, and what it adds to in the snapshot. */
static const struct function {
	const char *name;
	void (*call)(struct promcb_session *p, struct promcb_component *component);
	enum { CALLS, LOGS, STATES } adds;
} functions[] = {
	{"promcb_record", by_record, CALLS},
	{"a failure", by_failure, CALLS},
	{"promcb_record_at", by_record_at, CALLS},
	{"promcb_record_at_inline", by_inline, CALLS},
	{"promcb_record_many", by_record_many, CALLS},
	{"promcb_record_outcome", by_outcome, CALLS},
	{"promcb_stop", by_stop, CALLS},
	{"promcb_call", by_call, CALLS},
	{"promcb_count_log", by_log, LOGS},
	{"promcb_set_state", by_state, STATES},
};

/*
 * How often before: in the first ring, at its end, in the middle of a full one. In overflow blocks, as well, and by
 * daemons that close all descriptors.
 */
static const struct warm {
	unsigned calls;
	enum { PLAIN, OVERFLOW, CLOSING } kind;
} warms[] = {{1, PLAIN}, {32, PLAIN}, {1500, PLAIN}, {40, OVERFLOW}, {40, CLOSING}};

static const char *const kinds[] = {"", " to overflow blocks", ", all descriptors closed"};

enum {
	FUNCTIONS = sizeof(functions) / sizeof(*functions),
	WARMS = sizeof(warms) / sizeof(*warms),
	PRODUCERS = FUNCTIONS * WARMS,
};

static struct producer {
	pid_t child;
	int go[2], done[2];
	struct promcb_session *holder; /* of its one lane, here */
	char segment[64];
} producers[PRODUCERS];

static void await(int fd)
{
	char byte;

	CHECK(read(fd, &byte, 1) == 1, "the other side has ended");
}

static void tell(int fd)
{
	CHECK(write(fd, "", 1) == 1, "write");
}

/* In the producer's process. With one lane, which another holds, the calls go to an overflow block. */
static void produce(const struct producer *producer, const struct function *function, const struct warm *warm)
{
	const struct promcb_options options = {.lanes = 1, .components = 8, .max_bytes = 4 << 20};
	struct promcb_session *p;

	memcpy(stress_segment, producer->segment, sizeof(stress_segment));
	p = stress_open(&options);
	for (unsigned k = 0; k < warm->calls; k++)
		function->call(p, stress_component(p, "seldom"));
	for (int fd = 3; warm->kind == CLOSING && fd < 1024; fd++)
		if (fd != producer->go[0] && fd != producer->done[1])
			close(fd);
	tell(producer->done[1]);
	await(producer->go[0]);
	function->call(p, stress_component(p, "seldom"));
	tell(producer->done[1]);
	await(producer->go[0]);
	_exit(0);
}

static uint64_t added(const struct function *function)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_MAPPED);
	const struct promcb_snapshot_component *found = stress_find(snapshot, "seldom");
	uint64_t sum = 0;

	if (found && function->adds == CALLS)
		sum = found->counts.calls[0] + found->counts.calls[1];
	else if (found && function->adds == LOGS)
		sum = found->counts.log_entries[PROMCB_LOG_INFO];
	else if (found)
		sum = found->counts.transitions[PROMCB_OPEN] + found->counts.transitions[PROMCB_HALF_OPEN];
	promcb_snapshot_free(snapshot);
	return sum;
}

static void start_producer(struct producer *producer, const struct function *function, const struct warm *warm)
{
	const struct promcb_options options = {.lanes = 1, .components = 8, .max_bytes = 4 << 20};
	unsigned number = (unsigned)(producer - producers);

	snprintf(producer->segment, sizeof(producer->segment), "/promcb-follow-%d-%u", (int)getpid(), number);
	memcpy(stress_segment, producer->segment, sizeof(stress_segment));
	promcb_remove(stress_segment, true, NULL);
	CHECK(pipe2(producer->go, O_CLOEXEC) == 0 && pipe2(producer->done, O_CLOEXEC) == 0, "pipe");
	CHECK(promcb_create(stress_segment, &options, NULL) == 0, "create");
	/* The one lane is this process's, until the segment is removed. */
	producer->holder = warm->kind == OVERFLOW ? stress_open(&options) : NULL;
	if (producer->holder)
		promcb_record(stress_component(producer->holder, "other"), LATENCY_NS, true);
	producer->child = fork();
	CHECK(producer->child >= 0, "fork");
	if (producer->child == 0)
		produce(producer, function, warm);
}

static void remove_one(const struct producer *producer, enum way way)
{
	const struct promcb_options options = {.components = 8, .max_bytes = 4 << 20};
	char path[128];

	memcpy(stress_segment, producer->segment, sizeof(stress_segment));
	snprintf(path, sizeof(path), "/dev/shm%s", stress_segment);
	if (way == BY_RM)
		CHECK(unlink(path) == 0, "unlink");
	else
		CHECK(promcb_remove(stress_segment, true, NULL) == 0, "remove");
	if (way == MADE_ANEW)
		CHECK(promcb_create(stress_segment, &options, NULL) == 0, "create");
}

/* All wait for the same second. */
static void one_call_later(enum way way)
{
	const struct timespec second = {.tv_sec = 1, .tv_nsec = 50000000};

	for (unsigned i = 0; i < PRODUCERS; i++) {
		start_producer(&producers[i], &functions[i / WARMS], &warms[i % WARMS]);
		await(producers[i].done[0]);
	}
	for (unsigned i = 0; i < PRODUCERS; i++)
		remove_one(&producers[i], way);
	nanosleep(&second, NULL);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		const struct function *function = &functions[i / WARMS];
		int status;

		tell(producers[i].go[1]);
		await(producers[i].done[0]);
		memcpy(stress_segment, producers[i].segment, sizeof(stress_segment));
		CHECK(added(function) == 1, "%s after %u calls%s, %s: %llu calls in the new segment", function->name,
		      warms[i % WARMS].calls, kinds[warms[i % WARMS].kind], ways[way],
		      (unsigned long long)added(function));
		tell(producers[i].go[1]);
		CHECK(waitpid(producers[i].child, &status, 0) == producers[i].child && status == 0, "a producer");
		promcb_close(producers[i].holder);
		for (unsigned k = 0; k < 2; k++) {
			close(producers[i].go[k]);
			close(producers[i].done[k]);
		}
		stress_remove();
	}
	printf("%s: %u producers, each there with its next call\n", ways[way], PRODUCERS);
}

/* -- Without a pause ---------------------------------------------------------------------------------------------- */

static struct promcb_component *components[NAMES];
static uint64_t made[THREADS], late[THREADS];
static uint64_t phase; /* 0: on the old segment; 1: it is removed; 2: the end */

/* Calls at full speed. late: those that began two seconds or more after the thread's first since the removal. */
static void *rush(void *argument)
{
	unsigned thread = (unsigned)(uintptr_t)argument;
	uint64_t first_ns = 0, seen;

	for (uint64_t count = 0; (seen = promcb_load_acquire(&phase)) != 2; count++) {
		uint64_t now_ns = stress_now_ns();

		if (seen == 1 && first_ns == 0)
			first_ns = now_ns;
		promcb_record_at(components[count % NAMES], LATENCY_NS, count % 5 != 0, now_ns);
		promcb_store_release(&made[thread], count + 1);
		if (first_ns && now_ns - first_ns >= 2000000000u)
			promcb_store_release(&late[thread], promcb_load_relaxed(&late[thread]) + 1);
	}
	return NULL;
}

static uint64_t sum_of(const uint64_t counts[THREADS])
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < THREADS; i++)
		sum += promcb_load_acquire(&counts[i]);
	return sum;
}

static void without_a_pause(enum way way)
{
	struct producer rushing = {.segment = ""};
	char path[128], old_path[140];
	uint64_t in_old, in_new;
	pthread_t threads[THREADS];
	struct promcb_session *p;
	int old;

	memcpy(rushing.segment, stress_begin("rush"), sizeof(rushing.segment));
	snprintf(path, sizeof(path), "/dev/shm%s", stress_segment);
	snprintf(old_path, sizeof(old_path), "%s-old", path);
	p = stress_open(NULL);
	for (unsigned i = 0; i < NAMES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "rush %u", i);
		components[i] = stress_component(p, name);
	}
	phase = 0;
	memset(made, 0, sizeof(made));
	memset(late, 0, sizeof(late));
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, rush, (void *)i) == 0, "pthread_create");
	await_counts(made, THREADS, 5000);
	old = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(old >= 0, "open");
	remove_one(&rushing, way);
	promcb_store_release(&phase, 1);
	await_counts(late, THREADS, 1000);
	promcb_store_release(&phase, 2);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	in_new = stress_all_calls(LATENCY_NS);
	snprintf(stress_segment, sizeof(stress_segment), "%.50s-old", rushing.segment);
	name_again(old, old_path);
	in_old = stress_all_calls(LATENCY_NS);
	close(old);
	unlink(old_path);
	memcpy(stress_segment, rushing.segment, sizeof(stress_segment));
	CHECK(in_old + in_new == sum_of(made), "%llu + %llu calls of %llu", (unsigned long long)in_old,
	      (unsigned long long)in_new, (unsigned long long)sum_of(made));
	CHECK(in_new >= sum_of(late), "%llu calls came after two seconds, and %llu are in the new segment",
	      (unsigned long long)sum_of(late), (unsigned long long)in_new);
	promcb_close(p);
	stress_remove();
	printf("%s: %llu calls, %llu of them in the new segment, none is missing\n", ways[way],
	       (unsigned long long)sum_of(made), (unsigned long long)in_new);
}

int main(void)
{
	stress_begin("follow");
	for (enum way way = 0; way < WAYS; way++)
		one_call_later(way);
	for (enum way way = 0; way < WAYS; way++)
		without_a_pause(way);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * meet_points: one stops at a named point of the library (inject.h) and another does there what must not harm it.
 *
 * Invariants
 *   - process_fork_while_starting: a child that was forked while another thread is in its first promcb_open() opens
 *     and records by itself. It waited for ever for the lock of a thread that it does not have.
 *   - admin_removed_a_newer_segment: of two removers, none removes a segment that was made after it looked at the
 *     name. The slower one did.
 *   - create_slower_creator_complained: of two creators the slower one attaches, without a word. promcb-record printed
 *     a warning that the segment exists.
 *   - reader_gave_up_after_one_try: a reader that a reset met once, and that was kept from running for longer than
 *     its patience, tries again.
 */
#include "../stress/stress.h"

#include <promcb/atomic.h>
#include <promcb/inject.h>

#include <sched.h>
#include <sys/stat.h>

enum { PATIENCE_SECONDS = 20 };

static struct {
	uint64_t arrived, go_on;
} * shared;

static const char *meeting_point;
static pid_t meeting_pid;

static struct promcb_session *reset_there;

/* What meets a reader: a reset, and more than its patience of a second in which it does not run. */
static void reset_and_wait(void)
{
	uint64_t end = stress_now_ns() + 1100000000u;
	struct promcb_session *metrics = reset_there;

	reset_there = NULL;
	CHECK(promcb_reset(metrics, "met") == 0, "reset");
	while (stress_now_ns() < end)
		sched_yield();
}

void promcb_inject(const char *point)
{
	if (reset_there && strcmp(point, "snapshot: collected") == 0)
		reset_and_wait();
	if (!meeting_point || strcmp(point, meeting_point) != 0 || getpid() != meeting_pid)
		return;
	promcb_store_release(&shared->arrived, 1);
	while (!promcb_load_acquire(&shared->go_on))
		sched_yield();
}

static void meet_at(const char *point)
{
	shared->arrived = shared->go_on = 0;
	meeting_pid = getpid();
	meeting_point = point;
}

static void await_arrival(void)
{
	while (!promcb_load_acquire(&shared->arrived))
		sched_yield();
}

static void *open_segment(void *argument)
{
	struct promcb_session **out = argument;

	*out = stress_open(NULL);
	return NULL;
}

static void fork_while_starting(void)
{
	struct promcb_session *metrics;
	pthread_t thread;

	meet_at("process: starting");
	CHECK(pthread_create(&thread, NULL, open_segment, &metrics) == 0, "thread");
	await_arrival();
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0) {
		alarm(PATIENCE_SECONDS);
		promcb_record(stress_component(stress_open(NULL), "met"), 1000, true);
		_exit(0);
	}
	int status = stress_wait(child);

	CHECK(status == 0, "process_fork_while_starting: the child ended with %d", status);
	promcb_store_release(&shared->go_on, 1);
	pthread_join(thread, NULL);
	meeting_point = NULL;
	promcb_record(stress_component(metrics, "met"), 1000, true);
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	const struct promcb_snapshot_component *met = stress_find(snapshot, "met");

	CHECK(met && met->counts.calls[0] == 2, "process_fork_while_starting: calls are missing");
	promcb_snapshot_free(snapshot);
	promcb_close(metrics);
	printf("forked while a thread started: the child records\n");
}

static ino_t inode_of_name(void)
{
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "/dev/shm%s", stress_segment);
	return stat(path, &status) == 0 ? status.st_ino : 0;
}

static pid_t start_remover(const char *point)
{
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0) {
		alarm(PATIENCE_SECONDS);
		if (point)
			meeting_pid = getpid();
		int result = promcb_remove(stress_segment, true, NULL);

		_exit(result == 0 ? 0 : -result);
	}
	return child;
}

/* The first remover has looked and not yet removed; the second is as fast as it likes, and then a segment is made. */
static void removers(void)
{
	ino_t newer, is;

	promcb_remove(stress_segment, true, NULL);
	CHECK(promcb_create(stress_segment, NULL, NULL) == 0, "create");
	meet_at("remove: looked");
	meeting_pid = 0;
	pid_t slow = start_remover("remove: looked"), fast;

	await_arrival();
	fast = start_remover(NULL);
	int status = stress_wait(fast);

	CHECK(status == 0 || status == EBUSY, "the second remover ended with %d", status);
	/* Where the second gave up there is nothing to make. */
	int made = promcb_create(stress_segment, NULL, NULL);

	CHECK(made == 0 || made == -EEXIST, "create: %s", promcb_strerror(made));
	newer = made == 0 ? inode_of_name() : 0;
	promcb_store_release(&shared->go_on, 1);
	status = stress_wait(slow);
	is = inode_of_name();
	CHECK(is == newer, "admin_removed_a_newer_segment: inode %llu was made, %llu is there",
	      (unsigned long long)newer, (unsigned long long)is);
	CHECK(status == 0 || status == ESTALE || status == ENOENT, "the first remover ended with %d", status);
	meeting_point = NULL;
	/* Both at full speed, many times: always one of them does it. */
	promcb_remove(stress_segment, true, NULL);
	for (unsigned round = 0; round < 200; round++) {
		CHECK(promcb_create(stress_segment, NULL, NULL) == 0, "create");
		slow = start_remover(NULL);
		fast = start_remover(NULL);
		int slow_status = stress_wait(slow), fast_status = stress_wait(fast);

		CHECK(slow_status * fast_status == 0 && slow_status + fast_status == ENOENT && !inode_of_name(),
		      "two removers ended with %d and %d", slow_status, fast_status);
	}
	printf("two removers: one removes, and nothing newer\n");
}

/* The first creator has a whole segment without a name yet; the second is faster. */
static void creators(void)
{
	promcb_remove(stress_segment, true, NULL);
	meet_at("create: nameless");
	meeting_pid = 0;
	pid_t slow = fork();

	CHECK(slow >= 0, "fork");
	if (slow == 0) {
		struct promcb_message message = {.text = ""};
		const struct promcb_options options = {.message = &message};
		struct promcb_session *metrics;

		alarm(PATIENCE_SECONDS);
		meeting_pid = getpid();
		if (promcb_open(stress_segment, &options, &metrics) < 0)
			_exit(1);
		if (message.text[0])
			fprintf(stderr, "%s\n", message.text);
		_exit(message.text[0] ? 2 : 0);
	}
	await_arrival();
	CHECK(promcb_create(stress_segment, NULL, NULL) == 0, "create");
	promcb_store_release(&shared->go_on, 1);
	int status = stress_wait(slow);

	CHECK(status == 0, "create_slower_creator_complained: it ended with %d", status);
	meeting_point = NULL;
	promcb_remove(stress_segment, true, NULL);
	printf("two creators: the slower one attaches, without a word\n");
}

static void starved_reader(void)
{
	struct promcb_session *metrics = stress_open(NULL);

	promcb_record(stress_component(metrics, "met"), 1000, true);
	reset_there = metrics;
	/* Which fails unless there is a snapshot. */
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);

	CHECK(!reset_there && !stress_find(snapshot, "met"), "reader_gave_up_after_one_try: no reset came between");
	promcb_snapshot_free(snapshot);
	promcb_close(metrics);
	printf("a reader that does not run for a while: it tries again\n");
}

int main(void)
{
	stress_begin("meet-points");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	fork_while_starting();
	removers();
	creators();
	starved_reader();
	stress_remove();
	return 0;
}

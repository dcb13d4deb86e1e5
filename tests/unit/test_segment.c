/* SPDX-License-Identifier: MIT */
/* Segments that are missing, full or forbidden: each with its error and a message that helps; and whoever uses one. */
#include "opening.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

TestSuite(segment, .init = fixture_begin, .fini = fixture_end);

Test(segment, missing)
{
	cr_assert_eq(reader_result(), -ENOENT);
	SAYS(fixture_segment);
	SAYS("promcb-admin create");
}

Test(segment, names)
{
	struct promcb_session *p;
	char text[1000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	cr_assert_eq(promcb_open(text, NULL, &p), -EINVAL);
	cr_assert_eq(promcb_open("", NULL, &p), -EINVAL);
	cr_assert_eq(promcb_open("/", NULL, &p), -EINVAL);
	cr_assert_eq(promcb_open("/..", NULL, &p), -EINVAL);
	cr_assert_null(p);
	setenv("PROMCB_SEGMENT", fixture_segment, 1);
	cr_assert_eq(promcb_open(NULL, NULL, &p), 0);
	cr_assert_eq(access(fixture_segment, R_OK), 0);
	cr_assert_neq(promcb_default(), NULL);
}

Test(segment, options_out_of_range)
{
	const struct promcb_options bad[] = {
		{.max_bytes = 1},       {.max_bytes = (uint64_t)17 << 30},
		{.components = 65001},  {.lanes = 1025},
		{.recent_samples = 31}, {.recent_samples = 65537},
		{.schema = 2},          {.schema = 6},
		{.max_bytes = 1 << 20}, {.components = 60000, .lanes = 1024},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(open_result(&bad[i]), -EINVAL, "%zu", i);
		cr_assert_neq(message.text[0], 0);
		cr_assert_eq(access(fixture_segment, F_OK), -1, "%zu left a file", i);
	}
}

Test(segment, is_small_complete_and_0640)
{
	struct stat status;

	umask(0777);
	cr_assert_eq(open_result(NULL), 0);
	cr_assert_eq(stat(fixture_segment, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0640);
	cr_assert_leq(status.st_blocks * 512, 256 * 1024);
	cr_assert_eq(reader_result(), 0);
}

Test(segment, directory_and_symbolic_link)
{
	char target[128];

	cr_assert_eq(mkdir(fixture_segment, 0700), 0);
	cr_assert_lt(reader_result(), 0);
	cr_assert_lt(open_result(NULL), 0);
	rmdir(fixture_segment);
	snprintf(target, sizeof(target), "%s.target", fixture_segment);
	cr_assert_eq(symlink(target, fixture_segment), 0);
	cr_assert_eq(open_result(NULL), -ELOOP);
	SAYS("symbolic link");
	cr_assert_eq(access(target, F_OK), -1);
}

Test(segment, no_permission)
{
	if (geteuid() != 0)
		cr_skip_test("not root, so no other user can be tried");
	cr_assert_eq(open_result(NULL), 0);
	pid_t child = fork();

	if (child == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(3);
		if (reader_result() != -EACCES || !strstr(message.text, "permission"))
			_exit(1);
		_exit(open_result(NULL) == -EACCES && strstr(message.text, fixture_segment) ? 0 : 2);
	}
	int status;

	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
}

/* A file system of 1 MiB of our own; SKIP where mounting is not allowed. */
static bool mount_small(const char *where, const char *size)
{
	char data[64];

	snprintf(data, sizeof(data), "size=%s", size);
	mkdir(where, 0700);
	return mount("promcb-test", where, "tmpfs", 0, data) == 0;
}

static void fill_up(const char *where)
{
	char path[128], bytes[4096];

	snprintf(path, sizeof(path), "%s/filler", where);
	memset(bytes, 1, sizeof(bytes));
	int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);

	while (write(fd, bytes, sizeof(bytes)) > 0) {
	}
	close(fd);
}

/* Of all components. */
static uint64_t all_calls(void)
{
	struct promcb_snapshot *snapshot = fixture_snapshot();
	uint64_t total = 0;

	for (size_t i = 0; i < promcb_snapshot_count(snapshot); i++) {
		struct promcb_summary summary;

		promcb_snapshot_summary(snapshot, i, &summary);
		total += summary.total_calls;
	}
	promcb_snapshot_free(snapshot);
	return total;
}

Test(segment, full_file_system)
{
	char where[40], filler[80];
	struct promcb_component *component;
	struct promcb_session *p;

	snprintf(where, sizeof(where), "/tmp/promcb-unit-mount-%d", (int)getpid());
	snprintf(filler, sizeof(filler), "%s/filler", where);
	snprintf(fixture_segment, sizeof(fixture_segment), "%s/segment", where);
	if (!mount_small(where, "1m")) {
		rmdir(where);
		cr_skip_test("mounting is not allowed here");
	}
	/* At creation: a message with the arithmetic, and no file. */
	fill_up(where);
	cr_assert_eq(open_result(NULL), -ENOSPC);
	SAYS("begins with");
	SAYS("1024 components");
	cr_assert_eq(access(fixture_segment, F_OK), -1);

	/* In growth: nothing lost, no signal. */
	unlink(filler);
	p = fixture_open(NULL);
	component = fixture_component(p, "kept");
	promcb_record(component, 1000, true);
	fill_up(where);
	for (int k = 0; k < 50; k++) {
		char name[16];

		snprintf(name, sizeof(name), "c%d", k);
		int result = promcb_component(p, name, &component);

		cr_assert(result == 0 || result == -ENOSPC);
		for (int i = 0; i < 100; i++)
			promcb_record(component, 1000, true);
	}
	cr_assert_eq(all_calls(), 5001);
	cr_assert_eq(fixture_info().dropped_calls, 0);

	/* Room returns, and is used after a second. */
	unlink(filler);
	struct timespec pause = {.tv_sec = 1, .tv_nsec = 100000000};

	nanosleep(&pause, NULL);
	cr_assert_eq(promcb_component(p, "late", &component), 0);
	promcb_record(component, 1, true);
	cr_assert_eq(fixture_summary("late").total_calls, 1);
	umount2(where, MNT_DETACH);
	rmdir(where);
}

Test(segment, lanes_exhausted)
{
	const struct promcb_options options = {.lanes = 1};
	struct promcb_session *p = fixture_open(&options);

	promcb_record(fixture_component(p, "held"), 1, true);
	pid_t child = fork();

	if (child == 0) {
		struct promcb_component *component;

		/* Also registering works without a lane. */
		if (promcb_component(p, "other", &component) != 0)
			_exit(1);
		for (int k = 0; k < 1000; k++) {
			promcb_record(component, k, k % 2 == 0);
			promcb_count_log(component, PROMCB_LOG_INFO);
		}
		_exit(0);
	}
	int status;

	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	struct promcb_summary s = fixture_summary("other");

	cr_assert_eq(s.total_calls, 1000);
	cr_assert_eq(s.failed_calls, 500);
	cr_assert_eq(s.log_entries[PROMCB_LOG_INFO], 1000);
	cr_assert_eq(s.recent_calls, 32);
	cr_assert_eq(fixture_info().overflow_calls, 1000);
	cr_assert_eq(fixture_info().lanes_live, 1);
	cr_assert_eq(fixture_info().producers, 1);
}

static int count_found(void *context, const char *segment, bool usable)
{
	int *count = context;

	if (strcmp(strrchr(fixture_segment, '/'), segment) == 0 && usable)
		++*count;
	return 0;
}

Test(segment, create_list_and_remove)
{
	int count = 0;

	cr_assert_eq(promcb_create(fixture_segment, NULL, &message), 0);
	cr_assert_eq(promcb_create(fixture_segment, NULL, &message), -EEXIST);
	SAYS("exists");
	cr_assert_eq(promcb_list(NULL, count_found, &count), 0);
	cr_assert_eq(count, 1);
	cr_assert_eq(promcb_list("/nonexistent", count_found, &count), -ENOENT);
	cr_assert_eq(promcb_remove(fixture_segment, false, &message), 0);
	cr_assert_eq(promcb_remove(fixture_segment, false, &message), -ENOENT);
	SAYS("no segment");
}

Test(segment, refused_file_system)
{
	struct promcb_session *p;

	/* /proc has no files of ours, and cannot hold a segment. */
	snprintf(fixture_segment, sizeof(fixture_segment), "/proc/self/promcb-segment");
	cr_assert_lt(promcb_open(fixture_segment, NULL, &p), 0);
}

/* A limit on the size of files makes the kernel raise SIGXFSZ in whoever would exceed it: promcb does not try. */
Test(segment, file_size_limit_raises_no_signal)
{
	struct rlimit limit;
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *component;

	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 2 << 20;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int k = 0; k < 100; k++) {
		char name[16];

		snprintf(name, sizeof(name), "c%d", k);
		promcb_component(p, name, &component);
		for (int i = 0; i < 100; i++)
			promcb_record(component, 1000, true);
	}
	cr_assert_eq(all_calls(), 10000);
	/* And a segment that cannot even begin says so. */
	limit.rlim_cur = 4096;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fixture_end();
	promcb_close(p);
	cr_assert_eq(open_result(NULL), -EFBIG);
}

static void *record_new_components(void *argument)
{
	struct promcb_session *p = argument;
	struct promcb_component *component;
	char name[32];

	for (unsigned k = 0;; k++) {
		snprintf(name, sizeof(name), "cancelled %u", k % 900);
		promcb_component(p, name, &component);
		promcb_record(component, 1000, true);
		pthread_testcancel();
	}
	return NULL;
}

/* Threads that are cancelled in the slow path do not take the mutex with them. */
Test(segment, cancelled_threads_leave_the_mutex, .timeout = 30)
{
	struct promcb_session *p = fixture_open(NULL);
	pthread_t thread;

	for (int round = 0; round < 200; round++) {
		cr_assert_eq(pthread_create(&thread, NULL, record_new_components, p), 0);
		for (int spin = 0; spin < round * 100; spin++)
			getppid();
		pthread_cancel(thread);
		pthread_join(thread, NULL);
		promcb_record(fixture_component(p, "after"), 1, true);
	}
	cr_assert_eq(fixture_summary("after").total_calls, 200);
}

/* A process that changes its directory, or its root, cannot see the name any more. That is no removal. */
Test(segment, directory_and_root_may_change)
{
	char directory[] = "/dev/shm/promcb-unit-dir-XXXXXX", root[] = "/dev/shm/promcb-unit-root-XXXXXX", path[64];
	struct timespec pause = {.tv_sec = 1, .tv_nsec = 100000000};
	struct promcb_component *component;
	struct promcb_session *p;
	int status;

	cr_assert_neq(mkdtemp(directory), NULL);
	cr_assert_neq(mkdtemp(root), NULL);
	cr_assert_eq(chdir(directory), 0);
	cr_assert_eq(promcb_open("./segment", NULL, &p), 0);
	component = fixture_component(p, "kept");
	snprintf(fixture_segment, sizeof(fixture_segment), "%s/segment", directory);
	pid_t child = fork();

	if (child == 0) {
		if (chdir("/") < 0 || (geteuid() == 0 && (chroot(root) < 0 || chdir("/") < 0)))
			_exit(1);
		for (int round = 0; round < 2; round++) {
			for (int k = 0; k < 100000; k++)
				promcb_record(component, 1000, true);
			nanosleep(&pause, NULL);
		}
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	cr_assert_eq(fixture_summary("kept").total_calls, 200000);
	snprintf(path, sizeof(path), "%s/segment", directory);
	unlink(path);
	rmdir(directory);
	rmdir(root);
}

static struct promcb_component *handled;

static void record_in_handler(int number)
{
	(void)number;
	promcb_record(handled, 1000, true);
}

/* First use, with all the memory that it needs, in a handler on a small stack. */
Test(segment, slow_path_fits_a_small_signal_stack)
{
	const stack_t stack = {.ss_sp = malloc(16384), .ss_size = 16384};
	struct sigaction action = {.sa_handler = record_in_handler, .sa_flags = SA_ONSTACK};

	handled = fixture_component(fixture_open(NULL), "handled");
	cr_assert_eq(sigaltstack(&stack, NULL), 0);
	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	for (int k = 0; k < 100; k++)
		raise(SIGUSR1);
	cr_assert_eq(fixture_summary("handled").total_calls, 100);
	free(stack.ss_sp);
}

static pthread_barrier_t step;

static void *record_each_time(void *argument)
{
	struct promcb_component **component = argument;

	for (int round = 0; round < 100; round++) {
		pthread_barrier_wait(&step);
		promcb_record(*component, 1000, true);
		pthread_barrier_wait(&step);
	}
	return NULL;
}

/* Opened and closed again and again under a thread that goes on: no place, lane or descriptor is used up. */
Test(segment, opened_and_closed_under_a_living_thread)
{
	struct promcb_component *component;
	pthread_t thread;

	pthread_barrier_init(&step, NULL, 2);
	cr_assert_eq(pthread_create(&thread, NULL, record_each_time, &component), 0);
	for (int round = 0; round < 100; round++) {
		struct promcb_session *p = fixture_open(NULL);

		component = fixture_component(p, "again");
		pthread_barrier_wait(&step);
		pthread_barrier_wait(&step);
		promcb_close(p);
	}
	pthread_join(thread, NULL);
	cr_assert_eq(fixture_summary("again").total_calls, 100);
	cr_assert_leq(fixture_info().lanes_idle, 2);
}

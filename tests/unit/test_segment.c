/* SPDX-License-Identifier: MIT */
/* Segments that are missing, foreign, corrupt, full or forbidden: each with its error and a message that helps. */
#include "fixture.h"

#include "format/layout.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

TestSuite(segment, .init = fixture_begin, .fini = fixture_end);

static struct promcb_message message;

static int open_result(const struct promcb_options *options)
{
	struct promcb_options ours = options ? *options : (struct promcb_options){.max_bytes = 0};
	struct promcb *p;
	int result;

	ours.message = &message;
	message.text[0] = 0;
	result = promcb_open(fixture_segment, &ours, &p);
	if (result == 0)
		promcb_close(p);
	return result;
}

static int reader_result(void)
{
	struct promcb_reader *reader;
	struct promcb_snapshot *snapshot;
	int result;

	message.text[0] = 0;
	result = promcb_reader_open(fixture_segment, NULL, &reader, &message);
	if (result < 0)
		return result;
	result = promcb_reader_snapshot(reader, NULL, &snapshot, &message);
	if (result == 0)
		promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
	return result;
}

#define SAYS(part) cr_assert(strstr(message.text, part), "\"%s\" does not say \"%s\"", message.text, part)

Test(segment, missing)
{
	cr_assert_eq(reader_result(), -ENOENT);
	SAYS(fixture_segment);
	SAYS("promcb-admin create");
}

Test(segment, names)
{
	struct promcb *p;
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

Test(segment, not_a_segment)
{
	const char text[] = "this is a text file that somebody left here";

	int fd = open(fixture_segment, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	cr_assert_eq(write(fd, text, sizeof(text)), sizeof(text));
	cr_assert_eq(reader_result(), -EBADMSG);
	SAYS("not a promcb segment");
	cr_assert_eq(open_result(NULL), -EBADMSG);
	cr_assert_eq(ftruncate(fd, 1 << 20), 0);
	cr_assert_eq(reader_result(), -EBADMSG);
	cr_assert_eq(open_result(NULL), -EBADMSG);
	SAYS("not a promcb segment");
	close(fd);
	cr_assert_eq(promcb_remove(fixture_segment, true, &message), -EBADMSG);
	SAYS("left alone");
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

Test(segment, other_version_names_both)
{
	uint32_t version = 77;

	cr_assert_eq(open_result(NULL), 0);
	fixture_poke(offsetof(struct promcb_header, format_major), &version, sizeof(version));
	cr_assert_eq(reader_result(), -EPROTO);
	SAYS("77.1");
	SAYS("1.1");
	cr_assert_eq(open_result(NULL), -EPROTO);
	SAYS("77.1");
}

Test(segment, newer_minor_is_read)
{
	uint32_t version = 9;

	cr_assert_eq(open_result(NULL), 0);
	fixture_poke(offsetof(struct promcb_header, format_minor), &version, sizeof(version));
	cr_assert_eq(reader_result(), 0);
	cr_assert_eq(open_result(NULL), 0);
}

Test(segment, other_machine)
{
	uint64_t abi = 1;

	cr_assert_eq(open_result(NULL), 0);
	fixture_poke(offsetof(struct promcb_header, abi), &abi, sizeof(abi));
	cr_assert_eq(reader_result(), -EPROTO);
	cr_assert_eq(open_result(NULL), -EPROTO);
}

/* Every word of the geometry, with values that lead astray: refused, by readers and producers. */
Test(segment, corrupt_geometry)
{
	const uint64_t values[] = {0, 1, 0x7fffffff, 0xffffffff, UINT64_MAX, (uint64_t)1 << 40};
	struct promcb_geometry good;

	cr_assert_eq(open_result(NULL), 0);
	int fd = open(fixture_segment, O_RDONLY | O_CLOEXEC);

	cr_assert_eq(pread(fd, &good, sizeof(good), offsetof(struct promcb_header, geometry)), sizeof(good));
	close(fd);
	for (size_t word = 0; word < sizeof(good) / 4; word++)
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			struct promcb_geometry bad = good;

			memcpy((uint8_t *)&bad + 4 * word, &values[i], 4);
			if (memcmp(&bad, &good, sizeof(good)) == 0 || word == 2 || word == 3)
				continue; /* the window's length is free */
			fixture_poke(offsetof(struct promcb_header, geometry), &bad, sizeof(bad));
			cr_assert_eq(reader_result(), -EBADMSG, "word %zu value %zu", word, i);
			cr_assert_eq(open_result(NULL), -EBADMSG, "word %zu value %zu", word, i);
		}
	fixture_poke(offsetof(struct promcb_header, geometry), &good, sizeof(good));
	cr_assert_eq(reader_result(), 0);
}

Test(segment, truncated)
{
	struct promcb *p = fixture_open(NULL);

	promcb_record(fixture_component(p, "x"), 1, true);
	for (off_t size = 200000; size >= 0; size -= 10000) {
		cr_assert_eq(truncate(fixture_segment, size), 0);
		cr_assert_eq(reader_result(), -EBADMSG);
		cr_assert_neq(message.text[0], 0);
	}
	fixture_end();
	_exit(0);
}

Test(segment, grown_by_a_stranger)
{
	cr_assert_eq(open_result(NULL), 0);
	cr_assert_eq(truncate(fixture_segment, (off_t)1 << 33), 0);
	cr_assert_eq(reader_result(), -EBADMSG);
	cr_assert_eq(open_result(NULL), -EBADMSG);
}

/* Any single corrupt word: an error or a whole snapshot, never a crash, and no invariant broken. */
Test(segment, corrupt_words, .timeout = 120)
{
	struct promcb *p = fixture_open(NULL);
	uint64_t state = 88172645463325252u;
	int refused = 0;

	for (int i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%d", i);
		for (int k = 0; k < 100; k++)
			promcb_record(fixture_component(p, name), 1000, k % 5 != 0);
	}
	promcb_reset(p, "c3");
	int fd = open(fixture_segment, O_RDWR | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END);

	for (int round = 0; round < 4000; round++) {
		uint64_t good, bad;
		off_t at;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		/* Where there is something: half of the time in the first 100 KB. */
		at = (off_t)(state >> 8 & (state & 1 ? 0x1ffff : 0x3fffff)) % (size - 8) / 4 * 4;
		bad = state & 2 ? state : state >> 40;
		cr_assert_eq(pread(fd, &good, 8, at), 8);
		cr_assert_eq(pwrite(fd, &bad, 8, at), 8);
		int result = reader_result();

		cr_assert(result == 0 || result == -EBADMSG || result == -EPROTO, "at %lld: %d", (long long)at, result);
		refused += result != 0;
		cr_assert_eq(pwrite(fd, &good, 8, at), 8);
	}
	cr_assert_gt(refused, 10);
	cr_assert_eq(reader_result(), 0);
	close(fd);
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

Test(segment, full_file_system)
{
	char where[40], filler[80];
	struct promcb_component *component;
	struct promcb *p;

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
	struct promcb_snapshot *snapshot = fixture_snapshot();
	uint64_t total = 0;

	for (size_t i = 0; i < promcb_snapshot_count(snapshot); i++) {
		struct promcb_summary summary;

		promcb_snapshot_summary(snapshot, i, &summary);
		total += summary.total_calls;
	}
	promcb_snapshot_free(snapshot);
	cr_assert_eq(total, 5001);
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
	struct promcb *p = fixture_open(&options);

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

	if (strstr(fixture_segment, segment) && usable)
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
	struct promcb *p;

	/* /proc has no files of ours, and cannot hold a segment. */
	snprintf(fixture_segment, sizeof(fixture_segment), "/proc/self/promcb-segment");
	cr_assert_lt(promcb_open(fixture_segment, NULL, &p), 0);
}

/* A reader that is guarded survives truncation under its map. */
Test(segment, guarded_map_survives_truncation)
{
	const struct promcb_reader_options mapped = {.access = PROMCB_ACCESS_MAPPED};
	struct promcb *p = fixture_open(NULL);
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;

	for (int k = 0; k < 100; k++)
		promcb_record(fixture_component(p, "x"), 1000, true);
	cr_assert_eq(promcb_reader_catch_sigbus(), 0);
	cr_assert_eq(promcb_reader_open(fixture_segment, &mapped, &reader, NULL), 0);
	cr_assert_eq(promcb_reader_snapshot(reader, NULL, &snapshot, NULL), 0);
	promcb_snapshot_free(snapshot);
	pid_t child = fork();

	if (child == 0) {
		for (int k = 0; k < 2000; k++) {
			if (truncate(fixture_segment, 100000) < 0 || truncate(fixture_segment, 4000000) < 0)
				_exit(1);
		}
		_exit(0);
	}
	int status;

	while (waitpid(child, &status, WNOHANG) == 0) {
		int result = promcb_reader_snapshot(reader, NULL, &snapshot, &message);

		if (result == 0)
			promcb_snapshot_free(snapshot);
		cr_assert(result == 0 || result == -EBADMSG || result == -ESTALE || result == -EAGAIN, "%d %s", result,
			  message.text);
	}
	cr_assert_eq(status, 0);
	promcb_reader_close(reader);
	fixture_end();
	_exit(0);
}

/* A limit on the size of files makes the kernel raise SIGXFSZ in whoever would exceed it: promcb does not try. */
Test(segment, file_size_limit_raises_no_signal)
{
	struct rlimit limit;
	struct promcb *p = fixture_open(NULL);
	struct promcb_component *component;
	uint64_t total = 0;

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
	struct promcb_snapshot *snapshot = fixture_snapshot();

	for (size_t i = 0; i < promcb_snapshot_count(snapshot); i++) {
		struct promcb_summary summary;

		promcb_snapshot_summary(snapshot, i, &summary);
		total += summary.total_calls;
	}
	promcb_snapshot_free(snapshot);
	cr_assert_eq(total, 10000);
	/* And a segment that cannot even begin says so. */
	limit.rlim_cur = 4096;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fixture_end();
	promcb_close(p);
	cr_assert_eq(open_result(NULL), -EFBIG);
}

static void *record_new_components(void *argument)
{
	struct promcb *p = argument;
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
	struct promcb *p = fixture_open(NULL);
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
	struct promcb *p;
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
		struct promcb *p = fixture_open(NULL);

		component = fixture_component(p, "again");
		pthread_barrier_wait(&step);
		pthread_barrier_wait(&step);
		promcb_close(p);
	}
	pthread_join(thread, NULL);
	cr_assert_eq(fixture_summary("again").total_calls, 100);
	cr_assert_leq(fixture_info().lanes_idle, 2);
}

/* A block's ring word that leads into blocks, or nowhere: the next owner of the lane stores no sample there. */
Test(segment, corrupt_ring_word_spoils_no_counts)
{
	const uint64_t words[] = {1, 2, 100, 3000, UINT32_MAX, UINT64_MAX};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct promcb *p = fixture_open(NULL);
		struct promcb_component *component = fixture_component(p, "ring");
		struct promcb_header header;
		uint32_t number;
		int fd = open(fixture_segment, O_RDONLY | O_CLOEXEC);

		for (int k = 0; k < 1000; k++)
			promcb_record(component, 1000, true);
		promcb_close(p);
		cr_assert_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
		cr_assert_eq(pread(fd, &number, 4, (off_t)header.geometry.directories_off + 4), 4);
		close(fd);
		fixture_poke(promcb_block_off(&header.geometry, number - 1) + offsetof(struct promcb_block, ring),
			     &words[i], 8);
		p = fixture_open(NULL);
		for (int k = 0; k < 5000; k++)
			promcb_record(component, 1000, true);
		cr_assert_eq(fixture_summary("ring").total_calls, 6000, "%zu", i);
		promcb_close(p);
		fixture_end();
	}
}

/* Two descriptors that say the same name: refused, since a scraper refuses a document that has a series twice. */
Test(segment, two_components_of_one_name_are_refused)
{
	struct promcb *p = fixture_open(NULL);
	struct promcb_header header;
	int fd = open(fixture_segment, O_RDONLY | O_CLOEXEC);

	promcb_record(fixture_component(p, "first"), 1000, true);
	promcb_record(fixture_component(p, "other"), 1000, true);
	promcb_close(p);
	cr_assert_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
	close(fd);
	cr_assert_eq(reader_result(), 0);
	fixture_poke(header.geometry.descriptors_off + 2 * header.geometry.descriptor_bytes, "first", 6);
	cr_assert_eq(reader_result(), -EBADMSG);
	SAYS("two components have one name");
}

static void *record_two_hundred(void *p)
{
	for (int i = 0; i < 200; i++)
		promcb_record(fixture_component(p, "ring"), 1000, true);
	return NULL;
}

/* A block that names another lane's ring: its samples are counted once, not once per lane that names them. */
Test(segment, ring_of_another_lane_is_not_read)
{
	struct promcb *p = fixture_open(NULL);
	struct promcb_header header;
	pthread_t thread;
	uint32_t numbers[2];
	uint64_t ring;

	record_two_hundred(p);
	cr_assert_eq(pthread_create(&thread, NULL, record_two_hundred, p), 0);
	pthread_join(thread, NULL);
	promcb_close(p);
	cr_assert_eq(fixture_summary("ring").recent_calls, 400);
	int fd = open(fixture_segment, O_RDONLY | O_CLOEXEC);

	cr_assert_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
	const struct promcb_geometry *g = &header.geometry;

	for (int lane = 0; lane < 2; lane++)
		cr_assert_eq(pread(fd, &numbers[lane], 4,
				   (off_t)(g->directories_off + lane * 4ull * g->directory_words + 4)),
			     4);
	cr_assert_eq(
		pread(fd, &ring, 8, (off_t)(promcb_block_off(g, numbers[0] - 1) + offsetof(struct promcb_block, ring))),
		8);
	close(fd);
	fixture_poke(promcb_block_off(g, numbers[1] - 1) + offsetof(struct promcb_block, ring), &ring, 8);
	cr_assert_eq(fixture_summary("ring").recent_calls, 200 + PROMCB_FIRST_RING_SLOTS);
	cr_assert_eq(fixture_summary("ring").total_calls, 400);
}

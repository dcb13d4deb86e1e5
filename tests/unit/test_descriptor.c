/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of the library are never 0, 1 or 2, and nothing can be written through one: what a daemon prints that
 * has closed them, or writes to a number that was closed behind its back, hits no segment.
 */
#include "base/descriptor.h"

#include "fixture.h"

#include "format/layout.h"

#include <pthread.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>

TestSuite(descriptor, .init = fixture_begin, .fini = fixture_end);

/* -- In a child that may close what it likes ---------------------------------------------------------------------- */

static int complaints = -1;

/* In a child, whose standard descriptors are closed. */
__attribute__((format(printf, 1, 2), noreturn)) static void complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vdprintf(complaints, format, arguments);
	va_end(arguments);
	_exit(1);
}

#define EXPECT(condition) ((condition) ? (void)0 : complain("%s:%d: %s\n", __FILE__, __LINE__, #condition))

/* Runs it in a child, the standard descriptors of the mask closed. */
static void in_child(void (*run)(unsigned closed), unsigned closed)
{
	char said[512] = "";
	int ends[2], status;

	cr_assert_eq(pipe(ends), 0);
	pid_t child = fork();

	if (child == 0) {
		complaints = fcntl(ends[1], F_DUPFD_CLOEXEC, 100);
		for (int fd = 0; fd < 3; fd++)
			if (closed >> fd & 1)
				close(fd);
			else if (fcntl(fd, F_GETFD) < 0)
				EXPECT(open("/dev/null", O_RDWR) == fd);
		run(closed);
		_exit(0);
	}
	close(ends[1]);
	cr_assert_geq(read(ends[0], said, sizeof(said) - 1), 0);
	close(ends[0]);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "closed %u: status %#x: %s", closed, status, said);
}

static void expect_closed(unsigned closed)
{
	for (int fd = 0; fd < 3; fd++)
		if ((fcntl(fd, F_GETFD) < 0) != (closed >> fd & 1))
			complain("closed %u: descriptor %d is %s\n", closed, fd, closed >> fd & 1 ? "open" : "closed");
}

/* -- The room ----------------------------------------------------------------------------------------------------- */

static void open_some(unsigned closed)
{
	int fds[6];

	for (int i = 0; i < 6; i++) {
		fds[i] = promcb_descriptor_open(fixture_segment, i % 2 ? O_RDWR | O_CREAT : O_RDONLY | O_CREAT, 0600);
		EXPECT(fds[i] >= 3);
		EXPECT(fcntl(fds[i], F_GETFD) == FD_CLOEXEC);
		expect_closed(closed);
	}
	for (int i = 0; i < 6; i++)
		close(fds[i]);
	errno = 0;
	EXPECT(promcb_descriptor_open("/nowhere/at/all", O_RDONLY, 0) == -1 && errno == ENOENT);
	expect_closed(closed);
}

Test(descriptor, is_never_a_standard_one)
{
	for (unsigned closed = 0; closed < 8; closed++)
		in_child(open_some, closed);
}

static void open_without_room(unsigned closed)
{
	struct rlimit limit = {.rlim_cur = 3, .rlim_max = 3};

	EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	errno = 0;
	EXPECT(promcb_descriptor_open("/dev/null", O_RDONLY, 0) == -1 && errno == EMFILE);
	expect_closed(closed);
}

Test(descriptor, no_room_but_for_standard_ones)
{
	for (unsigned closed = 0; closed < 8; closed++)
		in_child(open_without_room, closed);
}

static void assert_unwritable(const char *path)
{
	int fd = promcb_descriptor_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	int other = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = PROMCB_LOCK_LANES, .l_len = 1};
	char bytes[8192] = "what a library prints";
	struct iovec vectors[2] = {{.iov_base = bytes, .iov_len = 1}, {.iov_base = bytes, .iov_len = sizeof(bytes)}};
	struct stat status;

	cr_assert_geq(fd, 3, "%s: %m", path);
	cr_assert_eq(fallocate(fd, 0, 0, 4096), 0, "%s: %m", path);
	for (size_t length = 1; length <= sizeof(bytes); length *= 2) {
		cr_assert_eq(write(fd, bytes, length), -1);
		cr_assert(errno == EINVAL || errno == EFBIG, "%s: %m", path);
	}
	cr_assert_eq(writev(fd, vectors, 2), -1);
	cr_assert_eq(sendfile(fd, other, NULL, 4), -1);
	cr_assert_eq(fstat(fd, &status), 0);
	cr_assert_eq(status.st_size, 4096);
	cr_assert_eq(pread(fd, bytes, sizeof(bytes), 0), 4096);
	for (int i = 0; i < 4096; i++)
		cr_assert_eq(bytes[i], 0);
	/* What the library itself does. */
	cr_assert_eq(pwrite(fd, "x", 1, 4095), 1);
	cr_assert_eq(fallocate(fd, 0, 4096, 4096), 0);
	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
	close(other);
	close(fd);
	unlink(path);
}

Test(descriptor, cannot_be_written)
{
	char path[64];

	assert_unwritable(fixture_segment);
	/* Where the largest offset is another: a disk, as a rule. */
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/promcb-unit-%d", i ? "/var/tmp" : ".", (int)getpid());
		assert_unwritable(path);
	}
}

static uint64_t opened;

static void *print(void *nothing)
{
	uint64_t *hits = calloc(1, sizeof(*hits));

	(void)nothing;
	while (!promcb_load_relaxed(&opened))
		for (int fd = 0; fd < 3; fd++)
			*hits += write(fd, "printed", 7) > 0;
	return hits;
}

static void open_beside_a_printer(unsigned closed)
{
	char bytes[8] = "";
	pthread_t thread;
	void *hits;
	int file = open(fixture_segment, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	/* Only those that are closed are hit. */
	EXPECT(closed == 7 && file == 0);
	EXPECT(dup2(file, 50) == 50 && close(file) == 0);
	EXPECT(pthread_create(&thread, NULL, print, NULL) == 0);
	for (int i = 0; i < 20000; i++) {
		int fd = promcb_descriptor_open(fixture_segment, O_RDWR, 0);

		EXPECT(fd >= 3);
		close(fd);
	}
	promcb_store_relaxed(&opened, 1);
	EXPECT(pthread_join(thread, &hits) == 0);
	EXPECT(*(uint64_t *)hits == 0);
	EXPECT(pread(50, bytes, sizeof(bytes), 0) == 0);
}

Test(descriptor, is_not_a_standard_one_for_a_moment)
{
	in_child(open_beside_a_printer, 7);
}

/* -- The library -------------------------------------------------------------------------------------------------- */

static struct promcb_session *metrics;
static struct promcb_component *component;

static void *record_one(void *nothing)
{
	promcb_record(component, 1000, true);
	return nothing;
}

/* A segment's descriptors, all of this process: none standard, none that can be written through. */
static void expect_harmless(void)
{
	expect_closed(7);
	for (int fd = 0; fd < 100; fd++) {
		struct stat named, status;

		/* Not those of the test's framework. */
		if (stat(fixture_segment, &named) == 0 && fstat(fd, &status) == 0 && status.st_ino == named.st_ino &&
		    status.st_dev == named.st_dev && write(fd, "printed", 7) > 0)
			complain("descriptor %d was written\n", fd);
	}
}

static void live(unsigned closed)
{
	struct promcb_component *other;
	struct promcb_reader *reader;
	struct promcb_session *again;
	pthread_t thread;

	(void)closed;
	EXPECT(promcb_open(fixture_segment, NULL, &again) == 0);
	expect_harmless();
	/* A daemon closes everything, the library's descriptors too. */
	for (int fd = 0; fd < 100; fd++)
		close(fd);
	for (int i = 0; i < 1000; i++)
		promcb_record(component, 1000, true);
	EXPECT(pthread_create(&thread, NULL, record_one, NULL) == 0 && pthread_join(thread, NULL) == 0);
	EXPECT(promcb_component(metrics, "other", &other) == 0);
	promcb_record(other, 1000, false);
	EXPECT(promcb_set_state(other, PROMCB_OPEN) == 0);
	expect_harmless();
	for (int fd = 0; fd < 100; fd++)
		close(fd);
	EXPECT(promcb_reset(metrics, "other") == 0);
	EXPECT(promcb_reader_open(fixture_segment, NULL, &reader, NULL) == 0);
	expect_harmless();
	promcb_reader_close(reader);
	promcb_close(again);
	expect_harmless();
}

Test(descriptor, segment_of_a_daemon_is_whole)
{
	struct promcb_reader *reader;

	metrics = fixture_open(NULL);
	component = fixture_component(metrics, "component");
	promcb_record(component, 1000, true);
	in_child(live, 7);
	cr_assert_eq(fixture_summary("component").total_calls, 1002);
	cr_assert_eq(fixture_summary("other").total_calls, 0);
	cr_assert_eq(promcb_reader_open(fixture_segment, NULL, &reader, NULL), 0);
	cr_assert_eq(promcb_reader_check(reader, NULL, NULL), 0);
	promcb_reader_close(reader);
}

static int note_segment(void *context, const char *segment, bool usable)
{
	*(int *)context += usable && strcmp(strrchr(fixture_segment, '/'), segment) == 0;
	return 0;
}

static void administer(unsigned closed)
{
	struct promcb_message message;
	int seen = 0;

	(void)closed;
	EXPECT(promcb_create(fixture_segment, NULL, &message) == 0);
	expect_harmless();
	EXPECT(promcb_list(NULL, note_segment, &seen) == 0 && seen == 1);
	expect_harmless();
	EXPECT(promcb_remove(fixture_segment, false, &message) == 0);
	expect_harmless();
	/* The one that follows is made anew. */
	EXPECT(promcb_open(fixture_segment, NULL, &metrics) == 0);
	expect_harmless();
}

Test(descriptor, of_an_administrator)
{
	in_child(administer, 7);
}

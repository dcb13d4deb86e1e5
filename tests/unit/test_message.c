/* SPDX-License-Identifier: MIT */
/* Every failure tells its true reason: each system call is refused in turn to each function that takes a message. */
#include "fixture.h"

#include "../stress/sandbox.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

TestSuite(message, .init = fixture_begin, .fini = fixture_end);

static struct promcb_message message;

static int call_open(void)
{
	struct promcb_options options = {.message = &message};
	struct promcb_session *p;

	return promcb_open(fixture_segment, &options, &p);
}

static int call_create(void)
{
	return promcb_create(fixture_segment, NULL, &message);
}

static int call_remove(void)
{
	return promcb_remove(fixture_segment, true, &message);
}

static int call_read(void)
{
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;
	int result = promcb_reader_open(fixture_segment, NULL, &reader, &message);

	return result < 0 ? result : promcb_reader_snapshot(reader, NULL, &snapshot, &message);
}

static const struct {
	const char *name;
	int (*call)(void);
	bool there; /* before the call there is a segment */
} calls[] = {
	{"open, which creates", call_open, false},
	{"open", call_open, true},
	{"create", call_create, false},
	{"remove", call_remove, true},
	{"reader", call_read, true},
};

struct outcome {
	int result;
	struct promcb_message message;
};

/* In a child, which the system call is refused to. Returns false where there is no seccomp. */
static bool try_without(unsigned call, long number, int error, struct outcome *outcome)
{
	int ends[2], status;

	fixture_begin();
	cr_assert(!calls[call].there || promcb_create(fixture_segment, NULL, NULL) == 0);
	cr_assert_eq(pipe(ends), 0);
	pid_t child = fork();

	if (child == 0) {
		if (!sandbox_deny(number, SECCOMP_RET_ERRNO | (uint32_t)error))
			_exit(77);
		outcome->result = calls[call].call();
		outcome->message = message;
		_exit(write(ends[1], outcome, sizeof(*outcome)) != sizeof(*outcome));
	}
	close(ends[1]);
	ssize_t length = read(ends[0], outcome, sizeof(*outcome));

	close(ends[0]);
	cr_assert_eq(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return false;
	cr_assert(status == 0 && length == sizeof(*outcome), "%s without %ld: status %#x", calls[call].name, number,
		  status);
	return true;
}

/* Younger machines have the later calls alone. */
#ifndef SYS_unlink
#define SYS_unlink SYS_unlinkat
#endif

#ifdef __SANITIZE_ADDRESS__
/* Its runtime ends the program where it is refused memory. */
enum { MEMORY_IS_NEEDED = 1 };
#else
enum { MEMORY_IS_NEEDED = 0 };
#endif

static const struct {
	const char *name;
	long number;
} refused[] = {
	{"openat", SYS_openat}, {"fstat", SYS_newfstatat},  {"fstatfs", SYS_fstatfs},     {"fallocate", SYS_fallocate},
	{"mmap", SYS_mmap},     {"mprotect", SYS_mprotect}, {"munlock", SYS_munlock},     {"madvise", SYS_madvise},
	{"fchmod", SYS_fchmod}, {"linkat", SYS_linkat},     {"renameat2", SYS_renameat2}, {"fcntl", SYS_fcntl},
	{"lseek", SYS_lseek},   {"statx", SYS_statx},       {"getrandom", SYS_getrandom}, {"pread64", SYS_pread64},
	{"read", SYS_read},     {"unlink", SYS_unlink},     {"prlimit64", SYS_prlimit64}, {"close", SYS_close},
	{"munmap", SYS_munmap},
};

Test(message, every_refusal_is_told)
{
	const int errors[] = {EPERM, ENOSYS};
	struct outcome outcome;
	unsigned failed = 0;

	for (unsigned call = 0; call < sizeof(calls) / sizeof(calls[0]); call++)
		for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
			for (unsigned e = 0; e < 2; e++) {
				if (MEMORY_IS_NEEDED &&
				    (refused[i].number == SYS_mmap || refused[i].number == SYS_munmap ||
				     refused[i].number == SYS_mprotect))
					continue;
				if (!try_without(call, refused[i].number, errors[e], &outcome))
					cr_skip_test("no seccomp");
				if (outcome.result == 0)
					continue;
				failed++;
				/* Where memory cannot be had the reason is that, whatever the kernel called it. */
				cr_expect(strstr(outcome.message.text, promcb_strerror(errors[e])) ||
						  (outcome.result == -ENOMEM && strstr(outcome.message.text, "ulimit")),
					  "%s without %s (%s): %d, \"%s\"", calls[call].name, refused[i].name,
					  promcb_strerror(errors[e]), outcome.result, outcome.message.text);
			}
	/* Else nothing was tried. */
	cr_assert_gt(failed, 40);
}

Test(message, no_memory_to_begin_with)
{
	struct rlimit limit = {.rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY};

	if (MEMORY_IS_NEEDED || stress_emulated())
		cr_skip_test("AddressSanitizer, or the emulator, needs memory of its own");
	cr_assert_eq(getrlimit(RLIMIT_DATA, &limit), 0);
	limit.rlim_cur = 1 << 12;
	cr_assert_eq(setrlimit(RLIMIT_DATA, &limit), 0);
	cr_assert_eq(call_open(), -ENOMEM);
	cr_assert(strstr(message.text, "ulimit"), "\"%s\"", message.text);
}

Test(message, locked_memory)
{
	struct rlimit limit = {.rlim_cur = 1 << 16, .rlim_max = 1 << 16};
	int status;
	pid_t child = fork();

	/* Root has no such limit. */
	if (child == 0) {
		if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0 || (geteuid() == 0 && setuid(65534) < 0) ||
		    mlockall(MCL_FUTURE) < 0)
			_exit(77);
		int result = call_open();

		_exit(result == 0 || (result == -ENOMEM && strstr(message.text, "ulimit")) ? 0 : 1);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("memory cannot be locked");
	cr_assert_eq(status, 0);
}

Test(message, a_socket_as_segment)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fixture_segment);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	for (unsigned call = 0; call < sizeof(calls) / sizeof(calls[0]); call++) {
		message.text[0] = 0;
		cr_assert_lt(calls[call].call(), 0);
		cr_assert(strstr(message.text, "socket") || strstr(message.text, "exists"), "%s: \"%s\"",
			  calls[call].name, message.text);
	}
	close(fd);
}

/* SPDX-License-Identifier: MIT */
/*
 * command.c: runs a command and records its wall time and outcome.
 *
 * The segment is opened while the command runs: neither waits for the other, and the command inherits nothing of it.
 * Only one that goes through a circuit breaker waits until that has been asked.
 * Signals are taken by waiting for them, so no handler exists. What the terminal sends reaches the command by itself,
 * since it is in the same process group; what a process sends is passed on, unless the command sent it.
 */
#include "common.h"
#include "ways.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_CANNOT_RUN = 126, STATUS_NOT_FOUND = 127, STATUS_SIGNAL = 128 };

extern char **environ;

static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

/* Blocks what is waited for. A signal that this process was told to ignore (nohup) stays so. */
static void block_signals(sigset_t *watched, sigset_t *before)
{
	sigset_t blocked;

	sigemptyset(watched);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++) {
		struct sigaction action;

		if (sigaction(passed_on[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(watched, passed_on[i]);
	}
	/* An inherited SIG_IGN would have children reaped behind our back. */
	signal(SIGCHLD, SIG_DFL);
	sigaddset(watched, SIGCHLD);
	blocked = *watched;
	/* A complaint into a closed pipe must not end us either. */
	sigaddset(&blocked, SIGPIPE);
	sigprocmask(SIG_BLOCK, &blocked, before);
}

/* The file that execvp would run: the first in PATH that may be executed. */
static bool find_in_path(const char *program, char *out, size_t size)
{
	const char *path = getenv("PATH");

	if (strchr(program, '/'))
		return snprintf(out, size, "%s", program) < (int)size;
	if (!path)
		return false;
	for (;; path++) {
		size_t length = strcspn(path, ":");

		if (snprintf(out, size, "%.*s%s%s", (int)length, path, length ? "/" : "", program) < (int)size &&
		    access(out, X_OK) == 0)
			return true;
		path += length;
		if (!*path)
			return false;
	}
}

/* A script without "#!" is the shell's, as for execvp. Returns 0, or the error that starting it met. */
static int spawn_script(pid_t *child, const posix_spawnattr_t *attributes, char *const *command)
{
	static char shell[] = "/bin/sh", file[4096];
	size_t count = 0;
	char **arguments;
	int error;

	if (!find_in_path(command[0], file, sizeof(file)))
		return ENOEXEC;
	while (command[count])
		count++;
	arguments = calloc(count + 2, sizeof(*arguments));
	if (!arguments)
		return ENOMEM;
	arguments[0] = shell;
	arguments[1] = file;
	memcpy(arguments + 2, command + 1, (count - 1) * sizeof(*arguments));
	error = posix_spawn(child, shell, NULL, attributes, arguments, environ);
	free(arguments);
	return error;
}

static int spawn(pid_t *child, const sigset_t *mask, char *const *command)
{
	posix_spawnattr_t attributes;
	int error = posix_spawnattr_init(&attributes);

	if (error)
		return error;
	posix_spawnattr_setsigmask(&attributes, mask);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	error = posix_spawnp(child, command[0], NULL, &attributes, command, environ);
	if (error == ENOEXEC)
		error = spawn_script(child, &attributes, command);
	posix_spawnattr_destroy(&attributes);
	return error;
}

/* Waits for the command's end, and passes signals on until then. Returns its wait status. */
static int wait_for(pid_t child, const sigset_t *watched)
{
	siginfo_t info;
	int status;

	for (;;) {
		int number = sigwaitinfo(watched, &info);

		if (number < 0)
			continue;
		if (number != SIGCHLD) {
			if (info.si_code <= 0 && info.si_pid != child)
				kill(child, number);
			continue;
		}
		/* Children of whoever was executed before us may end, too. */
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
	}
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Opens the segment and finds the component; what cannot be had is said, and not recorded. */
static void find(struct promcb_record_call *call, const char *segment, const char *component)
{
	struct promcb_session *metrics = promcb_record_open(segment);

	if (!metrics)
		promcb_tool_complain("warning: the command runs but is not recorded");
	else
		promcb_record_find(metrics, component, &call->component);
}

/* Starts it. Returns 0, or the status to exit with. */
static int start(pid_t *child, const sigset_t *mask, char *const *command)
{
	int error = spawn(child, mask, command);

	if (error == 0)
		return 0;
	promcb_tool_complain("cannot run \"%s\": %s", command[0], strerror(error));
	return error == ENOENT || error == ENOTDIR ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
}

int promcb_record_command(const char *segment, const char *component, char *const *command, bool through_breaker,
			  const struct promcb_policy *policy)
{
	struct promcb_record_call call = {.component = NULL};
	uint64_t start_ns, now_ns;
	sigset_t watched, before;
	pid_t child = 0;
	int status;

	block_signals(&watched, &before);
	if (through_breaker) {
		find(&call, segment, component);
		status = call.component ? promcb_record_ask(&call, component, policy) : 0;
		if (status)
			return status;
	}
	start_ns = promcb_tool_now_ns();
	status = start(&child, &before, command);
	if (!through_breaker)
		find(&call, segment, component);
	if (status == 0)
		status = exit_status(wait_for(child, &watched));
	now_ns = promcb_tool_now_ns();
	if (call.component)
		promcb_record_elapsed(&call, component, now_ns - start_ns, status, now_ns);
	return status;
}

/* SPDX-License-Identifier: MIT */
/*
 * bench_export: how long does a whole promcb-export take, from its start to its end, and how much memory?
 *
 * Beside it, a process that does nothing. What the segment holds is bench_fill's affair. This program stays small
 * itself: a child's most memory includes that of the process that it was born as.
 *
 * Usage: bench_export EXPORT SEGMENT STATE COMPONENTS LANES [ROUNDS]
 */
#include "bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>

extern char **environ;

static double run_ms(char *const argv[], long *most_kib)
{
	posix_spawn_file_actions_t actions;
	struct rusage usage;
	pid_t child;
	int status = -1;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	uint64_t begin_ns = bench_now_ns();

	if (posix_spawn(&child, argv[0], &actions, NULL, argv, environ) != 0 ||
	    wait4(child, &status, 0, &usage) != child || status != 0) {
		fprintf(stderr, "bench_export: %s failed\n", argv[0]);
		exit(1);
	}
	double ms = (double)(bench_now_ns() - begin_ns) * 1e-6;

	posix_spawn_file_actions_destroy(&actions);
	*most_kib = usage.ru_maxrss;
	return ms;
}

int main(int argc, char **argv)
{
	long most_kib;
	char what[64];

	if (argc < 6) {
		fprintf(stderr, "Usage: bench_export EXPORT SEGMENT STATE COMPONENTS LANES [ROUNDS]\n");
		return 2;
	}
	char segment[] = "--segment", nothing[] = "/bin/true";
	char *export_argv[] = {argv[1], segment, argv[2], NULL}, *nothing_argv[] = {nothing, NULL};
	uint64_t components = (uint64_t)atoi(argv[4]), lanes = (uint64_t)atoi(argv[5]);

	bench_pin(0);
	for (int round = argc > 6 ? atoi(argv[6]) : 5; round > 0; round--) {
		snprintf(what, sizeof(what), "promcb-export whole process (%s)", argv[3]);
		bench_row("process", what, "floor", components, lanes, "1 process", "ms",
			  run_ms(nothing_argv, &most_kib));
		bench_row("process", what, "promcb", components, lanes, "1 process", "ms",
			  run_ms(export_argv, &most_kib));
		snprintf(what, sizeof(what), "promcb-export most memory (%s)", argv[3]);
		bench_row("memory", what, "promcb", components, lanes, "1 process", "MiB", (double)most_kib / 1024);
	}
	return 0;
}

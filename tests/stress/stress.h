/* SPDX-License-Identifier: MIT */
/*
 * stress.h: what the stress programs share. Each proves an invariant by arithmetic, and exits 0 (holds), 1 (does not)
 * or 77 (cannot be tried here). PROMCB_STRESS_SCALE multiplies the amount of work (default 1); seeds are printed, and
 * taken from PROMCB_STRESS_SEED, so that a run can be repeated.
 */
#ifndef PROMCB_STRESS_H
#define PROMCB_STRESS_H

#include <promcb/admin.h>
#include <promcb/promcb.h>
#include <promcb/reader.h>

#include "base/bucket.h"
#include "model/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition, ...)                                                           \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
			fprintf(stderr, __VA_ARGS__);                                   \
			fputc('\n', stderr);                                            \
			stress_remove();                                                \
			_exit(1);                                                       \
		}                                                                       \
	} while (0)

static char stress_segment[64];

static inline void stress_remove(void)
{
	if (*stress_segment)
		promcb_remove(stress_segment, true, NULL);
}

/* A segment name of this program's own. */
static inline const char *stress_begin(const char *name)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(stress_segment, sizeof(stress_segment), "/promcb-%s-%d", name, (int)getpid());
	promcb_remove(stress_segment, true, NULL);
	return stress_segment;
}

static inline uint64_t stress_scale(uint64_t amount)
{
	const char *scale = getenv("PROMCB_STRESS_SCALE");

	return scale ? (uint64_t)((double)amount * atof(scale)) + 1 : amount;
}

/* Where the work is all there is of something, as instructions: one of how many is looked at, 1 unless scaled down. */
static inline uint64_t stress_stride(void)
{
	const char *scale = getenv("PROMCB_STRESS_SCALE");
	double share = scale ? atof(scale) : 1;

	return share >= 1 ? 1 : share <= 0.01 ? 100 : (uint64_t)(1 / share + 0.5);
}

/*
 * Whether an emulator of user programs runs this one: it runs no other program, and qemu 7.2 does not wipe the memory
 * of a child that should be, and crashes in forks of threaded processes.
 */
static inline bool stress_emulated(void)
{
	return getenv("MESON_EXE_WRAPPER") != NULL;
}

static inline uint64_t stress_seed(void)
{
	const char *seed = getenv("PROMCB_STRESS_SEED");
	uint64_t value = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 1000003u ^ (uint64_t)getpid();

	printf("PROMCB_STRESS_SEED=%llu\n", (unsigned long long)value);
	fflush(stdout);
	return value;
}

/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003). */
static inline uint64_t stress_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline struct promcb_session *stress_open(const struct promcb_options *options)
{
	struct promcb_message message = {.text = ""};
	struct promcb_options ours = options ? *options : (struct promcb_options){.max_bytes = 0};
	struct promcb_session *p;

	ours.message = &message;
	int result = promcb_open(stress_segment, &ours, &p);

	CHECK(result == 0, "open %s: %d %s", stress_segment, result, message.text);
	return p;
}

static inline struct promcb_component *stress_component(struct promcb_session *p, const char *name)
{
	struct promcb_component *component;
	int result = promcb_component(p, name, &component);

	CHECK(result == 0, "component %s: %s", name, promcb_strerror(result));
	return component;
}

static inline struct promcb_snapshot *stress_snapshot(enum promcb_access access)
{
	struct promcb_reader_options options = {.access = access};
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;
	int result = promcb_reader_open(stress_segment, &options, &reader, &message);

	CHECK(result == 0, "reader: %s", message.text);
	result = promcb_reader_snapshot(reader, NULL, &snapshot, &message);
	CHECK(result == 0, "snapshot: %d %s", result, message.text);
	promcb_reader_close(reader);
	return snapshot;
}

/* The calls of all components, of which each took as long. */
static inline uint64_t stress_all_calls(uint64_t latency_ns)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_MAPPED);
	uint64_t sum = 0;

	for (size_t i = 0; i < snapshot->count; i++) {
		const struct promcb_snapshot_component *component = &snapshot->components[i];
		uint64_t calls = component->counts.calls[0] + component->counts.calls[1];

		CHECK(component->counts.latency_sum_ns[0] + component->counts.latency_sum_ns[1] == latency_ns * calls,
		      "a call without its latency");
		sum += calls;
	}
	promcb_snapshot_free(snapshot);
	return sum;
}

static inline const struct promcb_snapshot_component *stress_find(const struct promcb_snapshot *snapshot,
								  const char *name)
{
	for (size_t i = 0; i < snapshot->count; i++)
		if (strcmp(snapshot->components[i].name.text, name) == 0)
			return &snapshot->components[i];
	return NULL;
}

static inline void stress_report(void *context, const char *sentence)
{
	(void)context;
	fprintf(stderr, "check: %s\n", sentence);
}

static inline void stress_check_segment(void)
{
	struct promcb_reader *reader;

	CHECK(promcb_reader_open(stress_segment, NULL, &reader, NULL) == 0, "reader");
	CHECK(promcb_reader_check(reader, stress_report, NULL) == 0, "the segment breaks its invariants");
	promcb_reader_close(reader);
}

/* The open descriptors of this process, and what else its directory lists: for comparing. */
static inline unsigned stress_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	CHECK(directory, "/proc/self/fd");
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* The mappings of this process of files that have this in their paths. */
static inline unsigned stress_mappings(const char *part)
{
	FILE *file = fopen("/proc/self/maps", "r");
	unsigned count = 0;
	char line[512];

	CHECK(file, "/proc/self/maps");
	while (fgets(line, sizeof(line), file))
		count += strstr(line, part) != NULL;
	fclose(file);
	return count;
}

/* Waits for a child. Returns its exit status, or -signal. */
static inline int stress_wait(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		CHECK(errno == EINTR, "waitpid: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline uint64_t stress_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/*
 * The same for a child that might hang, and might hold back alarm(2) as long as it does: it is killed in the end.
 * Returns -SIGKILL then.
 */
static inline int stress_wait_for(pid_t child, unsigned seconds)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	uint64_t end_ns = stress_now_ns() + seconds * (uint64_t)1000000000;
	siginfo_t info = {.si_pid = 0};

	for (;;) {
		if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child)
			break;
		if (stress_now_ns() > end_ns) {
			kill(child, SIGKILL);
			break;
		}
		nanosleep(&pause, NULL);
	}
	return stress_wait(child);
}

/* Runs in a child, which must end in time with 0, or with 77: then it cannot be tried here. */
static inline void stress_in_child(const char *what, void (*scenario)(void), unsigned seconds)
{
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0) {
		scenario();
		_exit(0);
	}
	int status = stress_wait_for(child, seconds);

	CHECK(status == 0 || status == 77, "%s: ended with %d", what, status);
	stress_remove();
	printf("%s: %s\n", what, status ? "cannot be tried here" : "holds");
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * points.h: the named points (inject.h) that a process passes, and another that dies by a signal, or is stopped, at one
 * of them: what the kill_ programs share.
 */
#ifndef PROMCB_CRASH_POINTS_H
#define PROMCB_CRASH_POINTS_H

#include "../stress/stress.h"

#include <promcb/inject.h>

enum { POINTS_MAX = 96, POINT_BYTES = 48, PATIENCE_SECONDS = 20 };

static struct points {
	uint64_t count;
	char names[POINTS_MAX][POINT_BYTES];
	uint64_t passages[POINTS_MAX];
} * points;

/* What the victim does where. */
static const char *victim_point;
static uint64_t victim_passage, passed;
static int victim_signal;
static bool collecting;

static inline uint64_t points_find(const char *point)
{
	uint64_t i = 0;

	while (i < points->count && strcmp(points->names[i], point) != 0)
		i++;
	return i;
}

void promcb_inject(const char *point)
{
	if (collecting) {
		uint64_t i = points_find(point);

		CHECK(i < POINTS_MAX, "too many points");
		if (i == points->count) {
			snprintf(points->names[i], POINT_BYTES, "%s", point);
			points->count++;
		}
		points->passages[i]++;
	}
	if (victim_point && strcmp(victim_point, point) == 0 && ++passed == victim_passage)
		kill(getpid(), victim_signal);
}

/* Forks before anything is known of a segment. point: NULL: it is no victim. */
static inline pid_t points_start(void (*produce)(void), const char *point, uint64_t passage, int signal_number)
{
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0) {
		victim_point = point;
		victim_passage = passage;
		victim_signal = signal_number;
		/* Whoever waits for another process for ever dies of this. */
		alarm(PATIENCE_SECONDS);
		produce();
		_exit(0);
	}
	return child;
}

/* Finds the points, and how often each is passed, by a process that nobody kills. */
static inline void points_collect(void (*produce)(void))
{
	points = mmap(NULL, sizeof(*points), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(points != MAP_FAILED, "mmap");
	collecting = true;
	CHECK(stress_wait(points_start(produce, NULL, 0, 0)) == 0, "nobody was killed, and it failed");
	collecting = false;
}

/*
 * Tries each point at its first passage, one in the middle, and the last; under an emulator, where a victim takes ten
 * times as long, at the first alone. Returns how many victims came by.
 */
static inline unsigned points_try(bool (*try_point)(const char *point, uint64_t passage, int signal_number))
{
	unsigned tried = 0, most = stress_emulated() ? 1 : 3;

	for (uint64_t i = 0; i < points->count; i++) {
		uint64_t passages[3] = {1, points->passages[i] / 2, points->passages[i]};

		for (unsigned k = 0; k < most; k++)
			if (passages[k] && (k == 0 || passages[k] > passages[k - 1])) {
				tried += try_point(points->names[i], passages[k], SIGKILL);
				tried += try_point(points->names[i], passages[k], SIGSTOP);
			}
	}
	CHECK(tried >= 2 * points->count, "only %u victims came by", tried);
	return tried;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * copies_plugin.c: a plugin of torture_copies, linked with the shared library. It records when it is called, by calls
 * and inline, in a thread of its own, and when it is unloaded; it tells what, so that the program can count on it.
 */
#include <promcb/inline.h>

#include <pthread.h>
#include <time.h>

uint64_t copies_plugin_record(const char *segment, uint64_t *recorded, uint64_t calls);

static struct promcb_session *metrics;
static struct promcb_component *component;
static uint64_t *told;
static bool closes;

static void record(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	promcb_record(component, 1000, true);
	promcb_record_inline(component, 1000, false);
	promcb_record_at_inline(component, 1000, true, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
	promcb_add_relaxed(told, 3);
}

static void *record_in_thread(void *argument)
{
	for (uint64_t k = *(uint64_t *)argument; k > 0; k--)
		record();
	return NULL;
}

/* Returns 0, or what failed. */
uint64_t copies_plugin_record(const char *segment, uint64_t *recorded, uint64_t calls)
{
	pthread_t thread;

	told = recorded;
	closes = calls % 2;
	if (!metrics && promcb_open(segment, NULL, &metrics) < 0)
		return 1;
	if (promcb_component(metrics, "copies", &component) < 0)
		return 2;
	if (pthread_create(&thread, NULL, record_in_thread, &calls) != 0)
		return 3;
	record_in_thread(&calls);
	pthread_join(thread, NULL);
	return 0;
}

/* Half of them close what they opened. */
__attribute__((destructor)) static void leave(void)
{
	if (!told)
		return;
	record();
	if (closes)
		promcb_close(metrics);
}

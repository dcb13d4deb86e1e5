/* SPDX-License-Identifier: MIT */
/*
 * torture_copies: two copies of the library in one process, the archive in the program and the shared library by
 * dlopen, as when a program and its plug-in each bring one. The program exports its symbols, as interpreters do.
 *
 * Invariant: the copies know nothing of each other, and the total is exactly what both recorded, in threads and
 * children too.
 */
#include "stress.h"

#include <dlfcn.h>

struct copy {
	int (*open)(const char *segment, const struct promcb_options *options, struct promcb **out);
	int (*component)(struct promcb *p, const char *name, struct promcb_component **out);
	void (*record)(struct promcb_component *component, uint64_t latency_ns, bool success);
	struct promcb_component *handle;
};

static struct copy copies[2] = {{.open = promcb_open, .component = promcb_component, .record = promcb_record}};
static uint64_t calls;

static void *record_in_turn(void *argument)
{
	(void)argument;
	for (uint64_t k = 0; k < calls; k++)
		for (unsigned c = 0; c < 2; c++)
			copies[c].record(copies[c].handle, 1000, k % 10 != 0);
	return NULL;
}

static void *find(void *library, const char *name)
{
	void *found = dlsym(library, name);

	CHECK(found, "%s: %s", name, dlerror());
	return found;
}

int main(void)
{
	void *library = dlopen(PROMCB_SHARED_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	pthread_t threads[4];
	struct promcb *p;

	CHECK(library, "dlopen: %s", dlerror());
	*(void **)&copies[1].open = find(library, "promcb_open");
	*(void **)&copies[1].component = find(library, "promcb_component");
	*(void **)&copies[1].record = find(library, "promcb_record");
	CHECK(copies[1].open != copies[0].open, "one copy");
	calls = stress_scale(200000);
	stress_begin("copies");
	for (unsigned c = 0; c < 2; c++) {
		CHECK(copies[c].open(stress_segment, NULL, &p) == 0, "open");
		CHECK(copies[c].component(p, "both", &copies[c].handle) == 0, "component");
	}
	record_in_turn(NULL);
	for (unsigned t = 0; t < 4; t++)
		CHECK(pthread_create(&threads[t], NULL, record_in_turn, NULL) == 0, "thread");
	for (unsigned t = 0; t < 4; t++)
		pthread_join(threads[t], NULL);
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0) {
		record_in_turn(NULL);
		_exit(0);
	}
	record_in_turn(NULL);
	CHECK(stress_wait(child) == 0, "the child failed");
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	const struct promcb_snapshot_component *both = stress_find(snapshot, "both");

	CHECK(both && both->calls[0] + both->calls[1] == 14 * calls && snapshot->info.dropped_calls == 0,
	      "%llu calls, expected %llu", both ? (unsigned long long)(both->calls[0] + both->calls[1]) : 0,
	      (unsigned long long)(14 * calls));
	promcb_snapshot_free(snapshot);
	stress_check_segment();
	stress_remove();
	printf("two copies: exact\n");
	return 0;
}

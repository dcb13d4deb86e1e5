/* SPDX-License-Identifier: MIT */
/*
 * torture_copies: two copies of the library in one process, and one that plugins bring and leave behind.
 *
 * The program has the archive in it. It loads the shared library by dlopen(RTLD_LOCAL), and plugins that are linked
 * with it, again and again. All record into one segment on one component, from threads that outlive the plugins, and
 * across fork. Built once as programs are, and once with its names exported, as hosts of plugins are: those are found
 * before the shared library's own.
 *
 * Invariant: the total is exactly what was recorded. Copies know nothing of each other but what is in the segment.
 */
#include "stress.h"

#include <promcb/atomic.h>
#include <promcb/inline.h>

#include <dlfcn.h>
#include <sched.h>

/* One copy of the library, by its functions. */
struct copy {
	int (*open)(const char *segment, const struct promcb_options *options, struct promcb_session **out);
	int (*component)(struct promcb_session *p, const char *name, struct promcb_component **out);
	void (*record)(struct promcb_component *component, uint64_t latency_ns, bool success);
	uint64_t (*start)(void);
	void (*stop)(struct promcb_component *component, uint64_t start, bool success);
	void (*close)(struct promcb_session *p);
	struct promcb_session *metrics;
	struct promcb_component *handle;
};

static struct copy own = {.open = promcb_open,
			  .component = promcb_component,
			  .record = promcb_record,
			  .start = promcb_start,
			  .stop = promcb_stop,
			  .close = promcb_close},
		   loaded;

static uint64_t *recorded, calls;

static void *symbol(void *library, const char *name)
{
	void *found = dlsym(library, name);

	CHECK(found, "%s: %s", name, dlerror());
	return found;
}

static void record(const struct copy *copy)
{
	copy->record(copy->handle, 1000, true);
	copy->record(copy->handle, 0, false);
	copy->stop(copy->handle, copy->start(), true);
	promcb_add_relaxed(recorded, 3);
}

static void record_both(uint64_t count)
{
	for (uint64_t k = 0; k < count; k++) {
		record(&own);
		record(&loaded);
		/* Inline means with the program's own copy. */
		promcb_record_inline(own.handle, 1000, true);
		promcb_add_relaxed(recorded, 1);
	}
}

static void *record_in_thread(void *argument)
{
	const uint64_t *stop = argument;

	do
		record_both(100);
	while (!promcb_load_acquire(stop));
	return NULL;
}

static void open_copy(struct copy *copy)
{
	int result = copy->open(stress_segment, NULL, &copy->metrics);

	CHECK(result == 0, "open: %d", result);
	/* More handles in one copy than in the other, so that a table in common would show. */
	for (unsigned i = 0; i < (copy == &own ? 3u : 40u); i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s %u", copy == &own ? "own" : "loaded", i);
		CHECK(copy->component(copy->metrics, name, &copy->handle) == 0, "component");
	}
	CHECK(copy->component(copy->metrics, "copies", &copy->handle) == 0, "component");
}

static void load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	CHECK(library, "%s", dlerror());
	*(void **)&loaded.open = symbol(library, "promcb_open");
	*(void **)&loaded.component = symbol(library, "promcb_component");
	*(void **)&loaded.record = symbol(library, "promcb_record");
	*(void **)&loaded.start = symbol(library, "promcb_start");
	*(void **)&loaded.stop = symbol(library, "promcb_stop");
	*(void **)&loaded.close = symbol(library, "promcb_close");
	CHECK(loaded.open != promcb_open, "there is only one copy");
	/* It stays, since threads may still be in it. */
	dlclose(library);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	CHECK(library, "the library went with its last dlclose()");
	dlclose(library);
}

static void plug_in_and_out(const char *path)
{
	uint64_t rounds = stress_scale(20);

	for (uint64_t round = 0; round < rounds; round++) {
		void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		uint64_t (*call)(const char *segment, uint64_t *told, uint64_t count), result;

		CHECK(plugin, "%s", dlerror());
		*(void **)&call = symbol(plugin, "copies_plugin_record");
		result = call(stress_segment, recorded, 50 + round % 2);
		CHECK(result == 0, "the plugin failed with %llu", (unsigned long long)result);
		record_both(10);
		CHECK(dlclose(plugin) == 0, "%s", dlerror());
		record_both(10);
	}
}

static void children(void)
{
	pid_t pids[4];

	for (unsigned i = 0; i < 4; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0, "fork");
		if (pids[i] == 0) {
			record_both(calls);
			_exit(0);
		}
	}
	record_both(calls);
	for (unsigned i = 0; i < 4; i++)
		CHECK(stress_wait(pids[i]) == 0, "a child failed");
}

static void expect(const char *how)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	const struct promcb_snapshot_component *found = stress_find(snapshot, "copies");
	uint64_t is = found ? found->counts.calls[0] + found->counts.calls[1] : 0,
		 expected = promcb_load_acquire(recorded), others = 0;

	for (size_t i = 0; i < snapshot->count; i++)
		if (&snapshot->components[i] != found)
			others += snapshot->components[i].counts.calls[0] + snapshot->components[i].counts.calls[1];
	CHECK(is == expected && others == 0, "%s: %llu calls of %llu, %llu on other components", how,
	      (unsigned long long)is, (unsigned long long)expected, (unsigned long long)others);
	CHECK(snapshot->info.dropped_calls == 0 && snapshot->info.overflow_calls == 0, "%s: dropped, or without a lane",
	      how);
	CHECK(snapshot->info.lanes_live + snapshot->info.lanes_idle <= 32, "%s: %d lanes", how,
	      snapshot->info.lanes_live + snapshot->info.lanes_idle);
	stress_check_segment();
	printf("%s: %llu calls, exact; %d + %d lanes\n", how, (unsigned long long)is, snapshot->info.lanes_live,
	       snapshot->info.lanes_idle);
	promcb_snapshot_free(snapshot);
}

int main(int argc, char **argv)
{
	uint64_t stop = 0;
	pthread_t threads[3];

	CHECK(argc == 3, "torture_copies LIBRARY PLUGIN");
	calls = stress_scale(5000);
	stress_begin("copies");
	recorded = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(recorded != MAP_FAILED, "mmap");
	open_copy(&own);
	load(argv[1]);
	open_copy(&loaded);
	record_both(calls);
	expect("two copies");
	for (unsigned t = 0; t < 3; t++)
		CHECK(pthread_create(&threads[t], NULL, record_in_thread, &stop) == 0, "thread");
	plug_in_and_out(argv[2]);
	promcb_store_release(&stop, 1);
	for (unsigned t = 0; t < 3; t++)
		pthread_join(threads[t], NULL);
	expect("plugins");
	children();
	expect("children");
	/* One copy closes: the other does not notice. */
	own.close(own.metrics);
	for (uint64_t k = 0; k < calls; k++)
		record(&loaded);
	expect("one closed");
	loaded.close(loaded.metrics);
	stress_remove();
	return 0;
}

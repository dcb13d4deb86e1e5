/* SPDX-License-Identifier: MIT */
/*
 * torture_plugin: hosts that load a plugin with the archive in it, unload it, and go on.
 *
 *   - Threads that recorded in the plugin end after it was unloaded, and the host forks: nobody dies of it.
 *   - The plugin's own handler at its end runs when the host ends, since the plugin stays until then.
 *   - Loaded and unloaded without an opened segment, it goes.
 *
 * Invariant: the total is exactly what was recorded.
 */
#include "stress.h"

#include <promcb/atomic.h>

#include <dlfcn.h>

enum { THREADS = 4, ROUNDS = 3 };

static uint64_t *recorded;
static uint64_t (*plugin_record)(const char *segment, uint64_t *told, uint64_t calls);
static pthread_barrier_t barrier;

static void *load(const char *path)
{
	void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	CHECK(plugin, "%s", dlerror());
	*(void **)&plugin_record = dlsym(plugin, "copies_plugin_record");
	CHECK(plugin_record, "%s", dlerror());
	return plugin;
}

static bool is_loaded(const char *path)
{
	void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);

	if (plugin)
		dlclose(plugin);
	return plugin != NULL;
}

/* In the plugin, one after the other, and at its end only when that was unloaded. */
static void *outlive(void *unused)
{
	static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

	(void)unused;
	pthread_mutex_lock(&turn);
	CHECK(plugin_record(stress_segment, recorded, 50) == 0, "the plugin failed");
	pthread_mutex_unlock(&turn);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void fork_and_wait(void)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0, "fork");
	if (child == 0)
		_exit(0);
	CHECK(waitpid(child, &status, 0) == child && status == 0, "the child ended with %#x", (unsigned)status);
}

/* In a process that knows nothing of promcb but by the plugin. */
static void host(const char *path)
{
	pthread_t threads[THREADS];

	dlclose(load(path));
	CHECK(!is_loaded(path), "the plugin stays without need");
	for (unsigned round = 0; round < ROUNDS; round++) {
		void *plugin = load(path);

		pthread_barrier_init(&barrier, NULL, THREADS + 1);
		for (unsigned i = 0; i < THREADS; i++)
			CHECK(pthread_create(&threads[i], NULL, outlive, NULL) == 0, "pthread_create");
		pthread_barrier_wait(&barrier);
		CHECK(dlclose(plugin) == 0, "%s", dlerror());
		CHECK(is_loaded(path), "the plugin went, and its threads are still there");
		fork_and_wait();
		pthread_barrier_wait(&barrier);
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		fork_and_wait();
	}
	exit(0);
}

int main(int argc, char **argv)
{
	const struct promcb_snapshot_component *found;
	struct promcb_snapshot *snapshot;
	int status;
	pid_t child;

	CHECK(argc == 2, "usage: torture_plugin PLUGIN");
	stress_begin("plugin");
	recorded = mmap(NULL, sizeof(*recorded), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(recorded != MAP_FAILED, "mmap");
	child = fork();
	CHECK(child >= 0, "fork");
	if (child == 0)
		host(argv[1]);
	CHECK(waitpid(child, &status, 0) == child && status == 0, "the host ended with %#x", (unsigned)status);
	snapshot = stress_snapshot(PROMCB_ACCESS_MAPPED);
	found = stress_find(snapshot, "copies");
	CHECK(found && found->counts.calls[0] + found->counts.calls[1] == *recorded, "%llu of %llu calls",
	      (unsigned long long)(found ? found->counts.calls[0] + found->counts.calls[1] : 0),
	      (unsigned long long)*recorded);
	promcb_snapshot_free(snapshot);
	printf("%llu calls in a plugin that was unloaded %d times, none is missing\n", (unsigned long long)*recorded,
	       ROUNDS);
	stress_remove();
	return 0;
}

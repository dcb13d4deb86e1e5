/* SPDX-License-Identifier: MIT */
/*
 * torture_lives: a segment is removed again and again.
 *
 *   - Under threads that recorded in one life each and then sleep: no place, no descriptor and no addresses are gone
 *     for good; each thread's next call is where all others are.
 *   - Under threads that never rest, and handlers that record in the middle of their records: no call is missing in the
 *     sum over all lives, and no latency.
 *   - Where addresses are short it is followed, too.
 *   - What cannot be followed is counted: the next segment tells how many calls were dropped, its own and no other's.
 */
#include "stress.h"

#include "record/attachment.h"

#include <promcb/atomic.h>

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { LATENCY_NS = 1000 };

static struct promcb_component *component;

/* -- Threads that sleep ------------------------------------------------------------------------------------------- */

enum { SLEEPERS = 80, STACK_BYTES = 128 * 1024 };

static uint64_t turn; /* whose it is to record once; SLEEPERS: everybody's */
static uint64_t had[SLEEPERS];

static void pause_a_moment(void)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	nanosleep(&moment, NULL);
}

static void *sleeper(void *argument)
{
	uintptr_t own = (uintptr_t)argument;

	while (promcb_load_acquire(&turn) != own)
		pause_a_moment();
	promcb_record(component, LATENCY_NS, true);
	promcb_store_release(&had[own], 1);
	while (promcb_load_acquire(&turn) != SLEEPERS)
		pause_a_moment();
	promcb_record(component, LATENCY_NS, true);
	return NULL;
}

/* Pages of addresses, and open descriptors, of this process. */
static uint64_t address_pages(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	CHECK(file && fscanf(file, "%lu", &pages) == 1, "statm");
	fclose(file);
	return pages;
}

/* Removes the segment, and calls until there is another: a retired one is left with the next look under the mutex. */
static void next_life(const char *path)
{
	CHECK(promcb_remove(stress_segment, true, NULL) == 0, "remove");
	while (access(path, F_OK) < 0) {
		promcb_set_state(component, PROMCB_OPEN);
		pause_a_moment();
	}
}

static void under_sleepers(void)
{
	uint64_t lives = SLEEPERS + stress_scale(60), pages = 0;
	unsigned descriptors = 0;
	pthread_t threads[SLEEPERS];
	pthread_attr_t attributes;
	char path[128];
	struct promcb_session *p, *other;

	stress_begin("sleepers");
	snprintf(path, sizeof(path), "/dev/shm%s", stress_segment);
	p = stress_open(NULL);
	component = stress_component(p, "slept");
	promcb_store_release(&turn, UINT64_MAX);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	for (uintptr_t i = 0; i < SLEEPERS; i++)
		CHECK(pthread_create(&threads[i], &attributes, sleeper, (void *)i) == 0, "pthread_create");
	for (uint64_t life = 0; life < lives; life++) {
		if (life < SLEEPERS) {
			promcb_store_release(&turn, life);
			while (!promcb_load_acquire(&had[life]))
				pause_a_moment();
		}
		promcb_record(component, LATENCY_NS, true);
		CHECK(stress_all_calls(LATENCY_NS) == 1 + (life < SLEEPERS), "life %llu: %llu calls",
		      (unsigned long long)life, (unsigned long long)stress_all_calls(LATENCY_NS));
		if (life == SLEEPERS) {
			pages = address_pages();
			descriptors = stress_descriptors();
		}
		next_life(path);
	}
	/* What is in its two seconds of grace varies: up to half of the places, of 32 MiB each. */
	CHECK(address_pages() < pages + 40 * 8192, "%llu pages of addresses, and %llu after %llu lives more",
	      (unsigned long long)pages, (unsigned long long)address_pages(), (unsigned long long)lives - SLEEPERS);
	CHECK(stress_descriptors() <= descriptors + 64 * 2, "%u descriptors, and %u", descriptors,
	      stress_descriptors());
	promcb_store_release(&turn, SLEEPERS);
	for (unsigned i = 0; i < SLEEPERS; i++)
		pthread_join(threads[i], NULL);
	CHECK(stress_all_calls(LATENCY_NS) == SLEEPERS, "%llu calls of %u that woke up",
	      (unsigned long long)stress_all_calls(LATENCY_NS), SLEEPERS);
	stress_remove();
	stress_begin("sleepers-other");
	other = stress_open(NULL);
	promcb_close(other);
	promcb_close(p);
	stress_remove();
	printf("%llu lives of a segment under %u threads of which each slept since one of them\n",
	       (unsigned long long)lives, SLEEPERS);
}

/* -- Threads that never rest -------------------------------------------------------------------------------------- */

enum { RUSHING = 3, RUN = 20, LIVES = 40 };

static uint64_t rushed, over;
static uint64_t rush_done[RUSHING];
static __thread uint64_t own_calls;

static void record_in_handler(int number)
{
	(void)number;
	promcb_record(component, LATENCY_NS, true);
	promcb_record(component, LATENCY_NS, false);
	own_calls += 2;
}

/* One of them in runs, which handlers that find the segment removed would cut in two. */
static void *rush(void *argument)
{
	uintptr_t own = (uintptr_t)argument;
	uint64_t latencies_ns[RUN], calls = 0;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	if (own == 0)
		pthread_sigmask(SIG_BLOCK, &signals, NULL);
	for (unsigned i = 0; i < RUN; i++)
		latencies_ns[i] = LATENCY_NS;
	while (!promcb_load_acquire(&over)) {
		if (own == 0)
			promcb_record_many(component, latencies_ns, RUN, true, stress_now_ns());
		else
			for (unsigned i = 0; i < RUN; i++)
				promcb_record_at(component, LATENCY_NS, i % 4 != 0, stress_now_ns());
		calls += RUN;
		promcb_store_release(&rush_done[own], calls);
	}
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	promcb_add_relaxed(&rushed, calls + own_calls);
	return NULL;
}

static void await_calls(const pthread_t threads[RUSHING], uint64_t more)
{
	for (unsigned i = 0; i < RUSHING; i++) {
		uint64_t begin = promcb_load_acquire(&rush_done[i]);

		while (promcb_load_acquire(&rush_done[i]) < begin + more) {
			for (unsigned k = 1; k < RUSHING; k++)
				pthread_kill(threads[k], SIGUSR1);
			pause_a_moment();
		}
	}
}

static void under_rushing(void)
{
	char path[128], old[160], segment[64];
	pthread_t threads[RUSHING];
	uint64_t sum = 0;
	struct promcb_session *p;

	memcpy(segment, stress_begin("rushing"), sizeof(segment));
	snprintf(path, sizeof(path), "/dev/shm%s", stress_segment);
	p = stress_open(NULL);
	component = stress_component(p, "rushing");
	signal(SIGUSR1, record_in_handler);
	for (uintptr_t i = 0; i < RUSHING; i++)
		CHECK(pthread_create(&threads[i], NULL, rush, (void *)i) == 0, "pthread_create");
	for (unsigned life = 0; life < LIVES; life++) {
		await_calls(threads, 2000);
		snprintf(old, sizeof(old), "%s-%u", path, life);
		CHECK(link(path, old) == 0, "link");
		next_life(path);
	}
	await_calls(threads, 2000);
	promcb_store_release(&over, 1);
	for (unsigned i = 0; i < RUSHING; i++)
		pthread_join(threads[i], NULL);
	for (unsigned life = 0; life < LIVES; life++) {
		snprintf(old, sizeof(old), "%s-%u", path, life);
		snprintf(stress_segment, sizeof(stress_segment), "%.50s-%u", segment, life);
		sum += stress_all_calls(LATENCY_NS);
		unlink(old);
	}
	memcpy(stress_segment, segment, sizeof(segment));
	sum += stress_all_calls(LATENCY_NS);
	CHECK(sum == rushed, "%llu calls in %d lives, %llu were made", (unsigned long long)sum, LIVES + 1,
	      (unsigned long long)rushed);
	promcb_close(p);
	stress_remove();
	printf("%llu calls in %d lives of a segment, none is missing\n", (unsigned long long)sum, LIVES + 1);
}

/* -- Short of something ------------------------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { ADDRESSES_CAN_BE_LIMITED = 0 };
#else
enum { ADDRESSES_CAN_BE_LIMITED = 1 };
#endif

/* 80 MiB more are two segments and a half. */
static void short_of_addresses(void)
{
	struct rlimit limit = {.rlim_cur = (address_pages() << 12) + ((uint64_t)80 << 20), .rlim_max = RLIM_INFINITY};
	char path[128];
	struct promcb_session *p;

	stress_begin("addresses");
	snprintf(path, sizeof(path), "/dev/shm%s", stress_segment);
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
	p = stress_open(NULL);
	component = stress_component(p, "cramped");
	for (unsigned life = 0; life < 20; life++) {
		promcb_record(component, LATENCY_NS, true);
		CHECK(stress_all_calls(LATENCY_NS) == 1, "life %u: %llu calls", life,
		      (unsigned long long)stress_all_calls(LATENCY_NS));
		next_life(path);
	}
	promcb_close(p);
	stress_remove();
	_exit(0);
}

static uint64_t dropped_calls(void)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_MAPPED);
	uint64_t dropped = snapshot->info.dropped_calls;

	promcb_snapshot_free(snapshot);
	return dropped;
}

static void record_by_turns(uint64_t count)
{
	for (uint64_t k = 0; k < count; k++) {
		promcb_record(component, LATENCY_NS, k % 2 == 0);
		promcb_record_outcome(component, true);
		promcb_stop(component, promcb_start(), true);
		promcb_record_at(component, LATENCY_NS, true, stress_now_ns());
		/* Neither is a call. */
		promcb_count_log(component, PROMCB_LOG_INFO);
		promcb_set_state(component, PROMCB_OPEN);
	}
}

/* Without descriptors no segment can be made. */
static void nowhere_to_go(void)
{
	const struct timespec second = {.tv_sec = 1, .tv_nsec = 50000000};
	struct promcb_component *meanwhile;
	struct rlimit limit, none;
	char path[128];
	struct promcb_session *p;

	stress_begin("nowhere");
	snprintf(path, sizeof(path), "/dev/shm%s", stress_segment);
	p = stress_open(NULL);
	component = stress_component(p, "lost");
	record_by_turns(500);
	CHECK(unlink(path) == 0, "unlink");
	nanosleep(&second, NULL);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0, "setrlimit");
	record_by_turns(700);
	CHECK(promcb_component(p, "meanwhile", &meanwhile) == 0, "a component while there is no segment");
	promcb_record(meanwhile, LATENCY_NS, true);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	nanosleep(&second, NULL);
	promcb_record(meanwhile, LATENCY_NS, true);
	promcb_record(component, LATENCY_NS, true);
	CHECK(stress_all_calls(LATENCY_NS) == 2 && dropped_calls() == 4 * 700 + 1, "%llu calls, %llu dropped",
	      (unsigned long long)stress_all_calls(LATENCY_NS), (unsigned long long)dropped_calls());
	promcb_close(p);
	stress_remove();
	_exit(0);
}

/* A segment in a directory of its own, which can be somewhere else. */
struct home {
	char path[48];
	char elsewhere[64];
	char segment[64];
	struct promcb_session *metrics;
	struct promcb_component *component;
	uint64_t lost;
};

static void *settle(void *argument)
{
	struct home *home = argument;

	CHECK(mkdir(home->path, 0700) == 0, "mkdir %s", home->path);
	CHECK(promcb_open(home->segment, NULL, &home->metrics) == 0, "open");
	home->component = stress_component(home->metrics, "lost");
	promcb_record(home->component, LATENCY_NS, true);
	return argument;
}

static void lose(struct home *home, uint64_t count)
{
	home->lost += count;
	while (count--)
		promcb_record(home->component, LATENCY_NS, true);
}

/* Away: what comes until the next look is recorded in the file that has no name any more. */
static void move_out(struct home *home)
{
	const struct timespec second = {.tv_sec = 1, .tv_nsec = 50000000};

	CHECK(unlink(home->segment) == 0 && rename(home->path, home->elsewhere) == 0, "away");
	nanosleep(&second, NULL);
}

static void come_home(struct home *home)
{
	const struct timespec second = {.tv_sec = 1, .tv_nsec = 50000000};

	CHECK(rename(home->elsewhere, home->path) == 0, "back");
	nanosleep(&second, NULL);
	promcb_record(home->component, LATENCY_NS, true);
	memcpy(stress_segment, home->segment, sizeof(stress_segment));
	CHECK(stress_all_calls(LATENCY_NS) == 1 && dropped_calls() == home->lost,
	      "lost_calls_went_astray: %llu calls, %llu dropped, of %llu",
	      (unsigned long long)stress_all_calls(LATENCY_NS), (unsigned long long)dropped_calls(),
	      (unsigned long long)home->lost);
	promcb_close(home->metrics);
	unlink(home->segment);
	rmdir(home->path);
}

/* Two segments that are away, of which the second had the first's place in the process in between. */
static void two_away(void)
{
	const struct promcb_attachment *first = &promcb_attachments[0];
	struct home homes[2] = {{.lost = 0}, {.lost = 0}};
	pthread_t thread;

	for (unsigned i = 0; i < 2; i++) {
		snprintf(homes[i].path, sizeof(homes[i].path), "/dev/shm/promcb-stress-home%u-%d", i, (int)getpid());
		snprintf(homes[i].elsewhere, sizeof(homes[i].elsewhere), "/dev/shm/promcb-stress-away%u-%d", i,
			 (int)getpid());
		snprintf(homes[i].segment, sizeof(homes[i].segment), "/dev/shm/promcb-stress-home%u-%d/x", i,
			 (int)getpid());
	}
	/* In a thread that ends, so that nobody keeps its place. */
	CHECK(pthread_create(&thread, NULL, settle, &homes[0]) == 0 && pthread_join(thread, NULL) == 0, "thread");
	CHECK(first->segment.base, "the first has another place");
	move_out(&homes[0]);
	while (first->segment.base)
		lose(&homes[0], 1), pause_a_moment();
	settle(&homes[1]);
	CHECK(first->segment.base, "the second has another place");
	move_out(&homes[1]);
	lose(&homes[1], 100);
	lose(&homes[0], 10);
	come_home(&homes[0]);
	come_home(&homes[1]);
	_exit(0);
}

static void apart(const char *what, void (*scenario)(void))
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0, "fork");
	if (child == 0)
		scenario();
	CHECK(waitpid(child, &status, 0) == child && status == 0, "%s: ended with %#x", what, (unsigned)status);
	printf("%s: ok\n", what);
}

int main(void)
{
	/* Before there are threads. */
	if (ADDRESSES_CAN_BE_LIMITED)
		apart("short of addresses", short_of_addresses);
	apart("nowhere to go", nowhere_to_go);
	apart("two away", two_away);
	under_rushing();
	under_sleepers();
	return 0;
}

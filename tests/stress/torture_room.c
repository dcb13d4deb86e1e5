/* SPDX-License-Identifier: MIT */
/*
 * torture_room: file systems that are full, or become full, at every allocation.
 *
 * Each round mounts a tmpfs of another size, or fills one up to a few pages after the segment was made, and has two
 * processes and their threads register, record, reset and grow there. Then it gives room and goes on.
 *
 * Invariants: nobody dies of SIGBUS. A call on a component that was had counts there, one on a component that was
 * refused for lack of room counts as "_overflow": exactly. A creator without room says so, and can create once there
 * is some. With room again the refused components are had, by the same process.
 */
#include "stress.h"

#include <promcb/atomic.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Sanitizers take longer to start than a round takes, and see the same in each. */
#if defined(__SANITIZE_THREAD__)
#define ROUND_STEP 5
#elif defined(__SANITIZE_ADDRESS__)
#define ROUND_STEP 3
#else
#define ROUND_STEP 1
#endif

enum { NAMES = 40, THREADS = 5, CALLS = 70, AT_ONCE = 16, PATIENCE_SECONDS = 60, OVERFLOW = NAMES };

/* A round: how large its file system is, and how many pages of it are left once the segment is there; -1: all. */
struct round {
	uint64_t bytes;
	int pages_left;
	unsigned full_at; /* the component whose registration finds it so */
	bool large;
};

static struct shared {
	uint64_t expected[NAMES + 1];
	uint64_t phase;
} * shared;

static char directory[32];
static struct promcb_session *metrics;
static struct promcb_component *components[NAMES];
static unsigned counts_as[NAMES];
static pthread_barrier_t barrier;

static void name_of(char name[32], unsigned index)
{
	snprintf(name, 32, "component %u", index);
}

static void fill_up(int pages_left);

/* With a round: the file system becomes full in between. Returns how many were refused. */
static unsigned find_components(const struct round *round)
{
	unsigned refused = 0;

	for (unsigned index = 0; index < NAMES; index++) {
		char name[32];

		if (round && round->pages_left >= 0 && index == round->full_at)
			fill_up(round->pages_left);
		name_of(name, index);
		int result = promcb_component(metrics, name, &components[index]);

		CHECK(result == 0 || result == -ENOSPC || result == -EBUSY, "%s: %s", name, promcb_strerror(result));
		counts_as[index] = result == 0 ? index : OVERFLOW;
		refused += result != 0;
	}
	return refused;
}

static void record_all(void)
{
	for (unsigned index = 0; index < NAMES; index++)
		for (unsigned k = 0; k < CALLS; k++) {
			promcb_record(components[index], 1000 + k, k % 6 != 0);
			promcb_add_relaxed(&shared->expected[counts_as[index]], 1);
		}
}

static void *record_in_phases(void *argument)
{
	(void)argument;
	record_all();
	pthread_barrier_wait(&barrier);
	/* Meanwhile there is room again, and components were looked for again. */
	pthread_barrier_wait(&barrier);
	record_all();
	return NULL;
}

/* Everything else that may want memory. */
static void change_states(void)
{
	struct promcb_component *idle;
	int result;

	result = promcb_component(metrics, "without calls", &idle);
	if (result == 0) {
		promcb_set_state(idle, PROMCB_OPEN);
		promcb_count_log(idle, PROMCB_LOG_ERROR);
		result = promcb_reset(metrics, "without calls");
		CHECK(result == 0 || result == -ENOSPC || result == -EBUSY, "reset: %s", promcb_strerror(result));
	}
}

static void expect(const struct round *round, const char *when)
{
	for (unsigned access = 0; access < 2; access++) {
		struct promcb_snapshot *snapshot = stress_snapshot(access ? PROMCB_ACCESS_MAPPED : PROMCB_ACCESS_COPY);

		for (unsigned index = 0; index <= NAMES; index++) {
			char name[32] = "_overflow";

			if (index != OVERFLOW)
				name_of(name, index);
			const struct promcb_snapshot_component *found = stress_find(snapshot, name);
			uint64_t is = found ? found->counts.calls[0] + found->counts.calls[1] : 0;

			CHECK(is == shared->expected[index], "%llu bytes, %d pages left, %s: %s has %llu calls of %llu",
			      (unsigned long long)round->bytes, round->pages_left, when, name, (unsigned long long)is,
			      (unsigned long long)shared->expected[index]);
		}
		CHECK(snapshot->info.dropped_calls == 0, "dropped calls");
		promcb_snapshot_free(snapshot);
	}
	stress_check_segment();
}

static void set_bytes(uint64_t bytes, unsigned long flags)
{
	char options[64];

	snprintf(options, sizeof(options), "size=%llu,mode=0700", (unsigned long long)bytes);
	CHECK(mount("none", directory, "tmpfs", flags, options) == 0, "mount %s: %s", options, strerror(errno));
}

static void fill_up(int pages_left)
{
	char path[96];
	struct statfs fs;

	snprintf(path, sizeof(path), "%s/filler", directory);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && fstatfs(fd, &fs) == 0, "%s", path);
	off_t pages = (off_t)fs.f_bavail - pages_left;

	CHECK(pages <= 0 || fallocate(fd, 0, 0, pages * (off_t)fs.f_bsize) == 0, "filling: %s", strerror(errno));
	close(fd);
}

/* The other process: it comes when the first has taken what there was, and dies without a word. */
static void be_the_other(void)
{
	/* Not for ever: the first may have failed. */
	alarm(4 * PATIENCE_SECONDS);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!promcb_load_acquire(&shared->phase))
		sched_yield();
	if (promcb_open(stress_segment, NULL, &metrics) < 0)
		_exit(2);
	find_components(NULL);
	record_all();
	change_states();
	_exit(0);
}

/* The first process. Returns how many components were refused at first. */
static unsigned be_first(const struct round *round)
{
	struct promcb_message message = {.text = ""};
	struct promcb_options options = {.message = &message};
	pthread_t threads[THREADS];
	unsigned refused;
	pid_t other = fork();

	CHECK(other >= 0, "fork");
	if (other == 0)
		be_the_other();
	int result = promcb_open(stress_segment, &options, &metrics);

	if (result < 0) {
		CHECK(result == -ENOSPC && strstr(message.text, "not enough space for segment"), "%llu bytes: %d %s",
		      (unsigned long long)round->bytes, result, message.text);
		set_bytes(16 << 20, MS_REMOUNT);
		result = promcb_open(stress_segment, &options, &metrics);
		CHECK(result == 0, "with room: %d %s", result, message.text);
	}
	refused = find_components(round);
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (unsigned t = 0; t < THREADS; t++)
		CHECK(pthread_create(&threads[t], NULL, record_in_phases, NULL) == 0, "thread");
	record_all();
	change_states();
	pthread_barrier_wait(&barrier);
	promcb_store_release(&shared->phase, 1);
	result = stress_wait(other);
	CHECK(result == 0, "%llu bytes, %d pages left: the other process ended with %d",
	      (unsigned long long)round->bytes, round->pages_left, result);
	expect(round, "full");
	/* Room, and no restart: it is looked for once a second. */
	set_bytes(16 << 20, MS_REMOUNT);
	if (refused) {
		uint64_t end = stress_now_ns() + PATIENCE_SECONDS * (uint64_t)1000000000;
		const struct timespec pause = {.tv_nsec = 20000000};

		while (find_components(NULL) > 0) {
			CHECK(stress_now_ns() < end, "%llu bytes, %d pages left: components stay refused",
			      (unsigned long long)round->bytes, round->pages_left);
			nanosleep(&pause, NULL);
		}
	}
	pthread_barrier_wait(&barrier);
	record_all();
	for (unsigned t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	expect(round, "with room again");
	promcb_close(metrics);
	return refused;
}

enum { LARGE_NAMES = 1000, LARGE_THREADS = 16 };

static struct promcb_component *large_components[LARGE_NAMES];

static void *record_many(void *argument)
{
	for (unsigned index = 0; index < LARGE_NAMES; index++)
		for (unsigned k = 0; k < CALLS; k++)
			promcb_record(large_components[index], 1000 + k, k % 6 != 0);
	return argument;
}

/* What container runtimes give for /dev/shm, and a segment that would like twice that. */
static void fill_64_megabytes(void)
{
	const struct promcb_options options = {.max_bytes = (uint64_t)1 << 30};
	uint64_t calls = 0, overflow = 0;
	pthread_t threads[LARGE_THREADS];

	metrics = stress_open(&options);
	for (unsigned index = 0; index < LARGE_NAMES; index++) {
		char name[32];

		name_of(name, index);
		large_components[index] = stress_component(metrics, name);
	}
	for (unsigned t = 0; t < LARGE_THREADS; t++)
		CHECK(pthread_create(&threads[t], NULL, record_many, NULL) == 0, "thread");
	for (unsigned t = 0; t < LARGE_THREADS; t++)
		pthread_join(threads[t], NULL);
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_MAPPED);

	for (size_t i = 0; i < snapshot->count; i++) {
		uint64_t is = snapshot->components[i].counts.calls[0] + snapshot->components[i].counts.calls[1];

		CHECK(is == (uint64_t)LARGE_THREADS * CALLS, "%s has %llu calls", snapshot->components[i].name.text,
		      (unsigned long long)is);
		calls += is;
	}
	overflow = snapshot->info.overflow_calls;
	CHECK(snapshot->count == LARGE_NAMES && snapshot->info.dropped_calls == 0, "components or calls are missing");
	printf("64 MB: %llu calls, exact; %llu bytes used, %llu calls by overflow\n", (unsigned long long)calls,
	       (unsigned long long)snapshot->info.used_bytes, (unsigned long long)overflow);
	promcb_snapshot_free(snapshot);
	stress_check_segment();
	promcb_close(metrics);
}

/* In a mount namespace and a process of its own. */
static void be_a_round(const struct round *round)
{
	CHECK(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "mount namespace");
	set_bytes(round->bytes, 0);
	snprintf(stress_segment, sizeof(stress_segment), "%s/segment", directory);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	alarm(4 * PATIENCE_SECONDS);
	if (round->large)
		fill_64_megabytes();
	else
		_exit(be_first(round) ? 3 : 0);
	_exit(0);
}

static bool can_mount(void)
{
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0)
		_exit(unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		      mount("none", directory, "tmpfs", 0, "size=64k") < 0);
	return stress_wait(child) == 0;
}

int main(void)
{
	unsigned running = 0, next = 0, count = 0, refusing = 0;
	static struct round rounds[512];

	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(directory, sizeof(directory), "/tmp/promcb-room-XXXXXX");
	CHECK(mkdtemp(directory), "%s: %s", directory, strerror(errno));
	if (!can_mount()) {
		rmdir(directory);
		printf("cannot mount a file system in a mount namespace: this needs root, or CAP_SYS_ADMIN\n");
		return 77;
	}
	rounds[count++] = (struct round){.bytes = 64 << 20, .pages_left = -1, .large = true};
	for (uint64_t pages = 16; pages < 70; pages++)
		rounds[count++] = (struct round){.bytes = pages * 4096, .pages_left = -1};
	for (uint64_t pages = 70; pages < 1100; pages += pages / 9)
		rounds[count++] = (struct round){.bytes = pages * 4096, .pages_left = -1};
	for (unsigned full_at = 0; full_at < 24; full_at++)
		for (int pages_left = 0; pages_left < 2; pages_left++)
			rounds[count++] =
				(struct round){.bytes = 2 << 20, .pages_left = pages_left, .full_at = full_at};
	for (int pages_left = 2; pages_left < 40; pages_left += 2)
		rounds[count++] = (struct round){
			.bytes = 2 << 20, .pages_left = pages_left, .full_at = (unsigned)pages_left * 7 % 23};
	/* The first, and of the others a share: another in each run. */
	unsigned step = (unsigned)(ROUND_STEP > stress_stride() ? ROUND_STEP : stress_stride());
	unsigned first = 1 + (unsigned)(step > 1 ? stress_seed() % step : 0), tried = 0;

	while (next < count || running) {
		int status;

		if (next < count && running < AT_ONCE) {
			pid_t child = fork();

			CHECK(child >= 0, "fork");
			if (child == 0)
				be_a_round(&rounds[next]);
			next = next ? next + step : first;
			running++;
			tried++;
			continue;
		}
		CHECK(wait(&status) > 0, "wait");
		running--;
		if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 3)) {
			fprintf(stderr, "a round ended with %#x\n", (unsigned)status);
			return 1;
		}
		refusing += WEXITSTATUS(status) == 3;
	}
	rmdir(directory);
	printf("%u of %u file systems, %u of them too small for all components: exact\n", tried, count, refusing);
	CHECK(refusing > tried / 10, "only %u were too small", refusing);
	return 0;
}

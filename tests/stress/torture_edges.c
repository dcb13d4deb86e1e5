/* SPDX-License-Identifier: MIT */
/*
 * torture_edges: at the edges of what a process and a segment may have.
 *
 * Invariants, each by exact totals, and nobody dies:
 *   - more threads than lanes, while a stranger locks and unlocks ranges of the lanes' bytes for reading and writing:
 *     every call counts, no descriptor and no mapping is left behind, and once the stranger is gone each lane is had;
 *   - a limit on the size of files, before the segment is opened or in the middle of its growth: what was refused
 *     counts as "_overflow", and SIGXFSZ is not sent;
 *   - as many segments in one process as it may have: one more is refused with a reason, until one is closed; all may
 *     be removed at once, and what was recorded is in the old segment, in the new one, or told as dropped.
 */
#include "stress.h"

#include "format/layout.h"

#include <fcntl.h>
#include <sys/resource.h>

enum { LANES = 3, THREADS = 12, NAMES = 20, SEGMENTS = 64 };

static const char *base;
static struct promcb_session *metrics;
static struct promcb_component *components[NAMES];

static uint64_t total(struct promcb_segment_info *info)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	uint64_t calls = 0;

	for (size_t i = 0; i < snapshot->count; i++)
		calls += snapshot->components[i].counts.calls[0] + snapshot->components[i].counts.calls[1];
	*info = snapshot->info;
	promcb_snapshot_free(snapshot);
	return calls;
}

static void find_components(void)
{
	for (unsigned i = 0; i < NAMES; i++) {
		char name[32];

		snprintf(name, sizeof(name), "edge%u", i);
		/* Refused: "_overflow", which counts as well. */
		promcb_component(metrics, name, &components[i]);
	}
}

/* -- Lanes -------------------------------------------------------------------------------------------------------- */

/* In memory that the processes share. */
static struct counts {
	uint64_t calls;
	uint64_t stop;
} * counts;

static void *record_for_a_while(void *argument)
{
	uint64_t random = (uint64_t)(uintptr_t)argument * 2654435761u + 1;

	for (unsigned k = 0; k < 400; k++)
		promcb_record(components[stress_random(&random) % NAMES], 1000, k % 8 != 0);
	__atomic_add_fetch(&counts->calls, 400, __ATOMIC_RELAXED);
	return NULL;
}

static void be_a_producer(uint64_t rounds)
{
	const struct promcb_options options = {.lanes = LANES};
	unsigned descriptors = 0, mapped = 0;
	uint64_t number = 0;

	metrics = stress_open(&options);
	for (uint64_t round = 0; round < rounds; round++) {
		pthread_t threads[THREADS];

		find_components();
		for (unsigned i = 0; i < THREADS; i++)
			CHECK(pthread_create(&threads[i], NULL, record_for_a_while, (void *)(uintptr_t)++number) == 0,
			      "thread");
		promcb_reset(metrics, "nobody");
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		if (round == 0) {
			descriptors = stress_descriptors();
			mapped = stress_mappings(base);
		}
	}
	CHECK(stress_descriptors() <= descriptors + 1, "%u descriptors, %u before", stress_descriptors(), descriptors);
	CHECK(stress_mappings(base) <= mapped + 2, "%u mappings, %u before", stress_mappings(base), mapped);
	_exit(0);
}

static void be_a_stranger(uint64_t seed)
{
	char path[128];
	uint64_t random = seed;

	snprintf(path, sizeof(path), "/dev/shm%s", stress_segment);
	int fd = open(path, O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0, "open");
	while (!__atomic_load_n(&counts->stop, __ATOMIC_RELAXED)) {
		uint64_t drawn = stress_random(&random);
		struct flock lock = {.l_type = drawn % 2 ? F_RDLCK : F_WRLCK,
				     .l_whence = SEEK_SET,
				     .l_start = PROMCB_LOCK_LANES + (int64_t)(drawn >> 8) % (LANES + 4),
				     .l_len = (int64_t)(drawn >> 20) % 8};
		const struct timespec pause = {.tv_nsec = (long)(drawn >> 32) % 300000};

		/* A length of 0 reaches to the markers, too. */
		fcntl(fd, drawn & 16 ? F_SETLK : F_OFD_SETLK, &lock);
		nanosleep(&pause, NULL);
		lock.l_type = F_UNLCK;
		if (drawn & 32) {
			lock.l_start = 0;
			lock.l_len = 0;
		}
		fcntl(fd, drawn & 16 ? F_SETLK : F_OFD_SETLK, &lock);
	}
	_exit(0);
}

static void *hold_a_lane(void *argument)
{
	record_for_a_while(argument);
	while (!__atomic_load_n(&counts->stop, __ATOMIC_ACQUIRE))
		sched_yield();
	return NULL;
}

/* Each lane is free, and is had by a thread of a new process. */
static void have_each_lane(void)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	const struct promcb_options options = {.lanes = LANES};
	struct promcb_segment_info info;
	pthread_t threads[LANES];

	__atomic_store_n(&counts->stop, 0, __ATOMIC_RELEASE);
	metrics = stress_open(&options);
	find_components();
	for (uintptr_t i = 0; i < LANES; i++)
		CHECK(pthread_create(&threads[i], NULL, hold_a_lane, (void *)(i + 1)) == 0, "thread");
	do {
		nanosleep(&pause, NULL);
		total(&info);
	} while (info.lanes_live < LANES);
	__atomic_store_n(&counts->stop, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < LANES; i++)
		pthread_join(threads[i], NULL);
	CHECK(promcb_reset(metrics, "edge0") == 0, "reset");
	promcb_close(metrics);
}

static void lanes_and_strangers(void)
{
	const struct promcb_options options = {.lanes = LANES};
	struct promcb_segment_info info;
	pid_t producers[3], strangers[2];
	uint64_t is;

	promcb_remove(stress_segment, true, NULL);
	CHECK(promcb_create(stress_segment, &options, NULL) == 0, "create");
	*counts = (struct counts){0, 0};
	for (unsigned i = 0; i < 2; i++) {
		strangers[i] = fork();
		if (strangers[i] == 0)
			be_a_stranger(i + 88172645463325252u);
	}
	for (unsigned i = 0; i < 3; i++) {
		producers[i] = fork();
		if (producers[i] == 0)
			be_a_producer(stress_scale(300));
	}
	for (unsigned i = 0; i < 3; i++)
		CHECK(stress_wait(producers[i]) == 0, "a producer");
	__atomic_store_n(&counts->stop, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 2; i++)
		CHECK(stress_wait(strangers[i]) == 0, "a stranger");
	is = total(&info);
	CHECK(is == counts->calls && info.dropped_calls == 0, "%llu calls, expected %llu; %llu dropped",
	      (unsigned long long)is, (unsigned long long)counts->calls, (unsigned long long)info.dropped_calls);
	stress_check_segment();
	printf("%u threads on %u lanes, beside strangers: %llu calls, %llu by overflow, exact\n", 3 * THREADS, LANES,
	       (unsigned long long)is, (unsigned long long)info.overflow_calls);
	have_each_lane();
}

/* -- A limit on files --------------------------------------------------------------------------------------------- */

static void under_limit(uint64_t bytes, bool before_open)
{
	const struct rlimit limit = {bytes, RLIM_INFINITY};
	struct promcb_segment_info info;
	pthread_t thread;
	uint64_t is;
	int result;

	*counts = (struct counts){0, 0};
	if (before_open)
		setrlimit(RLIMIT_FSIZE, &limit);
	result = promcb_open(stress_segment, NULL, &metrics);
	if (result < 0) {
		CHECK(before_open && result == -EFBIG, "open: %s", promcb_strerror(result));
		return;
	}
	setrlimit(RLIMIT_FSIZE, &limit);
	for (unsigned round = 0; round < 2; round++) {
		find_components();
		for (unsigned i = 0; i < NAMES; i++)
			for (unsigned k = 0; k < 100; k++)
				promcb_record(components[i], 1000, true);
		counts->calls += 100 * NAMES;
		CHECK(pthread_create(&thread, NULL, record_for_a_while, NULL) == 0, "thread");
		pthread_join(thread, NULL);
		promcb_set_state(components[round], PROMCB_OPEN);
		result = promcb_reset(metrics, "nobody");
		CHECK(result == -ENOENT || result == -ENOSPC, "reset: %s", promcb_strerror(result));
	}
	is = total(&info);
	CHECK(is == counts->calls && info.dropped_calls == 0, "limit %llu: %llu calls, expected %llu",
	      (unsigned long long)bytes, (unsigned long long)is, (unsigned long long)counts->calls);
	promcb_close(metrics);
}

static void limits_on_files(void)
{
	unsigned count = 0;

	for (uint64_t bytes = 4096; bytes < 4 << 20; bytes += bytes / 3 / 4096 * 4096 + 4096)
		for (unsigned before = 0; before < 2; before++, count++) {
			promcb_remove(stress_segment, true, NULL);
			pid_t child = fork();

			CHECK(child >= 0, "fork");
			if (child == 0) {
				under_limit(bytes, before);
				_exit(0);
			}
			int status = stress_wait(child);

			CHECK(status == 0, "files of %llu bytes, %s: ended with %d", (unsigned long long)bytes,
			      before ? "from the start" : "once opened", status);
		}
	printf("%u limits on the size of files: exact\n", count);
}

/* -- Segments ----------------------------------------------------------------------------------------------------- */

static struct promcb_session *opened[SEGMENTS + 1];
static struct promcb_component *in_each[SEGMENTS + 1];

static void name_segment(unsigned number)
{
	snprintf(stress_segment, sizeof(stress_segment), "%.40s-%u", base, number);
}

static void *record_in_each(void *argument)
{
	for (unsigned k = 0; k < 50; k++)
		for (unsigned i = 0; i < SEGMENTS; i++)
			promcb_record(in_each[i], 1000, true);
	return argument;
}

static int open_one(unsigned number, struct promcb_message *message)
{
	const struct promcb_options options = {.max_bytes = 2 << 20, .lanes = 8, .components = 8, .message = message};

	name_segment(number);
	int result = promcb_open(stress_segment, &options, &opened[number]);

	if (result == 0)
		in_each[number] = stress_component(opened[number], "each");
	return result;
}

static uint64_t calls_in(unsigned number, uint64_t *dropped)
{
	struct promcb_segment_info info;

	name_segment(number);
	uint64_t calls = total(&info);

	*dropped = info.dropped_calls;
	return calls;
}

static void record_in_two_threads(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, record_in_each, NULL) == 0, "thread");
	record_in_each(NULL);
	pthread_join(thread, NULL);
}

/* All are removed while the process uses every place that it has: each is followed all the same. */
static void remove_all(void)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	uint64_t more[SEGMENTS] = {0}, calls, dropped;
	unsigned behind;

	for (unsigned i = 0; i < SEGMENTS; i++) {
		name_segment(i);
		CHECK(promcb_remove(stress_segment, true, NULL) == 0, "remove");
	}
	do {
		behind = 0;
		for (unsigned i = 0; i < SEGMENTS; i++) {
			struct promcb_reader *reader;

			name_segment(i);
			if (promcb_reader_open(stress_segment, NULL, &reader, NULL) == 0) {
				promcb_reader_close(reader);
				continue;
			}
			behind++;
			promcb_record(in_each[i], 1000, true);
			more[i]++;
		}
		nanosleep(&pause, NULL);
	} while (behind);
	for (unsigned i = 0; i < SEGMENTS; i++) {
		promcb_record(in_each[i], 1000, true);
		calls = calls_in(i, &dropped);
		CHECK(calls >= 1 && calls + dropped <= more[i] + 1, "segment %u: %llu calls, %llu dropped, of %llu", i,
		      (unsigned long long)calls, (unsigned long long)dropped, (unsigned long long)more[i] + 1);
	}
}

static void many_segments(void)
{
	struct promcb_message message = {.text = ""};
	uint64_t dropped;
	int result;

	for (unsigned i = 0; i < SEGMENTS; i++)
		CHECK(open_one(i, &message) == 0, "segment %u: %s", i, message.text);
	result = open_one(SEGMENTS, &message);
	CHECK(result == -EMFILE && strstr(message.text, "has 64 segments"), "one more: %d %s", result, message.text);
	record_in_two_threads();
	for (unsigned i = 0; i < SEGMENTS; i++)
		CHECK(calls_in(i, &dropped) == 100 && dropped == 0, "segment %u: %llu calls", i,
		      (unsigned long long)calls_in(i, &dropped));
	remove_all();
	promcb_close(opened[0]);
	/* Within the seconds that its memory is kept for threads in the middle of a record. */
	for (uint64_t end_ns = stress_now_ns() + 20000000000u; open_one(SEGMENTS, &message) == -EMFILE;) {
		const struct timespec pause = {.tv_nsec = 50000000};

		CHECK(stress_now_ns() < end_ns, "no place: %s", message.text);
		nanosleep(&pause, NULL);
	}
	promcb_record(in_each[SEGMENTS], 1000, true);
	CHECK(calls_in(SEGMENTS, &dropped) == 1, "the one more");
	for (unsigned i = 0; i <= SEGMENTS; i++) {
		if (i)
			promcb_close(opened[i]);
		name_segment(i);
		promcb_remove(stress_segment, true, NULL);
	}
	printf("%u segments in one process: exact\n", SEGMENTS);
	_exit(0);
}

int main(void)
{
	static char name[64];

	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(counts != MAP_FAILED, "mmap");
	memcpy(name, stress_begin("edges"), sizeof(name));
	base = name;
	lanes_and_strangers();
	limits_on_files();
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0)
		many_segments();
	CHECK(stress_wait(child) == 0, "many segments");
	stress_remove();
	return 0;
}

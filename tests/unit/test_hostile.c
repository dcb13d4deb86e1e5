/* SPDX-License-Identifier: MIT */
/*
 * What a segment costs its readers is bounded by what it holds, whoever wrote it: rings that many blocks name, rings
 * that are holes, more maps than the guard watches, more findings than anybody reads, less time than it takes.
 */
#include "fixture.h"

#include "format/layout.h"
#include "model/snapshot.h"

#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

TestSuite(hostile, .init = fixture_begin, .fini = fixture_end);

/* The whole file, as its owner may change it. */
static uint8_t *map_segment(size_t *bytes)
{
	int fd = open(fixture_segment, O_RDWR | O_CLOEXEC);
	struct stat status;

	cr_assert_eq(fstat(fd, &status), 0);
	*bytes = (size_t)status.st_size;
	uint8_t *base = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	cr_assert_neq((void *)base, MAP_FAILED);
	close(fd);
	return base;
}

enum { SHARERS = 300 };

/* Components whose blocks, all of one lane, name the ring of the first. */
static void make_shared_ring(void)
{
	const struct promcb_options options = {.components = SHARERS, .recent_samples = 4096, .max_bytes = 64 << 20};
	struct promcb_session *p = fixture_open(&options);
	struct promcb_component *first = fixture_component(p, "c0");
	size_t bytes;

	for (int k = 0; k < 4000; k++)
		promcb_record(first, 1000, true);
	for (int i = 1; i < SHARERS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%d", i);
		promcb_record(fixture_component(p, name), 1000, true);
	}
	uint8_t *base = map_segment(&bytes);
	const struct promcb_geometry *g = &((struct promcb_header *)(void *)base)->geometry;
	const uint32_t *directory = (const uint32_t *)(void *)(base + g->directories_off);
	uint64_t ring = 0;

	for (uint32_t round = 0; round < 2; round++)
		for (uint32_t component = 0; component < g->components; component++) {
			if (!directory[component])
				continue;
			struct promcb_block *block =
				(struct promcb_block *)(void *)(base + promcb_block_off(g, directory[component] - 1));

			if (round == 0 && block->ring)
				ring = block->ring;
			if (round == 1)
				block->ring = ring;
		}
	cr_assert_neq(ring, 0);
	munmap(base, bytes);
	promcb_close(p);
}

Test(hostile, ring_is_read_once)
{
	struct promcb_summary summary;
	unsigned full = 0;

	make_shared_ring();
	struct promcb_snapshot *snapshot = fixture_snapshot();

	cr_assert_eq(promcb_snapshot_count(snapshot), SHARERS);
	for (size_t i = 0; i < SHARERS; i++) {
		promcb_snapshot_summary(snapshot, i, &summary);
		cr_assert_eq(summary.total_calls, strcmp(summary.name, "c0") == 0 ? 4000 : 1);
		full += summary.recent_calls > PROMCB_FIRST_RING_SLOTS;
	}
	cr_assert_eq(full, 1, "%u components have the samples of one ring", full);
	promcb_snapshot_free(snapshot);
}

struct told {
	int count;
	char last[256];
};

static void count_told(void *context, const char *sentence)
{
	struct told *told = context;

	told->count++;
	snprintf(told->last, sizeof(told->last), "%s", sentence);
}

Test(hostile, findings_are_counted_and_not_all_told)
{
	struct promcb_reader *reader;
	struct told told = {0};

	make_shared_ring();
	cr_assert_eq(promcb_reader_open(fixture_segment, NULL, &reader, NULL), 0);
	cr_assert_eq(promcb_reader_check(reader, count_told, &told), SHARERS - 1);
	cr_assert_eq(told.count, 21);
	cr_assert_str_eq(told.last, "and 279 findings more, 299 in all");
	promcb_reader_close(reader);
}

enum { HOLLOW_LANES = 100, HOLLOW_RING_BYTES = 65536 * 8 };

static pthread_barrier_t all_here;
static sem_t recorded;

static void *record_some(void *component)
{
	for (int k = 0; k < 40; k++)
		promcb_record(component, 1000, true);
	sem_post(&recorded);
	pthread_barrier_wait(&all_here);
	return NULL;
}

static long peak_kb(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/* Makes holes of all pages of rings that are zeros. */
static void dig_rings(void)
{
	size_t bytes;
	uint8_t *base = map_segment(&bytes);
	const struct promcb_geometry *g = &((struct promcb_header *)(void *)base)->geometry;
	const uint32_t *words = (const uint32_t *)(const void *)(base + g->chunk_table_off);
	int fd = open(fixture_segment, O_RDWR | O_CLOEXEC);

	for (uint64_t off = g->chunks_off; off + 4096 <= bytes; off += 4096) {
		bool is_empty = true;

		if (promcb_chunk_kind(words[(off - g->chunks_off) / g->chunk_bytes]) != PROMCB_CHUNK_RINGS)
			continue;
		for (uint32_t i = 0; i < 4096 && is_empty; i++)
			is_empty = base[off + i] == 0;
		if (is_empty)
			cr_assert_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, 4096), 0);
	}
	close(fd);
	munmap(base, bytes);
}

/* A page of each ring is left, the rest are holes: 50 MB of addresses, 0.4 of memory. */
static void make_hollow(void)
{
	const struct promcb_options options = {
		.components = 8, .recent_samples = 65536, .lanes = 128, .max_bytes = 1 << 30};
	struct promcb_component *component = fixture_component(fixture_open(&options), "hollow");
	pthread_t threads[HOLLOW_LANES];

	pthread_barrier_init(&all_here, NULL, HOLLOW_LANES);
	sem_init(&recorded, 0, 0);
	/* One after another: a ring does not grow while another thread of the process has its lock. */
	for (int t = 0; t < HOLLOW_LANES; t++) {
		cr_assert_eq(pthread_create(&threads[t], NULL, record_some, component), 0);
		sem_wait(&recorded);
	}
	for (int t = 0; t < HOLLOW_LANES; t++)
		pthread_join(threads[t], NULL);
	dig_rings();
}

/* In a process of its own, whose peak nothing before has raised. */
Test(hostile, holes_take_no_memory)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		make_hollow();
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	for (int mapped = 0; mapped < 2; mapped++) {
		const struct promcb_reader_options options = {.access = mapped ? PROMCB_ACCESS_MAPPED
									       : PROMCB_ACCESS_COPY};
		struct promcb_snapshot *snapshot;
		struct promcb_summary summary;
		struct promcb_reader *reader;
		long before = peak_kb();

		cr_assert_eq(promcb_reader_open(fixture_segment, &options, &reader, NULL), 0);
		cr_assert_eq(promcb_reader_snapshot(reader, NULL, &snapshot, NULL), 0);
		cr_assert_eq(promcb_snapshot_find(snapshot, "hollow", &summary), 0);
		cr_assert_eq(summary.total_calls, 40 * HOLLOW_LANES);
		cr_assert_eq(summary.recent_calls, 40 * HOLLOW_LANES);
		cr_assert_lt(peak_kb() - before, HOLLOW_LANES * (HOLLOW_RING_BYTES / 1024) / 2, "%ld kB",
			     peak_kb() - before);
		promcb_snapshot_free(snapshot);
		promcb_reader_close(reader);
	}
}

/* A ring's pages, each read for itself, hold the samples that the ring holds, in their order. */
Test(hostile, hollow_ring_keeps_its_samples)
{
	const struct promcb_options options = {.components = 8, .recent_samples = 8192};
	struct promcb_component *component = fixture_component(fixture_open(&options), "x");
	struct promcb_summary whole, hollow;
	struct stat before, after;

	for (uint64_t k = 1; k <= 3000; k++)
		promcb_record(component, k * 1000, k % 10 != 0);
	whole = fixture_summary("x");
	cr_assert_eq(whole.recent_calls, 3000);
	stat(fixture_segment, &before);
	dig_rings();
	stat(fixture_segment, &after);
	cr_assert_lt(after.st_blocks, before.st_blocks);
	hollow = fixture_summary("x");
	whole.name = hollow.name = NULL;
	cr_assert_eq(hollow.recent_calls, 3000);
	cr_assert_eq(hollow.recent_failure_rate, whole.recent_failure_rate);
	cr_assert_eq(hollow.min_latency, whole.min_latency);
	cr_assert_eq(hollow.max_latency, whole.max_latency);
	cr_assert_eq(hollow.p50, whole.p50);
	cr_assert_eq(hollow.p999, whole.p999);
}

enum { MAPS = 1100, SPOILED_COMPONENTS = 200 };

/* Cuts the file to nothing and fills it again, over and over, until killed. */
static void spoil_and_mend(void)
{
	size_t bytes;
	uint8_t *base = map_segment(&bytes), *copy = malloc(bytes);
	int fd = open(fixture_segment, O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memcpy(copy, base, bytes);
	for (;;)
		if (ftruncate(fd, 0) < 0 || pwrite(fd, copy, bytes, 0) != (ssize_t)bytes)
			_exit(1);
}

/* More maps than the guard has places, all of one file that is cut short: nobody dies of it. */
Test(hostile, no_map_without_a_guard)
{
	const struct promcb_options small = {.lanes = 2, .max_bytes = 4 << 20};
	const struct promcb_reader_options mapped = {.access = PROMCB_ACCESS_MAPPED};
	const struct promcb_snapshot_options once = {.timeout_ns = 1};
	static struct promcb_reader *readers[MAPS];
	struct promcb_session *p = fixture_open(&small);
	struct promcb_snapshot *snapshot;
	struct rlimit files;

	for (int i = 0; i < SPOILED_COMPONENTS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%d", i);
		promcb_record(fixture_component(p, name), 1000, true);
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < MAPS + 50)
		cr_skip_test("only %llu files may be open", (unsigned long long)files.rlim_cur);
	cr_assert_eq(promcb_reader_catch_sigbus(), 0);
	for (int i = 0; i < MAPS; i++)
		cr_assert_eq(promcb_reader_open(fixture_segment, &mapped, &readers[i], NULL), 0);
	pid_t child = fork();

	if (child == 0)
		spoil_and_mend();
	for (int round = 0; round < 4; round++)
		for (int i = MAPS - 1; i >= 0; i--)
			if (promcb_reader_snapshot(readers[i], &once, &snapshot, NULL) == 0)
				promcb_snapshot_free(snapshot);
	kill(child, SIGKILL);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	for (int i = 0; i < MAPS; i++)
		promcb_reader_close(readers[i]);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Late wherever the deadline falls, until there is enough time; and late once is not late for ever. */
Test(hostile, deadline_is_kept)
{
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;
	unsigned late = 0;
	int result;

	make_shared_ring();
	cr_assert_eq(promcb_reader_open(fixture_segment, NULL, &reader, NULL), 0);
	for (uint64_t ns = 0;; ns += 10000) {
		const struct promcb_snapshot_options options = {.deadline_ns = now_ns() + ns};

		result = promcb_reader_snapshot(reader, &options, &snapshot, &message);
		if (result == 0)
			break;
		cr_assert_eq(result, -ETIMEDOUT, "%d %s", result, message.text);
		cr_assert_not_null(strstr(message.text, "in the time"), "%s", message.text);
		late++;
	}
	cr_assert_gt(late, 0);
	promcb_snapshot_free(snapshot);
	cr_assert_eq(promcb_reader_snapshot(reader, NULL, &snapshot, NULL), 0);
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
}

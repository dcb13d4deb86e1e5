/* SPDX-License-Identifier: MIT */
/*
 * What those do who are neither producers nor in order: readers that lock, threads that go, words that nobody wrote.
 */
#include "fixture.h"

#include "format/layout.h"

#include <pthread.h>
#include <sys/vfs.h>
#include <sys/wait.h>

TestSuite(strangers, .init = fixture_begin, .fini = fixture_end);

/* Who may only read can lock for reading: that takes lanes from those who come later, and no counts. */
Test(strangers, read_locks_lose_nothing)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = PROMCB_LOCK_LANES, .l_len = 2048};
	struct promcb_component *known, *fresh;

	cr_assert_eq(promcb_create(fixture_segment, NULL, NULL), 0);
	pid_t child = fork();

	if (child == 0) {
		promcb_component(fixture_open(NULL), "known", &known);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, NULL, 0), child);
	int fd = open(fixture_segment, O_RDONLY | O_CLOEXEC);

	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
	struct promcb_session *p = fixture_open(NULL);

	cr_assert_eq(promcb_component(p, "known", &known), 0);
	cr_assert_eq(promcb_component(p, "fresh", &fresh), -EBUSY);
	for (int k = 0; k < 100; k++) {
		promcb_record(known, 1000, k % 2 == 0);
		promcb_record(fresh, UINT64_MAX, true);
	}
	cr_assert_eq(promcb_reset(p, "known"), -EBUSY);
	cr_assert_eq(fixture_summary("known").total_calls, 100);
	cr_assert_eq(fixture_summary("known").failed_calls, 50);
	cr_assert_eq(fixture_summary("_overflow").total_calls, 100);
	cr_assert_eq(fixture_info().overflow_calls, 200);
	close(fd);
}

/* More threads at once than recorders are kept idle: the rest give their lanes to everybody. */
static pthread_barrier_t all_recorded;

static void *record_beside_others(void *component)
{
	promcb_record(component, 1000, true);
	pthread_barrier_wait(&all_recorded);
	return NULL;
}

Test(strangers, idle_lanes_of_many_threads_are_given_up)
{
	struct promcb_component *component = fixture_component(fixture_open(NULL), "many");
	pthread_t threads[12];

	pthread_barrier_init(&all_recorded, NULL, 13);
	for (unsigned t = 0; t < 12; t++)
		cr_assert_eq(pthread_create(&threads[t], NULL, record_beside_others, component), 0);
	pthread_barrier_wait(&all_recorded);
	for (unsigned t = 0; t < 12; t++)
		pthread_join(threads[t], NULL);
	cr_assert_eq(fixture_summary("many").total_calls, 12);
	cr_assert_leq(fixture_info().lanes_live, 5);
	cr_assert_eq(fixture_info().lanes_live + fixture_info().lanes_idle, 13);
}

static char findings[4096];

static void note_finding(void *context, const char *sentence)
{
	(void)context;
	strncat(findings, sentence, sizeof(findings) - strlen(findings) - 1);
}

/* What a check finds once a word has another value. */
static void expect_finding(uint64_t off, uint32_t value, const char *sentence)
{
	struct promcb_reader *reader;
	uint32_t before;
	int fd = open(fixture_segment, O_RDONLY | O_CLOEXEC);

	cr_assert_eq(pread(fd, &before, sizeof(before), (off_t)off), sizeof(before));
	close(fd);
	fixture_poke(off, &value, sizeof(value));
	*findings = 0;
	cr_assert_eq(promcb_reader_open(fixture_segment, NULL, &reader, NULL), 0);
	cr_assert_gt(promcb_reader_check(reader, note_finding, NULL), 0, "%s", sentence);
	cr_assert_not_null(strstr(findings, sentence), "%s: %s", sentence, findings);
	promcb_reader_close(reader);
	fixture_poke(off, &before, sizeof(before));
}

Test(strangers, check_names_each_fault)
{
	struct promcb_component *component = fixture_component(fixture_open(NULL), "checked");
	struct promcb_header header;

	for (int k = 0; k < 100; k++)
		promcb_record(component, 1000, true);
	cr_assert_eq(promcb_reset(fixture_open(NULL), "checked"), 0);
	int fd = open(fixture_segment, O_RDONLY | O_CLOEXEC);

	cr_assert_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
	const struct promcb_geometry *g = &header.geometry;
	uint64_t directory = g->directories_off + sizeof(uint32_t), unused = g->chunk_table_off + 40 * sizeof(uint32_t);
	uint64_t descriptor = g->descriptors_off + g->descriptor_bytes;
	uint32_t number, baseline;

	cr_assert_eq(pread(fd, &number, sizeof(number), (off_t)directory), sizeof(number));
	cr_assert_eq(pread(fd, &baseline, sizeof(baseline),
			   (off_t)(descriptor + offsetof(struct promcb_descriptor, baseline))),
		     sizeof(baseline));
	close(fd);
	uint64_t block = promcb_block_off(g, number - 1), reset = promcb_block_off(g, baseline - 1);

	expect_finding(unused, promcb_chunk_word(0, 0, 0), "has kind 0");
	expect_finding(unused, (uint32_t)PROMCB_CHUNK_RINGS << 28 | 0xffff, "belongs to lane 65534");
	expect_finding(unused, promcb_chunk_word(PROMCB_CHUNK_RINGS, 4000, 0), "4000 carved");
	expect_finding(g->claims_off + sizeof(uint32_t), 0, "nobody claimed");
	expect_finding(block + offsetof(struct promcb_block, kind), 0, "has kind 0");
	expect_finding(block + offsetof(struct promcb_block, component_lane) + 4, 7, "says it is another's");
	expect_finding(block + offsetof(struct promcb_block, component_lane), 9, "another lane's");
	expect_finding(block + offsetof(struct promcb_block, ring), 0xfffffff, "out of range");
	expect_finding(directory, number + promcb_blocks_per_chunk(g) * 50, "holds none");
	expect_finding(reset + offsetof(struct promcb_block, kind), 9, "a baseline is none");
	expect_finding(descriptor + offsetof(struct promcb_descriptor, state) + 4, (uint32_t)3 << 28, "state is none");
	expect_finding(descriptor + offsetof(struct promcb_descriptor, baseline), UINT32_MAX, "out of range");
	expect_finding(descriptor, 0x0a0a0a0a, "no name");
	*findings = 0;
	struct promcb_reader *reader;

	cr_assert_eq(promcb_reader_open(fixture_segment, NULL, &reader, NULL), 0);
	cr_assert_eq(promcb_reader_check(reader, note_finding, NULL), 0, "%s", findings);
	promcb_reader_close(reader);
}

Test(strangers, owner_group_and_mode)
{
	struct promcb_message message = {.text = ""};
	struct stat status;

	cr_assert_eq(promcb_create(fixture_segment, &(struct promcb_options){.mode = 0604}, NULL), 0);
	cr_assert_eq(stat(fixture_segment, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0604);
	fixture_end();
	if (geteuid() == 0) {
		cr_assert_eq(
			promcb_create(fixture_segment, &(struct promcb_options){.owner = 65534, .group = 65533}, NULL),
			0);
		cr_assert_eq(stat(fixture_segment, &status), 0);
		cr_assert_eq(status.st_uid, 65534);
		cr_assert_eq(status.st_gid, 65533);
		cr_assert_eq(status.st_mode & 07777, 0640);
		fixture_end();
		pid_t child = fork();

		if (child == 0)
			_exit(setgid(65534) || setuid(65534) ||
			      promcb_create(fixture_segment, &(struct promcb_options){.owner = 1}, &message) !=
				      -EPERM ||
			      !strstr(message.text, "to user 1") || access(fixture_segment, F_OK) == 0);
		int result;

		cr_assert_eq(waitpid(child, &result, 0), child);
		cr_assert_eq(result, 0);
	}
	cr_assert_eq(promcb_create("/dev/shm/promcb-no-such-directory/segment", NULL, &message), -ENOENT);
	cr_assert_not_null(strstr(message.text, "there is no directory /dev/shm/promcb-no-such-directory"), "%s",
			   message.text);
}

/* On a disk there is a warning, and it works; where room cannot be reserved it is refused; on tmpfs neither. */
Test(strangers, file_systems_are_told_apart)
{
	struct promcb_message message = {.text = ""};
	const char *const directories[] = {"/dev/shm", "/tmp", "/var/tmp", "/"};
	char path[128];

	for (unsigned i = 0; i < sizeof(directories) / sizeof(*directories); i++) {
		struct statfs fs;

		if (statfs(directories[i], &fs) < 0 || access(directories[i], W_OK) < 0)
			continue;
		snprintf(path, sizeof(path), "%s/promcb-unit-fs-%d", directories[i], (int)getpid());
		*message.text = 0;
		int result = promcb_create(path, &(struct promcb_options){.max_bytes = 4 << 20}, &message);
		unsigned long type = (unsigned long)fs.f_type;

		if (type == 0x01021994) {
			cr_expect_eq(result, 0);
			cr_expect_str_empty(message.text);
		} else if (type == 0xEF53 || type == 0x58465342) {
			cr_expect_eq(result, 0, "%s: %s", path, message.text);
			cr_expect_not_null(strstr(message.text, "lies on a disk"), "%s", message.text);
		} else {
			cr_expect_lt(result, 0);
			cr_expect_str_not_empty(message.text);
			cr_expect_lt(access(path, F_OK), 0);
		}
		unlink(path);
	}
}

Test(strangers, default_segment_is_the_environments)
{
	struct promcb_session *p;

	setenv("PROMCB_SEGMENT", "/..", 1);
	errno = 0;
	cr_assert_null(promcb_default());
	cr_assert_eq(errno, EINVAL);
	setenv("PROMCB_SEGMENT", fixture_segment, 1);
	p = promcb_default();
	cr_assert_not_null(p);
	setenv("PROMCB_SEGMENT", "/..", 1);
	cr_assert_eq(promcb_default(), p);
	promcb_record(fixture_component(p, "by default"), 1000, true);
	cr_assert_eq(fixture_summary("by default").total_calls, 1);
}

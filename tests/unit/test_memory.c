/* SPDX-License-Identifier: MIT */
/*
 * Whether memory may grow, and growing it, tried where the answer is known to the byte: each test sees a mount table of
 * its own, in which a small tmpfs stands over /sys/fs/cgroup and a file of ours over /proc/self/cgroup. No control
 * group of the machine is touched. Needs the right to mount; skipped elsewhere. (A user namespace would give it to
 * everybody, but not to a process with two threads, of which Criterion has one.)
 */
#include "base/memory.h"

#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CGROUPS "/sys/fs/cgroup"

enum { TMPFS_BYTES = 1 << 20, NO_FILE = -1 };

/* -- A world of our own ------------------------------------------------------------------------------------------ */

/* Writes a file below CGROUPS, and makes the directories on the way. */
__attribute__((format(printf, 2, 3))) static void put(const char *file, const char *format, ...)
{
	char path[4096];
	va_list arguments;
	int length = snprintf(path, sizeof(path), CGROUPS "/%s", file);

	cr_assert_lt(length, (int)sizeof(path));
	for (char *slash = path + sizeof(CGROUPS); (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = 0;
		cr_assert(mkdir(path, 0700) == 0 || errno == EEXIST, "%s: %m", path);
	}
	FILE *out = fopen(path, "w");

	cr_assert_not_null(out, "%s: %m", path);
	va_start(arguments, format);
	cr_assert_geq(vfprintf(out, format, arguments), 0);
	va_end(arguments);
	cr_assert_eq(fclose(out), 0);
}

/* groups: what /proc/self/cgroup shall say. */
static void begin(const char *groups)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("promcb-test", CGROUPS, "tmpfs", 0, "size=1m,mode=0700") < 0)
		cr_skip_test("no mounts of our own: %s", strerror(errno));
	put("groups", "%s", groups);
	if (mount(CGROUPS "/groups", "/proc/self/cgroup", NULL, MS_BIND, NULL) < 0)
		cr_skip_test("no mount over /proc/self/cgroup: %s", strerror(errno));
}

/* The most bytes for which there is room: up to bound, which is one more than there may be. */
static uint64_t most(int fd, uint64_t bound)
{
	uint64_t low = 0, high = bound;

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (promcb_headroom(fd, middle))
			low = middle;
		else
			high = middle;
	}
	return low;
}

static bool is_unlimited(void)
{
	return promcb_headroom(NO_FILE, (uint64_t)1 << 40);
}

/* -- File systems ------------------------------------------------------------------------------------------------ */

Test(headroom, keeps_a_twentieth_of_a_file_system)
{
	begin("0::/\n");
	int fd = open(CGROUPS "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	/* The page that the list of groups takes. */
	uint64_t used = 4096;

	cr_assert_eq(most(fd, 2 * TMPFS_BYTES), TMPFS_BYTES - used - TMPFS_BYTES / 20);
	cr_assert_eq(fallocate(fd, 0, 0, TMPFS_BYTES / 2), 0);
	cr_assert_eq(most(fd, 2 * TMPFS_BYTES), TMPFS_BYTES / 2 - used - TMPFS_BYTES / 20);
	/* What is left is the twentieth, and less than it. */
	cr_assert_eq(fallocate(fd, 0, 0, TMPFS_BYTES * 15 / 16 - 4096), 0);
	cr_assert_not(promcb_headroom(fd, 16384));
	cr_assert_eq(fallocate(fd, 0, 0, TMPFS_BYTES - 4096), 0);
	cr_assert_not(promcb_headroom(fd, 1));
	cr_assert_not(promcb_headroom(fd, 0));
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert(promcb_headroom(fd, TMPFS_BYTES / 2));
	close(fd);
}

Test(headroom, a_file_system_without_a_size_has_room)
{
	begin("0::/\n");
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert(promcb_headroom(fd, (uint64_t)1 << 40));
	close(fd);
	cr_assert(is_unlimited());
}

Test(headroom, no_file_system_has_two_exabytes)
{
	int fd = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		cr_skip_test("no /dev/shm");
	cr_assert_not(promcb_headroom(fd, (uint64_t)1 << 61));
	close(fd);
}

/* -- Growing ----------------------------------------------------------------------------------------------------- */

/* The bytes in use, and the bytes that a tmpfs has given. */
static void assert_file(int fd, uint64_t bytes, uint64_t given)
{
	struct stat status;

	cr_assert_eq(fstat(fd, &status), 0);
	cr_assert_eq((uint64_t)status.st_size, bytes);
	cr_assert_eq((uint64_t)status.st_blocks * 512, given);
}

Test(headroom, reserving_gives_memory_and_leaves_what_is_there)
{
	char byte = 0;

	begin("0::/\n");
	int fd = open(CGROUPS "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_eq(promcb_reserve(fd, 0, 8192), 0);
	assert_file(fd, 8192, 8192);
	cr_assert_eq(pwrite(fd, "x", 1, 8000), 1);
	/* Over what is there; then behind a hole. */
	cr_assert_eq(promcb_reserve(fd, 4096, 8192), 0);
	cr_assert_eq(promcb_reserve(fd, 65536, 4096), 0);
	assert_file(fd, 65536 + 4096, 12288 + 4096);
	cr_assert_eq(pread(fd, &byte, 1, 8000), 1);
	cr_assert_eq(byte, 'x');
	/* Where there is no room nothing changes. */
	cr_assert_eq(promcb_reserve(fd, 0, 2 * TMPFS_BYTES), -ENOSPC);
	assert_file(fd, 65536 + 4096, 12288 + 4096);
	cr_assert_eq(pread(fd, &byte, 1, 8000), 1);
	cr_assert_eq(byte, 'x');
	close(fd);
	cr_assert_eq(promcb_reserve(NO_FILE, 0, 4096), -EBADF);
}

/* Beyond the limit the kernel would raise SIGXFSZ, and end the producer. */
Test(headroom, reserving_stops_at_the_file_size_limit)
{
	struct rlimit limit;

	begin("0::/\n");
	int fd = open(CGROUPS "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 65536;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(promcb_reserve(fd, 0, 65536), 0);
	cr_assert_eq(promcb_reserve(fd, 0, 65537), -EFBIG);
	cr_assert_eq(promcb_reserve(fd, 65536, 1), -EFBIG);
	cr_assert_eq(promcb_reserve(fd, (uint64_t)1 << 40, 4096), -EFBIG);
	cr_assert_eq(promcb_reserve(fd, 61440, 4096), 0);
	assert_file(fd, 65536, 65536);
	close(fd);
}

/* -- A segment --------------------------------------------------------------------------------------------------- */

static void *record_in_another(void *component)
{
	for (int k = 0; k < 100; k++)
		promcb_record(component, 1000, true);
	return NULL;
}

static uint64_t given_bytes(void)
{
	struct stat status;

	cr_assert_eq(stat(fixture_segment, &status), 0);
	return (uint64_t)status.st_blocks * 512;
}

/* Chunks were asked for, directories of lanes and descriptors were not, nor was a whole segment. */
Test(headroom, segment_takes_nothing_of_the_share, .init = fixture_begin, .fini = fixture_end)
{
	const struct promcb_options options = {.components = 5000, .lanes = 64};
	struct promcb_component *known, *other;
	struct promcb_message message = {.text = ""};
	unsigned refused = 0;
	char name[80];
	pthread_t threads[8];

	begin("0::/app\n");
	put("app/memory.max", "100000000\n");
	put("app/memory.current", "0\n");
	struct promcb_session *p = fixture_open(&options);

	known = fixture_component(p, "known");
	record_in_another(known);
	uint64_t before = given_bytes();

	put("app/memory.current", "95000000\n");
	for (int t = 0; t < 8; t++)
		cr_assert_eq(pthread_create(&threads[t], NULL, record_in_another, known), 0);
	for (int t = 0; t < 8; t++)
		pthread_join(threads[t], NULL);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "component-%u", i);
		refused += promcb_component(p, name, &other) == -ENOSPC;
		record_in_another(other);
	}
	cr_assert_eq(promcb_reset(p, "known"), -ENOSPC);
	cr_assert_eq(given_bytes(), before, "%" PRIu64 " bytes instead of %" PRIu64, given_bytes(), before);
	/* The page of "_overflow" has room for six more beside "known", and the chunk for blocks of some. */
	cr_assert(refused >= 1000 - 6 && refused < 1000, "%u", refused);
	cr_assert_eq(fixture_summary("known").total_calls, 900);
	cr_assert_eq(fixture_summary("component-0").total_calls, 100);
	cr_assert_eq(fixture_summary("_overflow").total_calls, 100 * refused);
	cr_assert_eq(fixture_info().lanes_live, 1);
	cr_assert_eq(fixture_info().dropped_calls, 0);
	snprintf(name, sizeof(name), "%s-2", fixture_segment);
	cr_assert_eq(promcb_create(name, NULL, &message), -ENOSPC);
	cr_assert(strstr(message.text, "memory cgroup"), "%s", message.text);
	cr_assert_lt(access(name, F_OK), 0);
	put("app/memory.current", "0\n");
	cr_assert_eq(promcb_create(name, NULL, &message), 0, "%s", message.text);
	unlink(name);
}

/* -- Control groups, version 2 ----------------------------------------------------------------------------------- */

Test(headroom, version_2_keeps_a_twentieth_of_the_limit)
{
	begin("0::/system.slice/app.service\n");
	put("system.slice/app.service/memory.max", "100000000\n");
	put("system.slice/app.service/memory.current", "60000000\n");
	cr_assert_eq(most(NO_FILE, 100000000), 35000000);
	put("system.slice/app.service/memory.current", "95000000\n");
	cr_assert(promcb_headroom(NO_FILE, 0));
	cr_assert_not(promcb_headroom(NO_FILE, 1));
	put("system.slice/app.service/memory.current", "95000001\n");
	cr_assert_not(promcb_headroom(NO_FILE, 0));
	put("system.slice/app.service/memory.current", "100000000\n");
	cr_assert_not(promcb_headroom(NO_FILE, 0));
	put("system.slice/app.service/memory.current", "100000001\n");
	cr_assert_not(promcb_headroom(NO_FILE, 1));
	put("system.slice/app.service/memory.max", "0\n");
	cr_assert_not(promcb_headroom(NO_FILE, 1));
}

/* Of 16 MiB a twentieth is not what a program asks for at once; of 16 GiB it is more than a full program leaves. */
Test(headroom, version_2_keeps_one_to_64_mebibytes)
{
	const uint64_t mebibyte = 1 << 20;

	begin("0::/app\n");
	put("app/memory.current", "0\n");
	put("app/memory.max", "%" PRIu64 "\n", 16 * mebibyte);
	cr_assert_eq(most(NO_FILE, 16 * mebibyte), 15 * mebibyte);
	put("app/memory.max", "%" PRIu64 "\n", 20 * mebibyte);
	cr_assert_eq(most(NO_FILE, 20 * mebibyte), 19 * mebibyte);
	put("app/memory.max", "%" PRIu64 "\n", 40 * mebibyte);
	cr_assert_eq(most(NO_FILE, 40 * mebibyte), 38 * mebibyte);
	put("app/memory.max", "%" PRIu64 "\n", 1280 * mebibyte);
	cr_assert_eq(most(NO_FILE, 1280 * mebibyte), 1216 * mebibyte);
	put("app/memory.max", "%" PRIu64 "\n", 16384 * mebibyte);
	cr_assert_eq(most(NO_FILE, 16384 * mebibyte), 16320 * mebibyte);
	put("app/memory.max", "%" PRIu64 "\n", mebibyte);
	cr_assert(promcb_headroom(NO_FILE, 0));
	cr_assert_not(promcb_headroom(NO_FILE, 1));
	put("app/memory.max", "%" PRIu64 "\n", mebibyte - 1);
	cr_assert_not(promcb_headroom(NO_FILE, 0));
}

Test(headroom, version_2_page_cache_counts_as_free)
{
	begin("0::/app\n");
	put("app/memory.max", "100000000\n");
	put("app/memory.current", "100000000\n");
	put("app/memory.stat",
	    "anon 10000000\nfile 90000000\nshmem 50000000\ninactive_anon 7\nactive_file_of_another 5\n"
	    "inactive_file 30000000\nactive_file 10000000\nunevictable 0\n");
	cr_assert_eq(most(NO_FILE, 1000000000), 35000000);
	/* More cache than use: the two are read one after the other. */
	put("app/memory.stat", "active_file 200000000\n");
	cr_assert_eq(most(NO_FILE, 1000000000), 95000000);
	put("app/memory.stat", "%s", "");
	cr_assert_not(promcb_headroom(NO_FILE, 1));
}

Test(headroom, version_2_without_a_limit)
{
	begin("0::/app\n");
	put("app/memory.max", "max\n");
	put("app/memory.current", "60000000\n");
	cr_assert(is_unlimited());
	/* No controller in the group, or no right to read it. */
	cr_assert_eq(unlink(CGROUPS "/app/memory.max"), 0);
	cr_assert(is_unlimited());
	put("app/memory.max", "1000\n");
	cr_assert_eq(unlink(CGROUPS "/app/memory.current"), 0);
	cr_assert(is_unlimited());
	put("app/memory.current", "%s", "");
	cr_assert(is_unlimited());
}

/* A limit above kills as well: growth in a group without one ended in SIGKILL. */
Test(headroom, version_2_asked_the_own_group_alone)
{
	begin("0::/app.slice/app/worker\n");
	put("app.slice/app/worker/memory.max", "max\n");
	put("app.slice/app/worker/memory.current", "1000\n");
	put("app.slice/app/memory.max", "400000000\n");
	put("app.slice/app/memory.current", "0\n");
	cr_assert_eq(most(NO_FILE, 1000000000), 380000000);
	put("app.slice/memory.max", "100000000\n");
	put("app.slice/memory.current", "60000000\n");
	cr_assert_eq(most(NO_FILE, 1000000000), 35000000);
}

/* The path is that of the host, the mount that of the container. */
Test(headroom, version_2_in_a_container)
{
	begin("0::/../../docker/0123456789abcdef\n");
	put("memory.max", "40000000\n");
	put("memory.current", "0\n");
	cr_assert_eq(most(NO_FILE, 1000000000), 38000000);
}

/* -- Control groups, version 1 ----------------------------------------------------------------------------------- */

Test(headroom, version_1_among_other_controllers)
{
	begin("9:name=systemd:/app\n5:devices:/app\n4:memory:/app\n1:cpu,cpuacct:/app\n0::/\n");
	put("memory/app/memory.limit_in_bytes", "100000000\n");
	put("memory/app/memory.usage_in_bytes", "60000000\n");
	/* Those that are none of ours. */
	put("memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("memory/memory.usage_in_bytes", "123456789\n");
	put("app/memory.max", "1\n");
	put("app/memory.current", "1\n");
	cr_assert_eq(most(NO_FILE, 1000000000), 35000000);
	put("memory/app/memory.stat",
	    "cache 50000000\nrss 1\ninactive_file 10000000\nactive_file 10000000\ntotal_active_file 9\n");
	cr_assert_eq(most(NO_FILE, 1000000000), 55000000);
	/* The use of a group is that of those below it as well, and the cache of all is the total. */
	put("memory/app/memory.stat",
	    "cache 0\ninactive_file 0\nactive_file 0\ntotal_inactive_file 30000000\ntotal_active_file 10000000\n");
	cr_assert_eq(most(NO_FILE, 1000000000), 75000000);
}

Test(headroom, version_1_without_a_limit)
{
	begin("4:memory:/app\n0::/app\n");
	put("memory/app/memory.limit_in_bytes", "9223372036854771712\n");
	put("memory/app/memory.usage_in_bytes", "60000000\n");
	cr_assert(is_unlimited());
	/* Nor is a number that does not fit. */
	put("memory/app/memory.limit_in_bytes", "18446744073709551616\n");
	cr_assert(is_unlimited());
	put("memory/app/memory.limit_in_bytes", "99999999999999999999999999999999\n");
	cr_assert(is_unlimited());
}

/* Where both versions are in use, the lower of two limits decides. */
Test(headroom, both_versions)
{
	begin("4:memory:/old\n0::/new");
	put("memory/old/memory.limit_in_bytes", "100000000\n");
	put("memory/old/memory.usage_in_bytes", "0\n");
	put("new/memory.max", "40000000\n");
	put("new/memory.current", "0\n");
	cr_assert_eq(most(NO_FILE, 1000000000), 38000000);
	put("memory/old/memory.usage_in_bytes", "80000000\n");
	cr_assert_eq(most(NO_FILE, 1000000000), 15000000);
}

/* -- What /proc/self/cgroup may look like ------------------------------------------------------------------------ */

static void with_limits(const char *groups)
{
	begin(groups);
	put("memory.max", "40000000\n");
	put("memory.current", "0\n");
}

Test(headroom, no_groups)
{
	with_limits("");
	cr_assert(is_unlimited());
}

Test(headroom, lines_that_are_none)
{
	with_limits("\n:\nno colon\n4:memory\n0:\n");
	cr_assert(is_unlimited());
}

Test(headroom, a_line_after_lines_that_are_none)
{
	with_limits("\n:\nno colon\n4:memory\n0::/app\n");
	cr_assert_eq(most(NO_FILE, 1000000000), 38000000);
}

/* A path that is too long to be looked at is one that is not there. */
Test(headroom, a_long_path)
{
	char groups[4096] = "0::/";

	memset(groups + 4, 'g', 2000);
	with_limits(groups);
	cr_assert_eq(most(NO_FILE, 1000000000), 38000000);
}

/* Longer than what is read at once: the rest is not looked at, and nothing breaks. */
Test(headroom, a_long_list)
{
	char groups[20000];

	memset(groups, 'g', sizeof(groups));
	memcpy(groups, "0::/app\n", 8);
	groups[sizeof(groups) - 1] = 0;
	with_limits(groups);
	cr_assert_eq(most(NO_FILE, 1000000000), 38000000);
}

/* SPDX-License-Identifier: MIT */
/* By which clock a stamp was made: told by what is known of the boot, and of the file, and else by the clocks. */
#include "base/clock_domain.h"

#include "fixture.h"

#include "format/layout.h"

#include <math.h>
#include <sys/wait.h>

TestSuite(domain, .init = fixture_begin, .fini = fixture_end);

enum { SAME = PROMCB_CLOCKS_SAME, SHIFTED = PROMCB_CLOCKS_SHIFTED, FOREIGN = PROMCB_CLOCKS_FOREIGN };

#define SECOND ((uint64_t)1000000000)

Test(domain, what_tells_clocks_apart)
{
	const struct promcb_clock_domain here = {
		.boot = 10, .time_namespace = 20, .birth = 30, .clock_offset_ns = 1000 * SECOND};
	const struct {
		struct promcb_clock_domain there;
		int clocks;
	} cases[] = {
		{{10, 20, 30, 1000 * SECOND}, SAME},
		/* Real time was set meanwhile: the boot is the same by either witness. */
		{{10, 20, 0, 5000 * SECOND}, SAME},
		{{11, 20, 30, 5000 * SECOND}, SAME},
		{{0, 20, 30, 5000 * SECOND}, SAME},
		{{10, 0, 0, 5000 * SECOND}, SAME},
		{{0, 0, 30, 5000 * SECOND}, SAME},
		/* Time namespaces shift. */
		{{10, 21, 0, 5000 * SECOND}, SHIFTED},
		{{11, 21, 30, 1000 * SECOND}, SHIFTED},
		/* Nothing known: the clocks tell. */
		{{0, 0, 0, 1000 * SECOND}, SAME},
		{{0, 20, 0, 1001 * SECOND}, SAME},
		{{0, 20, 0, 999 * SECOND}, SAME},
		{{0, 20, 0, 998 * SECOND}, SHIFTED},
		{{0, 0, 0, 5000 * SECOND}, SHIFTED},
		/* A container's own id; and another boot. */
		{{11, 20, 0, 1000 * SECOND}, SAME},
		{{11, 20, 31, 1001 * SECOND}, SAME},
		{{11, 20, 0, 1002 * SECOND}, FOREIGN},
		{{11, 20, 31, 5000 * SECOND}, FOREIGN},
		{{11, 20, 31, 0}, FOREIGN},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert((int)promcb_clock_domain_compare(&here, &cases[i].there) == cases[i].clocks, "case %zu", i);
		cr_assert((int)promcb_clock_domain_compare(&cases[i].there, &here) == cases[i].clocks, "case %zu", i);
	}
}

static uint64_t birth_of(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint64_t birth = promcb_clock_domain_birth(fd);

	cr_assert_geq(fd, 0);
	close(fd);
	return birth;
}

Test(domain, a_file_of_a_tmpfs_is_born_once)
{
	uint64_t birth = birth_of(fixture_segment);

	if (!birth)
		cr_skip_test("tmpfs has no times of birth here");
	cr_assert_eq(birth_of(fixture_segment), birth);
	unlink(fixture_segment);
	cr_assert_neq(birth_of(fixture_segment), birth);
	cr_assert_eq(promcb_clock_domain_birth(-1), 0);
}

/* A worker that sees no /proc: what it was forked from has learned goes on. */
static void record_in_empty_root(const char *root, struct promcb_component *component, unsigned calls)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (chroot(root) < 0 || chdir("/") < 0)
			_exit(77);
		for (unsigned k = 0; k < calls; k++)
			promcb_record(component, 1000000, k % 10 != 0);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("no chroot: not root");
	cr_assert_eq(status, 0);
}

static void assert_recent(const char *name, uint64_t calls, double failure_rate)
{
	struct promcb_summary summary = fixture_summary(name);

	cr_assert_eq(summary.recent_calls, calls, "%lu recent calls", (unsigned long)summary.recent_calls);
	cr_assert_float_eq(summary.p50, 0.001, 1e-5, "%g", summary.p50);
	cr_assert_float_eq(summary.recent_failure_rate, failure_rate, 1e-9, "%g", summary.recent_failure_rate);
}

Test(domain, worker_in_an_empty_root_has_recent_calls)
{
	char root[] = "/tmp/promcb-unit-XXXXXX";
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *component = fixture_component(p, "api");

	cr_assert_not_null(mkdtemp(root));
	record_in_empty_root(root, component, 300);
	assert_recent("api", 300, 10);
	/* Whoever takes over its lane, here or there, forgets nothing. */
	for (unsigned k = 0; k < 100; k++)
		promcb_record(component, 1000000, k % 10 != 0);
	record_in_empty_root(root, component, 100);
	assert_recent("api", 500, 10);
	cr_assert_eq(promcb_reset(p, "api"), 0);
	cr_assert_not(fixture_lists("api"));
	rmdir(root);
}

static int found;

static void note_finding(void *context, const char *sentence)
{
	(void)context;
	found += strstr(sentence, "clock is not known") != NULL;
}

static int check(void)
{
	struct promcb_reader *reader;
	int result;

	found = 0;
	cr_assert_eq(promcb_reader_open(fixture_segment, NULL, &reader, NULL), 0);
	result = promcb_reader_check(reader, note_finding, NULL);
	promcb_reader_close(reader);
	return result;
}

/* What cannot be known is told: a live lane of another boot, as far as anybody can see. */
Test(domain, clock_that_is_not_known_is_told)
{
	const struct promcb_clock_domain elsewhere = {.boot = 1, .clock_offset_ns = SECOND};
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *component = fixture_component(p, "api");
	struct promcb_header header;
	int fd = open(fixture_segment, O_RDONLY | O_CLOEXEC);

	for (unsigned k = 0; k < 100; k++)
		promcb_record(component, 1000000, k % 10 != 0);
	assert_recent("api", 100, 10);
	cr_assert_eq(check(), 0);
	cr_assert_eq(fixture_info().lanes_undated, 0);
	cr_assert_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
	close(fd);
	fixture_poke(header.geometry.lanes_off + offsetof(struct promcb_lane, boot), &elsewhere.boot, 8);
	fixture_poke(header.geometry.lanes_off + offsetof(struct promcb_lane, birth), &elsewhere.birth, 8);
	fixture_poke(header.geometry.lanes_off + offsetof(struct promcb_lane, clock_offset_ns),
		     &elsewhere.clock_offset_ns, 8);
	cr_assert_eq(fixture_info().lanes_undated, 1);
	cr_assert_eq(check(), 1);
	cr_assert_eq(found, 1);
	cr_assert_eq(fixture_summary("api").total_calls, 100);
	cr_assert(isnan(fixture_summary("api").p50));
}

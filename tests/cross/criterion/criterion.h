/* SPDX-License-Identifier: MIT */
/*
 * criterion.h: as much of Criterion as the unit tests use, for machines that are emulated. Criterion's own runner
 * starts itself anew for each test, which an emulator of user programs cannot do unless the kernel knows of it; here
 * each test is a forked child.
 *
 * Includes nothing of promcb. A system header to those who include it: macros without variadic arguments are meant.
 */
#ifndef PROMCB_CROSS_CRITERION_H
#define PROMCB_CROSS_CRITERION_H

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wformat-zero-length"

enum { CR_TIMEOUT = 100, CR_SKIPPED = 77 };

struct cr_options {
	void (*init)(void);
	void (*fini)(void);
	double timeout;
	const char *description;
};

struct cr_test {
	const char *suite;
	const char *name;
	void (*run)(void);
	struct cr_options options;
	struct cr_test *next;
};

struct cr_suite {
	const char *name;
	struct cr_options options;
	struct cr_suite *next;
};

static struct cr_test *cr_tests, **cr_last_test = &cr_tests;
static struct cr_suite *cr_suites;
static struct cr_options cr_own, cr_shared;
static bool cr_failed;
static pid_t cr_child;

static inline void cr_finish(int status)
{
	if (cr_own.fini)
		cr_own.fini();
	if (cr_shared.fini)
		cr_shared.fini();
	fflush(NULL);
	_exit(status);
}

__attribute__((format(printf, 5, 6))) static inline void cr_judge(bool fatal, const char *file, int line,
								  const char *what, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s:%d: %s: ", file, line, what);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	cr_failed = true;
	if (fatal)
		cr_finish(1);
}

#define CR_CHECK(fatal, condition, what, ...)                                      \
	do {                                                                       \
		if (!(condition))                                                  \
			cr_judge(fatal, __FILE__, __LINE__, what, "" __VA_ARGS__); \
	} while (0)

#define cr_assert(c, ...) CR_CHECK(true, c, #c, __VA_ARGS__)
#define cr_assert_not(c, ...) CR_CHECK(true, !(c), "not " #c, __VA_ARGS__)
#define cr_assert_eq(a, b, ...) CR_CHECK(true, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) CR_CHECK(true, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) CR_CHECK(true, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) CR_CHECK(true, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) CR_CHECK(true, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) CR_CHECK(true, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_null(p, ...) CR_CHECK(true, (p) == NULL, #p " is NULL", __VA_ARGS__)
#define cr_assert_not_null(p, ...) CR_CHECK(true, (p) != NULL, #p " is not NULL", __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) CR_CHECK(true, strcmp(a, b) == 0, #a " is " #b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...) CR_CHECK(true, strcmp(a, b) != 0, #a " is not " #b, __VA_ARGS__)
#define cr_assert_str_empty(a, ...) CR_CHECK(true, !*(a), #a " is empty", __VA_ARGS__)
#define cr_assert_str_not_empty(a, ...) CR_CHECK(true, *(a), #a " is not empty", __VA_ARGS__)
#define cr_assert_arr_eq(a, b, n, ...) CR_CHECK(true, memcmp(a, b, n) == 0, #a " is " #b, __VA_ARGS__)
#define cr_assert_float_eq(a, b, e, ...) \
	CR_CHECK(true, fabs((double)(a) - (double)(b)) <= (e), #a " == " #b " +- " #e, __VA_ARGS__)
#define cr_assert_fail(...) CR_CHECK(true, false, "fails", __VA_ARGS__)
#define cr_expect(c, ...) CR_CHECK(false, c, #c, __VA_ARGS__)
#define cr_expect_not(c, ...) CR_CHECK(false, !(c), "not " #c, __VA_ARGS__)
#define cr_expect_eq(a, b, ...) CR_CHECK(false, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) CR_CHECK(false, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...) CR_CHECK(false, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...) CR_CHECK(false, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...) CR_CHECK(false, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...) CR_CHECK(false, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_expect_null(p, ...) CR_CHECK(false, (p) == NULL, #p " is NULL", __VA_ARGS__)
#define cr_expect_not_null(p, ...) CR_CHECK(false, (p) != NULL, #p " is not NULL", __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) CR_CHECK(false, strcmp(a, b) == 0, #a " is " #b, __VA_ARGS__)
#define cr_expect_str_empty(a, ...) CR_CHECK(false, !*(a), #a " is empty", __VA_ARGS__)
#define cr_expect_str_not_empty(a, ...) CR_CHECK(false, *(a), #a " is not empty", __VA_ARGS__)

#define cr_log_info(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr))
#define cr_skip_test(...) (fprintf(stderr, "" __VA_ARGS__), fputc('\n', stderr), cr_finish(CR_SKIPPED))
#define cr_skip(...) cr_skip_test(__VA_ARGS__)

#define Test(suite_name, test_name, ...)                                                 \
	static void cr_run_##suite_name##_##test_name(void);                             \
	__attribute__((constructor)) static void cr_add_##suite_name##_##test_name(void) \
	{                                                                                \
		static struct cr_test test = {.suite = #suite_name,                      \
					      .name = #test_name,                        \
					      .run = cr_run_##suite_name##_##test_name,  \
					      .options = {__VA_ARGS__}};                 \
		*cr_last_test = &test;                                                   \
		cr_last_test = &test.next;                                               \
	}                                                                                \
	static void cr_run_##suite_name##_##test_name(void)

#define TestSuite(suite_name, ...)                                                              \
	__attribute__((constructor)) static void cr_suite_##suite_name(void)                    \
	{                                                                                       \
		static struct cr_suite suite = {.name = #suite_name, .options = {__VA_ARGS__}}; \
		suite.next = cr_suites;                                                         \
		cr_suites = &suite;                                                             \
	}                                                                                       \
	_Static_assert(1, "")

static inline void cr_too_long(int number)
{
	(void)number;
	kill(cr_child, SIGKILL);
}

static inline int cr_one(const struct cr_test *test)
{
	int status;

	cr_own = test->options;
	cr_shared = (struct cr_options){.init = NULL};
	for (const struct cr_suite *suite = cr_suites; suite; suite = suite->next)
		if (strcmp(suite->name, test->suite) == 0)
			cr_shared = suite->options;
	fflush(NULL);
	cr_child = fork();
	if (cr_child == 0) {
		if (cr_shared.init)
			cr_shared.init();
		if (cr_own.init)
			cr_own.init();
		test->run();
		cr_finish(cr_failed);
	}
	alarm(test->options.timeout > 0 ? (unsigned)test->options.timeout : CR_TIMEOUT);
	while (cr_child > 0 && waitpid(cr_child, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	alarm(0);
	return cr_child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Arguments: names of tests, to run these alone. */
int main(int argc, char **argv)
{
	unsigned run = 0, failed = 0, skipped = 0;
	struct sigaction action = {.sa_handler = cr_too_long};

	sigaction(SIGALRM, &action, NULL);
	for (const struct cr_test *test = cr_tests; test; test = test->next) {
		bool wanted = argc == 1;

		for (int i = 1; i < argc; i++)
			wanted |= strcmp(argv[i], test->name) == 0;
		if (!wanted)
			continue;
		int result = cr_one(test);

		run++;
		failed += result != 0 && result != CR_SKIPPED;
		skipped += result == CR_SKIPPED;
		if (result)
			fprintf(stderr, "%s::%s %s\n", test->suite, test->name,
				result == CR_SKIPPED ? "was skipped" : "FAILED");
	}
	printf("%u tests, %u failed, %u skipped\n", run, failed, skipped);
	return failed || !run ? 1 : skipped == run ? CR_SKIPPED : 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/* A command that took longer than the longest latency is recorded as that, and standard error says so; no other is. */
#include "record/ways.h"

#include <criterion/criterion.h>
#include <promcb/admin.h>
#include <promcb/reader.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char segment[64];
static struct promcb_session *metrics;
static struct promcb_record_call call;

static void start(void)
{
	snprintf(segment, sizeof(segment), "/promcb-unit-elapsed-%d", (int)getpid());
	cr_assert_eq(promcb_open(segment, NULL, &metrics), 0);
	cr_assert_eq(promcb_component(metrics, "backup", &call.component), 0);
}

static void end(void)
{
	promcb_close(metrics);
	promcb_remove(segment, true, NULL);
}

TestSuite(record_elapsed, .init = start, .fini = end);

/* What is said on standard error of a command that took so long. */
static const char *said(uint64_t latency_ns, int status)
{
	static char text[512];
	int pipes[2], standard_error = dup(STDERR_FILENO);
	struct timespec now;
	ssize_t length;

	cr_assert_eq(pipe(pipes), 0);
	dup2(pipes[1], STDERR_FILENO);
	close(pipes[1]);
	clock_gettime(CLOCK_MONOTONIC, &now);
	promcb_record_elapsed(&call, "backup", latency_ns, status,
			      (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
	dup2(standard_error, STDERR_FILENO);
	close(standard_error);
	length = read(pipes[0], text, sizeof(text) - 1);
	close(pipes[0]);
	cr_assert_geq(length, 0);
	text[length] = '\0';
	return text;
}

static struct promcb_summary recorded(struct promcb_segment_info *info)
{
	struct promcb_snapshot *snapshot;
	struct promcb_summary summary;
	struct promcb_reader *reader;

	cr_assert_eq(promcb_reader_open(segment, NULL, &reader, NULL), 0);
	cr_assert_eq(promcb_reader_snapshot(reader, NULL, &snapshot, NULL), 0);
	cr_assert_eq(promcb_snapshot_find(snapshot, "backup", &summary), 0);
	promcb_snapshot_info(snapshot, info);
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
	return summary;
}

Test(record_elapsed, at_most_the_maximum)
{
	struct promcb_segment_info info;
	struct promcb_summary summary;

	cr_expect_str_eq(said(1500000000, 0), "");
	cr_expect_str_eq(said(PROMCB_LATENCY_MAX_NS, 1), "");
	summary = recorded(&info);
	cr_expect_eq(summary.successful_calls, 1);
	cr_expect_eq(summary.failed_calls, 1);
	cr_expect_eq(info.saturated_calls, 0);
}

Test(record_elapsed, more_than_the_maximum)
{
	const char *text = said(7200000000000u, 0);
	struct promcb_segment_info info;
	struct promcb_summary summary = recorded(&info);

	cr_expect_str_eq(text, "promcb: \"backup\" took 7200.0 s: " PROMCB_RECORD_TOO_LONG "\n");
	cr_expect_eq(summary.total_calls, 1);
	cr_expect_eq(summary.successful_calls, 1);
	cr_assert_float_eq(summary.latency_sum, (double)PROMCB_LATENCY_MAX_NS / 1e9, 1e-3);
	cr_expect_eq(info.saturated_calls, 1);
}

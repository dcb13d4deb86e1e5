/* SPDX-License-Identifier: MIT */
/* fixture.h: a segment of a test's own, by path, removed after it; and shortcuts to read it back. */
#ifndef PROMCB_FIXTURE_H
#define PROMCB_FIXTURE_H

#include <criterion/criterion.h>
#include <promcb/admin.h>
#include <promcb/metric.h>
#include <promcb/promcb.h>
#include <promcb/reader.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char fixture_segment[64];

static inline void fixture_begin(void)
{
	snprintf(fixture_segment, sizeof(fixture_segment), "/dev/shm/promcb-unit-%d", (int)getpid());
	unlink(fixture_segment);
}

static inline void fixture_end(void)
{
	unlink(fixture_segment);
}

static inline struct promcb_session *fixture_open(const struct promcb_options *options)
{
	struct promcb_message message = {.text = ""};
	struct promcb_options ours = options ? *options : (struct promcb_options){.max_bytes = 0};
	struct promcb_session *p;

	ours.message = &message;
	int result = promcb_open(fixture_segment, &ours, &p);

	cr_assert_eq(result, 0, "open: %d %s", result, message.text);
	return p;
}

static inline struct promcb_component *fixture_component(struct promcb_session *p, const char *name)
{
	struct promcb_component *component;

	cr_assert_eq(promcb_component(p, name, &component), 0);
	return component;
}

static inline struct promcb_metric_family *fixture_family(struct promcb_session *p, struct promcb_family_spec spec)
{
	struct promcb_message message = {.text = ""};
	struct promcb_metric_family *family;

	spec.message = &message;
	cr_assert_eq(promcb_family_register(p, &spec, &family), 0, "%s", message.text);
	return family;
}

static inline struct promcb_snapshot *fixture_snapshot(void)
{
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;
	int result = promcb_reader_open(fixture_segment, NULL, &reader, &message);

	cr_assert_eq(result, 0, "reader: %s", message.text);
	result = promcb_reader_snapshot(reader, NULL, &snapshot, &message);
	cr_assert_eq(result, 0, "snapshot: %s", message.text);
	promcb_reader_close(reader);
	return snapshot;
}

/* The summary of a component; its name is not kept. Fails the test if there is none. */
static inline struct promcb_summary fixture_summary(const char *name)
{
	struct promcb_snapshot *snapshot = fixture_snapshot();
	struct promcb_summary summary;

	cr_assert_eq(promcb_snapshot_find(snapshot, name, &summary), 0, "%s is not listed", name);
	promcb_snapshot_free(snapshot);
	summary.name = NULL;
	return summary;
}

static inline bool fixture_lists(const char *name)
{
	struct promcb_snapshot *snapshot = fixture_snapshot();
	struct promcb_summary summary;
	bool listed = promcb_snapshot_find(snapshot, name, &summary) == 0;

	promcb_snapshot_free(snapshot);
	return listed;
}

static inline struct promcb_segment_info fixture_info(void)
{
	struct promcb_snapshot *snapshot = fixture_snapshot();
	struct promcb_segment_info info;

	promcb_snapshot_info(snapshot, &info);
	promcb_snapshot_free(snapshot);
	return info;
}

/* Overwrites bytes of the segment's file. */
static inline void fixture_poke(uint64_t off, const void *bytes, size_t length)
{
	int fd = open(fixture_segment, O_RDWR | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, bytes, length, (off_t)off), (ssize_t)length);
	close(fd);
}

#endif

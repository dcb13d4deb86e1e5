/* SPDX-License-Identifier: MIT */
/* reading.h: a reader of the fixture's segment and what its snapshots say; and components made older than they are. */
#ifndef PROMCB_READING_H
#define PROMCB_READING_H

#include "fixture.h"

#include "format/layout.h"

#define SECOND ((uint64_t)1000000000)

static inline struct promcb_reader *open_reader(enum promcb_access access)
{
	const struct promcb_reader_options options = {.access = access};
	struct promcb_reader *reader;

	cr_assert_eq(promcb_reader_open(fixture_segment, &options, &reader, NULL), 0);
	return reader;
}

static inline struct promcb_snapshot *take(struct promcb_reader *reader, bool with_calls)
{
	const struct promcb_snapshot_options options = {.flags = with_calls ? PROMCB_SNAPSHOT_WITH_CALLS : 0};
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot;

	cr_assert_eq(promcb_reader_snapshot(reader, &options, &snapshot, &message), 0, "%s", message.text);
	return snapshot;
}

static inline size_t index_of(const struct promcb_snapshot *snapshot, const char *name)
{
	struct promcb_summary summary;

	for (size_t i = 0; i < promcb_snapshot_count(snapshot); i++) {
		promcb_snapshot_summary(snapshot, i, &summary);
		if (strcmp(summary.name, name) == 0)
			return i;
	}
	cr_assert_fail("%s is not listed", name);
	return SIZE_MAX;
}

static inline struct promcb_summary summary_of(const struct promcb_snapshot *snapshot, const char *name)
{
	struct promcb_summary summary;

	cr_assert_eq(promcb_snapshot_find(snapshot, name, &summary), 0, "%s is not listed", name);
	return summary;
}

static inline void record(const char *name, unsigned calls)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_component *component = fixture_component(p, name);

	for (unsigned i = 0; i < calls; i++)
		promcb_record(component, 1000, true);
	promcb_close(p);
}

static inline void copy_file(const char *from, const char *to, int flags)
{
	static char bytes[8 << 20];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
	ssize_t length = read(in, bytes, sizeof(bytes));

	cr_assert(length > 0 && length < (ssize_t)sizeof(bytes));
	cr_assert_eq(write(out, bytes, (size_t)length), length);
	close(in);
	close(out);
}

/* Makes a component older than it is, so that the calls of a test can lie in the past. */
static inline void backdate(const char *name, uint64_t by_ns)
{
	struct promcb_header header;
	struct promcb_descriptor descriptor;
	int fd = open(fixture_segment, O_RDONLY | O_CLOEXEC);

	cr_assert_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
	for (uint32_t i = 0; i < header.geometry.components; i++) {
		uint64_t off = header.geometry.descriptors_off + (uint64_t)i * header.geometry.descriptor_bytes;

		cr_assert_eq(pread(fd, &descriptor, sizeof(descriptor), (off_t)off), sizeof(descriptor));
		if (strcmp(descriptor.name, name) != 0)
			continue;
		descriptor.created_realtime_ns -= by_ns;
		fixture_poke(off + offsetof(struct promcb_descriptor, created_realtime_ns),
			     &descriptor.created_realtime_ns, sizeof(uint64_t));
	}
	close(fd);
}

#endif

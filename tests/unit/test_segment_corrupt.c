/* SPDX-License-Identifier: MIT */
/* Segments that are foreign, corrupt or cut short: each with its error, and never a crash or a wrong count. */
#include "opening.h"

#include "format/layout.h"

#include <pthread.h>
#include <sys/wait.h>

TestSuite(segment, .init = fixture_begin, .fini = fixture_end);

Test(segment, not_a_segment)
{
	const char text[] = "this is a text file that somebody left here";

	int fd = open(fixture_segment, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	cr_assert_eq(write(fd, text, sizeof(text)), sizeof(text));
	cr_assert_eq(reader_result(), -EBADMSG);
	SAYS("not a promcb segment");
	cr_assert_eq(open_result(NULL), -EBADMSG);
	cr_assert_eq(ftruncate(fd, 1 << 20), 0);
	cr_assert_eq(reader_result(), -EBADMSG);
	cr_assert_eq(open_result(NULL), -EBADMSG);
	SAYS("not a promcb segment");
	close(fd);
	cr_assert_eq(promcb_remove(fixture_segment, true, &message), -EBADMSG);
	SAYS("left alone");
}

Test(segment, other_version_names_both)
{
	uint32_t version = 77;

	cr_assert_eq(open_result(NULL), 0);
	fixture_poke(offsetof(struct promcb_header, format_major), &version, sizeof(version));
	cr_assert_eq(reader_result(), -EPROTO);
	SAYS("77.1");
	SAYS("1.1");
	cr_assert_eq(open_result(NULL), -EPROTO);
	SAYS("77.1");
}

Test(segment, newer_minor_is_read)
{
	uint32_t version = 9;

	cr_assert_eq(open_result(NULL), 0);
	fixture_poke(offsetof(struct promcb_header, format_minor), &version, sizeof(version));
	cr_assert_eq(reader_result(), 0);
	cr_assert_eq(open_result(NULL), 0);
}

Test(segment, other_machine)
{
	uint64_t abi = 1;

	cr_assert_eq(open_result(NULL), 0);
	fixture_poke(offsetof(struct promcb_header, abi), &abi, sizeof(abi));
	cr_assert_eq(reader_result(), -EPROTO);
	cr_assert_eq(open_result(NULL), -EPROTO);
}

/* Every word of the geometry, with values that lead astray: refused, by readers and producers. */
Test(segment, corrupt_geometry)
{
	const uint64_t values[] = {0, 1, 0x7fffffff, 0xffffffff, UINT64_MAX, (uint64_t)1 << 40};
	struct promcb_geometry good;

	cr_assert_eq(open_result(NULL), 0);
	int fd = open(fixture_segment, O_RDONLY | O_CLOEXEC);

	cr_assert_eq(pread(fd, &good, sizeof(good), offsetof(struct promcb_header, geometry)), sizeof(good));
	close(fd);
	for (size_t word = 0; word < sizeof(good) / 4; word++)
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			struct promcb_geometry bad = good;

			memcpy((uint8_t *)&bad + 4 * word, &values[i], 4);
			if (memcmp(&bad, &good, sizeof(good)) == 0 || word == 2 || word == 3)
				continue; /* the window's length is free */
			fixture_poke(offsetof(struct promcb_header, geometry), &bad, sizeof(bad));
			cr_assert_eq(reader_result(), -EBADMSG, "word %zu value %zu", word, i);
			cr_assert_eq(open_result(NULL), -EBADMSG, "word %zu value %zu", word, i);
		}
	fixture_poke(offsetof(struct promcb_header, geometry), &good, sizeof(good));
	cr_assert_eq(reader_result(), 0);
}

Test(segment, truncated)
{
	struct promcb_session *p = fixture_open(NULL);

	promcb_record(fixture_component(p, "x"), 1, true);
	for (off_t size = 200000; size >= 0; size -= 10000) {
		cr_assert_eq(truncate(fixture_segment, size), 0);
		cr_assert_eq(reader_result(), -EBADMSG);
		cr_assert_neq(message.text[0], 0);
	}
	fixture_end();
	_exit(0);
}

Test(segment, grown_by_a_stranger)
{
	cr_assert_eq(open_result(NULL), 0);
	cr_assert_eq(truncate(fixture_segment, (off_t)1 << 33), 0);
	cr_assert_eq(reader_result(), -EBADMSG);
	cr_assert_eq(open_result(NULL), -EBADMSG);
}

/* Any single corrupt word: an error or a whole snapshot, never a crash, and no invariant broken. */
Test(segment, corrupt_words, .timeout = 120)
{
	struct promcb_session *p = fixture_open(NULL);
	uint64_t state = 88172645463325252u;
	int refused = 0;

	for (int i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%d", i);
		for (int k = 0; k < 100; k++)
			promcb_record(fixture_component(p, name), 1000, k % 5 != 0);
	}
	promcb_reset(p, "c3");
	int fd = open(fixture_segment, O_RDWR | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END);

	for (int round = 0; round < 4000; round++) {
		uint64_t good, bad;
		off_t at;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		/* Where there is something: half of the time in the first 100 KB. */
		at = (off_t)(state >> 8 & (state & 1 ? 0x1ffff : 0x3fffff)) % (size - 8) / 4 * 4;
		bad = state & 2 ? state : state >> 40;
		cr_assert_eq(pread(fd, &good, 8, at), 8);
		cr_assert_eq(pwrite(fd, &bad, 8, at), 8);
		int result = reader_result();

		cr_assert(result == 0 || result == -EBADMSG || result == -EPROTO, "at %lld: %d", (long long)at, result);
		refused += result != 0;
		cr_assert_eq(pwrite(fd, &good, 8, at), 8);
	}
	cr_assert_gt(refused, 10);
	cr_assert_eq(reader_result(), 0);
	close(fd);
}

/* A reader that is guarded survives truncation under its map. */
Test(segment, guarded_map_survives_truncation)
{
	const struct promcb_reader_options mapped = {.access = PROMCB_ACCESS_MAPPED};
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;

	for (int k = 0; k < 100; k++)
		promcb_record(fixture_component(p, "x"), 1000, true);
	cr_assert_eq(promcb_reader_catch_sigbus(), 0);
	cr_assert_eq(promcb_reader_open(fixture_segment, &mapped, &reader, NULL), 0);
	cr_assert_eq(promcb_reader_snapshot(reader, NULL, &snapshot, NULL), 0);
	promcb_snapshot_free(snapshot);
	pid_t child = fork();

	if (child == 0) {
		for (int k = 0; k < 2000; k++) {
			if (truncate(fixture_segment, 100000) < 0 || truncate(fixture_segment, 4000000) < 0)
				_exit(1);
		}
		_exit(0);
	}
	int status;

	while (waitpid(child, &status, WNOHANG) == 0) {
		int result = promcb_reader_snapshot(reader, NULL, &snapshot, &message);

		if (result == 0)
			promcb_snapshot_free(snapshot);
		cr_assert(result == 0 || result == -EBADMSG || result == -ESTALE || result == -EAGAIN, "%d %s", result,
			  message.text);
	}
	cr_assert_eq(status, 0);
	promcb_reader_close(reader);
	fixture_end();
	_exit(0);
}

/* A block's ring word that leads into blocks, or nowhere: the next owner of the lane stores no sample there. */
Test(segment, corrupt_ring_word_spoils_no_counts)
{
	const uint64_t words[] = {1, 2, 100, 3000, UINT32_MAX, UINT64_MAX};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct promcb_session *p = fixture_open(NULL);
		struct promcb_component *component = fixture_component(p, "ring");
		struct promcb_header header;
		uint32_t number;
		int fd = open(fixture_segment, O_RDONLY | O_CLOEXEC);

		for (int k = 0; k < 1000; k++)
			promcb_record(component, 1000, true);
		promcb_close(p);
		cr_assert_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
		cr_assert_eq(pread(fd, &number, 4, (off_t)header.geometry.directories_off + 4), 4);
		close(fd);
		fixture_poke(promcb_block_off(&header.geometry, number - 1) + offsetof(struct promcb_block, ring),
			     &words[i], 8);
		p = fixture_open(NULL);
		for (int k = 0; k < 5000; k++)
			promcb_record(component, 1000, true);
		cr_assert_eq(fixture_summary("ring").total_calls, 6000, "%zu", i);
		promcb_close(p);
		fixture_end();
	}
}

/* Two descriptors that say the same name: refused, since a scraper refuses a document that has a series twice. */
Test(segment, two_components_of_one_name_are_refused)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_header header;
	int fd = open(fixture_segment, O_RDONLY | O_CLOEXEC);

	promcb_record(fixture_component(p, "first"), 1000, true);
	promcb_record(fixture_component(p, "other"), 1000, true);
	promcb_close(p);
	cr_assert_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
	close(fd);
	cr_assert_eq(reader_result(), 0);
	fixture_poke(header.geometry.descriptors_off + 2 * header.geometry.descriptor_bytes, "first", 6);
	cr_assert_eq(reader_result(), -EBADMSG);
	SAYS("two components have one name");
}

static void *record_two_hundred(void *p)
{
	for (int i = 0; i < 200; i++)
		promcb_record(fixture_component(p, "ring"), 1000, true);
	return NULL;
}

/* A block that names another lane's ring: its samples are counted once, not once per lane that names them. */
Test(segment, ring_of_another_lane_is_not_read)
{
	struct promcb_session *p = fixture_open(NULL);
	struct promcb_header header;
	pthread_t thread;
	uint32_t numbers[2];
	uint64_t ring;

	record_two_hundred(p);
	cr_assert_eq(pthread_create(&thread, NULL, record_two_hundred, p), 0);
	pthread_join(thread, NULL);
	promcb_close(p);
	cr_assert_eq(fixture_summary("ring").recent_calls, 400);
	int fd = open(fixture_segment, O_RDONLY | O_CLOEXEC);

	cr_assert_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
	const struct promcb_geometry *g = &header.geometry;

	for (int lane = 0; lane < 2; lane++)
		cr_assert_eq(pread(fd, &numbers[lane], 4,
				   (off_t)(g->directories_off + lane * 4ull * g->directory_words + 4)),
			     4);
	cr_assert_eq(
		pread(fd, &ring, 8, (off_t)(promcb_block_off(g, numbers[0] - 1) + offsetof(struct promcb_block, ring))),
		8);
	close(fd);
	fixture_poke(promcb_block_off(g, numbers[1] - 1) + offsetof(struct promcb_block, ring), &ring, 8);
	cr_assert_eq(fixture_summary("ring").recent_calls, 200 + PROMCB_FIRST_RING_SLOTS);
	cr_assert_eq(fixture_summary("ring").total_calls, 400);
}

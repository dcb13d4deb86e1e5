/* SPDX-License-Identifier: MIT */
/*
 * What is compressed is one gzip member, of the same bytes, whatever they are.
 */
#include "sidecar/gzip.h"

#include <criterion/criterion.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Compresses, decompresses and compares; returns the member's length. */
static size_t there_and_back(const unsigned char *bytes, size_t length)
{
	z_stream stream = {.zalloc = Z_NULL};
	unsigned char *member, *again = malloc(length + 1);
	size_t member_length;
	void *out;

	cr_assert_not_null(again);
	cr_assert_eq(sidecar_gzip(bytes, length, &out, &member_length), 0);
	member = out;
	cr_assert_eq(member[0], 0x1f);
	cr_assert_eq(member[1], 0x8b);
	/* No flags, no time. */
	for (int i = 3; i < 8; i++)
		cr_assert_eq(member[i], 0);

	cr_assert_eq(inflateInit2(&stream, 15 + 16), Z_OK);
	stream.next_in = member;
	stream.avail_in = (unsigned)member_length;
	stream.next_out = again;
	stream.avail_out = (unsigned)length + 1;
	cr_assert_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
	cr_assert_eq(stream.avail_in, 0, "bytes behind the member");
	cr_assert_eq(stream.total_out, length);
	inflateEnd(&stream);
	cr_assert_eq(memcmp(again, bytes, length), 0);
	free(again);
	free(out);
	return member_length;
}

Test(gzip, every_length)
{
	unsigned char bytes[4096];
	uint64_t state = 88172645463325252u;

	for (size_t i = 0; i < sizeof(bytes); i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		bytes[i] = (unsigned char)state;
	}
	for (size_t length = 0; length <= sizeof(bytes); length += length < 300 ? 1 : 253)
		there_and_back(bytes, length);
}

Test(gzip, text_shrinks)
{
	enum { LINES = 20000, STEP = 60 };
	char *text = malloc(LINES * STEP);
	size_t length = 0;

	cr_assert_not_null(text);
	for (int i = 0; i < LINES; i++)
		length += (size_t)snprintf(text + length, STEP, "calls_total{component=\"service_%d\"} %d\n", i, i * 7);
	cr_expect_lt(there_and_back((unsigned char *)text, length), length / 5);
	free(text);
}

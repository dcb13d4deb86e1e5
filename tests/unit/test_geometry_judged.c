/* SPDX-License-Identifier: MIT */
/* Headers as strangers may write them: what is believed has every property, and what has them all is believed. */
#include "geometry_properties.h"

#include <errno.h>
#include <stdio.h>

static int judge(const struct promcb_header *header, const char *says)
{
	struct promcb_message message = {.text = ""};
	int result = promcb_header_validate(header, path, &message);

	cr_assert_eq(promcb_header_validate(header, path, NULL), result);
	cr_assert_eq(result == 0, !*message.text, "%d: %s", result, message.text);
	if (result < 0) {
		cr_assert_not_null(strstr(message.text, path), "%s", message.text);
		cr_assert_not_null(strstr(message.text, says), "\"%s\" does not say \"%s\"", message.text, says);
	}
	return result;
}

static struct promcb_header good_header(void)
{
	struct promcb_options none = {.max_bytes = 0};
	struct promcb_geometry g = made(&none, 4096);

	return header_of(&g);
}

Test(validate, identification)
{
	struct promcb_header good = good_header(), header = good;

	cr_assert_eq(judge(&header, ""), 0);
	for (unsigned bit = 0; bit < 64; bit++) {
		header = good;
		header.magic ^= (uint64_t)1 << bit;
		cr_assert_eq(judge(&header, "not a promcb segment"), -EBADMSG);
		header = good;
		header.abi ^= (uint64_t)1 << bit;
		cr_assert_eq(judge(&header, "machine of another kind"), -EPROTO);
	}
	memset(&header, 0, sizeof(header));
	cr_assert_eq(judge(&header, "not a promcb segment"), -EBADMSG);
	cr_assert_eq(memcmp(&good.magic, "\x89PROMCB\n", 8), 0);
}

Test(validate, versions)
{
	struct promcb_header good = good_header(), header = good;
	char both[64];

	/* A newer minor version only adds. */
	for (uint32_t bit = 0; bit < 32; bit++) {
		header.format_minor = (uint32_t)1 << bit;
		cr_assert_eq(judge(&header, ""), 0);
	}
	/* Another major one is refused, whatever else is in the header, and both are named. */
	memset(&header.geometry, PATTERN, sizeof(header.geometry));
	header.abi = 0;
	header.format_minor = 7;
	for (uint32_t bit = 0; bit < 32; bit++) {
		header.format_major = PROMCB_FORMAT_MAJOR ^ (uint32_t)1 << bit;
		snprintf(both, sizeof(both), "format %u.7, ", header.format_major);
		cr_assert_eq(judge(&header, both), -EPROTO);
		snprintf(both, sizeof(both), "format %u.%u", PROMCB_FORMAT_MAJOR, PROMCB_FORMAT_MINOR);
		cr_assert_eq(judge(&header, both), -EPROTO);
	}
}

/* What a creator has no choice about is refused for one bit. */
Test(validate, one_bit_of_what_follows_from_the_rest)
{
	const size_t derived[][2] = {
		{offsetof(struct promcb_geometry, buckets), 4},
		{offsetof(struct promcb_geometry, table_slots), 4},
		/* ring_log2 to the end: chunk sizes, strides, offsets */
		{offsetof(struct promcb_geometry, ring_log2),
		 sizeof(struct promcb_geometry) - offsetof(struct promcb_geometry, ring_log2)},
	};
	struct promcb_header good = good_header(), header = good;

	for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
		for (size_t bit = 8 * derived[i][0]; bit < 8 * (derived[i][0] + derived[i][1]); bit++) {
			uint8_t *byte = (uint8_t *)&header.geometry + bit / 8;

			*byte ^= (uint8_t)(1 << bit % 8);
			cr_assert_eq(judge(&header, "do not fit together"), -EBADMSG, "bit %zu", bit);
			*byte ^= (uint8_t)(1 << bit % 8);
		}
	cr_assert_eq(judge(&header, ""), 0);
}

/* A refused header is no trouble, and what is believed of any has the properties. */
static bool is_believed(const struct promcb_geometry *g)
{
	struct promcb_header header = header_of(g);
	int result = promcb_header_validate(&header, path, NULL);

	cr_assert(result == 0 || result == -EBADMSG);
	if (result == 0) {
		const char *fault = fault_of(g);

		cr_assert_null(fault, "%s is wrong, and believed", fault);
	}
	return result == 0;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* What follows from the seven numbers that a creator chooses, in 64 bits, and cut to the field at the end. */
static struct promcb_geometry with_the_rest(struct promcb_geometry g)
{
	const uint64_t page = g.page_bytes, slots = (uint64_t)g.lanes + 2;
	uint64_t ring = 64, chunk, table = 2, at[8], length[7];

	while (ring < g.recent_samples)
		ring *= 2;
	while (table < 2 * (uint64_t)g.components)
		table *= 2;
	chunk = ((ring * 8 > 65536 ? ring * 8 : 65536) + page - 1) / page * page;
	g.buckets = promcb_schema_buckets(g.schema);
	g.ring_log2 = (uint32_t)__builtin_ctzll(ring);
	g.chunk_bytes = (uint32_t)chunk;
	g.block_bytes = ((384 + 16 * g.buckets + 63) / 64 | 1) * 64;
	g.descriptor_bytes = 512;
	g.lane_bytes = 128;
	g.directory_words = (uint32_t)((4 * (uint64_t)g.components + page - 1) / page * (page / 4));
	g.table_slots = (uint32_t)table;
	length[0] = 1280;
	length[1] = slots * 128;
	length[2] = g.max_bytes / chunk * 4;
	length[3] = (uint64_t)g.components * 4;
	length[4] = table * 8;
	length[5] = (uint64_t)g.components * 512;
	length[6] = slots * g.directory_words * 4;
	at[0] = 0;
	for (int i = 0; i < 7; i++)
		at[i + 1] = (at[i] + length[i] + page - 1) / page * page;
	g.lanes_off = at[1];
	g.chunk_table_off = at[2];
	g.claims_off = at[3];
	g.table_off = at[4];
	g.descriptors_off = at[5];
	g.directories_off = at[6];
	g.chunks_off = at[7];
	g.chunks = g.max_bytes > at[7] ? (uint32_t)((g.max_bytes - at[7]) / chunk) : 0;
	return g;
}

/* Numbers at and around every bound, with all that follows from them: believed if they are allowed, and only then. */
Test(validate, strangers_numbers)
{
	static const uint32_t edges[] = {0,       1,       2,       3,        5,          6,         31,
					 32,      1023,    1024,    1025,     2048,       4095,      4096,
					 8192,    65000,   65001,   65002,    65536,      65537,     98304,
					 1 << 20, 2 << 20, 1 << 30, 1u << 31, 0x7fffffff, UINT32_MAX};
	enum { EDGES = sizeof(edges) / sizeof(edges[0]), ROUNDS = 100000 };
	const struct promcb_geometry good = good_header().geometry;
	uint64_t random = 0x9e3779b97f4a7c15u;
	uint32_t believed = 0, refused = 0, disagreed = 0;

	cr_assert_arr_eq(&good, &(struct promcb_geometry[]){with_the_rest(good)}, sizeof(good));
	for (int round = 0; round < ROUNDS; round++) {
		struct promcb_geometry g = good;
		uint32_t *const chosen[] = {&g.schema, &g.lanes, &g.components, &g.recent_samples, &g.page_bytes};

		g.max_bytes = next_random(&random) >> (28 + next_random(&random) % 20);
		for (uint64_t changes = next_random(&random) % 3; changes > 0; changes--)
			*chosen[next_random(&random) % 5] = edges[next_random(&random) % EDGES];
		/* Not a page at all: nothing can be a multiple of it. */
		if (g.page_bytes < 4)
			continue;
		g = with_the_rest(g);
		bool allowed = is_allowed(&g);

		believed += allowed;
		refused += !allowed;
		disagreed += is_believed(&g) != allowed;
	}
	cr_assert_eq(disagreed, 0);
	cr_assert_gt(believed, ROUNDS / 10, "%u", believed);
	cr_assert_gt(refused, ROUNDS / 10, "%u", refused);
}

Test(validate, strangers_noise)
{
	struct promcb_geometry good = good_header().geometry, g;
	uint64_t random = 0x2545f4914f6cdd1du;

	for (int round = 0; round < 20000; round++) {
		uint64_t bits = next_random(&random);

		for (size_t word = 0; word < sizeof(g) / 8; word++)
			((uint64_t *)&g)[word] = next_random(&random);
		cr_assert_not(is_believed(&g));
		/* One word of noise, of any size, in what is good. */
		g = good;
		((uint64_t *)&g)[bits % (sizeof(g) / 8)] = next_random(&random) >> (bits >> 58);
		is_believed(&g);
	}
}

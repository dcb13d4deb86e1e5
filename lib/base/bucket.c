/* SPDX-License-Identifier: MIT */
/*
 * bucket.c: see bucket.h.
 *
 * Invariants
 *   - of(x) is the only b with upper_ns(b - 1) < x <= upper_ns(b), for every schema and all x from 1 to the maximum.
 *   - Each boundary of a schema is one of the next schema too, so one table of an octave at schema 5 serves all.
 *   - No table comes from libm: bucket_reference.py makes them from whole-number roots, and the test holds the
 *     results against every boundary, one nanosecond below it and one above.
 */
#include "base/bucket.h"

#include "base/native.h"

#include <assert.h>
#include <promcb/bucket3.h>
#include <string.h>

/* Whole octaves of seconds that buckets cover: from 2^-30 to 2^10. */
enum { OCTAVE_FIRST = -30, OCTAVE_END = 10 };

/* As promcb_bucket3_words, for the slots of a thirty-second and of a sixty-fourth of an octave. */
static const uint64_t words4[32] __attribute__((aligned(64))) = {
	0xc011c00b0ad56c6bu, 0xc01207ddb94f925du, 0xc0127fffffffffffu, 0xc0124788ed3fd36bu, 0xc0127fffffffffffu,
	0xc0127eb03afb4c09u, 0xc012acf31f5655dbu, 0xc012ffffffffffffu, 0xc012d1ecd14409f3u, 0xc012ffffffffffffu,
	0xc012ed3411681f35u, 0xc012ffffffffffffu, 0xc012fe5af783df3eu, 0xc01304eebda5e44cu, 0xc0137fffffffffffu,
	0xc013007789033f6au, 0xc0137fffffffffffu, 0xc012ffffffffffffu, 0xc012f078305f8648u, 0xc012ffffffffffffu,
	0xc012d46dffe81bdcu, 0xc012ffffffffffffu, 0xc012abd07a65cd55u, 0xc012ffffffffffffu, 0xc0127fffffffffffu,
	0xc012761117a69523u, 0xc0127fffffffffffu, 0xc012329affffffffu, 0xc0127fffffffffffu, 0xc011ffffffffffffu,
	0xc011e0d2c4c94a80u, 0xc011ffffffffffffu,
};

static const uint64_t words5[64] __attribute__((aligned(64))) = {
	0xc010c00b0ad56c6bu, 0xc010ffffffffffffu, 0xc010e4f3b259dce5u, 0xc01107ddb94f925du, 0xc0113fffffffffffu,
	0xc01128bdf14e3c2bu, 0xc0114788ed3fd36bu, 0xc0117fffffffffffu, 0xc011643300013fffu, 0xc0117fffffffffffu,
	0xc0117eb03afb4c09u, 0xc01196f46cb3baa4u, 0xc011bfffffffffffu, 0xc011acf31f5655dbu, 0xc011c09f9735c6ccu,
	0xc011ffffffffffffu, 0xc011d1ecd14409f3u, 0xc011ffffffffffffu, 0xc011e0cd81825093u, 0xc011ffffffffffffu,
	0xc011ed3411681f35u, 0xc011ffffffffffffu, 0xc011f7129e417811u, 0xc011ffffffffffffu, 0xc011fe5af783df3eu,
	0xc01202fe9d1a055cu, 0xc0123fffffffffffu, 0xc01204eebda5e44cu, 0xc0123fffffffffffu, 0xc012041c34b91863u,
	0xc0123fffffffffffu, 0xc012007789033f6au, 0xc0123fffffffffffu, 0xc011ffffffffffffu, 0xc011f9f0ea762570u,
	0xc011ffffffffffffu, 0xc011f078305f8648u, 0xc011ffffffffffffu, 0xc011e3fcd7782952u, 0xc011ffffffffffffu,
	0xc011d46dffe81bdcu, 0xc011ffffffffffffu, 0xc011c1ba6b3fcd17u, 0xc011ffffffffffffu, 0xc011bfffffffffffu,
	0xc011abd07a65cd55u, 0xc011bfffffffffffu, 0xc011929e2b78f0d8u, 0xc011bfffffffffffu, 0xc0117fffffffffffu,
	0xc011761117a69523u, 0xc0117fffffffffffu, 0xc011561670f4c63du, 0xc0117fffffffffffu, 0xc0113fffffffffffu,
	0xc011329affffffffu, 0xc0113fffffffffffu, 0xc0110b8b21ac45e7u, 0xc0113fffffffffffu, 0xc010ffffffffffffu,
	0xc010e0d2c4c94a80u, 0xc010ffffffffffffu, 0xc010bfffffffffffu, 0xc010b25d67a95dd7u,
};

/* floor(2^33 * 10^9 * 2^(k/32)): boundaries in the octave that begins at one second, in units of 2^-33 ns. */
static const uint64_t octave_ns[32] = {
	0x7735940000000000u, 0x79d1d3794ee86199u, 0x7c7cb4ecdad5fca4u, 0x7f368a615a88a012u, 0x81ffa7a9549ca6e3u,
	0x84d8626d3118d396u, 0x87c11235836d16a3u, 0x8aba10758e1ea3cfu, 0x8dc3b8960164a7d9u, 0x90de67fff600044cu,
	0x940a7e28259fb382u, 0x97485c9a622adb60u, 0x9a9867054d512391u, 0x9dfb034651c99c68u, 0xa1709975dfb06757u,
	0xa4f993f3ed7b61cau, 0xa8965f74bf065071u, 0xac476b0df43f745fu, 0xb00d2843e1060dc2u, 0xb3e80b172fd51af7u,
	0xb7d88a12d0dd9ea0u, 0xbbdf1e5a373ce5c6u, 0xbffc43b7e604a922u, 0xc43078ac4ed47ae7u, 0xc87c3e7d03cdbec3u,
	0xcce019443eb56ce4u, 0xd15c9000bf211c1fu, 0xd5f22ca6019743e0u, 0xdaa17c2cd19555dbu, 0xdf6b0ea438793a89u,
	0xe44f7742cb56e3ddu, 0xe94f4c7859ce1066u,
};

static const int32_t first_index[] = {-239, -478, -956};

static bool known(uint32_t schema)
{
	return schema >= PROMCB_SCHEMA_MIN && schema <= PROMCB_SCHEMA_MAX;
}

/* A native bucket's end is 2^octave seconds times entry step of the octave tables. */
struct bound {
	int32_t octave;
	uint32_t step;
};

static struct bound bound_of(uint32_t schema, uint32_t bucket)
{
	int32_t index = (int32_t)bucket - 1 + promcb_bucket_first(schema);
	/* Counted from the octave below all buckets, so that the division rounds down. */
	uint32_t above = (uint32_t)(index - (OCTAVE_FIRST - 1) * (1 << schema));

	return (struct bound){
		.octave = (int32_t)(above >> schema) + OCTAVE_FIRST - 1,
		.step = (above & ((1u << schema) - 1)) << (PROMCB_SCHEMA_MAX - schema),
	};
}

uint32_t promcb_schema_buckets(uint32_t schema)
{
	/*
	 * The zero bucket and 40 octaves, of which the first 2^(s-3) - 1 buckets above 2^-30 s hold no whole nanosecond
	 * and are left out, while 2^(s-3) more lie between 2^10 s and 2^40 ns.
	 */
	return known(schema) ? ((OCTAVE_END - OCTAVE_FIRST) << schema) + 2 : 0;
}

int32_t promcb_bucket_first(uint32_t schema)
{
	assert(known(schema));
	return first_index[schema - PROMCB_SCHEMA_MIN];
}

uint32_t promcb_bucket_of(uint32_t schema, uint64_t latency_ns)
{
	double exact;
	uint64_t bits, word;

	assert(known(schema));
	if (latency_ns == 0)
		return 0;
	if (latency_ns > PROMCB_BUCKET_LATENCY_MAX_NS)
		latency_ns = PROMCB_BUCKET_LATENCY_MAX_NS;
	if (schema == 3)
		return promcb_bucket3(latency_ns);
	exact = (double)(int64_t)latency_ns;
	memcpy(&bits, &exact, sizeof(bits));
	word = schema == 4 ? words4[bits >> 47 & 31] : words5[bits >> 46 & 63];
	return (uint32_t)((bits + word) >> (52 - schema));
}

uint64_t promcb_bucket_upper_ns(uint32_t schema, uint32_t bucket)
{
	struct bound bound;

	if (bucket == 0)
		return 0;
	if (bucket >= promcb_schema_buckets(schema) - 1)
		return PROMCB_BUCKET_LATENCY_MAX_NS;
	bound = bound_of(schema, bucket);
	/* Rounding down twice, in the table and here, is rounding down once. */
	return octave_ns[bound.step] >> (33 - bound.octave);
}

double promcb_bucket_upper_seconds(uint32_t schema, uint32_t bucket)
{
	return bucket == 0 ? 0x1p-30 : promcb_native_bound(schema, (int32_t)bucket - 1 + promcb_bucket_first(schema));
}

uint32_t promcb_bucket_end_of_power(uint32_t schema, int32_t exponent)
{
	/* No native end is as low as 2^-30 s, and what the zero bucket holds is at or below any bound. */
	if (exponent <= OCTAVE_FIRST)
		return 1;
	if (exponent > OCTAVE_END)
		return promcb_schema_buckets(schema);
	return (uint32_t)(exponent * (1 << schema) - promcb_bucket_first(schema)) + 2;
}

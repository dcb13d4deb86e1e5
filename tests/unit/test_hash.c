/* SPDX-License-Identifier: MIT */
/*
 * SipHash-1-3 against a second implementation, and what a table needs of it.
 *
 * The vectors were made by this Python, written from the paper; with a second key of 0 it agrees with CPython's own
 * SipHash-1-3 (3.11 and later: _imp.source_hash(k0, m)):
 *
 *     M = 2**64 - 1
 *     rot = lambda x, b: (x << b | x >> 64 - b) & M
 *     def sip13(k0, k1, m):
 *         v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]
 *         def rounds(n):
 *             a, b, c, d = v
 *             for _ in range(n):
 *                 a = a + b & M; c = c + d & M; b = rot(b, 13) ^ a; d = rot(d, 16) ^ c; a = rot(a, 32)
 *                 c = c + b & M; a = a + d & M; b = rot(b, 17) ^ c; d = rot(d, 21) ^ a; c = rot(c, 32)
 *             v[:] = a, b, c, d
 *         m = m + bytes(-(len(m) + 1) % 8) + bytes([len(m) & 255])
 *         for i in range(0, len(m), 8):
 *             w = int.from_bytes(m[i:i + 8], "little")
 *             v[3] ^= w; rounds(1); v[0] ^= w
 *         v[2] ^= 255
 *         rounds(3)
 *         return v[0] ^ v[1] ^ v[2] ^ v[3]
 */
#include "base/hash.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* sip13(0x0706050403020100, 0x0f0e0d0c0b0a0908, bytes(range(n))), by n. */
static const uint64_t by_length[64] = {
	0xabac0158050fc4dcu, 0xc9f49bf37d57ca93u, 0x82cb9b024dc7d44du, 0x8bf80ab8e7ddf7fbu, 0xcf75576088d38328u,
	0xdef9d52f49533b67u, 0xc50d2b50c59f22a7u, 0xd3927d989bb11140u, 0x369095118d299a8eu, 0x25a48eb36c063de4u,
	0x79de85ee92ff097fu, 0x70c118c1f94dc352u, 0x78a384b157b4d9a2u, 0x306f760c1229ffa7u, 0x605aa111c0f95d34u,
	0xd320d86d2a519956u, 0xcc4fdd1a7d908b66u, 0x9cf2689063dbd80cu, 0x8ffc389cb473e63eu, 0xf21f9de58d297d1cu,
	0xc0dc2f46a6cce040u, 0xb992abfe2b45f844u, 0x7ffe7b9ba320872eu, 0x525a0e7fdae6c123u, 0xf464aeb267349c8cu,
	0x45cd5928705b0979u, 0x3a3e35e3ca9913a5u, 0xa91dc74e4ade3b35u, 0xfb0bed02ef6cd00du, 0x88d93cb44ab1e1f4u,
	0x540f11d643c5e663u, 0x2370dd1f8c21d1bcu, 0x81157b6c16a7b60du, 0x4d54b9e57a8ff9bfu, 0x759f12781f2a753eu,
	0xcea1a3bebf186b91u, 0x2cf508d3ada26206u, 0xb6101c2da3c33057u, 0xb3f47496ae3a36a1u, 0x626b57547b108392u,
	0xc1d2363299e41531u, 0x667cc1923f1ad944u, 0x65704ffec8138825u, 0x24f280d1c28949a6u, 0xc2ca1cedfaf8876bu,
	0xc2164bfc9f042196u, 0xa16e9c9368b1d623u, 0x49fb169c8b5114fdu, 0x9f3143f8df074c46u, 0xc6fdaf2412cc86b3u,
	0x7eaf49d10a52098fu, 0x1cf313559d292f9au, 0xc44a30dda2f41f12u, 0x36fae98943a71ed0u, 0x318fb34c73f0bce6u,
	0xa27abf3670a7e980u, 0xb4bcc0db243c6d75u, 0x23f8d852fdb71513u, 0x8f035f4da67d8a08u, 0xd89cd0e5b7e8f148u,
	0xf6f4e6bcf7a644eeu, 0xaec59ad80f1837f2u, 0xc3b2f6154b6694e0u, 0x9d199062b7bbb3a8u,
};

static const uint64_t counting_key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

/* Of a copy that ends where its memory ends, so that a sanitizer sees a read past it. */
static uint64_t hash_exactly(const uint64_t key[2], const void *bytes, size_t length)
{
	void *copy = malloc(length ? length : 1);

	cr_assert_not_null(copy);
	memcpy(copy, bytes, length);
	uint64_t hash = promcb_hash(key, copy, length);

	free(copy);
	return hash;
}

Test(hash, every_length_agrees_with_the_reference)
{
	unsigned char bytes[64];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	for (size_t length = 0; length < sizeof(bytes); length++)
		cr_assert_eq(hash_exactly(counting_key, bytes, length), by_length[length], "length %zu", length);
}

Test(hash, other_keys_agree_with_the_reference)
{
	char long_name[127], ones[256];

	memset(long_name, 'a', sizeof(long_name));
	memset(ones, 0xff, sizeof(ones));
	const struct {
		uint64_t key[2];
		const char *bytes;
		size_t length;
		uint64_t hash;
	} vectors[] = {
		{{0, 0}, "", 0, 0xd1fba762150c532cu},
		{{UINT64_MAX, UINT64_MAX}, "_overflow", 9, 0x2aaa6e8e68e8aa56u},
		{{0x0123456789abcdefu, 0xfedcba9876543210u}, "payment_api", 11, 0x1513dadf8b11064fu},
		/* The next two are CPython's as well. */
		{{0x0706050403020100u, 0}, "payment_api", 11, 0x287989ff79270528u},
		{{1, 0}, long_name, sizeof(long_name), 0x885b0c2fe5f351c3u},
		{{0, 1}, long_name, sizeof(long_name), 0x15b7e64f3dd8fae8u},
		/* The length enters modulo 256. */
		{{0, 0}, ones, sizeof(ones), 0x4ce0ed31f80124c7u},
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		cr_assert_eq(hash_exactly(vectors[i].key, vectors[i].bytes, vectors[i].length), vectors[i].hash,
			     "vector %zu", i);
}

Test(hash, alignment_does_not_matter)
{
	unsigned char bytes[64 + 8];

	for (unsigned shift = 0; shift < 8; shift++) {
		for (unsigned i = 0; i < 63; i++)
			bytes[shift + i] = (unsigned char)i;
		cr_assert_eq(promcb_hash(counting_key, bytes + shift, 63), by_length[63], "shift %u", shift);
	}
}

/* One bit of text or key, another hash: and in the 48 bits that a table word keeps. */
Test(hash, every_bit_counts)
{
	char name[24] = "component_of_24_letters";
	uint64_t key[2] = {counting_key[0], counting_key[1]}, before = promcb_hash(key, name, sizeof(name)) >> 16;

	for (unsigned bit = 0; bit < 8 * sizeof(name); bit++) {
		name[bit / 8] = (char)(name[bit / 8] ^ (1 << bit % 8));
		cr_assert_neq(promcb_hash(key, name, sizeof(name)) >> 16, before, "bit %u of the text", bit);
		name[bit / 8] = (char)(name[bit / 8] ^ (1 << bit % 8));
	}
	for (unsigned bit = 0; bit < 128; bit++) {
		key[bit / 64] ^= (uint64_t)1 << bit % 64;
		cr_assert_neq(promcb_hash(key, name, sizeof(name)) >> 16, before, "bit %u of the key", bit);
		key[bit / 64] ^= (uint64_t)1 << bit % 64;
	}
	cr_assert_eq(promcb_hash(key, name, sizeof(name)) >> 16, before);
}

/* Names that differ in their last digits, as routes do, fill slots as evenly as chance would: by chi-square. */
Test(hash, similar_names_spread)
{
	enum { SLOTS = 64, NAMES = 6400 };
	uint32_t in_slot[SLOTS] = {0};
	double excess = 0;

	for (int i = 0; i < NAMES; i++) {
		char name[32];
		int length = snprintf(name, sizeof(name), "/api/v1/items/%d", i);

		in_slot[promcb_hash(counting_key, name, (size_t)length) >> 16 & (SLOTS - 1)]++;
	}
	for (int i = 0; i < SLOTS; i++) {
		double difference = in_slot[i] - (double)NAMES / SLOTS;

		excess += difference * difference / ((double)NAMES / SLOTS);
	}
	/* 63 degrees of freedom: 63 +- 11. The key is fixed, so this passes always or never. */
	cr_assert_lt(excess, 63 + 4 * 11.3, "chi-square %f", excess);
}

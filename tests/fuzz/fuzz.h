/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h: what fuzz targets have in common. May include: nothing of promcb.
 *
 * A target is a file fuzz_<what>.c with LLVMFuzzerTestOneInput(). It is linked with libFuzzer where there is one, else
 * with driver.c, which runs the inputs that it is given, each once.
 */
#ifndef PROMCB_FUZZ_H
#define PROMCB_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What libFuzzer calls, and what it offers. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* Ends the process as a finding when a condition does not hold, whatever NDEBUG says. */
#define FUZZ_REQUIRE(condition, ...)                                                                  \
	do {                                                                                          \
		if (!(condition)) {                                                                   \
			fprintf(stderr, "%s:%d: %s does not hold: ", __FILE__, __LINE__, #condition); \
			fprintf(stderr, __VA_ARGS__);                                                 \
			fprintf(stderr, "\n");                                                        \
			abort();                                                                      \
		}                                                                                     \
	} while (0)

/* The bytes as a string, to be freed. */
static inline char *fuzz_string(const void *bytes, size_t length)
{
	char *string = malloc(length + 1);

	FUZZ_REQUIRE(string, "memory");
	memcpy(string, bytes, length);
	string[length] = 0;
	return string;
}

/* Whether bytes are valid UTF-8: written apart from lib/base/name.c, which is held against it. */
static inline bool fuzz_is_utf8(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length;) {
		uint32_t point = bytes[i];
		size_t more = point < 0x80 ? 0 : point >> 5 == 6 ? 1 : point >> 4 == 14 ? 2 : point >> 3 == 30 ? 3 : 9;
		static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};

		if (more > 3 || length - i <= more)
			return false;
		point &= more ? 0x3fu >> more : 0x7f;
		for (size_t j = 1; j <= more; j++) {
			if (bytes[i + j] >> 6 != 2)
				return false;
			point = point << 6 | (bytes[i + j] & 0x3f);
		}
		if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
			return false;
		i += more + 1;
	}
	return true;
}

#endif

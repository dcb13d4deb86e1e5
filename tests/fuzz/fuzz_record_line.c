/* SPDX-License-Identifier: MIT */
/*
 * fuzz_record_line.c: the parser of promcb-record --stdin. What it takes for a component lies in the line, and what it
 * takes for a latency is what strtold(3) reads there. May include: record_line.h, fuzz.h.
 */
#include "record_line.h"

#include "fuzz.h"

#include <math.h>
#include <string.h>

/* The C library's opinion of a text that was taken for decimal seconds. */
static void compare(const char *text, size_t length, enum promcb_line_fault fault, uint64_t ns)
{
	char *copy = fuzz_string(text, length), *end;
	long double seconds = strtold(copy, &end);

	if (fault == PROMCB_LINE_LATENCY) {
		/* It knows hexadecimal, blanks before, and NaNs with something in parentheses; we do not. */
		FUZZ_REQUIRE(*end != 0 || length == 0 || strpbrk(copy, "xX( \t\n\v\f\r"), "\"%s\" is %Lg", copy,
			     seconds);
	} else if (fault == PROMCB_LINE_REJECTED) {
		FUZZ_REQUIRE(*end == 0 && (!isfinite(seconds) || signbit(seconds)), "\"%s\" is %Lg", copy, seconds);
	} else {
		long double exact = seconds * 1e9L;

		FUZZ_REQUIRE(*end == 0 && !signbit(seconds + 0), "\"%s\" is %Lg", copy, seconds);
		if (exact >= 0x1p64L)
			FUZZ_REQUIRE(ns == UINT64_MAX, "\"%s\" is %Lg, not %llu", copy, seconds,
				     (unsigned long long)ns);
		else
			FUZZ_REQUIRE(fabsl(exact - (long double)ns) <= 0.5L + exact * 1e-18L, "\"%s\" is %Lg, not %llu",
				     copy, seconds, (unsigned long long)ns);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;
	struct promcb_line parsed;
	enum promcb_line_fault fault = promcb_line_parse(line, size, &parsed);
	uint64_t ns;

	FUZZ_REQUIRE((fault == PROMCB_LINE_GOOD) == (promcb_line_fault_phrase(fault) == NULL), "fault %d", (int)fault);
	if (fault == PROMCB_LINE_GOOD || fault == PROMCB_LINE_REJECTED) {
		const char *end = parsed.component + parsed.component_bytes;

		FUZZ_REQUIRE(parsed.component >= line && parsed.component_bytes >= 1 && end < line + size,
			     "component of %zu bytes", parsed.component_bytes);
		FUZZ_REQUIRE(!memchr(parsed.component, 0, parsed.component_bytes) &&
				     !strchr(" \t", parsed.component[0]) && !strchr(" \t", end[-1]),
			     "component \"%.*s\"", (int)parsed.component_bytes, parsed.component);
	} else {
		FUZZ_REQUIRE(parsed.component == NULL, "fault %d", (int)fault);
	}
	/* Its second field alone, and all of it, as seconds. */
	if (size > 0 && !memchr(line, 0, size)) {
		fault = promcb_seconds_parse(line, size, &ns);
		compare(line, size, fault, ns);
	}
	return 0;
}

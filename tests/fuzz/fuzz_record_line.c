/* SPDX-License-Identifier: MIT */
/*
 * fuzz_record_line.c: the parser of promcb-record --stdin. What it takes for a component lies in the line and is a
 * name, or is said to be none; what it takes for a latency is what strtold(3) reads there. May include: format.h,
 * line.h, map.h, name.h, fuzz.h.
 */
#include "record/format.h"
#include "record/line.h"
#include "record/map.h"

#include "base/name.h"
#include "fuzz.h"

#include <math.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

/* The C library's opinion of a text that was taken for a number. */
static void compare(const char *text, size_t length, enum promcb_latency latency, long double scale, uint64_t ns)
{
	char *copy = fuzz_string(text, length), *end;
	long double number = strtold(copy, &end);

	if (latency == PROMCB_LATENCY_NONE) {
		/* It knows hexadecimal, blanks before, and NaNs with something in parentheses; we do not. */
		FUZZ_REQUIRE(*end != 0 || length == 0 || strpbrk(copy, "xX( \t\n\v\f\r"), "\"%s\" is %Lg", copy,
			     number);
	} else if (latency == PROMCB_LATENCY_UNKNOWN) {
		FUZZ_REQUIRE(ns == 0 && (strcmp(copy, "-") == 0 || strcasecmp(copy, "null") == 0 ||
					 (*end == 0 && (!isfinite(number) || signbit(number)))),
			     "\"%s\" is %Lg", copy, number);
	} else {
		long double exact = number * scale;

		FUZZ_REQUIRE(*end == 0 && !signbit(number + 0), "\"%s\" is %Lg", copy, number);
		if (exact >= 0x1p64L)
			FUZZ_REQUIRE(ns == UINT64_MAX, "\"%s\" is %Lg, not %llu", copy, number, (unsigned long long)ns);
		else
			FUZZ_REQUIRE(fabsl(exact - (long double)ns) <= 0.5L + exact * 1e-18L, "\"%s\" is %Lg, not %llu",
				     copy, number, (unsigned long long)ns);
	}
	free(copy);
}

static void parse_line(const char *line, size_t size, const struct promcb_line_rules *rules)
{
	struct promcb_line parsed;
	enum promcb_line_fault fault = promcb_line_parse(line, size, rules, &parsed);

	FUZZ_REQUIRE((fault == PROMCB_LINE_GOOD) == (promcb_line_fault_phrase(fault) == NULL), "fault %d", (int)fault);
	FUZZ_REQUIRE((fault == PROMCB_LINE_GOOD) == (parsed.component != NULL), "fault %d", (int)fault);
	FUZZ_REQUIRE(parsed.measured || parsed.latency_ns == 0, "a latency that is none");
	if (!parsed.component)
		return;
	FUZZ_REQUIRE(parsed.component >= line && parsed.component + parsed.component_bytes < line + size,
		     "component of %zu bytes", parsed.component_bytes);
	if (parsed.name_fault)
		return;
	FUZZ_REQUIRE(!promcb_name_fault(parsed.component, parsed.component_bytes) &&
			     fuzz_is_utf8((const uint8_t *)parsed.component, parsed.component_bytes) &&
			     parsed.component[0] != ' ' && parsed.component[parsed.component_bytes - 1] != ' ',
		     "component \"%.*s\"", (int)parsed.component_bytes, parsed.component);
	/* Of several fields only where that was asked for. */
	FUZZ_REQUIRE(rules->names_with_blanks || memchr(line, '\t', size) ||
			     !memchr(parsed.component, ' ', parsed.component_bytes),
		     "component \"%.*s\"", (int)parsed.component_bytes, parsed.component);
}

static struct promcb_map *read_map(void)
{
	static const char text[] = "^(GET|a.*) (\\S*)/ $1$2\n(.)(b)? $2$$\n";
	char path[64];
	int descriptor = memfd_create("map", MFD_CLOEXEC);
	struct promcb_map *map;

	FUZZ_REQUIRE(write(descriptor, text, strlen(text)) == (ssize_t)strlen(text), "no map");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
	map = promcb_map_read(path);
	close(descriptor);
	FUZZ_REQUIRE(map, "no map");
	return map;
}

/* The other formats: within their bytes, and a name or what is wrong with it. */
static void parse_formats(const char *line, size_t size, const char *fields, struct promcb_map *map)
{
	static char room[PROMCB_FORMAT_ROOM];
	struct promcb_line_rules rules = {.unit = PROMCB_UNIT_S, .map = map};
	char *copy = fuzz_string(line, size);
	const char *message = promcb_syslog_message(copy, size);

	promcb_failures_default(&rules.failures);
	FUZZ_REQUIRE(message >= copy && message <= copy + size, "a message elsewhere");
	FUZZ_REQUIRE(!promcb_fields_parse(fields, &rules.fields), "fields");
	for (int format = PROMCB_LOG_COMBINED; format <= PROMCB_LOG_STATSD; format++) {
		struct promcb_line parsed;
		enum promcb_line_fault fault;

		rules.format = (enum promcb_log_format)format;
		fault = promcb_format_line(copy, size, &rules, room, &parsed);
		FUZZ_REQUIRE((fault == PROMCB_LINE_GOOD) == (promcb_line_fault_phrase(fault) == NULL), "fault %d",
			     (int)fault);
		if (fault != PROMCB_LINE_GOOD)
			continue;
		FUZZ_REQUIRE(parsed.component && parsed.times >= 1 && parsed.times <= PROMCB_LINE_TIMES_MAX, "%u times",
			     (unsigned)parsed.times);
		FUZZ_REQUIRE(parsed.name_fault || !promcb_name_fault(parsed.component, parsed.component_bytes),
			     "component \"%.*s\"", (int)parsed.component_bytes, parsed.component);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		enum promcb_unit unit;
		long double scale;
	} units[] = {{PROMCB_UNIT_S, 1e9L}, {PROMCB_UNIT_MS, 1e6L}, {PROMCB_UNIT_US, 1e3L}, {PROMCB_UNIT_NS, 1}};
	const char *line = (const char *)data;
	struct promcb_line_rules rules = {.unit = PROMCB_UNIT_S};
	static struct promcb_map *map;
	uint64_t ns;

	if (!map)
		map = read_map();

	promcb_failures_default(&rules.failures);
	parse_line(line, size, &rules);
	rules.names_with_blanks = true;
	rules.unit = PROMCB_UNIT_MS;
	parse_line(line, size, &rules);
	parse_formats(line, size, "request.method+request.uri,duration,status", NULL);
	parse_formats(line, size, "request.method+request.uri,duration,status", map);
	parse_formats(line, size, "request.uri+request.uri+request.uri+request.uri,,status", map);
	/* All of it, as a latency in every unit, and as what fails. */
	if (size > 0 && !memchr(line, 0, size)) {
		char *list = fuzz_string(line, size);
		const char *fault = promcb_failures_parse(list, &rules.failures);

		FUZZ_REQUIRE(!fault || (fault >= list && fault <= list + size), "a fault elsewhere");
		free(list);
		for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
			enum promcb_latency latency = promcb_latency_parse(line, size, units[i].unit, &ns);

			compare(line, size, latency, units[i].scale, ns);
		}
	}
	return 0;
}

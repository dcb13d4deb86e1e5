/* SPDX-License-Identifier: MIT */
/* moment.c: moments and steps as they are asked for. */
#include "answer.h"

#include <string.h>

#define SECOND ((uint64_t)1000000000)

uint64_t promcb_view_step_ns(struct promcb_view_range range, size_t columns)
{
	static const uint64_t steps[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400};
	uint64_t length_ns = range.upto_ns > range.from_ns ? range.upto_ns - range.from_ns : 0;

	columns = columns < 2 ? 2 : columns;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (length_ns / (steps[i] * SECOND) < columns)
			return steps[i] * SECOND;
	return (length_ns / columns / (86400 * SECOND) + 1) * 86400 * SECOND;
}

/* Digits, and up to nine more behind a point, as nanoseconds. Returns where they end; NULL: they are none. */
static const char *parse_seconds(const char *text, uint64_t *out_ns)
{
	uint64_t seconds = 0, part = 0, unit = SECOND;
	unsigned digits = 0;

	for (; *text >= '0' && *text <= '9'; text++, digits++)
		seconds = seconds * 10 + (uint64_t)(*text - '0');
	if (digits == 0 || digits > 10)
		return NULL;
	if (*text == '.') {
		for (text++; *text >= '0' && *text <= '9'; text++)
			if (unit > 1) {
				unit /= 10;
				part += unit * (uint64_t)(*text - '0');
			}
		if (unit == SECOND)
			return NULL;
	}
	*out_ns = seconds * SECOND + part;
	return text;
}

bool promcb_view_moment_parse(const char *text, uint64_t now_ns, uint64_t *out_ns)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	const char *end;
	uint64_t ns;

	if (strcmp(text, "now") == 0) {
		*out_ns = now_ns;
		return true;
	}
	end = parse_seconds(*text == '-' ? text + 1 : text, &ns);
	if (!end)
		return false;
	if (*text != '-') {
		*out_ns = ns;
		return !*end;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && *end; i++)
		if (end[0] == units[i].unit && !end[1]) {
			ns = ns > UINT64_MAX / units[i].seconds ? UINT64_MAX : ns * units[i].seconds;
			end++;
			break;
		}
	*out_ns = ns < now_ns ? now_ns - ns : 0;
	return !*end;
}

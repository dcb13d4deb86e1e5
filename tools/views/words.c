/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t scale;
};

static const struct unit latency_units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};

/* 127 years: no call takes longer. */
#define LONGEST_NS ((uint64_t)4000000000000000000)

enum { LATENCY_UNITS = sizeof(latency_units) / sizeof(latency_units[0]) };

/* The digits of a latency, without its unit. */
struct latency {
	const struct unit *unit;
	char digits[24];
};

static struct latency split_latency(uint64_t ns, enum promcb_view_rounding rounding)
{
	struct latency out;
	uint64_t step;
	unsigned whole;
	size_t i = 0;

	/* Rounding up may lead into the next unit, which then has a rounding to do of its own: none: it is whole. */
	if (ns > LONGEST_NS)
		ns = LONGEST_NS;
	while (i + 1 < LATENCY_UNITS && ns >= latency_units[i + 1].scale)
		i++;
	for (;;) {
		uint64_t scale = latency_units[i].scale;

		step = ns < 10 * scale ? scale / 100 : ns < 100 * scale ? scale / 10 : scale;
		step = step ? step : 1;
		ns = (rounding == PROMCB_VIEW_UP ? ns + step - 1 : ns) / step * step;
		if (i + 1 == LATENCY_UNITS || ns < latency_units[i + 1].scale)
			break;
		i++;
	}
	out.unit = &latency_units[i];
	whole = (unsigned)(ns / out.unit->scale);
	if (out.unit->scale == 1 || ns >= 100 * out.unit->scale)
		snprintf(out.digits, sizeof(out.digits), "%u", whole);
	else if (ns >= 10 * out.unit->scale)
		snprintf(out.digits, sizeof(out.digits), "%u.%u", whole,
			 (unsigned)(ns % out.unit->scale / (out.unit->scale / 10)));
	else
		snprintf(out.digits, sizeof(out.digits), "%u.%02u", whole,
			 (unsigned)(ns % out.unit->scale / (out.unit->scale / 100)));
	return out;
}

struct promcb_view_word promcb_view_latency(uint64_t ns, enum promcb_view_rounding rounding)
{
	struct latency latency = split_latency(ns, rounding);
	struct promcb_view_word word;

	snprintf(word.text, sizeof(word.text), "%s %s", latency.digits, latency.unit->name);
	return word;
}

struct promcb_view_word promcb_view_latencies(uint64_t least_ns, uint64_t most_ns)
{
	struct latency least = split_latency(least_ns, PROMCB_VIEW_DOWN);
	struct latency most = split_latency(most_ns, PROMCB_VIEW_UP);
	struct promcb_view_word word;

	if (least.unit != most.unit)
		snprintf(word.text, sizeof(word.text), "%s %s-%s %s", least.digits, least.unit->name, most.digits,
			 most.unit->name);
	else if (strcmp(least.digits, most.digits) == 0)
		snprintf(word.text, sizeof(word.text), "%s %s", most.digits, most.unit->name);
	else
		snprintf(word.text, sizeof(word.text), "%s-%s %s", least.digits, most.digits, most.unit->name);
	return word;
}

struct promcb_view_word promcb_view_percent(uint64_t part, uint64_t whole)
{
	struct promcb_view_word word;
	uint64_t hundredths;

	if (whole == 0 || part > whole) {
		strcpy(word.text, "-");
		return word;
	}
	if (part == 0 || part == whole) {
		strcpy(word.text, part ? "100.00" : "0.00");
		return word;
	}
	/* To a share of 2^-46, which is finer than what is printed, and does not overflow. */
	for (; whole >= (uint64_t)1 << 46; whole >>= 1)
		part >>= 1;
	hundredths = (part * 10000 * 2 + whole) / (whole * 2);
	if (hundredths == 0)
		strcpy(word.text, "<0.01");
	else if (hundredths >= 10000)
		strcpy(word.text, ">99.99");
	else
		snprintf(word.text, sizeof(word.text), "%u.%02u", (unsigned)(hundredths / 100),
			 (unsigned)(hundredths % 100));
	return word;
}

static const char powers[] = "kMGTPE";

struct promcb_view_word promcb_view_rate(uint64_t calls, double seconds)
{
	struct promcb_view_word word;
	double rate = seconds > 0 ? (double)calls / seconds : 0;
	size_t power = 0;

	if (!(seconds > 0)) {
		strcpy(word.text, "-");
	} else if (calls == 0) {
		strcpy(word.text, "0.0");
	} else if (rate < 0.05) {
		strcpy(word.text, "<0.1");
	} else if (rate < 99999.95) {
		snprintf(word.text, sizeof(word.text), "%.1f", rate);
	} else {
		for (rate /= 1000; rate >= 999.5 && power + 2 < sizeof(powers); power++)
			rate /= 1000;
		snprintf(word.text, sizeof(word.text), "%.*f%c",
			 rate < 9.995   ? 2
			 : rate < 99.95 ? 1
					: 0,
			 rate, powers[power]);
	}
	return word;
}

struct promcb_view_word promcb_view_count(uint64_t count)
{
	struct promcb_view_word word;
	uint64_t tenths = count / 100;
	size_t power = 0;

	if (count < 10000000) {
		snprintf(word.text, sizeof(word.text), "%llu", (unsigned long long)count);
		return word;
	}
	for (; tenths >= 10000; power++)
		tenths /= 1000;
	snprintf(word.text, sizeof(word.text), "%llu.%llu%c", (unsigned long long)(tenths / 10),
		 (unsigned long long)(tenths % 10), powers[power]);
	return word;
}

struct promcb_view_word promcb_view_grouped(uint64_t count)
{
	struct promcb_view_word word;
	char digits[24], *out = word.text;
	int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return word;
}

struct promcb_view_word promcb_view_age(uint64_t ns)
{
	static const struct {
		uint64_t below, unit;
		const char *name;
	} units[] = {{120, 1, "s"}, {7200, 60, "min"}, {172800, 3600, "h"}, {UINT64_MAX, 86400, "d"}};
	uint64_t seconds = ns / 1000000000;
	struct promcb_view_word word;
	size_t i = 0;

	while (seconds >= units[i].below)
		i++;
	snprintf(word.text, sizeof(word.text), "%llu %s", (unsigned long long)(seconds / units[i].unit), units[i].name);
	return word;
}

struct promcb_view_word promcb_view_bytes(uint64_t bytes)
{
	static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	struct promcb_view_word word;
	uint64_t scale = 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(word.text, sizeof(word.text), "%llu B", (unsigned long long)bytes);
		return word;
	}
	for (; bytes / scale >= 1000 && i < 5; i++)
		scale *= 1024;
	/* Tenths, rounded down. */
	snprintf(word.text, sizeof(word.text), "%llu.%llu %s", (unsigned long long)(bytes / scale),
		 (unsigned long long)(bytes % scale / (scale / 1024) * 10 / 1024), names[i]);
	return word;
}

/* SPDX-License-Identifier: MIT */
#include "model/metrics.h"

#include "base/name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 65536 };

struct promcb_text_block {
	struct promcb_text_block *next;
	size_t used, size;
	double bytes[];                 /* aligned */
};

void *promcb_metrics_memory(struct promcb_metrics *metrics, size_t bytes)
{
	struct promcb_text_block *block = metrics->text;
	size_t needed = (bytes + sizeof(double) - 1) / sizeof(double) * sizeof(double);
	void *memory;

	if (!block || block->size - block->used < needed) {
		size_t size = needed > BLOCK_BYTES ? needed : BLOCK_BYTES;

		block = malloc(sizeof(*block) + size);
		if (!block)
			return NULL;
		*block = (struct promcb_text_block){.next = metrics->text, .size = size};
		metrics->text = block;
	}
	memory = (char *)block->bytes + block->used;
	block->used += needed;
	return memory;
}

void promcb_metrics_free(struct promcb_metrics *metrics)
{
	if (!metrics)
		return;
	while (metrics->text) {
		struct promcb_text_block *next = metrics->text->next;

		free(metrics->text);
		metrics->text = next;
	}
	free(metrics->families);
	free(metrics->series);
	free(metrics->cells);
	free(metrics->breakers);
	free(metrics);
}

static int compare_families(const void *left, const void *right)
{
	const struct promcb_snapshot_family *one = left, *other = right;
	const char *a = one->label_names, *b = other->label_names;
	uint32_t labels = one->labels < other->labels ? one->labels : other->labels;
	int order = strcmp(one->name, other->name);

	for (uint32_t i = 0; order == 0 && i < labels; i++, a = promcb_text_next(a), b = promcb_text_next(b))
		order = strcmp(a, b);
	if (order == 0)
		order = one->labels < other->labels ? -1 : one->labels > other->labels;
	/* first is the number that the family had before. */
	return order ? order : one->first < other->first ? -1 : 1;
}

static int compare_breakers(const void *left, const void *right)
{
	const struct promcb_breaker_summary *one = left, *other = right;

	return strcmp(one->component, other->component);
}

int promcb_metrics_sort(struct promcb_metrics *metrics)
{
	size_t *place = calloc(metrics->family_count + 1, sizeof(*place));
	struct promcb_snapshot_series *sorted = malloc((metrics->series_count + 1) * sizeof(*sorted));
	size_t before = 0;

	if (!place || !sorted) {
		free(place);
		free(sorted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < metrics->family_count; i++)
		metrics->families[i].first = i;
	if (metrics->breaker_count)
		qsort(metrics->breakers, metrics->breaker_count, sizeof(*metrics->breakers), compare_breakers);
	if (metrics->family_count)
		qsort(metrics->families, metrics->family_count, sizeof(*metrics->families), compare_families);
	for (size_t i = 0; i < metrics->family_count; i++) {
		place[metrics->families[i].first] = i;
		metrics->families[i].count = 0;
	}
	for (size_t i = 0; i < metrics->series_count; i++)
		if (metrics->series[i].family < metrics->family_count)
			metrics->families[place[metrics->series[i].family]].count++;
	for (size_t i = 0; i < metrics->family_count; i++) {
		metrics->families[i].first = before;
		before += metrics->families[i].count;
		metrics->families[i].count = 0;
	}
	for (size_t i = 0; i < metrics->series_count; i++) {
		if (metrics->series[i].family >= metrics->family_count)
			continue;
		size_t number = place[metrics->series[i].family];
		struct promcb_snapshot_family *family = &metrics->families[number];

		sorted[family->first + family->count] = metrics->series[i];
		sorted[family->first + family->count++].family = (uint32_t)number;
	}
	free(metrics->series);
	free(place);
	metrics->series = sorted;
	metrics->series_count = before;
	return 0;
}

void promcb_metrics_match(struct promcb_metrics *metrics, const char *matching)
{
	size_t families = 0, series_count = 0, breakers = 0;

	for (size_t i = 0; i < metrics->family_count; i++) {
		struct promcb_snapshot_family family = metrics->families[i];

		if (!promcb_name_matches(family.name, matching))
			continue;
		for (size_t j = 0; j < family.count; j++) {
			metrics->series[series_count + j] = metrics->series[family.first + j];
			metrics->series[series_count + j].family = (uint32_t)families;
		}
		family.first = series_count;
		series_count += family.count;
		metrics->families[families++] = family;
	}
	for (size_t i = 0; i < metrics->breaker_count; i++)
		if (promcb_name_matches(metrics->breakers[i].component, matching))
			metrics->breakers[breakers++] = metrics->breakers[i];
	metrics->family_count = families;
	metrics->series_count = series_count;
	metrics->breaker_count = breakers;
}

/*
 * number / 10^decimals, rounded once, so that it is the double that the digits of the text formats read as. From 2^53
 * on, the whole and the fraction are added: then the fraction's own rounding is far from what could decide, see
 * promcb_seconds_double(); or, where the whole is no double itself, that there is a fraction counts as half a bit.
 */
static double decimal(uint64_t number, uint32_t decimals)
{
	static const uint64_t units[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
	const uint64_t exact = (uint64_t)1 << 53;
	uint64_t whole = number / units[decimals], rest = number % units[decimals];

	if (number < exact || decimals == 0)
		return (double)number / (double)units[decimals];
	if (whole < exact)
		return (double)whole + (double)rest / (double)units[decimals];
	return (double)(2 * whole + (rest != 0)) / 2;
}

double promcb_metrics_number(const struct promcb_snapshot_family *family, uint64_t cell)
{
	if (family->is_double || family->type == PROMCB_GAUGE)
		return promcb_cell_double(cell);
	if (family->type == PROMCB_LEVEL && cell >> 63)
		return -decimal(0 - cell, family->decimals);
	return decimal(cell, family->decimals);
}

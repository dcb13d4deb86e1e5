/* SPDX-License-Identifier: MIT */
/* cache.c: a cache whose whole /metrics are promcb's. Usage: cache [LOOKUPS]; promcb-export shows them. */
#include <promcb/metric.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 256, KEYS = 1000, BYTES_MAX = 16384 };
enum result { HIT, MISS };

static struct entry {
	unsigned key;
	size_t bytes;
	void *value;
} entries[SLOTS];

static struct promcb_counter *lookups, *evicted;
static struct promcb_gauge *held_bytes;
static struct promcb_histogram *entry_bytes;

static struct promcb_metric_family *declare(struct promcb_family_spec spec)
{
	struct promcb_metric_family *family;

	promcb_family_register(promcb_default(), &spec, &family);
	return family;
}

static void *look_up(unsigned key)
{
	struct entry *entry = &entries[key % SLOTS];

	if (entry->value && entry->key == key) {
		promcb_counter_add_at(lookups, HIT, 1);
		return entry->value;
	}
	promcb_counter_add_at(lookups, MISS, 1);
	if (entry->value) {
		promcb_counter_add(evicted, 1);
		promcb_gauge_add(held_bytes, -(double)entry->bytes);
		free(entry->value);
	}
	entry->key = key;
	entry->bytes = 64 + (size_t)rand() % (BYTES_MAX - 64);
	entry->value = malloc(entry->bytes);
	promcb_gauge_add(held_bytes, (double)entry->bytes);
	promcb_histogram_observe(entry_bytes, entry->bytes);
	return entry->value ? memset(entry->value, 0, entry->bytes) : NULL;
}

int main(int argc, char **argv)
{
	promcb_counter_with(declare((struct promcb_family_spec){
				    .name = "cache_lookups_total",
				    .help = "Look-ups, by what they found.",
				    .type = PROMCB_COUNTER,
				    .enumerated_label = "result",
				    .enumerated = (const char *const[]){[HIT] = "hit", [MISS] = "miss", NULL}}),
			    NULL, &lookups);
	promcb_counter_with(
		declare((struct promcb_family_spec){.name = "cache_evictions_total", .type = PROMCB_COUNTER}), NULL,
		&evicted);
	promcb_gauge_with(
		declare((struct promcb_family_spec){.name = "cache_bytes", .unit = "bytes", .type = PROMCB_GAUGE}),
		NULL, &held_bytes);
	promcb_histogram_with(declare((struct promcb_family_spec){.name = "cache_entry_bytes",
								  .unit = "bytes",
								  .type = PROMCB_HISTOGRAM,
								  .smallest = 64,
								  .largest = BYTES_MAX,
								  .buckets_per_octave = 2}),
			      NULL, &entry_bytes);
	for (int left = argc > 1 ? atoi(argv[1]) : 100000; left > 0; left--)
		look_up((unsigned)rand() % KEYS);
	return 0;
}

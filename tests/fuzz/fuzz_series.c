/* SPDX-License-Identifier: MIT */
/*
 * fuzz_series.c: a producer registers families and series in a segment whose words of metrics are anything. It stores
 * nowhere but in chunks of parts, does not crash, and ends.
 *
 * May include: fuzz.h, world.h, family.h, open.h. An input is a list of steps, 8 bytes each: what is done, a choice, 16
 * bits that say where or which, 32 bits of value. The segment is made once, with families and series in it, and is
 * brought back to that before each input.
 */
#include "fuzz.h"
#include "world.h"

#include "record/family.h"
#include "record/open.h"

#include <promcb/admin.h>

#include <unistd.h>

enum { STEP_BYTES = 8, STEPS_MAX = 200, FAMILIES = 4, SERIES = 40, STEP_NS = 50000, PLACES_MAX = 256 };

static struct promcb_session *p;
static struct promcb_lane_lease lease;
static union promcb_family_image images[FAMILIES];
static uint32_t families[FAMILIES], places[PLACES_MAX], place_count;
static uint8_t *good;           /* the file as it was made */
static uint64_t good_bytes;

static const struct promcb_family_spec specs[FAMILIES] = {
	{.name = "hits_total", .type = PROMCB_COUNTER, .labels = (const char *const[]){"who", NULL}},
	{.name = "wait", .type = PROMCB_HISTOGRAM, .labels = (const char *const[]){"who", NULL}, .series_max = SERIES},
	{.name = "kinds_total",
	 .type = PROMCB_COUNTER,
	 .labels = (const char *const[]){"who", NULL},
	 .enumerated_label = "kind",
	 .enumerated = (const char *const[]){"a", "b", "c", NULL}},
	{.name = "hits", .type = PROMCB_GAUGE}, /* in the way of the first */
};

static void keep_place(uint32_t place)
{
	if (place && place_count < PLACES_MAX)
		places[place_count++] = place;
}

static struct promcb_series_found add_series(uint32_t family, unsigned key)
{
	static const char spaces[] = "                                                                                ";
	struct promcb_series_found found;
	char value[100];
	const char *values[1] = {value};
	size_t lengths[1];

	snprintf(value, sizeof(value), "%u%.*s", key, (int)(key % 80), spaces);
	lengths[0] = strlen(value);
	promcb_series_find_or_add(p->segment, &lease, family, values, lengths, 1, &found);
	return found;
}

static void make_segment(void)
{
	char path[64];
	struct promcb_options options = {.max_bytes = 3 << 20, .components = 4, .lanes = 3};

	fuzz_world_begin(STEP_NS);
	snprintf(path, sizeof(path), "/dev/shm/promcb-fuzz-series-%d", (int)getpid());
	unlink(path);
	FUZZ_REQUIRE(promcb_open(path, &options, &p) == 0, "open %s", path);
	unlink(path);
	FUZZ_REQUIRE(promcb_lane_take(p->segment, &lease) == 0, "lane");
	for (unsigned i = 0; i < FAMILIES; i++) {
		FUZZ_REQUIRE(promcb_family_make(&specs[i], &images[i], NULL) == 0, "family %u", i);
		promcb_family_find_or_add(p->segment, &lease, &images[i], &families[i], NULL);
		keep_place(families[i]);
		for (unsigned key = 0; families[i] && key < SERIES / 2; key++)
			keep_place(add_series(families[i], key).place);
	}
	const struct promcb_metrics_root *root = promcb_segment_root(p->segment);

	FUZZ_REQUIRE(root && families[0] && !families[FAMILIES - 1], "families");
	keep_place((uint32_t)promcb_segment_header(p->segment)->metrics);
	for (unsigned page = 0; page < PROMCB_TABLE_PAGES; page++)
		keep_place(root->tables[page]);
	good_bytes = p->segment->geometry.chunks_off + 8 * p->segment->geometry.chunk_bytes;
	FUZZ_REQUIRE(p->segment->geometry.chunks >= 8, "chunks");
	good = malloc(good_bytes);
	FUZZ_REQUIRE(good && ftruncate(p->segment->data_fd, (off_t)good_bytes) == 0, "memory");
	memcpy(good, p->segment->base, good_bytes);
}

static void begin(void)
{
	fuzz_world_begin(STEP_NS);
	memcpy(p->segment->base, good, good_bytes);
	p->segment->chunks_from = p->segment->parts_from = 0;
	p->segment->no_space_until_ns = 0;
	lease = (struct promcb_lane_lease){.segment = p->segment, .lane = lease.lane};
}

/* -- Changes ------------------------------------------------------------------------------------------------------- */

static uint64_t value_of(uint8_t choice, uint32_t raw)
{
	switch (choice >> 4) {
	case 0:
		return raw & 0xff;
	case 1:
	case 2:
		return places[raw % place_count] + (raw >> 16 & 1);
	case 3:
	case 4:
		return promcb_chunk_word(raw & 3, raw >> 2 & 0xfff, (raw >> 14) % 7);
	case 5:
		return promcb_piece_head(raw & 7, raw >> 3 & 0x7f, raw >> 10 & 0x7fff, raw >> 25);
	case 6:
		return (uint64_t)1 << raw % 64;
	case 7:
		return UINT64_MAX - (raw & 3);
	default:
		return (uint64_t)raw << (choice & 32) | raw;
	}
}

static void store(uint64_t off, uint64_t value, bool is_wide)
{
	if (off + sizeof(value) <= good_bytes)
		memcpy(p->segment->base + off / 4 * 4, &value, is_wide ? 8 : 4);
}

static void change(uint8_t choice, uint16_t where, uint32_t raw)
{
	const struct promcb_geometry *g = &p->segment->geometry;
	uint64_t value = value_of(choice, raw), place = places[where % place_count];
	uint64_t chunk = promcb_place_chunk(g, (uint32_t)place), piece = promcb_place_off(g, (uint32_t)place);

	switch (choice & 7) {
	case 0:
		store(offsetof(struct promcb_header, metrics), value, true);
		break;
	case 1:
		/* But for the chunk of blocks, which others' stores are none of. */
		store(g->chunk_table_off + (1 + where % 7) * 4, value, false);
		break;
	case 2:
		store(promcb_chunk_off(g, (uint32_t)chunk) + where % promcb_parts_per_chunk(g) * 4, value, false);
		break;
	case 3:
		store(piece, value, true);
		break;
	case 4:
	case 5:
		store(piece + (where >> 4) % 128 * 4, value, choice & 8);
		break;
	case 6:
		store(piece + (where >> 4) % 1024 * 4, value, choice & 8);
		break;
	default:
		store(g->lanes_off + where % (g->lanes + PROMCB_SPECIAL_LANES) * sizeof(struct promcb_lane) +
			      offsetof(struct promcb_lane, copy) + (where >> 8 & 1) * 4,
		      value, false);
	}
}

/* What no registration of metrics writes: the header but for their words there, what components have, their blocks. */
static void check_others(void)
{
	const struct promcb_geometry *g = &p->segment->geometry;
	const struct {
		uint64_t begin, end;
	} areas[] = {
		{0, offsetof(struct promcb_header, format_minor)},
		{offsetof(struct promcb_header, abi), offsetof(struct promcb_header, metrics)},
		{offsetof(struct promcb_header, reserved), offsetof(struct promcb_header, families_rejected)},
		{g->claims_off, g->chunks_off + g->chunk_bytes},
	};

	for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
		FUZZ_REQUIRE(memcmp(p->segment->base + areas[i].begin, good + areas[i].begin,
				    areas[i].end - areas[i].begin) == 0,
			     "area %zu is as it was", i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!p)
		make_segment();
	begin();
	for (size_t at = 0; at + STEP_BYTES <= size && at < STEPS_MAX * STEP_BYTES; at += STEP_BYTES) {
		uint8_t step = data[at] & 15, choice = data[at + 1];
		struct promcb_series_found found;
		uint16_t where;
		uint32_t raw, family;

		memcpy(&where, data + at + 2, sizeof(where));
		memcpy(&raw, data + at + 4, sizeof(raw));
		family = choice & 128 ? places[where % place_count] : families[where % (FAMILIES - 1)];
		if (step < 8) {
			change(choice, where, raw);
		} else if (step < 12) {
			found = add_series(family, raw % (2 * SERIES));
			FUZZ_REQUIRE(!found.place ||
					     (found.cell && found.width && found.width <= PROMCB_WIDTH_MAX &&
					      found.cell + found.width <= PROMCB_STRETCHES * PROMCB_STRETCH_CELLS),
				     "cells %u and %u", found.cell, found.width);
		} else if (step < 14) {
			promcb_family_find_or_add(p->segment, &lease, &images[where % FAMILIES], &family, NULL);
		} else {
			/* Another owner of the lane. */
			lease = (struct promcb_lane_lease){.segment = p->segment, .lane = lease.lane};
			promcb_part_settle(&lease);
		}
	}
	check_others();
	return 0;
}

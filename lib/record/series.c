/* SPDX-License-Identifier: MIT */
#include "record/series.h"

#include "base/clock.h"
#include "base/name.h"
#include "format/keys.h"
#include "record/row.h"

#include <promcb/inject.h>

#include <errno.h>

/* A key loses each slot of its way at most once, and finds each of its pages missing at most once. */
enum { ROUNDS_MAX = PROMCB_TABLE_STEPS + 2 * PROMCB_TABLE_STAGES, CAP_ROUNDS_MAX = 1000 };

struct key {
	struct promcb_segment *segment;
	struct promcb_family_record *family;
	uint32_t family_place;
	uint32_t count;
	const char *const *values;
	const size_t *lengths;
	uint64_t hash;
};

/* Puts a key together; without its values yet. Returns false if there is no such family. */
static bool begin_key(struct key *key, struct promcb_segment *segment, uint32_t family_place)
{
	struct promcb_family_record *family = promcb_segment_piece(segment, family_place, PROMCB_PIECE_FAMILY, 0);

	*key = (struct key){.segment = segment, .family = family, .family_place = family_place};
	if (!family || promcb_segment_piece_bytes(family_place, family) < sizeof(*family) || family->width == 0 ||
	    family->width > PROMCB_WIDTH_MAX || family->labels > PROMCB_RECORD_LABELS_MAX)
		return false;
	key->count = family->labels;
	if (key->count && family->flags & PROMCB_FAMILY_ENUMERATED)
		key->count--;
	return true;
}

static void add_values(struct key *key, const char *const *values, const size_t *lengths)
{
	const uint64_t *identity = key->segment->identity;

	key->values = values;
	key->lengths = lengths;
	key->hash = promcb_series_hash(identity, key->family_place);
	for (uint32_t i = 0; i < key->count; i++)
		key->hash = promcb_series_hash_with(identity, key->hash, values[i], lengths[i]);
}

/* Values of no enumerated label, against the rules or not. */
static bool values_are_sound(const struct key *key)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < key->count; i++) {
		bytes += key->lengths[i];
		if (key->lengths[i] > PROMCB_LABEL_VALUE_MAX || bytes > PROMCB_SERIES_VALUES_MAX ||
		    memchr(key->values[i], 0, key->lengths[i]) || !promcb_name_is_utf8(key->values[i], key->lengths[i]))
			return false;
	}
	return true;
}

static bool is_series(void *context, uint32_t place)
{
	const struct key *key = context;
	const struct promcb_series_record *series = promcb_segment_piece(key->segment, place, PROMCB_PIECE_SERIES, 0);
	size_t left = series ? promcb_segment_piece_bytes(place, series) : 0;
	const uint8_t *bytes;

	if (left < sizeof(*series) || promcb_load32_relaxed(&series->family) != key->family_place)
		return false;
	bytes = (const uint8_t *)(series + 1);
	left -= sizeof(*series);

	for (uint32_t i = 0; i < key->count; i++) {
		uint16_t length;

		if (left < sizeof(length))
			return false;
		memcpy(&length, bytes, sizeof(length));
		bytes += sizeof(length);
		left -= sizeof(length);
		if (length != key->lengths[i] || left < length || memcmp(bytes, key->values[i], length) != 0)
			return false;
		bytes += length;
		left -= length;
	}
	return true;
}

/* Tells of the series at the place. Returns false if its cells are none. */
static bool tell(const struct key *key, uint32_t place, struct promcb_series_found *found)
{
	const struct promcb_series_record *series = promcb_segment_piece(key->segment, place, PROMCB_PIECE_SERIES, 0);
	uint32_t cell = series ? promcb_load32_relaxed(&series->cell) : 0, width = key->family->width;

	*found = (struct promcb_series_found){.place = 0};
	if (cell == 0 || cell >= PROMCB_STRETCHES * PROMCB_STRETCH_CELLS || promcb_cells_from(cell, width) != cell ||
	    promcb_cells_end(cell, width) > PROMCB_STRETCHES * PROMCB_STRETCH_CELLS)
		return false;
	*found = (struct promcb_series_found){
		.place = place,
		.cell = cell,
		.width = width,
		.is_overflow = promcb_load32_relaxed(&key->family->overflow) == place,
		.is_hidden = (promcb_load_relaxed(&series->life) & PROMCB_LIFE_HIDDEN) != 0,
	};
	return true;
}

bool promcb_series_find(struct promcb_segment *segment, uint32_t family, const char *const *values,
			const size_t *lengths, uint32_t count, struct promcb_series_found *found)
{
	struct key key;

	*found = (struct promcb_series_found){.place = 0};
	if (!begin_key(&key, segment, family) || key.count != count)
		return false;
	add_values(&key, values, lengths);
	uint32_t place = promcb_table_find(segment, key.hash, is_series, &key, NULL);

	return place && tell(&key, place, found);
}

/* -- Registration -------------------------------------------------------------------------------------------------- */

static bool is_full(const struct key *key)
{
	return promcb_load_relaxed(&key->family->series) >= key->family->series_max;
}

/* Takes a place below the cap. Returns false if there is none. */
static bool take_place(const struct key *key)
{
	for (uint32_t round = 0; round < CAP_ROUNDS_MAX && !is_full(key); round++) {
		uint64_t count = promcb_load_relaxed(&key->family->series);

		/* [PIECE] one of the steps before the record is led to. [LIFE] or before it is listed again. */
		if (count < key->family->series_max && promcb_cas_acq_rel(&key->family->series, count, count + 1)) {
			PROMCB_INJECT("series: place taken");
			return true;
		}
	}
	return false;
}

/*
 * The series at the place is wanted: if it was removed, it is listed again, with a place below the cap. Returns 0, or
 * -EDQUOT: that is reached.
 */
static int revive(const struct key *key, uint32_t place)
{
	struct promcb_series_record *series = promcb_segment_piece(key->segment, place, PROMCB_PIECE_SERIES, 0);
	bool needs_place = promcb_load32_relaxed(&key->family->overflow) != place, has_place = false;
	int result = 0;

	while (series) {
		/* [LIFE] acquire: the life before the cells, which its handle counts in. */
		uint64_t life = promcb_load_acquire(&series->life);

		if (!(life & PROMCB_LIFE_HIDDEN))
			break;
		if (needs_place && !has_place && !take_place(key)) {
			result = -EDQUOT;
			break;
		}
		has_place = needs_place;
		/* [LIFE] in one step listed, and with its place. */
		if (promcb_cas_acq_rel(&series->life, life,
				       (life & ~PROMCB_LIFE_HIDDEN) | (has_place ? PROMCB_LIFE_PLACED : 0))) {
			PROMCB_INJECT("series: listed again");
			return 0;
		}
	}
	/* Somebody was faster. */
	if (has_place)
		promcb_add_relaxed(&key->family->series, UINT64_MAX);
	return result;
}

static uint32_t carve_record(const struct key *key, struct promcb_lane_lease *lease, uint32_t cell)
{
	size_t bytes = sizeof(struct promcb_series_record);
	struct promcb_series_record *series;
	uint32_t place;
	uint8_t *out;

	for (uint32_t i = 0; i < key->count; i++)
		bytes += sizeof(uint16_t) + key->lengths[i];
	place = promcb_part_carve(lease, PROMCB_PIECE_SERIES,
				  (uint32_t)((bytes + PROMCB_LINE_BYTES - 1) / PROMCB_LINE_BYTES), 0, 0);
	series = promcb_segment_piece(key->segment, place, PROMCB_PIECE_SERIES, 0);
	if (!series)
		return 0;
	series->hash = key->hash;
	series->created_realtime_ns = promcb_clock_realtime_ns();
	series->family = key->family_place;
	series->cell = cell;
	out = (uint8_t *)(series + 1);
	for (uint32_t i = 0; i < key->count; i++) {
		uint16_t length = (uint16_t)key->lengths[i];

		memcpy(out, &length, sizeof(length));
		memcpy(out + sizeof(length), key->values[i], length);
		out += sizeof(length) + length;
	}
	PROMCB_INJECT("series: filled");
	return place;
}

/* Tells of a series that is there. Returns 0, -ENOSPC, or -EDQUOT. */
static int tell_of_wanted(const struct key *key, uint32_t place, struct promcb_series_found *found)
{
	int result = revive(key, place);

	if (result < 0)
		return result;
	return tell(key, place, found) ? 0 : -ENOSPC;
}

/*
 * Adds the series. capped: below the family's cap. Returns 0, -ENOSPC, or -EDQUOT: that is reached. What is made on the
 * way, pages and rows, is counted before the record is carved: no other piece is carved between carve and commit.
 */
static int add(struct key *key, struct promcb_lane_lease *lease, bool capped, struct promcb_series_found *found)
{
	struct promcb_segment *segment = key->segment;
	struct promcb_metrics_root *root = promcb_segment_root(segment);
	uint32_t place, cell, width = key->family->width;
	struct promcb_series_record *series;
	struct promcb_table_end end;

	for (uint32_t round = 0; root && round < ROUNDS_MAX; round++) {
		place = promcb_table_find(segment, key->hash, is_series, key, &end);
		if (place)
			return tell_of_wanted(key, place, found);
		if (!end.slot) {
			if (promcb_table_grow(lease, &end) < 0)
				return -ENOSPC;
			continue;
		}
		if (capped && is_full(key))
			return -EDQUOT;
		cell = promcb_table_cells(lease, width);
		if (!cell || !promcb_row_reserve_shared(segment, lease, cell, width))
			return -ENOSPC;
		place = carve_record(key, lease, cell);
		if (!place)
			return -ENOSPC;
		series = promcb_segment_piece(segment, place, PROMCB_PIECE_SERIES, 0);
		if (capped && !take_place(key))
			return -EDQUOT;
		if (capped)
			promcb_store_relaxed(&series->life, PROMCB_LIFE_PLACED);
		PROMCB_INJECT("series: place told");
		if (promcb_table_put(&end, key->hash, place)) {
			promcb_part_count_cells(lease, root, promcb_cells_end(cell, width));
			PROMCB_INJECT("series: cells counted");
			promcb_part_commit(lease, place);
			return tell(key, place, found) ? 0 : -ENOSPC;
		}
		promcb_part_give_up(lease, place);
	}
	return -ENOSPC;
}

static int add_in_lane(struct key *key, struct promcb_lane_lease *lease, bool capped, struct promcb_series_found *found)
{
	struct promcb_lane_lease registrar;
	int result = promcb_part_enter(key->segment, &lease, &registrar);

	if (result < 0)
		return result;
	result = add(key, lease, capped, found);
	promcb_part_leave(&registrar);
	/* The registrar's lane may have room where the thread's finds none: cells are kept for it. */
	if (result == -ENOSPC && lease != &registrar) {
		lease = NULL;
		if (promcb_part_enter(key->segment, &lease, &registrar) == 0)
			result = add(key, lease, capped, found);
		promcb_part_leave(&registrar);
	}
	return result;
}

int promcb_series_find_or_add(struct promcb_segment *segment, struct promcb_lane_lease *lease, uint32_t family,
			      const char *const *values, const size_t *lengths, uint32_t count,
			      struct promcb_series_found *found)
{
	struct key key;
	uint32_t overflow;
	int result = -EINVAL;

	*found = (struct promcb_series_found){.place = 0};
	if (!begin_key(&key, segment, family) || key.count != count)
		return -EINVAL;
	key.values = values;
	key.lengths = lengths;
	if (values_are_sound(&key)) {
		add_values(&key, values, lengths);
		uint32_t place = promcb_table_find(segment, key.hash, is_series, &key, NULL);

		if (place)
			result = tell_of_wanted(&key, place, found);
		else
			result = is_full(&key) ? -EDQUOT : add_in_lane(&key, lease, true, found);
	}
	if (result == 0)
		return 0;
	overflow = promcb_load32_acquire(&key.family->overflow); /* [PIECE] the place before the series. */
	if (overflow && tell(&key, overflow, found))
		promcb_add_relaxed(&key.family->refused, 1);
	if (result != -EBUSY)
		promcb_add_relaxed(&promcb_segment_header(segment)->series_rejected, 1);
	return result == -EDQUOT ? -ENOSPC : result;
}

int promcb_series_add_overflow(struct promcb_segment *segment, struct promcb_lane_lease *lease, uint32_t family)
{
	const char *values[PROMCB_RECORD_LABELS_MAX];
	size_t lengths[PROMCB_RECORD_LABELS_MAX];
	struct promcb_series_found found;
	struct key key;
	uint32_t place;
	int result = 0;

	if (!begin_key(&key, segment, family))
		return -ENOSPC;
	if (key.count == 0 || promcb_load32_relaxed(&key.family->overflow))
		return 0;
	for (uint32_t i = 0; i < key.count; i++) {
		values[i] = PROMCB_OVERFLOW_VALUE;
		lengths[i] = strlen(PROMCB_OVERFLOW_VALUE);
	}
	add_values(&key, values, lengths);
	place = promcb_table_find(segment, key.hash, is_series, &key, NULL);
	if (!place) {
		result = add_in_lane(&key, lease, false, &found);
		place = found.place;
	}
	if (result == 0) {
		PROMCB_INJECT("series: overflow made");
		/* [PIECE] release: the series before its place. Whoever makes it finds the same. */
		promcb_store32_release(&key.family->overflow, place);
	}
	return result;
}

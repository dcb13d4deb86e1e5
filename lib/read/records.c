/* SPDX-License-Identifier: MIT */
#include "read/records.h"

#include "read/family_record.h"

#include <errno.h>
#include <stdlib.h>

/* How many records are read between two looks at the clock. */
enum { LATE_STEP = 64, CELLS_MAX = PROMCB_STRETCHES * PROMCB_STRETCH_CELLS };

/* A family, by its place. */
struct entry {
	uint32_t place;                 /* 0: none */
	uint32_t number;                /* in the metrics; UINT32_MAX: it is passed over */
	uint32_t overflow;              /* the place of its series of what is too many */
};

struct reading {
	struct promcb_records *records;
	struct promcb_metrics *metrics;
	struct promcb_pieces *pieces;
	uint32_t *places;               /* of records */
	size_t place_count, place_room;
	struct entry *entries;          /* a table, open addressing, at most half full */
	size_t entry_room;              /* a power of two */
	struct promcb_record_copy record;
	uint8_t buffer[PROMCB_PART_BYTES] __attribute__((aligned(PROMCB_LINE_BYTES)));
};

static int corrupt(const struct reading *r, const char *what, uint64_t number)
{
	return promcb_pieces_corrupt(r->pieces, what, number);
}

static int look_at_clock(const struct reading *r, size_t done)
{
	return done % LATE_STEP == 0 && promcb_source_is_late(r->pieces->source)
		       ? promcb_source_too_late(r->pieces->source, r->pieces->message)
		       : 0;
}

uint64_t promcb_records_removals(struct promcb_pieces *pieces)
{
	uint64_t copy;
	const uint64_t *word =
		promcb_source_view(pieces->source, offsetof(struct promcb_header, removals), sizeof(copy), &copy);

	/* [LIFE] acquire: that lives change before any of them. */
	return word ? promcb_load_acquire(word) : 1;
}

/* -- The root and the tables --------------------------------------------------------------------------------------- */

static int read_root(struct reading *r)
{
	const struct promcb_piece_wanted wanted = {
		.kind = PROMCB_PIECE_ROOT, .lines = PROMCB_PART_LINES, .lane = UINT32_MAX};
	uint64_t copy;
	const uint64_t *word =
		promcb_source_view(r->pieces->source, offsetof(struct promcb_header, metrics), sizeof(copy), &copy);
	/* [PIECE] acquire: the place before the root. */
	uint64_t place = word ? promcb_load_acquire(word) : 0;
	const uint32_t *from;

	if (place == 0)
		return 0;
	from = place <= UINT32_MAX ? promcb_pieces_view(r->pieces, (uint32_t)place, &wanted, r->buffer, NULL) : NULL;
	if (!from)
		return corrupt(r, "the root of its families is none", place);
	uint32_t *to = (uint32_t *)&r->records->root;

	r->records->root_place = (uint32_t)place;

	for (size_t i = 0; i < sizeof(r->records->root) / sizeof(*to); i++)
		/* [PIECE] acquire: places before what they lead to. */
		to[i] = promcb_load32_acquire(&from[i]);
	return 1;
}

static int add_place(struct reading *r, uint32_t place)
{
	if (r->place_count == r->place_room) {
		size_t room = r->place_room ? 2 * r->place_room : 4 * PROMCB_TABLE_WORDS;
		uint32_t *more = realloc(r->places, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		r->places = more;
		r->place_room = room;
	}
	r->places[r->place_count++] = place;
	return 0;
}

static int read_tables(struct reading *r)
{
	const struct promcb_piece_wanted wanted = {
		.kind = PROMCB_PIECE_TABLE, .lines = PROMCB_PART_LINES, .lane = UINT32_MAX};
	int result = 0;

	for (uint32_t page = 0; page < PROMCB_TABLE_PAGES && result == 0; page++) {
		uint32_t place = r->records->root.tables[page];
		const uint64_t *words;

		if (place == 0)
			continue;
		words = promcb_pieces_view(r->pieces, place, &wanted, r->buffer, NULL);
		if (!words)
			return corrupt(r, "a page of the table of series is none", place);
		result = look_at_clock(r, 0);
		for (uint32_t slot = 1; slot < PROMCB_TABLE_WORDS && result == 0; slot++) {
			/* [PIECE] acquire: the word before the record that it leads to. */
			uint64_t word = promcb_load_acquire(&words[slot]);

			if (word)
				result = add_place(r, promcb_slot_place(word));
		}
	}
	return result;
}

/* -- Records ------------------------------------------------------------------------------------------------------- */

/* A private copy of a record, since everything in it is looked at more than once. Returns its kind; 0: it is none. */
static uint32_t copy_record(struct reading *r, uint32_t place)
{
	const struct promcb_piece_wanted wanted = {.lane = UINT32_MAX};
	uint32_t lines;
	const uint64_t *from = promcb_pieces_view(r->pieces, place, &wanted, r->buffer, &lines);
	uint64_t *to = (uint64_t *)r->record.bytes;

	if (!from)
		return 0;
	r->record.count = (size_t)lines * PROMCB_LINE_BYTES;
	for (size_t i = 0; i < r->record.count / sizeof(*to); i++)
		to[i] = promcb_load_relaxed(&from[i]);
	if (promcb_piece_kind(to[0]) == PROMCB_PIECE_SERIES && r->record.count >= sizeof(r->record.series))
		/* [LIFE] acquire: before any cell of the series, and before the baseline that it subtracts. */
		r->record.series.life = promcb_load_acquire(&((const struct promcb_series_record *)from)->life);
	return promcb_piece_kind(to[0]);
}

/* Where the family at a place stands among the entries, or would. */
static size_t slot_of(const struct reading *r, uint32_t place)
{
	size_t mask = r->entry_room - 1, slot = (place * 2654435761u >> 7) & mask;

	while (r->entries[slot].place && r->entries[slot].place != place)
		slot = (slot + 1) & mask;
	return slot;
}

/* Room for one more family. */
static bool make_room(struct reading *r)
{
	struct promcb_metrics *metrics = r->metrics;
	size_t count = metrics->family_count, room = r->entry_room ? 2 * r->entry_room : 64;
	struct entry *before = r->entries;

	if (2 * (count + 1) <= r->entry_room)
		return true;
	struct promcb_snapshot_family *families = realloc(metrics->families, room / 2 * sizeof(*families));

	if (families)
		metrics->families = families;
	r->entries = calloc(room, sizeof(*r->entries));
	if (!families || !r->entries) {
		free(r->entries);
		r->entries = before;
		return false;
	}
	size_t old = r->entry_room;

	r->entry_room = room;
	for (size_t i = 0; i < old; i++)
		if (before[i].place)
			r->entries[slot_of(r, before[i].place)] = before[i];
	free(before);
	return true;
}

/* The record at hand is a family's. */
static int add_family(struct reading *r, uint32_t place)
{
	size_t count = r->metrics->family_count;
	struct entry entry = {.place = place, .overflow = r->record.family.overflow, .number = (uint32_t)count};

	if (!make_room(r))
		return -ENOMEM;
	if (r->entries[slot_of(r, place)].place)
		return 0;
	if (r->record.count < sizeof(r->record.family) || r->record.family.type <= PROMCB_FAMILY_BREAKERS) {
		if (!promcb_family_take(&r->record, r->metrics, &r->metrics->families[count]))
			return corrupt(r, "a family's record is none", place);
		r->metrics->family_count++;
	} else {
		/* Of a newer minor version: it is passed over, with its series. */
		entry.number = UINT32_MAX;
	}
	r->entries[slot_of(r, place)] = entry;
	return 0;
}

/*
 * The family of a series, which may come before it in the table. It was led to before the series was made, so it can be
 * read. NULL: there is none, or none that is listed; then *result says why.
 */
static const struct entry *find_family(struct reading *r, uint32_t place, int *result)
{
	const struct entry *entry = r->entry_room ? &r->entries[slot_of(r, place)] : NULL;

	if (!entry || !entry->place) {
		struct promcb_record_copy series = r->record;
		uint32_t kind = copy_record(r, place);

		*result = kind == PROMCB_PIECE_FAMILY ? add_family(r, place)
			  : kind > PROMCB_PIECE_ROW   ? 0
						      : corrupt(r, "a series is of no family", place);
		r->record = series;
		if (*result < 0 || kind != PROMCB_PIECE_FAMILY)
			return NULL;
		entry = &r->entries[slot_of(r, place)];
	}
	return entry->number == UINT32_MAX ? NULL : entry;
}

static int add_series(struct reading *r, uint32_t place)
{
	const struct promcb_series_record *record = &r->record.series;
	struct promcb_snapshot_series *series = &r->metrics->series[r->metrics->series_count];
	const struct entry *entry;
	const struct promcb_snapshot_family *family;
	size_t at = sizeof(*record);
	uint32_t word = record->cell % PROMCB_ROW_WORDS;
	int result = 0;

	if (r->record.count < sizeof(*record))
		return corrupt(r, "a series' record is none", place);
	entry = find_family(r, record->family, &result);
	if (!entry)
		return result;
	family = &r->metrics->families[entry->number];
	if (record->cell >= CELLS_MAX || word == 0 ||
	    (family->width < PROMCB_ROW_WORDS ? word + family->width > PROMCB_ROW_WORDS : word != 1) ||
	    record->cell + family->width > CELLS_MAX)
		return corrupt(r, "a series' cells are out of range", place);
	*series = (struct promcb_snapshot_series){.created_ns = promcb_life_began_ns(record->life)
									? promcb_life_began_ns(record->life)
									: record->created_realtime_ns,
						  .cell = record->cell,
						  .family = entry->number,
						  .is_overflow = entry->overflow == place};
	series->values = promcb_record_texts(&r->record, r->metrics, &at, family->labels);
	if (!series->values)
		return corrupt(r, "a series' label values are none", place);
	r->records->lives[r->metrics->series_count] =
		(struct promcb_series_life){(uint32_t)r->metrics->series_count, place, record->life};
	if (r->records->cells < record->cell + family->width)
		r->records->cells = record->cell + family->width;
	r->metrics->series_count++;
	return 0;
}

static int read_records(struct reading *r)
{
	int result = 0;

	r->metrics->series = malloc((r->place_count + 1) * sizeof(*r->metrics->series));
	r->records->lives = malloc((r->place_count + 1) * sizeof(*r->records->lives));
	if (!r->metrics->series || !r->records->lives)
		return -ENOMEM;
	for (size_t i = 0; i < r->place_count && result == 0; i++) {
		uint32_t kind;

		result = look_at_clock(r, i);
		if (result < 0)
			break;
		kind = copy_record(r, r->places[i]);
		if (kind == PROMCB_PIECE_SERIES)
			result = add_series(r, r->places[i]);
		else if (kind == PROMCB_PIECE_FAMILY)
			result = add_family(r, r->places[i]);
		else if (kind <= PROMCB_PIECE_ROW)
			result = corrupt(r, "the table of series leads to what is no record", r->places[i]);
	}
	return result;
}

/* -- Cells --------------------------------------------------------------------------------------------------------- */

static uint8_t use_of(const struct promcb_snapshot_family *family, uint32_t cell)
{
	static const uint8_t live[] = {[PROMCB_SCOPE_SUM] = PROMCB_CELL_LIVE_SUM,
				       [PROMCB_SCOPE_MIN] = PROMCB_CELL_LIVE_LEAST,
				       [PROMCB_SCOPE_MAX] = PROMCB_CELL_LIVE_GREATEST,
				       [PROMCB_SCOPE_SEGMENT] = PROMCB_CELL_SHARED};

	switch (family->type) {
	case PROMCB_COUNTER:
		return family->is_double ? PROMCB_CELL_SUM_OF_DOUBLES : PROMCB_CELL_SUM;
	case PROMCB_HISTOGRAM:
		return family->is_double && cell == family->buckets ? PROMCB_CELL_SUM_OF_DOUBLES : PROMCB_CELL_SUM;
	case PROMCB_GAUGE:
		return live[family->scope];
	case PROMCB_INFO:
		return PROMCB_CELL_LIVE_GREATEST;
	default:
		return PROMCB_CELL_SUM;
	}
}

static bool is_of_breakers(const struct promcb_snapshot_family *family)
{
	return family->type == (enum promcb_metric_type)PROMCB_FAMILY_BREAKERS;
}

/* Which baseline is subtracted from its cells: none from a breaker's, which is not removed. */
static uint8_t subtracted(const struct promcb_snapshot_family *family, uint64_t life)
{
	if (promcb_life_began_ns(life) == 0 || family->type == PROMCB_GAUGE || family->type == PROMCB_INFO ||
	    is_of_breakers(family))
		return 0;
	return promcb_life_baseline(life) ? PROMCB_CELL_SECOND : PROMCB_CELL_BASELINE;
}

/* Whose each cell is, into owners: a series' number + 1. */
static int claim(struct reading *r, uint32_t *owners)
{
	struct promcb_records *records = r->records;

	for (size_t i = 0; i < r->metrics->series_count; i++) {
		const struct promcb_snapshot_series *series = &r->metrics->series[i];
		const struct promcb_snapshot_family *family = &r->metrics->families[series->family];
		uint32_t row = promcb_cell_row(series->cell);
		uint8_t less = subtracted(family, records->lives[i].life);

		records->has_baselines = records->has_baselines || less;
		for (uint32_t cell = 0; cell < family->width; cell++) {
			if (owners[series->cell + cell])
				return corrupt(r, "two series share a cell", series->cell + cell);
			owners[series->cell + cell] = (uint32_t)i + 1;
			records->uses[series->cell + cell] = use_of(family, cell) | less;
			records->mixed[row] |= records->uses[series->cell + cell];
		}
		records->rows[row] = (uint8_t)promcb_rows_together(family->width);
		records->breakers[row] = is_of_breakers(family);
		records->has_breakers |= records->breakers[row];
	}
	return 0;
}

static int make_cells(struct reading *r)
{
	struct promcb_records *records = r->records;
	struct promcb_metrics *metrics = r->metrics;
	/* Up to the end of the last series' rows. */
	uint32_t rows = promcb_cell_row(records->cells) + 1;
	uint32_t *owners = calloc((size_t)rows * PROMCB_ROW_WORDS, sizeof(*owners));
	struct promcb_snapshot_series *sorted = malloc((metrics->series_count + 1) * sizeof(*sorted));
	uint32_t count = 0, *numbers = calloc(metrics->series_count + 1, sizeof(*numbers));
	int result = -ENOMEM;

	records->uses = calloc((size_t)rows * PROMCB_ROW_WORDS, sizeof(*records->uses));
	records->rows = calloc(rows, sizeof(*records->rows));
	records->mixed = calloc(rows, sizeof(*records->mixed));
	records->breakers = calloc(rows, sizeof(*records->breakers));
	metrics->cells = calloc((size_t)rows * PROMCB_ROW_WORDS, sizeof(*metrics->cells));
	if (owners && sorted && numbers && records->uses && records->rows && records->mixed && records->breakers &&
	    metrics->cells)
		result = claim(r, owners);
	for (uint32_t cell = 0; result == 0 && cell < records->cells; cell++)
		if (owners[cell] && metrics->series[owners[cell] - 1].cell == cell) {
			numbers[owners[cell] - 1] = count;
			sorted[count++] = metrics->series[owners[cell] - 1];
		}
	for (size_t i = 0; result == 0 && i < metrics->series_count; i++)
		records->lives[i].series = numbers[i];
	free(owners);
	free(numbers);
	if (result == 0) {
		free(metrics->series);
		metrics->series = sorted;
	} else {
		free(sorted);
	}
	return result;
}

int promcb_records_read(struct promcb_records *records, struct promcb_metrics *metrics, struct promcb_pieces *pieces)
{
	struct reading *r = calloc(1, sizeof(*r));
	int result;

	*records = (struct promcb_records){.cells = 0};
	if (!r)
		return -ENOMEM;
	r->records = records;
	r->metrics = metrics;
	r->pieces = pieces;
	records->removals = promcb_records_removals(pieces);
	result = read_root(r);
	if (result == 1) {
		promcb_pieces_stage(pieces);
		result = read_tables(r);
		promcb_pieces_stage(pieces);
		if (result == 0)
			result = read_records(r);
		promcb_pieces_stage(pieces);
		if (result == 0)
			result = make_cells(r);
		if (result == 0)
			result = 1;
	}
	free(r->places);
	free(r->entries);
	free(r);
	return result;
}

void promcb_records_free(struct promcb_records *records)
{
	free(records->uses);
	free(records->rows);
	free(records->mixed);
	free(records->lives);
	free(records->breakers);
	free(records->kept);
	free(records->holders);
	*records = (struct promcb_records){.cells = 0};
}

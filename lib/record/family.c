/* SPDX-License-Identifier: MIT */
#include "record/family.h"

#include "base/clock.h"
#include "format/keys.h"

#include <promcb/inject.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* As in series.c. */
enum { ROUNDS_MAX = PROMCB_TABLE_STEPS + 2 * PROMCB_TABLE_STAGES, DESCRIPTION_BYTES = 400 };

/* What is looked for, and what was met on the way. */
struct key {
	struct promcb_segment *segment;
	const union promcb_family_image *image;
	struct promcb_family_view view;
	uint64_t hash;
	uint32_t conflict; /* place of a family of that name which excludes this one; 0: none */
};

static bool begin_key(struct key *key, struct promcb_segment *segment, const union promcb_family_image *image)
{
	*key = (struct key){.segment = segment, .image = image};
	if (!promcb_family_view(image, sizeof(*image), &key->view) || key->view.name.length > PROMCB_NAME_MAX)
		return false;
	key->hash = promcb_family_hash(segment->identity, key->view.name.bytes, key->view.name.length);
	return true;
}

/* The family at the place, taken apart. Returns false if there is none. */
static bool view_at(struct promcb_segment *segment, uint32_t place, struct promcb_family_view *view)
{
	const struct promcb_family_record *record = promcb_segment_piece(segment, place, PROMCB_PIECE_FAMILY, 0);

	return record && promcb_family_view(record, promcb_segment_piece_bytes(place, record), view);
}

enum likeness { SAME, OTHER_LABELS, DIFFERENT };

/* Two families whose names differ by their endings at most. */
static enum likeness compare(const struct promcb_family_view *a, const struct promcb_family_view *b)
{
	const struct promcb_family_record *x = a->record, *y = b->record;
	uint8_t of_values = (uint8_t)~PROMCB_FAMILY_ENUMERATED;
	bool same_order = a->label_count == b->label_count;
	uint32_t met = 0;

	if (!promcb_text_is(a->name, b->name) || !promcb_text_is(a->unit, b->unit) || x->type != y->type ||
	    x->scope != y->scope || x->decimals != y->decimals || (x->flags & of_values) != (y->flags & of_values) ||
	    x->schema != y->schema || x->smallest != y->smallest || x->largest != y->largest ||
	    x->bounds != y->bounds || memcmp(a->bounds, b->bounds, x->bounds * sizeof(double)) != 0)
		return DIFFERENT;
	for (uint32_t i = 0; i < a->label_count; i++) {
		same_order = same_order && promcb_text_is(a->labels[i], b->labels[i]);
		for (uint32_t k = 0; k < b->label_count; k++)
			met += promcb_text_is(a->labels[i], b->labels[k]);
	}
	/* The same labels in another order, or other enumerated values, would be two series of the same labels. */
	if (a->label_count != b->label_count || met != a->label_count)
		return OTHER_LABELS;
	return same_order && x->flags == y->flags && promcb_text_is(a->enumerated, b->enumerated) ? SAME : DIFFERENT;
}

/* Takes the family that is the same; one that is in its way ends the search as well. */
static bool is_family(void *context, uint32_t place)
{
	struct key *key = context;
	struct promcb_family_view view;

	if (!view_at(key->segment, place, &view) || !promcb_text_is(view.base, key->view.base))
		return false;
	switch (compare(&view, &key->view)) {
	case SAME:
		return true;
	case OTHER_LABELS:
		return false;
	default:
		key->conflict = place;
		return true;
	}
}

/* -- What the sentence of a conflict says -------------------------------------------------------------------------- */

struct sentence {
	char text[DESCRIPTION_BYTES];
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void say(struct sentence *sentence, const char *format, ...)
{
	size_t left = sizeof(sentence->text) - sentence->length;
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(sentence->text + sentence->length, left, format, arguments);

	va_end(arguments);
	if (length > 0)
		sentence->length += (size_t)length < left ? (size_t)length : left - 1;
}

/* Strings of a segment are anybody's bytes. */
static void say_text(struct sentence *sentence, struct promcb_text text)
{
	for (uint32_t i = 0; i < text.length && i < PROMCB_NAME_MAX; i++)
		say(sentence, "%c", text.bytes[i] > ' ' && text.bytes[i] < 0x7f ? text.bytes[i] : '?');
}

static void describe(const struct promcb_family_view *view, struct sentence *sentence)
{
	static const char *const scopes[] = {"sum", "min", "max", "segment"};
	const struct promcb_family_record *record = view->record;
	double smallest, largest;

	say(sentence, "%s ", promcb_family_type_name(view));
	say_text(sentence, view->name);
	if (view->unit.length) {
		say(sentence, " in ");
		say_text(sentence, view->unit);
	}
	if (record->decimals)
		say(sentence, ", %u decimals", record->decimals);
	if (record->flags & PROMCB_FAMILY_DOUBLES)
		say(sentence, ", doubles");
	if (record->scope)
		say(sentence, ", scope %s", scopes[record->scope & 3]);
	if (record->flags & PROMCB_FAMILY_BOUNDS)
		say(sentence, ", %u bounds", record->bounds);
	memcpy(&smallest, &record->smallest, sizeof(smallest));
	memcpy(&largest, &record->largest, sizeof(largest));
	if (record->type == PROMCB_HISTOGRAM && !(record->flags & PROMCB_FAMILY_BOUNDS))
		say(sentence, ", %u buckets per octave from %g to %g", 1u << (record->schema & 7), smallest, largest);
	for (uint32_t i = 0; i < view->label_count; i++) {
		say(sentence, i ? ", " : ", labels ");
		say_text(sentence, view->labels[i]);
	}
	if (record->flags & PROMCB_FAMILY_ENUMERATED)
		say(sentence, " (%u values)", record->enumerated);
}

static int refuse(const struct key *key, struct promcb_message *message)
{
	struct sentence there = {.length = 0}, here = {.length = 0};
	struct promcb_family_view view;

	promcb_add_relaxed(&promcb_segment_header(key->segment)->families_rejected, 1);
	if (!message || !view_at(key->segment, key->conflict, &view))
		return -EEXIST;
	describe(&view, &there);
	describe(&key->view, &here);
	return promcb_message_error(message, -EEXIST, "the segment has the %s, and not the %s%s", there.text, here.text,
				    strcmp(there.text, here.text) == 0 ? ", with other values" : "");
}

/* -- Registration -------------------------------------------------------------------------------------------------- */

static uint32_t carve_record(const struct key *key, struct promcb_lane_lease *lease)
{
	uint32_t lines = (key->view.bytes + PROMCB_LINE_BYTES - 1) / PROMCB_LINE_BYTES;
	uint32_t place = promcb_part_carve(lease, PROMCB_PIECE_FAMILY, lines, 0, 0);
	struct promcb_family_record *record = promcb_segment_piece(key->segment, place, PROMCB_PIECE_FAMILY, lines);

	if (!record)
		return 0;
	/* All but the head, which is there. */
	memcpy((uint8_t *)record + sizeof(record->head), key->image->bytes + sizeof(record->head),
	       key->view.bytes - sizeof(record->head));
	record->hash = key->hash;
	record->created_realtime_ns = promcb_clock_realtime_ns();
	PROMCB_INJECT("family: filled");
	return place;
}

/* Adds the family. Returns its place, 0 where there is no room; or that of one that excludes it. */
static uint32_t add(struct key *key, struct promcb_lane_lease *lease)
{
	struct promcb_table_end end;
	uint32_t place;

	if (!promcb_metrics_root(key->segment, lease))
		return 0;
	for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
		place = promcb_table_find(key->segment, key->hash, is_family, key, &end);
		if (place)
			return place;
		if (!end.slot) {
			if (promcb_table_grow(lease, &end) < 0)
				return 0;
			continue;
		}
		place = carve_record(key, lease);
		if (!place)
			return 0;
		if (promcb_table_put(&end, key->hash, place)) {
			promcb_part_commit(lease, place);
			return place;
		}
	}
	return 0;
}

int promcb_family_find_or_add(struct promcb_segment *segment, struct promcb_lane_lease *lease,
			      const union promcb_family_image *image, uint32_t *place, struct promcb_message *message)
{
	struct promcb_lane_lease registrar;
	struct key key;
	int result;

	*place = 0;
	if (!begin_key(&key, segment, image))
		return -EINVAL;
	uint32_t found = promcb_table_find(segment, key.hash, is_family, &key, NULL);

	if (!found) {
		struct promcb_lane_lease *ours = lease;

		result = promcb_part_enter(segment, &ours, &registrar);
		if (result < 0)
			return result;
		found = add(&key, ours);
		promcb_part_leave(&registrar);
	}
	if (!found)
		return -ENOSPC;
	if (key.conflict)
		return refuse(&key, message);
	result = promcb_series_add_overflow(segment, lease, found);
	if (result < 0)
		return result;
	*place = found;
	return 0;
}

/* -- Looking up ---------------------------------------------------------------------------------------------------- */

struct wanted {
	struct promcb_segment *segment;
	struct promcb_text name;
	const char *const *labels;
	union promcb_family_image *image;
};

static bool has_labels(const struct promcb_family_view *view, const char *const *labels)
{
	uint32_t count = 0;

	for (; labels && labels[count]; count++) {
		struct promcb_text label = {labels[count], (uint32_t)strnlen(labels[count], UINT16_MAX)};
		bool has = false;

		for (uint32_t i = 0; i < view->label_count; i++)
			has = has || promcb_text_is(view->labels[i], label);
		if (!has)
			return false;
	}
	return !labels || count == view->label_count;
}

static bool is_wanted(void *context, uint32_t place)
{
	const struct wanted *wanted = context;
	const uint64_t *record = promcb_segment_piece(wanted->segment, place, PROMCB_PIECE_FAMILY, 0);
	uint32_t lines = record ? promcb_piece_lines(promcb_load_relaxed(record)) : 0;
	struct promcb_family_view view;

	/* By so many lines, since another may write there. */
	if (lines == 0 || lines > PROMCB_RECORD_LINES_MAX ||
	    !promcb_segment_piece(wanted->segment, place, PROMCB_PIECE_FAMILY, lines))
		return false;
	memset(wanted->image, 0, sizeof(*wanted->image));
	memcpy(wanted->image, record, lines * (size_t)PROMCB_LINE_BYTES);
	return promcb_family_view(wanted->image, lines * (size_t)PROMCB_LINE_BYTES, &view) &&
	       promcb_text_is(view.name, wanted->name) && has_labels(&view, wanted->labels);
}

bool promcb_family_copy(struct promcb_segment *segment, const char *name, const char *const *labels,
			union promcb_family_image *image)
{
	struct wanted wanted = {segment, {name, (uint32_t)strnlen(name, PROMCB_NAME_MAX + 1)}, labels, image};
	uint64_t hash;

	if (wanted.name.length > PROMCB_NAME_MAX)
		return false;
	hash = promcb_family_hash(segment->identity, name, wanted.name.length);
	return promcb_table_find(segment, hash, is_wanted, &wanted, NULL) != 0;
}

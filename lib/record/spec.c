/* SPDX-License-Identifier: MIT */
#include "record/spec.h"

#include "base/name.h"
#include "base/native.h"
#include "base/reserved.h"
#include "format/keys.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum {
	DECIMALS_MAX = 9,
	BOUNDS_MAX = 60,
	SERIES_DEFAULT = 1000,
	/* As many as there are cells for. */
	SERIES_MOST = PROMCB_STRETCHES * (PROMCB_STRETCH_CELLS / PROMCB_ROW_WORDS) * (PROMCB_ROW_WORDS - 1),
	PER_OCTAVE_DEFAULT = 8,
};

#define fault(...) promcb_message_error(message, -EINVAL, __VA_ARGS__)

static const char total[] = "_total", info[] = "_info";

static const char *type_name(unsigned type)
{
	static const char *const names[] = {"none", "counter", "level", "gauge", "histogram", "info", "breakers"};

	return names[type < sizeof(names) / sizeof(names[0]) ? type : 0];
}

static bool ends_in(struct promcb_text text, const char *end)
{
	size_t length = strlen(end);

	return text.length >= length && memcmp(text.bytes + text.length - length, end, length) == 0;
}

static struct promcb_text text_of(const char *string)
{
	return (struct promcb_text){string ? string : "", string ? (uint32_t)strnlen(string, UINT16_MAX) : 0};
}

static struct promcb_text base_of(struct promcb_text name)
{
	return (struct promcb_text){name.bytes, (uint32_t)promcb_stem_bytes(name.bytes, name.length)};
}

static bool is_identifier(struct promcb_text text)
{
	return text.length <= PROMCB_NAME_MAX && promcb_name_is_word(text.bytes, text.length);
}

/* Whether it is the family of calls' errors, as errors.c declares it. */
static bool is_errors(const struct promcb_family_spec *spec)
{
	struct promcb_text name = text_of(spec->name);

	return promcb_name_is_errors(name.bytes, name.length) && spec->labels && spec->labels[0] &&
	       strcmp(spec->labels[0], PROMCB_ERRORS_LABEL) == 0 && spec->enumerated_label &&
	       strcmp(spec->enumerated_label, PROMCB_ERRORS_ENUMERATED) == 0;
}

/* -- Judging ------------------------------------------------------------------------------------------------------- */

static int check_name(const struct promcb_family_spec *spec, struct promcb_message *message)
{
	static const char *const ends[] = {total, "_sum", "_count", "_bucket", "_created", "_gsum", "_gcount", info};
	struct promcb_text name = text_of(spec->name), base = base_of(name);
	bool is_info = spec->type == PROMCB_INFO, is_counter = spec->type == PROMCB_COUNTER;
	char unit[PROMCB_NAME_MAX + 2];

	if (!is_identifier(name))
		return fault(
			"the name \"%.130s\" is none: 1 to 127 of the letters, digits and \"_\", no digit first, and "
			"not \"__\"",
			name.bytes);
	if (promcb_name_own_prefix(name.bytes, name.length) && !is_errors(spec))
		return fault("the name %s begins with \"%s\", which is promcb's own", name.bytes,
			     promcb_name_own_prefix(name.bytes, name.length));
	if (is_counter != ends_in(name, total))
		return fault(is_counter ? "the name %s does not end in \"_total\", as that of a counter does"
					: "the name %s ends in \"_total\", as only that of a counter does",
			     name.bytes);
	if (is_info != ends_in(name, info))
		return fault(is_info ? "the name %s does not end in \"_info\", as that of an info does"
				     : "the name %s ends in \"_info\", as only that of an info does",
			     name.bytes);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends_in(base, ends[i]) || base.length == 0)
			return fault("the name %s%s ends in \"%s\", which formats put behind names", name.bytes,
				     base.length != name.length ? ", its own ending taken off," : "",
				     base.length ? ends[i] : name.bytes);
	if (!spec->unit)
		return 0;
	if (is_info)
		return fault("the info %s has the unit \"%.130s\", and infos have none", name.bytes, spec->unit);
	if (!is_identifier(text_of(spec->unit)))
		return fault("the unit \"%.130s\" of %s is no word of letters, digits and \"_\"", spec->unit,
			     name.bytes);
	snprintf(unit, sizeof(unit), "_%s", spec->unit);
	if (!ends_in(base, unit))
		return fault("the name %s does not have its unit \"%s\" as its last word%s", name.bytes, spec->unit,
			     is_counter ? " before \"_total\"" : "");
	return 0;
}

static int check_labels(const struct promcb_family_spec *spec, uint32_t *count, struct promcb_message *message)
{
	const char *names[PROMCB_RECORD_LABELS_MAX + 1];

	*count = 0;
	while (spec->labels && spec->labels[*count] && *count < PROMCB_RECORD_LABELS_MAX) {
		names[*count] = spec->labels[*count];
		++*count;
	}
	if (spec->labels && *count == PROMCB_RECORD_LABELS_MAX && spec->labels[*count])
		return fault("%s has more than %d labels", spec->name, PROMCB_RECORD_LABELS_MAX);
	if (!spec->enumerated != !spec->enumerated_label)
		return fault("%s has an enumerated label without values, or without a name", spec->name);
	if (spec->enumerated && spec->type != PROMCB_COUNTER)
		return fault("%s has an enumerated label, which only counters have", spec->name);
	if (spec->enumerated)
		names[(*count)++] = spec->enumerated_label;
	if (*count > PROMCB_RECORD_LABELS_MAX)
		return fault("%s has more than %d labels", spec->name, PROMCB_RECORD_LABELS_MAX);
	for (uint32_t i = 0; i < *count; i++) {
		if (!is_identifier(text_of(names[i])))
			return fault(
				"the label \"%.130s\" of %s is none: 1 to 127 of the letters, digits and \"_\", no "
				"digit first, and not \"__\"",
				names[i], spec->name);
		if (promcb_label_is_own(names[i]) && !(i == 0 && is_errors(spec)))
			return fault("the label \"%s\" of %s is one that others give", names[i], spec->name);
		for (uint32_t k = 0; k < i; k++)
			if (strcmp(names[i], names[k]) == 0)
				return fault("%s has the label \"%s\" twice", spec->name, names[i]);
	}
	return 0;
}

/* The enumerated values; count: how many. */
static int check_enumerated(const struct promcb_family_spec *spec, uint32_t *count, struct promcb_message *message)
{
	for (*count = 0; spec->enumerated && spec->enumerated[*count]; ++*count) {
		struct promcb_text value = text_of(spec->enumerated[*count]);

		if (*count == PROMCB_WIDTH_MAX)
			return fault("%s has more than %d enumerated values", spec->name, PROMCB_WIDTH_MAX);
		if (value.length > PROMCB_LABEL_VALUE_MAX || !promcb_name_is_utf8(value.bytes, value.length))
			return fault("enumerated value %u of %s is not UTF-8 of at most %d bytes", *count + 1,
				     spec->name, PROMCB_LABEL_VALUE_MAX);
		for (uint32_t k = 0; k < *count; k++)
			if (strcmp(value.bytes, spec->enumerated[k]) == 0)
				return fault("%s has the enumerated value \"%.130s\" twice", spec->name, value.bytes);
	}
	if (spec->enumerated && *count == 0)
		return fault("%s has an enumerated label without values", spec->name);
	return 0;
}

static int check_numbers(const struct promcb_family_spec *spec, struct promcb_message *message)
{
	bool is_histogram = spec->type == PROMCB_HISTOGRAM, is_gauge = spec->type == PROMCB_GAUGE;
	bool may_be_doubles = spec->type == PROMCB_COUNTER || is_histogram;

	if (spec->type < PROMCB_COUNTER || spec->type > PROMCB_INFO)
		return fault("%.130s is of type %d, which is none", spec->name ? spec->name : "", (int)spec->type);
	if (!PROMCB_RESERVED_ARE_ZERO(spec))
		return fault(PROMCB_RESERVED_SENTENCE);
	if (spec->scope > PROMCB_SCOPE_SEGMENT || (spec->scope && !is_gauge))
		return fault("%s has scope %d, and %s", spec->name, (int)spec->scope,
			     is_gauge ? "there is none such" : "only gauges have one");
	if (spec->flags & ~PROMCB_DOUBLES)
		return fault("%s has flags %#" PRIx32 ", and 1 is all there is", spec->name, spec->flags);
	if (spec->flags & PROMCB_DOUBLES && !may_be_doubles)
		return fault("%s has PROMCB_DOUBLES, which counters and histograms may have", spec->name);
	if (spec->decimals > DECIMALS_MAX || (spec->decimals && (spec->flags || is_gauge)) ||
	    (spec->decimals && spec->type == PROMCB_INFO) || (is_histogram && spec->decimals % 3 != 0))
		return fault("%s has %" PRIu32
			     " decimals: 0 to 9 are possible, for gauges, infos and doubles 0, for histograms 0, "
			     "3, 6 and 9",
			     spec->name, spec->decimals);
	if (spec->series_max > SERIES_MOST)
		return fault("%s may have %" PRIu32 " series, and there is no room for more than %d", spec->name,
			     spec->series_max, SERIES_MOST);
	if (!is_histogram && (spec->buckets_per_octave || spec->bounds || spec->bound_count ||
			      fpclassify(spec->smallest) != FP_ZERO || fpclassify(spec->largest) != FP_ZERO))
		return fault("%s has buckets, which only histograms have", spec->name);
	return 0;
}

static int check_bounds(const struct promcb_family_spec *spec, struct promcb_message *message)
{
	if (spec->buckets_per_octave || fpclassify(spec->smallest) != FP_ZERO || fpclassify(spec->largest) != FP_ZERO)
		return fault("%s has bounds, and more about its buckets, which would differ", spec->name);
	if (spec->bound_count == 0 || spec->bound_count > BOUNDS_MAX)
		return fault("%s has %zu bounds: 1 to %d are possible", spec->name, spec->bound_count, BOUNDS_MAX);
	for (size_t i = 0; i < spec->bound_count; i++)
		if (!isfinite(spec->bounds[i]) || (i && !(spec->bounds[i] > spec->bounds[i - 1])))
			return fault("bound %zu of %s is no number above the one before it", i + 1, spec->name);
	return 0;
}

/* What a histogram's record says of its buckets, and how wide it is. */
static int make_buckets(const struct promcb_family_spec *spec, struct promcb_family_record *record,
			struct promcb_message *message)
{
	uint32_t per_octave = spec->buckets_per_octave ? spec->buckets_per_octave : PER_OCTAVE_DEFAULT, schema = 0;
	bool is_seconds = spec->unit && strcmp(spec->unit, "seconds") == 0;
	double smallest = spec->smallest, largest = spec->largest;
	struct promcb_native native;

	if (spec->bounds) {
		record->flags |= PROMCB_FAMILY_BOUNDS;
		record->bounds = (uint32_t)spec->bound_count;
		record->width = record->bounds + 2;
		return check_bounds(spec, message);
	}
	if (spec->bound_count)
		return fault("%s has a number of bounds, and no bounds", spec->name);
	while ((uint32_t)1 << schema < per_octave && schema < PROMCB_NATIVE_SCHEMA_MAX)
		schema++;
	if ((uint32_t)1 << schema != per_octave)
		return fault("%s has %" PRIu32 " buckets per octave: 1, 2, 4, 8, 16 and 32 are possible", spec->name,
			     per_octave);
	if (fpclassify(smallest) == FP_ZERO)
		smallest = is_seconds ? 0x1p-30 : 1;
	if (fpclassify(largest) == FP_ZERO)
		largest = is_seconds ? 0x1p10 : 0x1p40;
	if (!promcb_native_make(&native, schema, spec->decimals, smallest, largest) ||
	    (!spec->flags && !promcb_native_is_whole(&native, spec->decimals)))
		return fault("%s cannot have buckets from %g to %g, %" PRIu32
			     " per octave: both must be greater than 0, and there are at most %d%s",
			     spec->name, smallest, largest, per_octave, PROMCB_NATIVE_BUCKETS_MAX,
			     spec->flags ? "" : "; whole numbers are exact to 2^53");
	record->schema = (uint8_t)schema;
	memcpy(&record->smallest, &smallest, sizeof(smallest));
	memcpy(&record->largest, &largest, sizeof(largest));
	record->width = native.buckets + 1;
	return 0;
}

/* -- The image ----------------------------------------------------------------------------------------------------- */

struct writer {
	union promcb_family_image *image;
	size_t bytes;
	bool is_full;
};

static void put_bytes(struct writer *writer, const void *bytes, size_t count)
{
	if (writer->is_full || count > sizeof(*writer->image) - writer->bytes) {
		writer->is_full = true;
		return;
	}
	if (count)
		memcpy(writer->image->bytes + writer->bytes, bytes, count);
	writer->bytes += count;
}

static void put_text(struct writer *writer, const char *string)
{
	struct promcb_text text = text_of(string);
	uint16_t length = (uint16_t)text.length;

	put_bytes(writer, &length, sizeof(length));
	put_bytes(writer, text.bytes, length);
}

int promcb_family_make(const struct promcb_family_spec *spec, union promcb_family_image *image,
		       struct promcb_message *message)
{
	struct promcb_family_record *record = &image->record;
	struct writer writer = {image, sizeof(*record), false};
	uint32_t labels, enumerated;

	memset(image, 0, sizeof(*image));
	if (check_numbers(spec, message) < 0 || check_name(spec, message) < 0 ||
	    check_labels(spec, &labels, message) < 0 || check_enumerated(spec, &enumerated, message) < 0)
		return -EINVAL;
	if (spec->help && !promcb_name_is_utf8(spec->help, strlen(spec->help)))
		return fault("the help of %s is not UTF-8", spec->name);
	record->type = (uint8_t)spec->type;
	record->scope = (uint8_t)spec->scope;
	record->decimals = (uint8_t)spec->decimals;
	record->flags = spec->flags & PROMCB_DOUBLES ? PROMCB_FAMILY_DOUBLES : 0;
	record->labels = (uint8_t)labels;
	record->enumerated = (uint16_t)enumerated;
	record->series_max = spec->series_max ? spec->series_max : SERIES_DEFAULT;
	/* Of the segment: its value, and when it was set. */
	record->width = spec->type == PROMCB_GAUGE && spec->scope == PROMCB_SCOPE_SEGMENT ? 2 : 1;
	if (spec->enumerated) {
		record->flags |= PROMCB_FAMILY_ENUMERATED;
		record->width = enumerated;
	}
	if (spec->type == PROMCB_HISTOGRAM && make_buckets(spec, record, message) < 0)
		return -EINVAL;
	put_bytes(&writer, spec->bounds, record->bounds * sizeof(double));
	put_text(&writer, spec->name);
	put_text(&writer, spec->unit);
	put_text(&writer, spec->help);
	for (uint32_t i = 0; spec->labels && spec->labels[i]; i++)
		put_text(&writer, spec->labels[i]);
	if (spec->enumerated)
		put_text(&writer, spec->enumerated_label);
	for (uint32_t i = 0; i < enumerated; i++)
		put_text(&writer, spec->enumerated[i]);
	if (writer.is_full)
		return fault("%s has more text than fits: name, help, labels and enumerated values, %d bytes",
			     spec->name, PROMCB_RECORD_BYTES_MAX);
	return 0;
}

void promcb_family_make_breakers(union promcb_family_image *image)
{
	struct writer writer = {image, sizeof(image->record), false};

	memset(image, 0, sizeof(*image));
	image->record.type = PROMCB_FAMILY_BREAKERS;
	image->record.labels = 1;
	image->record.series_max = SERIES_MOST;
	image->record.width = PROMCB_BREAKER_CELLS;
	put_text(&writer, PROMCB_BREAKER_FAMILY);
	put_text(&writer, NULL);
	put_text(&writer, "Circuit breakers: calls of each component, by lane.");
	put_text(&writer, PROMCB_BREAKER_LABEL);
}

/* -- Taking a record apart ----------------------------------------------------------------------------------------- */

/* Takes the next string. Returns false if it is not whole. */
static bool take_text(const uint8_t **at, const uint8_t *end, struct promcb_text *text)
{
	uint16_t length;

	if ((size_t)(end - *at) < sizeof(length))
		return false;
	memcpy(&length, *at, sizeof(length));
	if ((size_t)(end - *at) - sizeof(length) < length)
		return false;
	*text = (struct promcb_text){(const char *)*at + sizeof(length), length};
	*at += sizeof(length) + length;
	return true;
}

bool promcb_family_view(const void *bytes, size_t count, struct promcb_family_view *view)
{
	const struct promcb_family_record *record = bytes;
	const uint8_t *at = (const uint8_t *)(record + 1), *end = (const uint8_t *)bytes + count, *first;
	struct promcb_text value;
	uint32_t enumerated;

	if (count < sizeof(*record) || record->bounds > BOUNDS_MAX ||
	    (size_t)(end - at) < record->bounds * sizeof(double))
		return false;
	*view = (struct promcb_family_view){.record = record, .bounds = at, .label_count = record->labels};
	at += record->bounds * sizeof(double);
	enumerated = record->flags & PROMCB_FAMILY_ENUMERATED ? record->enumerated : 0;
	view->width = record->width;
	view->value_count = view->label_count - (enumerated != 0);
	if (view->width == 0 || view->width > PROMCB_WIDTH_MAX || view->label_count > PROMCB_RECORD_LABELS_MAX ||
	    (enumerated && (view->label_count == 0 || enumerated != view->width)))
		return false;
	if (!take_text(&at, end, &view->name) || !take_text(&at, end, &view->unit) || !take_text(&at, end, &view->help))
		return false;
	for (uint32_t i = 0; i < view->label_count; i++)
		if (!take_text(&at, end, &view->labels[i]))
			return false;
	first = at;
	for (uint32_t i = 0; i < enumerated; i++)
		if (!take_text(&at, end, &value))
			return false;
	view->enumerated = (struct promcb_text){(const char *)first, (uint32_t)(at - first)};
	view->base = base_of(view->name);
	view->bytes = (uint32_t)(at - (const uint8_t *)bytes);
	return true;
}

const char *promcb_family_type_name(const struct promcb_family_view *view)
{
	return type_name(view->record->type);
}

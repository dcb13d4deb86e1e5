/* SPDX-License-Identifier: MIT */
#include "read/family_record.h"

#include "base/name.h"

#include <math.h>

/* UTF-8 without a zero. What is ASCII, as most is, is looked at in words. */
static bool is_text(const uint8_t *bytes, size_t count)
{
	const uint64_t ones = 0x0101010101010101, tops = ones << 7;
	uint64_t word, odd = 0;
	size_t i = 0;

	for (; i + sizeof(word) <= count; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		/* The top bit of a byte that is 0, or has it. */
		odd |= (word - ones) | word;
	}
	for (; i < count; i++)
		odd |= (uint64_t)(bytes[i] - 1) | bytes[i];
	return !(odd & tops) || (!memchr(bytes, 0, count) && promcb_name_is_utf8((const char *)bytes, count));
}

/* Takes a string out of a record, into memory of the metrics. NULL: there is none that is whole, or no memory. */
static const char *take_text(const struct promcb_record_copy *record, struct promcb_metrics *metrics, size_t *at)
{
	uint16_t bytes;
	char *text;

	if (record->count - *at < sizeof(bytes))
		return NULL;
	memcpy(&bytes, record->bytes + *at, sizeof(bytes));
	*at += sizeof(bytes);
	if (record->count - *at < bytes || !is_text(record->bytes + *at, bytes))
		return NULL;
	text = promcb_metrics_memory(metrics, (size_t)bytes + 1);
	if (!text)
		return NULL;
	memcpy(text, record->bytes + *at, bytes);
	text[bytes] = '\0';
	*at += bytes;
	return text;
}

const char *promcb_record_texts(const struct promcb_record_copy *record, struct promcb_metrics *metrics, size_t *at,
				uint32_t count)
{
	size_t from = *at, bytes = 0;
	uint16_t length;
	char *texts;

	for (uint32_t i = 0; i < count; i++) {
		if (record->count - from < sizeof(length))
			return NULL;
		memcpy(&length, record->bytes + from, sizeof(length));
		from += sizeof(length);
		if (length > record->count - from || !is_text(record->bytes + from, length))
			return NULL;
		from += length;
		bytes += (size_t)length + 1;
	}
	texts = promcb_metrics_memory(metrics, bytes + 1);
	for (uint32_t i = 0; texts && i < count; i++) {
		memcpy(&length, record->bytes + *at, sizeof(length));
		memcpy(texts, record->bytes + *at + sizeof(length), length);
		texts[length] = '\0';
		texts += (size_t)length + 1;
		*at += sizeof(length) + length;
	}
	if (texts)
		*texts = '\0';
	return texts ? texts - bytes : NULL;
}

static bool is_identifier(const char *name)
{
	size_t length = strlen(name);

	return length && length <= PROMCB_NAME_MAX && strncmp(name, "__", 2) != 0 && !(*name >= '0' && *name <= '9') &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == length;
}

static bool ends_in(const char *name, const char *ending)
{
	size_t length = strlen(name), bytes = strlen(ending);

	return length > bytes && strcmp(name + length - bytes, ending) == 0;
}

/* The one of promcb's own, by its name: what it counts is anybody's. */
static bool is_errors(const struct promcb_snapshot_family *family)
{
	return family->type == PROMCB_COUNTER && promcb_name_is_errors(family->name, strlen(family->name));
}

/* Whether the name is one that every format can print, and none of promcb's own. */
static bool is_family_name(const struct promcb_snapshot_family *family)
{
	bool is_counter = family->type == PROMCB_COUNTER, is_info = family->type == PROMCB_INFO;
	char stem[PROMCB_NAME_MAX + 1], unit[PROMCB_NAME_MAX + 2];

	if (!is_identifier(family->name) || is_counter != ends_in(family->name, "_total") ||
	    is_info != ends_in(family->name, "_info"))
		return false;
	if (promcb_name_own_prefix(family->name, strlen(family->name)) && !is_errors(family))
		return false;
	if (!*family->unit)
		return true;
	strcpy(stem, family->name);
	if (is_counter)
		stem[strlen(stem) - strlen("_total")] = '\0';
	*unit = '_';
	return is_identifier(family->unit) && ends_in(stem, strcpy(unit + 1, family->unit) - 1);
}

/* Distinct, and none that promcb or a scraper gives. */
static bool are_label_names(const struct promcb_snapshot_family *family)
{
	uint32_t count = family->labels + (family->enumerated != 0);
	const char *name = family->label_names;

	for (uint32_t i = 0; i < count; i++, name = promcb_text_next(name)) {
		const char *other = family->label_names;

		if (!is_identifier(name))
			return false;
		if (promcb_label_is_own(name) && !(is_errors(family) && strcmp(name, PROMCB_ERRORS_LABEL) == 0))
			return false;
		for (uint32_t j = 0; j < i; j++, other = promcb_text_next(other))
			if (strcmp(name, other) == 0)
				return false;
	}
	return true;
}

/* What the record says of a histogram's buckets; at: where its bounds are. */
static bool take_buckets(const struct promcb_record_copy *copy, struct promcb_metrics *metrics,
			 struct promcb_snapshot_family *family, size_t *at)
{
	const struct promcb_family_record *record = &copy->family;
	double smallest = promcb_cell_double(record->smallest), largest = promcb_cell_double(record->largest);
	size_t bytes = record->bounds * sizeof(double);
	double *bounds;

	if (!(record->flags & PROMCB_FAMILY_BOUNDS)) {
		family->buckets =
			promcb_native_make(&family->native, record->schema, record->decimals, smallest, largest)
				? family->native.buckets
				: 0;
		return family->buckets && record->bounds == 0;
	}
	if (record->bounds == 0 || record->bounds > PROMCB_WIDTH_MAX || copy->count - *at < bytes)
		return false;
	bounds = promcb_metrics_memory(metrics, bytes);
	if (!bounds)
		return false;
	memcpy(bounds, copy->bytes + *at, bytes);
	*at += bytes;
	for (uint32_t i = 0; i < record->bounds; i++)
		if (!isfinite(bounds[i]) || (i && !(bounds[i] > bounds[i - 1])))
			return false;
	family->bounds = bounds;
	family->buckets = record->bounds + 1;
	return true;
}

static bool has_width(const struct promcb_snapshot_family *family)
{
	switch (family->type) {
	case PROMCB_HISTOGRAM:
		return family->width == family->buckets + 1;
	case PROMCB_COUNTER:
		return family->width == (family->enumerated ? family->enumerated : 1);
	case PROMCB_GAUGE:
		return family->width == (family->scope == PROMCB_SCOPE_SEGMENT ? 2 : 1);
	default:
		return family->width == 1;
	}
}

bool promcb_family_take(const struct promcb_record_copy *copy, struct promcb_metrics *metrics,
			struct promcb_snapshot_family *family)
{
	const struct promcb_family_record *record = &copy->family;
	size_t at = sizeof(*record);
	bool is_enumerated = record->flags & PROMCB_FAMILY_ENUMERATED;

	if (copy->count < sizeof(*record) || record->type == 0 || record->decimals > 9 ||
	    record->scope > PROMCB_SCOPE_SEGMENT || record->labels > PROMCB_RECORD_LABELS_MAX || record->width == 0 ||
	    record->width > PROMCB_WIDTH_MAX ||
	    (is_enumerated && (record->labels == 0 || record->enumerated == 0 || record->type != PROMCB_COUNTER)))
		return false;
	*family = (struct promcb_snapshot_family){
		.type = (enum promcb_metric_type)record->type,
		.scope = (enum promcb_scope)record->scope,
		.is_double = record->flags & PROMCB_FAMILY_DOUBLES,
		.decimals = record->decimals,
		.labels = record->labels - (uint32_t)is_enumerated,
		.enumerated = is_enumerated ? record->enumerated : 0,
		.width = record->width,
		.series_max = record->series_max,
		.created_ns = record->created_realtime_ns,
		.refused = record->refused,
	};
	if (family->type == PROMCB_HISTOGRAM && !take_buckets(copy, metrics, family, &at))
		return false;
	if (record->type == PROMCB_FAMILY_BREAKERS)
		return record->width == PROMCB_BREAKER_CELLS && record->labels == 1 && !record->flags &&
		       (family->name = take_text(copy, metrics, &at)) &&
		       (family->unit = take_text(copy, metrics, &at)) &&
		       (family->help = take_text(copy, metrics, &at)) &&
		       (family->label_names = promcb_record_texts(copy, metrics, &at, 1)) &&
		       (family->enumerated_values = "") && strcmp(family->name, PROMCB_BREAKER_FAMILY) == 0;
	return has_width(family) && (family->name = take_text(copy, metrics, &at)) &&
	       (family->unit = take_text(copy, metrics, &at)) && (family->help = take_text(copy, metrics, &at)) &&
	       (family->label_names = promcb_record_texts(copy, metrics, &at, record->labels)) &&
	       (family->enumerated_values = promcb_record_texts(copy, metrics, &at, family->enumerated)) &&
	       is_family_name(family) && are_label_names(family);
}

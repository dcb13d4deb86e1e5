/* SPDX-License-Identifier: MIT */
#include "recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char mark[PROMCB_VIEW_RECORDING_MARK + 1] = "promcb history 1";

enum { HEAD_BYTES = 9, KIND_SEGMENT = 1, KIND_COMPONENT, KIND_COLUMN, KIND_INFO, KINDS };

static const struct promcb_view_limits no_limits = {.tiers = {{0, UINT32_MAX}, {0, UINT32_MAX}, {0, UINT32_MAX}}};

bool promcb_view_is_recording(const void *bytes)
{
	return memcmp(bytes, mark, PROMCB_VIEW_RECORDING_MARK) == 0;
}

/* That of IEEE 802.3, four bits at a time. */
static uint32_t crc_of(const uint8_t *bytes, size_t length)
{
	static const uint32_t table[] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
					 0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
					 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < length; i++) {
		crc = table[(crc ^ bytes[i]) & 15] ^ crc >> 4;
		crc = table[(crc ^ (uint32_t)bytes[i] >> 4) & 15] ^ crc >> 4;
	}
	return ~crc;
}

/* -- What both sides know ------------------------------------------------------------------------------------------ */

/*
 * What a column makes of the components. buckets: room for a row's; NULL: components are without. Returns 0 or -ENOMEM.
 */
static int apply(struct promcb_view_component *components, const struct promcb_view_column *column, size_t bucket_count,
		 uint64_t *buckets)
{
	struct promcb_view_span in = promcb_view_span_of(column->rows, column->length);

	while (in.at < in.end) {
		struct promcb_view_component *component = &components[promcb_view_row_peek(&in)];
		struct promcb_view_span before =
			promcb_view_span_of(component->buckets.bytes, component->buckets.length);
		struct promcb_view_row row = {.buckets = buckets};

		if (buckets)
			memset(buckets, 0, PROMCB_VIEW_OUTCOMES * bucket_count * sizeof(*buckets));
		promcb_view_row_add(&in, &row, bucket_count);
		if (row.marks & (PROMCB_VIEW_MARK_CREATED | PROMCB_VIEW_MARK_RESET)) {
			component->total = (struct promcb_view_counts){.latency_ns = 0};
			before.at = before.end;
		}
		promcb_view_add_counts(&component->total, &row.counts);
		component->state = row.state;
		component->changed_ns = row.changed_ns;
		if (row.counts.calls[0] || row.counts.calls[1])
			component->last_call_ns = column->upto_ns;
		if (row.counts.calls[1])
			component->last_failure_ns = column->upto_ns;
		if (!buckets)
			continue;
		if (before.at < before.end)
			promcb_view_get_all_buckets(&before, buckets, bucket_count);
		component->buckets.length = 0;
		promcb_view_put_all_buckets(&component->buckets, buckets, bucket_count);
		if (component->buckets.failed)
			return -ENOMEM;
	}
	return 0;
}

/* Whether they are the same, but for moments that each column tells nearly. */
static bool same(const struct promcb_view_component *a, const struct promcb_view_component *b)
{
	return a->created_ns == b->created_ns && a->since_ns == b->since_ns && a->changed_ns == b->changed_ns &&
	       a->state == b->state && a->listed == b->listed && memcmp(&a->total, &b->total, sizeof(a->total)) == 0;
}

/* -- Writing ------------------------------------------------------------------------------------------------------- */

/* Where an entry begins, to be put right by finish(). */
static size_t begin(struct promcb_view_bytes *out, uint8_t kind)
{
	uint8_t head[HEAD_BYTES] = {[HEAD_BYTES - 1] = kind};

	promcb_view_put(out, head, sizeof(head));
	return out->length - sizeof(head);
}

static void finish(struct promcb_view_bytes *out, size_t start)
{
	uint32_t words[2];

	if (out->failed)
		return;
	words[0] = (uint32_t)(out->length - start - HEAD_BYTES);
	words[1] = crc_of(out->bytes + start + sizeof(words), out->length - start - sizeof(words));
	memcpy(out->bytes + start, words, sizeof(words));
}

static void put_text(struct promcb_view_bytes *out, const char *text)
{
	promcb_view_put_number(out, strlen(text));
	promcb_view_put(out, text, strlen(text));
}

static void put_component(struct promcb_view_bytes *out, const struct promcb_view_component *component, uint32_t number)
{
	size_t start = begin(out, KIND_COMPONENT);

	promcb_view_put_number(out, number);
	put_text(out, component->name);
	promcb_view_put_number(out, component->created_ns);
	promcb_view_put_number(out, component->since_ns);
	promcb_view_put_number(out, component->last_call_ns);
	promcb_view_put_number(out, component->last_failure_ns);
	promcb_view_put_number(out, component->changed_ns);
	promcb_view_put_number(out, (uint64_t)component->listed << 2 | component->state);
	promcb_view_put_counts(out, &component->total);
	promcb_view_put(out, component->buckets.bytes, component->buckets.length);
	finish(out, start);
}

static void put_column(struct promcb_view_bytes *out, const struct promcb_view_column *column)
{
	size_t start = begin(out, KIND_COLUMN);

	promcb_view_put_number(out, column->from_ns);
	promcb_view_put_number(out, column->upto_ns);
	promcb_view_put_number(out, column->took_ns);
	promcb_view_put_number(out, column->tier);
	promcb_view_put_number(out, column->gap);
	promcb_view_put(out, column->rows, column->length);
	finish(out, start);
}

enum { INFO_NUMBERS = 7 };

/* What a list shows of a segment. A count that is not known is 0, and others are one more. */
static void info_numbers(const struct promcb_segment_info *info, uint64_t *numbers)
{
	numbers[0] = info->components;
	numbers[1] = (uint64_t)((int64_t)info->producers + 1);
	numbers[2] = (uint64_t)((int64_t)info->lanes_live + 1);
	numbers[3] = (uint64_t)((int64_t)info->lanes_idle + 1);
	numbers[4] = info->dropped_calls;
	numbers[5] = info->used_bytes;
	numbers[6] = info->max_bytes;
}

static void put_info(struct promcb_view_recorder *recorder, const struct promcb_segment_info *info,
		     struct promcb_view_bytes *out)
{
	uint64_t numbers[INFO_NUMBERS], before[INFO_NUMBERS];
	size_t start;

	info_numbers(info, numbers);
	info_numbers(&recorder->info, before);
	if (memcmp(numbers, before, sizeof(numbers)) == 0)
		return;
	start = begin(out, KIND_INFO);
	for (size_t i = 0; i < INFO_NUMBERS; i++)
		promcb_view_put_number(out, numbers[i]);
	finish(out, start);
	recorder->info = *info;
}

/* Components that a reader does not know yet, with nothing counted. */
static int put_new(struct promcb_view_recorder *recorder, const struct promcb_view_history *history,
		   struct promcb_view_bytes *out)
{
	if (history->component_count > recorder->room) {
		struct promcb_view_component *grown =
			realloc(recorder->known, history->component_room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		recorder->known = grown;
		recorder->room = history->component_room;
	}
	for (; recorder->count < history->component_count; recorder->count++) {
		struct promcb_view_component *known = &recorder->known[recorder->count];

		*known = history->components[recorder->count];
		known->total = (struct promcb_view_counts){.latency_ns = 0};
		known->buckets = (struct promcb_view_bytes){.bytes = NULL};
		put_component(out, known, recorder->count);
	}
	return out->failed ? -ENOMEM : 0;
}

/* Those of which columns have not told all. */
static int put_changed(struct promcb_view_recorder *recorder, const struct promcb_view_history *history,
		       struct promcb_view_bytes *out)
{
	for (uint32_t i = 0; i < recorder->count; i++)
		if (!same(&recorder->known[i], &history->components[i])) {
			put_component(out, &history->components[i], i);
			recorder->known[i] = history->components[i];
		}
	return out->failed ? -ENOMEM : 0;
}

/* The columns from a number on. */
static int put_columns(struct promcb_view_recorder *recorder, const struct promcb_view_history *history, size_t first,
		       const struct promcb_segment_info *info, struct promcb_view_bytes *out)
{
	int result = put_new(recorder, history, out);

	if (result < 0)
		return result;
	for (size_t i = first; i < history->column_count; i++) {
		put_column(out, &history->columns[i]);
		apply(recorder->known, &history->columns[i], history->bucket_count, NULL);
	}
	put_info(recorder, info, out);
	recorder->sequence = history->sequence;
	return put_changed(recorder, history, out);
}

int promcb_view_record_since(struct promcb_view_recorder *recorder, const struct promcb_view_history *history,
			     const char *segment, const struct promcb_segment_info *info, uint64_t from_ns,
			     struct promcb_view_bytes *out)
{
	size_t length = strlen(segment), first = 0, start;

	*recorder = (struct promcb_view_recorder){.schema = history->schema};
	promcb_view_put(out, mark, PROMCB_VIEW_RECORDING_MARK);
	start = begin(out, KIND_SEGMENT);
	promcb_view_put_number(out, history->schema);
	length = length > PROMCB_VIEW_SEGMENT_MAX ? PROMCB_VIEW_SEGMENT_MAX : length;
	promcb_view_put_number(out, length);
	promcb_view_put(out, segment, length);
	finish(out, start);
	while (first < history->column_count && history->columns[first].upto_ns <= from_ns)
		first++;
	return put_columns(recorder, history, first, info, out);
}

int promcb_view_record_first(struct promcb_view_recorder *recorder, const struct promcb_view_history *history,
			     const char *segment, const struct promcb_segment_info *info, struct promcb_view_bytes *out)
{
	return promcb_view_record_since(recorder, history, segment, info, 0, out);
}

int promcb_view_record_more(struct promcb_view_recorder *recorder, const struct promcb_view_history *history,
			    const struct promcb_segment_info *info, struct promcb_view_bytes *out)
{
	uint64_t came = history->sequence - recorder->sequence;

	/* The newest are as they came: they are joined when they are many. */
	if (history->schema != recorder->schema || history->sequence < recorder->sequence ||
	    recorder->count > history->component_count || came > history->tier_columns[0])
		return -ESTALE;
	return put_columns(recorder, history, history->column_count - (size_t)came, info, out);
}

void promcb_view_recorder_end(struct promcb_view_recorder *recorder)
{
	free(recorder->known);
	*recorder = (struct promcb_view_recorder){.count = 0};
}

/* -- Reading ------------------------------------------------------------------------------------------------------- */

/* A text of at most size - 1 bytes, none of which is zero. */
static bool get_text(struct promcb_view_span *in, char *out, size_t size)
{
	uint64_t length = promcb_view_get_number(in);
	const uint8_t *text = length < size ? promcb_view_get(in, length) : NULL;

	if (!text || memchr(text, 0, length))
		return false;
	memcpy(out, text, length);
	out[length] = '\0';
	return true;
}

static int get_segment(struct promcb_view_span *in, struct promcb_view_recording *out)
{
	uint64_t schema = promcb_view_get_number(in);

	if (!get_text(in, out->segment, sizeof(out->segment)) || schema > UINT32_MAX)
		return -EBADMSG;
	return promcb_view_history_start(&out->history, (uint32_t)schema, &no_limits) < 0 ? -EPROTO : 0;
}

static int get_component(struct promcb_view_span *in, struct promcb_view_history *history)
{
	uint64_t number = promcb_view_get_number(in), word;
	struct promcb_view_component got = {.created_ns = 0}, *component;
	struct promcb_view_span rest;
	char name[PROMCB_FULL_NAME_MAX + 1];

	if (!get_text(in, name, sizeof(name)))
		return -EBADMSG;
	got.created_ns = promcb_view_get_number(in);
	got.since_ns = promcb_view_get_number(in);
	got.last_call_ns = promcb_view_get_number(in);
	got.last_failure_ns = promcb_view_get_number(in);
	got.changed_ns = promcb_view_get_number(in);
	word = promcb_view_get_number(in);
	promcb_view_get_counts(in, &got.total);
	got.listed = word >> 2;
	got.state = (uint32_t)(word & 3);
	rest = *in;
	if (in->at < in->end)
		promcb_view_get_all_buckets(in, NULL, history->bucket_count);
	if (in->failed || word >> 3 || got.state >= PROMCB_STATES)
		return -EBADMSG;
	if (number == history->component_count && number < PROMCB_VIEW_COMPONENTS_MAX &&
	    promcb_view_find(history, name) == UINT32_MAX) {
		if (promcb_view_add(history, name) == UINT32_MAX)
			return -ENOMEM;
	} else if (number >= history->component_count || strcmp(history->components[number].name, name) != 0) {
		return -EBADMSG;
	}
	component = &history->components[number];
	got.name = component->name;
	got.buckets = component->buckets;
	got.buckets.length = 0;
	*component = got;
	promcb_view_put(&component->buckets, rest.at, (size_t)(in->at - rest.at));
	return component->buckets.failed ? -ENOMEM : 0;
}

static int get_column(struct promcb_view_span *in, struct promcb_view_history *history, uint64_t *buckets)
{
	struct promcb_view_column column = {.from_ns = promcb_view_get_number(in)};
	uint64_t tier, gap;
	int result;

	column.upto_ns = promcb_view_get_number(in);
	column.took_ns = promcb_view_get_number(in);
	tier = promcb_view_get_number(in);
	gap = promcb_view_get_number(in);
	if (in->failed || tier >= PROMCB_VIEW_TIERS || gap > PROMCB_VIEW_GAP_MISSING)
		return -EBADMSG;
	column.tier = (uint32_t)tier;
	column.gap = (uint32_t)gap;
	column.length = (uint32_t)(in->end - in->at);
	column.rows = malloc(column.length + 1);
	if (!column.rows)
		return -ENOMEM;
	memcpy(column.rows, in->at, column.length);
	in->at = in->end;
	result = promcb_view_push(history, &column);
	return result == 0 ? apply(history->components, &history->columns[history->column_count - 1],
				   history->bucket_count, buckets)
			   : result;
}

static int get_info(struct promcb_view_span *in, struct promcb_segment_info *info)
{
	uint64_t numbers[INFO_NUMBERS];

	for (size_t i = 0; i < INFO_NUMBERS; i++)
		numbers[i] = promcb_view_get_number(in);
	for (size_t i = 0; i < 4; i++)
		if (numbers[i] > INT32_MAX)
			return -EBADMSG;
	*info = (struct promcb_segment_info){
		.components = (uint32_t)numbers[0],
		.producers = (int32_t)numbers[1] - 1,
		.lanes_live = (int32_t)numbers[2] - 1,
		.lanes_idle = (int32_t)numbers[3] - 1,
		.dropped_calls = numbers[4],
		.used_bytes = numbers[5],
		.max_bytes = numbers[6],
	};
	return 0;
}

static int get_entry(struct promcb_view_recording *out, unsigned kind, struct promcb_view_span *in, uint64_t *buckets)
{
	int result;

	/* The segment is the first, and there is one. */
	if ((kind == KIND_SEGMENT) == (out->history.bucket_count != 0))
		return -EBADMSG;
	switch (kind) {
	case KIND_SEGMENT:
		result = get_segment(in, out);
		break;
	case KIND_COMPONENT:
		result = get_component(in, &out->history);
		break;
	case KIND_COLUMN:
		result = get_column(in, &out->history, buckets);
		break;
	case KIND_INFO:
		result = get_info(in, &out->info);
		break;
	default:
		return -EPROTO;
	}
	return result == 0 && (in->failed || in->at != in->end) ? -EBADMSG : result;
}

/* The next entry. Returns 1, 0 if there is none that is whole, or -errno. */
static int next_entry(struct promcb_view_recording *out, struct promcb_view_span *in, uint64_t *buckets)
{
	size_t left = (size_t)(in->end - in->at);
	struct promcb_view_span entry;
	uint32_t words[2];
	int result;

	if (left < HEAD_BYTES)
		return 0;
	memcpy(words, in->at, sizeof(words));
	if (words[0] > left - HEAD_BYTES)
		return 0;
	if (crc_of(in->at + sizeof(words), words[0] + 1) != words[1])
		return -EBADMSG;
	entry = promcb_view_span_of(in->at + HEAD_BYTES, words[0]);
	result = get_entry(out, in->at[HEAD_BYTES - 1], &entry, buckets);
	in->at = entry.end;
	return result < 0 ? result : 1;
}

int promcb_view_recording_read(const void *bytes, size_t length, enum promcb_view_purpose purpose,
			       struct promcb_view_recording *out)
{
	struct promcb_view_span in = {.at = bytes, .end = (const uint8_t *)bytes + length};
	uint64_t *buckets = NULL;
	int result = 1;

	*out = (struct promcb_view_recording){.cut = false};
	if (length < PROMCB_VIEW_RECORDING_MARK || !promcb_view_is_recording(bytes))
		return -EBADMSG;
	in.at += PROMCB_VIEW_RECORDING_MARK;
	if (purpose == PROMCB_VIEW_TO_GO_ON) {
		buckets = malloc(PROMCB_VIEW_OUTCOMES * PROMCB_VIEW_BUCKETS_MAX * sizeof(*buckets));
		result = buckets ? 1 : -ENOMEM;
	}
	while (result > 0)
		result = next_entry(out, &in, buckets);
	out->cut = in.at < in.end;
	free(buckets);
	/* Not even the segment. */
	if (result == 0 && !out->history.bucket_count)
		result = -EBADMSG;
	if (result < 0)
		promcb_view_history_end(&out->history);
	else if (purpose == PROMCB_VIEW_TO_GO_ON)
		out->history.limits = promcb_view_default_limits;
	return result;
}

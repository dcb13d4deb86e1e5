/* SPDX-License-Identifier: MIT */
#include "row.h"

#include <stdlib.h>
#include <string.h>

/* Counts that come from a file stop here, and do not go round. */
static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void promcb_view_put(struct promcb_view_bytes *out, const void *bytes, size_t length)
{
	if (!length)
		return;
	if (out->room - out->length < length) {
		size_t room = out->room * 2 + length + 64;
		uint8_t *grown = realloc(out->bytes, room);

		if (!grown) {
			out->failed = true;
			return;
		}
		out->bytes = grown;
		out->room = room;
	}
	memcpy(out->bytes + out->length, bytes, length);
	out->length += length;
}

struct promcb_view_span promcb_view_span_of(const uint8_t *bytes, size_t length)
{
	/* Nothing, and not even 0, is added to NULL. */
	return length ? (struct promcb_view_span){.at = bytes, .end = bytes + length}
		      : (struct promcb_view_span){.at = bytes, .end = bytes};
}

void promcb_view_bytes_free(struct promcb_view_bytes *out)
{
	free(out->bytes);
	*out = (struct promcb_view_bytes){.bytes = NULL};
}

uint8_t *promcb_view_bytes_take(struct promcb_view_bytes *out)
{
	uint8_t *bytes = out->bytes, *fitted = out->length ? realloc(bytes, out->length) : NULL;

	*out = (struct promcb_view_bytes){.bytes = NULL};
	return fitted ? fitted : bytes;
}

void promcb_view_put_number(struct promcb_view_bytes *out, uint64_t number)
{
	uint8_t bytes[10];
	size_t length = 0;

	for (; number >= 0x80; number >>= 7)
		bytes[length++] = (uint8_t)(number | 0x80);
	bytes[length++] = (uint8_t)number;
	promcb_view_put(out, bytes, length);
}

uint64_t promcb_view_get_number(struct promcb_view_span *in)
{
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
		uint64_t byte = *in->at++;

		if (shift == 63 && byte > 1)
			break;
		number |= (byte & 0x7f) << shift;
		if (byte < 0x80)
			return number;
	}
	in->failed = true;
	in->at = in->end;
	return 0;
}

const uint8_t *promcb_view_get(struct promcb_view_span *in, size_t length)
{
	const uint8_t *at = in->at;

	if ((size_t)(in->end - at) < length) {
		in->failed = true;
		in->at = in->end;
		return NULL;
	}
	in->at += length;
	return at;
}

/* -- Buckets ------------------------------------------------------------------------------------------------------- */

enum { GAP_MORE = 7, COUNT_MORE = 31, AT_ONCE = 8 };

/* Where the next bucket that is not empty is, or count: eight are passed over at a time. */
static size_t next_filled(const uint64_t *buckets, size_t at, size_t count)
{
	while (at + AT_ONCE <= count && !(buckets[at] | buckets[at + 1] | buckets[at + 2] | buckets[at + 3] |
					  buckets[at + 4] | buckets[at + 5] | buckets[at + 6] | buckets[at + 7]))
		at += AT_ONCE;
	while (at < count && !buckets[at])
		at++;
	return at;
}

void promcb_view_put_buckets(struct promcb_view_bytes *out, const uint64_t *buckets, size_t count)
{
	uint64_t filled = 0;
	size_t after = 0; /* the last that was not empty */

	for (size_t i = next_filled(buckets, 0, count); i < count; i = next_filled(buckets, i + 1, count))
		filled++;
	promcb_view_put_number(out, filled);
	for (size_t i = next_filled(buckets, 0, count); i < count; i = next_filled(buckets, after, count)) {
		uint64_t calls = buckets[i], gap = i - after;
		uint8_t byte;

		byte = (uint8_t)((gap < GAP_MORE ? gap : GAP_MORE) << 5 | (calls < COUNT_MORE ? calls : COUNT_MORE));
		promcb_view_put(out, &byte, 1);
		if (gap >= GAP_MORE)
			promcb_view_put_number(out, gap - GAP_MORE);
		if (calls >= COUNT_MORE)
			promcb_view_put_number(out, calls - COUNT_MORE);
		after = i + 1;
	}
}

void promcb_view_get_buckets(struct promcb_view_span *in, uint64_t *buckets, size_t count)
{
	uint64_t filled = promcb_view_get_number(in), at = 0;

	if (filled > count)
		in->failed = true;
	for (; filled && !in->failed; filled--) {
		const uint8_t byte = in->at < in->end ? *in->at : 0;
		uint64_t gap = byte >> 5, calls = byte & 0x1f;

		if (in->at == in->end) {
			in->failed = true;
			break;
		}
		in->at++;
		if (gap == GAP_MORE)
			gap = add(gap, promcb_view_get_number(in));
		if (calls == COUNT_MORE)
			calls = add(calls, promcb_view_get_number(in));
		at = add(at, gap);
		if (at >= count)
			in->failed = true;
		else if (buckets)
			buckets[at] = add(buckets[at], calls);
		at++;
	}
	if (in->failed)
		in->at = in->end;
}

void promcb_view_put_all_buckets(struct promcb_view_bytes *out, const uint64_t *buckets, size_t count)
{
	for (size_t i = 0; i < PROMCB_VIEW_OUTCOMES; i++)
		promcb_view_put_buckets(out, buckets + i * count, count);
}

void promcb_view_get_all_buckets(struct promcb_view_span *in, uint64_t *buckets, size_t count)
{
	for (size_t i = 0; i < PROMCB_VIEW_OUTCOMES; i++)
		promcb_view_get_buckets(in, buckets ? buckets + i * count : NULL, count);
}

/* -- Counts -------------------------------------------------------------------------------------------------------- */

void promcb_view_add_counts(struct promcb_view_counts *into, const struct promcb_view_counts *counts)
{
	for (size_t i = 0; i < PROMCB_VIEW_OUTCOMES; i++)
		into->calls[i] = add(into->calls[i], counts->calls[i]);
	for (size_t i = 0; i < PROMCB_STATES; i++)
		into->transitions[i] = add(into->transitions[i], counts->transitions[i]);
	for (size_t i = 0; i < PROMCB_LOG_LEVELS; i++)
		into->logs[i] = add(into->logs[i], counts->logs[i]);
	into->latency_ns = add(into->latency_ns, counts->latency_ns);
}

static bool any(const uint64_t *counts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (counts[i])
			return true;
	return false;
}

enum { HAS_TRANSITIONS = 1, HAS_LOGS = 2 };

void promcb_view_put_counts(struct promcb_view_bytes *out, const struct promcb_view_counts *counts)
{
	uint64_t has = (any(counts->transitions, PROMCB_STATES) ? HAS_TRANSITIONS : 0) |
		       (any(counts->logs, PROMCB_LOG_LEVELS) ? HAS_LOGS : 0);

	promcb_view_put_number(out, has);
	for (size_t i = 0; i < PROMCB_VIEW_OUTCOMES; i++)
		promcb_view_put_number(out, counts->calls[i]);
	promcb_view_put_number(out, counts->latency_ns);
	for (size_t i = 0; has & HAS_TRANSITIONS && i < PROMCB_STATES; i++)
		promcb_view_put_number(out, counts->transitions[i]);
	for (size_t i = 0; has & HAS_LOGS && i < PROMCB_LOG_LEVELS; i++)
		promcb_view_put_number(out, counts->logs[i]);
}

void promcb_view_get_counts(struct promcb_view_span *in, struct promcb_view_counts *counts)
{
	struct promcb_view_counts got = {.latency_ns = 0};
	uint64_t has = promcb_view_get_number(in);

	if (has > (HAS_TRANSITIONS | HAS_LOGS))
		in->failed = true;
	for (size_t i = 0; i < PROMCB_VIEW_OUTCOMES; i++)
		got.calls[i] = promcb_view_get_number(in);
	got.latency_ns = promcb_view_get_number(in);
	for (size_t i = 0; has & HAS_TRANSITIONS && i < PROMCB_STATES; i++)
		got.transitions[i] = promcb_view_get_number(in);
	for (size_t i = 0; has & HAS_LOGS && i < PROMCB_LOG_LEVELS; i++)
		got.logs[i] = promcb_view_get_number(in);
	if (!in->failed)
		promcb_view_add_counts(counts, &got);
}

/* -- Rows ---------------------------------------------------------------------------------------------------------- */

void promcb_view_row_put(struct promcb_view_bytes *out, const struct promcb_view_row *row, size_t count)
{
	size_t start = out->length;
	uint32_t length;

	/* The row's length comes first, to be put right. */
	promcb_view_put(out, &(uint32_t){0}, sizeof(uint32_t));
	promcb_view_put_number(out, row->component);
	promcb_view_put_number(out, row->marks << 2 | row->state);
	promcb_view_put_number(out, row->changed_ns);
	promcb_view_put_counts(out, &row->counts);
	promcb_view_put_all_buckets(out, row->buckets, count);
	if (out->failed)
		return;
	length = (uint32_t)(out->length - start - sizeof(length));
	memcpy(out->bytes + start, &length, sizeof(length));
}

static struct promcb_view_span next_row(struct promcb_view_span *in)
{
	const uint8_t *bytes = promcb_view_get(in, sizeof(uint32_t));
	struct promcb_view_span row = {.at = in->end, .end = in->end, .failed = true};
	uint32_t length;

	if (!bytes)
		return row;
	memcpy(&length, bytes, sizeof(length));
	bytes = promcb_view_get(in, length);
	return bytes ? (struct promcb_view_span){.at = bytes, .end = bytes + length} : row;
}

uint32_t promcb_view_row_peek(const struct promcb_view_span *in)
{
	struct promcb_view_span rest = *in, row = next_row(&rest);
	uint64_t component = promcb_view_get_number(&row);

	return row.failed || component > UINT32_MAX ? UINT32_MAX : (uint32_t)component;
}

void promcb_view_row_skip(struct promcb_view_span *in)
{
	next_row(in);
}

void promcb_view_row_add(struct promcb_view_span *in, struct promcb_view_row *row, size_t count)
{
	struct promcb_view_span from = next_row(in);
	uint64_t component = promcb_view_get_number(&from), marks = promcb_view_get_number(&from);
	uint64_t changed_ns = promcb_view_get_number(&from);

	if (component >= UINT32_MAX || (marks & 3) >= PROMCB_STATES || marks >> 5)
		from.failed = true;
	promcb_view_get_counts(&from, &row->counts);
	promcb_view_get_all_buckets(&from, row->buckets, count);
	if (from.failed || from.at != from.end) {
		in->failed = true;
		in->at = in->end;
		return;
	}
	row->component = (uint32_t)component;
	row->marks |= (uint32_t)(marks >> 2);
	row->state = (uint32_t)(marks & 3);
	row->changed_ns = changed_ns;
}

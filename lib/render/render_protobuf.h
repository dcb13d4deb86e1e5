/* SPDX-License-Identifier: MIT */
/*
 * render_protobuf.h: how metrics of the protobuf format are put together. For render_protobuf.c and protobuf_metrics.c
 * only.
 */
#ifndef PROMCB_RENDER_PROTOBUF_H
#define PROMCB_RENDER_PROTOBUF_H

#include "render/families.h"
#include "render/protobuf.h"

/* Field numbers. */
enum {
	FAMILY_NAME = 1,
	FAMILY_HELP = 2,
	FAMILY_TYPE = 3,
	FAMILY_METRIC = 4,
	FAMILY_UNIT = 5,
	METRIC_LABEL = 1,
	METRIC_GAUGE = 2,
	METRIC_COUNTER = 3,
	METRIC_SUMMARY = 4,
	METRIC_UNTYPED = 5,
	METRIC_HISTOGRAM = 7,
	LABEL_NAME = 1,
	LABEL_VALUE = 2,
	SIMPLE_VALUE = 1,
	COUNTER_START = 3,
	SUMMARY_COUNT = 1,
	SUMMARY_SUM = 2,
	SUMMARY_QUANTILE = 3,
	SUMMARY_START = 4,
	QUANTILE_RANK = 1,
	QUANTILE_VALUE = 2,
	HISTOGRAM_COUNT = 1,
	HISTOGRAM_SUM = 2,
	HISTOGRAM_BUCKET = 3,
	HISTOGRAM_SCHEMA = 5,
	HISTOGRAM_ZERO_THRESHOLD = 6,
	HISTOGRAM_ZERO_COUNT = 7,
	HISTOGRAM_SPAN = 12,
	HISTOGRAM_DELTA = 13,
	HISTOGRAM_START = 15,
	BUCKET_COUNT = 1,
	BUCKET_BOUND = 2,
	SPAN_OFFSET = 1,
	SPAN_LENGTH = 2,
	TIMESTAMP_SECONDS = 1,
	TIMESTAMP_NANOS = 2,
};

/* The most that a label, a simple value, all labels of every series, a component's own, and a classic bucket take. */
enum {
	LABEL_ROOM = 3 + 2 + PROMCB_LABEL_NAME_MAX + 3 + PROMCB_SEGMENT_LABEL_MAX,
	SIMPLE_ROOM = 64,
	COMMON_ROOM = PROMCB_COMMON_LABELS_MAX + PROMCB_LABELS_MAX * 8,
	OWN_ROOM = PROMCB_FULL_NAME_MAX + PROMCB_COMPONENT_LABELS_MAX * (8 + sizeof(PROMCB_EXPORTED)),
	BUCKET_ROOM = 2 + 11 + 9,
};

/* Runs of empty buckets up to this long are cheaper said as zeros than as another span. */
enum { GAP_MAX = 2 };

struct protobuf {
	const struct promcb_rendering *rendering;
	struct promcb_buffer metrics;   /* of the family at hand */
	struct promcb_buffer value;     /* of the metric at hand */
	struct promcb_classic classic;  /* of the part at hand */
};

/* Adds a metric: its encoded labels, and its value as a message in the given field. */
void promcb_protobuf_add(struct protobuf *p, const uint8_t *labels, size_t label_bytes, unsigned field,
			 const uint8_t *value, size_t value_bytes);

/* Hands the family on, if it has a metric; one without is no message. */
void promcb_protobuf_family(struct protobuf *p, const char *name, const char *help, enum promcb_exposed_type type,
			    const char *unit);

/* Prints the families that the segments hold beside their components. */
void promcb_protobuf_metrics(struct protobuf *p);

static inline uint8_t *put_pair(uint8_t *at, const char *name, const char *value)
{
	size_t name_bytes = strlen(name), value_bytes = strlen(value);

	at = promcb_put_tag(at, METRIC_LABEL, PROMCB_WIRE_BYTES);
	at = promcb_put_varint(at,
			       promcb_bytes_size(LABEL_NAME, name_bytes) + promcb_bytes_size(LABEL_VALUE, value_bytes));
	at = promcb_put_bytes(at, LABEL_NAME, name, name_bytes);
	return promcb_put_bytes(at, LABEL_VALUE, value, value_bytes);
}

static inline uint8_t *put_timestamp(uint8_t *at, unsigned field, uint64_t nanoseconds)
{
	uint64_t seconds = nanoseconds / 1000000000, rest = nanoseconds % 1000000000;

	at = promcb_put_tag(at, field, PROMCB_WIRE_BYTES);
	at = promcb_put_varint(at,
			       promcb_u64_size(TIMESTAMP_SECONDS, seconds) + promcb_u64_size(TIMESTAMP_NANOS, rest));
	at = promcb_put_u64(at, TIMESTAMP_SECONDS, seconds);
	return promcb_put_u64(at, TIMESTAMP_NANOS, rest);
}

static inline uint8_t *put_bucket(uint8_t *at, uint64_t count, double bound_seconds)
{
	at = promcb_put_tag(at, HISTOGRAM_BUCKET, PROMCB_WIRE_BYTES);
	at = promcb_put_varint(at, promcb_u64_size(BUCKET_COUNT, count) + 9);
	at = promcb_put_u64(at, BUCKET_COUNT, count);
	return promcb_put_double(at, BUCKET_BOUND, bound_seconds);
}

static inline uint8_t *put_span(uint8_t *at, int32_t offset, uint32_t length)
{
	uint64_t zigzag = promcb_zigzag(offset);

	at = promcb_put_tag(at, HISTOGRAM_SPAN, PROMCB_WIRE_BYTES);
	at = promcb_put_varint(at, promcb_u64_size(SPAN_OFFSET, zigzag) + promcb_u64_size(SPAN_LENGTH, length));
	at = promcb_put_u64(at, SPAN_OFFSET, zigzag);
	return promcb_put_u64(at, SPAN_LENGTH, length);
}

/*
 * Buckets as spans of native buckets, and the differences of neighbours. Offsets are from the end of the span before,
 * the first is the index itself. deltas: memory for 10 bytes a bucket; returns where the spans end, and the deltas'.
 */
static inline uint8_t *put_spans(uint8_t *at, const uint64_t *one, const uint64_t *other, uint32_t buckets,
				 int32_t first_index, uint8_t **deltas)
{
	/* Differences wrap, as counts of a hostile segment may. */
	uint64_t before = 0;
	uint32_t begin = 0, end = 0;    /* of the span at hand, as buckets; none while begin is 0 */
	int32_t last_end = 1 - first_index;

	for (uint32_t bucket = 1; bucket < buckets; bucket++) {
		uint64_t count = one[bucket] + (other ? other[bucket] : 0);

		if (count == 0)
			continue;
		if (begin && bucket - end > GAP_MAX) {
			at = put_span(at, (int32_t)begin - last_end, end - begin);
			last_end = (int32_t)end;
			begin = 0;
		}
		for (; begin && end < bucket; end++) {
			*deltas = promcb_put_varint(*deltas, promcb_zigzag((int64_t)(0 - before)));
			before = 0;
		}
		if (!begin)
			begin = bucket;
		*deltas = promcb_put_varint(*deltas, promcb_zigzag((int64_t)(count - before)));
		before = count;
		end = bucket + 1;
	}
	return begin ? put_span(at, (int32_t)begin - last_end, end - begin) : at;
}

/* What put_spans() has put at deltas, further back in the same memory, as a field. */
static inline uint8_t *put_deltas(uint8_t *at, const uint8_t *deltas, const uint8_t *end)
{
	size_t bytes = (size_t)(end - deltas);

	if (bytes == 0)
		return at;
	at = promcb_put_varint(promcb_put_tag(at, HISTOGRAM_DELTA, PROMCB_WIRE_BYTES), bytes);
	memmove(at, deltas, bytes);
	return at + bytes;
}

#endif

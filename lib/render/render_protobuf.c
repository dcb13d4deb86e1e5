/* SPDX-License-Identifier: MIT */
/*
 * render_protobuf.c: snapshots as length-delimited io.prometheus.client.MetricFamily messages, the one format that
 * carries native histograms.
 *
 * Source: client_model's metrics.proto, and Prometheus' "Native Histograms" for spans and deltas. A family is one
 * message, so its metrics are gathered before its length is known; a metric is put together from its labels, which are
 * encoded once, and its value. Invariants: sample_count = zero_count + sum of the buckets; classic buckets are sums of
 * the same buckets; no float histogram, whose fields are other numbers; schema, zero threshold and index range never
 * change in the life of a segment, since that would be a counter reset.
 */
#include "render/render_protobuf.h"
#include "base/bucket.h"
#include "render/own_families.h"

#include <errno.h>
#include <stdlib.h>

/* -- Labels and metrics -------------------------------------------------------------------------------------------- */

void promcb_protobuf_add(struct protobuf *p, const uint8_t *labels, size_t label_bytes, unsigned field,
			 const uint8_t *value, size_t value_bytes)
{
	size_t bytes = label_bytes + promcb_bytes_size(field, value_bytes);
	uint8_t *at = promcb_buffer_room(&p->metrics, promcb_bytes_size(FAMILY_METRIC, bytes));

	if (!at)
		return;
	at = promcb_put_tag(at, FAMILY_METRIC, PROMCB_WIRE_BYTES);
	at = promcb_put_varint(at, bytes);
	memcpy(at, labels, label_bytes);
	at = promcb_put_bytes(at + label_bytes, field, value, value_bytes);
	promcb_buffer_wrote(&p->metrics, at);
}

void promcb_protobuf_family(struct protobuf *p, const char *name, const char *help, enum promcb_exposed_type type,
			    const char *unit)
{
	struct promcb_sink *sink = p->rendering->sink;
	size_t name_bytes = strlen(name), help_bytes = strlen(help), unit_bytes = unit ? strlen(unit) : 0;
	size_t head = promcb_bytes_size(FAMILY_NAME, name_bytes) + promcb_bytes_size(FAMILY_HELP, help_bytes) + 2;
	size_t tail = unit ? promcb_bytes_size(FAMILY_UNIT, unit_bytes) : 0;
	uint8_t *at;

	if (p->metrics.used) {
		at = promcb_buffer_room(&p->value, 10 + head + tail);
		if (at) {
			at = promcb_put_varint(at, head + p->metrics.used + tail);
			at = promcb_put_bytes(at, FAMILY_NAME, name, name_bytes);
			at = promcb_put_bytes(at, FAMILY_HELP, help, help_bytes);
			at = promcb_put_tag(at, FAMILY_TYPE, PROMCB_WIRE_VARINT);
			*at++ = (uint8_t)(type == PROMCB_TYPE_INFO ? PROMCB_TYPE_GAUGE : type);
			promcb_sink_bytes(sink, p->value.bytes, (size_t)(at - p->value.bytes));
			promcb_sink_bytes(sink, p->metrics.bytes, p->metrics.used);
			if (unit) {
				at = promcb_put_bytes(p->value.bytes, FAMILY_UNIT, unit, unit_bytes);
				promcb_sink_bytes(sink, p->value.bytes, (size_t)(at - p->value.bytes));
			}
		}
	}
	p->metrics.used = p->value.used = 0;
}

/* -- Values -------------------------------------------------------------------------------------------------------- */

static unsigned field_of(enum promcb_exposed_type type)
{
	return type == PROMCB_TYPE_COUNTER ? METRIC_COUNTER : type == PROMCB_TYPE_GAUGE ? METRIC_GAUGE : METRIC_UNTYPED;
}

/* since_ns: when a counter began; 0: unknown, or no counter. */
static void add_simple(struct protobuf *p, const uint8_t *labels, size_t label_bytes, enum promcb_exposed_type type,
		       double number, uint64_t since_ns)
{
	uint8_t value[SIMPLE_ROOM], *at = promcb_put_double(value, SIMPLE_VALUE, number);

	if (type == PROMCB_TYPE_COUNTER && since_ns)
		at = put_timestamp(at, COUNTER_START, since_ns);
	promcb_protobuf_add(p, labels, label_bytes, field_of(type), value, (size_t)(at - value));
}

static void add_latency(struct protobuf *p, const uint8_t *labels, size_t label_bytes,
			const struct promcb_snapshot_component *component)
{
	const struct promcb_latency_sum sum = promcb_counts_latency(&component->counts);
	uint8_t value[16 + 16 + PROMCB_QUANTILES * 24 + SIMPLE_ROOM], *at = value;

	at = promcb_put_u64(at, SUMMARY_COUNT, promcb_counts_measured(&component->counts));
	at = promcb_put_double(at, SUMMARY_SUM, promcb_seconds_double(sum.seconds, sum.nanoseconds));
	for (unsigned q = 0; q < PROMCB_QUANTILES; q++) {
		at = promcb_put_tag(at, SUMMARY_QUANTILE, PROMCB_WIRE_BYTES);
		at = promcb_put_varint(at, 18);
		at = promcb_put_double(at, QUANTILE_RANK, promcb_quantile_ranks[q]);
		at = promcb_put_double(
			at, QUANTILE_VALUE,
			promcb_recent_seconds(promcb_recent_ns(&component->recent, component->recent.quantile_ns[q])));
	}
	at = put_timestamp(at, SUMMARY_START, component->since_ns);
	promcb_protobuf_add(p, labels, label_bytes, METRIC_SUMMARY, value, (size_t)(at - value));
}

static void add_duration(struct protobuf *p, const uint8_t *labels, size_t label_bytes,
			 const struct promcb_snapshot *snapshot, const struct promcb_snapshot_component *component)
{
	const struct promcb_latency_sum sum = promcb_counts_latency(&component->counts);
	const struct promcb_classic *classic = &p->classic;
	uint32_t buckets = snapshot->buckets;
	/* The value from the front; deltas further back, until their length is known. */
	size_t front = SIMPLE_ROOM * 2 + (classic->count + 1) * BUCKET_ROOM + (size_t)buckets * 14;
	uint8_t *value, *at, *deltas, *deltas_end;
	uint64_t below = 0;
	uint32_t from = 0;

	p->value.used = 0;
	value = at = promcb_buffer_room(&p->value, front + (size_t)buckets * 10);
	if (!value)
		return;
	deltas = deltas_end = value + front;
	at = promcb_put_u64(at, HISTOGRAM_COUNT, promcb_counts_measured(&component->counts));
	at = promcb_put_double(at, HISTOGRAM_SUM, promcb_seconds_double(sum.seconds, sum.nanoseconds));
	for (unsigned i = 0; i < classic->count; i++) {
		below += promcb_calls_in(component, from, classic->end[i]);
		from = classic->end[i];
		at = put_bucket(at, below, classic->bound_seconds[i]);
	}
	at = put_bucket(at, promcb_counts_measured(&component->counts), INFINITY);
	at = promcb_put_u64(at, HISTOGRAM_SCHEMA, promcb_zigzag((int64_t)snapshot->schema));
	at = promcb_put_double(at, HISTOGRAM_ZERO_THRESHOLD, promcb_bucket_upper_seconds(snapshot->schema, 0));
	at = promcb_put_u64(at, HISTOGRAM_ZERO_COUNT,
			    component->counts.buckets[0][0] + component->counts.buckets[1][0]);
	at = put_spans(at, component->counts.buckets[0], component->counts.buckets[1], buckets,
		       promcb_bucket_first(snapshot->schema), &deltas_end);
	at = put_deltas(at, deltas, deltas_end);
	at = put_timestamp(at, HISTOGRAM_START, component->since_ns);
	promcb_protobuf_add(p, labels, label_bytes, METRIC_HISTOGRAM, value, (size_t)(at - value));
}

/* -- Families of components ---------------------------------------------------------------------------------------- */

enum { PAIRS_MAX = 4, PAIR_MAX = 32 };

/* The labels that tell a component's series of a family apart, encoded. */
struct pairs {
	unsigned count;
	size_t bytes[PAIRS_MAX];
	uint8_t encoded[PAIRS_MAX][PAIR_MAX];
};

_Static_assert(PROMCB_STATES <= PAIRS_MAX && PROMCB_LOG_LEVELS <= PAIRS_MAX, "room for the labels of each shape");

static struct pairs make_pairs(enum promcb_family_shape shape)
{
	const struct promcb_shape_label label = promcb_shape_label(shape);
	struct pairs pairs = {.count = label.count};

	for (unsigned i = 0; label.name && i < label.count; i++)
		pairs.bytes[i] = (size_t)(put_pair(pairs.encoded[i], label.name, label.value(i)) - pairs.encoded[i]);
	return pairs;
}

/* The series of one component; labels: its own, with room for one more. */
static void add_numbers(struct protobuf *p, enum promcb_family_kind kind, const struct pairs *pairs,
			const struct promcb_snapshot_component *component, uint8_t *labels, size_t label_bytes)
{
	double number;

	for (unsigned i = 0; i < pairs->count; i++) {
		if (!promcb_family_number(kind, component, i, &number))
			continue;
		memcpy(labels + label_bytes, pairs->encoded[i], pairs->bytes[i]);
		add_simple(p, labels, label_bytes + pairs->bytes[i], promcb_families[kind].type, number,
			   component->since_ns);
	}
}

static uint8_t *put_own_labels(uint8_t *at, const struct promcb_full_name *name,
			       const struct promcb_render_options *options)
{
	for (unsigned i = 0; i < name->count; i++) {
		const char *label = name->parts + name->label_at[i];
		char renamed[sizeof(PROMCB_EXPORTED) + PROMCB_FULL_NAME_MAX];

		stpcpy(stpcpy(renamed, promcb_own_label_prefix(options, label)), label);
		at = put_pair(at, renamed, name->parts + name->value_at[i]);
	}
	return at;
}

static void add_part(struct protobuf *p, enum promcb_family_kind kind, const struct promcb_render_segment *part)
{
	const struct promcb_render_options *options = p->rendering->options;
	const struct promcb_component_family *family = &promcb_families[kind];
	const struct pairs pairs = make_pairs(family->shape);
	uint8_t labels[COMMON_ROOM + 3 * LABEL_ROOM + OWN_ROOM], *own = labels;

	for (size_t i = 0; i < options->label_count; i++)
		own = put_pair(own, options->labels[i].name, options->labels[i].value);
	if (part->segment)
		own = put_pair(own, "segment", part->segment);
	if (family->shape == PROMCB_SHAPE_HISTOGRAM)
		promcb_classic_make(&p->classic, part->snapshot->schema, p->rendering->options);
	for (size_t i = 0; i < part->snapshot->count; i++) {
		const struct promcb_snapshot_component *component = &part->snapshot->components[i];
		size_t bytes = (size_t)(put_own_labels(put_pair(own, "component", component->name.parts),
						       &component->name, options) -
					labels);

		if (family->shape == PROMCB_SHAPE_SUMMARY)
			add_latency(p, labels, bytes, component);
		else if (family->shape == PROMCB_SHAPE_HISTOGRAM)
			add_duration(p, labels, bytes, part->snapshot, component);
		else
			add_numbers(p, kind, &pairs, component, labels, bytes);
	}
}

static void print_family(void *context, const struct promcb_family *family)
{
	struct protobuf *p = context;
	enum promcb_exposed_type type = family->type == PROMCB_FAMILY_COUNTER ? PROMCB_TYPE_COUNTER : PROMCB_TYPE_GAUGE;

	for (size_t i = 0; i < family->count; i++) {
		const struct promcb_series *series = &family->series[i];
		size_t room = 0;
		uint8_t *labels, *at;

		for (size_t j = 0; j < series->label_count; j++)
			room += 32 + strlen(series->labels[j].name) + strlen(series->labels[j].value);
		p->value.used = 0;
		labels = at = promcb_buffer_room(&p->value, room + 1);
		if (!labels)
			break;
		for (size_t j = 0; j < series->label_count; j++)
			at = put_pair(at, series->labels[j].name, series->labels[j].value);
		add_simple(p, labels, (size_t)(at - labels), type, series->number, series->since_ns);
	}
	promcb_protobuf_family(p, family->name, family->help, type, family->unit);
}

void promcb_render_protobuf(const struct promcb_rendering *rendering)
{
	struct protobuf p = {.rendering = rendering};
	struct promcb_prefixed named;

	for (unsigned kind = 0; kind < PROMCB_KINDS; kind++) {
		const struct promcb_component_family *family = &promcb_families[kind];

		if (family->compat && (rendering->options->flags & PROMCB_RENDER_WITHOUT_COMPAT))
			continue;
		for (size_t i = 0; i < rendering->count; i++) {
			if (rendering->parts[i].snapshot)
				add_part(&p, (enum promcb_family_kind)kind, &rendering->parts[i]);
		}
		promcb_prefixed_make(&named, family, rendering->options);
		promcb_protobuf_family(&p, named.name, named.help, family->type, family->unit);
	}
	promcb_protobuf_metrics(&p);
	promcb_each_family(rendering, print_family, &p);
	if ((p.metrics.failed || p.value.failed) && !rendering->sink->error)
		rendering->sink->error = -ENOMEM;
	free(p.metrics.bytes);
	free(p.value.bytes);
}

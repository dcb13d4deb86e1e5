/* SPDX-License-Identifier: MIT */
/*
 * protobuf_metrics.c: families and their series in the protobuf format.
 *
 * A histogram of a constant relative width is native and classic, one of explicit bounds classic alone. What lies above
 * the last bound counts in the native bucket that begins there: Prometheus wants the buckets to come to the count.
 * Series carry their creation as the start of their counting, since they never begin anew.
 */
#include "render/groups.h"
#include "render/render_protobuf.h"

#include <math.h>

struct member {
	struct protobuf *p;
	const struct promcb_group_member *of;
	enum promcb_exposed_type type;
	struct promcb_buffer labels;    /* of the series at hand */
	size_t fixed_bytes;             /* of these the labels of all series of the part */
};

static void add_pair(struct promcb_buffer *labels, const char *name, const char *value)
{
	uint8_t *at = promcb_buffer_room(labels, strlen(name) + strlen(value) + 32);

	if (at)
		promcb_buffer_wrote(labels, put_pair(at, name, value));
}

/* A label of a series' own: see promcb_own_label_prefix(). */
static void add_own(struct member *m, const char *name, const char *value)
{
	char renamed[sizeof(PROMCB_EXPORTED) + PROMCB_NAME_MAX];

	stpcpy(stpcpy(renamed, promcb_own_label_prefix(m->p->rendering->options, name)), name);
	add_pair(&m->labels, renamed, value);
}

static void add_value(struct member *m, unsigned field, const uint8_t *value, size_t bytes)
{
	if (!m->labels.failed)
		promcb_protobuf_add(m->p, m->labels.bytes, m->labels.used, field, value, bytes);
}

static void add_number(struct member *m, const struct promcb_snapshot_series *series, double number)
{
	bool is_counter = m->type == PROMCB_TYPE_COUNTER;
	uint8_t value[SIMPLE_ROOM], *at = promcb_put_double(value, SIMPLE_VALUE, number);

	if (is_counter && series->created_ns)
		at = put_timestamp(at, COUNTER_START, series->created_ns);
	add_value(m, is_counter ? METRIC_COUNTER : METRIC_GAUGE, value, (size_t)(at - value));
}

/* How many observations; the buckets of the classic form. */
static uint8_t *put_classic(const struct member *m, uint8_t *at, const uint64_t *cells, uint64_t count)
{
	const struct promcb_snapshot_family *family = m->of->family;
	uint32_t last = family->buckets - 1, bucket = 0;
	uint64_t below = 0;

	for (uint32_t end = 0;
	     (end = promcb_family_classic(family, m->p->rendering->options->classic_schema, end)) < last; end++) {
		for (; bucket <= end; bucket++)
			below += cells[bucket];
		at = put_bucket(at, below, promcb_family_bound(family, end));
	}
	return put_bucket(at, count, (double)INFINITY);
}

static void add_histogram(struct member *m, const struct promcb_snapshot_series *series, const uint64_t *cells)
{
	const struct promcb_snapshot_family *family = m->of->family;
	size_t front = SIMPLE_ROOM * 2 + (family->buckets + 1) * (size_t)(BUCKET_ROOM + 14);
	struct promcb_buffer *memory = &m->p->value;
	uint8_t *value, *at, *deltas, *deltas_end;
	uint64_t count = 0;

	memory->used = 0;
	value = at = promcb_buffer_room(memory, front + (size_t)family->buckets * 10);
	if (!value)
		return;
	for (uint32_t bucket = 0; bucket < family->buckets; bucket++)
		count += cells[bucket];
	deltas = deltas_end = value + front;
	at = promcb_put_u64(at, HISTOGRAM_COUNT, count);
	at = promcb_put_double(at, HISTOGRAM_SUM, promcb_metrics_number(family, cells[family->buckets]));
	at = put_classic(m, at, cells, count);
	if (!family->bounds) {
		at = promcb_put_u64(at, HISTOGRAM_SCHEMA, promcb_zigzag((int64_t)family->native.schema));
		at = promcb_put_double(at, HISTOGRAM_ZERO_THRESHOLD, promcb_native_upper(&family->native, 0));
		at = promcb_put_u64(at, HISTOGRAM_ZERO_COUNT, cells[0]);
		at = put_spans(at, cells, NULL, family->buckets, family->native.first, &deltas_end);
	}
	at = put_deltas(at, deltas, deltas_end);
	if (series->created_ns)
		at = put_timestamp(at, HISTOGRAM_START, series->created_ns);
	add_value(m, METRIC_HISTOGRAM, value, (size_t)(at - value));
}

static void add_series(struct member *m, const struct promcb_snapshot_series *series)
{
	const struct promcb_snapshot_family *family = m->of->family;
	const uint64_t *cells = promcb_member_cells(m->of, series);
	const char *name = family->label_names, *value = series->values, *enumerated = family->enumerated_values;
	size_t own_bytes;

	m->labels.used = m->fixed_bytes;
	for (uint32_t i = 0; i < family->labels; i++) {
		add_own(m, name, value);
		name = promcb_text_next(name);
		value = promcb_text_next(value);
	}
	own_bytes = m->labels.used;
	if (family->type == PROMCB_HISTOGRAM)
		add_histogram(m, series, cells);
	else if (family->type == PROMCB_INFO)
		add_number(m, series, 1);
	else if (!family->enumerated)
		add_number(m, series, promcb_metrics_number(family, *cells));
	for (uint32_t i = 0; i < family->enumerated; i++, enumerated = promcb_text_next(enumerated)) {
		m->labels.used = own_bytes;
		add_own(m, name, enumerated);
		add_number(m, series, promcb_metrics_number(family, cells[i]));
	}
}

static void add_group(void *context, const struct promcb_group *group)
{
	struct protobuf *p = context;
	const struct promcb_render_options *options = p->rendering->options;

	for (size_t i = 0; i < group->count; i++) {
		struct member m = {.p = p, .of = &group->members[i], .type = group->type};

		for (size_t j = 0; j < options->label_count; j++)
			add_pair(&m.labels, options->labels[j].name, options->labels[j].value);
		if (m.of->part->segment)
			add_pair(&m.labels, "segment", m.of->part->segment);
		/* Not NULL, though there may be no label. */
		promcb_buffer_room(&m.labels, 1);
		m.fixed_bytes = m.labels.used;
		for (size_t j = 0; j < m.of->family->count; j++)
			add_series(&m, promcb_member_series(m.of, j));
		p->value.failed |= m.labels.failed;
		free(m.labels.bytes);
	}
	promcb_protobuf_family(p, group->name, group->help, group->type, group->unit);
}

void promcb_protobuf_metrics(struct protobuf *p)
{
	promcb_each_group(p->rendering, add_group, p);
}

/* SPDX-License-Identifier: MIT */
#include "snapshot_check.h"

#include "base/name.h"

#include <jansson.h>

#include <errno.h>
#include <math.h>
#include <string.h>

static void check_recent(const struct promcb_recent *recent, uint64_t most)
{
	/* Averages and quantiles between samples are rounded. */
	double below = recent->minimum_ns * (1 - 1e-12), above = recent->maximum_ns * (1 + 1e-12);
	double last = below;

	FUZZ_REQUIRE(recent->calls <= most && recent->failures <= recent->calls, "%llu calls, %llu failures of %llu",
		     (unsigned long long)recent->calls, (unsigned long long)recent->failures, (unsigned long long)most);
	FUZZ_REQUIRE(recent->measured <= recent->calls, "%llu of %llu calls have a latency",
		     (unsigned long long)recent->measured, (unsigned long long)recent->calls);
	if (recent->measured == 0) {
		FUZZ_REQUIRE(isnan(recent->average_ns) && isnan(recent->minimum_ns) && isnan(recent->maximum_ns),
			     "a number without a call");
		for (unsigned i = 0; i < PROMCB_QUANTILES; i++)
			FUZZ_REQUIRE(isnan(recent->quantile_ns[i]), "quantile %u without a call", i);
		return;
	}
	FUZZ_REQUIRE(recent->minimum_ns >= 0 && recent->maximum_ns <= (double)PROMCB_LATENCY_MAX_NS, "%g to %g",
		     recent->minimum_ns, recent->maximum_ns);
	FUZZ_REQUIRE(recent->average_ns >= below && recent->average_ns <= above, "%g to %g: %g", recent->minimum_ns,
		     recent->maximum_ns, recent->average_ns);
	for (unsigned i = 0; i < PROMCB_QUANTILES; i++) {
		FUZZ_REQUIRE(recent->quantile_ns[i] >= last && recent->quantile_ns[i] <= above, "quantile %u: %g", i,
			     recent->quantile_ns[i]);
		last = recent->quantile_ns[i] * (1 - 1e-12);
	}
}

/* With labels: what renderers print of them is all there is, and makes the same name again. */
static void check_name(const struct promcb_full_name *name, size_t index)
{
	struct promcb_label labels[PROMCB_COMPONENT_LABELS_MAX];
	struct promcb_full_name again;
	size_t bare = strlen(name->parts);

	FUZZ_REQUIRE(name->bytes <= PROMCB_FULL_NAME_MAX && strlen(name->text) == name->bytes &&
			     name->count <= PROMCB_COMPONENT_LABELS_MAX && !promcb_name_fault(name->parts, bare) &&
			     fuzz_is_utf8((const uint8_t *)name->text, name->bytes),
		     "the name of component %zu", index);
	for (unsigned i = 0; i < name->count; i++)
		labels[i] = (struct promcb_label){name->parts + name->label_at[i], name->parts + name->value_at[i]};
	FUZZ_REQUIRE(!promcb_full_name_make(&again, name->parts, bare, labels, name->count) &&
			     strcmp(again.text, name->text) == 0,
		     "the labels of component %zu, \"%s\"", index, name->text);
}

static void check_component(const struct promcb_snapshot *s, size_t index, bool with_recent)
{
	const struct promcb_snapshot_component *c = &s->components[index];
	struct promcb_summary summary, found;

	check_name(&c->name, index);
	FUZZ_REQUIRE(index == 0 || strcmp(s->components[index - 1].name.text, c->name.text) < 0,
		     "the order of \"%s\" and \"%s\"", s->components[index - 1].name.text, c->name.text);
	FUZZ_REQUIRE(c->state <= PROMCB_HALF_OPEN, "state %u", c->state);
	for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++) {
		uint64_t sum = 0;

		for (uint32_t bucket = 0; bucket < s->buckets; bucket++)
			sum += c->counts.buckets[outcome][bucket];
		FUZZ_REQUIRE(sum + c->counts.unmeasured[outcome] == c->counts.calls[outcome],
			     "%llu calls in buckets, %llu without a latency, %llu in all", (unsigned long long)sum,
			     (unsigned long long)c->counts.unmeasured[outcome],
			     (unsigned long long)c->counts.calls[outcome]);
	}
	for (unsigned state = 0; state < 3; state++)
		FUZZ_REQUIRE(c->counts.transitions[state] < 1 << 20, "%llu changes",
			     (unsigned long long)c->counts.transitions[state]);
	FUZZ_REQUIRE(with_recent || c->recent.calls == 0, "samples that were not asked for");
	check_recent(&c->recent, s->info.recent_samples);
	FUZZ_REQUIRE(promcb_snapshot_summary(s, index, &summary) == 0 &&
			     promcb_snapshot_find(s, c->name.text, &found) == 0,
		     "no summary of \"%s\"", c->name.text);
	FUZZ_REQUIRE(found.name == summary.name && summary.name == c->name.text, "\"%s\" and \"%s\"", found.name,
		     summary.name);
	FUZZ_REQUIRE(summary.total_calls == summary.successful_calls + summary.failed_calls, "\"%s\"", c->name.text);
	FUZZ_REQUIRE(promcb_state_name(summary.state) != NULL, "state %d", (int)summary.state);
}

/* What single calls, buckets and quantiles say fits the component's counts. */
static void check_calls(const struct promcb_snapshot *snapshot, size_t index)
{
	const struct promcb_snapshot_component *component = &snapshot->components[index];
	static uint64_t counts[2048];
	size_t buckets = promcb_snapshot_buckets(snapshot, index, PROMCB_OUTCOME_ANY, counts, 2048), listed = 0;
	uint64_t sum = 0, calls, last_ns = UINT64_MAX;
	struct promcb_recent_call call;
	struct promcb_bucket bounds;

	for (size_t i = 0; i < buckets; i++)
		sum += counts[i];
	FUZZ_REQUIRE(buckets == promcb_bucket_count(snapshot->schema) &&
			     sum == promcb_counts_measured(&component->counts),
		     "%zu buckets hold %llu calls", buckets, (unsigned long long)sum);
	int result = promcb_snapshot_quantile(snapshot, index, PROMCB_OUTCOME_ANY, 0.99, &bounds, &calls);

	FUZZ_REQUIRE(calls == sum && (result == 0 ? sum && bounds.least_ns <= bounds.most_ns + 1 : result == -ENODATA),
		     "a quantile of %llu calls: %d", (unsigned long long)calls, result);
	for (; promcb_snapshot_call(snapshot, index, listed, &call) == 0; listed++) {
		FUZZ_REQUIRE(call.time_ns <= last_ns && call.failed <= 1 &&
				     (call.latency_ns <= PROMCB_LATENCY_MAX_NS ||
				      call.latency_ns == PROMCB_LATENCY_UNMEASURED),
			     "call %zu took %llu", listed, (unsigned long long)call.latency_ns);
		last_ns = call.time_ns;
	}
	FUZZ_REQUIRE(!snapshot->calls || listed == component->recent.calls, "%zu calls of %llu are listed", listed,
		     (unsigned long long)component->recent.calls);
}

/* Nothing came between a snapshot and itself. */
static void check_difference(const struct promcb_snapshot *snapshot)
{
	struct promcb_snapshot *none;

	FUZZ_REQUIRE(promcb_snapshot_difference(snapshot, snapshot, &none) == 0, "no difference");
	for (size_t i = 0; i < none->count; i++)
		FUZZ_REQUIRE(promcb_snapshot_span(none, i) == PROMCB_SPAN_BETWEEN &&
				     promcb_counts_calls(&none->components[i].counts) == 0 &&
				     promcb_snapshot_seconds(none, i) == 0,
			     "something came between a snapshot and itself: span %d",
			     (int)promcb_snapshot_span(none, i));
	FUZZ_REQUIRE(none->count == snapshot->count, "%zu of %zu components", none->count, snapshot->count);
	promcb_snapshot_free(none);
}

void fuzz_check_snapshot(const struct promcb_snapshot *snapshot, bool with_recent)
{
	struct promcb_segment_info info;

	promcb_snapshot_info(snapshot, &info);
	FUZZ_REQUIRE(promcb_snapshot_count(snapshot) == snapshot->count && snapshot->count <= info.components_max + 1u,
		     "%zu components", snapshot->count);
	FUZZ_REQUIRE(info.components <= info.components_max && info.lanes_live <= (int32_t)info.lanes_max &&
			     info.lanes_idle <= (int32_t)info.lanes_max && info.producers <= info.lanes_live,
		     "%u components, %d lanes live, %d idle, %d producers", info.components, info.lanes_live,
		     info.lanes_idle, info.producers);
	for (size_t i = 0; i < snapshot->count; i++)
		check_component(snapshot, i, with_recent);
	for (size_t i = 0; i < snapshot->count; i++)
		check_calls(snapshot, i);
	check_difference(snapshot);
}

/* -- Renderings --------------------------------------------------------------------------------------------------- */

struct text {
	uint8_t *bytes;
	size_t length, room;
};

static int append(void *context, const void *bytes, size_t length)
{
	struct text *text = context;

	if (text->length + length > text->room) {
		text->room = 2 * (text->length + length);
		text->bytes = realloc(text->bytes, text->room);
		FUZZ_REQUIRE(text->bytes, "memory");
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	return 0;
}

/* A scraper refuses a line that it cannot read, and a series that it has seen in the same document, by its key. */
static void check_lines(const struct text *text)
{
	FUZZ_REQUIRE(text->length > 0 && text->bytes[text->length - 1] == '\n', "the end of %zu bytes", text->length);
	FUZZ_REQUIRE(!memchr(text->bytes, 0, text->length), "a zero byte");
	for (size_t at = 0; at < text->length;) {
		const uint8_t *line = text->bytes + at, *end = memchr(line, '\n', text->length - at);

		FUZZ_REQUIRE(end > line, "an empty line at %zu", at);
		FUZZ_REQUIRE(*line == '#' || *line == '_' || (*line >= 'a' && *line <= 'z') ||
				     (*line >= 'A' && *line <= 'Z'),
			     "a line that begins with %d", *line);
		at += (size_t)(end - line) + 1;
	}
}

static void check_json(const struct text *text)
{
	json_error_t error;
	json_t *value = json_loadb((const char *)text->bytes, text->length, JSON_REJECT_DUPLICATES, &error);

	FUZZ_REQUIRE(value, "no JSON: %s at %d", error.text, error.position);
	json_decref(value);
}

void fuzz_check_renderings(const struct promcb_snapshot *snapshot)
{
	static struct text text;

	/* What stands for the numbers of formats to come is asked of the library. */
	for (int format = 0; promcb_format_content_type((enum promcb_format)format); format++) {
		text.length = 0;
		int result = promcb_render(snapshot, (enum promcb_format)format, NULL, append, &text);

		FUZZ_REQUIRE(result == 0, "format %d: %s", format, promcb_strerror(result));
		if (format == PROMCB_FORMAT_PROTOBUF)
			continue;
		FUZZ_REQUIRE(fuzz_is_utf8(text.bytes, text.length), "format %d is no UTF-8", format);
		if (format == PROMCB_FORMAT_TEXT || format == PROMCB_FORMAT_OPENMETRICS)
			check_lines(&text);
		else if (format == PROMCB_FORMAT_JSON || format == PROMCB_FORMAT_HEALTH ||
			 format == PROMCB_FORMAT_METRICS)
			check_json(&text);
	}
}

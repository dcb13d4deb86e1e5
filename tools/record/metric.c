/* SPDX-License-Identifier: MIT */
#include "metric.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHAINS = 256, DECIMALS = 9 };

/* A family as changes name it: by its name and the names of its labels in their order. */
struct known {
	struct known *next;
	struct promcb_metric_family *family;
	struct promcb_family_spec *spec;
	size_t value_count;
	size_t order[PROMCB_CHANGE_LABELS_MAX]; /* of the family's labels: which of the change's it is */
	size_t enumerated;                      /* likewise */
	const char *name;
	const char *labels[PROMCB_CHANGE_LABELS_MAX + 1];
	char texts[]; /* of name and labels */
};

struct promcb_metrics {
	struct promcb_session *session;
	const struct promcb_metric_rules *rules;
	struct known *chains[CHAINS];
};

struct promcb_metrics *promcb_metrics_new(struct promcb_session *session, const struct promcb_metric_rules *rules)
{
	struct promcb_metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return NULL;
	metrics->session = session;
	metrics->rules = rules;
	return metrics;
}

void promcb_metrics_end(struct promcb_metrics *metrics)
{
	for (size_t i = 0; metrics && i < CHAINS; i++) {
		for (struct known *known = metrics->chains[i], *next; known; known = next) {
			next = known->next;
			free(known->spec);
			free(known);
		}
	}
	free(metrics);
}

__attribute__((format(printf, 3, 4))) static enum promcb_changed say(struct promcb_message *message,
								     enum promcb_changed way, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message->text, sizeof(message->text), format, arguments);
	va_end(arguments);
	return way;
}

/* -- New families -------------------------------------------------------------------------------------------------- */

static bool ends_in(const char *text, size_t length, const char *end)
{
	return length > strlen(end) && memcmp(text + length - strlen(end), end, strlen(end)) == 0;
}

/* The last word of the name, where it is a unit that Prometheus has. */
static const char *unit_of(const char *name)
{
	size_t length = strlen(name);

	if (ends_in(name, length, "_total"))
		length -= strlen("_total");
	return ends_in(name, length, "_seconds") ? "seconds" : ends_in(name, length, "_bytes") ? "bytes" : NULL;
}

static void declare(const struct promcb_metric_rules *rules, const struct promcb_change *change,
		    struct promcb_family_spec *spec)
{
	bool is_seconds;

	*spec = (struct promcb_family_spec){.name = change->name, .help = rules->help, .unit = rules->unit};
	if (!spec->unit)
		spec->unit = unit_of(change->name);
	is_seconds = spec->unit && strcmp(spec->unit, "seconds") == 0;
	if (change->kind == PROMCB_CHANGE_SET) {
		spec->type = PROMCB_GAUGE;
		spec->scope = PROMCB_SCOPE_SEGMENT;
		return;
	}
	spec->decimals = is_seconds || promcb_amount_decimals(change) > 0 ? DECIMALS : 0;
	spec->type = ends_in(change->name, strlen(change->name), "_total") ? PROMCB_COUNTER : PROMCB_LEVEL;
	if (change->kind == PROMCB_CHANGE_ADD)
		return;
	spec->type = PROMCB_HISTOGRAM;
	/* As far as whole numbers are exact. */
	if (spec->decimals && !is_seconds) {
		spec->smallest = 0x1p-30;
		spec->largest = 0x1p23;
	}
}

/* -- Families ------------------------------------------------------------------------------------------------------ */

static size_t chain_of(const struct promcb_change *change)
{
	size_t hash = 0;

	for (const char *at = change->name; *at; at++)
		hash = hash * 31 + (unsigned char)*at;
	return hash % CHAINS;
}

static bool is_of(const struct known *known, const struct promcb_change *change)
{
	size_t i = 0;

	if (strcmp(known->name, change->name) != 0)
		return false;
	while (known->labels[i] && change->labels[i] && strcmp(known->labels[i], change->labels[i]) == 0)
		i++;
	return !known->labels[i] && !change->labels[i];
}

static size_t index_of(const struct promcb_change *change, const char *label)
{
	size_t i = 0;

	while (i < change->label_count && strcmp(change->labels[i], label) != 0)
		i++;
	return i;
}

/* Keeps what a change named. spec: in memory of malloc. Returns NULL where there is no memory. */
static struct known *keep(struct promcb_metrics *metrics, const struct promcb_change *change,
			  struct promcb_metric_family *family, struct promcb_family_spec *spec)
{
	struct known *known = calloc(1, sizeof(*known) + change->used);
	size_t chain = chain_of(change);

	if (!known)
		return NULL;
	memcpy(known->texts, change->texts, change->used);
	known->name = known->texts + (change->name - change->texts);
	for (size_t i = 0; i < change->label_count; i++)
		known->labels[i] = known->texts + (change->labels[i] - change->texts);
	known->family = family;
	known->spec = spec;
	for (size_t i = 0; spec->labels && spec->labels[i] && i < PROMCB_CHANGE_LABELS_MAX; i++)
		known->order[known->value_count++] = index_of(change, spec->labels[i]);
	if (spec->enumerated)
		known->enumerated = index_of(change, spec->enumerated_label);
	known->next = metrics->chains[chain];
	metrics->chains[chain] = known;
	return known;
}

/* Registers the family that the change needs. Returns 0, or -errno. */
static int make(struct promcb_metrics *metrics, const struct promcb_change *change, struct promcb_message *message,
		struct promcb_metric_family **family)
{
	struct promcb_family_spec made, *other;
	int result;

	/* Under one name are families of one kind: other label names are no reason to declare it in another way. */
	if (promcb_family_find(metrics->session, change->name, NULL, family, &other) == 0) {
		made = *other;
		made.enumerated = NULL;
		made.enumerated_label = NULL;
	} else {
		declare(metrics->rules, change, &made);
	}
	made.labels = change->labels;
	made.message = message;
	result = promcb_family_register(metrics->session, &made, family);
	free(other);
	return result;
}

static const struct known *find(struct promcb_metrics *metrics, const struct promcb_change *change,
				struct promcb_message *message)
{
	struct promcb_metric_family *family;
	struct promcb_family_spec *spec;
	struct known *known;
	int result;

	for (known = metrics->chains[chain_of(change)]; known; known = known->next)
		if (is_of(known, change))
			return known;
	result = promcb_family_find(metrics->session, change->name, change->labels, &family, &spec);
	if (result == -ENOENT) {
		result = make(metrics, change, message, &family);
		if (result == 0)
			result = promcb_family_find(metrics->session, change->name, change->labels, &family, &spec);
	}
	known = result == 0 ? keep(metrics, change, family, spec) : NULL;
	if (known)
		return known;
	if (!message->text[0])
		say(message, PROMCB_CHANGED_NOTHING, "%.120s cannot be had: %s", change->name,
		    promcb_strerror(result ? result : -ENOMEM));
	if (result == 0)
		free(spec);
	return NULL;
}

/* -- Series -------------------------------------------------------------------------------------------------------- */

static int find_series(const struct known *known, const struct promcb_change *change, void **series)
{
	const char *values[PROMCB_CHANGE_LABELS_MAX];
	size_t lengths[PROMCB_CHANGE_LABELS_MAX];

	for (size_t i = 0; i < known->value_count; i++) {
		values[i] = change->values[known->order[i]];
		lengths[i] = change->lengths[known->order[i]];
	}
	return promcb_series_with(known->family, known->spec->type, values, lengths, known->value_count, series);
}

static enum promcb_changed reject(const struct known *known, struct promcb_message *message)
{
	return say(message, PROMCB_CHANGED_REJECTED, "%s takes no such number, and counts it as rejected", known->name);
}

static enum promcb_changed add_enumerated(const struct known *known, const struct promcb_change *change, void *series,
					  struct promcb_message *message)
{
	const char *value = change->values[known->enumerated];
	uint32_t index = 0;

	while (known->spec->enumerated[index] && strcmp(known->spec->enumerated[index], value) != 0)
		index++;
	if (!known->spec->enumerated[index])
		return say(message, PROMCB_CHANGED_NOTHING, "the label %s of %s has no such value",
			   known->spec->enumerated_label, known->name);
	promcb_counter_add_at(series, index, promcb_amount_whole(change, known->spec->decimals));
	return PROMCB_CHANGED;
}

static enum promcb_changed add_to_counter(const struct known *known, const struct promcb_change *change, void *series,
					  struct promcb_message *message)
{
	double amount = promcb_amount_double(change);

	/* Also what is beyond a double, an infinity then, and NaN. */
	if (promcb_amount_is_negative(change) || !(amount - amount >= 0)) {
		promcb_counter_add_double(series, -1);
		return reject(known, message);
	}
	if (known->spec->enumerated)
		return add_enumerated(known, change, series, message);
	if (known->spec->flags & PROMCB_DOUBLES)
		promcb_counter_add_double(series, amount);
	else
		promcb_counter_add(series, promcb_amount_whole(change, known->spec->decimals));
	return PROMCB_CHANGED;
}

static enum promcb_changed observe(const struct known *known, const struct promcb_change *change, void *series,
				   struct promcb_message *message)
{
	double value = promcb_amount_double(change);
	bool doubles = (known->spec->flags & PROMCB_DOUBLES) != 0;

	if (!(value - value >= 0) || (!doubles && promcb_amount_is_negative(change))) {
		promcb_histogram_observe_double(series, __builtin_nan(""));
		return reject(known, message);
	}
	if (doubles)
		promcb_histogram_observe_double(series, value);
	else
		promcb_histogram_observe(series, promcb_amount_whole(change, known->spec->decimals));
	return PROMCB_CHANGED;
}

static enum promcb_changed make_change(const struct known *known, const struct promcb_change *change, void *series,
				       struct promcb_message *message)
{
	int64_t whole;

	switch (known->spec->type) {
	case PROMCB_COUNTER:
		return add_to_counter(known, change, series, message);
	case PROMCB_HISTOGRAM:
		return observe(known, change, series, message);
	case PROMCB_LEVEL:
		whole = (int64_t)promcb_amount_whole(change, known->spec->decimals);
		promcb_level_add(series, promcb_amount_is_negative(change) ? -whole : whole);
		return PROMCB_CHANGED;
	default:
		if (change->kind == PROMCB_CHANGE_SET)
			promcb_gauge_set(series, promcb_amount_double(change));
		else
			promcb_gauge_add(series, promcb_amount_double(change));
		return PROMCB_CHANGED;
	}
}

/* Whether the family takes such a change. */
static bool fits(const struct promcb_metrics *metrics, const struct known *known, const struct promcb_change *change,
		 struct promcb_message *message)
{
	static const char *const types[] = {"none", "counter", "level", "gauge", "histogram", "info"};
	enum promcb_metric_type type = known->spec->type;
	bool is_number = promcb_amount_double(change) - promcb_amount_double(change) >= 0;

	if ((change->kind == PROMCB_CHANGE_OBSERVE) != (type == PROMCB_HISTOGRAM) || type == PROMCB_INFO ||
	    (change->kind == PROMCB_CHANGE_SET && type != PROMCB_GAUGE)) {
		say(message, PROMCB_CHANGED_NOTHING, "%s is a %s, and %s is of %s", known->name, types[type],
		    promcb_change_option(change->kind),
		    change->kind == PROMCB_CHANGE_ADD   ? "counters, levels and gauges"
		    : change->kind == PROMCB_CHANGE_SET ? "gauges"
							: "histograms");
		return false;
	}
	if (type == PROMCB_GAUGE && known->spec->scope != PROMCB_SCOPE_SEGMENT && !metrics->rules->lives) {
		say(message, PROMCB_CHANGED_NOTHING,
		    "%s is a gauge of living processes, and this one ends: a value would end with it", known->name);
		return false;
	}
	if (type == PROMCB_GAUGE || known->spec->flags & PROMCB_DOUBLES)
		return true;
	if (is_number ? promcb_amount_whole(change, known->spec->decimals) > INT64_MAX : type == PROMCB_LEVEL) {
		say(message, PROMCB_CHANGED_NOTHING, "the amount is beyond what %s can count", known->name);
		return false;
	}
	return true;
}

enum promcb_changed promcb_metrics_change(struct promcb_metrics *metrics, const struct promcb_change *change,
					  struct promcb_message *message)
{
	const struct known *known;
	enum promcb_changed way;
	void *series;
	int result;

	message->text[0] = 0;
	known = find(metrics, change, message);
	if (!known || !fits(metrics, known, change, message))
		return PROMCB_CHANGED_NOTHING;
	result = find_series(known, change, &series);
	way = make_change(known, change, series, message);
	if (way != PROMCB_CHANGED)
		return way;
	if (result < 0)
		return say(message, PROMCB_CHANGED_OVERFLOW,
			   "the series of %s cannot be had (%s): it counts in the one whose labels are \"_overflow\"",
			   known->name,
			   result == -EINVAL ? "a label's value is against the rules" : promcb_strerror(result));
	if (known->spec->type != PROMCB_GAUGE && !(known->spec->flags & PROMCB_DOUBLES) &&
	    promcb_amount_decimals(change) > known->spec->decimals)
		return say(message, PROMCB_CHANGED_ROUNDED, "%s has %u decimals: the amount is rounded to them",
			   known->name, (unsigned)known->spec->decimals);
	return PROMCB_CHANGED;
}

/* SPDX-License-Identifier: MIT */
#include "read/breakers.h"

#include "format/terms.h"

#include <promcb/breaker.h>

#include <errno.h>
#include <stdlib.h>

/* As an exporter calls labels that are in the way of its own. */
#define EXPORTED "exported_"

/* How many labels components with breakers may have, of different names; where they have more, none has any. */
enum { LABELS_MAX = 64, LATE_STEP = 64, READ_ROUNDS = 8 };

/* A breaker, as its descriptor and its rows have it. */
struct breaker {
	const struct promcb_catalog_component *component;
	uint64_t created_ns;
	const uint64_t *cells;          /* summed up */
	struct promcb_descriptor descriptor; /* a copy */
	struct promcb_terms terms;
	struct promcb_window_counts window;
	struct promcb_flight flight;
	unsigned mode;
};

/* The families that are made; each series has the component's name first, then its labels. */
enum family {
	PERMITTED,
	NOT_PERMITTED,
	SHADOW,
	SLOW,
	IGNORED,
	LATE,
	DIED,
	IN_FLIGHT,
	CLASSES,
	PROBES,
	WINDOW_CALLS,
	WINDOW_FAILED,
	WINDOW_SLOW,
	THRESHOLD,
	MODE,
	VERSION,
	UNTIL,
	REASON,
	FAMILIES,
};

static const struct {
	const char *name, *help, *label; /* the second; NULL: there is none */
	bool is_gauge;
} made[FAMILIES] = {
	[PERMITTED] = {"circuit_breaker_permitted_calls_total", "Calls that the breaker let through.", NULL, false},
	[NOT_PERMITTED] = {"circuit_breaker_not_permitted_calls_total",
			   "Calls that the breaker refused; they are none of the component's, and no failures.",
			   "reason", false},
	[SHADOW] = {"circuit_breaker_shadow_refusals_total",
		    "Calls that were let through, but would have been refused if it were not for the shadow mode.",
		    NULL, false},
	[SLOW] = {"circuit_breaker_slow_calls_total", "Calls that took longer than the breaker's policy has it.", NULL,
		  false},
	[IGNORED] = {"circuit_breaker_ignored_calls_total",
		     "Calls that were let through and say nothing of the component.", NULL, false},
	[LATE] = {"circuit_breaker_late_calls_total",
		  "Calls that ended too late to have a say: their probe's lease was over, or the state another.", NULL,
		  false},
	[DIED] = {"circuit_breaker_died_calls_total",
		  "Calls that were let through and never ended: their process or thread did.", NULL, false},
	[IN_FLIGHT] = {"circuit_breaker_calls_in_flight",
		       "Calls that were let through and have not ended, of threads that live and have a lane.", NULL,
		       true},
	[CLASSES] = {"circuit_breaker_failures_by_class_total", "Failures, by what they were.", "class", false},
	[PROBES] = {"circuit_breaker_probes_total", "Calls that were let through to see whether the component is well.",
		    "result", false},
	[WINDOW_CALLS] = {"circuit_breaker_window_calls", "Calls in the breaker's window.", NULL, true},
	[WINDOW_FAILED] = {"circuit_breaker_window_failure_ratio",
			   "Share of the calls in the breaker's window that failed.", NULL, true},
	[WINDOW_SLOW] = {"circuit_breaker_window_slow_ratio",
			 "Share of the calls in the breaker's window that were slow.", NULL, true},
	[THRESHOLD] = {"circuit_breaker_threshold", "What the breaker opens at; those that are off are not there.",
		       "kind", true},
	[MODE] = {"circuit_breaker_mode", "What decides: 1 for the mode that is in force.", "mode", true},
	[VERSION] = {"circuit_breaker_policy_version", "Version of the policy that is in force.", NULL, true},
	[UNTIL] = {"circuit_breaker_open_until_timestamp_seconds",
		   "When the first call is let through again, if the breaker is open.", NULL, true},
	[REASON] = {"circuit_breaker_last_open_reason", "Why the breaker opened last: 1 for the reason.", "reason",
		    true},
};

struct making {
	struct promcb_metrics *metrics;
	size_t family_room, series_room, cell_count, cell_room, breaker_room;
	size_t first;                   /* of the families made */
	bool has_families;
	const char *labels[LABELS_MAX]; /* of all the components; of whom one has not, it is empty */
	uint32_t label_count;
	const struct breaker *breaker;
	bool is_full;                   /* no memory */
};

/* -- Making series ------------------------------------------------------------------------------------------------- */

static bool grow(void *memory, size_t count, size_t *room, size_t each)
{
	void **array = memory, *more;
	size_t wanted = count + count / 2 + 256;

	if (count < *room)
		return true;
	more = realloc(*array, wanted * each);
	if (!more)
		return false;
	*array = more;
	*room = wanted;
	return true;
}

/* The names of a family's labels, one behind the other. A component's that has the name of ours is called otherwise. */
static const char *make_names(struct making *m, const char *second)
{
	size_t bytes = sizeof(PROMCB_BREAKER_LABEL) + strlen(second) + 2;
	char *names, *at;

	for (uint32_t i = 0; i < m->label_count; i++)
		bytes += sizeof(EXPORTED) + strlen(m->labels[i]);
	names = at = promcb_metrics_memory(m->metrics, bytes);
	if (!names)
		return NULL;
	at = stpcpy(at, PROMCB_BREAKER_LABEL) + 1;
	for (uint32_t i = 0; i < m->label_count; i++)
		at = stpcpy(stpcpy(at, strcmp(m->labels[i], second) == 0 ? EXPORTED : ""), m->labels[i]) + 1;
	stpcpy(at, second);
	return names;
}

static void make_families(struct making *m)
{
	m->has_families = true;
	m->first = m->metrics->family_count;
	m->family_room = 0;
	for (unsigned i = 0; i < FAMILIES && !m->is_full; i++) {
		const char *names = make_names(m, made[i].label ? made[i].label : "");

		if (!names || !grow(&m->metrics->families, m->metrics->family_count, &m->family_room,
				    sizeof(*m->metrics->families))) {
			m->is_full = true;
			return;
		}
		m->metrics->families[m->metrics->family_count++] = (struct promcb_snapshot_family){
			.name = made[i].name,
			.help = made[i].help,
			.unit = i == UNTIL ? "seconds" : "",
			.type = made[i].is_gauge ? PROMCB_GAUGE : PROMCB_COUNTER,
			.labels = 1 + m->label_count + (made[i].label != NULL),
			.label_names = names,
			.enumerated_values = "",
			.width = 1,
			.series_max = UINT32_MAX,
			.created_ns = m->breaker->created_ns,
		};
	}
}

static const char *value_of(const struct promcb_full_name *name, const char *label)
{
	for (unsigned i = 0; i < name->count; i++)
		if (strcmp(name->parts + name->label_at[i], label) == 0)
			return name->parts + name->value_at[i];
	return "";
}

static void put(struct making *m, enum family family, const char *value, uint64_t cell)
{
	struct promcb_metrics *metrics = m->metrics;
	const struct promcb_full_name *name = &m->breaker->component->name;
	/* Its parts are no longer than it is; of labels that it has not, there is a zero. */
	char *values = promcb_metrics_memory(metrics,
					     2 * sizeof(name->text) + m->label_count + (value ? strlen(value) : 0) + 2);
	char *at = values;

	if (m->is_full || !values ||
	    !grow(&metrics->series, metrics->series_count, &m->series_room, sizeof(*metrics->series)) ||
	    !grow(&metrics->cells, m->cell_count, &m->cell_room, sizeof(*metrics->cells))) {
		m->is_full = true;
		return;
	}
	at = stpcpy(at, m->label_count || name->count == 0 ? name->parts : name->text) + 1;
	for (uint32_t i = 0; i < m->label_count; i++)
		at = stpcpy(at, value_of(name, m->labels[i])) + 1;
	stpcpy(at, value ? value : "");
	metrics->cells[m->cell_count] = cell;
	metrics->series[metrics->series_count++] =
		(struct promcb_snapshot_series){.values = values,
						.created_ns = m->breaker->created_ns,
						.cell = (uint32_t)m->cell_count++,
						.family = (uint32_t)(m->first + family) & INT32_MAX};
}

static void put_number(struct making *m, enum family family, const char *value, double number)
{
	uint64_t cell;

	memcpy(&cell, &number, sizeof(cell));
	put(m, family, value, cell);
}

static void put_counts(struct making *m)
{
	const uint64_t *cells = m->breaker->cells;

	put(m, PERMITTED, NULL, cells[PROMCB_BREAKER_BEGUN]);
	put(m, NOT_PERMITTED, "open", cells[PROMCB_BREAKER_REFUSED_OPEN]);
	put(m, NOT_PERMITTED, "half_open", cells[PROMCB_BREAKER_REFUSED_HALF_OPEN]);
	put(m, NOT_PERMITTED, "forced", cells[PROMCB_BREAKER_REFUSED_FORCED]);
	put(m, SHADOW, NULL, cells[PROMCB_BREAKER_SHADOW]);
	put(m, SLOW, NULL, cells[PROMCB_BREAKER_SLOW]);
	put(m, IGNORED, NULL, cells[PROMCB_BREAKER_IGNORED]);
	put(m, LATE, NULL, cells[PROMCB_BREAKER_LATE]);
	put(m, DIED, NULL, m->breaker->flight.died);
	put_number(m, IN_FLIGHT, NULL, (double)m->breaker->flight.in_flight);
	for (unsigned class = 0; class < PROMCB_BREAKER_CLASSES; class ++)
		put(m, CLASSES, promcb_outcome_name((enum promcb_call_outcome)(class + PROMCB_FAILURE)),
		    cells[PROMCB_BREAKER_CLASSES_FROM + class]);
	put(m, PROBES, "good", cells[PROMCB_BREAKER_GOOD]);
	put(m, PROBES, "bad", cells[PROMCB_BREAKER_BAD]);
	put(m, PROBES, "lost", cells[PROMCB_BREAKER_LOST]);
}

static void put_state(struct making *m, const struct promcb_clock_domain *here)
{
	const struct promcb_descriptor *d = &m->breaker->descriptor;
	const struct promcb_terms *terms = &m->breaker->terms;
	const struct promcb_window_counts *window = &m->breaker->window;

	put_number(m, WINDOW_CALLS, NULL, (double)window->calls);
	put_number(m, WINDOW_FAILED, NULL, window->calls ? (double)window->failed / (double)window->calls : 0);
	put_number(m, WINDOW_SLOW, NULL, window->calls ? (double)window->slow / (double)window->calls : 0);
	if (terms->failure_permille)
		put_number(m, THRESHOLD, "failure_ratio", terms->failure_permille / 1000.0);
	if (terms->slow_permille) {
		put_number(m, THRESHOLD, "slow_ratio", terms->slow_permille / 1000.0);
		put_number(m, THRESHOLD, "slow_seconds", (double)terms->slow_ns / 1e9);
	}
	if (terms->consecutive)
		put_number(m, THRESHOLD, "consecutive", terms->consecutive);
	put_number(m, THRESHOLD, "calls", terms->min_calls);
	for (unsigned mode = 0; mode < PROMCB_MODES; mode++)
		put_number(m, MODE, promcb_mode_name((enum promcb_mode)mode), mode == m->breaker->mode);
	put_number(m, VERSION, NULL, terms->version);
	if (promcb_breaker_has_deadline(d))
		put_number(m, UNTIL, NULL,
			   (double)promcb_until_ms(d->until) / 1e3 + (double)here->clock_offset_ns / 1e9);
	for (unsigned reason = 1; reason < PROMCB_REASONS && d->opened; reason++)
		put_number(m, REASON, promcb_breaker_reasons[reason], promcb_tagged_value(d->opened) == reason);
}

static void put_summary(struct making *m, const struct promcb_clock_domain *here)
{
	const struct breaker *breaker = m->breaker;
	const char *name = breaker->component->name.text;
	char *component = promcb_metrics_memory(m->metrics, strlen(name) + 1);
	struct promcb_breaker_summary *summary;

	if (!component || !grow(&m->metrics->breakers, m->metrics->breaker_count, &m->breaker_room, sizeof(*summary))) {
		m->is_full = true;
		return;
	}
	summary = &m->metrics->breakers[m->metrics->breaker_count++];
	promcb_breaker_summarize(&breaker->descriptor, breaker->cells, here->clock_offset_ns, summary);
	summary->component = strcpy(component, name);
	summary->window_calls = breaker->window.calls;
	summary->window_failed = breaker->window.failed;
	summary->window_slow = breaker->window.slow;
	summary->died = breaker->flight.died;
	summary->in_flight = breaker->flight.in_flight;
}

/* -- Finding them -------------------------------------------------------------------------------------------------- */

static int compare_names(const void *left, const void *right)
{
	const struct promcb_full_name *one = &(*(const struct promcb_catalog_component *const *)left)->name;
	const struct promcb_full_name *other = &(*(const struct promcb_catalog_component *const *)right)->name;
	int order = strcmp(one->text, other->text);

	/* One without labels can be called as another is with them. */
	return order ? order : (one->count > 0) - (other->count > 0);
}

/* The catalog's components by name. NULL: no memory. */
static const struct promcb_catalog_component **sort_components(const struct promcb_catalog *catalog)
{
	const struct promcb_catalog_component **sorted = malloc((catalog->count + 1) * sizeof(*sorted));

	for (uint32_t i = 0; sorted && i < catalog->count; i++)
		sorted[i] = &catalog->components[i];
	if (sorted && catalog->count)
		qsort(sorted, catalog->count, sizeof(*sorted), compare_names);
	return sorted;
}

/* The component of that name, as a breaker's series has it. NULL: there is none. */
static const struct promcb_catalog_component *find_component(const char *name,
							     const struct promcb_catalog_component *const *sorted,
							     uint32_t count)
{
	struct promcb_catalog_component key;
	const struct promcb_catalog_component *pointer = &key, *const * found;

	key.name.count = *name == PROMCB_BREAKER_LABELLED_NAME;
	name += key.name.count;
	if (strlen(name) > PROMCB_FULL_NAME_MAX || count == 0)
		return NULL;
	strcpy(key.name.text, name);
	found = bsearch(&pointer, sorted, count, sizeof(*sorted), compare_names);
	return found ? *found : NULL;
}

/* What labels the component has are families' labels. */
static void add_labels(struct making *m, const struct promcb_catalog_component *component)
{
	const struct promcb_full_name *name = &component->name;

	for (unsigned i = 0; i < name->count && m->label_count <= LABELS_MAX; i++) {
		const char *label = name->parts + name->label_at[i];
		uint32_t j = 0;

		while (j < m->label_count && strcmp(m->labels[j], label) != 0)
			j++;
		if (j == m->label_count && m->label_count++ < LABELS_MAX)
			m->labels[j] = label;
	}
}

/* Copies the component's descriptor. Returns whether it has a breaker. */
static bool copy_descriptor(struct breaker *breaker, struct promcb_pieces *pieces)
{
	const struct promcb_geometry *g = pieces->catalog->geometry;
	uint64_t off = g->descriptors_off + (uint64_t)breaker->component->component * g->descriptor_bytes, copy;
	const uint64_t *words, *selector = NULL;

	for (int round = 0; round < READ_ROUNDS; round++) {
		words = promcb_source_view(pieces->source, off, sizeof(breaker->descriptor), &breaker->descriptor);
		for (size_t i = 0; words && i < sizeof(breaker->descriptor) / sizeof(*words); i++) {
			/* [BREAK] acquire: the state before the words with its tag. [POLICY] The selector, the copy, */
			uint64_t word = promcb_load_acquire(&words[i]);

			memcpy((uint8_t *)&breaker->descriptor + i * sizeof(word), &word, sizeof(word));
		}
		if (words)
			selector =
				promcb_source_view(pieces->source, off + offsetof(struct promcb_descriptor, selector),
						   sizeof(copy), &copy);
		/* [POLICY] and the selector. */
		if (!words || !selector || promcb_load_relaxed(selector) == breaker->descriptor.selector)
			break;
	}
	return words && selector && breaker->descriptor.selector;
}

static void make_breaker(struct making *m, struct breaker *breaker, const struct promcb_records *records, uint32_t row,
			 const struct promcb_catalog *catalog)
{
	const struct promcb_descriptor *d = &breaker->descriptor;

	promcb_terms_unpack(d->policy + (d->selector & 1) * PROMCB_POLICY_WORDS, &breaker->terms);
	breaker->mode = promcb_breaker_mode(d, &breaker->terms);
	promcb_breakers_window(records, row, d, breaker->terms.slot_ns, &breaker->window);
	promcb_breakers_flight(records, row, catalog->geometry->lanes, &breaker->flight);
	m->breaker = breaker;
	if (m->is_full)
		return;
	put_counts(m);
	put_state(m, &catalog->here);
	put_summary(m, &catalog->here);
}

static bool is_of_breakers(const struct promcb_metrics *metrics, size_t family)
{
	return metrics->families[family].type == (enum promcb_metric_type)PROMCB_FAMILY_BREAKERS;
}

/* Takes the series of breakers out, into taken, and their families. Returns how many these were. */
static size_t take_out(struct promcb_metrics *metrics, struct promcb_snapshot_series *taken, uint32_t *numbers)
{
	size_t count = 0, kept = 0, families = 0;

	for (size_t i = 0; i < metrics->series_count; i++) {
		if (!is_of_breakers(metrics, metrics->series[i].family))
			metrics->series[kept++] = metrics->series[i];
		else if (!metrics->series[i].is_overflow)
			taken[count++] = metrics->series[i];
	}
	metrics->series_count = kept;
	for (size_t i = 0; i < metrics->family_count; i++) {
		numbers[i] = (uint32_t)families;
		if (!is_of_breakers(metrics, i))
			metrics->families[families++] = metrics->families[i];
	}
	for (size_t i = 0; i < kept; i++)
		metrics->series[i].family = numbers[metrics->series[i].family] & INT32_MAX;
	metrics->family_count = families;
	return count;
}

/* Makes all of them, of the series that were taken out. Returns 0, or -ETIMEDOUT with a message. */
static int make_all(struct making *m, struct breaker *breaker, const struct promcb_snapshot_series *taken, size_t count,
		    const struct promcb_catalog_component *const *sorted, const struct promcb_records *records,
		    struct promcb_pieces *pieces)
{
	const struct promcb_catalog_component *component;
	uint64_t cells[PROMCB_BREAKER_CELLS];

	for (size_t i = 0; i < count; i++) {
		component = find_component(taken[i].values, sorted, pieces->catalog->count);
		if (component)
			add_labels(m, component);
	}
	if (m->label_count > LABELS_MAX)
		m->label_count = 0;
	for (size_t i = 0; i < count && !m->is_full; i++) {
		if (i % LATE_STEP == 0 && promcb_source_is_late(pieces->source))
			return promcb_source_too_late(pieces->source, pieces->message);
		*breaker = (struct breaker){
			.component = find_component(taken[i].values, sorted, pieces->catalog->count),
			.created_ns = taken[i].created_ns,
			.cells = cells,
		};
		memcpy(cells, m->metrics->cells + taken[i].cell, sizeof(cells));
		if (!breaker->component || !copy_descriptor(breaker, pieces))
			continue;
		m->breaker = breaker;
		if (!m->has_families)
			make_families(m);
		make_breaker(m, breaker, records, promcb_cell_row(taken[i].cell), pieces->catalog);
	}
	return 0;
}

int promcb_breakers_read(struct promcb_records *records, struct promcb_metrics *metrics, struct promcb_pieces *pieces)
{
	const struct promcb_catalog_component **sorted = sort_components(pieces->catalog);
	struct promcb_snapshot_series *taken = malloc((metrics->series_count + 1) * sizeof(*taken));
	uint32_t *numbers = malloc((metrics->family_count + 1) * sizeof(*numbers));
	struct making making = {.metrics = metrics};
	struct breaker *breaker = calloc(1, sizeof(*breaker));
	int result = 0;

	promcb_breakers_sort(records);
	making.cell_count = making.cell_room = ((size_t)promcb_cell_row(records->cells) + 1) * PROMCB_ROW_WORDS;
	making.is_full = !sorted || !taken || !numbers || !breaker;
	if (!making.is_full) {
		size_t count = take_out(metrics, taken, numbers);

		making.series_room = metrics->series_count;
		result = make_all(&making, breaker, taken, count, sorted, records, pieces);
	}
	free(sorted);
	free(taken);
	free(numbers);
	free(breaker);
	return making.is_full ? -ENOMEM : result;
}

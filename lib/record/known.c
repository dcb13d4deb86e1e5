/* SPDX-License-Identifier: MIT */
#include "record/known.h"

#include "base/clock.h"
#include "base/native.h"

#include <errno.h>
#include <stdlib.h>

#define FAMILY_RETRY_NS ((uint64_t)1000000000)

struct promcb_metric_family promcb_no_family = {.overflow = promcb_handle_table.series};

/* All but the one above. */
static struct promcb_metric_family *families;

/* -- What is declared --------------------------------------------------------------------------------------------- */

static void set_buckets(struct promcb_metric_family *family, const struct promcb_family_view *view)
{
	const struct promcb_family_record *record = view->record;

	family->bound_count = record->bounds;
	for (uint32_t i = 0; i < record->bounds; i++) {
		memcpy(&family->bounds[i], view->bounds + i * sizeof(double), sizeof(double));
		family->whole_bounds[i] = promcb_bound_whole(family->bounds[i], record->decimals);
	}
	if (record->bounds == 0)
		promcb_native_make(&family->native, record->schema, record->decimals,
				   promcb_bits_double(record->smallest), promcb_bits_double(record->largest));
}

struct promcb_metric_family *promcb_known_make(struct promcb_session *p, const union promcb_family_image *image)
{
	struct promcb_metric_family *family = calloc(1, sizeof(*family));
	struct promcb_family_view view;

	if (!family)
		return NULL;
	family->image = *image;
	promcb_family_view(&family->image, sizeof(family->image), &view);
	family->at.session = p;
	family->type = view.record->type;
	family->scope = view.record->scope;
	family->doubles = (view.record->flags & PROMCB_FAMILY_DOUBLES) != 0;
	family->labels = view.value_count;
	family->width = view.width;
	family->scale = 1;
	for (uint32_t i = 0; i < view.record->decimals; i++)
		family->scale *= 10;
	if (family->type == PROMCB_HISTOGRAM)
		set_buckets(family, &view);
	return family;
}

/* -- Label values ------------------------------------------------------------------------------------------------- */

int promcb_known_key(const struct promcb_metric_family *family, const char *const *values, const size_t *lengths,
		     size_t count, char key[PROMCB_KEY_BYTES_MAX])
{
	size_t bytes = 0;

	if (lengths && count != family->labels)
		return -EINVAL;
	for (uint32_t i = 0; i < family->labels; i++) {
		size_t length;

		if (!lengths && (!values || !values[i]))
			return -EINVAL;
		length = lengths ? lengths[i] : strnlen(values[i], PROMCB_LABEL_VALUE_MAX + 1);
		if (length > PROMCB_LABEL_VALUE_MAX || bytes + 2 + length > PROMCB_KEY_BYTES_MAX)
			return -EINVAL;
		key[bytes++] = (char)(length & 0xff);
		key[bytes++] = (char)(length >> 8);
		/* Compilers that know a bound would copy by "rep movs", which takes 30 ns to begin. */
		__asm__("" : "+r"(length));
		memcpy(key + bytes, values[i], length);
		bytes += length;
	}
	if (!lengths && values && values[family->labels])
		return -EINVAL;
	return bytes - 2 * (size_t)family->labels > PROMCB_SERIES_VALUES_MAX ? -EINVAL : (int)bytes;
}

void promcb_known_values(const char *key, size_t bytes, struct promcb_values *values)
{
	size_t at = 0;

	for (uint32_t i = 0; i < PROMCB_RECORD_LABELS_MAX && at + 2 <= bytes; i++) {
		values->lengths[i] = (uint8_t)key[at] | (size_t)(uint8_t)key[at + 1] << 8;
		values->text[i] = key + at + 2;
		at += 2 + values->lengths[i];
	}
}

/* -- What this process has ----------------------------------------------------------------------------------------- */

static bool is_alike(const struct promcb_metric_family *one, const struct promcb_metric_family *other)
{
	struct promcb_family_view a, b;

	promcb_family_view(&one->image, sizeof(one->image), &a);
	promcb_family_view(&other->image, sizeof(other->image), &b);
	if (memcmp(a.record, b.record, sizeof(*a.record)) != 0 || !promcb_text_is(a.name, b.name) ||
	    !promcb_text_is(a.unit, b.unit) || !promcb_text_is(a.enumerated, b.enumerated) ||
	    a.label_count != b.label_count || memcmp(a.bounds, b.bounds, a.record->bounds * sizeof(double)) != 0)
		return false;
	for (uint32_t i = 0; i < a.label_count; i++)
		if (!promcb_text_is(a.labels[i], b.labels[i]))
			return false;
	return true;
}

struct promcb_metric_family *promcb_known_like(const struct promcb_metric_family *like)
{
	for (struct promcb_metric_family *family = families; family; family = family->next)
		if (family->at.session == like->at.session && is_alike(family, like))
			return family;
	return NULL;
}

/* The next handle, of which there must be one. */
static void add_handle(struct promcb_metric_family *family, const char *key, size_t bytes,
		       const struct promcb_series_found *at, void **out)
{
	uint32_t number = promcb_series_handles_used;
	struct promcb_session *p = family->at.session;
	struct promcb_series_handle *series = &promcb_series_handles[number];
	uintptr_t shape = (uintptr_t)(family->native.buckets ? (void *)&family->native : (void *)family);

	*series = (struct promcb_series_handle){
		.at = {p, at->cell, at->cell ? p->generation : p->generation - 1},
		.record = at->place,
		.family = family,
		.key = key,
		.key_bytes = (uint32_t)bytes,
		.width = family->width,
	};
	/* [HANDLE] release: the series before the word that says there is one. */
	promcb_store_release(&promcb_handle_table.series[number],
			     (uint64_t)(family->width - 1) << PROMCB_SERIES_LAST_SHIFT | shape);
	promcb_series_handles_used++;
	*out = &promcb_handle_table.series[number];
}

/* Before a name is kept for them, which is for good. */
bool promcb_known_has_handles(uint32_t count)
{
	return count <= PROMCB_SERIES_HANDLES_MAX - promcb_series_handles_used;
}

int promcb_known_add(struct promcb_metric_family *family, const char *key, size_t bytes,
		     const struct promcb_series_found *at, void **out)
{
	const char *kept;

	if (!promcb_known_has_handles(1))
		return -EMFILE;
	kept = promcb_names_keep(&family->series, key, bytes);
	if (!kept)
		return -ENOMEM;
	add_handle(family, kept, bytes, at, out);
	return promcb_names_put(&family->series, kept, bytes, *out);
}

int promcb_known_add_breaker(struct promcb_metric_family *family, struct promcb_component *component, uint64_t *policy,
			     const char *key, size_t bytes, void **out)
{
	uint32_t number = promcb_series_handles_used;
	const char *kept;

	if (!promcb_known_has_handles(2))
		return -EMFILE;
	kept = promcb_names_keep(&family->series, key, bytes);
	if (!kept)
		return -ENOMEM;
	/* What the inline functions find in the second before they find a row. */
	promcb_store_relaxed(&promcb_handle_table.series[number + 1], (uintptr_t)component);
	add_handle(family, kept, bytes, &(struct promcb_series_found){.place = 0}, out);
	promcb_series_handles[number].component = component;
	promcb_series_handles[number].policy = policy;
	/* Of the session, so that its entry goes with the segment; and of no family. */
	promcb_series_handles[number + 1] =
		(struct promcb_series_handle){.at = {family->at.session, 0, 0}, .family = &promcb_no_family};
	promcb_series_handles_used++;
	return promcb_names_put(&family->series, kept, bytes, *out);
}

int promcb_known_add_family(struct promcb_metric_family *family)
{
	if (!promcb_known_has_handles(1))
		return -EMFILE;
	if (promcb_names_start(&family->series, promcb_process->cookie) < 0)
		return -ENOMEM;
	add_handle(family, NULL, 0, &(struct promcb_series_found){.place = 0}, &family->overflow);
	family->next = families;
	families = family;
	return 0;
}

/* -- Where it lies ------------------------------------------------------------------------------------------------- */

bool promcb_known_is_refused(const struct promcb_metric_family *family, bool *too_early)
{
	const struct promcb_session *p = family->at.session;
	uint64_t retry_ns = promcb_load_relaxed(&family->retry_ns), place = p ? promcb_load_relaxed(&p->place) : 0;

	*too_early = false;
	if (!retry_ns || place == 0 || place == PROMCB_PLACE_AWAY ||
	    place >> PROMCB_PLACE_SLOT_BITS != promcb_load32_relaxed(&family->refused))
		return false;
	*too_early = promcb_clock_monotonic_coarse_ns() < retry_ns;
	return true;
}

int64_t promcb_known_place(struct promcb_metric_family *family, struct promcb_lane_lease *lease,
			   struct promcb_message *message)
{
	struct promcb_session *p = family->at.session;
	bool too_early;
	uint32_t place;
	int result;

	if (family->at.generation == p->generation && family->at.component)
		return family->at.component;
	if (!message && promcb_known_is_refused(family, &too_early) && too_early)
		return family->refusal;
	result = promcb_family_find_or_add(p->segment, lease, &family->image, &place, message);
	if (result < 0) {
		family->refusal = result;
		promcb_store32_relaxed(&family->refused, p->generation);
		promcb_store_relaxed(&family->retry_ns, promcb_clock_monotonic_coarse_ns() + FAMILY_RETRY_NS);
		return result;
	}
	promcb_store_relaxed(&family->retry_ns, 0);
	/* [FOLLOW] release: the place before the generation that it is of. */
	promcb_store32_release(&family->at.component, place);
	promcb_store32_release(&family->at.generation, p->generation);
	return place;
}

int promcb_known_register(struct promcb_metric_family *family, struct promcb_lane_lease *lease, const char *key,
			  size_t bytes, struct promcb_series_found *found)
{
	struct promcb_session *p = family->at.session;
	int64_t place = promcb_known_place(family, lease, NULL);
	struct promcb_values values;
	int result;

	*found = (struct promcb_series_found){.place = 0};
	if (place < 0)
		return (int)place;
	promcb_known_values(key, bytes, &values);
	result = promcb_series_find_or_add(p->segment, lease, (uint32_t)place, values.text, values.lengths,
					   family->labels, found);
	/* A family whose record has changed is none. */
	if (found->width != family->width)
		*found = (struct promcb_series_found){.place = 0};
	return result;
}

/* The first cell of the family's overflow series: 0 where there is none. */
static uint32_t overflow_cell(struct promcb_metric_family *family, struct promcb_lane_lease *lease)
{
	const char *values[PROMCB_RECORD_LABELS_MAX];
	size_t lengths[PROMCB_RECORD_LABELS_MAX];
	struct promcb_session *p = family->at.session;
	int64_t place = promcb_known_place(family, lease, NULL);
	struct promcb_series_found found;

	for (uint32_t i = 0; i < family->labels; i++) {
		values[i] = PROMCB_OVERFLOW_VALUE;
		lengths[i] = strlen(PROMCB_OVERFLOW_VALUE);
	}
	/* Without labels there is no other series than the one. */
	if (place < 0 || family->labels == 0 ||
	    !promcb_series_find(p->segment, (uint32_t)place, values, lengths, family->labels, &found) ||
	    found.width != family->width)
		return 0;
	return found.cell;
}

uint32_t promcb_known_resolve(struct promcb_series_handle *series, struct promcb_lane_lease *lease)
{
	struct promcb_metric_family *family = series->family;
	struct promcb_session *p = series->at.session;
	struct promcb_series_found found = {.place = 0};
	uint32_t cell;

	if (series->at.generation == p->generation)
		return series->at.component;
	if (!series->key)
		found.cell = overflow_cell(family, lease);
	else if (promcb_known_register(family, lease, series->key, series->key_bytes, &found) < 0)
		/* The overflow series', if any; and not for good: the generation stays behind. */
		return found.cell;
	cell = found.cell;
	if (cell) {
		promcb_store32_relaxed(&series->record, found.place);
		/* [FOLLOW] release: the cell before the generation that it is of. */
		promcb_store32_release(&series->at.component, cell);
		promcb_store32_release(&series->at.generation, p->generation);
	}
	return cell;
}

void promcb_known_forward(struct promcb_series_handle *series)
{
	uint64_t late = series->left ? promcb_load_relaxed(series->left) : 0, before = series->left_value, *cell;
	const struct promcb_session *p = series->at.session;
	struct promcb_lane_lease *home;
	uint32_t first;

	if (!series->left || late == before)
		return;
	series->left_value = late;
	/* It may be the first that is set of it, so that nobody has looked for it here yet. */
	home = p->segment ? promcb_home(p->segment) : NULL;
	first = home ? promcb_known_resolve(series, home) : 0;
	cell = first ? promcb_row_live(home, first, series->width) : NULL;
	if (!cell)
		series->kept = late;
	else
		/* Not over what a guest, who comes by without the mutex, has set since. */
		promcb_cas_relaxed(cell, &before, late);
}

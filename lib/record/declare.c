/* SPDX-License-Identifier: MIT */
/*
 * declare.c: families and series by what they are called: registering, looking up, and counting by label values.
 *
 * Looking up what this process has had waits for nobody. What it has not had is registered under the mutex; but where a
 * family is full, the label values of strangers are looked up in the segment and counted as "_overflow" without it, and
 * without memory.
 */
#include "record/declare.h"

#include "base/clock.h"
#include "base/name.h"

#include <errno.h>
#include <stdlib.h>

/* -- What goes along ----------------------------------------------------------------------------------------------- */

static bool is_set_by_process(const struct promcb_session *p, const struct promcb_series_handle *series)
{
	return series->at.session == p && promcb_family_is_live(series->family);
}

/* Gauges and infos are of the process, not of a file that was removed. What is set meanwhile: see cell.c. */
static void keep_values(struct promcb_session *p, struct promcb_segment *segment, uint32_t generation)
{
	struct promcb_lane_lease *home = promcb_home_former(segment);

	for (uint32_t number = 1; home && number < promcb_series_handles_used; number++) {
		struct promcb_series_handle *series = &promcb_series_handles[number];
		uint64_t *cell = is_set_by_process(p, series) && series->at.generation == generation
					 ? promcb_row_live_find(home, series->at.component, series->width)
					 : NULL;

		uint64_t late = series->left ? promcb_load_relaxed(series->left) : 0;

		if (!cell)
			continue;
		/* Or what came late in the segment before. */
		series->kept = series->left && late != series->left_value ? late : promcb_load_relaxed(cell);
		series->left_value = promcb_load_relaxed(cell);
		series->left = cell;
	}
}

static void set_kept_values(struct promcb_session *p)
{
	for (uint32_t number = 1; number < promcb_series_handles_used; number++) {
		struct promcb_series_handle *series = &promcb_series_handles[number];

		if (series->at.session == p)
			promcb_known_forward(series);

		struct promcb_lane_lease *home =
			series->kept && is_set_by_process(p, series) ? promcb_home(p->segment) : NULL;
		uint32_t first = home ? promcb_known_resolve(series, home) : 0;
		uint64_t *cell = first ? promcb_row_live(home, first, series->width) : NULL;

		if (cell)
			promcb_store_relaxed(cell, series->kept);
		if (home)
			series->kept = 0;
	}
}

/* A child has set nothing; nor has who opens the segment again. */
static void forget_values(const struct promcb_session *p)
{
	for (uint32_t number = 1; number < promcb_series_handles_used; number++) {
		struct promcb_series_handle *series = &promcb_series_handles[number];

		if ((series->kept || series->left) && (!p || series->at.session == p)) {
			series->kept = 0;
			series->left = NULL;
		}
	}
}

/* Who was about to set a value in what is left may do so as long as it is there. */
static void forward_values(const uint8_t *base, uint64_t bytes, bool gone)
{
	for (uint32_t number = 1; number < promcb_series_handles_used; number++) {
		struct promcb_series_handle *series = &promcb_series_handles[number];

		if (!series->left || (const uint8_t *)series->left < base ||
		    (const uint8_t *)series->left >= base + bytes)
			continue;
		if (gone)
			series->left = NULL;
		else
			promcb_known_forward(series);
	}
}

static const struct promcb_session_hooks hooks = {
	.left = keep_values,
	.arrived = set_kept_values,
	.forget = forget_values,
};

/* -- Families ------------------------------------------------------------------------------------------------------ */

static int add_family(struct promcb_metric_family *fresh, struct promcb_message *message,
		      struct promcb_metric_family **out)
{
	struct promcb_session *p = fresh->at.session;
	struct promcb_metric_family *family;
	int64_t place = 0;
	int result = 0;

	promcb_session_follow(p);
	if (!p->opens)
		return promcb_message_error(message, -EINVAL, "the segment was closed");
	family = promcb_known_like(fresh);
	if (!family)
		family = fresh;
	if (p->segment)
		place = promcb_known_place(family, promcb_session_lease(p, promcb_recorder_current(true)), message);
	if (place < 0)
		return (int)place;
	if (family == fresh)
		result = promcb_known_add_family(family);
	if (result < 0)
		return promcb_message_error(message, result, "no room for another family in this process: %s",
					    promcb_strerror(result));
	if (promcb_family_is_live(family)) {
		promcb_session_hooks = &hooks;
		promcb_attachment_late = forward_values;
	}
	*out = family;
	return 0;
}

int promcb_family_declare(struct promcb_session *p, const union promcb_family_image *image,
			  struct promcb_message *message, struct promcb_metric_family **out)
{
	struct promcb_metric_family *fresh = promcb_known_make(p, image);
	struct promcb_saved_state way;
	int result;

	*out = &promcb_no_family;
	if (!fresh)
		return promcb_message_error(message, -ENOMEM, "no memory for a family");
	if (promcb_process_enter(&way))
		result = add_family(fresh, message, out);
	else
		result = promcb_message_error(message, -EBUSY,
					      "the child of vfork registers nothing before it executes");
	promcb_process_leave(&way);
	if (*out != fresh)
		free(fresh);
	return result;
}

int promcb_family_register(struct promcb_session *p, const struct promcb_family_spec *spec,
			   struct promcb_metric_family **out)
{
	PROMCB_NOT_CANCELLED;
	union promcb_family_image image;
	int result;

	*out = &promcb_no_family;
	if (!p || !spec)
		return -EINVAL;
	if (spec->message)
		spec->message->text[0] = 0;
	result = promcb_family_make(spec, &image, spec->message);
	return result < 0 ? result : promcb_family_declare(p, &image, spec->message, out);
}

/* -- Series -------------------------------------------------------------------------------------------------------- */

/*
 * The segment that the session has, where the calling thread has a lease: so it stays mapped for as long as open.h
 * says, whoever leaves it. place: the family's. NULL: there is none, or the family is not known there.
 */
static struct promcb_segment *leased_segment(const struct promcb_metric_family *family, uint32_t *place)
{
	struct promcb_segment *segment = promcb_session_glance(family->at.session, &family->at, place);
	const struct promcb_recorder *recorder = promcb_recorder_at_hand();

	if (!segment || *place == PROMCB_NO_COMPONENT || !recorder ||
	    recorder->leases[promcb_attachment_of(segment)->slot].segment != segment)
		return NULL;
	return segment;
}

/*
 * Whether label values that this process has not had are to be refused: against the rules, or a stranger's in a family
 * that is full, or, where there is nothing to be asked for, in a segment that had no room just now. They are counted,
 * and cost no mutex, no memory and no handle, however many come. Returns 0, or -EINVAL, -ENOSPC.
 */
static int refuse(const struct promcb_metric_family *family, const char *key, size_t bytes, bool is_asked_for)
{
	struct promcb_family_record *record;
	struct promcb_series_found found;
	struct promcb_segment *segment;
	struct promcb_values values;
	int result = -ENOSPC;
	uint32_t place;

	segment = leased_segment(family, &place);
	record = segment ? promcb_segment_piece(segment, place, PROMCB_PIECE_FAMILY, 0) : NULL;
	if (!record)
		return 0;
	promcb_known_values(key, bytes, &values);
	for (uint32_t i = 0; i < family->labels; i++)
		if (memchr(values.text[i], 0, values.lengths[i]) ||
		    !promcb_name_is_utf8(values.text[i], values.lengths[i]))
			result = -EINVAL;
	if (result == -ENOSPC && promcb_load_relaxed(&record->series) < promcb_load32_relaxed(&record->series_max) &&
	    (is_asked_for || promcb_clock_monotonic_coarse_ns() >= promcb_load_relaxed(&segment->no_space_until_ns)))
		return 0;
	if (result == -ENOSPC &&
	    promcb_series_find(segment, place, values.text, values.lengths, family->labels, &found) && !found.is_hidden)
		return 0;
	promcb_add_relaxed(&record->refused, 1);
	promcb_add_relaxed(&promcb_segment_header(segment)->series_rejected, 1);
	return result;
}

/*
 * Whether the series of a handle may have been removed since, so that who asks for the handle is to have it listed. Who
 * has no lease cannot look.
 */
static bool may_be_hidden(const struct promcb_metric_family *family, const void *handle)
{
	const struct promcb_series_handle *series = promcb_series_handle_of(handle);
	const struct promcb_series_record *record;
	struct promcb_segment *segment;
	uint32_t place;

	segment = leased_segment(family, &place);
	/* One of another segment is none here, or another's: then that is looked at for nothing. */
	record = segment ? promcb_segment_piece(segment, promcb_load32_relaxed(&series->record), PROMCB_PIECE_SERIES, 0)
			 : NULL;
	return !record || promcb_load_relaxed(&record->life) & PROMCB_LIFE_HIDDEN;
}

static int register_series(struct promcb_metric_family *family, const char *key, size_t bytes, void **out)
{
	struct promcb_session *p = family->at.session;
	struct promcb_saved_state way;
	bool entered = promcb_process_enter(&way);
	void *found = promcb_known_find(family, key, bytes);
	struct promcb_series_found at = {.place = 0};
	int result = found ? 0 : -EBUSY;

	*out = found ? found : family->overflow;
	if (entered) {
		promcb_session_follow(p);
		result = p->opens || found ? 0 : -EINVAL;
		/* Nothing is registered that this process could not count in. */
		if (result == 0 && !found && !promcb_known_has_handles(1))
			result = -EMFILE;
		else if (p->segment)
			result = promcb_known_register(family, promcb_session_lease(p, promcb_recorder_current(true)),
						       key, bytes, &at);
		if (result == 0 && !found)
			result = promcb_known_add(family, key, bytes, &at, out);
		else if (result == -ENOSPC)
			*out = family->overflow;
		else if (found)
			result = 0;
	}
	promcb_process_leave(&way);
	return result;
}

/* is_asked_for: not to be counted in at once, which has it listed as well. */
static int find_series(struct promcb_metric_family *family, enum promcb_metric_type type, const char *const *values,
		       const size_t *lengths, size_t count, bool is_asked_for, void **out)
{
	char key[PROMCB_KEY_BYTES_MAX];
	bool too_early;
	void *found;
	int bytes, result;

	*out = promcb_handle_table.series;
	if (!family || !family->at.session || family->type != type)
		return -EINVAL;
	bytes = promcb_known_key(family, values, lengths, count, key);
	if (bytes < 0) {
		*out = family->overflow;
		return bytes;
	}
	found = promcb_known_find(family, key, (size_t)bytes);
	if (found && !(is_asked_for && may_be_hidden(family, found))) {
		*out = found;
		return 0;
	}
	if (!found) {
		*out = family->overflow;
		result = refuse(family, key, (size_t)bytes, is_asked_for);
		if (result < 0)
			return result;
		/* The segment had no room for the family just now. */
		if (!is_asked_for && promcb_known_is_refused(family, &too_early) && too_early)
			return -ENOSPC;
	}
	return register_series(family, key, (size_t)bytes, out);
}

int promcb_series_with(struct promcb_metric_family *family, enum promcb_metric_type type, const char *const *values,
		       const size_t *lengths, size_t count, void **out)
{
	static const size_t none[1];

	return find_series(family, type, values, lengths ? lengths : none, lengths ? count : 0, true, out);
}

int promcb_counter_with(struct promcb_metric_family *family, const char *const *values, struct promcb_counter **out)
{
	void *found;
	int result = find_series(family, PROMCB_COUNTER, values, NULL, 0, true, &found);

	*out = found;
	return result;
}

int promcb_level_with(struct promcb_metric_family *family, const char *const *values, struct promcb_level **out)
{
	void *found;
	int result = find_series(family, PROMCB_LEVEL, values, NULL, 0, true, &found);

	*out = found;
	return result;
}

int promcb_gauge_with(struct promcb_metric_family *family, const char *const *values, struct promcb_gauge **out)
{
	void *found;
	int result = find_series(family, PROMCB_GAUGE, values, NULL, 0, true, &found);

	*out = found;
	return result;
}

int promcb_histogram_with(struct promcb_metric_family *family, const char *const *values, struct promcb_histogram **out)
{
	void *found;
	int result = find_series(family, PROMCB_HISTOGRAM, values, NULL, 0, true, &found);

	*out = found;
	return result;
}

int promcb_info_with(struct promcb_metric_family *family, const char *const *values)
{
	void *found;
	int result = find_series(family, PROMCB_INFO, values, NULL, 0, true, &found);

	promcb_gauge_set(found, 1);
	return result;
}

void *promcb_series_keep(struct promcb_session *p, const union promcb_family_image *image, const char *const *values)
{
	PROMCB_NOT_CANCELLED;
	struct promcb_metric_family *fresh = promcb_known_make(p, image), *family = NULL;
	struct promcb_series_found at = {.place = 0};
	char key[PROMCB_KEY_BYTES_MAX];
	struct promcb_saved_state way;
	void *found = NULL;
	int bytes;

	if (!fresh)
		return NULL;
	if (promcb_process_enter(&way)) {
		promcb_session_follow(p);
		family = promcb_known_like(fresh);
		/* Where no handle is left, none will be: then with what does not fit. */
		if (!promcb_known_has_handles(2))
			found = family ? family->overflow : promcb_handle_table.series;
		if (!family && !found && promcb_known_add_family(fresh) == 0)
			family = fresh;
		bytes = family ? promcb_known_key(family, values, NULL, 0, key) : -EINVAL;
		if (bytes >= 0 && promcb_known_find(family, key, (size_t)bytes))
			found = promcb_known_find(family, key, (size_t)bytes);
		if (bytes >= 0 && !found) {
			if (p->segment &&
			    promcb_known_register(family, promcb_session_lease(p, promcb_recorder_current(true)), key,
						  (size_t)bytes, &at) < 0)
				at = (struct promcb_series_found){.place = 0};
			promcb_known_add(family, key, (size_t)bytes, &at, &found);
		}
	}
	promcb_process_leave(&way);
	if (family != fresh)
		free(fresh);
	return found;
}

/* -- By label values ----------------------------------------------------------------------------------------------- */

int promcb_counter_add_with(struct promcb_metric_family *family, const char *const *values, uint64_t amount)
{
	void *found;
	int result = find_series(family, PROMCB_COUNTER, values, NULL, 0, false, &found);

	promcb_counter_add_inline(found, amount);
	return result;
}

int promcb_counter_add_double_with(struct promcb_metric_family *family, const char *const *values, double amount)
{
	void *found;
	int result = find_series(family, PROMCB_COUNTER, values, NULL, 0, false, &found);

	promcb_counter_add_double(found, amount);
	return result;
}

int promcb_level_add_with(struct promcb_metric_family *family, const char *const *values, int64_t amount)
{
	void *found;
	int result = find_series(family, PROMCB_LEVEL, values, NULL, 0, false, &found);

	promcb_level_add_inline(found, amount);
	return result;
}

int promcb_gauge_set_with(struct promcb_metric_family *family, const char *const *values, double value)
{
	void *found;
	int result = find_series(family, PROMCB_GAUGE, values, NULL, 0, false, &found);

	promcb_gauge_set_inline(found, value);
	return result;
}

int promcb_gauge_add_with(struct promcb_metric_family *family, const char *const *values, double amount)
{
	void *found;
	int result = find_series(family, PROMCB_GAUGE, values, NULL, 0, false, &found);

	promcb_gauge_add(found, amount);
	return result;
}

int promcb_histogram_observe_with(struct promcb_metric_family *family, const char *const *values, uint64_t value)
{
	void *found;
	int result = find_series(family, PROMCB_HISTOGRAM, values, NULL, 0, false, &found);

	promcb_histogram_observe_inline(found, value);
	return result;
}

int promcb_histogram_observe_double_with(struct promcb_metric_family *family, const char *const *values, double value)
{
	void *found;
	int result = find_series(family, PROMCB_HISTOGRAM, values, NULL, 0, false, &found);

	promcb_histogram_observe_double(found, value);
	return result;
}

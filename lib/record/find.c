/* SPDX-License-Identifier: MIT */
/*
 * find.c: families that the segment has, by name: what was declared is taken out of the record, judged by the rules,
 * and registered as if the caller had declared it. So nothing that a segment says is believed, and one way leads to a
 * family of this process.
 */
#include "base/native.h"
#include "record/known.h"

#include <errno.h>
#include <stdlib.h>

/* A declaration and all that it points to. Texts come last: each as it is in the record, and a zero behind it. */
struct declaration {
	struct promcb_family_spec spec;
	const char *labels[PROMCB_RECORD_LABELS_MAX + 1];
	const char *enumerated[PROMCB_WIDTH_MAX + 1];
	double bounds[PROMCB_BOUNDS_MAX];
	char texts[PROMCB_RECORD_BYTES_MAX];
};

static const char *keep(struct promcb_text text, char **at)
{
	const char *kept = *at;

	memcpy(*at, text.bytes, text.length);
	(*at)[text.length] = 0;
	*at += text.length + 1;
	return kept;
}

static void keep_labels(const struct promcb_family_view *view, struct declaration *to, char **at)
{
	const char *value = view->enumerated.bytes;

	for (uint32_t i = 0; i < view->value_count; i++)
		to->labels[i] = keep(view->labels[i], at);
	to->spec.labels = to->labels;
	if (view->value_count == view->label_count)
		return;
	to->spec.enumerated_label = keep(view->labels[view->value_count], at);
	for (uint32_t i = 0; i < view->width; i++) {
		uint16_t length;

		memcpy(&length, value, sizeof(length));
		to->enumerated[i] = keep((struct promcb_text){value + sizeof(length), length}, at);
		value += sizeof(length) + length;
	}
	to->spec.enumerated = to->enumerated;
}

/* The record's texts, two bytes of length before each, have room for a zero behind each. */
static void make_spec(const struct promcb_family_view *view, struct declaration *to)
{
	const struct promcb_family_record *record = view->record;
	struct promcb_family_spec *spec = &to->spec;
	char *at = to->texts;

	spec->name = keep(view->name, &at);
	spec->unit = view->unit.length ? keep(view->unit, &at) : NULL;
	spec->help = view->help.length ? keep(view->help, &at) : NULL;
	spec->type = (enum promcb_metric_type)record->type;
	spec->scope = (enum promcb_scope)record->scope;
	spec->flags = record->flags & PROMCB_FAMILY_DOUBLES ? PROMCB_DOUBLES : 0;
	spec->decimals = record->decimals;
	spec->series_max = record->series_max;
	keep_labels(view, to, &at);
	if (record->type != PROMCB_HISTOGRAM)
		return;
	if (record->flags & PROMCB_FAMILY_BOUNDS) {
		memcpy(to->bounds, view->bounds, record->bounds * sizeof(double));
		spec->bounds = to->bounds;
		spec->bound_count = record->bounds;
		return;
	}
	spec->buckets_per_octave = (uint32_t)1 << (record->schema & 7);
	spec->smallest = promcb_bits_double(record->smallest);
	spec->largest = promcb_bits_double(record->largest);
}

/* Returns 0, or -ENOENT, -EBUSY. */
static int copy_record(struct promcb_session *p, const char *name, const char *const *labels,
		       union promcb_family_image *image)
{
	struct promcb_saved_state way;
	int result = -EBUSY;

	if (promcb_process_enter(&way)) {
		promcb_session_follow(p);
		result = p->segment && promcb_family_copy(p->segment, name, labels, image) ? 0 : -ENOENT;
	}
	promcb_process_leave(&way);
	return result;
}

int promcb_family_find(struct promcb_session *p, const char *name, const char *const *labels,
		       struct promcb_metric_family **out, struct promcb_family_spec **spec)
{
	PROMCB_NOT_CANCELLED;
	union promcb_family_image image;
	struct promcb_family_view view;
	struct declaration *found;
	int result;

	*out = &promcb_no_family;
	if (spec)
		*spec = NULL;
	if (!p || !name)
		return -EINVAL;
	result = copy_record(p, name, labels, &image);
	if (result < 0)
		return result;
	found = calloc(1, sizeof(*found));
	if (!found)
		return -ENOMEM;
	promcb_family_view(&image, sizeof(image), &view);
	make_spec(&view, found);
	result = promcb_family_register(p, &found->spec, out);
	/* It came from the segment: what the rules refuse is not the caller's fault. */
	if (result == -EINVAL)
		result = -EBADMSG;
	if (result == 0 && spec)
		*spec = &found->spec;
	else
		free(found);
	return result;
}

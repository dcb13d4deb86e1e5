/* SPDX-License-Identifier: MIT */
/*
 * errors.c: calls' errors by their type: a family of counters with the labels of the component, and one more, whose
 * values are the types. To count one is to add to a series; a component's is looked up with its first error in this
 * process.
 */
#include "base/labels.h"
#include "base/name.h"
#include "record/declare.h"
#include "record/registry.h"

static const char *const types[PROMCB_ERROR_TYPES + 1] = {"timeout", "refused",  "reset",     "rejected",
							  "invalid", "canceled", "exhausted", "other"};

/* Of each component that had an error, its series, by the number of its handle. Set once. */
static void *counters[PROMCB_HANDLES_MAX];

const char *promcb_error_type_name(enum promcb_error_type type)
{
	return (unsigned)type < PROMCB_ERROR_TYPES ? types[type] : NULL;
}

/* The component's name and its labels, as the family has them. */
static void name_it(const struct promcb_handle *handle, struct promcb_full_name *full, const char **labels,
		    const char **values)
{
	const char *name = promcb_handle_name(handle);
	bool is_labelled = *name == PROMCB_NAME_LABELLED;

	promcb_full_name_set(full, name + is_labelled, strlen(name + is_labelled));
	if (is_labelled)
		promcb_full_name_take_apart(full);
	labels[0] = PROMCB_ERRORS_LABEL;
	values[0] = is_labelled ? full->parts : full->text;
	for (unsigned i = 0; i < full->count; i++) {
		labels[1 + i] = full->parts + full->label_at[i];
		values[1 + i] = full->parts + full->value_at[i];
	}
	labels[1 + full->count] = values[1 + full->count] = NULL;
}

/* The component's series, for good; NULL: this process can have none now. */
static void *find_counter(struct promcb_session *p, const struct promcb_handle *handle)
{
	const char *labels[PROMCB_COMPONENT_LABELS_MAX + 2], *values[PROMCB_COMPONENT_LABELS_MAX + 2];
	const struct promcb_family_spec spec = {.name = PROMCB_ERRORS_NAME,
						.help = "Errors by type.",
						.type = PROMCB_COUNTER,
						.labels = labels,
						.enumerated = types,
						.enumerated_label = PROMCB_ERRORS_ENUMERATED,
						.series_max = PROMCB_COMPONENTS_MAX};
	union promcb_family_image image;
	struct promcb_full_name full;
	void *counter;

	name_it(handle, &full, labels, values);
	if (promcb_family_make(&spec, &image, NULL) < 0)
		return NULL;
	counter = promcb_series_keep(p, &image, values);
	if (counter)
		/* [HANDLE] release: the series before who finds it here. */
		promcb_store_pointer_release(&counters[handle - promcb_handle_table.handles], counter);
	return counter;
}

void promcb_count_error(struct promcb_component *component, enum promcb_error_type type)
{
	const struct promcb_handle *handle = component ? promcb_component_handle(component) : NULL;
	/* [HANDLE] acquire: the session before what it leads to. */
	struct promcb_session *p = handle ? promcb_load_pointer_acquire(&handle->session) : NULL;
	void *counter;

	if (!p)
		return;
	/* [HANDLE] acquire: the series after its address. */
	counter = promcb_load_pointer_acquire(&counters[handle - promcb_handle_table.handles]);
	if (!counter)
		counter = find_counter(p, handle);
	if (counter)
		promcb_counter_add_at(counter, (unsigned)type < PROMCB_ERROR_TYPES ? type : PROMCB_ERROR_OTHER, 1);
}

void promcb_record_error(struct promcb_component *component, uint64_t latency_ns, enum promcb_error_type type)
{
	promcb_record(component, latency_ns, false);
	promcb_count_error(component, type);
}

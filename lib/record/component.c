/* SPDX-License-Identifier: MIT */
#include "record/component.h"

#include "base/labels.h"
#include "base/name.h"
#include "record/registry.h"

#include <errno.h>

uint32_t promcb_component_resolve(struct promcb_session *p, struct promcb_component *component,
				  struct promcb_lane_lease *lease)
{
	struct promcb_handle *handle = promcb_component_handle(component);

	if (handle->generation != p->generation) {
		const char *name = promcb_handle_name(handle);
		int found = promcb_component_register(p->segment, lease, name, strlen(name));

		if (found < 0) {
			promcb_add_relaxed(&promcb_segment_header(p->segment)->components_rejected, 1);
			/* Not for good: the generation stays behind, and the next thread tries again. */
			return PROMCB_OVERFLOW_COMPONENT;
		}
		/* [FOLLOW] release: the place before the number, and the number before the generation that it is of. */
		promcb_store32_release(&handle->component, (uint32_t)found);
		promcb_store32_release(&handle->generation, p->generation);
	}
	return handle->component;
}

/* A handle whose component is looked up once there is a segment again: its generation is that of no segment yet. */
static int add_unresolved(struct promcb_session *p, const char *name, size_t length, struct promcb_component **out)
{
	const struct promcb_handle handle = {p, PROMCB_OVERFLOW_COMPONENT, p->generation - 1};
	int result = promcb_handle_add(&p->names, name, length, &handle, out);

	if (result < 0)
		*out = p->overflow;
	return result;
}

/* The handle by the name that it has, made if there is none. */
static int find_handle(struct promcb_session *p, const char *name, size_t length, struct promcb_component **out)
{
	struct promcb_component *found = promcb_names_find(&p->names, name, length);
	struct promcb_lane_lease *lease;
	struct promcb_saved_state way;
	bool entered;
	int result;

	if (found) {
		*out = found;
		return 0;
	}
	entered = promcb_process_enter(&way);
	found = promcb_names_find(&p->names, name, length);
	if (found) {
		*out = found;
		result = 0;
	} else if (!entered) {
		*out = p->overflow;
		result = -EBUSY;
	} else if (promcb_session_follow(p), !p->segment) {
		result = p->opens ? add_unresolved(p, name, length, out) : -EINVAL;
	} else {
		*out = p->overflow;
		lease = promcb_session_lease(p, promcb_recorder_current(true));
		result = promcb_component_register(p->segment, lease, name, length);
		if (result >= 0)
			result = promcb_handle_add(&p->names, name, length,
						   &(struct promcb_handle){p, (uint32_t)result, p->generation}, out);
		if (result < 0)
			promcb_add_relaxed(&promcb_segment_header(p->segment)->components_rejected, 1);
	}
	promcb_process_leave(&way);
	return result;
}

struct promcb_component *promcb_component_known_again(struct promcb_session *p, const char *name, size_t length)
{
	/* Those with labels are not to be had by a name without, and no hint by an address is of one. */
	return length <= PROMCB_NAME_MAX && *name != PROMCB_NAME_LABELLED
		       ? promcb_names_find_again(&p->names, name, length)
		       : NULL;
}

int promcb_component(struct promcb_session *p, const char *name, struct promcb_component **out)
{
	*out = promcb_handle_component(promcb_handle_table.handles);
	if (!p || !name)
		return -EINVAL;
	struct promcb_component *known = promcb_component_known(p, name);
	size_t length;

	if (known) {
		*out = known;
		return 0;
	}
	length = strlen(name);

	promcb_name_trim(&name, &length);
	return promcb_name_fault(name, length) ? -EINVAL : find_handle(p, name, length, out);
}

int promcb_component_with(struct promcb_session *p, const char *name, const struct promcb_label *labels, size_t count,
			  struct promcb_component **out)
{
	struct promcb_full_name full;
	char marked[1 + sizeof(full.text)] = {PROMCB_NAME_LABELLED};
	bool has_labels = false;

	*out = promcb_handle_component(promcb_handle_table.handles);
	if (!p)
		return -EINVAL;
	*out = p->overflow;
	if (!name)
		return -EINVAL;
	size_t length = strlen(name);

	promcb_name_trim(&name, &length);
	if (promcb_full_name_make(&full, name, length, labels, count))
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		has_labels |= labels[i].value && *labels[i].value;
	memcpy(marked + 1, full.text, full.bytes);
	return has_labels ? find_handle(p, marked, 1 + full.bytes, out) : find_handle(p, full.text, full.bytes, out);
}

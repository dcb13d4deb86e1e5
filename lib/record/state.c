/* SPDX-License-Identifier: MIT */
/*
 * state.c: the breaker's state.
 *
 * State and transitions are one word, changed by CAS, so a crash leaves no half of a change. Its time is a second
 * word with the low bits of the transition count in it: a reader that finds others there says that the time is
 * unknown.
 */
#include "base/clock.h"
#include "record/component.h"
#include "record/entry.h"
#include "record/registry.h"

#include <errno.h>

static void change_state(struct promcb_descriptor *descriptor, enum promcb_state state)
{
	uint64_t before, after;

	do {
		before = promcb_load_relaxed(&descriptor->state);
		if (promcb_state_of(before) == state)
			return;
		after = promcb_state_changed(before, state);
		/* [STATE] the change before its time; a reader takes them the other way round. */
	} while (!promcb_cas_acq_rel(&descriptor->state, before, after));
	PROMCB_INJECT("state: changed");
	/* [STATE] release: after the change. */
	promcb_store_release(&descriptor->state_time, promcb_state_time(after, promcb_clock_realtime_coarse_ns()));
}

/*
 * The component's segment as a guest sees it, and its number there: as this process knows it, else by its name, which
 * others may have registered.
 */
static struct promcb_segment *visit(const struct promcb_session *p, const struct promcb_component *component,
				    uint32_t *number)
{
	const struct promcb_handle *handle = promcb_component_handle(component);
	struct promcb_segment *segment = promcb_session_glance(p, handle, number);

	if (segment && *number == PROMCB_NO_COMPONENT) {
		const char *name = promcb_handle_name(handle);
		int found = promcb_component_find(segment, name, strlen(name));

		if (found >= 0)
			*number = (uint32_t)found;
	}
	return segment;
}

/* The same inside. lane: whether the thread takes one, if it has none. */
static struct promcb_segment *resolve(struct promcb_session *p, struct promcb_component *component, bool lane,
				      uint32_t *number)
{
	struct promcb_lane_lease *lease = NULL;

	promcb_session_follow(p);
	if (!p->segment)
		return NULL;
	if (lane)
		lease = promcb_session_lease(p, promcb_recorder_current(true));
	*number = promcb_component_resolve(p, component, lease);
	return p->segment;
}

/*
 * Into the slow path, with the component's descriptor, or NULL: closed, away, or a component that the segment does not
 * have, in which nobody has told a state. To tell one it must be registered, which can wait for a fork; to ask for one
 * needs neither.
 */
static struct promcb_descriptor *enter(struct promcb_session *p, struct promcb_component *component, bool to_tell,
				       struct promcb_saved_state *way)
{
	struct promcb_segment *segment = NULL;
	uint32_t number = PROMCB_NO_COMPONENT;
	/* The segment may be left by another thread that finds it removed: not under a guest either. */
	bool inside = promcb_process_enter_or_visit(way, true);

	if (!inside)
		segment = visit(p, component, &number);
	if (!inside && number == PROMCB_NO_COMPONENT && to_tell) {
		promcb_process_leave(way);
		inside = promcb_process_enter(way);
		segment = inside ? NULL : visit(p, component, &number);
		if (number == PROMCB_NO_COMPONENT)
			number = PROMCB_OVERFLOW_COMPONENT;
	}
	if (inside)
		segment = resolve(p, component, to_tell, &number);
	return segment ? promcb_segment_descriptor(segment, number) : NULL;
}

int promcb_set_state(struct promcb_component *component, enum promcb_state state)
{
	/* [HANDLE] acquire: the session before what it leads to. */
	struct promcb_session *p =
		component ? promcb_load_pointer_acquire(&promcb_component_handle(component)->session) : NULL;
	struct promcb_descriptor *descriptor;
	struct promcb_saved_state way;

	if ((unsigned)state > PROMCB_HALF_OPEN)
		return -EINVAL;
	if (!p)
		return 0;
	descriptor = enter(p, component, true, &way);
	if (descriptor)
		change_state(descriptor, state);
	promcb_process_leave(&way);
	return 0;
}

/*
 * The state, if the thread has an entry of the component, and a lease in the session's present segment: then what it
 * reads stays mapped. Who lost the lease meanwhile, interrupted for as long as it takes, has read zeros of a segment
 * that was parked.
 */
static bool find_recorded_state(const struct promcb_session *p, const struct promcb_component *component,
				uint64_t *word)
{
	uint32_t number = PROMCB_NO_COMPONENT;
	const struct promcb_segment *segment =
		promcb_entry_load(component).ring
			? promcb_session_glance(p, promcb_component_handle(component), &number)
			: NULL;
	uint32_t slot = segment ? promcb_attachment_of(segment)->slot : 0;

	PROMCB_INJECT("state: glanced");
	if (!segment || number == PROMCB_NO_COMPONENT || !promcb_recorder_has_lease(slot))
		return false;
	PROMCB_INJECT("state: leased");
	const struct promcb_descriptor *descriptor = promcb_segment_descriptor(segment, number);

	if (!descriptor)
		return false;
	*word = promcb_load_relaxed(&descriptor->state);
	promcb_signal_fence();
	return promcb_recorder_has_lease(slot);
}

/* For a thread that has not recorded in the component. It takes no lane for that, and waits for no fork. */
static uint64_t find_state(struct promcb_session *p, struct promcb_component *component)
{
	struct promcb_saved_state way;
	const struct promcb_descriptor *descriptor = enter(p, component, false, &way);
	uint64_t word = descriptor ? promcb_load_relaxed(&descriptor->state) : 0;

	promcb_process_leave(&way);
	return word;
}

enum promcb_state promcb_state(struct promcb_component *component)
{
	/* [HANDLE] acquire: the session before what it leads to. */
	struct promcb_session *p =
		component ? promcb_load_pointer_acquire(&promcb_component_handle(component)->session) : NULL;
	enum promcb_state state;
	uint64_t word = 0;

	if (p && !find_recorded_state(p, component, &word))
		word = find_state(p, component);
	state = promcb_state_of(word);
	/* A word that nobody has written is no state. */
	return state > PROMCB_HALF_OPEN ? PROMCB_CLOSED : state;
}

/* SPDX-License-Identifier: MIT */
#include "record/entry.h"

#include "base/bucket.h"
#include "base/clock.h"

#define GROW_RETRY_NS ((uint64_t)1000000000)

_Static_assert(PROMCB_SEGMENTS_MAX == 64, "a slot fits above an address, below the mark of another schema");

struct promcb_entry promcb_entry_load(const struct promcb_component *component)
{
	const struct promcb_entry *entry = (const struct promcb_entry *)((uintptr_t)component + promcb_thread.distance);
	struct promcb_entry copy;

	/* Whoever changes an entry changes its ring. */
	do {
		copy.ring = promcb_load_relaxed(&entry->ring);
		promcb_signal_fence();
		/* [RECALL] acquire: with a block that is gone comes the mark. */
		copy.block = promcb_load_acquire(&entry->block);
		promcb_signal_fence();
	} while (copy.ring != promcb_load_relaxed(&entry->ring));
	return copy.ring == PROMCB_ENTRY_RECALLED ? (struct promcb_entry){.block = 0, .ring = 0} : copy;
}

static void store(struct promcb_entry *entry, struct promcb_entry value)
{
	promcb_store_relaxed(&entry->ring, value.ring);
	promcb_signal_fence();
	promcb_store_relaxed(&entry->block, value.block);
	promcb_signal_fence();
}

static uintptr_t slot_bits(const struct promcb_segment *segment)
{
	return (uintptr_t)promcb_attachment_of(segment)->slot << 56;
}

static struct promcb_entry overflow_place(struct promcb_segment *segment, uint32_t number)
{
	const struct promcb_descriptor *descriptor = promcb_segment_descriptor(segment, number);
	struct promcb_block *block =
		descriptor ? promcb_segment_block(segment, promcb_load32_relaxed(&descriptor->overflow)) : NULL;

	if (block && promcb_load_relaxed(&block->kind) == PROMCB_BLOCK_OVERFLOW)
		return (struct promcb_entry){.block = 0, .ring = (uintptr_t)block | slot_bits(segment)};
	/* Only in a corrupt segment. */
	promcb_add_relaxed(&promcb_segment_header(segment)->dropped_calls, 1);
	return (struct promcb_entry){.block = 0, .ring = 0};
}

/* The lease's own block of the component, else its overflow block, else nothing. */
static struct promcb_entry best_place(struct promcb_session *p, struct promcb_component *component,
				      struct promcb_lane_lease *lease)
{
	struct promcb_segment *segment = p->segment;
	uint32_t number = promcb_component_resolve(p, component, lease);
	struct promcb_block *block = lease && lease->lane ? promcb_lane_block(lease, number) : NULL;
	uintptr_t mark =
		segment->geometry.schema == PROMCB_SCHEMA_MIN ? 0 : PROMCB_ENTRY_OTHER_SCHEMA | slot_bits(segment);

	if (!block)
		return overflow_place(segment, number);
	return (struct promcb_entry){.block = (uintptr_t)block | mark, .ring = promcb_lane_ring(segment, block)};
}

/* Of all segments that the thread records in: its calls may be to one of them and look for another. */
static void look(uint64_t now_ns)
{
	struct promcb_recorder *recorder = promcb_recorder_current(false);

	for (struct promcb_session *p = recorder ? promcb_sessions : NULL; p; p = p->next) {
		if (p->segment && recorder->leases[p->slot].segment)
			promcb_session_follow(p);
	}
	promcb_thread.fresh_ns = now_ns + PROMCB_LOOK_INTERVAL_NS - 1;
}

void promcb_entry_look_now(uint64_t now_ns)
{
	struct promcb_saved_state way;

	if (!promcb_process_is_started() || !promcb_process_try_enter(&way))
		return;
	look(now_ns);
	promcb_process_leave(&way);
}

struct promcb_entry promcb_entry_find(struct promcb_component *component)
{
	struct promcb_session *p = promcb_component_handle(component)->session;
	struct promcb_recorder *recorder;
	struct promcb_entry *entry, place;
	struct promcb_lane_lease *lease;
	uint64_t now_ns = promcb_clock_monotonic_coarse_ns();

	if (!p)
		return (struct promcb_entry){.block = 0, .ring = 0};
	if (promcb_entry_is_look_due(now_ns))
		look(now_ns);
	promcb_session_follow(p);
	if (!p->segment)
		return (struct promcb_entry){.block = 0, .ring = 0};
	recorder = promcb_recorder_current(true);
	lease = promcb_session_lease(p, recorder);
	place = best_place(p, component, lease);
	if (recorder && place.ring) {
		entry = promcb_recorder_entry(recorder, component);
		/* An own block is better kept than changed for an overflow block: see the invariants. */
		if (place.block || !entry->block)
			store(entry, place);
	}
	return place;
}

struct promcb_entry promcb_entry_find_overflow(const struct promcb_component *component, bool exact)
{
	const struct promcb_handle *handle = promcb_component_handle(component);
	/* [HANDLE] acquire: the session before what it leads to. */
	const struct promcb_session *p = promcb_load_pointer_acquire(&handle->session);
	uint32_t number;
	struct promcb_segment *segment = p ? promcb_session_glance(p, handle, &number) : NULL;

	if (!segment || (exact && number == PROMCB_NO_COMPONENT))
		return (struct promcb_entry){.block = 0, .ring = 0};
	return overflow_place(segment, number == PROMCB_NO_COMPONENT ? PROMCB_OVERFLOW_COMPONENT : number);
}

struct promcb_segment *promcb_entry_segment(const struct promcb_entry *at)
{
	const uint8_t *address = (const uint8_t *)promcb_entry_block(at);

	if (!address)
		return at->ring ? &promcb_attachments[promcb_entry_slot(at->ring)].segment : NULL;
	/* A thread that has an own block has a lease, and the segment stays where it is. */
	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++) {
		struct promcb_segment *segment = &promcb_attachments[slot].segment;

		if (segment->base && address >= segment->base && address < segment->base + segment->mapped_bytes)
			return segment;
	}
	return NULL;
}

struct promcb_entry promcb_entry_beside(const struct promcb_entry *at)
{
	struct promcb_segment *segment = promcb_entry_segment(at);

	if (!segment)
		return (struct promcb_entry){.block = 0, .ring = 0};
	return overflow_place(segment,
			      promcb_pair_component(promcb_load_relaxed(&promcb_entry_block(at)->component_lane)));
}

void promcb_entry_grow_ring(struct promcb_component *component, const struct promcb_entry *at)
{
	struct promcb_session *p = promcb_component_handle(component)->session;
	struct promcb_recorder *recorder = promcb_recorder_current(false);
	struct promcb_entry *entry;
	struct promcb_lane_lease *lease;

	if (!recorder || !p || !p->segment)
		return;
	lease = promcb_session_lease(p, recorder);
	entry = promcb_recorder_entry(recorder, component);
	if (promcb_entry_address(at->ring) != (uintptr_t)promcb_entry_block(at)->first_ring ||
	    entry->block != at->block || entry->ring != at->ring || !lease->lane)
		return;
	if (promcb_lane_grow_ring(lease, promcb_entry_block(at)))
		promcb_store_relaxed(&entry->ring, promcb_lane_ring(lease->segment, promcb_entry_block(at)));
	else
		promcb_store_relaxed(&p->grow_retry_ns, promcb_clock_monotonic_coarse_ns() + GROW_RETRY_NS);
}

/* SPDX-License-Identifier: MIT */
#include "record/cell.h"

#include "base/clock.h"
#include "record/entry.h"
#include "record/policy.h"

#include <errno.h>

#define COUNTDOWN_MAX 64
#define MILLISECOND_NS ((uint64_t)1000000)

_Static_assert(PROMCB_SEGMENTS_MAX == 64, "a slot fits above an address, below the two marks");
_Static_assert(PROMCB_WIDTH_MAX < 1 << (64 - PROMCB_SERIES_LAST_SHIFT), "an index fits above an address");

static uint64_t *entry_of(const void *handle)
{
	return (uint64_t *)((uintptr_t)handle + promcb_thread.distance);
}

static uint64_t slot_bits(const struct promcb_segment *segment)
{
	return (uint64_t)promcb_attachment_of(segment)->slot << 56;
}

static uint32_t slot_of(uint64_t entry)
{
	return (uint32_t)(entry >> 56) & (PROMCB_SEGMENTS_MAX - 1);
}

/* The calling thread's recorder, where it has one: it has if an entry is not 0. */
static struct promcb_recorder *own_recorder(void)
{
	return (struct promcb_recorder *)((uintptr_t)promcb_handle_table.handles + promcb_thread.distance -
					  offsetof(struct promcb_recorder, entries));
}

struct promcb_recorder *promcb_recorder_at_hand(void)
{
	return promcb_thread.distance == PROMCB_NO_ENTRIES_DISTANCE ? NULL : own_recorder();
}

/* -- When to look ------------------------------------------------------------------------------------------------- */

/*
 * The countdown is over: the clock is looked at, and the segments' names, if it is time. Whoever counts often gets
 * another countdown, of as many as he counted in a millisecond; whoever does not, looks each time.
 */
static void count_anew(void)
{
	uint64_t now_ns = promcb_clock_monotonic_coarse_ns(), used, elapsed_ns;
	struct promcb_recorder *recorder;

	promcb_entry_look(now_ns);
	promcb_thread.countdown = 0;
	if (promcb_thread.distance == PROMCB_NO_ENTRIES_DISTANCE)
		return;
	recorder = own_recorder();
	used = recorder->counted_from + 1;
	elapsed_ns = now_ns - recorder->counted_ns;
	/* The clock moves each 1 to 10 ms. */
	used = elapsed_ns ? used * MILLISECOND_NS / elapsed_ns : 2 * used;
	recorder->counted_from = used < COUNTDOWN_MAX ? used : COUNTDOWN_MAX;
	recorder->counted_ns = now_ns;
	promcb_thread.countdown = (int64_t)recorder->counted_from;
}

/* Whether a thread that counts aside should look again, for a lane or for room. */
static bool look_again(const struct promcb_series_handle *series, uint64_t entry)
{
	uint32_t slot = slot_of(entry);
	const struct promcb_attachment *attachment = &promcb_attachments[slot];
	uint64_t not_before = own_recorder()->leases[slot].lane
				      ? promcb_load_relaxed(&attachment->segment.no_space_until_ns)
				      : promcb_load_relaxed(&attachment->lane_retry_ns);

	/* A gauge of the segment has no better place. */
	return series->family->type != PROMCB_GAUGE && promcb_clock_monotonic_coarse_ns() >= not_before;
}

/* -- Places ------------------------------------------------------------------------------------------------------- */

static bool is_own(uint64_t place)
{
	return place && promcb_cell_of(place).own;
}

static uint64_t shared_place(struct promcb_segment *segment, const struct promcb_series_handle *series, uint32_t cell)
{
	uint64_t *words = promcb_row_shared(segment, cell, series->width);

	return words ? (uintptr_t)words | PROMCB_CELL_ASIDE | slot_bits(segment) : 0;
}

/* From now on the gauge may be set here. */
static void come_by(struct promcb_series_handle *series)
{
	promcb_known_forward(series);
	series->left = NULL;
}

static uint64_t live_place(struct promcb_segment *segment, struct promcb_series_handle *series, uint32_t cell)
{
	struct promcb_lane_lease *home = promcb_home(segment);

	come_by(series);
	return home ? (uintptr_t)promcb_row_live(home, cell, series->width) : 0;
}

static uint64_t own_place(struct promcb_lane_lease *lease, const struct promcb_series_handle *series, uint32_t cell)
{
	uint64_t *words = lease && lease->lane ? promcb_row_own(lease, cell, series->width) : NULL;

	if (!words)
		return 0;
	return series->family->doubles || series->family->bound_count
		       ? (uintptr_t)words | PROMCB_CELL_ASIDE | PROMCB_CELL_OWN | slot_bits(lease->segment)
		       : (uintptr_t)words;
}

/*
 * What a former holder of the lane has begun and not ended, nobody will. Right after a death at any step. Before the
 * thread is led to the row: a handler that came before this would have its calls taken for those of the dead.
 */
static void take_over(const struct promcb_lane_lease *lease, uint64_t *words)
{
	uint64_t taken = promcb_load_relaxed(&promcb_segment_lane(lease->segment, lease->lane - 1)->taken);

	if (promcb_load_relaxed(&words[PROMCB_BREAKER_TAKEN]) == taken)
		return;
	/* What another thread of this process has begun, a third may end. */
	if (promcb_load_relaxed(&words[PROMCB_BREAKER_HOLDER]) != promcb_process->cookie)
		promcb_store_relaxed(&words[PROMCB_BREAKER_DIED],
				     promcb_load_relaxed(&words[PROMCB_BREAKER_BEGUN]) +
					     promcb_load_relaxed(&words[PROMCB_BREAKER_FOREIGN]) -
					     promcb_load_relaxed(&words[PROMCB_BREAKER_ENDED]) -
					     promcb_load_relaxed(&words[PROMCB_BREAKER_ELSEWHERE]));
	PROMCB_INJECT("breaker: died told");
	/* [LATE] release: what died before whose the row is, and that before what he begins. */
	promcb_store_fence();
	promcb_store_relaxed(&words[PROMCB_BREAKER_HOLDER], promcb_process->cookie);
	promcb_store_relaxed(&words[PROMCB_BREAKER_TAKEN], taken);
	promcb_store_fence(); /* [LATE] */
}

/*
 * Of a breaker: that it is a component's of the present segment, and the entry behind its own, which leads to the
 * state. It is filled before the row is. Returns false where the segment has no room for one of them.
 */
static bool lead_to_state(const void *handle, const struct promcb_series_handle *series,
			  struct promcb_lane_lease *lease, bool has_entry)
{
	struct promcb_session *p = series->at.session;
	uint32_t number = promcb_component_resolve(p, series->component, lease);
	struct promcb_descriptor *descriptor = promcb_segment_descriptor(p->segment, number);
	struct promcb_terms terms;

	/* Not "_overflow" in its place: that would be one breaker of many. */
	if (number == PROMCB_OVERFLOW_COMPONENT || !descriptor || series->at.generation != p->generation)
		return false;
	/*
	 * In a segment that was made since, or by another version; but what this process gave before an operator gave
	 * another is not given again. While another process is at it, calls go through.
	 */
	if (!(promcb_policy_read(descriptor, &terms) && terms.is_operators) &&
	    promcb_policy_put(p->segment, descriptor, series->policy, false, NULL) == -EBUSY)
		return false;
	if (has_entry)
		promcb_store_relaxed(entry_of(handle) + 1, (uintptr_t)&descriptor->state);
	promcb_signal_fence();
	return true;
}

/*
 * Looks for the best place there is for the calling thread, and leads its entry there, if it has one. 0: nowhere. With
 * the mutex held.
 */
static uint64_t find(const void *handle, struct promcb_series_handle *series)
{
	struct promcb_session *p = series->at.session;
	struct promcb_recorder *recorder;
	struct promcb_lane_lease *lease;
	uint64_t place = 0;
	uint32_t cell;

	promcb_session_follow(p);
	if (!p->segment)
		return 0;
	recorder = promcb_recorder_current(true);
	lease = promcb_session_lease(p, recorder);
	cell = promcb_known_resolve(series, lease);
	if (!cell || (series->component && !lead_to_state(handle, series, lease, recorder != NULL)))
		return 0;
	if (promcb_family_is_live(series->family))
		place = live_place(p->segment, series, cell);
	else if (series->family->type != PROMCB_GAUGE)
		place = own_place(lease, series, cell);
	if (series->component && is_own(place))
		take_over(lease, promcb_cell_of(place).words);
	if (!place && !promcb_family_is_live(series->family))
		place = shared_place(p->segment, series, cell);
	/* An own cell is better kept than changed for a shared one. */
	if (recorder && place && (is_own(place) || promcb_load_relaxed(entry_of(handle)) == 0))
		promcb_store_relaxed(entry_of(handle), place);
	return place;
}

/*
 * For a guest, and for a handler that interrupted a count: the cell in the shared copy; of what a process sets, where
 * this one has set it before. Or nothing.
 */
static uint64_t find_shared(const struct promcb_series_handle *series)
{
	uint64_t *words;
	uint32_t cell;
	struct promcb_segment *segment = promcb_session_glance(series->at.session, &series->at, &cell);

	if (!segment || cell == PROMCB_NO_COMPONENT)
		return 0;
	if (promcb_family_is_live(series->family)) {
		words = promcb_home_glance(segment, cell, series->width);
		/* The child of vfork begins no value in its parent's place. */
		return words && (promcb_load_relaxed(words) || promcb_load32_relaxed(&promcb_process->forking))
			       ? (uintptr_t)words
			       : 0;
	}
	return shared_place(segment, series, cell);
}

/* -- Finding the way ----------------------------------------------------------------------------------------------- */

static void use_place(struct promcb_series_handle *series, uint64_t place, promcb_cell_use *use, void *context)
{
	promcb_thread_set_busy(1);
	use(series, promcb_cell_of(place), context);
	promcb_thread_set_busy(0);
}

enum found { NOWHERE, USED, OWN_CELL };

/* The slow path to a place, for a thread that has none or may have a better one: have. See record.c. */
static enum found find_place(const void *handle, struct promcb_series_handle *series, uint64_t have,
			     promcb_cell_use *use, void *context)
{
	struct promcb_saved_state way;
	bool inside, again, too_early, refused = !have && promcb_known_is_refused(series->family, &too_early);
	uint64_t place;

	if (refused && too_early)
		return NOWHERE;
	/* Who has a place waits for nobody, nor does who is unlikely to get one. */
	if ((have || refused) && !promcb_process_try_enter(&way)) {
		if (refused)
			return NOWHERE;
		use_place(series, have, use, context);
		return USED;
	}
	inside = have || refused || promcb_process_enter_or_visit(&way, !promcb_recorder_is_denied());
	place = inside && !promcb_thread_is_busy() ? find(handle, series) : find_shared(series);
	if (!inside && !place) {
		promcb_process_leave(&way);
		inside = promcb_process_enter(&way);
		place = inside && !promcb_thread_is_busy() ? find(handle, series) : find_shared(series);
	}
	/* An own cell is used without the mutex; but a gauge's by a thread that has no entry to lead there. */
	again = is_own(place) && promcb_load_relaxed(entry_of(handle)) == place;
	if (place && !again)
		use(series, promcb_cell_of(place), context);
	promcb_process_leave(&way);
	if (again)
		return OWN_CELL;
	return place ? USED : NOWHERE;
}

/* What a process sets while its session is away goes along to the next segment, as what it had set before does. */
static bool keep(struct promcb_series_handle *series, promcb_cell_use *use, void *context)
{
	const struct promcb_session *p = series->at.session;
	struct promcb_saved_state way;
	bool is_kept;

	if (!promcb_session_is_away(p) || !promcb_family_is_live(series->family))
		return false;
	is_kept = promcb_process_enter(&way) && promcb_session_is_away(p);
	if (is_kept) {
		come_by(series);
		use(series, (struct promcb_cell){&series->kept, true}, context);
	}
	promcb_process_leave(&way);
	return is_kept;
}

static void count_dropped(struct promcb_series_handle *series, promcb_cell_use *use, void *context)
{
	const struct promcb_session *p = series->at.session;
	struct promcb_saved_state way;
	struct promcb_segment *segment;
	uint32_t cell;

	/* Of a breaker, the call that comes is counted, or the one that ended is recorded. */
	if (series->component || keep(series, use, context))
		return;
	if (promcb_session_is_away(p)) {
		promcb_session_count_lost_value(p);
		return;
	}
	/* As a guest rather than to wait. */
	promcb_process_enter_or_visit(&way, false);
	segment = promcb_session_glance(p, &series->at, &cell);
	if (segment)
		promcb_add_relaxed(&promcb_segment_header(segment)->dropped_values, 1);
	promcb_process_leave(&way);
}

void promcb_cell_with(const void *handle, promcb_cell_use *use, void *context)
{
	struct promcb_series_handle *series = promcb_series_handle_of(handle);
	const struct promcb_session *session;
	uint64_t entry;
	enum found found;

	/* [HANDLE] acquire: the word before the series. */
	if (!promcb_load_acquire(handle))
		return;
	/* An inline function may have counted already. */
	if (promcb_thread.countdown < 0 || promcb_count_down(&promcb_thread.countdown))
		count_anew();
	session = series->at.session;
	do {
		entry = promcb_load_relaxed(entry_of(handle));
		if (promcb_thread_is_busy() && is_own(entry) && !promcb_family_is_live(series->family))
			entry = find_shared(series);
		if (is_own(entry) || (entry && (promcb_thread_is_busy() || !look_again(series, entry)))) {
			if (promcb_thread_is_busy())
				use(series, promcb_cell_of(entry), context);
			else
				use_place(series, entry, use, context);
			return;
		}
		/* Metrics that are off cost no more than this. */
		if (!promcb_session_is_found(session)) {
			if (!series->component && !keep(series, use, context))
				promcb_session_count_lost_value(session);
			return;
		}
		found = find_place(handle, series, entry, use, context);
	} while (found == OWN_CELL);
	if (found == NOWHERE)
		count_dropped(series, use, context);
}

struct promcb_header *promcb_cell_header(struct promcb_cell at)
{
	const uint8_t *address = (const uint8_t *)at.words;

	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++) {
		struct promcb_segment *segment = &promcb_attachments[slot].segment;

		if (segment->base && address >= segment->base && address < segment->base + segment->mapped_bytes)
			return promcb_segment_header(segment);
	}
	return NULL;
}

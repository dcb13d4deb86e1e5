/* SPDX-License-Identifier: MIT */
/*
 * record.c: the exported twins of the record path, and all of a record that is not the common case.
 *
 * Everything here but promcb_call() is async-signal-safe.
 *
 * A record takes one of three ways, by the thread's entry:
 *   own block         plain adds and stores by its only writer
 *   overflow block    read-modify-write, where the thread has no lane or no block: slower, never lossy
 *   none yet          looks for the first, else the second, with all signals blocked; then as above
 */
#include "record/record.h"
#include "base/bucket.h"
#include "base/clock.h"

#include <errno.h>
#include <float.h>

_Static_assert(PROMCB_LATENCY_MAX_NS == PROMCB_BUCKET_LATENCY_MAX_NS, "one maximum");
_Static_assert(PROMCB_LATENCY_MAX_NS == (uint64_t)1 << PROMCB_LATENCY_BITS, "one maximum");
/* A call that took longer is above PROMCB_LATENCY_MAX_NS in any case. */
#define CALL_SECONDS_MAX 2e3

_Static_assert(PROMCB_CLOSED == 0 && PROMCB_LOG_ERROR == 3, "states and levels index words of the segment");

/* -- Ways to record ----------------------------------------------------------------------------------------------- */

static void overflow_record(const struct promcb_entry *at, uint64_t latency_ns, bool success, uint64_t now_ns)
{
	struct promcb_block *block = promcb_entry_overflow(at);
	const struct promcb_geometry *geometry = promcb_entry_geometry(at->ring);
	uint32_t bucket = promcb_bucket_of(geometry->schema, latency_ns);
	uint64_t position = promcb_add_relaxed(&block->position, 1);

	promcb_add_relaxed(promcb_block_buckets(block) + (success ? 0 : geometry->buckets) + bucket, 1);
	PROMCB_INJECT("overflow: counted");
	promcb_add_relaxed(&block->latency_sum_ns[!success], latency_ns);
	promcb_store_relaxed(&block->first_ring[position % PROMCB_FIRST_RING_SLOTS],
			     promcb_sample(latency_ns, success, now_ns));
	promcb_store_relaxed(&block->head, promcb_head(now_ns, position + 1));
	if (!success)
		promcb_store_relaxed(&block->last_failure_ns, promcb_clock_realtime_coarse_ns());
}

/*
 * A ring is full: before its oldest sample is overwritten it is time for a larger one, and for a look at where the
 * segment has gone, in case the caller's stamps do not tell when it is due. Returns where the thread records now.
 */
static struct promcb_entry before_round(struct promcb_component *component, const struct promcb_entry *at,
					uint64_t position)
{
	/* [HANDLE] acquire: the session before what it leads to. */
	const struct promcb_session *session =
		promcb_load_pointer_acquire(&promcb_component_handle(component)->session);
	uint64_t now_ns = promcb_clock_monotonic_coarse_ns();
	bool grow = promcb_entry_address(at->ring) == (uintptr_t)promcb_entry_block(at)->first_ring &&
		    position >= PROMCB_FIRST_RING_SLOTS && now_ns >= promcb_load_relaxed(&session->grow_retry_ns);
	struct promcb_saved_state way;
	struct promcb_entry now_at;

	promcb_entry_look(now_ns);
	/* It can wait for the next round, and a record waits for nobody. */
	if (grow && promcb_process_try_enter(&way)) {
		promcb_entry_grow_ring(component, at);
		promcb_process_leave(&way);
	}
	now_at = promcb_entry_load(component);
	/*
	 * If the segment was left just now, or a handler forked and this is the child, the call ends where it began.
	 */
	return now_at.block ? now_at : *at;
}

static uint32_t next_slot(const struct promcb_entry *at, uint64_t *head)
{
	*head = promcb_load_relaxed(&promcb_entry_block(at)->head);
	return (uint32_t)*head & ~(UINT32_MAX << (at->ring & 31));
}

/*
 * Before a failure in an own block, whose head is given: if the call before it succeeded, that head is noted, since a
 * head tells of the last call alone. So when the last success was is known, however many failures follow.
 */
static inline void note_failure(const struct promcb_entry *at, uint32_t slot, uint64_t head)
{
	const uint64_t *samples = (const uint64_t *)promcb_entry_address(at->ring);
	struct promcb_block *block = promcb_entry_block(at);
	uint64_t before = promcb_load_relaxed(&samples[(slot - 1) & ~(UINT32_MAX << (at->ring & 31))]);

	/* Where there was none, the head has no time either. */
	if (!promcb_sample_failure(before))
		promcb_store_relaxed(promcb_block_last_success(block), head);
	promcb_store_relaxed(&block->last_failure_ns, promcb_clock_realtime_coarse_ns());
}

/* The same as inline.h does, for every latency, outcome, schema and slot. */
static void own_record(struct promcb_component *component, struct promcb_entry at, uint64_t latency_ns, bool success,
		       uint64_t now_ns)
{
	uint32_t schema = PROMCB_SCHEMA_MIN, buckets = PROMCB_BUCKET3_COUNT, slot;
	struct promcb_block *block;
	uint64_t head;

	slot = next_slot(&at, &head);
	if (slot == 0) {
		at = before_round(component, &at, promcb_head_position(head));
		slot = next_slot(&at, &head);
	}
	block = promcb_entry_block(&at);
	if (at.block & PROMCB_ENTRY_OTHER_SCHEMA) {
		schema = promcb_entry_geometry(at.block)->schema;
		buckets = promcb_entry_geometry(at.block)->buckets;
	}
	promcb_add_owned(promcb_block_buckets(block) + (success ? 0 : buckets) + promcb_bucket_of(schema, latency_ns),
			 1);
	PROMCB_INJECT("slow: counted");
	promcb_add_owned(&block->latency_sum_ns[!success], latency_ns);
	PROMCB_INJECT("slow: summed");
	if (!success)
		note_failure(&at, slot, head);
	promcb_store_relaxed((uint64_t *)promcb_entry_address(at.ring) + slot,
			     promcb_sample(latency_ns, success, now_ns));
	promcb_store_relaxed(&block->head, promcb_head(now_ns, head + 1));
}

/* A call without a latency: counted by its outcome, and a sample that has no say in quantiles. */
static uint64_t unmeasured_sample(bool success, uint64_t now_ns)
{
	return promcb_sample(0, success, now_ns) | PROMCB_SAMPLE_UNMEASURED;
}

static void overflow_record_outcome(const struct promcb_entry *at, bool success, uint64_t now_ns)
{
	struct promcb_block *block = promcb_entry_overflow(at);
	uint64_t position = promcb_add_relaxed(&block->position, 1);

	promcb_add_relaxed(&block->unmeasured[!success], 1);
	promcb_store_relaxed(&block->first_ring[position % PROMCB_FIRST_RING_SLOTS],
			     unmeasured_sample(success, now_ns));
	promcb_store_relaxed(&block->head, promcb_head(now_ns, position + 1));
	if (!success)
		promcb_store_relaxed(&block->last_failure_ns, promcb_clock_realtime_coarse_ns());
}

static void own_record_outcome(struct promcb_component *component, struct promcb_entry at, bool success,
			       uint64_t now_ns)
{
	struct promcb_block *block;
	uint64_t head;
	uint32_t slot = next_slot(&at, &head);

	if (slot == 0) {
		at = before_round(component, &at, promcb_head_position(head));
		slot = next_slot(&at, &head);
	}
	block = promcb_entry_block(&at);
	promcb_add_owned(&block->unmeasured[!success], 1);
	PROMCB_INJECT("outcome: counted");
	if (!success)
		note_failure(&at, slot, head);
	promcb_store_relaxed((uint64_t *)promcb_entry_address(at.ring) + slot, unmeasured_sample(success, now_ns));
	promcb_store_relaxed(&block->head, promcb_head(now_ns, head + 1));
}

/* -- Finding the way ---------------------------------------------------------------------------------------------- */

/* Whether a thread that records into overflow blocks should look again: for a lane, for room, for the segment. */
static bool look_again(const struct promcb_entry *at)
{
	const struct promcb_recorder *recorder =
		(const struct promcb_recorder *)((uintptr_t)promcb_handle_table.handles + promcb_thread.distance -
						 offsetof(struct promcb_recorder, entries));
	uint32_t slot = promcb_entry_slot(at->ring);
	const struct promcb_lane_lease *lease = &recorder->leases[slot];
	const struct promcb_attachment *attachment = &promcb_attachments[slot];
	uint64_t not_before = lease->lane ? promcb_load_relaxed(&attachment->segment.no_space_until_ns)
					  : promcb_load_relaxed(&attachment->lane_retry_ns);

	uint64_t now_ns = promcb_clock_monotonic_coarse_ns();

	return now_ns >= not_before || promcb_entry_is_look_due(now_ns);
}

static void use_place(const struct promcb_entry *at, void (*use)(const struct promcb_entry *at, void *context),
		      void *context)
{
	promcb_thread_set_busy(1);
	use(at, context);
	promcb_thread_set_busy(0);
}

static struct promcb_entry find_in(struct promcb_component *component, bool inside, bool exact)
{
	return inside && !promcb_thread_is_busy() ? promcb_entry_find(component)
						  : promcb_entry_find_overflow(component, !inside && exact);
}

enum found { NOWHERE, USED, OWN_BLOCK };

/*
 * The slow path to a place, for a thread that has none or may have a better one. OWN_BLOCK: the entry is to be loaded
 * again. USED: the place was used.
 */
static enum found find_place(struct promcb_component *component, const struct promcb_entry *have,
			     void (*use)(const struct promcb_entry *at, void *context), void *context)
{
	struct promcb_saved_state way;
	struct promcb_entry at;
	bool inside;

	/* Who has a place waits for nobody. */
	if (have->ring && !promcb_process_try_enter(&way)) {
		use_place(have, use, context);
		return USED;
	}
	/* Nor who will get none of his own; and nobody waits for a fork, whose handlers may wait for him. */
	inside = have->ring || promcb_process_enter_or_visit(&way, !promcb_recorder_is_denied());
	at = find_in(component, inside, true);
	if (!inside && !at.ring) {
		promcb_process_leave(&way);
		at = find_in(component, promcb_process_enter(&way), false);
	}
	/* An own block is used without the mutex. */
	if (!at.block && at.ring)
		use(&at, context);
	promcb_process_leave(&way);
	if (at.block)
		return OWN_BLOCK;
	return at.ring ? USED : NOWHERE;
}

/* Calls with the thread's entry, found if need be. Returns false if there is none. */
static bool with_entry(struct promcb_component *component, void (*use)(const struct promcb_entry *at, void *context),
		       void *context)
{
	/* [HANDLE] acquire: the session before what it leads to. */
	const struct promcb_session *session =
		promcb_load_pointer_acquire(&promcb_component_handle(component)->session);
	struct promcb_entry at;
	enum found found;

	do {
		at = promcb_entry_load(component);
		if (promcb_thread_is_busy() && at.block)
			at = promcb_entry_beside(&at);
		if (at.block || (at.ring && (promcb_thread_is_busy() || !look_again(&at)))) {
			if (promcb_thread_is_busy())
				use(&at, context);
			else
				use_place(&at, use, context);
			return true;
		}
		/* Metrics that are off cost no more than this. */
		if (!promcb_session_is_found(session))
			return false;
		found = find_place(component, &at, use, context);
	} while (found == OWN_BLOCK);
	return found == USED;
}

/* The same for a call, which is counted where it cannot be recorded. */
static void with_entry_of_call(struct promcb_component *component,
			       void (*use)(const struct promcb_entry *at, void *context), void *context)
{
	if (!with_entry(component, use, context))
		/* [HANDLE] acquire: the session before what it leads to. */
		promcb_session_count_lost(promcb_load_pointer_acquire(&promcb_component_handle(component)->session));
}

struct call {
	struct promcb_component *component;
	uint64_t latency_ns;
	uint64_t now_ns;
	bool success;
	bool saturated;
	bool backward;
};

static void record_call(const struct promcb_entry *at, void *context)
{
	const struct call *call = context;

	if (at->block) {
		if (call->saturated)
			promcb_add_owned(&promcb_entry_block(at)->saturated, 1);
		if (call->backward)
			promcb_add_owned(&promcb_entry_block(at)->backward, 1);
		own_record(call->component, *at, call->latency_ns, call->success, call->now_ns);
		return;
	}
	if (call->saturated)
		promcb_add_relaxed(&promcb_entry_overflow(at)->saturated, 1);
	if (call->backward)
		promcb_add_relaxed(&promcb_entry_overflow(at)->backward, 1);
	overflow_record(at, call->latency_ns, call->success, call->now_ns);
}

static void record_any(struct promcb_component *component, uint64_t latency_ns, bool success, uint64_t now_ns,
		       bool backward)
{
	struct call call = {.component = component,
			    .latency_ns = latency_ns,
			    .now_ns = now_ns,
			    .success = success,
			    .backward = backward};

	if (latency_ns > PROMCB_LATENCY_MAX_NS) {
		call.latency_ns = PROMCB_LATENCY_MAX_NS;
		call.saturated = true;
	}
	with_entry_of_call(component, record_call, &call);
}

/* Apart: clang would put it into promcb_record_at(), which then saved every register for it at each call. */
__attribute__((noinline)) void promcb_record_slow(struct promcb_component *component, uint64_t latency_ns, bool success,
						  uint64_t now_ns)
{
	struct promcb_entry at;

	if (PROMCB_UNLIKELY((int64_t)(promcb_thread.fresh_ns - now_ns) < 0))
		promcb_entry_look(promcb_clock_monotonic_coarse_ns());
	at = promcb_entry_load(component);
	/* Failures, mostly. */
	if (PROMCB_ADD_OWNED_IS_SIGNAL_ATOMIC && at.block && latency_ns <= PROMCB_LATENCY_MAX_NS)
		own_record(component, at, latency_ns, success, now_ns);
	else
		record_any(component, latency_ns, success, now_ns, false);
}

bool promcb_record_with_entry(struct promcb_component *component,
			      void (*use)(const struct promcb_entry *at, void *context), void *context)
{
	return with_entry(component, use, context);
}

void promcb_record_backward(struct promcb_component *component, bool success, uint64_t now_ns)
{
	promcb_entry_look(promcb_clock_monotonic_coarse_ns());
	record_any(component, 0, success, now_ns, true);
}

/* -- promcb.h ----------------------------------------------------------------------------------------------------- */

void promcb_record_at(struct promcb_component *component, uint64_t latency_ns, bool success, uint64_t now_ns)
{
	promcb_record_at_inline(component, latency_ns, success, now_ns);
}

void promcb_record_many(struct promcb_component *component, const uint64_t *latencies_ns, size_t count, bool success,
			uint64_t now_ns)
{
	promcb_record_many_inline(component, latencies_ns, count, success, now_ns);
}

void promcb_record(struct promcb_component *component, uint64_t latency_ns, bool success)
{
	promcb_record_inline(component, latency_ns, success);
}

static void record_outcome(const struct promcb_entry *at, void *context)
{
	const struct call *call = context;

	if (at->block)
		own_record_outcome(call->component, *at, call->success, call->now_ns);
	else
		overflow_record_outcome(at, call->success, call->now_ns);
}

void promcb_record_outcome(struct promcb_component *component, bool success)
{
	struct call call = {.component = component, .success = success, .now_ns = promcb_clock_monotonic_coarse_ns()};

	promcb_entry_look(call.now_ns);
	with_entry_of_call(component, record_outcome, &call);
}

static void count_rejected(const struct promcb_entry *at, void *context)
{
	struct promcb_segment *segment = promcb_entry_segment(at);

	(void)context;
	PROMCB_INJECT("rejected: placed");
	if (segment)
		promcb_add_relaxed(&promcb_segment_header(segment)->rejected_calls, 1);
}

/* A latency that is none or very long, or a component that is not known by this name. */
static __attribute__((noinline)) int call_slow(struct promcb_session *p, const char *name,
					       struct promcb_component *component, double latency_seconds, bool success)
{
	uint64_t latency_ns;
	int result = 0;

	/* Written so that a NaN is refused, too. */
	if (!(latency_seconds >= 0 && latency_seconds <= DBL_MAX)) {
		promcb_entry_look(promcb_clock_monotonic_coarse_ns());
		with_entry(component ? component : p->overflow, count_rejected, NULL);
		return -EINVAL;
	}
	if (!component) {
		result = promcb_component(p, name, &component);
		/* Nothing can be called so, and a call was made. */
		if (result == -EINVAL)
			component = p->overflow;
	}
	/* Above the maximum it saturates; the conversion must not overflow before. */
	latency_ns = latency_seconds < CALL_SECONDS_MAX ? (uint64_t)(latency_seconds * 1e9 + 0.5)
							: PROMCB_LATENCY_MAX_NS + 1;
	promcb_record_inline(component, latency_ns, success);
	return result;
}

int promcb_call(struct promcb_session *p, const char *name, double latency_seconds, bool success)
{
	struct promcb_component *component;

	if (PROMCB_UNLIKELY(!p || !name))
		return -EINVAL;
	component = promcb_component_known(p, name);
	if (PROMCB_UNLIKELY(!component || !(latency_seconds >= 0 && latency_seconds < CALL_SECONDS_MAX)))
		return call_slow(p, name, component, latency_seconds, success);
	/* By way of a signed number: one instruction. */
	promcb_record_inline(component, (uint64_t)(int64_t)(latency_seconds * 1e9 + 0.5), success);
	return 0;
}

void promcb_count_bad_lines(struct promcb_session *p, uint64_t count)
{
	uint32_t number = PROMCB_OVERFLOW_COMPONENT;
	struct promcb_segment *segment;
	struct promcb_saved_state way;

	if (!p)
		return;
	if (promcb_process_enter_or_visit(&way, true)) {
		promcb_session_follow(p);
		segment = p->segment;
	} else {
		segment = promcb_session_glance(p, promcb_component_handle(p->overflow), &number);
	}
	if (segment)
		promcb_add_relaxed(&promcb_segment_header(segment)->bad_lines, count);
	promcb_process_leave(&way);
}

static void count_log_line(const struct promcb_entry *at, void *context)
{
	const enum promcb_log_level *level = context;

	if (at->block)
		promcb_add_owned(&promcb_entry_block(at)->log_entries[*level], 1);
	else
		promcb_add_relaxed(&promcb_entry_overflow(at)->log_entries[*level], 1);
}

void promcb_count_log(struct promcb_component *component, enum promcb_log_level level)
{
	if ((unsigned)level > PROMCB_LOG_ERROR)
		level = PROMCB_LOG_ERROR;
	promcb_entry_look(promcb_clock_monotonic_coarse_ns());
	with_entry(component, count_log_line, &level);
}

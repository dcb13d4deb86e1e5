/* SPDX-License-Identifier: MIT */
#include "record/recorder.h"

#include "base/clock.h"
#include "record/detach.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

__thread struct promcb_thread_words promcb_thread = {.distance = PROMCB_NO_ENTRIES_DISTANCE};

__thread uint32_t promcb_thread_busy;

/* Of promcb_thread_busy: never 0 again. Where promcb_add_owned() is whole, nobody else touches it. */
enum { THREAD_HAS_LEFT = 2 };

/* There was no memory for a recorder when the thread last asked. */
static __thread bool lacks_memory PROMCB_TLS;

static pthread_key_t exit_key;
static bool exit_key_usable;

/* glibc keeps the values of this many keys in the thread itself; a later key's would be allocated, in a handler too. */
enum { KEYS_WITHOUT_ALLOCATION = 32, SUSPECTS_AT_A_TIME = 8, REAP_INTERVAL_NS = 1000000000 };

static struct promcb_recorder *current_recorder(void)
{
	if (promcb_thread.distance == PROMCB_NO_ENTRIES_DISTANCE)
		return NULL;
	uintptr_t entries = (uintptr_t)promcb_handle_table.handles + promcb_thread.distance;

	return (struct promcb_recorder *)(entries - offsetof(struct promcb_recorder, entries));
}

static void set_recorder(struct promcb_recorder *recorder)
{
	promcb_thread.distance = recorder ? (uintptr_t)recorder->entries - (uintptr_t)promcb_handle_table.handles
					  : PROMCB_NO_ENTRIES_DISTANCE;
	promcb_thread.fresh_ns = 0;
	promcb_thread.countdown = 0;
}

static void link_recorder(struct promcb_recorder *recorder)
{
	recorder->previous = NULL;
	recorder->next = promcb_process->recorders;
	if (recorder->next)
		recorder->next->previous = recorder;
	promcb_process->recorders = recorder;
}

static void unlink_recorder(struct promcb_recorder *recorder)
{
	if (promcb_process->suspect == recorder)
		promcb_process->suspect = recorder->next;
	if (recorder->next)
		recorder->next->previous = recorder->previous;
	if (recorder->previous)
		recorder->previous->next = recorder->next;
	else
		promcb_process->recorders = recorder->next;
}

static struct promcb_recorder *take_idle(void)
{
	struct promcb_recorder *recorder = promcb_process->idle;

	if (recorder) {
		promcb_process->idle = recorder->next_idle;
		promcb_process->idle_recorders--;
	}
	return recorder;
}

/* The last that became idle. */
static void discard(struct promcb_recorder *recorder)
{
	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++)
		promcb_recorder_leave(recorder, slot);
	/* A lane that could not be unlocked keeps its recorder, for the next thread. */
	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++)
		if (recorder->leases[slot].lane)
			return;
	take_idle();
	unlink_recorder(recorder);
	munmap(recorder, sizeof(*recorder));
}

static void put_idle(struct promcb_recorder *recorder)
{
	recorder->thread = 0;
	recorder->next_idle = promcb_process->idle;
	promcb_process->idle = recorder;
	promcb_process->idle_recorders++;
	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++) {
		struct promcb_segment *segment = recorder->leases[slot].segment;

		if (segment && promcb_attachment_of(segment)->closing) {
			promcb_recorder_leave(recorder, slot);
			promcb_attachment_tidy(promcb_attachment_of(segment));
		}
	}
	if (promcb_process->idle_recorders > PROMCB_IDLE_RECORDERS_MAX)
		discard(recorder);
}

static void at_thread_exit(void *value)
{
	struct promcb_recorder *recorder = value;
	struct promcb_saved_state way;

	/*
	 * A guest gives nothing back: it is the child of vfork, and the recorder its parent's; or a fork is under way,
	 * whose handlers may wait for the end of this thread, which reap() then finds gone.
	 */
	if (promcb_process_enter_or_visit(&way, true)) {
		/* Whatever else the thread runs while it ends records into overflow blocks: see the invariants. */
		promcb_thread_busy = THREAD_HAS_LEFT;
		if (current_recorder() == recorder && recorder->alive) {
			set_recorder(NULL);
			put_idle(recorder);
		}
	}
	promcb_process_leave(&way);
}

void promcb_recorder_start(void)
{
	exit_key_usable = pthread_key_create(&exit_key, at_thread_exit) == 0 && exit_key < KEYS_WITHOUT_ALLOCATION;
}

void promcb_recorder_wipe_current(void)
{
	struct promcb_recorder *recorder = current_recorder();

	if (recorder && recorder->alive)
		memset(recorder, 0, sizeof(*recorder));
}

/*
 * Recorders of threads that are gone without telling: all are asked for once a second, a few at any other time, so that
 * a thread's first record costs the same however many there are. Never in the child of vfork: see process.h.
 */
static void reap(void)
{
	uint64_t now_ns = promcb_clock_monotonic_coarse_ns();
	int32_t own = (int32_t)syscall(SYS_gettid);
	uint32_t count = SUSPECTS_AT_A_TIME;

	if (now_ns - promcb_process->reaped_ns >= REAP_INTERVAL_NS) {
		promcb_process->reaped_ns = now_ns;
		promcb_process->suspect = NULL;
		count = UINT32_MAX;
	}
	for (; count; count--) {
		struct promcb_recorder *recorder =
			promcb_process->suspect ? promcb_process->suspect : promcb_process->recorders;

		if (!recorder)
			return;
		promcb_process->suspect = recorder->next;
		/* The calling thread has none: one that bears its number was another's. */
		if (recorder->thread && (recorder->thread == own ||
					 (syscall(SYS_tgkill, getpid(), recorder->thread, 0) < 0 && errno == ESRCH)))
			put_idle(recorder);
		/* Once round. */
		if (!promcb_process->suspect)
			return;
	}
}

bool promcb_recorder_is_denied(void)
{
	return lacks_memory || promcb_thread_busy == THREAD_HAS_LEFT;
}

bool promcb_recorder_has_lease(uint32_t slot)
{
	struct promcb_recorder *recorder = current_recorder();
	bool has = recorder && promcb_load_pointer_relaxed((void *const *)&recorder->leases[slot].segment);

	promcb_signal_fence();
	return has;
}

struct promcb_recorder *promcb_recorder_current(bool make)
{
	struct promcb_recorder *recorder = current_recorder();

	if (recorder && recorder->alive)
		return recorder;
	if (!make || promcb_thread_busy == THREAD_HAS_LEFT)
		return NULL;
	if (!recorder) {
		if (!promcb_process->idle)
			reap();
		recorder = take_idle();
	}
	if (!recorder)
		recorder = promcb_process_map_wiped(sizeof(*recorder));
	lacks_memory = !recorder;
	if (!recorder)
		return NULL;
	/* New, or wiped under a forked thread that is led to it. */
	if (!recorder->alive) {
		recorder->alive = 1;
		link_recorder(recorder);
	}
	recorder->thread = (int32_t)syscall(SYS_gettid);
	if (exit_key_usable)
		pthread_setspecific(exit_key, recorder);
	set_recorder(recorder);
	return recorder;
}

struct promcb_entry *promcb_recorder_entry(struct promcb_recorder *recorder, const struct promcb_component *component)
{
	return recorder->entries +
	       ((const struct promcb_handle *)(const void *)component - promcb_handle_table.handles);
}

void promcb_recorder_leave(struct promcb_recorder *recorder, uint32_t slot)
{
	struct promcb_lane_lease *lease = &recorder->leases[slot];
	struct promcb_attachment *attachment;

	if (!lease->segment)
		return;
	attachment = promcb_attachment_of(lease->segment);
	for (uint32_t index = 0; index < promcb_handles_used; index++)
		if (promcb_handle_table.handles[index].session == attachment->session && recorder->entries[index].ring)
			recorder->entries[index] = (struct promcb_entry){0, 0};
	for (uint32_t index = 1; index < promcb_series_handles_used; index++)
		if (recorder->series[index] && promcb_series_handles[index].at.session == attachment->session)
			recorder->series[index] = 0;
	/* Entries first: nobody may be led to a lane that is somebody else's. */
	promcb_signal_fence();
	if (promcb_lane_give(lease)) {
		*lease = (struct promcb_lane_lease){.segment = NULL};
		attachment->leases--;
	}
}

void promcb_recorder_leave_idle(const struct promcb_attachment *attachment)
{
	for (struct promcb_recorder *recorder = promcb_process->recorders; recorder; recorder = recorder->next)
		if (recorder->thread == 0)
			promcb_recorder_leave(recorder, attachment->slot);
}

/* One word each: whoever has loaded it goes on where it leads, for as long as open.h says. */
static void recall_series(struct promcb_recorder *recorder, const void *session)
{
	for (uint32_t index = 1; index < promcb_series_handles_used; index++)
		/* What has no cells leads to a state, and is not looked at without a row: see breaker_inline.h. */
		if (promcb_load_relaxed(&recorder->series[index]) && promcb_series_handles[index].width &&
		    promcb_series_handles[index].at.session == session)
			promcb_store_relaxed(&recorder->series[index], 0);
}

void promcb_recorder_recall(const struct promcb_attachment *attachment)
{
	for (struct promcb_recorder *recorder = promcb_process->recorders; recorder; recorder = recorder->next) {
		recall_series(recorder, attachment->session);
		for (uint32_t index = 1; index < promcb_handles_used; index++) {
			struct promcb_entry *entry = &recorder->entries[index];

			if (promcb_handle_table.handles[index].session != attachment->session ||
			    !promcb_load_relaxed(&entry->ring))
				continue;
			promcb_store_relaxed(&entry->ring, PROMCB_ENTRY_RECALLED);
			/* [RECALL] release: the mark before the block is gone. */
			promcb_store_release(&entry->block, 0);
		}
	}
}

void promcb_recorder_vacate(struct promcb_attachment *attachment)
{
	for (struct promcb_recorder *recorder = promcb_process->recorders; recorder; recorder = recorder->next)
		recorder->leases[attachment->slot] = (struct promcb_lane_lease){.segment = NULL};
	attachment->leases = 0;
}

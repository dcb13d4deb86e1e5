/* SPDX-License-Identifier: MIT */
#include "record/open.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LANE_RETRY_NS ((uint64_t)100000000)

struct promcb_session *promcb_sessions;
const struct promcb_session_hooks *promcb_session_hooks;

/* -- Places ------------------------------------------------------------------------------------------------------- */

/* Gives up what was left some time ago. */
static void tidy(void)
{
	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++) {
		struct promcb_attachment *attachment = &promcb_attachments[slot];

		if (promcb_attachment_is_attached(attachment) && promcb_attachment_tidy(attachment) &&
		    promcb_attachment_is_overdue(attachment) && promcb_attachment_park(attachment))
			promcb_recorder_vacate(attachment);
	}
}

/* Whether so many places are in their time of grace that the rest is kept for promcb_open(). */
static bool is_crowded(void)
{
	uint32_t count = 0;

	tidy();
	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++)
		count += promcb_attachment_is_attached(&promcb_attachments[slot]) && promcb_attachments[slot].closing;
	return count >= PROMCB_SEGMENTS_MAX / 2;
}

/* A place in the process's table for one more segment, or NULL. */
static struct promcb_attachment *free_place(void)
{
	tidy();
	return promcb_attachment_place();
}

/* Nobody takes a lease there any more, and no entry leads there. */
static void leave(struct promcb_segment *segment, bool closed)
{
	struct promcb_attachment *attachment = promcb_attachment_of(segment);

	attachment->closing = true;
	attachment->closed = closed;
	attachment->left_ns = promcb_clock_monotonic_coarse_ns();
	promcb_recorder_recall(attachment);
	promcb_home_leave(segment);
	promcb_recorder_leave_idle(attachment);
}

/* -- Sessions ----------------------------------------------------------------------------------------------------- */

/* Moves an attached segment into the place, as the session's. */
static struct promcb_segment *adopt(struct promcb_attachment *place, const struct promcb_segment *attached,
				    struct promcb_session *p)
{
	*place = (struct promcb_attachment){
		.segment = *attached,
		.slot = (uint32_t)(place - promcb_attachments),
		.session = p,
		.lock_fd = -1,
	};
	promcb_home_forget(&place->segment);
	p->device = attached->device;
	p->inode = attached->inode;
	memcpy(p->identity, attached->identity, sizeof(p->identity));
	p->last = *attached;
	p->slot = place->slot;
	/* If it cannot be had now, promcb_locks_ready() tries again. */
	promcb_locks_open(&place->segment);
	return &place->segment;
}

static void set_segment(struct promcb_session *p, struct promcb_segment *segment)
{
	uint64_t place = p->opens ? PROMCB_PLACE_AWAY : 0;

	p->segment = segment;
	if (segment)
		place = (uint64_t)p->generation << PROMCB_PLACE_SLOT_BITS | (p->slot + 1);
	/* [FOLLOW] release: before any handle has a number there. */
	promcb_store_release(&p->place, place);
}

struct promcb_segment *promcb_session_glance(const struct promcb_session *p, const struct promcb_handle *handle,
					     uint32_t *component)
{
	uint64_t place;
	uint32_t generation, number;

	/* Again only if the session has moved in between. */
	do {
		/* [FOLLOW] acquire: the place before the generation. */
		place = promcb_load_acquire(&p->place);
		PROMCB_INJECT("glance: placed");
		if (place == 0 || place == PROMCB_PLACE_AWAY)
			return NULL;
		/* [FOLLOW] acquire: the generation before the number, and that before the place again. */
		generation = promcb_load32_acquire(&handle->generation);
		number = promcb_load32_acquire(&handle->component);
	} while (promcb_load_relaxed(&p->place) != place);
	*component = generation == place >> PROMCB_PLACE_SLOT_BITS ? number : PROMCB_NO_COMPONENT;
	return &promcb_attachments[(place & (((uint64_t)1 << PROMCB_PLACE_SLOT_BITS) - 1)) - 1].segment;
}

static bool is_away(const struct promcb_session *p)
{
	return p->opens > 0 && !p->segment;
}

/* A session of the same file, whether open or closed; or one that would find it by its name at his next look. */
static struct promcb_session *find_session(const struct promcb_segment *attached)
{
	for (struct promcb_session *p = promcb_sessions; p; p = p->next) {
		if (p->device == attached->device && p->inode == attached->inode &&
		    memcmp(p->identity, attached->identity, sizeof(p->identity)) == 0 && !is_away(p))
			return p;
		if (p->opens > 0 && strcmp(p->last.path, attached->path) == 0 &&
		    (is_away(p) || promcb_segment_is_gone(p->segment)))
			return p;
	}
	return NULL;
}

/* What the process had set there goes along. */
static void leave_unwillingly(struct promcb_session *p, struct promcb_segment *segment, uint32_t generation)
{
	leave(segment, false);
	if (promcb_session_hooks)
		promcb_session_hooks->left(p, segment, generation);
}

/* The session goes on in the attached segment. Its handles look their components up again. */
static void move(struct promcb_session *p, struct promcb_attachment *place, const struct promcb_segment *attached)
{
	struct promcb_segment *old = p->segment;
	struct promcb_header *header;
	uint64_t calls = promcb_load_relaxed(&p->lost->calls), values = promcb_load_relaxed(&p->lost->values);

	p->generation++;
	set_segment(p, adopt(place, attached, p));
	/* [FOLLOW] release: its number is the same in every segment. */
	promcb_store32_release(&promcb_component_handle(p->overflow)->generation, p->generation);
	header = promcb_segment_header(p->segment);
	promcb_add_relaxed(&p->lost->calls, -calls);
	promcb_add_relaxed(&p->lost->values, -values);
	if (calls)
		promcb_add_relaxed(&header->dropped_calls, calls);
	if (values)
		promcb_add_relaxed(&header->dropped_values, values);
	p->stuck = false;
	if (old)
		leave_unwillingly(p, old, p->generation - 1);
	if (promcb_session_hooks)
		promcb_session_hooks->arrived(p);
}

/* The session's closed segment, if threads still have leases there: the file may be opened again before they end. */
static struct promcb_attachment *find_closing(const struct promcb_session *p)
{
	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++) {
		struct promcb_attachment *attachment = &promcb_attachments[slot];

		if (promcb_attachment_is_attached(attachment) && attachment->session == p &&
		    attachment->segment.inode == p->inode && attachment->segment.device == p->device)
			return attachment;
	}
	return NULL;
}

/* Words for one more session, that a child finds 0: of a page for many, none of which is ever given back. */
static struct promcb_lost *words_of_lost(void)
{
	static struct promcb_lost *words;
	static uint32_t left;
	const uint32_t bytes = 4096;

	if (!left) {
		words = promcb_process_map_wiped(bytes);
		left = words ? bytes / sizeof(*words) : 0;
	}
	return left ? &words[--left] : NULL;
}

/* attached: taken over, or left to the caller with its base. */
static int open_session(struct promcb_session *fresh, struct promcb_segment *attached, struct promcb_session **out)
{
	struct promcb_session *p = find_session(attached);
	struct promcb_attachment *place;
	int result;

	if (!p) {
		p = fresh;
		place = free_place();
		p->lost = place ? words_of_lost() : NULL;
		if (!p->lost || promcb_names_start(&p->names, promcb_process->cookie) < 0)
			return place ? -ENOMEM : -EMFILE;
		result = promcb_handle_add(&p->names, PROMCB_OVERFLOW_NAME, strlen(PROMCB_OVERFLOW_NAME),
					   &(struct promcb_handle){p, PROMCB_OVERFLOW_COMPONENT, p->generation},
					   &p->overflow);
		if (result < 0)
			return result;
		set_segment(p, adopt(place, attached, p));
		attached->base = NULL;
		p->next = promcb_sessions;
		promcb_sessions = p;
	} else if (p->opens == 0 && find_closing(p)) {
		struct promcb_attachment *closing = find_closing(p);

		closing->closing = false;
		p->slot = closing->slot;
		set_segment(p, &closing->segment);
	} else if (p->opens > 0 && (p->inode != attached->inode || p->device != attached->device || !p->segment)) {
		place = free_place();
		if (!place)
			return -EMFILE;
		move(p, place, attached);
		attached->base = NULL;
	} else if (!p->segment) {
		place = free_place();
		if (!place)
			return -EMFILE;
		set_segment(p, adopt(place, attached, p));
		attached->base = NULL;
	}
	p->opens++;
	*out = p;
	return 0;
}

static int open_path(const char *path, const struct promcb_options *options, struct promcb_session **out)
{
	struct promcb_segment attached;
	struct promcb_session *fresh;
	struct promcb_saved_state way;
	int result = promcb_segment_attach(&attached, path, options, PROMCB_ATTACH_OR_CREATE, options->message);

	if (result < 0)
		return result;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh) {
		promcb_segment_unmap(&attached);
		return promcb_message_error(options->message, -ENOMEM, "no memory to open %s", path);
	}
	fresh->options = *options;
	fresh->options.message = NULL;
	result = promcb_process_enter(&way) ? open_session(fresh, &attached, out) : -EBUSY;
	promcb_process_leave(&way);
	if (attached.base)
		promcb_segment_unmap(&attached);
	if (result == -EBUSY)
		promcb_message_error(options->message, result, "the child of vfork cannot open %s before it executes",
				     path);
	else if (result == -EMFILE && promcb_handles_used < PROMCB_HANDLES_MAX)
		promcb_message_error(options->message, result,
				     "cannot open %s: this process has %d segments, which is the most; close another",
				     path, PROMCB_SEGMENTS_MAX);
	else if (result < 0)
		promcb_message_error(options->message, result, "cannot open %s: %s", path, promcb_strerror(result));
	if (*out != fresh)
		free(fresh);
	return result;
}

/* The parent's locks are not the child's, so it makes its own, while its rights are still the parent's. */
static void renew(void)
{
	promcb_recorder_wipe_current();
	if (promcb_session_hooks)
		promcb_session_hooks->forget(NULL);
	for (struct promcb_session *p = promcb_process->unwiped ? promcb_sessions : NULL; p; p = p->next) {
		promcb_store_relaxed(&p->lost->calls, 0);
		promcb_store_relaxed(&p->lost->values, 0);
	}
	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++) {
		struct promcb_attachment *attachment = &promcb_attachments[slot];

		if (!promcb_attachment_is_attached(attachment))
			continue;
		attachment->leases = attachment->calls = 0;
		promcb_locks_forget_inherited(&attachment->segment);
		if (!attachment->closing)
			promcb_locks_open(&attachment->segment);
	}
}

static const struct promcb_process_hooks hooks = {.start = promcb_recorder_start, .renew = renew};

int promcb_open(const char *segment, const struct promcb_options *options, struct promcb_session **out)
{
	PROMCB_NOT_CANCELLED;
	struct promcb_options ours = options ? *options : (struct promcb_options){.max_bytes = 0};
	char path[PROMCB_PATH_MAX];
	int result;

	*out = NULL;
	if (ours.message)
		ours.message->text[0] = 0;
	result = promcb_segment_path(segment, path, ours.message);
	if (result < 0)
		return result;
	result = promcb_process_start(&hooks);
	if (result < 0)
		return promcb_message_error(ours.message, result,
					    "no memory to record with: %zu bytes could not be mapped (see ulimit -v, "
					    "ulimit -d)",
					    sizeof(struct promcb_process));
	return open_path(path, &ours, out);
}

void promcb_close(struct promcb_session *p)
{
	struct promcb_saved_state way;

	if (!p)
		return;
	if (promcb_process_enter(&way) && p->opens && --p->opens == 0) {
		struct promcb_segment *segment = p->segment;

		set_segment(p, NULL);
		promcb_store_relaxed(&p->lost->calls, 0);
		promcb_store_relaxed(&p->lost->values, 0);
		if (promcb_session_hooks)
			promcb_session_hooks->forget(p);
		if (segment)
			leave(segment, true);
		/* Not in a handler: this thread holds no address of the segment. */
		if (segment && promcb_recorder_current(false))
			promcb_recorder_leave(promcb_recorder_current(false), p->slot);
		tidy();
	}
	promcb_process_leave(&way);
}

struct promcb_session *promcb_default(void)
{
	static void *shared;
	/* [DEFAULT] acquire: the pointer before what it leads to. */
	struct promcb_session *p = promcb_load_pointer_acquire(&shared);
	int result;

	if (p)
		return p;
	/* Two threads may both open; one attachment comes of it, opened twice. */
	result = promcb_open(NULL, NULL, &p);
	if (result < 0) {
		errno = -result;
		return NULL;
	}
	/* [DEFAULT] release: what it leads to before the pointer. */
	promcb_store_pointer_release(&shared, p);
	return p;
}

static bool is_due(const struct promcb_session *p)
{
	return promcb_clock_monotonic_coarse_ns() - promcb_load_relaxed(&p->checked_ns) >= PROMCB_LOOK_INTERVAL_NS;
}

/* The file has no name and nobody finds it, and there is no other: what is recorded meanwhile is counted as dropped. */
static void go_away(struct promcb_session *p)
{
	struct promcb_segment *old = p->segment;

	set_segment(p, NULL);
	leave_unwillingly(p, old, p->generation);
}

void promcb_session_follow(struct promcb_session *p)
{
	struct promcb_segment *old = p->segment, attached;
	struct promcb_attachment *place;
	bool retired = old && promcb_load_relaxed(&promcb_segment_header(old)->retired) != 0;

	/*
	 * A retired segment is left at once; if there is nowhere to go yet, or many were left just now, that is tried
	 * again, as names are, each second.
	 */
	if (p->opens == 0 || (!is_due(p) && (!retired || p->stuck || is_crowded())))
		return;
	promcb_store_relaxed(&p->checked_ns, promcb_clock_monotonic_coarse_ns());
	tidy();
	p->stuck = retired;
	if (old && !promcb_segment_is_gone(old))
		return;
	place = promcb_segment_directory_unchanged(&p->last) ? free_place() : NULL;
	if (!place || promcb_segment_attach(&attached, p->last.path, &p->options, PROMCB_ATTACH_OR_CREATE, NULL) < 0) {
		if (old && promcb_segment_is_nameless(old))
			go_away(p);
	} else if (old && attached.device == old->device && attached.inode == old->inode) {
		/* Retired, and not unlinked yet: the name still leads here. */
		promcb_segment_unmap(&attached);
	} else {
		move(p, place, &attached);
	}
}

bool promcb_session_is_away(const struct promcb_session *p)
{
	return p && promcb_load_relaxed(&p->place) == PROMCB_PLACE_AWAY;
}

bool promcb_session_is_found(const struct promcb_session *p)
{
	return p && promcb_load_relaxed(&p->place) != 0 && (!promcb_session_is_away(p) || is_due(p));
}

void promcb_session_count_lost(const struct promcb_session *p)
{
	/* The session's own word, which never changes and was there before any handle led here. */
	if (promcb_session_is_away(p))
		promcb_add_relaxed(&p->lost->calls, 1);
}

void promcb_session_count_lost_value(const struct promcb_session *p)
{
	if (promcb_session_is_away(p))
		promcb_add_relaxed(&p->lost->values, 1);
}

struct promcb_lane_lease *promcb_session_lease(struct promcb_session *p, struct promcb_recorder *recorder)
{
	struct promcb_attachment *attachment;
	struct promcb_lane_lease *lease;

	if (!recorder || !p->segment)
		return NULL;
	attachment = promcb_attachment_of(p->segment);
	lease = &recorder->leases[attachment->slot];
	if (!lease->segment) {
		*lease = (struct promcb_lane_lease){.segment = p->segment};
		attachment->leases++;
	}
	/* For all threads of the process: each search asks for every lane. */
	if (!lease->lane && promcb_clock_monotonic_coarse_ns() >= promcb_load_relaxed(&attachment->lane_retry_ns) &&
	    promcb_lane_take(p->segment, lease) < 0)
		promcb_store_relaxed(&attachment->lane_retry_ns, promcb_clock_monotonic_coarse_ns() + LANE_RETRY_NS);
	return lease;
}

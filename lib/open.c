/* SPDX-License-Identifier: MIT */
#include "open.h"

#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK_INTERVAL_NS ((uint64_t)1000000000)

static struct promcb *owners;

/* Puts an attached segment into the process's table. Returns it there, or NULL. */
static struct promcb_segment *adopt(const struct promcb_segment *attached, struct promcb *p)
{
	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++) {
		struct promcb_segment *segment = &promcb_process_segments[slot];

		if (segment->base)
			continue;
		*segment = *attached;
		segment->slot = slot;
		segment->owner = p;
		p->device = segment->device;
		p->inode = segment->inode;
		memcpy(p->identity, segment->identity, sizeof(p->identity));
		/* If it cannot be had now, promcb_lock_take() tries again. */
		promcb_locks_open(segment);
		return segment;
	}
	return NULL;
}

void promcb_owner_release(struct promcb_segment *segment)
{
	if (!segment->closing || promcb_recorder_leave_idle(segment))
		return;
	promcb_locks_close(segment);
	promcb_segment_unmap(segment);
	*segment = (struct promcb_segment){.base = NULL, .data_fd = -1, .lock_fd = -1};
}

/* An owner of the same file, whether open or closed. */
static struct promcb *find_owner(const struct promcb_segment *segment)
{
	for (struct promcb *p = owners; p; p = p->next)
		if (p->device == segment->device && p->inode == segment->inode &&
		    memcmp(p->identity, segment->identity, sizeof(p->identity)) == 0)
			return p;
	return NULL;
}

static int open_owner(struct promcb *fresh, struct promcb_segment *attached, struct promcb **out)
{
	struct promcb *p = find_owner(attached);

	if (p && p->segment) {
		promcb_segment_unmap(attached);
	} else {
		bool revived = p != NULL;

		p = revived ? p : fresh;
		if (promcb_names_start(&p->names) < 0)
			return -ENOMEM;
		p->segment = adopt(attached, p);
		if (!p->segment)
			return -EMFILE;
		if (!revived) {
			int result = promcb_names_add(p, PROMCB_OVERFLOW_NAME, strlen(PROMCB_OVERFLOW_NAME),
						      PROMCB_OVERFLOW_COMPONENT, &p->overflow);

			if (result < 0) {
				p->segment->closing = true;
				promcb_owner_release(p->segment);
				p->segment = NULL;
				return result;
			}
			p->next = owners;
			owners = p;
		}
	}
	p->opens++;
	*out = p;
	return 0;
}

int promcb_open(const char *segment, const struct promcb_options *options, struct promcb **out)
{
	struct promcb_options ours = options ? *options : (struct promcb_options){.max_bytes = 0};
	struct promcb_segment attached;
	char path[PROMCB_PATH_MAX];
	struct promcb *fresh;
	struct promcb_way_out way;
	int result;

	*out = NULL;
	if (ours.message)
		ours.message->text[0] = 0;
	result = promcb_segment_path(segment, path, ours.message);
	if (result == 0)
		result = promcb_process_start();
	if (result == 0)
		result = promcb_segment_attach(&attached, path, &ours, true, false, ours.message);
	if (result < 0)
		return result;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh) {
		promcb_segment_unmap(&attached);
		return -ENOMEM;
	}
	fresh->options = ours;
	fresh->options.message = NULL;
	promcb_process_enter(&way);
	result = open_owner(fresh, &attached, out);
	promcb_process_leave(&way);
	if (result < 0) {
		promcb_segment_unmap(&attached);
		promcb_message_error(ours.message, result, "cannot open %s: %s", path, promcb_strerror(result));
	}
	if (*out != fresh)
		free(fresh);
	return result;
}

void promcb_close(struct promcb *p)
{
	struct promcb_way_out way;

	if (!p)
		return;
	promcb_process_enter(&way);
	if (p->opens && --p->opens == 0 && p->segment) {
		struct promcb_segment *segment = p->segment;

		p->segment = NULL;
		segment->closing = true;
		/*
		 * Not in a handler: this thread holds no address of the segment. Others keep their seats until they
		 * end.
		 */
		if (promcb_recorder_current(false))
			promcb_recorder_leave(promcb_recorder_current(false), segment->slot);
		promcb_owner_release(segment);
	}
	promcb_process_leave(&way);
}

struct promcb *promcb_default(void)
{
	static void *shared;
	/* [DEFAULT] acquire: the pointer before what it leads to. */
	struct promcb *p = promcb_load_pointer_acquire(&shared);
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

void promcb_owner_follow(struct promcb *p)
{
	uint64_t now_ns = promcb_clock_monotonic_coarse_ns();
	struct promcb_segment *old = p->segment, attached;
	bool retired;

	if (!old)
		return;
	/*
	 * A retired segment is left at once; if there is nowhere to go yet, that is tried again, as names are, each
	 * second.
	 */
	retired = promcb_load_relaxed(&promcb_segment_header(old)->retired) != 0;
	if (now_ns - p->checked_ns < LOOK_INTERVAL_NS && (!retired || p->stuck))
		return;
	p->checked_ns = now_ns;
	p->stuck = retired;
	if (promcb_segment_is_current(old) ||
	    promcb_segment_attach(&attached, old->path, &p->options, true, false, NULL) < 0)
		return;
	/* Retired, and not unlinked yet: the name still leads here. */
	bool same = attached.device == old->device && attached.inode == old->inode;
	struct promcb_segment *fresh = same ? NULL : adopt(&attached, p);

	if (!fresh) {
		promcb_segment_unmap(&attached);
		return;
	}
	p->stuck = false;
	p->segment = fresh;
	p->generation++;
	promcb_component_handle(p->overflow)->generation = p->generation;
	old->closing = true;
	promcb_owner_release(old);
}

struct promcb_seat *promcb_owner_seat(struct promcb *p, struct promcb_recorder *recorder)
{
	struct promcb_segment *segment = p->segment;
	struct promcb_seat *seat;

	if (!recorder || !segment)
		return NULL;
	seat = &recorder->seats[segment->slot];
	if (!seat->segment)
		*seat = (struct promcb_seat){.segment = segment};
	if (!seat->lane && promcb_clock_monotonic_coarse_ns() >= seat->retry_ns && promcb_lane_take(segment, seat) < 0)
		seat->retry_ns = promcb_clock_monotonic_coarse_ns() + 100000000u;
	return seat;
}

/* SPDX-License-Identifier: MIT */
#include "open.h"

#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LANE_RETRY_NS ((uint64_t)100000000)

struct promcb *promcb_owners;

/*
 * A place in the process's table for one more segment, or NULL. Round and round, so that a place that was just left
 * is not taken at once: a frame that a handler interrupted may still look at its geometry.
 */
static struct promcb_segment *free_place(void)
{
	static uint32_t next;

	for (uint32_t tried = 0; tried < 2 * PROMCB_SEGMENTS_MAX; tried++) {
		struct promcb_segment *segment = &promcb_process_segments[next];

		next = (next + 1) % PROMCB_SEGMENTS_MAX;
		/* One that was closed while somebody used it may be given up by now. */
		if (tried >= PROMCB_SEGMENTS_MAX && segment->base)
			promcb_owner_release(segment);
		if (!segment->base)
			return segment;
	}
	return NULL;
}

/* Moves an attached segment into the place, as the owner's. */
static struct promcb_segment *adopt(struct promcb_segment *place, const struct promcb_segment *attached,
				    struct promcb *p)
{
	*place = *attached;
	place->slot = (uint32_t)(place - promcb_process_segments);
	place->owner = p;
	p->device = place->device;
	p->inode = place->inode;
	memcpy(p->identity, place->identity, sizeof(p->identity));
	/* If it cannot be had now, promcb_locks_ready() tries again. */
	promcb_locks_open(place);
	return place;
}

static void set_segment(struct promcb *p, struct promcb_segment *segment)
{
	p->segment = segment;
	/* [FOLLOW] release: the generation before the place. */
	promcb_store_release(&p->place, segment ? segment->slot + 1 : 0);
}

struct promcb_segment *promcb_owner_glance(const struct promcb *p, const struct promcb_handle *handle,
					   uint32_t *component)
{
	/* [FOLLOW] acquire: the place before the generation, and a handle's generation before its number. */
	uint64_t place = promcb_load_acquire(&p->place);
	uint32_t generation = promcb_load32_acquire(&handle->generation);

	if (!place)
		return NULL;
	*component = generation == promcb_load32_relaxed(&p->generation) ? promcb_load32_relaxed(&handle->component)
									 : PROMCB_OVERFLOW_COMPONENT;
	return &promcb_process_segments[place - 1];
}

void promcb_owner_release(struct promcb_segment *segment)
{
	/* [GUEST] the owner's place was changed before guests are looked for. */
	if (!segment->closing || segment->users || promcb_recorder_leave_idle(segment) || promcb_process_has_guests())
		return;
	promcb_locks_close(segment);
	promcb_segment_unmap(segment);
}

void promcb_owner_park(struct promcb_segment *segment)
{
	/* [GUEST] as above. */
	if (!segment->closing || segment->users || !promcb_recorder_have_moved(segment) || promcb_process_has_guests())
		return;
	/*
	 * A frame that a handler interrupted may still store there: give it other memory to store into, at the same
	 * place. What that costs is addresses, once per segment that was removed under living threads.
	 */
	if (mmap(segment->base, segment->mapped_bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return;
	promcb_recorder_vacate(segment);
	promcb_locks_close(segment);
	if (promcb_segment_owns_fd(segment, segment->data_fd))
		close(segment->data_fd);
	segment->data_fd = -1;
	segment->base = NULL;
}

/* An owner of the same file, whether open or closed. */
static struct promcb *find_owner(const struct promcb_segment *segment)
{
	for (struct promcb *p = promcb_owners; p; p = p->next)
		if (p->device == segment->device && p->inode == segment->inode &&
		    memcmp(p->identity, segment->identity, sizeof(p->identity)) == 0)
			return p;
	return NULL;
}

/* The owner's closed segment, if threads still have seats there: the same file may be opened again before they end. */
static struct promcb_segment *find_closing(const struct promcb *p)
{
	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++) {
		struct promcb_segment *segment = &promcb_process_segments[slot];

		if (segment->base && segment->owner == p && segment->inode == p->inode && segment->device == p->device)
			return segment;
	}
	return NULL;
}

/* attached: taken over, or left to the caller with its base. */
static int open_owner(struct promcb *fresh, struct promcb_segment *attached, struct promcb **out)
{
	struct promcb *p = find_owner(attached);
	struct promcb_segment *place;
	int result;

	if (!p) {
		p = fresh;
		place = free_place();
		if (!place || promcb_names_start(&p->names) < 0)
			return place ? -ENOMEM : -EMFILE;
		result = promcb_names_add(p, PROMCB_OVERFLOW_NAME, strlen(PROMCB_OVERFLOW_NAME),
					  PROMCB_OVERFLOW_COMPONENT, &p->overflow);
		if (result < 0)
			return result;
		set_segment(p, adopt(place, attached, p));
		attached->base = NULL;
		p->next = promcb_owners;
		promcb_owners = p;
	} else if (!p->segment && find_closing(p)) {
		set_segment(p, find_closing(p));
		p->segment->closing = false;
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

static int open_path(const char *path, const struct promcb_options *options, struct promcb **out)
{
	struct promcb_segment attached;
	struct promcb *fresh;
	struct promcb_way_out way;
	int result = promcb_segment_attach(&attached, path, options, true, false, options->message);

	if (result < 0)
		return result;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh) {
		promcb_segment_unmap(&attached);
		return promcb_message_error(options->message, -ENOMEM, "no memory to open %s", path);
	}
	fresh->options = *options;
	fresh->options.message = NULL;
	result = promcb_process_enter(&way) ? open_owner(fresh, &attached, out) : -EBUSY;
	promcb_process_leave(&way);
	if (attached.base)
		promcb_segment_unmap(&attached);
	if (result == -EBUSY)
		promcb_message_error(options->message, result, "the child of vfork cannot open %s before it executes",
				     path);
	else if (result < 0)
		promcb_message_error(options->message, result, "cannot open %s: %s", path, promcb_strerror(result));
	if (*out != fresh)
		free(fresh);
	return result;
}

int promcb_open(const char *segment, const struct promcb_options *options, struct promcb **out)
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
	result = promcb_process_start();
	if (result < 0)
		return promcb_message_error(ours.message, result,
					    "no memory to record with: %zu bytes could not be mapped (see ulimit -v, "
					    "ulimit -d)",
					    sizeof(struct promcb_process));
	return open_path(path, &ours, out);
}

void promcb_close(struct promcb *p)
{
	struct promcb_way_out way;

	if (!p)
		return;
	if (promcb_process_enter(&way) && p->opens && --p->opens == 0 && p->segment) {
		struct promcb_segment *segment = p->segment;

		set_segment(p, NULL);
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

static bool is_due(const struct promcb *p)
{
	return promcb_clock_monotonic_coarse_ns() - promcb_load_relaxed(&p->checked_ns) >= PROMCB_LOOK_INTERVAL_NS;
}

void promcb_owner_follow(struct promcb *p)
{
	struct promcb_segment *old = p->segment, *place, attached;
	bool retired;

	if (!old)
		return;
	/*
	 * A retired segment is left at once; if there is nowhere to go yet, that is tried again, as names are, each
	 * second.
	 */
	retired = promcb_load_relaxed(&promcb_segment_header(old)->retired) != 0;
	if (!is_due(p) && (!retired || p->stuck))
		return;
	promcb_store_relaxed(&p->checked_ns, promcb_clock_monotonic_coarse_ns());
	p->stuck = retired;
	place = free_place();
	if (!promcb_segment_is_gone(old) || !promcb_segment_is_at_home(old) || !place ||
	    promcb_segment_attach(&attached, old->path, &p->options, true, false, NULL) < 0)
		return;
	if (attached.device == old->device && attached.inode == old->inode) {
		/* Retired, and not unlinked yet: the name still leads here. */
		promcb_segment_unmap(&attached);
		return;
	}
	p->stuck = false;
	promcb_store32_relaxed(&p->generation, p->generation + 1);
	set_segment(p, adopt(place, &attached, p));
	/* [FOLLOW] release: its number is the same in every segment. */
	promcb_store32_release(&promcb_component_handle(p->overflow)->generation, p->generation);
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
	/* For all threads of the process: each search asks for every lane. */
	if (!seat->lane && promcb_clock_monotonic_coarse_ns() >= promcb_load_relaxed(&segment->lane_retry_ns) &&
	    promcb_lane_take(segment, seat) < 0)
		promcb_store_relaxed(&segment->lane_retry_ns, promcb_clock_monotonic_coarse_ns() + LANE_RETRY_NS);
	return seat;
}

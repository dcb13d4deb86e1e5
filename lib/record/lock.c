/* SPDX-License-Identifier: MIT */
#include "record/lock.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

static struct promcb_locks *locks_of(const struct promcb_segment *segment)
{
	return &promcb_process->locks[promcb_attachment_of(segment)->slot];
}

static int64_t lane_byte(uint32_t lane)
{
	return PROMCB_LOCK_LANES + lane;
}

static int set_lock(int fd, short type, int64_t byte)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	while (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		if (errno == EINTR)
			continue;
		return errno == EAGAIN || errno == EACCES ? -EAGAIN : -ENOLCK;
	}
	return 0;
}

static bool get(const uint64_t *bits, uint32_t lane)
{
	return bits[lane / 64] >> (lane % 64) & 1;
}

static void set(uint64_t *bits, uint32_t lane, bool value)
{
	uint64_t bit = (uint64_t)1 << (lane % 64);

	bits[lane / 64] = value ? bits[lane / 64] | bit : bits[lane / 64] & ~bit;
}

/* Whether fd is the description that locked the marker. */
static bool is_description(const struct promcb_segment *segment, int fd, int64_t marker)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = marker, .l_len = 1};

	return promcb_segment_owns_fd(segment, fd) && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

/* A fresh description of the segment's file, and the page that keeps it. Returns its descriptor, or -errno. */
static int open_description(const struct promcb_segment *segment, void **page)
{
	uint64_t bytes = segment->geometry.page_bytes;
	int fd = promcb_segment_reopen(segment);

	if (fd < 0)
		return fd;
	/* DONTFORK before the first lock, so that no child can ever hold this description by a mapping. */
	*page = mmap(NULL, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (*page != MAP_FAILED && madvise(*page, bytes, MADV_DONTFORK) == 0)
		return fd;
	if (*page != MAP_FAILED)
		munmap(*page, bytes);
	close(fd);
	return -ENOLCK;
}

int promcb_locks_open(struct promcb_segment *segment)
{
	struct promcb_attachment *attachment = promcb_attachment_of(segment);
	struct promcb_locks *locks = &promcb_process->locks[attachment->slot];
	uint64_t random = 0;
	void *page;
	int fd;

	locks->open = false;
	locks->retry_ns = promcb_clock_monotonic_coarse_ns() + 1000000000u;
	fd = open_description(segment, &page);
	if (fd < 0)
		return fd;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = promcb_process->cookie * 0x9E3779B97F4A7C15u ^ promcb_clock_monotonic_coarse_ns();
	locks->marker = PROMCB_LOCK_MARKERS + (int64_t)(random >> 8);
	if (set_lock(fd, F_WRLCK, locks->marker) < 0) {
		munmap(page, segment->geometry.page_bytes);
		close(fd);
		return -ENOLCK;
	}
	memset(locks->current, 0, sizeof(locks->current));
	locks->fd = fd;
	locks->open = true;
	attachment->lock_fd = fd;
	attachment->lock_marker = locks->marker;
	attachment->lock_page = page;
	return 0;
}

void promcb_locks_forget_inherited(struct promcb_segment *segment)
{
	struct promcb_attachment *attachment = promcb_attachment_of(segment);

	if (is_description(segment, attachment->lock_fd, attachment->lock_marker))
		close(attachment->lock_fd);
	attachment->lock_fd = -1;
	attachment->lock_page = NULL;
}

int promcb_locks_ready(struct promcb_segment *segment)
{
	struct promcb_locks *locks = locks_of(segment);

	if (locks->open && is_description(segment, locks->fd, locks->marker))
		return 0;
	/* An old description stays mapped, for the lanes that it holds. */
	if (!locks->open && promcb_clock_monotonic_coarse_ns() < locks->retry_ns)
		return -ENOLCK;
	return promcb_locks_open(segment) < 0 ? -ENOLCK : 0;
}

static int take_by_descriptor(struct promcb_segment *segment, uint32_t lane)
{
	struct promcb_locks *locks = locks_of(segment);
	int result;

	if (get(locks->held, lane))
		return -EAGAIN;
	result = set_lock(locks->fd, F_WRLCK, lane_byte(lane));
	if (result == 0) {
		set(locks->held, lane, true);
		set(locks->current, lane, true);
	}
	return result;
}

static int take_special(struct promcb_segment *segment, uint32_t lane)
{
	struct promcb_locks *locks = locks_of(segment);
	uint32_t which = lane - segment->geometry.lanes;
	void *page;
	int result, fd;

	if (locks->special_kept[which]) {
		locks->special_kept[which] = false;
		return 0;
	}
	if (locks->special_pages[which])
		return -EAGAIN;
	fd = open_description(segment, &page);
	if (fd < 0) {
		result = promcb_locks_ready(segment);
		return result < 0 ? result : take_by_descriptor(segment, lane);
	}
	result = set_lock(fd, F_WRLCK, lane_byte(lane));
	close(fd);
	if (result == 0)
		locks->special_pages[which] = page;
	else
		munmap(page, segment->geometry.page_bytes);
	return result;
}

int promcb_lock_take(struct promcb_segment *segment, uint32_t lane)
{
	return lane < segment->geometry.lanes ? take_by_descriptor(segment, lane) : take_special(segment, lane);
}

bool promcb_lock_is_free(const struct promcb_segment *segment, uint32_t lane)
{
	const struct promcb_locks *locks = locks_of(segment);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = lane_byte(lane), .l_len = 1};

	if (get(locks->held, lane) || fcntl(locks->fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK)
		return false;
	/* The application may have closed the descriptor meanwhile, and opened another file of that number. */
	return is_description(segment, locks->fd, locks->marker);
}

int promcb_lock_take_live(struct promcb_segment *segment, uint32_t lane)
{
	int result = promcb_locks_ready(segment);

	return result < 0 ? result : set_lock(locks_of(segment)->fd, F_WRLCK, PROMCB_LOCK_LIVE + lane);
}

uint32_t promcb_lock_behind(struct promcb_segment *segment, uint32_t lane)
{
	struct promcb_locks *locks = locks_of(segment);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = lane_byte(lane), .l_len = 1};
	int64_t behind;

	if (get(locks->held, lane) || fcntl(locks->fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return lane + 1;
	/* To the end of the file, if there is no length. */
	behind = lock.l_len ? lock.l_start + lock.l_len - PROMCB_LOCK_LANES : segment->geometry.lanes;
	if (behind > segment->geometry.lanes)
		return segment->geometry.lanes;
	return behind > (int64_t)lane ? (uint32_t)behind : lane + 1;
}

static bool drop_by_descriptor(struct promcb_segment *segment, uint32_t lane)
{
	struct promcb_locks *locks = locks_of(segment);

	if (!get(locks->held, lane) || !get(locks->current, lane) || !locks->open ||
	    !is_description(segment, locks->fd, locks->marker) || set_lock(locks->fd, F_UNLCK, lane_byte(lane)) < 0)
		return false;
	set(locks->held, lane, false);
	set(locks->current, lane, false);
	return true;
}

bool promcb_lock_drop(struct promcb_segment *segment, uint32_t lane)
{
	struct promcb_locks *locks = locks_of(segment);
	uint32_t which = lane - segment->geometry.lanes;

	if (lane < segment->geometry.lanes)
		return drop_by_descriptor(segment, lane);
	if (locks->special_pages[which] && munmap(locks->special_pages[which], segment->geometry.page_bytes) == 0)
		locks->special_pages[which] = NULL;
	else if (locks->special_pages[which] || !drop_by_descriptor(segment, lane))
		locks->special_kept[which] = true;
	return !locks->special_kept[which];
}

void promcb_locks_close(struct promcb_segment *segment)
{
	struct promcb_attachment *attachment = promcb_attachment_of(segment);
	struct promcb_locks *locks = &promcb_process->locks[attachment->slot];

	if (locks->open) {
		if (is_description(segment, locks->fd, locks->marker))
			close(locks->fd);
		if (attachment->lock_page)
			munmap(attachment->lock_page, segment->geometry.page_bytes);
	}
	memset(locks, 0, sizeof(*locks));
	attachment->lock_fd = -1;
	attachment->lock_page = NULL;
}

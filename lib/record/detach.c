/* SPDX-License-Identifier: MIT */
#include "record/detach.h"

#include "base/clock.h"

#include <sys/mman.h>
#include <unistd.h>

struct promcb_attachment promcb_attachments[PROMCB_SEGMENTS_MAX];

void (*promcb_attachment_late)(const uint8_t *base, uint64_t bytes, bool gone);

/* How long a segment that was left stays mapped: threads may be in the middle of a record. */
#define GRACE_NS ((uint64_t)2000000000)

static bool has_rested(const struct promcb_attachment *attachment)
{
	return promcb_clock_monotonic_coarse_ns() - attachment->left_ns >= GRACE_NS;
}

static void tell(const uint8_t *base, uint64_t bytes, bool gone)
{
	if (promcb_attachment_late)
		promcb_attachment_late(base, bytes, gone);
}

bool promcb_attachment_tidy(struct promcb_attachment *attachment)
{
	const uint8_t *base = attachment->segment.base;
	uint64_t bytes = attachment->segment.mapped_bytes;

	if (attachment->closing)
		tell(base, bytes, false);
	/* [GUEST] the session's place was changed before guests are looked for. */
	if (!attachment->closing || attachment->leases || attachment->calls ||
	    !(has_rested(attachment) || attachment->closed) || promcb_process_has_guests())
		return true;
	promcb_locks_close(&attachment->segment);
	promcb_segment_unmap(&attachment->segment);
	/* Whoever gave it up: a thread's end does, too, and the end of a reset. */
	tell(base, bytes, true);
	return false;
}

bool promcb_attachment_is_overdue(const struct promcb_attachment *attachment)
{
	/* [GUEST] as above. */
	return attachment->closing && !attachment->calls && has_rested(attachment) && !promcb_process_has_guests();
}

/*
 * Of the addresses only those in the file are kept, until the place is needed for another segment: all that were ever
 * led to. A guest may have told of a shorter file since it grew.
 */
bool promcb_attachment_park(struct promcb_attachment *attachment)
{
	struct promcb_segment *segment = &attachment->segment;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), mapped = segment->mapped_bytes;
	uint64_t seen = promcb_load_relaxed(&segment->file_bytes), now, end;
	uint8_t *base = segment->base;

	promcb_segment_look_at_size(segment);
	now = promcb_load_relaxed(&segment->file_bytes);
	end = now > seen ? now : seen;
	end = end < mapped ? (end + page - 1) / page * page : mapped;
	if (end && mmap(base, end, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
			0) == MAP_FAILED)
		return false;
	tell(base, mapped, true);
	promcb_locks_close(segment);
	attachment->parked = end != 0;
	if (!end)
		segment->base = NULL;
	segment->mapped_bytes = end;
	if (end < mapped)
		munmap(base + end, mapped - end);
	if (promcb_segment_owns_fd(segment, segment->data_fd))
		close(segment->data_fd);
	segment->data_fd = -1;
	return true;
}

struct promcb_attachment *promcb_attachment_place(void)
{
	struct promcb_attachment *oldest = NULL;

	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++) {
		struct promcb_attachment *attachment = &promcb_attachments[slot];

		if (!attachment->segment.base)
			return attachment;
		if (!attachment->parked)
			continue;
		if (!oldest || (int64_t)(attachment->left_ns - oldest->left_ns) < 0)
			oldest = attachment;
	}
	/* Whoever still looks at it was interrupted 62 segments ago. */
	if (oldest) {
		munmap(oldest->segment.base, oldest->segment.mapped_bytes);
		oldest->segment.base = NULL;
		oldest->parked = false;
	}
	return oldest;
}

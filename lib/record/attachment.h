/* SPDX-License-Identifier: MIT */
/*
 * attachment.h: a segment as this process has it: mapped, locked, used. Called with the process's mutex held.
 *
 * Invariants
 *   - Every struct promcb_segment that the modules after this one are given lies in an attachment of the table.
 *   - leases and calls count who may have addresses of the segment, in this process: a child begins with 0, as its
 *     recorders are wiped. An attachment that was left (closing) goes when both are 0: see detach.h.
 *   - What leads to an attachment without the mutex, an entry or a lease, finds addresses there as long as it is not
 *     another segment's, parked or not: base and mapped_bytes are what may be touched.
 */
#ifndef PROMCB_ATTACHMENT_H
#define PROMCB_ATTACHMENT_H

#include "record/process.h"
#include "segment/segment.h"

struct promcb_attachment {
	struct promcb_segment segment;  /* base NULL: the place is free */
	uint32_t slot;                  /* of the table */
	uint32_t leases;                 /* of recorders */
	uint32_t calls;                 /* that are in the middle of something long, and have no lease */
	void *session;                    /* struct promcb_session: whose present or former segment it is */
	bool closing;                   /* left by its session, or closed: no lease is taken, no entry leads there */
	bool closed;                    /* the latter */
	uint64_t left_ns;               /* CLOCK_MONOTONIC: since when */
	bool parked;                    /* other memory is at the addresses, which an interrupted frame may still use */
	uint64_t lane_retry_ns;         /* CLOCK_MONOTONIC: all lanes were held; none is asked for before. Relaxed */
	int lock_fd;                    /* the description of lock.h, as a child needs it to close it: */
	int64_t lock_marker;            /* its marker, */
	void *lock_page;                /* and the page that keeps it */
};

/* By slot. In ordinary memory, which a child inherits, changed under the mutex. */
extern struct promcb_attachment promcb_attachments[PROMCB_SEGMENTS_MAX];

/* Whether there is a segment. */
static inline bool promcb_attachment_is_attached(const struct promcb_attachment *attachment)
{
	return attachment->segment.base && !attachment->parked;
}

static inline struct promcb_attachment *promcb_attachment_of(const struct promcb_segment *segment)
{
	return (struct promcb_attachment *)((uintptr_t)segment - offsetof(struct promcb_attachment, segment));
}

#endif

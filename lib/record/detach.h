/* SPDX-License-Identifier: MIT */
/*
 * detach.h: attachments that were left: when they go, and what stays of those that cannot.
 *
 * Called with the process's mutex held.
 */
#ifndef PROMCB_DETACH_H
#define PROMCB_DETACH_H

#include "record/lock.h"

/*
 * Who remembers addresses of what was left: is told while they are good, also right before they go, and when they have
 * gone. With the mutex held. NULL: nobody.
 */
extern void (*promcb_attachment_late)(const uint8_t *base, uint64_t bytes, bool gone);

/* Gives up an attachment that was left, if nobody uses it and it is time. Returns whether it is still there. */
bool promcb_attachment_tidy(struct promcb_attachment *attachment);

/* Whether an attachment that was left has had its time, so that those who still have leases there lose them. */
bool promcb_attachment_is_overdue(const struct promcb_attachment *attachment);

/*
 * Parks an attachment that is overdue: its locks and its file go, and other memory is at its addresses: what a frame
 * that a handler interrupted long ago stores there is lost, and does no harm. Its leases are cleared by the caller.
 * Returns false if there is no such memory.
 */
bool promcb_attachment_park(struct promcb_attachment *attachment);

/* A place for one more segment, or NULL: one that is free, else the one that was parked first. */
struct promcb_attachment *promcb_attachment_place(void);

#endif

/* SPDX-License-Identifier: MIT */
/* check.h: what promcb_reader_check() finds before it takes a snapshot. */
#ifndef PROMCB_CHECK_H
#define PROMCB_CHECK_H

#include "read/source.h"

/* Calls report for each invariant that does not hold. Returns how many, or -ENOMEM. */
int promcb_check(struct promcb_source *source, void (*report)(void *context, const char *sentence), void *context);

#endif

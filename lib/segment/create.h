/* SPDX-License-Identifier: MIT */
/* create.h: makes the file of a segment: whole, and only then under its name. Used by segment.c alone. */
#ifndef PROMCB_CREATE_H
#define PROMCB_CREATE_H

#include "base/message.h"

/* Returns 0, -EEXIST (somebody was faster, or it was there), or another -errno as promcb_open(). */
int promcb_segment_create(const char *path, const struct promcb_options *options, struct promcb_message *message);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * path.h: where the file of a segment lies.
 *
 *   "/promcb", "promcb"      a POSIX shared-memory name: /dev/shm/promcb (shm_overview(7))
 *   "/run/app/metrics"       a path, by its second slash
 *   NULL                     PROMCB_SEGMENT in the environment, else "/promcb"
 */
#ifndef PROMCB_PATH_H
#define PROMCB_PATH_H

#include "base/message.h"

#define PROMCB_PATH_MAX 512
#define PROMCB_SHM_DIRECTORY "/dev/shm"

/* The file of a segment. Returns 0, or -EINVAL with a message. */
int promcb_segment_path(const char *segment, char path[PROMCB_PATH_MAX], struct promcb_message *message);

#endif

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

/* promcb_segment_path() */
#include <promcb/admin.h>

#define PROMCB_SHM_DIRECTORY "/dev/shm"

#endif

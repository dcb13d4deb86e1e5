/* SPDX-License-Identifier: MIT */
#include "descriptors.h"

#include "log.h"

#include <stdio.h>
#include <sys/resource.h>

unsigned sidecar_descriptors_raise(unsigned wanted)
{
	struct rlimit limit;
	rlim_t needed = (rlim_t)wanted + SIDECAR_SPARE_DESCRIPTORS;
	char text[16];

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return wanted;
	if (limit.rlim_cur < needed) {
		limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > needed ? needed : limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur >= needed)
		return wanted;
	wanted = limit.rlim_cur > 2 * SIDECAR_SPARE_DESCRIPTORS ? (unsigned)limit.rlim_cur - SIDECAR_SPARE_DESCRIPTORS
								: (unsigned)limit.rlim_cur / 4 + 1;
	snprintf(text, sizeof(text), "%u", wanted);
	sidecar_log(SIDECAR_LOG_WARN, "the limit of open files (ulimit -n) allows fewer connections", "limit", text,
		    NULL);
	return wanted;
}

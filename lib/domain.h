/* SPDX-License-Identifier: MIT */
/*
 * domain.h: what a stamp of CLOCK_MONOTONIC is worth to another process: it starts anew at each boot, and a time
 * namespace shifts it. A leaf but for descriptor.h. Async-signal-safe: system calls and the stack only.
 */
#ifndef PROMCB_DOMAIN_H
#define PROMCB_DOMAIN_H

#include <stdint.h>

struct promcb_domain {
	uint64_t boot;            /* hash of the boot's id */
	uint64_t time_namespace;  /* its inode; 0: the kernel has none */
	uint64_t clock_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC, now */
};

/* That of the calling process. */
struct promcb_domain promcb_domain_now(void);

#endif

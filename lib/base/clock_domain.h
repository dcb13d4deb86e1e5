/* SPDX-License-Identifier: MIT */
/*
 * clock_domain.h: what a stamp of CLOCK_MONOTONIC is worth to another process: it starts anew at each boot, and a time
 * namespace shifts it.. Async-signal-safe: system calls and the stack only.
 *
 * A boot has an id in /proc, which a container may have of its own, and a process in another root may not have at all.
 * So what was learned once is kept, over fork, too, and there is a second witness that nobody can change: no file of a
 * tmpfs outlives a boot, so who has found the same file has the same clock. Where neither tells, the clocks themselves
 * do: CLOCK_REALTIME - CLOCK_MONOTONIC is the time of the boot, which no two boots have in common.
 */
#ifndef PROMCB_CLOCK_DOMAIN_H
#define PROMCB_CLOCK_DOMAIN_H

#include <stdint.h>

struct promcb_clock_domain {
	uint64_t boot;            /* hash of the boot's id; 0: not known */
	uint64_t time_namespace;  /* its inode; 0: not known, or the kernel has none */
	uint64_t birth;           /* promcb_clock_domain_birth() of the segment; 0: not known */
	uint64_t clock_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC, now */
};

enum promcb_clocks {
	PROMCB_CLOCKS_SAME,
	PROMCB_CLOCKS_SHIFTED, /* by the difference of the offsets: both read the same real time */
	PROMCB_CLOCKS_FOREIGN, /* of two boots: what lies between them is not known */
};

/* That of the calling process. */
struct promcb_clock_domain promcb_clock_domain_now(uint64_t birth);

/* Which file it is, of all that there ever were, if no file of its kind outlives a boot; 0: not known. */
uint64_t promcb_clock_domain_birth(int fd);

enum promcb_clocks promcb_clock_domain_compare(const struct promcb_clock_domain *here,
					       const struct promcb_clock_domain *there);

#endif

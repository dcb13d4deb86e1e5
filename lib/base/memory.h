/* SPDX-License-Identifier: MIT */
/*
 * memory.h: whether memory may grow, and growing it..
 *
 * Under a memory cgroup a tmpfs that grows past the limit ends in SIGKILL, not in ENOSPC (a 16 MiB cgroup killed a
 * test), and one that grows up to it leaves the kill to the application's next page. So growth asks first, and leaves
 * the application a share. Async-signal-safe.
 */
#ifndef PROMCB_MEMORY_H
#define PROMCB_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether this process's memory cgroup and each above it, where they can be read, have bytes left after keeping 5 % of
 * the limit free, at least 1 MiB and at most 64 MiB; page cache that the kernel can drop counts as free.
 */
bool promcb_headroom_memory(uint64_t bytes);

/* The same, and whether the file system of fd has bytes left after keeping 5 % free. */
bool promcb_headroom(int fd, uint64_t bytes);

/*
 * Gives memory to [off, off + bytes) of fd. fallocate(2), not posix_fallocate(3), which falls back to writing zeros
 * over what others have written; and not beyond RLIMIT_FSIZE, where the kernel would raise SIGXFSZ. Returns 0, or
 * -errno.
 */
int promcb_reserve(int fd, uint64_t off, uint64_t bytes);

/*
 * Maps bytes of fd, or anonymous memory, for writing, without filling them, locked memory or not. NULL if there is no
 * room.
 */
void *promcb_map_sparse(uint64_t bytes, int flags, int fd);

#endif

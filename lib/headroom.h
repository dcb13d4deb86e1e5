/* SPDX-License-Identifier: MIT */
/*
 * headroom.h: whether memory may grow, and growing it. A leaf but for descriptor.h.
 *
 * Under a memory cgroup a tmpfs that grows past the limit ends in SIGKILL, not in ENOSPC (a 16 MiB cgroup killed a
 * test), so growth asks first. Async-signal-safe, one caller at a time:
 * under the process's mutex.
 */
#ifndef PROMCB_HEADROOM_H
#define PROMCB_HEADROOM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether the file system of fd has bytes left after keeping 5 % free, and this process's memory cgroup and each above
 * it, where they can be read, four times bytes, page cache that the kernel can drop counted as free.
 */
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

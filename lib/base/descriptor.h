/* SPDX-License-Identifier: MIT */
/*
 * descriptor.h: the only open(2) of the library. Async-signal-safe: system calls and the stack only.
 *
 * A descriptor of a segment can write to it, and lives in a process that writes to numbers: a daemon that has closed 0,
 * 1 and 2 prints all the same, and a program may write to a number that it has closed.
 *
 * Invariants
 *   - No descriptor of the library is 0, 1 or 2, not even for a moment.
 *   - One that can write has its offset where no byte can be written: write(2) fails with EINVAL or EFBIG and the file
 *     stays as it is. fallocate(2), mmap(2), pread(2), pwrite(2) and locks do not ask for the offset.
 */
#ifndef PROMCB_DESCRIPTOR_H
#define PROMCB_DESCRIPTOR_H

#include <sys/types.h>

/* As openat(2), with O_CLOEXEC in any case. mode: for a file that is made. Returns the descriptor, or -1 and errno. */
int promcb_descriptor_openat(int directory, const char *path, int flags, mode_t mode);

/* The same, by a path from the root, or from the working directory. */
int promcb_descriptor_open(const char *path, int flags, mode_t mode);

/* The path by which an open descriptor's file is opened once more: "/proc/self/fd/" and the number. */
#define PROMCB_DESCRIPTOR_PATH_BYTES 32
void promcb_descriptor_path(char path[PROMCB_DESCRIPTOR_PATH_BYTES], int fd);

#endif

/* SPDX-License-Identifier: MIT */
/* kernel.h: system calls that not every C library has a function for: musl has statx() since 1.2.5, renameat2() not. */
#ifndef PROMCB_KERNEL_H
#define PROMCB_KERNEL_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef STATX_INO
#include <linux/stat.h>
#endif
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

/* statx(2) of an open file. */
static inline int promcb_statx(int fd, unsigned mask, struct statx *status)
{
	return (int)syscall(SYS_statx, fd, "", AT_EMPTY_PATH, mask, status);
}

/* renameat2(2): -1 and EEXIST if there is something at the path. */
static inline int promcb_rename_new(const char *from, const char *to)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

#endif

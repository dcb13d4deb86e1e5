/* SPDX-License-Identifier: MIT */
/* rush.h: what programs share whose threads record at full speed while their segment is removed. */
#ifndef PROMCB_RUSH_H
#define PROMCB_RUSH_H

#include "stress.h"

#include <promcb/atomic.h>

#include <fcntl.h>

/* What the file of an open descriptor holds gets a name again. */
static inline void name_again(int fd, const char *path)
{
	int copy = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char bytes[65536];
	ssize_t length;

	CHECK(copy >= 0, "open");
	while ((length = read(fd, bytes, sizeof(bytes))) > 0)
		CHECK(write(copy, bytes, (size_t)length) == length, "write");
	close(copy);
}

/* Until each thread has made so many calls. */
static inline void await_counts(const uint64_t *counts, unsigned threads, uint64_t least)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	for (unsigned i = 0; i < threads; i++)
		while (promcb_load_acquire(&counts[i]) < least)
			nanosleep(&moment, NULL);
}

#endif

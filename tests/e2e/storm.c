/* SPDX-License-Identifier: MIT */
/*
 * storm: resets a component of a segment without a pause, faster than any reader can look: its reset word goes round
 * until SIGTERM. Prints a line once that has begun.
 *
 * Usage: storm SEGMENT COMPONENT
 */
#include "format/layout.h"

#include <promcb/promcb.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct promcb_descriptor *found = NULL;
	struct stat status;
	struct promcb_session *p;
	char path[300];

	if (argc != 3 || promcb_open(argv[1], NULL, &p) < 0 || promcb_reset(p, argv[2]) < 0)
		return 1;
	snprintf(path, sizeof(path), "/dev/shm%s", argv[1]);
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) < 0)
		return 1;
	uint8_t *base = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return 1;
	const struct promcb_geometry *g = &((const struct promcb_header *)(const void *)base)->geometry;

	for (uint32_t i = 0; i < g->components && !found; i++) {
		struct promcb_descriptor *descriptor =
			(struct promcb_descriptor *)(void *)(base + g->descriptors_off +
							     (uint64_t)i * g->descriptor_bytes);

		if (strcmp(descriptor->name, argv[2]) == 0)
			found = descriptor;
	}
	if (!found)
		return 1;
	puts("storming");
	fflush(stdout);
	/* Another generation, of the same baseline. */
	for (;;)
		promcb_add_relaxed(&found->reset, 2);
}

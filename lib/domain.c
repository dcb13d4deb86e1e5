/* SPDX-License-Identifier: MIT */
#include "domain.h"

#include "descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* FNV-1a (Fowler, Noll, Vo) of the id's text: it need only differ from boot to boot. */
static uint64_t boot_hash(void)
{
	uint64_t hash = 0xcbf29ce484222325u;
	char text[64];
	int fd = promcb_descriptor_open("/proc/sys/kernel/random/boot_id", O_RDONLY, 0);

	if (fd < 0)
		return hash;
	ssize_t length = read(fd, text, sizeof(text));

	close(fd);
	for (ssize_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
	return hash;
}

struct promcb_domain promcb_domain_now(void)
{
	struct timespec real, monotonic;
	struct stat status;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	return (struct promcb_domain){
		.boot = boot_hash(),
		.time_namespace = stat("/proc/self/ns/time", &status) == 0 ? (uint64_t)status.st_ino : 0,
		.clock_offset_ns = (uint64_t)(real.tv_sec - monotonic.tv_sec) * 1000000000u + (uint64_t)real.tv_nsec -
				   (uint64_t)monotonic.tv_nsec,
	};
}

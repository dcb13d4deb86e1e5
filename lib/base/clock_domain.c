/* SPDX-License-Identifier: MIT */
#include "base/clock_domain.h"

#include "base/descriptor.h"
#include "base/kernel.h"

#include <promcb/atomic.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define HASH_BASIS 0xcbf29ce484222325u
#define TMPFS_MAGIC 0x01021994

/* Two boots lie further apart; two looks at one clock do not. */
#define OFFSET_TOLERANCE_NS ((int64_t)1000000000)

enum { LOOKS = 3, LOOK_NS = 50000 };

/* What this process, or one that it was forked from, has learned; 0: nothing. In ordinary memory, relaxed. */
static uint64_t known_boot, known_time_namespace;

/* FNV-1a (Fowler, Noll, Vo): it need only differ from boot to boot, and from file to file. Never 0. */
static uint64_t hash_more(uint64_t hash, const void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
	return hash ? hash : 1;
}

static uint64_t read_boot(void)
{
	char text[64];
	int fd = promcb_descriptor_open("/proc/sys/kernel/random/boot_id", O_RDONLY, 0);

	if (fd < 0)
		return 0;
	ssize_t length = read(fd, text, sizeof(text));

	close(fd);
	return length > 0 ? hash_more(HASH_BASIS, text, (size_t)length) : 0;
}

static uint64_t read_time_namespace(void)
{
	struct stat status;

	return stat("/proc/self/ns/time", &status) == 0 ? (uint64_t)status.st_ino : 0;
}

static uint64_t nanoseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Of a few looks at both clocks the one in which least time went by: the thread may lose its processor between. */
static uint64_t clock_offset(void)
{
	uint64_t best = UINT64_MAX, offset = 0;

	for (unsigned look = 0; look < LOOKS && best > LOOK_NS; look++) {
		uint64_t before = nanoseconds(CLOCK_MONOTONIC), real = nanoseconds(CLOCK_REALTIME);
		uint64_t took = nanoseconds(CLOCK_MONOTONIC) - before;

		if (took >= best)
			continue;
		best = took;
		offset = real - before - took / 2;
	}
	return offset;
}

struct promcb_clock_domain promcb_clock_domain_now(uint64_t birth)
{
	/* A process sees one boot in its life, but may enter a container that calls it otherwise. */
	uint64_t boot = promcb_load_relaxed(&known_boot), time_namespace = read_time_namespace();

	if (!boot) {
		boot = read_boot();
		promcb_store_relaxed(&known_boot, boot);
	}
	/* A child may have one of its own, if it can see it. */
	if (time_namespace)
		promcb_store_relaxed(&known_time_namespace, time_namespace);
	else
		time_namespace = promcb_load_relaxed(&known_time_namespace);
	return (struct promcb_clock_domain){
		.boot = boot,
		.time_namespace = time_namespace,
		.birth = birth,
		.clock_offset_ns = clock_offset(),
	};
}

uint64_t promcb_clock_domain_birth(int fd)
{
	struct statx status;
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC ||
	    promcb_statx(fd, STATX_INO | STATX_BTIME, &status) < 0 || !(status.stx_mask & STATX_BTIME))
		return 0;
	/* The number alone comes again, and so does that of the file system, at the next boot. */
	uint64_t words[] = {status.stx_dev_major, status.stx_dev_minor, status.stx_ino,
			    (uint64_t)status.stx_btime.tv_sec, status.stx_btime.tv_nsec};

	return hash_more(HASH_BASIS, words, sizeof(words));
}

enum promcb_clocks promcb_clock_domain_compare(const struct promcb_clock_domain *here,
					       const struct promcb_clock_domain *there)
{
	int64_t apart_ns = (int64_t)(there->clock_offset_ns - here->clock_offset_ns);
	bool same_boot = (here->boot && here->boot == there->boot) || (here->birth && here->birth == there->birth);
	bool same_namespace =
		!here->time_namespace || !there->time_namespace || here->time_namespace == there->time_namespace;

	/* Real time may have been set in between: where the boot is known, offsets tell nothing. */
	if (same_boot)
		return same_namespace ? PROMCB_CLOCKS_SAME : PROMCB_CLOCKS_SHIFTED;
	if (apart_ns >= -OFFSET_TOLERANCE_NS && apart_ns <= OFFSET_TOLERANCE_NS)
		return PROMCB_CLOCKS_SAME;
	return here->boot && there->boot ? PROMCB_CLOCKS_FOREIGN : PROMCB_CLOCKS_SHIFTED;
}

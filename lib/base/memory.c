/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/*
 * What a group keeps: a twentieth of its limit, at least what a program asks for at once, and of large limits no more
 * than a program that fills its memory on purpose leaves free.
 */
#define SHARE_MIN_BYTES ((uint64_t)1 << 20)
#define SHARE_MAX_BYTES ((uint64_t)64 << 20)

enum { READ_MAX = 8192, CGROUP_PATH_MAX = 1024 };

/* Mapped for each look: the slow path may be on a signal handler's stack, of which three such took more than all. */
struct scratch {
	char groups[READ_MAX];
	char text[READ_MAX];
	char path[CGROUP_PATH_MAX];
};

/* The file's beginning, zero-terminated. Returns its length, or -1. */
static ssize_t read_file(const char *name, char buffer[READ_MAX])
{
	int fd = promcb_descriptor_open(name, O_RDONLY, 0);
	ssize_t length = -1;

	if (fd < 0)
		return -1;
	length = read(fd, buffer, READ_MAX - 1);
	close(fd);
	if (length >= 0)
		buffer[length] = 0;
	return length;
}

static uint64_t parse_number(const char *digits)
{
	uint64_t value = 0;

	/* "max" and what does not fit are no limit. */
	if (*digits < '0' || *digits > '9')
		return UINT64_MAX;
	for (; *digits >= '0' && *digits <= '9'; digits++) {
		if (value > UINT64_MAX / 10 - 1)
			return UINT64_MAX;
		value = value * 10 + (uint64_t)(*digits - '0');
	}
	return value;
}

/* The value of a line "key value" in a memory.stat, 0 if there is none. */
static uint64_t stat_value(const char *lines, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = lines; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return parse_number(line + length + 1);
	return 0;
}

static bool join(struct scratch *scratch, const char *root, const char *group, size_t group_length, const char *file)
{
	size_t root_length = strlen(root), file_length = strlen(file);

	if (root_length + group_length + file_length + 1 > CGROUP_PATH_MAX)
		return false;
	memcpy(scratch->path, root, root_length);
	memcpy(scratch->path + root_length, group, group_length);
	memcpy(scratch->path + root_length + group_length, file, file_length + 1);
	return true;
}

static uint64_t read_number(struct scratch *scratch, const char *root, const char *group, size_t group_length,
			    const char *file)
{
	if (!join(scratch, root, group, group_length, file) || read_file(scratch->path, scratch->text) <= 0)
		return UINT64_MAX;
	return parse_number(scratch->text);
}

static bool leaves_share(uint64_t limit, uint64_t usage, uint64_t bytes)
{
	uint64_t share = limit / 20;

	if (share < SHARE_MIN_BYTES)
		share = SHARE_MIN_BYTES;
	if (share > SHARE_MAX_BYTES)
		share = SHARE_MAX_BYTES;
	return limit > usage && limit - usage >= share && limit - usage - share >= bytes;
}

/* One group: the first group_length bytes of its path. What cannot be read limits nothing. */
static bool group_has_room(struct scratch *scratch, bool unified, const char *group, size_t group_length,
			   uint64_t bytes)
{
	const char *root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
	const char *limit_file = unified ? "/memory.max" : "/memory.limit_in_bytes";
	const char *usage_file = unified ? "/memory.current" : "/memory.usage_in_bytes";
	uint64_t limit = read_number(scratch, root, group, group_length, limit_file);

	if (limit == UINT64_MAX)
		return true;
	uint64_t usage = read_number(scratch, root, group, group_length, usage_file);

	if (usage == UINT64_MAX || leaves_share(limit, usage, bytes))
		return true;
	if (!join(scratch, root, group, group_length, "/memory.stat") || read_file(scratch->path, scratch->text) <= 0)
		return false;
	uint64_t cache = stat_value(scratch->text, "inactive_file") + stat_value(scratch->text, "active_file");
	/* Version 1 counts use with the groups below, and has the cache without and with them. */
	uint64_t all_cache =
		stat_value(scratch->text, "total_inactive_file") + stat_value(scratch->text, "total_active_file");

	cache = cache > all_cache ? cache : all_cache;
	return leaves_share(limit, usage > cache ? usage - cache : 0, bytes);
}

/*
 * The group and those above it: the limit of any kills. controllers: "" in the unified hierarchy (version 2), "memory"
 * in that of version 1; others limit nothing here. In a container the mount begins at the own group, whatever the path
 * says: that is the last to be asked.
 */
static bool groups_have_room(struct scratch *scratch, const char *controllers, const char *group, uint64_t bytes)
{
	size_t length = strlen(group);

	if (*controllers && strcmp(controllers, "memory") != 0)
		return true;
	for (;;) {
		while (length && group[length - 1] == '/')
			length--;
		if (!group_has_room(scratch, !*controllers, group, length, bytes))
			return false;
		if (length == 0)
			return true;
		while (length && group[length - 1] != '/')
			length--;
	}
}

static bool all_groups_have_room(struct scratch *scratch, uint64_t bytes)
{
	if (read_file("/proc/self/cgroup", scratch->groups) <= 0)
		return true;
	for (char *line = scratch->groups; line && *line;) {
		char *end = strchr(line, '\n');
		char *controllers = strchr(line, ':');
		char *group = controllers ? strchr(controllers + 1, ':') : NULL;

		if (end)
			*end = 0;
		if (group && (!end || group < end)) {
			*group = 0;
			if (!groups_have_room(scratch, controllers + 1, group + 1, bytes))
				return false;
		}
		line = end ? end + 1 : NULL;
	}
	return true;
}

bool promcb_headroom_memory(uint64_t bytes)
{
	struct scratch *scratch =
		mmap(NULL, sizeof(*scratch), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool has_room;

	/* It cannot be asked, and limits nothing. */
	if (scratch == MAP_FAILED)
		return true;
	has_room = all_groups_have_room(scratch, bytes);
	munmap(scratch, sizeof(*scratch));
	return has_room;
}

bool promcb_headroom(int fd, uint64_t bytes)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) == 0 && fs.f_blocks > 0) {
		uint64_t block = (uint64_t)fs.f_bsize;
		uint64_t free_bytes = (uint64_t)fs.f_bavail * block;

		if (free_bytes < bytes || free_bytes - bytes < (uint64_t)fs.f_blocks * block / 20)
			return false;
	}
	return promcb_headroom_memory(bytes);
}

int promcb_reserve(int fd, uint64_t off, uint64_t bytes)
{
	struct rlimit limit;
	struct stat status;

	/* The limit is on growing the file, not on filling what it has. */
	if (fstat(fd, &status) < 0)
		return -errno;
	if (off + bytes > (uint64_t)status.st_size && getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
	    limit.rlim_cur != RLIM_INFINITY && off + bytes > limit.rlim_cur)
		return -EFBIG;
	while (fallocate(fd, 0, (off_t)off, (off_t)bytes) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

void *promcb_map_sparse(uint64_t bytes, int flags, int fd)
{
	void *memory = mmap(NULL, bytes, PROT_NONE, flags, fd, 0);

	if (memory == MAP_FAILED) {
		/* A limit on locked memory, under mlockall(MCL_FUTURE). */
		errno = errno == EAGAIN ? ENOMEM : errno;
		return NULL;
	}
	/*
	 * Under mlockall(MCL_FUTURE) a writable map would be filled at once, holes and all: 1 MiB for each thread's
	 * entries.
	 */
	munlock(memory, bytes);
	if (mprotect(memory, bytes, PROT_READ | PROT_WRITE) < 0) {
		int error = errno == EAGAIN ? ENOMEM : errno;

		munmap(memory, bytes);
		errno = error;
		return NULL;
	}
	return memory;
}

/* SPDX-License-Identifier: MIT */
#include "segment_names.h"

#include <promcb/reader.h>

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SHARED_MEMORY "/dev/shm"

/* What finds, and what it found. */
struct search {
	bool (*is_known)(void *context, const char *name);
	void *context;
	struct promcb_segment_names *names;
	struct identity {
		dev_t device;
		ino_t inode;            /* 0: none, or unknown */
	} identities[PROMCB_SEGMENT_NAMES_MAX];
};

bool promcb_segment_is_pattern(const char *name)
{
	return strpbrk(name, "*?[") != NULL;
}

bool promcb_segments_are_several(const char *const *patterns, size_t count)
{
	return count > 1 || (count == 1 && promcb_segment_is_pattern(patterns[0]));
}

static int discard(void *context, const void *bytes, size_t length)
{
	(void)context, (void)bytes, (void)length;
	return 0;
}

bool promcb_segment_is_label(const char *name)
{
	const struct promcb_render_segment part = {.segment = name};

	/* The library knows; it says so before it renders. */
	return promcb_render_segments(&part, 1, PROMCB_FORMAT_TEXT, NULL, discard, NULL) == 0;
}

bool promcb_label_is_free(const char *name, const char *value)
{
	const struct promcb_label label = {name, value};
	const struct promcb_render_options options = {.labels = &label, .label_count = 1};

	return name && promcb_render_segments(NULL, 0, PROMCB_FORMAT_TEXT, &options, discard, NULL) == 0;
}

void promcb_segment_names_free(struct promcb_segment_names *names)
{
	while (names->count)
		free(names->items[--names->count]);
}

/* "/name" is a name of POSIX shared memory; with another slash it is a path. */
static bool is_path(const char *name)
{
	return *name && strchr(name + 1, '/');
}

/* The file that a name leads to, if there is one. Links at its end are not followed by readers either. */
static struct identity identify(const char *name)
{
	char path[sizeof(SHARED_MEMORY "/") + NAME_MAX + 1];
	struct stat status;

	if (!is_path(name)) {
		if (snprintf(path, sizeof(path), SHARED_MEMORY "/%s", name + (*name == '/')) >= (int)sizeof(path))
			return (struct identity){.inode = 0};
		name = path;
	}
	if (lstat(name, &status) < 0 || !S_ISREG(status.st_mode))
		return (struct identity){.inode = 0};
	return (struct identity){status.st_dev, status.st_ino};
}

/* A name that stands there is not added again, nor is another one of its file: those series would count twice. */
static int add(struct search *search, const char *name)
{
	struct promcb_segment_names *names = search->names;
	struct identity identity = identify(name);

	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->items[i], name) == 0)
			return 0;
		if (identity.inode && search->identities[i].inode == identity.inode &&
		    search->identities[i].device == identity.device)
			return 0;
	}
	if (names->count == PROMCB_SEGMENT_NAMES_MAX)
		return -E2BIG;
	search->identities[names->count] = identity;
	names->items[names->count] = strdup(name);
	return names->items[names->count++] ? 0 : (names->count--, -ENOMEM);
}

/* Files that match a pattern by accident are left out. What was a segment before is one until it is gone. */
static int add_if_segment(struct search *search, const char *name)
{
	struct promcb_reader *reader;
	int result;

	if (search->is_known && search->is_known(search->context, name))
		return add(search, name);
	result = promcb_segment_is_label(name) ? promcb_reader_open(name, NULL, &reader, NULL) : -EINVAL;
	if (result == 0)
		promcb_reader_close(reader);
	/* One of another version is a segment, and its promcb_up shall say that something is wrong. */
	return result == 0 || result == -EPROTO || result == -EACCES ? add(search, name) : 0;
}

static int find_pattern(struct search *search, const char *pattern)
{
	bool of_paths = is_path(pattern);
	char *path = NULL;
	glob_t found;
	int result;

	if (!of_paths) {
		path = malloc(sizeof(SHARED_MEMORY "/") + strlen(pattern));
		if (!path)
			return -ENOMEM;
		strcpy(path, pattern[0] == '/' ? SHARED_MEMORY : SHARED_MEMORY "/");
		strcat(path, pattern);
	}
	result = glob(path ? path : pattern, GLOB_NOESCAPE, NULL, &found);
	free(path);
	if (result != 0)
		return result == GLOB_NOSPACE ? -ENOMEM : 0;
	result = 0;
	for (size_t i = 0; i < found.gl_pathc && result == 0; i++)
		result = add_if_segment(search,
					of_paths ? found.gl_pathv[i] : found.gl_pathv[i] + strlen(SHARED_MEMORY));
	globfree(&found);
	return result;
}

int promcb_segment_names_find(const char *const *patterns, size_t count,
			      bool (*is_known)(void *context, const char *name), void *context,
			      struct promcb_segment_names *out)
{
	struct search search = {.is_known = is_known, .context = context, .names = out};
	int result = 0;

	out->count = 0;
	for (size_t i = 0; i < count && result == 0; i++)
		result = promcb_segment_is_pattern(patterns[i]) ? find_pattern(&search, patterns[i])
								: add(&search, patterns[i]);
	return result == -E2BIG ? 0 : result;
}

/* SPDX-License-Identifier: MIT */
/*
 * segments.c: names and patterns to segments, and readers attached to them.
 *
 * May include: segments.h, log.h.
 */
#include "segments.h"

#include "log.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-bp.h>

/* What a renderer takes as a label. */
enum { SIDECAR_LABEL_MAX = 255 };

#define SHARED_MEMORY "/dev/shm"

/* What is served, in the order of the patterns and then of the names. */
struct list {
	struct rcu_head head;
	size_t count;
	struct sidecar_attachment *items[];
};

struct sidecar_segments {
	const char *const *patterns;
	size_t pattern_count;
	struct list *list;      /* RCU */
};

static bool is_pattern(const char *name)
{
	return strpbrk(name, "*?[") != NULL;
}

bool sidecar_segments_are_several(const struct sidecar_segments *segments)
{
	return segments->pattern_count > 1 || is_pattern(segments->patterns[0]);
}

/* -- Attachments -------------------------------------------------------------------------------------------------- */

static struct sidecar_attachment *attachment_new(const char *name)
{
	struct sidecar_attachment *attachment = calloc(1, sizeof(*attachment));

	if (!attachment)
		return NULL;
	attachment->name = strdup(name);
	if (!attachment->name) {
		free(attachment);
		return NULL;
	}
	attachment->users = 1;
	attachment->error = 1;
	return attachment;
}

void sidecar_attachment_put(struct sidecar_attachment *attachment)
{
	if (uatomic_sub_return(&attachment->users, 1) > 0)
		return;
	for (size_t i = 0; i < SIDECAR_READERS_KEPT; i++)
		promcb_reader_close(attachment->readers[i]);
	free(attachment->name);
	free(attachment);
}

/* Inside of a read-side section, where the list's own hold cannot go. */
static void hold(struct sidecar_attachment *attachment)
{
	uatomic_inc(&attachment->users);
}

static struct promcb_reader *take_reader(struct sidecar_attachment *attachment)
{
	for (size_t i = 0; i < SIDECAR_READERS_KEPT; i++) {
		struct promcb_reader *reader = uatomic_xchg(&attachment->readers[i], NULL);

		if (reader)
			return reader;
	}
	return NULL;
}

static void keep_reader(struct sidecar_attachment *attachment, struct promcb_reader *reader)
{
	for (size_t i = 0; i < SIDECAR_READERS_KEPT; i++) {
		if (!uatomic_cmpxchg(&attachment->readers[i], NULL, reader))
			return;
	}
	promcb_reader_close(reader);
}

/* One line when a segment comes, goes, or ails of something else. */
static void log_change(struct sidecar_attachment *attachment, int error, const struct promcb_message *message)
{
	int before = uatomic_xchg(&attachment->error, error);

	if (before == error)
		return;
	if (error == 0)
		sidecar_log(SIDECAR_LOG_INFO, "segment attached", "segment", attachment->name, NULL);
	else
		sidecar_log(SIDECAR_LOG_WARN, "segment cannot be read, its promcb_up is 0", "segment", attachment->name,
			    "error", message->text[0] ? message->text : promcb_strerror(error), NULL);
}

/* A reader of what the name leads to now. */
static int attach(struct sidecar_attachment *attachment, struct promcb_reader **out, struct promcb_message *message)
{
	const struct promcb_reader_options options = {.access = PROMCB_ACCESS_MAPPED};
	struct promcb_reader *reader;

	/* All that wait here and are of another file go, so that none outlives its file by much. */
	while ((reader = take_reader(attachment)) != NULL) {
		if (promcb_reader_validate(reader) == 0) {
			*out = reader;
			return 0;
		}
		promcb_reader_close(reader);
	}
	return promcb_reader_open(attachment->name, &options, out, message);
}

int sidecar_attachment_snapshot(struct sidecar_attachment *attachment, uint64_t patience_ns,
				struct promcb_snapshot **out, struct promcb_message *message)
{
	const struct promcb_snapshot_options options = {.patience_ns = patience_ns};
	struct promcb_reader *reader;
	int result;

	message->text[0] = '\0';
	result = attach(attachment, &reader, message);
	if (result == 0 && out)
		result = promcb_reader_snapshot(reader, &options, out, message);
	/* A reader whose segment is corrupt may be kept: it finds out anew each time. */
	if (result == 0 || result == -EAGAIN)
		keep_reader(attachment, reader);
	else if (reader)
		promcb_reader_close(reader);
	if (result != -EAGAIN && result != -ENOMEM)
		log_change(attachment, result, message);
	return result;
}

/* -- The list ----------------------------------------------------------------------------------------------------- */

static void list_free(struct list *list)
{
	for (size_t i = 0; list && i < list->count; i++)
		sidecar_attachment_put(list->items[i]);
	free(list);
}

static void list_free_later(struct rcu_head *head)
{
	list_free((struct list *)head); /* its first member */
}

static struct sidecar_attachment *list_find(const struct list *list, const char *name)
{
	for (size_t i = 0; list && i < list->count; i++) {
		if (strcmp(list->items[i]->name, name) == 0)
			return list->items[i];
	}
	return NULL;
}

/* The names found by all patterns. */
struct names {
	const struct list *known;
	size_t count;
	char *items[SIDECAR_SEGMENTS_MAX];
};

static void names_free(struct names *names)
{
	while (names->count)
		free(names->items[--names->count]);
}

/* A name that stands there already is not added. */
static int names_add(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->items[i], name) == 0)
			return 0;
	}
	if (names->count == SIDECAR_SEGMENTS_MAX)
		return -E2BIG;
	names->items[names->count] = strdup(name);
	return names->items[names->count++] ? 0 : (names->count--, -ENOMEM);
}

/* Files that match a pattern by accident are left out. What was a segment before is one until it is gone. */
static int add_if_segment(struct names *names, const char *segment)
{
	struct promcb_reader *reader;
	int result;

	if (list_find(names->known, segment))
		return names_add(names, segment);
	result = strlen(segment) <= SIDECAR_LABEL_MAX ? promcb_reader_open(segment, NULL, &reader, NULL) : -EINVAL;
	if (result == 0)
		promcb_reader_close(reader);
	/* One of another version is a segment, and its promcb_up shall say that something is wrong. */
	return result == 0 || result == -EPROTO || result == -EACCES ? names_add(names, segment) : 0;
}

static int names_of_pattern(struct names *names, const char *pattern)
{
	/* "/name" is a name of POSIX shared memory; with another slash it is a path. */
	bool is_path = strchr(pattern + 1, '/') != NULL;
	char *path = NULL;
	glob_t found;
	int result;

	if (!is_path) {
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
		result = add_if_segment(names, is_path ? found.gl_pathv[i] : found.gl_pathv[i] + strlen(SHARED_MEMORY));
	globfree(&found);
	return result;
}

static int find_names(const struct sidecar_segments *segments, struct names *names)
{
	int result = 0;

	for (size_t i = 0; i < segments->pattern_count && result == 0; i++) {
		if (is_pattern(segments->patterns[i]))
			result = names_of_pattern(names, segments->patterns[i]);
		else
			result = names_add(names, segments->patterns[i]);
	}
	return result == -E2BIG ? 0 : result;
}

static bool is_same(const struct list *list, const struct names *names)
{
	if (!list || list->count != names->count)
		return false;
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(list->items[i]->name, names->items[i]) != 0)
			return false;
	}
	return true;
}

/* A list of the names, with the attachments of the old one where it has them. Inside of a read-side section. */
static struct list *list_new(const struct names *names, const struct list *old)
{
	struct list *list = calloc(1, sizeof(*list) + names->count * sizeof(struct sidecar_attachment *));

	if (!list)
		return NULL;
	for (size_t i = 0; i < names->count; i++) {
		struct sidecar_attachment *item = list_find(old, names->items[i]);

		if (item)
			hold(item);
		else
			item = attachment_new(names->items[i]);
		if (!item) {
			list_free(list);
			return NULL;
		}
		list->items[list->count++] = item;
	}
	return list;
}

int sidecar_segments_hold(struct sidecar_segments *segments, struct sidecar_attachment **held)
{
	urcu_bp_read_lock();
	struct list *list = rcu_dereference(segments->list);
	struct names names = {.known = list};
	int result = find_names(segments, &names);

	if (result == 0 && !is_same(list, &names)) {
		struct list *fresh = list_new(&names, list);

		/* Whoever was faster saw about the same; what is held here is one whole list in any case. */
		if (!fresh) {
			result = -ENOMEM;
		} else if (rcu_cmpxchg_pointer(&segments->list, list, fresh) == list) {
			if (list)
				urcu_bp_call_rcu(&list->head, list_free_later);
			list = fresh;
		} else {
			list_free(fresh);
			list = rcu_dereference(segments->list);
		}
	}
	if (result == 0) {
		for (size_t i = 0; i < list->count; i++) {
			held[i] = list->items[i];
			hold(held[i]);
		}
		result = (int)list->count;
	}
	urcu_bp_read_unlock();
	names_free(&names);
	return result;
}

struct sidecar_segments *sidecar_segments_new(const char *const *patterns, size_t count)
{
	struct sidecar_segments *segments = calloc(1, sizeof(*segments));

	if (segments) {
		segments->patterns = patterns;
		segments->pattern_count = count;
	}
	return segments;
}

void sidecar_segments_free(struct sidecar_segments *segments)
{
	if (!segments)
		return;
	list_free(segments->list);
	free(segments);
}

/* SPDX-License-Identifier: MIT */
/* segments.c: names and patterns to segments, and readers attached to them. */
#include "segments.h"

#include "log.h"
#include "segment_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-bp.h>

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

bool sidecar_segments_are_several(const struct sidecar_segments *segments)
{
	return promcb_segments_are_several(segments->patterns, segments->pattern_count);
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
	pthread_mutex_init(&attachment->idle_lock, NULL);
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
	promcb_idle_free(attachment->idle);
	pthread_mutex_destroy(&attachment->idle_lock);
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
	struct promcb_reader *reader = take_reader(attachment), *other;
	int result;

	*out = NULL;
	if (!reader)
		return promcb_reader_open(attachment->name, &options, out, message);
	result = promcb_reader_refresh(reader, message);
	/* All that wait here are of the file of before: they go, so that none outlives it by much. */
	while (result != 0 && (other = take_reader(attachment)) != NULL)
		promcb_reader_close(other);
	if (result < 0)
		promcb_reader_close(reader);
	else
		*out = reader;
	return result < 0 ? result : 0;
}

/* One at a time: it takes a part of what the snapshot took. */
static int hide_idle(struct sidecar_attachment *attachment, struct promcb_snapshot *snapshot, uint64_t idle_ns)
{
	int result = -ENOMEM;

	pthread_mutex_lock(&attachment->idle_lock);
	if (!attachment->idle)
		attachment->idle = promcb_idle_new();
	if (attachment->idle)
		result = promcb_snapshot_hide_idle(snapshot, attachment->idle, idle_ns);
	pthread_mutex_unlock(&attachment->idle_lock);
	return result;
}

int sidecar_attachment_snapshot(struct sidecar_attachment *attachment, const struct promcb_snapshot_options *options,
				const uint64_t *idle_ns, struct promcb_snapshot **out, struct promcb_message *message)
{
	struct promcb_reader *reader;
	int result;

	message->text[0] = '\0';
	result = attach(attachment, &reader, message);
	if (result == 0 && out)
		result = promcb_reader_snapshot(reader, options, out, message);
	if (result == 0 && out && idle_ns) {
		result = hide_idle(attachment, *out, *idle_ns);
		if (result < 0) {
			promcb_snapshot_free(*out);
			*out = NULL;
		}
	}
	/* A reader whose segment is corrupt may be kept: it finds out anew each time. */
	if (result == 0 || result == -EAGAIN || result == -ETIMEDOUT)
		keep_reader(attachment, reader);
	else if (reader)
		promcb_reader_close(reader);
	/* A look of the history's that had not the time says nothing of what scrapes have. */
	if (!options || !options->flags || (result != -EAGAIN && result != -ETIMEDOUT))
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

static bool is_listed(void *list, const char *name)
{
	return list_find(list, name) != NULL;
}

static bool is_same(const struct list *list, const struct promcb_segment_names *names)
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
static struct list *list_new(const struct promcb_segment_names *names, const struct list *old)
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
	struct promcb_segment_names names;
	int result = promcb_segment_names_find(segments->patterns, segments->pattern_count, is_listed, list, &names);

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
	promcb_segment_names_free(&names);
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

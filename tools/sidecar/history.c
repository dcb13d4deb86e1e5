/* SPDX-License-Identifier: MIT */
/*
 * history.c: see history.h.
 *
 * One thread takes snapshots and adds what came in between; whoever asks reads under the same mutex, which is held
 * neither while a snapshot is taken nor while files are written. Invariant: the columns of all segments together take
 * no more than the budget, but for the newest of each.
 */
#include "history.h"

#include "history_file.h"
#include "log.h"
#include "segment_names.h"
#include "views/take.h"

#include <promcb/atomic.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define TICK_NS ((uint64_t)1000000000)
/* A look that took longer to come is one that nobody made: what came in between is not known to the second. */
#define LATE_NS (5 * TICK_NS)
/* What a look may take: where that is longer than a second, columns are. */
#define LOOK_NS (4 * TICK_NS)

/* What a file may have besides columns: names and totals. */
#define FILE_MORE_BYTES ((size_t)16 << 20)

struct past {
	char *name;
	bool is_started;
	bool is_listed;   /* by the newest look */
	bool is_up;
	struct promcb_view_history history;
	struct promcb_segment_info info;
	struct promcb_message message;
	uint64_t before_ns, before_monotonic_ns; /* of the last snapshot; 0: none */
	uint64_t missed_ns, missed_monotonic_ns; /* when it was not there, before the first snapshot; 0: it was */
	enum promcb_view_gap gap;                /* since then */
	uint64_t seen_ns;                        /* when it was listed; CLOCK_MONOTONIC */
	struct sidecar_history_file file;
};

struct sidecar_history {
	struct sidecar_history_options options;
	char boot[17];        /* of this process: no other one has it */
	pthread_t thread;
	sem_t wakes;          /* posted to stop */
	uint64_t stopping;
	pthread_mutex_t lock; /* of all below */
	uint64_t sequence;    /* of looks */
	uint64_t segments;    /* how often there were others: their numbers are told */
	size_t count;
	struct past pasts[PROMCB_SEGMENT_NAMES_MAX]; /* by name */
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* -- Segments ------------------------------------------------------------------------------------------------------ */

static void drop(struct sidecar_history *history, size_t at)
{
	struct past *past = &history->pasts[at];

	if (past->is_started)
		promcb_view_history_end(&past->history);
	sidecar_history_file_close(&past->file);
	free(past->name);
	history->segments++;
	history->count--;
	memmove(past, past + 1, (history->count - at) * sizeof(*past));
}

/* Room for one more: what has not been there for longest goes. */
static void make_room(struct sidecar_history *history)
{
	size_t oldest = 0;

	if (history->count < PROMCB_SEGMENT_NAMES_MAX)
		return;
	for (size_t i = 0; i < history->count; i++)
		if (history->pasts[i].seen_ns < history->pasts[oldest].seen_ns)
			oldest = i;
	drop(history, oldest);
}

/* What an earlier process knew. Between its last look and the first of this one, nobody looked. */
static void remember(const struct sidecar_history *history, struct past *past)
{
	struct promcb_view_recording recording;

	if (sidecar_history_file_open(&past->file, history->options.directory, past->name) < 0 ||
	    sidecar_history_file_read(&past->file, past->name, 2 * history->options.bytes + FILE_MORE_BYTES,
				      &recording) < 0)
		return;
	past->history = recording.history;
	past->history.limits.bytes = 0;
	past->info = recording.info;
	past->is_started = true;
	past->before_ns = promcb_view_upto_ns(&past->history);
	past->gap = PROMCB_VIEW_GAP_STOPPED;
}

/* The segment's past, made if there is none; NULL: no memory. */
static struct past *past_of(struct sidecar_history *history, const char *name)
{
	size_t at = 0;
	char *copy;

	while (at < history->count && strcmp(history->pasts[at].name, name) < 0)
		at++;
	if (at < history->count && strcmp(history->pasts[at].name, name) == 0)
		return &history->pasts[at];
	copy = strdup(name);
	if (!copy)
		return NULL;
	make_room(history);
	for (at = 0; at < history->count && strcmp(history->pasts[at].name, name) < 0;)
		at++;
	memmove(&history->pasts[at + 1], &history->pasts[at], (history->count - at) * sizeof(history->pasts[0]));
	history->pasts[at] = (struct past){.name = copy};
	history->segments++;
	history->count++;
	remember(history, &history->pasts[at]);
	return &history->pasts[at];
}

/* -- Looking ------------------------------------------------------------------------------------------------------- */

static void begin_anew(struct past *past, const char *why)
{
	promcb_view_history_end(&past->history);
	sidecar_history_file_restart(&past->file);
	past->is_started = false;
	past->before_ns = 0;
	sidecar_log(SIDECAR_LOG_WARN, "history begins anew", "segment", past->name, "why", why, NULL);
}

/* Names that come and go are kept with their columns; not more of them than of those that are there. */
static void bound_names(const struct sidecar_history *history, struct past *past)
{
	size_t bytes = past->is_started ? promcb_view_component_bytes(&past->history) : 0, listed = 0;

	if (bytes <= history->options.bytes / 2)
		return;
	for (uint32_t i = 0; i < past->history.component_count; i++)
		listed += past->history.components[i].listed;
	if (listed < past->history.component_count / 2)
		begin_anew(past, "most of its components are gone");
}

static int take(struct past *past, const struct promcb_snapshot *snapshot)
{
	uint64_t monotonic_ns = promcb_snapshot_taken_monotonic_ns(snapshot);
	uint64_t taken_ns = promcb_snapshot_taken_ns(snapshot);
	uint64_t took_ns = past->before_monotonic_ns    ? monotonic_ns - past->before_monotonic_ns
			   : taken_ns > past->before_ns ? taken_ns - past->before_ns
							: 0;
	struct promcb_view_limits limits = promcb_view_default_limits;
	int result;

	promcb_snapshot_info(snapshot, &past->info);
	if (past->is_started && past->history.schema != past->info.schema)
		begin_anew(past, "the segment was recreated with other buckets");
	/* Else all that comes would end in that future, and be of the last seconds until it is there. */
	if (past->is_started && taken_ns + LATE_NS < promcb_view_upto_ns(&past->history))
		begin_anew(past, "the clock was set back");
	if (!past->is_started) {
		limits.bytes = 0;
		result = promcb_view_history_start(&past->history, past->info.schema, &limits);
		if (result < 0)
			return result;
		past->is_started = true;
	}
	/* One that was made since the last look has counted nothing that is not seen. */
	if (!past->before_ns && past->missed_ns && past->info.created * 1e9 >= (double)past->missed_ns)
		result = promcb_view_take(&past->history, snapshot, past->missed_ns,
					  monotonic_ns - past->missed_monotonic_ns, PROMCB_VIEW_GAP_NONE);
	else if (!past->before_ns)
		result = promcb_view_take_first(&past->history, snapshot);
	else
		result = promcb_view_take(&past->history, snapshot, past->before_ns, took_ns,
					  past->gap           ? past->gap
					  : took_ns > LATE_NS ? PROMCB_VIEW_GAP_STOPPED
							      : PROMCB_VIEW_GAP_NONE);
	if (result < 0)
		return result;
	past->before_ns = taken_ns;
	past->before_monotonic_ns = monotonic_ns;
	past->gap = PROMCB_VIEW_GAP_NONE;
	return 0;
}

static void take_or_miss(struct sidecar_history *history, const struct sidecar_segment *segment)
{
	struct past *past = past_of(history, segment->name);
	/* That of the last attempt, which may have been somebody else's meanwhile, and a good one. */
	int error = segment->snapshot ? 0 : segment->error < 0 ? segment->error : -EAGAIN;

	if (!past)
		return;
	past->is_listed = true;
	past->seen_ns = now_ns(CLOCK_MONOTONIC);
	if (segment->snapshot)
		error = take(past, segment->snapshot);
	past->is_up = error == 0;
	if (error == 0)
		bound_names(history, past);
	else
		snprintf(past->message.text, sizeof(past->message.text), "%s",
			 segment->message[0] ? segment->message : promcb_strerror(error));
	/* Without the time or memory for it there is one look less, and the next one has what this one has not. */
	if (error < 0 && error != -EAGAIN && error != -ETIMEDOUT && error != -ENOMEM)
		past->gap = PROMCB_VIEW_GAP_MISSING;
	/* What it had was counted, and not seen; what it counts from here on, is. */
	if (error == -ENOMEM && past->is_started)
		begin_anew(past, promcb_strerror(error));
	past->missed_ns = error == -ENOENT ? now_ns(CLOCK_REALTIME) : 0;
	past->missed_monotonic_ns = now_ns(CLOCK_MONOTONIC);
}

static void take_segment(void *context, const struct sidecar_segment *segment)
{
	struct sidecar_history *history = context;

	pthread_mutex_lock(&history->lock);
	take_or_miss(history, segment);
	pthread_mutex_unlock(&history->lock);
}

static size_t bytes_of(const struct sidecar_history *history)
{
	size_t bytes = 0;

	for (size_t i = 0; i < history->count; i++)
		bytes += history->pasts[i].is_started ? history->pasts[i].history.bytes : 0;
	return bytes;
}

/* The oldest of the largest, until all together are within the budget, or each has its share of it. */
static void keep_within_budget(struct sidecar_history *history)
{
	size_t most = history->options.bytes, share = history->count ? most / history->count : most;

	for (;;) {
		size_t bytes = bytes_of(history), before;
		struct past *largest = NULL;

		if (bytes <= most)
			return;
		for (size_t i = 0; i < history->count; i++) {
			struct past *past = &history->pasts[i];

			if (past->is_started && (!largest || past->history.bytes > largest->history.bytes))
				largest = past;
		}
		if (!largest)
			return;
		before = largest->history.bytes;
		promcb_view_trim(&largest->history, before > share + (bytes - most) ? before - (bytes - most) : share);
		if (largest->history.bytes == before)
			return;
	}
}

/* Looks at all segments, and publishes what was seen. */
static void look(struct sidecar_history *history)
{
	const struct sidecar_look look = {.flags = PROMCB_SNAPSHOT_WITHOUT_RECENT, .budget_ns = LOOK_NS};
	int result;

	pthread_mutex_lock(&history->lock);
	for (size_t i = 0; i < history->count; i++)
		history->pasts[i].is_listed = false;
	pthread_mutex_unlock(&history->lock);
	result = sidecar_bodies_look(history->options.bodies, &look, take_segment, history);
	pthread_mutex_lock(&history->lock);
	for (size_t i = 0; i < history->count && result == 0; i++)
		if (!history->pasts[i].is_listed) {
			history->pasts[i].is_up = false;
			history->pasts[i].gap = PROMCB_VIEW_GAP_MISSING;
			history->pasts[i].message = (struct promcb_message){.text = "it is not there any more"};
		}
	keep_within_budget(history);
	history->sequence++;
	pthread_mutex_unlock(&history->lock);
	/* Nobody else changes what is written: a disk that takes long is in the way of nobody who asks. */
	for (size_t i = 0; i < history->count; i++)
		if (history->pasts[i].is_up)
			sidecar_history_file_write(&history->pasts[i].file, &history->pasts[i].history,
						   history->pasts[i].name, &history->pasts[i].info);
}

/* Once a second of a clock that nobody sets; after one that took too long, not to catch up. */
static void *look_on(void *context)
{
	struct sidecar_history *history = context;
	uint64_t next_ns = now_ns(CLOCK_MONOTONIC);

	while (!promcb_load_relaxed(&history->stopping)) {
		uint64_t now = now_ns(CLOCK_MONOTONIC);

		if (now >= next_ns) {
			look(history);
			next_ns = now + TICK_NS - (now - next_ns) % TICK_NS;
			continue;
		}
		sem_clockwait(&history->wakes, CLOCK_MONOTONIC,
			      &(struct timespec){(time_t)(next_ns / 1000000000), (long)(next_ns % 1000000000)});
	}
	return NULL;
}

/* -- Calls of history.h -------------------------------------------------------------------------------------------- */

void sidecar_history_use(struct sidecar_history *history, uint64_t step_ns,
			 void (*use)(void *context, const struct promcb_view_sources *sources), void *context)
{
	struct promcb_view_source sources[PROMCB_SEGMENT_NAMES_MAX];
	char id[64];
	struct promcb_view_sources all = {
		.sources = sources,
		.id = id,
		.now_ns = now_ns(CLOCK_REALTIME),
		.tick_ns = TICK_NS,
		.bytes_max = history->options.bytes,
	};
	uint64_t newest_ns = 0;

	pthread_mutex_lock(&history->lock);
	all.count = history->count;
	all.bytes = bytes_of(history);
	for (size_t i = 0; i < history->count; i++) {
		const struct past *past = &history->pasts[i];
		uint64_t upto_ns = past->is_started ? promcb_view_upto_ns(&past->history) : 0;

		sources[i] = (struct promcb_view_source){past->name, past->is_started ? &past->history : NULL,
							 past->is_up ? &past->info : NULL, past->message.text};
		newest_ns = upto_ns > newest_ns ? upto_ns : newest_ns;
	}
	snprintf(id, sizeof(id), "%s.%llu.%llu%s", history->boot, (unsigned long long)history->segments,
		 (unsigned long long)(step_ns ? newest_ns / step_ns : history->sequence), step_ns ? "s" : "");
	use(context, &all);
	pthread_mutex_unlock(&history->lock);
}

int sidecar_history_start(const struct sidecar_history_options *options, struct sidecar_history **out)
{
	struct sidecar_history *history = calloc(1, sizeof(*history));
	uint64_t boot = now_ns(CLOCK_REALTIME);
	int result;

	if (!history)
		return -ENOMEM;
	if (getrandom(&boot, sizeof(boot), GRND_NONBLOCK) != sizeof(boot))
		boot = now_ns(CLOCK_REALTIME);
	history->options = *options;
	snprintf(history->boot, sizeof(history->boot), "%016llx", (unsigned long long)boot);
	pthread_mutex_init(&history->lock, NULL);
	sem_init(&history->wakes, 0, 0);
	result = -pthread_create(&history->thread, NULL, look_on, history);
	if (result < 0) {
		free(history);
		return result;
	}
	*out = history;
	return 0;
}

void sidecar_history_stop(struct sidecar_history *history)
{
	if (!history)
		return;
	promcb_store_relaxed(&history->stopping, 1);
	sem_post(&history->wakes);
	pthread_join(history->thread, NULL);
	while (history->count)
		drop(history, history->count - 1);
	sem_destroy(&history->wakes);
	pthread_mutex_destroy(&history->lock);
	free(history);
}

/* SPDX-License-Identifier: MIT */
#include "landing_past.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define KEPT_NS ((uint64_t)5000000000)
/* A past of less says little, one of more nothing of the present. */
#define YOUNGEST_NS ((uint64_t)1000000000)
#define OLDEST_NS ((uint64_t)600000000000)

struct sidecar_past_count {
	uint64_t key;
	uint64_t calls;
	uint64_t since_ns; /* another one where it was reset */
	uint64_t taken_ns; /* CLOCK_MONOTONIC */
};

struct sidecar_past {
	unsigned users; /* pages, and one for being the newest; by the lock */
	uint64_t taken_ns;
	struct sidecar_past_count *counts; /* by key */
	size_t count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sidecar_past *newest, *second;

/* FNV-1a, of both names with a zero between. */
static uint64_t key_of(const char *segment, const char *component)
{
	uint64_t key = 0xcbf29ce484222325;

	for (const char *at = segment; *at; at++)
		key = (key ^ (unsigned char)*at) * 0x100000001b3;
	key *= 0x100000001b3;
	for (const char *at = component; *at; at++)
		key = (key ^ (unsigned char)*at) * 0x100000001b3;
	return key;
}

static int compare(const void *one, const void *other)
{
	const struct sidecar_past_count *a = one, *b = other;

	return a->key < b->key ? -1 : a->key > b->key;
}

/* Called with the lock held. */
static void put(struct sidecar_past *past)
{
	if (!past || --past->users > 0)
		return;
	free(past->counts);
	free(past);
}

struct sidecar_past *sidecar_past_get(void)
{
	struct sidecar_past *past;
	struct timespec now;
	uint64_t now_ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	pthread_mutex_lock(&lock);
	past = newest && newest->taken_ns + YOUNGEST_NS > now_ns ? second : newest;
	if (past && past->taken_ns + OLDEST_NS < now_ns)
		past = NULL;
	if (past)
		past->users++;
	pthread_mutex_unlock(&lock);
	return past;
}

double sidecar_past_rate(struct sidecar_present *present, const char *segment, const struct promcb_snapshot *snapshot,
			 size_t index, const struct promcb_summary *summary)
{
	const struct sidecar_past_count *before = NULL;
	const struct sidecar_past_count count = {
		.key = key_of(segment, summary->name),
		.calls = summary->total_calls,
		.since_ns = promcb_snapshot_moment_ns(snapshot, index, PROMCB_MOMENT_SINCE),
		.taken_ns = promcb_snapshot_taken_monotonic_ns(snapshot),
	};

	if (present->used == present->size) {
		size_t size = present->size ? 2 * present->size : 64;
		struct sidecar_past_count *counts = realloc(present->counts, size * sizeof(*counts));

		/* Without memory, the next page knows less. */
		if (counts) {
			present->counts = counts;
			present->size = size;
		}
	}
	if (present->used < present->size)
		present->counts[present->used++] = count;
	if (present->past)
		before = bsearch(&count, present->past->counts, present->past->count, sizeof(count), compare);
	if (!before || before->since_ns != count.since_ns || before->calls > count.calls ||
	    before->taken_ns >= count.taken_ns)
		return (double)NAN;
	return (double)(count.calls - before->calls) * 1e9 / (double)(count.taken_ns - before->taken_ns);
}

void sidecar_past_keep(struct sidecar_present *present)
{
	struct sidecar_past *next = present->used ? malloc(sizeof(*next)) : NULL;

	if (next) {
		qsort(present->counts, present->used, sizeof(*present->counts), compare);
		*next = (struct sidecar_past){.users = 1, .counts = present->counts, .count = present->used};
		for (size_t i = 0; i < next->count; i++)
			if (next->counts[i].taken_ns > next->taken_ns)
				next->taken_ns = next->counts[i].taken_ns;
	} else {
		free(present->counts);
	}
	pthread_mutex_lock(&lock);
	put(present->past);
	if (next && (!newest || next->taken_ns >= newest->taken_ns + KEPT_NS)) {
		put(second);
		second = newest;
		newest = next;
	} else {
		put(next);
	}
	pthread_mutex_unlock(&lock);
	*present = (struct sidecar_present){.past = NULL};
}

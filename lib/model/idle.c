/* SPDX-License-Identifier: MIT */
/*
 * idle.c: what has not changed for so long that nobody wants to see it, as far as one reader knows.
 *
 * A reader keeps for each component and series a hash of its name and one of its numbers, and since when it has these.
 * What a component's own times say is believed as well, so that of most components one snapshot is enough.
 */
#include "base/cancel.h"
#include "base/hash.h"
#include "model/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t name;          /* 0: none */
	uint64_t numbers;
	int64_t since_ns;       /* CLOCK_MONOTONIC; below 0: before it began */
};

/* Open addressing, at most half full; made anew by each snapshot. */
struct promcb_idle {
	uint64_t identity[2];   /* of the segment */
	struct entry *entries;
	size_t size;            /* a power of two; 0: nothing is known */
};

struct promcb_idle *promcb_idle_new(void)
{
	PROMCB_NOT_CANCELLED;

	return calloc(1, sizeof(struct promcb_idle));
}

void promcb_idle_free(struct promcb_idle *idle)
{
	PROMCB_NOT_CANCELLED;

	if (idle)
		free(idle->entries);
	free(idle);
}

/* Where the name is, or would be. */
static struct entry *find(struct entry *entries, size_t size, uint64_t name)
{
	size_t at = name & (size - 1);

	while (entries[at].name && entries[at].name != name)
		at = (at + 1) & (size - 1);
	return &entries[at];
}

struct looking {
	const struct promcb_snapshot *snapshot;
	const struct promcb_idle *before;
	struct entry *entries;
	size_t size;
	uint64_t age_ns;
};

/*
 * Whether what has the name has had the numbers for so long. since_ns: CLOCK_MONOTONIC, since when it has them at most,
 * if nothing was known of it before.
 */
static bool is_old(struct looking *l, uint64_t name, uint64_t numbers, int64_t since_ns)
{
	int64_t now_ns = (int64_t)l->snapshot->monotonic_ns;
	const struct entry *known;

	name += !name;
	known = l->before->size ? find(l->before->entries, l->before->size, name) : NULL;
	if (known && known->name)
		since_ns = known->numbers == numbers ? known->since_ns : now_ns;
	*find(l->entries, l->size, name) = (struct entry){name, numbers, since_ns};
	/* Snapshots may come late, after one that was taken later. */
	return now_ns >= since_ns && (uint64_t)(now_ns - since_ns) >= l->age_ns;
}

/* -- Components ---------------------------------------------------------------------------------------------------- */

static uint64_t numbers_of_component(const struct promcb_snapshot *snapshot, const struct promcb_snapshot_component *c)
{
	uint64_t words[3 * PROMCB_OUTCOMES + PROMCB_LOG_LEVELS + PROMCB_STATES + 2];
	size_t count = 0;

	for (unsigned i = 0; i < PROMCB_OUTCOMES; i++) {
		words[count++] = c->counts.calls[i];
		words[count++] = c->counts.unmeasured[i];
		words[count++] = c->counts.latency_sum_ns[i];
	}
	for (unsigned i = 0; i < PROMCB_LOG_LEVELS; i++)
		words[count++] = c->counts.log_entries[i];
	for (unsigned i = 0; i < PROMCB_STATES; i++)
		words[count++] = c->counts.transitions[i];
	words[count++] = c->reset;
	words[count++] = c->state;
	return promcb_hash(snapshot->identity, words, count * sizeof(*words));
}

/* Since when it has its numbers, by what it says of itself: when log lines were counted, nothing says. */
static int64_t component_since(const struct promcb_snapshot *snapshot, const struct promcb_snapshot_component *c)
{
	const uint64_t moments[] = {c->since_ns, c->last_call_ns, c->last_failure_ns, c->last_state_change_ns};
	uint64_t latest_ns = 0, age_ns;

	if (!c->since_ns || (promcb_counts_calls(&c->counts) && !c->last_call_ns))
		return (int64_t)snapshot->monotonic_ns;
	for (unsigned i = 0; i < PROMCB_LOG_LEVELS; i++)
		if (c->counts.log_entries[i])
			return (int64_t)snapshot->monotonic_ns;
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++)
		latest_ns = moments[i] > latest_ns ? moments[i] : latest_ns;
	age_ns = snapshot->taken_ns > latest_ns ? snapshot->taken_ns - latest_ns : 0;
	return (int64_t)(snapshot->monotonic_ns - age_ns);
}

static void hide_components(struct promcb_snapshot *snapshot, struct looking *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < snapshot->count; i++) {
		const struct promcb_snapshot_component *c = &snapshot->components[i];
		uint64_t name = promcb_hash(snapshot->identity, c->name.text, strlen(c->name.text));
		bool old = is_old(l, name, numbers_of_component(snapshot, c), component_since(snapshot, c));

		/* What is open is of interest, however long. */
		if (!old || c->state != PROMCB_CLOSED)
			snapshot->components[kept++] = *c;
	}
	snapshot->count = kept;
}

/* -- Series -------------------------------------------------------------------------------------------------------- */

static uint64_t hash_texts(const uint64_t key[2], const char *texts, uint32_t count)
{
	const char *end = texts;

	for (uint32_t i = 0; i < count; i++)
		end = promcb_text_next(end);
	return promcb_hash(key, texts, (size_t)(end - texts));
}

/* Whether it may be hidden at all: of a level there must be nothing left, and what is set goes with its process. */
static bool can_hide(const struct promcb_snapshot_family *family, const uint64_t *cells)
{
	if (family->type == PROMCB_LEVEL)
		return cells[0] == 0;
	return family->type == PROMCB_COUNTER || family->type == PROMCB_HISTOGRAM;
}

static void hide_series(struct promcb_snapshot *snapshot, struct looking *l)
{
	struct promcb_metrics *metrics = snapshot->metrics;
	size_t kept = 0;

	for (size_t i = 0; metrics && i < metrics->family_count; i++) {
		struct promcb_snapshot_family *family = &metrics->families[i];
		/* A text cannot end in what a component's name hashes to: the key is another. */
		const uint64_t key[2] = {
			snapshot->identity[0] ^ promcb_hash(snapshot->identity, family->name, strlen(family->name)),
			~snapshot->identity[1] ^ hash_texts(snapshot->identity, family->label_names, family->labels)};
		size_t first = kept;

		for (size_t j = family->first; j < family->first + family->count; j++) {
			const struct promcb_snapshot_series *series = &metrics->series[j];
			const uint64_t *cells = metrics->cells + series->cell;
			bool old = is_old(l, hash_texts(key, series->values, family->labels),
					  promcb_hash(key, cells, family->width * sizeof(*cells)),
					  (int64_t)snapshot->monotonic_ns);

			if (!old || !can_hide(family, cells))
				metrics->series[kept++] = *series;
		}
		family->first = first;
		family->count = kept - first;
	}
	if (metrics)
		metrics->series_count = kept;
}

int promcb_snapshot_hide_idle(struct promcb_snapshot *snapshot, struct promcb_idle *idle, uint64_t age_ns)
{
	PROMCB_NOT_CANCELLED;
	struct looking l = {.snapshot = snapshot, .before = idle, .age_ns = age_ns, .size = 16};
	size_t count = snapshot->count + (snapshot->metrics ? snapshot->metrics->series_count : 0);

	if (snapshot->is_difference)
		return -EINVAL;
	while (l.size < 2 * count)
		l.size *= 2;
	l.entries = calloc(l.size, sizeof(*l.entries));
	if (!l.entries)
		return -ENOMEM;
	/* Of another segment nothing is known. */
	if (memcmp(idle->identity, snapshot->identity, sizeof(idle->identity)) != 0)
		idle->size = 0;
	hide_components(snapshot, &l);
	hide_series(snapshot, &l);
	free(idle->entries);
	idle->entries = l.entries;
	idle->size = l.size;
	memcpy(idle->identity, snapshot->identity, sizeof(idle->identity));
	return 0;
}

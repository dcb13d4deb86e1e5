/* SPDX-License-Identifier: MIT */
#include "record/remove.h"

#include "base/clock.h"
#include "base/hash.h"
#include "record/known.h"

#include <promcb/inject.h>

#include <errno.h>

/* How often a copy is read until twice the same was found: its owner may be in the middle of an observation. */
enum { READS_MAX = 8, ROUNDS_MAX = 1000 };

struct subject {
	struct promcb_segment *segment;
	struct promcb_series_record *series;
	struct promcb_family_record *family;
	uint32_t cell, width;
	uint32_t doubles_from;          /* cells from this one on are doubles */
	bool is_set;                    /* not added to: a gauge or an info */
	bool is_overflow;               /* what the family's other series have no room for: listed if it has a number */
};

static bool describe(struct subject *s, struct promcb_segment *segment, uint32_t place)
{
	*s = (struct subject){.segment = segment};
	s->series = promcb_segment_piece(segment, place, PROMCB_PIECE_SERIES, 0);
	s->family = s->series ? promcb_segment_piece(segment, promcb_load32_relaxed(&s->series->family),
						     PROMCB_PIECE_FAMILY, 0)
			      : NULL;
	/* A breaker goes on in its row: nobody is to begin it anew. */
	if (!s->family || s->family->type == PROMCB_FAMILY_BREAKERS)
		return false;
	s->cell = promcb_load32_relaxed(&s->series->cell);
	s->width = promcb_load32_relaxed(&s->family->width);
	s->is_set = s->family->type == PROMCB_GAUGE || s->family->type == PROMCB_INFO;
	s->is_overflow = promcb_load32_relaxed(&s->family->overflow) == place;
	s->doubles_from = s->width;
	if (s->family->flags & PROMCB_FAMILY_DOUBLES)
		s->doubles_from = s->family->type == PROMCB_HISTOGRAM ? s->width - 1 : 0;
	/* Nobody is led further than the rows of so many cells: see row.h. */
	return s->width > 0 && s->width <= PROMCB_WIDTH_MAX;
}

/* -- What stands in the cells -------------------------------------------------------------------------------------- */

static void add_copy(const struct subject *s, const uint64_t *words, uint64_t *sums)
{
	uint64_t copy[PROMCB_WIDTH_MAX] = {0};
	bool changed = true;

	for (uint32_t read = 0; changed && read < READS_MAX; read++) {
		changed = read == 0;
		for (uint32_t i = 0; i < s->width; i++) {
			uint64_t word = promcb_load_relaxed(words + i);

			changed = changed || word != copy[i];
			copy[i] = word;
		}
	}
	for (uint32_t i = 0; i < s->width; i++)
		sums[i] = i < s->doubles_from
				  ? sums[i] + copy[i]
				  : promcb_double_bits(promcb_bits_double(sums[i]) + promcb_bits_double(copy[i]));
}

/* In the order in which readers add: doubles are the same to the last bit. */
static void add_up(const struct subject *s, uint64_t *sums)
{
	const uint64_t *words = promcb_row_shared(s->segment, s->cell, s->width);

	if (words)
		add_copy(s, words, sums);
	for (uint32_t lane = 0; lane < s->segment->geometry.lanes; lane++) {
		/* [LANE] acquire: used before the rest. */
		if (!promcb_load_acquire(&promcb_segment_lane(s->segment, lane)->used))
			continue;
		words = promcb_row_of_lane(s->segment, lane, s->cell, s->width);
		if (words)
			add_copy(s, words, sums);
	}
}

/* Whether the series has a number that is not 0: something was counted since it was removed, if it was. */
static bool has_counted(const struct subject *s, uint64_t life, const uint64_t *sums)
{
	const uint64_t *words =
		promcb_life_began_ns(life)
			? promcb_row_baseline(s->segment, NULL, promcb_life_baseline(life), s->cell, s->width)
			: NULL;

	for (uint32_t i = 0; i < s->width; i++)
		if ((words ? promcb_load_relaxed(words + i) : 0) != sums[i])
			return true;
	return false;
}

/* -- Gauges -------------------------------------------------------------------------------------------------------- */

/* What this process has set; or, of the segment, what anybody has. */
static void clear(const struct subject *s)
{
	struct promcb_lane_lease *home = promcb_home_former(s->segment);
	uint64_t *words;

	if (s->family->type == PROMCB_GAUGE && s->family->scope == PROMCB_SCOPE_SEGMENT) {
		words = promcb_row_shared(s->segment, s->cell, s->width);
		if (words)
			promcb_store_relaxed(words, 0);
		return;
	}
	words = home ? promcb_row_live_find(home, s->cell, s->width) : NULL;
	if (words)
		promcb_store_relaxed(words, 0);
}

/* -- Readers are told --------------------------------------------------------------------------------------- */

/* That a life changes from now on. Who died in the middle of one has left it odd. */
static void begin_change(struct promcb_segment *segment)
{
	uint64_t *removals = &promcb_segment_header(segment)->removals, before = promcb_load_relaxed(removals);

	promcb_store_relaxed(removals, (before | 1) + (before & 1) * 2);
	PROMCB_INJECT("remove: begun");
}

/* That it has. */
static void end_change(struct promcb_segment *segment)
{
	uint64_t *removals = &promcb_segment_header(segment)->removals;

	/* [LIFE] release: the life before it. */
	promcb_store_release(removals, promcb_load_relaxed(removals) + 1);
}

/* -- Idle series --------------------------------------------------------------------------------------------------- */

/*
 * Whether the series has the numbers that were noted, at least idle_ns ago. If they are others, they are noted now: the
 * time first, so that a death between the two makes it idle later, and never too early.
 */
static bool is_idle(const struct subject *s, uint64_t life, const uint64_t *sums, uint64_t idle_ns)
{
	uint64_t noted = promcb_hash(s->segment->identity, sums, s->width * sizeof(*sums));
	uint64_t now_ns = promcb_clock_realtime_ns(), since_ns = promcb_load_relaxed(&s->series->noted_ns);

	if (since_ns && since_ns <= now_ns && promcb_load_relaxed(&s->series->noted) == noted)
		return now_ns - since_ns >= idle_ns && (s->family->type != PROMCB_LEVEL || !has_counted(s, life, sums));
	promcb_store_relaxed(&s->series->noted_ns, now_ns);
	PROMCB_INJECT("remove: time noted");
	/* For a death in between. Who looks next has the resetter's lane after us. */
	promcb_signal_fence();
	promcb_store_relaxed(&s->series->noted, noted);
	return false;
}

/* -- Removal ------------------------------------------------------------------------------------------------------- */

/* Fills the baseline of the next life, with what stands there now. */
static int fill(const struct subject *s, struct promcb_lane_lease *lease, uint64_t life, uint64_t next,
		const uint64_t *idle_ns)
{
	uint64_t sums[PROMCB_WIDTH_MAX] = {0};
	uint64_t *words;

	add_up(s, sums);
	if ((life & PROMCB_LIFE_HIDDEN || s->is_overflow) && !has_counted(s, life, sums))
		return -ENOENT;
	if (idle_ns && !is_idle(s, life, sums, *idle_ns))
		return -EAGAIN;
	words = promcb_row_baseline(s->segment, lease, promcb_life_baseline(next), s->cell, s->width);
	if (!words)
		return -ENOSPC;
	PROMCB_INJECT("remove: carved");
	for (uint32_t i = 0; i < s->width; i++)
		/* [LIFE] release: the life that does not subtract it, before it changes. */
		promcb_store_release(words + i, sums[i]);
	PROMCB_INJECT("remove: filled");
	return 0;
}

int promcb_remove_at(struct promcb_lane_lease *lease, uint32_t place, const uint64_t *idle_ns)
{
	uint64_t life, next;
	uint32_t round = 0;
	struct subject s;
	int result = 0;

	if (!describe(&s, lease->segment, place))
		return -ENOENT;
	/* [LIFE] acquire: the life before the cells. Whoever else changes it does not change which baseline counts. */
	life = promcb_load_acquire(&s.series->life);
	next = promcb_life_next(life, promcb_clock_realtime_ns());
	if (s.is_set && idle_ns) {
		result = -EAGAIN;
	} else if (s.is_set) {
		clear(&s);
		result = life & PROMCB_LIFE_HIDDEN ? -ENOENT : 0;
	} else {
		result = fill(&s, lease, life, next, idle_ns);
	}
	if (result < 0)
		return result;
	/* What the next life has was never noted, though it may be the same: whoever asks for it anew gets its time. */
	promcb_store_relaxed(&s.series->noted_ns, 0);
	begin_change(s.segment);
	/* [LIFE] release: the baseline, and that there is a change, before the life that subtracts it. */
	while (!promcb_cas_acq_rel(&s.series->life, life, next) && ++round < ROUNDS_MAX)
		life = promcb_load_acquire(&s.series->life);
	PROMCB_INJECT("remove: published");
	if (round < ROUNDS_MAX && life & PROMCB_LIFE_PLACED)
		promcb_add_relaxed(&s.family->series, UINT64_MAX);
	PROMCB_INJECT("remove: place given back");
	end_change(s.segment);
	return round < ROUNDS_MAX ? 0 : -EBUSY;
}

int promcb_remove_each(struct promcb_lane_lease *lease, const struct promcb_saved_state *way,
		       promcb_remove_visit *visit, void *context)
{
	struct promcb_segment *segment = lease->segment;
	struct promcb_metrics_root *root = promcb_segment_root(segment);
	int result = 0;

	for (uint32_t page = 0; root && page < PROMCB_TABLE_PAGES; page++) {
		/* [PIECE] acquire: the page's place before the page. */
		const uint64_t *words = promcb_segment_piece(segment, promcb_load32_acquire(&root->tables[page]),
							     PROMCB_PIECE_TABLE, PROMCB_PART_LINES);

		for (uint32_t slot = 1; words && slot < PROMCB_TABLE_WORDS && result >= 0; slot++) {
			/* [PIECE] acquire: the word before the record that it leads to. */
			uint32_t place = promcb_slot_place(promcb_load_acquire(words + slot));

			if (!place || !promcb_segment_piece(segment, place, PROMCB_PIECE_SERIES, 0))
				continue;
			result = visit(lease, place, context);
			promcb_process_let_others(way);
		}
	}
	return result;
}

/* -- By families --------------------------------------------------------------------------------------------------- */

static int begin(struct promcb_metric_family *family, struct promcb_lane_lease *lease, struct promcb_saved_state *way,
		 uint32_t *place)
{
	int64_t its;
	int result;

	if (!family || !family->at.session)
		return -EINVAL;
	result = promcb_resetter_take(family->at.session, lease, way);
	if (result < 0)
		return result;
	its = promcb_known_place(family, NULL, NULL);
	if (its < 0) {
		promcb_resetter_give(lease, way);
		return (int)its;
	}
	*place = (uint32_t)its;
	return 0;
}

int promcb_series_remove(struct promcb_metric_family *family, const char *const *values, const size_t *lengths,
			 size_t count)
{
	PROMCB_NOT_CANCELLED;
	struct promcb_lane_lease lease = {.segment = NULL};
	struct promcb_series_found found;
	struct promcb_saved_state way;
	struct promcb_values apart;
	char key[PROMCB_KEY_BYTES_MAX];
	uint32_t place = 0;
	int bytes, result;

	if (!family || !family->at.session)
		return -EINVAL;
	bytes = promcb_known_key(family, values, lengths, count, key);
	if (bytes < 0)
		return bytes;
	result = begin(family, &lease, &way, &place);
	if (result < 0)
		return result;
	promcb_known_values(key, (size_t)bytes, &apart);
	result = promcb_series_find(lease.segment, place, apart.text, apart.lengths, family->labels, &found)
			 ? promcb_remove_at(&lease, found.place, NULL)
			 : -ENOENT;
	promcb_resetter_give(&lease, &way);
	return result;
}

/* context: the place of a family. */
static int remove_if_its(struct promcb_lane_lease *lease, uint32_t place, void *context)
{
	const struct promcb_series_record *series = promcb_segment_piece(lease->segment, place, PROMCB_PIECE_SERIES, 0);
	int result = 0;

	if (series && promcb_load32_relaxed(&series->family) == *(const uint32_t *)context)
		result = promcb_remove_at(lease, place, NULL);
	return result == -ENOENT ? 0 : result;
}

int promcb_family_clear(struct promcb_metric_family *family)
{
	PROMCB_NOT_CANCELLED;
	struct promcb_lane_lease lease = {.segment = NULL};
	struct promcb_saved_state way;
	uint32_t place = 0;
	int result = begin(family, &lease, &way, &place);

	if (result < 0)
		return result;
	result = promcb_remove_each(&lease, &way, remove_if_its, &place);
	promcb_resetter_give(&lease, &way);
	return result;
}

/* -- By age -------------------------------------------------------------------------------------------------------- */

struct idle {
	uint64_t age_ns;
	uint64_t removed;
};

/* context: struct idle. */
static int remove_if_idle(struct promcb_lane_lease *lease, uint32_t place, void *context)
{
	struct idle *idle = context;
	int result = promcb_remove_at(lease, place, &idle->age_ns);

	idle->removed += result == 0;
	return result == -ENOENT || result == -EAGAIN ? 0 : result;
}

int promcb_series_remove_idle(struct promcb_session *p, uint64_t age_ns, uint64_t *removed)
{
	PROMCB_NOT_CANCELLED;
	struct promcb_lane_lease lease = {.segment = NULL};
	struct idle idle = {.age_ns = age_ns};
	struct promcb_saved_state way;
	int result = p ? promcb_resetter_take(p, &lease, &way) : -EINVAL;

	if (result == 0) {
		result = promcb_remove_each(&lease, &way, remove_if_idle, &idle);
		promcb_resetter_give(&lease, &way);
	}
	if (removed)
		*removed = idle.removed;
	return result;
}

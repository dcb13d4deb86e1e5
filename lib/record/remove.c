/* SPDX-License-Identifier: MIT */
#include "record/remove.h"

#include "base/clock.h"
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
};

static bool describe(struct subject *s, struct promcb_segment *segment, uint32_t place)
{
	*s = (struct subject){.segment = segment};
	s->series = promcb_segment_piece(segment, place, PROMCB_PIECE_SERIES, 0);
	s->family = s->series ? promcb_segment_piece(segment, promcb_load32_relaxed(&s->series->family),
						     PROMCB_PIECE_FAMILY, 0)
			      : NULL;
	if (!s->family)
		return false;
	s->cell = promcb_load32_relaxed(&s->series->cell);
	s->width = promcb_load32_relaxed(&s->family->width);
	s->is_set = s->family->type == PROMCB_GAUGE || s->family->type == PROMCB_INFO;
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

/* Whether something was counted since the series was removed. */
static bool has_counted(const struct subject *s, uint64_t life, const uint64_t *sums)
{
	const uint64_t *words = promcb_row_baseline(s->segment, NULL, promcb_life_baseline(life), s->cell, s->width);

	for (uint32_t i = 0; words && i < s->width; i++)
		if (promcb_load_relaxed(words + i) != sums[i])
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

/* -- Removal ------------------------------------------------------------------------------------------------------- */

/* Fills the baseline of the next life, with what stands there now. */
static int fill(const struct subject *s, struct promcb_lane_lease *lease, uint64_t life, uint64_t next)
{
	uint64_t sums[PROMCB_WIDTH_MAX] = {0};
	uint64_t *words;

	add_up(s, sums);
	if (life & PROMCB_LIFE_HIDDEN && !has_counted(s, life, sums))
		return -ENOENT;
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

int promcb_remove_at(struct promcb_lane_lease *lease, uint32_t place)
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
	if (s.is_set) {
		clear(&s);
		result = life & PROMCB_LIFE_HIDDEN ? -ENOENT : 0;
	} else {
		result = fill(&s, lease, life, next);
	}
	if (result < 0)
		return result;
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
			 ? promcb_remove_at(&lease, found.place)
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
		result = promcb_remove_at(lease, place);
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

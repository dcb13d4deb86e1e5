/* SPDX-License-Identifier: MIT */
/*
 * read_removal: while a reader is at a named point, a series is added to and removed, once, or twice, so that the
 * baseline which the reader subtracts is filled again, or for the first time.
 *
 * Invariants, whatever the point, in both ways of reading
 *   - The series is not listed, or shows what one of its lives had at some moment of the scrape: never less than
 *     nothing, and never what was in none.
 *   - A series beside it, in the same rows, shows its number.
 */
#include "../stress/series.h"

#include <promcb/inject.h>

enum { POINTS_MAX = 64, POINT_BYTES = 48 };

static char points[POINTS_MAX][POINT_BYTES];
static unsigned point_count;
static const char *at_point;
static unsigned passage, passed, removals;
static bool watching, collecting;
static struct promcb_metric_family *family, *reals;
static struct promcb_counter *counter, *beside, *real;
static uint64_t lives;

/* Each life is told from others by how much it has: a power of 4. */
static void live(unsigned number)
{
	promcb_counter_add(counter, (uint64_t)1 << 2 * number);
	promcb_counter_add_double(real, (double)((uint64_t)1 << 2 * number));
}

static void remove_both(void)
{
	CHECK(promcb_series_remove(family, VALUES("a"), NULL, 0) == 0, "remove");
	CHECK(promcb_series_remove(reals, VALUES("a"), NULL, 0) == 0, "remove");
}

void promcb_inject(const char *point)
{
	if (!watching)
		return;
	if (collecting) {
		unsigned i = 0;

		while (i < point_count && strcmp(points[i], point) != 0)
			i++;
		CHECK(i < POINTS_MAX, "too many points");
		if (i == point_count)
			snprintf(points[point_count++], POINT_BYTES, "%s", point);
	}
	if (!at_point || strcmp(at_point, point) != 0 || ++passed != passage)
		return;
	watching = false;
	for (unsigned i = 0; i < removals; i++) {
		remove_both();
		live((unsigned)++lives);
	}
	watching = true;
}

/* Whether it is the number of a life, that it has from its beginning. */
static bool is_of_a_life(uint64_t number, uint64_t from, uint64_t to)
{
	for (uint64_t life = from; life <= to; life++)
		if (number == (uint64_t)1 << 2 * life)
			return true;
	/* At the moment of a removal. */
	return number == 0;
}

static void check_scrape(enum promcb_access access, unsigned before)
{
	uint64_t first, number;
	struct promcb_snapshot *snapshot;
	const uint64_t *cells;
	double as_real;

	promcb_remove(stress_segment, true, NULL);
	struct promcb_session *metrics = stress_open(NULL);

	family = series_family(metrics, (struct promcb_family_spec){
						.name = "a_total", .type = PROMCB_COUNTER, .labels = VALUES("who")});
	reals = series_family(metrics, (struct promcb_family_spec){.name = "b_total",
								   .type = PROMCB_COUNTER,
								   .labels = VALUES("who"),
								   .flags = PROMCB_DOUBLES});
	counter = series_counter(family, VALUES("a"));
	beside = series_counter(family, VALUES("b"));
	real = series_counter(reals, VALUES("a"));
	promcb_counter_add(beside, 77);
	lives = 0;
	live(0);
	for (unsigned i = 0; i < before; i++) {
		remove_both();
		live((unsigned)++lives);
	}
	first = lives;
	passed = 0;
	watching = true;
	snapshot = stress_snapshot(access);
	watching = false;
	cells = series_cells(snapshot, "a_total", "a");
	number = cells ? *cells : 0;
	CHECK(is_of_a_life(number, first, lives), "\"%s\" %u, %u removals: %#llx", at_point ? at_point : "", passage,
	      removals, (unsigned long long)number);
	cells = series_cells(snapshot, "b_total", "a");
	as_real = cells ? promcb_bits_double(*cells) : 0;
	CHECK(as_real >= 0 && is_of_a_life((uint64_t)as_real, first, lives), "\"%s\" %u: doubles: %f",
	      at_point ? at_point : "", passage, as_real);
	cells = series_cells(snapshot, "a_total", "b");
	CHECK(cells && *cells == 77, "\"%s\": the series beside it", at_point ? at_point : "");
	promcb_snapshot_free(snapshot);
	CHECK(series_total("a_total", "a", 0) == (uint64_t)1 << 2 * lives, "the scrape after it");
	promcb_close(metrics);
}

int main(void)
{
	unsigned tried = 0;

	stress_begin("read-removal");
	collecting = true;
	check_scrape(PROMCB_ACCESS_COPY, 1);
	collecting = false;
	CHECK(point_count >= 4, "only %u points were passed", point_count);
	for (unsigned i = 0; i < point_count; i++)
		for (unsigned way = 0; way < 2; way++)
			for (unsigned before = 0; before < 3; before++)
				for (removals = 1; removals < 4; removals++)
					for (passage = 1; passage < 6; passage++) {
						at_point = points[i];
						check_scrape(way ? PROMCB_ACCESS_MAPPED : PROMCB_ACCESS_COPY, before);
						tried++;
					}
	printf("%u points, %u scrapes: each shows a life as it was\n", point_count, tried);
	stress_remove();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * read_points: between any two steps of a scrape (inject.h), a component is called, its state changes, and it is reset.
 *
 * Invariants, whatever the point, in both ways of reading, for a component that has counted up to then and for one
 * that was just reset:
 *   - The scrape is a moment before the reset, or one after: the calls of the one, or none; never a difference of the
 *     two, which would wrap.
 *   - So are the changes of state.
 */
#include "../stress/stress.h"

#include <promcb/inject.h>

enum { POINTS_MAX = 16, NEVER = POINTS_MAX + 1, CALLS = 3 };

static struct promcb_session *metrics;
static struct promcb_component *component;

/* Each time that a scrape passes a point counts: another component may come first. */
static const char *points[POINTS_MAX];
static unsigned passed;
static unsigned awaited = NEVER;

static void call_and_change(void)
{
	for (unsigned k = 0; k < CALLS; k++)
		promcb_record(component, 1000, true);
	CHECK(promcb_set_state(component, PROMCB_OPEN) == 0, "state");
	CHECK(promcb_set_state(component, PROMCB_CLOSED) == 0, "state");
}

void promcb_inject(const char *point)
{
	unsigned now = passed;

	if (strncmp(point, "image: ", 7) != 0)
		return;
	if (passed < POINTS_MAX)
		points[passed++] = point;
	if (now != awaited)
		return;
	awaited = NEVER;
	call_and_change();
	CHECK(promcb_reset(metrics, "read") == 0, "reset");
}

/* What a scrape finds while all that happens at the nth point that it passes. calls: what stands there before. */
static void scrape(unsigned nth, enum promcb_access access, uint64_t calls)
{
	awaited = nth;
	passed = 0;
	struct promcb_snapshot *snapshot = stress_snapshot(access);
	const struct promcb_snapshot_component *found = stress_find(snapshot, "read");
	uint64_t changes = calls / CALLS, is = found ? found->counts.calls[0] : 0;
	const char *point = nth < passed ? points[nth] : "no point";

	CHECK(awaited == NEVER || nth == NEVER, "point %u was not passed", nth);
	/* After the reset it has nothing to say, and is not listed. */
	if (found) {
		CHECK(is == calls || is == calls + CALLS, "at \"%s\": %llu calls, expected %llu", point,
		      (unsigned long long)is, (unsigned long long)calls);
		for (unsigned state = PROMCB_CLOSED; state <= PROMCB_OPEN; state++)
			CHECK(found->counts.transitions[state] <= changes + 1, "at \"%s\": %llu changes into %s", point,
			      (unsigned long long)found->counts.transitions[state], promcb_state_name(state));
	}
	promcb_snapshot_free(snapshot);
}

int main(void)
{
	unsigned tried = 0, count;

	stress_begin("read-points");
	metrics = stress_open(NULL);
	component = stress_component(metrics, "read");
	/* The points of a component that was reset before. */
	CHECK(promcb_reset(metrics, "read") == 0, "reset");
	scrape(NEVER, PROMCB_ACCESS_COPY, 0);
	count = passed;
	CHECK(count >= 3 && count < POINTS_MAX, "%u points were passed", count);
	for (unsigned i = 0; i < count; i++)
		for (unsigned access = PROMCB_ACCESS_COPY; access <= PROMCB_ACCESS_MAPPED; access++)
			for (uint64_t calls = 0; calls <= CALLS; calls += CALLS, tried++) {
				if (calls)
					call_and_change();
				scrape(i, access, calls);
				CHECK(promcb_reset(metrics, "read") == 0, "reset");
			}
	stress_check_segment();
	stress_remove();
	printf("%u points, %u scrapes beside a reset: each before it or after\n", count, tried);
	return 0;
}

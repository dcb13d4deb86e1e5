/* SPDX-License-Identifier: MIT */
#include "record/home.h"

#include "base/clock.h"

#include <promcb/inject.h>

#define HOME_RETRY_NS ((uint64_t)100000000)

struct home {
	uint64_t cookie;        /* of the process; another's: there is none */
	bool locked;            /* the live copy has its lock */
	bool begun;             /* it counts */
	uint64_t retry_ns;      /* CLOCK_MONOTONIC: it could not be had; not before */
	struct promcb_lane_lease lease;
};

/* By slot. In ordinary memory: a child that inherits it has another cookie. */
static struct home homes[PROMCB_SEGMENTS_MAX];

/* By slot, for guests: of a home whose live copy counts, its lane, and above it the cookie's bits. 0: none. [HOME] */
static uint64_t living[PROMCB_SEGMENTS_MAX];

enum { LIVING_LANE_BITS = 16 };

_Static_assert(PROMCB_LANES_MAX < 1 << LIVING_LANE_BITS, "a lane fits below the cookie's bits");

static struct home *home_of(const struct promcb_segment *segment)
{
	return &homes[promcb_attachment_of(segment)->slot];
}

static bool is_ours(const struct home *home)
{
	return home->cookie == promcb_process->cookie && home->lease.lane;
}

/* Takes a lane for the home, and what makes its live copy count. Returns whether there are both. */
static bool take(struct promcb_segment *segment, struct home *home)
{
	if (!is_ours(home)) {
		*home = (struct home){.cookie = promcb_process->cookie};
		if (promcb_lane_take(segment, &home->lease) < 0)
			return false;
	}
	PROMCB_INJECT("home: lane taken");
	promcb_row_begin_live(&home->lease);
	home->locked = home->locked || promcb_lock_take_live(segment, home->lease.lane - 1) == 0;
	PROMCB_INJECT("home: locked");
	return home->locked;
}

struct promcb_lane_lease *promcb_home(struct promcb_segment *segment)
{
	struct home *home = home_of(segment);
	uint64_t now_ns;

	if (is_ours(home) && home->begun)
		return &home->lease;
	now_ns = promcb_clock_monotonic_coarse_ns();
	/* Not as threads' lanes are waited for: a stranger may lock what this needs, and no lane. */
	if (home->cookie == promcb_process->cookie && now_ns < home->retry_ns)
		return NULL;
	home->begun = take(segment, home);
	if (!home->begun) {
		home->retry_ns = now_ns + HOME_RETRY_NS;
		return NULL;
	}
	/* [HOME] release: the live copy emptied, before anybody is led there. */
	promcb_store_release(&living[home - homes],
			     home->cookie >> LIVING_LANE_BITS << LIVING_LANE_BITS | home->lease.lane);
	return &home->lease;
}

uint64_t *promcb_home_glance(struct promcb_segment *segment, uint32_t cell, uint32_t width)
{
	/* [HOME] acquire: before its live copy. */
	uint64_t word = promcb_load_acquire(&living[promcb_attachment_of(segment)->slot]);
	struct promcb_lane_lease lease = {.segment = segment, .lane = word & ((1u << LIVING_LANE_BITS) - 1)};

	if (!lease.lane || (word ^ promcb_process->cookie) >> LIVING_LANE_BITS)
		return NULL;
	return promcb_row_live_find(&lease, cell, width);
}

struct promcb_lane_lease *promcb_home_former(struct promcb_segment *segment)
{
	struct home *home = home_of(segment);

	return is_ours(home) ? &home->lease : NULL;
}

void promcb_home_leave(struct promcb_segment *segment)
{
	struct home *home = home_of(segment);

	if (is_ours(home) && home->begun)
		promcb_row_end_live(&home->lease);
	PROMCB_INJECT("home: left");
	home->begun = false;
	promcb_store_relaxed(&living[home - homes], 0);
}

void promcb_home_forget(const struct promcb_segment *segment)
{
	struct home *home = home_of(segment);

	*home = (struct home){.cookie = 0};
	promcb_store_relaxed(&living[home - homes], 0);
}

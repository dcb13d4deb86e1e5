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
	if (home->begun)
		return &home->lease;
	home->retry_ns = now_ns + HOME_RETRY_NS;
	return NULL;
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
}

void promcb_home_forget(const struct promcb_segment *segment)
{
	*home_of(segment) = (struct home){.cookie = 0};
}

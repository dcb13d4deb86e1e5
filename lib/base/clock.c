/* SPDX-License-Identifier: MIT */
/*
 * clock.c: see clock.h.
 *
 * The TSC is turned into nanoseconds by one anchor of the process: a moment on both clocks, and nanoseconds per tick.
 * There is no sleep to calibrate: the first token notes a moment, and the first one that comes 10 ms later has the
 * rate. Until then, and whenever anything is odd, CLOCK_MONOTONIC itself is read: rather slow than wrong.
 *
 *   FRESH --> WARMING --> TSC --> TSC    a new anchor about once a second
 *     |        |   ^       |
 *     v        v   |       v
 *   PLAIN <----+   +-------+             the clocks went apart (suspend, migration, a strong slew): measure again, or
 *     ^                    |             stay with CLOCK_MONOTONIC for good: no TSC, no longer the kernel's choice, or
 *     +--------------------+             an absurd rate
 *
 * Each arrow passes through BUSY, held by one thread.
 *
 * Invariants
 *   - The anchor's words change only while state is BUSY; state is never twice the same. So an anchor whose reader
 *     finds the same state before and after is one anchor [ANCHOR].
 *   - Nobody waits for BUSY. Whoever meets it, a signal handler that interrupted its holder included, reads
 *     CLOCK_MONOTONIC. A child forked while another thread held it (microseconds once, then nanoseconds a second) does
 *     so for good.
 *   - Once multiplier is not 0 it is sane, at every instruction: a TSC token can always be turned into nanoseconds.
 *   - errno stays as it was.
 *
 * [ANCHOR] the writer claims BUSY by compare-and-swap, stores the words with release, then state with release; the
 * reader loads state with acquire, the words with acquire, then state again. A reader that got a word of a later writer
 * therefore sees that writer's BUSY, or what came after, in its second look.
 *
 * PR_SET_TSC belongs to a thread. It is asked about once, in the first thread to get here: a thread that forbids itself
 * the TSC forbids itself the kernel's own clock_gettime() too, which reads it in user space.
 */
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <promcb/atomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CLOCKSOURCE_PATH "/sys/devices/system/clocksource/clocksource0/current_clocksource"

#define TSC_TOKEN ((uint64_t)1 << 63)

/* The low bits of timebase.state. Above them a count, so that no state comes twice. Static memory is FRESH. */
enum {
	CLOCK_FRESH = 0,
	CLOCK_TSC = 1, /* the only odd one */
	CLOCK_BUSY = 2,
	CLOCK_WARMING = 4,
	CLOCK_PLAIN = 6,
	CLOCK_PHASE = 7,
	CLOCK_COUNT = 8,
};

/* Nanoseconds per tick, times 2^28: then ticks below 2^31 times the largest rate stay below 2^64. */
#define RATE_BITS 28
#define RATE_ONE ((double)((uint64_t)1 << RATE_BITS))
#define RATE_MIN 0.05
#define RATE_MAX 20.0

/* The fast path's anchors and intervals are below 2^31 ticks, which is below a second on most machines. */
#define FAST_TICKS_BITS 31

#define WARMING_NS 10000000

/* A longer first interval may hide a suspend, in which the TSC may run on and CLOCK_MONOTONIC does not. */
#define WARMING_MAX_NS 1000000000

/* The two clocks may come apart by NTP's 500 ppm, by what the brackets add, and a little; more is another matter. */
#define APART_PARTS 512
#define APART_NS 50000

/* Ticks between the two readings of the TSC around one of CLOCK_MONOTONIC; longer means that something came between. */
#define BRACKET_TICKS 4096
#define BRACKET_TRIES 8

static struct {
	uint64_t state;
	uint64_t anchor_tsc;
	uint64_t anchor_ns;
	uint64_t multiplier; /* 0: the TSC was never used */
} timebase __attribute__((aligned(64)));

/* One moment on both clocks. */
struct moment {
	uint64_t tsc;
	uint64_t ns;
	bool exact;
};

static uint64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t promcb_clock_monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t promcb_clock_monotonic_coarse_ns(void)
{
	return read_clock(CLOCK_MONOTONIC_COARSE);
}

uint64_t promcb_clock_realtime_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t promcb_clock_realtime_coarse_ns(void)
{
	return read_clock(CLOCK_REALTIME_COARSE);
}

/* Bit 63 of the TSC itself is clear for some 90 years of uptime. */
static inline uint64_t read_tsc(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

/*
 * Whether the kernel keeps time by the TSC, and lets user space read it. That the CPU calls it invariant is not enough,
 * in guests and after migration. By syscall(2), since libc's open and read are points where a thread can be cancelled.
 */
static bool tsc_usable(const char *clocksource_path)
{
	bool usable = false;
#if defined(__x86_64__)
	char name[16];
	int mode = 0;

	if (prctl(PR_GET_TSC, &mode) < 0 || mode != PR_TSC_ENABLE)
		return false;
	long fd = syscall(SYS_openat, AT_FDCWD, clocksource_path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	usable = syscall(SYS_read, fd, name, sizeof(name)) == 4 && memcmp(name, "tsc\n", 4) == 0;
	syscall(SYS_close, fd);
#else
	(void)clocksource_path;
#endif
	return usable;
}

static struct moment moment_now(void)
{
	uint64_t before = read_tsc();
	uint64_t ns = promcb_clock_monotonic_ns();
	uint64_t bracket = read_tsc() - before;

	return (struct moment){.tsc = before + bracket / 2, .ns = ns, .exact = bracket < BRACKET_TICKS};
}

/* Takes the anchor for writing. Fails if the state is not what it was: then someone else takes care. */
static bool claim(uint64_t state)
{
	/* [ANCHOR] BUSY before the anchor changes: a reader that saw the old state sees that it has gone. */
	return promcb_cas_acq_rel(&timebase.state, state, (state & ~(uint64_t)CLOCK_PHASE) | CLOCK_BUSY);
}

/* Ends BUSY. was: what was claimed. */
static void settle(uint64_t was, uint64_t phase)
{
	/* [ANCHOR] release: the words before the state that lets them be read. */
	promcb_store_release(&timebase.state, (was & ~(uint64_t)CLOCK_PHASE) + CLOCK_COUNT + phase);
}

static void store_anchor(const struct moment *moment)
{
	/* [ANCHOR] release: BUSY before the words, or a reader could take one and still find its old state. */
	promcb_store_release(&timebase.anchor_tsc, moment->tsc);
	promcb_store_release(&timebase.anchor_ns, moment->ns);
}

/* Begins to measure the rate, from the first state or after the clocks went apart. */
static void start(uint64_t state, const char *clocksource_path)
{
	int saved_errno = errno;
	struct moment moment = {.exact = false};

	if (!claim(state))
		return;
	if (tsc_usable(clocksource_path)) {
		for (int i = 0; i < BRACKET_TRIES && !moment.exact; i++)
			moment = moment_now();
	}
	if (moment.exact)
		store_anchor(&moment);
	settle(state, moment.exact ? CLOCK_WARMING : CLOCK_PLAIN);
	errno = saved_errno;
}

/* Nanoseconds per tick since the anchor. Absurd clocks make it negative, infinite or NaN: rate_sane() takes none. */
static double rate_since(const struct moment *anchor, const struct moment *now)
{
	return (double)(int64_t)(now->ns - anchor->ns) / (double)(int64_t)(now->tsc - anchor->tsc);
}

static bool rate_sane(double rate)
{
	return rate >= RATE_MIN && rate <= RATE_MAX;
}

static void store_multiplier(double rate)
{
	/* [ANCHOR] release: BUSY before each word of the anchor. */
	promcb_store_release(&timebase.multiplier, (uint64_t)(rate * RATE_ONE));
}

/* Takes the rate once the first moment is 10 ms old. state: WARMING. Returns CLOCK_MONOTONIC's now. */
static uint64_t warm(uint64_t state)
{
	struct moment now = moment_now();
	struct moment anchor = {
		/* [ANCHOR] acquire: each word of the anchor before the state is looked at again. */
		.tsc = promcb_load_acquire(&timebase.anchor_tsc),
		.ns = promcb_load_acquire(&timebase.anchor_ns),
	};
	int64_t base_ns = (int64_t)(now.ns - anchor.ns);

	/* That the state is still the same when claimed tells that the words belonged together. */
	if (base_ns < WARMING_NS || !now.exact || !claim(state))
		return now.ns;
	if (base_ns > WARMING_MAX_NS) {
		store_anchor(&now);
		settle(state, CLOCK_WARMING);
	} else if (rate_sane(rate_since(&anchor, &now))) {
		store_anchor(&now);
		store_multiplier(rate_since(&anchor, &now));
		settle(state, CLOCK_TSC);
	} else {
		settle(state, CLOCK_PLAIN);
	}
	return now.ns;
}

/*
 * Puts the anchor at now. That follows the kernel's slewing of CLOCK_MONOTONIC, which at 500 ppm is 43 s a day, and
 * finds out whether the TSC still runs as it did. state: TSC.
 */
static void anchor_again(uint64_t state, const struct moment *now, const char *clocksource_path)
{
	struct moment anchor = {
		/* [ANCHOR] acquire: as above. */
		.tsc = promcb_load_acquire(&timebase.anchor_tsc),
		.ns = promcb_load_acquire(&timebase.anchor_ns),
	};
	/* [ANCHOR] acquire: as above. */
	double multiplier = (double)promcb_load_acquire(&timebase.multiplier);
	double ticks = (double)(int64_t)(now->tsc - anchor.tsc);
	double passed_ns = (double)(int64_t)(now->ns - anchor.ns);
	double apart_ns = ticks * multiplier / RATE_ONE - passed_ns;
	double allowed_ns = APART_NS + (passed_ns > 0 ? passed_ns / APART_PARTS : 0);

	/* Words of different anchors would look as if the clocks had gone apart. */
	if (!now->exact || promcb_load_relaxed(&timebase.state) != state)
		return;
	if (apart_ns > allowed_ns || -apart_ns > allowed_ns) {
		start(state, clocksource_path);
		return;
	}
	/* A base this short, or one below 0 by what CPUs differ, would spoil the rate. */
	if (ticks < (double)((uint64_t)1 << FAST_TICKS_BITS))
		return;
	if (!claim(state))
		return;
	store_anchor(now);
	if (rate_sane(rate_since(&anchor, now)))
		store_multiplier(rate_since(&anchor, now));
	settle(state, CLOCK_TSC);
}

static __attribute__((noinline)) uint64_t token_slow(void)
{
	/* [ANCHOR] acquire: the state before the anchor. */
	uint64_t state = promcb_load_acquire(&timebase.state);

	if ((state & CLOCK_PHASE) == CLOCK_WARMING)
		return warm(state);
	if (state == CLOCK_FRESH)
		start(state, CLOCKSOURCE_PATH);
	return promcb_clock_monotonic_ns();
}

static bool is_measuring(void)
{
	uint64_t phase = promcb_load_relaxed(&timebase.state) & CLOCK_PHASE;

	return phase == CLOCK_FRESH || phase == CLOCK_WARMING;
}

uint64_t promcb_clock_token(void)
{
	if (__builtin_expect(promcb_load_relaxed(&timebase.state) & CLOCK_TSC, true))
		return read_tsc() | TSC_TOKEN;
	return token_slow();
}

/* Tokens of CLOCK_MONOTONIC, intervals of seconds, clocks that went backwards, anchors too old or not to be had. */
static __attribute__((noinline)) uint64_t elapsed_slow(uint64_t token, uint64_t *now_ns, bool *backward, uint64_t *next)
{
	/* Who asks for tokens this way alone has the rate measured, too. */
	if (next && is_measuring())
		token_slow();
	/* [ANCHOR] acquire: the state before the anchor. */
	uint64_t state = promcb_load_acquire(&timebase.state);
	uint64_t multiplier = promcb_load_relaxed(&timebase.multiplier);
	bool is_ticks = (token & TSC_TOKEN) && multiplier != 0;
	struct moment now = {.exact = false};
	int64_t ticks;
	double elapsed_ns;

	/* A TSC that was never used may be forbidden to read; a token of it is not this process's. */
	if (is_ticks || (next && multiplier != 0))
		now = moment_now();
	else
		now.ns = promcb_clock_monotonic_ns();
	*now_ns = now.ns;
	/* One moment, where the next call begins and this one ends: on both clocks it is one only if it is exact. */
	if (next)
		*next = (state & CLOCK_TSC) && (is_ticks || now.exact) ? now.tsc | TSC_TOKEN : now.ns;
	if (!is_ticks) {
		if (now.ns >= token)
			return now.ns - token;
		*backward = true;
		return 0;
	}
	if ((state & CLOCK_TSC) && (now.tsc - promcb_load_relaxed(&timebase.anchor_tsc)) >> FAST_TICKS_BITS != 0)
		anchor_again(state, &now, CLOCKSOURCE_PATH);
	ticks = (int64_t)((now.tsc | TSC_TOKEN) - token);
	if (ticks < 0) {
		*backward = true;
		return 0;
	}
	/* Far above the longest latency there is, and far below what does not convert. */
	elapsed_ns = (double)ticks * (double)multiplier / RATE_ONE;
	return elapsed_ns < 0x1p62 ? (uint64_t)elapsed_ns : (uint64_t)1 << 62;
}

/* next: NULL, or where the token of now goes. */
static inline uint64_t elapsed(uint64_t token, uint64_t *now_ns, bool *backward, uint64_t *next)
{
	/* [ANCHOR] acquire: the words after the state that lets them be read, and the state again after the words. */
	uint64_t state = promcb_load_acquire(&timebase.state);

	if (__builtin_expect((state & CLOCK_TSC) && (token & TSC_TOKEN), true)) {
		uint64_t anchor_tsc = promcb_load_acquire(&timebase.anchor_tsc);
		uint64_t anchor_ns = promcb_load_acquire(&timebase.anchor_ns);
		uint64_t multiplier = promcb_load_acquire(&timebase.multiplier);
		uint64_t tsc = read_tsc();
		uint64_t ticks = (tsc | TSC_TOKEN) - token;
		uint64_t age = tsc - anchor_tsc;

		/* Neither is negative or too long for the products; one test for both. */
		if (__builtin_expect((ticks | age) >> FAST_TICKS_BITS == 0 &&
					     promcb_load_relaxed(&timebase.state) == state,
				     true)) {
			*now_ns = anchor_ns + (age * multiplier >> RATE_BITS);
			if (next)
				*next = tsc | TSC_TOKEN;
			return ticks * multiplier >> RATE_BITS;
		}
	}
	return elapsed_slow(token, now_ns, backward, next);
}

uint64_t promcb_clock_elapsed_ns(uint64_t token, uint64_t *now_ns, bool *backward)
{
	return elapsed(token, now_ns, backward, NULL);
}

uint64_t promcb_clock_lap_ns(uint64_t *token, uint64_t *now_ns, bool *backward)
{
	return elapsed(*token, now_ns, backward, token);
}

/* SPDX-License-Identifier: MIT */
/*
 * breaker_reader.h: circuit breakers as a reader sees them: of a snapshot of reader.h, one by one, with the policy that
 * is in force. Exporters print the same numbers as families.
 */
#ifndef PROMCB_BREAKER_READER_H
#define PROMCB_BREAKER_READER_H

#include <promcb/breaker.h>
#include <promcb/reader.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* A breaker. Text ends with the snapshot. */
struct promcb_breaker_summary {
	const char *component;          /* with its labels, as promcb_summary.name */
	const char *last_reason;        /* why it opened last: "failure_rate", "probe" ...; NULL: it never did */
	enum promcb_state state;
	enum promcb_mode mode;          /* what decides */
	struct promcb_policy policy;    /* in force, with its defaults filled in; message: NULL */
	uint64_t is_forced;             /* 1: the mode is promcb_breaker_force()'s, whatever the policy says */
	uint64_t open_until_ns;         /* Unix nanoseconds, while it is open; 0: not open, or not known */
	uint64_t window_calls;          /* that ended in the window, of which */
	uint64_t window_failed;
	uint64_t window_slow;
	uint64_t in_flight;             /* calls under way, of processes that live */
	uint64_t permitted;             /* calls let through, since the breaker was made, as all that follow */
	uint64_t refused_open;          /* calls refused: while open, */
	uint64_t refused_half_open;     /* while half-open, since others had the permits, */
	uint64_t refused_forced;        /* and since it was held open */
	uint64_t shadow_refusals;       /* let through in shadow mode, though it would have refused them */
	uint64_t slow;                  /* of those that ended */
	uint64_t ignored;
	uint64_t late;                  /* ended too late to have a say */
	uint64_t died;                  /* never ended: their process or thread did */
	uint64_t probes_good;
	uint64_t probes_bad;
	uint64_t probes_lost;           /* whose lease was over, or thread gone, when another took the permit */
	uint64_t reserved[7];           /* zero, until a later version has a use for them */
};

/* How many components have a breaker: sorted by name. promcb_snapshot_difference() has none. Thread-safe. */
size_t promcb_snapshot_breakers(const struct promcb_snapshot *snapshot);

/* Breaker index of a snapshot, below promcb_snapshot_breakers(). Returns 0, or -ENOENT. Thread-safe. */
int promcb_snapshot_breaker(const struct promcb_snapshot *snapshot, size_t index, struct promcb_breaker_summary *out);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif

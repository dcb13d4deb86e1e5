/* SPDX-License-Identifier: MIT */
/*
 * clock.h: coarse stamps, and the token that promcb_start() hands out.
 *
 * All of it is thread-safe and async-signal-safe: vDSO calls and own words only. Nanoseconds throughout.
 */
#ifndef PROMCB_CLOCK_H
#define PROMCB_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

uint64_t promcb_clock_monotonic_ns(void);
uint64_t promcb_clock_monotonic_coarse_ns(void);
uint64_t promcb_clock_realtime_ns(void);
uint64_t promcb_clock_realtime_coarse_ns(void);

/*
 * A token for now. Bit 63 tells the clock that made it: 0 CLOCK_MONOTONIC nanoseconds, 1 the TSC. The TSC is used
 * only where the kernel's clocksource is tsc and user space may read it, once 10 ms have gone by since this process's
 * first token.
 */
uint64_t promcb_clock_token(void);

/*
 * Nanoseconds since the token, and CLOCK_MONOTONIC's now. A clock that went backwards gives 0 and sets *backward
 * (else left).
 */
uint64_t promcb_clock_elapsed_ns(uint64_t token, uint64_t *now_ns, bool *backward);

/* The same, and the token becomes that of now, of the same reading: nothing is between two laps, or in both. */
uint64_t promcb_clock_lap_ns(uint64_t *token, uint64_t *now_ns, bool *backward);

#endif

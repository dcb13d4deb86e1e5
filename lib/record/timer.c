/* SPDX-License-Identifier: MIT */
/*
 * timer.c: calls that promcb times itself: by the TSC or CLOCK_MONOTONIC, see base/clock.h, or by the kernel's tick.
 *
 * Everything here is async-signal-safe.
 */
#include "base/clock.h"
#include "record/record.h"

uint64_t promcb_start(void)
{
	return promcb_clock_token();
}

uint64_t promcb_elapsed_ns(uint64_t start)
{
	bool backward = false;
	uint64_t now_ns;

	return promcb_clock_elapsed_ns(start, &now_ns, &backward);
}

void promcb_stop(struct promcb_component *component, uint64_t start, bool success)
{
	bool backward = false;
	uint64_t now_ns, latency_ns = promcb_clock_elapsed_ns(start, &now_ns, &backward);

	if (PROMCB_UNLIKELY(backward))
		promcb_record_backward(component, success, now_ns);
	else
		promcb_record_at_inline(component, latency_ns, success, now_ns);
}

uint64_t promcb_lap(struct promcb_component *component, uint64_t start, bool success)
{
	bool backward = false;
	uint64_t now_ns, latency_ns = promcb_clock_lap_ns(&start, &now_ns, &backward);

	if (PROMCB_UNLIKELY(backward))
		promcb_record_backward(component, success, now_ns);
	else
		promcb_record_at_inline(component, latency_ns, success, now_ns);
	return start;
}

uint64_t promcb_start_coarse(void)
{
	return promcb_clock_monotonic_coarse_ns();
}

void promcb_stop_coarse(struct promcb_component *component, uint64_t start, bool success)
{
	uint64_t now_ns = promcb_clock_monotonic_coarse_ns();

	if (PROMCB_UNLIKELY(now_ns < start))
		promcb_record_backward(component, success, now_ns);
	else
		/* Not 0, which is not the common case of a record. */
		promcb_record_at_inline(component, now_ns - start + (now_ns == start), success, now_ns);
}

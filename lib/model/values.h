/* SPDX-License-Identifier: MIT */
/*
 * values.h: what a snapshot says of a component, one number a function: what summaries and metric families are made of.
 */
#ifndef PROMCB_VALUES_H
#define PROMCB_VALUES_H

#include "model/snapshot.h"

#include <math.h>

static inline uint64_t promcb_value_calls(const struct promcb_snapshot_component *component)
{
	return promcb_counts_calls(&component->counts);
}

static inline uint64_t promcb_value_successes(const struct promcb_snapshot_component *component)
{
	return component->counts.calls[0];
}

static inline uint64_t promcb_value_failures(const struct promcb_snapshot_component *component)
{
	return component->counts.calls[1];
}

/* Part of whole in percent; of nothing, what is given. */
static inline double promcb_percent(uint64_t part, uint64_t whole, double of_nothing)
{
	return whole ? 100.0 * (double)part / (double)whole : of_nothing;
}

static inline double promcb_value_success_rate(const struct promcb_snapshot_component *component)
{
	return promcb_percent(component->counts.calls[0], promcb_value_calls(component), 0);
}

static inline double promcb_value_failure_rate(const struct promcb_snapshot_component *component)
{
	return promcb_percent(component->counts.calls[1], promcb_value_calls(component), 0);
}

static inline double promcb_value_recent_failure_rate(const struct promcb_snapshot_component *component)
{
	return promcb_percent(component->recent.failures, component->recent.calls, (double)NAN);
}

/* A latency of the recent calls: not a number if none has one, whatever stands there. */
static inline double promcb_recent_ns(const struct promcb_recent *recent, double nanoseconds)
{
	return recent->measured ? nanoseconds : (double)NAN;
}

static inline double promcb_value_average_ns(const struct promcb_snapshot_component *component)
{
	return promcb_recent_ns(&component->recent, component->recent.average_ns);
}

static inline uint64_t promcb_value_state(const struct promcb_snapshot_component *component)
{
	return component->state;
}

static inline uint64_t promcb_value_is_in_state(const struct promcb_snapshot_component *component, unsigned state)
{
	return component->state == state;
}

static inline uint64_t promcb_value_transitions(const struct promcb_snapshot_component *component, unsigned state)
{
	return component->counts.transitions[state];
}

static inline uint64_t promcb_value_log_entries(const struct promcb_snapshot_component *component, unsigned level)
{
	return component->counts.log_entries[level];
}

static inline uint64_t promcb_value_last_state_change_ns(const struct promcb_snapshot_component *component)
{
	return component->last_state_change_ns;
}

/* To 10 ms: what is less differs from scrape to scrape, as the distance of two clocks does. */
static inline uint64_t promcb_value_last_success_ns(const struct promcb_snapshot_component *component)
{
	return component->last_success_ns - component->last_success_ns % 10000000;
}

static inline uint64_t promcb_value_last_failure_ns(const struct promcb_snapshot_component *component)
{
	return component->last_failure_ns;
}

#endif

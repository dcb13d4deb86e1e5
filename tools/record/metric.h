/* SPDX-License-Identifier: MIT */
/*
 * metric.h: changes of series, made in a segment.
 *
 * A family that the segment has is taken as it is, whoever declared it. One that is not there is declared by the first
 * change: a counter, a level, a gauge of the segment or a histogram, of whole numbers or with nine decimals.
 *
 * Memory does not grow with what is read: what is kept is a family each that the segment has.
 */
#ifndef PROMCB_TOOL_RECORD_METRIC_H
#define PROMCB_TOOL_RECORD_METRIC_H

#include "change.h"

#include <promcb/metric.h>

/* What new families are declared with. */
struct promcb_metric_rules {
	const char *help, *unit; /* NULL: none, or by the name's last word */
	bool lives; /* the process stays: gauges of processes can be set */
};

enum promcb_changed {
	PROMCB_CHANGED,
	PROMCB_CHANGED_ROUNDED,  /* to the decimals of the family */
	PROMCB_CHANGED_OVERFLOW, /* counted in the series "_overflow" */
	PROMCB_CHANGED_REJECTED, /* counted as rejected by the segment: no number that the family takes */
	PROMCB_CHANGED_NOTHING,  /* the family cannot be had, or takes no such change */
	PROMCB_CHANGED_WAYS
};

struct promcb_metrics;

/* session: stays open. Returns NULL where there is no memory. */
struct promcb_metrics *promcb_metrics_new(struct promcb_session *session, const struct promcb_metric_rules *rules);
void promcb_metrics_end(struct promcb_metrics *metrics);

/* message: says why, unless it is PROMCB_CHANGED. */
enum promcb_changed promcb_metrics_change(struct promcb_metrics *metrics, const struct promcb_change *change,
					  struct promcb_message *message);

#endif

/* SPDX-License-Identifier: MIT */
/* process_metrics.h: the families that Prometheus' client libraries tell of their process. */
#ifndef PROMCB_SIDECAR_PROCESS_METRICS_H
#define PROMCB_SIDECAR_PROCESS_METRICS_H

#include <promcb/reader.h>

enum { SIDECAR_PROCESS_FAMILIES = 8 };

/* Series of one rendering. */
struct sidecar_process_metrics {
	struct promcb_series series[SIDECAR_PROCESS_FAMILIES];
};

/* Reads them, and fills in families. Returns how many: those that cannot be known are left out. */
size_t sidecar_process_metrics(struct sidecar_process_metrics *metrics, struct promcb_family *families);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * negotiate.h: what a scraper asks for: the format by its Accept header, compression by its Accept-Encoding, and how
 * long it waits.
 *
 * Pure.
 */
#ifndef PROMCB_SIDECAR_NEGOTIATE_H
#define PROMCB_SIDECAR_NEGOTIATE_H

#include <promcb/reader.h>

/*
 * The format of the highest weight among those that can be served; at equal weight protobuf before OpenMetrics before
 * text. accept: several headers are joined by commas; NULL, or nothing that can be served: text 0.0.4.
 */
enum promcb_format sidecar_negotiate_format(const char *accept);

/* Whether "gzip" (or "*") is asked for with a weight above 0. NULL: no. */
bool sidecar_negotiate_gzip(const char *accept_encoding);

/*
 * X-Prometheus-Scrape-Timeout-Seconds to what may be spent on an answer: that minus half a second, at least 100 ms, at
 * most most_ns, which is also what a missing or senseless header gives.
 */
uint64_t sidecar_negotiate_budget_ns(const char *timeout_seconds, uint64_t most_ns);

#endif

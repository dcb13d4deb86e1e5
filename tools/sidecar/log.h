/* SPDX-License-Identifier: MIT */
/*
 * log.h: lines in logfmt on standard error: time, level, message, and a few key-value pairs.
 *
 * Thread-safe: a line is one write. Never blocks: a line that the reader of a pipe, a socket or a terminal has
 * no room for is left out, and the next one that finds room says how many were: lines_lost=N.
 */
#ifndef PROMCB_SIDECAR_LOG_H
#define PROMCB_SIDECAR_LOG_H

#include <stdbool.h>

enum sidecar_log_level { SIDECAR_LOG_DEBUG, SIDECAR_LOG_INFO, SIDECAR_LOG_WARN, SIDECAR_LOG_ERROR };

/* Once, before there is a thread and while standard error may still be opened; without it, fewer ways are safe. */
void sidecar_log_start(void);

/* Lines below the level are left out. The default is info. */
void sidecar_log_set_level(enum sidecar_log_level level);

/* "debug", "info", "warn", "error". Returns 0, or -EINVAL. */
int sidecar_log_parse_level(const char *name, enum sidecar_log_level *out);

/*
 * pairs: key, value, key, value, ..., NULL; values are quoted where they must be. For example
 * sidecar_log(SIDECAR_LOG_WARN, "segment is missing", "segment", name, "error", message.text, NULL).
 */
void sidecar_log(enum sidecar_log_level level, const char *message, ...) __attribute__((sentinel));

#endif

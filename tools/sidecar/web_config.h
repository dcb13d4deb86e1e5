/* SPDX-License-Identifier: MIT */
/*
 * web_config.h: the web configuration file of Prometheus' exporters: TLS, client certificates, basic authentication,
 * response headers, a limit of requests; read again when it changes.
 *
 * May include: log.h. The format is that of prometheus/exporter-toolkit (its docs/web-configuration.md).
 *
 * A configuration that cannot be read at the start is an error. One that goes bad later is reported once per change,
 * and the last good one stays in force: a typing error neither opens the door nor takes the service down.
 */
#ifndef PROMCB_SIDECAR_WEB_CONFIG_H
#define PROMCB_SIDECAR_WEB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct MHD_Connection;
struct MHD_OptionItem;
struct MHD_Response;
struct sidecar_web_config;

/*
 * path: NULL gives a configuration without TLS, users and headers. Returns 0, or -errno with a sentence in message
 * that names the file, the line and what to do.
 */
int sidecar_web_config_open(const char *path, struct sidecar_web_config **out, char *message, size_t message_size);

void sidecar_web_config_close(struct sidecar_web_config *config);

/* Whether connections are TLS. Fixed at the first reading: it is turned on or off by a restart, and the log says so. */
bool sidecar_web_config_has_tls(const struct sidecar_web_config *config);

/*
 * Appends to options what an MHD daemon needs (certificate callback, priorities); at most room items, 2 are enough.
 * Returns how many. The daemon's flags need MHD_USE_TLS as well if there is TLS. The certificate callback knows one
 * configuration in a process: the one whose options were asked for last. Stop the daemon before that is closed.
 */
size_t sidecar_web_config_options(struct sidecar_web_config *config, struct MHD_OptionItem *options, size_t room);

/*
 * To be called for each new connection, in MHD's notification of MHD_CONNECTION_NOTIFY_STARTED, which comes before the
 * handshake: versions, cipher suites and curves of the file as it is now. Nothing to do without TLS. Thread-safe.
 */
void sidecar_web_config_connected(struct sidecar_web_config *config, struct MHD_Connection *connection);

/* Whether passwords are asked for, as the file is now. */
bool sidecar_web_config_has_users(struct sidecar_web_config *config);

enum sidecar_access {
	SIDECAR_ACCESS_GRANTED,
	SIDECAR_ACCESS_UNAUTHORIZED, /* answer 401 with `WWW-Authenticate: Basic` */
	SIDECAR_ACCESS_FORBIDDEN,    /* 403: the client certificate will not do */
	SIDECAR_ACCESS_LIMITED,      /* 429: more requests than rate_limit lets through; looked at first */
	SIDECAR_ACCESS_BUSY,         /* 503 with `Retry-After: 1`: more passwords to check than time is given to that */
};

/*
 * Whether the peer may have an answer: its client certificate and its password. Looks first whether the files have
 * changed. Thread-safe. Blocks for as long as bcrypt takes when a password is new, which is tens of milliseconds; at
 * most SIDECAR_AUTH_THREADS (auth.h) at a time do. A password that was right is remembered until the file changes.
 */
enum sidecar_access sidecar_web_config_authorize(struct sidecar_web_config *config, struct MHD_Connection *connection);

/* Adds the configured headers to a response. Thread-safe. */
void sidecar_web_config_decorate(struct sidecar_web_config *config, struct MHD_Response *response);

#endif

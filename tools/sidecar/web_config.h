/* SPDX-License-Identifier: MIT */
/*
 * web_config.h: the web configuration file of Prometheus' exporters: TLS, client certificates, basic authentication,
 * response headers, a limit of requests; read again when it changes.
 *
 * The format is that of prometheus/exporter-toolkit (its docs/web-configuration.md).
 *
 * A configuration that cannot be read at the start is an error. One that goes bad later is reported once per change,
 * and the last good one stays in force: a typing error neither opens the door nor takes the service down.
 */
#ifndef PROMCB_SIDECAR_WEB_CONFIG_H
#define PROMCB_SIDECAR_WEB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct gnutls_session_int;
struct sidecar_answer;
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
 * A server's session for a connected socket, before its handshake: versions, cipher suites and curves of the file as it
 * is now; ALPN's "http/1.1" or nothing. Nothing for a configuration without TLS. Returns NULL without memory. Freed
 * with gnutls_deinit(), before the configuration is closed. Thread-safe.
 */
struct gnutls_session_int *sidecar_web_config_session(struct sidecar_web_config *config, int fd);

/* Whether passwords are asked for, as the file is now. */
bool sidecar_web_config_has_users(struct sidecar_web_config *config);

enum sidecar_access {
	SIDECAR_ACCESS_GRANTED,
	SIDECAR_ACCESS_UNAUTHORIZED, /* answer 401 with `WWW-Authenticate: Basic realm=...` */
	SIDECAR_ACCESS_FORBIDDEN,    /* 403: the client certificate will not do */
	SIDECAR_ACCESS_LIMITED,      /* 429: more requests than rate_limit lets through; looked at first */
	SIDECAR_ACCESS_BUSY,         /* 503 with `Retry-After: 1`: more passwords to check than time is given to that */
};

/*
 * Whether the peer may have an answer: its client certificate and its password. session: of its connection; NULL
 * without TLS. authorization: the header's value, or NULL. Looks first whether the files have
 * changed. Thread-safe. Blocks for as long as bcrypt takes when a password is new, which is tens of milliseconds; at
 * most SIDECAR_AUTH_THREADS (auth.h) at a time do. A password that was right is remembered until the file changes.
 */
enum sidecar_access sidecar_web_config_authorize(struct sidecar_web_config *config, struct gnutls_session_int *session,
						 const char *authorization);

/* Adds the configured headers to an answer. Thread-safe. */
void sidecar_web_config_decorate(struct sidecar_web_config *config, struct sidecar_answer *answer);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * server.h: connections: accepted here, served by a few threads, and closed when they take too long.
 *
 * Knows nothing of what is served.
 *
 * A client that sends a byte a second is busy all the time; so every connection has a deadline here: for its first
 * request, for the answer to be taken, and for the next request. When there are too many, the one that was useful
 * longest ago goes, so that a crowd of idle ones keeps no scraper out.
 */
#ifndef PROMCB_SIDECAR_SERVER_H
#define PROMCB_SIDECAR_SERVER_H

#include "connection.h"
#include "listen.h"
#include "web_config.h"

struct sidecar_server;

struct sidecar_server_options {
	const struct sidecar_listeners *listeners;
	struct sidecar_web_config *web_config;
	unsigned max_connections;
	/* As sidecar_connection_options has them. */
	void (*answer)(void *context, struct sidecar_request *request, struct sidecar_answer *answer);
	void (*answered)(void *context, const struct sidecar_request *request);
	void *context;
};

/* Returns 0, or -errno. */
int sidecar_server_start(const struct sidecar_server_options *options, struct sidecar_server **out);

/* Accepts until SIGINT or SIGTERM, which all threads must have blocked. Returns the signal. */
int sidecar_server_run(struct sidecar_server *server);

/* Waits for answers in flight, for a few seconds at most, and closes all connections. */
void sidecar_server_stop(struct sidecar_server *server);

#endif

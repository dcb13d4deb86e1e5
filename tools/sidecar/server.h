/* SPDX-License-Identifier: MIT */
/*
 * server.h: connections: accepted here, served by libmicrohttpd's threads, and closed when they take too long.
 *
 * May include: listen.h, web_config.h. Knows nothing of what is served.
 *
 * libmicrohttpd closes a connection on which nothing moves. A client that sends a byte a second moves; so every
 * connection has a deadline here: for its first request, for the answer to be taken, and for the next request. When
 * there are too many, the one that was useful longest ago goes, so that a crowd of idle ones keeps no scraper out.
 */
#ifndef PROMCB_SIDECAR_SERVER_H
#define PROMCB_SIDECAR_SERVER_H

#include "listen.h"
#include "web_config.h"

#include <stdint.h>
#include <sys/types.h>

#include <microhttpd.h>

struct sidecar_server;

/* A request, from its head to the end of its answer. */
struct sidecar_request {
	const char *url;        /* these two only while it is answered */
	const char *method;
	bool is_near;           /* the peer is on this machine */
	bool is_scrape;         /* for the one who answers */
};

struct sidecar_server_options {
	const struct sidecar_listeners *listeners;
	struct sidecar_web_config *web_config;
	unsigned max_connections;
	/* Answers a request whose head is complete. */
	enum MHD_Result (*answer)(void *context, struct MHD_Connection *connection, struct sidecar_request *request);
	/* The answer was sent, or its connection is gone. */
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

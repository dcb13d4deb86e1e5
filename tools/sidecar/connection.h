/* SPDX-License-Identifier: MIT */
/*
 * connection.h: one client: its handshake, its requests, one after the other, and the answers to them.
 *
 * Knows nothing of what is served, nor of time.
 *
 * Invariants: to each request one answer, whole, with one head, or the connection ends; after a request that was
 * refused, or whose body was not read, nothing more is read as one; a connection without a request has no buffer.
 */
#ifndef PROMCB_SIDECAR_CONNECTION_H
#define PROMCB_SIDECAR_CONNECTION_H

#include "http_answer.h"
#include "http_head.h"
#include "web_config.h"

#include <stdbool.h>
#include <stdint.h>

struct sidecar_connection;

/* A request, from its head to the end of its answer. */
struct sidecar_request {
	const struct sidecar_head *head;  /* as far as it could be read; only while it is answered */
	struct gnutls_session_int *session;
	unsigned refusal;                 /* a status it is to be answered with; 0: none */
	const char *reason;               /* for it: a sentence */
	bool is_near;                     /* the peer is on this machine */
	bool is_scrape, is_recording;     /* for the one who answers */
};

/* What a connection is at. */
enum sidecar_phase {
	SIDECAR_PHASE_BODY,     /* a request's head is complete */
	SIDECAR_PHASE_ANSWER,   /* and its body; it is being answered */
	SIDECAR_PHASE_IDLE,     /* it was answered */
	SIDECAR_PHASE_FAREWELL, /* nothing more will be sent */
};

struct sidecar_connection_options {
	struct sidecar_web_config *web_config;
	/* Answers a request: all of it is there. */
	void (*answer)(void *context, struct sidecar_request *request, struct sidecar_answer *answer);
	/* The answer was sent, or its connection is gone. */
	void (*answered)(void *context, const struct sidecar_request *request);
	void *context;
	void (*enter)(void *phase_context, int fd, enum sidecar_phase phase);
	void *phase_context;
};

/* A connected socket that does not block, which stays the caller's. options: borrowed. Returns NULL without memory. */
struct sidecar_connection *sidecar_connection_new(int fd, bool is_near,
						  const struct sidecar_connection_options *options);

/* Goes on for as long as there is something to do. Returns for what to wait, as of epoll(7); 0: it is over. */
uint32_t sidecar_connection_work(struct sidecar_connection *connection);

void sidecar_connection_free(struct sidecar_connection *connection);

#endif

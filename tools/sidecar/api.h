/* SPDX-License-Identifier: MIT */
/*
 * api.h: the history of segments for programs and the page: what is asked for, and the answer as JSON.
 *
 * A body is made once for all who ask the same between two looks. What is asked for is anybody's text: what is not
 * understood is refused with a sentence that does not repeat it.
 */
#ifndef PROMCB_SIDECAR_API_H
#define PROMCB_SIDECAR_API_H

#include "history.h"
#include "http_head.h"

struct sidecar_api;

/* history: NULL: none is kept. Both are borrowed. Returns NULL without memory. */
struct sidecar_api *sidecar_api_new(struct sidecar_bodies *bodies, struct sidecar_history *history);
void sidecar_api_free(struct sidecar_api *api);

/* Whether a path is answered here. */
bool sidecar_api_is(const char *path);

struct sidecar_api_request {
	const struct sidecar_head *head;
	enum sidecar_gzip gzip;    /* whether the body may be compressed */
	const char *if_none_match; /* NULL: whatever it is */
};

struct sidecar_api_answer {
	unsigned status;           /* 200, 304, 400, 404 or 503 */
	struct sidecar_body *body; /* of a 200; the caller's */
	char id[96];               /* of a 200 or 304; empty: it is not kept */
	char file[64];             /* the name under which it is to be kept; empty: none */
	const char *sentence;      /* of the others */
};

/* Thread-safe. */
void sidecar_api_answer(struct sidecar_api *api, const struct sidecar_api_request *request,
			struct sidecar_api_answer *answer);

#endif

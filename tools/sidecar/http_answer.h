/* SPDX-License-Identifier: MIT */
/*
 * http_answer.h: an answer: a status, headers, and a body that is there as a whole.
 *
 * Without memory it is marked as failed, and never sent in parts.
 */
#ifndef PROMCB_SIDECAR_HTTP_ANSWER_H
#define PROMCB_SIDECAR_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

struct sidecar_answer {
	unsigned status;
	bool has_failed;
	char *head;             /* what is there of it so far */
	size_t head_length, head_room;
	const void *body;
	size_t body_length;
	void (*release)(void *context); /* of the body; or NULL */
	void *context;
};

/* Drops what was said before, and begins anew. */
void sidecar_answer_begin(struct sidecar_answer *answer, unsigned status);

/* Neither may hold a line's end. */
void sidecar_answer_header(struct sidecar_answer *answer, const char *name, const char *value);

/* What release(context) will take back, once it is sent or not. */
void sidecar_answer_body(struct sidecar_answer *answer, const void *body, size_t length, void (*release)(void *context),
			 void *context);

/* The same for a text that is copied. */
void sidecar_answer_text(struct sidecar_answer *answer, const char *text);

/* The end of the head. closes: the connection does, after this; is_old: to a client of HTTP/1.0. */
void sidecar_answer_end(struct sidecar_answer *answer, bool closes, bool is_old);

/* Gives all back. */
void sidecar_answer_drop(struct sidecar_answer *answer);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * http_body.h: where the body of a request ends, of which nothing is kept.
 *
 * A leaf; pure.
 */
#ifndef PROMCB_SIDECAR_HTTP_BODY_H
#define PROMCB_SIDECAR_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sidecar_body_state {
	SIDECAR_BODY_SIZE,      /* of a chunk, in hexadecimal */
	SIDECAR_BODY_EXTENSION, /* and what follows it in its line */
	SIDECAR_BODY_SIZE_END,
	SIDECAR_BODY_DATA,
	SIDECAR_BODY_DATA_CR,
	SIDECAR_BODY_DATA_END,
	SIDECAR_BODY_TRAILER,   /* at the beginning of a line */
	SIDECAR_BODY_TRAILER_LINE,
	SIDECAR_BODY_TRAILER_END,
	SIDECAR_BODY_LAST_END,
	SIDECAR_BODY_DONE,
};

struct sidecar_body_end {
	enum sidecar_body_state state;
	bool is_chunked;
	uint64_t left;          /* of the chunk, or of the body */
	uint64_t taken;         /* of all that came, chunks' lines and trailers included */
	unsigned digits;
};

/* is_chunked: length is not looked at. */
void sidecar_body_begin(struct sidecar_body_end *body, bool is_chunked, uint64_t length);

/*
 * Takes bytes; *used is how many of them are the body's. Returns 0, or a status to refuse it with: 400, or 413 for more
 * than most. It is over once state is SIDECAR_BODY_DONE.
 */
unsigned sidecar_body_take(struct sidecar_body_end *body, const char *bytes, size_t length, uint64_t most,
			   size_t *used);

#endif

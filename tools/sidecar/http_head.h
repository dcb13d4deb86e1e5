/* SPDX-License-Identifier: MIT */
/*
 * http_head.h: the head of an HTTP/1.1 request (RFC 9112), taken apart.
 *
 * A leaf; pure. What the RFC leaves to a recipient is refused here where it could be read in two ways: a proxy in front
 * may have read it in the other. Invariants of a head that was taken:
 *   every line ended with CR LF; names are tokens; values hold no control characters but tabs;
 *   HTTP/1.1 has one Host, HTTP/1.0 one at most; Content-Length stands there once at most, and is a number;
 *   Transfer-Encoding is "chunked" and nothing else, comes without Content-Length, and not in HTTP/1.0.
 * Of a head that was refused, method and path are there if they could be read; the connection is to be closed.
 */
#ifndef PROMCB_SIDECAR_HTTP_HEAD_H
#define PROMCB_SIDECAR_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIDECAR_HEAD_BYTES_MAX = 16384, SIDECAR_HEADERS_MAX = 128, SIDECAR_BODY_BYTES_MAX = 1 << 26 };

enum sidecar_method {
	SIDECAR_METHOD_GET,
	SIDECAR_METHOD_HEAD,
	SIDECAR_METHOD_OPTIONS,
	SIDECAR_METHOD_OTHER,   /* known, and allowed nowhere here */
};

/* Offsets into the bytes, where each of these strings ends with a NUL. */
struct sidecar_head {
	char *bytes;
	size_t length;          /* of the head, its blank line included */
	uint16_t method_at, path_at, query_at;
	enum sidecar_method method;
	bool is_for_server;     /* "OPTIONS *" */
	bool is_old;            /* HTTP/1.0 */
	bool keeps_alive;
	bool is_chunked;
	bool expects_continue;
	uint64_t body_bytes;    /* unless chunked */
	unsigned header_count;
	struct {
		uint16_t name_at, value_at;
	} headers[SIDECAR_HEADERS_MAX];
};

/*
 * Where a head ends in bytes of which the first `seen` have been looked at before, without success. Returns its length,
 * or 0: it is not complete. Blank lines before it are part of it.
 */
size_t sidecar_head_end(const char *bytes, size_t length, size_t seen);

/*
 * Takes apart a complete head, in its bytes, which stay the caller's. Returns 0, or a status to refuse it with, and
 * why in *reason: 400, 413, 417, 431, 501, 505.
 */
unsigned sidecar_head_parse(struct sidecar_head *head, char *bytes, size_t length, const char **reason);

/* The method's and the path's text, decoded; "" where there is none. */
const char *sidecar_head_method(const struct sidecar_head *head);
const char *sidecar_head_path(const struct sidecar_head *head);

/*
 * A header's value; of one that is there several times, all, joined by commas, in room; those that do not fit are left
 * out. NULL: it is not there.
 */
const char *sidecar_head_value(const struct sidecar_head *head, const char *name, char *room, size_t size);

/* An argument of the query, decoded into room, and cut to it. NULL: it is not there. */
const char *sidecar_head_argument(const struct sidecar_head *head, const char *name, char *room, size_t size);

#endif

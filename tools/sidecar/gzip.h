/* SPDX-License-Identifier: MIT */
/*
 * gzip.h: bytes to a gzip member, for Content-Encoding.
 *
 * A leaf on zlib. Level 1: of the text of a scrape, higher levels take off little more and cost a multiple.
 */
#ifndef PROMCB_SIDECAR_GZIP_H
#define PROMCB_SIDECAR_GZIP_H

#include <stddef.h>

/*
 * *out is the caller's to free. The same bytes give the same member: it carries neither a name nor a time. Returns 0,
 * or -errno: -ENOMEM. Thread-safe.
 */
int sidecar_gzip(const void *bytes, size_t length, void **out, size_t *out_length);

#endif

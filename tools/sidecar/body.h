/* SPDX-License-Identifier: MIT */
/* body.h: bytes to serve, counted by those who hold them. Made once, never changed. */
#ifndef PROMCB_SIDECAR_BODY_H
#define PROMCB_SIDECAR_BODY_H

#include "bodies.h"

struct sidecar_counted_body {
	struct sidecar_body body;
	unsigned long users;
	char bytes[];
};

/* Renders into a body with one user. Returns 0, or -errno as promcb_render_segments(). */
int sidecar_body_render(const struct promcb_render_segment *parts, size_t count, enum promcb_format format,
			const struct promcb_render_options *options, struct sidecar_counted_body **out);

/* A copy of bytes, as a body with one user. content_type: kept. Returns 0, or -ENOMEM. */
int sidecar_body_copy(const void *bytes, size_t length, const char *content_type, struct sidecar_counted_body **out);

/* The same, compressed, as another body. Returns 0, or -ENOMEM. */
int sidecar_body_compress(const struct sidecar_counted_body *plain, struct sidecar_counted_body **out);

#endif

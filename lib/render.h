/* SPDX-License-Identifier: MIT */
/*
 * render.h: renderers are pure functions from a snapshot to a sink; this is their table.
 *
 * Arrow: render_* <- tools. May include snapshot.h, sink.h, bucket.h; never layout.h.
 */
#ifndef PROMCB_RENDER_H
#define PROMCB_RENDER_H

#include "sink.h"
#include "snapshot.h"

struct promcb_renderer {
	const char *name;
	const char *content_type;
	void (*render)(const struct promcb_snapshot *snapshot, const struct promcb_render_options *options,
		       struct promcb_sink *sink);
};

void promcb_render_text(const struct promcb_snapshot *snapshot, const struct promcb_render_options *options,
			struct promcb_sink *sink);
void promcb_render_json(const struct promcb_snapshot *snapshot, const struct promcb_render_options *options,
			struct promcb_sink *sink);
void promcb_render_health(const struct promcb_snapshot *snapshot, const struct promcb_render_options *options,
			  struct promcb_sink *sink);

#endif

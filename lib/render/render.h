/* SPDX-License-Identifier: MIT */
/* render.h: renderers are pure functions from snapshots to a sink; this is their table. */
#ifndef PROMCB_RENDER_H
#define PROMCB_RENDER_H

#include "model/snapshot.h"
#include "render/sink.h"

#include <string.h>

/* The longest name of a label of every series, in bytes. */
enum { PROMCB_LABEL_NAME_MAX = 63 };

/* `NAME="VALUE",`, all of the value quotes; and all labels of every series, with the brace before them. */
#define PROMCB_LABEL_BYTES(name_bytes, value_bytes) ((name_bytes) + 2 + 2 * (value_bytes) + 2)
enum { PROMCB_COMMON_LABELS_MAX = 1 + PROMCB_LABEL_BYTES(PROMCB_LABEL_NAME_MAX, PROMCB_SEGMENT_LABEL_MAX) };

/* What is to be rendered. A part without a snapshot has no components, and a promcb_up of 0. */
struct promcb_rendering {
	const struct promcb_render_segment *parts;
	size_t count;
	const struct promcb_render_options *options;
	struct promcb_sink *sink;
};

/*
 * A label of a series that is called like one of all series gets this before its name, as Prometheus does to labels
 * that are called like its own: twice the same label would spoil the whole rendering.
 */
#define PROMCB_EXPORTED "exported_"

static inline const char *promcb_own_label_prefix(const struct promcb_render_options *options, const char *name)
{
	for (size_t i = 0; i < options->label_count; i++)
		if (strcmp(options->labels[i].name, name) == 0)
			return PROMCB_EXPORTED;
	return "";
}

struct promcb_renderer {
	const char *name;
	const char *content_type;
	void (*render)(const struct promcb_rendering *rendering);
};

void promcb_render_text(const struct promcb_rendering *rendering);
void promcb_render_openmetrics(const struct promcb_rendering *rendering);
void promcb_render_protobuf(const struct promcb_rendering *rendering);
void promcb_render_json(const struct promcb_rendering *rendering);
void promcb_render_metrics(const struct promcb_rendering *rendering);
void promcb_render_health(const struct promcb_rendering *rendering);

#endif

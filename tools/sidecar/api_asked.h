/* SPDX-License-Identifier: MIT */
/* api_asked.h: what a request asks of history, as numbers; and the one answer that is made of a snapshot. */
#ifndef PROMCB_SIDECAR_API_ASKED_H
#define PROMCB_SIDECAR_API_ASKED_H

#include "bodies.h"
#include "http_head.h"
#include "views/answer.h"

enum { SIDECAR_SEGMENT_NAME_MAX = 511 };

enum sidecar_asked_what {
	SIDECAR_ASKED_LIVE,
	SIDECAR_ASKED_STRIPS,
	SIDECAR_ASKED_HISTORY,
	SIDECAR_ASKED_COMPARE,
	SIDECAR_ASKED_SAMPLES,
	SIDECAR_ASKED_RECORDING,
};

struct sidecar_asked {
	enum sidecar_asked_what what;
	struct promcb_view_listing listing;
	struct promcb_view_range range, other;
	size_t columns, parts;
	uint64_t budget_ns;
	/* Empty: it was not said. */
	char component[PROMCB_FULL_NAME_MAX + 1];
	char segment[SIDECAR_SEGMENT_NAME_MAX + 1];
	char matching[PROMCB_FULL_NAME_MAX + 1];
};

/* Which one a path is. Returns false: none. */
bool sidecar_asked_find(const char *path, enum sidecar_asked_what *out);

/* Returns NULL, or a sentence that says what is wrong. head: of one of these paths. */
const char *sidecar_asked_parse(const struct sidecar_head *head, struct sidecar_asked *out);

/* A component's newest calls, and exact quantiles of them. */
void sidecar_asked_put_calls(const struct sidecar_segment *segment, size_t index, const struct promcb_summary *summary,
			     struct promcb_view_bytes *out);

#endif

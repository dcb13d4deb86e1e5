/* SPDX-License-Identifier: MIT */
/*
 * sink.h: where renderers put bytes: a growing buffer that is handed on to a write function, with a sticky error.
 *
 * Every promcb_sink_ call after an error does nothing, so a
 * renderer checks once, at the end.
 */
#ifndef PROMCB_SINK_H
#define PROMCB_SINK_H

#include <promcb/reader.h>

struct promcb_sink {
	promcb_write_fn *write;
	void *context;
	char *buffer;
	size_t used;
	size_t size;
	int error;              /* 0, or the first negative errno */
};

/* Begins. The buffer is handed to write whenever it is full, and at promcb_sink_finish(). */
void promcb_sink_start(struct promcb_sink *sink, promcb_write_fn *write, void *context);

/* Hands on the rest and frees the buffer. Returns the sticky error. */
int promcb_sink_finish(struct promcb_sink *sink);

void promcb_sink_bytes(struct promcb_sink *sink, const void *bytes, size_t length);
void promcb_sink_text(struct promcb_sink *sink, const char *text);
void promcb_sink_u64(struct promcb_sink *sink, uint64_t value);

/* Nanoseconds as decimal seconds, exact, without trailing zeros: 1500000000 is "1.5", 0 is "0". */
void promcb_sink_seconds(struct promcb_sink *sink, uint64_t nanoseconds);

/*
 * A double that reads back as itself, in the shortest form, whatever the locale: NaN, +Inf, -Inf as Prometheus spells
 * them.
 */
void promcb_sink_double(struct promcb_sink *sink, double value);

#endif

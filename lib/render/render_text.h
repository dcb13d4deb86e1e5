/* SPDX-License-Identifier: MIT */
/*
 * render_text.h: how a line of the text formats is put together.
 *
 * For render_text.c and family_head.c only.
 *
 * Speed: a scrape of 10,000 components is 450,000 lines. So each component's label is escaped once, room for all
 * lines of a component is asked for once, and a line is then two or three copies in whole 32-byte steps and its
 * digits. Copies go past the end of what they copy: everything copied from here lies in memory that goes on for PIECE
 * bytes, and LINE_MAX_BYTES has room for it.
 */
#ifndef PROMCB_RENDER_TEXT_H
#define PROMCB_RENDER_TEXT_H

#include "render/families.h"
#include "render/own_families.h"
#include "render/sink_direct.h"

/* Text 0.0.4 or OpenMetrics, into a sink. */
struct promcb_text_dialect {
	struct promcb_sink *sink;
	bool openmetrics;
};

/* The lines above a family. name: as its samples are called. */
void promcb_text_head(struct promcb_sink *sink, bool openmetrics, const char *name, enum promcb_exposed_type type,
		      const char *unit, const char *help);

/* Prints a family of a few series; a promcb_family_visitor whose context is a dialect. */
void promcb_text_family(void *context, const struct promcb_family *family);

/* Prints the families that the segments hold beside their components. */
void promcb_text_metrics(const struct promcb_rendering *rendering, bool openmetrics);

/* Copies go in steps of this many bytes. */
enum { PIECE = 32 };

/*
 * The labels of all, `{segment="`, a label that is all quotes, `",component="`, a name that is all quotes, `",` and the
 * labels of its own, `"} `
 */
enum {
	RENAMED_MAX = PROMCB_COMPONENT_LABELS_MAX * (sizeof(PROMCB_EXPORTED) - 1),
	COMPONENT_MAX = 13 + 2 * PROMCB_NAME_MAX + 2 + PROMCB_FULL_NAME_MAX + RENAMED_MAX + 3,
	LABEL_MAX = PROMCB_COMMON_LABELS_MAX + 10 + 2 * PROMCB_SEGMENT_LABEL_MAX + COMPONENT_MAX,
};

/* The most that one line can take, what copies write past its end included. */
enum { LINE_MAX_BYTES = 4 * PIECE + LABEL_MAX + 2 * PIECE + PROMCB_DIGITS_ROOM + PIECE };

/* The name of a series. */
struct series {
	char text[4 * PIECE];
	size_t bytes;
};

/* What follows the component among the labels, with the closing brace and the blank. */
struct suffix {
	char text[2 * PIECE];
	size_t bytes;
};

#define SUFFIX(literal)                      \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

/* `{component="NAME",LABEL="VALUE"} `, and how long that is without the brace and the blank. */
struct label {
	const char *text;
	size_t bytes;
};

static inline char *copy(char *at, const char *from, size_t bytes)
{
	size_t done = 0;

	do {
		memcpy(at + done, from + done, PIECE);
		done += PIECE;
	} while (done < bytes);
	return at + bytes;
}

static inline struct series make_series(const char *name, const char *ending)
{
	struct series series = {.bytes = 0};
	size_t name_bytes = strlen(name);
	size_t ending_bytes = strlen(ending);

	memcpy(series.text, name, name_bytes);
	memcpy(series.text + name_bytes, ending, ending_bytes);
	series.bytes = name_bytes + ending_bytes;
	return series;
}

/* NAME{component="C"} and the blank. */
static inline char *put_plain(char *at, const struct series *series, const struct label *label)
{
	at = copy(at, series->text, series->bytes);
	return copy(at, label->text, label->bytes + 2);
}

/* NAME{component="C",LABEL="VALUE"} and the blank. */
static inline char *put_suffixed(char *at, const struct series *series, const struct label *label,
				 const struct suffix *suffix)
{
	at = copy(at, series->text, series->bytes);
	at = copy(at, label->text, label->bytes);
	return copy(at, suffix->text, suffix->bytes);
}

static inline char *put_u64(char *at, uint64_t value)
{
	at = promcb_digits_u64(at, value);
	*at++ = '\n';
	return at;
}

static inline char *put_seconds(char *at, uint64_t nanoseconds)
{
	at = promcb_digits_seconds(at, nanoseconds);
	*at++ = '\n';
	return at;
}

/* The latency of all calls of a component. */
static inline char *put_sum(char *at, const struct promcb_snapshot_component *component)
{
	const struct promcb_latency_sum sum = promcb_counts_latency(&component->counts);

	at = promcb_digits_u64(at, sum.seconds);
	at = promcb_digits_fraction(at, (uint64_t)sum.nanoseconds * 10000000);
	*at++ = '\n';
	return at;
}

static inline char *put_double(char *at, double value)
{
	at = promcb_digits_double(at, value);
	*at++ = '\n';
	return at;
}

#endif

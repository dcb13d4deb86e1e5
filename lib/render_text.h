/* SPDX-License-Identifier: MIT */
/*
 * render_text.h: what the rooms of the text format share: how a line is put together.
 *
 * May include: render.h, sink_direct.h. For render_text.c and render_self.c only.
 *
 * Speed: a scrape of 10,000 components is 450,000 lines. So each component's label is escaped once, room for all
 * lines of a component is asked for once, and a line is then two or three copies in whole 32-byte steps and its
 * digits. Copies go past the end of what they copy: everything copied from here lies in memory that goes on for PIECE
 * bytes, and LINE_MAX_BYTES has room for it.
 */
#ifndef PROMCB_RENDER_TEXT_H
#define PROMCB_RENDER_TEXT_H

#include "render.h"
#include "sink_direct.h"

/* The HELP and TYPE lines of a family. */
void promcb_render_head(struct promcb_sink *sink, const char *name, const char *type, const char *help);

/* The families about promcb itself and the segment. */
void promcb_render_self(const struct promcb_segment_info *info, const struct promcb_render_options *options,
			struct promcb_sink *sink);

/* Copies go in steps of this many bytes. */
enum { PIECE = 32 };

/* `{component="`, a name that is all quotes, `"} ` */
enum { LABEL_MAX = 12 + 2 * PROMCB_NAME_MAX + 3 };

/* The most that one line can take, what copies write past its end included. */
enum { LINE_MAX_BYTES = 2 * PIECE + LABEL_MAX + PIECE + PROMCB_DIGITS_ROOM + PIECE };

/* The name of a series. */
struct series {
	char text[2 * PIECE];
	size_t bytes;
};

/* What follows the component among the labels, with the closing brace and the blank. */
struct suffix {
	char text[PIECE];
	size_t bytes;
};

#define SUFFIX(literal)                      \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

/* `{component="NAME"} `, and how long that is without the brace and the blank. */
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

static inline char *put_double(char *at, double value)
{
	at = promcb_digits_double(at, value);
	*at++ = '\n';
	return at;
}

/*
 * A latency of the recent samples, in seconds. Picoseconds are a thousand times finer than what was measured, short,
 * and cheap to print, where a binary fraction of a second takes 17 digits to say exactly.
 */
static inline char *put_latency(char *at, double nanoseconds)
{
	if (nanoseconds >= 0 && nanoseconds < 1e15)
		at = promcb_digits_picoseconds(at, (uint64_t)(nanoseconds * 1000 + 0.5));
	else
		at = promcb_digits_double(at, nanoseconds / 1e9);
	*at++ = '\n';
	return at;
}

#endif

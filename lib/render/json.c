/* SPDX-License-Identifier: MIT */
/* json.c: values of JSON. Text is the same in every locale. */
#include "render/render_json.h"
#include "render/sink_direct.h"

#include <math.h>

/* The longest escape: \u0001. */
enum { ESCAPE_BYTES = 6 };

/* Where text stops being what it is in JSON, too. */
static const char *plain_end(const char *text)
{
	while ((unsigned char)*text >= ' ' && *text != '"' && *text != '\\')
		text++;
	return text;
}

static size_t escape(unsigned char byte, char out[ESCAPE_BYTES])
{
	static const char digits[] = "0123456789ABCDEF";
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	out[0] = '\\';
	for (const char *at = shorts; *at; at += 2)
		if ((unsigned char)*at == byte) {
			out[1] = at[1];
			return 2;
		}
	memcpy(out + 1, "u00", 3);
	out[4] = digits[byte >> 4];
	out[5] = digits[byte & 15];
	return ESCAPE_BYTES;
}

void promcb_json_inside(struct promcb_sink *sink, const char *text)
{
	for (;;) {
		const char *end = plain_end(text);
		char escaped[ESCAPE_BYTES];

		promcb_sink_bytes(sink, text, (size_t)(end - text));
		if (!*end)
			return;
		promcb_sink_bytes(sink, escaped, escape((unsigned char)*end, escaped));
		text = end + 1;
	}
}

void promcb_json_text(struct promcb_sink *sink, const char *text)
{
	if (!text) {
		promcb_sink_text(sink, "null");
		return;
	}
	promcb_sink_bytes(sink, "\"", 1);
	promcb_json_inside(sink, text);
	promcb_sink_bytes(sink, "\"", 1);
}

void promcb_json_whole(struct promcb_sink *sink, uint64_t value)
{
	if (value <= INT64_MAX)
		promcb_sink_u64(sink, value);
	else
		promcb_json_real(sink, (double)value);
}

void promcb_json_real(struct promcb_sink *sink, double value)
{
	char *at;

	if (!isfinite(value)) {
		promcb_sink_text(sink, "null");
		return;
	}
	at = promcb_sink_room(sink, PROMCB_DIGITS_ROOM);
	if (at)
		promcb_sink_wrote(sink, promcb_digits_fifteen(at, value));
}

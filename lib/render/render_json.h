/* SPDX-License-Identifier: MIT */
/* render_json.h: values of JSON, as the JSON formats print them into a sink. */
#ifndef PROMCB_RENDER_JSON_H
#define PROMCB_RENDER_JSON_H

#include "render/render.h"

/* What stands between the quotes of a string. text: UTF-8. */
void promcb_json_inside(struct promcb_sink *sink, const char *text);

/* A string with its quotes; null for NULL. text: UTF-8. */
void promcb_json_text(struct promcb_sink *sink, const char *text);

/* Whole numbers beyond a signed 64-bit integer go as reals: near enough, and parsers of 64 bits take them. */
void promcb_json_whole(struct promcb_sink *sink, uint64_t value);

/* With 15 digits, a point or an exponent. What is not a number, or infinite, is null. */
void promcb_json_real(struct promcb_sink *sink, double value);

/*
 * Members of an object: what stands before the value, such as "{" and "\"count\": ", is one text; keys are never names
 * that come from elsewhere.
 */
static inline void promcb_json_text_member(struct promcb_sink *sink, const char *key, const char *text)
{
	promcb_sink_text(sink, key);
	promcb_json_text(sink, text);
}

static inline void promcb_json_whole_member(struct promcb_sink *sink, const char *key, uint64_t value)
{
	promcb_sink_text(sink, key);
	promcb_json_whole(sink, value);
}

static inline void promcb_json_real_member(struct promcb_sink *sink, const char *key, double value)
{
	promcb_sink_text(sink, key);
	promcb_json_real(sink, value);
}

#endif

/* SPDX-License-Identifier: MIT */
/* render_json.h: what the JSON formats share: values of jansson, and how one goes into a sink. */
#ifndef PROMCB_RENDER_JSON_H
#define PROMCB_RENDER_JSON_H

#include "render/render.h"

#include <jansson.h>

/* Whole numbers beyond a signed 64-bit integer go as reals: near enough, and never negative. */
json_t *promcb_json_whole(uint64_t value);

/* What is not a number, or infinite, is null. */
json_t *promcb_json_real(double value);

/* Sets a key to a new value, which it takes. Returns 0, or -1 if either could not be had, as jansson does. */
int promcb_json_set(json_t *object, const char *key, json_t *value);

/* Prints and drops. value: NULL if it could not be made. */
void promcb_json_print(struct promcb_sink *sink, json_t *value);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * web_config_yaml.h: a YAML text, one event after the other, for who knows what to expect.
 *
 * A leaf on libyaml. Anchors and aliases are refused, and with them all ways to be larger than one looks; so are tags,
 * but that of strings. What a scalar said is wiped before its memory is given back.
 */
#ifndef PROMCB_SIDECAR_WEB_CONFIG_YAML_H
#define PROMCB_SIDECAR_WEB_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

struct sidecar_yaml {
	yaml_parser_t parser;
	yaml_event_t event; /* the one to look at; of no type before the first */
	char *message;
	size_t message_size;
};

/* text and message stay the caller's, and must stay. Returns 0, or -errno: -ENOMEM. */
int sidecar_yaml_open(struct sidecar_yaml *yaml, const char *text, size_t length, char *message, size_t message_size);

void sidecar_yaml_close(struct sidecar_yaml *yaml);

/* A sentence with the line of the event at hand. Returns -EINVAL. */
int sidecar_yaml_complain(struct sidecar_yaml *yaml, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Goes on to the next event. Returns 0, or -errno with a sentence in the message: -EINVAL, -ENOMEM. */
int sidecar_yaml_next(struct sidecar_yaml *yaml);

/* What the scalar at hand says. */
const char *sidecar_yaml_text(const struct sidecar_yaml *yaml);

/* Whether a text is one of several words, the last of which is NULL. */
bool sidecar_yaml_is_one_of(const char *text, const char *const *words);

/* Whether nothing is said at hand, so that the default stays. */
bool sidecar_yaml_is_null(const struct sidecar_yaml *yaml);

/* Complains unless a scalar without control characters is at hand. */
int sidecar_yaml_must_be_text(struct sidecar_yaml *yaml, const char *what);

/*
 * The scalar at hand as a truth value; YAML 1.1 knows more words for that than two. Nothing said leaves it. Returns 0,
 * or -EINVAL without a sentence.
 */
int sidecar_yaml_bool(struct sidecar_yaml *yaml, bool *out);

#endif

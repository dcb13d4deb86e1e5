/* SPDX-License-Identifier: MIT */
/*
 * web_config_yaml.h: a YAML text, one event after the other, for who knows what to expect.
 *
 * A leaf on libyaml. The text is parsed as a whole; then aliases are replaced by what they stand for, and merge keys
 * ("<<") by the pairs that they bring, so that no reader sees either. What comes of that is bounded, however often it
 * refers to itself: SIDECAR_YAML_EVENTS_MAX events, SIDECAR_YAML_DEPTH_MAX levels. Tags are refused, but that of
 * strings. What scalars said is wiped before their memory is given back.
 */
#ifndef PROMCB_SIDECAR_WEB_CONFIG_YAML_H
#define PROMCB_SIDECAR_WEB_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

enum { SIDECAR_YAML_EVENTS_MAX = 16384, SIDECAR_YAML_DEPTH_MAX = 32 };

struct sidecar_yaml {
	yaml_event_t event; /* the one to look at; of no type before the first */
	char *message;
	size_t message_size;

	/* As parsed, which owns the scalars; and with aliases and merges carried out. */
	yaml_event_t *parsed, *events;
	size_t *ends; /* of what is parsed: the index of the event that ends what begins here */
	size_t parsed_count, parsed_room, count, room, next, steps;
};

/*
 * text may go afterwards; message stays the caller's, and must stay. Returns 0, or -errno with a sentence in message:
 * -EINVAL, -ENOMEM. Closed in either case.
 */
int sidecar_yaml_open(struct sidecar_yaml *yaml, const char *text, size_t length, char *message, size_t message_size);

void sidecar_yaml_close(struct sidecar_yaml *yaml);

/* A sentence with the line of the event at hand. Returns -EINVAL. */
int sidecar_yaml_complain(struct sidecar_yaml *yaml, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Goes on to the next event. Returns 0, or -EINVAL with a sentence in the message: there is none. */
int sidecar_yaml_next(struct sidecar_yaml *yaml);

/* What the scalar at hand says. */
const char *sidecar_yaml_text(const struct sidecar_yaml *yaml);

/* Whether a text is one of several words, the last of which is NULL. */
bool sidecar_yaml_is_one_of(const char *text, const char *const *words);

/* Whether nothing is said at hand, so that the default stays. */
bool sidecar_yaml_is_null(const struct sidecar_yaml *yaml);

/* Complains unless a scalar without control characters is at hand. */
int sidecar_yaml_must_be_text(struct sidecar_yaml *yaml, const char *what);

/* Complains unless a scalar is at hand that may have several lines. */
int sidecar_yaml_must_be_lines(struct sidecar_yaml *yaml, const char *what);

/*
 * The scalar at hand as a truth value; YAML 1.1 knows more words for that than two. Nothing said leaves it. Returns 0,
 * or -EINVAL without a sentence.
 */
int sidecar_yaml_bool(struct sidecar_yaml *yaml, bool *out);

#endif

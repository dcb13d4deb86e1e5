/* SPDX-License-Identifier: MIT */
/* web_config_yaml.c: libyaml's events, with sentences in place of error codes, and aliases written out. */
#include "web_config_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- What is parsed ----------------------------------------------------------------------------------------------- */

int sidecar_yaml_complain(struct sidecar_yaml *yaml, const char *format, ...)
{
	va_list arguments;
	int length = snprintf(yaml->message, yaml->message_size, "line %zu: ", yaml->event.start_mark.line + 1);

	if (length > 0 && (size_t)length < yaml->message_size) {
		va_start(arguments, format);
		vsnprintf(yaml->message + length, yaml->message_size - (size_t)length, format, arguments);
		va_end(arguments);
	}
	return -EINVAL;
}

static int complain_of(struct sidecar_yaml *yaml, const yaml_event_t *event, const char *sentence)
{
	yaml->event.start_mark = event->start_mark;
	return sidecar_yaml_complain(yaml, "%s", sentence);
}

static const char *anchor_of(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return (const char *)event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return (const char *)event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return (const char *)event->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

static const char *tag_of(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return (const char *)event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return (const char *)event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return (const char *)event->data.mapping_start.tag;
	default:
		return NULL;
	}
}

static bool is_odd_tag(const char *tag)
{
	return tag && strcmp(tag, "!") != 0 && strcmp(tag, YAML_STR_TAG) != 0;
}

static bool begins(const yaml_event_t *event)
{
	return event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;
}

static bool ends(const yaml_event_t *event)
{
	return event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT;
}

/* Room for one more event, and for where it ends, if that is kept. */
static int make_room(yaml_event_t **events, size_t **ends_at, size_t count, size_t *room)
{
	size_t more = *room ? *room * 2 : 64;
	yaml_event_t *larger;

	if (count < *room)
		return 0;
	larger = reallocarray(*events, more, sizeof(**events));
	if (!larger)
		return -ENOMEM;
	*events = larger;
	if (ends_at) {
		size_t *longer = reallocarray(*ends_at, more, sizeof(**ends_at));

		if (!longer)
			return -ENOMEM;
		*ends_at = longer;
	}
	*room = more;
	return 0;
}

static int parse_event(struct sidecar_yaml *yaml, yaml_parser_t *parser, size_t open[SIDECAR_YAML_DEPTH_MAX],
		       size_t *depth)
{
	size_t at = yaml->parsed_count;
	yaml_event_t *event;

	if (make_room(&yaml->parsed, &yaml->ends, at, &yaml->parsed_room))
		return -ENOMEM;
	event = &yaml->parsed[at];
	if (!yaml_parser_parse(parser, event)) {
		if (parser->error == YAML_MEMORY_ERROR)
			return -ENOMEM;
		/* Only readers of bytes tell no line. */
		yaml->event.start_mark = parser->problem_mark;
		return sidecar_yaml_complain(yaml, "no YAML: %s",
					     parser->problem ? parser->problem : "it cannot be parsed");
	}
	yaml->ends[at] = at;
	yaml->parsed_count++;
	yaml->event.start_mark = event->start_mark;
	if (is_odd_tag(tag_of(event)))
		return sidecar_yaml_complain(yaml, "the tag %.64s is not supported: leave it out", tag_of(event));
	if (begins(event)) {
		if (*depth == SIDECAR_YAML_DEPTH_MAX)
			return sidecar_yaml_complain(yaml, "it is more than %d levels deep", SIDECAR_YAML_DEPTH_MAX);
		/* Until it is known. */
		yaml->ends[at] = 0;
		open[(*depth)++] = at;
	} else if (ends(event)) {
		yaml->ends[open[--*depth]] = at;
	}
	return 0;
}

static int parse(struct sidecar_yaml *yaml, const char *text, size_t length)
{
	size_t open[SIDECAR_YAML_DEPTH_MAX], depth = 0;
	yaml_parser_t parser;
	int result = 0;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	do
		result = parse_event(yaml, &parser, open, &depth);
	while (result == 0 && yaml->parsed[yaml->parsed_count - 1].type != YAML_STREAM_END_EVENT);
	yaml_parser_delete(&parser);
	return result;
}

/* -- Aliases and merges -------------------------------------------------------------------------------------------- */

/* Of merging, which can be much work for few events. */
enum { STEPS_MAX = 1 << 22 };

static const char endless[] = "it is too large once its aliases are expanded";

static int append(struct sidecar_yaml *yaml, const yaml_event_t *event)
{
	if (yaml->count == SIDECAR_YAML_EVENTS_MAX)
		return complain_of(yaml, event, endless);
	if (make_room(&yaml->events, NULL, yaml->count, &yaml->room))
		return -ENOMEM;
	yaml->events[yaml->count++] = *event;
	return 0;
}

/* What an alias stands for: what bore its name last, and is complete. */
static int resolve(struct sidecar_yaml *yaml, size_t *at)
{
	const yaml_event_t *alias = &yaml->parsed[*at];

	for (size_t i = *at; i-- > 0;) {
		const char *anchor = anchor_of(&yaml->parsed[i]);

		if (!anchor || strcmp(anchor, (const char *)alias->data.alias.anchor) != 0)
			continue;
		/* Of what is still open, the end lies behind the alias. */
		if (begins(&yaml->parsed[i]) && yaml->ends[i] > *at)
			return complain_of(yaml, alias, "an alias refers to something that contains it");
		*at = i;
		return 0;
	}
	return complain_of(yaml, alias, "an alias has no anchor");
}

static bool is_merge_key(const yaml_event_t *event)
{
	return event->type == YAML_SCALAR_EVENT && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       !event->data.scalar.tag && strcmp((const char *)event->data.scalar.value, "<<") == 0;
}

/* Whether a mapping whose pairs so far begin there has a key already. */
static bool has_key(struct sidecar_yaml *yaml, size_t from, const yaml_event_t *key)
{
	size_t depth = 0;
	bool is_key = true;

	for (size_t i = from; i < yaml->count; i++) {
		const yaml_event_t *event = &yaml->events[i];

		yaml->steps++;
		if (depth == 0 && is_key && event->type == YAML_SCALAR_EVENT && key->type == YAML_SCALAR_EVENT &&
		    strcmp((const char *)event->data.scalar.value, (const char *)key->data.scalar.value) == 0)
			return true;
		depth += begins(event);
		depth -= ends(event);
		if (depth == 0)
			is_key = !is_key;
	}
	return false;
}

static int expand(struct sidecar_yaml *yaml, size_t at, unsigned depth);

/*
 * The pairs of a mapping. merged: only those whose keys are not there yet; else all, so that who reads them can tell of
 * one that is there twice. What a mapping says itself goes before what it merges, wherever the merge key stands.
 */
static int expand_pairs(struct sidecar_yaml *yaml, size_t mapping, size_t from, bool merged, unsigned depth);

/* What stands behind a merge key: a mapping, or a list of them. */
static int merge(struct sidecar_yaml *yaml, size_t at, size_t from, bool in_list, unsigned depth)
{
	const yaml_event_t *event = &yaml->parsed[at];
	int result = 0;

	if (event->type == YAML_ALIAS_EVENT) {
		result = resolve(yaml, &at);
		if (result)
			return result;
		event = &yaml->parsed[at];
	}
	if (depth == SIDECAR_YAML_DEPTH_MAX)
		return complain_of(yaml, event, "it is too many levels deep");
	if (event->type == YAML_MAPPING_START_EVENT)
		return expand_pairs(yaml, at, from, true, depth + 1);
	if (event->type != YAML_SEQUENCE_START_EVENT || in_list)
		return complain_of(yaml, event, "\"<<\" merges a mapping, or a list of mappings");
	for (size_t item = at + 1; result == 0 && item < yaml->ends[at]; item = yaml->ends[item] + 1)
		result = merge(yaml, item, from, true, depth + 1);
	return result;
}

static int expand_pairs(struct sidecar_yaml *yaml, size_t mapping, size_t from, bool merged, unsigned depth)
{
	size_t end = yaml->ends[mapping];
	int result = 0;

	for (unsigned pass = 0; pass < 2; pass++) {
		size_t value;

		for (size_t key = mapping + 1; result == 0 && key < end; key = yaml->ends[value] + 1) {
			const yaml_event_t *named = &yaml->parsed[key];
			size_t stands = key;

			value = yaml->ends[key] + 1;
			if (++yaml->steps > STEPS_MAX)
				return complain_of(yaml, named, endless);
			if (is_merge_key(named) != (pass == 1))
				continue;
			if (pass == 1) {
				result = merge(yaml, value, from, false, depth);
				continue;
			}
			if (named->type == YAML_ALIAS_EVENT)
				result = resolve(yaml, &stands);
			if (result == 0 && merged && has_key(yaml, from, &yaml->parsed[stands]))
				continue;
			if (result == 0)
				result = expand(yaml, stands, depth + 1);
			if (result == 0)
				result = expand(yaml, value, depth + 1);
		}
	}
	return result;
}

/* What begins there, whatever it takes. */
static int expand(struct sidecar_yaml *yaml, size_t at, unsigned depth)
{
	const yaml_event_t *event = &yaml->parsed[at];
	int result = 0;

	if (event->type == YAML_ALIAS_EVENT) {
		result = resolve(yaml, &at);
		event = &yaml->parsed[at];
	}
	if (result == 0 && depth > SIDECAR_YAML_DEPTH_MAX)
		result = complain_of(yaml, event, "it is too many levels deep");
	if (result == 0)
		result = append(yaml, event);
	if (result || !begins(event))
		return result;
	if (event->type == YAML_MAPPING_START_EVENT)
		result = expand_pairs(yaml, at, yaml->count, false, depth);
	else
		for (size_t item = at + 1; result == 0 && item < yaml->ends[at]; item = yaml->ends[item] + 1)
			result = expand(yaml, item, depth + 1);
	return result ? result : append(yaml, &yaml->parsed[yaml->ends[at]]);
}

/* -- Beginning and end --------------------------------------------------------------------------------------------- */

int sidecar_yaml_open(struct sidecar_yaml *yaml, const char *text, size_t length, char *message, size_t message_size)
{
	int result;

	*yaml = (struct sidecar_yaml){.message = message, .message_size = message_size};
	result = parse(yaml, text, length);
	for (size_t at = 0; result == 0 && at < yaml->parsed_count; at = yaml->ends[at] + 1)
		result = expand(yaml, at, 0);
	yaml->event = (yaml_event_t){.type = YAML_NO_EVENT, .start_mark = yaml->event.start_mark};
	return result;
}

void sidecar_yaml_close(struct sidecar_yaml *yaml)
{
	for (size_t i = 0; i < yaml->parsed_count; i++) {
		yaml_event_t *event = &yaml->parsed[i];

		if (event->type == YAML_SCALAR_EVENT)
			explicit_bzero(event->data.scalar.value, event->data.scalar.length);
		yaml_event_delete(event);
	}
	free(yaml->parsed);
	free(yaml->ends);
	free(yaml->events);
}

int sidecar_yaml_next(struct sidecar_yaml *yaml)
{
	if (yaml->next == yaml->count)
		return sidecar_yaml_complain(yaml, "it ends too early");
	yaml->event = yaml->events[yaml->next++];
	return 0;
}

/* -- What it says -------------------------------------------------------------------------------------------------- */

const char *sidecar_yaml_text(const struct sidecar_yaml *yaml)
{
	return (const char *)yaml->event.data.scalar.value;
}

static bool is_plain(const struct sidecar_yaml *yaml)
{
	return yaml->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !yaml->event.data.scalar.tag;
}

bool sidecar_yaml_is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

bool sidecar_yaml_is_null(const struct sidecar_yaml *yaml)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};

	return yaml->event.type == YAML_SCALAR_EVENT && is_plain(yaml) &&
	       sidecar_yaml_is_one_of(sidecar_yaml_text(yaml), nulls);
}

/* may_break: a line feed is no control character then. */
static int must_be_text(struct sidecar_yaml *yaml, const char *what, bool may_break)
{
	if (yaml->event.type != YAML_SCALAR_EVENT)
		return sidecar_yaml_complain(yaml, "%s must be a string", what);
	for (size_t i = 0; i < yaml->event.data.scalar.length; i++) {
		unsigned char byte = yaml->event.data.scalar.value[i];

		if ((byte < 0x20 && !(may_break && (byte == '\n' || byte == '\r' || byte == '\t'))) || byte == 0x7f)
			return sidecar_yaml_complain(yaml, "%s must not hold control characters", what);
	}
	return 0;
}

int sidecar_yaml_must_be_text(struct sidecar_yaml *yaml, const char *what)
{
	return must_be_text(yaml, what, false);
}

int sidecar_yaml_must_be_lines(struct sidecar_yaml *yaml, const char *what)
{
	return must_be_text(yaml, what, true);
}

int sidecar_yaml_bool(struct sidecar_yaml *yaml, bool *out)
{
	static const char *const yes[] = {"y",    "Y",    "yes", "Yes", "YES", "true",
					  "True", "TRUE", "on",  "On",  "ON",  NULL};
	static const char *const no[] = {"n",     "N",     "no",  "No",  "NO",  "false",
					 "False", "FALSE", "off", "Off", "OFF", NULL};

	if (sidecar_yaml_is_null(yaml))
		return 0;
	if (yaml->event.type == YAML_SCALAR_EVENT && is_plain(yaml)) {
		*out = sidecar_yaml_is_one_of(sidecar_yaml_text(yaml), yes);
		if (*out || sidecar_yaml_is_one_of(sidecar_yaml_text(yaml), no))
			return 0;
	}
	return -EINVAL;
}

/* SPDX-License-Identifier: MIT */
/*
 * web_config_yaml.c: libyaml's events, with sentences in place of error codes.
 *
 * May include: web_config_yaml.h.
 */
#include "web_config_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void drop_event(struct sidecar_yaml *yaml)
{
	if (yaml->event.type == YAML_SCALAR_EVENT)
		explicit_bzero(yaml->event.data.scalar.value, yaml->event.data.scalar.length);
	yaml_event_delete(&yaml->event);
}

int sidecar_yaml_open(struct sidecar_yaml *yaml, const char *text, size_t length, char *message, size_t message_size)
{
	*yaml = (struct sidecar_yaml){.message = message, .message_size = message_size};
	if (!yaml_parser_initialize(&yaml->parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&yaml->parser, (const unsigned char *)text, length);
	return 0;
}

void sidecar_yaml_close(struct sidecar_yaml *yaml)
{
	drop_event(yaml);
	yaml_parser_delete(&yaml->parser);
}

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

static bool is_odd_tag(const yaml_char_t *tag)
{
	return tag && strcmp((const char *)tag, "!") != 0 && strcmp((const char *)tag, YAML_STR_TAG) != 0;
}

int sidecar_yaml_next(struct sidecar_yaml *yaml)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	drop_event(yaml);
	if (!yaml_parser_parse(&yaml->parser, &yaml->event)) {
		const yaml_parser_t *parser = &yaml->parser;

		if (parser->error == YAML_MEMORY_ERROR)
			return -ENOMEM;
		/* Only readers of bytes tell no line. */
		yaml->event.start_mark = parser->problem_mark;
		return sidecar_yaml_complain(yaml, "no YAML: %s",
					     parser->problem ? parser->problem : "it cannot be parsed");
	}
	switch (yaml->event.type) {
	case YAML_ALIAS_EVENT:
		anchor = yaml->event.data.alias.anchor;
		break;
	case YAML_SCALAR_EVENT:
		anchor = yaml->event.data.scalar.anchor;
		tag = yaml->event.data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = yaml->event.data.sequence_start.anchor;
		tag = yaml->event.data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = yaml->event.data.mapping_start.anchor;
		tag = yaml->event.data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor)
		return sidecar_yaml_complain(yaml, "anchors and aliases are not supported: write the value out");
	if (is_odd_tag(tag))
		return sidecar_yaml_complain(yaml, "the tag %.64s is not supported: leave it out", (const char *)tag);
	return 0;
}

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

int sidecar_yaml_must_be_text(struct sidecar_yaml *yaml, const char *what)
{
	if (yaml->event.type != YAML_SCALAR_EVENT)
		return sidecar_yaml_complain(yaml, "%s must be a string", what);
	for (size_t i = 0; i < yaml->event.data.scalar.length; i++) {
		unsigned char byte = yaml->event.data.scalar.value[i];

		if (byte < 0x20 || byte == 0x7f)
			return sidecar_yaml_complain(yaml, "%s must not hold control characters", what);
	}
	return 0;
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

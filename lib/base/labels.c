/* SPDX-License-Identifier: MIT */
#include "base/labels.h"

#include "base/name.h"

#include <string.h>

/* -- Rules --------------------------------------------------------------------------------------------------------- */

static bool is_reserved(const char *name)
{
	static const char *const reserved[] = {"component", "segment", "state", "level",   "type",
					       "quantile",  "le",      "job",   "instance"};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strcmp(name, reserved[i]) == 0)
			return true;
	return false;
}

static const char *value_fault(const char *value)
{
	if (!promcb_name_is_utf8(value, strlen(value)))
		return "the value of a component's label must be UTF-8";
	for (; *value; value++)
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return "the value of a component's label may not hold control bytes";
	return NULL;
}

static bool is_empty(const struct promcb_label *label)
{
	return !label->value || !*label->value;
}

static const char *labels_fault(const struct promcb_label *labels, size_t count)
{
	if (count > PROMCB_COMPONENT_LABELS_MAX)
		return "a component has at most 8 labels";
	for (size_t i = 0; i < count; i++) {
		const char *fault = NULL;

		if (!labels[i].name || !promcb_name_is_word(labels[i].name, strlen(labels[i].name)))
			return "a component's label is called by letters, digits and \"_\", no digit first, and not "
			       "\"__\"";
		if (is_reserved(labels[i].name))
			return "no label of a component is called component, segment, state, level, type, quantile, "
			       "le, job or instance: its metrics have these";
		for (size_t j = 0; j < i; j++)
			if (strcmp(labels[i].name, labels[j].name) == 0)
				return "a component's labels have different names";
		if (!is_empty(&labels[i]))
			fault = value_fault(labels[i].value);
		if (fault)
			return fault;
	}
	return NULL;
}

/* -- The text ------------------------------------------------------------------------------------------------------ */

/* The label that comes next by its name, behind one that was; NULL: none. */
static const struct promcb_label *next_label(const struct promcb_label *labels, size_t count,
					     const struct promcb_label *before)
{
	const struct promcb_label *next = NULL;

	for (size_t i = 0; i < count; i++) {
		if (is_empty(&labels[i]) || (before && strcmp(labels[i].name, before->name) <= 0))
			continue;
		if (!next || strcmp(labels[i].name, next->name) < 0)
			next = &labels[i];
	}
	return next;
}

/* Appends as long as there is room; else the length says that there was none. */
static void put(struct promcb_full_name *out, const char *bytes, size_t count)
{
	if (count <= PROMCB_FULL_NAME_MAX && out->bytes + count <= PROMCB_FULL_NAME_MAX)
		memcpy(out->text + out->bytes, bytes, count);
	else
		count = PROMCB_FULL_NAME_MAX + 1 - (size_t)out->bytes;
	out->bytes += (uint32_t)count;
}

static void put_value(struct promcb_full_name *out, const char *value)
{
	for (; *value && out->bytes <= PROMCB_FULL_NAME_MAX; value++) {
		if (*value == '"' || *value == '\\')
			put(out, "\\", 1);
		put(out, value, 1);
	}
}

const char *promcb_full_name_make(struct promcb_full_name *out, const char *name, size_t length,
				  const struct promcb_label *labels, size_t count)
{
	const char *fault = promcb_name_fault(name, length), *joint = "{";
	const struct promcb_label *label = NULL;

	if (!fault)
		fault = labels_fault(labels, count);
	if (fault)
		return fault;
	memset(out, 0, sizeof(*out));
	put(out, name, length);
	while ((label = next_label(labels, count, label))) {
		put(out, joint, 1);
		put(out, label->name, strlen(label->name));
		put(out, "=\"", 2);
		put_value(out, label->value);
		put(out, "\"", 1);
		joint = ",";
	}
	if (*joint == ',')
		put(out, "}", 1);
	return out->bytes <= PROMCB_FULL_NAME_MAX
		       ? NULL
		       : "a component's name and labels, as NAME{LABEL=\"VALUE\"}, have at most 230 bytes";
}

const char *promcb_labels_error(const char *name, const struct promcb_label *labels, size_t count)
{
	struct promcb_full_name full;
	size_t length = name ? strlen(name) : 0;

	if (name)
		promcb_name_trim(&name, &length);
	return promcb_full_name_make(&full, name, length, labels, count);
}

void promcb_full_name_set(struct promcb_full_name *out, const char *name, size_t length)
{
	memset(out, 0, sizeof(*out));
	put(out, name, length);
	memcpy(out->parts, out->text, sizeof(out->parts));
}

/* -- Taking apart -------------------------------------------------------------------------------------------------- */

static char *skip_blanks(char *at)
{
	while (*at == ' ' || *at == '\t')
		at++;
	return at;
}

/* Behind the quote that ends a value which begins here; NULL: none does. */
static char *end_of_value(char *at)
{
	for (; *at && *at != '"'; at++)
		if (*at == '\\' && *++at == 0)
			return NULL;
	return *at ? at + 1 : NULL;
}

/* Takes the escapes out of a value, whose quote is to be its end. */
static void unescape(char *value)
{
	char *to = value;

	for (; *value != '"'; value++) {
		if (*value == '\\' && (value[1] == '"' || value[1] == '\\'))
			value++;
		else if (*value == '\\' && value[1] == 'n')
			*++value = '\n';
		*to++ = *value;
	}
	*to = 0;
}

/*
 * A list of labels that goes on to the end of the text, whose brace is behind us. cut: puts zeros behind names and
 * values, and fills labels, as far as there is room. Returns how many there are; 0: it is no such list.
 */
static size_t take_list(char *at, bool cut, struct promcb_label *labels, size_t room)
{
	for (size_t count = 0;;) {
		char *name = skip_blanks(at), *name_end = name + strcspn(name, "={}\",\\ \t");
		char *value = skip_blanks(name_end), *end;

		if (name_end == name || *value != '=')
			return 0;
		value = skip_blanks(value + 1);
		end = *value == '"' ? end_of_value(++value) : NULL;
		if (!end)
			return 0;
		at = skip_blanks(end);
		/* A comma may stand behind the last, too. */
		bool more = *at == ',';

		at = more ? skip_blanks(at + 1) : at;
		bool last = *at == '}' && at[1] == 0;

		if (!last && (!more || *at == '}'))
			return 0;
		if (cut) {
			*name_end = 0;
			unescape(value);
			if (count < room)
				labels[count] = (struct promcb_label){name, value};
		}
		count++;
		if (last)
			return count;
	}
}

size_t promcb_name_labels(char *text, struct promcb_label *labels, size_t room)
{
	const char *trimmed = text;
	size_t length = strlen(text), count;

	promcb_name_trim(&trimmed, &length);
	memmove(text, trimmed, length);
	text[length] = 0;
	/* A brace at the beginning has no name before it. */
	for (char *brace = strchr(text + (*text != 0), '{'); brace; brace = strchr(brace + 1, '{')) {
		if (take_list(brace + 1, false, NULL, 0) == 0)
			continue;
		count = take_list(brace + 1, true, labels, room);
		*brace = 0;
		return count;
	}
	return 0;
}

bool promcb_full_name_take_apart(struct promcb_full_name *name)
{
	struct promcb_label labels[PROMCB_COMPONENT_LABELS_MAX];
	struct promcb_full_name again;
	const char *bare = name->parts;
	size_t count, length;

	memcpy(name->parts, name->text, sizeof(name->parts));
	count = promcb_name_labels(name->parts, labels, PROMCB_COMPONENT_LABELS_MAX);
	if (count == 0 || count > PROMCB_COMPONENT_LABELS_MAX)
		return false;
	length = strlen(bare);
	promcb_name_trim(&bare, &length);
	if (length != strlen(name->parts) || promcb_full_name_make(&again, bare, length, labels, count) ||
	    again.bytes != name->bytes || memcmp(again.text, name->text, sizeof(again.text)) != 0)
		return false;
	name->count = (uint8_t)count;
	for (size_t i = 0; i < count; i++) {
		name->label_at[i] = (uint8_t)(labels[i].name - name->parts);
		name->value_at[i] = (uint8_t)(labels[i].value - name->parts);
	}
	return true;
}

/* SPDX-License-Identifier: MIT */
/* families.c: the table of the metric families of components, and the bounds of classic buckets. */
#include "render/families.h"

#include "base/bucket.h"
#include "base/name.h"

const struct promcb_component_family promcb_families[PROMCB_KINDS] = {
#define FAMILY(kind, shape, value, type, unit, compat, name, help) \
	[PROMCB_KIND_##kind] = {name, PROMCB_SHAPE_##shape, PROMCB_TYPE_##type, unit, help, compat},
	PROMCB_FAMILIES(FAMILY)
#undef FAMILY
};

/* What all names in the table begin with that a prefix replaces. */
static const char standard[] = "circuit_breaker_";

/* Copies a text, the prefix in place of the standard one, wherever it stands. */
static void put_prefixed(char *at, const char *text, const char *prefix)
{
	const char *found;

	while ((found = strstr(text, standard))) {
		at = mempcpy(at, text, (size_t)(found - text));
		at = stpcpy(stpcpy(at, prefix), "_");
		text = found + strlen(standard);
	}
	strcpy(at, text);
}

void promcb_prefixed_make(struct promcb_prefixed *out, const struct promcb_component_family *family,
			  const struct promcb_render_options *options)
{
	const char *prefix = options->prefix ? options->prefix : "circuit_breaker";

	put_prefixed(out->name, family->name, prefix);
	put_prefixed(out->help, family->help, prefix);
}

bool promcb_prefix_is_good(const char *prefix)
{
	size_t bytes = prefix ? strlen(prefix) : 0;

	return !prefix || (promcb_name_is_word(prefix, bytes) && bytes <= PROMCB_PREFIX_MAX &&
			   prefix[bytes - 1] != '_' && strncmp(prefix, "promcb", 6) != 0);
}

bool promcb_prefixed_has_stem(const struct promcb_render_options *options, const char *stem, size_t bytes)
{
	for (unsigned kind = 0; options->prefix && kind < PROMCB_KINDS; kind++) {
		struct promcb_prefixed prefixed;
		size_t length;

		promcb_prefixed_make(&prefixed, &promcb_families[kind], options);
		length = strlen(prefixed.name);
		if (promcb_families[kind].type == PROMCB_TYPE_COUNTER)
			length -= strlen("_total");
		if (length == bytes && memcmp(prefixed.name, stem, bytes) == 0)
			return true;
	}
	return false;
}

static const char *state_name(unsigned index)
{
	return promcb_state_name((enum promcb_state)index);
}

static const char *level_name(unsigned index)
{
	return promcb_log_level_name((enum promcb_log_level)index);
}

struct promcb_shape_label promcb_shape_label(enum promcb_family_shape shape)
{
	switch (shape) {
	case PROMCB_SHAPE_BY_STATE:
		return (struct promcb_shape_label){"state", PROMCB_STATES, state_name};
	case PROMCB_SHAPE_BY_LEVEL:
		return (struct promcb_shape_label){"level", PROMCB_LOG_LEVELS, level_name};
	default:
		return (struct promcb_shape_label){.count = 1};
	}
}

bool promcb_classic_is_range(const struct promcb_render_options *options)
{
	int first = options->classic_first, last = options->classic_last;

	return (first == 0 && last == 0) ||
	       (first >= PROMCB_CLASSIC_LEAST && first < last && last <= PROMCB_CLASSIC_MOST);
}

void promcb_classic_make(struct promcb_classic *classic, uint32_t schema, const struct promcb_render_options *options)
{
	bool is_default = options->classic_first == 0 && options->classic_last == 0;
	int first = is_default ? PROMCB_CLASSIC_FIRST : options->classic_first;
	int last = is_default ? PROMCB_CLASSIC_LAST : options->classic_last;
	unsigned classic_schema = options->classic_schema;

	if (classic_schema > PROMCB_CLASSIC_SCHEMA_MAX)
		classic_schema = PROMCB_CLASSIC_SCHEMA_MAX;
	if (classic_schema > schema)
		classic_schema = schema;
	uint32_t step = 1u << (schema - classic_schema);
	uint32_t end = promcb_bucket_end_of_power(schema, first);

	classic->count = ((unsigned)(last - first) << classic_schema) + 1;
	for (unsigned i = 0; i < classic->count; i++, end += step) {
		classic->end[i] = end;
		classic->bound_seconds[i] = promcb_bucket_upper_seconds(schema, end - 1);
	}
}

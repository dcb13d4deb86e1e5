/* SPDX-License-Identifier: MIT */
#include "admin_options.h"

#include "common.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum option_key {
	KEY_MAX_BYTES = 256,
	KEY_COMPONENTS,
	KEY_LANES,
	KEY_RECENT,
	KEY_WINDOW,
	KEY_SCHEMA,
	KEY_MODE,
	KEY_OWNER,
	KEY_GROUP
};

static const struct argp_option options[] = {
	{"max-bytes", KEY_MAX_BYTES, "N", 0,
	 "Maximum size of the segment; N may end in K, M or G. Default 32M, at most 16G", 0},
	{"components", KEY_COMPONENTS, "N", 0, "Maximum number of components. Default 1024, at most 65000", 0},
	{"lanes", KEY_LANES, "N", 0, "Number of threads that can record without contention. Default 256, at most 1024",
	 0},
	{"recent-samples", KEY_RECENT, "N", 0,
	 "Number of newest calls of a component that quantiles cover, 32 to 65536. "
	 "Default 1000",
	 0},
	{"window", KEY_WINDOW, "SECONDS|any", 0, "Maximum age of those calls. Default 600", 0},
	{"schema", KEY_SCHEMA, "N", 0,
	 "Resolution of the histograms: 3 (4.5 % error, the default), 4 (2.2 %) or 5 (1.1 %)", 0},
	{"mode", KEY_MODE, "OCTAL", 0, "Permission bits. Default 0640", 0},
	{"owner", KEY_OWNER, "NAME|UID", 0, "Owner of the segment. Default: the caller", 0},
	{"group", KEY_GROUP, "NAME|GID", 0, "Group of the segment. Default: the caller's", 0},
	{0},
};

/* Digits in a base, and nothing else; the end is where they end. */
static bool parse_number(const char *text, int base, uint64_t max, uint64_t *out, const char **end)
{
	uint64_t value = 0;

	*out = 0;
	*end = text;
	for (; **end >= '0' && **end < '0' + base; ++*end) {
		uint64_t digit = (uint64_t)(**end - '0');

		if (digit > max || value > (max - digit) / (uint64_t)base)
			return false;
		value = value * (uint64_t)base + digit;
	}
	*out = value;
	return *end != text;
}

static uint32_t parse_count(struct argp_state *state, const char *what, const char *text, uint32_t min, uint32_t max)
{
	const char *end;
	uint64_t value;

	if (!parse_number(text, 10, max, &value, &end) || *end || value < min)
		argp_error(state, "invalid --%s \"%s\": expected a number from %u to %u", what, text, min, max);
	return (uint32_t)value;
}

static uint64_t parse_size(struct argp_state *state, const char *text)
{
	static const char units[] = "KMG";
	const char *end, *unit;
	uint64_t value;

	/* At most 2^38 before the unit: no overflow after it. What is too much, the library says. */
	parse_number(text, 10, (uint64_t)1 << 38, &value, &end);
	unit = *end ? strchr(units, *end & ~0x20) : units;
	if (value == 0 || !unit || (*end && end[1]))
		argp_error(state, "invalid --max-bytes \"%s\": expected a number, optionally with K, M or G", text);
	return *end ? value << 10 * (unit - units + 1) : value;
}

static uint32_t parse_window(struct argp_state *state, const char *text)
{
	if (strcmp(text, "any") == 0)
		return PROMCB_WINDOW_ANY;
	return parse_count(state, "window", text, 1, UINT32_MAX - 1);
}

static uint32_t parse_mode(struct argp_state *state, const char *text)
{
	const char *end;
	uint64_t mode;

	if (!parse_number(text, 8, 0777, &mode, &end) || *end || (mode & 0600) != 0600)
		argp_error(
			state,
			"invalid --mode \"%s\": expected octal permissions that let the owner read and write, such as "
			"0640",
			text);
	return (uint32_t)mode;
}

/*
 * An id from a number or from a name. The library takes 0 as "the caller's", so another caller cannot ask for id 0, and
 * would not be allowed to have it either.
 */
static uint32_t check_id(struct argp_state *state, const char *what, const char *text, bool known, uint64_t id,
			 uint32_t callers)
{
	if (!known)
		argp_error(state, "unknown %s \"%s\"", what, text);
	if (id == 0 && callers != 0)
		argp_error(state, "--%s: only %s 0 can create a segment owned by %s 0", what, what, what);
	return (uint32_t)id;
}

static uint32_t parse_owner(struct argp_state *state, const char *text)
{
	const char *end;
	uint64_t id;
	bool known = parse_number(text, 10, UINT32_MAX - 1, &id, &end) && !*end;

	if (!known) {
		const struct passwd *user = getpwnam(text);

		known = user != NULL;
		id = user ? user->pw_uid : 0;
	}
	return check_id(state, "owner", text, known, id, geteuid());
}

static uint32_t parse_group(struct argp_state *state, const char *text)
{
	const char *end;
	uint64_t id;
	bool known = parse_number(text, 10, UINT32_MAX - 1, &id, &end) && !*end;

	if (!known) {
		const struct group *group = getgrnam(text);

		known = group != NULL;
		id = group ? group->gr_gid : 0;
	}
	return check_id(state, "group", text, known, id, getegid());
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct promcb_admin_create *create = state->input;
	struct promcb_options *wanted = create ? &create->options : NULL;

	switch (key) {
	case KEY_MAX_BYTES:
		wanted->max_bytes = parse_size(state, text);
		return 0;
	case KEY_COMPONENTS:
		wanted->components = parse_count(state, "components", text, 1, 65000);
		return 0;
	case KEY_LANES:
		wanted->lanes = parse_count(state, "lanes", text, 1, 1024);
		return 0;
	case KEY_RECENT:
		wanted->recent_samples = parse_count(state, "recent-samples", text, 32, 65536);
		return 0;
	case KEY_WINDOW:
		wanted->window_seconds = parse_window(state, text);
		return 0;
	case KEY_SCHEMA:
		wanted->schema = parse_count(state, "schema", text, 3, 5);
		return 0;
	case KEY_MODE:
		wanted->mode = parse_mode(state, text);
		return 0;
	case KEY_OWNER:
		wanted->owner = parse_owner(state, text);
		return 0;
	case KEY_GROUP:
		wanted->group = parse_group(state, text);
		return 0;
	default:
		return promcb_tool_parse_rest(key, text, state, &create->segment);
	}
}

const struct argp promcb_admin_create_argp = {
	.options = options,
	.parser = parse,
	.args_doc = NULL,
	.doc = "Creates a segment. Fails if it already exists.",
	.children = promcb_tool_segment_child,
};

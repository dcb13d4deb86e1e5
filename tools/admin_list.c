/* SPDX-License-Identifier: MIT */
#include "admin_list.h"

#include "admin_info.h"
#include "common.h"
#include "segment_list.h"

#include <stdio.h>

struct arguments {
	const char *segment;
	const char *matching;
	bool components;
};

enum { KEY_COMPONENTS = 'c', KEY_MATCH = 'm' };

static const struct argp_option options[] = {
	{"components", KEY_COMPONENTS, NULL, 0, "List the components of a segment instead, one name a line", 0},
	{"match", KEY_MATCH, "TEXT", 0, "With --components. " PROMCB_TOOL_MATCH_HELP, 0},
	{0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case KEY_COMPONENTS:
		arguments->components = true;
		return 0;
	case KEY_MATCH:
		arguments->matching = text;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->components && (arguments->segment || arguments->matching))
			argp_error(state, "--segment and --match go with --components");
		return 0;
	default:
		return promcb_tool_parse_rest(key, text, state, &arguments->segment);
	}
}

static int write_stdout(void *context, const void *bytes, size_t length)
{
	(void)context;
	/* A failure shows when it is closed. */
	fwrite(bytes, 1, length, stdout);
	return 0;
}

static int list_components(const struct arguments *arguments)
{
	const struct promcb_snapshot_options wanted = {.matching = arguments->matching,
						       .flags = PROMCB_SNAPSHOT_WITHOUT_RECENT};
	struct promcb_snapshot *snapshot;
	struct promcb_summary summary;

	if (promcb_admin_snapshot(arguments->segment, &wanted, &snapshot) < 0)
		return PROMCB_TOOL_FAILED;
	for (size_t i = 0; i < promcb_snapshot_count(snapshot); i++)
		if (promcb_snapshot_summary(snapshot, i, &summary) == 0)
			puts(summary.name);
	promcb_snapshot_free(snapshot);
	return 0;
}

int promcb_admin_list(const char *segment, int argc, char **argv)
{
	static const struct argp argp = {options,
					 parse,
					 NULL,
					 "Lists the segments in shared memory, and whether this version can read them: "
					 "\"usable\" and a name, or \"unusable\", a name and the reason, separated by "
					 "tabs.",
					 promcb_tool_segment_child,
					 NULL,
					 NULL};
	struct arguments arguments = {.segment = segment};
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	status = arguments.components ? list_components(&arguments) : promcb_tool_list_segments(write_stdout, NULL);
	return status ? status : promcb_admin_close_stdout();
}

/* SPDX-License-Identifier: MIT */
/*
 * admin.c: promcb-admin, with which an operator creates, lists, describes, resets and removes segments, forgets what is
 * in them, and has a say in circuit breakers.
 *
 * Each command has a parser of its own, so that each has its --help.
 */
#include "admin_breaker.h"
#include "admin_forget.h"
#include "admin_info.h"
#include "admin_list.h"
#include "admin_options.h"
#include "common.h"

#include <promcb/admin.h>
#include <promcb/reader.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct command {
	const char *name;
	int (*run)(const char *segment, int argc, char **argv);
};

/* -- reset -------------------------------------------------------------------------------------------------------- */

struct reset_arguments {
	const char *segment;
	const char *component;
	bool all;
};

static error_t parse_reset(int key, char *text, struct argp_state *state)
{
	struct reset_arguments *arguments = state->input;

	switch (key) {
	case 'a':
		arguments->all = true;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->component)
			argp_error(state, "unexpected argument \"%s\": one component at a time, or --all", text);
		arguments->component = text;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->component == !arguments->all)
			argp_error(state, "expected either COMPONENT or --all");
		return 0;
	default:
		return promcb_tool_parse_rest(key, text, state, &arguments->segment);
	}
}

static const struct argp_option reset_options[] = {{"all", 'a', NULL, 0, "Reset every component", 0}, {0}};

static int run_reset(const char *segment, int argc, char **argv)
{
	static const struct argp argp = {reset_options,
					 parse_reset,
					 "COMPONENT\n--all",
					 "Sets the counts of a component, or of all, back to zero, for every process. "
					 "Names and breaker states are kept.",
					 promcb_tool_segment_child,
					 NULL,
					 NULL};
	struct reset_arguments arguments = {.segment = segment};
	struct promcb_session *metrics;
	int result;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	result = promcb_admin_session(arguments.segment, &metrics);
	if (result != 0)
		return result;
	result = arguments.all ? promcb_reset_all(metrics) : promcb_reset(metrics, arguments.component);
	promcb_close(metrics);
	if (result == 0)
		return 0;
	if (result == -ENOENT)
		promcb_tool_complain(
			"segment \"%s\" has no component \"%s\": promcb-admin list --components shows what it has",
			promcb_tool_segment_name(arguments.segment), arguments.component);
	else
		promcb_tool_complain("cannot reset %s%s%s in segment \"%s\": %s",
				     arguments.all ? "all components" : "component \"",
				     arguments.all ? "" : arguments.component, arguments.all ? "" : "\"",
				     promcb_tool_segment_name(arguments.segment), promcb_strerror(result));
	return PROMCB_TOOL_FAILED;
}

/* -- remove ------------------------------------------------------------------------------------------------------- */

struct remove_arguments {
	const char *segment;
	bool force;
};

static error_t parse_remove(int key, char *text, struct argp_state *state)
{
	struct remove_arguments *arguments = state->input;

	switch (key) {
	case 'f':
		arguments->force = true;
		return 0;
	default:
		return promcb_tool_parse_rest(key, text, state, &arguments->segment);
	}
}

static const struct argp_option remove_options[] = {
	{"force", 'f', NULL, 0,
	 "Remove it even while producers are running, which continue in a new segment "
	 "of the same name, or if it was overwritten",
	 0},
	{0}};

static int run_remove(const char *segment, int argc, char **argv)
{
	static const struct argp argp = {remove_options,
					 parse_remove,
					 NULL,
					 "Removes a segment and everything recorded in it. Refused while producers are "
					 "running.",
					 promcb_tool_segment_child,
					 NULL,
					 NULL};
	struct remove_arguments arguments = {.segment = segment};
	struct promcb_message message = {.text = ""};
	int result;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	result = promcb_remove(arguments.segment, arguments.force, &message);
	if (result == -ENOENT)
		return promcb_tool_cannot_open(arguments.segment, result, &message);
	if (result < 0) {
		promcb_tool_complain("%s", promcb_tool_reason(result, &message));
		return PROMCB_TOOL_FAILED;
	}
	return 0;
}

/* -- create ------------------------------------------------------------------------------------------------------- */

static int run_create(const char *segment, int argc, char **argv)
{
	struct promcb_admin_create create = {.segment = segment};
	struct promcb_message message = {.text = ""};
	int result;

	argp_parse(&promcb_admin_create_argp, argc, argv, 0, NULL, &create);
	create.options.message = &message;
	result = promcb_create(create.segment, &create.options, &message);
	if (result == -ENOENT)
		return promcb_tool_cannot_make(create.segment, result, &message);
	if (result < 0) {
		promcb_tool_complain("cannot create segment \"%s\": %s", promcb_tool_segment_name(create.segment),
				     promcb_tool_reason(result, &message));
		return PROMCB_TOOL_FAILED;
	}
	if (message.text[0])
		promcb_tool_complain("warning: %s", message.text);
	return 0;
}

/* -- Commands ----------------------------------------------------------------------------------------------------- */

#define COMMANDS "breaker, create, forget, info, list, remove or reset"

static const struct command commands[] = {
	{"breaker", promcb_admin_breaker},
	{"create", run_create},
	{"forget", promcb_admin_forget},
	{"info", promcb_admin_info},
	{"list", promcb_admin_list},
	{"remove", run_remove},
	{"reset", run_reset},
};

struct arguments {
	const char *segment;
	const struct command *command;
	int argc;
	char **argv; /* the command's own, from its name on */
};

/* What follows the command's name is the command's. */
static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
			if (strcmp(text, commands[i].name) == 0)
				arguments->command = &commands[i];
		if (!arguments->command)
			argp_error(state, "unknown command \"%s\": expected " COMMANDS, text);
		arguments->argc = state->argc - state->next + 1;
		arguments->argv = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no command given: expected " COMMANDS);
		return 0;
	default:
		return promcb_tool_parse_rest(key, text, state, &arguments->segment);
	}
}

static const char documentation[] = "Creates, lists, describes, resets and removes promcb segments."
				    "\vCommands, each with a --help of its own:\n"
				    "  breaker  show circuit breakers, and open, close or change one\n"
				    "  create   create a segment with other sizes or permissions than the defaults\n"
				    "  forget   take components and series out of all exports, by name or by age\n"
				    "  info     print facts about a segment\n"
				    "  list     list the segments in shared memory, or the components of one\n"
				    "  remove   remove a segment; with --force even while producers are running\n"
				    "  reset    set the counts of a component, or of all, back to zero\n"
				    "The exit status is 0, 1 after an error, or 2 if an option is wrong.";

int main(int argc, char **argv)
{
	static const struct argp argp = {NULL, parse, "COMMAND [OPTION...]", documentation, promcb_tool_segment_child,
					 NULL, NULL};
	struct arguments arguments = {.segment = NULL};
	char name[64];

	promcb_tool_start("promcb-admin");
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
	/* What --help and wrong options of a command call it. */
	snprintf(name, sizeof(name), "promcb-admin %s", arguments.command->name);
	arguments.argv[0] = name;
	signal(SIGPIPE, SIG_IGN);
	return arguments.command->run(arguments.segment, arguments.argc, arguments.argv);
}

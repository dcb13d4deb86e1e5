/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "common.h"
#include "format.h"
#include "map.h"
#include "policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Above all characters: options without a short form. */
enum option_key {
	KEY_LATENCY = 256,
	KEY_SUCCESS,
	KEY_FAILURE,
	KEY_STATE,
	KEY_LOG,
	KEY_ERROR,
	KEY_STDIN,
	KEY_UNIT,
	KEY_ADD,
	KEY_SET,
	KEY_OBSERVE,
	KEY_HELP_TEXT,
	KEY_NAMES_WITH_BLANKS,
	KEY_SOCKET,
	KEY_FORMAT,
	KEY_FIELDS,
	KEY_MAP,
	KEY_BREAKER
};

static const struct argp_option options[] = {
	{"latency", KEY_LATENCY, "NUMBER", 0, "Record one call that took this long; with --success or --failure", 0},
	{"success", KEY_SUCCESS, NULL, 0, "The call succeeded; without --latency, only the outcome is recorded", 0},
	{"failure", KEY_FAILURE, "LIST", OPTION_ARG_OPTIONAL,
	 "The call failed. With --stdin or --socket, and a LIST such as 5xx,499,!501: the HTTP "
	 "statuses that count as failures; \"!\" takes a class or a status off the "
	 "list. Default: 0xx,5xx,6xx,7xx,8xx,9xx",
	 0},
	{"state", KEY_STATE, "STATE", 0, "Set the circuit breaker's state: closed, open or half_open", 0},
	{"log", KEY_LOG, "LEVEL", 0, "Count one log line: debug, info, warning or error", 0},
	{"error", KEY_ERROR, "TYPE", 0,
	 "Count an error: timeout, refused, reset, rejected, invalid, canceled, exhausted or other. It is no call of "
	 "its own: with --failure, a call that failed of it",
	 0},
	{"breaker", KEY_BREAKER, "POLICY", OPTION_ARG_OPTIONAL,
	 "With a COMMAND: run it only if the component's circuit breaker lets it, else exit with 75; POLICY, such as "
	 "consecutive=3,open=1h, where nobody has given one of a higher version",
	 0},
	{"stdin", KEY_STDIN, NULL, 0,
	 "Record each line of standard input as it arrives: COMPONENT LATENCY OUTCOME. "
	 "OUTCOME is success, failure or an HTTP status; LATENCY is a number, \"-\" if "
	 "unknown, or a list, which is added up",
	 0},
	{"add", KEY_ADD, "SERIES", 0, "Add the AMOUNT that follows to a counter, level or gauge with labels", 0},
	{"set", KEY_SET, "SERIES", 0, "Set a gauge to the AMOUNT that follows", 0},
	{"observe", KEY_OBSERVE, "SERIES", 0, "Count the AMOUNT that follows in a histogram", 0},
	{"help-text", KEY_HELP_TEXT, "TEXT", 0, "With --add, --set, --observe: what a new family is, in a sentence", 0},
	{"unit", KEY_UNIT, "UNIT", 0,
	 "Unit of latencies: s, ms, us or ns; default: that of the format, else s. With --add, --set, --observe: of "
	 "a new family",
	 0},
	{"socket", KEY_SOCKET, "[stream:]PATH", 0,
	 "Record the lines that are sent to a unix socket, which is made: datagrams, or a stream. What syslog puts "
	 "before them is left out",
	 0},
	{"format", KEY_FORMAT, "FORMAT", 0,
	 "How lines are written: lines (as with --stdin, the default), nginx, apache, haproxy, json, ltsv or statsd",
	 0},
	{"fields", KEY_FIELDS, "NAME[+NAME...],LATENCY,STATUS", 0,
	 "With --format=json or ltsv: the fields that make a call. LATENCY may be empty", 0},
	{"map", KEY_MAP, "FILE", 0,
	 "Components by regular expressions: PATTERN NAME in each line; \"other\" where none matches", 0},
	{"names-with-blanks", KEY_NAMES_WITH_BLANKS, NULL, 0,
	 "With --format=lines: everything before the last two fields is the component's name", 0},
	/* So that an amount may be negative. */
	{NULL, '0', "", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, "", 0},
	{NULL, '1', "", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, "", 0},
	{NULL, '2', "", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, "", 0},
	{NULL, '3', "", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, "", 0},
	{NULL, '4', "", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, "", 0},
	{NULL, '5', "", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, "", 0},
	{NULL, '6', "", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, "", 0},
	{NULL, '7', "", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, "", 0},
	{NULL, '8', "", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, "", 0},
	{NULL, '9', "", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, "", 0},
	{NULL, '.', "", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, "", 0},
	{0},
};

static const char documentation[] =
	"Records calls, states and log lines of a component, and what is counted in series with labels, into a promcb "
	"segment, and creates it if it does not exist."
	"\vWith a COMMAND: runs it, records its wall time and whether it ended with status 0, and exits with its "
	"status; 128 + N if signal N killed it, 127 or 126 if it cannot be run, 125 if an option is wrong, 75 if its "
	"circuit breaker refused it. Otherwise "
	"exits with 0, with 1 after an error, or with 2 if an option is wrong. With --stdin, 1 means that some "
	"lines could not be read; all others are "
	"recorded.";

static const char usage[] = "COMPONENT -- COMMAND [ARGUMENT...]\n"
			    "--breaker[=POLICY] COMPONENT -- COMMAND [ARGUMENT...]\n"
			    "COMPONENT [--latency=NUMBER] --success|--failure\n"
			    "COMPONENT --state=STATE\n"
			    "COMPONENT --log=LEVEL\n"
			    "COMPONENT --error=TYPE\n"
			    "--add|--set|--observe SERIES AMOUNT...\n"
			    "--stdin\n"
			    "--socket=[stream:]PATH";

static int parse_state(const char *text, enum promcb_state *out)
{
	for (int state = PROMCB_CLOSED; state <= PROMCB_HALF_OPEN; state++)
		if (strcmp(text, promcb_state_name((enum promcb_state)state)) == 0) {
			*out = (enum promcb_state)state;
			return 0;
		}
	return -EINVAL;
}

static int parse_level(const char *text, enum promcb_log_level *out)
{
	for (int level = PROMCB_LOG_DEBUG; level <= PROMCB_LOG_ERROR; level++)
		if (strcmp(text, promcb_log_level_name((enum promcb_log_level)level)) == 0) {
			*out = (enum promcb_log_level)level;
			return 0;
		}
	return -EINVAL;
}

static int parse_error(const char *text, enum promcb_error_type *out)
{
	for (int type = PROMCB_ERROR_TIMEOUT; type <= PROMCB_ERROR_OTHER; type++)
		if (strcmp(text, promcb_error_type_name((enum promcb_error_type)type)) == 0) {
			*out = (enum promcb_error_type)type;
			return 0;
		}
	return -EINVAL;
}

static bool awaits_amount(const struct promcb_arguments *arguments)
{
	return arguments->change_count > 0 && !arguments->changes[arguments->change_count - 1].amount;
}

/* An option of these, its series, and then an argument, which is its amount. */
static void take_change(struct promcb_arguments *arguments, int key, char *series, struct argp_state *state)
{
	static struct promcb_change change;
	size_t rest;
	const char *fault = promcb_change_series(series, strlen(series), &change, &rest);

	if (fault || series[rest])
		argp_error(state, "invalid series '%s': %s", series, fault ? fault : "something comes after it");
	if (!arguments->changes)
		arguments->changes = calloc((size_t)state->argc, sizeof(*arguments->changes));
	if (!arguments->changes)
		argp_failure(state, PROMCB_TOOL_FAILED, errno, "no memory");
	if (awaits_amount(arguments))
		argp_error(state, "no amount comes after '%s'", arguments->changes[arguments->change_count - 1].series);
	arguments->changes[arguments->change_count++] =
		(struct promcb_words){(enum promcb_change_kind)(key - KEY_ADD), series, NULL};
}

static bool take_amount(struct promcb_arguments *arguments, char *text, struct argp_state *state)
{
	static struct promcb_change change;
	const char *fault;

	if (!awaits_amount(arguments))
		return false;
	fault = promcb_change_amount(text, strlen(text), &change);
	if (fault)
		argp_error(state, "invalid amount \"%s\" of '%s': %s", text,
			   arguments->changes[arguments->change_count - 1].series, fault);
	arguments->changes[arguments->change_count - 1].amount = text;
	return true;
}

/* The first argument is the component, what follows "--" the command. A component may come after a "--" of its own. */
static void take_argument(struct promcb_arguments *arguments, char *text, struct argp_state *state)
{
	int index = state->next - 1;
	bool quoted = state->quoted && index >= state->quoted;

	if (take_amount(arguments, text, state))
		return;
	if (!arguments->component) {
		arguments->component = text;
		arguments->component_quoted = quoted;
		return;
	}
	if (quoted && arguments->component_quoted && strcmp(text, "--") == 0 && index + 1 < state->argc)
		index++;
	else if (!quoted || arguments->component_quoted)
		argp_error(state, "unexpected argument \"%s\": a command goes after COMPONENT and \"--\"", text);
	arguments->command = state->argv + index;
	state->next = state->argc;
}

/* What is said of lines, wherever they come from. */
static void check_lines(struct promcb_arguments *arguments, bool single, struct argp_state *state)
{
	struct promcb_line_rules *rules = &arguments->rules;
	bool has_fields = rules->format == PROMCB_LOG_JSON || rules->format == PROMCB_LOG_LTSV;

	if (arguments->from_stdin && arguments->socket)
		argp_error(state, "--stdin and --socket cannot be combined");
	if (arguments->component || single)
		argp_error(state, "--stdin and --socket take components and calls from their input: leave them off the "
				  "command line");
	if (has_fields != (rules->fields.names > 0))
		argp_error(state,
			   "--format=json and --format=ltsv go with --fields=NAME,LATENCY,STATUS, no other does");
	if (rules->fields.names > 1 && !rules->map)
		argp_error(state, "a name of several fields needs --map=FILE: clients would make components by what "
				  "they send");
	if (rules->names_with_blanks && rules->format != PROMCB_LOG_LINES)
		argp_error(state, "--names-with-blanks is for --format=lines");
	if (!arguments->unit)
		rules->unit = arguments->format_unit;
}

static void check_changes(const struct promcb_arguments *arguments, bool single, struct argp_state *state)
{
	if (awaits_amount(arguments))
		argp_error(state, "no amount comes after '%s'", arguments->changes[arguments->change_count - 1].series);
	if (arguments->component || single || arguments->from_stdin || arguments->socket || arguments->has_rules)
		argp_error(state, "--add, --set and --observe can be combined with each other, --unit and --help-text");
}

static void check(struct promcb_arguments *arguments, struct argp_state *state)
{
	bool single = arguments->latency || arguments->outcome != PROMCB_SAID_NONE || arguments->has_state ||
		      arguments->has_log || arguments->has_error;

	if (arguments->through_breaker &&
	    (!arguments->command || arguments->change_count > 0 || arguments->from_stdin || arguments->socket))
		argp_error(state, "--breaker goes with a component, and a command after \"--\"");
	if (arguments->change_count > 0) {
		check_changes(arguments, single, state);
		return;
	}
	if (arguments->help_text)
		argp_error(state, "--help-text requires --add, --set or --observe");
	if (arguments->unit && !promcb_unit_parse(arguments->unit, &arguments->rules.unit))
		argp_error(state, "invalid unit \"%s\": expected s, ms, us or ns", arguments->unit);
	if (arguments->latency && arguments->outcome == PROMCB_SAID_NONE)
		argp_error(state, "--latency needs --success or --failure");
	if (arguments->from_stdin || arguments->socket) {
		check_lines(arguments, single, state);
		return;
	}
	if (arguments->has_rules)
		argp_error(state,
			   "--failure=LIST, --names-with-blanks, --format, --fields and --map require --stdin or "
			   "--socket");
	if (arguments->unit && !arguments->latency)
		argp_error(state, "--unit requires --stdin, --socket or --latency");
	if (!arguments->component)
		argp_error(state, "no component given");
	if (arguments->command && single)
		argp_error(state, "a command cannot be combined with --latency, --success, --failure, --state, "
				  "--log or --error");
	if (!arguments->command && !single)
		argp_error(state,
			   "nothing to record for \"%s\": give a command after \"--\", or --latency, --success, "
			   "--failure, --state, --log or --error",
			   arguments->component);
}

static void parse_outcome(struct promcb_arguments *arguments, enum promcb_said_outcome outcome,
			  struct argp_state *state)
{
	if (arguments->outcome != PROMCB_SAID_NONE && arguments->outcome != outcome)
		argp_error(state, "--success and --failure cannot be combined");
	arguments->outcome = outcome;
}

static void parse_failures(struct promcb_arguments *arguments, const char *list, struct argp_state *state)
{
	const char *fault = promcb_failures_parse(list, &arguments->rules.failures);

	if (fault)
		argp_error(state,
			   "invalid --failure=%s at \"%s\": expected classes such as 5xx and statuses such as 499, "
			   "separated by commas",
			   list, fault);
	arguments->has_rules = true;
}

static void parse_breaker(struct promcb_arguments *arguments, const char *text, struct argp_state *state)
{
	struct promcb_message message;

	arguments->through_breaker = true;
	if (!text)
		return;
	if (!promcb_tool_policy_parse(text, &arguments->policy, &message))
		argp_error(state, "invalid --breaker=%s: %s", text, message.text);
	arguments->has_policy = true;
}

/* The value of --latency, --state, --error, --log or --breaker, which may have none. */
static void parse_value(struct promcb_arguments *arguments, int key, const char *text, struct argp_state *state)
{
	switch (key) {
	case KEY_LATENCY:
		arguments->latency = text;
		if (promcb_latency_parse(text, strlen(text), PROMCB_UNIT_S, &arguments->latency_ns) !=
		    PROMCB_LATENCY_KNOWN)
			argp_error(state, "invalid latency \"%s\": expected a number, 0 or more, such as 0.025", text);
		break;
	case KEY_STATE:
		if (parse_state(text, &arguments->state) < 0)
			argp_error(state, "unknown state \"%s\": expected closed, open or half_open", text);
		arguments->has_state = true;
		break;
	case KEY_ERROR:
		if (parse_error(text, &arguments->error) < 0)
			argp_error(state,
				   "unknown type of error \"%s\": expected timeout, refused, reset, rejected, invalid, "
				   "canceled, exhausted or other",
				   text);
		arguments->has_error = true;
		break;
	case KEY_BREAKER:
		parse_breaker(arguments, text, state);
		break;
	default:
		if (parse_level(text, &arguments->log) < 0)
			argp_error(state, "unknown log level \"%s\": expected debug, info, warning or error", text);
		arguments->has_log = true;
		break;
	}
}

/* What is said of lines. */
static error_t parse_rule(int key, char *text, struct argp_state *state)
{
	struct promcb_arguments *arguments = state->input;
	struct promcb_line_rules *rules = &arguments->rules;
	const char *fault;

	switch (key) {
	case KEY_NAMES_WITH_BLANKS:
		rules->names_with_blanks = true;
		break;
	case KEY_FORMAT:
		if (!promcb_log_format_parse(text, &rules->format, &arguments->format_unit))
			argp_error(
				state,
				"unknown format \"%s\": expected lines, nginx, apache, haproxy, json, ltsv or statsd",
				text);
		break;
	case KEY_FIELDS:
		fault = promcb_fields_parse(text, &rules->fields);
		if (fault)
			argp_error(state, "invalid --fields=%s: %s", text, fault);
		break;
	case KEY_MAP:
		promcb_map_end(rules->map);
		rules->map = promcb_map_read(text);
		if (!rules->map)
			exit(PROMCB_TOOL_USAGE);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	arguments->has_rules = true;
	return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct promcb_arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->segment;
		arguments->rules.unit = arguments->format_unit = PROMCB_UNIT_S;
		promcb_failures_default(&arguments->rules.failures);
		return 0;
	case KEY_LATENCY:
	case KEY_STATE:
	case KEY_ERROR:
	case KEY_LOG:
	case KEY_BREAKER:
		parse_value(arguments, key, text, state);
		return 0;
	case KEY_SUCCESS:
		parse_outcome(arguments, PROMCB_SAID_SUCCESS, state);
		return 0;
	case KEY_FAILURE:
		if (text)
			parse_failures(arguments, text, state);
		else
			parse_outcome(arguments, PROMCB_SAID_FAILURE, state);
		return 0;
	case KEY_UNIT:
		arguments->unit = text;
		return 0;
	case KEY_ADD:
	case KEY_SET:
	case KEY_OBSERVE:
		take_change(arguments, key, text, state);
		return 0;
	case KEY_HELP_TEXT:
		arguments->help_text = text;
		return 0;
	case KEY_SOCKET:
		arguments->socket = text;
		return 0;
	case KEY_STDIN:
		arguments->from_stdin = true;
		return 0;
	case ARGP_KEY_ARG:
		take_argument(arguments, text, state);
		return 0;
	case ARGP_KEY_END:
		check(arguments, state);
		if (arguments->latency)
			promcb_latency_parse(arguments->latency, strlen(arguments->latency), arguments->rules.unit,
					     &arguments->latency_ns);
		return 0;
	default:
		/* A number that looks like an option. */
		if ((key >= '0' && key <= '9') || key == '.') {
			take_argument(arguments, state->argv[state->next - 1], state);
			return 0;
		}
		return parse_rule(key, text, state);
	}
}

/* As env, nice and timeout do: a status that a command does not have by chance. */
enum { STATUS_USAGE_OF_COMMAND = 125 };

static bool has_command(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return true;
	return false;
}

void promcb_record_arguments(int argc, char **argv, struct promcb_arguments *out)
{
	static const struct argp argp = {options, parse, usage, documentation, promcb_tool_segment_child, NULL, NULL};

	if (has_command(argc, argv))
		argp_err_exit_status = STATUS_USAGE_OF_COMMAND;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, out);
}

/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "common.h"
#include "top.h"

#include <stdlib.h>
#include <string.h>

enum option_key {
	KEY_SORT = 256,
	KEY_WINDOW,
	KEY_ONCE,
	KEY_COUNT,
	KEY_ASCII,
	KEY_COLOUR,
	KEY_CHECK,
	KEY_CALLED,
	KEY_RECORD
};

static const struct argp_option option_list[] = {
	{"match", 'm', "TEXT", 0, PROMCB_TOOL_MATCH_HELP, 0},
	{"sort", KEY_SORT, "WHAT", 0, "trouble (the default), failed, calls, p99 or name", 0},
	{"window", KEY_WINDOW, "SECONDS|all", 0,
	 "What numbers are of: the last 1, 10 (the default), 60 or 600 seconds, or all", 0},
	{"interval", 'i', "SECONDS", 0, "How often to look, 0.2 to 60; default 1", 0},
	{"called", KEY_CALLED, NULL, 0,
	 "Only components that were called in the window, or whose breaker is not closed", 0},
	{"once", KEY_ONCE, NULL, 0,
	 "Print one table, of one interval, and end; so it is where standard output is no terminal, or one on which "
	 "nothing can be put at a place",
	 0},
	{"count", KEY_COUNT, "N", 0, "Print so many tables, one each interval", 0},
	{"format", 'f', "FORMAT", 0, "Of what is printed: text (the default) or json, one object for each table", 0},
	{"check-breakers", KEY_CHECK, NULL, 0, "End with status 3 if a breaker is open or half open", 0},
	{"record", KEY_RECORD, "FILE", 0, "Record what is looked at to FILE, which must not be there yet", 0},
	{"ascii", KEY_ASCII, NULL, 0, "Draw with ASCII alone, whatever the locale", 0},
	{"color", KEY_COLOUR, "WHEN", 0,
	 "auto (the default: unless NO_COLOR is set), never or always. Nothing is shown by colour alone", 0},
	{0},
};

static double parse_interval(const char *text, struct argp_state *state)
{
	char *end;
	double seconds = strtod(text, &end);

	if (*text < '0' || *text > '9' || *end || !(seconds >= 0.2 && seconds <= 60))
		argp_error(state, "invalid --interval \"%s\": expected seconds, 0.2 to 60", text);
	return seconds;
}

static unsigned parse_window(const char *text, struct argp_state *state)
{
	char name[16];

	for (unsigned i = 0; i < PROMCB_TOP_WINDOWS; i++) {
		snprintf(name, sizeof(name), "%u", promcb_top_windows[i]);
		if (strcmp(text, promcb_top_windows[i] ? name : "all") == 0)
			return i;
	}
	argp_error(state, "invalid --window \"%s\": expected 1, 10, 60, 600 or all", text);
	return 0;
}

static enum promcb_top_colour parse_colour(const char *text, struct argp_state *state)
{
	static const char *const words[] = {"auto", "never", "always"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0)
			return (enum promcb_top_colour)i;
	argp_error(state, "invalid --color \"%s\": expected auto, never or always", text);
	return PROMCB_TOP_COLOUR_AUTO;
}

static unsigned long parse_count(const char *text, struct argp_state *state)
{
	char *end;
	unsigned long count = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || count == 0 || count > 1000000000)
		argp_error(state, "invalid --count \"%s\": expected 1 to 1000000000", text);
	return count;
}

static error_t parse_end(struct argp_state *state, const struct promcb_top_options *options)
{
	if (options->file && options->segment)
		argp_error(state, "a file and --segment cannot be combined");
	if (options->file && options->record)
		argp_error(state, "a file and --record cannot be combined");
	return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct promcb_top_options *options = state->input;

	switch (key) {
	case 'm':
		options->match = text;
		return 0;
	case KEY_SORT:
		if (promcb_view_sort_parse(text, &options->sort) < 0)
			argp_error(state, "unknown --sort \"%s\": expected trouble, failed, calls, p99 or name", text);
		return 0;
	case KEY_WINDOW:
		options->window = parse_window(text, state);
		return 0;
	case 'i':
		options->interval = parse_interval(text, state);
		return 0;
	case KEY_CALLED:
		options->hide_idle = true;
		return 0;
	case KEY_COUNT:
		options->count = parse_count(text, state);
		return 0;
	case KEY_ONCE:
		options->once = true;
		return 0;
	case 'f':
		options->json = strcmp(text, "json") == 0;
		if (!options->json && strcmp(text, "text") != 0)
			argp_error(state, "unknown format \"%s\": expected text or json", text);
		return 0;
	case KEY_CHECK:
		options->check_breakers = true;
		return 0;
	case KEY_RECORD:
		options->record = text;
		return 0;
	case KEY_ASCII:
		options->ascii = true;
		return 0;
	case KEY_COLOUR:
		options->colour = parse_colour(text, state);
		return 0;
	case ARGP_KEY_ARG:
		if (options->file)
			argp_error(state, "unexpected argument \"%s\"", text);
		options->file = text;
		return 0;
	case ARGP_KEY_END:
		return parse_end(state, options);
	default:
		return promcb_tool_parse_rest(key, text, state, &options->segment);
	}
}

void promcb_top_parse(struct promcb_top_options *options, int argc, char **argv)
{
	static const struct argp argp = {
		option_list,
		parse,
		"[FILE]",
		"Shows what happens in a segment: what needs somebody first, how many calls, how many failed, and how "
		"long they took. FILE: a recording, which is shown again, or a segment's file of a service that is "
		"gone: its counts since its creation.",
		promcb_tool_segment_child,
		NULL,
		NULL};

	argp_parse(&argp, argc, argv, 0, NULL, options);
}

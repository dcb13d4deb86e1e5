/* SPDX-License-Identifier: MIT */
#include "common.h"
#include "revision.h"

#include <promcb/reader.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *tool_name = "promcb";

static void print_version(FILE *stream, struct argp_state *state)
{
	(void)state;
	fprintf(stream, "%s %s (%s)\n", tool_name, promcb_version(), PROMCB_TOOL_REVISION);
}

/*
 * A segment opened as descriptor 2 would be written into by the next complaint. A closed one gets a file that fails as
 * a closed one does: standard output cannot be written, and nobody takes silence for success. Commands do not inherit
 * it.
 */
static void open_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC) != fd)
			_exit(PROMCB_TOOL_FAILED);
}

void promcb_tool_start(const char *name)
{
	tool_name = name;
	argp_program_version_hook = print_version;
	argp_err_exit_status = PROMCB_TOOL_USAGE;
	open_standard_descriptors();
}

void promcb_tool_complain(const char *format, ...)
{
	char line[2048];
	va_list arguments;
	int length = snprintf(line, sizeof(line), "%s: ", tool_name);

	va_start(arguments, format);
	length += vsnprintf(line + length, sizeof(line) - (size_t)length, format, arguments);
	va_end(arguments);
	if (length > (int)sizeof(line) - 1)
		length = (int)sizeof(line) - 1;
	/* What was typed or read may hold anything; a complaint stays one line. */
	for (int i = 0; i < length; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[length++] = '\n';
	/* One write, so that lines of several processes do not mix. There is nobody to tell that it failed. */
	if (write(STDERR_FILENO, line, (size_t)length) < 0)
		return;
}

/* argp has -? alone. Each tool has one of the parsers below, and with it this. */
#define HELP_OPTION                                          \
	{                                                    \
		NULL, 'h', NULL, 0, "The same as --help", -1 \
	}

static const struct argp_option segment_options[] = {
	{"segment", 's', "SEGMENT", 0,
	 "Segment to use: a shared-memory name such as \"/promcb\", or a path. Default: "
	 "the value of PROMCB_SEGMENT, or \"/promcb\"",
	 0},
	HELP_OPTION,
	{0},
};

static error_t parse_segment(int key, char *argument, struct argp_state *state)
{
	const char **segment = state->input;

	if (key == 'h')
		argp_state_help(state, state->out_stream, ARGP_HELP_STD_HELP);
	if (key != 's')
		return ARGP_ERR_UNKNOWN;
	*segment = argument;
	return 0;
}

static const struct argp segment_argp = {.options = segment_options, .parser = parse_segment};

const struct argp_child promcb_tool_segment_child[] = {{&segment_argp, 0, NULL, 0}, {0}};

error_t promcb_tool_parse_rest(int key, const char *text, struct argp_state *state, void *child)
{
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = child;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", text);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

enum { KEY_COMPAT = 0x10000, KEY_CLASSIC_SCHEMA, KEY_CLASSIC_RANGE, KEY_PREFIX, KEY_HIDE_IDLE };

static const struct argp_option rendering_options[] = {
	{"compat", KEY_COMPAT, "python|none", 0,
	 "python (the default): also the metric names that only dashboards of the Python collector use; none: leave "
	 "them out",
	 0},
	{"prefix", KEY_PREFIX, "WORD", 0,
	 "What the names of components' metrics begin with: payments for payments_calls_total; default circuit_breaker",
	 0},
	{"hide-idle", KEY_HIDE_IDLE, "TIME", 0,
	 "Leave out components and series of which nothing has changed for TIME, such as 30d or 12h; what changes is "
	 "back, with its total",
	 0},
	{"classic-schema", KEY_CLASSIC_SCHEMA, "N", 0,
	 "Resolution of classic histograms, 0 to 3: 2^N buckets for each doubling of the "
	 "latency; default 0",
	 0},
	{"classic-range", KEY_CLASSIC_RANGE, "LOW:HIGH", 0,
	 "Lowest and highest bound of classic histograms, such as 1us:100ms (ns, us, ms "
	 "or s), widened to powers of two of a second; default 2^-12 to 2^3, 244 us to "
	 "8 s",
	 0},
	HELP_OPTION,
	{0},
};

/* A number with a unit, or of seconds. Returns the end of it, or NULL. */
static const char *parse_duration(const char *text, double *seconds)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}};
	char *end;

	if (*text < '0' || *text > '9')
		return NULL;
	*seconds = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t length = strlen(units[i].name);

		if (strncmp(end, units[i].name, length) == 0) {
			*seconds *= units[i].seconds;
			return end + length;
		}
	}
	return end;
}

/* Widened to powers of two. Returns whether there is a range. */
static bool parse_range(const char *text, int *first, int *last)
{
	double low, high;

	text = parse_duration(text, &low);
	if (!text || *text != ':')
		return false;
	text = parse_duration(text + 1, &high);
	/* The least bound is 2^-30 s, which is a little less than a nanosecond; the most are 1,024 s. */
	if (!text || *text || !(low >= 0.99e-9 && low < high && high <= 1024))
		return false;
	*first = *last = -30;
	for (double bound = 0x1p-29; bound <= low; bound *= 2)
		++*first;
	for (double bound = 0x1p-30; bound < high; bound *= 2)
		++*last;
	return *first < *last;
}

static int write_nothing(void *context, const void *bytes, size_t length)
{
	(void)context;
	(void)bytes;
	(void)length;
	return 0;
}

/* Asks the library, which renders nothing else with it. */
static bool is_prefix(const char *text)
{
	const struct promcb_render_options options = {.prefix = text};

	return promcb_render_segments(NULL, 0, PROMCB_FORMAT_METRICS, &options, write_nothing, NULL) == 0;
}

static error_t parse_rendering(int key, char *text, struct argp_state *state)
{
	struct promcb_tool_rendering *rendering = state->input;

	switch (key) {
	case 'h':
		argp_state_help(state, state->out_stream, ARGP_HELP_STD_HELP);
		return 0;
	case KEY_COMPAT:
		rendering->without_compat = strcmp(text, "none") == 0;
		/* "seed" is what python was called first. */
		if (!rendering->without_compat && strcmp(text, "python") != 0 && strcmp(text, "seed") != 0)
			argp_error(state, "unknown --compat \"%s\": expected python or none", text);
		return 0;
	case KEY_PREFIX:
		if (!is_prefix(text))
			argp_error(state,
				   "invalid --prefix \"%s\": expected at most 63 letters, digits and \"_\", no digit "
				   "first and no \"_\" last, and neither \"__\" nor \"promcb\" at the beginning",
				   text);
		rendering->prefix = text;
		return 0;
	case KEY_HIDE_IDLE:
		if (!promcb_tool_parse_age(text, &rendering->idle_ns) || rendering->idle_ns == 0)
			argp_error(state, "invalid --hide-idle \"%s\": expected a time such as 30d, 12h or 1h30m",
				   text);
		rendering->hides_idle = true;
		return 0;
	case KEY_CLASSIC_SCHEMA:
		if (strlen(text) != 1 || *text < '0' || *text > '3')
			argp_error(state, "invalid --classic-schema \"%s\": expected 0 to 3", text);
		rendering->classic_schema = (unsigned)(*text - '0');
		return 0;
	case KEY_CLASSIC_RANGE:
		if (!parse_range(text, &rendering->classic_first, &rendering->classic_last))
			argp_error(state,
				   "invalid --classic-range \"%s\": expected LOW:HIGH, as 1us:100ms, from 1ns to 1024s",
				   text);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp rendering_argp = {.options = rendering_options, .parser = parse_rendering};

const struct argp_child promcb_tool_rendering_child[] = {{&rendering_argp, 0, NULL, 0}, {0}};

bool promcb_tool_parse_age(const char *text, uint64_t *out_ns)
{
	static const char units[] = "smhdw";
	static const uint64_t seconds[] = {1, 60, 3600, 86400, 604800};
	const uint64_t most = (uint64_t)100 * 366 * 86400;
	uint64_t total = 0;

	if (!*text)
		return false;
	while (*text) {
		const char *unit, *digits = text;
		uint64_t number = 0;

		for (; *text >= '0' && *text <= '9' && number <= most; text++)
			number = number * 10 + (uint64_t)(*text - '0');
		unit = *text ? strchr(units, *text) : NULL;
		if (text == digits || !unit || number > most)
			return false;
		total += number * seconds[unit - units];
		if (total > most)
			return false;
		text++;
	}
	*out_ns = total * 1000000000;
	return true;
}

/* What PROMCB_SEGMENT names; NULL: nothing. */
static const char *segment_of_environment(void)
{
	const char *segment = secure_getenv("PROMCB_SEGMENT");

	return segment && *segment ? segment : NULL;
}

const char *promcb_tool_segment_name(const char *segment)
{
	if (!segment)
		segment = segment_of_environment();
	return segment ? segment : "/promcb";
}

const char *promcb_tool_reason(int error, const struct promcb_message *message)
{
	return message && message->text[0] ? message->text : promcb_strerror(error);
}

int promcb_tool_cannot_open(const char *segment, int error, const struct promcb_message *message)
{
	const char *name = promcb_tool_segment_name(segment);
	const char *origin = segment ? "" : segment_of_environment() ? " (named by PROMCB_SEGMENT)" : " (the default)";

	if (error == -ENOENT)
		promcb_tool_complain(
			"there is no segment \"%s\"%s: the first program that records into it creates it, as does "
			"promcb-admin create --segment=%s",
			name, origin, name);
	else if (message && message->text[0])
		promcb_tool_complain("%s", message->text);
	else
		promcb_tool_complain("cannot open segment \"%s\"%s: %s", name, origin, promcb_strerror(error));
	return PROMCB_TOOL_FAILED;
}

int promcb_tool_cannot_make(const char *segment, int error, const struct promcb_message *message)
{
	if (error != -ENOENT)
		return promcb_tool_cannot_open(segment, error, message);
	promcb_tool_complain("cannot create segment \"%s\": no such directory, or no file can be created in it",
			     promcb_tool_segment_name(segment));
	return PROMCB_TOOL_FAILED;
}

uint64_t promcb_tool_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

size_t promcb_tool_utf8_length(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t length = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : *at < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* Neither overlong forms, nor surrogates, nor what lies above U+10FFFF. */
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) || (*at == 0xf0 && at[1] < 0x90) ||
	    (*at == 0xf4 && at[1] > 0x8f))
		return 0;
	return *at ? length : 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * common.h: what the command-line tools share: how they start, how they name a segment, how they complain.
 *
 * A complaint is one line on standard error, "NAME: what was wrong, where, and what to do". An error ends a tool with
 * PROMCB_TOOL_FAILED, a wrong option with PROMCB_TOOL_USAGE.
 */
#ifndef PROMCB_TOOL_COMMON_H
#define PROMCB_TOOL_COMMON_H

#include <promcb/promcb.h>

#include <argp.h>

enum { PROMCB_TOOL_FAILED = 1, PROMCB_TOOL_USAGE = 2 };

/*
 * Makes a tool out of a process: its name for complaints, --version, the exit status of wrong options, and standard
 * descriptors that are open, so that no segment can become one. name: kept.
 */
void promcb_tool_start(const char *name);

/* One line on standard error. */
__attribute__((format(printf, 1, 2))) void promcb_tool_complain(const char *format, ...);

/* What --match does. */
#define PROMCB_TOOL_MATCH_HELP                                                                                      \
	"Only components, and families of series, whose name contains TEXT; if there is a * in TEXT, which stands " \
	"for any text: whose whole name is like TEXT"

/*
 * The parser of --segment, the child of each tool's; its input is a const char *, left alone where the option is not
 * given.
 */
extern const struct argp_child promcb_tool_segment_child[];

/*
 * What the parsers of all tools have in common, for the keys that they do not know: hands child, the input of the
 * parser's child, over, and refuses arguments that are no options.
 */
error_t promcb_tool_parse_rest(int key, const char *text, struct argp_state *state, void *child);

/* What metrics are rendered with. */
struct promcb_tool_rendering {
	const char *prefix; /* NULL: the default */
	bool without_compat;
	unsigned classic_schema;
	int classic_first, classic_last; /* powers of two of seconds; both 0: the default */
	bool hides_idle;
	uint64_t idle_ns; /* for how long */
};

/*
 * The parser of --prefix, --compat, --hide-idle, --classic-schema and --classic-range; its input is a struct
 * promcb_tool_rendering, zeroed.
 */
extern const struct argp_child promcb_tool_rendering_child[];

/*
 * A time that is long, such as 30d, 12h or 1h30m: whole numbers with a unit each, s, m, h, d or w. Returns whether it
 * is one, of at most a hundred years.
 */
bool promcb_tool_parse_age(const char *text, uint64_t *out_ns);

/* What a segment option of NULL stands for. An empty PROMCB_SEGMENT is none. */
const char *promcb_tool_segment_name(const char *segment);

/*
 * Complains that a segment could not be opened. message: the library's sentence, may be empty.
 * Returns PROMCB_TOOL_FAILED.
 */
int promcb_tool_cannot_open(const char *segment, int error, const struct promcb_message *message);

/* The same for a call that would have made a missing segment. */
int promcb_tool_cannot_make(const char *segment, int error, const struct promcb_message *message);

/* What a failed call of the library has to say: its message, else the meaning of the error. */
const char *promcb_tool_reason(int error, const struct promcb_message *message);

/* How many bytes the UTF-8 character at the beginning of a zero-terminated text has; 0: it is none. */
size_t promcb_tool_utf8_length(const char *text);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t promcb_tool_now_ns(void);

#endif

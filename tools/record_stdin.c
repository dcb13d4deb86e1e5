/* SPDX-License-Identifier: MIT */
/*
 * record_stdin.c: records the lines of standard input. May include: promcb.h, lib's name.h, common.h, record.h,
 * record_line.h.
 *
 * What a read gives is recorded before the next read, so readers see it at once; only the beginning of a line without
 * its end stays in the buffer. A bad line is counted and never stops the rest. Memory does not grow with what is read.
 */
#include "common.h"
#include "name.h"
#include "record.h"
#include "record_line.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { REPORTS_MAX = 10, BUFFER_BYTES = 256 * 1024 };

struct intake {
	struct promcb *metrics;
	struct promcb_component *last; /* the component of the line before; NULL: none */
	size_t last_bytes;
	char last_name[PROMCB_NAME_MAX + 1];
	uint64_t lines; /* begun so far */
	uint64_t bad;
	bool skipping; /* in a line that is too long, until its end */
	bool warned; /* of a component that cannot be had */
};

static void count_bad(struct intake *intake, const char *reason)
{
	if (intake->bad++ < REPORTS_MAX)
		promcb_tool_complain("line %" PRIu64 ": %s", intake->lines, reason);
}

/*
 * The component of a line: most often that of the line before. Returns NULL for a name that none can have, which is
 * counted.
 */
static struct promcb_component *find(struct intake *intake, const struct promcb_line *line)
{
	struct promcb_component *component = NULL;
	const char *fault;
	int result = 0;

	if (intake->last && line->component_bytes == intake->last_bytes &&
	    memcmp(line->component, intake->last_name, line->component_bytes) == 0)
		return intake->last;
	intake->last = NULL;
	if (line->component_bytes <= PROMCB_NAME_MAX) {
		intake->last_bytes = line->component_bytes;
		memcpy(intake->last_name, line->component, line->component_bytes);
		intake->last_name[line->component_bytes] = 0;
		result = promcb_component(intake->metrics, intake->last_name, &component);
		/* A full table stays full; other errors may pass, and are not kept. */
		if (result == 0 || result == -ENOSPC)
			intake->last = component;
		if (result == 0)
			return component;
	}
	fault = promcb_name_fault(line->component, line->component_bytes);
	if (fault) {
		count_bad(intake, fault);
		return NULL;
	}
	if (!intake->warned) {
		intake->warned = true;
		promcb_tool_complain("warning: line %" PRIu64
				     ": component \"%s\" cannot be had (%s): calls of such components count "
				     "as \"_overflow\"; this is said once",
				     intake->lines, intake->last_name, promcb_strerror(result));
	}
	return component;
}

/* The segment counts what was refused; this call is how. It registers no component. */
static void reject(struct intake *intake, const struct promcb_line *line)
{
	char name[PROMCB_NAME_MAX + 1] = "";

	if (line->component_bytes <= PROMCB_NAME_MAX)
		memcpy(name, line->component, line->component_bytes);
	promcb_call(intake->metrics, name, (double)NAN, line->success);
	count_bad(intake, promcb_line_fault_phrase(PROMCB_LINE_REJECTED));
}

static void take_line(struct intake *intake, const char *bytes, size_t length)
{
	enum promcb_line_fault fault;
	struct promcb_component *component;
	struct promcb_line line;

	if (intake->skipping) {
		intake->skipping = false;
		return;
	}
	intake->lines++;
	fault = promcb_line_parse(bytes, length, &line);
	if (fault == PROMCB_LINE_BLANK)
		return;
	if (fault == PROMCB_LINE_REJECTED) {
		reject(intake, &line);
		return;
	}
	if (fault != PROMCB_LINE_GOOD) {
		count_bad(intake, promcb_line_fault_phrase(fault));
		return;
	}
	component = find(intake, &line);
	if (component)
		promcb_record(component, line.latency_ns, line.success);
}

/* Waits where standard input does not block. Returns bytes read, 0 at its end, or -errno. */
static ssize_t read_some(char *buffer, size_t size)
{
	for (;;) {
		ssize_t length = read(STDIN_FILENO, buffer, size);
		struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};

		if (length >= 0)
			return length;
		if (errno == EAGAIN)
			poll(&ready, 1, -1);
		else if (errno != EINTR)
			return -errno;
	}
}

/* Takes the whole lines of a buffer. from: where the first newline may be. Returns how many bytes were taken. */
static size_t take_lines(struct intake *intake, const char *buffer, size_t used, size_t from)
{
	const char *line = buffer, *end = buffer + used, *newline, *search = buffer + from;

	while ((newline = memchr(search, '\n', (size_t)(end - search)))) {
		take_line(intake, line, (size_t)(newline - line));
		line = search = newline + 1;
	}
	return (size_t)(line - buffer);
}

static int read_all(struct intake *intake)
{
	static char buffer[BUFFER_BYTES];
	size_t used = 0;

	for (;;) {
		ssize_t length = read_some(buffer + used, sizeof(buffer) - used);
		size_t taken;

		if (length < 0)
			return (int)length;
		if (length == 0)
			break;
		taken = take_lines(intake, buffer, used + (size_t)length, used);
		used += (size_t)length - taken;
		if (used > PROMCB_LINE_MAX_BYTES || intake->skipping) {
			if (!intake->skipping) {
				intake->lines++;
				count_bad(intake, promcb_line_fault_phrase(PROMCB_LINE_TOO_LONG));
			}
			intake->skipping = true;
			used = 0;
		}
		memmove(buffer, buffer + taken, used);
	}
	if (used > 0)
		take_line(intake, buffer, used);
	return 0;
}

int promcb_record_stdin(const char *segment)
{
	struct intake intake = {.metrics = promcb_record_open(segment)};
	int result;

	if (!intake.metrics)
		return PROMCB_TOOL_FAILED;
	/* Nobody reads complaints any more: no reason to stop recording. */
	signal(SIGPIPE, SIG_IGN);
	result = read_all(&intake);
	if (result < 0)
		promcb_tool_complain("cannot read standard input: %s", strerror(-result));
	if (intake.bad > REPORTS_MAX)
		promcb_tool_complain("%" PRIu64 " of %" PRIu64 " lines were bad; the first %d are above", intake.bad,
				     intake.lines, REPORTS_MAX);
	return result < 0 || intake.bad > 0 ? PROMCB_TOOL_FAILED : 0;
}

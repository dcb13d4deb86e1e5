/* SPDX-License-Identifier: MIT */
/*
 * stdin.c: records the lines of standard input.
 *
 * What a read gives is recorded before the next read, so readers see it at once; only the beginning of a line without
 * its end stays in the buffer.
 */
#include "common.h"
#include "intake.h"
#include "ways.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024 };

/*
 * Waits for input, and reads. Returns bytes read, 0 at its end or when a signal ends it and nothing is there any more,
 * or -errno.
 */
static ssize_t read_some(struct promcb_intake *intake, char *buffer, size_t size)
{
	for (;;) {
		struct pollfd ready[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
					  {.fd = intake->signals, .events = POLLIN}};
		int count = poll(ready, 2, intake->ending ? 0 : -1);
		ssize_t length;

		if (count > 0 && ready[1].revents & POLLIN && promcb_intake_signal(intake))
			continue;
		if (intake->ending &&
		    (count <= 0 || !ready[0].revents || intake->drained_bytes >= PROMCB_INTAKE_DRAINED_MAX))
			return 0;
		if (count <= 0 || !ready[0].revents)
			continue;
		length = read(STDIN_FILENO, buffer, size);
		if (length < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (length > 0 && intake->ending)
			intake->drained_bytes += (size_t)length;
		return length < 0 ? -errno : length;
	}
}

/* Takes the whole lines of a buffer. from: where the first newline may be. Returns how many bytes were taken. */
static size_t take_lines(struct promcb_intake *intake, const char *buffer, size_t used, size_t from, bool *skipping)
{
	const char *line = buffer, *buffer_end = buffer + used, *newline, *search = buffer + from;

	while ((newline = memchr(search, '\n', (size_t)(buffer_end - search)))) {
		if (!*skipping)
			promcb_intake_line(intake, line, (size_t)(newline - line));
		*skipping = false;
		line = search = newline + 1;
	}
	return (size_t)(line - buffer);
}

static int read_all(struct promcb_intake *intake)
{
	static char buffer[BUFFER_BYTES];
	bool skipping = false; /* in a line that is too long, until its end */
	size_t used = 0;

	for (;;) {
		ssize_t length = read_some(intake, buffer + used, sizeof(buffer) - used);
		size_t taken;

		if (length < 0)
			return (int)length;
		if (length == 0)
			break;
		taken = take_lines(intake, buffer, used + (size_t)length, used, &skipping);
		used += (size_t)length - taken;
		if (used > PROMCB_LINE_MAX_BYTES || skipping) {
			if (!skipping)
				promcb_intake_too_long(intake, buffer + taken, used);
			skipping = true;
			used = 0;
		}
		memmove(buffer, buffer + taken, used);
	}
	/* A signal may have come in the middle of a line, which is no line yet. */
	if (used > 0 && !intake->ending)
		promcb_intake_line(intake, buffer, used);
	return 0;
}

int promcb_record_stdin(const char *segment, const struct promcb_line_rules *rules)
{
	static struct promcb_intake intake;
	int result;

	if (!promcb_intake_start(&intake, segment, rules))
		return PROMCB_TOOL_FAILED;
	result = read_all(&intake);
	if (result < 0)
		promcb_tool_complain("cannot read standard input: %s", strerror(-result));
	return promcb_intake_end(&intake, result < 0);
}

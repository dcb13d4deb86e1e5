/* SPDX-License-Identifier: MIT */
/*
 * stdin.c: records the lines of standard input.
 *
 * What a read gives is recorded before the next read, so readers see it at once; only the beginning of a line without
 * its end stays in the buffer. No line stops the rest, and none is lost without a trace: it is a call, or it counts as
 * bad in the segment. Memory does not grow with what is read.
 *
 * SIGTERM, SIGINT and SIGHUP end it as the end of its input does: what is in the pipe by then is recorded, and what was
 * wrong is summed up; then the signal kills it. Signals are waited for beside the input, so no handler exists.
 */
#include "common.h"
#include "line.h"
#include "metric.h"
#include "record.h"
#include "tally.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024, DRAINED_BYTES_MAX = 1024 * 1024 };

struct intake {
	struct promcb_session *metrics;
	const struct promcb_line_rules *rules;
	struct promcb_component *overflow;
	struct promcb_component *last; /* the component of the line before; NULL: none */
	size_t last_bytes;
	char last_name[PROMCB_NAME_MAX + 1];
	uint64_t lines; /* begun so far */
	bool skipping; /* in a line that is too long, until its end */
	int signals; /* a descriptor that tells of them; -1: none */
	int ending; /* the signal that ends it; 0: none */
	size_t drained_bytes; /* read since then */
	struct promcb_tally bad[PROMCB_LINE_FAULTS], nameless, homeless, saturated, changed[PROMCB_CHANGED_WAYS];
	struct promcb_metrics *series;
	struct promcb_change change;
};

static void count_bad_because(struct intake *intake, enum promcb_line_fault fault, const char *why, const char *bytes,
			      size_t length)
{
	promcb_count_bad_lines(intake->metrics, 1);
	promcb_tally_line(&intake->bad[fault], intake->lines, why, bytes, length);
}

static void count_bad(struct intake *intake, enum promcb_line_fault fault, const char *bytes, size_t length)
{
	count_bad_because(intake, fault, promcb_line_fault_phrase(fault), bytes, length);
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

/* A line of a series. Returns false if it is none. */
static bool take_change(struct intake *intake, const char *bytes, size_t length)
{
	struct promcb_change *change = &intake->change;
	struct promcb_message message;
	const char *fault, *line = bytes;
	enum promcb_changed way;
	size_t rest, amount;

	for (; length > 0 && is_blank(*line); line++)
		length--;
	while (length > 0 && is_blank(line[length - 1]))
		length--;
	if (length > PROMCB_LINE_MAX_BYTES || !promcb_change_begins(line, length, &change->kind, &rest))
		return false;
	fault = promcb_change_series(line + rest, length - rest, change, &amount);
	if (!fault)
		fault = promcb_change_amount(line + rest + amount, length - rest - amount, change);
	if (!fault) {
		way = promcb_metrics_change(intake->series, change, &message);
		if (way != PROMCB_CHANGED && way != PROMCB_CHANGED_NOTHING)
			promcb_tally_line(&intake->changed[way], intake->lines, message.text, line, length);
		if (way != PROMCB_CHANGED_NOTHING)
			return true;
		fault = message.text;
	}
	count_bad_because(intake, PROMCB_LINE_CHANGE, fault, line, length);
	return true;
}

/* The component of a line: most often that of the line before. */
static struct promcb_component *find(struct intake *intake, const struct promcb_line *line)
{
	struct promcb_component *component;
	int result;

	/* First, since the same bytes may be a name in one line and several fields in the next. */
	if (line->name_fault) {
		promcb_tally_line(&intake->nameless, intake->lines, line->name_fault, line->component,
				  line->component_bytes);
		return intake->overflow;
	}
	if (intake->last && line->component_bytes == intake->last_bytes &&
	    memcmp(line->component, intake->last_name, line->component_bytes) == 0)
		return intake->last;
	intake->last = NULL;
	intake->last_bytes = line->component_bytes;
	memcpy(intake->last_name, line->component, line->component_bytes);
	intake->last_name[line->component_bytes] = 0;
	result = promcb_component(intake->metrics, intake->last_name, &component);
	if (result == 0)
		intake->last = component;
	else
		promcb_tally_line(&intake->homeless, intake->lines, promcb_strerror(result), line->component,
				  line->component_bytes);
	return component;
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
	if (take_change(intake, bytes, length))
		return;
	fault = promcb_line_parse(bytes, length, intake->rules, &line);
	if (fault == PROMCB_LINE_BLANK)
		return;
	if (fault != PROMCB_LINE_GOOD) {
		count_bad(intake, fault, bytes, length);
		return;
	}
	component = find(intake, &line);
	if (!line.measured) {
		promcb_record_outcome(component, line.success);
		return;
	}
	promcb_record(component, line.latency_ns, line.success);
	if (line.latency_ns > PROMCB_LATENCY_MAX_NS)
		promcb_tally_line(&intake->saturated, intake->lines, PROMCB_RECORD_TOO_LONG, bytes, length);
}

/*
 * Waits for input, and reads. Returns bytes read, 0 at its end or when a signal ends it and nothing is there any more,
 * or -errno.
 */
static ssize_t read_some(struct intake *intake, char *buffer, size_t size)
{
	for (;;) {
		struct pollfd ready[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
					  {.fd = intake->signals, .events = POLLIN}};
		int count = poll(ready, 2, intake->ending ? 0 : -1);
		struct signalfd_siginfo signal_info;
		ssize_t length;

		if (count > 0 && ready[1].revents & POLLIN &&
		    read(intake->signals, &signal_info, sizeof(signal_info)) == sizeof(signal_info)) {
			intake->ending = (int)signal_info.ssi_signo;
			continue;
		}
		if (intake->ending && (count <= 0 || !ready[0].revents || intake->drained_bytes >= DRAINED_BYTES_MAX))
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
static size_t take_lines(struct intake *intake, const char *buffer, size_t used, size_t from)
{
	const char *line = buffer, *buffer_end = buffer + used, *newline, *search = buffer + from;

	while ((newline = memchr(search, '\n', (size_t)(buffer_end - search)))) {
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
		ssize_t length = read_some(intake, buffer + used, sizeof(buffer) - used);
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
				count_bad(intake, PROMCB_LINE_TOO_LONG, buffer + taken, used);
			}
			intake->skipping = true;
			used = 0;
		}
		memmove(buffer, buffer + taken, used);
	}
	/* A signal may have come in the middle of a line, which is no line yet. */
	if (used > 0 && !intake->ending)
		take_line(intake, buffer, used);
	return 0;
}

/* What this process was told to ignore (nohup) stays so. Returns a descriptor that tells of the others, or -1. */
static int watch_signals(void)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction action;
	sigset_t watched;
	int descriptor;

	sigemptyset(&watched);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (sigaction(ends[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&watched, ends[i]);
	descriptor = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	if (descriptor >= 0)
		sigprocmask(SIG_BLOCK, &watched, NULL);
	return descriptor;
}

/* Returns how many lines could not be read. */
static uint64_t sum_up(const struct intake *intake)
{
	uint64_t bad = 0;

	for (unsigned fault = 0; fault < PROMCB_LINE_FAULTS; fault++)
		bad += intake->bad[fault].count;
	promcb_tally_sum_up(bad, intake->lines, "could not be read");
	promcb_tally_sum_up(intake->nameless.count, intake->lines,
			    "count as \"_overflow\": they have no valid component name");
	promcb_tally_sum_up(intake->homeless.count, intake->lines,
			    "count as \"_overflow\": their component could not be registered");
	promcb_tally_sum_up(intake->saturated.count, intake->lines, "have a latency above the maximum");
	promcb_tally_sum_up(intake->changed[PROMCB_CHANGED_OVERFLOW].count, intake->lines,
			    "count in series whose labels are \"_overflow\"");
	promcb_tally_sum_up(intake->changed[PROMCB_CHANGED_REJECTED].count, intake->lines,
			    "have a number that their series rejects");
	promcb_tally_sum_up(intake->changed[PROMCB_CHANGED_ROUNDED].count, intake->lines,
			    "have more decimals than their series, and are rounded");
	return bad + intake->changed[PROMCB_CHANGED_REJECTED].count;
}

/* Ends as the signal would have ended it. */
static void die_of(int number)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, number);
	signal(number, SIG_DFL);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

int promcb_record_stdin(const char *segment, const struct promcb_line_rules *rules)
{
	static const struct promcb_metric_rules metric_rules = {.lives = true};
	static struct intake intake;
	uint64_t bad;
	int result;

	intake.rules = rules;
	intake.metrics = promcb_record_open(segment);
	if (!intake.metrics)
		return PROMCB_TOOL_FAILED;
	intake.series = promcb_metrics_new(intake.metrics, &metric_rules);
	if (!intake.series) {
		promcb_tool_complain("no memory");
		return PROMCB_TOOL_FAILED;
	}
	/* Nobody reads complaints any more: no reason to stop recording. */
	signal(SIGPIPE, SIG_IGN);
	intake.signals = watch_signals();
	promcb_component(intake.metrics, PROMCB_RECORD_OVERFLOW, &intake.overflow);
	result = read_all(&intake);
	if (result < 0)
		promcb_tool_complain("cannot read standard input: %s", strerror(-result));
	bad = sum_up(&intake);
	promcb_metrics_end(intake.series);
	if (intake.ending)
		die_of(intake.ending);
	return result < 0 || bad > 0 ? PROMCB_TOOL_FAILED : 0;
}

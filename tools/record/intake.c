/* SPDX-License-Identifier: MIT */
#include "intake.h"

#include "common.h"
#include "ways.h"

#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void count_bad_because(struct promcb_intake *intake, enum promcb_line_fault fault, const char *why,
			      const char *bytes, size_t length)
{
	promcb_count_bad_lines(intake->metrics, 1);
	promcb_tally_line(&intake->bad[fault], intake->lines, why, bytes, length);
}

static void count_bad(struct promcb_intake *intake, enum promcb_line_fault fault, const char *bytes, size_t length)
{
	count_bad_because(intake, fault, promcb_line_fault_phrase(fault), bytes, length);
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

/* A line of a series. Returns false if it is none. */
static bool take_change(struct promcb_intake *intake, const char *bytes, size_t length)
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
static struct promcb_component *find(struct promcb_intake *intake, const struct promcb_line *line)
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

static void record(struct promcb_component *component, const struct promcb_line *line)
{
	for (uint32_t i = 0; i < line->times; i++)
		if (line->measured)
			promcb_record(component, line->latency_ns, line->success);
		else
			promcb_record_outcome(component, line->success);
}

void promcb_intake_line(struct promcb_intake *intake, const char *bytes, size_t length)
{
	enum promcb_line_fault fault;
	struct promcb_line line;

	intake->lines++;
	if (take_change(intake, bytes, length))
		return;
	fault = promcb_format_line(bytes, length, intake->rules, intake->room, &line);
	if (fault == PROMCB_LINE_BLANK)
		return;
	if (fault == PROMCB_LINE_NO_CALL) {
		promcb_tally_line(&intake->no_calls, intake->lines, promcb_line_fault_phrase(fault), bytes, length);
		return;
	}
	if (fault != PROMCB_LINE_GOOD) {
		count_bad(intake, fault, bytes, length);
		return;
	}
	record(find(intake, &line), &line);
	if (line.measured && line.latency_ns > PROMCB_LATENCY_MAX_NS)
		promcb_tally_line(&intake->saturated, intake->lines, PROMCB_RECORD_TOO_LONG, bytes, length);
}

void promcb_intake_too_long(struct promcb_intake *intake, const char *bytes, size_t length)
{
	intake->lines++;
	count_bad(intake, PROMCB_LINE_TOO_LONG, bytes, length);
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
static uint64_t sum_up(const struct promcb_intake *intake)
{
	uint64_t bad = 0;

	for (unsigned fault = 0; fault < PROMCB_LINE_FAULTS; fault++)
		bad += intake->bad[fault].count;
	promcb_tally_sum_up(bad, intake->lines, "could not be read");
	promcb_tally_sum_up(intake->nameless.count, intake->lines,
			    "count as \"_overflow\": they have no valid component name");
	promcb_tally_sum_up(intake->homeless.count, intake->lines,
			    "count as \"_overflow\": their component could not be registered");
	promcb_tally_sum_up(intake->no_calls.count, intake->lines, "are no calls, and were left out");
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

bool promcb_intake_signal(struct promcb_intake *intake)
{
	struct signalfd_siginfo signal_info;

	if (read(intake->signals, &signal_info, sizeof(signal_info)) != sizeof(signal_info))
		return false;
	intake->ending = (int)signal_info.ssi_signo;
	return true;
}

bool promcb_intake_start(struct promcb_intake *intake, const char *segment, const struct promcb_line_rules *rules)
{
	static const struct promcb_metric_rules metric_rules = {.lives = true};

	intake->rules = rules;
	intake->metrics = promcb_record_open(segment);
	if (!intake->metrics)
		return false;
	intake->series = promcb_metrics_new(intake->metrics, &metric_rules);
	if (!intake->series) {
		promcb_tool_complain("no memory");
		return false;
	}
	/* Nobody reads complaints any more: no reason to stop recording. */
	signal(SIGPIPE, SIG_IGN);
	intake->signals = watch_signals();
	promcb_component(intake->metrics, PROMCB_RECORD_OVERFLOW, &intake->overflow);
	return true;
}

int promcb_intake_end(struct promcb_intake *intake, bool failed)
{
	uint64_t bad = sum_up(intake);

	promcb_metrics_end(intake->series);
	if (intake->ending)
		die_of(intake->ending);
	return failed || bad > 0 ? PROMCB_TOOL_FAILED : 0;
}

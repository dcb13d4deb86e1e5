/* SPDX-License-Identifier: MIT */
/*
 * export.c: promcb-export, which prints a segment once or again and again, checks it, or lists segments.
 *
 * May include: reader.h, admin.h, common.h, export_body.h, record_line.h (decimal seconds).
 */
#include "common.h"
#include "export_body.h"
#include "record_line.h"

#include <promcb/admin.h>
#include <promcb/reader.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum option_key {
	KEY_FORMAT = 'f',
	KEY_MATCH = 'm',
	KEY_OUTPUT = 'o',
	KEY_INTERVAL = 'i',
	KEY_CHECK = 256,
	KEY_LIST,
};

#define INTERVAL_MIN_NS ((uint64_t)1000000)
#define INTERVAL_MAX_NS ((uint64_t)366 * 86400 * 1000000000)

struct arguments {
	const char *segment;
	const char *matching;
	const char *output; /* NULL: standard output */
	uint64_t interval_ns; /* 0: once */
	enum promcb_format format;
	struct promcb_tool_rendering rendering;
	bool check;
	bool list;
};

static const struct argp_option options[] = {
	{"format", KEY_FORMAT, "FORMAT", 0,
	 "text (Prometheus 0.0.4, the default), openmetrics (1.0.0), protobuf (delimited, with native histograms), "
	 "json (a summary of each component) or health (one verdict)",
	 0},
	{"match", KEY_MATCH, "TEXT", 0, "Only components whose name contains TEXT", 0},
	{"output", KEY_OUTPUT, "FILE", 0,
	 "Replace FILE at once (mode 0644), for a textfile collector, instead of printing to standard output", 0},
	{"interval", KEY_INTERVAL, "SECONDS", 0,
	 "Export again every so many seconds, fractions allowed, until SIGINT or SIGTERM", 0},
	{"check", KEY_CHECK, NULL, 0, "Check the segment's format and say what is wrong; print no metrics", 0},
	{"list-segments", KEY_LIST, NULL, 0,
	 "List the segments in shared memory, and whether this version can read them", 0},
	{0},
};

static const char documentation[] =
	"Prints what a promcb segment holds, in a format of Prometheus or as JSON."
	"\vThe exit status is 0, or 1 after an error, which is told on standard error. With --interval, an error of "
	"the segment or of FILE is told when it begins and ends no export.";

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->segment;
		state->child_inputs[1] = &arguments->rendering;
		return 0;
	case KEY_FORMAT:
		if (promcb_format_parse(text, &arguments->format) < 0)
			argp_error(state,
				   "\"%s\" is no format: text, openmetrics, protobuf, json or health is expected",
				   text);
		return 0;
	case KEY_MATCH:
		arguments->matching = text;
		return 0;
	case KEY_OUTPUT:
		arguments->output = strcmp(text, "-") == 0 ? NULL : text;
		return 0;
	case KEY_INTERVAL:
		if (promcb_seconds_parse(text, strlen(text), &arguments->interval_ns) != PROMCB_LINE_GOOD ||
		    arguments->interval_ns < INTERVAL_MIN_NS || arguments->interval_ns > INTERVAL_MAX_NS)
			argp_error(state, "\"%s\" is no interval: 0.001 seconds to a year (31622400) are expected",
				   text);
		return 0;
	case KEY_CHECK:
		arguments->check = true;
		return 0;
	case KEY_LIST:
		arguments->list = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", text);
		return 0;
	case ARGP_KEY_END:
		if ((arguments->check || arguments->list) && (arguments->output || arguments->interval_ns))
			argp_error(state, "--check and --list-segments go without --output and --interval");
		if (arguments->check && arguments->list)
			argp_error(state, "--check and --list-segments exclude each other");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* -- One export --------------------------------------------------------------------------------------------------- */

struct exporter {
	const struct arguments *arguments;
	struct promcb_reader *reader; /* NULL: not open */
	struct promcb_body body;
	int error; /* of the last round, as told; 0: none */
};

static int open_reader(struct exporter *exporter, struct promcb_message *message)
{
	static const struct promcb_reader_options mapped = {.access = PROMCB_ACCESS_MAPPED};

	/* What the name now leads to counts, not what it led to a round ago. */
	if (exporter->reader && promcb_reader_validate(exporter->reader) < 0) {
		promcb_reader_close(exporter->reader);
		exporter->reader = NULL;
	}
	return exporter->reader ? 0
				: promcb_reader_open(exporter->arguments->segment, &mapped, &exporter->reader, message);
}

/* Fills the body. Returns 0, or -errno, told unless it is that of the round before. */
static int render(struct exporter *exporter)
{
	const struct arguments *arguments = exporter->arguments;
	const struct promcb_snapshot_options wanted = {.matching = arguments->matching};
	struct promcb_render_options how = {.matching = arguments->matching,
					    .without_compat = arguments->rendering.without_compat,
					    .classic_schema = arguments->rendering.classic_schema};
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot = NULL;
	uint64_t start_ns = promcb_tool_now_ns();
	int result;

	promcb_body_clear(&exporter->body);
	result = open_reader(exporter, &message);
	if (result < 0) {
		if (result != exporter->error)
			promcb_tool_cannot_open(arguments->segment, result, &message);
		return result;
	}
	result = promcb_reader_snapshot(exporter->reader, &wanted, &snapshot, &message);
	if (result == 0) {
		how.scrape_seconds = (double)(promcb_tool_now_ns() - start_ns) / 1e9;
		result = promcb_render(snapshot, arguments->format, &how, promcb_body_append, &exporter->body);
	}
	if (result < 0 && result != exporter->error)
		promcb_tool_complain("cannot export segment \"%s\": %s", promcb_tool_segment_name(arguments->segment),
				     promcb_tool_reason(result, &message));
	promcb_snapshot_free(snapshot);
	return result;
}

/* Returns 0, or -errno, told unless it is that of the round before. */
static int write_file(struct exporter *exporter)
{
	const char *failed;
	int result = promcb_body_to_file(&exporter->body, exporter->arguments->output, &failed);

	if (result == -EEXIST)
		promcb_tool_complain("\"%s\" is no file, and is left alone: name a file, or leave out --output",
				     exporter->arguments->output);
	else if (result < 0 && result != exporter->error)
		promcb_tool_complain("cannot write \"%s\": %s: %s", exporter->arguments->output, failed,
				     strerror(-result));
	return result;
}

static int stdout_failed(int error)
{
	promcb_tool_complain("cannot write to standard output: %s", strerror(-error));
	return PROMCB_TOOL_FAILED;
}

/* A body that is whole goes out. Returns the exit status. */
static int print_body(const struct promcb_body *body)
{
	int result = promcb_body_to_stdout(body, NULL);

	if (result == 0)
		result = promcb_body_close_stdout();
	return result < 0 ? stdout_failed(result) : 0;
}

static int export_once(struct exporter *exporter)
{
	if (render(exporter) < 0)
		return PROMCB_TOOL_FAILED;
	if (exporter->arguments->output)
		return write_file(exporter) < 0 ? PROMCB_TOOL_FAILED : 0;
	return print_body(&exporter->body);
}

/* -- Again and again ---------------------------------------------------------------------------------------------- */

/* That it was called ends the wait. */
static void on_stop(int number)
{
	(void)number;
}

/* SIGINT and SIGTERM come only where they are waited for. waiting: the mask to wait with. */
static void block_stop(sigset_t *waiting)
{
	struct sigaction action = {.sa_handler = on_stop};
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, waiting);
	sigdelset(waiting, SIGINT);
	sigdelset(waiting, SIGTERM);
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Returns whether the time has come, and not a signal. */
static bool wait_until(uint64_t deadline_ns, const sigset_t *waiting)
{
	uint64_t now_ns = promcb_tool_now_ns(), left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
	struct timespec left = {.tv_sec = (time_t)(left_ns / 1000000000u), .tv_nsec = (long)(left_ns % 1000000000u)};

	return ppoll(NULL, 0, &left, waiting) == 0;
}

/* One round. Returns 0 to go on, else 1 with the exit status: errors of standard output do not pass. */
static int export_round(struct exporter *exporter, const sigset_t *waiting, int *status)
{
	int result = render(exporter);

	if (result == 0 && exporter->arguments->output)
		result = write_file(exporter);
	if (result == -EEXIST) {
		*status = PROMCB_TOOL_FAILED;
		return 1;
	}
	if (result == 0 && exporter->error)
		promcb_tool_complain("segment \"%s\" is exported again",
				     promcb_tool_segment_name(exporter->arguments->segment));
	exporter->error = result;
	if (result < 0 || exporter->arguments->output)
		return 0;
	result = promcb_body_to_stdout(&exporter->body, waiting);
	if (result == -ECANCELED)
		promcb_tool_complain("stopped in the middle of an export");
	else if (result < 0 && result != -EINTR)
		stdout_failed(result);
	*status = result < 0 && result != -EINTR ? PROMCB_TOOL_FAILED : 0;
	return result < 0;
}

static int export_forever(struct exporter *exporter)
{
	uint64_t interval_ns = exporter->arguments->interval_ns, next_ns = promcb_tool_now_ns();
	sigset_t waiting;
	int status = 0;

	block_stop(&waiting);
	while (export_round(exporter, &waiting, &status) == 0) {
		uint64_t now_ns = promcb_tool_now_ns();

		/* In step with the start; rounds that came too late are left out. */
		next_ns += interval_ns;
		if (next_ns < now_ns)
			next_ns += (now_ns - next_ns + interval_ns - 1) / interval_ns * interval_ns;
		if (!wait_until(next_ns, &waiting))
			return 0;
	}
	return status;
}

/* -- Checking and listing ----------------------------------------------------------------------------------------- */

static void report(void *context, const char *sentence)
{
	const struct exporter *exporter = context;

	promcb_tool_complain("segment \"%s\": %s", promcb_tool_segment_name(exporter->arguments->segment), sentence);
}

/* What must hold of a snapshot, whatever is in the segment. Returns how much does not. */
static int check_summaries(const struct promcb_snapshot *snapshot, const char *name)
{
	struct promcb_segment_info info;
	struct promcb_summary summary, before;
	int findings = 0;

	promcb_snapshot_info(snapshot, &info);
	for (size_t i = 0; i < promcb_snapshot_count(snapshot); i++) {
		bool counts, order;

		promcb_snapshot_summary(snapshot, i, &summary);
		counts = summary.successful_calls + summary.failed_calls == summary.total_calls &&
			 summary.recent_calls <= info.recent_samples;
		order = summary.recent_calls == 0 || (summary.min_latency <= summary.p50 &&
						      summary.p50 <= summary.p99 && summary.p99 <= summary.max_latency);
		if (!counts)
			promcb_tool_complain("segment \"%s\": the calls of component \"%s\" do not add up", name,
					     summary.name);
		if (!order)
			promcb_tool_complain("segment \"%s\": the quantiles of component \"%s\" are out of order", name,
					     summary.name);
		if (i > 0 && strcmp(before.name, summary.name) >= 0)
			promcb_tool_complain("segment \"%s\": component \"%s\" is listed out of order, or twice", name,
					     summary.name);
		findings += !counts + !order + (i > 0 && strcmp(before.name, summary.name) >= 0);
		before = summary;
	}
	return findings;
}

static int check(struct exporter *exporter)
{
	const char *name = promcb_tool_segment_name(exporter->arguments->segment);
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot;
	struct promcb_segment_info info;
	int result = open_reader(exporter, &message);
	char line[256];

	if (result < 0)
		return promcb_tool_cannot_open(exporter->arguments->segment, result, &message);
	result = promcb_reader_check(exporter->reader, report, exporter);
	if (result < 0)
		promcb_tool_complain("cannot check segment \"%s\": %s", name, promcb_strerror(result));
	if (result != 0)
		return PROMCB_TOOL_FAILED;
	result = promcb_reader_snapshot(exporter->reader, NULL, &snapshot, &message);
	if (result < 0) {
		promcb_tool_complain("cannot read segment \"%s\": %s", name, promcb_tool_reason(result, &message));
		return PROMCB_TOOL_FAILED;
	}
	promcb_snapshot_info(snapshot, &info);
	result = check_summaries(snapshot, name);
	promcb_snapshot_free(snapshot);
	if (result != 0)
		return PROMCB_TOOL_FAILED;
	snprintf(line, sizeof(line),
		 ": format %" PRIu32 ".%" PRIu32 ", %" PRIu32 " components, %" PRIu64 " of %" PRIu64 " bytes\n",
		 info.format_major, info.format_minor, info.components, info.used_bytes, info.max_bytes);
	if (promcb_body_append(&exporter->body, "ok ", 3) < 0 ||
	    promcb_body_append(&exporter->body, name, strlen(name)) < 0 ||
	    promcb_body_append(&exporter->body, line, strlen(line)) < 0)
		return PROMCB_TOOL_FAILED;
	return print_body(&exporter->body);
}

/* Opening a segment says more than the list does: why it is unusable. */
static int list_one(void *context, const char *segment, bool usable)
{
	struct promcb_message message = {.text = ""};
	struct promcb_reader *reader = NULL;
	int length, error = promcb_reader_open(segment, NULL, &reader, &message);
	char line[1024];

	promcb_reader_close(reader);
	if (usable && error == 0)
		length = snprintf(line, sizeof(line), "usable\t%s\n", segment);
	else
		length = snprintf(line, sizeof(line), "unusable\t%s\t%s\n", segment,
				  promcb_tool_reason(error, &message));
	if (length >= (int)sizeof(line))
		length = (int)sizeof(line) - 1;
	return promcb_body_append(context, line, (size_t)length);
}

static int list(struct exporter *exporter)
{
	int result = promcb_list(NULL, list_one, &exporter->body);

	if (result < 0) {
		promcb_tool_complain("cannot list the segments in shared memory: %s", promcb_strerror(result));
		return PROMCB_TOOL_FAILED;
	}
	return print_body(&exporter->body);
}

int main(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{&promcb_tool_segment_argp, 0, NULL, 0}, {&promcb_tool_rendering_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {options, parse, NULL, documentation, children, NULL, NULL};
	struct arguments arguments = {.format = PROMCB_FORMAT_TEXT};
	struct exporter exporter = {.arguments = &arguments};
	int status;

	promcb_tool_start("promcb-export");
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	/* A reader that goes away is an error to tell, not a signal to die of. */
	signal(SIGPIPE, SIG_IGN);
	promcb_reader_guard();
	if (arguments.list)
		status = list(&exporter);
	else if (arguments.check)
		status = check(&exporter);
	else if (arguments.interval_ns)
		status = export_forever(&exporter);
	else
		status = export_once(&exporter);
	promcb_reader_close(exporter.reader);
	promcb_body_free(&exporter.body);
	return status;
}

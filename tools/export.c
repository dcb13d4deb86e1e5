/* SPDX-License-Identifier: MIT */
/* export.c: promcb-export, which prints segments once or again and again, checks them, or lists which there are. */
#include "common.h"
#include "export_body.h"
#include "export_segments.h"
#include "latency.h"
#include "segment_list.h"

#include <promcb/reader.h>

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What --format=health ends with where a component fails. */
enum { EXPORT_UNHEALTHY = 3 };

enum option_key {
	KEY_SEGMENT = 's',
	KEY_FORMAT = 'f',
	KEY_MATCH = 'm',
	KEY_OUTPUT = 'o',
	KEY_INTERVAL = 'i',
	KEY_CHECK = 256,
	KEY_LIST,
	KEY_LABEL,
};

#define INTERVAL_MIN_NS ((uint64_t)1000000)
#define INTERVAL_MAX_NS ((uint64_t)366 * 86400 * 1000000000)

struct arguments {
	struct promcb_export_patterns segments;
	const char *matching;
	struct promcb_label label; /* name NULL: none */
	const char *output; /* NULL: standard output */
	uint64_t interval_ns; /* 0: once */
	enum promcb_format format;
	struct promcb_tool_rendering rendering;
	bool check;
	bool list;
};

static const struct argp_option options[] = {
	{"segment", KEY_SEGMENT, "SEGMENT", 0,
	 "Segment to read: a shared-memory name such as \"/promcb\", a path, or a glob "
	 "pattern of either. May be repeated; each series is then labelled with its "
	 "segment. Default: the value of PROMCB_SEGMENT, or \"/promcb\"",
	 0},
	{"format", KEY_FORMAT, "FORMAT", 0,
	 "text (Prometheus 0.0.4, the default), openmetrics (1.0.0), protobuf (delimited, with native histograms), "
	 "json (a summary of each component), metrics (counters, gauges and the like, as JSON) or health (one verdict)",
	 0},
	{"match", KEY_MATCH, "TEXT", 0, PROMCB_TOOL_MATCH_HELP, 0},
	{"output", KEY_OUTPUT, "FILE", 0,
	 "Replace FILE atomically (mode 0644), for a textfile collector, instead of printing to standard output", 0},
	{"interval", KEY_INTERVAL, "SECONDS", 0,
	 "Export repeatedly, every SECONDS (fractions allowed), until SIGINT or SIGTERM", 0},
	{"label", KEY_LABEL, "NAME=VALUE", 0,
	 "Add this label to every series, so that one textfile directory can hold "
	 "several exports",
	 0},
	{"check", KEY_CHECK, NULL, 0,
	 "Check the segment's integrity and report what is wrong, instead of printing "
	 "metrics",
	 0},
	{"list-segments", KEY_LIST, NULL, 0,
	 "List the segments in shared memory, and whether this version can read them", 0},
	{0},
};

static const char documentation[] =
	"Prints the contents of promcb segments in a Prometheus format or as JSON."
	"\vThe exit status is 0, 1 after an error, 2 if an option is wrong, or 3 if --format=health finds a component "
	"that is not healthy. With --interval, an error of a segment or of FILE is reported once, and exporting "
	"continues.";

static void parse_segment(struct argp_state *state, const char *text, struct promcb_export_patterns *out)
{
	if (out->count == PROMCB_EXPORT_PATTERNS_MAX)
		argp_error(state, "--segment given more than %d times", PROMCB_EXPORT_PATTERNS_MAX);
	out->items[out->count++] = text;
}

/* Several are told apart by their names; a glob pattern's finds are looked at one by one. */
static void check_segments(struct argp_state *state, const struct promcb_export_patterns *segments)
{
	for (size_t i = 0; i < segments->count && segments->count > 1; i++) {
		if (!promcb_segment_is_label(segments->items[i]))
			argp_error(state, "--segment=%s cannot be a label value: expected 1 to 255 bytes of UTF-8",
				   segments->items[i]);
	}
}

static void parse_label(struct argp_state *state, char *text, struct arguments *arguments)
{
	arguments->label.name = strsep(&text, "=");
	arguments->label.value = text ? text : "";
	if (!promcb_label_is_free(arguments->label.name, arguments->label.value))
		argp_error(state, "--label=%s=%s: expected NAME=VALUE, as job_group=web, and a NAME that no metric has",
			   arguments->label.name, arguments->label.value);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case KEY_SEGMENT:
		parse_segment(state, text, &arguments->segments);
		return 0;
	case KEY_FORMAT:
		if (promcb_format_parse(text, &arguments->format) < 0)
			argp_error(
				state,
				"unknown format \"%s\": expected text, openmetrics, protobuf, json, metrics or health",
				text);
		return 0;
	case KEY_MATCH:
		arguments->matching = text;
		return 0;
	case KEY_OUTPUT:
		arguments->output = strcmp(text, "-") == 0 ? NULL : text;
		return 0;
	case KEY_INTERVAL:
		if (promcb_latency_parse(text, strlen(text), PROMCB_UNIT_S, &arguments->interval_ns) !=
			    PROMCB_LATENCY_KNOWN ||
		    arguments->interval_ns < INTERVAL_MIN_NS || arguments->interval_ns > INTERVAL_MAX_NS)
			argp_error(state, "invalid interval \"%s\": expected 0.001 to 31622400 seconds (a year)", text);
		return 0;
	case KEY_LABEL:
		parse_label(state, text, arguments);
		return 0;
	case KEY_CHECK:
		arguments->check = true;
		return 0;
	case KEY_LIST:
		arguments->list = true;
		return 0;
	case ARGP_KEY_END:
		check_segments(state, &arguments->segments);
		if ((arguments->check || arguments->list) && (arguments->output || arguments->interval_ns))
			argp_error(state, "--check and --list-segments cannot be combined with --output or --interval");
		if (arguments->check && arguments->list)
			argp_error(state, "--check and --list-segments cannot be combined");
		return 0;
	default:
		return promcb_tool_parse_rest(key, text, state, &arguments->rendering);
	}
}

/* -- One export --------------------------------------------------------------------------------------------------- */

struct exporter {
	const struct arguments *arguments;
	struct promcb_export_segments segments;
	struct promcb_body body;
	bool is_healthy; /* the last round's verdict */
	int error; /* of the last round's file, as told; 0: none */
};

/*
 * Fills the body; of several segments, with those that could be read. Returns 0, or the first segment's -errno, which
 * was reported when it began; *is_whole: whether there is a body. A health document there always is: one that was good
 * must not outlive its segment.
 */
static int render(struct exporter *exporter, bool *is_whole)
{
	static const struct promcb_render_segment unreadable;
	const struct arguments *arguments = exporter->arguments;
	bool is_health = arguments->format == PROMCB_FORMAT_HEALTH;
	const struct promcb_render_options how = {
		.matching = arguments->matching,
		.flags = arguments->rendering.without_compat ? PROMCB_RENDER_WITHOUT_COMPAT : 0,
		.prefix = arguments->rendering.prefix,
		.classic_schema = arguments->rendering.classic_schema,
		.classic_first = arguments->rendering.classic_first,
		.classic_last = arguments->rendering.classic_last,
		.labels = &arguments->label,
		.label_count = arguments->label.name != NULL};
	struct promcb_export_segments *segments = &exporter->segments;
	size_t taken;
	int error = promcb_export_segments_take(segments, arguments->matching, &taken), result = 0;
	const struct promcb_render_segment *parts = segments->count ? segments->parts : &unreadable;
	size_t count = segments->count ? segments->count : 1;

	promcb_body_clear(&exporter->body);
	if (taken > 0 || is_health)
		result = promcb_render_segments(parts, count, arguments->format, &how, promcb_body_append,
						&exporter->body);
	exporter->is_healthy = promcb_parts_healthy(parts, count);
	if (result < 0)
		promcb_tool_complain("cannot export: %s", promcb_strerror(result));
	promcb_export_segments_drop(segments);
	*is_whole = (taken > 0 || is_health) && result == 0;
	return error < 0 ? error : result;
}

/* Returns 0, or -errno, told unless it is that of the round before. */
static int write_file(struct exporter *exporter)
{
	const char *failed;
	int result = promcb_body_to_file(&exporter->body, exporter->arguments->output, &failed);

	if (result == -EEXIST)
		promcb_tool_complain(
			"\"%s\" is not a regular file and is not replaced: name a file, or leave out --output",
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
	bool is_whole;
	int status = render(exporter, &is_whole) < 0 ? PROMCB_TOOL_FAILED : 0;

	if (!is_whole)
		return PROMCB_TOOL_FAILED;
	if (status == 0 && exporter->arguments->format == PROMCB_FORMAT_HEALTH && !exporter->is_healthy)
		status = EXPORT_UNHEALTHY;
	if (exporter->arguments->output)
		return write_file(exporter) < 0 ? PROMCB_TOOL_FAILED : status;
	return print_body(&exporter->body) ? PROMCB_TOOL_FAILED : status;
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
	bool is_whole;
	int result;

	render(exporter, &is_whole);
	if (!is_whole)
		return 0;
	if (exporter->arguments->output) {
		result = write_file(exporter);
		if (result == -EEXIST) {
			*status = PROMCB_TOOL_FAILED;
			return 1;
		}
		if (result == 0 && exporter->error)
			promcb_tool_complain("\"%s\" can be written again", exporter->arguments->output);
		exporter->error = result;
		return 0;
	}
	result = promcb_body_to_stdout(&exporter->body, waiting);
	if (result == -ECANCELED)
		promcb_tool_complain("stopped in the middle of an export");
	else if (result < 0 && result != -EINTR)
		stdout_failed(result);
	*status = result < 0 && result != -EINTR ? PROMCB_TOOL_FAILED : 0;
	return result < 0;
}

/* A directory that is not there at the start is a mistyped one, more often than one that is made later. */
static int check_directory(const char *output)
{
	const char *slash = strrchr(output, '/');
	char directory[PATH_MAX];

	if (!slash || slash == output || (size_t)(slash - output) >= sizeof(directory))
		return 0;
	memcpy(directory, output, (size_t)(slash - output));
	directory[slash - output] = '\0';
	if (access(directory, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR))
		return 0;
	promcb_tool_complain("cannot write \"%s\": there is no directory \"%s\"", output, directory);
	return -ENOENT;
}

static int export_forever(struct exporter *exporter)
{
	uint64_t interval_ns = exporter->arguments->interval_ns, next_ns = promcb_tool_now_ns();
	sigset_t waiting;
	int status = 0;

	if (exporter->arguments->output && check_directory(exporter->arguments->output) < 0)
		return PROMCB_TOOL_FAILED;
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
	promcb_tool_complain("segment \"%s\": %s", (const char *)context, sentence);
}

/* What must hold of a snapshot, whatever is in the segment. Returns how much does not; tells of the first component. */
static int check_summaries(const struct promcb_snapshot *snapshot, const char *name)
{
	struct promcb_segment_info info;
	struct promcb_summary summary, before;
	int findings = 0;

	promcb_snapshot_info(snapshot, &info);
	for (size_t i = 0; i < promcb_snapshot_count(snapshot) && findings == 0; i++) {
		bool counts, order;

		promcb_snapshot_summary(snapshot, i, &summary);
		counts = summary.successful_calls + summary.failed_calls == summary.total_calls &&
			 summary.recent_calls <= info.recent_samples;
		/* Of calls without a latency they are no numbers, and so in no order. */
		order = !(summary.min_latency > summary.p50 || summary.p50 > summary.p99 ||
			  summary.p99 > summary.max_latency);
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

/* Returns the exit status; what is good stands in the body. */
static int check_one(struct promcb_export_segment *segment, struct promcb_body *body)
{
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot;
	struct promcb_segment_info info;
	int result = promcb_export_segment_open(segment, &message);
	char line[256];

	if (result < 0)
		return promcb_tool_cannot_open(segment->given, result, &message);
	result = promcb_reader_check(segment->reader, report, segment->name);
	if (result < 0)
		promcb_tool_complain("cannot check segment \"%s\": %s", segment->name, promcb_strerror(result));
	if (result != 0)
		return PROMCB_TOOL_FAILED;
	result = promcb_reader_snapshot(segment->reader, NULL, &snapshot, &message);
	if (result < 0) {
		promcb_tool_complain("cannot read segment \"%s\": %s", segment->name,
				     promcb_tool_reason(result, &message));
		return PROMCB_TOOL_FAILED;
	}
	promcb_snapshot_info(snapshot, &info);
	result = check_summaries(snapshot, segment->name);
	promcb_snapshot_free(snapshot);
	if (result != 0)
		return PROMCB_TOOL_FAILED;
	snprintf(line, sizeof(line),
		 ": format %" PRIu32 ".%" PRIu32 ", %" PRIu32 " components, %" PRIu64 " of %" PRIu64 " bytes\n",
		 info.format_major, info.format_minor, info.components, info.used_bytes, info.max_bytes);
	return promcb_body_append(body, "ok ", 3) < 0 ||
			       promcb_body_append(body, segment->name, strlen(segment->name)) < 0 ||
			       promcb_body_append(body, line, strlen(line)) < 0
		       ? PROMCB_TOOL_FAILED
		       : 0;
}

static int check(struct exporter *exporter)
{
	struct promcb_export_segments *segments = &exporter->segments;
	int status = 0;

	if (promcb_export_segments_find(segments) < 0)
		return PROMCB_TOOL_FAILED;
	for (size_t i = 0; i < segments->count; i++)
		status |= check_one(&segments->items[i], &exporter->body);
	return print_body(&exporter->body) | status;
}

static int list(struct exporter *exporter)
{
	int status = promcb_tool_list_segments(promcb_body_append, &exporter->body);

	return status ? status : print_body(&exporter->body);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, documentation, promcb_tool_rendering_child, NULL, NULL};
	static struct arguments arguments = {.format = PROMCB_FORMAT_TEXT};
	static struct exporter exporter = {.arguments = &arguments};
	int status;

	exporter.segments.patterns = &arguments.segments;
	promcb_tool_start("promcb-export");
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (arguments.rendering.hides_idle)
		exporter.segments.idle_ns = &arguments.rendering.idle_ns;
	/* A pattern is one wherever it stands, as it is to the sidecar. */
	if (arguments.segments.count == 0 && promcb_segment_is_pattern(promcb_tool_segment_name(NULL)))
		arguments.segments.items[arguments.segments.count++] = promcb_tool_segment_name(NULL);
	/* A reader that goes away is an error to tell, not a signal to die of. */
	signal(SIGPIPE, SIG_IGN);
	promcb_reader_catch_sigbus();
	if (arguments.list)
		status = list(&exporter);
	else if (arguments.check)
		status = check(&exporter);
	else if (arguments.interval_ns)
		status = export_forever(&exporter);
	else
		status = export_once(&exporter);
	promcb_export_segments_free(&exporter.segments);
	promcb_body_free(&exporter.body);
	return status;
}

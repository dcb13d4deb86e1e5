/* SPDX-License-Identifier: MIT */
#include "admin_info.h"

#include "common.h"

#include <promcb/reader.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct arguments {
	const char *segment;
	bool json;
};

enum { KEY_FORMAT = 'f' };

static const struct argp_option options[] = {
	{"format", KEY_FORMAT, "text|json", 0, "Lines for a person (the default), or one JSON object for a script", 0},
	{0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case KEY_FORMAT:
		arguments->json = strcmp(text, "json") == 0;
		if (!arguments->json && strcmp(text, "text") != 0)
			argp_error(state, "unknown format \"%s\": expected text or json", text);
		return 0;
	default:
		return promcb_tool_parse_rest(key, text, state, &arguments->segment);
	}
}

/* -- Text --------------------------------------------------------------------------------------------------------- */

/* "1.2 MiB", and the exact number where that says less. */
static void print_bytes(FILE *out, const char *label, uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB"};
	double scaled = (double)bytes / 1024;
	unsigned unit = 0;

	for (; scaled >= 1024 && unit < 2; unit++)
		scaled /= 1024;
	fprintf(out, "%-20s %.1f %s (%" PRIu64 " bytes)\n", label, scaled, units[unit], bytes);
}

static void print_created(FILE *out, double created)
{
	time_t seconds = (time_t)created;
	struct tm local;
	char text[64] = "unknown";

	if (localtime_r(&seconds, &local))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &local);
	fprintf(out, "%-20s %s\n", "created", text);
}

/* Counts that cannot be known are -1. */
static void print_known(FILE *out, const char *label, int32_t value, const char *meaning)
{
	if (value < 0)
		fprintf(out, "%-20s unknown: the file system has no locks\n", label);
	else
		fprintf(out, "%-20s %" PRId32 " %s\n", label, value, meaning);
}

static void print_settings(FILE *out, const struct promcb_segment_info *info)
{
	fprintf(out, "%-20s %" PRIu32 " newest calls of a component\n", "recent samples", info->recent_samples);
	if (info->window_seconds == PROMCB_WINDOW_ANY)
		fprintf(out, "%-20s calls of any age\n", "window");
	else
		fprintf(out, "%-20s %" PRIu32 " seconds\n", "window", info->window_seconds);
	fprintf(out, "%-20s %" PRIu32 "\n", "histogram schema", info->schema);
}

static void print_counters(FILE *out, const struct promcb_segment_info *info)
{
	const struct {
		const char *label;
		uint64_t value;
		const char *meaning;
	} counters[] = {
		{"components rejected", info->components_rejected, "registrations that got \"_overflow\""},
		{"overflow calls", info->overflow_calls, "recorded without a lane: correct, but slower"},
		{"dropped calls", info->dropped_calls, "could not be recorded at all"},
		{"rejected calls", info->rejected_calls, "had a negative, NaN or infinite latency"},
		{"bad lines", info->bad_lines, "lines of logs that could not be read as calls"},
		{"families rejected", info->families_rejected, "declared otherwise than they are"},
		{"series rejected", info->series_rejected,
		 "look-ups that got \"_overflow\": a cap, or bad label values"},
		{"rejected values", info->rejected_values, "negative amounts of counters, NaN, infinities"},
		{"dropped values", info->dropped_values, "could not be counted at all"},
		{"saturated calls", info->saturated_calls, "took longer than 18 minutes, recorded as that"},
		{"backward calls", info->backward_calls, "seemed to end before they began, recorded with latency 0"},
	};

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		fprintf(out, "%-20s %" PRIu64 "  %s\n", counters[i].label, counters[i].value, counters[i].meaning);
}

static void print_info(FILE *out, const struct promcb_segment_info *info)
{
	fprintf(out, "%-20s %s\n", "segment", info->path);
	fprintf(out, "%-20s %" PRIu32 ".%" PRIu32 "\n", "format", info->format_major, info->format_minor);
	print_created(out, info->created);
	print_bytes(out, "memory used", info->used_bytes);
	print_bytes(out, "memory at most", info->max_bytes);
	fprintf(out, "%-20s %" PRIu32 " of at most %" PRIu32 "\n", "components", info->components,
		info->components_max);
	fprintf(out, "%-20s %" PRIu64 " of counters, levels, gauges, histograms and infos\n", "families",
		info->families);
	fprintf(out, "%-20s %" PRIu64 " of them all\n", "series", info->series);
	print_known(out, "lanes live", info->lanes_live, "held by a thread now");
	print_known(out, "lanes idle", info->lanes_idle, "held by no thread, with counts in them");
	fprintf(out, "%-20s %" PRIu32 "\n", "lanes at most", info->lanes_max);
	print_known(out, "producers", info->producers, "processes that hold a lane");
	print_settings(out, info);
	print_counters(out, info);
}

/* -- JSON --------------------------------------------------------------------------------------------------------- */

void promcb_admin_json_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (const char *at = text; *at; at++) {
		unsigned char byte = (unsigned char)*at;
		size_t length = promcb_tool_utf8_length(at);

		if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else if (byte < 0x20)
			fprintf(out, "\\u%04x", byte);
		else if (length == 0)
			fputs("\\ufffd", out);
		else
			fwrite(at, 1, length, out);
		at += length > 1 ? length - 1 : 0;
	}
	fputc('"', out);
}

static void print_json(FILE *out, const struct promcb_segment_info *info)
{
	const struct {
		const char *key;
		uint64_t value;
		bool is_unknown;
	} numbers[] = {
		{"used_bytes", info->used_bytes, false},
		{"max_bytes", info->max_bytes, false},
		{"components", info->components, false},
		{"components_max", info->components_max, false},
		{"families", info->families, false},
		{"series", info->series, false},
		{"lanes_live", (uint64_t)info->lanes_live, info->lanes_live < 0},
		{"lanes_idle", (uint64_t)info->lanes_idle, info->lanes_idle < 0},
		{"lanes_undated", (uint64_t)info->lanes_undated, info->lanes_undated < 0},
		{"lanes_max", info->lanes_max, false},
		{"producers", (uint64_t)info->producers, info->producers < 0},
		{"recent_samples", info->recent_samples, false},
		{"window_seconds", info->window_seconds, info->window_seconds == PROMCB_WINDOW_ANY},
		{"schema", info->schema, false},
		{"components_rejected", info->components_rejected, false},
		{"overflow_calls", info->overflow_calls, false},
		{"dropped_calls", info->dropped_calls, false},
		{"rejected_calls", info->rejected_calls, false},
		{"bad_lines", info->bad_lines, false},
		{"families_rejected", info->families_rejected, false},
		{"series_rejected", info->series_rejected, false},
		{"rejected_values", info->rejected_values, false},
		{"dropped_values", info->dropped_values, false},
		{"saturated_calls", info->saturated_calls, false},
		{"backward_calls", info->backward_calls, false},
	};

	fputs("{\n  \"segment\": ", out);
	promcb_admin_json_text(out, info->path);
	fprintf(out, ",\n  \"format\": \"%" PRIu32 ".%" PRIu32 "\"", info->format_major, info->format_minor);
	if (isfinite(info->created))
		fprintf(out, ",\n  \"created\": %.3f", info->created);
	else
		fputs(",\n  \"created\": null", out);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].is_unknown)
			fprintf(out, ",\n  \"%s\": null", numbers[i].key);
		else
			fprintf(out, ",\n  \"%s\": %" PRIu64, numbers[i].key, numbers[i].value);
	}
	fputs("\n}\n", out);
}

/* -- What commands that read share ------------------------------------------------------------------------------- */

int promcb_admin_session(const char *segment, struct promcb_session **out)
{
	struct promcb_message message = {.text = ""};
	struct promcb_options how = {.message = &message};
	struct promcb_reader *reader;
	int result = promcb_reader_open(segment, NULL, &reader, &message);

	if (result == 0) {
		promcb_reader_close(reader);
		result = promcb_open(segment, &how, out);
	}
	return result < 0 ? promcb_tool_cannot_open(segment, result, &message) : 0;
}

int promcb_admin_snapshot(const char *segment, const struct promcb_snapshot_options *wanted,
			  struct promcb_snapshot **out)
{
	static const struct promcb_reader_options mapped = {.access = PROMCB_ACCESS_MAPPED};
	struct promcb_message message = {.text = ""};
	struct promcb_reader *reader;
	int result;

	promcb_reader_catch_sigbus();
	result = promcb_reader_open(segment, &mapped, &reader, &message);
	if (result < 0) {
		promcb_tool_cannot_open(segment, result, &message);
		return result;
	}
	result = promcb_reader_snapshot(reader, wanted, out, &message);
	if (result < 0)
		promcb_tool_complain("cannot read segment \"%s\": %s", promcb_tool_segment_name(segment),
				     promcb_tool_reason(result, &message));
	promcb_reader_close(reader);
	return result;
}

int promcb_admin_close_stdout(void)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout) && close(STDOUT_FILENO) == 0)
		return 0;
	promcb_tool_complain("cannot write to standard output: %s", strerror(errno));
	return PROMCB_TOOL_FAILED;
}

int promcb_admin_info(const char *segment, int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, NULL, "Prints facts about a segment.", promcb_tool_segment_child, NULL, NULL};
	const struct promcb_snapshot_options without_recent = {.flags = PROMCB_SNAPSHOT_WITHOUT_RECENT};
	struct arguments arguments = {.segment = segment};
	struct promcb_snapshot *snapshot;
	struct promcb_segment_info info;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (promcb_admin_snapshot(arguments.segment, &without_recent, &snapshot) < 0)
		return PROMCB_TOOL_FAILED;
	promcb_snapshot_info(snapshot, &info);
	promcb_snapshot_free(snapshot);
	if (arguments.json)
		print_json(stdout, &info);
	else
		print_info(stdout, &info);
	return promcb_admin_close_stdout();
}

/* SPDX-License-Identifier: MIT */
/*
 * main.c: promcb-record, which records from scripts, cron and access logs: options, then calls.
 *
 * Nothing is done at start that the way at hand does not need: a call costs little more than its process.
 */
#include "common.h"
#include "metric.h"
#include "options.h"
#include "ways.h"

#include <promcb/admin.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A segment's owner may truncate it, which ends whoever records into it. That is nothing to do to root by accident. */
static void warn_of_owner(const char *segment)
{
	char path[PROMCB_PATH_MAX];
	struct stat status;

	if (promcb_segment_path(segment, path, NULL) == 0 && lstat(path, &status) == 0 && status.st_uid != 0)
		promcb_tool_complain(
			"warning: segment %s belongs to user %u, who can truncate it and thereby kill this "
			"process; choose another with "
			"--segment or PROMCB_SEGMENT",
			path, (unsigned)status.st_uid);
}

struct promcb_session *promcb_record_open(const char *segment)
{
	struct promcb_message message = {.text = ""};
	struct promcb_options segment_options = {.message = &message};
	struct promcb_session *metrics;
	int result = promcb_open(segment, &segment_options, &metrics);

	if (result < 0) {
		promcb_tool_cannot_make(segment, result, &message);
		return NULL;
	}
	if (message.text[0])
		promcb_tool_complain("warning: %s", message.text);
	if (geteuid() == 0)
		warn_of_owner(segment);
	return metrics;
}

int promcb_record_find(struct promcb_session *metrics, const char *name, struct promcb_component **out)
{
	/* One more than may be, so that it is refused. */
	struct promcb_label labels[PROMCB_COMPONENT_LABELS_MAX + 1];
	size_t room = sizeof(labels) / sizeof(labels[0]), count;
	char *text = strdup(name);
	const char *error;
	int result;

	if (!text) {
		promcb_component(metrics, PROMCB_RECORD_OVERFLOW, out);
		return -ENOMEM;
	}
	count = promcb_name_labels(text, labels, room);
	count = count < room ? count : room;
	result = promcb_component_with(metrics, text, labels, count, out);
	if (result < 0) {
		error = promcb_labels_error(text, labels, count);
		promcb_tool_complain("component \"%s\" cannot be registered (%s): its calls count as \"_overflow\"",
				     name, error ? error : promcb_strerror(result));
	}
	free(text);
	return result;
}

static void record_call(const struct promcb_arguments *arguments, struct promcb_component *component)
{
	bool success = arguments->outcome == PROMCB_SAID_SUCCESS;

	if (!arguments->latency) {
		promcb_record_outcome(component, success);
		return;
	}
	promcb_record(component, arguments->latency_ns, success);
	if (arguments->latency_ns > PROMCB_LATENCY_MAX_NS)
		promcb_tool_complain("--latency=%s: " PROMCB_RECORD_TOO_LONG, arguments->latency);
}

/* A call or a log line may count as "_overflow"; a state that would be set there is another component's business. */
static int record_once(const struct promcb_arguments *arguments)
{
	struct promcb_session *metrics = promcb_record_open(arguments->segment);
	struct promcb_component *component;
	int result;

	if (!metrics)
		return PROMCB_TOOL_FAILED;
	result = promcb_record_find(metrics, arguments->component, &component);
	if (result < 0 && arguments->has_state)
		return PROMCB_TOOL_FAILED;
	if (arguments->outcome != PROMCB_SAID_NONE)
		record_call(arguments, component);
	if (arguments->has_log)
		promcb_count_log(component, arguments->log);
	if (arguments->has_error)
		promcb_count_error(component, arguments->error);
	if (arguments->has_state && promcb_set_state(component, arguments->state) < 0) {
		promcb_tool_complain("the state of \"%s\" cannot be set", arguments->component);
		return PROMCB_TOOL_FAILED;
	}
	return result == -EINVAL ? PROMCB_TOOL_FAILED : 0;
}

static int record_changes(const struct promcb_arguments *arguments)
{
	const struct promcb_metric_rules rules = {.help = arguments->help_text, .unit = arguments->unit};
	struct promcb_session *session = promcb_record_open(arguments->segment);
	struct promcb_metrics *metrics = session ? promcb_metrics_new(session, &rules) : NULL;
	struct promcb_message message;
	static struct promcb_change change;
	int status = 0;

	if (!metrics)
		return PROMCB_TOOL_FAILED;
	for (size_t i = 0; i < arguments->change_count; i++) {
		const struct promcb_words *words = &arguments->changes[i];
		enum promcb_changed way;
		size_t rest;

		change.kind = words->kind;
		promcb_change_series(words->series, strlen(words->series), &change, &rest);
		promcb_change_amount(words->amount, strlen(words->amount), &change);
		way = promcb_metrics_change(metrics, &change, &message);
		if (way != PROMCB_CHANGED)
			promcb_tool_complain("%s '%s' %s: %s", promcb_change_option(words->kind), words->series,
					     words->amount, message.text);
		if (way == PROMCB_CHANGED_NOTHING || way == PROMCB_CHANGED_REJECTED)
			status = PROMCB_TOOL_FAILED;
	}
	promcb_metrics_end(metrics);
	return status;
}

int main(int argc, char **argv)
{
	static struct promcb_arguments arguments;

	promcb_tool_start("promcb-record");
	promcb_record_arguments(argc, argv, &arguments);
	if (arguments.socket)
		return promcb_record_socket(arguments.segment, &arguments.rules, arguments.socket);
	if (arguments.from_stdin)
		return promcb_record_stdin(arguments.segment, &arguments.rules);
	if (arguments.change_count > 0)
		return record_changes(&arguments);
	if (arguments.command)
		return promcb_record_command(arguments.segment, arguments.component, arguments.command,
					     arguments.through_breaker,
					     arguments.has_policy ? &arguments.policy : NULL);
	return record_once(&arguments);
}

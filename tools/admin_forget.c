/* SPDX-License-Identifier: MIT */
/*
 * admin_forget.c: takes components and series out of what readers list, by their name or by their age.
 *
 * A series is removed, and its place below the cap of its family comes back. A component is reset, which hides it: its
 * place in the segment stays its own, since handles of any process may lead there.
 */
#include "admin_forget.h"

#include "admin_info.h"
#include "common.h"

#include <promcb/metric.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
	const char *segment;
	const char *text; /* NULL: by age */
	bool by_age;
	uint64_t idle_ns;
};

enum { KEY_IDLE = 256 };

static const struct argp_option options[] = {
	{"idle", KEY_IDLE, "TIME", 0,
	 "Forget all that is idle for TIME, such as 30d or 12h: components without a call, a log line and an open "
	 "breaker; counters, levels of 0 and histograms whose numbers are as they were when this was run at least TIME "
	 "ago",
	 0},
	{0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case KEY_IDLE:
		if (!promcb_tool_parse_age(text, &arguments->idle_ns))
			argp_error(state, "invalid --idle \"%s\": expected a time such as 30d, 12h or 1h30m", text);
		arguments->by_age = true;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->text)
			argp_error(state, "unexpected argument \"%s\": one name at a time", text);
		arguments->text = text;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->text == !arguments->by_age)
			argp_error(state, "expected either NAME or --idle");
		return 0;
	default:
		return promcb_tool_parse_rest(key, text, state, &arguments->segment);
	}
}

struct forgetting {
	struct promcb_session *session;
	const struct promcb_snapshot *snapshot;
	const char *text;       /* as it was given */
	const char *name;       /* without labels */
	struct promcb_label labels[PROMCB_LABELS_MAX];
	size_t label_count;
	uint64_t components, series;
	bool is_known;          /* there is something of the name */
};

/* -- Components ---------------------------------------------------------------------------------------------------- */

static const char *value_of(const struct promcb_label *labels, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(labels[i].name, name) == 0)
			return labels[i].value;
	return NULL;
}

/* Whether the component is called so, with these labels among its own. */
static bool is_named(const struct forgetting *f, size_t index, const char *full_name)
{
	struct promcb_label labels[PROMCB_COMPONENT_LABELS_MAX];
	const char *name;
	int count = promcb_snapshot_component(f->snapshot, index, &name, labels, PROMCB_COMPONENT_LABELS_MAX);

	if (strcmp(full_name, f->text) == 0)
		return true;
	if (count < 0 || strcmp(name, f->name) != 0)
		return false;
	for (size_t i = 0; i < f->label_count; i++) {
		const char *value = value_of(labels, (size_t)count, f->labels[i].name);

		if (!value || strcmp(value, f->labels[i].value) != 0)
			return false;
	}
	return true;
}

/* Whether nothing happened for so long, as far as it is known when something does. */
static bool is_idle(const struct promcb_snapshot *snapshot, size_t index, const struct promcb_summary *summary,
		    uint64_t idle_ns)
{
	static const enum promcb_moment moments[] = {PROMCB_MOMENT_SINCE, PROMCB_MOMENT_LAST_CALL,
						     PROMCB_MOMENT_LAST_FAILURE, PROMCB_MOMENT_LAST_STATE_CHANGE};
	uint64_t taken_ns = promcb_snapshot_taken_ns(snapshot);

	if (summary->state != PROMCB_CLOSED ||
	    (summary->total_calls && !promcb_snapshot_moment_ns(snapshot, index, PROMCB_MOMENT_LAST_CALL)))
		return false;
	for (unsigned level = 0; level < PROMCB_LOG_LEVELS; level++)
		if (summary->log_entries[level])
			return false;
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		uint64_t moment_ns = promcb_snapshot_moment_ns(snapshot, index, moments[i]);

		if (moment_ns > taken_ns || taken_ns - moment_ns < idle_ns)
			return false;
	}
	return true;
}

static int forget_component(struct forgetting *f, const struct promcb_summary *summary)
{
	int result = promcb_reset(f->session, summary->name);

	if (result == 0 && summary->state != PROMCB_CLOSED)
		promcb_tool_complain("component \"%s\" stays listed, since its breaker is %s", summary->name,
				     promcb_state_name(summary->state));
	f->components += result == 0;
	return result;
}

/* idle_ns: NULL: by name. */
static int forget_components(struct forgetting *f, const uint64_t *idle_ns)
{
	struct promcb_summary summary;
	int result = 0;

	for (size_t i = 0; i < promcb_snapshot_count(f->snapshot) && result == 0; i++) {
		if (promcb_snapshot_summary(f->snapshot, i, &summary) < 0)
			continue;
		if (idle_ns ? is_idle(f->snapshot, i, &summary, *idle_ns) : is_named(f, i, summary.name)) {
			f->is_known = true;
			result = forget_component(f, &summary);
		}
	}
	return result;
}

/* -- Series -------------------------------------------------------------------------------------------------------- */

/* What a series has for a family's label of that name. NULL: the family has none such. */
static const char *series_value(const struct forgetting *f, size_t index, size_t number, const char *label)
{
	const char *name;

	for (size_t i = 0; (name = promcb_snapshot_label(f->snapshot, index, i)); i++)
		if (strcmp(name, label) == 0)
			return promcb_snapshot_label_value(f->snapshot, index, number, i);
	return NULL;
}

static int forget_series(struct forgetting *f, size_t index, size_t number, struct promcb_metric_family *family,
			 const struct promcb_family_spec *spec)
{
	const char *values[PROMCB_LABELS_MAX + 1] = {NULL};
	int result;

	for (size_t i = 0; i < f->label_count; i++) {
		const char *value = series_value(f, index, number, f->labels[i].name);

		if (!value || strcmp(value, f->labels[i].value) != 0)
			return 0;
	}
	f->is_known = true;
	for (size_t i = 0; spec->labels && spec->labels[i] && i < PROMCB_LABELS_MAX; i++)
		values[i] = series_value(f, index, number, spec->labels[i]);
	result = promcb_series_remove(family, values, NULL, 0);
	f->series += result == 0;
	/* One that has enumerated values is listed once for each. */
	return result == -ENOENT ? 0 : result;
}

/* Whether it can be done; says why not. */
static bool can_forget(const struct forgetting *f, const struct promcb_family_summary *summary,
		       const struct promcb_family_spec *spec)
{
	if (summary->type == PROMCB_INFO || (summary->type == PROMCB_GAUGE && summary->scope != PROMCB_SCOPE_SEGMENT)) {
		promcb_tool_complain(
			"\"%s\" is set by living processes, and goes with them: there is nothing to forget",
			summary->name);
		return false;
	}
	if (spec->enumerated && value_of(f->labels, f->label_count, spec->enumerated_label)) {
		promcb_tool_complain("the values of %s of \"%s\" are one series: leave that label out",
				     spec->enumerated_label, summary->name);
		return false;
	}
	return true;
}

/* Returns 0, or -errno; -ECANCELED: it was said why not. */
static int forget_family(struct forgetting *f, size_t index, const struct promcb_family_summary *summary)
{
	const char *labels[PROMCB_LABELS_MAX + 2] = {NULL};
	struct promcb_metric_family *family;
	struct promcb_family_spec *spec;
	int result;

	for (size_t i = 0; i < summary->labels && i < PROMCB_LABELS_MAX + 1; i++)
		labels[i] = promcb_snapshot_label(f->snapshot, index, i);
	result = promcb_family_find(f->session, summary->name, labels, &family, &spec);
	if (result < 0)
		return result;
	if (!can_forget(f, summary, spec)) {
		free(spec);
		return -ECANCELED;
	}
	if (f->label_count == 0) {
		f->is_known = true;
		result = promcb_family_clear(family);
		f->series += result == 0 ? summary->series : 0;
	}
	for (size_t number = 0; f->label_count && number < summary->series && result == 0; number++)
		result = forget_series(f, index, number, family, spec);
	free(spec);
	return result;
}

static int forget_families(struct forgetting *f)
{
	struct promcb_family_summary summary;
	int result = 0;

	for (size_t i = 0; promcb_snapshot_family(f->snapshot, i, &summary) == 0 && result == 0; i++)
		if (strcmp(summary.name, f->name) == 0)
			result = forget_family(f, i, &summary);
	return result;
}

/* -- The command --------------------------------------------------------------------------------------------------- */

static int forget_named(struct forgetting *f, const char *text)
{
	char *copy = strdup(text);
	int result;

	if (!copy)
		return -ENOMEM;
	f->text = text;
	f->name = copy;
	f->label_count = promcb_name_labels(copy, f->labels, PROMCB_LABELS_MAX);
	result = f->label_count > PROMCB_LABELS_MAX ? -EINVAL : forget_components(f, NULL);
	if (result == 0)
		result = forget_families(f);
	free(copy);
	return result;
}

/* Returns the exit status. */
static int tell(const struct arguments *arguments, const struct forgetting *f, int result)
{
	const char *segment = promcb_tool_segment_name(arguments->segment);

	if (result == -ECANCELED)
		return PROMCB_TOOL_FAILED;
	if (result < 0) {
		promcb_tool_complain("cannot forget %s in segment \"%s\": %s",
				     arguments->by_age ? "what is idle" : arguments->text, segment,
				     promcb_strerror(result));
		return PROMCB_TOOL_FAILED;
	}
	if (!arguments->by_age && !f->is_known) {
		promcb_tool_complain("segment \"%s\" has no component and no series \"%s\": promcb-export "
				     "--segment=%s shows what it has",
				     segment, arguments->text, segment);
		return PROMCB_TOOL_FAILED;
	}
	printf("forgot %" PRIu64 " component%s, %" PRIu64 " series\n", f->components, f->components == 1 ? "" : "s",
	       f->series);
	return promcb_admin_close_stdout();
}

int promcb_admin_forget(const char *segment, int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		"NAME\n--idle=TIME",
		"Takes out of all exports, for every process, what is called NAME: a component "
		"or counters, levels and histograms; with labels, as 'jobs_total{queue=\"mail\"}', "
		"only those that have them. Who records there again has it listed again, from 0.",
		promcb_tool_segment_child,
		NULL,
		NULL};
	static const struct promcb_snapshot_options wanted = {.flags = 0};
	struct arguments arguments = {.segment = segment};
	struct forgetting forgetting = {.text = NULL};
	struct promcb_snapshot *snapshot;
	int result;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (promcb_admin_snapshot(arguments.segment, &wanted, &snapshot) < 0)
		return PROMCB_TOOL_FAILED;
	forgetting.snapshot = snapshot;
	result = promcb_admin_session(arguments.segment, &forgetting.session);
	if (result == 0) {
		if (arguments.by_age) {
			result = promcb_series_remove_idle(forgetting.session, arguments.idle_ns, &forgetting.series);
			if (result == 0)
				result = forget_components(&forgetting, &arguments.idle_ns);
		} else {
			result = forget_named(&forgetting, arguments.text);
		}
		promcb_close(forgetting.session);
		result = tell(&arguments, &forgetting, result);
	}
	promcb_snapshot_free(snapshot);
	return result;
}

/* SPDX-License-Identifier: MIT */
/*
 * admin_breaker.c: shows the circuit breakers of a segment, and changes one of them for all processes.
 *
 * Only what is there is changed: a name that was mistyped makes no component and no breaker.
 */
#include "admin_breaker.h"

#include "admin_info.h"
#include "common.h"
#include "policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
	const char *segment;
	const struct verb *verb;
	const char *component;          /* NULL: all */
	bool json, has_mode, has_time;
	struct promcb_policy said;      /* of the policy; the others are 0 */
	const char *pairs[32];          /* by which it was said */
	size_t pair_count;
	enum promcb_mode mode;
	uint64_t time_ns;
};

struct verb {
	const char *name;
	/* Takes a word after the component's name. */
	void (*take)(struct arguments *arguments, char *text, struct argp_state *state);
	/* Changes the breaker. Returns 0, or -errno. */
	int (*apply)(const struct arguments *arguments, struct promcb_breaker *breaker);
};

enum { KEY_FORMAT = 'f', TRIP_MAX_S = 3600 };

/* -- What each takes ----------------------------------------------------------------------------------------------- */

static void take_nothing(struct arguments *arguments, char *text, struct argp_state *state)
{
	(void)arguments;
	argp_error(state, "unexpected argument \"%s\"", text);
}

static void take_pair(struct arguments *arguments, char *text, struct argp_state *state)
{
	struct promcb_message message;

	if (arguments->pair_count == sizeof(arguments->pairs) / sizeof(arguments->pairs[0]))
		argp_error(state, "unexpected argument \"%s\": that is too much", text);
	if (!promcb_tool_policy_parse(text, &arguments->said, &message))
		argp_error(state, "%s", message.text);
	arguments->pairs[arguments->pair_count++] = text;
}

static void take_mode(struct arguments *arguments, char *text, struct argp_state *state)
{
	int mode = 0;

	if (arguments->has_mode)
		take_nothing(arguments, text, state);
	while (mode < PROMCB_MODES && strcmp(text, promcb_mode_name((enum promcb_mode)mode)) != 0)
		mode++;
	if (mode == PROMCB_MODES)
		argp_error(state, "unknown mode \"%s\": expected automatic, open, closed or shadow", text);
	arguments->mode = (enum promcb_mode)mode;
	arguments->has_mode = true;
}

static void take_time(struct arguments *arguments, char *text, struct argp_state *state)
{
	if (arguments->has_time)
		take_nothing(arguments, text, state);
	if (!promcb_tool_time_parse(text, &arguments->time_ns) || arguments->time_ns == 0 ||
	    arguments->time_ns > TRIP_MAX_S * (uint64_t)1000000000)
		argp_error(state, "invalid time \"%s\": expected seconds, or a time such as 30s or 5m, an hour at most",
			   text);
	arguments->has_time = true;
}

/* -- What each does ------------------------------------------------------------------------------------------------ */

static int force(const struct arguments *arguments, struct promcb_breaker *breaker)
{
	return promcb_breaker_force(breaker, arguments->mode);
}

static int trip(const struct arguments *arguments, struct promcb_breaker *breaker)
{
	return promcb_breaker_trip(breaker, arguments->time_ns);
}

static int reset(const struct arguments *arguments, struct promcb_breaker *breaker)
{
	(void)arguments;
	return promcb_breaker_reset(breaker);
}

/* The first is what is done where none is given. */
static const struct verb verbs[] = {
	{"show", take_nothing, NULL}, {"set", take_pair, NULL},       {"force", take_mode, force},
	{"trip", take_time, trip},    {"reset", take_nothing, reset},
};

#define SHOW (&verbs[0])
#define SET (&verbs[1])
#define FORCE (&verbs[2])
#define VERBS "show, set, force, trip or reset"

/* -- The command line ---------------------------------------------------------------------------------------------- */

static void take_argument(struct arguments *arguments, char *text, struct argp_state *state)
{
	if (!arguments->verb) {
		for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
			if (strcmp(text, verbs[i].name) == 0)
				arguments->verb = &verbs[i];
		if (!arguments->verb)
			argp_error(state, "unknown word \"%s\": expected " VERBS, text);
	} else if (!arguments->component) {
		arguments->component = text;
	} else {
		arguments->verb->take(arguments, text, state);
	}
}

static void check(struct arguments *arguments, struct argp_state *state)
{
	if (!arguments->verb)
		arguments->verb = SHOW;
	if (arguments->json && arguments->verb != SHOW)
		argp_error(state, "--format goes with show");
	if (!arguments->component && arguments->verb != SHOW)
		argp_error(state, "no component given: whose breaker is it?");
	if (arguments->verb == SET && arguments->pair_count == 0)
		argp_error(
			state,
			"nothing to set: expected KEY=VALUE such as failure_rate=30%%; keys: " PROMCB_TOOL_POLICY_KEYS);
	if (arguments->verb == FORCE && !arguments->has_mode)
		argp_error(state, "no mode given: expected automatic, open, closed or shadow");
}

static const struct argp_option options[] = {
	{"format", KEY_FORMAT, "text|json", 0,
	 "With show: lines for a person (the default), or one JSON array for a script", 0},
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
	case ARGP_KEY_ARG:
		take_argument(arguments, text, state);
		return 0;
	case ARGP_KEY_END:
		check(arguments, state);
		return 0;
	default:
		return promcb_tool_parse_rest(key, text, state, &arguments->segment);
	}
}

static const char documentation[] =
	"Shows the circuit breakers of a segment, or changes one of them, for all processes."
	"\v  show    the breakers, or one: state, policy, window, what was refused\n"
	"  set     put a policy in force, of which what is not named stays as it is;\n"
	"          also over that of a program, until it brings one of a higher version\n"
	"  force   automatic: the policy decides (the default); open: all is refused;\n"
	"          closed: all is let through; shadow: the policy decides, and what it\n"
	"          would have refused is let through and counted\n"
	"  trip    open it now, for TIME at least (seconds, or 30s, 5m; an hour at most)\n"
	"  reset   close it now, and forget the window\n"
	"Keys: failure_rate=30%, slow_rate=50%, slow=2s, consecutive=5, min_calls=20, window=10s, open=5s, "
	"open_max=1m, jitter=10%, probes=3, successes=3, failures=1, lease=10s, mode=automatic, version=1; the rates, "
	"consecutive and jitter can be off.";

/* -- Finding it ---------------------------------------------------------------------------------------------------- */

/* Returns false if the component has none. */
static bool find(const struct promcb_snapshot *snapshot, const char *component, struct promcb_breaker_summary *out)
{
	for (size_t i = 0; promcb_snapshot_breaker(snapshot, i, out) == 0; i++)
		if (strcmp(out->component, component) == 0)
			return true;
	return false;
}

static int complain_of_none(const struct arguments *arguments, bool has_component)
{
	const char *segment = promcb_tool_segment_name(arguments->segment);

	if (has_component)
		promcb_tool_complain(
			"component \"%s\" of segment \"%s\" has no circuit breaker: programs make one, and "
			"so does promcb-admin breaker set",
			arguments->component, segment);
	else
		promcb_tool_complain(
			"segment \"%s\" has no component \"%s\": promcb-admin list --components shows what "
			"it has",
			segment, arguments->component);
	return PROMCB_TOOL_FAILED;
}

/* -- Showing ------------------------------------------------------------------------------------------------------- */

static void show(const struct arguments *arguments, const struct promcb_snapshot *snapshot)
{
	uint64_t now_ns = promcb_snapshot_taken_ns(snapshot);
	struct promcb_breaker_summary breaker;
	const char *separator = "";

	if (arguments->json)
		fputs("[", stdout);
	for (size_t i = 0; promcb_snapshot_breaker(snapshot, i, &breaker) == 0; i++) {
		if (arguments->component && strcmp(breaker.component, arguments->component) != 0)
			continue;
		if (arguments->json) {
			printf("%s\n", separator);
			promcb_admin_breaker_json(stdout, &breaker);
			separator = ",";
		} else {
			fputs(separator, stdout);
			promcb_admin_breaker_print(stdout, &breaker, now_ns);
			separator = "\n";
		}
	}
	if (arguments->json)
		puts(*separator ? "\n]" : "]");
}

/* -- Changing ------------------------------------------------------------------------------------------------------ */

/* The component of the segment that is called so, labels included. Returns 0, or -errno. */
static int find_component(struct promcb_session *session, const char *name, struct promcb_component **out)
{
	struct promcb_label labels[PROMCB_COMPONENT_LABELS_MAX + 1];
	size_t room = sizeof(labels) / sizeof(labels[0]), count;
	char *text = strdup(name);
	int result = -ENOMEM;

	if (text) {
		count = promcb_name_labels(text, labels, room);
		result = promcb_component_with(session, text, labels, count < room ? count : room, out);
	}
	free(text);
	return result;
}

/* What is in force, or the default where nothing is, and in it what was said. */
static void make_policy(const struct arguments *arguments, const struct promcb_policy *present,
			struct promcb_policy *out)
{
	struct promcb_message message;

	*out = present ? *present : (struct promcb_policy){.version = 0};
	for (size_t i = 0; i < arguments->pair_count; i++)
		promcb_tool_policy_parse(arguments->pairs[i], out, &message);
	/* To be open for longer than was the most is to have another most. */
	if (arguments->said.open_ms > out->open_max_ms && !arguments->said.open_max_ms && out->open_max_ms)
		out->open_max_ms = arguments->said.open_ms;
	out->flags = PROMCB_POLICY_ANYWAY;
}

static int change(const struct arguments *arguments, const struct promcb_policy *present)
{
	struct promcb_message message = {.text = ""};
	struct promcb_component *component;
	struct promcb_breaker *breaker;
	struct promcb_session *session;
	struct promcb_policy policy;
	int result = promcb_admin_session(arguments->segment, &session);

	if (result != 0)
		return result;
	make_policy(arguments, present, &policy);
	policy.message = &message;
	result = find_component(session, arguments->component, &component);
	if (result == 0)
		result = promcb_breaker(component, arguments->verb == SET ? &policy : NULL, &breaker);
	if (result == 0 && arguments->verb->apply)
		result = arguments->verb->apply(arguments, breaker);
	promcb_close(session);
	if (result == 0)
		return 0;
	promcb_tool_complain("cannot %s the breaker of \"%s\" in segment \"%s\": %s", arguments->verb->name,
			     arguments->component, promcb_tool_segment_name(arguments->segment),
			     promcb_tool_reason(result, &message));
	return PROMCB_TOOL_FAILED;
}

int promcb_admin_breaker(const char *segment, int argc, char **argv)
{
	static const struct argp argp = {options,
					 parse,
					 "[show [COMPONENT]]\nset COMPONENT KEY=VALUE...\n"
					 "force COMPONENT automatic|open|closed|shadow\ntrip COMPONENT [TIME]\n"
					 "reset COMPONENT",
					 documentation,
					 promcb_tool_segment_child,
					 NULL,
					 NULL};
	static const struct promcb_snapshot_options wanted = {.flags = PROMCB_SNAPSHOT_WITHOUT_RECENT};
	struct arguments arguments = {.segment = segment};
	struct promcb_breaker_summary breaker;
	struct promcb_snapshot *snapshot;
	struct promcb_summary summary;
	bool is_there, has_component;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (promcb_admin_snapshot(arguments.segment, &wanted, &snapshot) < 0)
		return PROMCB_TOOL_FAILED;
	is_there = !arguments.component || find(snapshot, arguments.component, &breaker);
	has_component = is_there || promcb_snapshot_find(snapshot, arguments.component, &summary) == 0;
	if (arguments.verb == SHOW && is_there)
		show(&arguments, snapshot);
	promcb_snapshot_free(snapshot);
	if (!is_there && (arguments.verb != SET || !has_component))
		return complain_of_none(&arguments, has_component);
	return arguments.verb == SHOW ? promcb_admin_close_stdout()
				      : change(&arguments, is_there ? &breaker.policy : NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * kill_removal: a process dies by SIGKILL, or is stopped, at each named point that it passes while it adds to series,
 * removes them, asks for them again, and sets gauges: the points of removal, of rows and of live copies among them.
 *
 * Invariants, after each death
 *   - What a reader finds of every series is what its last whole step left, or what the step it died in would have; and
 *     nothing of its gauges.
 *   - Another process goes on with the same steps, and each is exact.
 *   - The audit of ../stress/audit.h, and a reader's check. A place of a cap is lost at most once, at a point where it
 *     may be.
 */
#include "../stress/audit.h"
#include "../stress/series.h"
#include "points.h"

enum { KEYS = 3, CAP = 3, LANES = 4, ABSENT = -1 };

static struct shared {
	uint64_t step; /* that was begun last, + 1 */
} * shared;

/* -- Steps --------------------------------------------------------------------------------------------------------- */

enum action { ADD, ASK, REMOVE, CLEAR, SET, REMOVE_GAUGE, NOTE, REMOVE_IDLE };

static const struct step {
	enum action action;
	unsigned key, amount;
} steps[] = {
	{ASK, 0, 0},    {ADD, 0, 5},    {ADD, 1, 7},          {SET, 0, 4},  {REMOVE, 0, 0},      {ADD, 0, 3},
	{REMOVE, 1, 0}, {ASK, 1, 0},    {REMOVE_GAUGE, 0, 0}, {ADD, 1, 2},  {REMOVE, 0, 0},      {SET, 0, 9},
	{ADD, 2, 11},   {REMOVE, 0, 0}, {CLEAR, 0, 0},        {ADD, 2, 1},  {ADD, 0, 0},         {ASK, 0, 0},
	{REMOVE, 2, 0}, {ADD, 1, 13},   {REMOVE, 1, 0},       {NOTE, 0, 0}, {REMOVE_IDLE, 0, 0}, {ADD, 2, 6},
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

static const char *const keys[KEYS] = {"a", "b", "c"};

/* What a reader finds of each series. */
struct state {
	int64_t value[KEYS];
	bool hidden[KEYS];
};

static struct state begin_state(void)
{
	return (struct state){{ABSENT, ABSENT, ABSENT}, {false}};
}

static void apply(struct state *state, const struct step *step)
{
	int64_t *value = &state->value[step->key];

	switch (step->action) {
	case ADD:
		/* Of a series that was removed, 0 has nothing listed; a new one is. */
		if (step->amount || !state->hidden[step->key])
			*value = (*value == ABSENT ? 0 : *value) + step->amount;
		break;
	case ASK:
		*value = *value == ABSENT ? 0 : *value;
		state->hidden[step->key] = false;
		break;
	case REMOVE:
		state->hidden[step->key] = state->hidden[step->key] || *value != ABSENT;
		*value = ABSENT;
		break;
	case CLEAR:
	case REMOVE_IDLE:
		for (unsigned key = 0; key < KEYS; key++) {
			state->hidden[key] = state->hidden[key] || state->value[key] != ABSENT;
			state->value[key] = ABSENT;
		}
		break;
	default:
		break;
	}
}

static const struct promcb_options options = {.lanes = LANES, .components = 4, .max_bytes = 8 << 20};

static struct promcb_metric_family *family_of(struct promcb_session *p, enum promcb_metric_type type, const char *name)
{
	return series_family(
		p, (struct promcb_family_spec){.name = name, .type = type, .labels = VALUES("who"), .series_max = CAP});
}

static void produce(void)
{
	struct promcb_session *p = stress_open(&options);
	struct promcb_metric_family *counts = family_of(p, PROMCB_COUNTER, "hits_total");
	struct promcb_metric_family *gauges = family_of(p, PROMCB_GAUGE, "heat");

	for (unsigned i = 0; i < STEPS; i++) {
		const struct step *step = &steps[i];
		const char *values[] = {keys[step->key], NULL};
		struct promcb_counter *counter;
		int result = 0;

		__atomic_store_n(&shared->step, i + 1, __ATOMIC_SEQ_CST);
		switch (step->action) {
		case ADD:
			result = promcb_counter_add_with(counts, values, step->amount);
			break;
		case ASK:
			result = promcb_counter_with(counts, values, &counter);
			break;
		case REMOVE:
			result = promcb_series_remove(counts, values, NULL, 0);
			break;
		case CLEAR:
			result = promcb_family_clear(counts);
			break;
		case NOTE:
			result = promcb_series_remove_idle(p, UINT64_MAX, NULL);
			break;
		case REMOVE_IDLE:
			result = promcb_series_remove_idle(p, 0, NULL);
			break;
		case SET:
			result = promcb_gauge_set_with(gauges, values, step->amount);
			break;
		case REMOVE_GAUGE:
			result = promcb_series_remove(gauges, values, NULL, 0);
			break;
		}
		/* Of what a dead one had removed already, or of a place that it cost. */
		CHECK(result == 0 || result == -ENOENT || result == -ENOSPC, "step %u: %s", i, promcb_strerror(result));
	}
	__atomic_store_n(&shared->step, STEPS + 1, __ATOMIC_SEQ_CST);
}

/* -- What is there ------------------------------------------------------------------------------------------------- */

static int64_t found_of(const struct promcb_snapshot *snapshot, const char *name, const char *value)
{
	const uint64_t *cells = series_cells(snapshot, name, value);

	return cells ? (int64_t)*cells : ABSENT;
}

static bool is_there(const struct promcb_snapshot *snapshot, const struct state *state)
{
	for (unsigned key = 0; key < KEYS; key++)
		if (found_of(snapshot, "hits_total", keys[key]) != state->value[key])
			return false;
	return true;
}

/* A step of many series is one after the other: each may be before or after it. */
static bool is_between(const struct promcb_snapshot *snapshot, const struct state *before, const struct state *after)
{
	for (unsigned key = 0; key < KEYS; key++) {
		int64_t found = found_of(snapshot, "hits_total", keys[key]);

		/* Registered, and not added to yet. */
		if (found != before->value[key] && found != after->value[key] &&
		    !(found == 0 && before->value[key] == ABSENT && after->value[key] != ABSENT))
			return false;
	}
	return true;
}

static bool costs_a_place(const char *point)
{
	return strcmp(point, "series: place taken") == 0 || strcmp(point, "part: place untold") == 0 ||
	       strcmp(point, "remove: published") == 0;
}

static void check_values(const char *point, uint64_t passage, uint64_t step)
{
	struct state before = begin_state(), after;
	struct promcb_snapshot *snapshot;

	for (uint64_t i = 0; step && i + 1 < step; i++)
		apply(&before, &steps[i]);
	after = before;
	if (step && step <= STEPS)
		apply(&after, &steps[step - 1]);
	snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	CHECK(is_between(snapshot, &before, &after), "\"%s\" passage %llu, step %llu: %lld %lld %lld", point,
	      (unsigned long long)passage, (unsigned long long)step,
	      (long long)found_of(snapshot, "hits_total", keys[0]),
	      (long long)found_of(snapshot, "hits_total", keys[1]),
	      (long long)found_of(snapshot, "hits_total", keys[2]));
	CHECK(found_of(snapshot, "heat", keys[0]) == ABSENT, "\"%s\": a dead process's gauge", point);
	promcb_snapshot_free(snapshot);
}

static bool try_point(const char *point, uint64_t passage, int signal_number)
{
	uint64_t cost = costs_a_place(point) && signal_number == SIGKILL, step;
	struct promcb_snapshot *snapshot;
	struct state state = begin_state();
	int status;
	pid_t victim;

	promcb_remove(stress_segment, true, NULL);
	shared->step = 0;
	victim = points_start(produce, point, passage, signal_number);
	CHECK(waitpid(victim, &status, WUNTRACED) == victim, "wait");
	if (WIFEXITED(status)) {
		CHECK(WEXITSTATUS(status) == 0, "\"%s\": the victim failed with %d", point, WEXITSTATUS(status));
		return false;
	}
	step = shared->step;
	if (step == 0) {
		kill(victim, SIGKILL);
		if (signal_number == SIGSTOP)
			stress_wait(victim);
		return true;
	}
	if (signal_number == SIGKILL)
		check_values(point, passage, step);
	CHECK(audit_apart(&options, false).lost_places <= 1, "\"%s\": places", point);
	if (signal_number == SIGSTOP) {
		/* It goes on as if nothing had been. */
		kill(victim, SIGCONT);
		CHECK(stress_wait(victim) == 0, "\"%s\": the stopped process failed", point);
		for (unsigned i = 0; i < STEPS; i++)
			apply(&state, &steps[i]);
	} else {
		/* Another removes all, and then does every step. */
		shared->step = 0;
		pid_t next = fork();

		CHECK(next >= 0, "fork");
		if (next == 0) {
			alarm(PATIENCE_SECONDS);
			struct promcb_session *p = stress_open(&options);
			int result = promcb_family_clear(family_of(p, PROMCB_COUNTER, "hits_total"));

			CHECK(result == 0, "\"%s\": clear: %s", point, promcb_strerror(result));
			produce();
			_exit(0);
		}
		CHECK(stress_wait(next) == 0, "\"%s\": the next process failed", point);
		for (unsigned i = 0; i < STEPS; i++)
			apply(&state, &steps[i]);
	}
	snapshot = stress_snapshot(PROMCB_ACCESS_MAPPED);
	CHECK(is_there(snapshot, &state) || cost, "\"%s\" passage %llu, at the end: %lld %lld %lld", point,
	      (unsigned long long)passage, (long long)found_of(snapshot, "hits_total", keys[0]),
	      (long long)found_of(snapshot, "hits_total", keys[1]),
	      (long long)found_of(snapshot, "hits_total", keys[2]));
	promcb_snapshot_free(snapshot);
	CHECK(audit_apart(&options, true).lost_places <= cost, "\"%s\" passage %llu costs a place", point,
	      (unsigned long long)passage);
	return true;
}

int main(void)
{
	static const char *const wanted[] = {
		"remove: carved", "remove: filled", "remove: published", "series: listed again", "row: carved",
		"row: published", "row: counted",   "live: emptied",     "live: begun",          "remove: time noted"};
	unsigned tried = 0;

	stress_begin("kill-removal");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	points_collect(produce);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		CHECK(points_find(wanted[i]) < points->count, "nobody passed \"%s\"", wanted[i]);
	for (uint64_t i = 0; i < points->count; i++)
		for (uint64_t passage = 1; passage <= points->passages[i]; passage += stress_stride()) {
			tried += try_point(points->names[i], passage, SIGKILL);
			tried += try_point(points->names[i], passage, SIGSTOP);
		}
	CHECK(tried >= points->count, "only %u victims came by", tried);
	printf("%llu points, %u deaths and stops: each step is whole, or was not begun\n",
	       (unsigned long long)points->count, tried);
	stress_remove();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * kill_breaker: a process dies by SIGKILL, or is stopped, at each named point while it makes a breaker and calls
 * through it: as it opens, is open, probes, closes, is forced and tripped. By a clock that all share.
 *
 * Invariants, for each point, at its first and at later passages:
 *   - Another process then sees it open and close, and gets its calls through, in a bounded number of calls.
 *   - What was let through and what was refused is what processes counted, but for the call in flight; what never ended
 *     died with them.
 *   - A reader's check finds nothing.
 */
#include "points.h"

#include "record/episode.h"

#include <promcb/breaker_inline.h>

enum { PATIENCE_CALLS = 64, FAILURES = 3, PROBES = 2, LEASE_MS = 8000 };

#define SECOND ((uint64_t)1000000000)

static struct shared {
	uint64_t now_ns;
	uint64_t begun, done, refused;
	uint64_t abandoned;             /* begun, and left by a death that is no victim's */
} * shared;

static struct promcb_component *component;
static struct promcb_breaker *breaker;

static uint64_t shared_clock(void)
{
	return promcb_load_relaxed(&shared->now_ns);
}

static void pass(uint64_t ns)
{
	promcb_add_relaxed(&shared->now_ns, ns);
}

static bool begin(struct promcb_token *token)
{
	bool allowed = promcb_allow(breaker, token);

	promcb_add_relaxed(allowed ? &shared->begun : &shared->refused, 1);
	return allowed;
}

static void end(struct promcb_token *token, enum promcb_call_outcome outcome)
{
	promcb_done_at(breaker, token, 1000, outcome, shared_clock());
	promcb_add_relaxed(&shared->done, 1);
}

/* Calls until it is in that state; what is refused waits for a second. */
static void call_until(enum promcb_state state, enum promcb_call_outcome outcome)
{
	struct promcb_token token;

	for (unsigned i = 0; promcb_state(component) != state; i++) {
		CHECK(i < PATIENCE_CALLS, "after %u calls it is %s", i, promcb_state_name(promcb_state(component)));
		if (begin(&token))
			end(&token, outcome);
		else
			pass(SECOND);
	}
}

static void *end_in_thread(void *token)
{
	end(token, PROMCB_TIMEOUT);
	return NULL;
}

/* While it is open; what is ignored leaves it half-open. Whoever was stopped meanwhile may find it closed. */
static void probe_for_nothing(void)
{
	struct promcb_token token;

	for (unsigned i = 0; promcb_state(component) == PROMCB_OPEN; i++) {
		CHECK(i < PATIENCE_CALLS, "open for %u calls", i);
		if (begin(&token))
			end(&token, PROMCB_IGNORED);
		else
			pass(SECOND);
	}
}

/* A call that ends in another thread. */
static void call_elsewhere(void)
{
	struct promcb_token token;
	pthread_t thread;

	if (!begin(&token))
		return;
	CHECK(pthread_create(&thread, NULL, end_in_thread, &token) == 0, "thread");
	pthread_join(thread, NULL);
}

static struct promcb_session *open_segment(void)
{
	const struct promcb_options options = {.lanes = 6, .components = 4};
	struct promcb_session *p;

	promcb_guard_clock = shared_clock;
	CHECK(promcb_open(stress_segment, &options, &p) == 0, "open");
	CHECK(promcb_component(p, "db", &component) == 0, "component");
	return p;
}

/*
 * Another process, begun before this one knows of the segment, that takes all permits when it is told to, and dies of
 * it. Whoever ends without telling it lets it go.
 */
static int tell_prober = -1;

static pid_t begin_prober(void)
{
	int told[2];
	pid_t child;
	char byte;

	CHECK(pipe(told) == 0, "pipe");
	child = fork();
	CHECK(child >= 0, "fork");
	if (child) {
		close(told[0]);
		tell_prober = told[1];
		return child;
	}
	victim_point = NULL;
	collecting = false;
	close(told[1]);
	if (read(told[0], &byte, 1) != 1)
		_exit(0);
	open_segment();
	if (promcb_breaker(component, NULL, &breaker) == 0)
		for (unsigned i = 0; i < PROBES; i++) {
			struct promcb_token token;

			promcb_add_relaxed(&shared->abandoned, begin(&token));
		}
	kill(getpid(), SIGKILL);
	_exit(1);
}

/* While it is half-open: the permits of the dead are to be had long before their leases end, if nobody is disturbed. */
static void outlive_prober(pid_t prober)
{
	struct promcb_token token;

	CHECK(write(tell_prober, "", 1) == 1, "write");
	close(tell_prober);
	CHECK(waitpid(prober, NULL, 0) == prober, "waitpid");
	for (unsigned i = 0; i < PROBES + 2 && promcb_state(component) == PROMCB_HALF_OPEN; i++)
		if (begin(&token))
			end(&token, PROMCB_SUCCESS);
		else
			pass(SECOND / 100);
	CHECK(!collecting || promcb_state(component) == PROMCB_CLOSED, "the dead keep their permits");
}

static void be_forced(void)
{
	struct promcb_token token;

	promcb_breaker_force(breaker, PROMCB_MODE_OPEN);
	/* Whoever is stopped here is overtaken by others. */
	if (begin(&token)) {
		CHECK(victim_point, "forced open, and a call is let through");
		end(&token, PROMCB_SUCCESS);
	}
	promcb_breaker_force(breaker, PROMCB_MODE_AUTOMATIC);
	promcb_breaker_trip(breaker, 20 * SECOND);
	CHECK(promcb_retry_after(breaker) >= 19 * SECOND || victim_point, "tripped for %llu",
	      (unsigned long long)promcb_retry_after(breaker));
	promcb_breaker_reset(breaker);
	CHECK(promcb_state(component) == PROMCB_CLOSED || victim_point, "reset");
}

static void produce(void)
{
	static uint32_t version;
	struct promcb_policy policy = {.window_ms = 4000,
				       .min_calls = FAILURES + 1,
				       .consecutive = FAILURES,
				       .open_ms = 500,
				       .open_max_ms = 4000,
				       .probes = PROBES,
				       .successes = PROBES + 1,
				       .lease_ms = LEASE_MS};
	pid_t prober = begin_prober();
	struct promcb_session *p = open_segment();
	int result;

	for (version = 1; version <= 2; version++) {
		policy.version = version;
		/* Rows change over to slots of another length, while calls count again. */
		policy.window_ms = 4000 / version;
		pass(SECOND);
		result = promcb_breaker(component, &policy, &breaker);
		/* Whoever was stopped with the resetter's lane has it: calls go through meanwhile. */
		CHECK(result == 0 || result == -EBUSY, "breaker: %d", result);
		if (result < 0)
			_exit(0);
		/* Whoever died may have left it forced. */
		promcb_breaker_force(breaker, PROMCB_MODE_AUTOMATIC);
		call_until(PROMCB_OPEN, PROMCB_CONNECT);
		call_until(PROMCB_CLOSED, PROMCB_SUCCESS);
		/* By the rate. */
		for (unsigned i = 0; i < 2 * FAILURES && promcb_state(component) == PROMCB_CLOSED; i++) {
			struct promcb_token token;

			call_elsewhere();
			if (begin(&token))
				end(&token, PROMCB_SUCCESS);
			pass(SECOND / 100);
		}
		call_until(PROMCB_OPEN, PROMCB_FAILURE);
		probe_for_nothing();
		if (version == 1)
			outlive_prober(prober);
		call_until(PROMCB_OPEN, PROMCB_FAILURE);
		call_until(PROMCB_CLOSED, PROMCB_SUCCESS);
		be_forced();
	}
	promcb_close(p);
}

/* -- What readers say ---------------------------------------------------------------------------------------------- */

/* The sum of a family's series; 0: it is not there. */
static uint64_t exported(const struct promcb_snapshot *snapshot, const char *family)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < promcb_snapshot_families(snapshot); i++) {
		struct promcb_family_summary summary;
		struct promcb_series_summary series;

		promcb_snapshot_family(snapshot, i, &summary);
		for (size_t j = 0; strcmp(summary.name, family) == 0 && j < summary.series; j++) {
			promcb_snapshot_series(snapshot, i, j, &series);
			sum += (uint64_t)series.number;
		}
	}
	return sum;
}

static void check_between(const char *what, const char *point, uint64_t number, uint64_t least, uint64_t most)
{
	CHECK(number >= least && number <= most, "after \"%s\": %llu %s, from %llu to %llu are possible", point,
	      (unsigned long long)number, what, (unsigned long long)least, (unsigned long long)most);
}

/* dead, stopped: how many processes. lanes_are_taken: of the dead, by others who then called. */
static void check_segment(const char *point, uint64_t dead, uint64_t stopped, bool lanes_are_taken)
{
	struct promcb_message message = {.text = ""};
	uint64_t between = dead + stopped, unknown = between + shared->abandoned, begun, died, ended;
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;
	int result = promcb_reader_open(stress_segment, NULL, &reader, &message);

	if (result == -ENOENT)
		return;
	CHECK(result == 0, "%s", message.text);
	CHECK(promcb_reader_check(reader, stress_report, NULL) == 0, "after \"%s\" the segment breaks its invariants",
	      point);
	CHECK(promcb_reader_snapshot(reader, NULL, &snapshot, &message) == 0, "%s", message.text);
	begun = exported(snapshot, "circuit_breaker_permitted_calls_total");
	died = exported(snapshot, "circuit_breaker_died_calls_total");
	ended = exported(snapshot, "circuit_breaker_ignored_calls_total");
	for (size_t i = 0; i < snapshot->count; i++)
		ended += snapshot->components[i].counts.calls[0] + snapshot->components[i].counts.calls[1];
	if (exported(snapshot, "circuit_breaker_policy_version")) {
		check_between("let through", point, begun, shared->begun, shared->begun + between);
		check_between("refused", point, exported(snapshot, "circuit_breaker_not_permitted_calls_total"),
			      shared->refused, shared->refused + between);
		check_between("ended", point, ended, shared->done, shared->done + between);
		/* Who dies between an end and its record has ended a call that is not recorded. */
		check_between("died", point, died,
			      lanes_are_taken && begun > ended + unknown ? begun - ended - unknown : 0,
			      dead + shared->abandoned);
	}
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
}

static bool try_point(const char *point, uint64_t passage, int signal_number)
{
	bool is_dead = signal_number == SIGKILL;
	int status;
	pid_t victim;

	promcb_remove(stress_segment, true, NULL);
	memset(shared, 0, sizeof(*shared));
	shared->now_ns = 100000 * SECOND;
	victim = points_start(produce, point, passage, signal_number);
	CHECK(waitpid(victim, &status, WUNTRACED) == victim, "wait");
	if (WIFEXITED(status)) {
		CHECK(WEXITSTATUS(status) == 0, "\"%s\": the victim failed with %d", point, WEXITSTATUS(status));
		return false;
	}
	check_segment(point, is_dead, !is_dead, false);
	for (unsigned round = 0; round < 2; round++) {
		CHECK(stress_wait(points_start(produce, NULL, 0, 0)) == 0, "\"%s\" passage %llu: the next failed",
		      point, (unsigned long long)passage);
		check_segment(point, is_dead, !is_dead, is_dead);
	}
	if (!is_dead) {
		kill(victim, SIGCONT);
		CHECK(stress_wait(victim) == 0, "\"%s\": the stopped process failed", point);
		check_segment(point, 0, 0, true);
	}
	return true;
}

int main(void)
{
	unsigned tried;

	stress_begin("kill-breaker");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	shared->now_ns = 100000 * SECOND;
	points_collect(produce);
	CHECK(points_find("breaker: probe counted") < points->count && points_find("policy: filled") < points->count &&
		      points_find("breaker: elsewhere") < points->count &&
		      points_find("breaker: turn") < points->count &&
		      points_find("breaker: lease ended") < points->count &&
		      points_find("breaker: begins later") < points->count,
	      "a point was not passed");
	tried = points_try(try_point);
	printf("%llu points, %u deaths and stops: it opens and closes, and no call is missing\n",
	       (unsigned long long)points->count, tried);
	stress_remove();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * torture_detection: processes call through one breaker until their component falls ill, hundreds of times, beside an
 * oracle that keeps every call with its own time and outcome. By a clock that all share.
 *   - Never early: it opens at the end of a failure, and of the calls of a window that is as long as the header says
 *     so many failed. Where nothing fails before, not before they are so many of the last window_ms.
 *   - Never missed: whoever looks when that is so of all such windows, opens it.
 *   - Never late: after the moment at which they are so many of the last window_ms, not longer than p/q of an eighth of
 *     the window, an interval between two looks, a tick of the clock and the way to the next failure, where calls come
 *     at equal distances; where they come at random, as late as the longest of these windows says.
 *   - Every process refuses its next call.
 */
#include "stress.h"

#include "record/episode.h"

#include <promcb/breaker_inline.h>

#include <semaphore.h>

enum { PROCESSES_MAX = 4, RUNS = 60, CALLS_MAX = 8192, MIN_CALLS = 20 };

#define MS ((uint64_t)1000000)

/* A kind of runs. */
static const struct kind {
	const char *name;
	unsigned processes, rate;       /* of each, calls a second */
	uint32_t window_ms, permille;
	unsigned ill_permille;          /* of calls that fail, once it is ill */
	uint64_t tick_ns;               /* of the clock */
	bool even;                      /* calls come at equal distances */
} kinds[] = {
	{"2 processes, all fail", 2, 400, 400, 500, 1000, 1, false},
	{"2 processes, 60 % fail", 2, 400, 400, 500, 600, 1, false},
	{"4 processes, all fail", 4, 100, 800, 500, 1000, 4 * MS, false},
	{"3 processes, 40 % fail, at equal distances", 3, 200, 1000, 200, 400, 4 * MS, true},
	{"2 processes, all fail, at equal distances", 2, 300, 1600, 500, 1000, 1, true},
};

static struct shared {
	uint64_t now_ns, tick_ns;
	sem_t go[PROCESSES_MAX], done;
	uint32_t run;                   /* which the next call is of; UINT32_MAX: end */
	bool fails, allowed;
	struct promcb_policy policy;
	/* The calls that the process makes while all are well, one after the other: nobody looks then. */
	unsigned well[PROCESSES_MAX];
	uint64_t well_ns[PROCESSES_MAX][CALLS_MAX];
} * shared;

static uint64_t shared_clock(void)
{
	return promcb_load_relaxed(&shared->now_ns) / shared->tick_ns * shared->tick_ns;
}

/* -- Processes that call when told to ------------------------------------------------------------------------------ */

static struct promcb_breaker *breaker_of(struct promcb_session *p, uint32_t run, struct promcb_component **component)
{
	struct promcb_breaker *breaker;
	char name[32];

	snprintf(name, sizeof(name), "run %u", run);
	*component = stress_component(p, name);
	CHECK(promcb_breaker(*component, &shared->policy, &breaker) == 0, "breaker of %s", name);
	return breaker;
}

static bool make_call(struct promcb_breaker *breaker, bool fails, uint64_t ended_ns)
{
	struct promcb_token token;

	if (!promcb_allow(breaker, &token))
		return false;
	promcb_done_at(breaker, &token, 1000, fails ? PROMCB_CONNECT : PROMCB_SUCCESS, ended_ns);
	return true;
}

static void call_when_told(unsigned process)
{
	struct promcb_session *p = NULL;
	struct promcb_breaker *breaker = NULL;
	struct promcb_component *component;
	uint32_t run = UINT32_MAX;

	for (;;) {
		sem_wait(&shared->go[process]);
		if (shared->run == UINT32_MAX)
			_exit(0);
		/* Its maker is there already. */
		p = p ? p : stress_open(NULL);
		if (run != shared->run) {
			breaker = breaker_of(p, run = shared->run, &component);
			for (unsigned i = 0; i < shared->well[process]; i++)
				make_call(breaker, false, shared->now_ns = shared->well_ns[process][i]);
		} else {
			shared->allowed = make_call(breaker, shared->fails, shared->now_ns);
		}
		sem_post(&shared->done);
	}
}

/* One that ends before it is told to has failed. */
static void child_ended(int signal_number)
{
	(void)signal_number;
	if (shared->run != UINT32_MAX)
		_exit(1);
}

static void tell(unsigned process)
{
	sem_post(&shared->go[process]);
	while (sem_wait(&shared->done) < 0)
		;
}

/* Returns whether it was let through. */
static bool call(unsigned process, bool fails)
{
	shared->fails = fails;
	tell(process);
	return shared->allowed;
}

/* -- The oracle ---------------------------------------------------------------------------------------------------- */

static struct {
	uint64_t at_ns;
	bool failed;
} kept[CALLS_MAX];
static unsigned kept_count;

/* Whether so many failed of the calls of the last length_ns. */
static bool is_ill(const struct kind *kind, uint64_t length_ns)
{
	unsigned calls = 0, failed = 0;

	for (unsigned i = kept_count; i-- > 0 && kept[i].at_ns + length_ns > shared->now_ns; calls++)
		failed += kept[i].failed;
	return calls >= MIN_CALLS && failed * 1000 >= calls * kind->permille;
}

/* Of how many of all windows that are possible that is so: these begin at any time, so with any call between. */
static void judge(const struct kind *kind, bool *some, bool *all)
{
	uint64_t shortest_ns = kind->window_ms * MS, longest_ns = shortest_ns * 9 / 8 + kind->tick_ns, age_ns = 0;
	unsigned calls = 0, failed = 0;

	*some = false;
	*all = true;
	for (unsigned i = kept_count; age_ns <= longest_ns; i--) {
		uint64_t next_age_ns = i ? shared->now_ns - kept[i - 1].at_ns : UINT64_MAX;
		bool ill = calls >= MIN_CALLS && failed * 1000 >= calls * kind->permille;

		/* The newest calls, without those before. */
		if (next_age_ns >= shortest_ns) {
			*some = *some || ill;
			*all = *all && ill;
		}
		if (i == 0)
			break;
		age_ns = next_age_ns;
		calls++;
		failed += kept[i - 1].failed;
	}
}

/* -- Runs ---------------------------------------------------------------------------------------------------------- */

static struct promcb_session *session;
static uint64_t seed;
static double late_ms[sizeof(kinds) / sizeof(kinds[0])][RUNS * 100];
static unsigned runs[sizeof(kinds) / sizeof(kinds[0])];

static double uniform(void)
{
	return (double)(stress_random(&seed) >> 11) / 9007199254740992.0;
}

/* How long until the next call of all processes. */
static uint64_t next_ns(const struct kind *kind)
{
	double mean_ns = 1e9 / (kind->rate * kind->processes), sum = 0;

	if (kind->even)
		return (uint64_t)mean_ns;
	/* Of a sum of uniform numbers, as random as it has to be, without a logarithm. */
	for (unsigned i = 0; i < 2; i++)
		sum += uniform();
	return 1 + (uint64_t)(mean_ns * sum * sum * 6 / 7);
}

/* All calls until it falls ill: more than the longest window has, and until any phase of a slot. */
static void be_well(const struct kind *kind, uint32_t run)
{
	uint64_t begin_ns = shared->now_ns, at_ns = begin_ns;
	uint64_t ill_ns = begin_ns + kind->window_ms * MS * 5 / 4 + (uint64_t)(uniform() * kind->window_ms * 1e6 / 4);

	memset(shared->well, 0, sizeof(shared->well));
	for (kept_count = 0; (at_ns += next_ns(kind)) < ill_ns; kept_count++) {
		unsigned process = (unsigned)(stress_random(&seed) % kind->processes);

		CHECK(kept_count < CALLS_MAX, "%s: too many calls", kind->name);
		shared->well_ns[process][shared->well[process]++] = at_ns;
		kept[kept_count].at_ns = at_ns;
		kept[kept_count].failed = false;
	}
	shared->run = run;
	for (unsigned process = 0; process < kind->processes; process++)
		tell(process);
	shared->now_ns = ill_ns;
}

/* Every process finds it open. */
static void check_refused(const struct kind *kind, uint32_t run)
{
	for (unsigned process = 0; process < kind->processes; process++)
		CHECK(!call(process, true), "%s, run %u: process %u was let through after it opened", kind->name, run,
		      process);
}

/* Where calls come at equal distances. */
static void check_bound(const struct kind *kind, uint32_t run, uint64_t late_ns)
{
	uint64_t eighth_ns = kind->window_ms * MS / 8, interval_ns = kind->window_ms * MS / 100;
	uint64_t gap_ns = 1000000000 / (kind->rate * kind->processes), bound_ns;

	interval_ns = interval_ns < 10 * MS ? interval_ns : 10 * MS;
	bound_ns = eighth_ns * kind->permille / kind->ill_permille + interval_ns + kind->tick_ns +
		   3 * gap_ns * 1000 / kind->ill_permille;
	CHECK(!kind->even || late_ns <= bound_ns, "%s, run %u: it opened %.1f ms after the exact moment, at most %.1f",
	      kind->name, run, (double)late_ns / 1e6, (double)bound_ns / 1e6);
}

static void one_run(size_t which, uint32_t run)
{
	const struct kind *kind = &kinds[which];
	uint64_t interval_ns = kind->window_ms * MS / 100, exact_ns = 0, next_look_ns = 0, calls = 0;
	struct promcb_component *component;
	bool some, all;

	shared->policy = (struct promcb_policy){
		.window_ms = kind->window_ms, .failure_permille = kind->permille, .min_calls = MIN_CALLS};
	shared->tick_ns = kind->tick_ns;
	interval_ns = interval_ns < 10 * MS ? interval_ns : 10 * MS;
	breaker_of(session, run, &component);
	be_well(kind, run);
	CHECK(promcb_state(component) == PROMCB_CLOSED, "%s, run %u: it opened while it was well", kind->name, run);
	for (bool looks, fails; promcb_state(component) == PROMCB_CLOSED; calls++) {
		shared->now_ns += next_ns(kind);
		fails = kind->even ? calls * kind->ill_permille % 1000 < kind->ill_permille
				   : uniform() * 1000 < kind->ill_permille;
		CHECK(kept_count < CALLS_MAX, "%s, run %u: it never opens", kind->name, run);
		CHECK(call((unsigned)(stress_random(&seed) % kind->processes), fails),
		      "%s, run %u: refused while closed", kind->name, run);
		kept[kept_count].at_ns = shared->now_ns;
		kept[kept_count++].failed = fails;
		if (!fails) {
			CHECK(promcb_state(component) == PROMCB_CLOSED, "%s, run %u: a success opened it", kind->name,
			      run);
			continue;
		}
		looks = shared_clock() >= next_look_ns;
		next_look_ns = looks ? shared_clock() + interval_ns : next_look_ns;
		judge(kind, &some, &all);
		exact_ns = !exact_ns && is_ill(kind, kind->window_ms * MS) ? shared->now_ns : exact_ns;
		if (promcb_state(component) == PROMCB_CLOSED) {
			CHECK(!looks || !all, "%s, run %u: missed by one who looked", kind->name, run);
			continue;
		}
		CHECK(some && looks && exact_ns, "%s, run %u: too early", kind->name, run);
	}
	check_refused(kind, run);
	check_bound(kind, run, shared->now_ns - exact_ns);
	late_ms[which][runs[which]++] = (double)(shared->now_ns - exact_ns) / 1e6;
	shared->now_ns += kind->window_ms * MS;
}

static int compare(const void *left, const void *right)
{
	double one = *(const double *)left, other = *(const double *)right;

	return (one > other) - (one < other);
}

int main(void)
{
	const size_t count = sizeof(kinds) / sizeof(kinds[0]);
	pid_t children[PROCESSES_MAX];
	uint64_t each = stress_scale(RUNS);
	uint32_t run = 0;

	if (stress_emulated()) {
		printf("an emulator takes too long to have processes call in turn\n");
		return 77;
	}
	seed = stress_seed();
	each = each < RUNS * 100 ? each : RUNS * 100;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	shared->now_ns = 1000000 * MS;
	shared->tick_ns = 1;
	promcb_guard_clock = shared_clock;
	stress_begin("detection");
	signal(SIGCHLD, child_ended);
	sem_init(&shared->done, 1, 0);
	for (unsigned i = 0; i < PROCESSES_MAX; i++) {
		sem_init(&shared->go[i], 1, 0);
		children[i] = fork();
		CHECK(children[i] >= 0, "fork");
		if (children[i] == 0)
			call_when_told(i);
	}
	session = stress_open(&(struct promcb_options){
		.components = 65536 < 5 * each ? 65536 : (uint32_t)(5 * each + 1), .max_bytes = (uint64_t)256 << 20});
	for (size_t which = 0; which < count; which++)
		for (uint64_t i = 0; i < each && run < 65000; i++)
			one_run(which, run++);
	shared->run = UINT32_MAX;
	for (unsigned i = 0; i < PROCESSES_MAX; i++) {
		sem_post(&shared->go[i]);
		CHECK(stress_wait(children[i]) == 0, "process %u", i);
	}
	for (size_t which = 0; which < count; which++) {
		double *late = late_ms[which];

		qsort(late, runs[which], sizeof(*late), compare);
		printf("%s: %u runs, none early, none missed; after the exact moment, ms: least %.1f, p50 %.1f, "
		       "p99 %.1f, most %.1f\n",
		       kinds[which].name, runs[which], late[0], late[runs[which] / 2], late[runs[which] * 99 / 100],
		       late[runs[which] - 1]);
	}
	stress_check_segment();
	promcb_close(session);
	stress_remove();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* breaker_model: random calls of several lanes, one after the other, against a model that keeps every call. */
#include "breaking.h"

#include <pthread.h>
#include <semaphore.h>

TestSuite(breaker_model, .init = fixture_begin, .fini = fixture_end, .timeout = 60);

enum { LANES = 4, TRACES = 60, STEPS = 400 };

/* Threads that make one call each when told to: each has a lane, and none runs beside another. */
struct maker {
	pthread_t thread;
	sem_t go, done;
	struct promcb_breaker *breaker;
	enum promcb_call_outcome outcome;
	uint64_t latency_ns;
	bool stop, allowed;
};

static void *make_calls(void *argument)
{
	struct maker *maker = argument;

	for (;;) {
		sem_wait(&maker->go);
		if (maker->stop)
			return NULL;
		maker->allowed = call_for(maker->breaker, maker->outcome, maker->latency_ns);
		sem_post(&maker->done);
	}
}

/* The model keeps every call that it let through. */
struct model {
	const struct promcb_policy *policy;
	struct {
		uint64_t at_ns;
		bool failed, slow;
	} kept[STEPS];
	unsigned count, state, good, bad, level, streak;
	uint64_t since_slot, until_ms, next_look_ns;
};

static uint64_t model_period(const struct model *m)
{
	uint64_t period = (uint64_t)m->policy->open_ms << m->level;

	return period < m->policy->open_max_ms ? period : m->policy->open_max_ms;
}

static void model_open(struct model *m, bool again)
{
	uint64_t ms = now_ns / MS;

	if (again)
		m->level++;
	else if (m->until_ms == 0 || ms - m->until_ms >= 2 * model_period(m))
		m->level = 0;
	m->until_ms = ms + model_period(m);
	m->state = PROMCB_OPEN;
}

/* Whether, of what it kept, the window says that it is time. */
static bool model_trips(const struct model *m, uint64_t slot_ns)
{
	uint64_t from = now_ns / slot_ns - 8, seen = 0, failed = 0, slow = 0;

	from = m->since_slot > from ? m->since_slot : from;
	for (unsigned i = 0; i < m->count; i++) {
		if (m->kept[i].at_ns / slot_ns < from)
			continue;
		seen++;
		failed += m->kept[i].failed;
		slow += m->kept[i].slow;
	}
	return seen >= m->policy->min_calls &&
	       (failed * 1000 >= seen * m->policy->failure_permille || slow * 1000 >= seen * m->policy->slow_permille);
}

/* Returns whether it lets the call through. */
static bool model_call(struct model *m, enum promcb_call_outcome outcome, uint64_t latency_ns)
{
	bool failed = outcome != PROMCB_SUCCESS && outcome != PROMCB_IGNORED;
	bool slow = outcome != PROMCB_IGNORED && latency_ns > m->policy->slow_ns;
	uint64_t slot_ns = m->policy->window_ms * MS / 8, interval_ns = m->policy->window_ms * MS / 100;

	interval_ns = interval_ns < 10 * MS ? interval_ns : 10 * MS;
	if (m->state == PROMCB_OPEN && now_ns / MS < m->until_ms)
		return false;
	if (m->state == PROMCB_OPEN) {
		m->state = PROMCB_HALF_OPEN;
		m->good = m->bad = 0;
	}
	if (outcome != PROMCB_IGNORED) {
		m->kept[m->count].at_ns = now_ns;
		m->kept[m->count].failed = failed;
		m->kept[m->count++].slow = slow;
	}
	if (m->state == PROMCB_HALF_OPEN && outcome != PROMCB_IGNORED) {
		m->good += !failed && !slow;
		m->bad += failed || slow;
		if (m->bad >= m->policy->failures) {
			model_open(m, true);
		} else if (m->good >= m->policy->successes) {
			m->state = PROMCB_CLOSED;
			m->since_slot = now_ns / slot_ns + 1;
			m->streak = 0;
		}
	} else if (m->state == PROMCB_CLOSED) {
		m->streak = failed ? m->streak + 1 : outcome == PROMCB_SUCCESS ? 0 : m->streak;
		if (failed && m->streak >= m->policy->consecutive) {
			model_open(m, false);
		} else if ((failed || slow) && now_ns >= m->next_look_ns) {
			m->next_look_ns = now_ns + interval_ns;
			if (model_trips(m, slot_ns))
				model_open(m, false);
		}
	}
	return true;
}

static uint64_t random_state = 42;

static unsigned random_below(unsigned limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % limit;
}

static void run_trace(struct maker *makers, const struct promcb_policy *policy, struct promcb_breaker *breaker,
		      int trace)
{
	struct model model = {.policy = policy};
	unsigned badness = 100, opened = 0;

	for (unsigned step = 0; step < STEPS; step++) {
		struct maker *maker = &makers[random_below(LANES)];
		bool allowed;

		/* The component is well, not so well, and ill, in turn. */
		if (step % 50 == 0)
			badness = random_below(3) * 400 + 50;
		now_ns += random_below(4) == 0 ? random_below(3000) * MS : random_below(40) * MS;
		maker->outcome =
			random_below(1000) < badness ? (enum promcb_call_outcome)(1 + random_below(8)) : PROMCB_SUCCESS;
		maker->latency_ns = random_below(20) ? 1000 : 2 * SECOND;
		maker->breaker = breaker;
		allowed = model_call(&model, maker->outcome, maker->latency_ns);
		sem_post(&maker->go);
		sem_wait(&maker->done);
		cr_assert_eq(maker->allowed, allowed, "trace %d, step %u: %s", trace, step,
			     allowed ? "refused" : "let through");
		cr_assert_eq((unsigned)promcb_state(component), model.state, "trace %d, step %u: %u, not %u", trace,
			     step, (unsigned)promcb_state(component), model.state);
		opened += model.state == PROMCB_OPEN;
	}
	cr_assert(opened, "trace %d never opened it", trace);
}

Test(breaker_model, random_calls)
{
	const struct promcb_policy policy = {
		.window_ms = 4000,
		.min_calls = 10,
		.failure_permille = 500,
		.slow_permille = 300,
		.slow_ns = SECOND,
		.consecutive = 8,
		.open_ms = 500,
		.open_max_ms = 4000,
		.jitter_percent = PROMCB_POLICY_OFF,
		.probes = 2,
		.successes = 3,
		.failures = 2,
	};
	struct maker makers[LANES];
	char name[16];

	make(&policy);
	for (int i = 0; i < LANES; i++) {
		makers[i] = (struct maker){.stop = false};
		sem_init(&makers[i].go, 0, 0);
		sem_init(&makers[i].done, 0, 0);
		pthread_create(&makers[i].thread, NULL, make_calls, &makers[i]);
	}
	for (int trace = 0; trace < TRACES; trace++) {
		struct promcb_breaker *breaker;

		snprintf(name, sizeof(name), "trace %d", trace);
		component = fixture_component(session, name);
		cr_assert_eq(promcb_breaker(component, &policy, &breaker), 0);
		run_trace(makers, &policy, breaker, trace);
	}
	for (int i = 0; i < LANES; i++) {
		makers[i].stop = true;
		sem_post(&makers[i].go);
		pthread_join(makers[i].thread, NULL);
	}
}

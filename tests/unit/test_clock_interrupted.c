/* SPDX-License-Identifier: MIT */
/* The clock room while others change its anchor: threads, signal handlers, and between any two instructions. */
#include "clock_inside.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

static uint64_t stop;
static uint64_t wrong;

/* An interval and a now, while others may change the anchor, between two readings of CLOCK_MONOTONIC. */
static void measure_once(void)
{
	uint64_t before = promcb_clock_monotonic_ns(), now_ns = 0;
	bool backward = false;
	uint64_t elapsed = promcb_clock_elapsed_ns(promcb_clock_token(), &now_ns, &backward);
	uint64_t after = promcb_clock_monotonic_ns();

	if (elapsed > after - before + SLACK_NS || now_ns + SLACK_NS < before || now_ns > after + SLACK_NS)
		promcb_add_relaxed(&wrong, 1);
}

/* Every other anchor lies a quarter of a second back: words of two of them would give a now that is off by as much. */
static void renew_once(void)
{
	uint64_t state = promcb_load_acquire(&timebase.state);
	struct moment now = moment_now();

	if (!(state & CLOCK_TSC) || !now.exact || !claim(state))
		return;
	if (state & CLOCK_COUNT) {
		now.ns -= 250000000;
		now.tsc -= ticks_of(250000000);
	}
	store_anchor(&now);
	settle(state, CLOCK_TSC);
}

static void *measure(void *unused)
{
	while (!promcb_load_relaxed(&stop))
		measure_once();
	return unused;
}

static void *renew(void *unused)
{
	while (!promcb_load_relaxed(&stop))
		renew_once();
	return unused;
}

/* Threads come while the room is fresh and see each phase; then the anchor is renewed as fast as two threads can. */
Test(clock, threads)
{
	pthread_t threads[5];

	for (int i = 0; i < 3; i++)
		cr_assert(pthread_create(&threads[i], NULL, measure, NULL) == 0);
	pass(2 * WARMING_NS);
	for (int i = 3; i < 5; i++)
		cr_assert(pthread_create(&threads[i], NULL, renew, NULL) == 0);
	pass(10 * WARMING_NS);
	promcb_store_relaxed(&stop, 1);
	for (int i = 0; i < 5; i++)
		cr_assert(pthread_join(threads[i], NULL) == 0);
	cr_assert(promcb_load_relaxed(&wrong) == 0);
	cr_assert(phase() != CLOCK_BUSY && phase() != CLOCK_FRESH);
	check_interval(1000000);
}

static uint64_t handled;

static void handler(int signal_number)
{
	(void)signal_number;
	measure_once();
	renew_once();
	promcb_add_relaxed(&handled, 1);
}

/* The handler meets its own thread in BUSY. */
Test(clock, signal_handlers)
{
	struct sigaction action = {.sa_handler = handler};
	struct itimerval interval = {.it_interval = {.tv_usec = 20}, .it_value = {.tv_usec = 20}};
	struct itimerval none = {.it_value = {.tv_usec = 0}};
	uint64_t end = promcb_clock_monotonic_ns() + 20 * WARMING_NS;

	cr_assert(sigaction(SIGALRM, &action, NULL) == 0);
	cr_assert(setitimer(ITIMER_REAL, &interval, NULL) == 0);
	for (int n = 0; promcb_clock_monotonic_ns() < end; n++) {
		uint64_t state = promcb_load_acquire(&timebase.state);

		/* Now and then an anchor so old that the call renews it. */
		if (n % 64 == 0 && (state & CLOCK_TSC) && claim(state)) {
			age_anchor(ticks_of(10000000000u), 10000000000u);
			settle(state, CLOCK_TSC);
		}
		measure_once();
	}
	cr_assert(setitimer(ITIMER_REAL, &none, NULL) == 0);
	cr_assert(promcb_load_relaxed(&handled) > 0);
	cr_assert(promcb_load_relaxed(&wrong) == 0, "%" PRIu64 " of %" PRIu64, wrong, handled);
	cr_assert(phase() != CLOCK_BUSY);
}

#if defined(__x86_64__)
#define TRAP_FLAG 0x100

static uint64_t stepping, steps, renew_at;

static void step_begin(int signal_number, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	(void)signal_number;
	(void)info;
	user->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void step(int signal_number, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	(void)signal_number;
	(void)info;
	if (!promcb_load_relaxed(&stepping))
		user->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	if (promcb_add_relaxed(&steps, 1) == promcb_load_relaxed(&renew_at))
		renew_once();
}

/* The anchor is renewed between any two instructions of one call: by the trap after each, in turn at each of them. */
Test(clock, renewed_between_any_two_instructions)
{
	struct sigaction begin = {.sa_sigaction = step_begin, .sa_flags = SA_SIGINFO};
	struct sigaction trap = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};
	uint64_t at = 0;

	need_tsc();
	cr_assert(sigaction(SIGUSR1, &begin, NULL) == 0);
	cr_assert(sigaction(SIGTRAP, &trap, NULL) == 0);
	do {
		uint64_t token = promcb_clock_token(), now_ns = 0;
		bool backward = false;

		promcb_store_relaxed(&renew_at, at);
		promcb_store_relaxed(&steps, 0);
		promcb_store_relaxed(&stepping, 1);
		uint64_t before = promcb_clock_monotonic_ns();

		raise(SIGUSR1);
		uint64_t elapsed = promcb_clock_elapsed_ns(token, &now_ns, &backward);

		promcb_store_relaxed(&stepping, 0);
		uint64_t after = promcb_clock_monotonic_ns();

		cr_assert(elapsed <= after - before + SLACK_NS && !backward, "after %" PRIu64 " instructions", at);
		cr_assert(now_ns + SLACK_NS >= before && now_ns <= after + SLACK_NS, "after %" PRIu64 " instructions",
			  at);
		at++;
	} while (at < promcb_load_relaxed(&steps));
	if (at == 1)
		cr_skip_test("no single steps here");
}
#endif

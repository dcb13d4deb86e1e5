/* SPDX-License-Identifier: MIT */
/*
 * test_clock.c: the clock room from within, so that what takes hours, a suspend or another machine can be set up here.
 *
 * Comparisons take CLOCK_MONOTONIC before and after, so that being scheduled away in between widens what is allowed.
 * Criterion runs each test in a process of its own: each begins with a fresh time base.
 */
#include "base/clock.c"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

/* Of what the TSC and CLOCK_MONOTONIC may differ by in a test: generous, still far below any mistake of scale. */
#define SLACK_NS 100000
#define SLACK_PARTS 200

static uint64_t phase(void)
{
	return promcb_load_acquire(&timebase.state) & CLOCK_PHASE;
}

static void pass(uint64_t ns)
{
	uint64_t end = promcb_clock_monotonic_ns() + ns;

	while (promcb_clock_monotonic_ns() < end)
		continue;
}

static bool tsc_expected(void)
{
	return tsc_usable(CLOCKSOURCE_PATH);
}

/* Brings the room to the TSC. Skips the test where the machine has none to use. */
static void need_tsc(void)
{
	uint64_t end = promcb_clock_monotonic_ns() + 5000000000u;

	if (!tsc_expected())
		cr_skip_test("the kernel does not keep time by the TSC");
	while (!(promcb_clock_token() & TSC_TOKEN) && promcb_clock_monotonic_ns() < end)
		continue;
	cr_assert(phase() == CLOCK_TSC);
}

/* Moves the anchor into the past by that much on each clock. */
static void age_anchor(uint64_t ticks, uint64_t ns)
{
	timebase.anchor_tsc -= ticks;
	timebase.anchor_ns -= ns;
}

static uint64_t ticks_of(uint64_t ns)
{
	return (uint64_t)((double)ns * RATE_ONE / (double)timebase.multiplier);
}

/* One interval of ns against CLOCK_MONOTONIC. */
static void check_interval(uint64_t ns)
{
	uint64_t before = promcb_clock_monotonic_ns();
	uint64_t token = promcb_clock_token();
	uint64_t begun = promcb_clock_monotonic_ns();
	uint64_t now_ns = 0;
	bool backward = false;

	pass(ns);
	uint64_t ending = promcb_clock_monotonic_ns();
	uint64_t elapsed = promcb_clock_elapsed_ns(token, &now_ns, &backward);
	uint64_t after = promcb_clock_monotonic_ns();
	uint64_t slack = SLACK_NS + (after - before) / SLACK_PARTS;

	cr_assert(!backward);
	cr_assert(elapsed + slack >= ending - begun, "%" PRIu64 " of %" PRIu64 " ns", elapsed, ending - begun);
	cr_assert(elapsed <= after - before + slack, "%" PRIu64 " of %" PRIu64 " ns", elapsed, after - before);
	cr_assert(now_ns + slack >= ending && now_ns <= after + slack, "now is %" PRIu64 ", not %" PRIu64, now_ns,
		  after);
}

Test(clock, reads_the_clocks)
{
	static const struct {
		uint64_t (*read)(void);
		clockid_t id;
	} clocks[] = {
		{promcb_clock_monotonic_ns, CLOCK_MONOTONIC},
		{promcb_clock_monotonic_coarse_ns, CLOCK_MONOTONIC_COARSE},
		{promcb_clock_realtime_ns, CLOCK_REALTIME},
		{promcb_clock_realtime_coarse_ns, CLOCK_REALTIME_COARSE},
	};

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		struct timespec now;

		clock_gettime(clocks[i].id, &now);
		uint64_t want = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
		uint64_t have = clocks[i].read();

		/* Whatever the scheduler does in between. */
		cr_assert(have >= want && have - want < 10000000000u, "clock %zu", i);
	}
}

Test(clock, first_tokens_are_monotonic)
{
	uint64_t before = promcb_clock_monotonic_ns();
	uint64_t token = promcb_clock_token();

	cr_assert(token >= before && token <= promcb_clock_monotonic_ns());
	cr_assert(phase() == (tsc_expected() ? CLOCK_WARMING : CLOCK_PLAIN));
	token = promcb_clock_token();
	if (promcb_clock_monotonic_ns() - before < WARMING_NS)
		cr_assert(!(token & TSC_TOKEN));
}

Test(clock, switches_to_the_tsc_only_where_the_kernel_uses_it)
{
	promcb_clock_token();
	pass(2 * WARMING_NS);
	/* The token that takes the rate is the last of the old kind; a bracket that was interrupted puts it off. */
	for (int i = 0; i < 1000; i++)
		promcb_clock_token();
	cr_assert(!!(promcb_clock_token() & TSC_TOKEN) == tsc_expected());
	if (tsc_expected())
		cr_assert(rate_sane((double)timebase.multiplier / RATE_ONE));
}

Test(clock, agrees_with_monotonic)
{
	/* Over the switch and beyond. */
	for (int i = 0; i < 12; i++)
		check_interval(2500000);
	for (int i = 0; i < 1000; i++)
		check_interval(1000);
	check_interval(20000000);
}

/* A token of either kind may be ended after the switch, or after the way back. */
Test(clock, tokens_outlive_a_change_of_clock)
{
	uint64_t before = promcb_clock_monotonic_ns();
	uint64_t monotonic = promcb_clock_token();
	uint64_t now_ns;
	bool backward = false;

	need_tsc();
	uint64_t elapsed = promcb_clock_elapsed_ns(monotonic, &now_ns, &backward);
	uint64_t after = promcb_clock_monotonic_ns();

	cr_assert(elapsed <= after - before && elapsed + before >= monotonic);

	static const uint64_t phases[] = {CLOCK_BUSY, CLOCK_WARMING, CLOCK_PLAIN};

	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		uint64_t token = promcb_clock_token();

		cr_assert(token & TSC_TOKEN);
		timebase.state = (timebase.state & ~(uint64_t)CLOCK_PHASE) | phases[i];
		before = promcb_clock_monotonic_ns();
		pass(1000000);
		elapsed = promcb_clock_elapsed_ns(token, &now_ns, &backward);
		after = promcb_clock_monotonic_ns();
		cr_assert(phase() == phases[i]);
		cr_assert(elapsed >= 900000 && now_ns > before && now_ns <= after);
		timebase.state = (timebase.state & ~(uint64_t)CLOCK_PHASE) | CLOCK_TSC;
	}
	cr_assert(!backward);
}

Test(clock, backward_monotonic_token_gives_0)
{
	uint64_t before = promcb_clock_monotonic_ns(), now_ns = 0;
	bool backward = false;

	cr_assert(promcb_clock_elapsed_ns(before + 3600000000000u, &now_ns, &backward) == 0);
	cr_assert(backward);
	cr_assert(now_ns >= before && now_ns <= promcb_clock_monotonic_ns());
	/* Who counts sets it back. */
	promcb_clock_elapsed_ns(before, &now_ns, &backward);
	cr_assert(backward);
}

Test(clock, backward_tsc_token_gives_0)
{
	uint64_t now_ns = 0;
	bool backward = false;

	need_tsc();
	/* As little as CPUs may differ by, and as much as a reset counter does. */
	static const uint64_t ahead[] = {(uint64_t)1 << 30, (uint64_t)1 << 40, (uint64_t)1 << 60};

	for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
		backward = false;
		uint64_t before = promcb_clock_monotonic_ns();
		uint64_t elapsed = promcb_clock_elapsed_ns((read_tsc() + ahead[i]) | TSC_TOKEN, &now_ns, &backward);

		cr_assert(elapsed == 0);
		cr_assert(backward);
		cr_assert(now_ns + SLACK_NS >= before && now_ns <= promcb_clock_monotonic_ns() + SLACK_NS);
	}
	cr_assert(phase() == CLOCK_TSC);
}

/* Such a token comes from another process; the TSC might not be there to read. */
Test(clock, tsc_token_without_a_tsc_gives_0)
{
	uint64_t now_ns = 0;
	bool backward = false;

	timebase.state = CLOCK_PLAIN;
	cr_assert(promcb_clock_elapsed_ns(TSC_TOKEN | 5, &now_ns, &backward) == 0);
	cr_assert(backward);
	cr_assert(now_ns != 0 && now_ns <= promcb_clock_monotonic_ns());
}

Test(clock, plain_stays_plain)
{
	timebase.state = CLOCK_PLAIN;
	for (int i = 0; i < 5; i++)
		check_interval(4000000);
	cr_assert(timebase.state == CLOCK_PLAIN);
}

Test(clock, long_calls)
{
	uint64_t now_ns;
	bool backward = false;

	need_tsc();
	/* 2 s, which the fast path leaves aside; 20 minutes, more than any latency counts as; and a fortnight. */
	static const uint64_t seconds[] = {2, 1200, 1209600};

	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		double want = (double)seconds[i] * 1e9;
		uint64_t ticks = ticks_of(seconds[i] * 1000000000u);

		/* As if the machine had been up for long enough. */
		if (read_tsc() < ticks)
			continue;
		double have = (double)promcb_clock_elapsed_ns((read_tsc() - ticks) | TSC_TOKEN, &now_ns, &backward);

		cr_assert(have > want * 0.999 && have < want * 1.001 + 1e9, "%g of %g ns", have, want);
	}
	cr_assert(promcb_clock_elapsed_ns(TSC_TOKEN, &now_ns, &backward) <= (uint64_t)1 << 62);
	cr_assert(!backward);
}

Test(clock, old_anchor_is_renewed)
{
	need_tsc();
	/* Ten minutes ago, with the clocks 100 ppm apart, as NTP slews. */
	uint64_t ns = 600000000000u;
	uint64_t state = timebase.state;
	double before = (double)timebase.multiplier;

	age_anchor(ticks_of(ns + ns / 10000), ns);
	uint64_t anchor_ns = timebase.anchor_ns;

	/* A bracket that was interrupted leaves it for the next. */
	for (int i = 0; i < 100 && timebase.state == state; i++)
		check_interval(1000);
	cr_assert(phase() == CLOCK_TSC && timebase.state != state);
	cr_assert(timebase.anchor_ns - anchor_ns >= ns);
	/* The rate is what the clocks made of those ten minutes. */
	double change = ((double)timebase.multiplier / before - 1) * 1e6;

	cr_assert(change < -90 && change > -110, "%g ppm", change);
}

/* The TSC ran on or was set back while CLOCK_MONOTONIC stood still, or the other way round: the old anchor is void. */
Test(clock, clocks_apart_are_measured_again)
{
	need_tsc();
	double before = (double)timebase.multiplier;
	static const struct {
		int64_t tsc_seconds;
		int64_t monotonic_seconds;
	} jumps[] = {{3600, 0}, {3600, 5}, {5, 3600}, {-3600, 5}, {-3600, 0}};

	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		uint64_t token = promcb_clock_token(), now_ns;
		bool backward = false;
		int64_t ticks = (int64_t)ticks_of(1000000000u) * jumps[i].tsc_seconds;

		age_anchor((uint64_t)ticks, (uint64_t)jumps[i].monotonic_seconds * 1000000000u);
		uint64_t begun = promcb_clock_monotonic_ns();

		for (int tries = 0; tries < 100 && phase() == CLOCK_TSC; tries++)
			promcb_clock_elapsed_ns(token, &now_ns, &backward);
		cr_assert(phase() == CLOCK_WARMING, "jump %zu", i);
		/* Even the call that finds out gets a right now. */
		cr_assert(now_ns >= begun && now_ns <= promcb_clock_monotonic_ns(), "jump %zu", i);
		cr_assert(!backward);
		for (int n = 0; n < 8; n++)
			check_interval(2000000);
		need_tsc();
		cr_assert((double)timebase.multiplier > before * 0.99 && (double)timebase.multiplier < before * 1.01);
	}
}

Test(clock, clocks_apart_without_the_kernels_trust_end_the_tsc)
{
	need_tsc();
	struct moment now = moment_now();

	while (!now.exact)
		now = moment_now();
	age_anchor(ticks_of(3600000000000u), 0);
	anchor_again(timebase.state, &now, "/nonexistent");
	cr_assert(phase() == CLOCK_PLAIN);
	check_interval(1000000);
	cr_assert(!(promcb_clock_token() & TSC_TOKEN));
}

/* A first interval that is too long may hide a suspend. */
Test(clock, stale_first_moment_is_taken_anew)
{
	if (!tsc_expected())
		cr_skip_test("the kernel does not keep time by the TSC");
	promcb_clock_token();
	uint64_t state = timebase.state;

	/* The rate would be 2 ns a tick and more: sane, and wrong. */
	age_anchor(5000000000u, 10000000000u);
	for (int i = 0; i < 100 && timebase.state == state; i++)
		promcb_clock_token();
	cr_assert(phase() == CLOCK_WARMING && timebase.state != state);
	cr_assert(timebase.multiplier == 0);
	cr_assert(promcb_clock_monotonic_ns() - timebase.anchor_ns < 5000000000u);
	need_tsc();
	check_interval(1000000);
}

Test(clock, absurd_rate_ends_the_tsc)
{
	static const struct {
		uint64_t ticks;
		uint64_t ns;
	} bases[] = {
		{0, 500000000}, /* it stands still */
		{10000000, 500000000}, /* 50 ns a tick */
		{1000000000000, 500000000}, /* 0.0005 ns a tick */
		{(uint64_t)-1000000000, 500000000}, /* it runs backwards */
	};

	if (!tsc_expected())
		cr_skip_test("the kernel does not keep time by the TSC");
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		struct moment now = moment_now();

		timebase.anchor_tsc = now.tsc - bases[i].ticks;
		timebase.anchor_ns = now.ns - bases[i].ns;
		timebase.state = CLOCK_WARMING;
		for (int tries = 0; tries < 100 && phase() == CLOCK_WARMING; tries++)
			promcb_clock_token();
		cr_assert(phase() == CLOCK_PLAIN, "base %zu", i);
		cr_assert(timebase.multiplier == 0);
	}
}

/* Whoever holds BUSY may never come back: a signal handler that interrupted it, or a child of fork, does without. */
Test(clock, nobody_waits_for_busy)
{
	timebase.state = CLOCK_BUSY;
	for (int i = 0; i < 5; i++)
		check_interval(4000000);
	cr_assert(timebase.state == CLOCK_BUSY);
}

Test(clock, only_one_claims)
{
	cr_assert(claim(CLOCK_FRESH));
	cr_assert(!claim(CLOCK_FRESH));
	settle(CLOCK_FRESH, CLOCK_WARMING);
	cr_assert(phase() == CLOCK_WARMING);
	/* No state comes back, so a late claim of an old one fails. */
	uint64_t first = timebase.state;

	cr_assert(claim(first));
	settle(first, CLOCK_WARMING);
	cr_assert(timebase.state != first);
	cr_assert(!claim(first));
}

Test(clock, errno_stays)
{
	errno = ENOTTY;
	start(CLOCK_FRESH, "/nonexistent");
	cr_assert(errno == ENOTTY);
	cr_assert(phase() == CLOCK_PLAIN);
}

#if defined(__x86_64__)
Test(clock, clocksource_must_read_tsc)
{
	static const struct {
		const char *text;
		bool usable;
	} sources[] = {
		{"tsc\n", true},       {"tsc-early\n", false},
		{"hpet\n", false},     {"kvm-clock\n", false},
		{"acpi_pm\n", false},  {"tsc", false},
		{"", false},           {"\n", false},
		{"tsc\ntsc\n", false}, {"a name that is longer than any clocksource's\n", false},
	};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		char path[64];
		size_t length = strlen(sources[i].text);
		int fd = memfd_create("clocksource", MFD_CLOEXEC);

		cr_assert(fd >= 0);
		cr_assert(write(fd, sources[i].text, length) == (ssize_t)length);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		cr_assert(tsc_usable(path) == sources[i].usable, "source %zu", i);
		close(fd);
	}
	cr_assert(!tsc_usable("/nonexistent"));
	cr_assert(!tsc_usable("/"));
}
#endif

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

/* SPDX-License-Identifier: MIT */
/* What the clock room says of intervals and of now, alone; and when it changes its clock. */
#include "clock_inside.h"

#include <stdio.h>
#include <sys/mman.h>

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

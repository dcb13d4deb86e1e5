/* SPDX-License-Identifier: MIT */
/*
 * torture_breaker: processes that call through one breaker, and are killed wherever they are, while the component fails
 * and heals.
 *   - Never more calls under way than there are permits while it is half-open: no permit is in two living hands, of a
 *     hundred thousand; with PROMCB_STRESS_SCALE=15, of two millions and 3,000 deaths. How soon those of the dead are
 *     in use again is told, and not judged.
 *   - Never stuck: when the component is well and the killing ends, a call gets through, and it closes.
 *   - What was let through was recorded, but for the calls that the killed were in.
 */
#include "stress.h"

#include <promcb/breaker_inline.h>

enum { PROCESSES = 4, KILLS = 200, PROBES = 2, LIVES_MAX = 1 << 16, LEASE_MS = 30000, HANG_MS = 120000 };
enum { WELL, ILL, NEUTRAL };    /* what ends is ignored: it stays half-open */

/* What all processes know, beside the segment. */
static struct shared {
	uint64_t health;
	uint64_t holders[8];            /* by permit: which life holds it; 0: none */
	uint64_t killed[LIVES_MAX];     /* by life: when it may be killed from; 0: not yet */
	uint64_t inherited_ns[LIVES_MAX]; /* how long after that somebody had the permit of each */
	uint64_t inherited, not_yet;
	uint64_t neutral_ns;            /* since when it is so */
	uint64_t ended[LIVES_MAX];      /* how many calls each has ended */
	uint64_t probes, overlaps, stop;
} * shared;

static struct promcb_session *session;
static struct promcb_component *component;
static struct promcb_breaker *breaker;

/* The number + 1 of the permit that the call holds; 0: none. */
static uint32_t permit_of(const struct promcb_token *token)
{
	return token->row & 1 ? token->row >> 1 & 0xf : 0;
}

static void note(uint64_t ns)
{
	uint64_t at = promcb_add_relaxed(&shared->inherited, 1);

	if (at < LIVES_MAX)
		shared->inherited_ns[at] = ns;
}

static void hold(uint32_t permit, uint64_t life)
{
	uint64_t *holder = &shared->holders[permit - 1];
	uint64_t before = promcb_load_acquire(holder);

	/* Whoever is there died with it, or holds it still. */
	if (before) {
		uint64_t killed_ns = promcb_load_acquire(&shared->killed[before]);

		if (killed_ns && killed_ns >= promcb_load_relaxed(&shared->neutral_ns))
			note(stress_now_ns() - killed_ns);
		else if (!killed_ns)
			promcb_add_relaxed(&shared->overlaps, 1);
	}
	promcb_store_release(holder, life);
	promcb_add_relaxed(&shared->probes, 1);
}

/* A life: until it is killed, or all are told to stop. */
static void live(uint64_t life)
{
	uint64_t state = life * 7919 + 1;

	while (!promcb_load_relaxed(&shared->stop)) {
		struct promcb_token token;
		uint64_t health;
		uint32_t permit;

		if (!promcb_begin(breaker, &token)) {
			nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
			continue;
		}
		permit = permit_of(&token);
		if (permit) {
			hold(permit, life);
			for (uint64_t spin = stress_random(&state) % 20000; spin; spin--)
				promcb_signal_fence();
			promcb_store_release(&shared->holders[permit - 1], 0);
		}
		health = promcb_load_relaxed(&shared->health);
		if (health == NEUTRAL && permit) {
			promcb_end(breaker, &token, PROMCB_IGNORED);
			continue;
		}
		promcb_end(breaker, &token, health == ILL ? PROMCB_TIMEOUT : PROMCB_SUCCESS);
		promcb_add_relaxed(&shared->ended[life], 1);
	}
	_exit(0);
}

/* Until there were so many probes, or it is closed; for at most so many milliseconds. */
static void wait_for(uint64_t probes, bool closed, uint64_t ms)
{
	struct timespec now;
	uint64_t end_ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + ms;
	while ((closed ? promcb_state(component) != PROMCB_CLOSED : promcb_load_relaxed(&shared->probes) < probes) &&
	       (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 < end_ms) {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
}

static int compare(const void *left, const void *right)
{
	uint64_t one = *(const uint64_t *)left, other = *(const uint64_t *)right;

	return (one > other) - (one < other);
}

static void tell_inherited(void)
{
	uint64_t count = shared->inherited < LIVES_MAX ? shared->inherited : LIVES_MAX, *ns = shared->inherited_ns;

	if (count == 0)
		return;
	qsort(ns, count, sizeof(*ns), compare);
	printf("%llu died with a permit while it stayed half-open, which was in use again after, ms: p50 %.1f, "
	       "p99 %.1f, most %.1f; %llu were not when that ended\n",
	       (unsigned long long)count, (double)ns[count / 2] / 1e6, (double)ns[count * 99 / 100] / 1e6,
	       (double)ns[count - 1] / 1e6, (unsigned long long)shared->not_yet);
}

static pid_t begin(uint64_t life)
{
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0)
		live(life);
	return child;
}

static void set_health(uint64_t health)
{
	if (health == NEUTRAL && shared->health != NEUTRAL)
		promcb_store_relaxed(&shared->neutral_ns, stress_now_ns());
	for (unsigned i = 0; health != NEUTRAL && shared->health == NEUTRAL && i < PROBES; i++) {
		uint64_t holder = promcb_load_relaxed(&shared->holders[i]);

		shared->not_yet += holder && promcb_load_relaxed(&shared->killed[holder]);
	}
	if (health != NEUTRAL)
		promcb_store_relaxed(&shared->neutral_ns, UINT64_MAX);
	promcb_store_relaxed(&shared->health, health);
}

/* Until it has opened: a deadline is there so that a hang is a failure. */
static void wait_for_change(void)
{
	uint64_t end_ns = stress_now_ns() + HANG_MS * (uint64_t)1000000;

	while (promcb_state(component) == PROMCB_CLOSED) {
		CHECK(stress_now_ns() < end_ns, "calls fail, and it does not open");
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

/* Any, or, half of the time, one that holds a permit. */
static unsigned choose_victim(const uint64_t lives[PROCESSES], uint64_t *seed)
{
	uint64_t random = stress_random(seed);
	uint64_t holder = random & 1 ? promcb_load_relaxed(&shared->holders[random >> 1 & 1]) : 0;

	for (unsigned i = 0; i < PROCESSES && holder; i++)
		if (lives[i] == holder)
			return i;
	return (random >> 2) % PROCESSES;
}

static void kill_and_replace(uint64_t *seed)
{
	pid_t children[PROCESSES];
	uint64_t lives[PROCESSES], life = 1, rounds = stress_scale(KILLS);

	rounds = rounds < LIVES_MAX - 2 * PROCESSES ? rounds : LIVES_MAX - 2 * PROCESSES;
	for (int i = 0; i < PROCESSES; i++, life++)
		children[i] = begin(lives[i] = life);
	for (uint64_t round = 0; round < rounds; round++) {
		uint64_t probes = promcb_load_relaxed(&shared->probes);
		unsigned victim;

		/* Ill for two rounds, then half-open for twelve, then well. */
		set_health(round % 16 < 2 ? ILL : round % 16 < 14 ? NEUTRAL : WELL);
		/* While it is half-open, not before there were others. It is, since it has opened before. */
		if (round % 16 == 0)
			wait_for_change();
		wait_for(probes + 80, false, round % 16 >= 2 && round % 16 < 14 ? HANG_MS : 20);
		victim = choose_victim(lives, seed);
		promcb_store_release(&shared->killed[lives[victim]], stress_now_ns());
		kill(children[victim], SIGKILL);
		CHECK(waitpid(children[victim], NULL, 0) == children[victim], "waitpid");
		children[victim] = begin(lives[victim] = life++);
	}
	set_health(WELL);
	/* A deadline is there so that a hang is a failure. */
	wait_for(0, true, HANG_MS);
	CHECK(promcb_state(component) == PROMCB_CLOSED, "stuck: it is %s", promcb_state_name(promcb_state(component)));
	promcb_store_relaxed(&shared->stop, 1);
	for (int i = 0; i < PROCESSES; i++)
		CHECK(waitpid(children[i], NULL, 0) == children[i], "waitpid");
	printf("%llu killed, %llu probes\n", (unsigned long long)rounds, (unsigned long long)shared->probes);
	tell_inherited();
}

/* What an export says of the component's breaker. */
static uint64_t exported(const char *family)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_MAPPED);
	uint64_t number = 0;

	for (size_t i = 0; i < promcb_snapshot_families(snapshot); i++) {
		struct promcb_family_summary summary;
		struct promcb_series_summary series;

		promcb_snapshot_family(snapshot, i, &summary);
		if (strcmp(summary.name, family) == 0 && promcb_snapshot_series(snapshot, i, 0, &series) == 0)
			number = (uint64_t)series.number;
	}
	promcb_snapshot_free(snapshot);
	return number;
}

int main(void)
{
	const struct promcb_policy policy = {.window_ms = 200,
					     .min_calls = 10,
					     .open_ms = 10,
					     .open_max_ms = 40,
					     .probes = PROBES,
					     .successes = 16,
					     .lease_ms = LEASE_MS};
	uint64_t seed = stress_seed(), ended = 0, begun, recorded, kills = stress_scale(KILLS);
	const struct promcb_snapshot_component *found;
	struct promcb_snapshot *snapshot;

	if (stress_emulated()) {
		printf("an emulator does not wipe a child's memory\n");
		return 77;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	stress_begin("breaker");
	session = stress_open(NULL);
	component = stress_component(session, "db");
	CHECK(promcb_breaker(component, &policy, &breaker) == 0, "breaker");
	kill_and_replace(&seed);
	CHECK(shared->overlaps == 0, "%llu times a permit was in two hands", (unsigned long long)shared->overlaps);
	CHECK(shared->probes > 0, "there was no probe");
	for (size_t life = 0; life < LIVES_MAX; life++)
		ended += shared->ended[life];
	snapshot = stress_snapshot(PROMCB_ACCESS_MAPPED);
	found = stress_find(snapshot, "db");
	CHECK(found, "db is not listed");
	recorded = found->counts.calls[0] + found->counts.calls[1];
	promcb_snapshot_free(snapshot);
	begun = exported("circuit_breaker_permitted_calls_total") - exported("circuit_breaker_ignored_calls_total");
	CHECK(recorded >= ended && recorded <= ended + kills, "%llu recorded, %llu ended", (unsigned long long)recorded,
	      (unsigned long long)ended);
	CHECK(begun >= recorded && begun <= recorded + kills, "%llu begun, %llu recorded", (unsigned long long)begun,
	      (unsigned long long)recorded);
	CHECK(exported("circuit_breaker_died_calls_total") <= kills, "more died than were killed");
	stress_check_segment();
	promcb_close(session);
	stress_remove();
	return 0;
}

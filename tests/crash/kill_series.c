/* SPDX-License-Identifier: MIT */
/*
 * kill_series: a process dies by SIGKILL, or is stopped, at each named point of what registers families and series; and
 * many race for the same keys while they are killed at any time.
 *
 * Invariants: those of ../stress/audit.h, after each death and after another process had the dead one's lane; and
 *   - That process registers all that the dead one would have.
 *   - A reader's check finds the same: nothing.
 *   - A death costs a place of a cap at the two points where it says so, and nowhere else.
 */
#include "../stress/audit.h"
#include "points.h"

#include "record/family.h"
#include "record/open.h"

enum { SERIES = 90, CAP = 40, RACERS = 4, KEYS = 400 };

static struct shared {
	uint64_t registered;
} * shared;

static const struct promcb_family_spec specs[] = {
	{.name = "hits_total", .type = PROMCB_COUNTER, .labels = (const char *const[]){"who", NULL}},
	{.name = "capped_total",
	 .type = PROMCB_COUNTER,
	 .labels = (const char *const[]){"who", NULL},
	 .series_max = CAP},
	{.name = "wait_seconds",
	 .unit = "seconds",
	 .type = PROMCB_HISTOGRAM,
	 .decimals = 9,
	 .labels = (const char *const[]){"who", NULL}},
	{.name = "kinds_total",
	 .type = PROMCB_COUNTER,
	 .labels = (const char *const[]){"who", NULL},
	 .enumerated_label = "kind",
	 .enumerated = (const char *const[]){"a", "b", "c", NULL}},
};

enum { FAMILIES = sizeof(specs) / sizeof(specs[0]), CAPPED = 1, WIDE = 2 };

static void add(struct promcb_session *p, struct promcb_lane_lease *lease, bool registrar, uint32_t family,
		uint32_t kind, uint64_t key)
{
	struct promcb_series_found found;
	char value[200];
	const char *values[] = {value};
	size_t length;
	int result;

	/* One to four lines. */
	length = (size_t)snprintf(value, sizeof(value), "%llu%*s", (unsigned long long)key, (int)(key % 5 * 30), "");
	result = promcb_series_find_or_add(p->segment, registrar ? NULL : lease, family, values, &length, 1, &found);
	/* Another has the registrar's lane. */
	if (result == -EBUSY)
		result = promcb_series_find_or_add(p->segment, lease, family, values, &length, 1, &found);
	CHECK(found.place, "family %u, key %s: %d", kind, value, result);
	CHECK(result == 0 || (kind == CAPPED && result == -ENOSPC && found.is_overflow), "family %u, key %s: %d", kind,
	      value, result);
}

static uint32_t add_family(struct promcb_session *p, struct promcb_lane_lease *lease, bool registrar, uint32_t kind)
{
	static union promcb_family_image image;
	struct promcb_message message = {.text = ""};
	uint32_t place;
	int result = promcb_family_make(&specs[kind], &image, &message);

	CHECK(result == 0, "%s", message.text);
	result = promcb_family_find_or_add(p->segment, registrar ? NULL : lease, &image, &place, &message);
	if (result == -EBUSY)
		result = promcb_family_find_or_add(p->segment, lease, &image, &place, &message);
	CHECK(result == 0, "family %u: %d %s", kind, result, message.text);
	return place;
}

static const struct promcb_options options = {.lanes = RACERS, .components = 4, .max_bytes = 8 << 20};

static struct promcb_session *open_segment(struct promcb_lane_lease *lease)
{
	struct promcb_session *p = stress_open(&options);

	CHECK(promcb_lane_take(p->segment, lease) == 0, "no lane");
	return p;
}

/* Half of it in a lane, half by the registrar's. */
static void produce(void)
{
	struct promcb_lane_lease lease;
	struct promcb_session *p = open_segment(&lease);

	for (uint32_t kind = 0; kind < FAMILIES; kind++) {
		uint32_t family = add_family(p, &lease, kind % 2, kind);

		for (uint64_t key = 0; key < (kind == WIDE ? 10 : SERIES); key++)
			add(p, &lease, key % 4 == 3, family, kind, key);
	}
	promcb_lane_give(&lease);
}

static bool costs_a_place(const char *point)
{
	return strcmp(point, "series: place taken") == 0 || strcmp(point, "part: place untold") == 0;
}

static bool try_point(const char *point, uint64_t passage, int signal_number)
{
	/* All families' "_overflow", and what the others have. */
	const uint32_t all = FAMILIES + SERIES + CAP + 10 + SERIES;
	uint64_t cost = costs_a_place(point) && signal_number == SIGKILL;
	struct audit audit;
	int status;
	pid_t victim;

	promcb_remove(stress_segment, true, NULL);
	victim = points_start(produce, point, passage, signal_number);
	CHECK(waitpid(victim, &status, WUNTRACED) == victim, "wait");
	if (WIFEXITED(status)) {
		CHECK(WEXITSTATUS(status) == 0, "\"%s\": the victim failed with %d", point, WEXITSTATUS(status));
		return false;
	}
	audit = audit_apart(&options, false);
	CHECK(audit.lost_places <= 1, "%llu places", (unsigned long long)audit.lost_places);
	CHECK(stress_wait(points_start(produce, NULL, 0, 0)) == 0, "\"%s\": the next process failed", point);
	audit = audit_apart(&options, signal_number == SIGKILL);
	if (signal_number == SIGKILL) {
		CHECK(audit.lost_places <= cost, "\"%s\" costs %llu places", point,
		      (unsigned long long)audit.lost_places);
		/* A place that is lost is one series less where the cap is reached. */
		CHECK(audit.series == all || (cost && audit.series == all - 1), "\"%s\" passage %llu: %u of %u", point,
		      (unsigned long long)passage, audit.series, all);
	} else {
		kill(victim, SIGCONT);
		CHECK(stress_wait(victim) == 0, "\"%s\": the stopped process failed", point);
		audit = audit_apart(&options, true);
		CHECK(audit.series >= all - 1 && audit.series <= all && audit.lost_places == 0,
		      "\"%s\" passage %llu: %u of %u", point, (unsigned long long)passage, audit.series, all);
	}
	return true;
}

/* -- Races --------------------------------------------------------------------------------------------------------- */

/* Registers keys in an order of its own until it is killed, or has them all. */
static void race(uint64_t seed)
{
	struct promcb_lane_lease lease;
	struct promcb_session *p = open_segment(&lease);
	uint32_t family[FAMILIES];
	uint64_t random = seed | 1;

	for (uint32_t kind = 0; kind < FAMILIES; kind++)
		family[kind] = add_family(p, &lease, false, kind);
	for (uint64_t i = 0, first = stress_random(&random); i < KEYS; i++) {
		uint64_t key = (first + i * 7) % KEYS;
		uint32_t kind = (uint32_t)(key % FAMILIES);

		add(p, &lease, key % 16 == 5, family[kind], kind, key);
		promcb_add_relaxed(&shared->registered, 1);
	}
	promcb_lane_give(&lease);
}

static pid_t start_racer(uint64_t seed)
{
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (child == 0) {
		alarm(PATIENCE_SECONDS);
		race(seed);
		_exit(0);
	}
	return child;
}

/* Returns how many were killed. */
static uint64_t race_once(uint64_t *random, bool killing)
{
	const uint32_t each = KEYS / FAMILIES;
	struct audit audit;
	uint64_t killed = 0;
	pid_t racers[RACERS];

	promcb_remove(stress_segment, true, NULL);
	shared->registered = 0;
	for (unsigned round = 0; round < (killing ? 6 : 1); round++) {
		uint64_t goal = shared->registered + stress_random(random) % (2 * KEYS);

		for (unsigned i = 0; i < RACERS; i++)
			racers[i] = start_racer(stress_random(random));
		/* Each dies wherever it is when so many were registered; or has ended. */
		for (unsigned i = 0; killing && i < RACERS; i++) {
			while (promcb_load_relaxed(&shared->registered) < goal &&
			       waitpid(racers[i], NULL, WNOHANG | WNOWAIT) == 0)
				sched_yield();
			kill(racers[i], SIGKILL);
			goal += stress_random(random) % KEYS;
		}
		for (unsigned i = 0; i < RACERS; i++) {
			int status;

			CHECK(waitpid(racers[i], &status, 0) == racers[i], "wait");
			CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL && killing : WEXITSTATUS(status) == 0,
			      "a racer ended with %#x", (unsigned)status);
			killed += WIFSIGNALED(status);
		}
		audit_apart(&options, false);
		audit_apart(&options, true);
	}
	for (unsigned i = 0; i < RACERS; i++)
		racers[i] = start_racer(stress_random(random));
	for (unsigned i = 0; i < RACERS; i++)
		CHECK(stress_wait(racers[i]) == 0, "a racer failed");
	audit = audit_apart(&options, true);
	CHECK(audit.lost_places <= killed, "%llu places were lost by %llu deaths",
	      (unsigned long long)audit.lost_places, (unsigned long long)killed);
	CHECK(audit.series + audit.lost_places >= FAMILIES + 3 * each + CAP &&
		      audit.series <= FAMILIES + 3 * each + CAP,
	      "%u series, and %llu lost places", audit.series, (unsigned long long)audit.lost_places);
	return killed;
}

int main(void)
{
	uint64_t random = stress_seed() | 1, killed = 0, races = stress_scale(60);
	unsigned tried;

	stress_begin("kill-series");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	points_collect(produce);
	CHECK(points->count > 15, "only %llu points were passed", (unsigned long long)points->count);
	tried = points_try(try_point);
	for (uint64_t i = 0; i < races; i++)
		killed += race_once(&random, i % 4 != 0);
	printf("%llu points, %u deaths and stops, %llu races with %llu deaths: no key twice, no shared cell, no leak\n",
	       (unsigned long long)points->count, tried, (unsigned long long)races, (unsigned long long)killed);
	stress_remove();
	return 0;
}

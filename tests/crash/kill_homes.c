/* SPDX-License-Identifier: MIT */
/*
 * kill_homes: a process dies by SIGKILL, or is stopped, at each named point that it passes while it takes over the lane
 * that a dead one's gauges stand in, sets its own there, and leaves the segment.
 *
 * Invariants, at each point
 *   - No reader finds a value of the one that is long dead, whatever of its lane has changed hands.
 *   - Of who is stopped a reader finds what it has set, perhaps what it is about to set, and nothing once it leaves; of
 *     who is killed nothing, at once.
 *   - The next process has the lane and sets its own; the audit of ../stress/audit.h, and a reader's check.
 */
#include "../stress/audit.h"
#include "../stress/series.h"
#include "points.h"

enum { GAUGES = 3, OWN = 2 };

/* Of the victim: how many gauges it has surely set, may have set, and whether it leaves. */
static struct shared {
	uint64_t surely, perhaps, leaves, has_set;
} * shared;

static const char *const names[GAUGES] = {"a", "b", "c"};
static const struct promcb_options options = {.lanes = 2, .components = 4, .max_bytes = 8 << 20};

/* Sets the first of the gauges, each to begin and its number. */
static struct promcb_session *set_gauges(unsigned count, double begin)
{
	struct promcb_session *p = stress_open(&options);
	struct promcb_metric_family *heat = series_family(
		p, (struct promcb_family_spec){.name = "heat", .type = PROMCB_GAUGE, .labels = VALUES("where")});

	for (unsigned i = 0; i < count; i++) {
		promcb_store_release(&shared->perhaps, i + 1);
		/* The second time by what the first has found. */
		CHECK(promcb_gauge_set_with(heat, VALUES(names[i]), begin + i) == 0 &&
			      promcb_gauge_set_with(heat, VALUES(names[i]), begin + i) == 0,
		      "gauge %u", i);
		promcb_store_release(&shared->surely, i + 1);
	}
	return p;
}

static void produce(void)
{
	struct promcb_session *p = set_gauges(OWN, 1);

	promcb_store_release(&shared->leaves, 1);
	promcb_close(p);
}

/* One that has set its gauges, and is looked at, and killed. */
static pid_t start_setter(unsigned count, double begin)
{
	pid_t child;

	*shared = (struct shared){.surely = 0};
	child = fork();
	CHECK(child >= 0, "fork");
	if (child == 0) {
		alarm(PATIENCE_SECONDS);
		set_gauges(count, begin);
		promcb_store_release(&shared->has_set, 1);
		for (;;)
			pause();
	}
	while (!promcb_load_acquire(&shared->has_set))
		CHECK(waitpid(child, NULL, WNOHANG) == 0 && sched_yield() == 0, "who sets gauges ended");
	return child;
}

static void end_setter(pid_t child)
{
	kill(child, SIGKILL);
	CHECK(stress_wait(child) == -SIGKILL, "killed");
}

/* The value of a gauge; 0: it is not there. */
static double shown(const struct promcb_snapshot *snapshot, unsigned gauge)
{
	const uint64_t *cells = series_cells(snapshot, "heat", names[gauge]);

	return cells ? promcb_bits_double(*cells) : 0;
}

/* Each gauge of who began with that: those below surely are there, those from perhaps on are not. */
static void expect(const char *point, uint64_t passage, double begin, uint64_t surely, uint64_t perhaps)
{
	for (unsigned access = 0; access < 2; access++) {
		struct promcb_snapshot *snapshot = stress_snapshot(access ? PROMCB_ACCESS_MAPPED : PROMCB_ACCESS_COPY);

		for (unsigned i = 0; i < GAUGES; i++) {
			double value = shown(snapshot, i);

			CHECK(value == begin + i ? i < perhaps : value == 0 && i >= surely,
			      "\"%s\" passage %llu: gauge %s is %f; %llu surely, %llu perhaps", point,
			      (unsigned long long)passage, names[i], value, (unsigned long long)surely,
			      (unsigned long long)perhaps);
		}
		promcb_snapshot_free(snapshot);
	}
}

/* A segment that has the lanes of one that set all gauges and is dead. */
static void prepare(void)
{
	promcb_remove(stress_segment, true, NULL);
	end_setter(start_setter(GAUGES, 100));
	expect("nobody", 0, 100, 0, 0);
	*shared = (struct shared){.surely = 0};
}

static bool try_point(const char *point, uint64_t passage, int signal_number)
{
	int status;
	pid_t victim;

	prepare();
	victim = points_start(produce, point, passage, signal_number);
	CHECK(waitpid(victim, &status, WUNTRACED) == victim, "wait");
	if (WIFEXITED(status)) {
		CHECK(WEXITSTATUS(status) == 0, "\"%s\": the victim failed with %d", point, WEXITSTATUS(status));
		return false;
	}
	if (signal_number == SIGSTOP) {
		expect(point, passage, 1, shared->leaves ? 0 : shared->surely, shared->perhaps);
		kill(victim, SIGCONT);
		CHECK(stress_wait(victim) == 0, "\"%s\": the stopped process failed", point);
	}
	expect(point, passage, 1, 0, 0);
	audit_apart(&options, false);
	victim = start_setter(1, 40);
	expect(point, passage, 40, 1, 1);
	end_setter(victim);
	expect(point, passage, 40, 0, 0);
	audit_apart(&options, true);
	return true;
}

int main(void)
{
	static const char *const wanted[] = {"home: lane taken", "home: locked", "home: left",  "live: emptied",
					     "live: begun",      "lane: signed", "gauge: found"};
	unsigned tried;

	if (stress_emulated()) {
		printf("an emulator drops no locks\n");
		return 77;
	}
	stress_begin("kill-homes");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	prepare();
	points_collect(produce);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		CHECK(points_find(wanted[i]) < points->count, "nobody passed \"%s\"", wanted[i]);
	tried = points_try(try_point);
	printf("%llu points, %u deaths and stops: no gauge of the dead, and each of the living\n",
	       (unsigned long long)points->count, tried);
	stress_remove();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * torture_gauges: processes that have set gauges are started, and killed by SIGKILL, while a reader looks.
 *
 *   - No look shows a value of a process that is dead, in lanes that were taken over neither, and none misses one of a
 *     process that lives and has set it.
 *   - The sum, the least and the greatest are those of the living.
 *   - A level and a gauge of the segment stay.
 */
#include "series.h"

#include <sys/prctl.h>

enum { PLACES = 24 };

static struct promcb_session *metrics;
static struct promcb_gauge *sum, *least, *greatest, *last;
static struct promcb_level *level;

/* Of each child: what it sets, and whether it has. */
static struct place {
	pid_t pid;
	uint64_t value;
} places[PLACES];
static uint64_t *has_set;

static struct promcb_gauge *gauge(const char *name, enum promcb_scope scope)
{
	struct promcb_gauge *found;
	struct promcb_metric_family *family =
		series_family(metrics, (struct promcb_family_spec){.name = name, .type = PROMCB_GAUGE, .scope = scope});

	CHECK(promcb_gauge_with(family, NULL, &found) == 0, "gauge");
	return found;
}

static void declare(void)
{
	struct promcb_metric_family *family =
		series_family(metrics, (struct promcb_family_spec){.name = "jobs", .type = PROMCB_LEVEL});

	sum = gauge("used", PROMCB_SCOPE_SUM);
	least = gauge("least", PROMCB_SCOPE_MIN);
	greatest = gauge("greatest", PROMCB_SCOPE_MAX);
	last = gauge("version", PROMCB_SCOPE_SEGMENT);
	CHECK(promcb_level_with(family, NULL, &level) == 0, "level");
}

static void begin(unsigned number, uint64_t value)
{
	struct place *place = &places[number];

	has_set[number] = 0;
	place->value = value;
	place->pid = fork();
	CHECK(place->pid >= 0, "fork");
	if (place->pid)
		return;
	/* Nobody waits for those whom a failed check leaves behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* What was there before must not show through. */
	promcb_gauge_set(sum, (double)value);
	promcb_gauge_set(least, (double)value);
	promcb_gauge_set(greatest, (double)value);
	promcb_gauge_set(last, (double)value);
	promcb_level_add(level, 1);
	__atomic_store_n(&has_set[number], 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
}

static void end(unsigned number)
{
	struct place *place = &places[number];

	kill(place->pid, SIGKILL);
	CHECK(stress_wait(place->pid) == -SIGKILL, "killed");
	place->pid = 0;
}

static double shown(const struct promcb_snapshot *snapshot, const char *name)
{
	const uint64_t *cells = series_cells(snapshot, name, NULL);

	return cells ? promcb_bits_double(*cells) : 0;
}

/* A look: what it shows is between what was surely set before it, and what could be after it. */
static void look(uint64_t round)
{
	double surely = 0, perhaps = 0, lowest = 1e9, highest = 0;
	bool exact = true;

	for (unsigned i = 0; i < PLACES; i++) {
		double value = (double)places[i].value;

		if (!places[i].pid)
			continue;
		perhaps += value;
		if (!__atomic_load_n(&has_set[i], __ATOMIC_ACQUIRE)) {
			exact = false;
			continue;
		}
		surely += value;
		lowest = value < lowest ? value : lowest;
		highest = value > highest ? value : highest;
	}
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);
	double is = shown(snapshot, "used");

	CHECK(is >= surely && is <= perhaps, "round %llu: the sum is %f, between %f and %f are expected",
	      (unsigned long long)round, is, surely, perhaps);
	if (exact) {
		CHECK(shown(snapshot, "greatest") == highest, "round %llu: the greatest", (unsigned long long)round);
		CHECK(surely == 0 || shown(snapshot, "least") == lowest, "round %llu: the least",
		      (unsigned long long)round);
	}
	promcb_snapshot_free(snapshot);
}

int main(void)
{
	uint64_t rounds = stress_scale(3000), random = stress_seed(), begun = 0;

	if (stress_emulated()) {
		printf("an emulator drops no locks\n");
		return 77;
	}
	stress_begin("gauges");
	metrics = stress_open(NULL);
	declare();
	has_set = mmap(NULL, PLACES * sizeof(*has_set), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(has_set != MAP_FAILED, "mmap");
	for (uint64_t round = 1; round <= rounds; round++) {
		unsigned number = (unsigned)(stress_random(&random) % PLACES);

		if (places[number].pid)
			end(number);
		else {
			begin(number, round);
			begun++;
		}
		look(round);
	}
	for (unsigned i = 0; i < PLACES; i++) {
		while (places[i].pid && !__atomic_load_n(&has_set[i], __ATOMIC_ACQUIRE))
			usleep(100);
		look(0);
		if (places[i].pid)
			end(i);
	}
	look(0);
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_COPY);

	CHECK(!series_cells(snapshot, "used", NULL), "a gauge of the dead is listed");
	CHECK(shown(snapshot, "version") > 0, "a gauge of the segment stays");
	const uint64_t *jobs = series_cells(snapshot, "jobs", NULL);

	CHECK(jobs && *jobs <= begun, "a level");
	printf("%llu rounds, %llu processes, %llu of them came as far as the level\n", (unsigned long long)rounds,
	       (unsigned long long)begun, (unsigned long long)*jobs);
	promcb_snapshot_free(snapshot);
	stress_check_segment();
	promcb_close(metrics);
	stress_remove();
	return 0;
}

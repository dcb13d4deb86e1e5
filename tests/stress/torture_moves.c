/* SPDX-License-Identifier: MIT */
/*
 * torture_moves: segments are removed under those who add to series, by handle and by label values, at full speed.
 *
 *   - No add is missing in the sum of the old file and the new one, and none is there twice.
 *   - Who never rests is in the new segment two seconds after its next add, though an add has no stamp.
 *   - What the process has set is shown by the new segment, and the old one shows it no more.
 */
#include "rush.h"
#include "series.h"

enum { THREADS = 3 };

static struct promcb_metric_family *family;
static struct promcb_counter *counters[THREADS];
static struct promcb_gauge *gauge;
static uint64_t made[THREADS], late[THREADS];
static uint64_t phase; /* 0: on the old segment; 1: it is removed; 2: the end */

static const char *const names[THREADS] = {"by handle", "inline", "by label values"};

static void add(unsigned way)
{
	if (way == 0)
		promcb_counter_add(counters[0], 1);
	else if (way == 1)
		promcb_counter_add_inline(counters[1], 1);
	else
		CHECK(promcb_counter_add_with(family, VALUES(names[2]), 1) == 0, "by label values");
}

/* late: adds that began two seconds or more after the thread's first since the removal. */
static void *rush(void *argument)
{
	unsigned thread = (unsigned)(uintptr_t)argument;
	uint64_t first_ns = 0, seen;

	for (uint64_t count = 0; (seen = promcb_load_acquire(&phase)) != 2; count++) {
		uint64_t now_ns = seen == 1 ? stress_now_ns() : 0;

		if (seen == 1 && first_ns == 0)
			first_ns = now_ns;
		add(thread);
		promcb_store_release(&made[thread], count + 1);
		if (first_ns && now_ns - first_ns >= 2000000000u)
			promcb_store_release(&late[thread], promcb_load_relaxed(&late[thread]) + 1);
	}
	return NULL;
}

static void declare(struct promcb_session *p)
{
	struct promcb_metric_family *gauges =
		series_family(p, (struct promcb_family_spec){.name = "used", .type = PROMCB_GAUGE});

	family = series_family(
		p, (struct promcb_family_spec){.name = "adds_total", .type = PROMCB_COUNTER, .labels = VALUES("way")});
	for (unsigned i = 0; i < THREADS; i++)
		counters[i] = series_counter(family, VALUES(names[i]));
	CHECK(promcb_gauge_with(gauges, NULL, &gauge) == 0, "gauge");
	promcb_gauge_set(gauge, 42);
}

static void expect_sums(const uint64_t old_sums[THREADS])
{
	for (unsigned i = 0; i < THREADS; i++) {
		uint64_t fresh = series_total("adds_total", names[i], 0), sum = promcb_load_acquire(&made[i]);

		CHECK(old_sums[i] + fresh == sum, "%s: %llu + %llu adds of %llu", names[i],
		      (unsigned long long)old_sums[i], (unsigned long long)fresh, (unsigned long long)sum);
		CHECK(fresh >= promcb_load_acquire(&late[i]), "%s: %llu adds came after two seconds, %llu are there",
		      names[i], (unsigned long long)late[i], (unsigned long long)fresh);
		printf("%s: %llu adds, %llu of them in the new segment, none is missing\n", names[i],
		       (unsigned long long)sum, (unsigned long long)fresh);
	}
	CHECK(promcb_bits_double(series_total("used", NULL, 0)) == 42, "what was set went along");
}

int main(void)
{
	char path[128], old_path[140], name[64];
	uint64_t old_sums[THREADS];
	pthread_t threads[THREADS];
	struct promcb_session *p;
	int old;

	snprintf(path, sizeof(path), "/dev/shm%s", stress_begin("moves"));
	memcpy(name, stress_segment, sizeof(name));
	snprintf(old_path, sizeof(old_path), "%s-old", path);
	p = stress_open(NULL);
	declare(p);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, rush, (void *)i) == 0, "thread");
	await_counts(made, THREADS, 5000);
	old = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(old >= 0, "open");
	CHECK(unlink(path) == 0, "unlink");
	promcb_store_release(&phase, 1);
	await_counts(late, THREADS, 1000);
	promcb_store_release(&phase, 2);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	snprintf(stress_segment, sizeof(stress_segment), "%.50s-old", name);
	name_again(old, old_path);
	for (unsigned i = 0; i < THREADS; i++)
		old_sums[i] = series_total("adds_total", names[i], 0);
	close(old);
	unlink(old_path);
	memcpy(stress_segment, name, sizeof(stress_segment));
	expect_sums(old_sums);
	stress_check_segment();
	promcb_close(p);
	stress_remove();
	return 0;
}

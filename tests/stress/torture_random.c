/* SPDX-License-Identifier: MIT */
/*
 * torture_random: processes start, thread, record, register, fork, exit and are killed at random, while a reader
 * checks.
 *
 * Runs for PROMCB_STRESS_SECONDS (default 10; meson ends it after ten minutes, longer runs go without). What a run
 * does follows from its seed, but for the scheduler.
 * Invariants: per component, done <= recorded <= begun, as counted in memory that survives the dead, at every
 * snapshot for the lower bound of the snapshot before; no bucket goes down; lanes and memory stay bounded by what lives
 * at once.
 */
#include "stress.h"

#include <promcb/atomic.h>

#include <sched.h>
#include <sys/syscall.h>

enum { CHILDREN = 6, THREADS_MAX = 5, COMPONENTS = 24, LANES = 16 };

static struct {
	uint64_t begun[COMPONENTS];
	uint64_t done[COMPONENTS];
} * shared;

static struct promcb_session *metrics;
static uint64_t killed;

static void record_some(struct promcb_component **components, uint64_t *random)
{
	unsigned first = (unsigned)(stress_random(random) % COMPONENTS),
		 span = 1 + (unsigned)(stress_random(random) % 4);

	for (uint64_t k = stress_random(random) % 3000; k > 0; k--) {
		unsigned c = (first + (unsigned)(k % span)) % COMPONENTS;

		promcb_add_relaxed(&shared->begun[c], 1);
		promcb_record(components[c], stress_random(random) >> (20 + k % 40), k % 11 != 0);
		promcb_add_relaxed(&shared->done[c], 1);
	}
}

struct life {
	uint64_t random;
	bool forks;
};

static void live(struct life *life);

static void *live_in_thread(void *argument)
{
	live(argument);
	return NULL;
}

static void live(struct life *life)
{
	struct promcb_component *components[COMPONENTS];
	char name[32];

	for (unsigned c = 0; c < COMPONENTS; c++) {
		snprintf(name, sizeof(name), "component %u", c);
		components[c] = stress_component(metrics, name);
	}
	for (uint64_t turns = 1 + stress_random(&life->random) % 8; turns > 0; turns--) {
		record_some(components, &life->random);
		switch (stress_random(&life->random) % 8) {
		case 0:
			promcb_set_state(components[0], (enum promcb_state)(stress_random(&life->random) % 3));
			break;
		case 1:
			/* Counts nothing, so that the totals stay. */
			promcb_component(metrics, "reset", &components[0]);
			promcb_reset(metrics, "reset");
			components[0] = stress_component(metrics, "component 0");
			break;
		case 2:
			sched_yield();
			break;
		default:
			break;
		}
	}
	if (life->forks && stress_random(&life->random) % 3 == 0) {
		struct life child = {.random = stress_random(&life->random) | 1};
		bool raw = stress_random(&life->random) % 2 && !stress_emulated();
		pid_t pid = raw ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();

		if (pid == 0) {
			record_some(components, &child.random);
			_exit(0);
		}
		if (pid > 0)
			stress_wait(pid);
	}
}

static void be_a_child(uint64_t seed)
{
	struct life lives[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	unsigned count = (unsigned)(stress_random(&seed) % THREADS_MAX);

	for (unsigned t = 0; t < count; t++) {
		/* A raw clone of a process with threads may not touch their locks: only a lone thread forks. */
		lives[t] = (struct life){.random = stress_random(&seed) | 1};
		if (pthread_create(&threads[t], NULL, live_in_thread, &lives[t]) != 0)
			_exit(1);
	}
	struct life own = {.random = stress_random(&seed) | 1, .forks = count == 0};

	live(&own);
	for (unsigned t = 0; t < count; t++)
		pthread_join(threads[t], NULL);
	if (stress_random(&seed) % 2)
		promcb_close(metrics);
	_exit(0);
}

static uint64_t sum_of(const uint64_t *counts)
{
	uint64_t sum = 0;

	for (unsigned c = 0; c < COMPONENTS; c++)
		sum += promcb_load_relaxed(&counts[c]);
	return sum;
}

/* A snapshot between two readings of what the recorders say. */
static struct promcb_snapshot *check(const struct promcb_snapshot *before, enum promcb_access access)
{
	uint64_t done[COMPONENTS];
	char name[32];

	for (unsigned c = 0; c < COMPONENTS; c++)
		done[c] = promcb_load_acquire(&shared->done[c]);
	struct promcb_snapshot *snapshot = stress_snapshot(access);

	for (unsigned c = 0; c < COMPONENTS; c++) {
		snprintf(name, sizeof(name), "component %u", c);
		const struct promcb_snapshot_component *is = stress_find(snapshot, name),
						       *was = before ? stress_find(before, name) : NULL;

		CHECK(is || done[c] == 0, "%s is not listed", name);
		if (!is)
			continue;
		uint64_t calls = is->counts.calls[0] + is->counts.calls[1];

		CHECK(calls >= done[c], "%s: %llu calls recorded, %llu were done before", name,
		      (unsigned long long)calls, (unsigned long long)done[c]);
		CHECK(calls <= promcb_load_acquire(&shared->begun[c]), "%s: more calls than were begun", name);
		for (unsigned outcome = 0; was && outcome < 2; outcome++)
			for (uint32_t bucket = 0; bucket < snapshot->buckets; bucket++)
				CHECK(is->counts.buckets[outcome][bucket] >= was->counts.buckets[outcome][bucket],
				      "%s: bucket %u went down", name, bucket);
	}
	CHECK(snapshot->info.dropped_calls == 0, "calls were dropped");
	CHECK(snapshot->info.lanes_live + snapshot->info.lanes_idle <= LANES, "more lanes than there are");
	return snapshot;
}

int main(void)
{
	const struct promcb_options options = {.lanes = LANES};
	const char *seconds = getenv("PROMCB_STRESS_SECONDS");
	uint64_t seed = stress_seed() | 1, end, lives = 0, snapshots = 0;
	struct promcb_snapshot *before = NULL, *after;
	pid_t children[CHILDREN] = {0};

	stress_begin("random");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	metrics = stress_open(&options);
	end = stress_now_ns() + (seconds ? strtoull(seconds, NULL, 10) : stress_scale(10)) * 1000000000u;
	while (stress_now_ns() < end) {
		unsigned i = (unsigned)(stress_random(&seed) % CHILDREN);

		if (children[i] == 0) {
			uint64_t child_seed = stress_random(&seed) | 1;

			children[i] = fork();
			CHECK(children[i] >= 0, "fork");
			if (children[i] == 0)
				be_a_child(child_seed);
			lives++;
		} else if (stress_random(&seed) % 2) {
			int status;

			kill(children[i], SIGKILL);
			status = stress_wait(children[i]);
			CHECK(status == 0 || status == -SIGKILL, "a child failed with %d", status);
			killed += status == -SIGKILL;
			children[i] = 0;
		} else {
			int status;

			if (waitpid(children[i], &status, WNOHANG) == children[i]) {
				CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child ended with %#x",
				      (unsigned)status);
				children[i] = 0;
			}
		}
		after = check(before, snapshots++ % 2 ? PROMCB_ACCESS_MAPPED : PROMCB_ACCESS_COPY);
		promcb_snapshot_free(before);
		before = after;
	}
	for (unsigned i = 0; i < CHILDREN; i++)
		if (children[i])
			stress_wait(children[i]);
	/* Grandchildren of the killed may still record: they end by themselves. */
	while (sum_of(shared->begun) != sum_of(shared->done) && stress_now_ns() < end + 1000000000u)
		sched_yield();
	after = check(before, PROMCB_ACCESS_COPY);
	stress_check_segment();
	printf("%llu lives, %llu of them killed, %llu snapshots; %llu calls begun, %llu done\n",
	       (unsigned long long)lives, (unsigned long long)killed, (unsigned long long)snapshots,
	       (unsigned long long)sum_of(shared->begun), (unsigned long long)sum_of(shared->done));
	CHECK(sum_of(shared->begun) - sum_of(shared->done) <= killed * (THREADS_MAX + 1),
	      "more is missing than was in flight");
	promcb_snapshot_free(before);
	promcb_snapshot_free(after);
	stress_remove();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * torture_kill: a program of two threads is killed with SIGKILL in mid-recording, a hundred times.
 *
 * Invariants, per thread: done <= recorded <= begun, where the thread counts begun before and done after each call,
 * in memory that survives it; so at most the one call in flight is missing. The same for the sum. Each next process
 * adopts the lanes of the last, so that neither lanes nor memory grow after the first rounds.
 */
#include "stress.h"

#include <promcb/atomic.h>

enum { ROUNDS = 100, THREADS = 2, LATENCY_NS = 1000 };

struct progress {
	uint64_t begun;
	uint64_t done;
	uint64_t pad[14];
};

static struct progress *progress;
static struct promcb_component *component;

static void *record_for_ever(void *argument)
{
	struct progress *mine = argument;

	for (uint64_t k = 0;; k++) {
		promcb_store_release(&mine->begun, mine->begun + 1);
		promcb_record(component, LATENCY_NS, k % 7 != 0);
		promcb_store_release(&mine->done, mine->done + 1);
	}
	return NULL;
}

static void produce(void)
{
	pthread_t thread;

	component = stress_component(stress_open(NULL), "victim");
	CHECK(pthread_create(&thread, NULL, record_for_ever, &progress[1]) == 0, "thread");
	record_for_ever(&progress[0]);
}

int main(void)
{
	uint64_t seed = stress_seed() | 1, begun, done, total, sum;
	uint64_t rounds = stress_scale(ROUNDS);
	struct promcb_snapshot *snapshot;

	stress_begin("kill");
	progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(progress != MAP_FAILED, "mmap");
	for (uint64_t round = 0; round < rounds; round++) {
		uint64_t target = progress[0].done + 1 + stress_random(&seed) % 20000;
		pid_t child = fork();

		CHECK(child >= 0, "fork");
		if (child == 0) {
			produce();
			_exit(1);
		}
		while (promcb_load_acquire(&progress[0].done) < target)
			CHECK(waitpid(child, NULL, WNOHANG) == 0, "the producer ended by itself");
		kill(child, SIGKILL);
		CHECK(stress_wait(child) == -SIGKILL, "the producer was not killed");

		begun = progress[0].begun + progress[1].begun;
		done = progress[0].done + progress[1].done;
		snapshot = stress_snapshot(round % 2 ? PROMCB_ACCESS_COPY : PROMCB_ACCESS_MAPPED);
		const struct promcb_snapshot_component *victim = stress_find(snapshot, "victim");

		CHECK(victim, "the component is missing");
		total = victim->counts.calls[0] + victim->counts.calls[1];
		sum = victim->counts.latency_sum_ns[0] + victim->counts.latency_sum_ns[1];
		CHECK(done <= total && total <= begun, "round %llu: done %llu, recorded %llu, begun %llu",
		      (unsigned long long)round, (unsigned long long)done, (unsigned long long)total,
		      (unsigned long long)begun);
		/*
		 * Counted is stored before summed: the sums of the calls in flight may be missing, one per death and
		 * thread.
		 */
		CHECK(sum <= total * LATENCY_NS && sum + (round + 1) * THREADS * LATENCY_NS >= total * LATENCY_NS,
		      "sum %llu of %llu calls", (unsigned long long)sum, (unsigned long long)total);
		CHECK(snapshot->info.lanes_live == 0, "%d lanes live after death", snapshot->info.lanes_live);
		CHECK(snapshot->info.lanes_idle <= THREADS, "%d lanes for %d threads", snapshot->info.lanes_idle,
		      THREADS);
		/* What a fresh segment has, and for each lane a directory, a chunk of blocks and a chunk of rings. */
		CHECK(snapshot->info.used_bytes <= 512 * 1024, "memory grew to %llu bytes",
		      (unsigned long long)snapshot->info.used_bytes);
		promcb_snapshot_free(snapshot);
		/* What was in flight is settled now: the next round counts from here. */
		progress[0].begun = progress[0].done = total;
		progress[1].begun = progress[1].done = 0;
		stress_check_segment();
	}
	printf("%llu kills: every call but those in flight is there\n", (unsigned long long)rounds);
	stress_remove();
	return 0;
}

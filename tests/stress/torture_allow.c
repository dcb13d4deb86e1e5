/* SPDX-License-Identifier: MIT */
/*
 * torture_allow: threads that ask one breaker and end their calls, some in another thread, while it opens, closes, is
 * tripped, reset, forced, and given other policies.
 *   - What was asked was let through or refused; what was let through has ended, and is recorded unless it was ignored.
 *   - No more probes are under way than there are permits, and in the end all permits are free.
 *   - No word is touched in a way that ThreadSanitizer calls a race.
 */
#include "stress.h"

#include <promcb/breaker_inline.h>

enum { THREADS = 4, CALLS = 100000, PERMITS = 2, PLACES = 8, VERSIONS = 200 };

static struct promcb_component *component;
static struct promcb_breaker *breaker;
static uint64_t probes_under_way, most_probes;

/* What a thread has counted. */
struct counts {
	uint64_t seed, allowed, refused, ended, ignored, failed;
};

/* Calls that begin in one thread and end in any. */
static struct place {
	uint64_t is_taken;
	struct promcb_token token;
} places[PLACES];

static bool is_probe(const struct promcb_token *token)
{
	return (token->row & 1) && token->row >> 1 & 0xf;
}

static void end(struct counts *counts, struct promcb_token *token)
{
	static const enum promcb_call_outcome outcomes[] = {PROMCB_SUCCESS, PROMCB_SUCCESS, PROMCB_SUCCESS,
							    PROMCB_SUCCESS, PROMCB_TIMEOUT, PROMCB_IGNORED};
	enum promcb_call_outcome outcome = outcomes[stress_random(&counts->seed) % 6];

	counts->ended++;
	counts->ignored += outcome == PROMCB_IGNORED;
	counts->failed += outcome == PROMCB_TIMEOUT;
	if (is_probe(token))
		promcb_add_relaxed(&probes_under_way, UINT64_MAX);
	promcb_end(breaker, token, outcome);
}

/* Ends a call that any thread has left there, or leaves this one. */
static void exchange(struct counts *counts, struct promcb_token *token)
{
	struct place *place = &places[stress_random(&counts->seed) % PLACES];

	if (promcb_cas_acq_rel(&place->is_taken, 2, 1)) {
		struct promcb_token other = place->token;

		promcb_store_release(&place->is_taken, 0);
		end(counts, &other);
	} else if (promcb_cas_acq_rel(&place->is_taken, 0, 1)) {
		place->token = *token;
		promcb_store_release(&place->is_taken, 2);
		return;
	}
	end(counts, token);
}

static void *run(void *argument)
{
	struct counts *counts = argument;
	struct promcb_token token;

	for (uint64_t i = stress_scale(CALLS); i > 0; i--) {
		if (!promcb_begin(breaker, &token)) {
			counts->refused++;
			continue;
		}
		counts->allowed++;
		if (is_probe(&token)) {
			uint64_t probes = promcb_add_relaxed(&probes_under_way, 1) + 1;

			for (uint64_t most = promcb_load_relaxed(&most_probes); probes > most;)
				if (promcb_cas_relaxed(&most_probes, &most, probes))
					break;
		}
		if (i % 8 == 0)
			exchange(counts, &token);
		else
			end(counts, &token);
	}
	return NULL;
}

static void *change(void *argument)
{
	struct counts *counts = argument;

	for (uint32_t version = 1; version <= VERSIONS; version++) {
		const struct promcb_policy policy = {.version = version,
						     .window_ms = version % 2 ? 100 : 800,
						     .min_calls = 5,
						     .failure_permille = 100,
						     .consecutive = version % 3 ? 3 : PROMCB_POLICY_OFF,
						     .open_ms = 1,
						     .open_max_ms = 2,
						     .probes = PERMITS,
						     .lease_ms = 60000};
		struct promcb_breaker *again;
		int result = promcb_breaker(component, &policy, &again);

		CHECK(result == 0 && again == breaker, "policy %u: %d", version, result);
		promcb_breaker_trip(breaker, stress_random(&counts->seed) % 2000000);
		promcb_breaker_force(breaker, (enum promcb_mode)(stress_random(&counts->seed) % 4));
		promcb_breaker_force(breaker, PROMCB_MODE_AUTOMATIC);
		if (version % 4 == 0)
			promcb_breaker_reset(breaker);
		promcb_retry_after(breaker);
	}
	return NULL;
}

/* The sum of a family's series. */
static uint64_t exported(const char *family)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_MAPPED);
	uint64_t sum = 0;

	for (size_t i = 0; i < promcb_snapshot_families(snapshot); i++) {
		struct promcb_family_summary summary;
		struct promcb_series_summary series;

		promcb_snapshot_family(snapshot, i, &summary);
		for (size_t j = 0; strcmp(summary.name, family) == 0 && j < summary.series; j++) {
			promcb_snapshot_series(snapshot, i, j, &series);
			sum += (uint64_t)series.number;
		}
	}
	promcb_snapshot_free(snapshot);
	return sum;
}

static void check_sums(const struct counts *sums)
{
	struct promcb_snapshot *snapshot = stress_snapshot(PROMCB_ACCESS_MAPPED);
	const struct promcb_snapshot_component *found = stress_find(snapshot, "db");
	uint64_t recorded[2];

	CHECK(found, "db is not listed");
	recorded[0] = found->counts.calls[0];
	recorded[1] = found->counts.calls[1];
	promcb_snapshot_free(snapshot);
	CHECK(sums->ended == sums->allowed, "%llu ended", (unsigned long long)sums->ended);
	CHECK(exported("circuit_breaker_permitted_calls_total") == sums->allowed, "let through");
	CHECK(exported("circuit_breaker_not_permitted_calls_total") == sums->refused, "refused");
	CHECK(exported("circuit_breaker_ignored_calls_total") == sums->ignored, "ignored");
	CHECK(recorded[0] + recorded[1] == sums->ended - sums->ignored, "recorded");
	CHECK(recorded[0] == sums->failed || recorded[1] == sums->failed, "failed");
	CHECK(exported("circuit_breaker_died_calls_total") == 0, "nobody died");
}

int main(void)
{
	struct counts counts[THREADS + 1], sums = {.seed = 0};
	uint64_t seed = stress_seed();
	pthread_t threads[THREADS + 1];
	struct promcb_session *p;
	struct promcb_token probes[PERMITS];
	unsigned taken = 0;

	stress_begin("allow");
	p = stress_open(NULL);
	component = stress_component(p, "db");
	/* No policy with more permits: who was stopped since it read that could take them. */
	CHECK(promcb_breaker(component, &(struct promcb_policy){.probes = PERMITS, .lease_ms = 60000}, &breaker) == 0,
	      "breaker");
	for (unsigned i = 0; i <= THREADS; i++) {
		counts[i] = (struct counts){.seed = stress_random(&seed)};
		CHECK(pthread_create(&threads[i], NULL, i < THREADS ? run : change, &counts[i]) == 0, "thread");
	}
	for (unsigned i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < PLACES; i++)
		if (places[i].is_taken)
			end(&counts[0], &places[i].token);
	for (unsigned i = 0; i <= THREADS; i++) {
		sums.allowed += counts[i].allowed;
		sums.refused += counts[i].refused;
		sums.ended += counts[i].ended;
		sums.ignored += counts[i].ignored;
		sums.failed += counts[i].failed;
	}
	check_sums(&sums);
	/* Those under way of an episode that has ended keep their permits, so it is never more. */
	CHECK(promcb_load_relaxed(&most_probes) <= PERMITS, "%llu probes of %d at a time",
	      (unsigned long long)most_probes, PERMITS);
	promcb_breaker_trip(breaker, 0);
	for (uint64_t end_ns = stress_now_ns() + 60000000000u; taken < PERMITS;) {
		CHECK(stress_now_ns() < end_ns, "%u of %d permits can be had", taken, PERMITS);
		if (promcb_begin(breaker, &probes[taken]))
			taken += is_probe(&probes[taken]);
	}
	printf("%llu let through, %llu refused, at most %llu probes at a time\n", (unsigned long long)sums.allowed,
	       (unsigned long long)sums.refused, (unsigned long long)most_probes);
	stress_check_segment();
	promcb_close(p);
	stress_remove();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* breaker_shared: what a breaker is to other threads, processes and segments, and what readers call it. */
#include "breaking.h"

#include "record/open.h"
#include "record/row.h"

#include <pthread.h>
#include <sys/wait.h>

TestSuite(breaker_shared, .init = fixture_begin, .fini = fixture_end, .timeout = 60);

static const struct promcb_policy once = {.version = 7, .consecutive = 1, .open_ms = 1000, .min_calls = 1000};

/* -- Segments ------------------------------------------------------------------------------------------------------ */

/* Whoever comes here next looks where the segment's name leads. */
static void look_soon(void)
{
	promcb_store_relaxed(&session->checked_ns, 0);
	promcb_thread.countdown = 0;
	promcb_thread.fresh_ns = 0;
}

/* The policy goes along to the next segment, with the first call there. */
Test(breaker_shared, policy_follows)
{
	struct promcb_breaker *breaker = make(&once);

	calls(breaker, 1, PROMCB_FAILURE);
	STATE(PROMCB_OPEN);
	cr_assert_eq(unlink(fixture_segment), 0);
	look_soon();
	calls(breaker, 1, PROMCB_SUCCESS);
	cr_assert_eq(exported("circuit_breaker_policy_version", NULL), 7);
	STATE(PROMCB_CLOSED);
	calls(breaker, 1, PROMCB_FAILURE);
	STATE(PROMCB_OPEN);
	cr_assert_not(call(breaker, PROMCB_SUCCESS));
	cr_assert_eq(exported("circuit_breaker_permitted_calls_total", NULL), 2);
	cr_assert_eq(exported("circuit_breaker_not_permitted_calls_total", "open"), 1);
}

/* The highest that the process has given, and not what another had in force for a while. */
Test(breaker_shared, policy_that_follows)
{
	struct promcb_policy policy = once;
	struct promcb_breaker *breaker = make(&policy), *again;

	policy.version = 9;
	cr_assert_eq(promcb_breaker(component, &policy, &again), 0);
	policy.version = 8;
	cr_assert_eq(promcb_breaker(component, &policy, &again), 0);
	policy.version = 9;
	policy.consecutive = 2;
	cr_assert_eq(promcb_breaker(component, &policy, &again), -EEXIST);
	cr_assert_eq(promcb_breaker(component, NULL, &again), 0);
	cr_assert_eq(unlink(fixture_segment), 0);
	look_soon();
	calls(breaker, 1, PROMCB_FAILURE);
	STATE(PROMCB_OPEN);
	cr_assert_eq(exported("circuit_breaker_policy_version", NULL), 9);
}

/* Who asks for a breaker before anybody gave it a policy has the default, and is in nobody's way. */
Test(breaker_shared, default_gives_way)
{
	const struct promcb_policy first = {.consecutive = 3, .failure_permille = PROMCB_POLICY_OFF};
	struct promcb_breaker *breaker, *again;

	now_ns = 1000000 * SECOND;
	promcb_guard_clock = test_clock;
	session = fixture_open(NULL);
	component = fixture_component(session, "db");
	cr_assert_eq(promcb_breaker(component, NULL, &breaker), 0);
	cr_assert_eq(exported("circuit_breaker_threshold", "failure_ratio"), 0.5);
	calls(breaker, 19, PROMCB_FAILURE);
	STATE(PROMCB_CLOSED);
	cr_assert_eq(promcb_breaker(component, &first, &again), 0);
	cr_assert_eq(again, breaker);
	cr_assert_eq(exported("circuit_breaker_threshold", "failure_ratio"), -1);
	cr_assert_eq(exported("circuit_breaker_threshold", "consecutive"), 3);
	cr_assert_eq(promcb_breaker(component, NULL, &again), 0);
	cr_assert_eq(exported("circuit_breaker_threshold", "consecutive"), 3);
}

/* Whoever changes a breaker that is nowhere is told so. */
Test(breaker_shared, changes_of_nothing)
{
	struct promcb_breaker *breaker = make(&once), *nothing;

	cr_assert_eq(promcb_breaker_force(breaker, PROMCB_MODE_AUTOMATIC), 0);
	cr_assert_eq(promcb_breaker(NULL, NULL, &nothing), -EINVAL);
	promcb_close(session);
	for (int i = 0; i < 2; i++, breaker = nothing) {
		cr_assert_eq(promcb_breaker_force(breaker, PROMCB_MODE_OPEN), -ENOENT);
		cr_assert_eq(promcb_breaker_trip(breaker, SECOND), -ENOENT);
		cr_assert_eq(promcb_breaker_reset(breaker), -ENOENT);
		cr_assert(call(breaker, PROMCB_SUCCESS));
	}
}

/* -- Threads and processes ----------------------------------------------------------------------------------------- */

struct elsewhere {
	struct promcb_breaker *breaker;
	struct promcb_token token;
	bool begins, ends;
	unsigned calls;                 /* before them */
};

static void *act(void *argument)
{
	struct elsewhere *there = argument;

	calls(there->breaker, there->calls, PROMCB_SUCCESS);
	if (there->begins)
		cr_assert(promcb_allow(there->breaker, &there->token));
	if (there->ends)
		promcb_done_at(there->breaker, &there->token, 1000, PROMCB_SUCCESS, now_ns);
	return NULL;
}

static void act_elsewhere(struct elsewhere *there)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, act, there), 0);
	pthread_join(thread, NULL);
}

/* What was begun and has not ended, of a row. */
static uint64_t open_calls(const uint64_t *words)
{
	return words[PROMCB_BREAKER_BEGUN] + words[PROMCB_BREAKER_FOREIGN] - words[PROMCB_BREAKER_ENDED] -
	       words[PROMCB_BREAKER_ELSEWHERE];
}

/* In each lane's row, and in that of who has no lane. */
static void check_rows(const struct promcb_breaker *breaker, uint64_t expected)
{
	struct promcb_segment *segment = session->segment;
	uint32_t cell = promcb_series_handle_of(breaker)->at.component;
	const uint64_t *words = promcb_row_shared(segment, cell, PROMCB_BREAKER_CELLS);
	uint64_t open = words ? open_calls(words) : 0;

	for (uint32_t lane = 0; lane < segment->geometry.lanes; lane++) {
		words = promcb_row_of_lane(segment, lane, cell, PROMCB_BREAKER_CELLS);
		cr_assert(!words || open_calls(words) <= 1, "lane %u", lane);
		open += words ? open_calls(words) : 0;
	}
	cr_assert_eq(open, expected);
}

#define FLIGHT(flying, dead)                                                             \
	do {                                                                             \
		cr_assert_eq(exported("circuit_breaker_calls_in_flight", NULL), flying); \
		cr_assert_eq(exported("circuit_breaker_died_calls_total", NULL), dead);  \
	} while (0)

/* A child that begins calls, and lives until it is killed. */
static pid_t begin_in_child(struct promcb_breaker *breaker, unsigned count)
{
	struct promcb_token token;
	int begun[2];
	char byte;
	pid_t child;

	cr_assert_eq(pipe(begun), 0);
	child = fork();
	if (child == 0) {
		for (unsigned i = 0; i < count; i++)
			promcb_allow(breaker, &token);
		if (write(begun[1], "b", 1) == 1)
			pause();
		_exit(1);
	}
	cr_assert_eq(read(begun[0], &byte, 1), 1);
	close(begun[0]);
	close(begun[1]);
	return child;
}

static void end_child(pid_t child)
{
	kill(child, SIGKILL);
	cr_assert_eq(waitpid(child, NULL, 0), child);
}

/* What is in flight is that of the living, and what died is counted at once, whoever has its lane then. */
Test(breaker_shared, calls_in_flight)
{
	const struct promcb_policy never = {.failure_permille = PROMCB_POLICY_OFF};
	struct promcb_breaker *breaker;
	struct promcb_token one;
	struct elsewhere there;
	pid_t child, other;

	if (getenv("MESON_EXE_WRAPPER"))
		cr_skip_test("an emulator does not wipe a child's memory");
	breaker = make(&never);
	calls(breaker, 50, PROMCB_FAILURE);
	STATE(PROMCB_CLOSED);
	FLIGHT(0, 0);
	there = (struct elsewhere){.breaker = breaker, .begins = true};
	cr_assert(promcb_allow(breaker, &one) && promcb_allow(breaker, &there.token));
	FLIGHT(2, 0);
	promcb_done_at(breaker, &there.token, 1000, PROMCB_IGNORED, now_ns);
	FLIGHT(1, 0);
	child = begin_in_child(breaker, 3);
	FLIGHT(4, 0);
	end_child(child);
	FLIGHT(1, 3);
	/* Its lane is another's. */
	child = begin_in_child(breaker, 1);
	FLIGHT(2, 3);
	other = begin_in_child(breaker, 2);
	FLIGHT(4, 3);
	end_child(child);
	FLIGHT(3, 4);
	child = begin_in_child(breaker, 0);
	FLIGHT(3, 4);
	end_child(other);
	end_child(child);
	FLIGHT(1, 6);
	/* Begun by a thread that is gone, and ended by another of the process. */
	act_elsewhere(&there);
	FLIGHT(2, 6);
	there.begins = false;
	there.ends = true;
	act_elsewhere(&there);
	FLIGHT(1, 6);
	there.token = one;
	act_elsewhere(&there);
	FLIGHT(0, 6);
	cr_assert_eq(exported("circuit_breaker_permitted_calls_total", NULL), 59);
}

/* A call may end in another thread, whether it is the first of the one or the other: it is counted once. */
Test(breaker_shared, ends_elsewhere)
{
	struct promcb_breaker *breaker = make(&once);

	for (unsigned i = 0; i < 8; i++) {
		struct elsewhere there = {.breaker = breaker, .begins = i & 1, .ends = !(i & 1), .calls = i & 2};

		calls(breaker, i & 4, PROMCB_SUCCESS);
		if (!there.begins)
			cr_assert(promcb_allow(breaker, &there.token));
		act_elsewhere(&there);
		if (!there.ends) {
			check_rows(breaker, 1);
			promcb_done_at(breaker, &there.token, 1000, PROMCB_SUCCESS, now_ns);
		}
		check_rows(breaker, 0);
	}
	cr_assert_eq(exported("circuit_breaker_permitted_calls_total", NULL), 8 + 4 * 2 + 4 * 4);
	cr_assert_eq(fixture_summary("db").successful_calls, 8 + 4 * 2 + 4 * 4);
	cr_assert_eq(exported("circuit_breaker_died_calls_total", NULL), 0);
}

/*
 * A call may end so late that another segment lies where the one was that it began in: wherever its row would be there,
 * no word of that segment is changed, and no memory is looked at that it has not.
 */
Test(breaker_shared, ends_in_another_segment)
{
	struct promcb_breaker *breaker = make(&once);
	struct promcb_segment *segment = session->segment;
	uint64_t *root = (uint64_t *)(void *)promcb_segment_root(segment), before[PROMCB_PART_BYTES / sizeof(*root)];
	const uintptr_t rows[] = {(uintptr_t)root, (uintptr_t)(root + PROMCB_ROW_WORDS), (uintptr_t)segment->base,
				  (uintptr_t)segment->base + segment->mapped_bytes - PROMCB_LINE_BYTES,
				  (uintptr_t)segment->base + segment->mapped_bytes};
	const unsigned count = sizeof(rows) / sizeof(rows[0]);

	calls(breaker, 1, PROMCB_SUCCESS);
	memcpy(before, root, sizeof(before));
	for (unsigned i = 0; i < count; i++) {
		struct promcb_token token = {.row = rows[i] + sizeof(uint64_t)};

		promcb_done_at(breaker, &token, 1000, PROMCB_SUCCESS, now_ns);
		cr_assert_eq(memcmp(before, root, sizeof(before)), 0, "%u", i);
	}
	check_rows(breaker, 0);
	cr_assert_eq(fixture_summary("db").successful_calls, 1 + count);
}

/* So it is of a thread without a lane, and none of these calls died when the lanes have other owners. */
Test(breaker_shared, ends_elsewhere_without_a_lane)
{
	const struct promcb_options options = {.lanes = 1};
	struct promcb_breaker *breaker;
	struct elsewhere there = {.begins = true};
	struct promcb_token token;

	now_ns = 1000000 * SECOND;
	promcb_guard_clock = test_clock;
	session = fixture_open(&options);
	component = fixture_component(session, "db");
	cr_assert_eq(promcb_breaker(component, &once, &breaker), 0);
	there.breaker = breaker;
	act_elsewhere(&there);
	cr_assert(promcb_allow(breaker, &token));
	promcb_done_at(breaker, &there.token, 1000, PROMCB_SUCCESS, now_ns);
	there = (struct elsewhere){.breaker = breaker, .token = token, .ends = true};
	act_elsewhere(&there);
	check_rows(breaker, 0);
	cr_assert_eq(exported("circuit_breaker_permitted_calls_total", NULL), 2);
	cr_assert_eq(fixture_summary("db").successful_calls, 2);
}

/* -- Readers ------------------------------------------------------------------------------------------------------- */

/* Components' labels are those of their breakers' series, and those that others have are empty. */
Test(breaker_shared, labels)
{
	const struct promcb_label labels[] = {{"op", "read"}, {"reason", "x"}};
	struct promcb_family_summary family = {.name = ""};
	struct promcb_breaker *breaker = make(&once);
	struct promcb_snapshot *snapshot;
	size_t i = 0;

	calls(breaker, 1, PROMCB_SUCCESS);
	cr_assert_eq(promcb_component_with(session, "db", labels, 2, &component), 0);
	cr_assert_eq(promcb_breaker(component, &once, &breaker), 0);
	calls(breaker, 1, PROMCB_FAILURE);
	cr_assert_not(call(breaker, PROMCB_SUCCESS));
	snapshot = fixture_snapshot();
	for (; strcmp(family.name, "circuit_breaker_not_permitted_calls_total") != 0; i++)
		cr_assert_eq(promcb_snapshot_family(snapshot, i, &family), 0);
	i--;
	cr_assert_eq(family.labels, 4);
	cr_assert_str_eq(promcb_snapshot_label(snapshot, i, 0), "component");
	cr_assert_str_eq(promcb_snapshot_label(snapshot, i, 1), "op");
	cr_assert_str_eq(promcb_snapshot_label(snapshot, i, 2), "exported_reason");
	cr_assert_str_eq(promcb_snapshot_label(snapshot, i, 3), "reason");
	for (size_t j = 0; j < family.series; j++) {
		struct promcb_series_summary series;
		bool is_labelled = promcb_snapshot_label_value(snapshot, i, j, 1)[0] != 0;
		bool is_of_open = strcmp(promcb_snapshot_label_value(snapshot, i, j, 3), "open") == 0;

		cr_assert_str_eq(promcb_snapshot_label_value(snapshot, i, j, 0), "db");
		cr_assert_str_eq(promcb_snapshot_label_value(snapshot, i, j, 2), is_labelled ? "x" : "");
		promcb_snapshot_series(snapshot, i, j, &series);
		cr_assert_eq(series.number, is_labelled && is_of_open);
	}
	promcb_snapshot_free(snapshot);
}

/* -- What a check finds -------------------------------------------------------------------------------------------- */

static struct promcb_descriptor *descriptor;
static uint64_t *row;

static void spoil_policy(void)
{
	descriptor->policy[(descriptor->selector & 1) * PROMCB_POLICY_WORDS + 1] = 0;
}

static void spoil_mode(void)
{
	descriptor->forced = PROMCB_MODES + 1;
}

static void spoil_permit(void)
{
	descriptor->permits[3] = promcb_permit_word(1, 1, 1000, 1);
}

static void spoil_classes(void)
{
	row[PROMCB_BREAKER_CLASSES_FROM]++;
}

static void spoil_slow(void)
{
	row[PROMCB_BREAKER_SLOW] += 10;
}

static void spoil_ended(void)
{
	row[PROMCB_BREAKER_ENDED]++;
}

static void spoil_history(void)
{
	row[PROMCB_BREAKER_HISTORY + 2 * PROMCB_BREAKER_SLOT_CELLS] = promcb_history_word(1, 4);
}

static const struct damage {
	void (*spoil)(void);
	const char *said;
} damages[] = {
	{spoil_policy, "word 1 of the policy of db is out of range"},
	{spoil_mode, "forced to mode 4, which is none"},
	{spoil_permit, "permit 3 of db is leased to lane 999, which is none"},
	{spoil_classes, "1 failures, and 2 by class"},
	{spoil_slow, "3 ended calls, and in cell 3 10 of them"},
	{spoil_ended, "one was ended twice"},
	{spoil_history, "what it had not counted yet"},
};

static char told[2048];

static void tell(void *context, const char *sentence)
{
	(void)context;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s\n", sentence);
}

static int check(void)
{
	struct promcb_reader *reader;
	int result;

	told[0] = 0;
	cr_assert_eq(promcb_reader_open(fixture_segment, NULL, &reader, NULL), 0);
	result = promcb_reader_check(reader, tell, NULL);
	promcb_reader_close(reader);
	return result;
}

Test(breaker_shared, each_damage_is_found)
{
	struct promcb_breaker *breaker = make(&once);
	uint64_t good_row[PROMCB_BREAKER_CELLS];
	struct promcb_descriptor good;
	uint32_t cell;

	calls(breaker, 2, PROMCB_SUCCESS);
	calls(breaker, 1, PROMCB_FAILURE);
	cell = promcb_series_handle_of(breaker)->at.component;
	row = promcb_row_of_lane(session->segment, 0, cell, PROMCB_BREAKER_CELLS);
	descriptor = promcb_segment_descriptor(session->segment, promcb_component_handle(component)->component);
	cr_assert(row && descriptor);
	cr_assert_eq(check(), 0, "%s", told);
	memcpy(&good, descriptor, sizeof(good));
	memcpy(good_row, row, sizeof(good_row));
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		damages[i].spoil();
		cr_assert_eq(check(), 1, "%s: %s", damages[i].said, told);
		cr_assert_not_null(strstr(told, damages[i].said), "%s: %s", damages[i].said, told);
		memcpy(descriptor, &good, sizeof(good));
		memcpy(row, good_row, sizeof(good_row));
	}
	cr_assert_eq(check(), 0, "%s", told);
}

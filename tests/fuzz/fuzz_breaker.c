/* SPDX-License-Identifier: MIT */
/*
 * fuzz_breaker.c: calls through a breaker whose words in the segment are anything. Nothing is stored elsewhere, nothing
 * crashes, and whatever the words are, a call gets through in bounded time once no mode forbids it.
 *
 * May include: fuzz.h, world.h, guard.h, open.h, row.h. An input is a list of steps, 8 bytes each: what is done, a
 * choice, 16 bits that say where or which, 32 bits of value. The segment is made once, with a breaker in it, and is
 * brought back to that before each input.
 */
#include "fuzz.h"
#include "world.h"

#include "record/guard.h"
#include "record/open.h"
#include "record/row.h"

#include <promcb/breaker_inline.h>
#include <promcb/reader.h>

#include <unistd.h>

enum { STEP_BYTES = 8, STEPS_MAX = 200, TOKENS = 4, PATIENCE = 32, STEP_NS = 50000, DAY_S = 86400 };

#define SECOND_NS ((uint64_t)1000000000)

static struct promcb_session *p;
static struct promcb_component *component;
static struct promcb_breaker *breaker;
static struct promcb_descriptor *descriptor;
static uint64_t *rows[2];       /* this lane's, and that of who has none */
static uint8_t *good;           /* the file as it was made */
static uint64_t good_bytes;
static char path[64];

static struct promcb_token tokens[TOKENS];
static bool under_way[TOKENS];

static uint64_t now_ns(void)
{
	return promcb_guard_clock();
}

static void remove_segment(void)
{
	unlink(path);
}

static void make_segment(void)
{
	struct promcb_options options = {.max_bytes = 1 << 20, .components = 2, .lanes = 2, .recent_samples = 32};
	const struct promcb_policy policy = {.consecutive = 5, .slow_permille = 500, .slow_ns = SECOND_NS};
	uint32_t cell;

	fuzz_world_begin(STEP_NS);
	snprintf(path, sizeof(path), "/dev/shm/promcb-fuzz-%d-breaker", (int)getpid());
	unlink(path);
	atexit(remove_segment);
	FUZZ_REQUIRE(promcb_open(path, &options, &p) == 0, "open %s", path);
	FUZZ_REQUIRE(promcb_component(p, "db", &component) == 0 && promcb_breaker(component, &policy, &breaker) == 0,
		     "breaker");
	for (unsigned i = 0; i < 40; i++)
		if (promcb_allow(breaker, &tokens[0]))
			promcb_done_at(breaker, &tokens[0], 1000, i % 4 ? PROMCB_SUCCESS : PROMCB_TIMEOUT, now_ns());
	cell = promcb_series_handle_of(breaker)->at.component;
	descriptor = promcb_segment_descriptor(p->segment, promcb_component_handle(component)->component);
	rows[0] = promcb_row_of_lane(p->segment, 0, cell, PROMCB_BREAKER_CELLS);
	rows[1] = promcb_row_shared(p->segment, cell, PROMCB_BREAKER_CELLS);
	FUZZ_REQUIRE(descriptor && rows[0] && rows[1], "rows");
	good_bytes = p->segment->geometry.chunks_off + 4 * p->segment->geometry.chunk_bytes;
	FUZZ_REQUIRE(p->segment->geometry.chunks >= 4 && ftruncate(p->segment->data_fd, (off_t)good_bytes) == 0,
		     "memory");
	good = malloc(good_bytes);
	FUZZ_REQUIRE(good, "memory");
	memcpy(good, p->segment->base, good_bytes);
}

static void begin(void)
{
	fuzz_world_begin(STEP_NS);
	memcpy(p->segment->base, good, good_bytes);
	p->segment->no_space_until_ns = 0;
	memset(under_way, 0, sizeof(under_way));
}

/* -- Changes ------------------------------------------------------------------------------------------------------- */

static uint64_t value_of(uint8_t choice, uint32_t raw)
{
	uint64_t ms = now_ns() / 1000000, tag = promcb_state_tag(descriptor->state) + (raw >> 30);

	switch (choice >> 4) {
	case 0:
		return raw & 0xff;
	case 1:
		return promcb_until_word(tag & 0xffff, raw & 0x7f, raw >> 7 & 1, ms + (raw >> 8 & 0xfffff));
	case 2:
		return promcb_result_word(tag & 0xffff, raw & 3, raw >> 2 & 3);
	case 3:
		return promcb_permit_word(tag, raw & 0xff, raw >> 8 & 3, ms + (raw >> 10 & 0xffff));
	case 4:
		return promcb_tagged_word(tag & 0xffff, raw);
	case 5:
		return promcb_state_changed(descriptor->state, raw % 3) ^ (raw & 4 ? PROMCB_STATE_ASIDE : 0);
	case 6:
		return (uint64_t)1 << raw % 64;
	case 7:
		return UINT64_MAX - (raw & 3);
	case 8:
		return now_ns() + raw;
	default:
		return (uint64_t)raw << (choice & 32) | raw;
	}
}

static void change(uint8_t choice, uint16_t where, uint32_t raw)
{
	const size_t first = offsetof(struct promcb_descriptor, state) / 8;
	uint64_t value = value_of(choice, raw);

	switch (choice & 7) {
	case 0:
		promcb_store_relaxed(&rows[where >> 8 & 1][where % PROMCB_BREAKER_CELLS], value);
		break;
	case 1:
		/* Its head. */
		promcb_store_relaxed(rows[where & 1] - 1, value);
		break;
	case 2:
		promcb_store_relaxed(&promcb_segment_lane(p->segment, where & 1)->taken, value);
		break;
	case 3:
		promcb_store_relaxed(&promcb_segment_lane(p->segment, where & 1)->owner_cookie, value);
		break;
	default:
		promcb_store_relaxed((uint64_t *)(void *)descriptor + first + where % (sizeof(*descriptor) / 8 - first),
				     value);
	}
}

/* -- Calls --------------------------------------------------------------------------------------------------------- */

static void end(unsigned i, uint8_t choice, uint32_t raw)
{
	uint64_t latency_ns = choice & 1 ? (uint64_t)raw << (choice >> 4) : 1000;
	uint64_t ended_ns = choice & 2 ? (uint64_t)raw << (choice & 31) : now_ns();

	if (under_way[i])
		promcb_done_at(breaker, &tokens[i], latency_ns, (enum promcb_call_outcome)(raw % 10), ended_ns);
	under_way[i] = false;
}

static void put_policy(uint32_t raw, uint16_t where)
{
	struct promcb_message message;
	struct promcb_policy policy = {
		.version = raw & 3,
		.window_ms = raw >> 2 & 0xfff,
		.min_calls = raw >> 14 & 15,
		.failure_permille = where % 1000,
		.consecutive = where >> 10 & 7,
		.open_ms = raw >> 18 & 0xfff,
		.probes = raw >> 28,
		.mode = where >> 13 & 3,
		.message = &message,
	};
	struct promcb_breaker *again;
	int result = promcb_breaker(component, &policy, &again);

	FUZZ_REQUIRE(again == breaker, "another breaker");
	FUZZ_REQUIRE(result == 0 || message.text[0], "%d without a word", result);
}

static void act(const uint8_t *step)
{
	uint8_t what = step[0] & 15, choice = step[1];
	unsigned i = choice % TOKENS;
	uint16_t where;
	uint32_t raw;

	memcpy(&where, step + 2, sizeof(where));
	memcpy(&raw, step + 4, sizeof(raw));
	if (what < 5) {
		change(choice, where, raw);
	} else if (what < 8) {
		end(i, choice, raw);
		under_way[i] = promcb_allow(breaker, &tokens[i]);
	} else if (what < 10) {
		end(where % TOKENS, choice, raw);
	} else if (what == 10) {
		promcb_breaker_trip(breaker, (uint64_t)raw << (choice & 31));
	} else if (what == 11) {
		promcb_breaker_force(breaker, (enum promcb_mode)(raw % 5));
	} else if (what == 12) {
		promcb_breaker_reset(breaker);
	} else if (what == 13) {
		FUZZ_REQUIRE(promcb_retry_after(breaker) <= 2 * DAY_S * SECOND_NS, "it is to be open for longer");
	} else if (what == 14) {
		fuzz_world_pass((uint64_t)raw << (choice & 15));
	} else {
		put_policy(raw, where);
	}
}

/* -- What must hold ------------------------------------------------------------------------------------------------ */

/* What no call through a breaker writes: the header's fixed part, claims, table, and what descriptors begin with. */
static void check_others(void)
{
	const struct promcb_geometry *g = &p->segment->geometry;

	FUZZ_REQUIRE(memcmp(p->segment->base, good, offsetof(struct promcb_header, metrics)) == 0,
		     "the header is as it was");
	FUZZ_REQUIRE(
		memcmp(p->segment->base + g->claims_off, good + g->claims_off, g->descriptors_off - g->claims_off) == 0,
		"claims and table are as they were");
	for (uint32_t i = 0; i < g->components; i++) {
		uint64_t off = g->descriptors_off + (uint64_t)i * g->descriptor_bytes;

		FUZZ_REQUIRE(memcmp(p->segment->base + off, good + off, offsetof(struct promcb_descriptor, state)) == 0,
			     "descriptor %u is as it was", i);
	}
}

/* Calls go through soon, as those that are let through succeed; a stranger's lease may keep them out until it ends. */
static void check_not_stuck(void)
{
	struct promcb_terms terms;
	struct promcb_token token;
	int closed = 0;

	promcb_breaker_force(breaker, PROMCB_MODE_AUTOMATIC);
	promcb_policy_read(descriptor, &terms);
	for (int round = 0; terms.mode != PROMCB_MODE_OPEN && closed < 2; round++) {
		FUZZ_REQUIRE(round < PATIENCE + UINT8_MAX, "no call gets through");
		fuzz_world_pass((uint64_t)2 * DAY_S * SECOND_NS);
		if (!promcb_allow(breaker, &token))
			continue;
		promcb_done_at(breaker, &token, 0, PROMCB_SUCCESS, now_ns());
		/* Where all is let through, the state is nobody's business. */
		closed += terms.mode == PROMCB_MODE_CLOSED || promcb_state(component) == PROMCB_CLOSED;
	}
}

static void ignore(void *context, const char *sentence)
{
	(void)context;
	(void)sentence;
}

static void read_it(void)
{
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;

	if (promcb_reader_open(path, NULL, &reader, NULL) < 0)
		return;
	promcb_reader_check(reader, ignore, NULL);
	if (promcb_reader_snapshot(reader, NULL, &snapshot, NULL) == 0)
		promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!p)
		make_segment();
	begin();
	for (size_t at = 0; at + STEP_BYTES <= size && at < STEPS_MAX * STEP_BYTES; at += STEP_BYTES)
		act(data + at);
	check_others();
	read_it();
	check_not_stuck();
	check_others();
	return 0;
}

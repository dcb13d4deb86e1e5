/* SPDX-License-Identifier: MIT */
/* What a snapshot says of its sums is true of them: calls, and which octaves hold nothing. */
#include "fixture.h"
#include "snapshot.h"

TestSuite(collect, .init = fixture_begin, .fini = fixture_end);

enum { TEXT_MAX = 1 << 22 };

struct text {
	size_t length;
	char bytes[TEXT_MAX];
};

static int keep(void *context, const void *bytes, size_t length)
{
	struct text *text = context;

	cr_assert_lt(text->length + length, (size_t)TEXT_MAX);
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	return 0;
}

static void render(const struct promcb_snapshot *snapshot, unsigned classic_schema, struct text *text)
{
	const struct promcb_render_options options = {.classic_schema = classic_schema};

	text->length = 0;
	cr_assert_eq(promcb_render(snapshot, PROMCB_FORMAT_TEXT, &options, keep, text), 0);
}

static void check(struct promcb_snapshot *snapshot)
{
	static struct text known, unknown;
	uint64_t empty[64];

	cr_assert_leq(snapshot->count, 64);
	for (size_t i = 0; i < snapshot->count; i++) {
		const struct promcb_snapshot_component *component = &snapshot->components[i];
		uint64_t calls[PROMCB_OUTCOMES] = {0};

		for (uint32_t cell = 0; cell < snapshot->cells; cell++) {
			bool holds = component->cells[0][cell] + component->cells[1][cell] > 0;

			cr_assert(!holds || !(component->empty >> (cell >> snapshot->schema) & 1), "%s, cell %u",
				  component->name, cell);
			for (unsigned outcome = 0; outcome < PROMCB_OUTCOMES; outcome++)
				calls[outcome] += component->cells[outcome][cell];
		}
		cr_assert_eq(calls[0], component->calls[0]);
		cr_assert_eq(calls[1], component->calls[1]);
		empty[i] = component->empty;
	}
	/* What is printed does not depend on it. */
	for (unsigned classic_schema = 0; classic_schema <= 3; classic_schema++) {
		for (size_t i = 0; i < snapshot->count; i++)
			snapshot->components[i].empty = empty[i];
		render(snapshot, classic_schema, &known);
		for (size_t i = 0; i < snapshot->count; i++)
			snapshot->components[i].empty = 0;
		render(snapshot, classic_schema, &unknown);
		cr_assert_eq(known.length, unknown.length);
		cr_assert_eq(memcmp(known.bytes, unknown.bytes, known.length), 0);
	}
}

Test(collect, empty_octaves_are_empty)
{
	for (uint32_t schema = 3; schema <= 5; schema++) {
		const struct promcb_options options = {.schema = schema};
		struct promcb_snapshot *snapshot;

		fixture_end();
		struct promcb *p = fixture_open(&options);
		struct promcb_component *all = fixture_component(p, "all");

		fixture_component(p, "idle");
		for (unsigned octave = 0; octave <= 40; octave++) {
			char name[16];

			snprintf(name, sizeof(name), "octave_%u", octave);
			promcb_record(fixture_component(p, name), (uint64_t)1 << octave, octave % 3 != 0);
			promcb_record(all, ((uint64_t)1 << octave) + 1, octave % 3 == 0);
		}
		promcb_record(all, 0, true);
		snapshot = fixture_snapshot();
		/* One octave of 41 holds something, or two. */
		cr_assert_geq(__builtin_popcountll(snapshot->components[2].empty), 62);
		check(snapshot);
		promcb_snapshot_free(snapshot);

		cr_assert_eq(promcb_reset_all(p), 0);
		promcb_record(all, 1000, true);
		snapshot = fixture_snapshot();
		check(snapshot);
		promcb_snapshot_free(snapshot);
		promcb_close(p);
	}
}

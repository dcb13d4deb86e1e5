/* SPDX-License-Identifier: MIT */
/* breaker_check: --check finds each damage of a breaker's words and rows, and nothing where there is none. */
#include "breaking.h"
#include "checking.h"

#include "format/breaker.h"
#include "record/open.h"
#include "record/row.h"

TestSuite(breaker_check, .init = fixture_begin, .fini = fixture_end, .timeout = 60);

/* How many findings there are, each of which has the part. */
static int findings(const char *part)
{
	struct told told;
	int result = check(&told);

	cr_assert_eq(result, told.count);
	cr_assert(result == 0 || strstr(told.sentences, part), "\"%s\" is not said: %s", part, told.sentences);
	return result;
}

static void spoil(uint64_t *word, uint64_t value, const char *part)
{
	uint64_t good = promcb_load_relaxed(word);

	promcb_store_relaxed(word, value);
	cr_assert_geq(findings(part), 1, "\"%s\" is not found", part);
	promcb_store_relaxed(word, good);
	cr_assert_eq(findings(""), 0);
}

Test(breaker_check, each_damage_is_found)
{
	static const struct promcb_policy policy = {.version = 3, .consecutive = 2, .open_ms = 1000, .min_calls = 1000};
	struct promcb_breaker *breaker = make(&policy);
	struct promcb_segment *segment = session->segment;
	uint32_t cell;

	calls(breaker, 3, PROMCB_SUCCESS);
	calls(breaker, 1, PROMCB_FAILURE);
	cr_assert_eq(findings(""), 0);
	struct promcb_descriptor *descriptor =
		promcb_segment_descriptor(segment, promcb_component_handle(component)->component);
	uint64_t *terms = descriptor->policy + (descriptor->selector & 1) * PROMCB_POLICY_WORDS;

	spoil(&terms[0], UINT64_MAX, "of the policy of db is out of range");
	spoil(&descriptor->forced, 99, "the breaker of db is forced to mode 98, which is none");
	spoil(&descriptor->permits[1], UINT64_MAX, "permit 1 of db is leased to lane");

	cell = promcb_series_handle_of(breaker)->at.component;
	for (uint32_t lane = 0; lane < segment->geometry.lanes; lane++) {
		uint64_t *row = promcb_row_of_lane(segment, lane, cell, PROMCB_BREAKER_CELLS);

		if (!row)
			continue;
		spoil(&row[PROMCB_BREAKER_CLASSES_FROM], 7, "has 1 failures, and 7 by class");
		spoil(&row[PROMCB_BREAKER_SLOW], 9, "has 4 ended calls, and in cell 3 9 of them");
		spoil(&row[PROMCB_BREAKER_BEGUN], 1, "has more calls that ended than began");
		spoil(&row[PROMCB_BREAKER_HISTORY], promcb_history_word(0, 1000), "what it had not counted yet");
	}
}

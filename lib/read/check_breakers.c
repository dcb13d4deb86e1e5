/* SPDX-License-Identifier: MIT */
/*
 * check_breakers.c: what can be seen from outside of format/breaker.h. Calls may go on meanwhile, and nothing that they
 * do is a finding: of two words of a row the one that is counted second is loaded first.
 *
 * Invariants that are looked at
 *   - What a policy says is in range, and nothing is said that means nothing.
 *   - The mode that an operator wants is one; whom a permit is leased to is a lane, or nobody.
 *   - Of a row, what failed, was slow or ignored has ended, failures have a class each, and no more ended here than
 *     began here or in another row.
 *   - The history of a row is what it counted before.
 */
#include "format/terms.h"
#include "read/findings.h"

static void check_policy(struct promcb_findings *findings, const char *name, const struct promcb_descriptor *descriptor)
{
	const uint64_t *words = descriptor->policy + (descriptor->selector & 1) * PROMCB_POLICY_WORDS;
	uint64_t again[PROMCB_POLICY_WORDS];
	struct promcb_terms terms;

	promcb_terms_unpack(words, &terms);
	promcb_terms_pack(&terms, again);
	for (uint32_t i = 0; i < PROMCB_POLICY_WORDS; i++)
		if (words[i] != again[i])
			promcb_find(findings, "word %u of the policy of %s is out of range", i, name);
}

static void check_descriptor(struct promcb_findings *findings, const char *name, uint32_t lanes,
			     const struct promcb_descriptor *descriptor)
{
	if (descriptor->selector)
		check_policy(findings, name, descriptor);
	if (descriptor->forced > PROMCB_MODE_WORDS)
		promcb_find(findings, "the breaker of %s is forced to mode %llu, which is none", name,
			    (unsigned long long)descriptor->forced - 1);
	for (uint32_t i = 0; i < PROMCB_PERMITS; i++)
		if (promcb_permit_lane(descriptor->permits[i]) > lanes)
			promcb_find(findings, "permit %u of %s is leased to lane %u, which is none", i, name,
				    promcb_permit_lane(descriptor->permits[i]) - 1);
}

void promcb_check_breakers(struct promcb_findings *findings, const struct promcb_catalog *image,
			   struct promcb_source *source)
{
	const struct promcb_geometry *g = image->geometry;
	struct promcb_descriptor copy;

	for (uint32_t i = 0; i < image->count && !promcb_source_is_late(source); i++) {
		const struct promcb_catalog_component *component = &image->components[i];
		const uint64_t *words = promcb_source_view(
			source, g->descriptors_off + (uint64_t)component->component * g->descriptor_bytes, sizeof(copy),
			&copy);
		uint64_t selector = 0;

		/* A policy that was put in force while it was copied is looked at the next time. */
		for (int round = 0; words && round < 2; round++) {
			/* [POLICY] acquire: the selector before the copy. */
			selector = promcb_load_acquire(words + offsetof(struct promcb_descriptor, selector) / 8);
			for (size_t j = 0; j < sizeof(copy) / sizeof(*words); j++) {
				/* [POLICY] acquire: and the copy before the selector again. */
				uint64_t word = promcb_load_acquire(&words[j]);

				memcpy((uint8_t *)&copy + j * sizeof(word), &word, sizeof(word));
			}
			if (promcb_load_relaxed(words + offsetof(struct promcb_descriptor, selector) / 8) == selector)
				break;
			copy.selector = 0;
		}
		if (words)
			check_descriptor(findings, component->name.text, g->lanes, &copy);
	}
}

/* The words that are counted later first. */
static void load_row(const uint64_t *cells, uint64_t loaded[PROMCB_BREAKER_CELLS])
{
	static const uint8_t last[] = {PROMCB_BREAKER_FAILED, PROMCB_BREAKER_SLOW,    PROMCB_BREAKER_IGNORED,
				       PROMCB_BREAKER_ENDED,  PROMCB_BREAKER_FOREIGN, PROMCB_BREAKER_ELSEWHERE,
				       PROMCB_BREAKER_BEGUN};

	for (uint32_t i = 0; i < PROMCB_BREAKER_CELLS; i++)
		/* [LATE] acquire: failures by class before failures, and the history before what it is of. */
		loaded[i] = promcb_load_acquire(&cells[i]);
	for (uint32_t i = 0; i < sizeof(last); i++)
		loaded[last[i]] = promcb_load_acquire(&cells[last[i]]); /* [LATE] */
}

void promcb_check_breaker_row(struct promcb_findings *findings, const uint64_t *words, uint32_t place)
{
	static const uint8_t noted[PROMCB_BREAKER_SLOT_CELLS] = {PROMCB_BREAKER_ENDED, PROMCB_BREAKER_FAILED,
								 PROMCB_BREAKER_SLOW, PROMCB_BREAKER_IGNORED};
	uint64_t cells[PROMCB_BREAKER_CELLS], classes = 0;

	load_row(words + 1, cells);
	for (uint32_t i = 0; i < PROMCB_BREAKER_CLASSES; i++)
		classes += cells[PROMCB_BREAKER_CLASSES_FROM + i];
	if (classes > cells[PROMCB_BREAKER_FAILED])
		promcb_find(findings, "the row at %u has %llu failures, and %llu by class", place,
			    (unsigned long long)cells[PROMCB_BREAKER_FAILED], (unsigned long long)classes);
	for (uint32_t i = 1; i < PROMCB_BREAKER_SLOT_CELLS; i++)
		if (cells[noted[i]] > cells[PROMCB_BREAKER_ENDED])
			promcb_find(findings, "the row at %u has %llu ended calls, and in cell %u %llu of them", place,
				    (unsigned long long)cells[PROMCB_BREAKER_ENDED], noted[i],
				    (unsigned long long)cells[noted[i]]);
	if (cells[PROMCB_BREAKER_ENDED] + cells[PROMCB_BREAKER_ELSEWHERE] >
	    cells[PROMCB_BREAKER_BEGUN] + cells[PROMCB_BREAKER_FOREIGN])
		promcb_find(findings, "the row at %u has more calls that ended than began: one was ended twice", place);
	for (uint32_t i = 0; i < PROMCB_BREAKER_SLOTS * PROMCB_BREAKER_SLOT_CELLS; i++) {
		uint64_t before = promcb_history_count(cells[PROMCB_BREAKER_HISTORY + i]);

		if (((cells[noted[i % PROMCB_BREAKER_SLOT_CELLS]] - before) & PROMCB_HISTORY_MASK) >
		    PROMCB_HISTORY_MASK / 2)
			promcb_find(findings, "the row at %u has in its history what it had not counted yet", place);
	}
}

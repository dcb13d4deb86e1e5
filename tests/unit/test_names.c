/* SPDX-License-Identifier: MIT */
/* names.h, hints.h: every name is found, by a hint wherever it can be, and none is found for another. */
#include "record/names.h"

#include <criterion/criterion.h>
#include <promcb/admin.h>
#include <promcb/promcb.h>
#include <promcb/reader.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SEED = 12345, MANY = 70000, LENGTHS = 140, PAGE = 4096 };

static void *find_at(struct promcb_names *names, const char *name, size_t length)
{
	void *found = promcb_hints_find_at(&names->hints, name, length);

	return found ? found : promcb_names_find_again(names, name, length);
}

static void *value_of(size_t i)
{
	return (void *)(uintptr_t)(i + 1);
}

static void put(struct promcb_names *names, const char *name, size_t length, void *value)
{
	const char *key = promcb_names_keep(names, name, length);

	cr_assert_not_null(key);
	cr_assert_eq(memcmp(key, name, length), 0);
	cr_assert_eq(promcb_names_put(names, key, length, value), 0);
}

Test(names, every_name_is_found_however_many_there_are)
{
	static struct promcb_names names;
	static char kept[MANY][24];
	size_t hinted = 0, looked = 0;

	cr_assert_eq(promcb_names_start(&names, SEED), 0);
	for (size_t i = 0; i < MANY; i++) {
		snprintf(kept[i], sizeof(kept[i]), "route_%zu", i * 7919);
		put(&names, kept[i], strlen(kept[i]), value_of(i));
		/* Whenever there may have been more room just now, all; else some. */
		for (size_t k = 0; k <= i; k += (i & (i + 1)) == 0 ? 1 : 1 + i / 4, looked++) {
			cr_assert_eq(promcb_names_find(&names, kept[k], strlen(kept[k])), value_of(k));
			cr_assert_eq(find_at(&names, kept[k], strlen(kept[k])), value_of(k));
		}
	}
	cr_assert_gt(looked, MANY);
	for (size_t i = 0; i < MANY; i++) {
		char other[32];

		hinted += promcb_hints_find(&names.hints, kept[i], strlen(kept[i])) != NULL;
		snprintf(other, sizeof(other), "route_%zu", i * 7919 + 1);
		cr_assert_null(promcb_names_find(&names, other, strlen(other)));
		cr_assert_null(find_at(&names, other, strlen(other)));
	}
	/* The hash is keyed, and the key is always the same here. */
	cr_assert_geq(hinted, MANY - MANY / 200, "%zu of %d names have a hint", hinted, MANY);
}

/* Each length, each byte: one that differs is another name. A zero may be any of them. */
Test(names, one_byte_makes_another_name)
{
	static struct promcb_names names;
	char text[LENGTHS];

	cr_assert_eq(promcb_names_start(&names, SEED), 0);
	for (size_t length = 0; length < LENGTHS; length++) {
		memset(text, 'n', length);
		put(&names, text, length, value_of(length));
	}
	for (size_t length = 0; length < LENGTHS; length++) {
		memset(text, 'n', length);
		cr_assert_eq(promcb_hints_find(&names.hints, text, length), value_of(length));
		for (size_t at = 0; at < length; at++)
			for (unsigned bit = 0; bit < 8; bit++) {
				text[at] = (char)('n' ^ 1 << bit);
				cr_assert_null(promcb_names_find(&names, text, length));
				/* The hint by its address is of the name without the change. */
				text[at] = 'n';
				cr_assert_eq(find_at(&names, text, length), value_of(length));
				text[at] = (char)('n' ^ 1 << bit);
				cr_assert_null(find_at(&names, text, length));
				text[at] = 'n';
			}
	}
}

/* Not a byte behind a name is read: it may be the last that there is. */
Test(names, no_byte_behind_a_name_is_read)
{
	static struct promcb_names names;
	char *pages = mmap(NULL, (size_t)2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(pages, MAP_FAILED);
	cr_assert_eq(mprotect(pages + PAGE, PAGE, PROT_NONE), 0);
	cr_assert_eq(promcb_names_start(&names, SEED), 0);
	memset(pages, 'n', PAGE);
	for (size_t length = 0; length < LENGTHS; length += 2)
		put(&names, pages, length, value_of(length));
	for (size_t length = 0; length < LENGTHS; length++) {
		const char *name = pages + PAGE - length;
		void *expected = length % 2 ? NULL : value_of(length);

		for (unsigned again = 0; again < 2; again++) {
			cr_assert_eq(promcb_names_find(&names, name, length), expected);
			cr_assert_eq(find_at(&names, name, length), expected);
		}
	}
	munmap(pages, (size_t)2 * PAGE);
}

/* Two tables know nothing of one another, whatever they were asked with. */
Test(names, the_same_memory_in_two_tables)
{
	static struct promcb_names one, other;
	char name[] = "payments";

	cr_assert_eq(promcb_names_start(&one, SEED), 0);
	cr_assert_eq(promcb_names_start(&other, SEED), 0);
	put(&one, name, strlen(name), value_of(1));
	cr_assert_eq(find_at(&one, name, strlen(name)), value_of(1));
	cr_assert_null(find_at(&other, name, strlen(name)));
	put(&other, name, strlen(name), value_of(2));
	for (unsigned again = 0; again < 3; again++) {
		cr_assert_eq(find_at(&one, name, strlen(name)), value_of(1));
		cr_assert_eq(find_at(&other, name, strlen(name)), value_of(2));
	}
}

/* -- Through the library ------------------------------------------------------------------------------------------ */

static char segment[64];
static struct promcb_session *metrics;

static void start(void)
{
	snprintf(segment, sizeof(segment), "/promcb-unit-names-%d", (int)getpid());
	cr_assert_eq(promcb_open(segment, NULL, &metrics), 0);
}

static void end(void)
{
	promcb_close(metrics);
	promcb_remove(segment, true, NULL);
}

TestSuite(by_name, .init = start, .fini = end);

static uint64_t calls_of(const char *of, const char *name)
{
	struct promcb_summary summary;
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;

	cr_assert_eq(promcb_reader_open(of, NULL, &reader, NULL), 0);
	cr_assert_eq(promcb_reader_snapshot(reader, NULL, &snapshot, NULL), 0);
	cr_assert_eq(promcb_snapshot_find(snapshot, name, &summary), 0, "no %s", name);
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
	return summary.total_calls;
}

/* One buffer, and another name in it at each call. */
Test(by_name, a_buffer_with_a_new_name)
{
	char name[PROMCB_NAME_MAX + 1];

	for (unsigned call = 0; call < 5000; call++) {
		snprintf(name, sizeof(name), "%s_%u", call % 3 ? "a name of some more bytes than a word" : "n",
			 call % 7);
		cr_assert_eq(promcb_call(metrics, name, 0.001, true), 0);
	}
	for (unsigned i = 0; i < 7; i++) {
		uint64_t others = 0, short_names = 0;

		for (unsigned call = 0; call < 5000; call++)
			if (call % 7 == i)
				*(call % 3 ? &others : &short_names) += 1;
		snprintf(name, sizeof(name), "n_%u", i);
		cr_assert_eq(calls_of(segment, name), short_names);
		snprintf(name, sizeof(name), "a name of some more bytes than a word_%u", i);
		cr_assert_eq(calls_of(segment, name), others);
	}
}

/* The same memory as a name in two segments, one of which is closed and opened in between. */
Test(by_name, two_segments_by_turns)
{
	static const char name[] = "payments";
	char second[80];
	struct promcb_session *others;

	snprintf(second, sizeof(second), "%s-second", segment);
	for (unsigned round = 0; round < 20; round++) {
		cr_assert_eq(promcb_open(second, NULL, &others), 0);
		for (unsigned call = 0; call < 10; call++) {
			cr_assert_eq(promcb_call(metrics, name, 0.001, true), 0);
			cr_assert_eq(promcb_call(others, name, 0.001, call % 2), 0);
			cr_assert_eq(promcb_call(others, name, 0.001, call % 2), 0);
		}
		promcb_close(others);
	}
	cr_assert_eq(calls_of(segment, name), 200);
	cr_assert_eq(calls_of(second, name), 400);
	promcb_remove(second, true, NULL);
}

/* What a component with labels is kept under is no name, and what is trimmed from one is no part of it. */
Test(by_name, names_as_they_are_given)
{
	const struct promcb_label label = {"op", "read"};
	struct promcb_component *plain, *labelled, *found;

	cr_assert_eq(promcb_component(metrics, "db", &plain), 0);
	cr_assert_eq(promcb_component_with(metrics, "db", &label, 1, &labelled), 0);
	cr_assert_neq(plain, labelled);
	for (unsigned again = 0; again < 2; again++) {
		cr_assert_eq(promcb_component(metrics, " db\n", &found), 0);
		cr_assert_eq(found, plain);
		cr_assert_eq(promcb_component(metrics, "db", &found), 0);
		cr_assert_eq(found, plain);
		cr_assert_eq(promcb_component_with(metrics, "db", &label, 1, &found), 0);
		cr_assert_eq(found, labelled);
		cr_assert_eq(promcb_component(metrics,
					      "\x01"
					      "db{op=\"read\"}",
					      &found),
			     -EINVAL);
		cr_assert_eq(promcb_call(metrics,
					 "\x01"
					 "db{op=\"read\"}",
					 0.001, true),
			     -EINVAL);
	}
	cr_assert_eq(calls_of(segment, "_overflow"), 2);
}

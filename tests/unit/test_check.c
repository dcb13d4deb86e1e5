/* SPDX-License-Identifier: MIT */
/*
 * --check looks at everything that it says it looks at: each kind of damage alone is one finding, and named. And what
 * is of a newer kind is no damage, and passed over by everybody.
 */
#include "checking.h"

#include "format/layout.h"

#include <sys/mman.h>
#include <sys/wait.h>

TestSuite(check, .init = fixture_begin, .fini = fixture_end);

/* A good segment in memory, whose bytes can be spoiled. */
static struct segment {
	uint8_t *base;
	size_t bytes;
	const struct promcb_geometry *geometry;
} segment;

enum { ALPHA_CALLS = 200, BETA_CALLS = 3, OTHER_CALLS = 5 };

/* Two components, one with a full ring, in a lane of this process and in one of another that has ended. */
static struct promcb_session *make(void)
{
	const struct promcb_options options = {.components = 16, .lanes = 8, .recent_samples = 64};
	struct promcb_session *p = fixture_open(&options);
	struct promcb_component *alpha = fixture_component(p, "alpha"), *beta = fixture_component(p, "beta");
	int fd = open(fixture_segment, O_RDWR | O_CLOEXEC);
	struct stat status;
	pid_t child;

	for (int i = 0; i < ALPHA_CALLS; i++)
		promcb_record(alpha, 1000, true);
	for (int i = 0; i < BETA_CALLS; i++)
		promcb_record(beta, 1000, true);
	child = fork();
	for (int i = 0; child == 0 && i < OTHER_CALLS; i++)
		promcb_record(alpha, 1000, true);
	if (child == 0)
		_exit(0);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_eq(fstat(fd, &status), 0);
	segment.bytes = (size_t)status.st_size;
	segment.base = mmap(NULL, segment.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert_neq((void *)segment.base, MAP_FAILED);
	segment.geometry = &((const struct promcb_header *)(void *)segment.base)->geometry;
	close(fd);
	return p;
}

static void *at(uint64_t off)
{
	return segment.base + off;
}

static struct promcb_descriptor *descriptor_of(const char *name, uint32_t *component)
{
	for (uint32_t i = 0; i < segment.geometry->components; i++) {
		struct promcb_descriptor *descriptor =
			at(segment.geometry->descriptors_off + (uint64_t)i * segment.geometry->descriptor_bytes);

		*component = i;
		if (strcmp(descriptor->name, name) == 0)
			return descriptor;
	}
	cr_assert_fail("no component %s", name);
	return NULL;
}

static uint64_t *slot_of(uint32_t component)
{
	uint64_t *table = at(segment.geometry->table_off);

	for (uint32_t slot = 0; slot < segment.geometry->table_slots; slot++)
		if (table[slot] && promcb_table_component(table[slot]) == component)
			return &table[slot];
	cr_assert_fail("component %u is in no slot", component);
	return NULL;
}

static uint32_t *directory_of(uint32_t lane)
{
	return at(segment.geometry->directories_off +
		  (uint64_t)lane * segment.geometry->directory_words * sizeof(uint32_t));
}

/* The block of a component in a lane. */
static struct promcb_block *block_in(uint32_t lane, const char *name)
{
	uint32_t component;

	descriptor_of(name, &component);
	uint32_t number = directory_of(lane)[component];

	cr_assert_neq(number, 0, "%s has no block in lane %u", name, lane);
	return at(promcb_block_off(segment.geometry, number - 1));
}

static uint32_t *chunk_word_of(const void *inside)
{
	uint64_t off = (uint64_t)((const uint8_t *)inside - segment.base) - segment.geometry->chunks_off;
	uint32_t *words = at(segment.geometry->chunk_table_off);

	return &words[off / segment.geometry->chunk_bytes];
}

/* -- Damage -------------------------------------------------------------------------------------------------------- */

static void spoil_name(void)
{
	uint32_t component;

	descriptor_of("alpha", &component)->name[0] = 'b';
}

static void spoil_padding(void)
{
	uint32_t component;

	descriptor_of("alpha", &component)->name[100] = 'x';
}

static void spoil_descriptor_hash(void)
{
	uint32_t component;

	descriptor_of("alpha", &component)->hash ^= 1;
}

/* The table's hash alone, in a bit that does not say where the slot is. */
static void spoil_table_hash(void)
{
	uint32_t component;

	descriptor_of("alpha", &component);
	*slot_of(component) ^= (uint64_t)1 << 63;
}

/* Right in every word, and behind a free slot. */
static void spoil_slot(void)
{
	uint64_t *table = at(segment.geometry->table_off), word;
	uint32_t component, mask = segment.geometry->table_slots - 1;

	descriptor_of("alpha", &component);
	/* The last of a run: a slot that is free in the midst of one hides those behind it, too. */
	for (uint32_t i = (uint32_t)(slot_of(component) - table); table[(i + 1) & mask]; i = (i + 1) & mask)
		component = promcb_table_component(table[(i + 1) & mask]);
	word = *slot_of(component);
	*slot_of(component) = 0;
	uint32_t slot = ((uint32_t)promcb_table_hash(word) + segment.geometry->table_slots / 2) & mask;

	while (table[slot] || slot == ((uint32_t)promcb_table_hash(word) & mask))
		slot = (slot + 1) & mask;
	table[slot] = word;
}

static uint32_t *claim_of(const char *name)
{
	uint32_t component;

	descriptor_of(name, &component);
	return (uint32_t *)at(segment.geometry->claims_off) + component;
}

static void spoil_claim(void)
{
	*claim_of("alpha") = 0;
}

static void spoil_claim_lane(void)
{
	*claim_of("alpha") = 99;
}

static void set_chunk(uint32_t *word, uint32_t kind, uint32_t carved, uint32_t lane)
{
	*word = promcb_chunk_word(kind, carved, lane);
}

static void spoil_chunk_kind(void)
{
	uint32_t *words = at(segment.geometry->chunk_table_off);

	set_chunk(&words[segment.geometry->chunks - 1], 0, 0, 0);
}

static void spoil_chunk_lane(void)
{
	uint32_t *words = at(segment.geometry->chunk_table_off);

	set_chunk(&words[segment.geometry->chunks - 1], PROMCB_CHUNK_BLOCKS, 0, 99);
}

static void spoil_chunk_carved(void)
{
	uint32_t *words = at(segment.geometry->chunk_table_off);

	set_chunk(&words[segment.geometry->chunks - 1], PROMCB_CHUNK_BLOCKS, PROMCB_CARVED_MAX, 0);
}

static void spoil_chunk_count(void)
{
	uint32_t *word = chunk_word_of(block_in(0, "alpha"));

	set_chunk(word, PROMCB_CHUNK_BLOCKS, 0, promcb_chunk_lane(*word));
}

static void spoil_block_kind(void)
{
	block_in(0, "beta")->kind = PROMCB_BLOCK_OVERFLOW;
}

static void spoil_overflow_kind(void)
{
	uint32_t component, number = descriptor_of("beta", &component)->overflow;

	((struct promcb_block *)at(promcb_block_off(segment.geometry, number - 1)))->kind = 99;
}

static void spoil_block_component(void)
{
	block_in(0, "beta")->component_lane += (uint64_t)1 << 32;
}

static void spoil_ring_range(void)
{
	block_in(0, "alpha")->ring = 1000000;
}

static void spoil_ring_shared(void)
{
	cr_assert_neq(block_in(0, "alpha")->ring, 0);
	block_in(0, "beta")->ring = block_in(0, "alpha")->ring;
}

static void spoil_ring_lane(void)
{
	cr_assert_neq(block_in(0, "alpha")->ring, 0);
	block_in(1, "alpha")->ring = block_in(0, "alpha")->ring;
	block_in(0, "alpha")->ring = 0;
}

static const struct damage {
	const char *what;
	void (*spoil)(void);
	const char *said;
} damages[] = {
	{"name", spoil_name, "has the hash of another name"},
	{"padding", spoil_padding, "has bytes behind its name"},
	{"hash of the descriptor", spoil_descriptor_hash, "another hash in its descriptor"},
	{"hash of the table", spoil_table_hash, "by another name's hash"},
	{"slot", spoil_slot, "where nobody looks for it"},
	{"claim", spoil_claim, "nobody claimed its descriptor"},
	{"claim's lane", spoil_claim_lane, "is claimed by lane 98, which is none"},
	{"chunk's kind", spoil_chunk_kind, "has kind 0, which is none"},
	{"chunk's lane", spoil_chunk_lane, "belongs to lane 99, which is none"},
	{"chunk's count", spoil_chunk_carved, "carved, more than fit"},
	{"chunk's count, less", spoil_chunk_count, "which was never carved"},
	{"block's kind", spoil_block_kind, "none that may be listed so"},
	{"overflow block's kind", spoil_overflow_kind, "none that may be listed so"},
	{"block's component", spoil_block_component, "says it is another's"},
	{"ring's number", spoil_ring_range, "which is out of range"},
	{"ring of two", spoil_ring_shared, "with another"},
	{"ring's lane", spoil_ring_lane, "which is another lane's"},
};

Test(check, each_damage_is_found)
{
	struct told told;

	make();
	uint8_t *good = malloc(segment.bytes);

	memcpy(good, segment.base, segment.bytes);
	cr_assert_eq(check(&told), 0, "%s", told.sentences);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		damages[i].spoil();
		cr_assert_eq(check(&told), 1, "%s: %d findings: %s", damages[i].what, told.count, told.sentences);
		cr_assert_not_null(strstr(told.sentences, damages[i].said), "%s: %s", damages[i].what, told.sentences);
		memcpy(segment.base, good, segment.bytes);
		cr_assert_eq(check(&told), 0, "%s is not mended: %s", damages[i].what, told.sentences);
	}
	free(good);
}

/* -- Newer kinds --------------------------------------------------------------------------------------------------- */

/* The dead lane's block of alpha is of a kind to come: not counted, not recorded in, not reset, no finding. */
Test(check, newer_block_is_passed_over)
{
	struct promcb_session *p = make();
	struct promcb_block *block = block_in(1, "alpha"), before;
	struct told told;
	pid_t child;

	cr_assert_eq(fixture_summary("alpha").total_calls, ALPHA_CALLS + OTHER_CALLS);
	block->kind = PROMCB_BLOCK_BASELINE + 1;
	before = *block;
	cr_assert_eq(fixture_summary("alpha").total_calls, ALPHA_CALLS);
	cr_assert_eq(check(&told), 0, "%s", told.sentences);
	/* Who takes the lane over records beside it. */
	child = fork();
	if (child == 0) {
		promcb_record(fixture_component(p, "alpha"), 1000, true);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_eq(fixture_summary("alpha").total_calls, ALPHA_CALLS + 1);
	cr_assert_eq(promcb_reset(p, "alpha"), 0);
	promcb_record(fixture_component(p, "alpha"), 1000, true);
	cr_assert_eq(fixture_summary("alpha").total_calls, 1);
	cr_assert_eq(memcmp(&before, block, sizeof(before)), 0);
	cr_assert_eq(check(&told), 0, "%s", told.sentences);
}

/* A descriptor of a kind to come is no component, whatever its name; who wants that name gets another. */
Test(check, newer_descriptor_is_passed_over)
{
	struct promcb_session *p = make();
	struct promcb_descriptor *descriptor, before;
	uint32_t component;
	struct told told;
	pid_t child;

	if (getenv("MESON_EXE_WRAPPER"))
		cr_skip_test("an emulator runs no other program");
	descriptor = descriptor_of("beta", &component);
	descriptor->kind = PROMCB_DESCRIPTOR_LABELLED + 1;
	/* What it leads to is nobody's business. */
	descriptor->overflow = 0xa5a5a5a5;
	directory_of(0)[component] = 0xa5a5a5a5;
	before = *descriptor;
	cr_assert(!fixture_lists("beta"));
	cr_assert_eq(fixture_info().components, 1);
	cr_assert_eq(check(&told), 0, "%s", told.sentences);
	cr_assert_eq(promcb_reset(p, "beta"), -ENOENT);
	cr_assert_eq(promcb_reset_all(p), 0);
	/* A producer that never heard of it: names that a process has looked up before it remembers. */
	child = fork();
	if (child == 0) {
		execl("/bin/sh", "sh", "-c", "exec \"$PROMCB_BUILD/tools/promcb-record\" -s \"$0\" beta --success",
		      fixture_segment, NULL);
		_exit(127);
	}
	int status;

	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	cr_assert_eq(fixture_summary("beta").total_calls, 1);
	cr_assert_eq(check(&told), 0, "%s", told.sentences);
	cr_assert_eq(memcmp(&before, descriptor, sizeof(before)), 0);
}

/* A component with labels whose name has none in the form that they have. */
Test(check, labels_that_are_none_are_found)
{
	struct promcb_session *p = make();
	struct promcb_label label = {"op", "read"};
	struct promcb_component *found;
	struct told told;
	uint32_t component;

	cr_assert_eq(promcb_component_with(p, "db", &label, 1, &found), 0);
	cr_assert_eq(check(&told), 0, "%s", told.sentences);
	/* Behind the end of what is looked at. */
	descriptor_of("db{op=\"read\"}", &component)->name_more[103] = 'x';
	cr_assert_eq(check(&told), 1, "%s", told.sentences);
	cr_assert(strstr(told.sentences, "has bytes behind its name"), "%s", told.sentences);
	descriptor_of("db{op=\"read\"}", &component)->name_more[103] = 0;
	descriptor_of("beta", &component)->kind = PROMCB_DESCRIPTOR_LABELLED;
	cr_assert_gt(check(&told), 0);
	cr_assert(strstr(told.sentences, "a component's name is no name"), "%s", told.sentences);
}

/* A chunk of a kind to come is somebody's, and nothing is looked for in it. */
Test(check, newer_chunk_is_passed_over)
{
	struct promcb_session *p = make();
	uint32_t *words = at(segment.geometry->chunk_table_off), *word = words;
	struct told told;

	while (*word)
		word++;
	set_chunk(word, PROMCB_CHUNK_PARTS + 1, PROMCB_CARVED_MAX, 0xabcd);
	uint32_t before = *word;

	cr_assert_eq(check(&told), 0, "%s", told.sentences);
	for (int i = 0; i < 10; i++) {
		char name[16];

		snprintf(name, sizeof(name), "more%d", i);
		for (int k = 0; k < 100; k++)
			promcb_record(fixture_component(p, name), 1000, true);
		cr_assert_eq(fixture_summary(name).total_calls, 100);
	}
	cr_assert_eq(*word, before);
	cr_assert_eq(check(&told), 0, "%s", told.sentences);
}

/* SPDX-License-Identifier: MIT */
/*
 * golden: makes the segments that are kept in tests/golden/segments, and does to copies of them what time will do.
 *
 *   golden make calls|lanes|resets|outcomes|series|labels|breakers SEGMENT
 *                                            a segment by a fixed recipe
 *   golden more SEGMENT                      a producer of today attaches and records
 *   golden minor|major|abi SEGMENT           the segment of a newer minor version, with bytes in every reserved place;
 *                                            of a newer major one; of another kind of machine
 *   golden samples SEGMENT                   moves the lanes' samples of another boot to some seconds ago, here
 *
 * Recipes say what stands in a segment but for its identity, its boot, and the times of its creation, last failures
 * and changes of state, which stay what they were when it was made.
 */
#include "../stress/stress.h"

#include "golden.h"

#include "base/clock_domain.h"
#include "format/layout.h"
#include "record/open.h"

#include <promcb/metric.h>

#include <fcntl.h>
#include <stddef.h>

static const char *segment;

static struct promcb_session *attach(const struct promcb_options *options)
{
	struct promcb_options ours = options ? *options : (struct promcb_options){.max_bytes = 0};
	struct promcb_message message = {.text = ""};
	struct promcb_session *p;

	ours.message = &message;
	int result = promcb_open(segment, &ours, &p);

	if (result < 0) {
		fprintf(stderr, "%s\n", message.text);
		exit(1);
	}
	return p;
}

/* -- Recipes ------------------------------------------------------------------------------------------------------ */

/* Times of a recipe, after its boot: of calls, of resets, of calls after resets. */
#define BEFORE_NS ((uint64_t)1000000000)
#define RESET_NS ((uint64_t)1500000000)
#define AFTER_NS ((uint64_t)2000000000)

static uint64_t when_ns = BEFORE_NS;

/* count calls of latencies from 1 ms in steps of 1 ms, about a millisecond apart. */
static void record(struct promcb_component *component, unsigned count, bool success)
{
	for (uint64_t k = 1; k <= count; k++)
		promcb_record_at(component, k * 1000000, success, when_ns + (k << PROMCB_HEAD_POSITION_BITS));
}

static struct promcb_session *attach_small(uint32_t components, uint32_t lanes, uint32_t recent, uint32_t schema)
{
	return attach(&(struct promcb_options){.max_bytes = 2 << 20,
					       .components = components,
					       .lanes = lanes,
					       .recent_samples = recent,
					       .window_seconds = PROMCB_WINDOW_ANY,
					       .schema = schema});
}

static void make_calls(void)
{
	struct promcb_session *p = attach_small(12, 4, 64, 3);
	struct promcb_component *mixed = stress_component(p, "mixed");
	struct promcb_component *edges = stress_component(p, "edges");
	struct promcb_component *logs = stress_component(p, "logs \"and\" \\ b\xc3\xbc"
							    "cher");

	record(mixed, 20, true);
	record(mixed, 5, false);
	promcb_record_at(edges, 0, true, 1000000000);
	promcb_record_at(edges, 1, true, 1000000000);
	promcb_record_at(edges, PROMCB_LATENCY_MAX_NS, true, 1000000000);
	promcb_record_at(edges, UINT64_MAX, false, 1000000000);
	for (unsigned level = PROMCB_LOG_DEBUG; level <= PROMCB_LOG_ERROR; level++)
		for (unsigned k = 0; k <= level; k++)
			promcb_count_log(logs, (enum promcb_log_level)level);
	stress_component(p, "never called");
	promcb_set_state(stress_component(p, "open"), PROMCB_OPEN);
	promcb_set_state(stress_component(p, "half open"), PROMCB_OPEN);
	promcb_set_state(stress_component(p, "half open"), PROMCB_HALF_OPEN);
	promcb_set_state(mixed, PROMCB_OPEN);
	promcb_set_state(mixed, PROMCB_HALF_OPEN);
	promcb_set_state(mixed, PROMCB_CLOSED);
	promcb_call(p, "mixed", -1, true);
	promcb_close(p);
}

/* Lanes of the dead that the living took over, and full rings. */
static void make_lanes(void)
{
	const struct promcb_options options = {.max_bytes = 2 << 20,
					       .components = 12,
					       .lanes = 3,
					       .recent_samples = 100,
					       .window_seconds = PROMCB_WINDOW_ANY,
					       .schema = 4};

	CHECK(promcb_create(segment, &options, NULL) == 0, "create");
	for (unsigned life = 0; life < 4; life++) {
		pid_t child = fork();

		if (child == 0) {
			struct promcb_session *p = attach(NULL);

			record(stress_component(p, "outlives"), 50, true);
			record(stress_component(p, "outlives"), 10 * life, false);
			record(stress_component(p, life % 2 ? "odd" : "even"), 200, true);
			if (life % 2)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		CHECK(child > 0 && stress_wait(child) == (life % 2 ? -SIGKILL : 0), "life %u", life);
	}
}

/* Resets of every age, and more names than fit. */
static void make_resets(void)
{
	struct promcb_session *p = attach_small(6, 2, 32, 5);
	struct promcb_component *component;
	char name[16];

	record(stress_component(p, "reset once"), 10, true);
	record(stress_component(p, "reset twice"), 10, true);
	record(stress_component(p, "reset open"), 10, false);
	record(stress_component(p, "reset and silent"), 10, true);
	promcb_set_state(stress_component(p, "reset open"), PROMCB_OPEN);
	promcb_count_log(stress_component(p, "reset twice"), PROMCB_LOG_WARNING);
	CHECK(promcb_reset(p, "reset twice") == 0, "reset");
	record(stress_component(p, "reset twice"), 7, false);
	CHECK(promcb_reset_all(p) == 0, "reset");
	when_ns = AFTER_NS;
	record(stress_component(p, "reset once"), 3, true);
	record(stress_component(p, "reset twice"), 4, true);
	promcb_count_log(stress_component(p, "reset twice"), PROMCB_LOG_ERROR);
	record(stress_component(p, "never reset"), 6, true);
	for (unsigned k = 0; k < 4; k++) {
		snprintf(name, sizeof(name), "many %u", k);
		promcb_component(p, name, &component);
		record(component, 2, true);
	}
	promcb_close(p);
}

/* Calls without a latency: in a lane, by overflow, before and after a reset. */
static void make_outcomes(void)
{
	struct promcb_session *p = attach_small(6, 1, 64, 3);
	struct promcb_component *mixed = stress_component(p, "mixed"), *reset = stress_component(p, "reset");

	record(mixed, 3, true);
	for (unsigned k = 0; k < 7; k++) {
		promcb_record_outcome(mixed, k % 2 == 0);
		promcb_record_outcome(reset, false);
	}
	pid_t child = fork();

	/* The lane is its parent's. */
	if (child == 0) {
		promcb_record_outcome(mixed, false);
		_exit(0);
	}
	CHECK(child > 0 && stress_wait(child) == 0, "child");
	CHECK(promcb_reset(p, "reset") == 0, "reset");
	promcb_record_outcome(reset, true);
	promcb_record_outcome(stress_component(p, "outcomes alone"), false);
	promcb_close(p);
}

/* Components with labels, and one whose name looks so; one with a name that goes on behind the first 127 bytes. */
static void make_labels(void)
{
	const struct promcb_label op[] = {{"op", "read"}, {"az", "a \"b\" \\"}};
#define LONG "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789"
	const struct promcb_label far[] = {{"a", LONG}, {"b", LONG}};
	struct promcb_session *p = attach_small(8, 1, 64, 3);
	struct promcb_component *db;

	for (unsigned count = 0; count <= 3; count++) {
		CHECK(promcb_component_with(p, "db", count < 3 ? op : far, count < 3 ? count : 2, &db) == 0, "labels");
		record(db, count < 3 ? 4 - count : 5, count != 1);
		promcb_set_state(db, count == 1 ? PROMCB_OPEN : PROMCB_CLOSED);
	}
	record(stress_component(p, "looks{op=\"read\"}"), 6, true);
	promcb_close(p);
}

/* -- Series ------------------------------------------------------------------------------------------------------- */

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct promcb_metric_family *family(struct promcb_session *p, const struct promcb_family_spec *spec)
{
	struct promcb_family_spec ours = *spec;
	struct promcb_message message = {.text = ""};
	struct promcb_metric_family *out;

	ours.message = &message;
	CHECK(promcb_family_register(p, &ours, &out) == 0, "%s: %s", spec->name, message.text);
	return out;
}

static struct promcb_metric_family *hits(struct promcb_session *p)
{
	return family(p, &(struct promcb_family_spec){.name = "golden_hits_total",
						      .help = "Hits, by who and how.",
						      .type = PROMCB_COUNTER,
						      .labels = VALUES("who", "how"),
						      .series_max = 5});
}

static struct promcb_metric_family *waits(struct promcb_session *p)
{
	return family(p, &(struct promcb_family_spec){.name = "golden_wait_seconds",
						      .help = "Waits.",
						      .unit = "seconds",
						      .type = PROMCB_HISTOGRAM,
						      .decimals = 9,
						      .buckets_per_octave = 1,
						      .labels = VALUES("who")});
}

/* Every kind that outlives its process; by three of them, and more series than the cap. */
static void add_to_series(struct promcb_session *p, unsigned times)
{
	static const double bounds[] = {0.5, 1, 2.5};
	struct promcb_metric_family *sizes = family(p, &(struct promcb_family_spec){.name = "golden_size",
										    .type = PROMCB_HISTOGRAM,
										    .bounds = bounds,
										    .bound_count = 3,
										    .flags = PROMCB_DOUBLES});
	struct promcb_metric_family *kinds =
		family(p, &(struct promcb_family_spec){.name = "golden_kinds_total",
						       .type = PROMCB_COUNTER,
						       .labels = VALUES("who"),
						       .enumerated_label = "kind",
						       .enumerated = VALUES("good", "bad", "ug\"ly\\")});
	struct promcb_metric_family *level =
		family(p, &(struct promcb_family_spec){.name = "golden_queued", .type = PROMCB_LEVEL, .decimals = 3});
	struct promcb_metric_family *backup = family(p, &(struct promcb_family_spec){.name = "golden_backup_bytes",
										     .unit = "bytes",
										     .type = PROMCB_GAUGE,
										     .scope = PROMCB_SCOPE_SEGMENT});
	struct promcb_counter *kind;

	for (unsigned k = 0; k < times; k++) {
		char who[16];

		snprintf(who, sizeof(who), "w%u", k % 8);
		promcb_counter_add_with(hits(p), VALUES(who, "b\xc3\xbc\"\\\n"), k + 1);
		promcb_histogram_observe_with(waits(p), VALUES(who), (uint64_t)k * 1000000);
		promcb_histogram_observe_double_with(sizes, NULL, 0.25 * k);
		promcb_level_add_with(level, NULL, k % 2 ? 1500 : -1);
	}
	CHECK(promcb_counter_with(kinds, VALUES("x"), &kind) == 0, "kinds");
	for (uint32_t i = 0; i < 3; i++)
		promcb_counter_add_at(kind, i, i + 1);
	promcb_gauge_set_with(backup, NULL, 4096.5);
}

static void make_series(void)
{
	const struct promcb_options options = {.max_bytes = 2 << 20,
					       .components = 6,
					       .lanes = 3,
					       .recent_samples = 64,
					       .window_seconds = PROMCB_WINDOW_ANY,
					       .schema = 3};

	CHECK(promcb_create(segment, &options, NULL) == 0, "create");
	for (unsigned life = 0; life < 3; life++) {
		pid_t child = fork();

		if (child == 0) {
			add_to_series(attach(NULL), 10 * (life + 1));
			_exit(0);
		}
		CHECK(child > 0 && stress_wait(child) == 0, "life %u", life);
	}
}

static void more(void)
{
	struct promcb_session *p = attach(NULL);
	struct promcb_component *component;

	/* The last of them is now. Of the old ones, whatever the recipe, and a new one if it fits. */
	when_ns = stress_now_ns() - ((uint64_t)80 << PROMCB_HEAD_POSITION_BITS);
	const char *const names[] = {"mixed", "outlives", "reset twice", "added"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		promcb_component(p, names[i], &component);
		record(component, 80, true);
		promcb_count_log(component, PROMCB_LOG_DEBUG);
	}
	promcb_component(p, "mixed", &component);
	promcb_set_state(component, PROMCB_OPEN);
	int result = promcb_reset(p, "outlives");

	if (promcb_segment_header(p->segment)->metrics)
		add_to_series(p, 7);
	golden_call_breakers(p, segment);
	/* Where the table was full it is not there. */
	CHECK(result == 0 || result == -ENOENT, "reset: %d", result);
	promcb_close(p);
}

/* -- Other versions ----------------------------------------------------------------------------------------------- */

static int file;
static struct promcb_header header;

static void open_file(void)
{
	file = open(segment, O_RDWR | O_CLOEXEC);
	CHECK(file >= 0 && pread(file, &header, sizeof(header), 0) == sizeof(header), "%s", segment);
}

static void poke(uint64_t off, const void *bytes, size_t count)
{
	CHECK(pwrite(file, bytes, count, (off_t)off) == (ssize_t)count, "poke");
}

static void peek(uint64_t off, void *bytes, size_t count)
{
	CHECK(pread(file, bytes, count, (off_t)off) == (ssize_t)count, "peek");
}

static void scribble(uint64_t off, size_t count)
{
	uint8_t bytes[1024];

	memset(bytes, 0xa5, sizeof(bytes));
	CHECK(count <= sizeof(bytes), "scribble");
	poke(off, bytes, count);
}

#define SCRIBBLE(at, type, field) scribble((at) + offsetof(struct type, field), sizeof(((struct type *)NULL)->field))

/* Things of kinds that a newer minor version may have, with nothing in them that this one knows. */
static void add_newer_kinds(void)
{
	enum { CHUNKS_LEFT = 4, DESCRIPTORS_LEFT = 4 };
	const struct promcb_geometry *g = &header.geometry;
	static const char name[] = "of a newer kind";
	struct promcb_descriptor descriptor;
	uint32_t component = 0, free_count = 0, claim, block = 0xa5a5a5, slot = 0;
	uint32_t chunk = promcb_chunk_word(9, PROMCB_CARVED_MAX, 0xff);
	uint64_t word;

	for (uint32_t i = 0; i < g->components; i++) {
		peek(g->claims_off + i * sizeof(claim), &claim, sizeof(claim));
		free_count += claim == 0;
		component = claim == 0 ? i : component;
	}
	/* Some are for who goes on in this segment. */
	peek(g->chunk_table_off + (g->chunks - CHUNKS_LEFT) * sizeof(word), &word, sizeof(word));
	if (word == 0)
		poke(g->chunk_table_off + (g->chunks - 1) * sizeof(chunk), &chunk, sizeof(chunk));
	if (free_count < DESCRIPTORS_LEFT)
		return;
	/* Claimed by the first lane, which has a block of it, whatever that looks like; and in the table. */
	claim = 1;
	memset(&descriptor, 0xa5, sizeof(descriptor));
	memset(descriptor.name, 0, sizeof(descriptor.name));
	memcpy(descriptor.name, name, sizeof(name));
	descriptor.kind = 9;
	poke(g->descriptors_off + (uint64_t)component * g->descriptor_bytes, &descriptor, sizeof(descriptor));
	poke(g->claims_off + component * sizeof(claim), &claim, sizeof(claim));
	poke(g->directories_off + component * sizeof(block), &block, sizeof(block));
	do
		peek(g->table_off + slot++ * sizeof(word), &word, sizeof(word));
	while (word);
	word = promcb_table_word(slot, component);
	poke(g->table_off + (slot - 1) * sizeof(word), &word, sizeof(word));
}

/* Places that a newer minor version may use: all that this one calls reserved or padding. */
static void make_minor(void)
{
	const struct promcb_geometry *g = &header.geometry;
	uint32_t minor = PROMCB_FORMAT_MINOR + 1;

	poke(offsetof(struct promcb_header, format_minor), &minor, sizeof(minor));
	SCRIBBLE(0, promcb_header, reserved);
	add_newer_kinds();
	SCRIBBLE(0, promcb_header, pad_retired);
	SCRIBBLE(0, promcb_header, pad_counts);
	for (uint32_t lane = 0; lane < g->lanes + PROMCB_SPECIAL_LANES; lane++)
		SCRIBBLE(g->lanes_off + lane * g->lane_bytes, promcb_lane, reserved);
}

/* When every component was reset, by CLOCK_MONOTONIC. */
static void date_resets(uint64_t now_ns)
{
	const struct promcb_geometry *g = &header.geometry;
	struct promcb_descriptor descriptor;

	for (uint32_t component = 0; component < g->components; component++) {
		uint64_t off = g->descriptors_off + component * g->descriptor_bytes;

		CHECK(pread(file, &descriptor, sizeof(descriptor), (off_t)off) == sizeof(descriptor), "descriptor");
		for (unsigned which = 0; descriptor.kind <= PROMCB_DESCRIPTOR_LABELLED && which < 2; which++)
			if (descriptor.baseline[which])
				poke(promcb_block_off(g, descriptor.baseline[which] - 1) +
					     offsetof(struct promcb_block, head),
				     &now_ns, sizeof(now_ns));
	}
}

/* What is kept is of another boot, wherever it is read: else it would be of its own, for as long as that lasts. */
static void leave_boot(void)
{
	const uint64_t elsewhere = 1, unknown = 0;

	date_resets(RESET_NS);
	for (uint32_t lane = 0; lane < header.geometry.lanes; lane++) {
		uint64_t off = header.geometry.lanes_off + lane * header.geometry.lane_bytes;

		poke(off + offsetof(struct promcb_lane, boot), &elsewhere, sizeof(elsewhere));
		poke(off + offsetof(struct promcb_lane, clock_offset_ns), &elsewhere, sizeof(elsewhere));
		poke(off + offsetof(struct promcb_lane, birth), &unknown, sizeof(unknown));
	}
}

static void make_samples(void)
{
	const struct promcb_geometry *g = &header.geometry;
	struct promcb_clock_domain here = promcb_clock_domain_now(0);
	uint64_t elsewhere = here.time_namespace + 1;
	/* As if of another time namespace, whose clock began ten seconds ago. */
	uint64_t began_ns = stress_now_ns() - 10000000000u, offset_ns = here.clock_offset_ns + began_ns;

	date_resets(began_ns + RESET_NS);
	for (uint32_t lane = 0; lane < g->lanes; lane++) {
		uint64_t off = g->lanes_off + lane * g->lane_bytes;

		poke(off + offsetof(struct promcb_lane, boot), &here.boot, sizeof(here.boot));
		poke(off + offsetof(struct promcb_lane, time_namespace), &elsewhere, sizeof(elsewhere));
		poke(off + offsetof(struct promcb_lane, clock_offset_ns), &offset_ns, sizeof(offset_ns));
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	uint32_t major = PROMCB_FORMAT_MAJOR + 1;
	uint64_t abi = PROMCB_ABI ^ 0x60;

	segment = argc > 2 ? argv[argc - 1] : NULL;
	if (strcmp(what, "make") == 0 && argc == 4) {
		if (strcmp(argv[2], "calls") == 0)
			make_calls();
		else if (strcmp(argv[2], "lanes") == 0)
			make_lanes();
		else if (strcmp(argv[2], "outcomes") == 0)
			make_outcomes();
		else if (strcmp(argv[2], "labels") == 0)
			make_labels();
		else if (strcmp(argv[2], "series") == 0)
			make_series();
		else if (strcmp(argv[2], "breakers") == 0)
			golden_make_breakers(attach_small(12, 2, 64, 3));
		else
			make_resets();
		open_file();
		leave_boot();
	} else if (strcmp(what, "more") == 0) {
		more();
	} else if (argc == 3) {
		open_file();
		if (strcmp(what, "minor") == 0)
			make_minor();
		else if (strcmp(what, "major") == 0)
			poke(offsetof(struct promcb_header, format_major), &major, sizeof(major));
		else if (strcmp(what, "abi") == 0)
			poke(offsetof(struct promcb_header, abi), &abi, sizeof(abi));
		else if (strcmp(what, "samples") == 0)
			make_samples();
		else
			return 2;
	} else {
		fprintf(stderr, "see golden.c for what it takes\n");
		return 2;
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "segment_input.h"

#include "format/geometry.h"
#include "format/metrics.h"
#include "world.h"

#include <promcb/metric.h>
#include <promcb/promcb.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fuzz_segment segments[FUZZ_SEGMENTS];
static pid_t maker;

void fuzz_input_parse(const uint8_t *data, size_t size, struct fuzz_input *out)
{
	*out = (struct fuzz_input){.segment = size > 0 ? data[0] % FUZZ_SEGMENTS : 0, .flags = size > 1 ? data[1] : 0};
	for (size_t at = FUZZ_HEAD_BYTES; at + FUZZ_CHANGE_BYTES <= size && out->count < FUZZ_CHANGES_MAX;
	     at += FUZZ_CHANGE_BYTES) {
		struct fuzz_change *change = &out->changes[out->count++];

		change->area = (enum fuzz_area)((data[at] & 15) % FUZZ_AREAS);
		change->operation = (enum fuzz_operation)(data[at] >> 4 & 3);
		change->field = data[at + 1];
		memcpy(&change->index, data + at + 2, sizeof(change->index));
		memcpy(&change->value, data + at + 4, sizeof(change->value));
	}
}

/* -- Good segments ------------------------------------------------------------------------------------------------ */

struct errand {
	struct promcb_session *p;
	const char *name;
	unsigned calls;
};

/* Some calls of a component, by a thread that takes a lane for it, or finds none. */
static void *run_errand(void *context)
{
	const struct errand *errand = context;
	struct promcb_component *component;

	if (promcb_component(errand->p, errand->name, &component) < 0)
		return NULL;
	for (unsigned i = 0; i < errand->calls; i++)
		promcb_record_at(component, (uint64_t)1000 << i % 24, i % 5 != 0,
				 (uint64_t)86400 * 1000000000 + i * 1000000);
	promcb_count_log(component, PROMCB_LOG_WARNING);
	return NULL;
}

static void send(struct promcb_session *p, const char *name, unsigned calls)
{
	struct errand errand = {.p = p, .name = name, .calls = calls};
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_errand, &errand) == 0)
		pthread_join(thread, NULL);
}

/* A family of each kind that is read in a way of its own, in the lane of this thread and in that of another. */
static void *count_series(void *context)
{
	struct promcb_session *p = context;
	static const double bounds[] = {1, 2};
	static const char *const label[] = {"who", NULL}, *const kinds[] = {"a", "b", NULL};
	static const char *const who[] = {"x\n\"", NULL}, *const other[] = {"", NULL};
	const struct promcb_family_spec specs[] = {
		{.name = "hits_total", .help = "Hits.", .type = PROMCB_COUNTER, .labels = label, .series_max = 2},
		{.name = "kinds_total", .type = PROMCB_COUNTER, .enumerated_label = "kind", .enumerated = kinds},
		{.name = "work_total", .type = PROMCB_COUNTER, .flags = PROMCB_DOUBLES},
		{.name = "wait_seconds", .unit = "seconds", .type = PROMCB_HISTOGRAM, .decimals = 3, .labels = label},
		{.name = "ratio",
		 .type = PROMCB_HISTOGRAM,
		 .flags = PROMCB_DOUBLES,
		 .bounds = bounds,
		 .bound_count = 2},
		{.name = "jobs", .type = PROMCB_LEVEL, .decimals = 2},
		{.name = "open", .type = PROMCB_GAUGE},
		{.name = "last", .type = PROMCB_GAUGE, .scope = PROMCB_SCOPE_SEGMENT},
		{.name = "build_info", .type = PROMCB_INFO, .labels = label},
	};
	struct promcb_metric_family *families[sizeof(specs) / sizeof(specs[0])];

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		promcb_family_register(p, &specs[i], &families[i]);
	for (unsigned i = 0; i < 3; i++)
		promcb_counter_add_with(families[0], i ? who : other, i);
	promcb_counter_add_with(families[1], NULL, 3);
	promcb_counter_add_double_with(families[2], NULL, 0.25);
	promcb_histogram_observe_with(families[3], who, 1500);
	promcb_histogram_observe_double_with(families[4], NULL, 1.5);
	promcb_level_add_with(families[5], NULL, -7);
	promcb_gauge_set_with(families[6], NULL, 1.5);
	promcb_gauge_set_with(families[7], NULL, 86400);
	promcb_info_with(families[8], who);
	return NULL;
}

static void fill_series(struct promcb_session *p)
{
	pthread_t thread;

	count_series(p);
	if (pthread_create(&thread, NULL, count_series, p) == 0)
		pthread_join(thread, NULL);
}

/* A component whose full name is as long as it can be. */
static void send_labelled(struct promcb_session *p)
{
	static char value[] = "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 "
			      "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789";
	const struct promcb_label labels[] = {{"op", "r\"w\\"}, {"what", value}};
	struct promcb_component *component;

	if (promcb_component_with(p, "db {}", labels, 2, &component) == 0)
		promcb_record_at(component, 1000, true, (uint64_t)86400 * 1000000000);
}

static void fill(unsigned number, struct promcb_session *p)
{
	struct promcb_component *component;

	if (number == 0)
		return;
	run_errand(&(struct errand){.p = p, .name = "a", .calls = 40});
	if (number == 1)
		return;
	run_errand(&(struct errand){.p = p, .name = "quote\" back\\slash \xc3\xa9", .calls = 5});
	send(p, "a", 7);
	send(p, "b", 70);
	promcb_component(p, "b", &component);
	promcb_set_state(component, PROMCB_OPEN);
	send_labelled(p);
	if (number == 2 || number == 4)
		fill_series(p);
	if (number == 2)
		return;
	promcb_reset(p, "a");
	run_errand(&(struct errand){.p = p, .name = "a", .calls = 3});
	promcb_reset_all(p);
	promcb_reset_all(p);
	send(p, "b", 2);
}

/* The smallest that the library makes: inputs run faster the less there is to read. */
static const struct promcb_options made_with[FUZZ_SEGMENTS] = {
	{.max_bytes = 640 << 10, .components = 2, .lanes = 1, .recent_samples = 32},
	{.max_bytes = 640 << 10, .components = 3, .lanes = 1, .recent_samples = 100, .schema = 5},
	{.max_bytes = 768 << 10,
	 .components = 5,
	 .lanes = 3,
	 .recent_samples = 64,
	 .window_seconds = PROMCB_WINDOW_ANY},
	/* One lane for two threads: the second records into overflow blocks. */
	{.max_bytes = 768 << 10, .components = 4, .lanes = 1, .recent_samples = 64},
	{.max_bytes = 1 << 20, .components = 9, .lanes = 5, .recent_samples = 1000, .schema = 4, .window_seconds = 60},
};

static void remove_files(void)
{
	for (unsigned i = 0; i < FUZZ_SEGMENTS && maker == getpid(); i++)
		if (segments[i].path[0])
			unlink(segments[i].path);
}

/* What a process left that ended by a finding. */
static void sweep(void)
{
	DIR *directory = opendir("/dev/shm");

	for (const struct dirent *entry; directory && (entry = readdir(directory));) {
		int pid, number;

		if (sscanf(entry->d_name, "promcb-fuzz-%d-%d", &pid, &number) == 2 && kill(pid, 0) < 0 &&
		    errno == ESRCH)
			unlinkat(dirfd(directory), entry->d_name, 0);
	}
	if (directory)
		closedir(directory);
}

static void make(unsigned number, struct fuzz_segment *segment)
{
	struct promcb_message message = {.text = ""};
	struct promcb_options options = made_with[number];
	struct promcb_header header;
	struct stat status;
	struct promcb_session *p;

	if (!maker) {
		sweep();
		maker = getpid();
		atexit(remove_files);
	}
	options.message = &message;
	snprintf(segment->path, sizeof(segment->path), "/dev/shm/promcb-fuzz-%d-%u", (int)getpid(), number);
	unlink(segment->path);
	fuzz_world_begin(1000);
	fuzz_world_seed(number + 1);
	FUZZ_REQUIRE(promcb_open(segment->path, &options, &p) == 0, "%s", message.text);
	fill(number, p);
	promcb_close(p);
	segment->fd = open(segment->path, O_RDWR | O_CLOEXEC);
	FUZZ_REQUIRE(segment->fd >= 0 && fstat(segment->fd, &status) == 0, "%s", strerror(errno));
	segment->file_bytes = (uint64_t)status.st_size;
	segment->bytes = malloc(segment->file_bytes);
	FUZZ_REQUIRE(segment->bytes &&
			     pread(segment->fd, segment->bytes, segment->file_bytes, 0) == (ssize_t)segment->file_bytes,
		     "%s", strerror(errno));
	memcpy(&header, segment->bytes, sizeof(header));
	segment->geometry = header.geometry;
}

struct fuzz_segment *fuzz_segment_get(unsigned number)
{
	/* All at once, so that what an input meets does not depend on the inputs before. */
	for (unsigned i = 0; !maker || (i > 0 && i < FUZZ_SEGMENTS); i++)
		make(i, &segments[i]);
	return &segments[number];
}

void fuzz_segment_restore(struct fuzz_segment *segment)
{
	segment->now = segment->geometry;
	/* Holes of the good file get memory by this: FUZZ_HOLE makes others. */
	FUZZ_REQUIRE(ftruncate(segment->fd, (off_t)segment->file_bytes) == 0 &&
			     pwrite(segment->fd, segment->bytes, segment->file_bytes, 0) ==
				     (ssize_t)segment->file_bytes,
		     "%s", strerror(errno));
}

/* -- Changes ------------------------------------------------------------------------------------------------------ */

static void change_word(const struct fuzz_segment *segment, const struct fuzz_change *change, uint64_t off,
			size_t bytes)
{
	uint64_t word = 0, value = change->value;
	size_t width = change->operation == FUZZ_SET_LOW ? bytes / 2 : bytes;

	if (off + bytes > segment->now.max_bytes || pread(segment->fd, &word, bytes, (off_t)off) < 0)
		return;
	if (change->operation == FUZZ_ADD)
		value += word;
	else if (change->operation == FUZZ_XOR)
		value ^= word;
	/* A stranger may make the file longer by this. */
	if (pwrite(segment->fd, &value, width, (off_t)off) < 0)
		return;
}

static void change_geometry(struct fuzz_segment *segment, const struct fuzz_change *change, bool large)
{
	uint64_t value = change->value;
	/* What takes long to look through is made now and then. */
	bool huge = large && change->field >= 248;
	uint32_t page_bytes = huge ? (uint32_t)4096 << change->index % 19 : 4096;
	struct promcb_options options = {
		.max_bytes = (huge    ? (uint64_t)1 << 34
			      : large ? (uint64_t)1 << 26
				      : (uint64_t)2 << 20) >>
			     (value & 7),
		.components = (uint32_t)((large ? 65000 : 40) >> (value >> 3 & 15)) + 1,
		.lanes = (uint32_t)((large ? 1023 : 15) >> (value >> 7 & 15)) + 1,
		.recent_samples = (uint32_t)(65536 >> (large ? value >> 11 & 15 : (value >> 11 & 7) + 6)),
		.schema = (uint32_t)(value >> 15) % 3 + 3,
		.window_seconds = (uint32_t)(value >> 17),
	};
	struct promcb_geometry made;
	struct stat status;

	if (promcb_geometry_make(&options, page_bytes, &made, NULL) < 0 ||
	    pwrite(segment->fd, &made, sizeof(made), offsetof(struct promcb_header, geometry)) < 0)
		return;
	segment->now = made;
	if (fstat(segment->fd, &status) == 0 && promcb_geometry_fixed_bytes(&made) > (uint64_t)status.st_size &&
	    ftruncate(segment->fd, (off_t)promcb_geometry_fixed_bytes(&made)) < 0)
		return;
}

/* Its length, or where it has memory. */
static void change_file(const struct fuzz_segment *segment, const struct fuzz_change *change)
{
	uint64_t max_bytes = segment->now.max_bytes, page = change->index % (max_bytes / 4096);

	if (change->area == FUZZ_SIZE && ftruncate(segment->fd, (off_t)(change->value % (max_bytes + 8192))) < 0)
		return;
	if (change->area == FUZZ_HOLE && fallocate(segment->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						   (off_t)(page * 4096), (off_t)(change->field + 1) * 4096) < 0)
		return;
}

/* Where a line of the chunks of parts begins, the lines of all counted one after the other; of none, the first. */
static uint64_t find_line(const struct fuzz_segment *segment, uint64_t index)
{
	const struct promcb_geometry *g = &segment->geometry;
	uint32_t chunks[64] = {0}, count = 0, lines = g->chunk_bytes / PROMCB_LINE_BYTES;

	for (uint32_t chunk = 0; chunk < g->chunks && count < 64; chunk++) {
		uint32_t word;

		memcpy(&word, segment->bytes + g->chunk_table_off + chunk * sizeof(word), sizeof(word));
		if (promcb_chunk_kind(word) == PROMCB_CHUNK_PARTS)
			chunks[count++] = chunk;
	}
	count += count == 0;
	index %= (uint64_t)count * lines;
	return g->chunks_off + (uint64_t)chunks[index / lines] * g->chunk_bytes + index % lines * PROMCB_LINE_BYTES;
}

void fuzz_segment_change(struct fuzz_segment *segment, const struct fuzz_change *change, bool large)
{
	const struct promcb_geometry *g = &segment->now;
	uint32_t lane_slots = g->lanes + PROMCB_SPECIAL_LANES;
	uint64_t off = 0, word = change->field, index = change->index;
	size_t bytes = sizeof(uint64_t);

	switch (change->area) {
	case FUZZ_HEADER:
		off = word % (sizeof(struct promcb_header) / 8) * 8;
		break;
	case FUZZ_GEOMETRY:
		change_geometry(segment, change, large);
		return;
	case FUZZ_LANE:
		off = g->lanes_off + index % lane_slots * g->lane_bytes + word % (sizeof(struct promcb_lane) / 8) * 8;
		break;
	case FUZZ_CHUNK:
		bytes = sizeof(uint32_t);
		off = g->chunk_table_off + index % g->chunks * bytes;
		break;
	case FUZZ_CLAIM:
		bytes = sizeof(uint32_t);
		off = g->claims_off + index % g->components * bytes;
		break;
	case FUZZ_TABLE:
		off = g->table_off + index % g->table_slots * bytes;
		break;
	case FUZZ_DESCRIPTOR:
		off = g->descriptors_off + index % g->components * g->descriptor_bytes +
		      word % (sizeof(struct promcb_descriptor) / 8) * 8;
		break;
	case FUZZ_DIRECTORY:
		bytes = sizeof(uint32_t);
		off = g->directories_off + (word % lane_slots * g->directory_words + index % g->components) * bytes;
		break;
	case FUZZ_BLOCK:
		word += (index >> 6) * 256;
		off = promcb_block_off(g, (uint32_t)(index & 63) % (g->chunks * promcb_blocks_per_chunk(g))) +
		      word % (g->block_bytes / 8) * 8;
		break;
	case FUZZ_RING:
		off = promcb_ring_off(g, (uint32_t)index % (g->chunks * promcb_rings_per_chunk(g))) +
		      (word & ((1u << g->ring_log2) - 1)) * 8;
		break;
	case FUZZ_PIECE:
		off = find_line(segment, index) + word % (PROMCB_LINE_BYTES / 8) * 8;
		break;
	case FUZZ_SIZE:
	case FUZZ_HOLE:
		change_file(segment, change);
		return;
	case FUZZ_BYTES:
		off = (index << 8 | word) * 2 % segment->file_bytes;
		break;
	case FUZZ_CALL:
	case FUZZ_AREAS:
		return;
	}
	change_word(segment, change, off, bytes);
}

/* SPDX-License-Identifier: MIT */
/*
 * fuzz_writer.c: a producer attaches to a segment whose words are anything, and records while they change. It stores
 * nowhere else, does not crash, does not wait, and takes no more memory than the segment's bound.
 *
 * May include: segment_input.h, world.h, open.h, validate.h, promcb.h, reader.h. Changes of the input before its first
 * call are made before the producer attaches, the others between its calls. Truncation is left out once it has: it
 * kills a producer, and the API says so. Flags: bit 0 another thread makes all the changes over and over; bit 1 attach
 * before all changes.
 *
 * The library's modules keep handles and names for as long as the process lives; forget() puts them back to where a new
 * process begins, so that an input means the same wherever it comes.
 */
#include "segment_input.h"
#include "world.h"

#include "format/geometry.h"
#include "record/open.h"

#include <promcb/reader.h>

#include <errno.h>
#include <float.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FIXED_BYTES = 1024, /* of the header: what its creator alone writes */
	ARENA_BYTES = 65536, /* of names, as component.c maps them */
	STEP_NS = 50000,
	OPENS_MAX = 4,
};

static struct promcb_session *sessions[FUZZ_SEGMENTS];
static dev_t good_device[FUZZ_SEGMENTS];
static ino_t good_inode[FUZZ_SEGMENTS];
static uint64_t good_calls[FUZZ_SEGMENTS];
static struct promcb_session *others[2 * FUZZ_CHANGES_MAX + 2];
static size_t other_count;

struct producer {
	struct fuzz_segment *segment;
	const struct fuzz_input *input;
	struct promcb_session *p;       /* the last of the opened; NULL: none */
	struct promcb_session *opened[OPENS_MAX];
	unsigned opens;
	bool attached;          /* once: threads may have the segment mapped after it was closed */
	char away[80];          /* where the segment was moved; empty: it was not */
	uint8_t fixed[FIXED_BYTES]; /* as the last change left it */
	uint64_t most_bytes;    /* that the file may have */
	uint64_t recorded;
	bool changed, forgot;   /* somebody changed words; calls were reset, or the segment moved */
	uint64_t stop;
};

/* -- A new process, as far as the library can tell ---------------------------------------------------------------- */

static void forget_names(struct promcb_session *p)
{
	if (p->names.ready)
		ck_ht_destroy(&p->names.table);
	if (p->names.arena)
		fuzz_munmap(p->names.arena + p->names.arena_left - ARENA_BYTES, ARENA_BYTES);
	if (p->names.hints.words)
		fuzz_munmap((void *)(uintptr_t)(p->names.hints.words & ~(uint64_t)63),
			    (size_t)16 << (64 - (p->names.hints.words & 63)));
	p->names = (struct promcb_names){.ready = false};
}

static void forget(void)
{
	struct promcb_saved_state way;

	promcb_process_enter(&way);
	/* A segment that was left, and that a thread has a lease in, would be found again, with its file cut off. */
	for (uint32_t slot = 0; slot < PROMCB_SEGMENTS_MAX; slot++) {
		if (!promcb_attachment_is_attached(&promcb_attachments[slot]))
			continue;
		promcb_locks_close(&promcb_attachments[slot].segment);
		promcb_segment_unmap(&promcb_attachments[slot].segment);
		promcb_recorder_vacate(&promcb_attachments[slot]);
	}
	for (struct promcb_recorder *recorder = promcb_process->recorders; recorder; recorder = recorder->next)
		memset(recorder->entries + 1, 0, (promcb_handles_used - 1) * sizeof(recorder->entries[0]));
	memset(promcb_handle_table.handles + 1, 0, (promcb_handles_used - 1) * sizeof(promcb_handle_table.handles[0]));
	promcb_handles_used = 1;
	for (unsigned i = 0; i < FUZZ_SEGMENTS; i++)
		forget_names(sessions[i]);
	/* Of segments whose identity was changed: never to be found again. */
	while (other_count) {
		struct promcb_session *p = others[--other_count];

		forget_names(p);
		p->device = 0;
		p->inode = 0;
	}
	promcb_process_leave(&way);
}

static void start(unsigned number)
{
	struct promcb_session *p = sessions[number];
	struct promcb_saved_state way;

	promcb_process_enter(&way);
	p->generation = 0;
	p->stuck = false;
	p->checked_ns = p->grow_retry_ns = 0;
	p->device = good_device[number];
	p->inode = good_inode[number];
	memcpy(p->identity, ((const struct promcb_header *)(const void *)fuzz_segment_get(number)->bytes)->identity,
	       sizeof(p->identity));
	FUZZ_REQUIRE(promcb_names_start(&p->names, promcb_process->cookie) == 0 &&
			     promcb_handle_add(&p->names, PROMCB_OVERFLOW_NAME, strlen(PROMCB_OVERFLOW_NAME),
					       &(struct promcb_handle){p, PROMCB_OVERFLOW_COMPONENT, 0},
					       &p->overflow) == 0,
		     "names");
	promcb_process_leave(&way);
}

/* -- What must hold ----------------------------------------------------------------------------------------------- */

static void on_finding(void *context, const char *sentence)
{
	(void)context;
	FUZZ_REQUIRE(false, "%s", sentence);
}

static uint64_t count_calls(const char *path)
{
	struct promcb_message message = {.text = ""};
	struct promcb_snapshot *snapshot;
	struct promcb_reader *reader;
	uint64_t calls = 0;

	FUZZ_REQUIRE(promcb_reader_open(path, NULL, &reader, &message) == 0, "%s", message.text);
	promcb_reader_check(reader, on_finding, NULL);
	FUZZ_REQUIRE(promcb_reader_snapshot(reader, NULL, &snapshot, &message) == 0, "%s", message.text);
	for (size_t i = 0; i < promcb_snapshot_count(snapshot); i++) {
		struct promcb_summary summary;

		promcb_snapshot_summary(snapshot, i, &summary);
		calls += summary.total_calls;
	}
	promcb_snapshot_free(snapshot);
	promcb_reader_close(reader);
	return calls;
}

static void check_file(const struct producer *producer)
{
	uint8_t fixed[FIXED_BYTES] = {0};
	struct stat status;

	FUZZ_REQUIRE(fstat(producer->segment->fd, &status) == 0 && (uint64_t)status.st_size <= producer->most_bytes,
		     "%lld bytes, %llu are the most", (long long)status.st_size,
		     (unsigned long long)producer->most_bytes);
	if (producer->input->flags & 1)
		return;
	FUZZ_REQUIRE(pread(producer->segment->fd, fixed, sizeof(fixed), 0) >= 0 &&
			     memcmp(fixed, producer->fixed, sizeof(fixed)) == 0,
		     "the header's fixed part is as it was");
}

static void change(struct producer *producer, const struct fuzz_change *change)
{
	struct promcb_header header;
	struct stat status;

	check_file(producer);
	if (change->area == FUZZ_SIZE && producer->attached)
		return;
	producer->changed = true;
	fuzz_segment_change(producer->segment, change, false);
	memset(producer->fixed, 0, sizeof(producer->fixed));
	FUZZ_REQUIRE(fstat(producer->segment->fd, &status) == 0, "%s", strerror(errno));
	/* Whoever writes a segment may make it longer than its limit; a producer may not. */
	if ((uint64_t)status.st_size > producer->most_bytes)
		producer->most_bytes = (uint64_t)status.st_size;
	if (pread(producer->segment->fd, producer->fixed, sizeof(producer->fixed), 0) < 0 ||
	    pread(producer->segment->fd, &header, sizeof(header), 0) < (ssize_t)sizeof(header))
		return;
	/* Who attaches from now on believes this, if it is sound. */
	if (promcb_header_validate(&header, producer->segment->path, NULL) == 0 &&
	    header.geometry.max_bytes > producer->most_bytes)
		producer->most_bytes = header.geometry.max_bytes;
}

/* -- Calls -------------------------------------------------------------------------------------------------------- */

static void attach(struct producer *producer)
{
	struct promcb_session *p;

	if (producer->opens == OPENS_MAX || promcb_open(producer->segment->path, NULL, &p) < 0)
		return;
	producer->opened[producer->opens++] = p;
	producer->p = p;
	producer->attached = true;
	for (unsigned i = 0; i < FUZZ_SEGMENTS; i++)
		if (sessions[i] == p)
			return;
	for (size_t i = 0; i < other_count; i++)
		if (others[i] == p)
			return;
	others[other_count++] = p;
}

static void detach(struct producer *producer)
{
	if (!producer->opens)
		return;
	promcb_close(producer->opened[--producer->opens]);
	producer->p = producer->opens ? producer->opened[producer->opens - 1] : NULL;
}

/* The name leads nowhere; a producer that is told so makes another segment. */
static void move_away(struct producer *producer)
{
	if (producer->away[0])
		return;
	snprintf(producer->away, sizeof(producer->away), "%s-away", producer->segment->path);
	FUZZ_REQUIRE(rename(producer->segment->path, producer->away) == 0, "%s", strerror(errno));
	producer->forgot = true;
}

static void move_back(struct producer *producer)
{
	if (!producer->away[0])
		return;
	FUZZ_REQUIRE(rename(producer->away, producer->segment->path) == 0, "%s", strerror(errno));
	producer->away[0] = 0;
}

struct errand {
	struct producer *producer;
	const struct fuzz_change *call;
};

/* The name that a call is made with; memory is for those that are made up. */
static const char *name_for(const struct fuzz_change *call, char memory[PROMCB_NAME_MAX + 1])
{
	static const char *const names[] = {
		"a", "b", "new", "another", "quote\" back\\slash \xc3\xa9", PROMCB_OVERFLOW_NAME,
	};
	uint16_t number = call->index % 8;

	if (number < sizeof(names) / sizeof(names[0]))
		return names[number];
	memset(memory, 0, PROMCB_NAME_MAX + 1);
	if (number == 6)
		memset(memory, 'n', PROMCB_NAME_MAX);
	else
		memcpy(memory, &call->value, sizeof(call->value));
	return memory;
}

static void record_calls(struct producer *producer, const struct fuzz_change *call, const char *name, unsigned times)
{
	struct promcb_component *component;
	int result = promcb_component(producer->p, name, &component);

	for (unsigned i = 0; i < times; i++)
		promcb_record(component, call->value >> i % 64, call->index & 8);
	producer->recorded += producer->p && result != -EINVAL ? times : 0;
}

/* Whatever the labels, the call counts: by them, or as "_overflow". */
static void record_labelled(struct producer *producer, const struct fuzz_change *call, const char *name)
{
	static const char *const names[] = {"op", "az", "le", "__op", "0"};
	const struct promcb_label labels[] = {{names[call->index % 5], name}, {"other", name}};
	struct promcb_component *component;

	if (call->field % 16 == 2) {
		promcb_component(producer->p, name, &component);
		return;
	}
	promcb_component_with(producer->p, call->value & 1 ? name : "db", labels, call->value >> 1 & 1 ? 2 : 1,
			      &component);
	promcb_record(component, 1000, true);
	producer->recorded += producer->p != NULL;
}

/* One call, in each of the ways that have it timed, stamped or named by the caller. */
static void record_otherwise(struct producer *producer, const struct fuzz_change *call, const char *name)
{
	uint64_t value = call->value;
	struct promcb_component *component;
	bool by_name = call->field % 16 == 12;
	double seconds = 0;
	int result;

	switch (call->field % 16) {
	case 7:
		result = promcb_component(producer->p, name, &component);
		promcb_record_at(component, value & 0xffffff, call->index & 8, value);
		break;
	case 12:
		memcpy(&seconds, &value, sizeof(seconds));
		result = promcb_call(producer->p, name, seconds, call->index & 8);
		break;
	default:
		result = promcb_component(producer->p, name, &component);
		promcb_stop(component, call->index & 16 ? value : promcb_start(), call->index & 8);
		break;
	}
	/* By a name that is none it counts as "_overflow". */
	producer->recorded += producer->p && (result != -EINVAL || (by_name && seconds >= 0 && seconds <= DBL_MAX));
}

static void *call(void *context)
{
	const struct errand *errand = context;
	struct producer *producer = errand->producer;
	uint64_t value = errand->call->value;
	struct promcb_session *p = producer->p;
	struct promcb_component *component;
	char memory[PROMCB_NAME_MAX + 1];
	const char *name = name_for(errand->call, memory);

	switch (errand->call->field % 16) {
	case 0:
		attach(producer);
		break;
	case 1:
		detach(producer);
		break;
	case 2:
	case 3:
		record_labelled(producer, errand->call, name);
		break;
	case 4:
		record_calls(producer, errand->call, name, 240);
		break;
	case 5:
		record_calls(producer, errand->call, name, 41);
		break;
	case 6:
		record_calls(producer, errand->call, name, 1);
		break;
	case 7:
	case 12:
	case 13:
		record_otherwise(producer, errand->call, name);
		break;
	case 8:
		promcb_component(p, name, &component);
		promcb_set_state(component, (enum promcb_state)(value % 4));
		break;
	case 9:
		promcb_component(p, name, &component);
		promcb_count_log(component, (enum promcb_log_level)(value % 5));
		break;
	case 10:
		producer->forgot = true;
		promcb_reset(p, name);
		break;
	case 11:
		producer->forgot = true;
		promcb_reset_all(p);
		break;
	case 14:
		fuzz_world_pass(value % 5000000000);
		break;
	case 15:
		if (errand->call->index & 1)
			move_away(producer);
		else
			move_back(producer);
		break;
	}
	return NULL;
}

static void run_call(struct producer *producer, const struct fuzz_change *which)
{
	struct errand errand = {.producer = producer, .call = which};
	pthread_t thread;

	if (which->index >> 5 & 1 && pthread_create(&thread, NULL, call, &errand) == 0)
		pthread_join(thread, NULL);
	else
		call(&errand);
}

static void *meddle(void *context)
{
	struct producer *producer = context;
	const struct fuzz_input *input = producer->input;

	while (!promcb_load_relaxed(&producer->stop))
		for (size_t i = 0; i < input->count; i++)
			if (input->changes[i].area != FUZZ_SIZE)
				fuzz_segment_change(producer->segment, &input->changes[i], false);
	return NULL;
}

static void look_at(unsigned number)
{
	struct fuzz_segment *segment = fuzz_segment_get(number);
	struct stat status;

	fuzz_segment_restore(segment);
	fuzz_world_begin(STEP_NS);
	good_calls[number] = count_calls(segment->path);
	FUZZ_REQUIRE(fstat(segment->fd, &status) == 0, "%s", strerror(errno));
	good_device[number] = status.st_dev;
	good_inode[number] = status.st_ino;
	FUZZ_REQUIRE(promcb_open(segment->path, NULL, &sessions[number]) == 0, "%s", segment->path);
	promcb_close(sessions[number]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input;
	struct producer producer = {.input = &input};
	bool meddled = false;
	pthread_t thread;

	if (!sessions[0]) {
		for (unsigned i = 0; i < FUZZ_SEGMENTS; i++)
			look_at(i);
		forget();
	}
	fuzz_input_parse(data, size, &input);
	producer.segment = fuzz_segment_get(input.segment);
	producer.most_bytes = producer.segment->geometry.max_bytes;
	memcpy(producer.fixed, producer.segment->bytes, sizeof(producer.fixed));
	fuzz_segment_restore(producer.segment);
	fuzz_world_begin(STEP_NS);
	start(input.segment);
	if (input.flags & 3)
		attach(&producer);
	if (input.flags & 1) {
		meddled = pthread_create(&thread, NULL, meddle, &producer) == 0;
		producer.changed = true;
		producer.most_bytes = (uint64_t)2 << 20;
	}
	for (size_t i = 0; i < input.count; i++) {
		if (input.changes[i].area != FUZZ_CALL && input.flags & 1)
			continue;
		if (input.changes[i].area != FUZZ_CALL) {
			change(&producer, &input.changes[i]);
			continue;
		}
		if (!producer.p)
			attach(&producer);
		run_call(&producer, &input.changes[i]);
	}
	if (meddled) {
		promcb_store_relaxed(&producer.stop, 1);
		pthread_join(thread, NULL);
	}
	while (producer.opens)
		detach(&producer);
	forget();
	move_back(&producer);
	check_file(&producer);
	if (!producer.changed) {
		uint64_t calls = count_calls(producer.segment->path);

		FUZZ_REQUIRE(producer.forgot || calls == good_calls[input.segment] + producer.recorded,
			     "%llu calls of %llu and %llu", (unsigned long long)calls,
			     (unsigned long long)good_calls[input.segment], (unsigned long long)producer.recorded);
	}
	return 0;
}

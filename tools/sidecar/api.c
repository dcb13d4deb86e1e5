/* SPDX-License-Identifier: MIT */
/*
 * api.c: see api.h.
 *
 * Bodies that many ask for wait in a few slots, each for what was asked and for the look that it was made of. One is
 * made at a time: who asks the same meanwhile has it without work.
 */
#include "api.h"

#include "api_asked.h"
#include "body.h"
#include "views/recording.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <urcu/uatomic.h>

enum { SLOTS = 8, KEY_BYTES = 512 };

/* Compressing less than a packet saves nothing, and much of it for this machine costs more than it saves. */
#define GZIP_WORTH_BYTES ((size_t)1400)
#define GZIP_NEAR_BYTES ((size_t)1048576)

static const char json_type[] = "application/json";

struct slot {
	char key[KEY_BYTES]; /* path and query */
	char id[96];         /* what it was made of; empty: the slot is free */
	uint64_t used;
	struct sidecar_counted_body *plain, *gzipped;
};

struct sidecar_api {
	struct sidecar_bodies *bodies;
	struct sidecar_history *history;
	pthread_mutex_t lock; /* of all below */
	uint64_t used;
	struct slot slots[SLOTS];
};

struct sidecar_api *sidecar_api_new(struct sidecar_bodies *bodies, struct sidecar_history *history)
{
	struct sidecar_api *api = calloc(1, sizeof(*api));

	if (api) {
		api->bodies = bodies;
		api->history = history;
		pthread_mutex_init(&api->lock, NULL);
	}
	return api;
}

static void empty(struct slot *slot)
{
	if (slot->plain)
		sidecar_body_put(&slot->plain->body);
	if (slot->gzipped)
		sidecar_body_put(&slot->gzipped->body);
	*slot = (struct slot){.used = 0};
}

void sidecar_api_free(struct sidecar_api *api)
{
	if (!api)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		empty(&api->slots[i]);
	pthread_mutex_destroy(&api->lock);
	free(api);
}

/* -- Answers ------------------------------------------------------------------------------------------------------- */

/* What is made of what is known, while it is. */
struct making {
	const struct sidecar_asked *asked;
	struct promcb_view_bytes out;
	char id[96];
	unsigned status;
	const char *sentence;
};

static void refuse(struct making *making, unsigned status, const char *sentence)
{
	making->status = status;
	making->sentence = sentence;
}

/* The segment that is asked for. Returns whether there is one. */
static bool find_source(struct making *making, const struct promcb_view_sources *sources, size_t *out)
{
	const char *name = making->asked->segment;

	if (!*name && sources->count > 1)
		refuse(making, 400, "There are several segments: segment= says of which one.");
	else if (!*name && sources->count == 1)
		*out = 0;
	else
		for (*out = 0; *out < sources->count && strcmp(sources->sources[*out].name, name) != 0;)
			++*out;
	if (making->status == 200 && (*out >= sources->count || !sources->sources[*out].history))
		refuse(making, 404, "Nothing is known of such a segment.");
	return making->status == 200;
}

static bool find_component(struct making *making, const struct promcb_view_sources *sources, size_t *source,
			   uint32_t *component)
{
	if (!*making->asked->component) {
		refuse(making, 400, "component= is missing: it says of which one.");
		return false;
	}
	if (!find_source(making, sources, source))
		return false;
	*component = promcb_view_find(sources->sources[*source].history, making->asked->component);
	if (*component == UINT32_MAX)
		refuse(making, 404, "Nothing is known of such a component.");
	return making->status == 200;
}

static void make_recording(struct making *making, const struct promcb_view_sources *sources)
{
	static const struct promcb_segment_info nothing;
	const struct promcb_view_source *source;
	struct promcb_view_recorder recorder;
	size_t at = sources->count;

	if (!find_source(making, sources, &at))
		return;
	source = &sources->sources[at];
	making->out.failed |= promcb_view_record_since(&recorder, source->history, source->name,
						       source->info ? source->info : &nothing,
						       making->asked->range.from_ns, &making->out) < 0;
	promcb_view_recorder_end(&recorder);
}

static void make(void *context, const struct promcb_view_sources *sources)
{
	struct making *making = context;
	const struct sidecar_asked *asked = making->asked;
	size_t source = sources->count;
	uint32_t component;

	snprintf(making->id, sizeof(making->id), "%s", sources->id);
	switch (asked->what) {
	case SIDECAR_ASKED_LIVE:
		promcb_view_answer_live(sources, &asked->listing, &making->out);
		break;
	case SIDECAR_ASKED_STRIPS:
		promcb_view_answer_strips(sources, &asked->listing, asked->parts, &making->out);
		break;
	case SIDECAR_ASKED_HISTORY:
		if (find_component(making, sources, &source, &component))
			promcb_view_answer_history(sources, source, component, asked->range, asked->columns,
						   &making->out);
		break;
	case SIDECAR_ASKED_COMPARE:
		if (find_component(making, sources, &source, &component))
			promcb_view_answer_compare(sources, source, component, asked->range, asked->other,
						   &making->out);
		break;
	case SIDECAR_ASKED_SAMPLES:
		find_component(making, sources, &source, &component);
		break;
	case SIDECAR_ASKED_RECORDING:
		make_recording(making, sources);
		break;
	}
}

static void only_id(void *context, const struct promcb_view_sources *sources)
{
	snprintf(context, 96, "%s", sources->id);
}

/* -- Newest calls -------------------------------------------------------------------------------------------------- */

struct sampling {
	const struct sidecar_asked *asked;
	struct promcb_view_bytes *out;
	bool is_found;
};

static void sample(void *context, const struct sidecar_segment *segment)
{
	struct sampling *sampling = context;
	const struct sidecar_asked *asked = sampling->asked;
	struct promcb_summary summary;
	size_t index = 0;

	if (!segment->snapshot || sampling->is_found || (*asked->segment && strcmp(segment->name, asked->segment) != 0))
		return;
	while (promcb_snapshot_summary(segment->snapshot, index, &summary) == 0) {
		if (strcmp(summary.name, asked->component) == 0) {
			sidecar_asked_put_calls(segment, index, &summary, sampling->out);
			sampling->is_found = true;
			return;
		}
		index++;
	}
}

static void make_samples(struct sidecar_api *api, struct making *making, uint64_t budget_ns)
{
	struct sampling sampling = {.asked = making->asked, .out = &making->out};
	const struct sidecar_look look = {
		.flags = PROMCB_SNAPSHOT_WITH_CALLS, .matching = making->asked->component, .budget_ns = budget_ns};

	if (sidecar_bodies_look(api->bodies, &look, sample, &sampling) < 0)
		refuse(making, 503, "No answer could be made in time.");
	else if (!sampling.is_found)
		refuse(making, 404, "Such a component is not there now.");
}

/* -- Bodies -------------------------------------------------------------------------------------------------------- */

/* The smaller form where that is worth it and may be. The slot has both. */
static struct sidecar_body *choose(struct slot *slot, enum sidecar_gzip gzip)
{
	size_t length = slot->plain->body.length, most = gzip == SIDECAR_GZIP_SMALL ? GZIP_NEAR_BYTES : SIZE_MAX;
	struct sidecar_counted_body *body = slot->plain;

	if (gzip != SIDECAR_GZIP_NEVER && length >= GZIP_WORTH_BYTES && length <= most) {
		/* Without memory for the small form, the large one does. */
		if (!slot->gzipped)
			(void)sidecar_body_compress(slot->plain, &slot->gzipped);
		body = slot->gzipped ? slot->gzipped : body;
	}
	uatomic_inc(&body->users);
	return &body->body;
}

static struct slot *find_slot(struct sidecar_api *api, const char *key)
{
	struct slot *oldest = &api->slots[0];

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &api->slots[i];

		if (slot->id[0] && strcmp(slot->key, key) == 0)
			return slot;
		if (slot->used < oldest->used)
			oldest = slot;
	}
	empty(oldest);
	snprintf(oldest->key, sizeof(oldest->key), "%s", key);
	return oldest;
}

/* What a body of bytes is, in a slot. Returns whether there was memory. */
static bool fill(struct slot *slot, const struct making *making, const char *type)
{
	struct sidecar_counted_body *plain;

	if (making->out.failed || sidecar_body_copy(making->out.bytes, making->out.length, type, &plain) < 0)
		return false;
	if (slot->plain)
		sidecar_body_put(&slot->plain->body);
	if (slot->gzipped)
		sidecar_body_put(&slot->gzipped->body);
	slot->plain = plain;
	slot->gzipped = NULL;
	snprintf(slot->id, sizeof(slot->id), "%s", making->id);
	return true;
}

static void give(struct making *making, bool is_good, struct slot *slot, enum sidecar_gzip gzip,
		 struct sidecar_api_answer *answer)
{
	if (making->status == 200 && !is_good)
		refuse(making, 503, "There is no memory for an answer.");
	answer->status = making->status;
	answer->sentence = making->sentence;
	if (making->status == 200)
		answer->body = choose(slot, gzip);
}

/* An answer that others may want too. key: what is asked for. */
static void answer_shared(struct sidecar_api *api, const char *key, struct making *making, uint64_t step_ns,
			  enum sidecar_gzip gzip, struct sidecar_api_answer *answer)
{
	struct slot *slot;
	bool is_good = true;
	char id[96];

	pthread_mutex_lock(&api->lock);
	slot = find_slot(api, key);
	slot->used = ++api->used;
	sidecar_history_use(api->history, step_ns, only_id, id);
	if (strcmp(slot->id, id) != 0) {
		sidecar_history_use(api->history, step_ns, make, making);
		is_good = making->status == 200 && fill(slot, making, json_type);
	}
	give(making, is_good, slot, gzip, answer);
	snprintf(answer->id, sizeof(answer->id), "%s", slot->id);
	if (answer->status != 200)
		empty(slot);
	pthread_mutex_unlock(&api->lock);
}

/* One for whoever asks. */
static void answer_alone(struct sidecar_api *api, struct making *making, enum sidecar_gzip gzip,
			 struct sidecar_api_answer *answer)
{
	bool is_recording = making->asked->what == SIDECAR_ASKED_RECORDING;
	struct slot slot = {.used = 0};

	sidecar_history_use(api->history, 0, make, making);
	if (making->asked->what == SIDECAR_ASKED_SAMPLES && making->status == 200)
		make_samples(api, making, making->asked->budget_ns);
	give(making,
	     making->status == 200 && fill(&slot, making, is_recording ? "application/octet-stream" : json_type), &slot,
	     gzip, answer);
	if (is_recording && answer->status == 200) {
		time_t now = time(NULL);
		struct tm when;

		strftime(answer->file, sizeof(answer->file), "promcb-%Y%m%d-%H%M%S.promcb", gmtime_r(&now, &when));
	}
	empty(&slot);
}

bool sidecar_api_is(const char *path)
{
	enum sidecar_asked_what what;

	return sidecar_asked_find(path, &what);
}

/* Whether one of the tags of the header is the id: they hold neither quotes nor commas. */
static bool is_known(const char *tags, const char *id)
{
	char tag[100];

	snprintf(tag, sizeof(tag), "\"%s\"", id);
	return tags && strstr(tags, tag) != NULL;
}

void sidecar_api_answer(struct sidecar_api *api, const struct sidecar_api_request *request,
			struct sidecar_api_answer *answer)
{
	struct sidecar_asked asked;
	struct making making = {.asked = &asked, .status = 200};
	char key[KEY_BYTES];
	uint64_t step_ns;
	int length;

	*answer = (struct sidecar_api_answer){.status = 200};
	if (!api->history) {
		answer->status = 404;
		answer->sentence = "No history is kept here: --history=0.";
		return;
	}
	answer->sentence = sidecar_asked_parse(request->head, &asked);
	if (answer->sentence) {
		answer->status = 400;
		return;
	}
	step_ns = asked.what == SIDECAR_ASKED_STRIPS ? asked.listing.window_ns / asked.parts : 0;
	length = snprintf(key, sizeof(key), "%s?%s", sidecar_head_path(request->head),
			  request->head->bytes + request->head->query_at);
	if (asked.what == SIDECAR_ASKED_SAMPLES || asked.what == SIDECAR_ASKED_RECORDING ||
	    length >= (int)sizeof(key)) {
		answer_alone(api, &making, request->gzip, answer);
	} else {
		sidecar_history_use(api->history, step_ns, only_id, answer->id);
		if (is_known(request->if_none_match, answer->id))
			answer->status = 304;
		else
			answer_shared(api, key, &making, step_ns, request->gzip, answer);
	}
	promcb_view_bytes_free(&making.out);
}
